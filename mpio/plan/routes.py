"""Routes by source address, for NICs that share a subnet: what comes from a NIC's address leaves through that NIC.

One look-up table a NIC, with the shared subnet on-link at the NIC, and a rule for each of its addresses that leads
there. No default route: what the table does not know is looked up as ever, so that answers to what is behind other NICs
(a bridge of containers, a tunnel) keep their way. A unit sets them at boot, and it is the unit that sets them now.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from itertools import count

from mpio.host import Host, Unit
from mpio.plan import ground
from mpio.plan.shape import ROUTES_UNIT, Share
from mpio.routing import Rule, TableRoute
from mpio.site import Site
from mpio.step import Command, Note, Part, Step, Write
from mpio.tools import ip, systemctl

# Number of the first table and of the rule that leads there: before main's 32766 and what `ip rule add` takes of itself
# (32765 downwards), behind what VPNs and clouds take (up to about 20000).
FIRST = 28016
UNIT = """\
# Written by mpio from the site file; changes made here are lost.
[Unit]
Description=Routes by source address of the iSCSI NICs that share a subnet (mpio)
DefaultDependencies=no
Wants=network-online.target
After=network-pre.target network.target network-online.target {managers}
# ifupdown's units for NICs that it is told of by udev: networking.service does not wait for those.
After={hotplugged}
Before={users}
# Who sets the NICs up anew takes the routes away with the old addresses.
PartOf={managers}

[Service]
Type=oneshot
RemainAfterExit=yes
# A NIC that is missing must not cost the others theirs; `mpio verify` says what is not in force.
{start}{stop}
[Install]
WantedBy=sysinit.target
"""


def numbers(site: Site, host: Host) -> dict[str, int]:
    """The table of each NIC: in the site's order, past those that somebody else uses or has named."""
    taken = {n for r in host.rules if not r.ours for n in (r.priority, r.table)} | host.named_tables
    free = (n for n in count(FIRST) if n not in taken)
    return {iface.nic: next(free) for iface in site.ifaces}


def wanted(site: Site, host: Host) -> tuple[tuple[Rule, ...], tuple[TableRoute, ...]]:
    """The rules and routes of every address that lies in a subnet of another site NIC too."""
    tables = numbers(site, host)
    shared = {(nic, net) for a, b, net in ground.same_subnet(site, host) for nic in (a, b)} if site.arp == "set" else ()
    rules: list[Rule] = []
    routes: list[TableRoute] = []
    for nic, table in tables.items():
        seen = host.nic(nic)
        for address in map(ipaddress.ip_interface, seen.addresses if seen else ()):
            if (nic, str(address.network)) in shared:
                rules.append(Rule(str(address.ip), table, table, ours=True))
                routes.append(TableRoute(str(address.network), nic, table))
    return tuple(dict.fromkeys(rules)), tuple(dict.fromkeys(routes))


def render(rules: Iterable[Rule], routes: Iterable[TableRoute]) -> str:
    rules, routes = tuple(rules), tuple(routes)
    start = [*map(ip.route_set, routes), *map(ip.rule_add, rules)]
    stop = [*map(ip.rule_delete, rules), *map(ip.route_delete, routes)]
    return UNIT.format(
        managers=" ".join(systemctl.NETWORK_UNITS),
        hotplugged=" ".join(dict.fromkeys(filter(None, (systemctl.hotplugged(route.nic) for route in routes)))),
        users=" ".join((systemctl.ISCSID, *systemctl.LOGIN_UNITS)),
        start="".join(f"ExecStart=-{systemctl.exec_line(argv)}\n" for argv in start),
        stop="".join(f"ExecStop=-{systemctl.exec_line(argv)}\n" for argv in stop),
    )


def configured(site: Site, host: Host) -> Share:
    rules, routes = wanted(site, host)
    before = host.files.get(ROUTES_UNIT)
    if before is not None and site.arp == "set" and any(not _addressed(host, i.nic) for i in site.ifaces):
        return Share()  # a NIC without an address is in no subnet at all: that says nothing of what is wanted
    if not rules:
        said = "the site keeps ARP as it is" if site.arp != "set" else "no two NICs of the site share a subnet"
        return Share(taken_back(host, said))
    text = render(rules, routes)
    if text != before:
        return Share(_installed(site, host, text))
    strays = tuple(
        Command(Part.SYSCTL, "the site has no such address any more", argv)
        for argv in _deleted(set(host.rules) - set(rules), set(host.routes) - set(routes))
    )
    return Share((*strays, *_in_force(host, rules, routes)))


def _addressed(host: Host, name: str) -> bool:
    nic = host.nic(name)
    return nic is not None and bool(nic.addresses)


def _installed(site: Site, host: Host, text: str) -> tuple[Step, ...]:
    """A new text of the unit. What the old one has set goes first, while systemd still knows how."""
    unit = host.unit(systemctl.ROUTES)
    nets = dict.fromkeys(f"{a} and {b} share {net}" for a, b, net in ground.same_subnet(site, host))
    steps: list[Step] = []
    if unit and unit.active == "active":
        why = f"{systemctl.ROUTES} is to set other routes"
        steps.append(Command(Part.SYSCTL, why, systemctl.stop(systemctl.ROUTES)))
    why = f"{', '.join(nets)}: what comes from each address is to leave through its own NIC"
    note = Note("file", ROUTES_UNIT)
    steps.append(Write(Part.SYSCTL, why, ROUTES_UNIT, text, 0o644, host.files.get(ROUTES_UNIT), notes=(note,)))
    return (*steps, *_started(unit, "the routes are not in force"))


def _in_force(host: Host, rules: tuple[Rule, ...], routes: tuple[TableRoute, ...]) -> tuple[Step, ...]:
    """A NIC that is down has no routes, and gets none: that is a finding of its own."""
    unit = host.unit(systemctl.ROUTES)
    up = {n.name for n in host.nics if n.carrier is not None}
    missing = [f"the rule from {r.source}" for r in rules if r not in host.rules]
    missing += [f"the route to {r.subnet} through {r.nic}" for r in routes if r not in host.routes and r.nic in up]
    if missing:
        return _started(unit, f"not in force: {', '.join(missing)}")
    if unit is None or unit.active != "active" or unit.enabled not in ground.ENABLED:
        said = f"is {unit.active} and {unit.enabled or 'not known'}" if unit else "is not there"
        return _started(unit, f"{systemctl.ROUTES} {said}")
    return ()


def _started(unit: Unit | None, why: str) -> tuple[Step, ...]:
    """Enabling reads the unit's file by itself; a unit that runs is started once more."""
    if unit is None or unit.enabled not in ground.ENABLED:
        notes = (Note("unit", systemctl.ROUTES),)
        return (Command(Part.SYSCTL, why, systemctl.enable(systemctl.ROUTES, now=True), notes=notes),)
    return (
        Command(Part.SYSCTL, why, systemctl.reload_files()),
        Command(Part.SYSCTL, why, systemctl.restart(systemctl.ROUTES)),
    )


def taken_back(host: Host, why: str) -> tuple[Step, ...]:
    """The unit and all that it has set; what has our mark and no unit to take it away goes one by one."""
    before, unit = host.files.get(ROUTES_UNIT), host.unit(systemctl.ROUTES)
    steps: list[Step] = []
    if before is not None:
        steps.append(Command(Part.SYSCTL, why, systemctl.disable(systemctl.ROUTES, now=True)))
    if unit is None or unit.active != "active":
        ours = [r for r in host.rules if r.ours]
        steps += [Command(Part.SYSCTL, why, argv) for argv in _deleted(ours, host.routes)]
    if before is not None:
        steps.append(Write(Part.SYSCTL, why, ROUTES_UNIT, None, None, before))
        steps.append(Command(Part.SYSCTL, f"{systemctl.ROUTES} is gone", systemctl.reload_files()))
    return tuple(steps)


def _deleted(rules: Iterable[Rule], routes: Iterable[TableRoute]) -> list[tuple[str, ...]]:
    ours = sorted((r for r in rules if r.ours), key=str)
    return [*map(ip.rule_delete, ours), *map(ip.route_delete, sorted(routes, key=str))]
