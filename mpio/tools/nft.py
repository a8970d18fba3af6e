"""nft: a table of our own that drops what goes between NICs and portals. An nftables table of another name is never
touched, and a packet that one table drops is dropped, whatever the others say (nft(8), VERDICT STATEMENTS).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mpio.host import Portal
from mpio.step import Command, Part

PROGRAM = "nft"


def block(table: str, ways: Iterable[tuple[str, Portal]], why: str) -> Command:
    """Drop every packet between these (NIC, portal), both ways. One transaction: all of it or nothing."""
    ways = sorted(set(ways))
    there = " ".join(f'oifname "{nic}" {_of(p)} daddr {p.address} tcp dport {p.port} drop;' for nic, p in ways)
    back = " ".join(f'iifname "{nic}" {_of(p)} saddr {p.address} tcp sport {p.port} drop;' for nic, p in ways)
    script = (
        f"table inet {table} {{ "
        f"chain there {{ type filter hook output priority 0; {there} }}; "
        f"chain back {{ type filter hook input priority 0; {back} }}; }}"
    )
    return Command(Part.IFACES, why, (PROGRAM, script))


def unblock(table: str, why: str) -> Command:
    """Take the table away; that there is none is no error, since it is made first."""
    return Command(Part.IFACES, why, (PROGRAM, f"add table inet {table}; delete table inet {table}"))


LIST = (PROGRAM, "list", "ruleset")
_CHAIN = re.compile(r"\s*(table|chain) (.+?) ?\{", re.ASCII)


def parse_drops(text: str) -> tuple[str, ...]:
    """Every rule that may drop or reject, and every chain that does so unless told otherwise, each with its place.

    table inet filter {
            chain output {
                    type filter hook output priority filter; policy drop;
                    oifname "eth1" tcp dport 3260 drop
    """
    found: list[str] = []
    place = {"table": "", "chain": ""}
    for line in text.splitlines():
        if at := _CHAIN.fullmatch(line):
            place |= {at[1]: at[2]} if at[1] == "chain" else {"table": at[2], "chain": ""}
        elif place["chain"] and re.search(r"\b(drop|reject)\b", line, re.ASCII):
            found.append(f"table {place['table']} chain {place['chain']}: {line.strip()}")
    return tuple(found)


def _of(portal: Portal) -> str:
    return "ip6" if portal.version == 6 else "ip"
