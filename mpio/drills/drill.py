"""Drills: what there is to take away, what would go with it, what stands against it, how it goes and comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from mpio import budget, choose, guard
from mpio.budget import Kind, Stall
from mpio.errors import Refused, UsageError
from mpio.findings import Finding, finding
from mpio.host import Host, Map, Pair, Path, Portal, Session
from mpio.plan import maps
from mpio.step import Part, Step, Write
from mpio.tools import ip, multipathd, nft, systemctl
from mpio.topology import Lun, LunState, Pairs, usable

if TYPE_CHECKING:
    from mpio.site import Site

AT_ONCE = 8  # LUNs that are read: enough to see a failover, and no load to speak of


class How(StrEnum):
    """OFFLINE: the paths are failed in the device mapper. LINK: the NIC is set down. BLOCK: its packets are dropped."""

    OFFLINE = "offline"
    LINK = "link"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Thing:
    """What is taken away. `kind` is nic, iface, portal, target or session; `nic` the NIC of the first two."""

    kind: str
    name: str
    pairs: tuple[Pair, ...]
    nic: str = ""


@dataclass(frozen=True, slots=True)
class Means:
    """How one thing is taken away, and what of the host has a say in it.

    `table` is the nftables table that BLOCK may make. The rest is for LINK: `routes` (IP version, words) go with the
    NIC and must be put back; `ways` says by which NIC the host would send to a portal unbound, "" for none;
    `otherwise` is the NIC of the default route; `above` are VLANs and the like on the NIC, `keeps` its
    keep_addr_on_down, None without IPv6.
    """

    how: How
    table: str = ""
    routes: tuple[tuple[int, str], ...] = ()
    ways: Mapping[Portal, str] = field(default_factory=dict, hash=False)
    otherwise: str = ""
    above: tuple[str, ...] = ()
    keeps: str | None = None


@dataclass(frozen=True, slots=True)
class Taking:
    """One thing on its way out and back: the sessions and paths that go, the steps there, and those back.

    `go` and `back` may be carried out any number of times. `stall` is what a reader may have to wait.
    """

    thing: Thing
    how: How
    sessions: tuple[Session, ...]
    paths: tuple[Path, ...]
    go: tuple[Step, ...]
    back: tuple[Step, ...]
    stall: Stall


# -- what there is -------------------------------------------------------------------------------------------------


def things(site: Site, host: Host, planned: Pairs, names: Iterable[str], how: How) -> tuple[Thing, ...]:
    """What the names mean, each by itself; without names every NIC, portal and target of the planned pairs.

    Of those that mean the same pairs (a target with a single portal) only the first is drilled: the second would show
    the same again. `link` without names means the NICs. A single target that everything goes to is no redundancy that a
    drill could try; it is drilled by its name only, which is refused then.
    """
    names = tuple(dict.fromkeys(names))
    found: list[Thing] = [_named(site, host, planned, name) for name in names] if names else _every(site, planned)
    if how is How.LINK:
        for other in (t for t in found if names and not t.nic):
            what = f"--how link sets a NIC down, and {other.name} is a {other.kind}"
            raise UsageError(what, "name a NIC, or take --how block")
        found = [t for t in found if t.nic]
    if not names:
        found = [t for t in found if t.kind != "target" or set(t.pairs) < set(planned.planned)]
    of_pairs: dict[frozenset[Pair], Thing] = {}
    for thing in found:
        of_pairs.setdefault(frozenset(thing.pairs), thing)
    return tuple(of_pairs.values())


def _every(site: Site, planned: Pairs) -> list[Thing]:
    ifaces_of: dict[str, set[str]] = {}
    for iface in site.ifaces:
        ifaces_of.setdefault(iface.nic, set()).add(iface.name)
    every = tuple(planned.planned)
    found = [Thing("nic", n, tuple(p for p in every if p.iface in own), n) for n, own in ifaces_of.items()]
    portals = sorted({p.portal for p in every})
    found += [Thing("portal", str(one), tuple(p for p in every if p.portal == one)) for one in portals]
    targets = sorted({p.target for p in every})
    found += [Thing("target", one, tuple(p for p in every if p.target == one)) for one in targets]
    return [t for t in found if t.pairs]


def _named(site: Site, host: Host, planned: Pairs, name: str) -> Thing:
    pairs = choose.pairs((name,), host, planned, site)
    if not pairs:
        raise UsageError(f"nothing is planned over {name}: there is nothing to take away", "see mpio status")
    first = pairs[0]
    nics = {i.name: i.nic for i in host.ifaces} | {i.name: i.nic for i in site.ifaces}
    if name in nics.values():
        return Thing("nic", name, pairs, name)
    if name == first.iface:
        return Thing("iface", name, pairs, nics.get(name, ""))
    if name == first.target:
        return Thing("target", name, pairs)
    if name.startswith("sid:"):
        return Thing("session", name, pairs)
    whole = len({p.portal for p in pairs}) == 1
    return Thing("portal", str(first.portal) if whole else name, pairs)


def read_maps(host: Host, takings: Iterable[Taking]) -> tuple[Map, ...]:
    """The maps to read: a few of those that lose paths."""
    touched = {p.dm for t in takings for p in t.paths}
    return tuple(m for m in host.maps if m.dm in touched and not m.suspended)[:AT_ONCE]


# -- how it goes and comes back ------------------------------------------------------------------------------------


def taking(site: Site, host: Host, thing: Thing, means: Means) -> Taking:
    sessions = tuple(_goes(host, thing, means))
    sids = {s.sid for s in sessions}
    paths = tuple(p for p in host.paths if p.sid in sids and p.dm)
    # Disks stay as they are: a path that has failed already is none to bring back.
    good = tuple(p for p in paths if usable(host, p))
    go, back = _steps(host, thing, means, good)
    stalls = [budget.of_session(host, s, site).stalls[Kind(means.how.value)] for s in sessions]
    worst = max(stalls, key=lambda s: (s.limit is None, s.limit or 0), default=budget.NOBODY)
    return Taking(thing, means.how, sessions, good, go, back, worst)


def _goes(host: Host, thing: Thing, means: Means) -> Iterable[Session]:
    """The sessions that are lost, also those of others: whatever shares the NIC, or the NIC's way to the portal."""
    nics = {i.name: i.nic for i in host.ifaces}
    ways = {(nics.get(p.iface, ""), p.portal) for p in thing.pairs}
    for session in host.sessions:
        if means.how is How.OFFLINE:
            goes = session.pair in thing.pairs
        elif means.how is How.BLOCK:
            goes = (session.nic, session.pair.portal) in ways
        else:
            goes = session.nic == thing.nic or deaf(host, thing.nic, means, session)
        if goes:
            yield session


def deaf(host: Host, down: str, means: Means, session: Session) -> bool:
    """Would this session of another NIC hear nothing while `down` is down?

    With loose filtering (rp_filter 2) a reply is taken only where the host has some route back to its sender, and the
    routes of a NIC go when it is set down. IPv4 only: IPv6 has no such filter.
    """
    portal, nic = session.pair.portal, host.nic(session.nic)
    if portal.version != 4 or nic is None or not nic.rp_filter or means.ways.get(portal) != down:
        return False
    near = any(n.on_link(portal) for n in host.nics if n.name != down)
    return not near and means.otherwise in ("", down)


def _steps(
    host: Host, thing: Thing, means: Means, paths: tuple[Path, ...]
) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    name = thing.name
    if means.how is How.OFFLINE:
        return (
            tuple(multipathd.fail_path(p.dev, f"{p.dev} goes in the drill of {name}") for p in paths),
            tuple(multipathd.reinstate_path(p.dev, f"{p.dev} comes back: the drill of {name} is over") for p in paths),
        )
    if means.how is How.BLOCK:
        nics = {i.name: i.nic for i in host.ifaces}
        ways = {(nics[p.iface], p.portal) for p in thing.pairs if nics.get(p.iface)}
        why = f"the packets of {name} are dropped in its drill"
        return (nft.block(means.table, ways, why),), (nft.unblock(means.table, f"the drill of {name} is over"),)
    go: list[Step] = []
    back: list[Step] = [ip.up(thing.nic, f"the drill of {name} is over")]
    back += [ip.route_back(words, thing.nic, v, f"the route went with {thing.nic}") for v, words in means.routes]
    if means.keeps is not None:
        at = ip.keeps_addresses(thing.nic)
        go.append(Write(Part.IFACES, f"{thing.nic} is to keep its IPv6 addresses", at, "1\n", None))
        back.append(Write(Part.IFACES, f"{thing.nic} has its IPv6 addresses", at, means.keeps, None))
    return (*go, ip.down(thing.nic, f"{thing.nic} goes in its drill")), tuple(back)


# -- what stands against it ----------------------------------------------------------------------------------------


def against(host: Host, one: Taking, means: Means) -> tuple[Finding, ...]:
    """What a drill of this would hurt."""
    why = f"all its usable paths go in the drill of {one.thing.name}"
    others = {f"{s.pair.portal} through {s.nic}" for s in one.sessions if s.nic != one.thing.nic}
    if one.how is How.LINK and others:
        why += f", which takes its routes along, so that {', '.join(sorted(others))} is not heard (rp_filter)"
    found = [finding("MP409", mapped.name, why) for mapped in guard.last_paths(host, one.sessions)]
    if one.how is not How.OFFLINE:  # which leaves sessions alone, and disks that are in no map
        sids = {s.sid for s in one.sessions}
        for path in host.paths:
            if path.sid in sids and (used := guard.of_disk(host, path)):
                found.append(used)
        # If the other paths should fail it after all, the programs that put it back could not be loaded.
        found += [guard.of_map(host, m) for m in host.maps if guard.is_own(host, m.dm) and _touches(one, m)]
    if one.how is How.LINK:
        carries = [f"{name} is on it" for name in means.above]
        carries += ["the default route goes over it"] if means.otherwise == one.thing.nic else []
        if carries:
            raise Refused(
                f"{one.thing.name} carries more than iSCSI: {', '.join(carries)}", "take --how block or --how offline"
            )
    return tuple(found)


def _touches(one: Taking, mapped: Map) -> bool:
    return any(p.dm == mapped.dm for p in one.paths)


def unwhole(host: Host, luns: Iterable[Lun]) -> tuple[Finding, ...]:
    """Why this host is not fit to be drilled: what is broken already would be taken for the drill's doing."""
    found = []
    unit = host.unit(systemctl.MULTIPATHD)
    if not maps.runs(host):
        found.append(finding("MP104", systemctl.MULTIPATHD, f"it is {unit.active if unit else 'not there'}"))
    for lun in luns:
        if (lun.wanted or lun.dm) and lun.state is not LunState.HEALTHY:
            expected = "?" if lun.expected is None else lun.expected
            what = f"{lun.state.value}: {len(lun.usable)} of {expected} paths are usable"
            found.append(finding("MP426", lun.alias or lun.wwid, what))
    return tuple(found)


def ways_of(host: Host, paths: Iterable[Path]) -> frozenset[tuple[str, Pair]]:
    """(WWID, pair) of those of the paths that are usable: by these a host is compared with how it was."""
    of_sid = {s.sid: s.pair for s in host.sessions}
    return frozenset((p.wwid, of_sid[p.sid]) for p in paths if p.sid in of_sid and usable(host, p))


def lost(before: Host, now: Host) -> frozenset[tuple[str, Pair]]:
    """What was usable before a drill and is not now."""
    return ways_of(before, before.paths) - ways_of(now, now.paths)
