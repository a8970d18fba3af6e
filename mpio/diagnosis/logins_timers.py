"""Time-outs of sessions: who has set them, which of them counts, and whether a dead path is noticed in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mpio import budget
from mpio.diagnosis.logins_seen import Logins, called
from mpio.findings import Finding, finding
from mpio.host import Host, Node, Session
from mpio.plan import renewing, timeouts
from mpio.plan.shape import ISCSID_CONF
from mpio.site import Site
from mpio.tools import iscsidlog, keyfile

STOCK = 120  # open-iscsi's own replacement_timeout (etc/iscsid.conf): that it has no say is no news
LONG = 60  # seconds of recovery from which on it is worth a word
PASSING = 3  # times a connection ended over a no-op and was back at once
TIMERS = {
    "no-op interval": "node.conn[0].timeo.noop_out_interval",
    "no-op time-out": "node.conn[0].timeo.noop_out_timeout",
}
FAST_IO_FAIL = "fast_io_fail_tmo"


def findings(site: Site | None, host: Host, seen: Logins) -> Iterator[Finding]:
    conf = keyfile.values(host.files.get(ISCSID_CONF) or "")
    if site is not None and host.sessions:
        yield from _filed(site, conf)
    for session in host.sessions:
        if not session.logged_in or host.is_offline(session.pair):
            continue
        ours = site if _planned(site, session) else None
        said = [*_recovery(ours, host, seen, session, conf), *_noops(ours, host, session)]
        if said:
            worst = budget.of_session(host, session, site).worst
            yield finding("MP323", called(session), f"{'; '.join(said)}; worst stall {worst}")
        if why := _unbounded(ours, host, seen, session):
            yield finding("MP324", called(session), why)
    yield from _torn_down(host, seen)


def _filed(site: Site, conf: Mapping[str, str]) -> Iterator[Finding]:
    differs = {k: v for k, v in timeouts.settings_of_conf(site).items() if conf.get(k) != v}
    if differs:
        words = ", ".join(f"{key} is {conf.get(key, 'not set')}, the site says {v}" for key, v in differs.items())
        yield finding("MP323", ISCSID_CONF, f"{words}; it counts for records that are made from now on")


def _planned(site: Site | None, session: Session) -> bool:
    return site is not None and any(i.name == session.pair.iface for i in site.ifaces)


def _recovery(site: Site | None, host: Host, seen: Logins, session: Session, conf: Mapping[str, str]) -> Iterator[str]:
    """How long a lost connection holds I/O back: what is in force, what others say, and why theirs is not."""
    live, node = session.recovery_tmo, host.node_of(session.pair)
    recorded, filed = _number(node.settings if node else {}, budget.REPLACEMENT), _number(conf, budget.REPLACEMENT)
    written = of_multipath(host, seen, session)
    if live is None:
        return
    told = {f"{FAST_IO_FAIL} of multipath": written, "its record": recorded, ISCSID_CONF: filed}
    if site is not None:
        wanted = site.timeouts.replacement
        others = {place: value for place, value in told.items() if value not in (None, wanted) and place != ISCSID_CONF}
        if live == wanted and not others:
            return
    elif written is None:
        others = {} if recorded in (None, live) else {"its record": recorded}
    else:
        others = {place: value for place, value in told.items() if value not in (None, live, STOCK)}
    if site is None and not others:
        return
    places = ", ".join(f"{place} {value}" for place, value in told.items() if value is not None)
    site_says = f", the site {site.timeouts.replacement}" if site is not None else ""
    why = (
        "the site's own, until the others have their turn"
        if site and live == site.timeouts.replacement
        else _winner(live, written, recorded)
    )
    yield f"recovery {live} s is in force: {places}{site_says}; {why}"


def _winner(live: int, written: int | None, recorded: int | None) -> str:
    if live == written:
        return "multipathd writes its own over every other: change it there"
    if written is not None:
        return "multipathd has not written its own since, or somebody wrote into /sys: multipathd reconfigure"
    if live == recorded:
        return "the record counts at login"
    return "a record counts from the next login on, iscsid.conf for new records alone"


def of_multipath(host: Host, seen: Logins, session: Session) -> int | None:
    """What multipathd writes into the session; None where it has no map over it, or leaves the time alone (off)."""
    wwids = {p.wwid for p in host.paths if p.sid == session.sid and p.dm}
    known = (host.effective.loaded or host.effective.installed) if host.effective else {}
    said = {seen.fast_io_fail.get(w) or known.get(w, {}).get(FAST_IO_FAIL, "") for w in wwids}
    numbers = {int(value) for value in said if value.isascii() and value.isdigit()} - {0}
    return numbers.pop() if len(numbers) == 1 else None


def _noops(site: Site | None, host: Host, session: Session) -> Iterator[str]:
    """The record's no-op timers, where a live session has others. That it has not the site's is MP306."""
    node = host.node_of(session.pair)
    if node is None or (site is not None and renewing.stale(site, host, session)):
        return
    for (name, key), live in zip(TIMERS.items(), (session.noop_interval, session.noop_timeout), strict=True):
        recorded = _number(node.settings, key)
        if live is not None and recorded is not None and live != _taken(node, recorded):
            yield f"{name} {live} s is in force, its record says {recorded} from the next login on"


def _taken(node: Node, value: int) -> int:
    """What a login makes of a record's value: of one zero alone the stock 5 (facts: usr/initiator.c)."""
    both = {_number(node.settings, key) for key in TIMERS.values()}
    return 5 if value == 0 and both != {0} else value


def _unbounded(site: Site | None, host: Host, seen: Logins, session: Session) -> str:
    """Why a path that dies in silence is in use for long, or for ever; empty where it is not, or the site wants it."""
    if not any(p.sid == session.sid and p.dm for p in host.paths):
        return ""  # without a map nothing else could take over
    if 0 in (session.noop_interval, session.noop_timeout):
        return "no-ops are off: of silence only TCP hears, after many minutes"
    if session.sid in seen.endless:
        return "recovery_tmo is off: what is in flight on a dead path is held for ever, and no other path gets it"
    live = session.recovery_tmo
    if live is not None and live >= LONG and (site is None or site.timeouts.replacement != live):
        stall = budget.of_session(host, session, site).worst
        return f"recovery_tmo is {live} s: worst stall {stall}"
    return ""


def _torn_down(host: Host, seen: Logins) -> Iterator[Finding]:
    times = iscsidlog.passing(seen.log)
    for session in host.sessions:
        if times.get(session.sid, 0) >= PASSING and session.logged_in:
            timers = f"interval {session.noop_interval} s, time-out {session.noop_timeout} s"
            yield finding(
                "MP326",
                called(session),
                f"{times[session.sid]} times since the boot, back by the first login; {timers}",
            )


def _number(said: Mapping[str, str], key: str) -> int | None:
    value = said.get(key, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
