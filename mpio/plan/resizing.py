"""Letting a map follow a LUN that grew: what stands against it, the steps, and what is to be grown next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mpio import guard, topology
from mpio.findings import Finding, finding
from mpio.host import Host, Map, Path
from mpio.plan import maps
from mpio.site import Site
from mpio.step import Command, Step, Write
from mpio.tools import multipathd, scsi, systemctl
from mpio.topology import Pairs


@dataclass(frozen=True, slots=True)
class Way:
    """From the size that a map has to `size`, in bytes: the disks to rescan, the map to resize where it differs, and
    disks that come into it then: multipathd takes none of another size.
    """

    size: int = 0
    rescans: tuple[Write, ...] = ()
    resize: Command | None = None
    joins: tuple[Command, ...] = ()
    refused: tuple[Finding, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        return (*self.rescans, *((self.resize, *self.joins) if self.resize else ()))


def map_of(host: Host, wwid: str) -> Map | None:
    return next((m for m in host.maps if m.wwid == wwid), None)


def paths_of(host: Host, wwid: str) -> tuple[Path, ...]:
    return tuple(p for p in host.paths if p.wwid == wwid)


def against(site: Site, host: Host, pairs: Pairs, wwid: str) -> tuple[Finding, ...]:
    """What forbids it before the array is asked: no map, a suspended one, a daemon that is down, a path that is not up.

    A path that cannot be asked keeps the old size, and what is written past it would fail there once it is used again.
    """
    name, mapped = _name(site, host, wwid), map_of(host, wwid)
    if mapped is None:
        return (finding("MP407" if paths_of(host, wwid) else "MP401", name),)
    if not maps.runs(host):
        unit = host.unit(systemctl.MULTIPATHD)
        return (finding("MP104", systemctl.MULTIPATHD, f"it is {unit.active if unit else 'not there'}"),)
    if mapped.suspended:
        return (finding("MP423", mapped.name),)
    gone = missing(site, host, pairs, wwid)
    return (finding("MP419", name, f"not up: {', '.join(gone)}"),) if gone else ()


def missing(site: Site, host: Host, pairs: Pairs, wwid: str) -> tuple[str, ...]:
    """What is not up of this LUN: pairs that bring no usable path, and disks that cannot be asked for their size.

    A path that is failed by hand (`offline`) is up as long as its session is, and so is a disk in no map: one that came
    after the LUN had grown is not taken into it before the map has.
    """
    lun = next(one for one in topology.luns(site, host, pairs) if one.wwid == wwid)
    alive = {s.sid: s.pair for s in host.sessions if s.logged_in}
    apart = tuple(p for p in lun.paths if not p.dm and p.device_state == "running" and p.sid in alive)
    over = {alive[p.sid] for p in (*lun.usable, *apart) if p.sid in alive}
    gone = [str(p) for p in topology.pairs_of(host, pairs, wwid) if p not in over]
    count = len({*lun.usable, *apart})
    if _counts(site, wwid) and count >= (lun.expected or 0):
        gone = []
    dead = [p for p in lun.paths if p.sid not in alive or p.device_state != "running" or p.dm not in ("", lun.dm)]
    said = [f"{p.dev} ({p.device_state or 'gone'}{'' if p.dm == lun.dm else ', not in its map'})" for p in dead]
    if not (gone or said) and count < (lun.expected or 1):
        said = [f"{count} of {lun.expected or 1} paths are"]
    return (*gone, *said)


def _counts(site: Site, wwid: str) -> bool:
    return any(lun.wwid == wwid and lun.paths for lun in site.luns)


def way(host: Host, wwid: str, said: Mapping[str, int | None], forced: frozenset[str] = frozenset()) -> Way:
    """The way to the size that the array says over every path (device to bytes)."""
    mapped, disks = map_of(host, wwid), paths_of(host, wwid)
    if mapped is None or mapped.size is None:
        return Way()
    silent = [p.dev for p in disks if said.get(p.dev) is None]
    if silent:
        return Way(refused=(finding("MP419", mapped.name, f"no size from {', '.join(silent)}"),))
    sizes = {size for p in disks if (size := said[p.dev]) is not None}
    if len(sizes) != 1:
        return Way(refused=(disagree(mapped.name, said),))
    size = sizes.pop()
    if size < mapped.size and (refused := _shrinks(host, mapped, size, forced)):
        return Way(size, refused=refused)
    why = "the array says that it has {}, this host that it has {} bytes"
    rescans = tuple(
        scsi.rescan(p, why=f"{p.dev} of {mapped.name}: {why.format(size, p.size)}") for p in disks if p.size != size
    )
    apart = [p for p in disks if not p.dm]
    joins = tuple(multipathd.add_path(p.dev, why=f"{p.dev} of {mapped.name} came with the new size") for p in apart)
    return Way(size, rescans, None if mapped.size == size else resize(mapped, size), joins)


def resize(mapped: Map, size: int) -> Command:
    return multipathd.resize_map(mapped.name, why=f"{mapped.name} is {mapped.size} bytes, its paths {size}")


def disagree(name: str, said: Mapping[str, int | None]) -> Finding:
    return finding("MP410", name, ", ".join(f"{dev} {size}" for dev, size in sorted(said.items())))


def _shrinks(host: Host, mapped: Map, size: int, forced: frozenset[str]) -> tuple[Finding, ...]:
    """A shrink is refused and, where it is insisted on, still only of a map that nobody uses."""
    shrinks = finding("MP420", mapped.name, f"the map has {mapped.size} bytes, the array says {size}")
    return tuple(f for f in (shrinks, *guard.against_harm(host, mapped.wwid)) if f.code not in forced)


# By udev's ID_FS_TYPE; {place} is the map, {on} who has it: the mount point, the name of what is stacked on it.
_GROWN: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("ext2", "ext3", "ext4"), ("", "resize2fs {place}")),
        "xfs": ("mount", "xfs_growfs {on}"),
        "btrfs": ("mount", "btrfs filesystem resize max {on}"),
        "LVM2_member": ("", "pvresize {place}"),
        "crypto_LUKS": ("dm", "cryptsetup resize {on}"),
        "linux_raid_member": ("md", "mdadm --grow /dev/{on} --size=max"),
    }
)


def next_words(mapped: Map, users: Iterable[tuple[str, str]], has: Mapping[str, str]) -> str:
    """What is to be grown on a map that grew: `users` are (kind, name) of what is on it, `has` is what udev knows of
    its content.
    """
    place, content = f"/dev/mapper/{mapped.name}", has.get("ID_FS_TYPE", "")
    if content in _GROWN:
        kind, way = _GROWN[content]
        on = next((name for k, name in users if k == kind), kind.upper())
        return f"{content}: {way.format(place=place, on=on)}"
    if content:
        return f"{content}: by its own tool"
    if has.get("ID_PART_TABLE_TYPE"):
        return f"partitions: the last one (growpart, parted), then kpartx -u {place}, then what is on it"
    return "udev knows of nothing on it"


def _name(site: Site, host: Host, wwid: str) -> str:
    mapped = map_of(host, wwid)
    wish = next((lun.alias for lun in site.luns if lun.wwid == wwid), None)
    return mapped.name if mapped else wish or wwid
