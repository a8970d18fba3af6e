"""What the lab promises to those who test in it."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mpio import recording, sitefile
from mpio.lab import candidates, questions, record, rehearse, san
from mpio.lab.channel import GuestLost
from mpio.lab.guest import Guest
from mpio.replay import Replay
from mpio.tools import multipath, multipathd, sysfs
from vm import hosts
from vm.conftest import Boot

LOGIN = """
set -e
for i in 0 1; do
    iscsiadm -m iface -I sw-iscsi-$i -o new
    iscsiadm -m iface -I sw-iscsi-$i -o update -n iface.net_ifacename -v eth$((i + 1))
done
iscsiadm -m discovery -t st -p "$1" -I sw-iscsi-0 -I sw-iscsi-1
iscsiadm -m node -l
udevadm settle
"""
WWIDS = "cat /sys/class/iscsi_session/*/device/target*/*/wwid | sort | uniq -c"


@pytest.fixture
def fresh(guest: Guest) -> Guest:
    guest.restore()
    return guest


def test_streams_exit_code_and_files(fresh: Guest) -> None:
    done = fresh.sh("echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")
    data = bytes(range(256)) * 1000
    fresh.put("/root/a/b", data, 0o600)
    assert fresh.get("/root/a/b") == data
    assert fresh.check("stat", "-c", "%a", "/root/a/b") == "600\n"


@pytest.mark.everywhere
def test_the_services_are_as_after_their_installation(fresh: Guest) -> None:
    words = fresh.sh(
        "for u in iscsid.service iscsid.socket open-iscsi multipathd; do systemctl is-enabled $u; done"
    ).out
    assert words.split() == ["disabled", "enabled", "enabled", "enabled"]
    assert fresh.settle() == "running"
    assert fresh.sh("ls /etc/iscsi").out.split() == ["initiatorname.iscsi", "iscsid.conf"]


def test_every_path_carries_one_of_the_guides_wwids(fresh: Guest) -> None:
    fresh.check("sh", "-c", LOGIN, "sh", "10.10.8.90")
    counted = [line.split() for line in fresh.check("sh", "-c", WWIDS).splitlines()]
    assert counted == [["4", "naa." + lun.wwid[1:]] for lun in sorted(san.GUIDE.luns, key=lambda lun: lun.wwid)]


@pytest.mark.nightly
def test_each_fault_has_its_reverse(fresh: Guest) -> None:
    connect = "import socket; socket.create_connection(('10.10.9.90', 3260), 2)"
    target = san.GUIDE.targets[1].name

    def reaches() -> bool:
        return fresh.run(("python3", "-c", connect)).code == 0

    def comes_back() -> bool:
        """A link needs a moment until its peer's address is known again; each try has 2 s of its own."""
        end = time.monotonic() + 30
        while not reaches():
            if time.monotonic() > end:
                return False
        return True

    pairs = [
        (("link-down", "san2"), ("link-up", "san2")),
        (("silence", "10.10.9.90:3260"), ("unsilence", "10.10.9.90:3260")),
        (("mute", "10.10.9.20"), ("unmute", "10.10.9.20")),
        (("portal-remove", target, "10.10.9.90:3260"), ("portal-add", target, "10.10.9.90:3260")),
    ]
    assert reaches()
    for fault, reverse in pairs:
        fresh.check("lab-san", "fault", *fault)
        assert not reaches(), fault
        fresh.check("lab-san", "fault", *reverse)
        assert comes_back(), reverse
        fresh.check("lab-san", "fault", *fault)
        fresh.check("lab-san", "heal")
        assert comes_back(), ("heal", fault)


def test_a_checkpoint_brings_back_disk_and_memory(fresh: Guest) -> None:
    fresh.check("sh", "-c", "touch /root/later; systemctl stop multipathd.socket multipathd")
    fresh.restore()
    assert fresh.sh("test -e /root/later").code == 1
    assert fresh.check("systemctl", "is-active", "multipathd") == "active\n"


@pytest.mark.nightly
def test_another_san_over_ipv6_is_there_again_after_a_reboot(boot: Boot) -> None:
    guide = san.GUIDE
    layout = replace(
        guide,
        links=(
            replace(guide.links[0], nic_addresses=("fd00:8::20/64",), end_addresses=("fd00:8::90/64",)),
            guide.links[1],
        ),
        targets=(san.Target(guide.targets[0].name, ("[fd00:8::90]:3260", "10.10.9.90:3260"), luns=(10, 300)),),
        luns=(guide.luns[0], *san.luns(2, first=300)),
    )
    own = boot(layout)
    wwids = {"naa." + layout.luns[0].wwid[1:], "naa." + layout.luns[1].wwid[1:]}
    listing = "iscsiadm -m discovery -t st -p 10.10.9.90"
    assert "[fd00:8::90]:3260,1" in own.check("sh", "-c", listing)
    own.check(
        "sh", "-c", "iscsiadm -m node -o update -n node.startup -v automatic; iscsiadm -m node -l; udevadm settle"
    )
    assert {line.split()[1] for line in own.check("sh", "-c", WWIDS).splitlines()} == wwids
    own.put("/root/kept", b"over a reboot")
    own.reboot()
    assert own.get("/root/kept") == b"over a reboot"
    assert len(own.check("iscsiadm", "-m", "session").splitlines()) == 2
    assert {line.split()[1] for line in own.check("sh", "-c", WWIDS).splitlines()} == wwids


@pytest.mark.nightly
def test_a_guest_that_dies_is_lost_and_no_exit_code(boot: Boot) -> None:
    own = boot(san.GUIDE)
    with pytest.raises(GuestLost):
        own.sh("echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; sleep 60")
    own.machine.ask("quit")
    with pytest.raises(GuestLost):
        own.sh("true")


@pytest.mark.nightly
def test_a_site_file_is_rehearsed(release: str, boot: Boot) -> None:
    """With all that makes a SAN of its own: CHAP, an IPv6 portal, three subnets over two NICs."""
    chap = '[san.chap]\nusername = "prague"\npassword_file = "/etc/mpio/chap"\n'
    text = hosts.SITE.replace('"10.10.9.90"', '"10.10.9.90", "[fd00:7::90]:3261"').replace(
        "[network]", chap + "[network]"
    )
    heard: list[bytes] = []
    site = sitefile.parse(text, "site.toml")
    code, page = rehearse.run(site, text, release, lambda _, data: heard.append(data))
    said = b"".join(heard).decode()
    assert code == 0, said
    assert all(alias in page for alias in hosts.ALIASES.values())
    assert all(thing in said for thing in ("eth1", "eth2", "10.10.8.90:3260", "[fd00:7::90]:3261")), said


@pytest.mark.nightly
def test_what_mpio_asks_is_what_the_lab_records(guest: Guest) -> None:
    host = hosts.applied(guest)
    for verb in (("status",), ("plan",), ("verify",)):
        host.mpio(*verb, "--record", "/root/kept", exits=None)
    asked = set()
    for name in host.sh("ls /root/kept").split():
        argv = recording.load(host.text(f"/root/kept/{name}")).argv
        asked.add(tuple(re.sub("^if=/dev/sd[a-z]+$", "if=/dev/sda", word) for word in argv))
    calls = {**questions.questions(record.site()), **candidates.keywords()}
    known = {recording.mask_argv(call.argv) for call in calls.values()}
    assert asked <= known, asked - known
    assert ("multipathd", "show", "maps", "json") in asked


def test_the_lab_records_what_a_guest_says(guest: Guest, tmp_path: Path) -> None:
    host = hosts.applied(guest)
    calls = {
        "maps": questions.call(multipathd.maps),
        "t": questions.call(multipath.installed),
        "sysfs": questions.tree(questions.SYSFS),
    }
    said = record.Recorder(guest, tmp_path, {"distribution": "any"}).keep("sane", calls)
    assert {view.name for view in multipathd.maps(said)} == set(hosts.ALIASES.values())
    assert multipathd.maps(Replay.folder(tmp_path / "sane")) == multipathd.maps(said)
    assert recording.load((tmp_path / "sane/t").read_text()).out == host.sh("multipath -t")
    seen = sysfs.maps(recording.tree(recording.load((tmp_path / "sane/sysfs").read_text()).out))
    assert {mapped.name for mapped in seen} == set(hosts.ALIASES.values())
