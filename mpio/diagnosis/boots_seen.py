"""What is known of services and of the next boot: values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mpio.host import Answer, Portal, Unit
from mpio.tools.modprobe import Ban
from mpio.tools.nicfiles import Claim

BOOT_SECONDS = 90.0  # systemd's own patience with a device (systemd-system.conf(5), DefaultDeviceTimeoutSec)


@dataclass(frozen=True, slots=True)
class Check:
    """A start condition of a unit as its file has it; `holds` None where only systemd could say."""

    text: str
    holds: bool | None
    trigger: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A unit by its files: `path` empty where there is none. `after`, `before` and `changed` are what stands there,
    `patience` the seconds that systemd gives its start, None without an end.
    """

    name: str
    path: str = ""
    checks: tuple[Check, ...] = ()
    after: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()
    changed: tuple[str, ...] = ()
    patience: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A unit that failed: what systemd calls it, its program's exit code, and the last line of the journal."""

    unit: str
    result: str = ""
    code: int | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Daemon:
    """The program that a daemon runs: `exe` as the kernel has it, `gone` when the file was replaced or removed."""

    name: str
    pid: int
    exe: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A line of fstab whose device is a LUN, or will be. `on` are the maps, or the disks in none, that it lies on;
    `disk` when the line names a disk by sdX. `wwids` are those LUNs' own.
    """

    line: int
    spec: str
    place: str
    options: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    wwids: tuple[str, ...] = ()
    disk: bool = False
    patience: float | None = None

    @property
    def said(self) -> str:
        return f"{self.place} (line {self.line})" if self.place.startswith("/") else f"swap (line {self.line})"


@dataclass(frozen=True, slots=True)
class Nic:
    """A NIC of the SAN and who configures it at boot, of those programs that boot starts."""

    name: str
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """When files were made, seconds; None where there is none."""

    name: float | None = None
    machine: float | None = None
    keys: float | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """The initial RAM disk of the running kernel, looked into where / lies on a map: what multipath needs that is not
    there, and whether multipath's files are newer than it.
    """

    path: str
    lacking: tuple[str, ...] = ()
    older_than: str = ""


@dataclass(frozen=True, slots=True)
class Boots:
    """`probes` are those of records that log in at boot and have no session; `nics` all NICs there are, with their
    hardware addresses; `started` the programs that configure NICs at boot, `waiters` the units that
    network-online.target waits for.
    """

    services: tuple[Service, ...] = ()
    sockets: tuple[Unit, ...] = ()
    failed: tuple[Failed, ...] = ()
    daemons: tuple[Daemon, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict, hash=False)
    bans: tuple[Ban, ...] = ()
    kernel: str = ""
    startup: str = ""
    strict_name: bool = False
    made: Made = Made()
    places: tuple[Place, ...] = ()
    patience: float = BOOT_SECONDS
    probes: Mapping[tuple[str, Portal], Answer] = field(default_factory=dict, hash=False)
    present: Mapping[str, str] | None = field(default=None, hash=False)
    nics: tuple[Nic, ...] = ()
    waiters: frozenset[str] = frozenset()
    image: Image | None = None

    def service(self, name: str) -> Service | None:
        return next((s for s in self.services if s.name == name), None)
