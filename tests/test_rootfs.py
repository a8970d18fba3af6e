"""The host's own disks: recognised through whatever stands between, and let go by no --force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from test_inuse import block, host, partition, process, stacked
from trees import Tree, guide

from mpio import findings, guard, plan, rootfs
from mpio.errors import Refused, UsageError
from mpio.files import Files
from mpio.host import Host, User
from mpio.plan import ending, maps, removing, renewing, resizing, resting

SITE = fakes.guide_site()
ROOT = User("dm-0", "system", "/")
ALL = frozenset(findings.refusal_codes())
# PID 1's mount tables as real hosts have them: Debian 12 on a plain disk, on LVM over a map, on a partition of a map
# with /boot of its own, and one whose / was mounted twice (the initramfs' and the real one).
PLAIN = """\
21 27 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
22 27 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:13 - proc proc rw
27 1 8:99 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
40 27 253:0 / /srv/data rw,relatime shared:20 - xfs /dev/mapper/hydra_apps-a01 rw
"""
LVM = PLAIN.replace(
    "27 1 8:99 / / rw,relatime shared:1 - ext4 /dev/vda1", "27 1 253:2 / / rw - xfs /dev/mapper/vg-root"
)
PARTED = PLAIN.replace("8:99 / / rw", "253:1 / / rw") + "41 27 253:1 /boot /boot rw - ext4 /dev/mapper/x-part1 rw\n"
TWICE = "1 1 0:2 / / rw - rootfs rootfs rw\n" + PARTED


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = guide(tmp_path)
    block(made, "dm-0", "253:0")
    made.link("/sys/dev/block/253:0", "/sys/devices/virtual/block/dm-0")
    stacked(made, "dm-0", "dm-1", "x-part1", "part1-mpath-3600144f0f484400000004e8685e70001")
    stacked(made, "dm-1", "dm-2", "vg-root", "LVM-abc")
    for number, dev in (("253:1", "dm-1"), ("253:2", "dm-2")):
        made.link(f"/sys/dev/block/{number}", f"/sys/devices/virtual/block/{dev}")
    process(made, "1", "mnt:[1]", "systemd")
    return made


def carried(tree: Tree, table: str, pid: str = "1") -> set[User]:
    tree.file(f"/proc/{pid}/mountinfo", table)
    return set(rootfs.carried(Files(str(tree.root)), host(tree)))


def test_a_lun_that_holds_only_data_is_not_the_hosts_own(tree: Tree) -> None:
    assert carried(tree, PLAIN) == set()


@pytest.mark.parametrize("table", [LVM, PARTED, TWICE], ids=["lvm", "partition", "twice"])
def test_a_root_on_a_map_is_recognised_through_what_stands_between(tree: Tree, table: str) -> None:
    assert ROOT in carried(tree, table)


@pytest.mark.parametrize("place", ["/usr", "/var", "/boot", "/boot/efi", "/etc"])
def test_what_else_the_host_needs(tree: Tree, place: str) -> None:
    found = carried(tree, f"{PLAIN}41 27 253:2 / {place} rw - ext4 /dev/mapper/vg-x rw\n")
    assert found == {User("dm-0", "system", place)}


def test_a_root_on_one_disk_past_multipath(tree: Tree) -> None:
    (tree.root / "sys/block/sda/holders/dm-0").unlink()
    partition(tree, "sda", "sda2", "8:2")
    disk = "/sys/devices/platform/host2/session1/target2:0:0/2:0:0:10/block/sda"
    tree.link("/sys/dev/block/8:2", f"{disk}/sda2")
    assert carried(tree, "27 1 8:2 / / rw - ext4 /dev/sda2 rw\n") == {User("sda", "system", "/")}


def test_pid_1_says_what_the_hosts_root_is_whoever_asks(tree: Tree) -> None:
    process(tree, "self", "mnt:[9]")
    tree.file("/proc/self/mountinfo", PLAIN)
    assert ROOT in carried(tree, LVM)
    tree.remove("/proc/1/mountinfo")
    assert carried(tree, LVM, "self") == {ROOT}


# -- no --force


def own() -> Host:
    seen = fakes.guide_host()
    first = replace(seen.maps[0], open_count=1)
    named = (User(first.dm, "mount", "/"),)
    return replace(seen, maps=(first, *seen.maps[1:]), users=named, system=(ROOT,))


def test_no_force_takes_its_code() -> None:
    assert "MP319" not in findings.refusal_codes()
    assert findings.kind("MP319").refusal
    with pytest.raises(Refused) as stopped:
        guard.refuse(guard.against_logout(own(), own().sessions))
    assert stopped.value.code == "MP319"
    assert "--force" not in stopped.value.hint


def test_no_verb_takes_it_away_whatever_is_forced() -> None:
    host, site = own(), SITE
    pairs = plan.steps(site, host).pairs
    name, wwid = host.maps[0].name, host.maps[0].wwid
    every = [s.pair for s in host.sessions]
    kept = replace(host, paths=tuple(replace(p, dm_state="failed") if p.sid != 1 else p for p in host.paths))
    refused = {
        "logout": ending.sessions(host, host.sessions, ALL, whole=True).refused,
        "teardown": ending.teardown(made_by_mpio(host), ALL).refused,
        "offline": resting.against(host, every, ALL),
        "renew": renewing.against(kept, [s.pair for s in kept.sessions if s.sid == 1], ALL),
        "remove": removing.away(host, wwid, forced=ALL).refused,
        "shrink": resizing.way(host, wwid, {p.dev: 1 << 20 for p in host.paths if p.wwid == wwid}, ALL).refused,
    }
    codes = {verb: tuple(f.code for f in said if f.subject == name) for verb, said in refused.items()}
    assert codes == dict.fromkeys(refused, ("MP319",))
    assert pairs.planned


def made_by_mpio(host: Host) -> Host:
    made = frozenset(("record", str(n.pair)) for n in host.nodes)
    return replace(host, memory=replace(host.memory, made=made))


def test_its_name_stays_whatever_is_forced() -> None:
    host = own()
    renamed = replace(SITE, luns=(replace(SITE.luns[0], alias="another"), *SITE.luns[1:]))
    wished, refused = maps.wish(renamed, host, ALL)
    assert [f.code for f in refused] == ["MP319"]
    assert "another" not in {lun.alias for lun in wished.luns}
    # of any other LUN it is let pass
    assert maps.wish(renamed, replace(host, system=()), ALL)[1] == ()


def test_a_force_of_it_is_a_mistake() -> None:
    from mpio.commands import call

    with pytest.raises(UsageError, match="MP319 is no refusal"):
        call.made("logout").forced(["MP319"])
