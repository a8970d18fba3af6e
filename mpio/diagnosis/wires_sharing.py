"""Whose address is whose: NICs that answer for each other, and other machines that answer for us or for a portal."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import combinations

from mpio.diagnosis import wires_seen
from mpio.diagnosis.wires_seen import Read, Wires
from mpio.findings import Finding, finding
from mpio.host import Host, Portal
from mpio.site import Site
from mpio.tools.wires import Link

DOUBTFUL = frozenset({"MP207", "MP240"})  # which NIC takes what is for which: counting bytes tells


def findings(site: Site | None, host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    here = [link for name in dict.fromkeys(nic_of.values()) if (link := seen.link(name)) is not None]
    if site is None:
        yield from _one_subnet(seen, here)
    yield from _own(seen, here)
    yield from _portals(host, seen, nic_of)


def _own(seen: Wires, here: Iterable[Link]) -> Iterator[Finding]:
    """Who answers for an address of ours: a NIC of ours that it does not belong to, or somebody else."""
    for link in here:
        ours: dict[str, None] = {}
        theirs: dict[str, None] = {}
        for (nic, address), macs in seen.claims.items():
            if nic != link.name or not link.has(address):
                continue
            for mac in macs:
                name = seen.mine(mac)
                if name:
                    ours[f"{name} ({mac}) answers ARP for {address}"] = None
                else:
                    theirs[f"{mac} answers ARP for {address}"] = None
        if theirs:
            yield finding("MP226", link.name, "; ".join(theirs))
        if ours:
            yield finding("MP240", link.name, f"{'; '.join(ours)}{bytes_of(seen, (link.name,))}")


def _portals(host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    pairs = {*wires_seen.alive(host, nic_of), *((way.nic, way.portal) for way in seen.ways)}
    told: defaultdict[Portal, list[str]] = defaultdict(list)
    for nic, portal in sorted(pairs):
        macs = seen.claims.get((nic, portal.address), ())
        if len(macs) > 1 and not any(seen.mine(mac) for mac in macs):
            told[portal].append(f"on {nic} {' and '.join(macs)}")
    for portal, some in told.items():
        yield finding("MP227", f"portal {portal}", "; ".join(some))


def _one_subnet(seen: Wires, here: Iterable[Link]) -> Iterator[Finding]:
    """Without a site nobody else says it. Silent where ARP is set and each address has a rule of its own, or where a
    VRF keeps the NICs apart: it has routes of its own, and answers ARP for its own addresses.
    """
    for one, other in combinations(here, 2):
        shared = _nets(one) & _nets(other) if _vrf(seen, one) == _vrf(seen, other) else set()
        lacks = [lack for link in (one, other) for lack in _lacks(seen, link, shared)]
        if shared and lacks:
            nets = ", ".join(sorted(map(str, shared)))
            both = (one.name, other.name)
            yield finding("MP207", " and ".join(both), f"{nets}: {', '.join(lacks)}{bytes_of(seen, both)}")


Net = ipaddress.IPv4Network | ipaddress.IPv6Network


def _nets(link: Link) -> set[Net]:
    nets = {ipaddress.ip_interface(one).network for one in link.addresses}
    return {net for net in nets if net.version == 4 and net.prefixlen < 32}


def _lacks(seen: Wires, link: Link, shared: set[Net]) -> Iterator[str]:
    settings = link.settings
    if settings and not settings.get("arp_ignore") and not settings.get("arp_filter"):
        yield f"arp_ignore of {link.name} is 0"
    if settings and settings.get("arp_announce", 0) < 2:
        yield f"arp_announce of {link.name} is {settings.get('arp_announce', 0)}"
    for address in map(ipaddress.ip_interface, link.addresses):
        if address.network in shared and not {str(address.ip), f"{address.ip}/32"} & seen.sources:
            yield f"no rule from {address.ip}"


def _vrf(seen: Wires, link: Link) -> str:
    """The VRF that the NIC is in; empty for none."""
    master = seen.link(link.master)
    return master.name if master is not None and master.kind == "vrf" else ""


def bytes_of(seen: Wires, nics: Collection[str]) -> str:
    """Where the bytes of reads over these NICs came in."""
    return "".join(f"; {_read(one)}" for one in seen.reads if one.nic in nics)


def _read(one: Read) -> str:
    size, end = (f" of {one.size >> 10} KiB", "") if one.size else ("", " that did not end in time")
    came = ", ".join(f"{nic} {size >> 10} KiB" for nic, size in one.received)
    return f"during a read{size} over {one.nic}{end}: {came.replace(' ', ' received ', 1)}"
