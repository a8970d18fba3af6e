"""Who uses a LUN: mounts in any mount namespace, swap, LVM, md, other maps, open descriptors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from mpio.host import Host, User
from mpio.tools import sysfs

KINDS = (("LVM-", "lvm"), ("CRYPT-", "dm"), ("part", "partition"), ("mpath-", "map"))
# multipathd has every path open for its checkers; udev's workers (udevadm under another name) come and go.
KEEPERS = frozenset({"multipathd", "systemd-udevd", "udevadm"})
_OCTAL = re.compile(r"\\([0-7]{3})")


def users(read: sysfs.Reader, host: Host, deep: bool) -> tuple[User, ...]:
    """The users of every map and of every disk, each under the device it would lose.

    A disk in a map can only be held open: the kernel lets nobody but its map claim it. `deep` looks at the descriptors
    of every process too, which takes a while on a busy host.
    """
    tops = [m.dm for m in host.maps] + [p.dev for p in host.paths if not p.dm]
    stacked = {dev: top for top in tops for dev in _above(read, top)}
    numbers = {read_word: dev for dev in stacked if (read_word := sysfs.word(read, f"/sys/class/block/{dev}/dev"))}
    found: dict[User, None] = {}
    for dev, top in stacked.items():
        kind = _kind(read, dev)
        if dev != top and kind not in ("map", "partition"):
            name = sysfs.word(read, f"/sys/class/block/{dev}/dm/name") or dev
            found[User(top, kind, name)] = None
    for dev, place in _mounts(read, numbers):
        found[User(stacked[dev], "mount", place)] = None
    for dev in _swaps(read):
        if dev in stacked:
            found[User(stacked[dev], "swap", f"/dev/{dev}")] = None
    if deep:
        for path in host.paths:
            stacked |= dict.fromkeys(_own(read, path.dev), path.dev) if path.dm else {}
        for dev, name in _descriptors(read, stacked):
            found[User(stacked[dev], "process", name)] = None
    return tuple(found)


def keepers(read: sysfs.Reader, host: Host) -> Counter[str]:
    """How often multipathd and udev's workers have each map open, or a partition of it, by which nobody loses."""
    stacked = {dev: m.dm for m in host.maps for dev in _above(read, m.dm)}
    return Counter(stacked[dev] for dev, pid in _opened(read, stacked) if _program(read, pid) in KEEPERS)


def _above(read: sysfs.Reader, dev: str) -> Iterator[str]:
    """The device, its partitions, and everything stacked on them; a disk's own multipath map is not its user."""
    seen: dict[str, None] = {}
    todo = [dev]
    while todo:
        here = todo.pop()
        if here in seen:
            continue
        seen[here] = None
        # not /sys/block, where partitions have no place of their own
        todo += (*_own(read, here), *read.names(f"/sys/class/block/{here}/holders"))
    return iter(seen)


def _own(read: sysfs.Reader, dev: str) -> tuple[str, ...]:
    """The device and its partitions."""
    return (dev, *(n for n in read.names(f"/sys/class/block/{dev}") if n.startswith(dev)))


def _kind(read: sysfs.Reader, dev: str) -> str:
    if dev.startswith("md"):
        return "md"
    uuid = sysfs.word(read, f"/sys/class/block/{dev}/dm/uuid")
    if uuid or dev.startswith("dm-"):
        return next((kind for prefix, kind in KINDS if uuid.startswith(prefix)), "dm")
    return "partition"


def _processes(read: sysfs.Reader) -> Iterator[str]:
    return (name for name in read.names("/proc") if name.isdigit())


def _mounts(read: sysfs.Reader, numbers: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(device, mount point) from the mount table of every mount namespace that can be read."""
    spaces: set[str] = set()
    for pid in ("self", *_processes(read)):
        space = read.target(f"/proc/{pid}/ns/mnt")
        if not space or space in spaces:
            continue
        spaces.add(space)
        for line in (read.text(f"/proc/{pid}/mountinfo") or "").splitlines():
            words = line.split(" ")
            if len(words) > 4 and words[2] in numbers:
                yield numbers[words[2]], _OCTAL.sub(lambda m: chr(int(m[1], 8)), words[4])


def _swaps(read: sysfs.Reader) -> Iterator[str]:
    """Kernel names of the devices swapped on; /proc/swaps names them /dev/dm-3 or by a link to it."""
    for line in (read.text("/proc/swaps") or "").splitlines()[1:]:
        path = line.split(" ", 1)[0].split("\t", 1)[0]
        link = read.target(path)
        yield (link or path).rpartition("/")[2]


def _descriptors(read: sysfs.Reader, devs: dict[str, str]) -> Iterator[tuple[str, str]]:
    for dev, pid in _opened(read, devs):
        if _program(read, pid) not in KEEPERS:
            yield dev, f"{sysfs.word(read, f'/proc/{pid}/comm')} ({pid})"


def _opened(read: sysfs.Reader, devs: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(device, process) of every descriptor on one of these."""
    for pid in _processes(read):
        for fd in read.names(f"/proc/{pid}/fd"):
            path = read.target(f"/proc/{pid}/fd/{fd}")
            dev = path.rpartition("/")[2] if path.startswith("/dev/") else ""
            if dev in devs:
                yield dev, pid


def _program(read: sysfs.Reader, pid: str) -> str:
    """The file that a process runs, its own name where that cannot be read (threads of the kernel, races)."""
    file = read.target(f"/proc/{pid}/exe").removesuffix(" (deleted)").rpartition("/")[2]
    return file or sysfs.word(read, f"/proc/{pid}/comm")
