"""The ground that sessions stand on: initiator name, kernel settings of the NICs, services."""

from __future__ import annotations

import ipaddress
from collections.abc import Container
from itertools import combinations

from mpio.findings import Finding, finding
from mpio.host import Host, Nic, Unit
from mpio.plan.shape import INITIATOR_NAME, MULTIPATH_CONF, SYSCTL_DROP_IN, Share
from mpio.site import Site
from mpio.step import Command, Note, Part, Step, Write
from mpio.tools import ip, keyfile, sysctl, systemctl

NAME_KEY = "InitiatorName"
MINIMAL_CONF = "# made by mpio because there was none; mpio's own settings are in conf.d/90-mpio.conf\n"
ARP_KEYS = ("/arp_ignore", "/arp_announce")
ENABLED = ("enabled", "static", "alias", "indirect", "generated")  # not enabled-runtime: that is gone after a reboot


FILES = (SYSCTL_DROP_IN, MULTIPATH_CONF)  # what `network` and `services` go by


def initiator_name(host: Host) -> str | None:
    text = host.files.get(INITIATOR_NAME)
    return None if text is None else keyfile.values(text).get(NAME_KEY)


def initiator(site: Site, host: Host, forced: frozenset[str]) -> Share:
    """iscsid reads the name when it starts: it is stopped before the file changes, so that dying in between leaves
    no old name in force.
    """
    have = initiator_name(host)
    if site.initiator is None or site.initiator == have:
        return Share()
    if host.sessions and "MP307" not in forced:
        detail = f"{have or 'no name'} -> {site.initiator}, {len(host.sessions)} sessions"
        return Share(refused=(finding("MP307", INITIATOR_NAME, detail),))
    steps: list[Step] = []
    unit = host.unit(systemctl.ISCSID)
    if unit and unit.active == "active":
        steps.append(
            Command(Part.INITIATOR, "iscsid runs with the old initiator name", systemctl.stop(systemctl.ISCSID))
        )
    before = host.files.get(INITIATOR_NAME)
    why = f"the initiator name is {have}" if have else "the host has no initiator name"
    restart = bool(steps)
    note = Note("key", f"{INITIATOR_NAME} {NAME_KEY}", have, site.initiator)
    text = keyfile.with_values(before or "", {NAME_KEY: site.initiator}, separator="=")
    mode = None if before is not None else 0o600
    steps.append(Write(Part.INITIATOR, why, INITIATOR_NAME, text, mode, before, notes=(note,)))
    if restart:
        steps.append(Command(Part.INITIATOR, "iscsid was stopped for its new name", systemctl.start(systemctl.ISCSID)))
    return Share(tuple(steps))


def sysctl_wanted(site: Site) -> dict[tuple[str, str], int]:
    """(NIC, key under net/ipv4/conf) to value."""
    wanted: dict[tuple[str, str], int] = {}
    for iface in site.ifaces:
        if site.rp_filter is not None:
            wanted[(iface.nic, "rp_filter")] = site.rp_filter
        if site.arp == "set":
            wanted[(iface.nic, "arp_ignore")] = 1
            wanted[(iface.nic, "arp_announce")] = 2
    return wanted


def sysctl_now(nic: Nic, key: str) -> int | None:
    return {"rp_filter": nic.rp_filter_own, "arp_ignore": nic.arp_ignore, "arp_announce": nic.arp_announce}[key]


def network(site: Site, host: Host, forced: frozenset[str]) -> Share:
    """Our drop-in for the next boot, and the running kernel's values."""
    shared = same_subnet(site, host)
    if shared and site.arp != "set" and "MP207" not in forced:
        return Share(refused=tuple(finding("MP207", f"{a} and {b}", net) for a, b, net in shared))
    wanted = sysctl_wanted(site)
    steps: list[Step] = []
    text = sysctl.render(wanted) if wanted else None
    before = host.files.get(SYSCTL_DROP_IN)
    if text != before:
        why = (
            "the settings of the NICs would be lost at the next boot"
            if text
            else "the site keeps the settings of the NICs"
        )
        steps.append(
            Write(Part.SYSCTL, why, SYSCTL_DROP_IN, text, 0o644, before, notes=(Note("file", SYSCTL_DROP_IN),))
        )
    for (name, key), value in wanted.items():
        nic = host.nic(name)
        have = None if nic is None else sysctl_now(nic, key)
        if nic is None or have is None or have == value:
            continue
        path = sysctl.proc(name, key)
        note = Note("key", f"{path} value", str(have), str(value))
        why = f"{key} of {name} is {have}"
        steps.append(Write(Part.SYSCTL, why, path, f"{value}\n", None, f"{have}\n", notes=(note,)))
    steps += _asked_anew(steps)
    steps += given_back(host, {sysctl.proc(name, key) for name, key in wanted})
    return Share(tuple(steps))


def _asked_anew(steps: list[Step]) -> list[Step]:
    """What the SAN learned from the wrong NIC's answers it keeps for as long as traffic confirms it, and a session
    bound to the right NIC never hears it: 56 s of silence until the no-op timed out (lab). An ARP request of the right
    NIC's tells it better, and a NIC that has forgotten its neighbours sends one at once: 4 s.
    """
    changed = [s.path.split("/")[-2] for s in steps if isinstance(s, Write) and s.path.endswith(ARP_KEYS)]
    return [
        Command(Part.SYSCTL, f"the SAN may still send to another NIC what is for {nic}", ip.forget_neighbours(nic))
        for nic in dict.fromkeys(changed)
    ]


def given_back(host: Host, wanted: Container[str]) -> list[Step]:
    """Settings of the running kernel that still have mpio's value and are not wanted any more."""
    steps: list[Step] = []
    for name, key in host.memory.keys.items():
        path, _, _ = name.rpartition(" ")
        now = host.files.get(path)
        if not path.startswith("/proc/sys/") or path in wanted or key.before in (None, key.ours):
            continue
        if now is not None and now.strip() == key.ours:
            why = f"it was {key.before} before mpio"
            note = Note("key", name, key.before, key.before)  # from here on it is not ours
            steps.append(Write(Part.SYSCTL, why, path, f"{key.before}\n", None, now, notes=(note,)))
    return steps


def same_subnet(site: Site, host: Host) -> tuple[tuple[str, str, str], ...]:
    """(NIC, NIC, subnet) of each two site NICs that share one."""
    nets: list[tuple[str, ipaddress.IPv4Network | ipaddress.IPv6Network]] = []
    for iface in site.ifaces:
        nic = host.nic(iface.nic)
        for address in nic.addresses if nic else ():
            nets.append((iface.nic, ipaddress.ip_interface(address).network))
    return tuple(
        (a, b, str(x)) for (a, x), (b, y) in combinations(nets, 2) if a != b and x.version == y.version and x == y
    )


def login_unit(host: Host) -> Unit | None:
    """The unit that logs in at boot: open-iscsi.service on Debian, iscsi.service on RHEL; an alias counts once."""
    return next((u for name in systemctl.LOGIN_UNITS if (u := host.unit(name)) and u.load == "loaded"), None)


def services(host: Host) -> Share:
    steps: list[Step] = []
    if host.files.get(MULTIPATH_CONF) is None and host.needs_multipath_conf:
        why = "multipathd does not start without a configuration file here"
        steps.append(
            Write(Part.SERVICES, why, MULTIPATH_CONF, MINIMAL_CONF, 0o644, None, notes=(Note("file", MULTIPATH_CONF),))
        )
    login = login_unit(host)
    for unit, run in (
        (host.unit(systemctl.ISCSID), True),
        (login, False),
        (host.unit(systemctl.MULTIPATHD), True),
    ):
        if unit is None or unit.load != "loaded":
            continue
        off = unit.enabled not in ENABLED
        down = run and unit.active not in ("active", "activating", "reloading")
        if off or down:
            said = " and ".join((["is not enabled"] if off else []) + (["does not run"] if down else []))
            notes = (Note("unit", unit.name),) if off else ()
            argv = systemctl.enable(unit.name, now=run) if off else systemctl.start(unit.name)
            steps.append(Command(Part.SERVICES, f"{unit.name} {said}", argv, notes=notes))
    return Share(tuple(steps))


def masked(host: Host) -> tuple[Finding, ...]:
    return tuple(finding("MP105", u.name) for u in host.units if u.load == "masked")
