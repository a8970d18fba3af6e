"""What mpio asks of a host: the questions of its tools that take nothing but a host, and the files it reads itself.

`mpio lab record` keeps the answers of each release for the tests, `mpio support` those of a host in trouble.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mpio.host import Host
from mpio.program import Run
from mpio.tools import dmsetup, ip, iscsiadm, journalctl, multipath, multipathd, systemctl

Ask = Callable[[Run], object]
UNITS = (systemctl.ISCSID, *systemctl.LOGIN_UNITS, systemctl.MULTIPATHD)


@dataclass(frozen=True, slots=True)
class Call:
    """A program's call, as a tool would make it."""

    argv: tuple[str, ...]
    stdin: bytes = b""


# By the name of the recording.
OF_HOST: dict[str, Ask] = {
    "dmsetup-info": dmsetup.info,
    "dmsetup-status": dmsetup.path_status,
    "ip-addr": ip.addresses,
    "ip-own-routes-4": partial(ip.own_routes, version=4),
    "ip-own-routes-6": partial(ip.own_routes, version=6),
    "ip-rules-4": partial(ip.rules, version=4),
    "ip-rules-6": partial(ip.rules, version=6),
    "iscsiadm-iface": iscsiadm.ifaces,
    "iscsiadm-session": iscsiadm.sessions,
    "iscsiadm-session-P3": iscsiadm.session_details,
    "iscsiadm-version": iscsiadm.version,
    "journalctl-kernel": partial(journalctl.of_kernel, lines=40),
    "journalctl-units": partial(journalctl.of_units, units=UNITS, lines=40),
    "multipath-t": multipath.installed,
    "multipathd-config": multipathd.config,
    "multipathd-daemon": multipathd.daemon,
    "multipathd-maps": multipathd.maps,
    "systemctl-multipathd": partial(systemctl.units, names=(systemctl.MULTIPATHD,)),
    "systemctl-routes": partial(systemctl.units, names=(systemctl.ROUTES,)),
    "systemctl-units": partial(systemctl.units, names=UNITS),
}


def harmless(host: Host) -> dict[str, Ask]:
    """Those that change nothing on this host: multipathd's socket would start it, dmsetup loads its module.

    What iscsiadm says of records and ifaces takes its lock, for which it may wait, and makes folders: the files say the
    same. The journal is asked for more lines than these.
    """
    active = any(u.name == systemctl.MULTIPATHD and u.active == "active" for u in host.units)
    without = {
        "journalctl": True,
        "dmsetup": not host.maps,
        "multipathd": not active,
        "iscsiadm-session": not host.sessions,
        "iscsiadm-session-P3": True,
        "iscsiadm-iface": True,
    }
    left_out = tuple(start for start, wrong in without.items() if wrong)
    return {name: ask for name, ask in OF_HOST.items() if not name.startswith(left_out)}


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
