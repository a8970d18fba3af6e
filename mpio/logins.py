"""Why a pair of the site has no live session, and who goes first where a login may be refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from mpio.findings import Finding, finding
from mpio.host import Answer, Host, Pair
from mpio.plan import Plan, iscsi
from mpio.site import Site

UNKNOWN = -1  # a portal group that nobody has told


def lacking(host: Host, plan: Plan, chosen: Collection[Pair]) -> tuple[Pair, ...]:
    """The chosen planned pairs without a live session."""
    return tuple(p for p in plan.pairs.planned if p in chosen and not ((s := host.session_of(p)) and s.logged_in))


def group(pair: Pair, planned: Mapping[Pair, int]) -> tuple[str, int]:
    """Who judges its login: arrays may have another one for each portal group of a target (LIO has)."""
    return pair.target, planned.get(pair, UNKNOWN)


def first(pairs: Iterable[Pair], planned: Mapping[Pair, int]) -> tuple[Pair, ...]:
    """One pair of each portal group of each target: arrays lock out who fails too often, and the others can wait."""
    found: dict[tuple[str, int], Pair] = {}
    for pair in pairs:
        found.setdefault(group(pair, planned), pair)
    return tuple(found.values())


def findings(site: Site, host: Host, plan: Plan, chosen: Collection[Pair]) -> Iterator[Finding]:
    """What a login cannot mend. A login that was tried and failed is told by its step."""
    silent = plan.pairs.silent or {}
    wrong = iscsi.elsewhere(site, host)
    if not plan.complete:
        yield finding("MP315", "any pair of the site", "its targets are not known yet")
    for pair in lacking(host, plan, chosen):
        session = host.session_of(pair)
        if pair in silent:
            yield finding("MP211" if silent[pair] is Answer.REFUSED else "MP210", str(pair), str(silent[pair]))
        elif session is not None:
            yield finding("MP304", str(pair), f"session {session.sid} is {session.state}")
        elif pair.iface not in wrong and host.node_of(pair) is None:
            yield finding("MP315", str(pair))
    for refused in plan.refused:
        if refused.code == "MP309" and any(p.iface == refused.subject for p in lacking(host, plan, chosen)):
            yield refused
