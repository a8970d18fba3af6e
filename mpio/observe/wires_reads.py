"""Which NIC takes the bytes of a read: the NICs' counters before and after some blocks are read over each.

Made only where NICs may take what is for each other. SCSI commands past the queues of the disks, by a child that is
left behind where one does not answer (`sgio`).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from mpio import sgio, topology
from mpio.diagnosis import wires_seen
from mpio.diagnosis.wires_seen import Read, Wires
from mpio.host import Host
from mpio.machine import Machine
from mpio.sgio import Question
from mpio.tools import scsi, wires
from mpio.tools.sysfs import number

LIMIT = 1.0  # seconds, for all NICs together
BYTES = 64 << 10  # of one command: no disk takes less at once
TIMES = 4
MOST = 4  # disks of a NIC, each of another session


def made(machine: Machine, host: Host, nic_of: Mapping[str, str], seen: Wires) -> tuple[Read, ...]:
    """One for each NIC whose sessions have a disk to read from, one after the other."""
    nics = tuple(name for name in dict.fromkeys(nic_of.values()) if seen.link(name) is not None)
    through = _disks(host, nic_of, seen)
    wanted = [nic for nic in nics if nic in through]
    end = time.monotonic() + LIMIT
    found = []
    for done, nic in enumerate(wanted):
        left = (end - time.monotonic()) / (len(wanted) - done)
        size, received = _read(machine, nics, through[nic], left)
        # Some cards tell their counters seconds later: bytes that came in nowhere prove nothing.
        if sum(received.values()) >= max(size, 1):
            found.append(Read(nic, size, tuple(received.items())))
    return tuple(found)


def _disks(host: Host, nic_of: Mapping[str, str], seen: Wires) -> Mapping[str, tuple[str, ...]]:
    """By NIC, a disk of each of its sessions. A ghost's port stands by: a read might have it take over."""
    nics = {s.sid: wires_seen.begins_at(s, nic_of, seen) for s in host.sessions}
    of: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for path in host.paths:
        if path.dm and path.sid in nics and topology.usable(host, path) and path.checker_state != "ghost":
            of[nics[path.sid]].setdefault(path.sid, path.dev)
    return {nic: tuple(disks.values())[:MOST] for nic, disks in of.items()}


def _read(machine: Machine, nics: Iterable[str], disks: Iterable[str], limit: float) -> tuple[int, dict[str, int]]:
    """How many bytes were read, 0 where that did not end in time, and what each NIC received meanwhile; nothing where
    no disk would read.

    One command is for blocks of one size: disks of another are left out.
    """
    blocks = {dev: number(machine.files, f"/sys/block/{dev}/queue/logical_block_size") or 0 for dev in disks}
    block = next((size for size in blocks.values() if 0 < size <= BYTES), 0)
    if not block or limit <= 0:
        return 0, {}
    places = {dev: f"{machine.files.root}/dev/{dev}" for dev, size in blocks.items() if size == block}
    before = {nic: wires.received(machine.files, nic) for nic in nics}
    replies = sgio.replies(places, (Question(scsi.read(BYTES // block), BYTES, timed=True),) * TIMES, limit)
    after = {nic: wires.received(machine.files, nic) for nic in nics}
    size, ended = BYTES * sum(bool(r.seconds) for some in replies.values() for r in some), len(replies) == len(places)
    if ended and not size:
        return 0, {}
    grown = ((nic, before[nic], now) for nic, now in after.items())
    return size if ended else 0, {nic: now - was for nic, was, now in grown if was is not None and now is not None}
