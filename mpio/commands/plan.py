"""mpio plan"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mpio import findings, observe, partly, plan, script, view
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.observe import configured, user

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.site import Site


def command(
    call: Call,
    as_script: options.Script = False,
    force: options.Force = None,
) -> int:
    site = call.site()
    if os.geteuid() != 0 and not as_script:
        return _by_user(call, site)
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


def _by_user(call: Call, site: Site) -> int:
    """The steps that anybody can see are called for. That there are none proves nothing."""
    host = user.host(call.machine, site)
    steps, found = partly.steps(site, host), partly.findings(host)
    error = None if steps else partly.unseen("no step is called for, as far as could be seen", call.verb)
    code = Exit.COULD_NOT if error else Exit.DIFFERS
    if call.console.json:
        body: view.Json = {"complete": False, "steps": view.steps(steps), "findings": view.findings(found)}
        if error:
            body["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
        call.console.document("plan", code, body)
        return code
    for step in steps:
        call.console.step(step)
    call.console.findings(found)
    if error:
        raise error
    call.console.say(f"this is not all: only root may see the rest (sudo mpio {call.verb})")
    return code
