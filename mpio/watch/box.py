"""The black box: the last events, and the last changes of every layer, in two files of bounded size.

A line is one JSON object with the time, the monotonic second and the boot that both belong to. Lines are handed to a
thread, because a disk may hold whoever writes to it, and it may be the very disk whose loss is to be told.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from mpio import folders
from mpio.files import directory_mode, foreign
from mpio.folders import Swapped
from mpio.machine import Machine
from mpio.watch import history, layers
from mpio.watch.event import FORMAT, Event, document
from mpio.watch.seen import Seen

SIZE = 1 << 20  # bytes of a file; there is the one that grows, and the one before it
KEPT = 20_000  # lines that wait for a disk that does not take them; the oldest go
AGAIN = 10.0  # seconds after which such a disk is tried again, if nothing new comes before
EVERY = 1.0  # seconds between two times that the disk is told to keep them


class Box:
    """`say` is told once what keeps lines from being kept. Nothing is raised, and nobody waits for the disk."""

    def __init__(self, machine: Machine, say: Callable[[str], None]) -> None:
        root = machine.files.root
        self._current, self._older = root + history.CURRENT, root + history.OLDER
        self._say = say
        self._boot = (machine.files.text("/proc/sys/kernel/random/boot_id") or "").strip()[:8]
        self._states: layers.States | None = None
        self._lines: deque[bytes] = deque(maxlen=KEPT)
        self._news = threading.Condition()
        self._closed = False
        self._fd = -1
        self._synced = 0.0
        self._trouble = ""
        self._writer: threading.Thread | None = None

    def keep(self, events: Iterable[Event]) -> None:
        """What was said, with the time at which it was."""
        self._put(document(one) for one in events)

    def look(self, seen: Seen, moment: datetime.datetime) -> None:
        """Keep what differs from the look before; the first one is only what later ones differ from."""
        now = layers.states(seen)
        if self._states is not None and now != self._states:
            when = moment.isoformat(timespec="milliseconds")
            self._put(
                {
                    "format": FORMAT,
                    "time": when,
                    "layer": one.layer,
                    "subject": one.subject,
                    "was": one.was,
                    "now": one.now,
                }
                for one in layers.between(self._states, now)
            )
        self._states = now

    def close(self, seconds: float) -> None:
        """Let what waits be written, in no more than this time."""
        with self._news:
            self._closed = True
            self._news.notify()
        if self._writer is not None:
            self._writer.join(seconds)

    def _put(self, said: Iterable[dict[str, object]]) -> None:
        clock = {"monotonic": round(time.monotonic(), 3), "boot": self._boot or None}
        made = [f"{json.dumps({**one, **clock}, separators=(',', ':'))}\n".encode() for one in said]
        if not made:
            return
        with self._news:
            self._lines.extend(made)
            self._news.notify()
        if self._writer is None:
            self._writer = threading.Thread(target=self._run, name="black box", daemon=True)
            self._writer.start()

    # -- the writer's ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        dirty, again = False, 0.0
        while True:
            with self._news:
                due = again if self._lines else self._synced + EVERY if dirty else None
                wait = None if due is None else due - time.monotonic()
                if not self._closed and (wait is None or wait > 0):
                    self._news.wait(wait)
                todo = deque(self._lines)
                self._lines.clear()
                ends = self._closed
            again = 0.0
            try:
                if todo:
                    self._write(todo)
                    dirty = True
                if dirty and (ends or time.monotonic() >= self._synced + EVERY):
                    os.fdatasync(self._fd)
                    self._synced, dirty = time.monotonic(), False
                    self._trouble = ""
            except OSError as error:
                dirty, again = False, time.monotonic() + AGAIN
                self._failed(error)
                self._put_back(todo)
            if ends and (again or not self._lines):
                self._shut()
                return

    def _put_back(self, lines: Iterable[bytes]) -> None:
        with self._news:
            waiting = (*lines, *self._lines)
            self._lines.clear()
            self._lines.extend(waiting)

    def _write(self, lines: deque[bytes]) -> None:
        """Takes from `lines` what it has written, also where it fails at the next."""
        if self._fd < 0:
            self._open()
        size, batch = os.fstat(self._fd).st_size, bytearray()
        for line in tuple(lines):
            if size + len(batch) + len(line) > SIZE:
                self._out(batch, lines)
                self._turn_over()
                size, batch = 0, bytearray()
            batch += line
        self._out(batch, lines)

    def _out(self, batch: bytearray, lines: deque[bytes]) -> None:
        rest, out = memoryview(batch), 0
        while rest:
            count = os.write(self._fd, rest)
            rest, out = rest[count:], out + count
            while lines and len(lines[0]) <= out:
                out -= len(lines.popleft())

    def _turn_over(self) -> None:
        os.fdatasync(self._fd)
        self._shut()
        with folders.of(self._current, follow=False) as (folder, name):
            os.replace(name, os.path.basename(self._older), src_dir_fd=folder, dst_dir_fd=folder)
        self._open()

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with folders.of(self._current, mode=directory_mode, follow=False) as (folder, name):
            self._fd = os.open(name, flags, 0o600, dir_fd=folder)
        at = os.fstat(self._fd)
        if why := foreign(at) or ("it has another name, too" if at.st_nlink > 1 else ""):
            self._shut()
            raise Swapped(why)
        os.fchmod(self._fd, 0o600)
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")  # who wrote before died within a line

    def _failed(self, error: OSError) -> None:
        self._shut()
        trouble = f"the black box {history.FOLDER} takes nothing: {error.strerror or error}"
        if trouble != self._trouble:
            self._trouble = trouble
            self._say(f"{trouble}; watching goes on without it")

    def _shut(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1
