"""What a black box holds, read again."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from mpio import span

FOLDER = "/var/lib/mpio/history"
CURRENT, OLDER = f"{FOLDER}/events.jsonl", f"{FOLDER}/events.1.jsonl"
HEADS = ("TIME", "WHAT", "SEVERITY", "SUBJECT", "DETAIL")
NAMED = 3  # things of a layer that changed alike are named up to here, then counted

Entry = dict[str, object]


def whole(current: str, older: str) -> str:
    """Both files as one text. `current` was read first: where the box has turned over in between, what it was is the
    begin of `older` by now, and what has come since is younger than the question.
    """
    return older if older.startswith(current) else f"{older}\n{current}"


def parse(text: str) -> tuple[tuple[Entry, ...], int]:
    """Its entries in the order in which they were written, and how many lines are none: a crash leaves half a line."""
    found, torn = [], 0
    for line in text.splitlines():
        if not line:
            continue
        entry = _entry(line)
        if entry is None:
            torn += 1
        else:
            found.append(entry)
    return tuple(found), torn


def _entry(line: str) -> Entry | None:
    try:
        said = json.loads(line)
        if not isinstance(said, dict) or not ("event" in said or "layer" in said):
            return None
        datetime.datetime.fromisoformat(said["time"]).astimezone()
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return said


def moment(text: str, now: datetime.datetime) -> datetime.datetime:
    """An ISO time or day, `today`, `yesterday`, or how long ago: `2h`, `30 min`. Without a zone it is that of `now`.

    ValueError for anything else.
    """
    said = " ".join(text.split()).lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"today": 0, "yesterday": 1}
    if said in days:
        return midnight - datetime.timedelta(days=days[said])
    try:
        found = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return now - span.parse(_short(said))
    # Not by `replace`: on that day another offset may have been in force.
    return found if found.tzinfo else found.astimezone()


def _short(said: str) -> str:
    """`30 min`, `2 hours` as `30m`, `2h`."""
    spelt = re.sub(r"(?<=\d) ?(d|h|m|s)(?:ays?|ours?|rs?|in(?:utes?|s)?|ec(?:onds?|s)?)?\b ?", r"\1", said)
    return spelt.removesuffix("ago").strip()


def since(entries: Iterable[Entry], begin: datetime.datetime | None) -> tuple[Entry, ...]:
    """Those from this moment on, by their own clock, which may have been set back between two of them."""
    return tuple(e for e in entries if begin is None or _time(e) >= begin)


def rows(entries: Iterable[Entry]) -> Iterator[tuple[str, str, str, str, str]]:
    """As `HEADS`; what changed alike in one layer at one look is one row."""
    for _, group in groupby(entries, key=_alike):
        first, *others = group
        if "layer" in first:
            yield _of_layer(first, [str(one.get("subject")) for one in (first, *others)])
            continue
        for one in (first, *others):
            event, severity, subject, detail = (
                str(one.get(key) or "") for key in ("event", "severity", "subject", "detail")
            )
            yield _clock(one), event, severity, subject, detail


def _of_layer(first: Entry, subjects: Sequence[str]) -> tuple[str, str, str, str, str]:
    named = ", ".join(s.split(" ")[0] for s in subjects[:NAMED])
    more = ", …" if len(subjects) > NAMED else ""
    subject = subjects[0] if len(subjects) == 1 else f"{len(subjects)}: {named}{more}"
    return _clock(first), str(first["layer"]), "", subject, f"{first.get('was')} -> {first.get('now')}"


def _alike(entry: Entry) -> tuple[object, ...]:
    return tuple(entry.get(key) for key in ("layer", "time", "boot", "was", "now")) if "layer" in entry else ()


def _time(entry: Entry) -> datetime.datetime:
    said = datetime.datetime.fromisoformat(str(entry["time"]))
    return said if said.tzinfo else said.astimezone()


def _clock(entry: Entry) -> str:
    """In the zone of whoever reads."""
    return _time(entry).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
