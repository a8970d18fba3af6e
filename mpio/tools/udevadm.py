"""udevadm."""

from __future__ import annotations


def settle(limit: int) -> tuple[str, ...]:
    """Wait until udev's queue is empty, at most `limit` seconds; exit 1 where it is not by then."""
    return ("udevadm", "settle", f"--timeout={limit}")
