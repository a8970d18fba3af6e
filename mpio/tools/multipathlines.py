"""The lines and tokens of multipath.conf, as libmpathutil/parser.c's read_line() and alloc_strvec() make them."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 1023  # bytes of a line: MAXBUF of parser.h less its end; the rest is read as another line

# isspace() of the C locale, and every byte that is not ASCII, part words; `!` and `#` end a line wherever they stand
_BLANK = re.compile(r"[\t-\r \x80-\U0010ffff]*")
_WORD = re.compile(r'[^\t-\r !"#{}\x80-\U0010ffff]+')
_QUOTED = re.compile(r'(?:[^"]+|"")*')
_QUOTE = '"'


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines as fgets() and strtok() leave them: cut at 1023 bytes, at a NUL and at a carriage return."""
    for number, whole in enumerate(text.split("\n"), 1):
        for piece in _pieces(whole):
            line = piece.partition("\0")[0]
            first = len(line) - len(line.lstrip("\r"))
            cut = line.find("\r", first)
            yield number, line if cut < 0 else line[:cut]


def _pieces(line: str) -> Iterator[str]:
    if len(line) * 4 <= LONGEST:
        yield line
        return
    raw = line.encode("utf-8", "surrogatepass")
    for start in range(0, len(raw), LONGEST):
        yield raw[start : start + LONGEST].decode("utf-8", "surrogateescape")


def tokens(line: str) -> tuple[list[str], list[bool]]:
    """The tokens of a line, and which of them are quotation marks (as opposed to a word or string)."""
    found: list[str] = []
    marks: list[bool] = []
    at, inside = _after_blank(line, 0), False
    while at < len(line) and (inside or line[at] not in "!#"):
        mark = line[at] == _QUOTE and not (inside and line[at + 1 : at + 2] == _QUOTE)
        if mark or (not inside and line[at] in "{}"):
            token, end = line[at], at + 1
            inside ^= mark
        else:
            run = (_QUOTED if inside else _WORD).match(line, at)
            end = run.end() if run else at + 1
            token = line[at:end].replace('""', _QUOTE) if inside else line[at:end]
        found.append(token)
        marks.append(mark)
        at = end if inside else _after_blank(line, end)
    return found, marks


def _after_blank(line: str, at: int) -> int:
    found = _BLANK.match(line, at)
    return found.end() if found else at
