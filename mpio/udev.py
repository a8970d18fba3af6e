"""Hints from udev and the kernel that something has changed: the only importer of pyudev.

What an event says is not used: it may come late, out of order, or not at all (facts: PATH_FAILED). That one came is.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import pyudev

SUBSYSTEMS = ("block", "scsi", "iscsi_session", "iscsi_connection")
# udevd hands an event on when its rules are done, which takes seconds where many disks come or go: the kernel's own
# comes at once. Both are heard, because links and properties of a disk are there only after the rules.
SOURCES = ("kernel", "udev")
AT_ONCE = 256  # events taken in before the loop has its turn again


@dataclass(frozen=True, slots=True)
class Heard:
    """`lost`: the kernel has dropped events, for we were too slow (ENOBUFS); nobody knows which."""

    events: int = 0
    lost: bool = False


def _default() -> int:
    with open("/proc/sys/net/core/rmem_default", encoding="ascii") as file:  # noqa: PTH123 - the kernel's
        return int(file.read())


class Monitor:
    """The receive buffer is the kernel's default, not libudev's 128 MiB: what is lost costs one look, and a long queue
    of old hints none the fewer.
    """

    def __init__(self) -> None:
        context = pyudev.Context()
        self._monitors = tuple(pyudev.Monitor.from_netlink(context, source) for source in SOURCES)
        for monitor in self._monitors:
            for subsystem in SUBSYSTEMS:
                monitor.filter_by(subsystem)
            monitor.start()
            monitor.set_receive_buffer_size(_default() // 2)  # the kernel doubles what it is told (socket(7))
        self._sockets = tuple(socket.socket(fileno=os.dup(m.fileno())) for m in self._monitors)

    def filenos(self) -> tuple[int, ...]:
        return tuple(m.fileno() for m in self._monitors)

    def drain(self) -> Heard:
        """Take in what has come, so much that others have their turn."""
        events, lost = 0, False
        for monitor, line in zip(self._monitors, self._sockets, strict=True):
            for _ in range(AT_ONCE):
                try:
                    if monitor.poll(0) is None:
                        break
                except OSError:  # ENOBUFS, or a message that libudev cannot read: both are lost
                    # pyudev sees the error by poll and reads nothing, so nothing would ever clear it.
                    line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    lost = True
                    continue
                events += 1
        return Heard(events, lost)
