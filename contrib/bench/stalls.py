"""The figures of the failover benchmark: stalls, their ratio, and what mpio promises. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from figures import Claim, aligned, median

RATIO = 40.0  # so many times longer is the stall without fast_fail
STALL = 0.3  # and it is at most so many seconds with it
HEAD = ("fast_fail", "longest stall, s", "each run, s", "a disk that stays, s", "I/O errors")
BEGIN, END = "<!-- figures: written by failover --write -->", "<!-- end of failover -->"


@dataclass(frozen=True, slots=True)
class Run:
    """One loss of a link: the longest read of any map, and, in the same time, of a disk whose link stayed: how long the
    machine held up any read.
    """

    mode: str
    longest: float
    control: float
    errors: int


def rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    found = []
    for mode in dict.fromkeys(r.mode for r in runs):
        own = [r for r in runs if r.mode == mode]
        each = ", ".join(f"{r.longest:.2f}" for r in own)
        control = max(r.control for r in own)
        found.append((mode, f"{stall(runs, mode):.2f}", each, f"{control:.2f}", str(sum(r.errors for r in own))))
    return found


def table(runs: Sequence[Run]) -> str:
    return aligned([HEAD, *rows(runs)])


def stall(runs: Iterable[Run], mode: str) -> float:
    """The median of that mode's longest stalls."""
    found = median([r.longest for r in runs if r.mode == mode])
    return float("nan") if found is None else found


def ratio(runs: Sequence[Run]) -> float:
    return stall(runs, "off") / stall(runs, "link")


def claims(runs: Sequence[Run]) -> list[Claim]:
    with_it, times = stall(runs, "link"), ratio(runs)
    return [
        Claim(f"a stall {times:.0f} times shorter (at least {RATIO:g})", times >= RATIO),
        Claim(f"with it at most {STALL:g} s ({with_it:.2f} s)", with_it <= STALL),
        Claim("no I/O error", not any(r.errors for r in runs)),
    ]
