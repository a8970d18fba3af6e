"""What would be hurt: the checks that stand before anything is taken away."""

from __future__ import annotations

from collections.abc import Iterable

from mpio import findings
from mpio.errors import Refused
from mpio.findings import Finding, finding
from mpio.host import Host, Map, Path, Session
from mpio.topology import offline, usable


def users_of(host: Host, *devs: str) -> str:
    return "; ".join(str(u) for u in host.users if u.dev in devs)


def in_use(host: Host, mapped: Map) -> bool:
    return mapped.open_count > 0 or any(u.dev == mapped.dm for u in host.users)


def is_own(host: Host, dev: str) -> bool:
    """Does this map (dm-N) or disk carry what the host runs from?"""
    return any(u.dev == dev for u in host.system)


def of_map(host: Host, mapped: Map) -> Finding:
    """Who uses it; MP319, which nothing lets pass, where that is the host itself."""
    used = users_of(host, mapped.dm) or f"{mapped.open_count} opener(s)"
    return finding("MP319" if is_own(host, mapped.dm) else "MP408", mapped.name, used)


def of_disk(host: Host, path: Path) -> Finding | None:
    """The same of a disk that is used past its map, or that is in none."""
    used = users_of(host, path.dev)
    return finding("MP319" if is_own(host, path.dev) else "MP408", path.dev, used) if used else None


def against_harm(host: Host, wwid: str) -> tuple[Finding, ...]:
    """Who would lose something if the LUN itself went, or its end: the users of its map with all that is stacked on it
    and of each of its disks, and volume groups and arrays that would lack a part, though nobody uses them now.

    A disk may be in another LUN's map: an array gave that one's number to this LUN, and a scan has told the kernel.
    """
    disks = [p for p in host.paths if p.wwid == wwid]
    touched = [m for m in host.maps if m.wwid == wwid or any(p.dm == m.dm for p in disks)]
    used = [of_map(host, m) for m in touched if in_use(host, m)]
    used += [f for path in disks if (f := of_disk(host, path))]
    named = {f.subject for f in used}
    idle = {m.name: m.dm for m in touched} | {p.dev: p.dev for p in disks}
    parts = {name: [str(u) for u in host.members if u.dev == dev] for name, dev in idle.items() if name not in named}
    return (*used, *(finding("MP408", name, "; ".join(said)) for name, said in parts.items() if said))


def against_logout(
    host: Host, sessions: Iterable[Session], forced: frozenset[str] = frozenset()
) -> tuple[Finding, ...]:
    """What would be hurt if all these sessions ended together.

    A map in use must keep a usable path; a closed map may lose its last one only if its LUN is given up wholly (the
    verb says so
    and flushes it first). A disk of these sessions that is used directly, past its map or without one, has no other
    path at all.
    """
    sids = {s.sid for s in sessions}
    found: list[Finding] = []
    for mapped in host.maps:
        paths = [p for p in host.paths if p.dm == mapped.dm]
        if not any(p.sid in sids for p in paths) or not in_use(host, mapped):
            continue
        if not any(p.sid not in sids and _stays(host, p) for p in paths):
            found.append(of_map(host, mapped))
    found += [f for path in host.paths if path.sid in sids and (f := of_disk(host, path))]
    return tuple(f for f in found if f.code not in forced)


def last_paths(host: Host, sessions: Iterable[Session]) -> tuple[Map, ...]:
    """The maps that would keep no usable path."""
    sids = {s.sid for s in sessions}

    def kept(path: Path) -> bool:
        return path.sid not in sids and _stays(host, path)

    touched = {p.dm for p in host.paths if p.sid in sids and p.dm}
    return tuple(m for m in host.maps if m.dm in touched and not any(kept(p) for p in host.paths if p.dm == m.dm))


def _stays(host: Host, path: Path) -> bool:
    """Can I/O go on over it? Not where it is offline by hand: in use at the moment, it will be failed again."""
    return usable(host, path) and not offline(host, path)


def refuse(found: Iterable[Finding]) -> None:
    """Raise Refused where one of these is a refusal: a verb that may not do all of it does nothing."""
    refused = [f for f in found if findings.kind(f.code).refusal]
    if refused:
        first = next((f for f in refused if findings.kind(f.code).always), refused[0])
        insist = "" if findings.kind(first.code).always else f"; or insist with --force {first.code}"
        way = f"{first.remedy}{insist}"
        raise Refused("\n".join(_line(f) for f in refused), way, first.code)


def forbid(found: Iterable[Finding]) -> None:
    """As `refuse`, for verbs that none of these findings lets begin, refusal or not."""
    stopping = tuple(found)
    refuse(stopping)
    if stopping:
        first = stopping[0]
        raise Refused("\n".join(_line(f) for f in stopping), first.remedy, first.code)


def _line(one: Finding) -> str:
    return f"{one.code}: {one.summary}{f': {one.detail}' if one.detail else ''}"
