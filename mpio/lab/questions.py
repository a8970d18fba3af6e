"""What `mpio lab record` asks a guest: every question of the tools, and the files that mpio reads itself.

The same for every release: what a release has or has not, its own programs say.
"""

from __future__ import annotations

from functools import partial

from mpio import questions as everywhere
from mpio.program import Done
from mpio.questions import FILES, SYSFS, UNITS, Ask, Call, tree
from mpio.site import Site
from mpio.tools import dd, ip, iscsiadm, multipathd, ping, systemctl

__all__ = ["FILES", "ONCE", "SYSFS", "UNITS", "Ask", "Call", "asks", "call", "questions", "tree"]

# What is long, or has nothing to do with the state of sessions and paths: recorded in the first state of STATES only.
ONCE = (
    "files",
    "ip-o",
    "ip-r",
    "iscsiadm-version",
    "journalctl",
    "multipath-",
    "multipathd-config",
    "ping",
    "systemctl-aliases",
)


class _Noted(Exception):
    pass


def call(ask: Ask) -> Call:
    """What a tool's question runs; it gets no answer."""
    noted: list[Call] = []

    def run(*argv: str, stdin: bytes = b"", **_: object) -> Done:
        noted.append(Call(argv, stdin))
        raise _Noted

    try:
        ask(run)
    except _Noted:
        return noted[0]
    raise ValueError(f"{ask} runs nothing")


# -- questions


def asks(site: Site) -> dict[str, Ask]:
    """Every question of the tools about a state, by the name of its recording."""
    through = [iface.name for iface in site.ifaces]
    found: dict[str, Ask] = {
        **everywhere.OF_HOST,
        "dd-sda": partial(dd.reads, dev="sda"),
        "ip-routes-over-4": partial(ip.routes_over, nic=site.ifaces[0].nic, version=4),
        "ip-routes-over-6": partial(ip.routes_over, nic=site.ifaces[0].nic, version=6),
        "ip-route-nowhere": partial(ip.route, address="203.0.113.9"),
        "ping-nobody": partial(ping.whole, nic=site.ifaces[0].nic, address="10.10.8.99", mtu=1500),
        "ping-too-long": partial(ping.whole, nic=site.ifaces[0].nic, address=site.portals[0].address, mtu=9000),
        "systemctl-aliases": partial(systemctl.aliases, names=(*UNITS, "multipath-tools.service", "nosuch.service")),
    }
    if site.luns:
        # by its alias: 0.9.4 knows no map by its WWID
        found["multipathd-map"] = partial(multipathd.map_named, name=site.luns[0].alias or site.luns[0].wwid)
    for portal in site.portals:
        found[f"iscsiadm-discovery-{portal.address}"] = partial(iscsiadm.discovery, portal=portal, ifaces=through)
        for iface in site.ifaces:
            end = f"{iface.nic}-{portal.address}"
            found[f"ip-route-{end}"] = partial(ip.route, address=portal.address, nic=iface.nic)
            found[f"ping-{end}"] = partial(ping.whole, nic=iface.nic, address=portal.address, mtu=site.mtu or 1500)
    return found


def questions(site: Site, *, every: bool = True) -> dict[str, Call]:
    """The calls that tell a state; without `every` only those whose answers change with it."""
    calls = {name: call(ask) for name, ask in asks(site).items()}
    calls |= {"files": tree(FILES), "sysfs": tree(SYSFS)}
    return {name: one for name, one in sorted(calls.items()) if every or not name.startswith(ONCE)}
