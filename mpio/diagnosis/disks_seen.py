"""What a closer look at disks and maps has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mpio.tools.multipathconf import Conf
from mpio.tools.multipathd import MapView


@dataclass(frozen=True, slots=True)
class Disk:
    """What the kernel knows of a disk that an iSCSI session carries, most of it read at its last scan.

    `timeout` and `eh_timeout` are seconds. `errors` counts commands that ended badly, `grown` how many of them while
    we looked. Of disks in no map also: `identities`, the WWIDs that it has, and `udev`, what udev knows of it.
    """

    serial: str = ""
    revision: str = ""
    timeout: int | None = None
    eh_timeout: int | None = None
    read_only: bool = False
    errors: int = 0
    grown: int = 0
    identities: frozenset[str] = frozenset()
    udev: Mapping[str, str] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Named:
    """A line of a file that names a device, and the disk that it leads to now."""

    file: str
    line: int
    name: str
    dev: str


@dataclass(frozen=True, slots=True)
class Alien:
    """A multipath map of disks that no iSCSI session carries: each with its place among the kernel's devices."""

    name: str
    wwid: str
    slaves: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Disks:
    """`disks` by name, `views` multipathd's, nothing where it could not be asked.

    At this moment: `gone` are disks whose target says that there is no such LUN, `sizes` what it says that a disk has,
    `reserved` disks under a persistent reservation, `listed` the LUN numbers that a target lists over a session,
    `known` those that the kernel has any device for, where that counts, `delays` the seconds that each of a few reads
    took; `conflicts` are disks of which the kernel logged reservation conflicts. `stuck` are disks that answered a read
    and are failed still, each with the line of the log in which somebody failed it, `held` disks that the SCSI layer
    refuses, each with its state, `suspended` the maps (dm) that are so, `empty` the sessions without a disk, `undriven`
    those with disks (H:C:T:L) that no driver has taken: all four for some time. `named` and `marked` are lines of files
    that name paths, or have LVM take them; `given_up` WWIDs that multipath could not make a map of, `hollow` maps
    without a table, each with its WWID. `settled`: udev has nothing left to do.
    """

    disks: Mapping[str, Disk] = field(default_factory=dict, hash=False)
    views: tuple[MapView, ...] = ()
    gone: frozenset[str] = frozenset()
    sizes: Mapping[str, int] = field(default_factory=dict, hash=False)
    reserved: frozenset[str] = frozenset()
    conflicts: frozenset[str] = frozenset()
    listed: Mapping[int, frozenset[int]] = field(default_factory=dict, hash=False)
    known: Mapping[int, frozenset[int]] = field(default_factory=dict, hash=False)
    delays: Mapping[str, tuple[float, ...]] = field(default_factory=dict, hash=False)
    stuck: Mapping[str, str] = field(default_factory=dict, hash=False)
    held: Mapping[str, str] = field(default_factory=dict, hash=False)
    suspended: frozenset[str] = frozenset()
    conf: Conf = field(default_factory=Conf)
    bindings: tuple[tuple[str, str], ...] = ()
    find_multipaths: str = ""
    given_up: frozenset[str] = frozenset()
    named: tuple[Named, ...] = ()
    marked: tuple[tuple[str, str], ...] = ()
    aliens: tuple[Alien, ...] = ()
    hollow: Mapping[str, str] = field(default_factory=dict, hash=False)
    settled: bool = True
    empty: frozenset[int] = frozenset()
    undriven: Mapping[int, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def disk(self, dev: str) -> Disk:
        return self.disks.get(dev, NONE)

    def view(self, dm: str) -> MapView | None:
        return next((v for v in self.views if v.dm == dm), None)


NONE = Disk()
