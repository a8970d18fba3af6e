"""mpio preflight"""

from __future__ import annotations

from mpio import checks, findings, observe, plan, view
from mpio.commands.call import Call
from mpio.step import Command
from mpio.tools import systemctl


def command(call: Call) -> int:
    site = call.site()
    host = observe.host(call.machine, site, observe.Look.PLAN)
    made = plan.steps(site, host)
    # What apply would start is no obstacle to it.
    started = {"MP103": systemctl.ISCSID, "MP104": systemctl.MULTIPATHD}
    named = {word for step in made.steps if isinstance(step, Command) for word in step.argv}
    found = tuple(f for f in checks.before(site, host, made) if started.get(f.code) not in named)
    code = findings.worst(found)
    if call.console.json:
        body: view.Json = {"findings": view.findings(found)}
        call.console.document("preflight", code, body)
        return code
    call.console.findings(found)
    if not found:
        call.console.say("nothing stands in the way")
    return code
