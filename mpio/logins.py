"""Why a pair of the site has no live session."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mpio.findings import Finding, finding
from mpio.host import Answer, Host, Pair
from mpio.plan import Plan, iscsi
from mpio.site import Site


def lacking(host: Host, plan: Plan, chosen: Collection[Pair]) -> tuple[Pair, ...]:
    """The chosen planned pairs without a live session."""
    return tuple(p for p in plan.pairs.planned if p in chosen and not ((s := host.session_of(p)) and s.logged_in))


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
