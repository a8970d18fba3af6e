"""What is offline by hand: what is to be as long as it is, what stands against it, and the way there and back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from mpio import guard, topology
from mpio.findings import Finding, finding
from mpio.host import Host, Node, Pair, Path, Session
from mpio.memory import Offline
from mpio.plan import ending, iscsi, maps, tuning
from mpio.plan.shape import Share
from mpio.site import Site
from mpio.step import Command, Note, Step
from mpio.tools import iscsiadm, multipathd, systemctl
from mpio.topology import Pairs

STARTUP = "node.startup"


def held(host: Host) -> Share:
    """Paths of offline pairs that are in use again are failed again: a multipathd that was restarted, or reconfigured,
    knows nothing of them, nor of a session that somebody made anew. The last usable path of a map stays.
    """
    steps: list[Step] = []
    refused: list[Finding] = []
    for mapped in host.maps if host.offline else ():
        paths = [p for p in host.paths if p.dm == mapped.dm]
        back = [p for p in paths if p.dm_state == "active" and topology.offline(host, p)]
        if not back or not maps.runs(host):
            continue
        if any(topology.usable(host, p) and not topology.offline(host, p) for p in paths):
            steps += [multipathd.fail_path(p.dev, why=f"{p.dev} of {mapped.name} is offline by hand") for p in back]
        else:
            refused.append(finding("MP318", mapped.name, ", ".join(p.dev for p in back)))
    return Share(tuple(steps), tuple(refused))


def said(one: Offline) -> str:
    end = f"until {one.until}" if one.until else f"until `mpio online {one.name}`"
    out = ", logged out" if one.logged_out else ""
    return f"by {one.who} since {one.since} {end}: {len(one.pairs)} {'pair' if len(one.pairs) == 1 else 'pairs'}{out}"


def way_back(host: Host, name: str) -> str:
    """What to do to have it back, in a line."""
    until = next((one.until for one in host.offline if one.name == name), None)
    return f"mpio online {name} brings it back{f' before {until}' if until else ''}"


def holding(host: Host, pairs: Collection[Pair]) -> tuple[Offline, ...]:
    """What keeps these pairs offline."""
    return tuple(one for one in host.offline if any(str(p) in one.pairs for p in pairs))


def against_login(host: Host, pairs: Collection[Pair]) -> tuple[Finding, ...]:
    """The same, of pairs that were to be logged in and of no others."""
    return tuple(finding("MP317", one.name, said(one)) for one in holding(host, pairs))


# -- the way there -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rest:
    """What taking pairs offline comes to: `quiet` are the steps until no I/O goes over them, `out` the logouts."""

    quiet: tuple[Step, ...] = ()
    out: tuple[Command, ...] = ()


def against(host: Host, pairs: Collection[Pair], forced: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """What forbids it: a map that would lose its last usable path, a disk that is used past multipath, and a multipathd
    that would not take the paths out of use.
    """
    going = sessions_of(host, pairs)
    found = ending.against(host, going, forced)
    if _in_use(host, going) and not maps.runs(host):
        unit = host.unit(systemctl.MULTIPATHD)
        said = f"it is {unit.active if unit else 'not there'}: only it can take paths out of use"
        found = (*found, finding("MP104", systemctl.MULTIPATHD, said))
    return found


def rest(site: Site, host: Host, planned: Pairs, taken: Iterable[Offline]) -> Rest:
    """The steps that take these offline. `host` is a look from before; its offline pairs stay so."""
    taken = tuple(taken)
    names = {name for one in taken for name in one.pairs}
    pairs = [p for p in every(host, planned) if str(p) in names]
    later = replace(host, offline=(*host.offline, *taken))
    quiet = [*tuning.records(site, later, _only(planned, pairs)), *_foreign_records(host, planned, pairs)]
    going = sessions_of(host, pairs)
    quiet += [multipathd.fail_path(p.dev, why=f"{p.dev} is to be offline") for p in _in_use(host, going)]
    ended = {name for one in taken if one.logged_out for name in one.pairs}
    out = [
        iscsiadm.logout(s.pair, why=f"session {s.sid} ({s.pair}) is offline")
        for s in going
        if str(s.pair) in ended and host.node_of(s.pair)
    ]
    return Rest(tuple(quiet), tuple(out))


def _foreign_records(host: Host, planned: Pairs, pairs: Iterable[Pair]) -> Iterator[Step]:
    """Records that the site does not plan: their sessions must not come at boot either."""
    for node in _unplanned(host, planned, pairs):
        have = node.settings.get(STARTUP)
        if have not in (None, "manual"):
            note = Note("key", f"{node.path} {STARTUP}", have, "manual")
            step = iscsiadm.record_update(node.pair, {STARTUP: "manual"}, why=f"{STARTUP} is {have}")
            yield replace(step, notes=(note,))


def still_in_use(before: Host, host: Host, failed: Iterable[Step]) -> tuple[Finding, ...]:
    """What the device mapper itself says against it, once these steps are done: paths that it still uses, and maps that
    had another one before and have none any more.
    """
    done = {s.argv for s in failed if isinstance(s, Command)}
    paths = [p for p in host.paths if p.dm and multipathd.fail_path(p.dev, why="").argv in done]
    found = [finding("MP107", p.dev, "the device mapper still uses it") for p in paths if p.dm_state != "failed"]
    gone = {p.sid for p in paths}
    known = {m.dm for m in guard.last_paths(before, [s for s in before.sessions if s.sid in gone])}
    for mapped in guard.last_paths(host, [s for s in host.sessions if s.sid in gone]):
        if mapped.dm not in known:
            found.append(finding("MP409", mapped.name, "another path was lost at this moment"))
    return tuple(found)


def undone(host: Host, steps: Iterable[Step]) -> tuple[Step, ...]:
    """Back from `quiet` to what `host` was before it: paths first."""
    done = {s.argv for s in steps if isinstance(s, Command)}
    why = "it was not taken offline after all"
    paths = [p for p in host.paths if multipathd.fail_path(p.dev, why="").argv in done]
    nodes = [n for n in host.nodes if n.settings.get(STARTUP, "manual") != "manual"]
    told = {iscsiadm.pair_of(s) for s in steps if isinstance(s, Command)}
    return (
        *(multipathd.reinstate_path(p.dev, why=why) for p in paths),
        *(iscsiadm.record_update(n.pair, {STARTUP: n.settings[STARTUP]}, why=why) for n in nodes if n.pair in told),
    )


# -- the way back --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Return:
    """What comes back: `pairs`, once `kept` is all that is remembered; `held` are those that another name keeps
    offline.
    """

    pairs: tuple[Pair, ...] = ()
    kept: tuple[Offline, ...] = ()
    held: tuple[Pair, ...] = ()


def returning(host: Host, planned: Pairs, names: Iterable[str], named: Collection[Pair]) -> Return:
    """What `online` with these names of offline things, and with these pairs that were meant otherwise, brings back.

    A pair that another name holds stays offline, unless it was meant itself.
    """
    ended = set(names)
    off = {str(p) for p in named}
    kept = []
    for one in host.memory.offline:
        left = one.pairs - off
        if one.name not in ended and left:
            kept.append(replace(one, pairs=left))
    now = {name for one in kept if _alike(one, host.offline) for name in one.pairs}
    was = {name for one in host.memory.offline for name in one.pairs if one.name in ended or name in off}
    ours = [p for p in every(host, planned) if str(p) in was]
    return Return(tuple(p for p in ours if str(p) not in now), tuple(kept), tuple(p for p in ours if str(p) in now))


def _alike(one: Offline, others: Iterable[Offline]) -> bool:
    return any(one.name == other.name for other in others)


def over(host: Host) -> tuple[str, ...]:
    """The names of what was offline for a time that has passed."""
    return tuple(one.name for one in host.memory.offline if not _alike(one, host.offline))


def back(site: Site, host: Host, planned: Pairs, pairs: Collection[Pair]) -> tuple[Step, ...]:
    """The steps that bring these pairs back, on a host of which they are not offline any more: records, paths, logins.

    A path that multipathd was told to fail is not checked again until it is told otherwise. One that does not answer is
    left failed, since I/O would wait for it; one whose session is down fails at once and is watched from then on.
    """
    alive = {s.sid for s in host.sessions if s.logged_in}
    steps: list[Step] = [*tuning.records(site, host, _only(planned, pairs)), *_restored(host, planned, pairs)]
    for path in _paths(host, sessions_of(host, pairs)):
        answers = path.dev in host.readable if path.sid in alive else path.device_state not in ("blocked", "")
        if path.dm_state == "failed" and answers and maps.runs(host):
            steps.append(multipathd.reinstate_path(path.dev, why=f"{path.dev} is not offline any more"))
    logins = ((iscsiadm.pair_of(s), s) for s in iscsi.logins(site, host, planned))
    steps += [s for p, s in logins if p is not None and p in pairs and host.node_of(p)]
    steps += [
        iscsiadm.login(n.pair, why=f"there is no session for {n.pair}")
        for n in _unplanned(host, planned, pairs)
        if host.session_of(n.pair) is None
    ]
    return tuple(steps)


def _restored(host: Host, planned: Pairs, pairs: Iterable[Pair]) -> Iterator[Step]:
    """The start-up of records that the site does not plan, as it was."""
    for node in _unplanned(host, planned, pairs):
        key = host.memory.keys.get(f"{node.path} {STARTUP}")
        if key and key.before and node.settings.get(STARTUP) == key.ours != key.before:
            yield iscsiadm.record_update(node.pair, {STARTUP: key.before}, why=f"{STARTUP} was {key.before}")


def lacking(host: Host, pairs: Collection[Pair]) -> tuple[tuple[Pair, str], ...]:
    """(pair, map) of each path that should have come back and is not in use: over a live session whose target has
    shown the map's LUN.
    """
    found = []
    for pair in pairs:
        session = host.session_of(pair)
        if session is None or not session.logged_in:
            continue
        good = {p.dm for p in host.paths if p.sid == session.sid and topology.usable(host, p)}
        shown = [m for m in host.maps if pair.target in host.memory.shown.get(m.wwid, frozenset())]
        found += [(pair, m.name) for m in shown if m.dm not in good]
    return tuple(found)


def every(host: Host, planned: Pairs) -> tuple[Pair, ...]:
    """Every pair that may be offline."""
    there = [*planned.planned, *(s.pair for s in host.sessions), *(n.pair for n in host.nodes)]
    return tuple(dict.fromkeys(there))


def sessions_of(host: Host, pairs: Collection[Pair]) -> tuple[Session, ...]:
    return tuple(s for s in host.sessions if s.pair in pairs)


def _paths(host: Host, sessions: Iterable[Session]) -> tuple[Path, ...]:
    sids = {s.sid for s in sessions}
    return tuple(p for p in host.paths if p.sid in sids and p.dm)


def _in_use(host: Host, sessions: Iterable[Session]) -> tuple[Path, ...]:
    """Their paths that the device mapper may send I/O to."""
    return tuple(p for p in _paths(host, sessions) if p.dm_state != "failed")


def _unplanned(host: Host, planned: Pairs, pairs: Iterable[Pair]) -> tuple[Node, ...]:
    return tuple(n for n in host.nodes if n.pair in set(pairs) and n.pair not in planned.planned)


def _only(planned: Pairs, pairs: Iterable[Pair]) -> Pairs:
    return replace(planned, planned={p: planned.planned[p] for p in pairs if p in planned.planned})
