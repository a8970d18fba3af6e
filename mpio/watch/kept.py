"""What one process leaves for the next: a short look the host as it was seen, a watcher what its alerts have told. In
/run, for disks and sessions are called otherwise after a boot.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeVar

from mpio.alerts.incident import Incident
from mpio.errors import UnreadableOutput
from mpio.host import Host, Map, Nic, Path, Session

FORMAT = 1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """What one alert has open, and what it has called over: see `Incidents`."""

    open: tuple[Incident, ...]
    flapped: Mapping[str, tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Alerts:
    """By what tells one alert from another: hashes of what may hold secrets, with `password`, which is a random one of
    this file's and so called that it stays out of a support bundle.
    """

    alerts: Mapping[str, Told] = field(default_factory=dict, hash=False)
    password: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    nics: tuple[Nic, ...] = ()
    sessions: tuple[Session, ...] = ()
    paths: tuple[Path, ...] = ()
    maps: tuple[Map, ...] = ()


def of(host: Host) -> Kept:
    return Kept(host.nics, host.sessions, host.paths, host.maps)


def before(now: Host, kept: Kept | None) -> Host:
    """The host as the last look left it. What that did not see, and all where there was none, is taken to have been
    whole: only a loss can have called for this look. What is offline by hand is no loss. A session is known by its
    pair and a path by its LUN number there, for both are called otherwise after a new login.
    """
    kept = kept or Kept()
    had = {s.pair: s for s in kept.sessions}
    has = {s.pair for s in now.sessions}
    pairs, old = {s.sid: s.pair for s in now.sessions}, {s.sid: s.pair for s in kept.sessions}
    lost = {(old.get(p.sid), p.lun): p for p in kept.paths}
    there = {(pairs.get(p.sid), p.lun) for p in now.paths}

    def session(one: Session) -> Session:
        if one.pair in had:
            return replace(one, state=had[one.pair].state)
        return one if now.is_offline(one.pair) else replace(one, state="LOGGED_IN")

    def path(one: Path) -> Path:
        pair = pairs.get(one.sid)
        if (was := lost.get((pair, one.lun))) is not None:
            return replace(one, device_state=was.device_state, dm_state=was.dm_state)
        offline = pair is not None and now.is_offline(pair)
        return one if offline else replace(one, device_state="running", dm_state="active" if one.dm else "")

    sids = {s.pair: s.sid for s in now.sessions}
    gone = [replace(p, sid=sids.get(old[p.sid], p.sid)) for k, p in lost.items() if k[0] and k not in there]
    sizes, dark = {m.wwid: m.size for m in kept.maps}, {n.name for n in kept.nics if n.carrier is not True}
    known = {m.wwid for m in now.maps}
    return replace(
        now,
        nics=tuple(replace(n, carrier=n.name not in dark) for n in now.nics),
        sessions=(*map(session, now.sessions), *(s for s in kept.sessions if s.pair not in has)),
        paths=(*map(path, now.paths), *gone),
        maps=(
            *(replace(m, size=sizes.get(m.wwid, m.size)) for m in now.maps),
            *(m for m in kept.maps if m.wwid not in known),
        ),
    )


# -- as JSON -------------------------------------------------------------------------------------------------------


def dump(value: Any) -> str:
    return json.dumps({"format": FORMAT, **plain(value)}) + "\n"


def parse(kind: type[T], text: str) -> T:
    """UnreadableOutput for what another release of mpio wrote, or nobody."""
    try:
        document = json.loads(text)
        if document.pop("format") != FORMAT:
            raise ValueError("another format")
        found = typing.cast(T, _loaded(kind, document))
        for path in found.paths if isinstance(found, Kept) else ():
            _ = path.lun  # ValueError where its place has none
        return found
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableOutput(str(error), "what was kept") from error


def plain(value: Any) -> Any:
    """As `json` takes it."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(one) for one in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value


def _loaded(kind: Any, said: Any) -> Any:
    """The value of this type; ValueError, TypeError or LookupError where it is none."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _one_of(inner, said)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        if said.keys() != {field.name for field in dataclasses.fields(kind)}:
            raise ValueError(f"{sorted(said)} is no {kind.__name__}")
        return kind(**{name: _loaded(hints[name], one) for name, one in said.items()})
    if origin is tuple:
        each = (inner[0] for _ in said) if inner[-1] is Ellipsis else iter(inner)
        return tuple(_loaded(one, value) for one, value in zip(each, said, strict=True))
    if origin in (list, set, frozenset):
        return origin(_loaded(inner[0], one) for one in said)
    if origin in (dict, Mapping):
        return {key: _loaded(inner[1], one) for key, one in said.items()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(said)
    if not isinstance(said, (int, float) if kind is float else kind):
        raise TypeError(f"{said!r} is no {kind}")
    return said


def _one_of(kinds: Iterable[Any], said: Any) -> Any:
    for kind in kinds:
        try:
            return _loaded(kind, said)
        except (ValueError, TypeError, LookupError, AttributeError):
            continue
    raise ValueError(f"{said!r} is none of these")
