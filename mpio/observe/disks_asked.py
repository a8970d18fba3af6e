"""What disks say when they are asked: their size on the array, reservations, other LUNs, and how long a read takes.

SCSI commands past the queues of the disks, by a child that is left behind where one does not answer (`sgio`). Each only
reads, and no disk is asked that is not running over a session that is logged in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mpio import identity, sgio, topology
from mpio.diagnosis import disks_paths
from mpio.host import Host, Path
from mpio.machine import Machine
from mpio.sgio import Question
from mpio.tools import scsi

# A unit attention answers the first command after a change and says nothing else: each twice.
_OF_MAP = (Question(scsi.CAPACITY[0], scsi.REPLY), Question(scsi.RESERVATION, scsi.RESERVATION_REPLY)) * 2
_OF_TARGET = (Question(scsi.LUNS, scsi.LUNS_REPLY),) * 2
_PATIENCE = 1.8  # seconds: who has not read twice by then is no slow path, but a dead one
_READS = (Question(scsi.READ, scsi.BLOCK, timed=True),) * 9


@dataclass(frozen=True, slots=True)
class Told:
    """What the array says of one disk of each map."""

    sizes: Mapping[str, int]
    reserved: frozenset[str]


def of_maps(machine: Machine, host: Host, limit: float) -> Told:
    one = {p.dm: p.dev for p in reversed(host.paths) if p.dm and topology.usable(host, p)}
    said = sgio.replies(_places(machine, one.values()), _OF_MAP, limit)
    sizes = {
        dev: [scsi.parse_capacity(scsi.CAPACITY[0], r.data) for r in replies[::2]] for dev, replies in said.items()
    }
    types = {dev: [scsi.parse_reservation(r.data) for r in replies[1::2]] for dev, replies in said.items()}
    return Told(
        {dev: size for dev, some in sizes.items() if (size := next(filter(None, some), None)) is not None},
        frozenset(dev for dev, some in types.items() if any(kind is not None for kind in some)),
    )


def gone(machine: Machine, host: Host, limit: float) -> frozenset[str]:
    """Of the disks that are failed, or in no map, those whose target says that there is no such LUN."""
    asked = [p.dev for p in identity.can_answer(host) if not topology.usable(host, p)]
    return frozenset(dev for dev, said in identity.of(machine, asked, limit).items() if said.gone)


def listed(machine: Machine, host: Host, sids: Iterable[int], limit: float) -> dict[int, frozenset[int]]:
    """The LUN numbers that the targets of these sessions list, asked through any disk of each."""
    wanted = set(sids)
    through = {p.sid: p.dev for p in identity.can_answer(host) if p.sid in wanted}
    said = sgio.replies(_places(machine, through.values()), _OF_TARGET, limit)
    found = {}
    for sid, dev in through.items():
        numbers = (scsi.parse_luns(reply.data) for reply in said.get(dev, ()))
        if (some := next((n for n in numbers if n is not None), None)) is not None:
            found[sid] = some
    return found


def delays(machine: Machine, host: Host) -> dict[str, tuple[float, ...]]:
    """The seconds that reads of the same LUN take over each session; measured once more where one looks slow, for
    whatever else the machine had to do at that moment.
    """
    disks = _one_a_session(host)
    took = _timed(machine, disks)
    if not (slow := _slow(took, disks)):
        return took
    again = _timed(machine, disks)
    return {dev: delays for dev, delays in again.items() if dev in slow or dev not in _slow(again, disks)}


def _slow(took: Mapping[str, tuple[float, ...]], disks: Iterable[Path]) -> frozenset[str]:
    of_map: defaultdict[str, list[str]] = defaultdict(list)
    for disk in disks:
        if len(took.get(disk.dev, ())) >= disks_paths.ENOUGH:
            of_map[disk.dm].append(disk.dev)
    return frozenset(
        dev
        for devs in of_map.values()
        for dev in devs
        if len(devs) > 1 and disks_paths.is_slow(took[dev], [took[o] for o in devs if o != dev])
    )


def _timed(machine: Machine, disks: Iterable[Path]) -> dict[str, tuple[float, ...]]:
    """The first read may wait for what the disk does at that moment, and is not counted."""
    said = sgio.replies(_places(machine, (p.dev for p in disks)), _READS, _PATIENCE)
    return {dev: tuple(r.seconds for r in replies[1:] if r.seconds) for dev, replies in said.items()}


def _one_a_session(host: Host) -> tuple[Path, ...]:
    """As few LUNs as have a usable path over every session: the one with most sessions that are left, and again. None
    over a controller in standby: a read there has some arrays move the LUN.
    """
    of_map: defaultdict[str, list[Path]] = defaultdict(list)
    for path in host.paths:
        if path.dm and topology.usable(host, path) and path.checker_state != "ghost":
            of_map[path.dm].append(path)
    left = {p.sid for paths in of_map.values() for p in paths}
    chosen: list[Path] = []
    while left and of_map:
        best = max(of_map, key=lambda dm: len({p.sid for p in of_map[dm]} & left))
        paths = of_map.pop(best)
        if {p.sid for p in paths} & left:
            chosen += paths
            left -= {p.sid for p in paths}
    return tuple(chosen)


def _places(machine: Machine, devs: Iterable[str]) -> dict[str, str]:
    return {dev: f"{machine.files.root}/dev/{dev}" for dev in devs}
