"""What is configured: files, programs, modules, and multipath's own words on what is in force."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mpio import iscsilock, itself, presets, run, trust
from mpio.errors import SiteError, UsageError
from mpio.host import Effective, Host, Portal
from mpio.machine import Machine
from mpio.observe import states
from mpio.plan import ground, iscsi, maps, timer
from mpio.plan.shape import INITIATOR_NAME, ISCSID_CONF, MULTIPATH_CONF, MULTIPATH_DROP_IN, ROUTES_UNIT, SYSCTL_DROP_IN
from mpio.site import Chap, Site
from mpio.step import Step, Write
from mpio.tools import cgroup, ip, iscsidb, multipath, multipathd, sysctl, sysfs, systemctl

# RHEL's unit has the condition, and its multipathd takes no device without the file.
UNIT_FILES = tuple(f"{folder}/systemd/system/multipathd.service" for folder in ("/etc", "/usr/lib", "/lib"))
MODULES = ("iscsi_tcp", "dm_multipath")
PROGRAMS = ("iscsiadm", "multipath", "multipathd", "dmsetup", "ip", "systemctl", "udevadm")


def files(machine: Machine, site: Site | None, seen: Host) -> Host:
    """The text of every file that a plan reads or writes."""
    read = machine.files
    paths = [ISCSID_CONF, INITIATOR_NAME, MULTIPATH_CONF, MULTIPATH_DROP_IN, SYSCTL_DROP_IN, ROUTES_UNIT]
    paths += ["/etc/sysctl.conf", timer.TIMER, timer.SERVICE]
    paths += [f"{d}/{n}" for d in sysctl.DIRECTORIES for n in read.names(d) if n.endswith(".conf")]
    paths += [name.rpartition(" ")[0] for name in seen.memory.keys]
    paths += list(seen.memory.names("file"))
    chap = site is not None and site.chap is not None
    paths += [n.path for n in seen.nodes if chap or iscsi.SECRET in n.settings]
    asked = {Portal.parse(name) for name in seen.memory.names("discovery")}
    asked |= set(site.portals) if site is not None and site.discovery_chap is not None else set()
    seen = replace(
        seen,
        discovery_records={p: iscsidb.discovery_record(read, p) for p in sorted(asked)},
        discovered_through=frozenset(p for p in asked if iscsidb.found_through(read, p)),
    )
    paths += seen.discovery_records.values()
    files = {p: read.text(p) for p in dict.fromkeys(paths)}
    records = (*(n.path for n in seen.nodes), *seen.discovery_records.values())
    files |= iscsilock.settled(read, [p for p in records if (t := files.get(p)) is not None and iscsidb.is_torn(t)])
    return replace(
        seen,
        files=files,
        needs_multipath_conf=needs_conf(read),
        registered=multipath.parse_wwids(read.text(multipath.WWIDS) or ""),
        writable_by_others=tuple(p for p in (ISCSID_CONF, INITIATOR_NAME, MULTIPATH_CONF) if _loose(p)),
        loose_records=frozenset(p for p in records if files.get(p) and _loose(read.root + p, 0o077)),
    )


def needs_conf(read: sysfs.Reader) -> bool:
    """Does multipathd not start without /etc/multipath.conf?"""
    return any("ConditionPathExists=/etc/multipath.conf" in (read.text(u) or "") for u in UNIT_FILES)


def routed(machine: Machine, site: Site | None, seen: Host) -> Host:
    """The rules and routes by source address, where NICs of the site share a subnet or the unit that sets them is
    there: nobody else pays for the question.
    """
    if seen.files.get(ROUTES_UNIT) is None and (site is None or not ground.same_subnet(site, seen)):
        return seen
    six = any(":" in address for nic in seen.nics for address in nic.addresses)
    versions = ip.FAMILIES if six else ip.FAMILIES[:1]
    return replace(
        seen,
        units=(*seen.units, *systemctl.units(machine.run, (systemctl.ROUTES,))),
        rules=tuple(rule for version in versions for rule in ip.rules(machine.run, version)),
        routes=tuple(route for version in versions for route in ip.own_routes(machine.run, version)),
        named_tables=ip.named_tables(machine.files),
    )


def timed(machine: Machine, seen: Host) -> Host:
    """The timer of what is offline for a time, where there is one, and how to start this mpio from it."""
    seen = replace(seen, program=itself.program())
    if seen.files.get(timer.TIMER) is None:
        return seen
    return replace(seen, units=(*seen.units, *systemctl.units(machine.run, (systemctl.ONLINE_TIMER, systemctl.ONLINE))))


def without_udevd(machine: Machine, seen: Host) -> Host:
    """With udevd's unit where systemd runs the host and udevd does not: only then systemd is asked."""
    if not cgroup.is_gone(machine.files, systemctl.UDEVD):
        return seen
    return replace(seen, units=(*seen.units, *systemctl.units(machine.run, (systemctl.UDEVD,))))


def _loose(path: str, bits: int = 0o022) -> bool:
    try:
        return bool(os.stat(path).st_mode & bits)
    except FileNotFoundError:
        return False


def secrets(machine: Machine, site: Site, seen: Host, blind: list[str]) -> Host:
    """The site's CHAP logins, and the sessions that were made with others."""
    if not seen.root:
        if site.chap or site.discovery_chap:
            blind.append("the CHAP secrets")
        return seen
    seen = replace(
        seen,
        chap=_chap(site.chap, "node.session"),
        discovery_chap=_chap(site.discovery_chap, "discovery.sendtargets"),
    )
    return replace(seen, old_chap=_old_chap(machine, site, seen))


def programs(machine: Machine, site: Site, seen: Host, blind: list[str]) -> Host:
    """Programs, modules, and the keywords that the installed multipath knows."""
    missing = tuple((p, package) for p, package in run.missing(PROGRAMS))
    modules = tuple(m for m in MODULES if not _has_module(machine, m))
    seen = replace(seen, missing_programs=missing, missing_modules=modules)
    if _no_multipath(seen):
        return seen
    if seen.root:
        seen = replace(seen, known_keywords=multipath.known(machine.try_once))
        refuse_unknown(site, seen)
    else:
        seen = replace(seen, known_keywords=multipath.all_keywords())
        blind.append("which keywords the installed multipath knows")
    return seen


def refuse_unknown(site: Site, seen: Host) -> None:
    """Raises SiteError for keywords that the installed multipath does not know."""
    if mistakes := maps.mistakes(site, seen):
        raise SiteError(site.path, mistakes)


def _no_multipath(seen: Host) -> bool:
    return any(program == "multipath" for program, _ in seen.missing_programs)


def effective(machine: Machine, site: Site, seen: Host) -> Effective | None:
    """What the files and the daemon say for each LUN of the site, and what the site asks for."""
    if _no_multipath(seen):
        return None
    staged = multipath.installed(machine.run)
    wished, _ = maps.wish(site, seen)
    wanted = maps.wanted_keywords(wished)
    keys = frozenset(k for keywords in wanted.values() for k in keywords) | {"fast_io_fail_tmo"}
    inquiries = {lun.wwid: _inquiry(site, seen, lun.wwid) for lun in site.luns}
    installed = _per_lun(staged.table, keys, inquiries)
    if seen.root and any(installed.get(w, {}).get(k, v) != v for w, named in wanted.items() for k, v in named.items()):
        # `uid 1000` is `01750` in multipath's own words: only those can be compared.
        own = _per_lun(
            multipath.staged(machine.try_once, {MULTIPATH_DROP_IN: maps.drop_in(wished)}).table, keys, inquiries
        )
        wanted = {w: {k: own.get(w, {}).get(k, v) for k, v in named.items()} for w, named in wanted.items()}
    return Effective(
        installed=installed,
        wished=wanted,
        loaded=_loaded(machine, seen, keys, inquiries),
        warnings=tuple(str(w) for w in staged.warnings if w.path != MULTIPATH_DROP_IN),
    )


def _loaded(
    machine: Machine, seen: Host, keys: frozenset[str], inquiries: Mapping[str, tuple[str, str]]
) -> Mapping[str, Mapping[str, str]] | None:
    unit = seen.unit(systemctl.MULTIPATHD)
    if unit is None or unit.active != "active":
        return None
    try:
        return _per_lun(multipath.effective(multipathd.config(machine.run)), keys, inquiries)
    except multipathd.NotRunning:
        return None


def _inquiry(site: Site, seen: Host, wwid: str) -> tuple[str, str]:
    path = next((p for p in seen.paths if p.wwid == wwid), None)
    preset = presets.PRESETS[site.preset]
    return (path.vendor, path.product) if path else (preset.vendor, preset.product)


def _per_lun(
    table: multipath.Table, keys: frozenset[str], inquiries: Mapping[str, tuple[str, str]]
) -> dict[str, dict[str, str]]:
    defaults = table.get(("defaults", ""), {})
    found = {"": {k: defaults[k] for k in ("find_multipaths", "polling_interval") if k in defaults}}
    for wwid, values in multipath.by_lun(table, inquiries).items():
        found[wwid] = {key: values[key] for key in keys if key in values}
    return found


def _chap(chap: Chap | None, prefix: str) -> dict[str, str]:
    """The CHAP keys of a record with their secrets. Never shown, never compared in words."""
    if chap is None:
        return {}
    found = {"authmethod": "CHAP", "username": chap.username, "password": trust.secret(chap.password_file)}
    if chap.username_in and chap.password_in_file:
        found |= {"username_in": chap.username_in, "password_in": trust.secret(chap.password_in_file)}
        if found["password"] == found["password_in"]:
            # tried on 2.1.8: it takes the array's proof for its own sent back, and gives up
            raise UsageError(
                f"{chap.password_file} and {chap.password_in_file} hold the same secret: open-iscsi logs in with none "
                "that is the same both ways (RFC 7143, 9.2.1)",
                "set another one on the array for one of the two, and write it into that file",
            )
    return {f"{prefix}.auth.{key}": value for key, value in found.items()}


def _old_chap(machine: Machine, site: Site, seen: Host) -> frozenset[int]:
    """The sessions whose CHAP login is not the site's; without one there, those that have one and whose record has none
    any more.
    """
    wanted = {key.rpartition(".")[2]: value for key, value in seen.chap.items()}
    old = []
    for session in seen.sessions:
        login = sysfs.login_of(machine.files, session.sid)
        node = seen.node_of(session.pair)
        if site.chap:
            differs = any(value != wanted.get(key, "") for key, value in login.items())  # never for one not told
        else:
            differs = any(login.values()) and node is not None and iscsi.SECRET not in node.settings
        if differs:
            old.append(session.sid)
    return frozenset(old)


def _has_module(machine: Machine, name: str) -> bool:
    if machine.files.names(f"/sys/module/{name}"):
        return True
    folder = f"/lib/modules/{os.uname().release}"
    return any(
        f"/{name}.ko" in (machine.files.text(f"{folder}/{index}") or "") for index in ("modules.dep", "modules.builtin")
    )


def candidate(machine: Machine, steps: Iterable[Step]) -> None:
    """Have multipath read what we are about to install; a complaint about our file is an error before anything
    changed.
    """
    for step in steps:
        if not isinstance(step, Write) or step.path != MULTIPATH_DROP_IN or step.text is None or os.geteuid() != 0:
            continue
        files = {**states.multipath_files(machine), MULTIPATH_DROP_IN: step.text}
        ours = [
            w
            for w in multipath.staged(machine.try_once, files).warnings
            if w.path == MULTIPATH_DROP_IN and not w.harmless
        ]
        if ours:
            said = "\n".join(str(w) for w in ours)
            raise UsageError(
                f"multipath does not take what the site asks for:\n{said}",
                "correct [multipath] or [[lun]] in the site file",
            )
