"""Which line keeps multipath from a disk: the blacklists as libmultipath/blacklist.c goes over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mpio.host import Path
from mpio.tools import multipath, multipathconf
from mpio.tools.multipathconf import Conf, Section

ISCSI = "scsi:iscsi"  # multipath's name of the protocol
# What multipath has of its own: no line of anybody's. A disk that shows none of these properties is none of its.
WANTED = ("SCSI_IDENT_", "ID_WWN")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a blacklist: what it says, and where."""

    path: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.path} line {self.number}"


def line_against(conf: Conf, disk: Path, known: Mapping[str, str]) -> Line | None:
    """The first line by which multipath leaves the disk alone; `known` is what udev knows of it."""
    asked: tuple[tuple[str, Iterable[str]], ...] = (
        ("property", known),
        ("devnode", (disk.dev,)),
        ("device", (disk.vendor,)),
        ("protocol", (ISCSI,)),
        ("wwid", (disk.wwid,)),
    )
    for kind, texts in asked:
        if kind == "device":
            found = _device(conf, "blacklist", disk)
            if found and not _device(conf, "blacklist_exceptions", disk):
                return found
            continue
        found = _line(conf, "blacklist", kind, texts)
        excepted = kind == "property" and any(p.startswith(WANTED) for p in texts)
        if found and not excepted and not _line(conf, "blacklist_exceptions", kind, texts):
            return found
    return None


def lacks_property(conf: Conf, known: Mapping[str, str]) -> bool:
    """Does udev know none of the properties without which multipath takes no disk?"""
    if "ID_SERIAL" not in known:
        return False  # then it is not looked at: without it there is no WWID either
    return not (
        any(p.startswith(WANTED) for p in known) or bool(_line(conf, "blacklist_exceptions", "property", known))
    )


def _line(conf: Conf, section: str, kind: str, texts: Iterable[str]) -> Line | None:
    entries = [e for e in multipathconf.blacklist(conf, section) if e.key == kind]
    every = [t for t in texts if t]
    return next(
        (Line(e.path, e.line, f"{kind} {e.value}") for e in entries if any(_matches(e.value, t) for t in every)), None
    )


def _device(conf: Conf, section: str, disk: Path) -> Line | None:
    for one in multipathconf.blacklisted_devices(conf, section):
        if _matches_inquiry(one, disk):
            said = " ".join(f"{e.key} {e.value}" for e in one.entries)
            return Line(one.path, one.line, f"device {said}")
    return None


def _matches_inquiry(one: Section, disk: Path) -> bool:
    said = one.values
    asked = [
        (said[key].value, text) for key, text in (("vendor", disk.vendor), ("product", disk.product)) if key in said
    ]
    return bool(asked) and all(_matches(pattern, text) for pattern, text in asked)


def _matches(pattern: str, text: str) -> bool:
    """A leading ! negates (since 0.8.5)."""
    negated = pattern.startswith("!")
    return bool(text) and multipath.matches(pattern[negated:], text) is not negated
