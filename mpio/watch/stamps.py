"""Signs that something was missed, or must be read anew, that nobody announces: looked at once a second."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

# The folder of a unit's control group is another one after each start, whoever started it.
UNITS = "/sys/fs/cgroup/system.slice"
DAEMONS = {"multipathd.service": "multipathd", "iscsid.service": "iscsid", "systemd-udevd.service": "udevd"}
JUMP = 1.0  # seconds between two clocks that are no drift


@dataclass(slots=True)
class Stamps:
    """`news` gives what has happened since it was asked last, in words."""

    site_path: str
    _wall: float = field(default_factory=lambda: time.time() - time.monotonic())
    _slept: float = 0.0
    _daemons: dict[str, int] = field(default_factory=lambda: {unit: _inode(f"{UNITS}/{unit}") for unit in DAEMONS})
    _site: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        self._slept, self._site = _slept(), _file(self.site_path)

    def news(self) -> tuple[str, ...]:
        said = []
        wall, slept = time.time() - time.monotonic(), _slept()
        if slept - self._slept > JUMP:
            said.append(f"the machine was suspended for {slept - self._slept:.0f} s")
        elif abs(wall - self._wall) > JUMP:
            said.append(f"the clock was set by {wall - self._wall:+.0f} s")
        self._wall, self._slept = wall, slept
        for unit, name in DAEMONS.items():
            now = _inode(f"{UNITS}/{unit}")
            if now and now != self._daemons[unit]:
                if self._daemons[unit]:
                    said.append(f"{name} was restarted")
                self._daemons[unit] = now
        return tuple(said)

    def site_changed(self) -> bool:
        now = _file(self.site_path)
        changed = now != self._site
        self._site = now
        return changed


def _slept() -> float:
    """CLOCK_BOOTTIME goes on while the machine is suspended, CLOCK_MONOTONIC does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _file(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_ctime_ns, found.st_size)  # ctime: its mode counts, too
