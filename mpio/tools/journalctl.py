"""journalctl: what was logged since the last boot. Text for people: of a unit that failed its last words are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mpio.program import Run

# 1: nothing was logged, or there is no journal that this user may read
_CODES = (0, 1)
# 2026-11-22T04:48:46.123456+00:00 prague iscsid[294]: can not create NETLINK_ISCSI socket
_LINE = re.compile(r"\S+ \S+ ([^\s\[:]+)(?:\[\d+\])?: (.*)")
_COMPLAINT = re.compile(r"error|fail|can ?not|could not|missing|no such|denied|refused|invalid", re.IGNORECASE)


def of_units(run: Run, units: Iterable[str], lines: int) -> str:
    """The newest lines of these units, the newest last; a unit may be a pattern."""
    named = [word for unit in units for word in ("-u", unit)]
    return run(*_since_boot(lines), *named, ok=_CODES).out


def of_program(run: Run, tag: str, lines: int) -> str:
    """The newest lines that a program wrote under this name, each with its time in seconds since 1970."""
    return run(*_since_boot(lines, "short-unix"), "-t", tag, ok=_CODES).out


def of_invocation(run: Run, invocation: str, lines: int) -> str:
    """The newest lines of one run of a unit: its own and systemd's about it."""
    named = (f"_SYSTEMD_INVOCATION_ID={invocation}", "+", f"INVOCATION_ID={invocation}")
    return run(*_since_boot(lines), *named, ok=_CODES).out


def of_kernel(run: Run, lines: int) -> str:
    """The newest lines of the kernel, the newest last."""
    return run(*_since_boot(lines), "-k", ok=_CODES).out


def _since_boot(lines: int, form: str = "short-iso-precise") -> tuple[str, ...]:
    return ("journalctl", "-b", "-q", "--no-pager", "-o", form, "-n", str(lines))


def last_words(text: str) -> str:
    """The last complaint of the unit's own program, without time and host, or what it said last; systemd's word where
    it said nothing. Of iscsiadm complaints come first: its stdout is written when it ends. Total.
    """
    lines = [found for line in text.splitlines() if (found := _LINE.fullmatch(line)) and found[2].strip()]
    own = [found[2].strip() for found in lines if found[1] != "systemd"]
    complaints = [line for line in own if _COMPLAINT.search(line)]
    return (complaints or own or [found[2].strip() for found in lines] or [""])[-1]
