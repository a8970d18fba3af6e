"""A host that has run out of something: each verb ends in a sentence, loses nothing, and the next apply is enough."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mpio.lab.guest import Guest
from vm import hosts
from vm.hosts import ALIASES, SITE, SITE_PATH, Prague, Ran
from vm.readback import is_as_the_site_says

SOUND = Path(__file__).with_name("sound.py").read_bytes()
WWID, ALIAS = list(ALIASES.items())[3]
THREE = SITE.replace(f'[[lun]]\nwwid = "{WWID}"\nalias = "{ALIAS}"\n', "")
BUNDLE = "/dev/shm/bundle.tar.gz"
VERBS = (
    ("apply", "--yes"),
    ("verify",),
    ("status",),
    ("lun", "add", WWID, "--alias", ALIAS, "--yes"),
    ("support", BUNDLE),
)
LIMIT = 120.0  # seconds that a verb may take, on an idle machine, whatever is missing
# so many KiB are left on the root's file system
FILL = """
fallocate -l $(($(df -B1 --output=avail / | tail -1) - 1048576)) /fill-1
dd if=/dev/zero of=/fill-2 bs=4k 2>/dev/null || true
sync; truncate -s -{left}K /fill-2
"""
# /etc as it is, on a file system that takes two more files
INODES = """
mkdir -p /mnt/etc; mount -t tmpfs -o size=64m,nr_inodes=$(($(find /etc | wc -l) + 4)) etc /mnt/etc
cp -a /etc/. /mnt/etc; mount --bind /mnt/etc /etc
"""
READ_ONLY = "mkdir -p {0}; mount --bind {0} {0}; mount -o remount,ro,bind {0}"
SMALL = "mkdir -p {0}; mount -t tmpfs -o size=4k,mode=700 small {0}; dd if=/dev/zero of={0}/fill 2>/dev/null || true"
UDEV = "systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udevd.service"
MULTIPATHD, ISCSID = "multipathd.socket multipathd.service", "iscsid.socket iscsid.service"
# What is taken away, and how it comes back.
FAULTS = {
    **{f"disk, {left} KiB left": (FILL.format(left=left), "rm -f /fill-1 /fill-2") for left in (0, 8, 16, 32, 64, 128)},
    "etc read-only": (READ_ONLY.format("/etc"), "umount /etc"),
    "inodes": (INODES, "mount -o remount,nr_inodes=100000 /mnt/etc"),
    "var read-only": (READ_ONLY.format("/var/lib/mpio"), "umount /var/lib/mpio"),
    "var full": (SMALL.format("/var/lib/mpio"), "umount /var/lib/mpio"),
    "database read-only": (READ_ONLY.format("{database}"), "umount {database}"),
    "run full": ("dd if=/dev/zero of=/run/fill bs=64k 2>/dev/null || true", "rm /run/fill"),
    "run read-only": (READ_ONLY.format("/run/mpio"), "umount /run/mpio"),
    "udev": (f"systemctl stop {UDEV}", f"systemctl start {UDEV}; udevadm trigger --action=add"),
    "multipathd": (f"systemctl mask -q --runtime --now {MULTIPATHD}", f"systemctl unmask -q --runtime {MULTIPATHD}"),
    "iscsid": (f"systemctl mask -q --runtime --now {ISCSID}", f"systemctl unmask -q --runtime {ISCSID}"),
}
# What `verify` calls what is away.
NAMED = {"udev": "MP135", "multipathd": "MP105", "iscsid": "MP105"}
# What the guest's /usr/local/bin/mpio starts: its shell ends with 2 where there is no descriptor 10.
ITSELF = ("env", "PYTHONPATH=/opt/mpio/src:/opt/mpio/lib", "/usr/bin/python3", "-m", "mpio")
# What the verb itself may have.
RATIONS = {
    **{f"{n} descriptors": ("prlimit", f"--nofile={n}") for n in (8, 12, 16, 32)},
    **{f"{n} MiB": ("prlimit", f"--as={n << 20}") for n in (24, 40, 60, 90, 120)},
    **{
        f"{n} tasks": (
            "systemd-run",
            "-q",
            "--collect",
            "--wait",
            "--pipe",
            "-p",
            f"TasksMax={n}",
            "-p",
            "WorkingDirectory=/",
        )
        for n in (1, 2, 3, 5)
    },
}


def is_said(ran: Ran, limit: float = LIMIT * 4) -> None:
    """A documented end in bounded time; what could not be done is one sentence with a way out."""
    assert "Traceback" not in ran.out + ran.err, ran
    assert "Exception ignored" not in ran.err, ran
    assert ran.code in (0, 1, 2, 3, 4, 5), ran
    assert ran.seconds < limit, ran
    if ran.code == 1 and not ran.out:
        said = [line for line in ran.err.splitlines() if line.startswith("mpio: ")]
        assert said, ran
        assert ran.err.splitlines()[-1].startswith("  "), ran


def is_sound(host: Prague, how: str = "killed") -> None:
    """Every file is the old one or the new one: those that iscsiadm and multipath wrote are theirs."""
    said = json.loads(host.guest.check("python3", "-", how, stdin=SOUND, timeout=120))
    assert [line for line in said if not line.startswith("others:")] == [], said


def ends_well(host: Prague) -> None:
    ran = host.mpio("apply", "--yes", exits=None, timeout=600)
    assert ran.code in (0, 4), ran
    if ALIAS not in host.text(SITE_PATH):
        host.mpio("lun", "add", WWID, "--alias", ALIAS, "--yes", timeout=300)
    host.mpio("verify", "--wait", "120", timeout=400)
    assert host.mpio("plan", "-o", "json").json["steps"] == []
    is_as_the_site_says(host)
    is_sound(host, "whole")


@pytest.mark.nightly
@pytest.mark.parametrize("name", FAULTS)
def test_from_nothing_without(guest: Guest, name: str) -> None:
    host = hosts.bare(guest)
    host.put(SITE_PATH, THREE)
    away, back = (words.replace("{database}", host.database) for words in FAULTS[name])
    host.sh(away, timeout=180)
    ends = []
    for words in VERBS:
        ran = host.mpio(*words, exits=None, timeout=600)
        is_said(ran)
        assert words[0] != "verify" or NAMED.get(name, "") in ran.out, ran
        ends.append(f"{words[0]} {ran.code}")
    is_sound(host)
    host.sh(back, timeout=180)
    print(f"without: {name}: {', '.join(ends)}")  # noqa: T201
    ends_well(host)


@pytest.mark.nightly
@pytest.mark.parametrize("name", RATIONS)
def test_with_no_more_than(guest: Guest, name: str) -> None:
    host = hosts.bare(guest)
    host.put(SITE_PATH, THREE)
    ends = []
    for words in (*VERBS, ("watch", "--event")):
        ran = rationed(host, RATIONS[name], words)
        is_said(ran)
        ends.append(f"{words[0]} {ran.code}")
    is_sound(host)
    print(f"with no more than: {name}: {', '.join(ends)}")  # noqa: T201
    ends_well(host)


def rationed(host: Prague, ration: tuple[str, ...], words: tuple[str, ...]) -> Ran:
    """One call in its limits; Python's own end, before it got as far as mpio, is none of mpio's."""
    done = host.guest.run((*ration, *ITSELF, *words), timeout=600)
    early = "init_import_site" in done.err or "_run_module_as_main" in done.err or "<frozen" in done.err
    return Ran(words, 1, "", "mpio: \n  ", 0.0) if early else Ran(words, done.code, done.out, done.err, 0.0)


@pytest.mark.nightly
def test_a_watcher_on_a_full_disk_goes_on(applied: Prague) -> None:
    applied.sh(FAULTS["disk, 0 KiB left"][0])
    applied.sh("systemd-run -q --unit watched -p StandardOutput=file:/dev/shm/said mpio watch -o jsonl")
    applied.until("grep -q started /dev/shm/said")
    applied.fault("link-down", "san1")
    applied.until("grep -q link_down /dev/shm/said")
    applied.sh("systemctl stop watched; ! journalctl -u watched | grep -q Traceback")
    applied.fault("link-up", "san1")
    applied.sh("rm -f /fill-1 /fill-2")
    applied.mpio("verify", "--wait", "120", timeout=400)


def test_a_full_disk_costs_no_file(applied: Prague) -> None:
    """The short form: two files to write, no room for them, and the memory stays what it was."""
    applied.sh("rm /etc/multipath/conf.d/90-mpio.conf /etc/sysctl.d/99-zz-mpio.conf")
    before = applied.text("/var/lib/mpio/memory.json")
    away, back = FAULTS["disk, 0 KiB left"]
    applied.sh(away)
    ran = applied.mpio("apply", "--yes", exits=None)
    is_said(ran)
    assert "No space left on device" in ran.out + ran.err, ran
    for words in (("verify", "--nagios"), ("status",)):
        is_said(applied.mpio(*words, exits=None))
    assert applied.text("/var/lib/mpio/memory.json") == before
    applied.sh(f"test ! -s /etc/multipath/conf.d/90-mpio.conf; {back}")
    assert applied.mpio("apply", "--yes", exits=None).code in (0, 4)
    assert applied.mpio("plan", "-o", "json").json["steps"] == []
    is_sound(applied)
