"""An old multipath.conf as the least drop-in that says the same to the installed multipath.

What is the built-in value is not said again, what has another name today gets it, and every line that is left out is
named at the end with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mpio.diagnosis import conf_black, migrate_words
from mpio.diagnosis.conf_force import Array, Layers
from mpio.tools import multipathconf, multipathmend, multipathvalues
from mpio.tools.multipathbuilt import Dialect
from mpio.tools.multipathconf import Conf, Device, Entry, Section

# What is written, and the detection that would beat it on an array with ALUA (libmultipath/propsel.c).
_DETECTED: Mapping[str, str] = MappingProxyType(
    {"path_grouping_policy": "detect_pgpolicy", "path_checker": "detect_checker"}
)
_NAMES = frozenset({"vendor", "product", "revision"})
_OLD_BLACKLIST = re.compile(r"^(\s*)devnode_blacklist(?=\s|\{|$)", re.M)


@dataclass(slots=True)
class _Work:
    """The old file under its new words, and what was left out on the way."""

    dialect: Dialect
    old: Conf
    left_out: dict[tuple[int, str], str] = field(default_factory=dict)

    def leave(self, entry: Entry, why: str) -> None:
        self.left_out[entry.line, f'{entry.key} "{entry.value}"'] = why

    def today(self, entries: Mapping[str, Entry], section: tuple[str, str]) -> dict[str, Entry]:
        """The lines of a section in the words of the installed multipath."""
        found: dict[str, Entry] = {}
        for entry in entries.values():
            new, why = migrate_words.today(entry, section, self.dialect)
            if new is None:
                self.leave(entry, why)
            elif new.key in found and new.key != entry.key:
                self.leave(entry, f"line {found[new.key].line} says {new.key}")
            else:
                found[new.key] = new
        return found


def drop_in(text: str, path: str, dialect: Dialect) -> str:
    """The drop-in's text; comments alone where nothing is to be said."""
    old, gaps = multipathmend.parse_mended(_OLD_BLACKLIST.sub(r"\1blacklist", text), path)
    work = _Work(dialect, multipathconf.merge((old,)))
    sections = [s for s in (*_defaults_and_devices(work), *_rest(work)) if s.entries or s.sections]
    whose = "the installed multipath" if dialect.known is not None else "a multipath of 0.9.6 or later"
    header = [f"What {path} says, for {whose}: a drop-in in place of that file"]
    if gaps:
        header.append(f"closing braces that were missing there: {len(gaps)}; read as it was meant")
    written = multipathconf.render(sections, "\n".join(_short(line) for line in header))
    return written + "".join(f"# {_short(line)}".rstrip() + "\n" for line in _footer(work))


def _short(text: str) -> str:
    """A comment that is one line to multipath, whatever stood in the old file."""
    return re.sub(r"[^ -~]", "?", text)[:900]


def _footer(work: _Work) -> Iterator[str]:
    if work.left_out:
        yield ""
        yield "Left out:"
    groups: dict[tuple[str, str], list[str]] = {}
    for (line, what), why in sorted(work.left_out.items()):
        groups.setdefault((what, why), []).append(str(line))
    for (what, why), lines in groups.items():
        yield f"line{'s' if len(lines) > 1 else ''} {', '.join(lines)}, {what}: {why}"
    luns = multipathconf.multipaths(work.old)
    if luns and _find_multipaths(work) == "strict":
        yield ""
        yield "find_multipaths is strict here: a LUN gets a map once its WWID is registered:"
        yield from (f"multipath -a {wwid}" for wwid in luns)


def _find_multipaths(work: _Work) -> str:
    said = multipathconf.value(work.old, "defaults", "find_multipaths")
    return said or work.dialect.defaults.get("find_multipaths", "")


def _defaults_and_devices(work: _Work) -> Iterator[Section]:
    """What defaults say is said for the arrays of the file, too, where a built-in entry would beat it."""
    written = work.today(multipathconf.keywords(work.old, "defaults"), ("", "defaults"))
    devices = [
        (device, work.today({k: e for k, e in device.values.items() if k not in _NAMES}, ("devices", "device")))
        for device in multipathconf.devices(work.old)
        if all(migrate_words.writable(device.values[k]) for k in _NAMES & device.values.keys())
    ]
    _queue_feature(work, written, [lines for _, lines in devices])
    kept: dict[str, Entry] = {}
    for key, entry in written.items():
        if same(key, entry.value, work.dialect.defaults.get(key)):
            work.leave(entry, migrate_words.DEFAULT.get(key, "is the default"))
        else:
            kept[key] = entry
    yield Section("defaults", (*kept.values(), *_undetected(work, kept, "defaults")))
    yield Section("devices", (), tuple(s for d, lines in devices if (s := _device(work, d, lines, written)).entries))


def _queue_feature(work: _Work, written: dict[str, Entry], devices: list[dict[str, Entry]]) -> None:
    """queue_if_no_path is no_path_retry queue, where no no_path_retry is written; since 0.7.2 that one counts alone."""
    general = written.get("no_path_retry")
    for lines in (written, *devices):
        entry = lines.get("features")
        if entry is None or "queue_if_no_path" not in entry.value.split():
            continue
        beside = lines.get("no_path_retry") or general
        rest = [w for w in entry.value.split()[1:] if w != "queue_if_no_path"]
        if beside is None:
            lines["no_path_retry"] = Entry("no_path_retry", "queue", entry.line, entry.path)
            why = "no_path_retry queue says it"
        else:
            why = f"no_path_retry {beside.value} of line {beside.line} counts alone since 0.7.2"
        if rest:
            lines["features"] = Entry("features", " ".join((str(len(rest)), *rest)), entry.line, entry.path)
        else:
            lines.pop("features")
        work.leave(entry, why)


def _device(work: _Work, device: Device, lines: Mapping[str, Entry], defaults: Mapping[str, Entry]) -> Section:
    array = (device.vendor, device.product)
    built = work.dialect.of_array(*array)
    kept: dict[str, Entry] = {}
    for key, entry in {**{k: e for k, e in defaults.items() if k in built and k not in lines}, **lines}.items():
        general = defaults[key].value if key in defaults else work.dialect.defaults.get(key)
        base = built.get(key, general)
        if not same(key, entry.value, base):
            kept[key] = entry
        elif key in lines:
            work.leave(entry, f"is what {'the built-in entry' if key in built else 'defaults'} says")
    if not kept:
        return Section("device")
    names = tuple(device.values[k] for k in ("vendor", "product", "revision") if k in device.values)
    return Section("device", (*names, *kept.values(), *_undetected(work, kept, "device")))


def _undetected(work: _Work, kept: Mapping[str, Entry], section: str) -> Iterator[Entry]:
    for key, detection in _DETECTED.items():
        outer = "" if section == "defaults" else "devices"
        if key in kept and detection not in kept and work.dialect.knows((outer, section), detection):
            yield Entry(detection, "no")


def same(key: str, one: str, other: str | None) -> bool:
    """Do two values mean the same to the parser?"""
    if other is None:
        return key == "features" and one.split() == ["0"]
    words = {"1": "yes", "0": "no"} if key in multipathvalues.YES_OR_NO else {}
    words |= {"0": "fail"} if key == "no_path_retry" else {}
    return words.get(one, one) == words.get(other, other)


def _rest(work: _Work) -> Iterator[Section]:
    yield Section("overrides", *_overrides(work))
    for name in ("blacklist", "blacklist_exceptions"):
        lines = tuple(e for e in multipathconf.blacklist(work.old, name) if _listed(work, name, e))
        yield Section(name, lines, tuple(_listed_devices(work, name)))
    yield Section("multipaths", (), tuple(_multipath(work, lines) for lines in _multipaths(work)))


def _overrides(work: _Work) -> tuple[tuple[Entry, ...], tuple[Section, ...]]:
    lines = work.today(multipathconf.keywords(work.old, "overrides"), ("", "overrides"))
    protocols = (work.today(p, ("overrides", "protocol")) for p in multipathconf.protocols(work.old).values())
    return tuple(lines.values()), tuple(Section("protocol", tuple(p.values())) for p in protocols if "type" in p)


def _listed(work: _Work, section: str, entry: Entry) -> bool:
    """Is a line of a blacklist to be said still?"""
    new, why = migrate_words.today(entry, ("", section), work.dialect)
    if new is None:
        work.leave(entry, why)
        return False
    if section != "blacklist" or entry.key != "devnode" or entry.value.startswith("!"):
        return True
    met = conf_black.names_met(entry.value)
    if met and _find_multipaths(work) in ("off", "no", "0", "greedy"):
        return True
    if met:
        why = "may be a path of the SAN at the next boot; a local disk gets no map, or name it by its WWID"
    else:
        why = "names no disk that is left: the built-in blacklist has all but sd, dasd and nvme"
    work.leave(entry, why)
    return False


def _listed_devices(work: _Work, section: str) -> Iterator[Section]:
    for device in multipathconf.blacklisted_devices(work.old, section):
        if lines := work.today(device.values, (section, "device")):
            yield Section("device", tuple(lines.values()))


def _multipaths(work: _Work) -> Iterator[dict[str, Entry]]:
    return (lines for lines in multipathconf.multipaths(work.old).values() if migrate_words.writable(lines["wwid"]))


def _multipath(work: _Work, old: dict[str, Entry]) -> Section:
    """What a LUN has of its array anyway is left out where its own lines say which array: they did in 2011."""
    array: Array | None = None
    if "vendor" in old and "product" in old:
        array = (old["vendor"].value, old["product"].value)
    lines = work.today(old, ("multipaths", "multipath"))
    names = {k: lines.pop(k) for k in ("wwid", "alias") if k in lines}
    layers = Layers(work.old, work.dialect)
    kept = []
    for key, entry in lines.items():
        value = migrate_words.meant(layers, array, key) if array else None
        if value is not None and same(key, entry.value, value):
            work.leave(entry, "its array has it")
        else:
            kept.append(entry)
    return Section("multipath", (*names.values(), *kept))
