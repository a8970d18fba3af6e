from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from trees import Tree, guide

from mpio.fastfail import moment
from mpio.files import Files
from mpio.host import Host, Nic, Pair, Portal, Session
from mpio.tools import sysfs
from mpio.watch.seen import Seen

ROOT = "22 1 {} / / rw,relatime - {} {} rw\n23 22 0:5 / /proc rw - proc proc rw\n"
ATTACH_FILTER = 26  # asm-generic/socket.h


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = guide(tmp_path)
    for dev in ("dm-0", "sda", "sdb", "sdc", "sdaa"):
        made.link(f"/sys/class/block/{dev}", f"/sys/block/{dev}")
    return made


def local(tree: Tree, dev: str, number: str) -> None:
    """A device that is no session's."""
    at = f"/sys/devices/virtual/block/{dev}"
    tree.file(f"{at}/dev", f"{number}\n")
    tree.link(f"/sys/class/block/{dev}", at)
    tree.link(f"/sys/dev/block/{number}", at)


def test_sessions_are_read_anew_and_those_that_are_gone_have_no_state(tree: Tree) -> None:
    files = Files(str(tree.root))
    seen = Seen(Host(sessions=sysfs.sessions(files, {})))
    assert moment.sessions(files, seen) == seen.host.sessions
    tree.file("/sys/class/iscsi_session/session1/state", "FREE\n")
    tree.file("/sys/class/iscsi_connection/connection2:0/local_port", "41999\n")
    tree.remove("/sys/class/iscsi_session/session10")
    now = moment.sessions(files, seen)
    assert [(s.sid, s.state) for s in now] == [(1, "FREE"), (2, "LOGGED_IN"), (3, "FAILED"), (10, "")]
    assert now[1].local_port == 41999


def test_the_sessions_of_the_root_disk(tree: Tree) -> None:
    files = Files(str(tree.root))
    local(tree, "vda1", "254:1")
    tree.file("/proc/self/mountinfo", ROOT.format("254:1", "ext4", "/dev/vda1"))
    assert moment.of_root(files) == frozenset()
    # a partition of the map
    at = "/sys/devices/virtual/block/dm-1"
    tree.dm("dm-1", "hydra_apps-a01-part1", "part1-mpath-36001")
    tree.link("/sys/class/block/dm-1", at)
    tree.link(f"{at}/slaves/dm-0", "/sys/block/dm-0")
    tree.link("/sys/dev/block/253:1", at)
    tree.file("/proc/self/mountinfo", ROOT.format("253:1", "ext4", "/dev/mapper/hydra_apps-a01-part1"))
    assert moment.of_root(files) == frozenset({1, 2, 3, 10})
    # what is mounted over it counts
    both = ROOT.format("253:1", "ext4", "/dev/dm-1") + ROOT.format("0:44", "tmpfs", "tmpfs")
    tree.file("/proc/self/mountinfo", both)
    assert moment.of_root(files) == frozenset()


def test_a_root_on_a_partition_of_one_disk_or_of_several_devices(tree: Tree) -> None:
    files = Files(str(tree.root))
    disk = "/sys/devices/platform/host2/session1/target2:0:0/2:0:0:10/block/sda"
    tree.file(f"{disk}/sda2/dev", "8:2\n")
    tree.link("/sys/class/block/sda2", f"{disk}/sda2")
    tree.link("/sys/dev/block/8:2", f"{disk}/sda2")
    tree.file("/proc/self/mountinfo", ROOT.format("8:2", "ext4", "/dev/sda2"))
    assert moment.of_root(files) == frozenset({1})
    # btrfs has a number of its own, and the mount table names one of its devices
    tree.file("/dev/sda2", "")
    tree.file("/proc/self/mountinfo", ROOT.format("0:31", "btrfs", "/dev/sda2"))
    assert moment.of_root(files) is None
    for dev in ("sda2", "sdb"):
        tree.link(f"/sys/fs/btrfs/0a1b/devices/{dev}", f"/sys/class/block/{dev}")
    tree.file("/sys/fs/btrfs/ffff/devices/vdz/size", "1\n")
    assert moment.of_root(files) == frozenset({1, 2})


@pytest.mark.parametrize(("kind", "source"), [("nfs4", "nas:/root"), ("tmpfs", "tmpfs"), ("9p", "root")])
def test_a_root_on_no_disk(tree: Tree, kind: str, source: str) -> None:
    tree.file("/proc/self/mountinfo", ROOT.format("0:31", kind, source))
    assert moment.of_root(Files(str(tree.root))) == frozenset()


@pytest.mark.parametrize(
    ("kind", "source"), [("overlay", "overlay"), ("zfs", "rpool/ROOT/x"), ("bcachefs", "/dev/sda")]
)
def test_a_root_that_nothing_leads_from_to_a_disk(tree: Tree, kind: str, source: str) -> None:
    tree.file("/proc/self/mountinfo", ROOT.format("0:31", kind, source))
    assert moment.of_root(Files(str(tree.root))) is None
    local(tree, "loop0", "7:0")
    tree.file("/proc/self/mountinfo", ROOT.format("7:0", "squashfs", "/dev/loop0"))
    assert moment.of_root(Files(str(tree.root))) is None


# -- who answers


@pytest.fixture
def door() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def reached(sid: int, portal: tuple[str, int], near: socket.socket | None = None) -> Session:
    """A session through lo, with that connection if any."""
    pair = Pair(f"sw-{sid}", Portal(*portal), "iqn.x")
    if near is None:
        return Session(sid, sid, pair, "lo", 1, "LOGGED_IN")
    port = near.getsockname()[1]
    return Session(sid, sid, pair, "lo", 1, "LOGGED_IN", None, 5, 5, "", portal[0], portal[1], port)


def of(*sessions: Session, carrier: bool = True) -> Host:
    return Host(nics=(Nic("lo", carrier=carrier),), sessions=sessions)


def test_the_doomed_are_asked_once_more_unless_their_link_is_lost(door: socket.socket) -> None:
    """A switch that comes back: whoever is asked last must not be taken for dead."""
    one = reached(1, door.getsockname())
    assert moment.answered(of(one), {1}, time.monotonic()) == {1}
    assert moment.answered(of(one, carrier=False), {1}, time.monotonic()) == set()
    door.close()
    assert moment.answered(of(one), {1}, time.monotonic()) == set()


def test_what_was_heard_before_the_loss_or_long_ago_is_no_answer(door: socket.socket) -> None:
    nowhere = ("127.0.0.1", door.getsockname()[1])
    with socket.create_connection(nowhere) as near, door.accept()[0] as far:
        door.close()  # no new connection
        one, begin = reached(1, nowhere, near), time.monotonic()

        def heard(since: float) -> bool:
            return bool(moment.answered(of(one), {1}, since))

        far.send(b"x")
        near.recv(1)
        assert heard(begin - 60)
        assert not heard(time.monotonic())
        end = time.monotonic() + 30
        while heard(begin - 60):
            assert time.monotonic() < end
        assert time.monotonic() - begin > moment.LATELY / 2


def test_carriers_are_read_anew(tree: Tree) -> None:
    files = Files(str(tree.root))
    host = Host(nics=sysfs.nics(files, {}))
    tree.file("/sys/class/net/eth1/carrier", "0\n")
    assert [n.carrier for n in moment.with_carriers(files, host).nics] == [False, True]


def test_an_idle_connection_is_of_use_and_one_whose_data_is_not_taken_is_not(door: socket.socket) -> None:
    way = door.getsockname()
    with socket.create_connection(way) as near, door.accept()[0] as far:
        one = reached(1, way, near)
        assert moment.stuck([one]) == set()
        assert moment.stuck([replace(one, noop_interval=0, noop_timeout=0)]) == set()
        deaf(far)
        near.send(b"x")
        end = time.monotonic() + 10
        while moment.stuck([one]) != {1}:
            assert time.monotonic() < end


def test_who_answers_no_sign_of_life_is_of_no_use(door: socket.socket) -> None:
    way = door.getsockname()
    with socket.create_connection(way) as near, door.accept()[0]:
        one = replace(reached(1, way, near), noop_interval=1, noop_timeout=0)
        end = time.monotonic() + 10
        while moment.stuck([one]) != {1}:
            assert time.monotonic() < end
        assert moment.stuck([replace(one, noop_interval=0)]) == set()


def deaf(far: socket.socket) -> None:
    """From now on it drops all that comes: a filter that lets nothing pass (linux/filter.h: ret #0)."""
    program = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))
    far.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(program)))
