"""iproute2's `ip`: addresses of NICs and the way to an address. Always JSON."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass

from mpio.errors import UnreadableOutput
from mpio.program import Run

ADDRESSES = ("ip", "-j", "addr", "show")


@dataclass(frozen=True, slots=True)
class Route:
    """The way the kernel takes to an address; `gateway` is empty where it is on-link, `source` where none is named."""

    nic: str
    source: str = ""
    gateway: str = ""


def addresses(run: Run) -> dict[str, tuple[str, ...]]:
    """NIC to its addresses in CIDR form, link-local ones left out."""
    return parse_addresses(run(*ADDRESSES).out)


def route(run: Run, address: str, nic: str = "") -> Route | None:
    """None where there is no way; bound to a NIC the kernel may still find one on-link (facts 9.3)."""
    # 2: "RTNETLINK answers: Network is unreachable"
    done = run(*route_argv(address, nic), ok=(0, 2))
    return parse_route(done.out) if done.code == 0 else None


def route_argv(address: str, nic: str = "") -> tuple[str, ...]:
    return ("ip", "-j", "route", "get", address, *(("oif", nic) if nic else ()))


def parse_addresses(text: str) -> dict[str, tuple[str, ...]]:
    """`[{"ifname": "eth1", "addr_info": [{"local": "10.10.8.20", "prefixlen": 24, "scope": "global", …}]}]`"""
    found: dict[str, tuple[str, ...]] = {}
    for link in _objects(text):
        name = link.get("ifname")
        if not link:
            continue  # iproute2 before 5.x prints {} for links that its filter left out
        if not isinstance(name, str) or not name:
            raise UnreadableOutput(str(link), "ip")
        infos = link.get("addr_info", [])
        if not isinstance(infos, list):
            raise UnreadableOutput(str(infos), "ip")
        cidrs = (_cidr(info) for info in infos)
        found[name] = tuple(cidr for cidr in cidrs if cidr)
    return found


def _cidr(info: object) -> str:
    """`10.10.8.20/24`; empty for {} and for link-local addresses, which need a zone to be of use."""
    if not isinstance(info, dict):
        raise UnreadableOutput(str(info), "ip")
    if not info or info.get("scope") == "link":
        return ""
    try:
        return str(ipaddress.ip_interface(f"{info['local']}/{int(info['prefixlen'])}"))
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise UnreadableOutput(str(info), "ip") from error


def parse_route(text: str) -> Route:
    """`[{"dst": "10.10.8.90", "dev": "eth1", "prefsrc": "10.10.8.20", "flags": [], "uid": 0, "cache": []}]`"""
    routes = _objects(text)
    if not routes:
        raise UnreadableOutput(text.strip() or "nothing", "ip")
    words = [routes[0].get(key, "") for key in ("dev", "prefsrc", "gateway")]
    nic, source, gateway = (w if isinstance(w, str) else "" for w in words)
    if not nic:
        raise UnreadableOutput(str(routes[0]), "ip")
    return Route(nic, source, gateway)


def _objects(text: str) -> list[dict[str, object]]:
    """An empty list prints as nothing."""
    try:
        document = json.loads(text or "[]")
    except (ValueError, RecursionError) as error:
        raise UnreadableOutput(text.strip().partition("\n")[0], "ip") from error
    if not isinstance(document, list) or not all(isinstance(o, dict) for o in document):
        raise UnreadableOutput(text.strip().partition("\n")[0], "ip")
    return document
