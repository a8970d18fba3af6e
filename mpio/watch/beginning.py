"""How a watcher begins: the whole state in one event."""

from __future__ import annotations

from mpio.topology import LunState
from mpio.watch.event import Event, Name, Severity
from mpio.watch.seen import Seen

SEVERITIES = {LunState.DEGRADED: Severity.DEGRADED, LunState.FAILED: Severity.FAILED}


def started(seen: Seen, role: str) -> Event:
    """`role` says whether this watcher acts. Its severity is that of the worst LUN."""
    states = [lun.state for lun in seen.luns]
    worst = max((s for s in states if s in SEVERITIES), key=list(SEVERITIES).index, default=None)
    counted = [f"{states.count(s)} {s}" for s in LunState if s in states]
    alive = sum(s.logged_in for s in seen.host.sessions)
    links = [f"{n.name} {'up' if n.carrier else 'down'}" for n in seen.host.nics]
    told = [
        f"LUNs: {', '.join(counted) or 'none'}",
        f"sessions: {alive} of {len(seen.host.sessions)} logged in",
        f"links: {', '.join(links) or 'none'}",
        role,
    ]
    return Event(
        Name.STARTED, SEVERITIES[worst] if worst else Severity.INFO, subject="mpio watch", detail="; ".join(told)
    )
