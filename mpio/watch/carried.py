"""What one look knows and the next may not show, though it is so still."""

from __future__ import annotations

from dataclasses import replace

from mpio import topology
from mpio.host import Path
from mpio.topology import LunState
from mpio.watch.seen import Seen


def key(path: Path) -> tuple[int, str, str]:
    return path.sid, path.hctl, path.dev


def on(before: Seen, after: Seen) -> Seen:
    """The later look with what it may not show though it is so: how LUNs stand that it cannot judge, and that paths
    which are in no map at this moment were lost.
    """
    known_states = {
        lun.wwid: known
        for lun in after.luns
        if lun.state is LunState.UNKNOWN and (known := stood(before, lun.wwid)) is not LunState.UNKNOWN
    }
    old = {key(p): p for p in before.host.paths}
    gone = {key(p) for p in after.host.paths if not p.dm}
    out = gone & (before.out | {key for key, p in old.items() if p.dm})
    bad = {p.dev for p in after.host.paths if not topology.usable(after.host, p)}
    return replace(after, stood=known_states, out=frozenset(out), unmapped=after.unmapped | (before.unmapped & bad))


def stood(seen: Seen, wwid: str) -> LunState:
    """How the LUN stands, or stood when that was last known."""
    state = next((lun.state for lun in seen.luns if lun.wwid == wwid), LunState.UNKNOWN)
    return seen.stood.get(wwid, state) if state is LunState.UNKNOWN else state
