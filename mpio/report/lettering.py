"""Boxes and the text in them, set in a fixed pitch, so that what fits is known without a font.

A cell is wider than that of the usual fonts. Long names are broken, never cut.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mpio.report.wiring import State

NAME, SMALL = 12, 11  # font sizes
PITCH = 0.62  # of the font size; DejaVu, Liberation, Menlo and Courier have 0.60
LEADING = 16
PAD, GAP = 9, 14
MARK = 16  # the sign of a state, in a box's corner


@dataclass(frozen=True, slots=True)
class Text:
    """`kind` is name, small or label; `x` its start, or its middle where it is a label."""

    x: int
    y: int
    words: str
    kind: str = "name"


@dataclass(frozen=True, slots=True)
class Pip:
    """One path of a LUN: there and usable, there and not, or missing."""

    x: int
    y: int
    kind: str


@dataclass(frozen=True, slots=True)
class Box:
    kind: str
    x: int
    y: int
    width: int
    height: int
    state: State
    texts: tuple[Text, ...] = ()
    title: str = ""
    marked: bool = True
    pips: tuple[Pip, ...] = ()
    data: tuple[tuple[str, str], ...] = ()

    @property
    def middle(self) -> int:
        return self.x + self.width // 2

    @property
    def bottom(self) -> int:
        return self.y + self.height


def cells(words: str) -> int:
    """Wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in words)


def width(words: str, size: int) -> int:
    """In pixels."""
    return math.ceil(cells(words) * size * PITCH)


def broken(words: str, room: int) -> list[str]:
    """Lines of at most so many cells, broken behind a blank or one of `:._-/@` in their second half, or anywhere."""
    found = []
    rest = words
    while cells(rest) > room:
        cut = 1
        while cells(rest[: cut + 1]) <= room:
            cut += 1
        at = max((m.end() for m in re.finditer(r"[ :._/@-]", rest[:cut])), default=0)
        cut = at if at > cut // 2 else cut
        found.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*found, rest]


def lines(texts: Iterable[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    """The texts as lines that fit into so many pixels."""
    found = []
    for words, kind in texts:
        fits = max(2, int(room / ((NAME if kind == "name" else SMALL) * PITCH)))
        found += [(line, kind) for line in broken(words, fits)]
    return found


def written(box: Box, texts: Iterable[tuple[str, str]], pad: int) -> Box:
    """The box with lines of text from its top."""
    said = tuple(
        Text(box.x + pad, box.y + pad + n * LEADING + NAME - 1, words, kind) for n, (words, kind) in enumerate(texts)
    )
    return replace(box, texts=said)


def sized(box: Box) -> Box:
    """The box with its texts set in its width, its pips below them, and the height that they take."""
    room = box.width - 2 * PAD
    set_ = lines([(t.words, t.kind) for t in box.texts[:1]], room - MARK) + lines(
        [(t.words, t.kind) for t in box.texts[1:]], room
    )
    under = box.y + PAD + len(set_) * LEADING
    a_row = max(1, room // 12)
    pips = tuple(
        Pip(box.x + PAD + n % a_row * 12, under + 2 + n // a_row * 12, pip.kind) for n, pip in enumerate(box.pips)
    )
    rows = -(-len(pips) // a_row)
    height = 2 * PAD + len(set_) * LEADING + rows * 12 + (2 if rows else -2)
    return replace(written(box, set_, PAD), pips=pips, height=height)
