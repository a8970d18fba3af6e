"""Sessions, their records and their logins: what stands against them, and what has been set so that it will."""

from __future__ import annotations

from collections.abc import Iterator

from mpio.diagnosis import logins_records, logins_refused, logins_timers
from mpio.diagnosis.logins_seen import Logins, ago, called
from mpio.findings import Finding, finding
from mpio.host import Answer, Host, Session
from mpio.plan import Plan
from mpio.site import Site
from mpio.tools import iscsidlog
from mpio.tools.tcpinfo import Segments

__all__ = ["Logins", "findings"]

FEW = 50  # segments: fewer say nothing
SHARE = 0.02  # of segments sent again, or out of order; an emulated guest without a fault came to 0.009


def findings(site: Site | None, host: Host, plan: Plan | None, seen: Logins) -> Iterator[Finding]:
    yield from logins_timers.findings(site, host, seen)
    yield from logins_refused.findings(site, host, plan, seen)
    yield from logins_records.findings(site, host, seen)
    yield from _older(site, host, seen)
    for session in host.sessions:
        if why := _lossy(seen.segments.get(session.sid, Segments())):
            yield finding("MP327", called(session), why)
    yield from _stuck(host, seen)


def _older(site: Site | None, host: Host, seen: Logins) -> Iterator[Finding]:
    """What sessions that no site plans were made with and their records and ifaces do not say any more."""
    given = {i.name: i for i in host.ifaces}
    for session in host.sessions:
        if not session.logged_in or (site and any(i.name == session.pair.iface for i in site.ifaces)):
            continue
        iface, said = given.get(session.pair.iface), []
        if iface is not None and iface.initiatorname and session.initiatorname not in ("", iface.initiatorname):
            said.append(f"initiator name {session.initiatorname}, its iface says {iface.initiatorname}")
        if session.sid in seen.otherwise:
            said.append("the CHAP login is not its record's")
        if said:
            yield finding("MP306", called(session), "; ".join(said))


def _lossy(one: Segments) -> str:
    said = []
    if one.again >= FEW and one.again >= SHARE * one.sent:
        said.append(f"{one.again} of {one.sent} segments were sent again")
    if one.early >= FEW and one.early >= SHARE * one.received:
        said.append(f"{one.early} of {one.received} came before an earlier one")
    return ", ".join(said)


def _stuck(host: Host, seen: Logins) -> Iterator[Finding]:
    """What has not come back though what it stands on has: a session, a device. (Of a map's paths: MP404, MP442.)"""
    refused = iscsidlog.refusals(seen.log, {s.sid: s.pair for s in host.sessions})
    for session in host.sessions:
        if host.is_offline(session.pair):
            continue
        if not session.logged_in:
            if seen.answer(host, session.pair) is Answer.ANSWERED and session.pair not in refused:
                yield finding("MP339", called(session), f"at the session: {_state(session, seen)}")
            continue
        for path in host.paths:
            if path.sid == session.sid and path.dev in seen.stopped:
                name = next((m.name for m in host.maps if m.dm == path.dm), path.wwid)
                why = f"at the device: it is {seen.stopped[path.dev]}; its session {session.sid} is logged in"
                yield finding("MP339", f"{path.dev} of {name}", why)


def _state(session: Session, seen: Logins) -> str:
    said = [f"it is {session.state}"]
    if session.sid in seen.down:
        said.append(f"its connection broke {ago(seen.down[session.sid])}")
    return ", ".join([*said, "the portal answers", *([seen.hung] if seen.hung else ())])
