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
            detail = users_of(host, mapped.dm) or f"{mapped.open_count} opener(s)"
            found.append(finding("MP408", mapped.name, detail))
    for path in host.paths:
        if path.sid in sids and (used := users_of(host, path.dev)):
            found.append(finding("MP408", path.dev, used))
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
        first = refused[0]
        way = f"{first.remedy}; or insist with --force {first.code}"
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
