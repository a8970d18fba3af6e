"""A LUN that grows under its file system, one that is taken away, and whoever uses one kept from harm."""

from __future__ import annotations

import json

import pytest

from vm import hosts
from vm.hosts import ALIASES, SITE, SITE_PATH, TARGETS, Prague

WWID, NAME = next(iter(ALIASES.items()))
LUN = 10
OLD, NEW = 64 << 20, 96 << 20
MAP = f"/dev/mapper/{NAME}"
STATE = (hosts.FILES, hosts.KERNEL, hosts.UNITS)
MOUNT = f"mkfs.ext4 -q {MAP} && mkdir -p /mnt/a && mount {MAP} /mnt/a"
DATA = "head -c 20000000 /dev/urandom >/mnt/a/data && sync && sha256sum /mnt/a/data >/root/sum"
ROOM = "df -k --output=size /mnt/a | tail -1"
IN_MAP = f"basename -a /sys/block/$(basename $(readlink -f {MAP}))/slaves/*"
DISKS = f"grep -l {WWID[1:]} /sys/block/sd*/device/wwid | cut -d/ -f4"
SIZES = f"cat /sys/block/$(basename $(readlink -f {MAP}))/size; dmsetup table {NAME} | cut -d' ' -f2"
# One scan after the other, as long as nobody says stop.
SCANS = """
while [ ! -e /run/scans-stop ]; do iscsiadm -m session -R >/dev/null 2>&1; echo scan >>/run/scans; done
"""
UNIT = "systemd-run -q --unit user"
# Who may use a LUN, and what is said of it.
USERS = {
    "mount": (MOUNT, "mount /mnt/a"),
    "namespace": (
        f"mkfs.ext4 -q {MAP}; mkdir -p /mnt/b; {UNIT} unshare --mount sh -c 'mount {MAP} /mnt/b && exec sleep 600'",
        "mount /mnt/b",
    ),
    "volume": (
        f"pvcreate -qq {MAP} && vgcreate -qq vg0 {MAP} && lvcreate -qq -W n -n data -l 4 vg0",
        "lvm vg0-data",
    ),
    "process": (f"{UNIT} sh -c 'exec sleep 600 <{MAP}'", "process sleep ("),
    "disk": (f"{UNIT} sh -c 'exec sleep 600 </dev/DISK'", "process sleep ("),
    "swap": (f"mkswap -q {MAP} && swapon {MAP}", "swap /dev/dm-"),
}


def use(host: Prague, who: str) -> str:
    """Have somebody use the LUN; what mpio is to say of it."""
    how, said = USERS[who]
    host.sh(how.replace("DISK", host.sh(IN_MAP).split()[0]))
    if UNIT in how:
        host.until("systemctl is-active -q user && sleep 1")
    if who == "namespace":
        host.until("grep -q /mnt/b /proc/$(systemctl show -P MainPID user)/mountinfo")
    host.sh("udevadm settle")
    return said


def refused(host: Prague, *argv: str, code: str = "MP408", before: str = "") -> str:
    """The verb is refused with this code and leaves all as it was; what it says."""
    before = before or host.state(*STATE)
    ran = host.mpio(*argv, "--yes", "-o", "json", exits=1)
    assert ran.json["error"]["code"] == code, ran
    assert host.state(*STATE) == before, ran
    message: str = ran.json["error"]["message"]
    return message


def is_gone(host: Prague) -> None:
    """By the words of others: no map, no WWID, no entry, no [[lun]], nothing remembered."""
    assert NAME not in host.sh("dmsetup ls; multipathd show maps; multipathd show config local")
    assert WWID not in host.sh("grep -v '^#' /etc/multipath/wwids; dmsetup info -c --noheadings -o uuid")
    files = f"{SITE_PATH} /etc/multipath/conf.d/90-mpio.conf /var/lib/mpio/memory.json"
    assert WWID not in host.sh(f"cat {files}")


def stays_gone(host: Prague) -> None:
    """No plan brings it back, and the same verb finds nothing to do."""
    assert host.mpio("plan", "-o", "json").json["steps"] == []
    assert host.mpio("lun", "remove", WWID, "-o", "json").json["done"] == []
    again = host.mpio("lun", "remove", NAME, "--yes", "-o", "json", exits=2)
    assert again.json["error"]["code"] == "unknown-name", again
    is_gone(host)


@pytest.mark.nightly
def test_a_lun_grows_under_its_file_system_and_goes_when_it_is_free(applied: Prague) -> None:
    applied.sh(f"{MOUNT} && {DATA}")
    small = int(applied.sh(ROOM))
    applied.fault("resize", str(LUN), str(NEW))
    grown = applied.mpio("lun", "resize", NAME, "--yes", "-o", "json")
    assert (grown.json["was"], grown.json["size"], grown.json["left"]) == (OLD, NEW, []), grown
    (said,) = grown.json["findings"]
    assert (said["code"], said["detail"]) == ("MP421", f"ext4: resize2fs {MAP}"), grown
    assert {int(x) for x in applied.sh(SIZES).split()} == {NEW >> 9}
    applied.sh(f"resize2fs {MAP} && sha256sum -c --quiet /root/sum")
    assert int(applied.sh(ROOM)) > small * 1.4

    assert "mount /mnt/a" in refused(applied, "lun", "remove", NAME)
    applied.sh("umount /mnt/a")
    gone = applied.mpio("lun", "remove", NAME, "--yes", "-o", "json")
    assert (gone.json["left"], gone.found) == ([], {("MP422", NAME)}), gone
    assert applied.guest.sh(DISKS).out == ""
    is_gone(applied)


@pytest.mark.nightly
@pytest.mark.parametrize("who", USERS)
def test_nothing_ends_under_its_user(applied: Prague, who: str) -> None:
    said = use(applied, who)
    before = applied.state(*STATE)
    for verb in (("lun", "remove", NAME), ("logout",), ("teardown",)):
        assert said in refused(applied, *verb, before=before), verb


@pytest.mark.nightly
def test_what_forbids_a_resize(applied: Prague) -> None:
    applied.mpio("lun", "remove", NAME, exits=2)  # no --yes, no terminal
    idle = applied.mpio("lun", "resize", NAME, "-o", "json")
    assert (idle.json["done"], idle.json["findings"], idle.json["size"]) == ([], [], OLD), idle
    assert "did not grow" in applied.mpio("lun", "resize", NAME).err
    near = applied.mpio("lun", "resize", "hydra_apps", "--yes", "-o", "json", exits=2)
    assert NAME in near.json["error"]["hint"], near

    applied.fault("resize", str(LUN), str(NEW))
    # a path that nobody could ask
    applied.sh(f"iscsiadm -m node -T {TARGETS[1]} -I sw-iscsi-1 --logout")
    missing = refused(applied, "lun", "resize", NAME, code="MP419")
    assert "sw-iscsi-1 -> " in missing
    assert TARGETS[1] in missing
    applied.mpio("login", "--yes")
    # nobody is let loose on a suspended map
    applied.sh(f"dmsetup suspend --noflush {NAME}")
    refused(applied, "lun", "resize", NAME, code="MP423")
    applied.sh(f"dmsetup resume {NAME}")
    # killed between its rescans and the map
    applied.sh(f"""
        mpio lun resize {NAME} --yes >/dev/null 2>&1 & mpio=$!
        until grep -qx {NEW >> 9} /sys/block/sd*/size; do kill -0 $mpio; done
        kill -KILL $mpio
    """)
    done = applied.mpio("lun", "resize", NAME, "--yes", "-o", "json")
    assert (done.json["size"], done.json["left"]) == (NEW, []), done
    assert {int(x) for x in applied.sh(SIZES).split()} == {NEW >> 9}
    assert set(applied.sh(f"for d in $({IN_MAP}); do cat /sys/block/$d/size; done").split()) == {str(NEW >> 9)}
    # a shrink that is insisted on goes only with a map that nobody uses
    applied.sh(MOUNT)
    applied.fault("resize", str(LUN), str(OLD))
    assert str(OLD) in refused(applied, "lun", "resize", NAME, code="MP420")
    refused(applied, "lun", "resize", NAME, "--force", "MP420")
    applied.sh("umount /mnt/a")
    applied.mpio("lun", "resize", NAME, "--yes", "--force", "MP420")
    assert {int(x) for x in applied.sh(SIZES).split()} == {OLD >> 9}


@pytest.mark.nightly
@pytest.mark.parametrize("way", ["strict", "greedy"])
def test_a_scan_beside_it_brings_no_map_back(applied: Prague, way: str) -> None:
    if way != "strict":
        applied.put(SITE_PATH, SITE.replace("[multipath]\n", f'[multipath]\nfind_multipaths = "{way}"\n'))
        applied.mpio("apply", "--yes")
    applied.put("/root/scans.sh", SCANS)
    applied.sh("systemd-run -q --unit scans sh /root/scans.sh")
    applied.until("test -s /run/scans")
    gone = applied.mpio("lun", "remove", NAME, "--yes", "-o", "json", exits=None, timeout=600)
    scans = len(applied.text("/run/scans").splitlines())
    assert scans > 5, scans
    assert ("MP422", NAME) in gone.found, gone
    if way == "strict":
        assert (gone.code, gone.json["left"]) == (0, []), gone
        applied.sh("sleep 6")  # more than a round of multipathd's checkers
        is_gone(applied)
        applied.sh("touch /run/scans-stop")
    else:
        # here only the array can stop it, and that is what is said
        applied.sh("touch /run/scans-stop")
        assert gone.code == (1 if gone.json["left"] else 0), gone
    applied.until("! systemctl is-active -q scans")
    for target in TARGETS:
        applied.fault("unmap", target, str(LUN))
    applied.mpio("lun", "remove", WWID, "--yes", timeout=600)
    is_gone(applied)
    applied.sh("iscsiadm -m session -R; udevadm settle")
    assert applied.guest.sh(DISKS).out == ""
    stays_gone(applied)


@pytest.mark.nightly
def test_a_lun_without_a_path_is_removed_too(applied: Prague) -> None:
    """Unmapped on the array first, which is the wrong order: its map only queues any more."""
    for target in TARGETS:
        applied.fault("unmap", target, str(LUN))
    applied.until(f"multipathd show maps raw format '%n %N' | grep -q '^{NAME} *0 *$'", 120)
    gone = applied.mpio("lun", "remove", NAME, "--yes", "-o", "json")
    assert any("disablequeueing" in step for step in gone.steps("done")), gone
    is_gone(applied)


# What the host shows at the moment of the kill.
POINTS = {
    "site file": f"! grep -q {WWID} {SITE_PATH}",
    "registration": f"! grep -q ^/{WWID} /etc/multipath/wwids",
    "map": f"! test -e {MAP}",
    "disks": f"test $({DISKS} | wc -l) -lt 4",
    "drop-in": f"! grep -q {WWID} /etc/multipath/conf.d/90-mpio.conf",
}
KILL = """
mpio lun remove "$1" --yes >/run/said 2>&1 & mpio=$!
until sh -c "$2"; do kill -0 $mpio || exit 8; done
kill -KILL $mpio; wait $mpio
cat /run/said
"""


@pytest.mark.nightly
@pytest.mark.parametrize("after", ["itself", "apply"])
@pytest.mark.parametrize("point", POINTS)
def test_a_removal_that_is_killed_is_finished(applied: Prague, point: str, after: str) -> None:
    done = applied.guest.run(("sh", "-c", KILL, "sh", NAME, POINTS[point]), timeout=120)
    assert done.code in (0, 137), done
    if after == "apply":
        applied.mpio("apply", "--yes", timeout=600)
        assert WWID not in json.dumps(applied.mpio("plan", "-o", "json").json)
    applied.mpio("lun", "remove", WWID, "--yes")
    stays_gone(applied)
