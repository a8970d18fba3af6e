"""The control groups of systemd's units: what runs of them, as the kernel has it, without asking systemd."""

from __future__ import annotations

from collections.abc import Iterator

from mpio.tools.sysfs import Reader

_SLICES = ("/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/systemd/system.slice")  # v2, v1


def pids(read: Reader, unit: str) -> Iterator[str]:
    for top in _SLICES:
        yield from (read.text(f"{top}/{unit}/cgroup.procs") or "").split()


def is_gone(read: Reader, unit: str) -> bool:
    """Has the unit no group where others have theirs? Where systemd does not run the host (sd_booted(3)), or no group
    is to be seen, nobody can tell.
    """
    if "system" not in read.names("/run/systemd"):
        return False
    tops = [top for top in _SLICES if read.names(top)]
    return bool(tops) and not any(read.names(f"{top}/{unit}") for top in tops)
