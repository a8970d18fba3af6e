"""Whatever holds a LUN protects it from every verb: holders times verbs, each refusal with its code and its user."""

from __future__ import annotations

import pytest

from vm import hosts, watcher
from vm.hosts import ALIASES, SITE_PATH, Prague
from vm.reader import begins

WWIDS = {alias: wwid for wwid, alias in ALIASES.items()}
NAMES = tuple(WWIDS)  # hydra_apps-a01, hydra_db-a01, hydra_db-a02, hydra_db-a03
NAME = NAMES[0]
LUN, SMALL = {name: 10 + number for number, name in enumerate(NAMES)}, 48 << 20
STATE = (hosts.KERNEL, hosts.FILES)
UNIT = "systemd-run -q --unit"
# A namespace whose "/" is the LUN, as a container's is: nothing of it is in any other mount table.
PIVOT = """
mount --make-rprivate /; mount MAP /mnt/new; cd /mnt/new; mkdir -p old usr proc; mount --rbind /usr usr
for name in bin lib lib64 sbin; do ln -sfn usr/$name $name; done; mount -t proc proc proc
pivot_root . old; umount -l /old; exec sleep 6000
"""
# What holds the map: how, what is said of it, and how one knows that it does.
MAPS = {
    "mount": ("mkfs.ext4 -q MAP; mkdir -p /mnt/a; mount MAP /mnt/a", "mount /mnt/a", ""),
    "namespace": (
        f"mkfs.ext4 -q MAP; mkdir -p /mnt/b; {UNIT} space unshare -m sh -c 'mount MAP /mnt/b && exec sleep 6000'",
        "mount /mnt/b (in the mount namespace of sleep",
        "grep -q /mnt/b /proc/$(systemctl show -P MainPID space)/mountinfo",
    ),
    "pivoted": (
        f"mkfs.ext4 -q MAP; mkdir -p /mnt/new; {UNIT} pivot unshare -m sh -ec '{PIVOT}'",
        "mount / (in the mount namespace of sleep",
        "grep -q '^sleep$' /proc/$(systemctl show -P MainPID pivot)/comm",
    ),
    "lvm": ("pvcreate -qq MAP; vgcreate -qq vg0 MAP; lvcreate -qq -W n -n data -l 4 vg0", "lvm vg0-data", ""),
    "md": ("yes | mdadm -q --create /dev/md0 --run --level=1 --raid-devices=1 --force MAP", "md md0", ""),
    "swap": ("mkswap -q MAP; swapon MAP", "swap /dev/dm-", ""),
    "dm": ("echo '0 2048 linear MAP 0' | dmsetup create above", "dm above", ""),
    "process": (f"{UNIT} holder sh -c 'exec sleep 6000 <MAP'", "process sleep (", "pgrep -x sleep"),
    "loop": ("losetup /dev/loop0 MAP", "loop loop0", ""),
    "mounted loop": (
        "losetup /dev/loop0 MAP; mkfs.ext4 -q /dev/loop0; mkdir -p /mnt/l; mount /dev/loop0 /mnt/l",
        "mount /mnt/l",
        "",
    ),
}
# What holds one disk past the map.
DISKS = {
    "disk": (f"{UNIT} holder sh -c 'exec sleep 6000 </dev/DISK'", "process sleep (", "pgrep -x sleep"),
    "disk mount": (
        "multipathd del path DISK; mkfs.ext4 -q /dev/DISK; mkdir -p /mnt/d; mount /dev/DISK /mnt/d",
        "mount /mnt/d",
        "",
    ),
}
# What nobody uses now, and what would lack a part.
MEMBERS = {
    "lvm, not active": (
        "pvcreate -qq MAP; vgcreate -qq vg0 MAP; lvcreate -qq -W n -n data -l 4 vg0; vgchange -qq -an vg0",
        "lvm volume group that is not active",
        "",
    ),
    "md, not active": (
        "yes | mdadm -q --create /dev/md0 --run --level=1 --raid-devices=1 --force MAP; mdadm -q --stop /dev/md0",
        "md array that is not active",
        "",
    ),
}
# udev wakes volume group and array when their disks come back with the login; they are put to sleep again.
ASLEEP = (
    "udevadm settle; systemctl list-jobs --plain | grep -q lvm-activate && exit 1; "
    f"vgchange -qq -an vg0; mdadm -q --stop --scan; [ $(dmsetup info -c --noheadings -o open {NAME}) = 0 ]"
)
NIC = "cat /sys/class/iscsi_session/$(readlink -f /sys/block/DISK | grep -o 'session[0-9]*')/ifacename"


def disk_of(host: Prague, name: str) -> str:
    return host.sh(f"basename -a /sys/block/$(basename $(readlink -f /dev/mapper/{name}))/slaves/*").split()[0]


def hold(host: Prague, holder: tuple[str, str, str], name: str = NAME) -> tuple[str, str]:
    """Have somebody use the LUN: (what is to be said of it, its first disk)."""
    how, said, known = holder
    disk = disk_of(host, name)
    # a failed write would be one of the holder's making
    host.sh(how.replace("MAP", f"/dev/mapper/{name}").replace("DISK", disk), timeout=120)
    if known:
        host.until(known)
    host.sh("udevadm settle")
    return said, disk


def refused(host: Prague, *argv: str, code: str, said: str = "") -> None:
    """Refused with this code, and the user is named."""
    ran = host.mpio(*argv, "--yes", "-o", "json", exits=1)
    assert ran.json["error"]["code"] == code, ran
    assert said in ran.json["error"]["message"], ran


def renamed(host: Prague, name: str) -> None:
    """`apply` of another alias: refused, and the site file is as it was afterwards."""
    before = host.text(SITE_PATH)
    host.put(SITE_PATH, before.replace(f'"{name}"', '"another"'))
    ran = host.mpio("apply", "--yes", "-o", "json", exits=1)
    assert ran.json["error"]["code"] == "MP405", ran
    host.put(SITE_PATH, before)


def dropped(host: Prague, name: str) -> None:
    """`apply` of a site without its [[lun]]: the entry stays as long as the map is open."""
    lines = f'[[lun]]\nwwid = "{WWIDS[name]}"\nalias = "{name}"\n'
    before = host.text(SITE_PATH)
    assert lines in before
    host.put(SITE_PATH, before.replace(lines, ""))
    ran = host.mpio("apply", "--yes", "-o", "json")
    assert ("MP406", name) in ran.found, ran
    host.put(SITE_PATH, before)


def shrunk(host: Prague, name: str, said: str) -> None:
    """A shrink is refused twice over: that it is one, and that somebody would lose the end."""
    host.fault("resize", str(LUN[name]), str(SMALL))
    refused(host, "lun", "resize", name, code="MP420")
    refused(host, "lun", "resize", name, "--force", "MP420", code="MP408", said=said)
    refused(host, "lun", "resize", name, "--force", "MP408", code="MP420")
    host.fault("resize", str(LUN[name]), str(64 << 20))


def last_of_eth1(host: Prague) -> str:
    """Of the two sessions one is ended: they would be renewed one after the other, which costs no map its last path."""
    host.sh(f"iscsiadm -m node -T {hosts.TARGETS[1]} -I sw-iscsi-0 --logout")
    own = "grep -lx sw-iscsi-0 /sys/class/iscsi_session/*/ifacename"
    return f"sid:{host.sh(f'basename $(dirname $({own})) | tr -dc 0-9')}"


def is_untouched(host: Prague, before: str) -> None:
    now = host.state(*STATE)
    assert now == before, "\n".join(sorted(set(now.splitlines()) ^ set(before.splitlines())))


@pytest.mark.nightly
@pytest.mark.parametrize("who", MAPS)
def test_what_holds_a_map_holds_off_every_verb(applied: Prague, who: str) -> None:
    said, _ = hold(applied, MAPS[who])
    before = applied.state(*STATE)
    cells = 0
    for verb in (("lun", "remove", NAME), ("logout",), ("teardown",), ("offline", "eth1", "eth2")):
        refused(applied, *verb, code="MP408", said=said)
        refused(applied, *verb, "--force", "MP409", code="MP408", said=said)
        cells += 2
    refused(applied, "iface", "remove", "sw-iscsi-0", code="MP314")
    shrunk(applied, NAME, said)
    renamed(applied, NAME)
    is_untouched(applied, before)
    dropped(applied, NAME)
    applied.sh(f"test -e /dev/mapper/{NAME}")
    # the last path: half of them are away
    applied.mpio("offline", "eth2", "--yes")
    for word in ("offline", "logout"):
        refused(applied, word, "eth1", code="MP408", said=said)
    refused(applied, "drill", "eth1", code="MP409")
    refused(applied, "login", last_of_eth1(applied), "--renew", code="MP408", said=said)
    cells += 10
    print(f"in use: {who}: {cells} refusals")  # noqa: T201


@pytest.mark.nightly
@pytest.mark.parametrize("who", DISKS)
def test_what_holds_a_disk_past_its_map_holds_off_every_verb(applied: Prague, who: str) -> None:
    said, disk = hold(applied, DISKS[who])
    iface = applied.sh(NIC.replace("DISK", disk)).strip()
    nic = {"sw-iscsi-0": "eth1", "sw-iscsi-1": "eth2"}[iface]
    before = applied.state(*STATE)
    for verb in (
        ("lun", "remove", NAME),
        ("logout",),
        ("logout", iface),
        ("teardown",),
        ("offline", nic),
        ("offline", nic, "--logout"),
        ("login", iface, "--renew"),
    ):
        refused(applied, *verb, code="MP408", said=said)
    if who == "disk":  # whose map is whole
        for how in ("link", "block"):
            refused(applied, "drill", nic, "--how", how, code="MP408", said=said)
    refused(applied, "iface", "remove", iface, code="MP314")
    shrunk(applied, NAME, said)
    is_untouched(applied, before)
    # An apply of a site that has dropped this iface keeps its session.
    site = applied.text(SITE_PATH)
    other = ({"sw-iscsi-0", "sw-iscsi-1"} - {iface}).pop()
    kept = site.replace(f'[[iface]]\nname = "{iface}"\nnic = "{nic}"\n', "")
    assert kept != site
    assert other in kept
    applied.put(SITE_PATH, kept)
    ran = applied.mpio("apply", "--yes", "-o", "json", exits=None)
    assert any(code == "MP310" for code, _ in ran.found), ran
    assert any(said in f["detail"] for f in ran.json["findings"] if f["code"] == "MP310"), ran
    applied.sh(f"test -e /sys/block/{disk}")
    # a watcher that is to fail sessions at once does not fail this one
    applied.put(SITE_PATH, site)
    watcher.site(applied, 'fast_fail = "link"')
    watcher.begins(applied)
    applied.fault("link-down", {"eth1": "san1", "eth2": "san2"}[nic])
    (event, *_) = watcher.says(applied, "fast_fail")
    assert "nothing is failed at once" in event["detail"], event
    assert "would get I/O errors at once" in event["detail"], event


@pytest.mark.nightly
@pytest.mark.parametrize("who", MEMBERS)
def test_a_part_of_what_is_not_active_is_kept_for_it(applied: Prague, who: str) -> None:
    """Its LUN stays, and its end. To log out harms nothing that does no I/O."""
    said, _ = hold(applied, MEMBERS[who])
    before = applied.state(*STATE)
    refused(applied, "lun", "remove", NAME, code="MP408", said=said)
    shrunk(applied, NAME, said)
    is_untouched(applied, before)
    applied.mpio("logout", "--yes")
    applied.mpio("login", "--yes", exits=None)
    applied.mpio("verify", "--wait", "90")
    applied.until(ASLEEP)
    applied.mpio("lun", "remove", NAME, "--yes", "--force", "MP408")


# -- the host's own

# PID 1's own mount table: /boot on a LUN, and a second "/" over the first, which nobody looks up any more.
OWN = {
    "boot": ("mkfs.ext4 -q MAP; mount MAP /boot", "MP319"),
    "boot on lvm": (
        (
            "pvcreate -qq MAP; vgcreate -qq vg0 MAP; lvcreate -qq -W n -n boot -l 8 vg0; mkfs.ext4 -q /dev/vg0/boot;"
            "mount /dev/vg0/boot /boot"
        ),
        "MP319",
    ),
    "root": ("mkfs.ext4 -q MAP; mount MAP /", "MP319"),
}
EVERY = [word for code in ("MP405", "MP408", "MP409", "MP414", "MP415", "MP420", "MP426") for word in ("--force", code)]


def is_kept(host: Prague, who: str) -> None:
    how, code = OWN[who]
    hold(host, (how, "", ""))
    before = host.state(*STATE)
    for verb in (("lun", "remove", NAME), ("logout",), ("teardown",), ("offline", "eth1", "eth2")):
        refused(host, *verb, *EVERY, code=code, said=f"{NAME} carries this host itself")
    is_untouched(host, before)


def test_four_that_nobody_sees_at_once(applied: Prague) -> None:
    """The short form: a root of another namespace, an array, a volume group that sleeps, the host's own."""
    holders = {
        NAMES[0]: (MAPS["pivoted"], "MP408"),
        NAMES[1]: (MAPS["md"], "MP408"),
        NAMES[2]: (MEMBERS["lvm, not active"], "MP408"),
        NAMES[3]: ((OWN["boot"][0], "mount /boot", ""), "MP319"),
    }
    said = {name: hold(applied, holder, name)[0] for name, (holder, _) in holders.items()}
    before = applied.state(*STATE)
    for name, (_, code) in holders.items():
        refused(applied, "lun", "remove", name, code=code, said=said[name])
    ran = applied.mpio("logout", "--yes", "-o", "json", *EVERY, exits=1)
    assert ran.json["error"]["code"] == "MP319", ran
    assert "MP408" not in ran.json["error"]["message"], ran
    is_untouched(applied, before)


@pytest.mark.nightly
@pytest.mark.parametrize("who", OWN)
def test_whatever_the_host_runs_from_is_let_go_by_no_force(applied: Prague, who: str) -> None:
    is_kept(applied, who)
    before = applied.state(*STATE)
    assert applied.mpio("logout", "--yes", "--force", "MP319", exits=2).code == 2
    applied.fault("resize", str(LUN[NAME]), str(SMALL))
    refused(applied, "lun", "resize", NAME, *EVERY, code="MP319")
    applied.fault("resize", str(LUN[NAME]), str(64 << 20))
    site = applied.text(SITE_PATH)
    applied.put(SITE_PATH, site.replace(f'"{NAME}"', '"another"'))
    refused(applied, "apply", "--force", "MP405", code="MP319")
    applied.put(SITE_PATH, site)
    for how in ("link", "block"):
        refused(applied, "drill", "eth1", "--how", how, *EVERY, code="MP319")
    is_untouched(applied, before)
    applied.mpio("offline", "eth2", "--yes")
    refused(applied, "login", last_of_eth1(applied), "--renew", *EVERY, code="MP319")


@pytest.mark.nightly
def test_nobody_else_is_mistaken_for_a_user(applied: Prague) -> None:
    """Readers that have gone, and the programs that look at every disk, hold nothing back."""
    begins(applied, (f"/dev/mapper/{NAME}",))
    refused(applied, "lun", "remove", NAME, code="MP408", said="process python3 (")
    applied.sh("touch /run/reader-stop")
    applied.until("test -e /run/reader-said")
    applied.mpio("lun", "remove", NAME, "--yes")
