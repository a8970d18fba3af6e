"""What a unit tells systemd of itself: sd_notify(3). Where no unit runs us, nothing is told to nobody."""

from __future__ import annotations

import contextlib
import os
import socket

LIMIT = 0.05  # seconds that a busy systemd may hold us up


def by_systemd() -> bool:
    """Are we a unit that tells of itself?"""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def ready() -> None:
    """Who waits for the unit's start need wait no more."""
    _tell("READY=1")


def alive() -> None:
    """To be said more often than `watchdog_interval`: a unit that falls silent is started anew."""
    _tell("WATCHDOG=1")


def stopping() -> None:
    _tell("STOPPING=1")


def watchdog_interval() -> float | None:
    """Half of what the unit's WatchdogSec is, in seconds, as sd_watchdog_enabled(3) asks for; None: nobody listens."""
    said, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not (said.isascii() and said.isdigit() and int(said)) or (pid and pid != str(os.getpid())):
        return None
    return int(said) / 2_000_000


def _tell(text: str) -> None:
    """A systemd that does not listen is no trouble of ours."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        line.settimeout(LIMIT)
        line.sendto(text.encode("utf-8", "replace"), f"\0{address[1:]}" if address.startswith("@") else address)
