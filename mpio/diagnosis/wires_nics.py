"""The NICs: there under their names, up, with their addresses, without errors, alike."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from mpio.diagnosis import wires_seen
from mpio.diagnosis.wires_seen import Wires
from mpio.findings import Finding, finding
from mpio.host import Host, Iface, Session
from mpio.site import Site
from mpio.tools.wires import Link

# Kernel's words for a link that is up and yet carries nothing (RFC 2863; Documentation/networking/operstates.rst)
WAITING = {
    "DORMANT": "it has a carrier and waits for a protocol above it: 802.1X, or a bond's partner",
    "LOWERLAYERDOWN": "what it stands on is down",
    "TESTING": "its driver is testing it",
}
STACKED = ("bond", "bridge", "team")
DAMAGE = ("rx_crc_errors", "rx_frame_errors", "rx_errors", "tx_errors", "tx_carrier_errors")
OVERRUN = ("rx_fifo_errors", "rx_missed_errors")
# A sound Ethernet link has one bit error in 10^12 (IEEE 802.3), so one packet in some 10^8 is damaged.
FEW, RARE = 10, 1e-6
MANY, SELDOM = 100, 1e-5
DAY = 86400
FLAPS = 10


def findings(site: Site | None, host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    here = [link for name in dict.fromkeys(nic_of.values()) if (link := seen.link(name)) is not None]
    yield from _bound_by_mac(site, host, seen, nic_of)
    yield from _renamed(host, seen, nic_of)
    for link in here:
        yield from _state(site, host, link)
        yield from _stacked(site, seen, link)
        yield from _counted(seen, link, here)
    yield from _twice(seen, here)
    yield from _lost(host, seen, nic_of)
    yield from _elsewhere(site, host, seen, nic_of)
    yield from _unlike(site, [link for link in here if link.carrier])


def _bound_by_mac(site: Site | None, host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    used = {i.name for i in site.ifaces} if site is not None else wires_seen.used_ifaces(host)
    for iface in host.ifaces:
        if not iface.hwaddress or iface.name not in used:
            continue
        found = wires_seen.by_mac(seen.links, iface.hwaddress)
        meant = nic_of.get(iface.name, "") if site is not None else iface.nic
        beats = f"; net_ifacename = {iface.nic} of the same record does not count beside it" if iface.nic else ""
        if not found:
            own = next((link.name for link in seen.links if link.permanent == iface.hwaddress.lower()), "")
            was = f"; {own} was made with it and has another now" if own else ""
            yield finding("MP243", iface.name, f"{iface.hwaddress}{was}{beats}")
            continue
        first, names = found[0], ", ".join(link.name for link in found)
        if meant and first.name != meant:
            yield finding("MP244", iface.name, f"{iface.hwaddress} is that of {names}; meant is {meant}{beats}")
        elif len(found) > 1 and (first.master or not first.addresses):
            why = f"a member of {first.master}" if first.master else "without an address"
            yield finding("MP244", iface.name, f"{iface.hwaddress} is that of {names}: {first.name} is taken, {why}")


def _renamed(host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    there = {link.name for link in seen.links}
    for name in sorted({*nic_of.values()} - there - {""}):
        ifaces = [i for i in host.ifaces if nic_of.get(i.name) == name]
        for new, why in _successors(host, seen, nic_of, (name, ifaces)):
            yield finding("MP245", name, f"{new} is most likely the same: {why}", remedy=new)
            break


def _successors(
    host: Host, seen: Wires, nic_of: Mapping[str, str], missing: tuple[str, Iterable[Iface]]
) -> Iterator[tuple[str, str]]:
    """(NIC, why) of what the missing one may be called now, the surest first."""
    name, ifaces = missing
    for session in host.sessions:
        place = seen.places.get(session.sid)
        if session.nic == name and place is not None and seen.link(place.nic):
            yield place.nic, f"the socket of session {session.sid}, made through {name}, is bound to it"
    for iface in ifaces:
        for link in wires_seen.by_mac(seen.links, iface.hwaddress) if iface.hwaddress else ():
            yield link.name, f"it has the hardware address {iface.hwaddress} of iface {iface.name}"
    for path, mac in seen.namings.get(name, ()):
        for link in seen.links:
            if mac in (link.permanent or link.hwaddress, link.hwaddress) and not link.kind:
                yield link.name, f"it has the hardware address {mac} that {path} calls {name}"
    for link in seen.links:
        if name in link.others or name in seen.known_as.get(link.name, ()):
            yield link.name, f"udev knows it as {name}, too"
    portals = {n.pair.portal.address for n in host.nodes if nic_of.get(n.pair.iface) == name}
    free = [
        link.name
        for link in seen.links
        if link.name not in nic_of.values() and link.ethernet and any(link.holds(portal) for portal in portals)
    ]
    if len(free) == 1:
        yield free[0], "it alone, of the NICs that no iface is bound to, has an address in the subnet of its portals"


def _state(site: Site | None, host: Host, link: Link) -> Iterator[Finding]:
    """With a site its own checks say what has no carrier and no address."""
    if not link.up:
        yield finding("MP230", link.name, f"with {_sessions(host, link)}")
    elif link.operstate in WAITING:
        yield finding("MP231", link.name, f"{link.operstate.lower()}: {WAITING[link.operstate]}")
    elif link.carrier is False and site is None:
        yield finding("MP203", link.name, "carrier is 0")
    through = any(s.nic == link.name for s in host.sessions)  # MP229 then
    if site is None and link.up and not through and not link.master and not _addressed(link):
        yield finding("MP202", link.name, f"its addresses: {', '.join(link.addresses) or 'none'}")


def _addressed(link: Link) -> bool:
    return bool(link.source(4) or link.source(6))


def _sessions(host: Host, link: Link) -> str:
    count = sum(1 for s in host.sessions if s.nic == link.name)
    return f"{count} session{'s' if count != 1 else ''} through it"


def _stacked(site: Site | None, seen: Wires, link: Link) -> Iterator[Finding]:
    """With a site its own checks say it of a NIC without an address."""
    master = seen.link(link.master)
    if (site is None or _addressed(link)) and master is not None and master.kind in STACKED:
        yield finding("MP208", link.name, f"its master is the {master.kind} {master.name}")
    if link.kind == "bond":
        members = [one.name for one in seen.links if one.master == link.name]
        yield finding("MP219", f"the NIC {link.name}", f"of {', '.join(members) or 'no NIC'}")


def _counted(seen: Wires, link: Link, all_links: list[Link]) -> Iterator[Finding]:
    packets = link.packets or 0
    damage = {name: link.errors[name] for name in DAMAGE if name in link.errors}
    overrun = {name: link.errors[name] for name in OVERRUN if name in link.errors}
    for counted, least, share in ((damage, FEW, RARE), (overrun, MANY, SELDOM)):
        if counted and max(counted.values()) >= max(least, packets * share):
            said = ", ".join(f"{name} {count}" for name, count in counted.items())
            yield finding("MP233", link.name, f"{said} in {packets} packets received")
    if link.downs is not None and link.downs >= FLAPS:
        others = [other.downs for other in all_links if other is not link and other.downs is not None]
        often = seen.uptime and link.downs / max(seen.uptime / DAY, 1) >= FLAPS
        if often or (others and link.downs >= FLAPS + 3 * min(others)):
            beside = f"; the other NICs: {', '.join(map(str, others))}" if others else ""
            yield finding("MP232", link.name, f"lost {link.downs} times in {_days(seen.uptime)}{beside}")


def _days(seconds: float) -> str:
    return f"{seconds / DAY:.0f} days" if seconds >= 2 * DAY else f"{seconds / 3600:.1f} hours"


def _twice(seen: Wires, here: Iterable[Link]) -> Iterator[Finding]:
    for link in here:
        own = {ipaddress.ip_interface(one).ip for one in link.addresses}
        for other in seen.links:
            if other.name != link.name and other.up:
                both = own & {ipaddress.ip_interface(one).ip for one in other.addresses}
                for address in sorted(str(one) for one in both if not one.is_link_local):
                    yield finding("MP248", link.name, f"{address} is an address of {other.name}, too")


def _lost(host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    """Sessions whose connection begins at an address that their NIC has no more, or that cannot begin again at any."""
    gone: defaultdict[str, list[tuple[Session, str]]] = defaultdict(list)
    for session in wires_seen.sessions(host, nic_of):
        place, link = seen.places.get(session.sid), seen.link(session.nic)
        if link is None or not link.up:
            continue
        if place is not None and place.nic == link.name and not link.has(place.address):
            gone[link.name].append((session, place.address))
        elif place is None and not session.logged_in and not link.master and not _addressed(link):
            gone[link.name].append((session, ""))
    for name, some in gone.items():
        addresses = sorted({address for _, address in some if address})
        now = [f"; {a} is on {link.name} now" for a in addresses for link in seen.links if link.has(a)]
        sids = ", ".join(str(session.sid) for session, _ in some)
        lost = ", ".join(addresses) or "it has no address"
        yield finding("MP229", name, f"{lost}: session {sids}{''.join(now)}")


def _elsewhere(site: Site | None, host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    """Sessions whose socket is bound to another NIC than theirs. A NIC that is gone says so by itself."""
    by_mac = {iface.name for iface in host.ifaces if iface.hwaddress}  # MP244 says it
    for session in wires_seen.sessions(host, nic_of):
        place, iface = seen.places.get(session.sid), session.pair.iface
        meant = session.nic if site is not None or iface in by_mac else nic_of[iface]
        if place is None or place.nic == meant or seen.link(meant) is None:
            continue
        at = place.nic or f"no NIC; it begins at {place.address}"
        yield finding("MP246", f"session {session.sid}", f"{session.pair}: bound to {at}, meant is {meant}")


def _unlike(site: Site | None, here: list[Link]) -> Iterator[Finding]:
    names = " and ".join(link.name for link in here)
    if (site is None or site.mtu is None) and len({link.mtu for link in here}) > 1:
        yield finding("MP228", names, ", ".join(f"{link.name} {link.mtu}" for link in here))
    if len({link.speed for link in here if link.speed}) > 1:
        known = ", ".join(f"{link.name} {link.speed} Mbit/s" for link in here if link.speed)
        yield finding("MP234", names, known)
    for link in here:
        if link.duplex == "half":
            yield finding("MP235", link.name, f"{link.speed or 'unknown'} Mbit/s, half duplex")
