"""mpio preflight"""

from __future__ import annotations

import os

from mpio import diagnosis, findings, observe, plan, view
from mpio.commands.call import Call
from mpio.observe import evidence
from mpio.step import Command, Part
from mpio.tools import systemctl

# What apply itself sets right on the NICs, and what only a session could show.
SET_BY_APPLY = frozenset({"MP223", "MP224", "MP240"})


def command(call: Call) -> int:
    site = call.site()
    host = observe.host(call.machine, site, observe.Look.PLAN)
    made = plan.steps(site, host)
    # What apply would start is no obstacle to it.
    started = {"MP103": systemctl.ISCSID, "MP104": systemctl.MULTIPATHD}
    named = {word for step in made.steps if isinstance(step, Command) for word in step.argv}
    seen = evidence.without_sessions(call.machine, site, host) if os.geteuid() == 0 else diagnosis.Seen()
    settles = any(s.part is Part.SYSCTL for s in made.steps)
    found = tuple(
        f
        for f in dict.fromkeys(diagnosis.without_sessions(site, host, made, seen))
        if started.get(f.code) not in named and not (settles and f.code in SET_BY_APPLY)
    )
    code = findings.worst(found)
    if call.console.json:
        body: view.Json = {"findings": view.findings(found)}
        call.console.document("preflight", code, body)
        return code
    call.console.findings(found)
    if not found:
        call.console.say("nothing stands in the way")
    return code
