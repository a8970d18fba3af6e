"""The views of `mpio stat`: those of Solaris's ipmpstat, over iSCSI multipath. Rows are values; `statwords` says them.

A group is a LUN's map, an interface an iSCSI iface, an address a portal. The probes of an iface are the kernel's
no-ops, which every session with no-ops sends by itself, and for pairs without such a session one TCP connect through
the NIC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from mpio import budget, topology
from mpio.host import Answer, Host, Nic, Pair, Path, Portal
from mpio.site import Site
from mpio.topology import Lun, LunState, Pairs

if TYPE_CHECKING:
    from mpio.probe import Timed


class View(StrEnum):
    GROUP = "group"
    INTERFACE = "interface"
    ADDRESS = "address"
    TARGET = "target"
    PROBE = "probe"


FIELDS: Mapping[View, tuple[str, ...]] = MappingProxyType(
    {
        View.GROUP: ("group", "groupname", "state", "fdt", "interfaces"),
        View.INTERFACE: ("interface", "active", "group", "flags", "link", "probe", "state"),
        View.ADDRESS: ("address", "state", "group", "inbound", "outbound"),
        View.TARGET: ("interface", "mode", "testaddr", "targets"),
        View.PROBE: ("time", "interface", "probe", "netrtt", "rtt", "rttavg", "rttdev", "target", "answer"),
    }
)
GROUP_STATES = {LunState.HEALTHY: "ok", LunState.DEGRADED: "degraded", LunState.FAILED: "failed"}


@dataclass(frozen=True, slots=True)
class Interfaces:
    """The ifaces of a group: those that carry its I/O, those that could and wait in a path group that is not in use,
    and those that cannot.
    """

    active: tuple[str, ...]
    inactive: tuple[str, ...]
    unusable: tuple[str, ...]


Value = str | bool | int | float | Portal | Interfaces | tuple[str, ...] | tuple[Portal, ...] | None
Row = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rows are made of; `plan` None without a site, or where nobody may read the records."""

    host: Host
    luns: tuple[Lun, ...]
    plan: Pairs | None
    site: Site | None

    def pair(self, path: Path) -> Pair | None:
        return next((s.pair for s in self.host.sessions if s.sid == path.sid), None)

    def pairs(self) -> tuple[Pair, ...]:
        """Every pair that is planned, recorded or has a session."""
        planned = self.plan.planned if self.plan else ()
        every = (*planned, *(n.pair for n in self.host.nodes), *(s.pair for s in self.host.sessions))
        return tuple(dict.fromkeys(every))

    def names(self) -> tuple[str, ...]:
        """The ifaces, those that only a session or a record names last."""
        return tuple(dict.fromkeys([*(i.name for i in self.host.ifaces), *(p.iface for p in self.pairs())]))

    def portals(self, iface: str) -> tuple[Portal, ...]:
        return tuple(sorted({p.portal for p in self.pairs() if p.iface == iface and not self.host.is_offline(p)}))

    def nic(self, iface: str) -> Nic | None:
        return self.host.nic(nic_of(self.host, iface))


def nic_of(host: Host, iface: str) -> str:
    """The NIC's name; empty where the iface is bound to none."""
    bound = next((i.nic for i in host.ifaces if i.name == iface), "")
    return bound or next((s.nic for s in host.sessions if s.pair.iface == iface), "")


def rows(view: View, seen: Seen) -> tuple[Row, ...]:
    """The rows of any view but the probes', which are a stream."""
    makers = {View.GROUP: _groups, View.INTERFACE: _interfaces, View.ADDRESS: _addresses, View.TARGET: _targets}
    return tuple(makers[view](seen))


def to_probe(seen: Seen) -> tuple[tuple[str, str, Portal], ...]:
    """(iface, NIC, portal) of the pairs whose sessions do not prove anything: one connect each tells of them."""
    return tuple(
        (iface, nic_of(seen.host, iface), portal)
        for iface in seen.names()
        for portal in seen.portals(iface)
        if not _by_noop(seen.host, iface, portal) and link(seen, iface) != "down"
    )


def every_probe(seen: Seen) -> tuple[tuple[str, str, Portal], ...]:
    """What the stream probes, in turn: portal after portal of each iface, the ifaces taking turns."""
    each = [[(iface, nic_of(seen.host, iface), portal) for portal in seen.portals(iface)] for iface in seen.names()]
    longest = max(map(len, each), default=0)
    return tuple(ways[turn] for turn in range(longest) for ways in each if turn < len(ways))


def _name(lun: Lun) -> str:
    return lun.alias or lun.wwid


def _busy(lun: Lun) -> tuple[Path, ...]:
    """The usable paths that I/O goes over: those of the path group in use; all where no group has had I/O yet."""
    of_group = tuple(p for p in lun.usable if p.group_state == "active")
    return of_group or lun.usable


def _groups(seen: Seen) -> Iterator[Row]:
    for lun in seen.luns:
        if not lun.dm and not lun.wanted:
            continue  # a disk without a map is no group
        yield {
            "group": _name(lun),
            "groupname": lun.dm or None,
            "state": GROUP_STATES.get(lun.state, "unknown"),
            "fdt": budget.of_lun(seen.host, lun, seen.site).worst.limit,
            "interfaces": _interfaces_of(seen, lun),
        }


def _interfaces_of(seen: Seen, lun: Lun) -> Interfaces:
    shown = topology.shown_by(seen.host, lun.wwid)
    planned = {p.iface for p in seen.pairs() if p.target in shown} | _ifaces(seen, lun.paths)
    active, usable = _ifaces(seen, _busy(lun)), _ifaces(seen, lun.usable)
    return Interfaces(
        tuple(n for n in seen.names() if n in active),
        tuple(n for n in seen.names() if n in usable - active),
        tuple(n for n in seen.names() if n in planned - usable),
    )


def _ifaces(seen: Seen, paths: Iterable[Path]) -> set[str]:
    return {pair.iface for p in paths if (pair := seen.pair(p))}


def _interfaces(seen: Seen) -> Iterator[Row]:
    for name in seen.names():
        busy = {_name(lun) for lun in seen.luns if name in _ifaces(seen, _busy(lun))}
        usable = {_name(lun) for lun in seen.luns if name in _ifaces(seen, lun.usable)}
        yield {
            "interface": name,
            "active": bool(busy),
            "group": tuple(_name(lun) for lun in seen.luns if lun.dm and name in _ifaces(seen, lun.paths)),
            "flags": _flags(waits=bool(usable) and not busy, down=_down(seen, name)),
            "link": link(seen, name),
            "probe": _probe(seen, name),
            "state": _state(seen, name),
        }


def _flags(*, waits: bool, down: bool) -> str:
    """ipmpstat's seven places, i s m b M d h; here only i (usable, but its path groups wait) and d (the NIC is down or
    gone) mean something.
    """
    return f"{'i' if waits else '-'}----{'d' if down else '-'}-"


def _down(seen: Seen, iface: str) -> bool:
    nic = seen.nic(iface)
    return bool(nic_of(seen.host, iface)) and (nic is None or nic.carrier is None)


def link(seen: Seen, iface: str) -> str:
    """up, down, or unknown for an iface that is bound to no NIC."""
    nic = seen.nic(iface)
    if nic is None:
        return "down" if nic_of(seen.host, iface) else "unknown"
    return "up" if nic.carrier else "down"


def _by_noop(host: Host, iface: str, portal: Portal) -> bool:
    """Does a session with no-ops stand for this pair? A logged-in one without them proves nothing."""
    return any(
        s.logged_in and s.noop_interval and s.noop_timeout and (s.pair.iface, s.pair.portal) == (iface, portal)
        for s in host.sessions
    )


def _answers(seen: Seen, iface: str) -> list[Answer | None]:
    """What each portal of the iface says; None where nobody asked it."""
    return [
        Answer.ANSWERED if _by_noop(seen.host, iface, portal) else seen.host.probes.get((iface, portal))
        for portal in seen.portals(iface)
    ]


def _probe(seen: Seen, iface: str) -> str:
    """ok where at least one portal answers: then the iface itself works."""
    if topology.iface_offline(seen.host, iface) or link(seen, iface) == "down":
        return "disabled"
    answers = _answers(seen, iface)
    if Answer.ANSWERED in answers:
        return "ok"
    return "unknown" if not answers or None in answers else "failed"


def _state(seen: Seen, iface: str) -> str:
    """As ipmpstat has it, and `degraded` besides: it works, but not all that should be over it is there."""
    host = seen.host
    if topology.iface_offline(host, iface):
        return "offline"
    probed = _probe(seen, iface)
    if link(seen, iface) == "down" or probed == "failed":
        return "failed"
    if probed == "unknown":
        return "unknown"
    pairs = [p for p in seen.pairs() if p.iface == iface and not host.is_offline(p)]
    alive = {s.pair for s in host.sessions if s.logged_in}
    paths = [p for p in host.paths if p.dm and seen.pair(p) in pairs]
    whole = alive.issuperset(pairs) and all(topology.usable(host, p) for p in paths)
    return "ok" if whole and set(_answers(seen, iface)) == {Answer.ANSWERED} else "degraded"


def _addresses(seen: Seen) -> Iterator[Row]:
    for portal in sorted({p.portal for p in seen.pairs()}):
        alive = {s.pair.iface for s in seen.host.sessions if s.logged_in and s.pair.portal == portal}
        busy = {
            pair.iface
            for lun in seen.luns
            for path in _busy(lun)
            if (pair := seen.pair(path)) and pair.portal == portal
        }
        groups = [lun for lun in seen.luns if lun.dm and portal in _portals(seen, lun.paths)]
        yield {
            "address": portal,
            "state": "up" if alive else "down",
            "group": tuple(_name(lun) for lun in groups),
            "inbound": tuple(n for n in seen.names() if n in alive),
            "outbound": tuple(n for n in seen.names() if n in busy),
        }


def _portals(seen: Seen, paths: Iterable[Path]) -> set[Portal]:
    return {pair.portal for p in paths if (pair := seen.pair(p))}


def _targets(seen: Seen) -> Iterator[Row]:
    """A row for each iface, way of probing and IP version; one that says `disabled` where there is none."""
    for iface in seen.names():
        found: dict[tuple[str, int], list[Portal]] = {}
        for portal in seen.portals(iface):
            mode = "noop" if _by_noop(seen.host, iface, portal) else "connect"
            found.setdefault((mode, portal.version), []).append(portal)
        for (mode, version), portals in sorted(found.items(), key=lambda one: (one[0][0] != "noop", one[0][1])):
            own = _own(seen.nic(iface), version)
            yield {"interface": iface, "mode": mode, "testaddr": own, "targets": tuple(portals)}
        if not found:
            yield {"interface": iface, "mode": "disabled", "testaddr": (), "targets": ()}


def _own(nic: Nic | None, version: int) -> tuple[str, ...]:
    addresses = [a.partition("/")[0] for a in nic.addresses] if nic else []
    return tuple(a for a in addresses if (":" in a) == (version == 6))


@dataclass(frozen=True, slots=True)
class Rtt:
    """The running mean and deviation of round trips in seconds, smoothed as in.mpathd and TCP do (RFC 6298): each new
    one moves the mean by an eighth of the difference and the deviation by a quarter.
    """

    average: float
    deviation: float


def probed(one: Timed, mean: Rtt | None) -> Row:
    """A probe of the stream as a row; one that met no answer has no round trip."""
    return {
        "time": one.at,
        "interface": one.iface,
        "probe": one.number,
        "netrtt": one.network,
        "rtt": one.rtt,
        "rttavg": mean.average if mean else None,
        "rttdev": mean.deviation if mean else None,
        "target": one.portal,
        "answer": one.answer.value,
    }


def smoothed(before: Rtt | None, rtt: float | None) -> Rtt | None:
    """A lost probe (None) changes nothing."""
    if rtt is None:
        return before
    if before is None:
        return Rtt(rtt, rtt / 2)
    off = rtt - before.average
    return Rtt(before.average + off / 8, before.deviation + (abs(off) - before.deviation) / 4)
