"""What carries this host's own file systems: the disks and maps below them, down through LVM, md and partitions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mpio.files import Files
from mpio.host import Host, User
from mpio.tools.sysfs import Reader

# Without these the host does not run on, nor does anything that could put it right: no --force lets them go.
OWN = ("/", "/usr", "/etc", "/var", "/boot", "/boot/efi", "/efi")
# 22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
_MOUNT = re.compile(r"^\d+ \d+ (\d+:\d+) \S+ (\S+) .*?- (\S+) (\S+) ", re.MULTILINE)


def mounts(read: Files, pid: str) -> dict[str, tuple[str, str, str]]:
    """Mount point to (major:minor, kind, source) of what is seen there: what is mounted over it counts."""
    text = read.text(f"/proc/{pid}/mountinfo") or ""
    return {place: (number, kind, source) for number, place, kind, source in _MOUNT.findall(text)}


def devices(read: Files, number: str, kind: str, source: str) -> tuple[str, ...]:
    """The devices of a file system; nothing where they cannot be told."""
    if dev := read.target(f"/sys/dev/block/{number}").rpartition("/")[2]:
        return (dev,)
    return of_btrfs(read, source) if kind == "btrfs" else ()


def of_btrfs(read: Reader, source: str) -> tuple[str, ...]:
    """The devices of a file system of several: it has a number of its own, and the mount table names one of them."""
    if not source.startswith("/dev/"):
        return ()
    dev = (read.target(source) or source).rpartition("/")[2]
    every = (read.names(f"/sys/fs/btrfs/{uuid}/devices") for uuid in read.names("/sys/fs/btrfs"))
    return next((devs for devs in every if dev in devs), ())


def below(read: Files, dev: str) -> Iterator[str]:
    """The device, and all that it is made of."""
    todo, seen = [dev] if dev else [], set[str]()
    while todo:
        here = todo.pop()
        if here in seen:
            continue
        seen.add(here)
        yield here
        todo += read.names(f"/sys/class/block/{here}/slaves")
        # /sys/class/block/sda1 -> ../../devices/…/block/sda/sda1: a partition is made of its disk
        todo += [on for on in read.target(f"/sys/class/block/{here}").split("/")[-2:-1] if on != "block"]


def carried(read: Files, host: Host) -> tuple[User, ...]:
    """Of the maps, and of the disks in none, those that carry the host's own file systems: as PID 1 has them mounted,
    since whoever asks may be in a mount namespace of his own.
    """
    tops = {m.dm for m in host.maps} | {p.dev for p in host.paths if not p.dm}
    there = (mounts(read, "1") or mounts(read, "self")) if tops else {}
    found: dict[User, None] = {}
    for place in (p for p in OWN if p in there):
        for dev in devices(read, *there[place]):
            found |= dict.fromkeys(User(one, "system", place) for one in below(read, dev) if one in tops)
    return tuple(found)
