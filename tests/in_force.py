"""One keyword of a LUN as multipath has it in force."""

from __future__ import annotations

from mpio.tools import multipath


def value(table: multipath.Table, wwid: str, inquiry: tuple[str, str], key: str) -> str | None:
    """`inquiry` is (vendor, product). None: the compiled default."""
    return multipath.by_lun(table, {wwid: inquiry})[wwid].get(key)
