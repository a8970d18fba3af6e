"""Old words of multipath.conf, each as a word of today or with the reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from mpio.diagnosis import conf_lines
from mpio.diagnosis.conf_force import Array, Layers
from mpio.diagnosis.conf_lines import Placed, nearest
from mpio.tools import multipathvalues, multipathwords
from mpio.tools.multipathbuilt import Dialect
from mpio.tools.multipathconf import Entry

_LONGEST = 900  # bytes of a value: 1023 of a line, quotes in it doubled, its keyword before it
_RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "selector": "path_selector",
        "default_selector": "path_selector",
        "default_features": "features",
        "default_hw_handler": "hardware_handler",
        "default_path_checker": "path_checker",
        "default_path_grouping_policy": "path_grouping_policy",
        "default_uid_attribute": "uid_attribute",
        "hwhandler": "hardware_handler",
        "checker": "path_checker",
    }
)
_CALLOUTS: Mapping[str, str] = MappingProxyType({"netapp": "ontap", "hds_modular": "hds", "hp_sw": "hp_sw"})
_WHY: Mapping[str, str] = MappingProxyType(
    {
        "rr_min_io": "for bio-based maps only; rr_min_io_rq counts (default 1)",
        "queue_without_daemon": "a stopped daemon would leave maps queueing for ever",
    }
)
# why a value that is the default need not be said, where there is more to it
DEFAULT: Mapping[str, str] = MappingProxyType(
    {"prio": "is the default; an array with ALUA tells better (detect_prio no would keep it)"}
)


def today(entry: Entry, section: tuple[str, str], dialect: Dialect) -> tuple[Entry | None, str]:
    """The line in today's words, or None and why it is left out."""
    if entry.key in _WHY and not (entry.key == "queue_without_daemon" and entry.value in ("no", "0")):
        return None, _WHY[entry.key]
    if not writable(entry):
        return None, "longer than a line that multipath reads"
    new = _translated(entry)
    if not dialect.knows(section, new.key):
        return None, _unknown(new.key, section)
    if new.key == "flush_on_last_del":
        new = _flush(new, dialect)
    wrong = multipathvalues.complaint(new.key, new.value) or conf_lines.fatal(Placed(section, "", new))
    if wrong:
        return None, wrong
    return new, ""


def writable(entry: Entry) -> bool:
    return (
        len(entry.value.encode("utf-8", "surrogatepass")) + entry.value.count('"') < _LONGEST
        and entry.value.isprintable()
    )


def _translated(entry: Entry) -> Entry:
    if entry.key in ("prio_callout", "default_prio_callout"):
        found = re.search(r"mpath_prio_(\w+)", entry.value)
        return replace(entry, key="prio", value=_CALLOUTS.get(found[1], found[1]) if found else "const")
    return replace(entry, key=_RENAMED.get(entry.key, entry.key))


def _unknown(key: str, section: tuple[str, str]) -> str:
    if key in multipathwords.OBSOLETE:
        fate, instead = multipathwords.OBSOLETE[key]
        return f"{fate}; today: {instead}"
    if key in multipathwords.KEYWORDS.get(section, ()):
        return "the installed multipath does not know it"
    if key in multipathwords.EVERY_KEYWORD:
        return f"never valid in {section[1]}"
    near = nearest(key, multipathwords.EVERY_KEYWORD)
    return f"no keyword; meant may be {near}" if near else "no keyword"


def _flush(entry: Entry, dialect: Dialect) -> Entry:
    """0.9.9 has three words for what was yes and no (libmultipath/dict.c set_flush_on_last_del)."""
    old = dialect.defaults.get("flush_on_last_del") in ("yes", "no")
    words = {"always": "yes", "unused": "no", "never": "no"} if old else {}
    if not old and dialect.known is not None:
        words = {"yes": "always", "1": "always", "no": "unused", "0": "unused"}
    return replace(entry, value=words.get(entry.value, entry.value))


def meant(layers: Layers, array: Array, key: str) -> str | None:
    """What an array of the old file has for a keyword: what was written, then what is built in."""
    old = [o for o, new in _RENAMED.items() if new == key]
    for asked in (key, *old):
        found = layers.overrides(asked) or layers.device(array, asked)
        if found is not None:
            return found.value
    for asked in (key, *old):
        if (found := layers.defaults(asked)) is not None:
            return found.value
    return layers.value(array, key)[0]
