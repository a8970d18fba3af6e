"""SCSI commands sent to disks past their queues, by a child that is left behind where the kernel holds it.

A disk whose target has fallen silent holds whoever asks it until its session's recovery time is over (by the stock
value 2 minutes), and nobody can end a process, or leave a thread, that the kernel holds. A look must not wait for that.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import struct
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

LIMIT = 5.0  # seconds for all disks together; one with nothing else to do answers in milliseconds
TIMED = 0.8  # seconds that a disk's timed questions may take together before the rest of them is left out
SG_IO = 0x2285  # include/scsi/sg.h
PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
FROM_DEVICE = -3
# Milliseconds, as the kernel gives a read (SD_TIMEOUT): a shorter limit would have it reset a LUN, and with that
# everybody's I/O to it, on an array that is only slow.
PATIENCE = 30000
# sg_io_hdr: interface_id dxfer_direction cmd_len mx_sb_len iovec_count dxfer_len dxferp cmdp sbp timeout flags pack_id
# usr_ptr status masked_status msg_status sb_len_wr host_status driver_status resid duration info
_HEADER = "iiBBHIPPPIIiPBBBBHHiII0P"  # padded to its end as a struct is
_STATUS, _WRITTEN, _HOST, _DRIVER = 13, 16, 17, 18
_SENSE = 32
_GOOD = 0


@dataclass(frozen=True, slots=True)
class Question:
    """A command, and how many bytes its reply may have; one that is only timed keeps none of them."""

    command: bytes
    room: int
    timed: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """`data` is empty where the disk did not answer with GOOD; `sense` may say why. `seconds` is what a timed question
    took, 0 where it was not answered so.
    """

    data: bytes = b""
    sense: bytes = b""
    seconds: float = field(default=0.0, compare=False)


def replies(places: Mapping[str, str], asked: Sequence[Question], limit: float = LIMIT) -> dict[str, tuple[Reply, ...]]:
    """The replies of each disk that answers within `limit` seconds, in the order of the questions; `places` maps its
    name to its file.

    A fork, not a new interpreter: there is nothing to start. A disk's line is one write, whole as long as it is no
    larger than a page.
    """
    if not places:
        return {}
    ours, theirs = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _ask(places, asked, theirs, parent)
    os.close(theirs)
    ended = False
    try:
        said, ended = _heard(ours, limit)
    finally:
        os.close(ours)
        if not ended:
            os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0 if ended else os.WNOHANG)
    # A line that the time cut off has no end.
    return dict(parse_line(line) for line in said.split("\n")[:-1])


def _heard(end: int, limit: float) -> tuple[str, bool]:
    """What comes through the pipe until everybody has closed it, or the time is up."""
    until, said = time.monotonic() + limit, bytearray()
    poll = select.poll()
    poll.register(end, select.POLLIN)
    while (left := until - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            chunk = os.read(end, 1 << 16)
            if not chunk:
                return said.decode(), True
            said += chunk
    return said.decode(), False


def parse_line(line: str) -> tuple[str, tuple[Reply, ...]]:
    """What the child says of one disk; ValueError for anything else."""
    name, *words = line.split(" ")
    parts = ((word + ":0").split(":") for word in words)
    return name, tuple(Reply(bytes.fromhex(p[0]), bytes.fromhex(p[1]), int(p[2][:18]) / 1e6) for p in parts)


# -- the child -----------------------------------------------------------------------------------------------------


def _ask(places: Mapping[str, str], asked: Sequence[Question], end: int, parent: int) -> None:
    """The child's whole life: a thread a disk, so that a silent one holds up no other."""
    try:
        # Whoever kills the parent shall not find the disks in use by its child. (It follows the thread that forked,
        # which waits for it.)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
        os.setsid()
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_DFL)
        # Left behind it must hold nothing of its parent's: no lock, and no pipe that somebody reads to its end.
        end = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3)
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        for number in map(int, os.listdir("/proc/self/fd")):
            if number not in (0, 1, 2, end):
                with contextlib.suppress(OSError):
                    os.close(number)
        threads = [threading.Thread(target=_one, args=(*at, asked, end), daemon=True) for at in places.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        os._exit(0)


def _one(name: str, place: str, asked: Iterable[Question], end: int) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        said: list[Reply] = []
        for question in asked:
            slow = question.timed and sum(reply.seconds for reply in said) > TIMED
            said.append(Reply() if slow else _sent(fd, question))
        os.close(fd)
        words = (f"{reply.data.hex()}:{reply.sense.hex()}:{reply.seconds * 1e6:.0f}" for reply in said)
        os.write(end, f"{' '.join((name, *words))}\n".encode())


def _sent(fd: int, asked: Question) -> Reply:
    block = ctypes.create_string_buffer(asked.command, len(asked.command))
    reply, sense = ctypes.create_string_buffer(asked.room), ctypes.create_string_buffer(_SENSE)
    places = (ctypes.addressof(reply), ctypes.addressof(block), ctypes.addressof(sense))
    head = (ord("S"), FROM_DEVICE, len(asked.command), _SENSE, 0, asked.room, *places, PATIENCE, 0, 0, 0)
    header = bytearray(struct.pack(_HEADER, *head, *[0] * 9))
    begin = time.monotonic()
    fcntl.ioctl(fd, SG_IO, header)
    took = time.monotonic() - begin
    words = struct.unpack(_HEADER, header)
    good = (words[_STATUS], words[_HOST], words[_DRIVER]) == (_GOOD, 0, 0)
    if asked.timed:
        return Reply(seconds=took if good else 0.0)
    return Reply(reply.raw if good else b"", sense.raw[: words[_WRITTEN]])
