"""Waiting for what programs leave to others:
a reconfigure that was only scheduled, disks and maps that udev and multipathd still make.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from mpio import memory, observe
from mpio.machine import Machine
from mpio.step import Command, Part, Step
from mpio.tools import multipathd, sysfs, udevadm

if TYPE_CHECKING:
    from mpio.site import Site

PAUSE = 0.2
IDLE_LIMIT = 60.0
# udevd handles about 3 disks a second on a slow machine (lab): as long as something still changes it is worth waiting,
# and longer while udevd says that it has work left.
STILL = 15.0
STILL_BUSY = 60.0
LIMIT = 600.0


def after(machine: Machine, site: Site, steps: Iterable[Step], also: Collection[str] = ()) -> None:
    """Wait until what these steps set going has come to rest, or nothing moves any more; `also` are WWIDs that count
    like those of the site's LUNs.
    """
    commands = [s for s in steps if isinstance(s, Command)]
    if any(map(multipathd.is_reconfigure, commands)):
        idle(machine)
    if any(s.part in (Part.LOGIN, Part.MULTIPATH) for s in commands):
        udev(machine, STILL)  # it ends by itself; on a busy machine late
        maps(machine, {lun.wwid for lun in site.luns}.union(also))


def udev(machine: Machine, limit: float) -> None:
    """Wait until udev has nothing left to do, at most so many seconds."""
    machine.run(*udevadm.settle(int(limit)), ok=None, timeout=None)


def idle(machine: Machine) -> None:
    """`reconfigure` answers before it is done (facts 4): wait until the daemon says idle."""

    until(lambda: multipathd.daemon(machine.run).settled, IDLE_LIMIT)


def maps(machine: Machine, wwids: Collection[str]) -> None:
    """Wait until every path of these LUNs that the kernel shows is active in a map, or nothing moves any more.

    multipathd is asked only once the kernel shows every path in a map: while it makes them it answers late, and the
    question holds it up (tried: 1 to 6 s each with 32 paths).
    """

    away = _offline(machine)

    def look() -> tuple[bool, object]:
        paths = [p for p in sysfs.paths(machine.files) if p.wwid in wwids and p.device_state == "running"]
        paths = [p for p in paths if p.sid not in away]
        disks = {p.dev: p.dm for p in paths}
        active = _active(machine) & disks.keys() if disks and all(disks.values()) else set()
        return disks.keys() <= active, (disks, active)

    while_moving(machine, look)


def _offline(machine: Machine) -> frozenset[int]:
    """The sessions that are offline by hand: their paths are not waited for."""
    kept = observe.remembered(machine)
    if not kept.offline:
        return frozenset()
    now = datetime.datetime.now(datetime.UTC)
    names = {name for one in memory.in_force(kept, now) for name in one.pairs}
    return frozenset(s.sid for s in sysfs.sessions(machine.files, {}) if str(s.pair) in names)


def while_moving(machine: Machine, look: Callable[[], tuple[bool, object]]) -> None:
    """Wait until the look says that all is there, or what it sees with that has stayed the same for a while."""
    seen: object = None
    moved = time.monotonic()

    def over() -> bool:
        nonlocal seen, moved
        whole, now = look()
        if now != seen:
            seen, moved = now, time.monotonic()
        busy = machine.files.text(udevadm.QUEUE) is not None
        return whole or time.monotonic() - moved > (STILL_BUSY if busy else STILL)

    until(over, LIMIT)


def _active(machine: Machine) -> set[str]:
    try:
        return {p.dev for m in multipathd.maps(machine.run) for p in m.paths if p.dm_st == "active"}
    except multipathd.NotRunning:
        return set()


def until(met: Callable[[], bool], limit: float) -> bool:
    end = time.monotonic() + limit
    while not met():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)
    return True
