from __future__ import annotations

import os
import stat
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
    tree.file("/proc/77/comm", "postgres\n")
    assert users(tree) == {User("dm-0", "mount", "/data", "postgres, 77")}
    assert {str(u) for u in users(tree)} == {"mount /data (in the mount namespace of postgres, 77) on dm-0"}
    # one that is there for everybody is no news where a service has a table of its own
    tree.file("/proc/self/mountinfo", "40 22 253:0 / /data rw - xfs /dev/mapper/x rw\n")
    assert users(tree) == {User("dm-0", "mount", "/data")}


def test_who_has_changed_his_root_sees_only_a_part_of_the_table(tree: Tree) -> None:
    for pid, root in (("77", "/jail"), ("78", "/")):
        process(tree, pid, "mnt:[2]", "sleep")
        (tree.root / f"proc/{pid}/root").symlink_to(root)
    tree.file("/proc/78/mountinfo", "40 22 253:0 / / rw - xfs /dev/mapper/x rw\n")
    assert users(tree) == {User("dm-0", "mount", "/", "sleep, 78")}


def test_a_mount_of_btrfs_which_has_a_number_of_its_own(tree: Tree) -> None:
    table = "40 22 0:51 / /data rw - btrfs /dev/mapper/hydra_apps-a01 rw\n"
    tree.file("/proc/self/mountinfo", table)
    tree.link("/dev/mapper/hydra_apps-a01", "/dev/dm-0")
    assert users(tree) == {User("dm-0", "mount", "/data")}
    # another device of it is named
    tree.file("/proc/self/mountinfo", table.replace("mapper/hydra_apps-a01", "vdb"))
    assert users(tree) == set()
    for dev in ("dm-0", "vdb"):
        tree.link(f"/sys/fs/btrfs/0a1b/devices/{dev}", f"/sys/class/block/{dev}")
    assert users(tree) == {User("dm-0", "mount", "/data")}


def test_a_loop_device_over_the_map_and_what_is_on_it(tree: Tree) -> None:
    tree.file("/sys/devices/virtual/block/loop0/loop/backing_file", "/dev/dm-0\n")
    tree.file("/sys/devices/virtual/block/loop0/dev", "7:0\n")
    for folder in ("/sys/block", "/sys/class/block"):
        tree.link(f"{folder}/loop0", "/sys/devices/virtual/block/loop0")
    assert users(tree) == {User("dm-0", "loop", "loop0")}
    tree.file("/proc/self/mountinfo", "40 22 7:0 / /image rw - ext4 /dev/loop0 rw\n")
    assert users(tree) == {User("dm-0", "loop", "loop0"), User("dm-0", "mount", "/image")}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("LVM2_member", ("lvm", "volume group that is not active, with its physical volume prague:0")),
        ("linux_raid_member", ("md", "array that is not active: prague:0")),
    ],
)
def test_a_part_of_what_is_not_active_is_no_user_but_a_member(tree: Tree, kind: str, said: tuple[str, str]) -> None:
    tree.file("/run/udev/data/b253:0", f"S:x\nE:ID_FS_TYPE={kind}\nE:ID_FS_LABEL=prague:0\n")
    files = Files(str(tree.root))
    assert users(tree, deep=True) == set()
    assert inuse.members(files, host(tree)) == (User("dm-0", *said),)
    stacked(tree, "dm-0", "dm-2", "vg-data", "LVM-abc")
    assert inuse.members(files, host(tree)) == ()


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


# -- disks of sessions, other than through their map


def apart(tree: Tree, *devs: str) -> set[User]:
    files = Files(str(tree.root))
    placed = sysfs.paths(files)
    host = Host(sessions=sysfs.sessions(files, {}), paths=placed)
    return set(inuse.of_disks(files, host, [p for p in placed if p.dev in devs]))


def test_a_disk_in_its_map_is_used_by_nobody_else(tree: Tree) -> None:
    holds_open(tree, "self", "/dev/sda")
    process(tree, "200", "mnt:[1]", "multipathd")
    holds_open(tree, "200", "/dev/sda")
    for pid, words in (("201", "python3 -m mpio verify"), ("202", "/usr/bin/python3 /usr/bin/mpio watch")):
        process(tree, pid, "mnt:[1]", "python3")
        tree.file(f"/proc/{pid}/cmdline", words.replace(" ", "\0") + "\0")
        holds_open(tree, pid, "/dev/sda")
    process(tree, "300", "mnt:[1]", "dd")
    holds_open(tree, "300", "/dev/sdb")
    assert apart(tree, "sda") == set()
    assert apart(tree, "sda", "sdb") == {User("sdb", "process", "dd (300)")}


@pytest.mark.parametrize(
    "words", ["cp /dev/sda /backup/mpio", "python3 copy.py /srv/mpio", "python3 -m pdb mpio", "sh -m mpio", "-m"]
)
def test_who_only_names_mpio_is_not_mpio(tree: Tree, words: str) -> None:
    process(tree, "300", "mnt:[1]", "cp")
    tree.file("/proc/300/cmdline", words.replace(" ", "\0") + "\0")
    holds_open(tree, "300", "/dev/sda")
    assert apart(tree, "sda") == {User("sda", "process", "cp (300)")}


@pytest.mark.parametrize("words", ["/usr/bin/mpio watch", "/usr/bin/python3.11 -P -m mpio verify"])
def test_mpio_itself_may_have_a_disk_open(tree: Tree, words: str) -> None:
    process(tree, "300", "mnt:[1]", "mpio")
    tree.file("/proc/300/cmdline", words.replace(" ", "\0") + "\0")
    holds_open(tree, "300", "/dev/sda")
    assert apart(tree, "sda") == set()
    assert users(tree, deep=True) == set()
    holds_open(tree, "300", "/dev/dm-0")  # a drill's reader, which would be hurt
    assert users(tree, deep=True) == {User("dm-0", "process", "mpio (300)")}
    (tree.root / "sys/block/sdb/holders/dm-0").unlink()
    holds_open(tree, "300", "/dev/sdb")  # in no map
    assert {u.dev for u in users(tree, deep=True)} == {"dm-0"}


def nodes() -> list[os.DirEntry[str]]:
    """Of this machine's own block devices: a tree of files can have none."""
    return [one for one in os.scandir("/dev") if not one.is_symlink() and stat.S_ISBLK(one.stat().st_mode)][:1]


def test_a_disk_by_another_name_is_known_by_its_number(tree: Tree) -> None:
    for node in nodes():
        number = os.stat(node.path).st_rdev
        tree.file("/sys/class/block/sda/dev", f"{os.major(number)}:{os.minor(number)}\n")
        process(tree, "300", "mnt:[1]", "dd")
        holds_open(tree, "300", node.path)
        assert apart(tree, "sda") == {User("sda", "process", "dd (300)")}
        assert apart(tree, "sdb") == set()


def test_a_node_in_the_tree_of_a_container_is_known_by_its_name(tree: Tree) -> None:
    process(tree, "300", "mnt:[1]", "dd")
    holds_open(tree, "300", "/srv/jail/dev/sda")
    holds_open(tree, "300", "/srv/jail/sdb")
    assert apart(tree, "sda", "sdb") == {User("sda", "process", "dd (300)")}


def test_a_loop_device_on_a_bare_disk_is_a_user(tree: Tree) -> None:
    partition(tree, "sda", "sda1", "8:1001")
    tree.file("/sys/devices/virtual/block/loop0/loop/backing_file", "/dev/sda1\n")
    tree.link("/sys/block/loop0", "/sys/devices/virtual/block/loop0")
    assert apart(tree, "sda", "sdb") == {User("sda", "loop", "loop0")}
    assert apart(tree, "sdb") == set()


@pytest.mark.parametrize("name", ["ro", "removable"])
def test_a_disk_that_the_kernel_would_ask_for_its_medium_is_not_opened(tree: Tree, name: str) -> None:
    (tree.root / "sys/block/sda/holders/dm-0").unlink()
    tree.file("/dev/sda", "")
    tree.file(f"/sys/class/block/sda/{name}", "0\n")
    assert apart(tree, "sda") == set()
    tree.file(f"/sys/class/block/sda/{name}", "1\n")
    (one,) = apart(tree, "sda")
    assert one == User("sda", inuse.UNASKED, "claim (the kernel would ask the disk for its medium)")


def test_what_is_stacked_beside_the_map_is_a_user(tree: Tree) -> None:
    partition(tree, "sda", "sda1", "8:1001")
    tree.dm("dm-7", "vg-lv", "LVM-abc")
    block(tree, "dm-7", "253:7")
    tree.link("/sys/class/block/sda/sda1/holders/dm-7", "/sys/devices/virtual/block/dm-7")
    assert apart(tree, "sda") == {User("sda", "lvm", "vg-lv")}


def test_a_disk_without_a_map_is_asked_for_its_claim(tree: Tree) -> None:
    (tree.root / "sys/block/sda/holders/dm-0").unlink()
    tree.file("/dev/sda", "")
    assert apart(tree, "sda") == set()
    tree.remove("/dev/sda")
    assert {(u.dev, u.kind) for u in apart(tree, "sda")} == {("sda", inuse.UNASKED)}
    tree.remove("/sys/class/scsi_host/host2/state")
    tree.file("/dev/sda", "")
    assert {(u.dev, u.kind) for u in apart(tree, "sda")} == {("sda", inuse.UNASKED)}
    # that nobody could be asked is no user
    alive = Host(sessions=sysfs.sessions(read := Files(str(tree.root)), {}), paths=sysfs.paths(read))
    assert not [u for u in inuse.claims(read, alive) if u.dev == "sda"]
