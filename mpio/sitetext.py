"""Editing the LUNs of a site file as text: whatever is not meant stays as it was written, to the byte.

A library that writes TOML anew moves [[lun]] tables that stand apart and has its own mind about line ends; here lines
are put in and taken out, and the standard library's reader says whether the text now means what it should, and only
that.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mpio import sitewords
from mpio.errors import MpioError
from mpio.sitemistakes import quoted

Tree = dict[str, Any]

# Strings and comments are one token each: what looks like a bracket or a line's end in them is none. A multi-line
# string may end in up to two quotes of its own.
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")' r"|'''.*?'{3,5}(?!')" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'" r"|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)
_PATHS = re.compile(r"""((?:\bpaths|"paths"|'paths')[ \t]*=[ \t]*)([^\s#,}]+)""")
_WWID = re.compile(r"""([ \t]*)((?:wwid|"wwid"|'wwid')[ \t]*)=""")


@dataclass(frozen=True, slots=True)
class _Line:
    """A statement with its line's end; a list or string over several lines is one."""

    start: int
    end: int
    kind: str  # blank, comment, header or key
    lun: bool = False  # a [[lun]] header, or the key of `lun = [...]`


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a LUN stands: its lines, with the comments that belong to it. Within, its own ones from `head`."""

    start: int
    head: int
    end: int


def with_lun(text: str, wwid: str, alias: str = "", paths: int | None = None) -> str:
    """The text with one more LUN behind the others; `wwid` is one that it does not have."""
    words = {"wwid": wwid} | ({"alias": alias} if alias else {}) | ({"paths": paths} if paths else {})

    def meant(tree: Tree) -> None:
        tree.setdefault("lun", []).append(words)

    lines = _lines(text)
    listed = next((line for line in lines if line.kind == "key" and line.lun), None)
    if listed:
        return _checked(text, _listed(text, listed, words), meant)
    entries = _entries(lines)
    filled = [line.end for line in lines if line.kind != "blank"]
    at = entries[-1].end if entries else max(filled, default=0)
    return _checked(text, _inserted(text, at, _table(text, lines, words)), meant)


def without_lun(text: str, wwid: str) -> str:
    """The text without this LUN and the comments that stand right at it; the same text where it is not there."""
    number = _number(text, wwid)
    if number is None:
        return text

    def meant(tree: Tree) -> None:
        del tree["lun"][number]
        if not tree["lun"] and "lun" not in tomllib.loads(new):
            del tree["lun"]

    lines = _lines(text)
    listed = next((line for line in lines if line.kind == "key" and line.lun), None)
    if listed:
        new = _unlisted(text, listed, number)
        return _checked(text, new, meant)
    entry = _entries(lines)[number]
    before = next((line for line in lines if line.end == entry.start), None)
    start = before.start if before and before.kind == "blank" else entry.start
    new = _cut(text, start, entry.end)
    return _checked(text, new, meant)


def with_paths(text: str, wwid: str, paths: int | None) -> str:
    """The text with another expectation for this LUN; None: the one that follows from the plan."""
    number = _number(text, wwid)
    if number is None:
        return text

    def meant(tree: Tree) -> None:
        tree["lun"][number].pop("paths", None)
        if paths is not None:
            tree["lun"][number]["paths"] = paths

    lines = _lines(text)
    listed = next((line for line in lines if line.kind == "key" and line.lun), None)
    if listed:
        start, end = _elements(text, listed)[number]
        new = text[:start] + _with_paths_inline(text[start:end], paths) + text[end:]
        return _checked(text, new, meant)
    entry = _entries(lines)[number]
    own = [line for line in lines if entry.head <= line.start < entry.end and line.kind == "key"]
    said = next((line for line in own if "paths" in tomllib.loads(text[line.start : line.end])), None)
    if said is None and paths is not None:
        new = _inserted(text, own[-1].end, [_like(text, lines, "paths", str(paths))], apart=False)
    elif said is not None and paths is not None:
        new = text[: said.start] + _PATHS.sub(rf"\g<1>{paths}", text[said.start : said.end], 1) + text[said.end :]
    else:
        new = text if said is None else _cut(text, said.start, said.end)
    return _checked(text, new, meant)


# -- lines ---------------------------------------------------------------------------------------------------------


def _lines(text: str) -> tuple[_Line, ...]:
    found: list[_Line] = []
    inside = False  # a table: what follows is no key of the top
    for start, end in _spans(text):
        words = text[start:end].strip()
        kind = "blank" if not words else {"#": "comment", "[": "header"}.get(words[0], "key")
        lun = (kind == "header" and "lun" in tomllib.loads(words)) or (
            kind == "key" and not inside and "lun" in tomllib.loads(words)
        )
        inside = inside or kind == "header"
        found.append(_Line(start, end, kind, lun))
    return tuple(found)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if token[0] == "\n" and not depth:
            yield start, token.end()
            start = token.end()
    if start < len(text):
        yield start, len(text)


def _entries(lines: tuple[_Line, ...]) -> tuple[_Entry, ...]:
    headers = [n for n, line in enumerate(lines) if line.kind == "header"]
    found: list[_Entry] = []
    for n, following in pairwise([*headers, len(lines)]):
        if not lines[n].lun:
            continue
        last = max(k for k in range(n, following) if lines[k].kind in ("header", "key"))
        behind = last + 1
        while behind < following and lines[behind].kind == "comment":
            behind += 1
        # Comments that run up to the next header are about what it begins.
        last = last if behind == following < len(lines) else behind - 1
        first = n
        while first > 0 and lines[first - 1].kind == "comment":
            first -= 1
        found.append(_Entry(lines[first].start, lines[n].start, lines[last].end))
    return tuple(found)


def _number(text: str, wwid: str) -> int | None:
    luns = tomllib.loads(text).get("lun", [])
    return next((n for n, lun in enumerate(luns) if sitewords.wwid(lun["wwid"]) == wwid), None)


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _table(text: str, lines: tuple[_Line, ...], words: Tree) -> list[str]:
    return ["[[lun]]", *(_like(text, lines, key, _value(value)) for key, value in words.items())]


def _like(text: str, lines: tuple[_Line, ...], key: str, value: str) -> str:
    """A key as the last entry's WWID is written: indented and aligned."""
    last = _entries(lines)[-1:]
    own = [line for line in lines if last and last[0].head <= line.start < last[0].end]
    written = next((found for line in own if (found := _WWID.match(text, line.start))), None)
    indent, width = (written[1], len(written[2])) if written else ("", 0)
    return f"{indent}{key.ljust(max(width, len(key) + 1))}= {value}"


def _value(value: object) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


def _inserted(text: str, at: int, new: list[str], *, apart: bool = True) -> str:
    """These lines behind `at`, `apart` with a blank line before them. A file without a last line's end stays so."""
    end = _line_end(text)
    before, after = text[:at], text[at:]
    block = end.join(new)
    if not before:
        return f"{block}{end}{after}"
    gap = end if apart else ""
    if before.endswith("\n"):
        return f"{before}{gap}{block}{end}{after}"
    return f"{before}{end}{gap}{block}{after}"


def _cut(text: str, start: int, end: int) -> str:
    before, after = text[:start], text[end:]
    if not after and not text.endswith("\n"):
        before = before.removesuffix("\n").removesuffix("\r")
    return before + after


# -- `lun = [{...}, {...}]` ----------------------------------------------------------------------------------------


def _elements(text: str, listed: _Line) -> list[tuple[int, int]]:
    depth, start = 0, 0
    found: list[tuple[int, int]] = []
    for token in _TOKEN.finditer(text, listed.start, listed.end):
        if token[0] == "{":
            start = token.start() if depth == 1 else start
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if token[0] == "}" and depth == 1:
            found.append((start, token.end()))
    return found


def _listed(text: str, listed: _Line, words: Tree) -> str:
    inner = ", ".join(f"{key} = {_value(value)}" for key, value in words.items())
    elements = _elements(text, listed)
    opened = text.index("[", text.index("=", listed.start)) + 1
    if not elements:
        return f"{text[:opened]}{{{inner}}}{text[opened:]}"
    last = elements[-1][1]
    between = re.search(r"\r?\n[ \t]*$", text[: elements[-1][0]])
    return f"{text[:last]},{between[0] if between else ' '}{{{inner}}}{text[last:]}"


def _unlisted(text: str, listed: _Line, number: int) -> str:
    elements = _elements(text, listed)
    start, end = elements[number]
    if number:
        # the comma before it; a comment behind that comma is its neighbour's and stays
        gap = text[elements[number - 1][1] : start]
        comma = elements[number - 1][1] + gap.index(",")
        if "#" not in gap:
            return text[:comma] + text[end:]
        last = number == len(elements) - 1
        rest = text[end:] if last else text[end:].lstrip(" \t").removeprefix(",")
        return text[:start].rstrip(" \t\r\n") + rest
    if len(elements) > 1:
        return text[:start] + text[elements[1][0] :]
    return text[:start] + re.sub(r"^\s*,", "", text[end:], count=1)


def _with_paths_inline(element: str, paths: int | None) -> str:
    if _PATHS.search(element) is None:
        return element if paths is None else re.sub(r"\s*}$", rf", paths = {paths}\g<0>", element)
    if paths is not None:
        return _PATHS.sub(rf"\g<1>{paths}", element, 1)
    behind = re.sub(rf"\s*,\s*{_PATHS.pattern}", "", element, count=1)
    return behind if behind != element else re.sub(rf"{_PATHS.pattern}\s*,\s*", "", element, count=1)


def _checked(old: str, new: str, meant: Callable[[Tree], None]) -> str:
    """The new text, if it is the old one with this change and no other."""
    wanted = copy.deepcopy(tomllib.loads(old))
    meant(wanted)
    try:
        same = tomllib.loads(new) == wanted
    except ValueError:
        same = False
    if not same:
        raise MpioError("cannot edit the site file as it is written", "edit its LUNs by hand, then mpio apply")
    return new
