"""mpio verify"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mpio import nagios, sitetoml, sitewords
from mpio.commands.call import Call
from mpio.errors import Exit, MpioError
from mpio.tools import present

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.host import Host
    from mpio.site import Site
    from mpio.topology import Lun
    from mpio.verdict import Verdict


def command(call: Call, as_nagios: options.Nagios = False, wait: options.Wait = 0) -> int:
    if as_nagios:
        return _nagios(call, wait)
    if os.geteuid() != 0:
        return _by_user(call, wait)
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
        if os.geteuid() != 0:
            return _nagios_by_user(call, wait)
        judged = _look(call, wait)[2]
    except MpioError as error:
        call.console.out(nagios.unknown(error))
        return nagios.UNKNOWN
    call.console.out(nagios.line(judged.exit, judged.luns, nagios.worst(judged.findings), len(judged.drift)))
    return nagios.code(judged.exit)


def _by_user(call: Call, wait: float) -> int:
    """What can be seen; only that a LUN has failed is proved by it."""
    from mpio import partly, view

    site, host, luns = _glance(call, wait)
    found = partly.findings(host)
    code = Exit.FAILED if partly.failed(luns) else Exit.COULD_NOT
    error = None if code is Exit.FAILED else partly.unseen("nothing has failed, as far as could be seen", call.verb)
    if call.console.json:
        body: view.Json = {
            "state": "failed" if error is None else None,
            "luns": view.budgeted(host, luns, site),
            "drift": None,
            "findings": view.findings(found),
        }
        if error:
            body["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
        call.console.document("verify", code, body)
        return code
    call.console.luns(host, luns)
    call.console.findings(found)
    if error:
        raise error
    call.console.out("failed")
    return code


def _nagios_by_user(call: Call, wait: float) -> int:
    from mpio import partly

    luns = _glance(call, wait)[2]
    if not partly.failed(luns):
        raise partly.unseen("nothing has failed, as far as could be seen", call.verb)
    call.console.out(nagios.line(Exit.FAILED, luns, (), 0))
    return nagios.CRITICAL


def _glance(call: Call, wait: float) -> tuple[Site, Host, tuple[Lun, ...]]:
    """What a user sees, once no LUN has failed any more or the time is over."""
    from mpio import partly, settle
    from mpio.observe import user

    site = call.site()
    seen: list[tuple[Host, tuple[Lun, ...]]] = []

    def stands() -> bool:
        host = user.host(call.machine, site)
        seen.append((host, partly.luns(site, host)))
        return not partly.failed(seen[-1][1])

    settle.until(stands, wait)
    return site, *seen[-1]


def _sessionless(call: Call) -> tuple[str, ...]:
    """The LUNs of the site where the host has no iSCSI session and no map: nothing could make the answer better, so
    nothing else is looked at. Empty where there is more to be said, also of a file that cannot be used.
    """
    read = call.machine.files
    if present.storage(read.names) or not read.names("/sys/class"):
        return ()
    from mpio import sitetrust

    try:
        text = sitetrust.read(call.site_path)
        return names_in(text, frozenset(present.nics(read.names)))
    except MpioError:
        return ()


def names_in(text: str, nics: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """What the LUNs of a site are called; empty where it cannot be told, or the site is one to be refused."""
    from mpio import sitesound, sitetrust

    try:
        tree = sitetoml.loads(text)
    except ValueError:
        return ()
    if not sitesound.is_sound(tree, nics) or any(sitetrust.distrusted(tree, 0)):
        return ()
    return tuple(str(lun.get("alias") or sitewords.wwid(lun["wwid"])) for lun in tree.get("lun", ()))


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
