"""mpio verify"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import nagios, observe, topology
from mpio.commands.call import Call
from mpio.errors import Exit, MpioError

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.host import Host
    from mpio.verdict import Verdict


def command(call: Call, as_nagios: options.Nagios = False, wait: options.Wait = 0) -> int:
    if as_nagios:
        return _nagios(call, wait)
    from mpio import view

    host, judged = _look(call, wait)
    if call.console.json:
        body: view.Json = {
            "state": judged.word,
            "luns": [view.lun(host, lun) for lun in judged.luns],
            "drift": view.steps(judged.drift),
            "findings": view.findings(judged.findings),
        }
        call.console.document("verify", judged.exit, body)
        return judged.exit
    call.console.luns(host, judged.luns)
    for step in judged.drift:
        call.console.step(step)
    call.console.findings(judged.findings)
    call.console.out(judged.word)
    return judged.exit


def _nagios(call: Call, wait: float) -> int:
    """Where no LUN of the site has a session to come over, nothing can make the answer better: it is given at once."""
    try:
        site = call.site()
        if site.luns and not wait:
            host = observe.host(call.machine, site, observe.Look.STATUS)
            if not host.sessions and not host.maps:
                luns = topology.luns(site, host, topology.pairs(site, host))
                call.console.out(nagios.line(Exit.FAILED, luns, ("there is no iSCSI session",), 0))
                return nagios.CRITICAL
        judged = _look(call, wait)[1]
    except MpioError as error:
        call.console.out(nagios.unknown(error))
        return nagios.UNKNOWN
    call.console.out(nagios.line(judged.exit, judged.luns, nagios.worst(judged.findings), len(judged.drift)))
    return nagios.code(judged.exit)


def _look(call: Call, wait: float) -> tuple[Host, Verdict]:
    from mpio import plan, settle, verdict

    site = call.site()
    seen: list[tuple[Host, Verdict]] = []

    def healthy() -> bool:
        host = observe.host(call.machine, site, observe.Look.VERIFY)
        seen.append((host, verdict.of(site, host, plan.steps(site, host))))
        return seen[-1][1].exit is Exit.OK

    settle.until(healthy, wait)
    return seen[-1]
