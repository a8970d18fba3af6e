"""The lines of fstab that mean a LUN, and the initial RAM disk of a host whose / is one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from mpio import rootfs
from mpio.diagnosis.boots_seen import BOOT_SECONDS, Image, Place
from mpio.errors import MpioError
from mpio.files import Files
from mpio.host import Host
from mpio.machine import Machine
from mpio.site import Site
from mpio.tools import fstab, multipath, sysfs, unitfile
from mpio.tools.sysfs import Reader

SYSTEM_CONF = "/etc/systemd/system.conf"
ROOT = "/"
# Each with the names by which an image may have it (initramfs-tools, dracut).
NEEDED = {
    "multipathd or multipath": ("bin/multipathd", "bin/multipath"),
    "the module dm-multipath": ("/dm-multipath.ko",),
    "/etc/multipath/wwids": ("etc/multipath/wwids",),
}
LISTERS = (("lsinitramfs", "/boot/initrd.img-{}"), ("lsinitrd", "/boot/initramfs-{}.img"))
SECONDS = 3.0
_DISK = re.compile(r"/dev/sd[a-z]+\d*")


def places(read: Reader, site: Site | None, host: Host) -> tuple[Place, ...]:
    """Lines that systemd mounts or swaps on at boot and whose device is a map or a session's disk, or will be."""
    found = []
    entries = [e for e in fstab.parse(read.text(fstab.PATH) or "") if e.at_boot and fstab.device(e)]
    if not entries:
        return ()
    tops = {m.dm: (m.name, m.wwid) for m in host.maps} | {p.dev: (p.dev, p.wwid) for p in host.paths}
    names = {name: dm for dm, name in _dm_names(read).items()}
    aliases = {f"/dev/mapper/{lun.alias}": (lun.alias, lun.wwid) for lun in (site.luns if site else ()) if lun.alias}
    for entry in entries:
        path = fstab.device(entry)
        dev = _device(read, path, names)
        on = [tops[one] for one in rootfs.below(read, dev) if one in tops] if isinstance(read, Files) else []
        # A map's own disks are below it, too: the line is about the map.
        on = [one for one in on if one[0] in {m.name for m in host.maps}] or on
        if not dev and path in aliases:
            on = [aliases[path]]
        if on:
            found.append(
                Place(
                    entry.line,
                    entry.spec,
                    entry.place if entry.kind != "swap" else "swap",
                    entry.options,
                    tuple(dict.fromkeys(name for name, _ in on)),
                    tuple(dict.fromkeys(wwid for _, wwid in on)),
                    bool(_DISK.fullmatch(entry.spec)),
                    entry.patience,
                )
            )
    return tuple(found)


def _dm_names(read: Reader) -> dict[str, str]:
    dms = [n for n in read.names("/sys/block") if n.startswith("dm-")]
    return {dm: sysfs.word(read, f"/sys/block/{dm}/dm/name") for dm in dms}


def _device(read: Reader, path: str, names: Mapping[str, str]) -> str:
    """The kernel's name of what a path in /dev names; empty where it names nothing now."""
    name = (read.target(path) or path).rpartition("/")[2]
    if path.startswith("/dev/mapper/"):
        return names.get(path.rpartition("/")[2], "")
    return name if read.names(f"/sys/class/block/{name}") else ""


def patience(read: Reader) -> float:
    """How long systemd waits for a device at boot where its line says nothing (systemd-system.conf(5))."""
    said = {key: value for section, key, value in unitfile.parse(read.text(SYSTEM_CONF) or "") if section == "Manager"}
    values = [unitfile.span(said[key]) for key in ("DefaultDeviceTimeoutSec", "DefaultTimeoutStartSec") if key in said]
    return next((value for value in values if value), BOOT_SECONDS)


def image(machine: Machine, host: Host) -> Image | None:
    """Looked into only where / lies on a map: listing it takes a second and more."""
    maps = {m.dm for m in host.maps}
    if not any(u.name == ROOT and u.dev in maps for u in host.system):
        return None
    release = sysfs.word(machine.files, "/proc/sys/kernel/osrelease")
    for program, place in LISTERS:
        path = place.format(release)
        if not os.path.exists(machine.files.root + path):
            continue
        try:
            listed = machine.run(program, path, timeout=SECONDS).out
        except MpioError:  # not installed, too slow, not root's: nothing is said of it
            return None
        return Image(path, lacking(listed), _older(machine.files, path))
    return None


def lacking(listed: str) -> tuple[str, ...]:
    return tuple(what for what, names in NEEDED.items() if not any(name in listed for name in names))


def _older(read: Files, path: str) -> str:
    """The file of multipath's that was changed after the image was made; the registered LUNs change with each new one,
    and only those of / are needed there.
    """
    try:
        made = os.stat(read.root + path).st_mtime
        folder = [f"{multipath.CONF_D}/{name}" for name in read.names(multipath.CONF_D) if name.endswith(".conf")]
        files = [p for p in (multipath.CONF, *folder) if os.path.exists(read.root + p)]
        return next((p for p in files if os.stat(read.root + p).st_mtime > made), "")
    except OSError:
        return ""
