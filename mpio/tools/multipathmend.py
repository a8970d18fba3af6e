"""multipath.conf with the closing braces that it lacks.

To multipath a section that is not closed goes on: the next `devices {` in it is one unknown keyword, and all that
follows belongs to the open section or is lost. Whoever wrote it meant another section, which can be told: that name is
valid further out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mpio.tools import multipathlines
from mpio.tools.multipathconf import SECTIONS, Conf, Section, parse

_NAMES = frozenset().union(*SECTIONS.values())


@dataclass(frozen=True, slots=True)
class Gap:
    """A `}` that is missing: of which section, opened on which line, and before which line; `following` is the section
    that begins there, "" at the end of the file.
    """

    section: str
    opened: int
    before: int
    following: str = ""


class _Mending:
    def __init__(self) -> None:
        self.out: list[str] = []
        self.numbers: list[int] = []
        self.open: list[tuple[str, int]] = []
        self.gaps: list[Gap] = []

    def add(self, line: str, number: int) -> None:
        self.out.append(line)
        self.numbers.append(number)

    def close(self, number: int, following: str = "") -> None:
        name, opened = self.open.pop()
        self.gaps.append(Gap(name, opened, number, following))
        self.add("}", number)

    def opening(self, key: str, number: int) -> None:
        """A section's name with its brace, or alone: where it is not valid here but further out, something is open."""
        outer = ["", *(name for name, _ in self.open)]
        fits = next((depth for depth in range(len(outer) - 1, -1, -1) if key in SECTIONS.get(outer[depth], ())), None)
        if fits is None:
            return
        while len(self.open) > fits:
            self.close(number, key)
        self.open.append((key, number))


def openings(text: str) -> Iterator[str]:
    """The names of sections that stand where one begins."""
    for _, line in multipathlines.lines(text):
        words, marks = multipathlines.tokens(line)
        if words and not marks[0] and words[0] in _NAMES and (len(words) == 1 or words[1] == "{"):
            yield words[0]


def mended(text: str) -> tuple[str, tuple[int, ...], tuple[Gap, ...]]:
    """The text with its missing braces, the old number of each of its lines, and what was missing."""
    work = _Mending()
    number = 1
    for number, line in multipathlines.lines(text):
        words, marks = multipathlines.tokens(line)
        if words and not marks[0]:
            if words[0] in _NAMES and (len(words) == 1 or words[1] == "{"):
                work.opening(words[0], number)
            elif words[0] == "}" and work.open:
                work.open.pop()
        work.add(line, number)
    while work.open:
        work.close(number)
    return "\n".join(work.out), tuple(work.numbers), tuple(work.gaps)


def parse_mended(text: str, path: str) -> tuple[Conf, tuple[Gap, ...]]:
    """What the text was meant to say, with the line numbers of the text as it is, and the braces that it lacks."""
    whole, numbers, gaps = mended(text)
    conf = parse(whole, path)

    def old(line: int) -> int:
        return numbers[min(max(line, 1), len(numbers)) - 1] if numbers else line

    def renumbered(section: Section) -> Section:
        return replace(
            section,
            line=old(section.line),
            entries=tuple(replace(e, line=old(e.line)) for e in section.entries),
            sections=tuple(renumbered(s) for s in section.sections),
        )

    return (
        Conf(
            tuple(renumbered(s) for s in conf.sections),
            tuple(replace(e, line=old(e.line)) for e in conf.entries),
            tuple(replace(r, line=old(r.line)) for r in conf.remarks),
        ),
        gaps,
    )
