"""iproute2's `ip`: addresses of NICs, the way to an address, rules and routes by source address. Always JSON."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mpio.errors import UnreadableOutput
from mpio.program import Run
from mpio.routing import Rule, TableRoute
from mpio.step import Command, Part
from mpio.tools.sysfs import Reader

ADDRESSES = ("ip", "-j", "addr", "show")
# The mark of mpio's rules and routes (rtm_protocol): 5 to 255 are free for programs to choose, and no one of
# iproute2's rt_protos has this one.
PROTOCOL = 109
FAMILIES = (4, 6)
TABLES = ("/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2")  # the newer releases' own are under /usr


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


def ways(run: Run, asked: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], Route]:
    """The way to each (address, NIC, source), of which one is empty, all in one call a family; by the address and that.

    What there is no way to is left out: ip says on stderr which line that was, and goes on (-force).
    """
    found: dict[tuple[str, str], Route] = {}
    wanted = tuple(asked)
    for version in FAMILIES:
        lines = [f"{_get(*one)}\n" for one in wanted if (":" in one[0]) == (version == 6)]
        if lines:
            done = run("ip", "-j", f"-{version}", "-force", "-batch", "-", ok=None, stdin="".join(lines).encode())
            found |= parse_ways(done.out)
    return found


def _get(address: str, nic: str, source: str) -> str:
    return " ".join(("route get", address, *(("from", source) if source else ("oif", nic))))


def parse_ways(text: str) -> dict[tuple[str, str], Route]:
    """`[{"dst": "10.10.9.90", "from": "10.10.8.20", "dev": "eth2", …}]`, one array a question. By the address, and the
    source where one was asked for, else the NIC.
    """
    found: dict[tuple[str, str], Route] = {}
    for line in text.splitlines():
        for said in objects(line) if line.strip() else ():
            where, source = said.get("dst"), said.get("from")
            if not isinstance(where, str):
                raise UnreadableOutput(line, "ip")
            route = _route(said)
            found[where, source if isinstance(source, str) else route.nic] = route
    return found


def parse_addresses(text: str) -> dict[str, tuple[str, ...]]:
    """`[{"ifname": "eth1", "addr_info": [{"local": "10.10.8.20", "prefixlen": 24, "scope": "global", …}]}]`"""
    found: dict[str, tuple[str, ...]] = {}
    for link in objects(text):
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
    """`10.10.8.20/24`; empty for {}, for link-local addresses, which need a zone to be of use, and for temporary ones
    (RFC 8981), which are others tomorrow.
    """
    if not isinstance(info, dict):
        raise UnreadableOutput(str(info), "ip")
    if not info or info.get("scope") == "link" or info.get("temporary"):
        return ""
    try:
        return str(ipaddress.ip_interface(f"{info['local']}/{int(info['prefixlen'])}"))
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise UnreadableOutput(str(info), "ip") from error


def parse_route(text: str) -> Route:
    """`[{"dst": "10.10.8.90", "dev": "eth1", "prefsrc": "10.10.8.20", "flags": [], "uid": 0, "cache": []}]`"""
    routes = objects(text)
    if not routes:
        raise UnreadableOutput(text.strip() or "nothing", "ip")
    return _route(routes[0])


def _route(said: Mapping[str, object]) -> Route:
    words = [said.get(key, "") for key in ("dev", "prefsrc", "gateway")]
    nic, source, gateway = (w if isinstance(w, str) else "" for w in words)
    if not nic:
        raise UnreadableOutput(str(said), "ip")
    return Route(nic, source, gateway)


# -- rules and routes by source address ------------------------------------------------------------------------------


def rules(run: Run, version: int) -> tuple[Rule, ...]:
    return parse_rules(run(*rules_argv(version)).out)


def rules_argv(version: int) -> tuple[str, ...]:
    return ("ip", "-N", "-j", f"-{version}", "rule", "show")


def own_routes(run: Run, version: int) -> tuple[TableRoute, ...]:
    """The routes that have our mark, whatever their table."""
    return parse_own_routes(run(*own_routes_argv(version)).out)


def own_routes_argv(version: int) -> tuple[str, ...]:
    return ("ip", "-N", "-j", f"-{version}", "route", "show", "table", "all", "proto", str(PROTOCOL))


def parse_rules(text: str) -> tuple[Rule, ...]:
    """`[{"priority": 28017, "src": "10.10.8.21", "table": "28017", "protocol": "109"}]`; "all" and "srclen" may be."""
    return tuple(_rule(found) for found in objects(text) if found)


def _rule(found: Mapping[str, object]) -> Rule:
    source, length, priority = found.get("src", "all"), found.get("srclen"), found.get("priority")
    if not isinstance(source, str) or not isinstance(priority, int):
        raise UnreadableOutput(str(found), "ip")
    prefix = source if length is None else f"{source}/{length}"
    return Rule(prefix, _number(found.get("table")), priority, _number(found.get("protocol")) == PROTOCOL)


def parse_own_routes(text: str) -> tuple[TableRoute, ...]:
    """`[{"dst": "10.10.8.0/24", "dev": "eth2", "table": "28017", "scope": "253", "flags": []}]`"""
    found = []
    for route in objects(text):
        subnet, nic, table = route.get("dst"), route.get("dev"), _number(route.get("table"))
        if not isinstance(subnet, str) or not isinstance(nic, str) or table is None:
            raise UnreadableOutput(str(route), "ip")
        found.append(TableRoute(subnet, nic, table))
    return tuple(found)


def _number(said: object) -> int | None:
    """ip prints numbers as words."""
    return int(said) if isinstance(said, str) and re.fullmatch(r"\d{1,10}", said, re.ASCII) else None


def rule_add(rule: Rule) -> tuple[str, ...]:
    return (*_rule_words(rule, "add"), "protocol", str(PROTOCOL))


def rule_delete(rule: Rule) -> tuple[str, ...]:
    return (*_rule_words(rule, "del"), "protocol", str(PROTOCOL))


def _rule_words(rule: Rule, verb: str) -> tuple[str, ...]:
    table = () if rule.table is None else ("lookup", str(rule.table))
    return ("ip", _family(rule.source), "rule", verb, "priority", str(rule.priority), "from", rule.source, *table)


def route_set(route: TableRoute) -> tuple[str, ...]:
    """On-link, and without a source of its own: the rule that leads here has matched that already."""
    return (*_route_words(route, "replace"), "protocol", str(PROTOCOL))


def route_delete(route: TableRoute) -> tuple[str, ...]:
    return (*_route_words(route, "del"), "protocol", str(PROTOCOL))


def _route_words(route: TableRoute, verb: str) -> tuple[str, ...]:
    return ("ip", _family(route.subnet), "route", verb, route.subnet, "dev", route.nic, "table", str(route.table))


def _family(address: str) -> str:
    return "-6" if ":" in address else "-4"


def forget_neighbours(nic: str) -> tuple[str, ...]:
    """The next packet to each neighbour is preceded by an ARP request, which tells it the sender's address anew."""
    return ("ip", "neigh", "flush", "dev", nic)


# -- a NIC down and up again -----------------------------------------------------------------------------------------


def down(nic: str, why: str) -> Command:
    return Command(Part.IFACES, why, ("ip", "link", "set", "dev", nic, "down"))


def up(nic: str, why: str) -> Command:
    return Command(Part.IFACES, why, ("ip", "link", "set", "dev", nic, "up"))


def routes_over(run: Run, nic: str, version: int) -> tuple[str, ...]:
    """The routes over a NIC that go when it is set down and do not come back by themselves, each in ip's own words."""
    return parse_routes_over(run(*routes_over_argv(nic, version)).out)


def routes_over_argv(nic: str, version: int) -> tuple[str, ...]:
    return ("ip", "-N", f"-{version}", "route", "show", "table", "all", "dev", nic)


def parse_routes_over(text: str) -> tuple[str, ...]:
    """What `ip route` prints it also takes; numbers of types, protocols and scopes (-N) too.

    default via 10.10.8.1 proto 4 metric 100
    10.10.8.0/24 proto 2 scope 253 src 10.10.8.20
    2 10.10.8.20 table 255 proto 2 scope 254 src 10.10.8.20

    On-link ones first: a gateway is looked up among them.
    """
    kept = (_kept(line.split()) for line in text.splitlines() if line[:1].strip())
    return tuple(sorted((line for line in kept if line), key=lambda line: " via " in line))


def _kept(words: list[str]) -> str:
    """Empty for what the kernel (proto 2) or a router's advertisement (9) makes, and for local, broadcast, anycast and
    multicast routes (2 to 5), which a NIC has as long as it has the address.
    """
    if words[0] in _TYPES or _after(words, "proto") in ("2", "9", "kernel", "ra"):
        return ""
    left: list[str] = []
    pairs = iter(words)
    for word in pairs:
        if word in _SAID_WITH_VALUE:
            next(pairs, "")
        elif word not in _SAID:
            left.append(word)
    return " ".join(left)


_TYPES = frozenset({"2", "3", "4", "5", "local", "broadcast", "anycast", "multicast"})
_SAID = frozenset({"linkdown", "dead", "offload", "rt_offload", "trap", "rt_trap", "notify", "cache", "pervasive"})
_SAID_WITH_VALUE = frozenset({"dev", "error", "expires", "nhid", "users", "age", "used"})


def _after(words: list[str], key: str) -> str:
    return words[words.index(key) + 1] if key in words[:-1] else ""


def keeps_addresses(nic: str) -> str:
    """The setting that lets a NIC keep its permanent IPv6 addresses while it is down (kernel, ip-sysctl.rst)."""
    return f"/proc/sys/net/ipv6/conf/{nic}/keep_addr_on_down"


def route_back(words: str, nic: str, version: int, why: str) -> Command:
    """A route as `routes_over` gave it. Its device stands last: the words may begin with a type or `default`."""
    return Command(Part.IFACES, why, ("ip", "-N", f"-{version}", "route", "replace", *words.split(), "dev", nic))


def named_tables(read: Reader) -> frozenset[int]:
    """The numbers that have a name in rt_tables: somebody means to use them."""
    files = [f"{folder}/rt_tables" for folder in TABLES]
    files += [f"{at}/{name}" for at in (f"{f}/rt_tables.d" for f in TABLES) for name in read.names(at)]
    lines = (line for file in files for line in (read.text(file) or "").splitlines())
    found = (re.match(r"\s*(0x[0-9a-f]{1,8}|\d{1,10})\s+\S", line, re.ASCII) for line in lines)
    return frozenset(int(m[1], 0) if m[1].startswith("0x") else int(m[1]) for m in found if m)


def objects(text: str) -> list[dict[str, object]]:
    """An empty list prints as nothing."""
    try:
        document = json.loads(text or "[]")
    except (ValueError, RecursionError) as error:
        raise UnreadableOutput(text.strip().partition("\n")[0], "ip") from error
    if not isinstance(document, list) or not all(isinstance(o, dict) for o in document):
        raise UnreadableOutput(text.strip().partition("\n")[0], "ip")
    return document
