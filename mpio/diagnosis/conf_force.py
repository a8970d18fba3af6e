"""Lines of multipath.conf that are read and never used, and those that do what nobody wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mpio.diagnosis.conf_lines import Placed, entries, overridden, place
from mpio.findings import Finding, finding
from mpio.plan.shape import MULTIPATH_DROP_IN
from mpio.tools import multipath, multipathconf, multipathvalues
from mpio.tools.multipathbuilt import Dialect
from mpio.tools.multipathconf import Conf, Entry
from mpio.tools.multipathwords import DEVICE_KEYWORDS

Array = tuple[str, str]  # vendor and product of an INQUIRY
_LUN = ("multipaths", "multipath")
_QUEUE = "queue_if_no_path"
_FAST, _LOSS = "fast_io_fail_tmo", "dev_loss_tmo"
_WITH_PADDING = "device.detect_pgpolicy"  # came with 0.9.6, as did dev_loss_tmo from no_path_retry


@dataclass(frozen=True)
class Layers:
    """Where the value of a keyword for an array comes from, the strongest first: lines of the files, then built in."""

    conf: Conf
    dialect: Dialect

    @cached_property
    def _strongest(self) -> Mapping[str, Entry]:
        protocol = multipathconf.protocols(self.conf).get("scsi:iscsi", {})
        return {**multipathconf.keywords(self.conf, "overrides"), **protocol}

    @cached_property
    def _weakest(self) -> Mapping[str, Entry]:
        return multipathconf.keywords(self.conf, "defaults")

    @cached_property
    def _devices(self) -> Sequence[multipathconf.Device]:
        return multipathconf.devices(self.conf)[::-1]

    def overrides(self, key: str) -> Entry | None:
        return self._strongest.get(key)

    def device(self, array: Array, key: str) -> Entry | None:
        """The user's own, the last one first."""
        vendor, product = array
        if not vendor or not product:  # multipath.matches() takes what is empty as it comes
            return None
        fits = (
            d.values
            for d in self._devices
            if (d.vendor, d.product) == array
            or (multipath.matches(d.vendor, vendor) and multipath.matches(d.product, product))
        )
        return next((values[key] for values in fits if key in values), None)

    def built_in(self, array: Array, key: str) -> str | None:
        return self.dialect.of_array(*array).get(key)

    def defaults(self, key: str) -> Entry | None:
        return self._weakest.get(key)

    def value(self, array: Array, key: str) -> tuple[str | None, str]:
        """What counts for an array where no multipath{} says otherwise, and who says it."""
        for found in (self.overrides(key), self.device(array, key)):
            if found is not None:
                return found.value, f"line {found.line} of {found.path}"
        if (built := self.built_in(array, key)) is not None:
            return built, f"the built-in entry of {array[0]}/{array[1]}"
        if (line := self.defaults(key)) is not None:
            return line.value, f"line {line.line} of {line.path}"
        return self.dialect.defaults.get(key), "the built-in default"


def findings(conf: Conf, dialect: Dialect, arrays: Sequence[Array]) -> Iterator[Finding]:
    layers = Layers(conf, dialect)
    dead = {(old.path, old.line) for old, _ in overridden(conf)}
    placed = tuple(p for p in entries(conf) if (p.entry.path, p.entry.line) not in dead)
    yield from _beaten_defaults(placed, layers, arrays)
    yield from _beaten_devices(placed, layers)
    yield from _queueing(placed, layers, arrays)
    yield from _timeouts(layers, arrays)
    yield from _settings(placed, dialect)


def _of(placed: Iterable[Placed], section: tuple[str, str]) -> Iterator[Placed]:
    """The line in force for each keyword and each section of its own."""
    last: dict[tuple[str, str], Placed] = {(p.scope, p.entry.key): p for p in placed if p.section == section}
    return iter(last.values())


def _beaten_defaults(placed: Sequence[Placed], layers: Layers, arrays: Sequence[Array]) -> Iterator[Finding]:
    for one in _of(placed, ("", "defaults")):
        key, value = one.entry.key, one.entry.value
        if key not in DEVICE_KEYWORDS or layers.overrides(key):
            continue
        beaten = {
            f'{"/".join(array)} has "{built}" built in'
            for array in arrays
            if (built := layers.built_in(array, key)) not in (None, value) and layers.device(array, key) is None
        }
        if beaten and key != "features":
            yield finding("MP510", one.where, f'"{value}" is not used: {", ".join(sorted(beaten))}')


def _beaten_devices(placed: Sequence[Placed], layers: Layers) -> Iterator[Finding]:
    for one in _of(placed, ("devices", "device")):
        over = layers.overrides(one.entry.key)
        if over is None or over.value == one.entry.value or over.path == MULTIPATH_DROP_IN:
            continue
        if one.entry.path == MULTIPATH_DROP_IN:
            detail = f'overrides beat its device section, which says "{one.entry.value}" on line {one.entry.line}'
            yield finding("MP526", place(over.path, over.line, over.key), detail)
        else:
            yield finding("MP520", one.where, f'line {over.line} of {over.path} says "{over.value}" for every array')
    yield from _beaten_by_luns(placed)


def _beaten_by_luns(placed: Sequence[Placed]) -> Iterator[Finding]:
    """A multipath{} of somebody else for a LUN of the site beats what the drop-in says of its array."""
    ours = [p for p in placed if p.entry.path == MULTIPATH_DROP_IN]
    luns = {p.scope for p in ours if p.section == _LUN}
    general = {p.entry.key: p.entry for p in ours if p.section in (("devices", "device"), ("", "overrides"))}
    for one in placed:
        entry = general.get(one.entry.key)
        if one.section != _LUN or one.scope not in luns or one.entry.path == MULTIPATH_DROP_IN or entry is None:
            continue
        if entry.value != one.entry.value:
            detail = f'a multipath section beats the "{entry.value}" on line {entry.line} of the drop-in'
            yield finding("MP526", one.where, detail)


def _queueing(placed: Sequence[Placed], layers: Layers, arrays: Sequence[Array]) -> Iterator[Finding]:
    for one in placed:
        key, value = one.entry.key, one.entry.value
        if key == "no_path_retry" and value == "queue" and (layers.overrides(key) or one.entry).value == value:
            yield finding("MP515", one.where, "no_path_retry queue")
        elif key == "queue_without_daemon" and value in ("yes", "1", "forced"):
            yield finding("MP516", one.where)
        elif key == "features" and _QUEUE in value.split():
            yield from _queue_feature(one, placed, layers, arrays)


def _queue_feature(one: Placed, placed: Sequence[Placed], layers: Layers, arrays: Sequence[Array]) -> Iterator[Finding]:
    """`features "1 queue_if_no_path"` counts only where no_path_retry is set nowhere (0.7.2, propsel.c)."""
    own = [p.entry for p in placed if (p.section, p.scope, p.entry.key) == (one.section, one.scope, "no_path_retry")]
    concerned = [tuple(one.scope.split(":")[:2])] if one.section == ("devices", "device") else list(arrays)
    said: dict[str, str] = {f"line {e.line} of {e.path}": e.value for e in own[-1:]}
    if not said:
        for vendor, product in concerned:
            value, who = layers.value((vendor, product), "no_path_retry")
            if value is not None:
                said[who] = value
    if not said and not concerned and (line := layers.overrides("no_path_retry") or layers.defaults("no_path_retry")):
        said[f"line {line.line} of {line.path}"] = line.value
    if not said:
        yield finding("MP515", one.where, "no no_path_retry anywhere beside it")
    elif set(said.values()) != {"queue"}:
        words = ", ".join(f"no_path_retry {value} of {who}" for who, value in said.items())
        yield finding("MP511", one.where, f"{words} counts instead")


def _timeouts(layers: Layers, arrays: Sequence[Array]) -> Iterator[Finding]:
    """fast_io_fail_tmo that multipath leaves out: libmultipath/discovery.c sysfs_set_scsi_tmo()."""
    told: set[str] = set()
    for array in arrays or [("", "")]:
        fast = layers.overrides(_FAST) or layers.device(array, _FAST) or layers.defaults(_FAST)
        if fast is None or fast.path in told:
            continue
        where = f"{fast.path} line {fast.line}: {_FAST}"
        seconds = multipathvalues.number(fast.value)
        if fast.value in ("off", "0"):
            told.add(fast.path)
            yield finding("MP517", where, f'"{fast.value}" is not written to a session')
            continue
        limit, why = _limit(layers, array)
        if seconds is not None and limit is not None and seconds >= limit:
            told.add(fast.path)
            yield finding("MP517", where, f"{seconds} is not below {why}")


def _limit(layers: Layers, array: Array) -> tuple[int | None, str]:
    loss, who = layers.value(array, _LOSS)
    if loss is not None:
        return multipathvalues.number(loss), f"dev_loss_tmo {loss} of {who}"
    retry, who = layers.value(array, "no_path_retry")
    checks = multipathvalues.number(retry)
    if not checks or (layers.dialect.known is not None and _WITH_PADDING not in layers.dialect.known):
        return None, ""
    interval = multipathvalues.number(layers.value(array, "polling_interval")[0]) or 5
    return checks * interval, f"no_path_retry {retry} of {who} x polling_interval {interval}"


_BIO = "bio"


def _settings(placed: Sequence[Placed], dialect: Dialect) -> Iterator[Finding]:
    bio = any(p.entry.key == "features" and _BIO in p.entry.value.split() for p in placed)
    off = {p.scope for p in placed if p.entry.key == "detect_pgpolicy" and p.entry.value in ("no", "0")}
    detects = dialect.known is not None and _WITH_PADDING in dialect.known
    lists = any("blacklist" in "".join(p.section) for p in placed)
    for one in placed:
        key, value = one.entry.key, one.entry.value
        if key == "rr_min_io" and not bio:
            yield finding("MP521", one.where, "request-based maps take rr_min_io_rq (default 1)")
        elif key == "path_grouping_policy" and one.section == ("devices", "device") and detects:
            if value not in ("group_by_prio", "group_by_tpg") and not {one.scope, ""} & off:
                yield finding("MP522", one.where, f'"{value}" without detect_pgpolicy no')
        elif key == "find_multipaths":
            yield from _find(one, lists)


_FIND: Mapping[str, str] = {
    "off": "every disk gets a map, a local one too, unless it is blacklisted",
    "no": "every disk gets a map, a local one too, unless it is blacklisted",
    "0": "every disk gets a map, a local one too, unless it is blacklisted",
    "greedy": "every disk gets a map, a local one too, unless it is blacklisted",
    "on": "a LUN with one path gets no map until its WWID is registered",
    "yes": "a LUN with one path gets no map until its WWID is registered",
    "1": "a LUN with one path gets no map until its WWID is registered",
    "smart": "each disk waits for a second path before anything may use it",
}


def _find(one: Placed, lists: bool) -> Iterator[Finding]:
    value = one.entry.value
    if value in _FIND and not (lists and value in ("off", "no", "0", "greedy")):
        yield finding("MP514", one.where, f"{value}: {_FIND[value]}")
