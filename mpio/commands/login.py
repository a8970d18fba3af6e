"""mpio login"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, choose, lock, observe, plan, progress, settle
from mpio.commands import ended
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.findings import finding
from mpio.plan import iscsi
from mpio.tools import iscsiadm

if TYPE_CHECKING:
    from mpio.commands import options


def command(call: Call, x: options.X = None, yes: options.Yes = False) -> int:
    site = call.site()
    call.need_root()
    with lock.hold("login"):
        host = observe.host(call.machine, site, observe.Look.PLAN)
        apply.ready(host)
        planned = plan.steps(site, host).pairs
        chosen = set(choose.pairs(x or (), host, planned))
        ready = [s for s in iscsi.logins(site, host, planned) if iscsiadm.pair_of(s) in chosen]
        recorded = {n.pair for n in host.nodes}
        steps = [s for s in ready if iscsiadm.pair_of(s) in recorded]
        outcome = apply.Outcome(host=host)
        if steps:
            if not yes:
                call.confirm(f"Log in {len(steps)} sessions?")
            with progress.shown(call.console) as tell:
                apply.carry_out(call.machine, steps, outcome, tell)
            settle.after(call.machine, site, steps)
            host = observe.host(call.machine, site, observe.Look.VERIFY)
            apply.remember(call.machine, host)
        outcome.left = tuple(s for s in ready if iscsiadm.pair_of(s) not in {x.pair for x in host.sessions})
    silent = planned.silent or {}
    found = tuple(finding("MP210", str(p), str(silent[p])) for p in planned.planned if p in chosen and p in silent)
    code = Exit.DIFFERS if outcome.left or found else Exit.OK
    return ended.show(call, outcome, (*found, *apply.findings(outcome)), code)
