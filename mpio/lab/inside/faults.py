"""Faults of the SAN to try an initiator on, each with its reverse. Python 3.9, standard library only."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from mpio.lab.inside import san


def nft(script: str) -> None:
    san.run("nsenter", f"--net=/run/netns/{san.NAMESPACE}", "nft", "-f", "-", text=script)


def drop(chain: str, match: str, name: str) -> None:
    """Add one silent drop; `chain` is input or output, `name` its comment, by which it goes again."""
    nft(
        "table inet lab {\n"
        " chain input { type filter hook input priority 0; }\n"
        " chain output { type filter hook output priority 0; }\n"
        f'}}\nadd rule inet lab {chain} {match} drop comment "{name}"\n'
    )


def undrop(name: str) -> None:
    listed = san.run("nsenter", f"--net=/run/netns/{san.NAMESPACE}", "nft", "-a", "list", "ruleset")
    chain = ""
    for line in listed.splitlines():
        words = line.split()
        if words[:1] == ["chain"]:
            chain = words[1]
        if f'comment "{name}"' in line:
            nft(f"delete rule inet lab {chain} handle {words[-1]}\n")


def family(ip: str) -> str:
    return "ip6" if ":" in ip else "ip"


def split(portal: str) -> tuple[str, str]:
    ip, _, port = portal.rpartition(":")
    return ip.strip("[]"), port


def heal(layout: dict[str, Any]) -> None:
    """Undo every fault; a resized LUN keeps its size."""
    nft("table inet lab\ndelete table inet lab\n")
    san.build(layout)


def fault(layout: dict[str, Any], name: str, args: list[str]) -> None:
    """FAULTS says what each takes; the first argument of those in ON_TARGET is a target's name."""
    if name in ON_TARGET:
        ON_TARGET[name](layout, next(target for target in layout["targets"] if target["name"] == args[0]), args[1:])
    elif name == "link-down":
        san.run("ip", "-n", san.NAMESPACE, "link", "set", args[0], "down")
    elif name == "link-up":
        san.build_links(layout)
    elif name == "silence":  # nothing reaches this portal any more
        ip, port = split(args[0])
        drop("input", f"{family(ip)} daddr {ip} tcp dport {port}", f"silence {args[0]}")
    elif name == "mute":  # no reply reaches this address of the initiator any more
        drop("output", f"{family(args[0])} daddr {args[0]}", f"mute {args[0]}")
    elif name in ("unsilence", "unmute"):
        undrop(f"{name[2:]} {args[0]}")
    elif name == "resize":
        resize(numbered(layout, args[0]), int(args[1]))
    elif name in ("discovery-chap", "no-discovery-chap"):
        san.set_discovery_chap(chap(args))


def numbered(layout: dict[str, Any], number: str) -> dict[str, Any]:
    found: dict[str, Any] = next(lun for lun in layout["luns"] if lun["number"] == int(number))
    return found


def chap(args: list[str]) -> dict[str, str] | None:
    words = ("username", "password", "username_in", "password_in")
    return dict(zip(words, args)) or None  # noqa: B905  Python 3.9 has no strict


def drop_sessions(target: dict[str, Any]) -> None:
    """The target closes every session; initiators may come back at once."""
    san.write(san.group(target) / "enable", 0)
    san.write(san.group(target) / "enable", 1)


ON_TARGET: dict[str, Callable[[dict[str, Any], dict[str, Any], list[str]], None]] = {
    "unmap": lambda _, target, args: san.unmap_lun(san.group(target), int(args[0])),
    "map": lambda layout, target, args: san.map_lun(san.group(target), numbered(layout, args[0])),
    "map-at": lambda layout, target, args: san.map_lun(san.group(target), numbered(layout, args[0]), int(args[1])),
    "portal-remove": lambda _, target, args: (san.group(target) / "np" / args[0]).rmdir(),
    "portal-add": lambda _, target, args: san.add_portals([san.group(target) / "np" / args[0]]),
    "chap": lambda _, target, args: san.set_chap(san.group(target), chap(args)),
    "no-chap": lambda _, target, __: san.set_chap(san.group(target), None),
    "allow": lambda _, target, args: san.allow(target, args),
    "drop-sessions": lambda _, target, __: drop_sessions(target),
    "target-off": lambda _, target, __: san.write(san.group(target) / "enable", 0),
    "target-on": lambda _, target, __: san.write(san.group(target) / "enable", 1),
}

FAULTS = {
    "link-down": "END",
    "link-up": "END",
    "silence": "PORTAL",
    "unsilence": "PORTAL",
    "mute": "ADDRESS",
    "unmute": "ADDRESS",
    "resize": "LUN BYTES",
    "unmap": "TARGET LUN",
    "map": "TARGET LUN",
    "map-at": "TARGET LUN NUMBER",
    "portal-remove": "TARGET PORTAL",
    "portal-add": "TARGET PORTAL",
    "chap": "TARGET USER PASSWORD [USER_IN PASSWORD_IN]",
    "no-chap": "TARGET",
    "discovery-chap": "USER PASSWORD [USER_IN PASSWORD_IN]",
    "no-discovery-chap": "",
    "allow": "TARGET [INITIATOR...]",
    "drop-sessions": "TARGET",
    "target-off": "TARGET",
    "target-on": "TARGET",
}


def resize(lun: dict[str, Any], size: int) -> None:
    os.truncate(san.FILES / f"{lun['wwid']}.img", size)
    san.write(san.backstore(lun) / "control", f"fd_dev_size={size}")
