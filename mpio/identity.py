"""Who a disk says it is at this moment: INQUIRY through one path, which changes nothing on this host.

An array may give a LUN number that it took away to another LUN. The kernel keeps what it read at the last scan, and a
map goes on with the disk, now another LUN's: only the array itself tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mpio import sgio
from mpio.host import Host, Path
from mpio.machine import Machine
from mpio.tools import scsi, vpd

_ASKED = tuple(sgio.Question(c, vpd.REPLY) for c in (vpd.STANDARD, vpd.inquiry(vpd.IDENTITY), vpd.inquiry(vpd.SERIAL)))


@dataclass(frozen=True, slots=True)
class Said:
    """`gone`: that there is no such LUN. `wwids` is empty, too, where the disk tells no identity."""

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


def of(machine: Machine, devs: Iterable[str], limit: float = sgio.LIMIT) -> dict[str, Said]:
    """What each of these disks says. One that does not answer is left out: that says nothing of who it is."""
    said = sgio.replies({dev: f"{machine.files.root}/dev/{dev}" for dev in devs}, _ASKED, limit)
    return {dev: one for dev, replies in said.items() if (one := _told(*replies))}


def can_answer(host: Host) -> tuple[Path, ...]:
    """The disks that can be asked: running, over a session that is logged in."""
    alive = {s.sid for s in host.sessions if s.logged_in}
    return tuple(p for p in host.paths if p.device_state == "running" and p.sid in alive)


def of_maps(machine: Machine, host: Host) -> dict[str, Said]:
    """What each disk of a map says."""
    return of(machine, (p.dev for p in can_answer(host) if p.dm))


def strangers(host: Host, heard: Mapping[str, Said]) -> dict[str, str]:
    """The disks of maps that say another identity than their map's, each with what it says."""
    of_map = {m.dm: m.wwid for m in host.maps}
    mine = {p.dev: of_map[p.dm] for p in host.paths if p.dm in of_map}
    return {dev: said.wwid for dev, said in heard.items() if dev in mine and said.is_another(mine[dev])}


def _told(standard: sgio.Reply, identity: sgio.Reply, serial: sgio.Reply) -> Said | None:
    """None where it neither answered nor said that it is not there: busy, reserved, just failing."""
    if not standard.data and not scsi.says_no_lun(standard.sense):
        return None
    return Said(vpd.is_gone(standard.data), vpd.parse_identities(identity.data), vpd.parse_serial(serial.data))
