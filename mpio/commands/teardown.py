"""mpio teardown"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, guard, lock, memory, observe, progress, view
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.plan import ending

if TYPE_CHECKING:
    from mpio.commands import options


def command(call: Call, yes: options.Yes = False, force: options.Force = None) -> int:
    forced = call.forced(force)
    call.need_root()
    with lock.hold("teardown"):
        host = observe.host(call.machine, None, observe.Look.USERS)
        share = ending.teardown(host, forced)
        guard.refuse(share.refused)
        outcome = apply.Outcome(host=host)
        if share.steps:
            for step in share.steps if not yes and not call.console.json else ():
                call.console.step(step)
            call.confirm(yes, f"Carry out these {len(share.steps)} steps?")
            with progress.shown(call.console) as tell:
                apply.carry_out(call.machine, share.steps, outcome, tell)
        outcome.left = tuple(s for s in share.steps if apply.key(s) in outcome.failed)
        if not outcome.left:
            call.machine.files.remove(memory.PATH)
    found = apply.findings(outcome)
    code = Exit.COULD_NOT if outcome.left else Exit.OK
    if call.console.json:
        body: view.Json = {
            "done": view.steps(outcome.done),
            "left": view.steps(outcome.left),
            "findings": view.findings(found),
        }
        call.console.document("teardown", code, body)
        return code
    call.console.findings(found)
    for said in ending.left_alone(host):
        call.console.say(f"left as it is: {said}")
    call.console.say(f"{len(outcome.done)} steps done, {len(outcome.left)} left" if share.steps else "nothing to do")
    return code
