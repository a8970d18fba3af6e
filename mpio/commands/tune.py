"""mpio tune"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, guard, lock, observe, plan, progress, verdict, view
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.plan import tuning

if TYPE_CHECKING:
    from mpio.commands import options


def command(call: Call, yes: options.Yes = False, force: options.Force = None) -> int:
    site, forced = call.site(), call.forced(force)
    call.need_root()
    with lock.hold("tune"):
        apply.ready(call.machine, call.console.say)
        host = observe.host(call.machine, site, observe.Look.PLAN)
        guard.refuse(tuning.refused(site, host, forced))
        todo = tuning.steps(site, host, plan.steps(site, host, forced))
        if todo and not yes:
            for step in todo if not call.console.json else ():
                call.console.step(step)
            call.confirm(f"Carry out these {len(todo)} steps?")
        asked = apply.Asked(host, tuning.PARTS, forced, tuning.steps)
        with progress.shown(call.console) as tell:
            outcome = apply.site(call.machine, site, asked, tell)
    assert outcome.plan is not None
    found = verdict.of(site, outcome.host, outcome.plan, apply.findings(outcome)).findings
    code = Exit.DIFFERS if outcome.left else Exit.OK
    if call.console.json:
        body: view.Json = {
            "done": view.steps(outcome.done),
            "left": view.steps(outcome.left),
            "findings": view.findings(found),
            "seconds": round(outcome.seconds, 3),
        }
        call.console.document("tune", code, body)
        return code
    call.console.findings(found)
    call.console.say(f"{len(outcome.done)} steps done, {len(outcome.left)} left, {outcome.seconds:.1f} s")
    return code
