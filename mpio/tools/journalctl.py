"""journalctl: what was logged since the last boot. Text for people: nothing here reads it."""

from __future__ import annotations

from collections.abc import Iterable

from mpio.program import Run

# 1: nothing was logged, or there is no journal that this user may read
_CODES = (0, 1)


def of_units(run: Run, units: Iterable[str], lines: int) -> str:
    """The newest lines of these units, the newest last; a unit may be a pattern."""
    named = [word for unit in units for word in ("-u", unit)]
    return run(*_since_boot(lines), *named, ok=_CODES).out


def of_kernel(run: Run, lines: int) -> str:
    """The newest lines of the kernel, the newest last."""
    return run(*_since_boot(lines), "-k", ok=_CODES).out


def _since_boot(lines: int) -> tuple[str, ...]:
    return ("journalctl", "-b", "-q", "--no-pager", "-o", "short-iso-precise", "-n", str(lines))
