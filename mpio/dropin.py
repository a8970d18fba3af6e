"""The whole drop-in that a site asks for: /etc/multipath/conf.d/90-mpio.conf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mpio import presets
from mpio.tools import multipathwords
from mpio.tools.multipathconf import Entry, Section

Value = str | int | bool
ISCSI = "scsi:iscsi"  # multipath's name of the protocol

# a written keyword -> the detection that beats it for an ALUA device (libmultipath/propsel.c)
_DETECTED: Mapping[str, str] = MappingProxyType(
    {
        "path_grouping_policy": "detect_pgpolicy",
        "prio": "detect_prio",
        "prio_args": "detect_prio",
        "path_checker": "detect_checker",
        "checker": "detect_checker",
    }
)
_TIMED = ("fast_io_fail_tmo", "dev_loss_tmo")
_MATCHED = ("vendor", "product", "revision")


@dataclass(frozen=True, slots=True)
class Lun:
    """A `multipath{}` section: `keywords` are any but wwid and alias."""

    wwid: str
    alias: str | None = None
    keywords: Mapping[str, Value] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a site wants of multipath. `replacement` in seconds; None elsewhere: keep what the host has.

    `known` are the installed multipath's keywords as `multipath.known` gives them ("device.detect_pgpolicy").
    """

    preset: str
    replacement: int
    known: frozenset[str]
    keywords: Mapping[str, Value] = field(default_factory=dict, hash=False)
    find_multipaths: str | None = None
    polling_interval: int | None = None
    luns: tuple[Lun, ...] = ()


def text(value: Value) -> str:
    """A TOML value as multipath writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def place(wish: Wish) -> str:
    """Where the keywords of this wish go: "device" or, where nothing says for which array, "overrides"."""
    preset = presets.PRESETS[wish.preset]
    return "device" if preset.vendor or wish.keywords.keys() & set(_MATCHED) else "overrides"


def mistakes(wish: Wish) -> tuple[str, ...]:
    """What cannot be written, a line each, beginning with the key path in the site file, whose LUNs these are."""
    where = place(wish)
    allowed = multipathwords.DEVICE_KEYWORDS if where == "device" else multipathwords.OVERRIDES_KEYWORDS
    found: list[str] = []
    for key in wish.keywords:
        if key in _TIMED:
            found.append(f"multipath.{key}: timeouts.replacement says it")
        elif key not in multipathwords.DEVICE_KEYWORDS:
            found.append(f"multipath.{key}: no keyword of a device section")
        elif key not in allowed:
            found.append(f"multipath.{key}: needs a device section; the preset {wish.preset} has none without a vendor")
        elif f"{where}.{key}" not in wish.known:
            found.append(f"multipath.{key}: the installed multipath does not know it")
    for number, lun in enumerate(wish.luns):
        for key in lun.keywords:
            if key not in multipathwords.MULTIPATH_KEYWORDS or key in {"wwid", "alias"}:
                found.append(f"lun[{number}].{key}: no keyword of a multipath section")
            elif f"multipath.{key}" not in wish.known:
                found.append(f"lun[{number}].{key}: the installed multipath does not know it")
    return tuple(found)


def sections(wish: Wish) -> tuple[Section, ...]:
    """All of /etc/multipath/conf.d/90-mpio.conf. What `mistakes` names is written all the same: ask it first."""
    defaults: dict[str, Value | None] = {
        "find_multipaths": wish.find_multipaths,
        "polling_interval": wish.polling_interval,
    }
    written = _entries({k: v for k, v in defaults.items() if v is not None})
    found = [Section("defaults", written)] if written else []
    if place(wish) == "device":
        device = _matching(wish) | _keywords(wish) | _times(wish, "device")
        found.append(Section("devices", (), (Section("device", _entries(device)),)))
    else:
        found += _overrides(wish)
    if wish.luns:
        found.append(Section("multipaths", (), tuple(_multipath(lun) for lun in wish.luns)))
    return tuple(found)


def _matching(wish: Wish) -> dict[str, Value]:
    """vendor and product of the device entry: the site's, the preset's, or any."""
    preset = presets.PRESETS[wish.preset]
    said: dict[str, Value] = {"vendor": preset.vendor or ".*", "product": preset.product or ".*"}
    return said | {k: v for k, v in wish.keywords.items() if k in _MATCHED}


def _keywords(wish: Wish) -> dict[str, Value]:
    """The preset's keywords that are known here, the site's over them, and what keeps both in force."""
    where = place(wish)
    merged: dict[str, Value] = {
        k: v for k, v in presets.PRESETS[wish.preset].keywords.items() if f"{where}.{k}" in wish.known
    }
    if "checker" in wish.keywords:  # the old name of path_checker: two of them, and the later line would win
        merged.pop("path_checker", None)
    merged |= {k: v for k, v in wish.keywords.items() if k not in _MATCHED}
    for detection in _switched_off(wish):
        if detection not in wish.keywords and f"{where}.{detection}" in wish.known:
            merged[detection] = "no"
    return merged


def _switched_off(wish: Wish) -> Iterator[str]:
    """The detections that would beat what the site names. A multipath section has no keyword for them, so a LUN's
    policy or prio switches them off for its whole array."""
    named = [*wish.keywords, *(key for lun in wish.luns for key in lun.keywords)]
    return iter(dict.fromkeys(_DETECTED[key] for key in named if key in _DETECTED))


def _times(wish: Wish, section: str) -> dict[str, Value]:
    """dev_loss_tmo keeps 0.11.1 from dropping fast_io_fail_tmo; multipath ignores it on iSCSI."""
    times: dict[str, Value] = {"fast_io_fail_tmo": wish.replacement, "dev_loss_tmo": "infinity"}
    return {k: v for k, v in times.items() if k == "fast_io_fail_tmo" or f"{section}.{k}" in wish.known}


def _overrides(wish: Wish) -> Iterator[Section]:
    keywords = _keywords(wish)
    inner: tuple[Section, ...] = ()
    if "overrides.protocol" in wish.known:
        inner = (Section("protocol", _entries({"type": ISCSI, **_times(wish, "protocol")})),)
    else:
        # before 0.9.0: for every transport, so dev_loss_tmo of Fibre Channel is left alone; not needed before 0.9.6
        keywords["fast_io_fail_tmo"] = wish.replacement
    yield Section("overrides", _entries(keywords), inner)


def _multipath(lun: Lun) -> Section:
    alias = {"alias": lun.alias} if lun.alias else {}
    return Section("multipath", _entries({"wwid": lun.wwid, **alias, **lun.keywords}))


def _entries(values: Mapping[str, Value]) -> tuple[Entry, ...]:
    return tuple(Entry(key, text(value)) for key, value in values.items())
