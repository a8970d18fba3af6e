"""What a host shows: values only."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mpio.memory import Memory, Offline
from mpio.portal import Portal as Portal  # noqa: PLC0414 - who speaks of a host takes it from here
from mpio.routing import Rule, TableRoute


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """What one session is to connect: an iface, a portal and a target. The key of records and sessions."""

    iface: str
    portal: Portal
    target: str

    def __str__(self) -> str:
        return f"{self.iface} -> {self.portal} {self.target}"


@dataclass(frozen=True, slots=True)
class Nic:
    """A NIC: `addresses` in CIDR form, `carrier` None while down, `rp_filter` effective: max(all, own)."""

    name: str
    hwaddress: str = ""
    addresses: tuple[str, ...] = ()
    mtu: int = 0
    carrier: bool | None = None
    rp_filter: int | None = None
    rp_filter_own: int | None = None
    rp_filter_all: int | None = None
    arp_ignore: int | None = None
    arp_announce: int | None = None
    master: str = ""

    def on_link(self, portal: Portal) -> bool:
        """Does one of the NIC's own subnets hold the portal?"""
        wanted = ipaddress.ip_address(portal.address)
        return any(wanted in ipaddress.ip_interface(a).network for a in self.addresses)

    def speaks(self, portal: Portal) -> bool:
        """Has the NIC an address of the portal's IP version?"""
        return any(ipaddress.ip_interface(a).version == portal.version for a in self.addresses)


@dataclass(frozen=True, slots=True)
class Iface:
    """An iSCSI iface record. Unset values are empty; a `torn` one was written in part."""

    name: str
    nic: str = ""
    hwaddress: str = ""
    transport: str = "tcp"
    initiatorname: str = ""
    torn: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A node record of open-iscsi's database; `settings` are its other keys but secrets; `torn`: written in part."""

    pair: Pair
    tpgt: int
    path: str = ""
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    torn: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A kernel session. `state` is sysfs's word; `recovery_tmo` seconds, None for off or unreadable."""

    sid: int
    host: int
    pair: Pair
    nic: str
    tpgt: int | None
    state: str
    recovery_tmo: int | None = None
    noop_interval: int | None = None
    noop_timeout: int | None = None
    initiatorname: str = ""
    address: str = ""
    port: int | None = None
    local_port: int | None = None

    @property
    def logged_in(self) -> bool:
        return self.state == "LOGGED_IN"


@dataclass(frozen=True, slots=True)
class Path:
    """A SCSI disk that an iSCSI session carries. `wwid` as multipath writes it; `size` bytes; `group` None outside a
    map, `group_state` multipathd's word for it: active while I/O goes over it.

    `dm_state` and `checker_state` are multipathd's words, `device_state` sysfs's; empty where nobody said.
    """

    dev: str
    hctl: str
    sid: int
    wwid: str
    size: int | None = None
    vendor: str = ""
    product: str = ""
    device_state: str = ""
    dm: str = ""
    dm_state: str = ""
    checker_state: str = ""
    group: int | None = None
    group_state: str = ""

    @property
    def lun(self) -> int:
        return int(self.hctl.rsplit(":", 1)[1])


@dataclass(frozen=True, slots=True)
class Map:
    """A multipath map of the device mapper. `queueing` is "off", "forever" or seconds, None unknown."""

    name: str
    wwid: str
    dm: str
    size: int | None = None
    open_count: int = 0
    suspended: bool = False
    queueing: str | int | None = None
    slaves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit, in systemctl's words; `load` "not-found" where there is none."""

    name: str
    load: str = ""
    active: str = ""
    enabled: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """One line of a SendTargets answer."""

    portal: Portal
    tpgt: int
    target: str


class Answer(StrEnum):
    """What a TCP connect through a NIC met within its time limit."""

    ANSWERED = "answered"
    REFUSED = "refused"
    SILENT = "silent"
    NO_ROUTE = "no route"


@dataclass(frozen=True, slots=True)
class Asked:
    """A portal that was asked for its targets: `code` is iscsiadm's, `said` its last words where it failed, `seconds`
    how long that took.
    """

    portal: Portal
    ifaces: tuple[str, ...]
    code: int
    said: str = ""
    found: tuple[Found, ...] = ()
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who uses a block device: `kind` is mount, swap, lvm, md, dm, loop, process, …; `name` says which."""

    dev: str
    kind: str
    name: str
    space: str = ""  # in whose mount namespace, of what is mounted elsewhere only

    def __str__(self) -> str:
        space = f" (in the mount namespace of {self.space})" if self.space else ""
        return f"{self.kind} {self.name}{space} on {self.dev}"


Keywords = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Effective:
    """What is in force for each WWID, in multipath's own words; under "" the defaults that belong to no LUN.

    `installed` is what the files say (`multipath -t`), `loaded` what the daemon holds, None where it could not be
    asked.
    `wished` is what the site asks for. `warnings` are multipath's about the user's own lines, "file line N, words".
    """

    installed: Keywords = field(default_factory=dict, hash=False)
    loaded: Keywords | None = field(default=None, hash=False)
    warnings: tuple[str, ...] = ()
    wished: Keywords = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Host:
    """Everything one look has seen. What was not looked at is empty; `blind` says in words what could not be seen.

    `strangers` are disks of maps that say at this moment that they are another LUN, each with the WWID that it says.
    `offline` is what is offline by hand now: of what is remembered that whose time is not over.
    `missing_programs` come with the package that brings each; `readable` are disks that device mapper
    calls failed and that answer a read; `black_holes` are (iface, portal, bytes) whose
    full-size ping was lost. `rules` (all) and `routes` (mpio's) are looked at only where NICs of the site share a
    subnet or did; `named_tables` have a name in iproute2's files. `discovered_through` are portals whose discovery
    record has node records of its own; `old_chap` are sessions whose CHAP login is not the one wanted now,
    `loose_records` files of records that others than their owner may read or write. `unread` are
    (iface, path) of the records that are no `nodes`, since no numeric address is their portal. `program` starts this
    mpio from anywhere. `watched`: a watcher acts as this site says, and may. `members` are parts of volume groups and
    arrays that are not active, `system` what carries the host's own file systems, both under the map or disk.
    """

    nics: tuple[Nic, ...] = ()
    ifaces: tuple[Iface, ...] = ()
    nodes: tuple[Node, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    sessions: tuple[Session, ...] = ()
    paths: tuple[Path, ...] = ()
    maps: tuple[Map, ...] = ()
    units: tuple[Unit, ...] = ()
    users: tuple[User, ...] = ()
    members: tuple[User, ...] = ()
    system: tuple[User, ...] = ()
    files: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    registered: frozenset[str] = frozenset()
    probes: Mapping[tuple[str, Portal], Answer] = field(default_factory=dict, hash=False)
    asked: tuple[Asked, ...] = ()
    known_keywords: frozenset[str] = frozenset()
    effective: Effective | None = None
    memory: Memory = field(default_factory=Memory)
    offline: tuple[Offline, ...] = ()
    chap: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    discovery_chap: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    discovery_records: Mapping[Portal, str] = field(default_factory=dict, hash=False)
    discovered_through: frozenset[Portal] = frozenset()
    old_chap: frozenset[int] = frozenset()
    loose_records: frozenset[str] = frozenset()
    needs_multipath_conf: bool = False
    missing_programs: tuple[tuple[str, str], ...] = ()
    missing_modules: tuple[str, ...] = ()
    black_holes: tuple[tuple[str, Portal, int], ...] = ()
    writable_by_others: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    stale_lock: bool = False
    readable: frozenset[str] = frozenset()
    strangers: Mapping[str, str] = field(default_factory=dict, hash=False)
    rules: tuple[Rule, ...] = ()
    routes: tuple[TableRoute, ...] = ()
    program: tuple[str, ...] = ()
    named_tables: frozenset[int] = frozenset()
    root: bool = True
    watched: bool = False

    def nic(self, name: str) -> Nic | None:
        return next((n for n in self.nics if n.name == name), None)

    def unit(self, name: str) -> Unit | None:
        return next((u for u in self.units if u.name == name), None)

    def session_of(self, pair: Pair) -> Session | None:
        """The session of a pair, a logged-in one before a failed one."""
        found = [s for s in self.sessions if s.pair == pair]
        return next((s for s in found if s.logged_in), found[0] if found else None)

    def node_of(self, pair: Pair) -> Node | None:
        return next((n for n in self.nodes if n.pair == pair), None)

    def is_offline(self, pair: Pair) -> bool:
        """Was it taken offline by hand, and is it to stay so for now?"""
        return any(str(pair) in one.pairs for one in self.offline)
