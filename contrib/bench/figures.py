"""The benchmark's figures: runs, medians, ratios, the table and what mpio promises. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

RATIO, EXTRA = 1.25, 3.0  # mpio may take so many times the script, plus so many seconds
DEAD_EXTRA = 5.0  # and so many seconds more where a portal is dead
DEAD = "-dead"  # how the name of a layout with a dead portal ends; without it stands the one to compare with
HEAD = ("layout", "contender", "maps whole, s", "each run, s", "ended, s", "to the script")
BEGIN, END = "<!-- figures: written by connect --write -->", "<!-- end of figures -->"


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds from the contender's start to the first sight of all maps whole, and to its end.

    None where that did not come within `limit`; `maps` were whole at the last look.
    """

    layout: str
    contender: str
    whole: float | None
    exit: float | None
    code: int
    maps: int
    limit: float


@dataclass(frozen=True, slots=True)
class Claim:
    what: str
    holds: bool


def median(values: Sequence[float | None]) -> float | None:
    """None counts as later than everything."""
    ordered = sorted(values, key=lambda v: float("inf") if v is None else v)
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    found = [v for v in middle if v is not None]
    return statistics.fmean(found) if found and len(found) == len(middle) else None


def of(runs: Iterable[Run], layout: str, contender: str) -> list[Run]:
    return [r for r in runs if (r.layout, r.contender) == (layout, contender)]


def whole(runs: Iterable[Run], layout: str, contender: str) -> float | None:
    return median([r.whole for r in of(runs, layout, contender)])


def seconds(value: float | None, limit: float) -> str:
    return f"over {limit:g}" if value is None else f"{value:.1f}"


def one(run: Run) -> str:
    """The time to whole; where it never came, how far it was."""
    return seconds(run.whole, run.limit) + (f" ({run.maps} maps)" if run.whole is None else "")


def rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """A row per layout and contender under HEAD: medians, and the ratio to the script's."""
    found: list[tuple[str, ...]] = []
    for layout, contender in dict.fromkeys((r.layout, r.contender) for r in runs):
        own = of(runs, layout, contender)
        limit = own[0].limit
        took, base = whole(own, layout, contender), whole(runs, layout, "script")
        ended = seconds(median([r.exit for r in own]), limit)
        codes = sorted({r.code for r in own if r.exit is not None and r.code})
        if codes:
            ended += f" (exit {', '.join(map(str, codes))})"
        ratio = "-"
        if base is not None:
            ratio = f"{took / base:.2f}" if took is not None else f"over {limit / base:.1f}"
        found.append((layout, contender, seconds(took, limit), ", ".join(one(r) for r in own), ended, ratio))
    return found


def table(runs: Sequence[Run]) -> str:
    return aligned([HEAD, *rows(runs)])


def aligned(lines: Sequence[tuple[str, ...]]) -> str:
    """A table, its head first, as Markdown, which reads as text too."""
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    text = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines]
    text.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(text) + "\n"


def claims(runs: Sequence[Run]) -> list[Claim]:
    """What mpio promises, for as much of it as was run."""
    found = []
    for layout in dict.fromkeys(r.layout for r in runs if r.contender == "mpio"):
        own = whole(runs, layout, "mpio")
        ends = {r.code for r in of(runs, layout, "mpio")}
        if layout.endswith(DEAD):
            live = whole(runs, layout.removesuffix(DEAD), "mpio")
            if live is not None:
                limit = live + DEAD_EXTRA
                found.append(_claim(f"{layout}: a dead portal adds at most {DEAD_EXTRA:g} s", own, limit))
        else:
            found.append(Claim(f"{layout}: mpio ends with 0", ends == {0}))
            script = whole(runs, layout, "script")
            if script is not None:
                limit = RATIO * script + EXTRA
                found.append(_claim(f"{layout}: at most {RATIO:g} x the script + {EXTRA:g} s", own, limit))
        if of(runs, layout, "os-brick"):
            brick = whole(runs, layout, "os-brick")
            found.append(_claim(f"{layout}: faster than os-brick", own, float("inf") if brick is None else brick))
    return found


def _claim(what: str, value: float | None, limit: float) -> Claim:
    allowed = "any time" if limit == float("inf") else f"{limit:.1f} s"
    said = "never" if value is None else f"{value:.1f} s of {allowed}"
    return Claim(f"{what} ({said})", value is not None and value <= limit)


def verdict(promised: Iterable[Claim]) -> str:
    return "".join(f"- {'yes' if claim.holds else '**no**'}: {claim.what}\n" for claim in promised)


def written(page: str, section: str, begin: str = BEGIN, end: str = END) -> str:
    """The page with this between its two marks; ValueError if it has none."""
    before, _, rest = page.partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"no place for figures: a line {begin!r}, then a line {end!r}")
    return f"{before}{begin}\n\n{section}\n{end}{after}"
