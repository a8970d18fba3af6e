"""What the site plans and the host has not, where nothing stands in its way."""

from __future__ import annotations

from collections.abc import Iterator

from mpio.findings import Finding, finding
from mpio.host import Host
from mpio.plan import Plan
from mpio.site import Site


def findings(site: Site, host: Host, plan: Plan) -> Iterator[Finding]:
    """Where a portal is silent, a NIC gone or a pair offline by hand, others say why."""
    ifaces = {i.name for i in host.ifaces}
    for iface in site.ifaces:
        if iface.name not in ifaces and host.nic(iface.nic) is not None:
            yield finding("MP342", iface.name, f"for the NIC {iface.nic}")
    nics = {i.name: i.nic for i in site.ifaces}
    for pair in plan.pairs.planned:
        nic = host.nic(nics.get(pair.iface, ""))
        if host.session_of(pair) or host.is_offline(pair) or pair in (plan.pairs.silent or {}):
            continue
        if pair.iface not in ifaces or nic is None or nic.carrier is not True or not nic.speaks(pair.portal):
            continue
        yield finding("MP340" if host.node_of(pair) else "MP341", str(pair))
