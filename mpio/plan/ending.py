"""The steps that take things away: logout and teardown, in the safe order (facts 8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mpio import guard
from mpio.findings import Finding, finding
from mpio.host import Host, Portal, Session
from mpio.memory import Key, Memory
from mpio.plan import ground, iscsi, maps, routes, timer, watching
from mpio.plan.shape import INITIATOR_NAME, ISCSID_CONF, MULTIPATH_CONF, MULTIPATH_DROP_IN, ROUTES_UNIT, Share
from mpio.proposing import trials
from mpio.step import Command, Part, Step, Write
from mpio.tools import iscsiadm, iscsidb, keyfile, multipath, multipathd, systemctl
from mpio.topology import usable

EDITED = (ISCSID_CONF, INITIATOR_NAME)


def sessions(host: Host, ending: Iterable[Session], forced: frozenset[str] = frozenset(), whole: bool = False) -> Share:
    """Log these sessions out. Closed maps that lose their last path are flushed first, if the whole site goes; else
    that is refused.
    """
    going = tuple(ending)
    refused = guard.against_logout(host, going, forced) if whole else against(host, going, forced)
    if refused:
        return Share(refused=refused)
    steps: list[Step] = []
    for mapped in guard.last_paths(host, going):
        if not guard.in_use(host, mapped):
            if not any(usable(host, p) for p in host.paths if p.dm == mapped.dm):
                why = f"{mapped.name} has no usable path: a flush would wait in its queue"
                steps.append(multipathd.disable_queueing(mapped.name, why=why))
            steps.append(multipath.flush(mapped.name, why=f"{mapped.name} loses its last path and is not in use"))
    for session in going:
        why = f"session {session.sid} ({session.pair}) is to end"
        steps.append(iscsiadm.logout(session.pair, why=why))
    return Share(tuple(steps))


def against(host: Host, going: Iterable[Session], forced: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """What forbids ending some of the site's sessions: the last usable path of any map, open (MP408) or not (MP409),
    and disks in use past multipath.
    """
    going = tuple(going)
    bare = () if "MP409" in forced else guard.last_paths(host, going)
    closed = tuple(finding("MP409", m.name) for m in bare if not guard.in_use(host, m))
    return (*guard.against_logout(host, going, forced), *closed)


def is_left(step: Step, host: Host) -> bool:
    """Does the host still show what a logout step was to end?"""
    return isinstance(step, Command) and any(step.argv == iscsiadm.logout(s.pair, why="").argv for s in host.sessions)


def teardown(host: Host, forced: frozenset[str] = frozenset()) -> Share:
    """Everything mpio made, taken away in the safe order. A session counts as ours if its record is."""
    memory = host.memory
    nodes = [n for n in host.nodes if memory.has("record", str(n.pair))]
    ours = {n.pair for n in nodes}
    ended = sessions(host, [s for s in host.sessions if s.pair in ours], forced, whole=True)
    tried = trials.ended(host, forced)
    refused = (*ended.refused, *_named(host, ended.refused, forced), *tried.refused)
    if refused:
        return Share(refused=refused)
    why = "mpio made it"
    others = {s.sid for s in host.sessions if s.pair not in ours}
    steps: list[Step] = [*watching.taken_back(host, why, [p.dev for p in host.paths if p.sid in others])]
    steps += [*tried.steps, *(trials.rules_gone() if tried.steps else ())]
    steps += [*_back_in_use(host, [s for s in host.sessions if s.pair not in ours]), *ended.steps]
    foreign = {n.pair.iface for n in host.nodes if n.pair not in ours} | {iface for iface, _ in host.unread}
    foreign |= {s.pair.iface for s in host.sessions if s.pair not in ours}
    steps += [step for n in nodes for step in iscsi.deleted(n, why)]
    portals = [Portal.parse(p) for p in memory.names("discovery")]
    steps += [iscsiadm.discoverydb_delete(p, why=why) for p in portals if p not in host.discovered_through]
    steps += iscsi.without_login(host, (p for p in portals if p in host.discovered_through))
    steps += [
        iscsiadm.iface_delete(i.name, why=why)
        for i in host.ifaces
        if memory.has("iface", i.name) and i.name not in foreign
    ]
    steps += _multipath(host, why)
    elsewhere = {MULTIPATH_DROP_IN, ROUTES_UNIT, *map(watching.place, (*watching.RULES, *watching.UNITS))}
    steps += [
        _removed(host, name, why)
        for name in memory.names("file")
        if name not in elsewhere and host.files.get(name) is not None and not _grown(host, name)
    ]
    steps += _keys(host)
    steps += routes.taken_back(host, why) if memory.has("file", ROUTES_UNIT) else ()
    steps += timer.taken_back(host, why)
    steps += [
        Command(Part.SERVICES, f"mpio enabled {name}", systemctl.disable(name))
        for name in memory.names("unit")
        if name not in (systemctl.ROUTES, *watching.STARTED)
    ]
    return Share(tuple(steps))


def emptied(kept: Memory, hollow: Iterable[tuple[str, Portal, str]]) -> tuple[str, ...]:
    """Those of the folders without a record that a record of mpio's was in, each before the one above it."""
    ends = tuple(name.partition(" -> ")[2] for name in kept.names("record"))
    found = [path for path, portal, target in hollow if f"{portal} {target}" in ends]
    return (*found, *dict.fromkeys(path.rpartition("/")[0] for path in found))


def _back_in_use(host: Host, staying: Iterable[Session]) -> Iterator[Step]:
    """What is offline by hand will be forgotten: nobody would bring back the paths of sessions that stay."""
    names = {name for one in host.memory.offline for name in one.pairs}
    sids = {s.sid for s in staying if str(s.pair) in names}
    for path in host.paths if sids and maps.runs(host) else ():
        if path.sid in sids and path.dm_state == "failed" and path.dev in host.readable:
            yield multipathd.reinstate_path(path.dev, why=f"{path.dev} is offline by hand, which is forgotten")


def _grown(host: Host, path: str) -> bool:
    """The user has written into the multipath.conf that mpio made: it is the user's now."""
    return path == MULTIPATH_CONF and host.files.get(path) != ground.MINIMAL_CONF


def _named(host: Host, said: Iterable[Finding], forced: frozenset[str]) -> tuple[Finding, ...]:
    """Open maps that a foreign session keeps alive: without our entry they would lose their names under their users."""
    known, ours = {f.subject for f in said}, maps.entries(host)
    held = [m for m in host.maps if m.wwid in ours and m.name not in known and guard.in_use(host, m)]
    return tuple(f for m in held if (f := guard.of_map(host, m)).code not in forced)


def _multipath(host: Host, why: str) -> list[Step]:
    steps: list[Step] = []
    if host.memory.has("file", MULTIPATH_DROP_IN) and host.files.get(MULTIPATH_DROP_IN) is not None:
        steps.append(_removed(host, MULTIPATH_DROP_IN, why))
    kept = {m.wwid for m in host.maps if guard.in_use(host, m)}
    steps += [
        multipath.forget(wwid, why=why)
        for wwid in host.memory.names("wwid")
        if wwid in host.registered and wwid not in kept
    ]
    running = any(u.name == "multipathd.service" and u.active == "active" for u in host.units)
    if steps and running:
        steps.append(multipathd.reconfigure(why="multipathd still holds what was removed"))
    return steps


def _removed(host: Host, path: str, why: str) -> Write:
    return Write(
        Part.MULTIPATH if path == MULTIPATH_DROP_IN else Part.SYSCTL, why, path, None, None, host.files.get(path)
    )


def _keys(host: Host) -> list[Step]:
    """The previous value of each key that still has ours (contract 8); a key that somebody changed since stays."""
    steps: list[Step] = []
    for path in EDITED:
        text = host.files.get(path)
        ours = _of_file(host, path)
        if text is None or not ours:
            continue
        have = keyfile.values(text)
        back = {k: v.before for k, v in ours.items() if have.get(k) == v.ours}
        if back:
            separator = "=" if path == INITIATOR_NAME else " = "
            new = keyfile.with_values(text, back, separator=separator)
            said = ", ".join(f"{k} was {v if v is not None else 'not set'}" for k, v in back.items())
            steps.append(Write(Part.TIMEOUTS, said, path, new, None, text))
    plain: dict[str, dict[str, str]] = {}
    for node in host.nodes:
        ours = _of_file(host, node.path)
        kept = {k: v.before for k, v in ours.items() if v.before is not None and node.settings.get(k) == v.ours}
        plain[node.path] = {k: before for k, before in kept.items() if ".auth." not in k}
        if plain[node.path]:
            why = f"{node.pair} was there before mpio, with other settings"
            steps.append(iscsiadm.record_update(node.pair, plain[node.path], why=why, part=Part.TIMEOUTS))
    records = dict.fromkeys(
        path for path, _, key in (name.rpartition(" ") for name in host.memory.keys) if ".auth." in key
    )
    steps += [step for path in records for step in _login_back(host, path, plain.get(path, {}))]
    return steps + ground.given_back(host, ())


def _login_back(host: Host, path: str, plain: Mapping[str, str]) -> Iterator[Write]:
    """The CHAP login of a record that somebody else made, as it was, if it is ours still. A secret that stood there
    before was not kept: then ours stays. `plain` are settings that an update before it gives the same file.
    """
    text, ours = host.files.get(path), {k: v for k, v in _of_file(host, path).items() if ".auth." in k}
    if text is None or not ours or any(v.before == iscsidb.MASK for v in ours.values()):
        return
    have = iscsi.shown(text)
    if any(have.get(key) != value.ours for key, value in ours.items()):
        return
    new = iscsidb.record_text_with(text, {**plain, **{key: value.before for key, value in ours.items()}})
    yield Write(Part.TIMEOUTS, f"{path} was there before mpio, without its login", path, new, 0o600, text, secret=True)


def _of_file(host: Host, path: str) -> dict[str, Key]:
    return {name.rpartition(" ")[2]: key for name, key in host.memory.keys.items() if name.rpartition(" ")[0] == path}


def left_alone(host: Host) -> tuple[str, ...]:
    """Keys of ours that somebody has changed since: teardown leaves them and says so."""
    said = []
    for name, key in host.memory.keys.items():
        path, _, word = name.rpartition(" ")
        text = host.files.get(path)
        if text is None:
            continue
        have = text.strip() if path.startswith("/proc/sys/") else iscsi.shown(text).get(word)
        if key.before == iscsidb.MASK and have == key.ours:
            said.append(f"{word} in {path} is mpio's: the previous one was a secret, which mpio does not keep")
        if have not in (key.ours, key.before):
            said.append(f"{word} in {path} is {have}, neither mpio's {key.ours} nor the previous {key.before}")
    return tuple(said)
