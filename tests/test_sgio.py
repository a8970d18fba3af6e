"""SCSI commands to disks: what the kernel is given and gives back, and a kernel that gives nothing back."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mpio import sgio
from mpio.sgio import Question, Reply

SENSE = bytes((0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x25, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("status", "host", "said"),
    [(0, 0, Reply(b"disk" + bytes(4), b"")), (2, 0, Reply(b"", SENSE)), (0, 1, Reply())],
)
def test_a_command_and_its_reply(status: int, host: int, said: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's side of struct sg_io_hdr (scsi/sg.h)."""
    layout = struct.Struct("iiBBHIPPPIIiPBBBBHHiII4x")
    assert layout.size == 88

    def kernel(fd: int, number: int, header: bytearray) -> None:
        words = list(layout.unpack(header))
        assert (fd, number, words[0], words[1], words[5]) == (7, 0x2285, ord("S"), -3, 8)
        assert (ctypes.string_at(words[7], words[2]), words[9]) == (b"\x12\x01\x83", 30000)
        if not status and not host:
            ctypes.memmove(words[6], b"disk", 4)
        if status:
            ctypes.memmove(words[8], SENSE, len(SENSE))
            words[16] = min(words[3], len(SENSE))
        words[13], words[17] = status, host
        header[:] = layout.pack(*words)

    monkeypatch.setattr(fcntl, "ioctl", kernel)
    assert sgio._sent(7, Question(b"\x12\x01\x83", 8)) == said


def test_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sgio, "_sent", lambda _, asked: Reply(asked.command * 100, b"s"))
    asked = [Question(b"ab", 9), Question(b"", 9)]
    disks = {f"sd{number}": os.devnull for number in range(300)}
    assert sgio.replies(disks, asked) == dict.fromkeys(disks, (Reply(b"ab" * 100, b"s"), Reply(b"", b"s")))
    assert sgio.replies({}, asked) == {}


def test_a_disk_that_holds_whoever_asks_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIFO nobody writes to stands for it: the answer of the others is there all the same, and nothing waits."""
    os.mkfifo(tmp_path / "silent")
    quick = {"sda": "/dev/null", "sdb": str(tmp_path / "silent")}

    def sent(fd: int, asked: Question) -> Reply:
        if os.path.samestat(os.fstat(fd), os.stat(tmp_path / "silent")):
            os.open(tmp_path / "silent", os.O_WRONLY)
            os.set_blocking(fd, True)
            os.read(fd, 1)
        return Reply(asked.command, b"x")

    monkeypatch.setattr(sgio, "_sent", sent)
    monkeypatch.setattr(sgio, "LIMIT", 1.0)
    began = time.monotonic()
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert sgio.replies(quick, [Question(b"ab", 9)]) == {"sda": (Reply(b"ab", b"x"),)}
    assert time.monotonic() - began < 10
    with (tmp_path / "lock").open("w") as again:  # the child holds nothing of its parent's
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_child_goes_with_whoever_kills_its_parent() -> None:
    """Else the next verb would find the disks in use, by a process of mpio's own."""
    asks = (
        "import os, sys, time; from mpio import sgio; print(os.getpid(), flush=True); "
        "sgio._sent = lambda fd, asked: time.sleep(60); "
        "sgio.replies({'sda': '/dev/null'}, [sgio.Question(b'ab', 9)], 60)"
    )
    with subprocess.Popen([sys.executable, "-c", asks], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        children = Path(f"/proc/{pid}/task/{pid}/children")
        until(lambda: bool(children.read_text().split()))
        (child,) = children.read_text().split()
        parent.kill()
    until(lambda: not runs(child))


def runs(pid: str) -> bool:
    """A process whose new parent has not yet taken notice of its end runs no more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not met():
        assert time.monotonic() < end
        time.sleep(0.01)
