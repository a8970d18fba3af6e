"""Which sessions the site means: the planned pairs, what each LUN may expect of them, and how each LUN stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mpio import hearsay
from mpio.host import Answer, Found, Host, Nic, Pair, Path, Portal

if TYPE_CHECKING:
    from mpio.site import Site, SiteLun


@dataclass(frozen=True, slots=True)
class LeftOut:
    pair: Pair
    reason: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """`planned` maps each pair to its tpgt; `silent` are the planned ones whose probe met no answer and that have no
    session.
    """

    planned: Mapping[Pair, int]
    left_out: tuple[LeftOut, ...] = ()
    silent: Mapping[Pair, Answer] | None = None

    def of_target(self, target: str) -> tuple[Pair, ...]:
        return tuple(p for p in self.planned if p.target == target)


def known(site: Site, host: Host) -> tuple[Found, ...]:
    """Every (portal, tpgt, target) of the site that a discovery or a record has named, sorted.

    Of what was discovered, what the site goes by (`hearsay`). A record speaks for its target where that was discovered,
    is at a portal of the site, or was recorded by mpio: what else somebody has recorded on the same ifaces belongs to
    another SAN.
    """
    ifaces = {i.name for i in site.ifaces}
    found = set(hearsay.taken(site, host))
    said = {(f.portal, f.target) for f in found}
    targets = {f.target for asked in host.asked for f in asked.found} | {
        n.pair.target for n in host.nodes if n.pair.portal in site.portals or host.memory.has("record", str(n.pair))
    }
    for node in host.nodes:
        pair = node.pair
        if pair.iface in ifaces and pair.target in targets and (pair.portal, pair.target) not in said:
            found.add(Found(pair.portal, node.tpgt, pair.target))
    return tuple(
        sorted(
            f
            for f in found
            if hearsay.wants_target(site, f.target)
            and not hearsay.excludes(site, f.portal)
            and (f.portal in site.portals or not hearsay.strange(f.portal))
        )
    )


def probe_wanted(site: Site, host: Host) -> tuple[tuple[str, str, Portal], ...]:
    """(iface, NIC, portal) of every pair that has no logged-in session to answer for it."""
    portals = {*site.portals, *(f.portal for f in known(site, host))}
    alive = {(s.pair.iface, s.pair.portal) for s in host.sessions if s.logged_in}
    return tuple(
        (iface.name, iface.nic, portal)
        for iface in site.ifaces
        for portal in sorted(portals)
        if (iface.name, portal) not in alive
        and not hearsay.excludes(site, portal)
        and _may_speak(host.nic(iface.nic), portal)
    )


def _may_speak(nic: Nic | None, portal: Portal) -> bool:
    return nic is not None and nic.speaks(portal)


def pairs(site: Site, host: Host) -> Pairs:
    """The planned pairs (contract 2): reachability decides only for a pair without a record outside the NIC's
    subnet.
    """
    planned: dict[Pair, int] = {}
    left_out: list[LeftOut] = []
    silent: dict[Pair, Answer] = {}
    recorded = {n.pair for n in host.nodes}
    for found in known(site, host):
        for iface in site.ifaces:
            pair = Pair(iface.name, found.portal, found.target)
            nic = host.nic(iface.nic)
            # A NIC that is gone or has no address is not probed: no login could get through it either.
            reachable = _may_speak(nic, found.portal)
            answer = host.probes.get((iface.name, found.portal)) if reachable else Answer.NO_ROUTE
            reason = _reason_against(site, nic, pair, answer, pair in recorded)
            if reason:
                left_out.append(LeftOut(pair, reason))
                continue
            planned[pair] = found.tpgt
            session = host.session_of(pair)
            if answer not in (None, Answer.ANSWERED) and not (session and session.logged_in):
                silent[pair] = answer
    return Pairs(planned, tuple(left_out), silent)


def _reason_against(site: Site, nic: Nic | None, pair: Pair, answer: Answer | None, recorded: bool) -> str:
    near = nic is not None and nic.on_link(pair.portal)
    # A NIC that has lost its address is in no subnet at all: that says nothing of the layout.
    if site.layout == "subnet" and nic is not None and not near and not (recorded and not nic.speaks(pair.portal)):
        return f"{pair.portal} is not in a subnet of {nic.name}"
    if recorded or near:
        return ""
    if nic is None:
        return "its NIC is not there"
    if not nic.speaks(pair.portal):
        return f"{nic.name} has no IPv{pair.portal.version} address"
    if answer is Answer.ANSWERED:
        return ""
    return f"{pair.portal} does not answer through {nic.name} ({answer or 'not asked'})"


class LunState(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Lun:
    """How one LUN stands. `expected` None without a site; `shared` names the single NIC, portal or target of all its
    paths.
    """

    wwid: str
    alias: str
    dm: str
    size: int | None
    vendor: str
    product: str
    queueing: str | int | None
    paths: tuple[Path, ...]
    usable: tuple[Path, ...]
    expected: int | None
    state: LunState
    shared: str
    wanted: bool


def usable(host: Host, path: Path) -> bool:
    """Contract 5: dm says active, the device runs, its session is logged in."""
    return (
        path.dm_state == "active"
        and path.device_state == "running"
        and any(s.sid == path.sid and s.logged_in for s in host.sessions)
    )


def offline(host: Host, path: Path) -> bool:
    """Is it a path of a pair that is offline by hand?"""
    return bool(host.offline) and any(s.sid == path.sid and host.is_offline(s.pair) for s in host.sessions)


def iface_offline(host: Host, iface: str) -> bool:
    """Is all that goes over this iface offline by hand?"""
    pairs = [p for p in (*(n.pair for n in host.nodes), *(s.pair for s in host.sessions)) if p.iface == iface]
    return bool(host.offline and pairs) and all(host.is_offline(p) for p in pairs)


def shown_by(host: Host, wwid: str) -> frozenset[str]:
    """The targets that ever showed this LUN: remembered, and seen now."""
    sids = {p.sid for p in host.paths if p.wwid == wwid}
    return host.memory.shown.get(wwid, frozenset()) | {s.pair.target for s in host.sessions if s.sid in sids}


def pairs_of(host: Host, plan: Pairs, wwid: str) -> tuple[Pair, ...]:
    """The planned pairs this LUN may expect a path of: targets that showed it, and targets never yet reached; none that
    is offline by hand.
    """
    return tuple(p for p in _all_of(host, plan, wwid) if not host.is_offline(p))


def _all_of(host: Host, plan: Pairs, wwid: str) -> tuple[Pair, ...]:
    shown = shown_by(host, wwid)
    reached = host.memory.reached | {s.pair.target for s in host.sessions if s.logged_in}
    return tuple(p for p in plan.planned if p.target in shown or p.target not in reached)


def _expected(wish: SiteLun | None, wide: int, offline: int) -> int:
    """How many paths the LUN is to have now: where the site counts them, no more than its pairs that are not offline
    by hand can bring.
    """
    if wish is None or wish.paths is None:
        return wide
    return min(wish.paths, max(wide, wish.paths - offline)) if offline else wish.paths


def luns(site: Site | None, host: Host, plan: Pairs | None) -> tuple[Lun, ...]:
    """One LUN a WWID, from the union of site, maps and paths; the site's order first."""
    order = [lun.wwid for lun in site.luns] if site else []
    others = {m.wwid for m in host.maps} | {p.wwid for p in host.paths if p.wwid}
    return tuple(_judged(site, host, plan, wwid) for wwid in order + sorted(others - set(order)))


def _judged(site: Site | None, host: Host, plan: Pairs | None, wwid: str) -> Lun:
    wish = next((lun for lun in site.luns if lun.wwid == wwid), None) if site else None
    mapped = next((m for m in host.maps if m.wwid == wwid), None)
    paths = tuple(p for p in host.paths if p.wwid == wwid)
    good = tuple(p for p in paths if usable(host, p))
    wide = pairs_of(host, plan, wwid) if plan else ()
    every = _all_of(host, plan, wwid) if plan else ()
    expected = None if plan is None else _expected(wish, len(wide), len(every) - len(wide))
    # A path that nobody planned, or that is offline by hand and yet in use, is no substitute for one that is missing.
    over = {s.pair for p in good for s in host.sessions if s.sid == p.sid}
    counted = [p for p in good if not offline(host, p)]
    shared = _shared(host, counted, wide)
    missing = not (wish and wish.paths) and not set(wide) <= over
    if wish is None and mapped is None:
        state = LunState.UNKNOWN
    elif not good:
        state = LunState.UNKNOWN if any(p.dm and not p.dm_state for p in paths) else LunState.FAILED
    elif len(counted) < (_here(host, paths) if expected is None else expected) or shared or missing:
        state = LunState.DEGRADED
    else:
        state = LunState.HEALTHY
    alias = mapped.name if mapped else (wish.alias or "" if wish else "")
    return Lun(
        wwid=wwid,
        alias=alias,
        dm=mapped.dm if mapped else "",
        size=mapped.size if mapped else next((p.size for p in paths), None),
        vendor=next((p.vendor for p in paths), ""),
        product=next((p.product for p in paths), ""),
        queueing=mapped.queueing if mapped else None,
        paths=paths,
        usable=good,
        expected=expected,
        state=state,
        shared=shared,
        wanted=wish is not None,
    )


def _here(host: Host, paths: Iterable[Path]) -> int:
    """How many of these paths are there to be used."""
    return sum(not offline(host, p) for p in paths)


def _shared(host: Host, good: Iterable[Path], wide: tuple[Pair, ...]) -> str:
    """What all usable paths share although the LUN's planned pairs have more of it."""
    sessions = [s for p in good for s in host.sessions if s.sid == p.sid]
    nics = {i.name: i.nic for i in host.ifaces}
    for word, of_session, of_pair in (
        ("NIC", {s.nic for s in sessions if s.nic}, {nics.get(p.iface, p.iface) for p in wide}),
        ("portal", {str(s.pair.portal) for s in sessions}, {str(p.portal) for p in wide}),
        ("target", {s.pair.target for s in sessions}, {p.target for p in wide}),
    ):
        if len(of_session) == 1 and len(of_pair) > 1:
            return f"{word} {of_session.pop()}"
    return ""
