from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import Tree, guide

from mpio import inuse
from mpio.files import Files
from mpio.host import Host, User
from mpio.tools import sysfs


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = guide(tmp_path)
    for dev in ("dm-0", "sda", "sdb", "sdc", "sdaa"):
        block(made, dev, "253:0" if dev == "dm-0" else f"8:{len(dev)}{ord(dev[-1])}")
    process(made, "self", "mnt:[1]")
    made.file("/proc/self/mountinfo", "22 1 8:99 / / rw - ext4 /dev/sdz1 rw\n")
    made.file("/proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
    return made


def block(tree: Tree, dev: str, number: str) -> None:
    """What /sys/class/block shows of it: every device, partitions too."""
    below = tree.root / f"sys/block/{dev}"
    tree.file(f"{os.path.relpath(below.resolve(), tree.root)}/dev", f"{number}\n")
    tree.link(f"/sys/class/block/{dev}", f"/{os.path.relpath(below.resolve(), tree.root)}")


def partition(tree: Tree, disk: str, name: str, number: str) -> None:
    at = "/" + os.path.relpath((tree.root / f"sys/block/{disk}").resolve(), tree.root) + f"/{name}"
    tree.file(f"{at}/dev", f"{number}\n")
    (tree.root / at.lstrip("/") / "holders").mkdir()
    tree.link(f"/sys/class/block/{name}", at)


def stacked(tree: Tree, below: str, dm: str, name: str, uuid: str) -> None:
    tree.dm(dm, name, uuid)
    tree.holds(below, dm)
    block(tree, dm, f"253:{dm[3:]}")


def process(tree: Tree, pid: str, space: str, command: str = "") -> None:
    place = tree.root / f"proc/{pid}/ns"
    place.mkdir(parents=True)
    (place / "mnt").symlink_to(space)
    if command:
        tree.file(f"/proc/{pid}/comm", f"{command}\n")


def holds_open(tree: Tree, pid: str, path: str) -> None:
    place = tree.root / f"proc/{pid}/fd"
    place.mkdir(parents=True, exist_ok=True)
    (place / str(len(list(place.iterdir())))).symlink_to(path)


def host(tree: Tree) -> Host:
    read = Files(str(tree.root))
    return Host(maps=sysfs.maps(read), paths=sysfs.paths(read))


def users(tree: Tree, deep: bool = False) -> set[User]:
    return set(inuse.users(Files(str(tree.root)), host(tree), deep))


def test_nobody(tree: Tree) -> None:
    assert users(tree, deep=True) == set()


def test_a_mount_of_the_map(tree: Tree) -> None:
    tree.file(
        "/proc/self/mountinfo", "22 1 8:99 / / rw - ext4 x rw\n40 22 253:0 / /srv/a\\040b rw - xfs /dev/mapper/x rw\n"
    )
    assert users(tree) == {User("dm-0", "mount", "/srv/a b")}


def test_a_mount_in_another_mount_namespace(tree: Tree) -> None:
    process(tree, "77", "mnt:[2]")
    tree.file("/proc/77/mountinfo", "40 22 253:0 /sub /data rw - xfs /dev/mapper/x rw\n")
    process(tree, "78", "mnt:[2]")
    assert users(tree) == {User("dm-0", "mount", "/data")}


def test_a_mount_of_a_kpartx_partition(tree: Tree) -> None:
    stacked(tree, "dm-0", "dm-1", "hydra_apps-a01-part1", "part1-mpath-3600144f0f484400000004e8685e70001")
    assert users(tree) == set()
    tree.file("/proc/self/mountinfo", "40 22 253:1 / /srv rw - xfs /dev/mapper/x rw\n")
    assert users(tree) == {User("dm-0", "mount", "/srv")}


def test_a_volume_on_a_partition_of_the_map(tree: Tree) -> None:
    stacked(tree, "dm-0", "dm-1", "hydra_apps-a01-part1", "part1-mpath-3600144f0f484400000004e8685e70001")
    stacked(tree, "dm-1", "dm-2", "vg-data", "LVM-abc")
    tree.file("/proc/self/mountinfo", "40 22 253:2 / /data rw - xfs /dev/mapper/vg-data rw\n")
    assert users(tree) == {User("dm-0", "lvm", "vg-data"), User("dm-0", "mount", "/data")}


@pytest.mark.parametrize(("uuid", "kind"), [("LVM-x", "lvm"), ("CRYPT-LUKS2-x", "dm"), ("", "dm"), ("x", "dm")])
def test_what_is_stacked_on_the_map(tree: Tree, uuid: str, kind: str) -> None:
    stacked(tree, "dm-0", "dm-1", "above", uuid)
    assert users(tree) == {User("dm-0", kind, "above")}


def test_an_array_on_the_map(tree: Tree) -> None:
    at = "/sys/devices/virtual/block/md0"
    tree.file(f"{at}/dev", "9:0\n")
    tree.link("/sys/class/block/md0", at)
    tree.link("/sys/devices/virtual/block/dm-0/holders/md0", at)
    assert users(tree) == {User("dm-0", "md", "md0")}


def test_swap_by_its_name_or_by_a_link(tree: Tree) -> None:
    tree.file("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/dm-0   partition\t1\t0\t-2\n")
    assert users(tree) == {User("dm-0", "swap", "/dev/dm-0")}


def test_open_descriptors_only_where_asked_for(tree: Tree) -> None:
    process(tree, "812", "mnt:[1]", "postgres")
    holds_open(tree, "812", "/dev/null")
    holds_open(tree, "812", "/dev/dm-0")
    assert users(tree) == set()
    assert users(tree, deep=True) == {User("dm-0", "process", "postgres (812)")}


def bare(tree: Tree) -> Host:
    """sda is in no map."""
    seen = host(tree)
    return replace(seen, maps=(), paths=tuple(replace(p, dm="") for p in seen.paths if p.dev == "sda"))


def bare_users(tree: Tree) -> set[User]:
    (tree.root / "sys/block/sda/holders/dm-0").unlink()
    return set(inuse.users(Files(str(tree.root)), bare(tree), True))


def test_a_disk_in_a_map_has_no_users_of_its_own(tree: Tree) -> None:
    process(tree, "300", "mnt:[1]", "multipathd")
    holds_open(tree, "300", "/dev/sda")
    assert users(tree, deep=True) == set()


@pytest.mark.parametrize("disk", ["/dev/sda", "/dev/sda1"])
def test_a_disk_in_a_map_that_a_process_has_open(tree: Tree, disk: str) -> None:
    partition(tree, "sda", "sda1", "8:1")
    process(tree, "812", "mnt:[1]", "dd")
    holds_open(tree, "812", disk)
    assert users(tree) == set()
    assert users(tree, deep=True) == {User("sda", "process", "dd (812)")}


@pytest.mark.parametrize("program", ["/usr/sbin/multipathd", "/sbin/multipathd (deleted)", "/usr/bin/udevadm"])
def test_who_keeps_disks_open_is_known_by_its_program(tree: Tree, program: str) -> None:
    process(tree, "300", "mnt:[1]", "(udev-worker)")
    (tree.root / "proc/300/exe").symlink_to(program)
    holds_open(tree, "300", "/dev/sda")
    assert users(tree, deep=True) == set()
    process(tree, "301", "mnt:[1]", "multipathd")
    (tree.root / "proc/301/exe").symlink_to("/usr/bin/dd")
    holds_open(tree, "301", "/dev/sda")
    assert users(tree, deep=True) == {User("sda", "process", "multipathd (301)")}


def test_udevs_workers_are_counted_by_the_map_that_they_look_at(tree: Tree) -> None:
    stacked(tree, "dm-0", "dm-7", "hydra-part1", "part1-mpath-3600144f0")
    for pid, program in (("300", "/usr/bin/udevadm"), ("301", "/usr/bin/dd")):
        process(tree, pid, "mnt:[1]", "worker")
        (tree.root / f"proc/{pid}/exe").symlink_to(program)
        holds_open(tree, pid, "/dev/dm-0")
    holds_open(tree, "300", "/dev/dm-7")
    assert inuse.keepers(Files(str(tree.root)), host(tree)) == {"dm-0": 2}


def test_a_mount_of_a_bare_disk_and_its_partition(tree: Tree) -> None:
    partition(tree, "sda", "sda1", "8:1")
    tree.file("/proc/self/mountinfo", "40 22 8:1 / /boot rw - ext4 /dev/sda1 rw\n")
    assert bare_users(tree) == {User("sda", "mount", "/boot")}


def test_a_volume_on_a_partition_of_a_bare_disk(tree: Tree) -> None:
    """A partition has no place in /sys/block: its holders are told elsewhere."""
    partition(tree, "sda", "sda1", "8:1")
    tree.dm("dm-7", "vg-root", "LVM-abc")
    block(tree, "dm-7", "253:7")
    tree.link("/sys/class/block/sda/sda1/holders/dm-7", "/sys/devices/virtual/block/dm-7")
    assert bare_users(tree) == {User("sda", "lvm", "vg-root")}


@given(st.text())
@settings(deadline=None)
def test_no_mount_table_is_too_strange(text: str) -> None:
    class Strange:
        def text(self, path: str) -> str | None:
            return "253:0\n" if path == "/sys/class/block/dm-0/dev" else text

        def names(self, path: str) -> tuple[str, ...]:
            return ("1", text) if path in ("/proc", "/proc/1/fd") else ()

        def target(self, path: str) -> str:
            return text

    from fakes import guide_host

    found = inuse.users(Strange(), guide_host(paths=()), deep=True)
    assert all(u.dev.startswith("dm-") for u in found)
