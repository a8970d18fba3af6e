"""What `mpio lab record` asks a guest: every question of the tools, and the files that mpio reads itself.

The same for every release: what a release has or has not, its own programs say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mpio.program import Done, Run
from mpio.site import Site
from mpio.tools import dd, dmsetup, ip, iscsiadm, multipath, multipathd, ping, systemctl

Ask = Callable[[Run], object]
UNITS = (systemctl.ISCSID, *systemctl.LOGIN_UNITS, systemctl.MULTIPATHD)
# What is long, or has nothing to do with the state of sessions and paths: recorded in the first state of STATES only.
ONCE = ("files", "ip-o", "ip-r", "iscsiadm-version", "multipath-", "multipathd-config", "ping", "systemctl-aliases")


@dataclass(frozen=True, slots=True)
class Call:
    """A program's call, as a tool would make it."""

    argv: tuple[str, ...]
    stdin: bytes = b""


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
        "dd-sda": partial(dd.reads, dev="sda"),
        "dmsetup-info": dmsetup.info,
        "dmsetup-status": dmsetup.path_status,
        "ip-addr": ip.addresses,
        "ip-own-routes-4": partial(ip.own_routes, version=4),
        "ip-own-routes-6": partial(ip.own_routes, version=6),
        "ip-rules-4": partial(ip.rules, version=4),
        "ip-rules-6": partial(ip.rules, version=6),
        "ip-route-nowhere": partial(ip.route, address="203.0.113.9"),
        "iscsiadm-iface": iscsiadm.ifaces,
        "iscsiadm-session": iscsiadm.sessions,
        "iscsiadm-session-P3": iscsiadm.session_details,
        "iscsiadm-version": iscsiadm.version,
        "multipath-t": multipath.installed,
        "multipathd-config": multipathd.config,
        "multipathd-daemon": multipathd.daemon,
        "multipathd-maps": multipathd.maps,
        "ping-nobody": partial(ping.whole, nic=site.ifaces[0].nic, address="10.10.8.99", mtu=1500),
        "ping-too-long": partial(ping.whole, nic=site.ifaces[0].nic, address=site.portals[0].address, mtu=9000),
        "systemctl-aliases": partial(systemctl.aliases, names=(*UNITS, "multipath-tools.service", "nosuch.service")),
        "systemctl-multipathd": partial(systemctl.units, names=(systemctl.MULTIPATHD,)),
        "systemctl-routes": partial(systemctl.units, names=(systemctl.ROUTES,)),
        "systemctl-units": partial(systemctl.units, names=UNITS),
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


# What mpio reads itself, as patterns of sh.
SYSFS = """
/sys/block/sd* /sys/block/sd*/holders/* /sys/block/sd*/size /sys/block/sd*/dev
/sys/block/sd*/device/state /sys/block/sd*/device/vendor /sys/block/sd*/device/model /sys/block/sd*/device/rev
/sys/block/sd*/device/wwid
/sys/block/dm-* /sys/block/dm-*/holders/* /sys/block/dm-*/slaves/* /sys/block/dm-*/size /sys/block/dm-*/dev
/sys/block/dm-*/dm/name /sys/block/dm-*/dm/uuid /sys/block/dm-*/dm/suspended
/sys/class/iscsi_session/* /sys/class/iscsi_session/*/[a-tv-z]*
/sys/class/iscsi_connection/* /sys/class/iscsi_connection/*/[a-tv-z]* /sys/class/iscsi_host/*
/sys/class/iscsi_host/*/netdev /sys/class/iscsi_host/*/hwaddress /sys/class/iscsi_host/*/ipaddress
/sys/class/net/* /sys/class/net/*/master /sys/class/net/*/address /sys/class/net/*/carrier /sys/class/net/*/mtu
/sys/class/net/*/operstate
/proc/sys/fs/protected_* /proc/sys/net/ipv4/conf/*/arp_announce /proc/sys/net/ipv4/conf/*/arp_ignore
/proc/sys/net/ipv4/conf/*/rp_filter
"""
FILES = """
/etc/iscsi/initiatorname.iscsi /etc/iscsi/iscsid.conf
/etc/iscsi/ifaces/* /etc/iscsi/nodes/*/* /etc/iscsi/nodes/*/*/* /etc/iscsi/send_targets/*/*
/var/lib/iscsi/ifaces/* /var/lib/iscsi/nodes/*/* /var/lib/iscsi/nodes/*/*/* /var/lib/iscsi/send_targets/*/*
/etc/multipath.conf /etc/multipath/conf.d/* /etc/multipath/bindings /etc/multipath/wwids
/etc/systemd/system/multipathd.service /usr/lib/systemd/system/multipathd.service
/etc/sysctl.conf /etc/sysctl.d/* /run/sysctl.d/* /usr/local/lib/sysctl.d/* /usr/lib/sysctl.d/*
"""
# `recording.tree` reads what these print. head says why it cannot read a file, and goes on.
_TREE = """\
all() {{ for p in {patterns}; do case $p in *password*) ;; *) [ "$1" "$p" ] && echo "$p" ;; esac; done; }}
all -L | xargs -r -d '\\n' sh -c 'find "$@" -maxdepth 0 -printf "%p -> %l\\n"' sh
all -f | xargs -r -d '\\n' head -v -n 100000
"""


def tree(patterns: str) -> Call:
    """Files and links of the guest. Secrets have files of their own in sysfs: those are left out."""
    return Call(("sh", "-c", _TREE.format(patterns=" ".join(patterns.split()))))


def questions(site: Site, *, every: bool = True) -> dict[str, Call]:
    """The calls that tell a state; without `every` only those whose answers change with it."""
    calls = {name: call(ask) for name, ask in asks(site).items()}
    calls |= {"files": tree(FILES), "sysfs": tree(SYSFS)}
    return {name: one for name, one in sorted(calls.items()) if every or not name.startswith(ONCE)}
