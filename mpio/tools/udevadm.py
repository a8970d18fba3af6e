"""udevadm."""

from __future__ import annotations

QUEUE = "/run/udev/queue"  # there while udevd has events left (systemd, src/udev/udev-manager.c)


def settle(limit: int) -> tuple[str, ...]:
    """Wait until udev's queue is empty, at most `limit` seconds; exit 1 where it is not by then."""
    return ("udevadm", "settle", f"--timeout={limit}")
