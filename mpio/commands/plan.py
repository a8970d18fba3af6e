"""mpio plan"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import findings, observe, plan, script, view
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.observe import configured

if TYPE_CHECKING:
    from mpio.commands import options


def command(
    call: Call,
    as_script: options.Script = False,
    force: options.Force = None,
) -> int:
    site = call.site()
    host = observe.host(call.machine, site, observe.Look.PLAN)
    made = plan.steps(site, host, call.forced(force))
    configured.candidate(call.machine, made.steps)
    refused = any(findings.kind(f.code).refusal for f in made.refused)
    code = Exit.COULD_NOT if refused else Exit.DIFFERS if made.steps else Exit.OK
    if call.console.json:
        body: view.Json = {
            "complete": made.complete,
            "steps": view.steps(made.steps),
            "findings": view.findings(made.refused),
        }
        call.console.document("plan", code, body)
    elif as_script:
        call.console.out(script.runbook(made))
    else:
        for step in made.steps:
            call.console.step(step)
        if not made.complete:
            call.console.say("the plan goes on once the targets are known")
        if not made.steps:
            call.console.say("nothing to do")
        call.console.findings(made.refused)
    return code
