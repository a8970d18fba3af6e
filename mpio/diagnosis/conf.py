"""multipath.conf, its drop-ins and iscsid.conf: what is wrong with their lines, by kind, with file and line.

What the installed multipath says of a line itself is MP501; what is told here is not said twice (`without_echoes`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mpio.checks.ground import uses_iscsi
from mpio.diagnosis import conf_black, conf_force, conf_iscsid, conf_lines
from mpio.diagnosis.conf_black import Disk
from mpio.findings import Finding, finding
from mpio.host import Host
from mpio.plan import Plan
from mpio.plan.shape import ISCSID_CONF, MULTIPATH_DROP_IN
from mpio.site import Site
from mpio.tools import multipathconf, multipathmend
from mpio.tools.multipathbuilt import Dialect
from mpio.tools.multipathconf import Conf
from mpio.tools.multipathmend import Gap


class Kind(StrEnum):
    MULTIPATH = "multipath.conf"
    ISCSID = "iscsid.conf"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Seen:
    """`texts` are multipath.conf and its drop-ins in the order in which they are read, `warned` multipath's own words
    about them, None where it was not asked; `fatal` the line that it does not start with. `readable` are files with a
    secret that others than root may read, `unread` files of conf.d that multipath does not read; `installed`: there is
    a multipath.
    """

    texts: Mapping[str, str] = field(default_factory=dict, hash=False)
    iscsid: str | None = None
    dialect: Dialect = field(default_factory=Dialect)
    warned: tuple[str, ...] | None = None
    fatal: str = ""
    readable: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    installed: bool = False
    blind: tuple[str, ...] = ()


_SETTING = re.compile(r"^[ \t]*(?:#[ \t]*)?(?:node|discovery|iscsid|iface)\.[\w.\[\]]+[ \t]*=", re.M)


def kind_of(text: str) -> Kind:
    """Which of the files a text is, by what stands in it."""
    sections = sum(1 for _ in multipathmend.openings(text))
    settings = len(_SETTING.findall(text))
    if sections == settings == 0:
        return Kind.NEITHER
    return Kind.MULTIPATH if sections >= settings else Kind.ISCSID


def of_file(path: str, text: str, dialect: Dialect | None = None) -> tuple[Finding, ...]:
    """A file without its host, as the installed multipath (or, without one, any since 0.9.4) would take it."""
    kind = kind_of(text)
    if kind is Kind.ISCSID:
        return tuple(conf_iscsid.findings(path, text, alone=True))
    if kind is Kind.NEITHER:
        return ()
    read = _read({path: text})
    arrays = _named(read.conf)
    return (
        *_multipath(read, dialect or Dialect(), arrays),
        *conf_black.findings(read.conf, _disks_named(read.conf)),
        *_registered(read.conf, dialect),
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """Files as they were meant: `conf` all of them merged, `gaps` the braces that each lacks."""

    conf: Conf
    gaps: Mapping[str, tuple[Gap, ...]]


def _read(texts: Mapping[str, str]) -> _Read:
    parsed = {path: multipathmend.parse_mended(text, path) for path, text in texts.items()}
    return _Read(multipathconf.merge(conf for conf, _ in parsed.values()), {p: gaps for p, (_, gaps) in parsed.items()})


def _multipath(
    read: _Read,
    dialect: Dialect,
    arrays: tuple[conf_force.Array, ...],
    clean: frozenset[str] = frozenset(),
) -> Iterator[Finding]:
    for path, gaps in read.gaps.items():
        yield from conf_lines.gaps(path, gaps)
    yield from conf_lines.findings(read.conf, dialect, clean)
    yield from conf_lines.repeated(read.conf, MULTIPATH_DROP_IN)
    yield from conf_force.findings(read.conf, dialect, arrays)


def _named(conf: Conf) -> tuple[conf_force.Array, ...]:
    """The arrays that a file is about: those of its device sections."""
    return tuple(dict.fromkeys((d.vendor, d.product) for d in multipathconf.devices(conf)))


def _disks_named(conf: Conf) -> Iterator[Disk]:
    yield from (Disk(vendor=d.vendor, product=d.product) for d in multipathconf.devices(conf))
    yield from (Disk(wwid=wwid) for wwid in multipathconf.multipaths(conf))


def _registered(conf: Conf, dialect: Dialect | None) -> Iterator[Finding]:
    """A multipath{} does not register its WWID (libmultipath/wwids.c should_multipath())."""
    said = multipathconf.value(conf, "defaults", "find_multipaths")
    built = (dialect or Dialect()).defaults.get("find_multipaths")
    luns = [values["wwid"] for values in multipathconf.multipaths(conf).values()]
    if luns and said is None and built == "strict":
        where = conf_lines.place(luns[0].path, luns[0].line, "multipath")
        yield finding("MP514", where, f"strict by itself: register these {len(luns)} WWIDs with multipath -a")


def findings(site: Site | None, host: Host, plan: Plan | None, seen: Seen) -> Iterator[Finding]:  # noqa: ARG001
    wanted = site is not None or uses_iscsi(host)
    if seen.fatal:
        yield finding("MP525", seen.fatal)
    read = _read(seen.texts)
    arrays = tuple(dict.fromkeys((p.vendor, p.product) for p in host.paths if p.vendor)) or _named(read.conf)
    for found in _all(host, read, seen, arrays, wanted):
        path, line = conf_lines.line_of(found)
        ours = path == MULTIPATH_DROP_IN and found.code != "MP523"  # the plan writes it anew
        if not ours and not seen.fatal.startswith(f"{path} line {line}:"):
            yield found
    if seen.iscsid is not None:
        yield from conf_iscsid.findings(ISCSID_CONF, seen.iscsid, _fast_io_fail(read.conf, arrays, seen))
    for path in seen.readable:
        yield finding("MP537", path)
    for path in seen.unread:
        yield finding("MP527", path)
    if host.effective is None and seen.warned:
        yield from without_echoes((finding("MP501", words) for words in seen.warned), seen)


def _all(host: Host, read: _Read, seen: Seen, arrays: tuple[conf_force.Array, ...], wanted: bool) -> Iterator[Finding]:
    mapped, loose = ([conf_black.of_path(p) for p in host.paths if bool(p.dm) is wanted] for wanted in (True, False))
    yield from _multipath(read, seen.dialect, arrays, _clean(seen))
    yield from conf_black.findings(read.conf, mapped, loose, sessions=wanted)


def _fast_io_fail(conf: Conf, arrays: tuple[conf_force.Array, ...], seen: Seen) -> str | None:
    """multipath's, where it is the same for every array."""
    if not seen.installed:
        return None
    layers = conf_force.Layers(conf, seen.dialect)
    said = {layers.value(array, "fast_io_fail_tmo")[0] for array in arrays or (("", ""),)}
    return said.pop() if len(said) == 1 else None


def _clean(seen: Seen) -> frozenset[str]:
    """The files of which the installed multipath says nothing; none where it was not asked."""
    if seen.warned is None:
        return frozenset()
    return frozenset(
        p for p in seen.texts if not any(words.startswith((f"{p} line", f"{p}:")) for words in seen.warned)
    )


# What multipath says of lines that an open section has swallowed.
_SWALLOWED = ("invalid keyword", "duplicate keyword", "missing '}'", "unmatched '}'", "ignoring deprecated")


# Codes, and what multipath says of the same without a line.
_WITHOUT_LINE = (
    ("MP511", "queue_if_no_path"),
    ("MP515", "queue_if_no_path"),
    ("MP524", "config section missing wwid"),
    ("MP524", "missing vendor or product"),
)


def without_echoes(found: Iterable[Finding], seen: Seen) -> Iterator[Finding]:
    """All but multipath's own complaints (MP501) about lines of which this area says what is wrong with them, and
    about what stands behind a brace that is missing.
    """
    read = _read(seen.texts)
    said = tuple(_multipath(read, seen.dialect, _named(read.conf), _clean(seen)))
    told = {conf_lines.line_of(f) for f in said} | {(e.path, e.line) for _, e in conf_lines.overridden(read.conf)}
    if not seen.dialect.knows(conf_lines.PROTOCOL, "type"):
        inner = (p.entry for p in conf_lines.entries(read.conf) if p.section == conf_lines.PROTOCOL)
        told |= {(entry.path, entry.line) for entry in inner}
    anywhere = [words for code, words in _WITHOUT_LINE if any(f.code == code for f in said)]
    anywhere += ["parsing failed", "error parsing config file"] if seen.fatal else []
    for one in found:
        path, line = conf_lines.line_of(one)
        path = path or one.subject.partition(": ")[0]
        if "invalid keyword '{'" in one.subject:  # the brace of the line before it
            line -= 1
        first = min((gap.before for gap in read.gaps.get(path, ())), default=None)
        swallowed = first is not None and (line >= first or not line) and _any(_SWALLOWED, one.subject)
        if one.code != "MP501" or not ((path, line) in told or swallowed or _any(anywhere, one.subject)):
            yield one


def _any(words: Iterable[str], text: str) -> bool:
    return any(word in text for word in words)
