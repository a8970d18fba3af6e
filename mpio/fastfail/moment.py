"""The host at this very moment, as far as the rules of fast_fail ask: a few files for each disk that is touched.

What cannot change is not read again (which pair a session connects), what can is: states, carriers, sockets, maps.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable
from dataclasses import replace

from mpio import devmapper, probe, rootfs, sockets
from mpio.fastfail import failing
from mpio.files import Files
from mpio.host import Answer, Host, Map, Path, Session
from mpio.tools import sysfs
from mpio.watch.seen import Seen

ASK = 0.3  # seconds that the other pairs are given to answer: as long as a stall may last in all
LATELY = 1.0  # seconds: what was heard longer ago says nothing of now, however long ago the loss was
JIFFY = 0.01  # the longest: by it the kernel's ages may be too short
ROOT = re.compile(r"^\d+ \d+ (\d+:\d+) \S+ / .* - (\S+) (\S+) ", re.MULTILINE)
# Root file systems that are on no disk of ours.
DISKLESS = frozenset({"nfs", "nfs4", "tmpfs", "ramfs", "rootfs", "9p", "virtiofs"})


def sessions(read: Files, seen: Seen) -> tuple[Session, ...]:
    """One that is gone has no state."""
    return tuple(sysfs.session_now(read, s) for s in seen.host.sessions)


def host(read: Files, seen: Seen, now: tuple[Session, ...], doomed: Collection[int]) -> Host:
    """The maps with a path on the doomed sessions, whole; the disks of these sessions that are in no map; every NIC.
    Of disks that are doomed only their place is read.
    """
    placed = sysfs.disks(read)
    dms = {dm for dev, (sid, _) in placed.items() if sid in doomed for dm in sysfs.holder_names(read, dev)}
    maps = tuple(m for dm in sorted(dms) if (m := sysfs.map_of(read, dm)) is not None)
    states = devmapper.path_states({m.dm: sysfs.number_of(read, m.dm) for m in maps})
    slaves = {dev: m for m in maps for dev in m.slaves if dev in placed}

    def path(dev: str, mapped: Map | None) -> Path:
        sid, hctl = placed[dev]
        one = Path(dev, hctl, sid, mapped.wwid if mapped else "", dm=mapped.dm if mapped else "")
        if mapped is None or sid in doomed:
            return one
        said = states.get(mapped.dm, {}).get(sysfs.number_of(read, dev))
        word = "" if said is None else "active" if said.active else "failed"
        return replace(one, dm_state=word, device_state=sysfs.device_state(read, dev))

    alone = [path(dev, None) for dev, (sid, _) in placed.items() if sid in doomed and dev not in slaves]
    every = (*(path(d, m) for d, m in slaves.items()), *alone)
    return with_carriers(read, Host(nics=seen.host.nics, sessions=now, paths=every, maps=maps))


def with_carriers(read: Files, now: Host) -> Host:
    """The same host with the carriers of this moment."""
    return replace(now, nics=tuple(replace(n, carrier=sysfs.carrier(read, n.name)) for n in now.nics))


def stuck(lost: Iterable[Session]) -> frozenset[int]:
    """Those whose own connection is of no use: its data is not taken, or the target does not even answer the no-ops by
    which open-iscsi asks for a sign of life.
    """
    of_sid = {s.sid: s for s in lost}

    def is_deaf(session: Session, age: float) -> bool:
        return bool(session.noop_interval) and age > (session.noop_interval or 0) + (session.noop_timeout or 0)

    read = sockets.of_sessions(of_sid.values())
    return frozenset(sid for sid, one in read.items() if one.stuck or is_deaf(of_sid[sid], one.age))


def answered(now: Host, doomed: Collection[int], since: float, ask: float = ASK) -> frozenset[int]:
    """The sessions whose pair has answered after that monotonic second: their sockets have had data, or a connect was
    taken now. Asked are those that a map needs, and the doomed ones once more, unless their link is lost.
    """
    kept = failing.keepers(now, doomed)
    of_sid = {s.sid: s for s in now.sessions}
    suspects = frozenset(s.sid for s in now.sessions if s.sid in doomed and failing.has_carrier(now, s))
    every = suspects.union(*kept.values())
    elapsed = min(time.monotonic() - since, LATELY) - JIFFY  # before the ages are measured, or they would seem later
    read = sockets.of_sessions([of_sid[sid] for sid in every])
    heard = frozenset(sid for sid, one in read.items() if one.age < elapsed)
    silent = [of_sid[sid] for sid in failing.unanswered(kept, heard) | suspects]
    if not silent or heard & suspects:
        return heard

    def with_answers(met: probe.Answers) -> frozenset[int]:
        return heard | {s.sid for s in silent if met.get((s.pair.iface, s.pair.portal)) is Answer.ANSWERED}

    wanted = sorted({(s.pair.iface, s.nic, s.pair.portal) for s in silent})
    ways = {(of_sid[sid].pair.iface, of_sid[sid].pair.portal) for sid in suspects}

    def is_enough(met: probe.Answers) -> bool:
        """A pair that is dead, too, is not waited for once every map has one that answers; a suspect is."""
        known = with_answers(met)
        return bool(known & suspects) or (ways <= met.keys() and not failing.unanswered(kept, known))

    return with_answers(probe.portals(wanted, ask, is_enough))


def of_root(read: Files) -> frozenset[int] | None:
    """The sessions that carry the disk of the root file system; None where nothing tells what carries it (overlay,
    ZFS, an image in a file).
    """
    places = ROOT.findall(read.text("/proc/self/mountinfo") or "")
    if not places:
        return None
    number, kind, source = places[-1]  # what is mounted over it counts
    if kind in DISKLESS:
        return frozenset()
    devs = rootfs.devices(read, number, kind, source)
    below = {one for dev in devs for one in rootfs.below(read, dev)}
    if not devs or any(not read.target(f"/sys/class/block/{dev}") or dev.startswith("loop") for dev in below):
        return None
    return frozenset(place[0] for one in below if (place := sysfs.place_of(read, one)) is not None)
