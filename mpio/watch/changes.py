"""The differences between two looks, as events: each change once, whatever hints came or did not come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from mpio import topology
from mpio.host import Answer, Path, Session
from mpio.topology import Lun, LunState
from mpio.watch import carried, causes
from mpio.watch.causes import Why
from mpio.watch.event import Cause, Event, Name, Severity
from mpio.watch.seen import Seen

BAD = (LunState.DEGRADED, LunState.FAILED)
NOTHING = Why(None, "", "")


def between(before: Seen, after: Seen) -> tuple[Event, ...]:
    """Causes before effects: NICs, pairs, sessions, paths, LUNs."""
    return tuple(event for of in (_links, _portals, _sessions, _paths, _luns) for event in of(before, after))


def suspects(before: Seen, after: Seen) -> tuple[tuple[Path, ...], tuple[Session, ...]]:
    """What was lost between the looks and does not tell why: disks to be asked whether they still are a LUN, sessions
    whose portals are to be asked whether they answer.
    """
    paths = [p for p, old in _lost(before, after) if causes.of_path(after, p, "").cause is Cause.CHECKER and old]
    failed = [s for s in after.host.sessions if not s.logged_in and (o := before.session(s.sid)) and o.logged_in]
    return tuple(paths), tuple(
        s for s in failed if causes.of_pair(after, s.pair, s.nic).cause in (None, Cause.LOGGED_OUT)
    )


# -- NICs and pairs ------------------------------------------------------------------------------------------------


def _links(before: Seen, after: Seen) -> Iterator[Event]:
    old, new = (
        {**dict.fromkeys(_bound(one), False), **{n.name: n.carrier is True for n in one.host.nics}}
        for one in (before, after)
    )
    for name, was in sorted(old.items()):
        has = new.get(name, False)
        if was == has:
            continue
        iface = next((i.name for i in after.host.ifaces if i.nic == name), "")
        sessions = [s for s in before.host.sessions if s.nic == name]
        how = f"{name} has carrier" if has else causes.link(after.host.nic(name), name)
        yield Event(
            Name.LINK_UP if has else Name.LINK_DOWN,
            Severity.RECOVERED if has else Severity.DEGRADED,
            subject=name,
            detail=f"{how}; it carries {_count(len(sessions), 'session')}",
            cause=None if has else Cause.LINK,
            root=causes.of_nic(name),
            iface=iface,
            nic=name,
        )


def _bound(seen: Seen) -> set[str]:
    """The NICs that ifaces are bound to or are to be, whether they are there or not."""
    names = {i.nic for i in seen.host.ifaces} | {i.nic for i in (seen.site.ifaces if seen.site else ())}
    return names - {""}


def _portals(before: Seen, after: Seen) -> Iterator[Event]:
    for way, answer in sorted(after.host.probes.items()):
        was, answers = before.host.probes.get(way), answer is Answer.ANSWERED
        if (was is None and answers) or (was is not None and (was is Answer.ANSWERED) == answers):
            continue
        iface, portal = way
        nic = next((i.nic for i in after.host.ifaces if i.name == iface), "")
        root = causes.of_way(iface, portal)
        name, severity = Name.PORTAL_REACHABLE, Severity.RECOVERED
        cause, detail = None, f"{portal} answers through {nic or iface}"
        if not answers:
            name, severity = Name.PORTAL_UNREACHABLE, Severity.DEGRADED
            cause = Cause.REFUSED if answer is Answer.REFUSED else Cause.SILENT
            said = "refuses connections" if answer is Answer.REFUSED else f"does not answer ({answer})"
            detail = f"{portal} {said} through {nic or iface}"
        yield Event(
            name,
            severity,
            subject=root,
            detail=detail,
            cause=cause,
            root=root,
            iface=iface,
            nic=nic,
            portal=str(portal),
        )


# -- sessions and paths --------------------------------------------------------------------------------------------


def _sessions(before: Seen, after: Seen) -> Iterator[Event]:
    old, new = ({s.sid: s for s in one.host.sessions} for one in (before, after))
    for sid in sorted(old.keys() | new.keys()):
        was, now = old.get(sid), new.get(sid)
        if now is None:
            why = causes.of_pair(after, old[sid].pair, old[sid].nic)
            quiet = why.cause is Cause.OFFLINE
            severity = Severity.INFO if quiet else Severity.DEGRADED
            yield _of_session(Name.SESSION_REMOVED, severity, old[sid], f"session {sid} is gone", why)
        elif was is None:
            yield _of_session(Name.SESSION_ADDED, Severity.INFO, now, f"session {sid} is {now.state}", NOTHING)
        elif was.logged_in and not now.logged_in:
            why = causes.of_pair(after, now.pair, now.nic)
            yield _of_session(Name.SESSION_FAILED, _loss(why), now, f"session {sid} is {now.state}", why)
        elif now.logged_in and not was.logged_in:
            why = Why(None, causes.of_pair(before, now.pair, now.nic).root, "")
            yield _of_session(Name.SESSION_RESTORED, Severity.RECOVERED, now, f"session {sid} is {now.state}", why)


def _of_session(name: Name, severity: Severity, session: Session, said: str, why: Why) -> Event:
    return Event(
        name,
        severity,
        subject=str(session.pair),
        detail=_sentence(said, why),
        cause=why.cause,
        root=why.root,
        iface=session.pair.iface,
        nic=session.nic,
        portal=str(session.pair.portal),
        target=session.pair.target,
    )


def _lost(before: Seen, after: Seen) -> Iterator[tuple[Path, Path | None]]:
    """Paths that could be used and cannot any more, as they are and as they were."""
    old = {carried.key(p): p for p in before.host.paths}
    for path in after.host.paths:
        was = old.get(carried.key(path))
        if was is not None and was.dm and topology.usable(before.host, was) and not topology.usable(after.host, path):
            yield path, was


def _paths(before: Seen, after: Seen) -> Iterator[Event]:
    old, new = ({carried.key(p): p for p in one.host.paths} for one in (before, after))
    lost = {carried.key(p) for p, _ in _lost(before, after)}
    for key in [*new, *(k for k in old if k not in new)]:
        was, now = old.get(key), new.get(key)
        if now is None:
            why = _of_removed(after, before, old[key])
            yield _of_path(Name.PATH_REMOVED, Severity.INFO, before, after, (old[key], "is gone", why))
        elif was is None:
            said = "is there" if now.dm else "is there, in no map yet"
            yield _of_path(Name.PATH_ADDED, Severity.INFO, after, after, (now, said, NOTHING))
        elif key in lost:
            why = causes.of_path(after, now, _lun_name(after, now))
            said = f"cannot be used: {_state(after, now)}"
            yield _of_path(Name.PATH_FAILED, _loss(why), after, after, (now, said, why))
        elif (was.dm or key in before.out) and _came_back(before, after, was, now):
            why = Why(None, causes.of_path(before, was, _lun_name(after, now)).root, "")
            yield _of_path(Name.PATH_RESTORED, Severity.RECOVERED, after, after, (now, "can be used again", why))


def _came_back(before: Seen, after: Seen, was: Path, now: Path) -> bool:
    return not topology.usable(before.host, was) and topology.usable(after.host, now)


def _of_removed(after: Seen, before: Seen, path: Path) -> Why:
    session = after.session(path.sid)
    if session is not None:
        return Why(None, f"LUN {_lun_name(before, path)}", "its session is still there")
    gone = before.session(path.sid)
    return causes.of_pair(after, gone.pair, gone.nic) if gone else NOTHING


def _of_path(name: Name, severity: Severity, seen: Seen, now: Seen, what: tuple[Path, str, Why]) -> Event:
    """`seen` knows the path and its session, `now` how its LUN stands."""
    path, said, why = what
    session = seen.session(path.sid)
    lun = next((one for one in now.luns if one.wwid == path.wwid), None)
    return Event(
        name,
        severity,
        subject=f"{path.dev} of {_lun_name(seen, path)}",
        detail=_sentence(f"{path.dev} {said}", why),
        cause=why.cause,
        root=why.root,
        wwid=path.wwid,
        alias=_lun_name(seen, path) if lun and lun.alias else "",
        iface=session.pair.iface if session else "",
        nic=session.nic if session else "",
        portal=str(session.pair.portal) if session else "",
        target=session.pair.target if session else "",
        dev=path.dev,
        usable_paths=len(lun.usable) if lun else None,
        expected_paths=lun.expected if lun else None,
    )


def _state(seen: Seen, path: Path) -> str:
    session = seen.session(path.sid)
    words = (path.dm_state or "unknown", path.device_state or "gone", session.state if session else "gone")
    return "dm {}, device {}, session {}".format(*words)


# -- LUNs ----------------------------------------------------------------------------------------------------------


def _luns(before: Seen, after: Seen) -> Iterator[Event]:
    old, new = ({lun.wwid: lun for lun in one.luns} for one in (before, after))
    for wwid in [*new, *(w for w in old if w not in new)]:
        was, now = old.get(wwid), new.get(wwid)
        if now is None:
            yield _of_lun(Name.LUN_REMOVED, Severity.INFO, old[wwid], "is gone", NOTHING)
            continue
        if was is None:
            yield _of_lun(Name.LUN_ADDED, Severity.INFO, now, "is there", NOTHING)
        elif was.dm and now.dm and was.size and now.size and was.size != now.size:
            yield _of_lun(Name.LUN_RESIZED, Severity.INFO, now, f"has {now.size} bytes, it had {was.size}", NOTHING)
        stood = carried.stood(before, wwid)
        if now.state is LunState.HEALTHY and stood in BAD:
            why = Why(None, _why(before, was or now).root, "")
            yield _of_lun(Name.LUN_RECOVERED, Severity.RECOVERED, now, f"is whole: {_paths_of(now)}", why)
        elif now.state in BAD and now.state is not stood:
            yield _worse(before, after, was, now)


def _worse(before: Seen, after: Seen, was: Lun | None, now: Lun) -> Event:
    why = _why(after, now)
    if now.state is LunState.FAILED:
        # The alert is about what took the last path, not what had taken the others.
        last = _why_last(before, after, was) if was else why
        said = f"has no usable path ({_paths_of(now)})"
        return _of_lun(Name.LUN_FAILED, Severity.FAILED, now, said, Why(Cause.ALL_DOWN, last.root, last.evidence))
    shared = f", all over {now.shared}" if now.shared else ""
    return _of_lun(Name.LUN_DEGRADED, Severity.DEGRADED, now, f"has {_paths_of(now)}{shared}", why)


def _why_last(before: Seen, after: Seen, was: Lun) -> Why:
    return _commonest(_of_lost(before, after, p) for p in was.usable)


def _of_lost(before: Seen, after: Seen, path: Path) -> Why:
    now = next((p for p in after.host.paths if carried.key(p) == carried.key(path)), None)
    return _of_removed(after, before, path) if now is None else causes.of_path(after, now, _lun_name(after, now))


def _why(seen: Seen, lun: Lun) -> Why:
    """The cause of most of what the LUN lacks: paths that cannot be used, pairs that have none."""
    usable = {p.dev for p in lun.usable}
    whys = [causes.of_path(seen, p, lun.alias or lun.wwid) for p in lun.paths if p.dev not in usable]
    over = {s.pair for p in lun.paths if (s := seen.session(p.sid))}
    for pair in topology.pairs_of(seen.host, seen.pairs, lun.wwid) if seen.pairs else ():
        if pair not in over:
            whys.append(causes.of_pair(seen, pair))
    return _commonest(whys) if whys else Why(None, f"LUN {lun.alias or lun.wwid}", "")


def _commonest(whys: Iterable[Why]) -> Why:
    """Of several causes the one of most; one that is known before one that is not."""
    counted = Counter(whys)
    return max(counted, key=lambda w: (w.cause is not None, counted[w], w.root), default=NOTHING)


def _of_lun(name: Name, severity: Severity, lun: Lun, said: str, why: Why) -> Event:
    called = lun.alias or lun.wwid
    return Event(
        name,
        severity,
        subject=called,
        detail=_sentence(f"{called} {said}", why),
        cause=why.cause,
        root=why.root or f"LUN {called}",
        wwid=lun.wwid,
        alias=lun.alias,
        usable_paths=len(lun.usable),
        expected_paths=lun.expected,
    )


# -- words ---------------------------------------------------------------------------------------------------------


def _lun_name(seen: Seen, path: Path) -> str:
    lun = next((one for one in seen.luns if one.wwid == path.wwid), None)
    return (lun.alias if lun else "") or path.wwid or path.hctl


def _paths_of(lun: Lun) -> str:
    of = "" if lun.expected is None else f" of {lun.expected}"
    return f"{len(lun.usable)}{of} paths"


def _loss(why: Why) -> Severity:
    return Severity.INFO if why.cause is Cause.OFFLINE else Severity.DEGRADED


def _sentence(said: str, why: Why) -> str:
    cause = f"{why.cause}: " if why.cause else ""
    return f"{said}; {cause}{why.evidence}" if why.evidence else said


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
