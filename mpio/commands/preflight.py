"""mpio preflight"""

from __future__ import annotations

from mpio import checks, findings, observe, plan, view
from mpio.commands.call import Call


def command(call: Call) -> int:
    site = call.site()
    host = observe.host(call.machine, site, observe.Look.PLAN)
    found = checks.before(site, host, plan.steps(site, host))
    code = findings.worst(found)
    if call.console.json:
        body: view.Json = {"findings": view.findings(found)}
        call.console.document("preflight", code, body)
        return code
    call.console.findings(found)
    if not found:
        call.console.say("nothing stands in the way")
    return code
