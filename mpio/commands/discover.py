"""mpio discover"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, discovery, iscsilock, lock, observe, progress, view
from mpio.commands.call import Call
from mpio.errors import Exit, MpioError
from mpio.observe import portals as ask

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.host import Host


def command(call: Call, portal: options.Portals = None, yes: options.Yes = False) -> int:
    site = call.site()
    wanted = discovery.portals(portal or (), site)
    call.need_root("asks through iscsiadm")
    if iscsilock.stale(call.machine.files):
        with lock.hold("discover"):
            apply.ready(call.machine, call.console.say)
    host = observe.host(call.machine, site, observe.Look.HERE)
    if not discovery.through(site, host):
        raise MpioError(
            "open-iscsi has none of the site's ifaces", "mpio apply --only ifaces, or mpio iface add NAME NIC"
        )
    _iscsid(call, host, yes)
    host = ask.look(call.machine, site, host, wanted)
    found = tuple(discovery.findings(site, host, wanted))
    whole = {a.portal for a in host.asked if discovery.answered(a)} >= set(wanted)
    code = Exit.OK if whole else Exit.COULD_NOT
    said = view.asked(site, host, wanted)
    if call.console.json:
        call.console.document("discover", code, {"asked": said, "findings": view.findings(found)})
        return code
    call.console.asked(said)
    call.console.findings(found)
    return code


def _iscsid(call: Call, host: Host, yes: bool) -> None:
    """Asking takes iscsid, and its socket would start it unasked: that is a change, so it is said and agreed to."""
    start = discovery.start(host)
    if start is None:
        return
    with lock.hold("discover"):
        if not yes:
            call.confirm("iscsid does not run, and asking takes it. Start it?")
        outcome = apply.Outcome(host=host)
        with progress.shown(call.console) as tell:
            apply.carry_out(call.machine, (start,), outcome, tell)
        for _, said, _ in outcome.failed.values():
            raise MpioError(f"iscsid does not start: {said}", "look at journalctl -u iscsid")
