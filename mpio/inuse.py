"""Who uses a LUN: mounts in any mount namespace, swap, LVM, md, other maps, open descriptors."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import dropwhile
from types import MappingProxyType

from mpio import rootfs
from mpio.files import Files
from mpio.host import Host, Path, User
from mpio.tools import sysfs, udevadm

_PARTS = {
    "LVM2_member": ("lvm", "volume group that is not active, with its physical volume"),
    "linux_raid_member": ("md", "array that is not active:"),
    "zfs_member": ("zfs", "pool that is not imported:"),
}
KINDS = (("LVM-", "lvm"), ("CRYPT-", "dm"), ("part", "partition"), ("mpath-", "map"))
# multipathd has every path open for its checkers; udev's workers (udevadm under another name) come and go.
KEEPERS = frozenset({"multipathd", "systemd-udevd", "udevadm"})
UNASKED = "unasked"  # the kind of a user of whom nobody knows whether there is one
_OCTAL = re.compile(r"\\([0-7]{3})")


def users(read: sysfs.Reader, host: Host, deep: bool) -> tuple[User, ...]:
    """The users of every map and of every disk, each under the device it would lose.

    A disk in a map can only be held open: the kernel lets nobody but its map claim it. `deep` looks at the descriptors
    of every process too, which takes a while on a busy host. Of mpio's own processes only those that have a map open
    count: a drill reads it. A disk they only ask who it is, and may hang there when it is gone.
    """
    tops = [m.dm for m in host.maps] + [p.dev for p in host.paths if not p.dm]
    stacked = {dev: top for top in tops for dev in _above(read, top)}
    found: dict[User, None] = {}
    for loop, place in _loops(read):
        if dev := _meant(place, "", stacked, {}):
            found[User(stacked[dev], "loop", loop)] = None
            stacked |= dict.fromkeys(_above(read, loop), stacked[dev])
    numbers = {read_word: dev for dev in stacked if (read_word := sysfs.word(read, f"/sys/class/block/{dev}/dev"))}
    for dev, top in stacked.items():
        kind = _kind(read, dev)
        if dev != top and kind not in ("map", "partition") and not dev.startswith("loop"):
            name = sysfs.word(read, f"/sys/class/block/{dev}/dm/name") or dev
            found[User(top, kind, name)] = None
    for dev, place, space in _mounts(read, numbers):
        found[User(stacked[dev], "mount", place, space)] = None
    for dev in _swaps(read):
        if dev in stacked:
            found[User(stacked[dev], "swap", f"/dev/{dev}")] = None
    if deep:
        for path in host.paths:
            stacked |= dict.fromkeys(_own(read, path.dev), path.dev) if path.dm else {}
        mapped = {m.dm for m in host.maps}
        for dev, pid in _opened(read, stacked):
            if _program(read, pid) not in KEEPERS and (stacked[dev] in mapped or not _is_mpio(read, pid)):
                found[_process(read, stacked[dev], pid)] = None
    return tuple(found)


def members(read: sysfs.Reader, host: Host) -> tuple[User, ...]:
    """The maps, and the disks in none, that are a part of a volume group or an array of which nothing is active: of
    these the kernel knows nothing, udev does.
    """
    found: dict[User, None] = {}
    for top in [m.dm for m in host.maps] + [p.dev for p in host.paths if not p.dm]:
        for dev in _above(read, top):
            known = udevadm.properties(read, dev)
            kind, what = _PARTS.get(known.get("ID_FS_TYPE", ""), ("", ""))
            above = read.names(f"/sys/class/block/{dev}/holders")
            if kind and all(_kind(read, one) == "partition" for one in above):
                found[User(top, kind, f"{what} {known.get('ID_FS_LABEL') or known.get('ID_FS_UUID', '')}")] = None
    return tuple(found)


def claims(files: Files, host: Host) -> tuple[User, ...]:
    """Disks in no map, and of no user that `host` has, that somebody has claimed all the same: a target's backstore, a
    file system that is unmounted but for its open files.
    """
    alive = {s.sid for s in host.sessions if s.logged_in}
    named = {u.dev for u in host.users}
    asked = (p for p in host.paths if not p.dm and p.sid in alive and p.device_state == "running")
    asked = (p for p in asked if p.dev not in named)
    said = ((p.dev, _claimed(files, host, p)) for p in asked)
    found = tuple(User(dev, *one) for dev, one in said if one and one[0] != UNASKED)
    # multipathd may have taken one since the look: its map is no user
    return tuple(u for u in found if not files.names(f"/sys/class/block/{u.dev}/holders"))


def keepers(read: sysfs.Reader, host: Host) -> Counter[str]:
    """How often multipathd and udev's workers have each map open, or a partition of it, by which nobody loses."""
    stacked = {dev: m.dm for m in host.maps for dev in _above(read, m.dm)}
    return Counter(stacked[dev] for dev, pid in _opened(read, stacked) if _program(read, pid) in KEEPERS)


def of_disks(files: Files, host: Host, disks: Iterable[Path]) -> tuple[User, ...]:
    """Who uses these disks other than through their multipath map, at this moment and without waiting for any of them.

    Whoever mounts, swaps on or stacks on a disk claims it (O_EXCL): a map has the claim of its own, of any other disk
    the kernel tells us by refusing it. Plain descriptors are looked for in every process but mpio's own, which only ask
    a disk who it is, and may hang there when it is gone.
    """
    found: dict[User, None] = {}
    stacked: dict[str, str] = {}
    for path in disks:
        stacked |= dict.fromkeys(own := _own(files, path.dev), path.dev)
        above = {holder for dev in own for holder in files.names(f"/sys/class/block/{dev}/holders")} - {path.dm}
        for holder in sorted(above):
            name = sysfs.word(files, f"/sys/class/block/{holder}/dm/name") or holder
            found[User(path.dev, _kind(files, holder), name)] = None
        if not (path.dm or above) and (said := _claimed(files, host, path)):
            found[User(path.dev, *said)] = None
    numbers = {number: dev for dev in stacked if (number := sysfs.word(files, f"/sys/class/block/{dev}/dev"))}
    for loop, place in _loops(files):
        if dev := _meant(place, f"{files.root}{place}", stacked, numbers):
            found[User(stacked[dev], "loop", loop)] = None
    for dev, pid in _opened(files, stacked, numbers):
        if _program(files, pid) not in KEEPERS and not _is_mpio(files, pid):
            found[_process(files, stacked[dev], pid)] = None
    return tuple(found)


def _claimed(files: Files, host: Host, path: Path) -> tuple[str, str] | None:
    """(kind, name) of who has the claim of a disk that is in no map, UNASKED where the disk is better not asked;
    None where nobody has.
    """
    session = next((s for s in host.sessions if s.sid == path.sid), None)
    if session is None or sysfs.host_state(files, session.host) != "running":
        # The kernel lets nobody open a disk while it mends its host: we would wait with it.
        return UNASKED, "claim (the kernel's error handling has its host)"
    if "1" in (sysfs.word(files, f"/sys/class/block/{path.dev}/{name}") for name in ("ro", "removable")):
        # Of such a disk the kernel wants to know first whether it has a medium, and the disk may be dead.
        return UNASKED, "claim (the kernel would ask the disk for its medium)"
    try:
        os.close(os.open(f"{files.root}/dev/{path.dev}", os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV):  # it serves nobody any more
            return None
        if error.errno != errno.EBUSY:
            return UNASKED, f"claim ({error.strerror})"
    else:
        return None
    named = users(files, Host(paths=(path,)), deep=False)
    return next(((u.kind, u.name) for u in named), ("claim", "of somebody that nothing names"))


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


def _mounts(read: sysfs.Reader, numbers: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """(device, mount point, space) from the mount table of every mount namespace that can be read, and of each root in
    it: one that was changed (chroot) sees only what is below. `space` is who has it so of what is mounted elsewhere
    only.
    """
    seen: set[tuple[str, str]] = set()
    said: set[tuple[str, str]] = set()
    for pid in ("self", *_processes(read)):
        space = (read.target(f"/proc/{pid}/ns/mnt"), read.target(f"/proc/{pid}/root"))
        if not space[0] or space in seen:
            continue
        seen.add(space)
        for line in (read.text(f"/proc/{pid}/mountinfo") or "").splitlines():
            words = line.split(" ")
            if len(words) < 5:
                continue
            place = _OCTAL.sub(lambda m: chr(int(m[1], 8)), words[4])
            for dev in (numbers[words[2]],) if words[2] in numbers else _of_btrfs(read, line, numbers.values()):
                if (dev, place) not in said:
                    said.add((dev, place))
                    yield dev, place, "" if pid in ("self", "1") else f"{sysfs.word(read, f'/proc/{pid}/comm')}, {pid}"


def _of_btrfs(read: sysfs.Reader, line: str, devs: Collection[str]) -> tuple[str, ...]:
    kind, _, rest = line.partition(" - ")[2].partition(" ")
    if kind != "btrfs":
        return ()
    source = rest.partition(" ")[0]
    # Where the kernel lists none, the one that the table names is one of them all the same.
    every = rootfs.of_btrfs(read, source) or ((read.target(source) or source).rpartition("/")[2],)
    return tuple(dev for dev in every if dev in devs)


def _swaps(read: sysfs.Reader) -> Iterator[str]:
    """Kernel names of the devices swapped on; /proc/swaps names them /dev/dm-3 or by a link to it."""
    for line in (read.text("/proc/swaps") or "").splitlines()[1:]:
        path = line.split(" ", 1)[0].split("\t", 1)[0]
        link = read.target(path)
        yield (link or path).rpartition("/")[2]


def _process(read: sysfs.Reader, dev: str, pid: str) -> User:
    return User(dev, "process", f"{sysfs.word(read, f'/proc/{pid}/comm')} ({pid})")


def _is_mpio(read: sysfs.Reader, pid: str) -> bool:
    """`python3 -m mpio …`, `python3 /usr/bin/mpio …`"""
    words = (read.text(f"/proc/{pid}/cmdline") or "").split("\0")
    if words[0].rpartition("/")[2].startswith("python"):
        words = list(dropwhile(lambda word: word.startswith("-") and word != "-m", words[1:]))
    if words[:1] == ["-m"]:
        return words[1:2] == ["mpio"]
    return words[:1] != [] and words[0].rpartition("/")[2] == "mpio"


def _opened(
    read: sysfs.Reader, devs: dict[str, str], numbers: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[str, str]]:
    """(device, process) of every descriptor on one of these; `numbers` as `_meant` takes them."""
    root = read.root if isinstance(read, Files) else ""
    for pid in _processes(read):
        for fd in read.names(f"/proc/{pid}/fd"):
            at = f"/proc/{pid}/fd/{fd}"
            if dev := _meant(read.target(at), f"{root}{at}", devs, numbers):
                yield dev, pid


def _meant(path: str, at: str, devs: Collection[str], numbers: Mapping[str, str]) -> str:
    """Which of these devices a path names, be it by another name (a node of a container's own): `at` is what to look at
    then, `numbers` gives the devices by major:minor. Empty for none of them.
    """
    folder, _, name = path.removesuffix(" (deleted)").rpartition("/")
    if name in devs and (path.startswith("/dev/") or (numbers and folder.endswith("/dev"))):
        return name
    # Elsewhere nothing is looked at: that may wait for a file server.
    if not numbers or not path.startswith("/dev/"):
        return ""
    try:
        status = os.stat(at)
    except OSError:
        return ""
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return numbers.get(number, "") if stat.S_ISBLK(status.st_mode) else ""


def _loops(read: sysfs.Reader) -> Iterator[tuple[str, str]]:
    """(loop device, the file behind it)"""
    for name in read.names("/sys/block"):
        if name.startswith("loop") and (place := sysfs.word(read, f"/sys/block/{name}/loop/backing_file")):
            yield name, place


def _program(read: sysfs.Reader, pid: str) -> str:
    """The file that a process runs, its own name where that cannot be read (threads of the kernel, races)."""
    file = read.target(f"/proc/{pid}/exe").removesuffix(" (deleted)").rpartition("/")[2]
    return file or sysfs.word(read, f"/proc/{pid}/comm")
