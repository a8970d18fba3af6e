"""The state of a host as samples (contract 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpio import budget
from mpio.host import Answer, Host, Portal
from mpio.topology import Lun, LunState, usable
from mpio.watch.event import Name

if TYPE_CHECKING:
    from mpio.site import Site

STATES = {LunState.HEALTHY: 0, LunState.DEGRADED: 1, LunState.FAILED: 2, LunState.UNKNOWN: 3}
HELP = {
    "mpio_lun_paths_expected": "Paths that the site expects of the LUN.",
    "mpio_lun_paths_usable": "Paths of the LUN that are active, running and logged in.",
    "mpio_lun_state": "0 healthy, 1 degraded, 2 failed, 3 unknown.",
    "mpio_path_up": "1 where the path is usable.",
    "mpio_session_up": "1 where the session is logged in.",
    "mpio_session_recovery_timeout_seconds": "recovery_tmo of the live session; absent where it is off.",
    "mpio_iface_carrier": "1 where the iface's NIC has carrier.",
    "mpio_portal_reachable": "1 where the portal answered through the iface, by a probe, or else by a session.",
    "mpio_portal_rtt_seconds": "Round trip to the portal through the iface: by a session's socket or a connect.",
    "mpio_failover_budget_seconds": "How long a reader of the LUN waits at most when this kind of thing fails; absent "
    "where nothing bounds it.",
    "mpio_last_observation_timestamp_seconds": "When the host was looked at.",
    "mpio_events_total": "Events that this watcher has said.",
    "mpio_watch_resyncs_total": "How often this watcher may have missed something and looked at everything anew.",
}
COUNTERS = frozenset({"mpio_events_total", "mpio_watch_resyncs_total"})
Rtt = Mapping[tuple[str, Portal], float]


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


def of_watch(counts: Mapping[str, int], resyncs: int) -> Iterator[Sample]:
    """What a watcher counts. An event that was never said is 0: a rate needs to see the first one come."""
    for name in Name:
        yield Sample("mpio_events_total", (("event", name.value),), counts.get(name.value, 0))
    yield Sample("mpio_watch_resyncs_total", (), resyncs)


def samples(
    host: Host, luns: tuple[Lun, ...], now: float, site: Site | None = None, rtt: Rtt | None = None
) -> Iterator[Sample]:
    """`now` in seconds since the epoch; `rtt` in seconds."""
    over = {s.sid: s for s in host.sessions}
    for lun in luns:
        labels = (("wwid", lun.wwid), ("alias", lun.alias))
        if lun.expected is not None:
            yield Sample("mpio_lun_paths_expected", labels, lun.expected)
        yield Sample("mpio_lun_paths_usable", labels, len(lun.usable))
        yield Sample("mpio_lun_state", labels, STATES[lun.state])
        for kind, stall in budget.of_lun(host, lun, site).stalls.items():
            if stall.limit is not None:
                yield Sample("mpio_failover_budget_seconds", (*labels, ("kind", kind.value)), stall.limit)
        for path in lun.paths:
            session = over.get(path.sid)
            of_path = (
                ("dev", path.dev),
                ("iface", session.pair.iface if session else ""),
                ("portal", str(session.pair.portal) if session else ""),
                ("target", session.pair.target if session else ""),
            )
            yield Sample("mpio_path_up", labels + of_path, usable(host, path))
    for session in host.sessions:
        where = (("iface", session.pair.iface), ("portal", str(session.pair.portal)), ("target", session.pair.target))
        yield Sample("mpio_session_up", where, session.logged_in)
        if session.recovery_tmo is not None:
            yield Sample("mpio_session_recovery_timeout_seconds", where, session.recovery_tmo)
    for iface in host.ifaces:
        nic = host.nic(iface.nic)
        yield Sample("mpio_iface_carrier", (("iface", iface.name), ("nic", iface.nic)), bool(nic and nic.carrier))
    yield from _portals(host)
    for (iface_name, portal), took in sorted((rtt or {}).items()):
        yield Sample("mpio_portal_rtt_seconds", (("iface", iface_name), ("portal", str(portal))), took)
    yield Sample("mpio_last_observation_timestamp_seconds", (), now)


def _portals(host: Host) -> Iterator[Sample]:
    reachable = {pair: answer is Answer.ANSWERED for pair, answer in host.probes.items()}
    for session in host.sessions:
        if session.logged_in:  # which it stays for many seconds after its portal has died: a probe knows better
            reachable.setdefault((session.pair.iface, session.pair.portal), True)
    for (iface, portal), answers in sorted(reachable.items()):
        yield Sample("mpio_portal_reachable", (("iface", iface), ("portal", str(portal))), answers)
