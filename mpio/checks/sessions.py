"""Sessions and records against what was planned."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mpio import hearsay
from mpio.findings import Finding, finding
from mpio.host import Host, Session
from mpio.plan import Plan, renewing
from mpio.site import Site

SCAN = "node.session.scan"


def findings(site: Site, host: Host, plan: Plan) -> Iterator[Finding]:
    yield from failed(host, plan)
    yield from _foreign(site, host, plan)
    yield from _old_values(site, host, plan)
    yield from _empty(site, host, plan)
    yield from _redirected(site, host, plan)


def failed(host: Host, plan: Plan | None = None) -> Iterator[Finding]:
    """Of the planned sessions; without a plan of every one."""
    for session in host.sessions:
        if _meant(host, plan, session) and not session.logged_in:
            yield finding("MP304", str(session.pair), f"session {session.sid} is {session.state}")


def empty(host: Host, plan: Plan | None, seen: Collection[int]) -> Iterator[Finding]:
    """Where no site names a LUN: sessions that were `seen` without a disk for longer than a scan takes. Where a scan is
    by hand only, as in Kubernetes, that none has come says nothing of the array.
    """
    for session in host.sessions:
        node = host.node_of(session.pair)
        by_hand = node is not None and node.settings.get(SCAN) == "manual"
        if session.sid in seen and session.logged_in and _meant(host, plan, session) and not by_hand:
            yield finding("MP308", str(session.pair), f"session {session.sid} has no disk at all")


def _meant(host: Host, plan: Plan | None, session: Session) -> bool:
    return (plan is None or session.pair in plan.pairs.planned) and not host.is_offline(session.pair)


def _foreign(site: Site, host: Host, plan: Plan) -> Iterator[Finding]:
    portals = {*site.portals, *(p.portal for p in plan.pairs.planned)}
    planned = plan.pairs.planned
    strange = {s.pair: f"session {s.sid}" for s in host.sessions if s.pair.portal in portals and s.pair not in planned}
    for node in host.nodes:
        if node.pair.portal in portals and node.pair not in planned and not host.memory.has("record", str(node.pair)):
            strange.setdefault(node.pair, "a record")
    for pair, what in sorted(strange.items()):
        yield finding("MP305", str(pair), what)


def _old_values(site: Site, host: Host, plan: Plan) -> Iterator[Finding]:
    """What a live session was made with and only a new login changes (contract 2)."""
    for session in host.sessions:
        if session.pair not in plan.pairs.planned or not session.logged_in:
            continue
        if differs := renewing.stale(site, host, session):
            yield finding("MP306", f"session {session.sid} {session.pair}", "; ".join(differs))


def _empty(site: Site, host: Host, plan: Plan) -> Iterator[Finding]:
    wanted = {lun.wwid for lun in site.luns}
    for session in host.sessions:
        if not wanted or not session.logged_in or not _meant(host, plan, session):
            continue
        if not any(p.sid == session.sid and p.wwid in wanted for p in host.paths):
            yield finding("MP308", str(session.pair), f"session {session.sid}")


def _redirected(site: Site, host: Host, plan: Plan) -> Iterator[Finding]:
    """Sessions that are where no word of the site sends them. An array that spreads its logins redirects within its
    own networks: that is no finding, `status` says where the session is.
    """
    for session in host.sessions:
        place = hearsay.place(session)
        if session.pair not in plan.pairs.planned or place in (None, session.pair.portal):
            continue
        reason = hearsay.unasked(site, host, place)
        if reason not in (None, hearsay.Reason.UNTOLD):
            yield finding("MP322", str(session.pair), f"session {session.sid} is at {place}: {reason}")
