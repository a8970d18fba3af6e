"""Reading maps past the page cache, never writing: a process of its own, so that nothing we do meanwhile delays it."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from mpio.drills.drilled import Sample

BLOCK = 4096
PACE = 0.01
# Far apart, and all of a map in the end: 1009 is prime.
STRIDE = 1009
SAMPLE = struct.Struct("=HHdd")


@dataclass(slots=True)
class Reading:
    """The samples so far, by the maps' numbers, and how many of them are errors."""

    count: int
    samples: list[Sample] = field(default_factory=list)
    errors: int = 0
    last_good: dict[int, float] = field(default_factory=dict)
    _file: int = -1
    _at: int = 0

    def look(self) -> None:
        """Take in what was read since the last look."""
        while data := os.pread(self._file, SAMPLE.size * 4096, self._at):
            whole = len(data) - len(data) % SAMPLE.size
            if not whole:
                return
            self._at += whole
            for values in SAMPLE.iter_unpack(data[:whole]):
                sample = Sample(*values)
                self.samples.append(sample)
                if sample.error:
                    self.errors += 1
                else:
                    self.last_good[sample.number] = max(sample.begin, self.last_good.get(sample.number, 0.0))

    def good_since(self, moment: float) -> bool:
        """Has each map answered a read that began after this moment?"""
        self.look()
        return all(self.last_good.get(n, 0.0) > moment for n in range(self.count))

    def between(self, begin: float, end: float) -> tuple[Sample, ...]:
        return tuple(s for s in self.samples if s.end >= begin and s.begin <= end)


@contextlib.contextmanager
def reading(devices: tuple[str, ...]) -> Iterator[Reading]:
    """Read these as long as the block lasts; the reader ends when we end, however that is.

    A fork, not a new interpreter: nothing to start, nothing to find. No thread of ours runs at this time.
    """
    file = os.memfd_create("mpio-drill")
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(theirs)
        _read(devices, file, ours)
    os.close(ours)
    try:
        yield Reading(len(devices), _file=file)
    finally:
        os.close(theirs)
        # It ends at once, but for a thread whose read the kernel still holds: that one nobody can hurry.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, os.WNOHANG)
        os.close(file)


def _read(devices: tuple[str, ...], file: int, parent: int) -> None:
    """The child's whole life."""
    try:
        os.setsid()  # Ctrl-C is for the drill, which takes the time to put things back
        _let_go(file, parent)
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_DFL)
        end = os.open(f"/proc/self/fd/{file}", os.O_WRONLY | os.O_APPEND)  # each write whole, whoever else writes
        for number, device in enumerate(devices):
            threading.Thread(target=_one, args=(number, device, end), daemon=True).start()
        os.read(parent, 1)  # nothing is ever written: it returns when the drill is gone
    finally:
        os._exit(0)


def _let_go(*kept: int) -> None:
    """Close all that was the drill's: while the kernel holds a read nobody ends, and neither the lock nor whoever reads
    what the drill prints may wait for that.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    begin = 3
    for fd in (*sorted(kept), os.sysconf("SC_OPEN_MAX")):
        os.closerange(begin, fd)
        begin = fd + 1


def _one(number: int, device: str, file: int) -> None:
    buffer = mmap.mmap(-1, BLOCK)  # O_DIRECT wants it aligned
    fd, at, error = -1, 0, 0
    while True:
        begin = time.monotonic()
        try:
            if fd < 0:
                fd = os.open(device, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
            blocks = max(1, os.lseek(fd, 0, os.SEEK_END) // BLOCK)
            os.preadv(fd, [buffer], at * STRIDE % blocks * BLOCK)
            error = 0
        except OSError as failed:
            error = failed.errno or 1
        end = time.monotonic()
        os.write(file, SAMPLE.pack(number, error, begin, end))
        at += 1
        time.sleep(max(0.0, PACE - (end - begin)))
