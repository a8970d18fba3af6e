"""Programs, modules, units and NICs."""

from __future__ import annotations

from collections.abc import Iterator

from mpio import topology
from mpio.findings import Finding, finding
from mpio.host import Host
from mpio.plan import ground
from mpio.plan.shape import SYSCTL_DROP_IN
from mpio.site import Site
from mpio.tools import sysctl, systemctl


def findings(site: Site, host: Host) -> Iterator[Finding]:
    for program, package in host.missing_programs:
        yield finding("MP102", program, remedy=package)
    for module in host.missing_modules:
        yield finding("MP106", module)
    yield from of_host(host)
    yield from units(host)
    yield from _nics(site, host)
    yield from _sysctl(site, host)


def of_host(host: Host) -> Iterator[Finding]:
    """What holds for any host, whatever its site says."""
    if host.stale_lock:
        yield finding("MP109", "/run/lock/iscsi/lock.write")
    udevd = host.unit(systemctl.UDEVD)
    if udevd is not None and udevd.load == "loaded" and udevd.active in ("inactive", "failed"):
        yield finding("MP135", udevd.name, f"it is {udevd.active}")
    for what in host.blind:
        yield finding("MP101", what)


def uses_iscsi(host: Host) -> bool:
    """Has anybody set iSCSI up here? Where nobody has, and no site asks for it, it may be off, or not installed."""
    return bool(host.sessions or host.nodes or host.unread)


def units(host: Host) -> Iterator[Finding]:
    """The services that sessions and maps live by."""
    for name, code in ((systemctl.ISCSID, "MP103"), (systemctl.MULTIPATHD, "MP104")):
        unit = host.unit(name)
        if unit is None:
            continue
        if unit.load == "masked":
            yield finding("MP105", name)
        elif unit.load == "not-found":
            yield finding("MP108", name)
        elif unit.active not in ("active", "activating", "reloading"):
            yield finding(code, name, f"{name} is {unit.active}")
    login = ground.login_unit(host)
    if login is None and host.units:
        masked = [u.name for u in host.units if u.name in systemctl.LOGIN_UNITS and u.load == "masked"]
        yield from (finding("MP105", name) for name in masked)
        if not masked:
            yield finding("MP108", " or ".join(systemctl.LOGIN_UNITS))


def _nics(site: Site, host: Host) -> Iterator[Finding]:
    for iface in site.ifaces:
        nic = host.nic(iface.nic)
        if topology.iface_offline(host, iface.name):
            continue
        if nic is None:
            yield finding("MP201", iface.nic, f"iface {iface.name} is bound to it")
            continue
        if nic.carrier is not True:
            yield finding("MP203", nic.name, "carrier is 0" if nic.carrier is False else "the interface is down")
        if not any(nic.speaks(portal) for portal in site.portals):
            yield finding("MP202", nic.name, f"its addresses: {', '.join(nic.addresses) or 'none'}")
        if site.mtu is not None and nic.mtu != site.mtu:
            yield finding("MP204", nic.name, f"{nic.mtu}, the site says {site.mtu}")
        # A bond takes its members' addresses, a bridge needs none of them; in a VRF a NIC keeps its own. Where a member
        # has one all the same, doctor tells it by the master's kind.
        if nic.master and not nic.addresses:
            yield finding("MP208", nic.name, f"its master is {nic.master}")


def _sysctl(site: Site, host: Host) -> Iterator[Finding]:
    if site.rp_filter == 0:
        for iface in site.ifaces:
            nic = host.nic(iface.nic)
            if nic is not None and nic.rp_filter_all:
                yield finding("MP205", nic.name, f"conf/all/rp_filter is {nic.rp_filter_all}")
    ours = host.files.get(SYSCTL_DROP_IN)
    if ours is None:
        return
    there = [p for p, text in host.files.items() if text is not None and p.rpartition("/")[0] in sysctl.DIRECTORIES]
    files = [(p, host.files[p] or "") for p in sysctl.in_force(there)]
    for (nic_name, key), value in ground.sysctl_wanted(site).items():
        line = sysctl.winner(files, sysctl.key_of(nic_name, key))
        if line is not None and line.path != SYSCTL_DROP_IN and line.value != str(value):
            yield finding("MP206", f"{key} of {nic_name}", f"{line.path} line {line.line} sets {line.value}")
