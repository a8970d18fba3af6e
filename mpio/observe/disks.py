"""A closer look at disks and maps: what the kernel, udev, multipathd, the disks and a few files say of them."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from statistics import median

from mpio import topology
from mpio.diagnosis import disks_identity, disks_paths
from mpio.diagnosis.disks_seen import Alien, Disk, Disks, Named
from mpio.errors import MpioError
from mpio.host import Host, Path
from mpio.machine import Machine
from mpio.observe import disks_asked, states
from mpio.plan import maps
from mpio.site import Site
from mpio.tools import (
    dmsetup,
    fstab,
    journalctl,
    mounttab,
    multipath,
    multipathconf,
    multipathd,
    multipathnames,
    scsi,
    sysdisk,
    sysfs,
    systemctl,
    udevadm,
)

LIMIT = 2.0  # seconds for all that disks are asked
AGAIN = 2.0  # seconds after which what may pass is looked at once more
LINES = 1000  # of a log
MANY = 20  # errors: every disk begins with a few
_CONFLICT = re.compile(r"sd (\d+:\d+:\d+:\d+): .*reservation conflict", re.IGNORECASE)


def look(machine: Machine, site: Site | None, host: Host) -> Disks:
    """Nothing is waited for, and no log is read, where no sign asks for it."""
    until = time.monotonic() + LIMIT
    read = machine.files
    seen = _of_files(machine, host)
    seen = replace(seen, disks={p.dev: _disk(read, p) for p in host.paths}, aliens=tuple(_aliens(read, host)))
    if site is None or not site.luns:
        seen = replace(seen, empty=_empty(read, host))
    seen = replace(seen, undriven=_undriven(read, host))
    if not host.paths and not host.maps and not seen.empty and not seen.undriven:
        return seen
    if host.root:
        seen = _asked(machine, site, replace(seen, settled=read.text(udevadm.QUEUE) is None), host, until)
    seen = _again(machine, seen, host, until)
    if any(not p.dm and p.wwid not in host.registered for p in host.paths):
        seen = replace(seen, find_multipaths=_find_multipaths(machine, host))
    return seen


# -- files ---------------------------------------------------------------------------------------------------------


def _of_files(machine: Machine, host: Host) -> Disks:
    read = machine.files
    texts = states.multipath_files(machine) if host.root else {}
    conf = multipathconf.merge(multipathconf.parse(text, path) for path, text in texts.items())
    bindings = (read.text(multipathnames.BINDINGS) or "") if host.root else ""
    given_up = (name for folder in multipathnames.GIVEN_UP for name in read.names(folder))
    return Disks(
        conf=conf,
        bindings=multipathnames.parse_bindings(bindings),
        given_up=frozenset(given_up),
        named=tuple(_named(read, host)),
        marked=tuple(_marked(read)),
    )


def _named(read: sysfs.Reader, host: Host) -> Iterator[Named]:
    ours = {p.dev for p in host.paths}
    lines = [
        *((fstab.PATH, e.line, fstab.device(e)) for e in fstab.parse(_text(read, fstab.PATH))),
        *((mounttab.CRYPTTAB, n, name) for n, name, _ in mounttab.parse_crypttab(_text(read, mounttab.CRYPTTAB))),
        *((mounttab.LVM_DEVICES, n, name) for n, name in mounttab.parse_lvm_devices(_text(read, mounttab.LVM_DEVICES))),
    ]
    for file, line, name in lines:
        if name.startswith("/dev/") and (dev := _disk_of(read, name)) in ours:
            yield Named(file, line, name, dev)


def _text(read: sysfs.Reader, path: str) -> str:
    return read.text(path) or ""


def _disk_of(read: sysfs.Reader, name: str) -> str:
    """The disk that a name in /dev leads to, be it by a link or as a partition of it."""
    dev = (read.target(name) or name).rpartition("/")[2]
    above = read.target(f"/sys/class/block/{dev}").split("/")[-2:-1]
    return above[0] if above and above != ["block"] else dev


def _marked(read: sysfs.Reader) -> Iterator[tuple[str, str]]:
    for path in mounttab.LVM_CONF:
        if line := mounttab.parse_detection(_text(read, path)):
            yield f"{path} line {line}", "multipath_component_detection = 0"


# -- the kernel ----------------------------------------------------------------------------------------------------


def _disk(read: sysfs.Reader, path: Path) -> Disk:
    loose = not path.dm
    return Disk(
        serial=sysdisk.serial(read, path.dev),
        revision=sysdisk.revision(read, path.dev),
        timeout=sysdisk.timeout(read, path.dev),
        eh_timeout=sysdisk.eh_timeout(read, path.dev),
        read_only=sysdisk.is_read_only(read, path.dev),
        errors=sysdisk.errors(read, path.dev),
        identities=sysdisk.identities(read, path.dev) if loose else frozenset(),
        udev=(udevadm.properties(read, path.dev) or None) if loose else None,
    )


def _aliens(read: sysfs.Reader, host: Host) -> Iterator[Alien]:
    ours = {m.dm for m in host.maps}
    for name in read.names("/sys/block"):
        if name.startswith("dm-") and name not in ours and (mapped := sysfs.map_of(read, name)):
            yield Alien(mapped.name, mapped.wwid, tuple((dev, sysdisk.place(read, dev)) for dev in mapped.slaves))


# -- the disks themselves ------------------------------------------------------------------------------------------


def _asked(machine: Machine, site: Site | None, seen: Disks, host: Host, until: float) -> Disks:
    def left() -> float:
        return max(0.2, until - time.monotonic())

    told = disks_asked.of_maps(machine, host, left())
    lost = disks_asked.gone(machine, host, left())
    judged = topology.luns(site, host, None)
    lacking = {s.sid for lun in judged for s in disks_identity.lacking(host, None, lun, remembered=site is not None)}
    unseen = any(lun.wanted and not lun.paths for lun in judged)
    return replace(
        seen,
        sizes=told.sizes,
        reserved=told.reserved,
        conflicts=_conflicts(machine, host) if told.reserved else frozenset(),
        gone=lost,
        listed=disks_asked.listed(machine, host, lacking, left()),
        known=_known(machine.files, host) if unseen else {},
        delays=disks_asked.delays(machine, host),
    )


def _known(read: sysfs.Reader, host: Host) -> Mapping[int, frozenset[int]]:
    names = [name.split(":") for name in read.names(scsi.DEVICES)]
    return {s.sid: frozenset(int(n[3]) for n in names if n[0] == str(s.host)) for s in host.sessions}


def _conflicts(machine: Machine, host: Host) -> frozenset[str]:
    named: set[str] = set()
    with contextlib.suppress(MpioError):  # no journal
        named.update(_CONFLICT.findall(journalctl.of_kernel(machine.run, LINES)))
    return frozenset(p.dev for p in host.paths if p.hctl in named)


# -- what may pass -------------------------------------------------------------------------------------------------


def _again(machine: Machine, seen: Disks, host: Host, until: float) -> Disks:
    """Once more, some time after the first look, where something was seen that may have been just happening."""
    read = machine.files
    suspended = [m.dm for m in host.maps if m.suspended]
    held = [p.dev for p in host.paths if p.device_state in disks_paths.HELD]
    failing = _failing(seen, host)
    hollow = _hollow(machine, host)
    # What we asked for just now may have been refused, and is counted, too.
    before = {dev: sysdisk.errors(read, dev) for dev in failing}
    if suspended or held or failing or hollow or host.readable or seen.empty or seen.undriven:
        time.sleep(max(0.0, min(AGAIN, until + AGAIN - LIMIT - time.monotonic())))
    disks = {dev: replace(seen.disks[dev], grown=sysdisk.errors(read, dev) - before[dev]) for dev in failing}
    return replace(
        seen,
        disks={**seen.disks, **disks},
        held={dev: now for dev in held if (now := sysfs.device_state(read, dev)) in disks_paths.HELD},
        empty=seen.empty & _empty(read, host) if seen.empty else seen.empty,
        undriven={sid: names for sid, names in _undriven(read, host).items() if sid in seen.undriven},
        suspended=frozenset(dm for dm in suspended if sysfs.word(read, f"/sys/block/{dm}/dm/suspended") == "1"),
        views=(views := _views(machine, host)),
        stuck=_stuck(machine, host, views),
        hollow={name: wwid for name, wwid in _hollow(machine, host).items() if name in hollow} if hollow else {},
    )


def _empty(read: sysfs.Reader, host: Host) -> frozenset[int]:
    """The sessions that are logged in and carry nothing of use; what has come since the look counts."""
    bare = [s for s in host.sessions if s.logged_in and not any(p.sid == s.sid for p in host.paths)]
    if not bare:
        return frozenset()
    hosts = sysdisk.hosts_of_use(read)
    return frozenset(s.sid for s in bare if s.host not in hosts)


def _undriven(read: sysfs.Reader, host: Host) -> Mapping[int, tuple[str, ...]]:
    found = sysdisk.undriven(read)
    return {s.sid: found[s.host] for s in host.sessions if s.logged_in and s.host in found}


def _hollow(machine: Machine, host: Host) -> Mapping[str, str]:
    """The maps without a table, which the kernel has no disk for, or one of no size. dmsetup would load the module."""
    found = dmsetup.info(machine.run) if host.root and machine.files.names("/sys/module/dm_mod") else ()
    every = [i for i in found if i.uuid.startswith(sysfs.MULTIPATH)]
    size = {i.name: sysfs.number(machine.files, f"/sys/block/{i.dm}/size") for i in every}
    return {i.name: i.uuid.removeprefix(sysfs.MULTIPATH) for i in every if not size[i.name]}


def _failing(seen: Disks, host: Host) -> frozenset[str]:
    """The disks of LUNs one path of which has had many more errors than the others."""
    found: set[str] = set()
    for mapped in host.maps:
        counts = {p.dev: seen.disk(p.dev).errors for p in host.paths if p.dm == mapped.dm}
        if counts and max(counts.values()) >= MANY + disks_paths.ERROR_TIMES * median(counts.values()):
            found |= counts.keys()
    return frozenset(found)


def _views(machine: Machine, host: Host) -> tuple[multipathd.MapView, ...]:
    if not host.maps or not maps.runs(host):
        return ()
    try:
        return multipathd.maps(machine.run)
    except multipathd.NotRunning:
        return ()


def _stuck(machine: Machine, host: Host, views: Iterable[multipathd.MapView]) -> Mapping[str, str]:
    failed = {p.dev: p.dev_t for v in views for p in v.paths if p.dm_st == "failed" and p.dev in host.readable}
    if not failed:
        return {}
    log: list[str] = []
    with contextlib.suppress(MpioError):  # no journal: they are stuck all the same
        log = journalctl.of_units(machine.run, (systemctl.MULTIPATHD,), LINES).splitlines()
    return {
        dev: next((line for line in reversed(log) if f"fail path {dev_t} (operator)" in line), "")
        for dev, dev_t in failed.items()
    }


def _find_multipaths(machine: Machine, host: Host) -> str:
    """What multipath's files, and its own defaults, say."""
    installed = host.effective.installed if host.effective else {}
    if said := installed.get("", {}).get("find_multipaths"):
        return said
    if any(program == "multipath" for program, _ in host.missing_programs):
        return ""
    with contextlib.suppress(MpioError):  # not installed, or a line that it does not start with
        return multipath.installed(machine.run).table.get(("defaults", ""), {}).get("find_multipaths", "")
    return ""
