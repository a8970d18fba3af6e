"""What is wired to what: NICs, ifaces, portals, targets and LUNs, with the sessions and paths between them counted.

A way is a session that is there, or a planned pair that has none. Targets behind the same portals stand together, and
so do LUNs behind the same targets: a picture has a line for each bundle, not for each path.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mpio import topology
from mpio.host import Host, Pair, Portal
from mpio.topology import Lun, LunState, Pairs


class State(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DEAD = "dead"
    UNKNOWN = "unknown"


OF_LUN = {
    LunState.HEALTHY: State.HEALTHY,
    LunState.DEGRADED: State.DEGRADED,
    LunState.FAILED: State.DEAD,
    LunState.UNKNOWN: State.UNKNOWN,
}
UNBOUND = "any NIC"  # what sessions of the iface `default` go through


@dataclass(frozen=True, slots=True)
class Count:
    """So many that work, of so many that should."""

    up: int
    of: int

    def __str__(self) -> str:
        return f"{self.up} of {self.of}"

    @property
    def state(self) -> State:
        if not self.of:
            return State.UNKNOWN
        if self.up >= self.of:
            return State.HEALTHY
        return State.DEGRADED if self.up else State.DEAD


@dataclass(frozen=True, slots=True)
class Way:
    """A session, or with `sid` None a planned pair without one."""

    pair: Pair
    sid: int | None
    up: bool


@dataclass(frozen=True, slots=True)
class End:
    """An iface, a portal or a target, with the ways through it."""

    name: str
    ways: Count


@dataclass(frozen=True, slots=True)
class Card:
    """A NIC with its ifaces. `says` is what there is to know of it besides its name."""

    name: str
    state: State
    says: tuple[str, ...]
    ifaces: tuple[End, ...]


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets behind the same portals."""

    ends: tuple[End, ...]
    portals: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(e.name for e in self.ends)


@dataclass(frozen=True, slots=True)
class Luns:
    """LUNs behind the same groups of targets, which are told by their place in `Wiring.targets`."""

    luns: tuple[Lun, ...]
    behind: frozenset[int]


@dataclass(frozen=True, slots=True)
class Bundle:
    """All ways, or paths, from one end to another: names, or places in a tuple of groups. `sids` are its sessions'."""

    start: str | int
    end: str | int
    count: Count
    sids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Wiring:
    cards: tuple[Card, ...]
    portals: tuple[End, ...]
    targets: tuple[Targets, ...]
    luns: tuple[Luns, ...]
    to_portals: tuple[Bundle, ...]
    to_targets: tuple[Bundle, ...]
    to_luns: tuple[Bundle, ...]

    @property
    def sessions(self) -> Count:
        return _sum(b.count for b in self.to_portals)

    @property
    def paths(self) -> Count:
        """Those of all LUNs: of so many as are expected or, where nobody knows, as are seen."""
        every = [lun for group in self.luns for lun in group.luns]
        return _sum(counted(lun) for lun in every)

    @property
    def state(self) -> State:
        """The worst of the LUNs."""
        states = {OF_LUN[lun.state] for group in self.luns for lun in group.luns}
        worst_first = (State.DEAD, State.DEGRADED, State.UNKNOWN, State.HEALTHY)
        return next((state for state in worst_first if state in states), State.UNKNOWN)


def counted(lun: Lun) -> Count:
    return Count(len(lun.usable), len(lun.paths) if lun.expected is None else lun.expected)


def of(host: Host, luns: tuple[Lun, ...], plan: Pairs | None) -> Wiring:
    """`plan` None: without a site nobody knows what is missing."""
    ways = _ways(host, plan)
    targets = _targets(ways)
    shelves = _shelves(host, luns, targets)
    to_targets = []
    for place, group in enumerate(targets):
        inside = [w for w in ways if w.pair.target in group.names]
        for portal in sorted({w.pair.portal for w in inside}, key=_in_order):
            over = [w for w in inside if w.pair.portal == portal]
            to_targets.append(Bundle(str(portal), place, _count(over), _sids(over)))
    between = sorted({(w.pair.iface, w.pair.portal) for w in ways}, key=lambda b: (b[0], _in_order(b[1])))
    to_portals = []
    for iface, portal in between:
        over = [w for w in ways if (w.pair.iface, w.pair.portal) == (iface, portal)]
        to_portals.append(Bundle(iface, str(portal), _count(over), _sids(over)))
    return Wiring(
        cards=_cards(host, ways),
        portals=tuple(
            End(str(p), _count(w for w in ways if w.pair.portal == p))
            for p in sorted({w.pair.portal for w in ways}, key=_in_order)
        ),
        targets=targets,
        luns=shelves,
        to_portals=tuple(to_portals),
        to_targets=tuple(to_targets),
        to_luns=tuple(
            Bundle(place, shelf, _paths(host, plan, targets[place], group))
            for shelf, group in enumerate(shelves)
            for place in sorted(group.behind)
        ),
    )


def _ways(host: Host, plan: Pairs | None) -> tuple[Way, ...]:
    there = [Way(s.pair, s.sid, s.logged_in) for s in host.sessions]
    found = {w.pair for w in there}
    missing = [Way(pair, None, False) for pair in (plan.planned if plan else ()) if pair not in found]
    return (*there, *missing)


def _targets(ways: tuple[Way, ...]) -> tuple[Targets, ...]:
    behind: dict[frozenset[str], list[str]] = {}
    for target in sorted({w.pair.target for w in ways}):
        portals = frozenset(str(w.pair.portal) for w in ways if w.pair.target == target)
        behind.setdefault(portals, []).append(target)
    # below their portals, so that few lines cross
    order = sorted({w.pair.portal for w in ways}, key=_in_order)
    place = {str(portal): n for n, portal in enumerate(order)}
    groups = sorted(behind.items(), key=lambda item: (sorted(place[p] for p in item[0]), item[1]))
    return tuple(
        Targets(tuple(End(name, _count(w for w in ways if w.pair.target == name)) for name in names), portals)
        for portals, names in groups
    )


def _shelves(host: Host, luns: tuple[Lun, ...], targets: tuple[Targets, ...]) -> tuple[Luns, ...]:
    behind: dict[frozenset[int], list[Lun]] = {}
    for lun in luns:
        shown = topology.shown_by(host, lun.wwid)
        places = frozenset(place for place, group in enumerate(targets) if group.names & shown)
        behind.setdefault(places, []).append(lun)
    return tuple(Luns(tuple(many), places) for places, many in behind.items())


def _cards(host: Host, ways: tuple[Way, ...]) -> tuple[Card, ...]:
    nic_of = {s.pair.iface: s.nic for s in host.sessions if s.nic} | {i.name: i.nic for i in host.ifaces if i.nic}
    names = dict.fromkeys([*(i.name for i in host.ifaces), *(w.pair.iface for w in ways)])
    ifaces: dict[str, list[str]] = {}
    for name in names:
        ifaces.setdefault(nic_of.get(name, ""), []).append(name)
    return tuple(_card(host, ways, nic, tuple(ifaces[nic])) for nic in sorted(ifaces, key=lambda n: (not n, n)))


def _card(host: Host, ways: tuple[Way, ...], name: str, ifaces: tuple[str, ...]) -> Card:
    ends = tuple(End(i, _count(w for w in ways if w.pair.iface == i)) for i in ifaces)
    if not name:
        return Card(UNBOUND, State.UNKNOWN, ("not bound to a NIC",), ends)
    nic = host.nic(name)
    if nic is None:
        return Card(name, State.DEAD, ("not there",), ends)
    link = {True: "link up", False: "no carrier", None: "down"}[nic.carrier]
    says = (f"{link}, MTU {nic.mtu}" if nic.mtu else link, *(nic.addresses or ("no address",)))
    return Card(name, State.HEALTHY if nic.carrier else State.DEAD, says, ends)


def _paths(host: Host, plan: Pairs | None, group: Targets, shelf: Luns) -> Count:
    """The paths of these LUNs over these targets. A healthy LUN misses none, whatever was planned."""
    target_of = {s.sid: s.pair.target for s in host.sessions}
    up = of = 0
    for lun in shelf.luns:
        usable = sum(target_of.get(p.sid) in group.names for p in lun.usable)
        seen = sum(target_of.get(p.sid) in group.names for p in lun.paths)
        wide = topology.pairs_of(host, plan, lun.wwid) if plan else ()
        planned = sum(p.target in group.names for p in wide)
        up += usable
        of += usable if lun.state is LunState.HEALTHY else max(seen, planned)
    return Count(up, of)


def _count(ways: Iterable[Way]) -> Count:
    every = tuple(ways)
    return Count(sum(w.up for w in every), len(every))


def _sum(counts: Iterable[Count]) -> Count:
    every = tuple(counts)
    return Count(sum(c.up for c in every), sum(c.of for c in every))


def _sids(ways: Iterable[Way]) -> tuple[int, ...]:
    return tuple(sorted(w.sid for w in ways if w.sid is not None))


def _in_order(portal: Portal) -> tuple[int, int, str, int]:
    try:
        return portal.version, int(ipaddress.ip_address(portal.address)), "", portal.port
    except ValueError:  # a record's host name
        return portal.version, 0, portal.address, portal.port
