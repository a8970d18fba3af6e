"""Lines of multipath.conf that are not read as they were meant: keywords, values, braces, lines said twice."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mpio.findings import Finding, finding
from mpio.plan.shape import MULTIPATH_DROP_IN
from mpio.tools import multipathvalues, multipathwords, posix
from mpio.tools.multipathbuilt import Dialect
from mpio.tools.multipathconf import Conf, Entry, Section
from mpio.tools.multipathmend import Gap

PROTOCOL = ("overrides", "protocol")
# What distinguishes one section of a kind from the next.
_NAMED = {"multipath": ("wwid",), "device": ("vendor", "product", "revision"), "protocol": ("type",)}
_NEEDED = {
    ("multipaths", "multipath"): (("wwid",), "wwid"),
    ("devices", "device"): (("vendor", "product"), "vendor and product"),
    PROTOCOL: (("type",), "type"),
}
_PATTERNS = frozenset({"vendor", "product", "revision", "product_blacklist", "devnode", "property", "protocol"})
_KEY = re.compile(r"file|(0x)?[0-9a-fA-F]{1,16}(:aptpl)?")  # libmpathpersist's; another one ends multipath
_SAME = {"checker": "path_checker"}


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and where it stands: `section` is (the one around it, its own name), `scope` the WWID or array."""

    section: tuple[str, str]
    scope: str
    entry: Entry

    @property
    def where(self) -> str:
        return place(self.entry.path, self.entry.line, self.entry.key)


def place(path: str, line: int, what: str) -> str:
    return f"{path} line {line}: {what}"


def of_sections(sections: Iterable[Section], outer: str = "") -> Iterator[tuple[str, Section]]:
    for section in sections:
        yield outer, section
        yield from of_sections(section.sections, section.name)


def entries(conf: Conf) -> Iterator[Placed]:
    for outer, section in of_sections(conf.sections):
        said = section.values
        scope = ":".join(said[k].value if k in said else "" for k in _NAMED.get(section.name, ()))
        yield from (Placed((outer, section.name), scope, entry) for entry in section.entries)


def findings(conf: Conf, dialect: Dialect, clean: frozenset[str]) -> Iterator[Finding]:
    """Of files whose braces are mended. `clean` are files that the installed multipath has read without a word."""
    no_protocol = dialect.known is not None and "overrides.protocol" not in dialect.known
    for placed in entries(conf):
        if not (no_protocol and placed.section == PROTOCOL):
            yield from _keyword(placed, dialect, clean)
    for entry in conf.entries:
        yield finding("MP505", place(entry.path, entry.line, entry.key), "it stands outside every section")
    yield from _sections(conf)
    for outer, section in of_sections(conf.sections):
        if no_protocol and (outer, section.name) == PROTOCOL:
            where = place(section.path, section.line, "protocol")
            yield finding("MP504", where, "the installed multipath does not know it yet")
    yield from _spoken(conf)


def _keyword(placed: Placed, dialect: Dialect, clean: frozenset[str]) -> Iterator[Finding]:
    entry, key = placed.entry, placed.entry.key
    if dialect.knows(placed.section, key):
        yield from _value(placed, dialect)
    elif key in multipathwords.OBSOLETE:
        fate, today = multipathwords.OBSOLETE[key]
        yield finding("MP503", placed.where, f"{fate}; today: {today}")
    elif entry.path in clean:  # a keyword of a later release than we know
        return
    elif key in multipathwords.EVERY_KEYWORD:
        if key in multipathwords.KEYWORDS.get(placed.section, ()):
            yield finding("MP504", placed.where, "the installed multipath does not know it yet")
        else:
            yield finding(
                "MP505", placed.where, f"{placed.section[1]}{{}} has none such; it belongs into {_homes(key)}"
            )
    else:
        near = nearest(key, multipathwords.KEYWORDS.get(placed.section) or multipathwords.EVERY_KEYWORD)
        yield finding("MP504", placed.where, f"meant may be {near}" if near else "nothing that is known resembles it")


def _homes(key: str) -> str:
    homes = [where for where, keys in multipathwords.KEYWORDS.items() if key in keys]
    lists = [where for where in homes if "blacklist" not in "".join(where)]
    return " or ".join(f"{outer}{{ {name}{{}} }}" if outer else f"{name}{{}}" for outer, name in lists or homes)


def nearest(word: str, words: Iterable[str]) -> str:
    """The one that a misspelt word most resembles, "" where none does."""
    found = difflib.get_close_matches(word, sorted(words), n=1, cutoff=0.7)
    return found[0] if found else ""


def _value(placed: Placed, dialect: Dialect) -> Iterator[Finding]:
    entry = placed.entry
    wrong = multipathvalues.complaint(entry.key, entry.value)
    if entry.key == "flush_on_last_del" and not wrong:
        old = dialect.defaults.get("flush_on_last_del") in ("yes", "no")  # since 0.9.9 it has three words
        if old and entry.value in ("always", "unused", "never"):
            wrong = "it is yes or no in the installed multipath"
    if entry.key == "path_grouping_policy" and entry.value == "group_by_tpg" and dialect.known is not None:
        wrong = wrong or (
            "" if "device.detect_pgpolicy" in dialect.known else "the installed multipath does not know it"
        )
    if bad := fatal(placed):
        yield finding("MP525", placed.where, f'"{entry.value}" {bad}')
    elif wrong:
        yield finding("MP506", placed.where, f'"{entry.value}": {wrong}')
    elif entry.key in _PATTERNS and (bad := posix.broken(entry.value)) and not _listed(placed):
        yield finding("MP506", placed.where, f'"{entry.value}" {bad}: it matches no array')


def _listed(placed: Placed) -> bool:
    return "blacklist" in "".join(placed.section)


def fatal(placed: Placed) -> str:
    """What of a line ends multipath: tried on 0.9.4, where a slash is a crash."""
    key, value = placed.entry.key, placed.entry.value
    if _listed(placed) and (key in _PATTERNS or key == "wwid"):
        return posix.broken(value.removeprefix("!"))
    if key == "reservation_key" and not _KEY.fullmatch(value):
        return "is no key"
    if key == "partition_delimiter" and "/" in value:
        return "holds a slash, over which multipath crashes"
    return ""


def _sections(conf: Conf) -> Iterator[Finding]:
    aliases: dict[str, Placed] = {}
    for outer, section in of_sections(conf.sections):
        needed, words = _NEEDED.get((outer, section.name), ((), ""))
        said = section.values
        if any(key not in said for key in needed):
            yield finding("MP524", place(section.path, section.line, section.name), f"it names no {words}")
        if (outer, section.name) != ("multipaths", "multipath") or "alias" not in said or "wwid" not in said:
            continue
        placed = Placed((outer, section.name), said["wwid"].value, said["alias"])
        other = aliases.setdefault(said["alias"].value, placed)
        if other.scope != placed.scope:  # of mpio's drop-in and another file it is the other one's line
            one, two = (other, placed) if placed.entry.path == MULTIPATH_DROP_IN else (placed, other)
            detail = f"{one.entry.value} is also {two.scope} on line {two.entry.line} of {two.entry.path}"
            yield finding("MP523", one.where, detail)


# remarks of the grammar that no other finding says
_SPOKEN = (
    "ignoring extra data",
    "missing closing quotes",
    "missing value",
    "missing '{'",
    "expecting '{'",
    "unmatched",
)


def _spoken(conf: Conf) -> Iterator[Finding]:
    for remark in conf.remarks:
        if remark.text.startswith(_SPOKEN):
            yield finding("MP508", place(remark.path, remark.line, remark.text))


def gaps(path: str, missing: Iterable[Gap]) -> Iterator[Finding]:
    """Braces that are missing, those at one place as one: the first of a file swallows all that follows."""
    groups: dict[tuple[int, str], list[Gap]] = {}
    for gap in missing:
        groups.setdefault((gap.before, gap.following), []).append(gap)
    for (before, following), group in groups.items():
        names = " and ".join(f"{g.section} (line {g.opened})" for g in reversed(group))
        if following:
            detail = (
                f"not closed before line {before}: {names}; {following}{{}} of that line is read as a keyword of it"
            )
            yield finding("MP507", place(path, group[-1].opened, group[-1].section), detail)
        else:
            yield finding("MP508", place(path, group[-1].opened, f"no }} to the end: {names}"))


def repeated(conf: Conf, ours: str) -> Iterator[Finding]:
    """Lines that a later one says otherwise. `ours` is the drop-in that mpio writes."""
    for old, new in overridden(conf):
        yield from _overridden(old, new, ours)


def overridden(conf: Conf) -> Iterator[tuple[Entry, Entry]]:
    """Each line with the next one that says otherwise of the same thing."""
    before: dict[tuple[tuple[str, str], str, str], Placed] = {}
    for placed in entries(conf):
        key = _SAME.get(placed.entry.key, placed.entry.key)
        if placed.section[0].startswith("blacklist") or placed.section[1].startswith("blacklist"):
            continue
        if key in _NAMED.get(placed.section[1], ()):
            continue
        name = (placed.section, placed.scope, key)
        old = before.get(name)
        before[name] = placed
        if old is not None and old.entry.value != placed.entry.value:
            yield old.entry, placed.entry


def _overridden(old: Entry, new: Entry, ours: str) -> Iterator[Finding]:
    if new.path == ours:  # meant so: the site says it
        return
    detail = f'"{old.value}" is not used: line {new.line} of {new.path} says "{new.value}"'
    code = "MP509" if old.path == new.path else "MP526" if old.path == ours else "MP519"
    where = new if code == "MP526" else old
    yield finding(code, place(where.path, where.line, where.key), detail)


_DIGITS = re.compile(r"\d+")


def line_of(found: Finding) -> tuple[str, int]:
    """The file and line that a finding's subject names; ("", 0) where it names none."""
    path, between, rest = found.subject.partition(" line ")
    number = _DIGITS.match(rest) if between else None
    return (path, int(number[0])) if number else ("", 0)
