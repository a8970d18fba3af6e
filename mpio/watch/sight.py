"""One look of the watcher: the kernel's files, the device mapper by ioctl, records as they were unless they changed.

No program runs and nothing is sent but what a loss makes necessary: a look costs milliseconds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mpio import devmapper, identity, links, memory, observe, probe, topology
from mpio.host import Answer, Host, Path, Portal
from mpio.machine import Machine
from mpio.observe import kernel
from mpio.site import Site
from mpio.tools import iscsidb, sysfs
from mpio.watch import carried, changes
from mpio.watch.seen import Seen

ASK = 0.6  # seconds that disks or portals are given to say why something was lost; nothing else is done meanwhile


@dataclass(slots=True)
class Sight:
    """Looks, with what was read before where nothing says that it changed."""

    machine: Machine
    site: Site | None
    _known: kernel.Records | None = None
    _addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _moved: bool = False  # the addresses may be others
    _stamp: tuple[object, ...] = ()
    _database: str = ""

    def forget(self) -> None:
        """Read everything anew at the next look."""
        self._known = None

    def look(self, answers: Mapping[tuple[str, Portal], Answer], rtt: Mapping[tuple[str, Portal], float]) -> Seen:
        read = self.machine.files
        self._database = self._database or iscsidb.root(read)
        # A record that is only edited does not show here; what is read of it, its pair, does not change then.
        files = (memory.PATH, *(f"{self._database}/{name}" for name in ("nodes", "ifaces")))
        stamp = (read.names(sysfs.SESSIONS), *(_changed(read.root + f) for f in files))
        if self._known is None or stamp != self._stamp:
            self._known, self._stamp, self._moved = kernel.records(self.machine, None), stamp, True
        if self._moved:
            self._addresses, self._moved = links.addresses(), False
        host = _with_states(self.machine, kernel.seen(self.machine, self.site, self._known, lambda: self._addresses))
        watched = observe.watched(self.machine, self.site)
        return judged(Seen(replace(host, probes=answers, watched=watched), self.site, rtt=rtt))

    def links_now(self, seen: Seen) -> Seen:
        """The same, but for the NICs' carriers, which are in a hurry; the look that follows reads addresses, too."""
        self._moved = True
        now = zip(seen.host.nics, carriers(self.machine, seen), strict=True)
        return replace(seen, host=replace(seen.host, nics=tuple(replace(n, carrier=one) for n, one in now)))

    def with_causes(self, before: Seen, after: Seen) -> Seen:
        """The later look, with what the earlier one knew of it, and with what disks and portals say that were lost for
        no reason that it shows.
        """
        after = carried.on(before, after)
        disks, sessions = changes.suspects(before, after)
        if disks:
            said = identity.of(self.machine, (p.dev for p in disks), ASK)
            after = replace(after, unmapped=after.unmapped | {dev for dev, one in said.items() if one.gone})
        if sessions:
            ways = sorted({(s.pair.iface, s.nic, s.pair.portal) for s in sessions if s.nic})
            after = replace(after, fresh={**after.fresh, **probe.portals(ways, ASK)})
        return after


def judged(seen: Seen) -> Seen:
    """With the planned pairs and how each LUN stands."""
    pairs = topology.pairs(seen.site, seen.host) if seen.site else None
    return replace(seen, pairs=pairs, luns=topology.luns(seen.site, seen.host, pairs))


def _with_states(machine: Machine, host: Host) -> Host:
    read = machine.files
    states = devmapper.path_states({m.dm: sysfs.number_of(read, m.dm) for m in host.maps})

    def one_path(path: Path) -> Path:
        said = states.get(path.dm, {}).get(sysfs.number_of(read, path.dev)) if path.dm else None
        return replace(path, dm_state="active" if said.active else "failed", group=said.group) if said else path

    return replace(host, paths=tuple(one_path(p) for p in host.paths))


def session_states(machine: Machine, seen: Seen) -> tuple[object, ...]:
    """What the cheap look of every second compares: no event tells that a session has failed."""
    read = machine.files
    return (read.names(sysfs.SESSIONS), *(sysfs.state(read, s.sid) for s in seen.host.sessions))


def carriers(machine: Machine, seen: Seen) -> tuple[bool | None, ...]:
    return tuple(sysfs.carrier(machine.files, n.name) for n in seen.host.nics)


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
