"""Blacklists of multipath.conf, and what they hide of the SAN."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from mpio.diagnosis.conf_lines import line_of, place
from mpio.findings import Finding, finding
from mpio.host import Path
from mpio.tools import multipath, multipathconf
from mpio.tools.multipathconf import Conf, Entry, Section

# Names that disks of the SAN may get: the kernel gives them in the order in which disks come.
_DISKS = tuple(f"sd{a}{b}" for a in ("", *string.ascii_lowercase) for b in string.ascii_lowercase)
ISCSI = "scsi:iscsi"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of the SAN, or what is known of one that a file names: empty is unknown."""

    dev: str = ""
    vendor: str = ""
    product: str = ""
    wwid: str = ""

    @property
    def name(self) -> str:
        return self.dev or self.wwid or f"{self.vendor}/{self.product}"


def of_path(path: Path) -> Disk:
    return Disk(path.dev, path.vendor, path.product, path.wwid)


def _matches(pattern: str, text: str) -> bool:
    """A blacklist's expression: a `!` before it turns it round (0.8.5, libmultipath/blacklist.c check_invert)."""
    if pattern.startswith("!"):
        return bool(text) and not multipath.matches(pattern[1:], text)
    return bool(text) and multipath.matches(pattern.replace("\\!", "!", 1), text)


def _listed(conf: Conf, section: str, disk: Disk) -> Iterator[tuple[str, Entry]]:
    """The lines of a blacklist that name a disk, with their kind."""
    said = {"devnode": disk.dev, "wwid": disk.wwid, "protocol": ISCSI}
    for entry in multipathconf.blacklist(conf, section):
        if entry.key in said and _matches(entry.value, said[entry.key]):
            yield entry.key, entry
    for device in multipathconf.blacklisted_devices(conf, section):
        if _names(device, disk):
            entries = device.values
            yield "device", entries.get("vendor", entries.get("product", Entry("device", "", device.line, device.path)))


def _names(device: Section, disk: Disk) -> bool:
    said = device.values
    asked = [(said[k].value, v) for k, v in (("vendor", disk.vendor), ("product", disk.product)) if k in said]
    return bool(asked) and all(_matches(pattern, text) for pattern, text in asked)


def hiding(conf: Conf, disk: Disk) -> tuple[Entry, ...]:
    """The lines that hide a disk; an exception of the same kind takes it out again (filter_path())."""
    excepted = {kind for kind, _ in _listed(conf, "blacklist_exceptions", disk)}
    return tuple(entry for kind, entry in _listed(conf, "blacklist", disk) if kind not in excepted)


def findings(
    conf: Conf, disks: Iterable[Disk], loose: Iterable[Disk] = (), *, sessions: bool = True
) -> Iterator[Finding]:
    """`disks` are those that have a map still, or what the files themselves name as theirs; a line that keeps `loose`
    ones from a map today is MP430 of the disks. Without `sessions` nobody wants a disk of one.
    """
    said = {(e.path, e.line) for disk in loose for e in hiding(conf, disk)}
    yield from (f for f in _findings(conf, disks, sessions) if line_of(f) not in said)


def _findings(conf: Conf, disks: Iterable[Disk], sessions: bool) -> Iterator[Finding]:
    hidden: dict[tuple[str, int, str], list[str]] = {}
    for disk in disks:
        for entry in hiding(conf, disk):
            hidden.setdefault(_name(entry), []).append(disk.name)
    spared = _spared(conf)
    for entry in multipathconf.blacklist(conf):
        if _name(entry) in hidden:
            continue
        met = [dev for dev in names_met(entry.value) if dev not in spared] if entry.key == "devnode" else []
        of_iscsi = entry.key == "protocol" and _matches(entry.value, ISCSI) and ISCSI not in spared
        if of_iscsi or len(met) == len(_DISKS):
            if sessions:
                hidden[_name(entry)] = ["every disk of an iSCSI session"]
        elif met:
            more = f" and {len(met) - 3} more" if len(met) > 3 else ""
            said = f"{', '.join(met[:3])}{more} are names that any disk may get"
            yield finding("MP512", place(*_name(entry)), said)
    for name, names in hidden.items():
        yield finding("MP513", place(*name), f"hides {', '.join(dict.fromkeys(names))}")


def _name(entry: Entry) -> tuple[str, int, str]:
    return entry.path, entry.line, f'{entry.key} "{entry.value}"'


def _spared(conf: Conf) -> frozenset[str]:
    """The names of disks that exceptions take out again, and the protocol where they do."""
    excepted = multipathconf.blacklist(conf, "blacklist_exceptions")
    patterns = {e.value for e in excepted if e.key == "devnode"}
    names = {dev for dev in _DISKS if any(_matches(p, dev) for p in patterns)}
    return frozenset(names | {ISCSI for e in excepted if e.key == "protocol" and _matches(e.value, ISCSI)})


@lru_cache(maxsize=64)
def names_met(pattern: str) -> tuple[str, ...]:
    """The names of SCSI disks that a devnode line is about; none for what begins with `!`, which is about the rest."""
    if pattern.startswith("!"):
        return ()
    return tuple(dev for dev in _DISKS if _matches(pattern, dev))
