"""Records of open-iscsi's database that do harm, and sessions that have none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from mpio import hearsay
from mpio.diagnosis.logins_seen import Logins, called
from mpio.findings import Finding, finding
from mpio.host import Answer, Host, Node, Pair, Portal, Session
from mpio.plan import ground
from mpio.site import Site
from mpio.step import Part, Step, Write
from mpio.tools import iscsidb

STARTUP, SCAN, NR_SESSIONS = "node.startup", "node.session.scan", "node.session.nr_sessions"
LOGIN, RETRIES = "node.conn[0].timeo.login_timeout", "node.session.initial_login_retry_max"
AUTH = "node.session.auth."
PATIENCE = 180  # seconds that a login at a dead portal may hold whoever asked for it: stock is 15 x 8


def findings(site: Site | None, host: Host, seen: Logins) -> Iterator[Finding]:
    for node in host.nodes:
        for why in _half(node):
            yield finding("MP334", str(node.pair), why)
        for why in (*_unscanned(site, host, node), *_slow(site, node)):
            yield finding("MP332", str(node.pair), why)
    yield from _digests(host, seen)
    yield from _renamed(site, host)
    for path in sorted(host.loose_records):
        yield finding("MP333", path)
    yield from _doubled(site, host)
    yield from _reset(site, host, seen)
    yield from _greedy(host, seen)
    yield from _unrecorded(host)


def _half(node: Node) -> Iterator[str]:
    """A CHAP login that cannot be one (usr/initiator_common.c, usr/auth.c). `authmethod` has no say: the secrets do."""
    have = {key: bool(node.settings.get(AUTH + key)) for key in ("username", "password", "username_in", "password_in")}
    if node.settings.get(AUTH + "authmethod", "None") != "None" and not have["password"]:
        yield "authmethod is CHAP and there is no password: it logs in without CHAP"
    elif have["username"] != have["password"]:
        lacks = "username" if have["password"] else "password"
        yield f"a CHAP login without its {lacks}"
    if (have["username_in"] or have["password_in"]) and not have["password"]:
        yield "the target is to prove itself and this host has no secret of its own: no login is tried with that"
    elif have["username_in"] != have["password_in"]:
        lacks = "username_in" if have["password_in"] else "password_in"
        yield f"mutual CHAP without {lacks}: no target can prove itself"


def _unscanned(site: Site | None, host: Host, node: Node) -> Iterator[str]:
    """Whoever has it so on purpose scans by himself; then disks are there."""
    if node.settings.get(SCAN) != "manual" or (site is not None and SCAN in site.session_keys):
        return
    session = host.session_of(node.pair)
    bare = session is not None and session.logged_in and not any(p.sid == session.sid for p in host.paths)
    if bare or (site is not None and any(i.name == node.pair.iface for i in site.ifaces)):
        yield f"{SCAN} is manual: a login brings no disk until somebody scans"


def _slow(site: Site | None, node: Node) -> Iterator[str]:
    each, times = (node.settings.get(key, "") for key in (LOGIN, RETRIES))
    if not (each.isascii() and each.isdigit() and times.isascii() and times.isdigit()):
        return
    whole = int(each[:9]) * int(times[:9])
    if whole > PATIENCE and (site is None or whole != site.timeouts.login * site.timeouts.login_retries):
        yield f"a login waits {whole} s for a portal that is silent ({each} s, {times} times)"


def _digests(host: Host, seen: Logins) -> Iterator[Finding]:
    """Sessions of one LUN that check what they carry, beside others that do not: one path is slower, one blind."""
    names = {m.wwid: m.name for m in host.maps}
    told: set[frozenset[int]] = set()
    for wwid, name in names.items():
        sids = frozenset(p.sid for p in host.paths if p.wwid == wwid and p.sid in seen.digests)
        kinds: defaultdict[tuple[bool, bool], list[str]] = defaultdict(list)
        for sid in sorted(sids):
            kinds[seen.digests[sid]].append(f"session {sid}")
        if len(kinds) > 1 and sids not in told:
            told.add(sids)
            words = (f"{_digest(kind)}: {hearsay.few(some)}" for kind, some in sorted(kinds.items()))
            yield finding("MP332", name, f"its sessions differ in digests: {'; '.join(words)}")


def _digest(kind: tuple[bool, bool]) -> str:
    return " and ".join(word for word, on in zip(("header", "data"), kind, strict=True) if on) or "none"


def _renamed(site: Site | None, host: Host) -> Iterator[Finding]:
    """An iface with an initiator name of its own is another host to the array. On purpose it is so of all ifaces."""
    own = ground.initiator_name(host)
    used = {n.pair.iface for n in host.nodes} | {s.pair.iface for s in host.sessions}
    others = [i for i in host.ifaces if i.name in used and i.initiatorname and i.initiatorname != own]
    for iface in others:
        if site is not None and any(i.name == iface.name for i in site.ifaces):
            yield finding("MP332", iface.name, f"it logs in as {iface.initiatorname}, the host's name is {own}")
        elif len({i.initiatorname or own for i in host.ifaces if i.name in used}) > 1:
            yield finding("MP332", iface.name, f"it logs in as {iface.initiatorname}, other ifaces do not")


def _doubled(site: Site | None, host: Host) -> Iterator[Finding]:
    """More than one record, session or group tag for what is one pair."""
    nodes: defaultdict[Pair, list[Node]] = defaultdict(list)
    sessions: defaultdict[Pair, list[Session]] = defaultdict(list)
    for node in host.nodes:
        nodes[node.pair].append(node)
    for session in host.sessions:
        sessions[session.pair].append(session)
    for pair, some in nodes.items():
        if len(some) > 1:
            yield finding("MP335", str(pair), f"{len(some)} records: {', '.join(sorted(n.path for n in some))}")
    for pair, live in sessions.items():
        asked = next((n.settings.get(NR_SESSIONS, "1") for n in nodes[pair]), "1")
        meant = asked == str(len(live)) and (site is None or NR_SESSIONS in site.session_keys)
        if len(live) > 1 and not meant:
            numbers = ", ".join(str(s.sid) for s in live)
            yield finding("MP335", str(pair), f"sessions {numbers}; {NR_SESSIONS} of its record is {asked}")
    tags: defaultdict[tuple[Portal, str], set[int]] = defaultdict(set)
    for found in (f for one in host.asked for f in one.found):
        tags[found.portal, found.target].add(found.tpgt)
    for (portal, target), numbers_of in sorted(tags.items()):
        wanted = site is None or (hearsay.wants_target(site, target) and not hearsay.excludes(site, portal))
        if len(numbers_of) > 1 and wanted:
            told = ", ".join(map(str, sorted(numbers_of)))
            yield finding("MP335", f"{portal} {target}", f"the portal names it under the group tags {told}")


def _reset(site: Site | None, host: Host, seen: Logins) -> Iterator[Finding]:
    """A discovery that stores sets what it finds back to iscsid.conf (open-iscsi#58, #286). Of a host without a site:
    where others have kept what this one lost.
    """
    kept = {n.pair.target for n in host.nodes if n.settings.get(STARTUP) == "automatic"}
    for node in host.nodes:
        pair = node.pair
        if node.path not in seen.rediscovered or node.settings.get(STARTUP) != "manual" or host.is_offline(pair):
            continue
        ours = host.memory.has("record", str(pair))
        if ours or (site is None and pair.target in kept and host.session_of(pair)):
            lost = f"{STARTUP} is manual" + ("" if ours else ", others of this target are automatic")
            through = node.settings.get("node.discovery_address", "")
            yield finding("MP336", str(pair), lost + (f"; discovered through {through}" if through else ""))


def _greedy(host: Host, seen: Logins) -> Iterator[Finding]:
    """Records that discovery made of an iface and a portal that do not meet (open-iscsi#439)."""
    nics = {i.name: host.nic(i.nic) for i in host.ifaces}
    met: defaultdict[Portal, set[str]] = defaultdict(set)
    for node in host.nodes:
        if seen.answer(host, node.pair) is Answer.ANSWERED:
            met[node.pair.portal].add(node.pair.iface)
    for node in host.nodes:
        pair, nic = node.pair, nics.get(node.pair.iface)
        if nic is None or nic.carrier is not True or host.is_offline(pair) or nic.on_link(pair.portal):
            continue
        answer = seen.answer(host, pair)
        near = [name for name in sorted(met[pair.portal]) if (other := nics.get(name)) and other.on_link(pair.portal)]
        if answer in (Answer.SILENT, Answer.NO_ROUTE) and near and node.settings.get(STARTUP) != "manual":
            why = f"{pair.portal} is in no subnet of {nic.name} and does not answer through it ({answer})"
            yield finding("MP337", str(pair), f"{why}; through {hearsay.few(near)} it does")


def _unrecorded(host: Host) -> Iterator[Finding]:
    """What the host itself runs from may have been logged in by its initramfs, which needs no records."""
    own = {u.dev for u in host.system}
    ifaces: Mapping[str, object] = {i.name: i for i in host.ifaces}
    for session in host.sessions:
        if any(p.sid == session.sid and {p.dev, p.dm} & own for p in host.paths):
            continue
        if session.pair.iface not in ("", iscsidb.DEFAULT, "iser") and session.pair.iface not in ifaces:
            yield finding("MP338", called(session), f"its iface {session.pair.iface} has no record any more")
        elif session.pair.iface and host.node_of(session.pair) is None:
            yield finding("MP338", called(session), "it has no record")


def closed(host: Host) -> tuple[Step, ...]:
    """For `doctor --fix MP333`: the same text, and its mode root's alone."""
    why = "it holds a CHAP secret, and others may read or write it"
    texts = {path: host.files.get(path) for path in sorted(host.loose_records)}
    return tuple(
        Write(Part.DISCOVERY, f"{path}: {why}", path, text, 0o600, text, secret=True)
        for path, text in texts.items()
        if text
    )
