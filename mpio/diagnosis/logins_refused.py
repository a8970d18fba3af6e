"""Why a target turned a login down, from what iscsid wrote about it: a login that was tried and failed leaves nothing
else behind, and to try one more would bring the host nearer to being locked out.
"""

from __future__ import annotations

from collections.abc import Iterator

from mpio import hearsay
from mpio.diagnosis.logins_seen import Logins, ago
from mpio.findings import Finding, finding
from mpio.host import Host, Node, Pair
from mpio.plan import Plan, ground, iscsi
from mpio.site import Site
from mpio.tools import iscsidb, iscsidlog
from mpio.tools.iscsidlog import Line, Word

PROOF = ("node.session.auth.username_in", "node.session.auth.password_in")
SLACK = 1.0  # seconds between the clock that files are stamped by and the journal's


def findings(site: Site | None, host: Host, plan: Plan | None, seen: Logins) -> Iterator[Finding]:
    gone = _elsewhere(site, host, plan) if site is not None and plan is not None else {}
    for pair, why in gone.items():
        yield finding("MP325", str(pair), why)
    told = iscsidlog.refusals(seen.log, {s.sid: s.pair for s in host.sessions})
    for pair, line in sorted(told.items()):
        node, session = host.node_of(pair), host.session_of(pair)
        if node is None or (session is not None and session.logged_in) or host.is_offline(pair) or pair in gone:
            continue
        if seen.changed.get(pair, 0.0) > line.at + SLACK:
            continue  # what it was refused for may be mended
        code, why = _judged(host, node, line)
        when = f"{ago(seen.now - line.at)}, {iscsidlog.TAG}: {line.text}"
        yield finding(code, str(pair), f"{why}; {when}")


def _judged(host: Host, node: Node, line: Line) -> tuple[str, str]:
    """The code, and what of this host stands against it."""
    if line.word is Word.ACL:
        name = next((i.initiatorname for i in host.ifaces if i.name == node.pair.iface and i.initiatorname), "")
        return "MP331", f"this host is {name or ground.initiator_name(host) or 'without a name'} to it"
    if line.word is Word.NOT_SERVED:
        return "MP325", "the portal answers and does not serve the target"
    if line.word is Word.UNPROVEN:
        wants = any(key in node.settings for key in PROOF)
        return "MP330", "the record wants the target's proof" if wants else "the target seems to want no CHAP at all"
    if iscsi.SECRET in node.settings:
        return "MP328", f"the record logs in as {node.settings.get('node.session.auth.username') or 'nobody'}"
    return "MP329", "the record has no CHAP secret"


def _elsewhere(site: Site, host: Host, plan: Plan) -> dict[Pair, str]:
    """Planned pairs without a session whose portal has just been asked and does not name their target any more, or
    names it under another group tag than the record: such a login is refused as well (usr/login.c).
    """
    gone: dict[Pair, str] = {}
    for asked in host.asked:
        named = {f.target: f.tpgt for f in asked.found if f.portal == asked.portal}
        if asked.code != 0 or not any(hearsay.wants_target(site, f.target) for f in asked.found):
            continue
        for pair in plan.pairs.planned:
            session, node = host.session_of(pair), host.node_of(pair)
            if pair.portal != asked.portal or (session and session.logged_in) or host.is_offline(pair):
                continue
            if node is None or pair.iface not in asked.ifaces:
                continue
            if pair.target not in named:
                places = sorted(str(f.portal) for f in asked.found if f.target == pair.target)
                where = f"names it at {hearsay.few(places)} only" if places else "does not name it any more"
                gone[pair] = f"the portal answers and {where}"
            elif node.tpgt not in (named[pair.target], iscsidb.TPGT_UNKNOWN):
                gone[pair] = f"its group tag is {named[pair.target]} there, the record says {node.tpgt}"
    return gone
