"""mpio verify"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import nagios
from mpio.commands.call import Call
from mpio.errors import Exit, MpioError
from mpio.tools import present

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.host import Host
    from mpio.site import Site
    from mpio.verdict import Verdict


def command(call: Call, as_nagios: options.Nagios = False, wait: options.Wait = 0) -> int:
    if as_nagios:
        return _nagios(call, wait)
    from mpio import view

    site, host, judged = _look(call, wait)
    if call.console.json:
        body: view.Json = {
            "state": judged.word,
            "luns": view.budgeted(host, judged.luns, site),
            "drift": view.steps(judged.drift),
            "findings": view.findings(judged.findings),
        }
        call.console.document("verify", judged.exit, body)
        return judged.exit
    call.console.luns(host, judged.luns)
    call.console.worst(host, judged.luns, site)
    for step in judged.drift:
        call.console.step(step)
    call.console.findings(judged.findings)
    call.console.out(judged.word)
    return judged.exit


def _nagios(call: Call, wait: float) -> int:
    names = () if wait else _sessionless(call)
    if names:
        call.console.out(nagios.without_sessions(names))
        return nagios.CRITICAL
    try:
        judged = _look(call, wait)[2]
    except MpioError as error:
        call.console.out(nagios.unknown(error))
        return nagios.UNKNOWN
    call.console.out(nagios.line(judged.exit, judged.luns, nagios.worst(judged.findings), len(judged.drift)))
    return nagios.code(judged.exit)


def _sessionless(call: Call) -> tuple[str, ...]:
    """The LUNs of the site where the host has no iSCSI session and no map: nothing could make the answer better, so it
    is given without validating the site. Empty where there is more to be said, also of a file that cannot be used.
    """
    read = call.machine.files
    if present.storage(read.names):
        return ()
    import tomllib

    try:
        site = tomllib.loads(read.text(call.site_path) or "")
        return tuple(str(lun.get("alias") or lun["wwid"]) for lun in site["lun"])
    except (MpioError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ()


def _look(call: Call, wait: float) -> tuple[Site, Host, Verdict]:
    from mpio import observe, plan, settle, verdict

    site = call.site()
    seen: list[tuple[Host, Verdict]] = []

    def healthy() -> bool:
        host = observe.host(call.machine, site, observe.Look.VERIFY)
        seen.append((host, verdict.of(site, host, plan.steps(site, host))))
        return seen[-1][1].exit is Exit.OK

    settle.until(healthy, wait)
    return site, *seen[-1]
