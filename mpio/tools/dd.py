"""dd: one block read past the page cache."""

from __future__ import annotations

from mpio.errors import ProgramFailed
from mpio.program import Run

# coreutils: 0 read, 1 any error; `timeout` ends one that waits in a queue of a blocked device
READ, FAILED = 0, 1


def reads(run: Run, dev: str) -> bool:
    """Does this disk answer a read of its first block, within 5 s?"""
    argv = ("dd", f"if=/dev/{dev}", "of=/dev/null", "bs=4096", "count=1", "iflag=direct", "status=none")
    try:
        return run(*argv, ok=None, timeout=5).code == READ
    except ProgramFailed:  # it did not end in time
        return False
