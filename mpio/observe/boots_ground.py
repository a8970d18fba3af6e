"""What the next boot stands on, as files have it: modules, names, who configures the NICs."""

from __future__ import annotations

import os

from mpio.diagnosis.boots_seen import Made, Nic
from mpio.files import Files
from mpio.host import Host
from mpio.observe import boots_units
from mpio.plan.shape import INITIATOR_NAME, ISCSID_CONF
from mpio.site import Site
from mpio.tools import keyfile, modprobe, nicfiles, sysfs, unitfile
from mpio.tools.modprobe import Ban
from mpio.tools.sysfs import Reader, word

MODULES = ("iscsi_tcp", "libiscsi_tcp", "libiscsi", "scsi_transport_iscsi", "dm_multipath", "dm_mod", "sd_mod")
SELECTORS = ("dm_service_time", "dm_round_robin", "dm_queue_length", "dm_historical_service_time", "scsi_dh_alua")
STARTUP_CHECKS = ("/lib/open-iscsi/startup-checks.sh", "/usr/lib/open-iscsi/startup-checks.sh")
KEYS = tuple(f"/etc/ssh/ssh_host_{kind}_key.pub" for kind in ("ed25519", "rsa", "ecdsa"))
ONLINE = "network-online.target"
# The units that boot starts each of them by; netplan writes for networkd or NetworkManager.
STARTED = {
    nicfiles.IFUPDOWN: ("networking.service",),
    nicfiles.NETWORKD: ("systemd-networkd.service",),
    nicfiles.NETWORK_MANAGER: ("NetworkManager.service",),
    nicfiles.NETPLAN: ("systemd-networkd.service", "NetworkManager.service"),
    nicfiles.IFCFG: ("NetworkManager.service", "network.service", "wicked.service"),
}
TARGETS = ("multi-user.target", "network-online.target", "basic.target", "sysinit.target", "default.target")


def bans(read: Reader) -> tuple[Ban, ...]:
    """The selectors that no map uses count as little as those that nobody keeps out; one that is kept out is told."""
    return modprobe.bans(read, (*MODULES, *SELECTORS))


def lost_modules(read: Reader) -> str:
    """The running kernel's release where it has loaded modules, and their folder is gone."""
    release = word(read, "/proc/sys/kernel/osrelease")
    there = any(read.names(f"{top}/{release}") for top in ("/lib/modules", "/usr/lib/modules"))
    return release if release and not there and (read.text("/proc/modules") or "").strip() else ""


def startup(read: Files, host: Host) -> str:
    text = host.files.get(ISCSID_CONF)
    command = keyfile.values(text or "").get("iscsid.startup", "")
    lacks = boots_units.startup_lacks(read, command) if command else ""
    return f"iscsid.startup = {command}: {lacks}" if lacks else ""


def strict_name(read: Reader) -> bool:
    """Does the unit look at the name's file before iscsid does, by a grep of its own?"""
    return any("^InitiatorName=" in (read.text(path) or "") for path in STARTUP_CHECKS)


def made(read: Files) -> Made:
    keys = [stamp for path in KEYS if (stamp := _stamp(read, path)) is not None]
    return Made(_stamp(read, INITIATOR_NAME), _stamp(read, "/etc/machine-id"), min(keys, default=None))


def _stamp(read: Files, path: str) -> float | None:
    try:
        return os.stat(read.root + path).st_mtime
    except OSError:
        return None


def present(read: Reader) -> dict[str, str]:
    """Every NIC with its hardware address."""
    return {nic: word(read, f"/sys/class/net/{nic}/address").lower() for nic in sysfs.nic_names(read)}


def nics(read: Reader, site: Site | None, host: Host) -> tuple[Nic, ...]:
    """The NICs of the SAN that are there and have an address, each with the files of programs that boot starts."""
    wanted = {i.nic for i in (site.ifaces if site else host.ifaces)}
    there = [n for n in host.nics if n.name in wanted and n.addresses]
    claims = {nic.name: nicfiles.claims(read, nic.name, nic.hwaddress) for nic in there}
    programs = {claim.program for some in claims.values() for claim in some}
    started = {program for program in programs if any(_started(read, unit) for unit in STARTED[program])}
    return tuple(Nic(name, tuple(c for c in some if c.program in started)) for name, some in claims.items())


def _started(read: Reader, unit: str) -> bool:
    found = unitfile.read(read, unit)
    if found is None or found.path == unitfile.NOWHERE:
        return False
    return any(unit in unitfile.wanted_by(read, target) for target in TARGETS)


def waiters(read: Reader) -> frozenset[str]:
    """The units that network-online.target pulls in: no masked one."""
    wanted = unitfile.wanted_by(read, ONLINE)
    return frozenset(u for u in wanted if (f := unitfile.read(read, u)) is not None and f.path != unitfile.NOWHERE)
