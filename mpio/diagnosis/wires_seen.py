"""What the area of wires has seen: values, and which NICs and portals are asked about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from mpio import hearsay, topology
from mpio.host import Answer, Host, Portal, Session
from mpio.site import Site
from mpio.tools.ip import Route
from mpio.tools.wires import Link

SMALL = 84  # bytes: what `ping` sends unasked
BY_ITSELF = ("automatic", "onboot")  # values of node.startup


@dataclass(frozen=True, slots=True)
class Way:
    """How far a connect to a portal came through a NIC: `left` whether its first packet was seen to leave the host,
    None where nobody could watch; `came` the NICs at which an answer to it was seen.
    """

    nic: str
    portal: Portal
    answer: Answer
    left: bool | None = None
    came: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hole:
    """A portal that answers a small echo through a NIC and none of `lost` bytes; `passed` is the largest that did."""

    nic: str
    portal: Portal
    lost: int
    passed: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session's socket is: the NIC that it is bound to, empty for none, and its address here. `packet` is the
    largest that it sends or takes, 0 where nobody knows, or where data waits in it that had to be sent again.
    """

    nic: str
    address: str
    packet: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """Bytes that were read over sessions of a NIC, 0 where that did not come to an end, and what came in meanwhile."""

    nic: str
    size: int
    received: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Wires:
    """`links` are all interfaces. `claims` are who answered ARP, by the NIC asked through and the address asked for;
    what is no key was not asked. `routes` are the kernel's ways by address and NIC, or address and source. `namings`
    say which files give a missing NIC's name to which hardware address, `known_as` what udev would call a NIC.
    `refused_back` is rp_filter's count of drops before and after the connects of `ways`; `reads` are made only where
    NICs are in doubt.
    """

    links: tuple[Link, ...] = ()
    ways: tuple[Way, ...] = ()
    claims: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict, hash=False)
    routes: Mapping[tuple[str, str], Route] = field(default_factory=dict, hash=False)
    holes: tuple[Hole, ...] = ()
    places: Mapping[int, Place] = field(default_factory=dict, hash=False)
    gateways: frozenset[tuple[str, str]] = frozenset()
    refused_back: tuple[int, int] = (0, 0)
    firewall: tuple[str, ...] = ()
    namings: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict, hash=False)
    known_as: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    sources: frozenset[str] = frozenset()
    uptime: float = 0.0
    reads: tuple[Read, ...] = ()

    def link(self, name: str) -> Link | None:
        return next((link for link in self.links if link.name == name), None)

    def mine(self, mac: str) -> str:
        """The NIC of this host that has this hardware address; empty for none."""
        return next((link.name for link in self.links if link.hwaddress == mac), "")


def by_mac(links: Iterable[Link], mac: str) -> tuple[Link, ...]:
    """In the order in which open-iscsi looks: it takes the first (usr/iscsi_net_util.c)."""
    return tuple(link for link in links if link.ethernet and link.hwaddress == mac.lower())


def used_ifaces(host: Host) -> frozenset[str]:
    """Those that have a session, or a record that logs in by itself."""
    by_itself = (n for n in host.nodes if n.settings.get("node.startup") in BY_ITSELF)
    return frozenset({*(n.pair.iface for n in by_itself), *(s.pair.iface for s in host.sessions)})


def nics(
    site: Site | None, host: Host, links: Iterable[Link], places: Mapping[int, Place] | None = None
) -> dict[str, str]:
    """iface to the NIC that it is for: the site's word, or that of records and sessions. What is offline by hand is
    left out. A NIC that carries sessions of no NIC's iface stands under its own name.
    """
    if site is not None:
        return {i.name: i.nic for i in site.ifaces if not topology.iface_offline(host, i.name)}
    every = tuple(links)
    found = {s.pair.iface: s.nic for s in host.sessions if s.nic}
    for iface in host.ifaces:
        bound = by_mac(every, iface.hwaddress)[:1] if iface.hwaddress else ()
        if name := next((link.name for link in bound), iface.nic):
            found[iface.name] = name
    used = used_ifaces(host)
    for session in host.sessions:
        place = None if session.nic else (places or {}).get(session.sid)
        if place is not None and session.pair.iface not in found:
            carries = (link.name for link in every if link.has(place.address))
            used |= {name := next(carries, "")}
            found |= {name: name} if name else {}
    return {iface: nic for iface, nic in found.items() if iface in used and not topology.iface_offline(host, iface)}


def silent(site: Site | None, host: Host, nic_of: Mapping[str, str]) -> tuple[tuple[str, Portal], ...]:
    """(NIC, portal) that did not answer a connect, or without a site are still to be asked."""
    if site is not None:
        planned = {
            (pair.iface, pair.portal) for pair in topology.pairs(site, host).planned if not host.is_offline(pair)
        }
        known = {portal for _, portal in planned}
        met = {
            (nic_of[i], p)
            for (i, p), answer in host.probes.items()
            if answer is not Answer.ANSWERED and i in nic_of
            if (i, p) in planned or (_unknown(site, p, known) and (site.layout == "mesh" or _near(host, nic_of[i], p)))
        }
    else:
        wanted = [n.pair for n in host.nodes if n.settings.get("node.startup") in BY_ITSELF]
        wanted += [s.pair for s in host.sessions if not s.logged_in]
        met = {
            (nic_of[p.iface], p.portal)
            for p in wanted
            if p.iface in nic_of and not host.is_offline(p) and (p.iface, p.portal) not in _alive(host)
        }
    return tuple(sorted(met))


def _unknown(site: Site, portal: Portal, known: Collection[Portal]) -> bool:
    """A portal of the site of which nothing is planned, since nobody could ask it yet."""
    return portal in site.portals and portal not in known and not hearsay.excludes(site, portal)


def _near(host: Host, name: str, portal: Portal) -> bool:
    nic = host.nic(name)
    return nic is not None and nic.on_link(portal)


def held_here(way: Way) -> bool:
    """Has something on this host a part in it? What was sent did not leave, or what came was not taken."""
    if way.left is None or way.answer is Answer.ANSWERED:
        return False
    return not way.left or (bool(way.came) and way.answer is not Answer.REFUSED)


def _alive(host: Host) -> set[tuple[str, Portal]]:
    return {(s.pair.iface, s.pair.portal) for s in host.sessions if s.logged_in}


def alive(host: Host, nic_of: Mapping[str, str]) -> tuple[tuple[str, Portal], ...]:
    """(NIC, portal) that carry a session, or have answered a connect."""
    found = _alive(host) | {pair for pair, answer in host.probes.items() if answer is Answer.ANSWERED}
    return tuple(sorted({(nic_of[iface], portal) for iface, portal in found if iface in nic_of}))


def sessions(host: Host, nic_of: Mapping[str, str]) -> tuple[Session, ...]:
    return tuple(s for s in host.sessions if s.pair.iface in nic_of)


def of_pair(host: Host, nic_of: Mapping[str, str], nic: str, portal: Portal) -> tuple[Session, ...]:
    return tuple(s for s in host.sessions if nic_of.get(s.pair.iface) == nic and s.pair.portal == portal)


def packet(some: Collection[Session], places: Mapping[int, Place]) -> int:
    """The largest packet of these sessions; 0 unless each of them is logged in and its socket known to do well."""
    sizes = [place.packet if s.logged_in and (place := places.get(s.sid)) is not None else 0 for s in some]
    return max(sizes) if sizes and all(sizes) else 0


def begins_at(session: Session, nic_of: Mapping[str, str], seen: Wires) -> str:
    """The NIC that a session begins at; empty where nobody knows."""
    place = seen.places.get(session.sid)
    at = next((link.name for link in seen.links if place is not None and link.has(place.address)), "")
    return (place.nic if place is not None else "") or at or nic_of.get(session.pair.iface, "")
