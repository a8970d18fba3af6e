"""Which records log in at the next boot, without booting: what `iscsiadm -m node -L automatic` would do, how long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from mpio.diagnosis.boots_seen import Boots, Place
from mpio.findings import Finding, finding
from mpio.host import Answer, Host, Node, Pair
from mpio.plan import Plan, ground

AUTOMATIC = "automatic"
LOGIN_TIMEOUT, RETRIES = "node.conn[0].timeo.login_timeout", "node.session.initial_login_retry_max"
COMPILED = {LOGIN_TIMEOUT: 15, RETRIES: 8}  # iscsid.conf's own, where a record does not say


def findings(host: Host, plan: Plan | None, seen: Boots) -> Iterator[Finding]:
    wanted = _wanted(host, plan, seen)
    absent = {pair: why for pair in wanted if (why := absent_because(host, pair))}
    leading = [pair for pair, why in absent.items() if why.startswith("node.leading_login")]
    if leading:
        yield finding("MP125", _some(leading), absent[leading[0]])
    others = {pair: why for pair, why in absent.items() if pair not in leading}
    if others:
        code = "MP123" if len(absent) == len(wanted) else "MP124"
        yield finding(code, f"{len(others)} of {len(wanted)} sessions", _words(others, waiting(host, seen, absent)))
    yield from _cannot(host, seen)
    yield from _clock(host, seen)


def _wanted(host: Host, plan: Plan | None, seen: Boots) -> tuple[Pair, ...]:
    """The sessions of now that are to be there again: those of the site, and those that a line of fstab needs. Others
    belong to whoever logs them in when needed (OpenStack, Kubernetes), with records that are manual on purpose.
    """
    planned = plan.pairs.planned if plan else {}
    needed = {wwid for place in seen.places for wwid in place.wwids}
    sids = {p.sid for p in host.paths if p.wwid in needed}
    alive = (s for s in host.sessions if s.logged_in and (s.pair in planned or s.sid in sids))
    return tuple(sorted({s.pair for s in alive if not host.is_offline(s.pair)}))


def logs_in(node: Node) -> bool:
    """Of node.startup and node.conn[0].startup one is enough (usr/iscsiadm.c, match_startup_mode)."""
    return AUTOMATIC in (node.settings.get("node.startup"), node.settings.get("node.conn[0].startup"))


def absent_because(host: Host, pair: Pair) -> str:
    """Why this pair has no session after a boot; empty where it has one."""
    node = host.node_of(pair)
    if node is None:
        return "no record"
    if node.torn:
        return "the record is torn"
    if not logs_in(node):
        return f"node.startup is {node.settings.get('node.startup', 'not set')}"
    if node.settings.get("node.leading_login", "No") != "Yes":
        return ""
    if pair.iface not in {i.name for i in host.ifaces}:
        # It goes through the ifaces that have a file (iface_link_ifaces): of `default` nothing is tried.
        return f"node.leading_login, and the iface {pair.iface} has no file: nothing logs in"
    same = sorted(n.pair for n in host.nodes if n.pair.target == pair.target and logs_in(n))
    return "" if same[:1] == [pair] else "node.leading_login: one session a target"


def _words(absent: dict[Pair, str], waiting: tuple[Place, ...]) -> str:
    of: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair, why in absent.items():
        of[why].append(pair)
    said = [f"{why}: {_some(pairs)}" for why, pairs in of.items()]
    return "; ".join([*said, *(f"{place.said} waits for it in vain" for place in waiting)])


def _some(pairs: list[Pair]) -> str:
    more = f" and {len(pairs) - 2} more" if len(pairs) > 2 else ""
    return ", ".join(map(str, pairs[:2])) + more


def waiting(host: Host, seen: Boots, absent: dict[Pair, str]) -> tuple[Place, ...]:
    """The lines of fstab that have no path left at boot without these pairs."""
    return tuple(p for p in seen.places if (over := bringing(host, p)) and over <= absent.keys())


def bringing(host: Host, place: Place) -> frozenset[Pair]:
    """The pairs whose sessions bring the LUNs of a line."""
    sids = {p.sid for p in host.paths if p.wwid in place.wwids}
    return frozenset(s.pair for s in host.sessions if s.sid in sids)


def patience_of(node: Node) -> int:
    """How many seconds a login at a dead portal takes: every try its time-out."""
    said = (node.settings.get(key, "") for key in (LOGIN_TIMEOUT, RETRIES))
    tries = [int(v) if v.isascii() and v.isdigit() else d for v, d in zip(said, COMPILED.values(), strict=True)]
    return tries[0] * tries[1]


def at_boot(host: Host) -> tuple[Node, ...]:
    """The records that log in at boot, but for those that are offline by hand."""
    return tuple(n for n in host.nodes if not n.torn and logs_in(n) and not host.is_offline(n.pair))


def _cannot(host: Host, seen: Boots) -> Iterator[Finding]:
    """Records that log in at boot and cannot: one finding for all that goes through one NIC to one portal."""
    of: defaultdict[tuple[str, str], list[Node]] = defaultdict(list)
    for node in at_boot(host):
        session = host.session_of(node.pair)
        if (session is None or not session.logged_in) and (why := _why_not(host, seen, node)):
            of[f"{node.pair.iface} -> {node.pair.portal}", why].append(node)
    for (subject, why), nodes in sorted(of.items()):
        most = max(map(patience_of, nodes))
        yield finding("MP126", subject, f"{why}; {len(nodes)} to log in there: the boot may wait {most} s for it")


def _why_not(host: Host, seen: Boots, node: Node) -> str:
    """Nothing where it answers, and where nobody has asked."""
    nic, mac = (_set(node, key) for key in ("iface.net_ifacename", "iface.hwaddress"))
    if seen.present is not None and not mac and nic and nic not in seen.present:
        return f"there is no NIC {nic}"
    if seen.present is not None and mac and mac.lower() not in seen.present.values():
        return f"no NIC has the address {mac}"
    key = (node.pair.iface, node.pair.portal)
    answer = host.probes.get(key, seen.probes.get(key))
    return (
        {
            Answer.SILENT: "nothing answers there",
            Answer.REFUSED: "it refuses connections",
            Answer.NO_ROUTE: "there is no way to it",
        }.get(answer, "")
        if answer
        else ""
    )


def _set(node: Node, key: str) -> str:
    value = node.settings.get(key, "")
    return "" if value in ("<empty>", "default") else value


def _clock(host: Host, seen: Boots) -> Iterator[Finding]:
    """A portal that is dead at boot is tried so long; who waits meanwhile gives up first."""
    nodes = at_boot(host)
    if not nodes:
        return
    longest = max(nodes, key=patience_of)
    most = patience_of(longest)
    login = ground.login_unit(host)
    service = seen.service(login.name) if login else None
    waits = [(p.patience or seen.patience, p.said) for p in seen.places if p.patience != float("inf")]
    if service is not None and service.patience is not None:
        waits.append((service.patience, f"{service.name} (TimeoutStartSec)"))
    shortest = min(waits, default=(float("inf"), ""))
    if most > shortest[0]:
        said = f"{longest.pair}: {most} s, but {shortest[1]} waits {shortest[0]:g} s"
        yield finding("MP127", f"login_timeout x initial_login_retry_max = {most} s", said)
