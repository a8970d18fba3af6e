"""dmsetup: open counts, and the kernel's own word on paths where multipathd does not run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mpio.errors import UnreadableOutput
from mpio.program import Run
from mpio.step import Command, Part

SEPARATOR = "\t"


@dataclass(frozen=True, slots=True)
class Info:
    """A device of the device mapper: `dm` is dm-N, `open_count` how many have it open."""

    name: str
    dm: str
    uuid: str
    open_count: int
    suspended: bool


@dataclass(frozen=True, slots=True)
class PathStatus:
    """A path as the kernel sees it: `dev_t` major:minor, `group` from 1."""

    dev_t: str
    active: bool
    group: int


def info(run: Run) -> tuple[Info, ...]:
    """Every device of the device mapper. One without a table has no name of the kernel's (its disk is not there before
    the first table, since 5.15), at which dmsetup fails, so that those are asked for by number.
    """
    asked = ("dmsetup", "info", "--columns", "--noheadings", "--separator", SEPARATOR, "-o")
    done = run(*asked, "blkdevname,open,suspended,uuid,name", ok=None)
    if done.code == 0:
        return parse_info(done.out)
    numbered = run(*asked, "minor,open,suspended,uuid,name").out
    return parse_info("".join(f"dm-{line}\n" if line[:1].isdigit() else f"{line}\n" for line in numbered.splitlines()))


def parse_info(text: str) -> tuple[Info, ...]:
    """`dm-0<TAB>1<TAB>Active<TAB>mpath-3600…<TAB>hydra_apps-a01` a line; "No devices found" where there are none."""
    found = []
    for line in text.splitlines():
        if not line or line == "No devices found":
            continue
        cells = line.split(SEPARATOR)
        if len(cells) != 5 or not cells[0].startswith("dm-") or not _is_number(cells[1]):
            raise UnreadableOutput(line, "dmsetup info")
        found.append(Info(cells[4], cells[0], cells[3], int(cells[1]), cells[2] == "Suspended"))
    return tuple(found)


def path_status(run: Run) -> Mapping[str, tuple[PathStatus, ...]]:
    """The paths of each multipath map, by the map's name."""
    return parse_status(run("dmsetup", "status", "--target", "multipath").out)


def sectors(run: Run) -> Mapping[str, int]:
    """How long the table of each multipath map is, by the map's name, in sectors of 512 bytes."""
    return parse_sectors(run("dmsetup", "status", "--target", "multipath").out)


def parse_sectors(text: str) -> Mapping[str, int]:
    """`NAME: 0 131072 multipath …` a line, as `parse_status` reads it."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        if not line or line == "No devices found":
            continue
        name, colon, rest = line.rpartition(": ")
        words = rest.split()
        if not colon or len(words) < 3 or not (_is_number(words[0]) and _is_number(words[1])):
            raise UnreadableOutput(line, "dmsetup status")
        found[name] = int(words[0]) + int(words[1])
    return found


def parse_status(text: str) -> Mapping[str, tuple[PathStatus, ...]]:
    """`NAME: 0 131072 multipath 2 0 0 0 1 1 A 0 2 2 8:16 A 0 0 1 8:32 F 1 0 1` a line (kernel dm-mpath.c,
    multipath_status).
    """
    found: dict[str, tuple[PathStatus, ...]] = {}
    for line in text.splitlines():
        if not line or line == "No devices found":
            continue
        name, colon, rest = line.rpartition(": ")
        words = rest.split()
        if not colon or len(words) < 4 or words[2] != "multipath":
            raise UnreadableOutput(line, "dmsetup status")
        try:
            found[name] = _groups(words[3:])
        except (IndexError, ValueError) as error:
            raise UnreadableOutput(line, "dmsetup status") from error
    return found


def _groups(words: list[str]) -> tuple[PathStatus, ...]:
    """FEATURES… HANDLER… GROUPS NEXT then for each group STATE SELECTOR-ARGS… PATHS ARGS then for each path DEV
    STATE FAILS ARGS…
    """
    at = 1 + _count(words[0])
    at += 1 + _count(words[at])
    count = _count(words[at])
    at += 2
    found = []
    for group in range(1, count + 1):
        at += 1
        at += 1 + _count(words[at])
        paths, args = _count(words[at]), _count(words[at + 1])
        at += 2
        for _ in range(paths):
            if words[at + 1] not in ("A", "F"):
                raise ValueError(words[at + 1])
            found.append(PathStatus(words[at], words[at + 1] == "A", group))
            at += 3 + args
    return tuple(found)


def _count(word: str) -> int:
    """ValueError for anything else. A negative one would have us read the same words for ever."""
    if not _is_number(word):
        raise ValueError(word)
    return int(word)


def _is_number(word: str) -> bool:
    return re.fullmatch(r"\d{1,20}", word, re.ASCII) is not None


def resume(name: str, why: str) -> Command:
    """With the table that it has, or the one that waits for it. Works without multipathd."""
    return Command(Part.MULTIPATH, why, ("dmsetup", "resume", name))
