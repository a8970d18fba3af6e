"""What a drill has shown: how long reads stood, which failed, when each layer noticed, and what to make of it."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mpio import view
from mpio.drills.drill import Taking
from mpio.findings import Finding, finding
from mpio.host import Map

LAYERS = ("carrier", "session", "device", "checker", "dm")
POINTS = 400  # of a LUN's latency over time; each is the longest read of its stretch
FINEST = 0.02
AMONG = 50  # failed reads that are listed one by one


class Sample(NamedTuple):
    """One read: the map's number, errno or 0, and when it began and ended, by the monotonic clock."""

    number: int
    error: int
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A drill of one thing. Times are the monotonic clock's: the take-away began, was done, and was put back; `whole`
    when all was usable again, None where it was not in time.

    `first` and `every` say for each layer when it had noticed the first and the last of what is away.
    """

    taking: Taking
    maps: tuple[Map, ...]
    samples: tuple[Sample, ...]
    began: float
    gone: float
    back: float
    whole: float | None
    first: Mapping[str, float] = field(default_factory=dict, hash=False)
    every: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def stall(self) -> float:
        """The longest read of any LUN, in seconds."""
        return max((s.end - s.begin for s in self.samples), default=0.0)

    @property
    def errors(self) -> int:
        return sum(s.error != 0 for s in self.samples)

    @property
    def over(self) -> bool:
        limit = self.taking.stall.limit
        return limit is not None and self.stall > limit


def findings(many: Iterable[Measured]) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for one in many:
        name = one.taking.thing.name
        if one.over:
            said = one.taking.stall
            what = f"{one.stall:.1f} s; at most {said.limit:.1f} s were predicted ({said.why})"
            found.append(finding("MP425", name, what))
        for number, mapped in enumerate(one.maps):
            failed = [s for s in one.samples if s.number == number and s.error]
            if failed:
                what = f"{len(failed)} reads while {name} was drilled: {_word(failed[0].error)}"
                found.append(finding("MP427", mapped.name, what))
    return tuple(found)


def document(one: Measured) -> view.Json:
    """Times in seconds since the take-away began."""
    thing, said = one.taking.thing, one.taking.stall
    return {
        "thing": thing.name,
        "kind": thing.kind,
        "how": one.taking.how.value,
        "sessions": [s.sid for s in one.taking.sessions],
        "paths": [p.dev for p in one.taking.paths],
        "budget": {"seconds": said.seconds, "limit": said.limit, "why": said.why},
        "stall": round(one.stall, 4),
        "errors": one.errors,
        "gone": _since(one, one.gone),
        "put_back": _since(one, one.back),
        "whole": _since(one, one.whole),
        "noticed": {name: _since(one, one.first.get(name)) for name in LAYERS},
        "noticed_all": {name: _since(one, one.every.get(name)) for name in LAYERS},
        "luns": [_lun(one, number, mapped) for number, mapped in enumerate(one.maps)],
    }


def _lun(one: Measured, number: int, mapped: Map) -> view.Json:
    own = [s for s in one.samples if s.number == number]
    longest = max(own, key=lambda s: s.end - s.begin, default=None)
    failed = [s for s in own if s.error]
    return {
        "wwid": mapped.wwid,
        "alias": mapped.name,
        "reads": len(own),
        "errors": len(failed),
        "stall": round(longest.end - longest.begin, 4) if longest else None,
        "stall_at": _since(one, longest.begin) if longest else None,
        "failed": [[_since(one, s.begin), _word(s.error)] for s in failed[:AMONG]],
        "series": series(own, one.began),
    }


def series(own: list[Sample], zero: float, points: int = POINTS) -> list[list[float]]:
    """[seconds since `zero`, latency in seconds], at most `points` and the longest read of each stretch."""
    if not own:
        return []
    start = own[0].begin
    width = max(FINEST, (own[-1].begin - start) / points + 1e-6)
    longest: dict[int, Sample] = {}
    for sample in own:
        at = min(int((sample.begin - start) / width), points - 1)
        if at not in longest or sample.end - sample.begin > longest[at].end - longest[at].begin:
            longest[at] = sample
    return [[round(s.begin - zero, 3), round(s.end - s.begin, 5)] for _, s in sorted(longest.items())]


HEADS = ("WHAT", "HOW", "LUNS", "PATHS", "BUDGET", "STALL", "ERRORS", *(w.upper() for w in LAYERS), "BACK AFTER")


def row(one: Measured) -> tuple[str, ...]:
    said = one.taking.stall
    return (
        one.taking.thing.name,
        one.taking.how.value,
        str(len({p.wwid for p in one.taking.paths})),
        str(len(one.taking.paths)),
        "no bound" if said.limit is None else f"{said.limit:.1f} s",
        f"{one.stall:.2f} s" + (" !" if one.over else ""),
        str(one.errors),
        *("-" if (at := one.first.get(name)) is None else f"{at - one.began:.1f} s" for name in LAYERS),
        "not whole" if one.whole is None else f"{one.whole - one.back:.1f} s",
    )


def _since(one: Measured, at: float | None) -> float | None:
    return None if at is None else round(at - one.began, 3)


def _word(number: int) -> str:
    return errno.errorcode.get(number, str(number))
