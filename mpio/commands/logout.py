"""mpio logout"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, choose, guard, lock, logouts, observe, plan, progress
from mpio.commands import ended
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.host import Host
from mpio.plan import ending
from mpio.site import Site

if TYPE_CHECKING:
    from mpio.commands import options


def command(call: Call, x: options.X = None, yes: options.Yes = False, force: options.Force = None) -> int:
    site, forced = call.site(), call.forced(force)
    call.need_root()
    with lock.hold("logout"):
        apply.ready(call.machine, call.console.say)
        host = _look(call, site)
        chosen = set(choose.pairs(x or (), host, plan.steps(site, host).pairs, site))
        sessions = [s for s in host.sessions if s.pair in chosen]
        share = ending.sessions(host, sessions, forced, whole=not x)
        guard.refuse(share.refused)
        outcome = apply.Outcome(host=host)
        if share.steps:
            if not yes:
                call.confirm(f"Log out {len(sessions)} sessions?")
                # Somebody may have begun to use a LUN while we waited for an answer.
                guard.refuse(ending.sessions(_look(call, site), sessions, forced, whole=not x).refused)
            with progress.shown(call.console) as tell:
                apply.carry_out(call.machine, share.steps, outcome, tell, strict=True)
            host = observe.host(call.machine, site, observe.Look.VERIFY)
            # Or `heal` would undo it: what was logged out so is meant to stay out.
            logouts.note(call.machine, [s.pair for s in sessions if host.session_of(s.pair) is None])
        outcome.left = tuple(s for s in share.steps if ending.is_left(s, host))
    return ended.show(call, outcome, apply.findings(outcome), Exit.COULD_NOT if outcome.left else Exit.OK)


def _look(call: Call, site: Site) -> Host:
    return observe.host(call.machine, site, observe.Look.USERS)
