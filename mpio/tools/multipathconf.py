"""multipath.conf: what its parser makes of a text, and texts that it reads back as they were meant.

The grammar is that of multipath-tools' libmpathutil/parser.c, the same from 0.9.4 to 0.14.3: line based and driven by
its keywords. A section opens where a section's name stands, brace or not; in any other place that name is one unknown
keyword and the lines after it belong to the section that is still open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from mpio.tools import multipathlines

# which sections may stand in which; "" is the file itself
SECTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "": frozenset({"defaults", "blacklist", "blacklist_exceptions", "devices", "overrides", "multipaths"}),
        "blacklist": frozenset({"device"}),
        "blacklist_exceptions": frozenset({"device"}),
        "devices": frozenset({"device"}),
        "overrides": frozenset({"protocol"}),
        "multipaths": frozenset({"multipath"}),
    }
)
_NAMES = frozenset().union(*SECTIONS.values())
# parser.c is_sublevel_keyword: these open without a brace; "overrides" and "protocol" alone are options without a value
_OPEN_WITHOUT_BRACE = _NAMES - {"overrides", "protocol"}
# "protocol" is a section of overrides and a plain keyword of these
_PROTOCOL_LINES = frozenset({("blacklist", "protocol"), ("blacklist_exceptions", "protocol")})
# keywords that may be repeated without a "duplicate keyword"
_REPEATABLE = frozenset({"devnode", "wwid", "property", "protocol", "device", "multipath"})
_BARE = re.compile(r"[A-Za-z0-9_.:-]+")
_KEY = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Remark:
    """What multipath would complain of; `line` counts from 1."""

    line: int
    text: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One keyword and its value, and where it stands (not compared)."""

    key: str
    value: str
    line: int = field(default=0, compare=False)
    path: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    entries: tuple[Entry, ...] = ()
    sections: tuple[Section, ...] = ()
    line: int = field(default=0, compare=False)
    path: str = field(default="", compare=False)

    @property
    def values(self) -> dict[str, Entry]:
        """The entries by keyword, the last one of each."""
        return {e.key: e for e in self.entries}


@dataclass(frozen=True, slots=True)
class Conf:
    """A configuration: one file, or several merged in the order they are read. `entries` stand outside any section."""

    sections: tuple[Section, ...] = ()
    entries: tuple[Entry, ...] = ()
    remarks: tuple[Remark, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Device:
    """The `device{}` sections of one vendor, product and revision, merged."""

    vendor: str
    product: str
    revision: str
    values: Mapping[str, Entry]


class _Open:
    """A section that is being read."""

    __slots__ = ("entries", "line", "name", "sections", "seen")

    def __init__(self, name: str, line: int) -> None:
        self.name = name
        self.line = line
        self.entries: list[Entry] = []
        self.sections: list[Section] = []
        self.seen: set[str] = set()


def parse(text: str, path: str = "/etc/multipath.conf") -> Conf:
    """Read any text at all, as multipath reads it."""
    reader = _Reader(path)
    for number, line in multipathlines.lines(text):
        tokens, quoted = multipathlines.tokens(line)
        if tokens:
            reader.line(number, tokens, quoted)
    return reader.end(text.count("\n") + 1)


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.open = [_Open("", 0)]
        self.remarks: list[Remark] = []

    def remark(self, line: int, text: str) -> None:
        self.remarks.append(Remark(line, text, self.path))

    def line(self, number: int, tokens: list[str], quoted: list[bool]) -> None:
        key = "" if quoted[0] else tokens[0]
        if key == "{":
            self.remark(number, "invalid keyword '{'")
        elif key == "}":
            self.extra(number, tokens, 1)
            self.close(number)
        elif len(tokens) < 2 and key not in _OPEN_WITHOUT_BRACE:
            self.remark(number, f"missing value for option '{key}'")
        elif len(tokens) > 3 and quoted[1] and not (quoted[2] or quoted[3]):  # only after a key of empty quotes
            self.remark(number, f"parsing error starting with '{tokens[3]}'")
        else:
            self.keyword(number, key, tokens, quoted)

    def keyword(self, number: int, key: str, tokens: list[str], quoted: list[bool]) -> None:
        """A line that has a keyword and, but for some sections, a value."""
        value = ""
        if key in _OPEN_WITHOUT_BRACE:
            if len(tokens) < 2:
                self.remark(number, "missing '{'")
            elif tokens[1] != "{":
                self.remark(number, f"expecting '{{', found '{tokens[1]}'")
            else:
                self.extra(number, tokens, 2)
        elif quoted[1]:
            value = self.string(number, tokens, quoted)
        else:
            value = tokens[1]
            self.extra(number, tokens, 2)
        here = self.open[-1]
        if key in here.seen and key not in _REPEATABLE:
            self.remark(number, f"duplicate keyword: {key}")
        here.seen.add(key)
        if key in SECTIONS.get(here.name, ()):
            self.open.append(_Open(key, number))
        elif key in _NAMES and (here.name, key) not in _PROTOCOL_LINES:
            where = f" in the {here.name} section" if here.name else ""
            self.remark(number, f"invalid keyword{where}: {key}")
        else:
            here.entries.append(Entry(key, value, number, self.path))

    def string(self, number: int, tokens: list[str], quoted: list[bool]) -> str:
        """The value that starts with the quote at tokens[1]."""
        empty = len(tokens) > 2 and quoted[2]
        closing = 2 if empty else 3
        if len(tokens) <= closing:
            self.remark(number, "missing closing quotes")
        self.extra(number, tokens, closing + 1)
        return "" if empty or len(tokens) == 2 else tokens[2]

    def extra(self, number: int, tokens: list[str], start: int) -> None:
        if len(tokens) > start:
            self.remark(number, f"ignoring extra data starting with '{tokens[start]}'")

    def close(self, number: int) -> None:
        if len(self.open) == 1:
            self.remark(number, "unmatched '}'")
            return
        done = self.open.pop()
        section = Section(done.name, tuple(done.entries), tuple(done.sections), done.line, self.path)
        self.open[-1].sections.append(section)

    def end(self, number: int) -> Conf:
        if len(self.open) > 1:
            self.remark(
                number, f"missing '}}' at the end: the {self.open[1].name} section of line {self.open[1].line} is open"
            )
        while len(self.open) > 1:
            self.close(number)
        whole = self.open[0]
        return Conf(tuple(whole.sections), tuple(whole.entries), tuple(self.remarks))


def merge(confs: Iterable[Conf]) -> Conf:
    """The main file and its drop-ins, in the order multipath reads them; every entry keeps the file it came from."""
    every = tuple(confs)
    return Conf(
        tuple(s for c in every for s in c.sections),
        tuple(e for c in every for e in c.entries),
        tuple(r for c in every for r in c.remarks),
    )


def _named(sections: Sequence[Section], name: str) -> Iterator[Section]:
    return (s for s in sections if s.name == name)


def keywords(conf: Conf, section: str) -> dict[str, Entry]:
    """The keywords of a top section over all files, later ones first in force: defaults, overrides."""
    return {e.key: e for s in _named(conf.sections, section) for e in s.entries}


def value(conf: Conf, section: str, key: str) -> str | None:
    found = keywords(conf, section).get(key)
    return found.value if found else None


def _inner(conf: Conf, outer: str, name: str) -> Iterator[Section]:
    return (i for s in _named(conf.sections, outer) for i in _named(s.sections, name))


def devices(conf: Conf) -> tuple[Device, ...]:
    """The `device{}` sections, weakest first: a later one is layered over all earlier ones that match the same LUN.

    Sections with the very same vendor, product and revision are one, at the place of the last (libmultipath/config.c,
    factorize_hwtable). Sections without vendor or product are dropped, as multipath does.
    """
    merged: dict[tuple[str, str, str], dict[str, Entry]] = {}
    for section in _inner(conf, "devices", "device"):
        found = section.values
        if "vendor" in found and "product" in found:
            revision = found["revision"].value if "revision" in found else ""
            name = (found["vendor"].value, found["product"].value, revision)
            one = merged.pop(name, {})  # and in again, at the end
            one.update(found)
            merged[name] = one
    return tuple(Device(*name, values) for name, values in merged.items())


def multipaths(conf: Conf) -> dict[str, dict[str, Entry]]:
    """The `multipath{}` sections by WWID, merged, later keywords in force. Those without a wwid are dropped."""
    return _by(conf, ("multipaths", "multipath", "wwid"))


def protocols(conf: Conf) -> dict[str, dict[str, Entry]]:
    """The `overrides { protocol{} }` sections by type."""
    return _by(conf, ("overrides", "protocol", "type"))


def _by(conf: Conf, names: tuple[str, str, str]) -> dict[str, dict[str, Entry]]:
    outer, name, key = names
    merged: dict[str, dict[str, Entry]] = {}
    for section in _inner(conf, outer, name):
        found = section.values
        if key in found:
            merged.setdefault(found[key].value, {}).update(found)
    return merged


def blacklist(conf: Conf, section: str = "blacklist") -> tuple[Entry, ...]:
    """The devnode, wwid, property and protocol lines, in order; `section` may be "blacklist_exceptions"."""
    return tuple(e for s in _named(conf.sections, section) for e in s.entries)


def blacklisted_devices(conf: Conf, section: str = "blacklist") -> tuple[Section, ...]:
    return tuple(_inner(conf, section, "device"))


def render(sections: Iterable[Section], header: str = "") -> str:
    """A text that `parse` reads back as these sections; `header` becomes comment lines.

    Raises ValueError for what no file can say.
    """
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    if any(_too_long(line) for line in lines):
        raise ValueError(f"the header has a line longer than the {multipathlines.LONGEST} bytes that multipath reads")
    for section in sections:
        lines += _render(section, "", "")
    return "".join(f"{line}\n" for line in lines)


def _render(section: Section, parent: str, indent: str) -> Iterator[str]:
    if section.name not in SECTIONS.get(parent, ()):
        raise ValueError(f"no section {section.name!r} in {parent or 'the file'}")
    yield f"{indent}{section.name} {{"
    for entry in section.entries:
        yield _entry(entry, section.name, indent + "\t")
    for inner in section.sections:
        yield from _render(inner, section.name, indent + "\t")
    yield f"{indent}}}"


def _entry(entry: Entry, section: str, indent: str) -> str:
    if not _KEY.fullmatch(entry.key) or (entry.key in _NAMES and (section, entry.key) not in _PROTOCOL_LINES):
        raise ValueError(f"{entry.key!r} is no keyword of a section")
    if any(c in entry.value for c in "\n\r\0"):
        raise ValueError(f"the value of {entry.key} has more than one line: {entry.value!r}")
    bare = _BARE.fullmatch(entry.value)
    written = entry.value if bare else '"' + entry.value.replace('"', '""') + '"'
    line = f"{indent}{entry.key} {written}"
    if _too_long(line):
        raise ValueError(
            f"the value of {entry.key} is longer than the {multipathlines.LONGEST} bytes of a line that multipath reads"
        )
    return line


def _too_long(line: str) -> bool:
    return len(line.encode("utf-8", "surrogatepass")) >= multipathlines.LONGEST
