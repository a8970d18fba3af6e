"""blockdev."""

from __future__ import annotations

from mpio.step import Command, Part


def flush_buffers(dev: str, why: str) -> Command:
    """Write out and drop what the page cache holds of this disk."""
    return Command(Part.MULTIPATH, why, ("blockdev", "--flushbufs", f"/dev/{dev}"))
