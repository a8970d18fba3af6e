"""Who a disk says it is at this moment: INQUIRY through one path, which changes nothing on this host.

An array may give a LUN number that it took away to another LUN. The kernel keeps what it read at the last scan, and a
map goes on with the disk, now another LUN's: only the array itself tells.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mpio import capacity
from mpio.host import Host, Path
from mpio.machine import Machine
from mpio.tools import vpd

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Said:
    """`gone`: no answer, or that there is no such LUN. `wwids` is empty, too, where the disk tells no identity."""

    gone: bool = True
    wwids: frozenset[str] = frozenset()
    serial: str = ""

    def is_another(self, wwid: str) -> bool:
        """Does it tell identities of this one's kind, and none of them is it? Everybody spells blanks in a T10 name in
        their own way.
        """
        same = {_plain(w) for w in self.wwids if w[:1] == wwid[:1]}
        return bool(same) and _plain(wwid) not in same

    @property
    def wwid(self) -> str:
        """The one that multipath would take: NAA before the others, the longest of a kind."""
        return max(self.wwids, key=lambda w: (w[0] == "3", w[0], len(w), w), default="")


def _plain(wwid: str) -> str:
    return "".join(c for c in wwid.lower() if c.isalnum())


def of(machine: Machine, devs: Iterable[str]) -> dict[str, Said]:
    """What each of these disks says. One that is blocked holds its thread until the kernel gives it up."""
    devs = tuple(devs)
    if not devs:
        return {}
    places = [f"{machine.files.root}/dev/{dev}" for dev in devs]
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(devs))) as pool:
        return dict(zip(devs, pool.map(_asked, places), strict=True))


def can_answer(host: Host) -> tuple[Path, ...]:
    """The disks that can be asked: running, over a session that is logged in."""
    alive = {s.sid for s in host.sessions if s.logged_in}
    return tuple(p for p in host.paths if p.device_state == "running" and p.sid in alive)


def strangers(machine: Machine, host: Host) -> dict[str, str]:
    """The disks of maps that say another identity than their map's, each with what it says."""
    of_map = {m.dm: m.wwid for m in host.maps}
    mine = {p.dev: of_map[p.dm] for p in can_answer(host) if p.dm in of_map}
    return {dev: said.wwid for dev, said in of(machine, mine).items() if said.is_another(mine[dev])}


def _asked(place: str) -> Said:
    try:
        fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Said()
    try:
        gone = vpd.is_gone(capacity.sent(fd, vpd.STANDARD, vpd.REPLY))
        identity = capacity.sent(fd, vpd.inquiry(vpd.IDENTITY), vpd.REPLY)
        serial = capacity.sent(fd, vpd.inquiry(vpd.SERIAL), vpd.REPLY)
    except OSError:
        return Said()
    finally:
        os.close(fd)
    return Said(gone, vpd.parse_identities(identity), vpd.parse_serial(serial))
