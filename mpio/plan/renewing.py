"""Renewing sessions: which need a new login, what stands against it, and what is to be there again afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from mpio import topology
from mpio.findings import Finding, finding
from mpio.host import Host, Pair, Session
from mpio.plan import ending, ground, iscsi, maps, timeouts, tuning
from mpio.site import Site
from mpio.step import Command, Step
from mpio.tools import iscsiadm, multipathd, systemctl
from mpio.topology import Pairs


@dataclass(frozen=True, slots=True)
class Choice:
    """`due` are the pairs to renew, in the plan's order; `current` those whose sessions are as a login would make
    them.

    `unrecorded` are live sessions that could not be logged in again, `foreign` chosen pairs that the site does not
    plan: both are left alone.
    """

    due: tuple[Pair, ...] = ()
    current: tuple[Pair, ...] = ()
    unrecorded: tuple[Pair, ...] = ()
    foreign: tuple[Pair, ...] = ()


def choice(site: Site, host: Host, pairs: Pairs, chosen: Iterable[Pair], every: bool) -> Choice:
    """Of the chosen pairs those with a live session: `every` one of them, or those that only a new login mends.

    A session that is not logged in is left to iscsid: nothing says that it would come back.
    """
    asked = set(chosen)
    alive = [p for p in pairs.planned if p in asked and (s := host.session_of(p)) and s.logged_in]
    recorded = [p for p in alive if host.node_of(p)]
    due = [p for p in recorded if every or any(stale(site, host, s) for s in _of(host, p))]
    return Choice(
        due=tuple(due),
        current=tuple(p for p in recorded if p not in due),
        unrecorded=tuple(p for p in alive if p not in recorded),
        foreign=tuple(sorted(p for p in asked if p not in pairs.planned and host.session_of(p))),
    )


def stale(site: Site, host: Host, session: Session) -> tuple[str, ...]:
    """What a live session was made with and only a new login changes (contract 2)."""
    nics = {i.name: i.nic for i in site.ifaces}
    wanted = {
        "no-op interval": (session.noop_interval, site.timeouts.noop_interval),
        "no-op time-out": (session.noop_timeout, site.timeouts.noop_timeout),
        "NIC": (session.nic or None, nics.get(session.pair.iface)),
        # The name that a new login would use is the file's; that it is not the site's is a refusal (MP307).
        "initiator name": (session.initiatorname or None, ground.initiator_name(host)),
    }
    differs = tuple(
        f"{what} {have}, wanted {want}"
        for what, (have, want) in wanted.items()
        if have is not None and want is not None and have != want
    )
    return (*differs, "the CHAP login is not the site's") if session.sid in host.old_chap else differs


def against(host: Host, due: Iterable[Pair], forced: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """What forbids taking any one of these pairs' sessions away for a moment: the interlock of `logout`, and a
    multipathd that would not take the new paths into their maps.
    """
    found: dict[Finding, None] = {}
    for pair in due:
        going = _of(host, pair)
        found |= dict.fromkeys(ending.against(host, going, forced))
        if carried(host, pair) and not maps.runs(host):
            unit = host.unit(systemctl.MULTIPATHD)
            found[finding("MP104", systemctl.MULTIPATHD, f"it is {unit.active if unit else 'not there'}")] = None
    return tuple(found)


def away(site: Site, host: Host, pairs: Pairs, pair: Pair) -> tuple[Step, ...]:
    """Bring the record to the site and move I/O to the other paths.

    A path that multipathd has failed gets no I/O any more, so that none is in flight when its disk goes.
    """
    steps = list(tuning.records(site, host, _only(pairs, pair)))
    sids = {s.sid for s in _of(host, pair)}
    for path in host.paths:
        if path.sid in sids and path.dm and path.dm_state == "active":
            steps.append(multipathd.fail_path(path.dev, why=f"{path.dev} goes with its session ({pair})"))
    return tuple(steps)


def out(pair: Pair) -> Command:
    return iscsiadm.logout(pair, why=f"the session of {pair} is to be made anew")


def enter(pair: Pair) -> Command:
    return iscsiadm.login(pair, why=f"{pair} was logged out to be made anew")


def back_in_use(host: Host, left: Iterable[Step]) -> tuple[Command, ...]:
    """Undo `away` where the session stayed: multipathd does not check a path again that it was told to fail."""
    failed = {s.argv for s in left if isinstance(s, Command)}
    return tuple(
        multipathd.reinstate_path(p.dev, why=f"the session of {p.dev} was not ended")
        for p in host.paths
        if multipathd.fail_path(p.dev, why="").argv in failed
    )


def carried(host: Host, pair: Pair) -> frozenset[str]:
    """The WWIDs to whose maps this pair brings a path."""
    sids = {s.sid for s in _of(host, pair)}
    return frozenset(p.wwid for p in host.paths if p.dm and p.sid in sids)


def missing(host: Host, pair: Pair, wwids: Iterable[str]) -> tuple[str, ...]:
    """Of these WWIDs those without a usable path over this pair, by the names of their maps."""
    sids = {s.sid for s in _of(host, pair)}
    have = {p.wwid for p in host.paths if p.sid in sids and topology.usable(host, p)}
    names = {m.wwid: m.name for m in host.maps}
    return tuple(names.get(w, w) for w in sorted(set(wwids) - have))


def restored(site: Site, host: Host, pairs: Pairs, pair: Pair) -> tuple[Step, ...]:
    """The planned recovery time of the new session, where it has another."""
    return timeouts.live(site, host, _only(pairs, pair)).steps


def ready(site: Site, host: Host, pairs: Pairs, chosen: Collection[Pair]) -> tuple[Command, ...]:
    """The logins of the chosen pairs that have a record and no session."""
    steps = iscsi.logins(site, host, pairs)
    return tuple(s for s in steps if (p := iscsiadm.pair_of(s)) in chosen and p and host.node_of(p))


def wrong(site: Site, host: Host, pair: Pair, wwids: Iterable[str]) -> tuple[Finding, ...]:
    """What a new session does not do that it was made for. A login that failed says so itself."""
    session = host.session_of(pair)
    if session is None:
        return ()
    if not session.logged_in:
        return (finding("MP304", str(pair), f"session {session.sid} is {session.state}"),)
    found = [finding("MP404", name, f"not back over {pair}") for name in missing(host, pair, wwids)]
    if differs := stale(site, host, session):
        found.append(finding("MP306", f"session {session.sid} {pair}", f"its new login changed nothing: {differs[0]}"))
    return tuple(found)


def to_come(pairs: Iterable[Pair], host: Host) -> tuple[Command, ...]:
    """What is left of a renewal that stopped: the logins of what is logged out, both of what was not begun."""
    steps: list[Command] = []
    for pair in pairs:
        if host.session_of(pair):
            steps.append(out(pair))
        steps.append(enter(pair))
    return tuple(steps)


def _of(host: Host, pair: Pair) -> tuple[Session, ...]:
    return tuple(s for s in host.sessions if s.pair == pair)


def _only(pairs: Pairs, pair: Pair) -> Pairs:
    return replace(pairs, planned={pair: pairs.planned[pair]})
