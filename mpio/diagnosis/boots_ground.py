"""What the next boot stands on: programs, modules, the initiator's name, the NICs' files, the first RAM disk."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mpio.checks.ground import uses_iscsi
from mpio.diagnosis.boots_seen import Boots, Image, Nic
from mpio.findings import Finding, finding
from mpio.host import Host
from mpio.plan import ground
from mpio.plan.shape import INITIATOR_NAME, ISCSID_CONF
from mpio.site import Site
from mpio.tools import keyfile, nicfiles

# iscsid loads this one by libkmod with KMOD_PROBE_APPLY_BLACKLIST (usr/transport.c); the others are asked for by name,
# by modprobe or by the kernel, for which a blacklist counts nothing (modprobe.d(5)).
BLACKLISTED = frozenset({"iscsi_tcp"})
WAITERS = {
    nicfiles.NETWORKD: ("systemd-networkd-wait-online.service",),
    nicfiles.NETWORK_MANAGER: ("NetworkManager-wait-online.service",),
    nicfiles.NETPLAN: ("systemd-networkd-wait-online.service", "NetworkManager-wait-online.service"),
}
IFUPDOWN_WAITER = "ifupdown-wait-online.service"
MARGIN = 3600.0  # seconds: what an installation of a host takes from its first file to its last, with much to spare


def findings(site: Site | None, host: Host, seen: Boots) -> Iterator[Finding]:
    yield from _programs(seen)
    yield from _modules(seen)
    yield from _name(site, host, seen)
    if seen.startup and _used(site, host):
        yield finding("MP134", ISCSID_CONF, seen.startup)
    yield from _nics(seen)
    if seen.image is not None:
        yield from _image(seen.image)


def _used(site: Site | None, host: Host) -> bool:
    """Is iSCSI wanted here, or in use?"""
    return site is not None or uses_iscsi(host)


def _programs(seen: Boots) -> Iterator[Finding]:
    for daemon in seen.daemons:
        if daemon.gone:
            yield finding("MP117", daemon.name, f"process {daemon.pid} runs {daemon.exe}, which is gone or another now")
    if len(set(seen.versions.values())) > 1:
        said = ", ".join(f"{path} is {version}" for path, version in sorted(seen.versions.items()))
        yield finding("MP118", " and ".join(sorted(seen.versions)), said)


def _modules(seen: Boots) -> Iterator[Finding]:
    for ban in seen.bans:
        if ban.kind != "blacklist" or ban.module in BLACKLISTED:
            yield finding("MP116", ban.module, f"{ban.where}: {ban.said}")
    if seen.kernel:
        yield finding("MP137", seen.kernel, f"there is no /lib/modules/{seen.kernel}")


def _name(site: Site | None, host: Host, seen: Boots) -> Iterator[Finding]:
    if INITIATOR_NAME not in host.files:
        return
    text = host.files[INITIATOR_NAME]
    if wrong := unusable(text, seen.strict_name):
        if _used(site, host):
            yield finding("MP120", INITIATOR_NAME, wrong)
        return
    name = ground.initiator_name(host) or ""
    others = [n for n in names(text or "") if n != name]
    if others:
        yield finding("MP121", INITIATOR_NAME, f"{name} is in force, {', '.join(others)} stands there too")
    own = {i.name: i.initiatorname for i in host.ifaces if i.initiatorname}
    old = {s.initiatorname for s in host.sessions if s.initiatorname and s.initiatorname != own.get(s.pair.iface, name)}
    if name and old:
        yield finding("MP119", INITIATOR_NAME, f"sessions are those of {', '.join(sorted(old))}, the file says {name}")
    if name and not (site and site.initiator == name):
        yield from _cloned(seen, name)


def unusable(text: str | None, strict: bool) -> str:
    """Why iscsid would not start with this file, or log in nowhere; empty where it would. Debian's unit looks first
    (startup-checks.sh), and takes no blank around the `=`.
    """
    if text is None:
        return "there is no such file"
    if re.search(r"^GenerateName=yes", text, re.MULTILINE):
        return ""  # Debian's mark for a name that is made when iscsid starts
    found = names(text)
    if not found:
        return "no line of it says InitiatorName="
    if not re.match(r"(?:iqn|eui|naa)\.", found[0]):
        return f"{found[0]} is no iSCSI name"
    if strict and not re.search(r"^InitiatorName=[^ \t\n]", text, re.MULTILINE):
        return "a blank stands around the = of its line, with which the unit's own check does not start iscsid"
    return ""


def names(text: str) -> tuple[str, ...]:
    """Every initiator name of the file, each once; the first counts."""
    lines = (keyfile.values(line) for line in text.splitlines(keepends=True))
    return tuple(dict.fromkeys(said["InitiatorName"] for said in lines if "InitiatorName" in said))


def _cloned(seen: Boots, name: str) -> Iterator[Finding]:
    """Only where both things that are made anew for each copy are younger: one alone may have been renewed since."""
    made = seen.made
    if made.name is None or made.machine is None or made.keys is None:
        return
    if made.name + MARGIN < min(made.machine, made.keys):
        yield finding("MP122", name, "the name's file is older than /etc/machine-id and than this host's SSH keys")


def _nics(seen: Boots) -> Iterator[Finding]:
    known = any(claim.named for nic in seen.nics for claim in nic.claims)
    for nic in seen.nics:
        if not nic.claims:
            if known:
                others = sorted({c.path for n in seen.nics for c in n.claims})
                yield finding("MP133", nic.name, f"{', '.join(others)} name the SAN's other NICs")
            continue
        if why := _unawaited(nic, seen.waiters):
            yield finding("MP132", nic.name, why)


def _unawaited(nic: Nic, waiters: frozenset[str]) -> str:
    """Why nobody waits until this NIC has its address; empty where somebody does, or nobody can tell."""
    programs = {c.program for c in nic.claims}
    if programs == {nicfiles.IFUPDOWN} and all(c.hotplug for c in nic.claims) and IFUPDOWN_WAITER not in waiters:
        return f"{nic.claims[0].path} has it as allow-hotplug, which no unit waits for"
    if not programs <= WAITERS.keys() or any(w in waiters for p in programs for w in WAITERS[p]):
        return ""
    return f"{' and '.join(sorted(programs))} has it, and {WAITERS[min(programs)][0]} is not enabled"


def _image(image: Image) -> Iterator[Finding]:
    older = f"older than {image.older_than}" if image.older_than else ""
    if image.lacking:
        lacking = f"without {', '.join(image.lacking)}"
        yield finding("MP136", image.path, " and ".join(word for word in (lacking, older) if word))
    elif older:
        yield finding("MP140", image.path, older)
