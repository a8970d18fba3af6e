"""mpio iface list, add and remove"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, choose, guard, lock, observe, progress, sitewords, view
from mpio.commands import ended
from mpio.commands.call import Call
from mpio.errors import Exit, NotAllowed, UnknownName, UsageError
from mpio.findings import Finding, finding
from mpio.observe import kernel
from mpio.plan import ifaces
from mpio.site import SiteIface
from mpio.tools import sysfs

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.host import Host
    from mpio.step import Step


def list_(call: Call) -> int:
    """The ifaces of open-iscsi: NIC, addresses, sessions, and whether the site names them; needs no site file."""
    site = call.site_or_none()
    host = observe.host(call.machine, site, observe.Look.STATUS)
    if kernel.IFACES in host.blind:
        raise NotAllowed(f"could not see {kernel.IFACES}", "sudo mpio iface list")
    said = view.iface_list(site, host)
    if call.console.json:
        call.console.document("iface list", Exit.OK, said)
    else:
        call.console.ifaces(said)
    return Exit.OK


def add(call: Call, name: options.IfaceName, nic: options.NicName, yes: options.Yes = False) -> int:
    """Make an iface and bind it to a NIC. One that is bound to another NIC already is refused."""
    wish = _wish(call, name, nic)
    call.need_root()
    site = call.site_if_any()
    with lock.hold("iface add"):
        apply.ready(call.machine, call.console.say)
        host = _look(call)
        share = ifaces.add(host, wish)
        guard.forbid(share.refused)
        outcome = _carried_out(call, host, share.steps, f"Bind the iface {name} to {nic}?", yes)
        # iscsiadm ends with 0 also where it refused the binding: only the record says (facts 1.2).
        whole = ifaces.is_bound(outcome.host, wish)
        outcome.left = () if whole else share.steps
    found = () if whole else _not_made(outcome, f"the record of {name} does not say {nic}")
    return ended.show(
        call,
        outcome,
        (*found, *ifaces.against_site(site, outcome.host, name)),
        Exit.OK if whole else Exit.COULD_NOT,
    )


def remove(call: Call, name: options.IfaceName, yes: options.Yes = False, force: options.Force = None) -> int:
    """Delete an iface and its records. Refused while a session uses it or where the records are not mpio's."""
    forced = call.forced(force)
    call.need_root()
    site = call.site_if_any()
    with lock.hold("iface remove"):
        apply.ready(call.machine, call.console.say)
        host = _look(call)
        if ifaces.named(host, name) is None:
            near = choose.nearest(name, (i.name for i in host.ifaces))
            way = f"did you mean {', '.join(near)}?" if near else "there is none at all"
            raise UnknownName(f"there is no iface {name!r}", way)
        share = ifaces.remove(host, name, forced)
        guard.forbid(share.refused)
        outcome = _carried_out(call, host, share.steps, f"Remove the iface {name} and its records?", yes)
        gone = ifaces.named(outcome.host, name) is None
        outcome.left = () if gone else share.steps
    found = () if gone else _not_made(outcome, f"the record of {name} is still there")
    return ended.show(
        call, outcome, (*found, *ifaces.against_site(site, outcome.host, name)), Exit.OK if gone else Exit.COULD_NOT
    )


def _look(call: Call) -> Host:
    return observe.host(call.machine, None, observe.Look.VERIFY)


def _wish(call: Call, name: str, nic: str) -> SiteIface:
    """The names by the rules of the site file, and a NIC that is there."""
    known = sysfs.nic_names(call.machine.files)
    try:
        wish = SiteIface(sitewords.iface(name), sitewords.nic(nic))
    except ValueError as error:
        raise UsageError(str(error), "mpio iface add sw-iscsi-0 eth1") from error
    if name in known or name == nic:
        raise UsageError(f"{name!r} is the name of a NIC", "give the iface a name of its own, such as sw-iscsi-0")
    if nic not in known:
        raise UnknownName(f"there is no NIC {nic!r}", f"did you mean {', '.join(choose.nearest(nic, known))}?")
    return wish


def _carried_out(call: Call, host: Host, steps: tuple[Step, ...], question: str, yes: bool) -> apply.Outcome:
    outcome = apply.Outcome(host=host)
    if steps:
        if not yes:
            call.confirm(question)
        with progress.shown(call.console) as tell:
            apply.carry_out(call.machine, steps, outcome, tell, strict=True)
        outcome.host = _look(call)
        apply.remember(call.machine, outcome.host)
    return outcome


def _not_made(outcome: apply.Outcome, said: str) -> tuple[Finding, ...]:
    """The steps that failed, or a program that said all was well."""
    return apply.findings(outcome) or (finding("MP107", "iscsiadm", said),)


COMMANDS = (list_, add, remove)
