"""What mpio remembers in /var/lib/mpio: what it made, the values it replaced, which target has shown which LUN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from mpio.errors import UnreadableOutput

if TYPE_CHECKING:
    import datetime

    from mpio.step import Note

PATH = "/var/lib/mpio/memory.json"
# What to do where it is damaged: it is written whole or not at all, so somebody else or the disk has changed it.
LOST = (
    f"put a copy of {PATH} back; or take it away and run mpio apply: what mpio has made until then is left to you when "
    "it is to go, and expected paths are counted anew"
)
MADE = ("iface", "record", "discovery", "wwid", "unit", "file")


@dataclass(frozen=True, slots=True)
class Key:
    """A single key that mpio set in somebody else's file: the value that stood there before, and ours."""

    before: str | None
    ours: str | None


@dataclass(frozen=True, slots=True)
class Offline:
    """What was taken offline by hand under one name: its `pairs` as `str(Pair)`, by whom, and when, in ISO 8601 with a
    zone; `until` None: until somebody says `online`.
    """

    name: str
    pairs: frozenset[str]
    who: str
    since: str
    until: str | None = None
    logged_out: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """`made` holds (kind, name); `keys` maps "file key" to its values; `shown` maps a WWID to the targets that ever
    showed it.

    `reached` are the targets that ever had a session: only they are known to show or not to show a LUN. `offline` also
    holds what is over and was not brought back yet: see `in_force`.
    """

    made: frozenset[tuple[str, str]] = frozenset()
    keys: Mapping[str, Key] = field(default_factory=dict, hash=False)
    shown: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    reached: frozenset[str] = frozenset()
    offline: tuple[Offline, ...] = ()

    def has(self, kind: str, name: str) -> bool:
        return (kind, name) in self.made

    def names(self, kind: str) -> tuple[str, ...]:
        return tuple(sorted(name for k, name in self.made if k == kind))


def noted(memory: Memory, notes: Iterable[Note]) -> Memory:
    """The memory after these notes. The first previous value of a key stays:
    a second run must not take ours for the user's.
    """
    made, keys = set(memory.made), dict(memory.keys)
    for note in notes:
        if note.kind == "key":
            old = keys.get(note.name)
            keys[note.name] = Key(old.before if old else note.before, note.ours)
        else:
            made.add((note.kind, note.name))
    return replace(memory, made=frozenset(made), keys=keys)


def pruned(memory: Memory, alive: Iterable[tuple[str, str]]) -> Memory:
    """The memory without what is no longer there:
    undone by us, by somebody else, or never made because a run died before.
    """
    return replace(memory, made=memory.made & frozenset(alive))


def with_seen(memory: Memory, shown: Iterable[tuple[str, str]], reached: Iterable[str]) -> Memory:
    """The memory after seeing these (WWID, target) and sessions to these targets."""
    all_shown = dict(memory.shown)
    for wwid, target in shown:
        all_shown[wwid] = all_shown.get(wwid, frozenset()) | {target}
    return replace(memory, shown=all_shown, reached=memory.reached | set(reached))


def in_force(memory: Memory, now: datetime.datetime) -> tuple[Offline, ...]:
    """What is offline at this moment: of what is remembered that whose time is not over."""
    return tuple(one for one in memory.offline if one.until is None or _moment(one.until) > now)


def with_offline(memory: Memory, *taken: Offline) -> Memory:
    """The memory with these; one of the same name is replaced."""
    names = {one.name for one in taken}
    return replace(memory, offline=(*(one for one in memory.offline if one.name not in names), *taken))


def without_lun(memory: Memory, wwid: str) -> Memory:
    """The memory without a LUN that was taken away: which targets showed it counts no more."""
    shown = {w: targets for w, targets in memory.shown.items() if w != wwid}
    return replace(memory, made=memory.made - {("wwid", wwid)}, shown=shown)


def dump(memory: Memory) -> str:
    import json

    document = {
        "format": 1,
        "made": {kind: list(memory.names(kind)) for kind in MADE if memory.names(kind)},
        "keys": {name: {"before": k.before, "ours": k.ours} for name, k in sorted(memory.keys.items())},
        "shown": {wwid: sorted(targets) for wwid, targets in sorted(memory.shown.items())},
        "reached": sorted(memory.reached),
        "offline": [{**asdict(one), "pairs": sorted(one.pairs)} for one in memory.offline],
    }
    return json.dumps(document, indent=1) + "\n"


def parse(text: str | None) -> Memory:
    """None (no file) is an empty memory. UnreadableOutput for anything that `dump` did not write."""
    if text is None:
        return Memory()
    import json  # not at the top: a host without a memory, which quick verbs meet too, needs none

    try:
        document = json.loads(text)
        if document["format"] != 1:
            raise ValueError(f"format {document['format']}")
        made = frozenset((_kind(kind), name) for kind, names in document["made"].items() for name in _texts(names))
        keys = {_name(name): Key(_text(k["before"]), _text(k["ours"])) for name, k in document["keys"].items()}
        shown = {_name(wwid): frozenset(_texts(targets)) for wwid, targets in document["shown"].items()}
        reached = frozenset(_texts(document["reached"]))
        offline = tuple(_offline(one) for one in document.get("offline", ()))
        for kind, name in made:
            if kind == "discovery":
                _portal(name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise UnreadableOutput(str(error), PATH, LOST) from error
    return Memory(made, keys, shown, reached, offline)


def _offline(said: Mapping[str, object]) -> Offline:
    pairs, until, out = _texts(said["pairs"]), said["until"], said["logged_out"]
    if not isinstance(out, bool):
        raise ValueError("what is offline is logged out or not")
    words = [_text(word) or "" for word in (said["name"], said["who"], said["since"])]
    for moment in (words[2], *([_text(until) or ""] if until is not None else [])):
        _moment(moment)
    return Offline(words[0], frozenset(pairs), words[1], words[2], _text(until), out)


def _moment(text: str) -> datetime.datetime:
    import datetime

    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    _ = moment.astimezone(datetime.UTC) + datetime.timedelta(days=1)  # OverflowError at the ends of time
    return moment


def _portal(name: str) -> None:
    from mpio.host import Portal  # which imports this module

    Portal.parse(name)


def _kind(said: str) -> str:
    if said not in MADE:  # of another release: `dump` would forget it
        raise ValueError(f"{said!r} is nothing that is made")
    return said


def _texts(said: object) -> list[str]:
    if not isinstance(said, list):
        raise ValueError("no list of texts")
    return [_name(one) for one in said]


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"{value!r} is no text")


def _name(value: object) -> str:
    """Of a file, often: what cannot be one, nor a word of a program, is none of ours."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{value!r} is no name")
    value.encode("utf-8", "surrogateescape")  # ValueError for half a pair
    return value
