"""Who the disks of a LUN are, and where they are not: identities, sizes, disks that are missing or dead."""

from __future__ import annotations

from collections.abc import Iterator

from mpio import hearsay, topology
from mpio.checks.sessions import SCAN
from mpio.diagnosis.disks_seen import Disks
from mpio.findings import Finding, finding
from mpio.host import Host, Path, Session
from mpio.plan import Plan
from mpio.plan import luns as life
from mpio.site import Site
from mpio.topology import Lun

WELL_KNOWN = 0xC1  # the first byte of the address of a well known logical unit, which is no disk (SPC-4, 8)


def findings(
    site: Site | None, host: Host, plan: Plan | None, seen: Disks, judged: tuple[Lun, ...]
) -> Iterator[Finding]:
    if site is None:  # with a site the plan and the checks say these
        yield from life.strangers(host)
        yield from _sizes(judged)
    shared = _shared(seen, judged)
    for lun in judged:
        yield from _identity(seen, lun, shared, _compared(seen, judged, lun))
        yield from _size(host, seen, lun)
        yield from _missing(host, plan, seen, lun)


def _called(lun: Lun) -> str:
    return lun.alias or lun.wwid


def _sizes(judged: tuple[Lun, ...]) -> Iterator[Finding]:
    for lun in judged:
        if len({p.size for p in lun.paths if p.size is not None}) > 1:
            yield finding("MP410", _called(lun), ", ".join(f"{p.dev} {p.size}" for p in lun.paths))


def _shared(seen: Disks, judged: tuple[Lun, ...]) -> frozenset[str]:
    """Serial numbers of more than one LUN: such an array tells its controllers' own, which differ among the paths."""
    of: dict[str, set[str]] = {}
    for lun in judged:
        for path in lun.paths:
            of.setdefault(seen.disk(path.dev).serial, set()).add(lun.wwid)
    return frozenset(serial for serial, wwids in of.items() if len(wwids) > 1)


def _compared(seen: Disks, judged: tuple[Lun, ...], lun: Lun) -> bool:
    """Has another LUN a serial number over one of the sessions, to tell whether a controller's own would be shared?"""
    over = {p.sid for p in lun.paths if seen.disk(p.dev).serial}
    others = (p for other in judged if other.wwid != lun.wwid for p in other.paths)
    return any(p.sid in over and seen.disk(p.dev).serial for p in others)


def _identity(seen: Disks, lun: Lun, shared: frozenset[str], compared: bool) -> Iterator[Finding]:
    serials = {p.dev: said for p in lun.paths if (said := seen.disk(p.dev).serial) and said not in shared}
    if len(set(serials.values())) > 1:
        words = ", ".join(f"{dev} has serial {said}" for dev, said in serials.items())
        yield finding("MP428" if compared else "MP429", _called(lun), words)
    inquiries = {p.dev: (p.vendor, p.product, seen.disk(p.dev).revision) for p in lun.paths if p.vendor or p.product}
    if len(set(inquiries.values())) > 1:
        yield finding("MP429", _called(lun), ", ".join(f"{dev} {' '.join(said)}" for dev, said in inquiries.items()))


def _size(host: Host, seen: Disks, lun: Lun) -> Iterator[Finding]:
    """The kernel's own sizes against the map's, and the array's against the kernel's."""
    mapped = next((m for m in host.maps if m.dm == lun.dm), None) if lun.dm else None
    sizes = {p.size for p in lun.paths if p.size and p.dm == lun.dm}
    if mapped and mapped.size and len(sizes) == 1 and sizes != {mapped.size}:
        yield finding("MP457", mapped.name, f"the map has {mapped.size} bytes, each of its disks {sizes.pop()}")
    told = {p.dev: (p.size, seen.sizes[p.dev]) for p in lun.paths if p.dev in seen.sizes and p.size}
    grown = {dev: both for dev, both in told.items() if both[1] > both[0]}
    shrunk = {dev: both for dev, both in told.items() if both[1] < both[0]}
    for code, some in (("MP418", grown), ("MP420", shrunk)):
        if some:
            words = (f"{dev} has {now} bytes on the array, {kept} here" for dev, (kept, now) in some.items())
            yield finding(code, _called(lun), ", ".join(words))


def _missing(host: Host, plan: Plan | None, seen: Disks, lun: Lun) -> Iterator[Finding]:
    over = {s.sid: s for s in host.sessions}
    gone = [p for p in lun.paths if p.dev in seen.gone and p.sid in over and not topology.offline(host, p)]
    silent = [f"{p.dev} over {over[p.sid].pair}" for p in gone]
    unscanned = []
    for session in lacking(host, plan, lun, remembered=plan is not None):
        if not lun.paths:
            if lun.wanted and (new := _new(host, seen, session)):
                unscanned.append(_unscanned(host, session, *new))
            continue
        numbers = _numbers(lun.paths, over, session.pair.target)
        listed = seen.listed.get(session.sid)
        if listed is None or not numbers:
            continue
        if numbers & listed:
            unscanned.append(_unscanned(host, session, min(numbers & listed)))
        else:
            silent.append(str(session.pair))
    if silent:
        yield finding("MP417", _called(lun), ", ".join(silent))
    if unscanned:
        yield finding("MP434", _called(lun), ", ".join(unscanned))


def lacking(host: Host, plan: Plan | None, lun: Lun, *, remembered: bool) -> tuple[Session, ...]:
    """The sessions over which a disk of this LUN should be, and is not: another session of the same portal group has
    it, or the target is `remembered` to have shown it, as a site's expectation has it. Of a LUN that the site does not
    name, and that is in no map, nobody can say so; of one that it names and that has no disk at all it may be any.
    """
    if not (lun.wanted or lun.dm):
        return ()
    here = {p.sid for p in lun.paths}
    groups = {(s.pair.target, s.tpgt) for s in host.sessions if s.sid in here}
    shown = topology.shown_by(host, lun.wwid) if remembered else frozenset()
    return tuple(
        s
        for s in host.sessions
        if s.logged_in and s.sid not in here and not host.is_offline(s.pair)
        if s.pair.target in shown or (s.pair.target, s.tpgt) in groups or (lun.wanted and not lun.paths)
        if plan is None or s.pair in plan.pairs.planned
    )


def _numbers(paths: tuple[Path, ...], over: dict[int, Session], target: str) -> frozenset[int]:
    """The LUN's number there: what other sessions of the same target say, else what any says."""
    same = frozenset(p.lun for p in paths if p.sid in over and over[p.sid].pair.target == target)
    return same or frozenset(p.lun for p in paths)


def _new(host: Host, seen: Disks, session: Session) -> tuple[int, ...]:
    """The numbers that the target lists and the kernel has nothing for, over no session of that target: one of them may
    be a LUN that was mapped after the login.
    """
    same = {s.sid for s in host.sessions if s.pair.target == session.pair.target}
    here = {p.lun for p in host.paths if p.sid in same} | seen.known.get(session.sid, frozenset())
    listed = seen.listed.get(session.sid, frozenset())
    return tuple(n for n in sorted(listed - here) if n >> 8 != WELL_KNOWN)


def _unscanned(host: Host, session: Session, *numbers: int) -> str:
    node = host.node_of(session.pair)
    manual = f"; its record has {SCAN} = manual" if node and node.settings.get(SCAN) == "manual" else ""
    return f"LUN {hearsay.few(map(str, numbers))} over {session.pair} (session {session.sid}){manual}"
