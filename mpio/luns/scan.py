"""Having sessions look for LUNs anew, and waiting for the disks that they find."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mpio import apply, identity, settle, topology
from mpio.host import Host, Pair, Session
from mpio.machine import Machine
from mpio.plan import luns
from mpio.tools import iscsiadm, scsi, sysfs, udevadm

if TYPE_CHECKING:
    from mpio.site import Site
    from mpio.topology import Pairs

SETTLE = 30


def wanted(site: Site | None, host: Host, wwid: str) -> tuple[Session, ...]:
    """The sessions to rescan: the planned ones or, without a site, all; for one LUN those of the targets that ever
    showed it.
    """
    alive = tuple(s for s in host.sessions if s.logged_in)
    if site:
        alive = luns.planned_sessions(host, topology.pairs(site, host))
    showing = topology.shown_by(host, wwid) if wwid else frozenset()
    return tuple(s for s in alive if s.pair.target in showing) or alive


def sessions(machine: Machine, chosen: Iterable[Session], why: str, outcome: apply.Outcome, tell: apply.Tell) -> None:
    """Rescan these sessions, and let udev finish with what they found."""
    apply.carry_out(machine, [iscsiadm.rescan(s.sid, why=f"{s.pair}: {why}") for s in chosen], outcome, tell)
    machine.run(*udevadm.settle(SETTLE), ok=None, timeout=None)


def measured(machine: Machine, host: Host, wwid: str, outcome: apply.Outcome, tell: apply.Tell) -> bool:
    """Have the kernel read the size of this LUN's disks once more where it could not, as where their session broke
    while they were scanned, and answers now. True where there was one.
    """
    disks = [p for p in identity.can_answer(host) if p.wwid == wwid and p.size == 0]
    steps = [scsi.rescan(p, why=f"the size of {p.dev} could not be read") for p in disks]
    apply.carry_out(machine, steps, outcome, tell)
    return bool(disks)


def whole(machine: Machine, host: Host, planned: Pairs, wwid: str) -> None:
    """Wait until every planned session whose target shows this LUN shows it, or nothing moves any more.

    A scan has found its disks when it returns; their identity is read, and udev is done with them, a moment later.
    """
    over: dict[int, Pair] = {s.sid: s.pair for s in host.sessions if s.logged_in and s.pair in planned.planned}

    def look() -> tuple[bool, object]:
        have = {p.sid for p in sysfs.paths(machine.files) if p.wwid == wwid and p.sid in over}
        return not luns.behind(over, have), have

    settle.while_moving(machine, look)


def news(machine: Machine, before: Host, after: Host) -> luns.News:
    return luns.news(before, after, identity.of(machine, (p.dev for p in identity.can_answer(after))))


def shows(host: Host, wwid: str) -> bool:
    """Is there a disk of this LUN, or is none asked for?"""
    return not wwid or any(p.wwid == wwid for p in host.paths)
