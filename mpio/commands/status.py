"""mpio status"""

from __future__ import annotations

from mpio import observe, topology
from mpio.commands.call import Call
from mpio.errors import Exit


def command(call: Call) -> int:
    site = call.site_or_none()
    host = observe.host(call.machine, site, observe.Look.STATUS)
    pairs = topology.pairs(site, host) if site and host.root else None
    luns = topology.luns(site, host, pairs)
    if call.console.json:
        from mpio import view

        call.console.document("status", Exit.OK, view.status(host, luns, site))
        return Exit.OK
    call.console.host(host)
    call.console.luns(host, luns)
    call.console.offline(host)
    if call.console.verbose:
        call.console.budgets(host, luns, site)
    for what in host.blind:
        call.console.say(f"could not see {what}")
    return Exit.OK
