"""What the kernel shows: NICs, sessions, disks and maps; and the records, which are files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from mpio import memory
from mpio.errors import MpioError, NotAllowed
from mpio.files import Files
from mpio.host import Host, Iface, Node
from mpio.machine import Machine
from mpio.tools import iscsidb, sysfs

if TYPE_CHECKING:
    from mpio.site import Site

T = TypeVar("T")
IFACES = "the iface records"


@dataclass(frozen=True, slots=True)
class Records:
    """What lies in files: open-iscsi's records and what mpio remembers."""

    ifaces: tuple[Iface, ...] = ()
    nodes: tuple[Node, ...] = ()
    memory: memory.Memory = field(default_factory=memory.Memory)


def look(machine: Machine, site: Site | None, blind: list[str] | None) -> Host:
    """`blind` collects what this user may not read; without it that is NotAllowed, for looks that plans are made of."""
    if not machine.files.names("/sys/class"):
        # As in some containers: no session and no map would be seen there, and every LUN taken for lost.
        raise MpioError("the kernel shows nothing here: there is no /sys", "mount sysfs, or run on the host itself")
    return seen(machine, site, records(machine, blind), lambda: _addresses(machine))


def records(machine: Machine, blind: list[str] | None) -> Records:
    read = machine.files
    ifaces: tuple[Iface, ...] = _or_blind(lambda: _ifaces(read), (), blind, IFACES)
    nodes: tuple[Node, ...] = _or_blind(lambda: _nodes(read), (), blind, "the node records")
    kept = _or_blind(
        lambda: memory.parse(machine.files.text(memory.PATH)), memory.Memory(), blind, "what mpio remembers"
    )
    return Records(ifaces, nodes, kept)


def _ifaces(read: Files) -> tuple[Iface, ...]:
    """Torn are only those that nobody is just writing; the same for the records."""
    found, at = iscsidb.ifaces(read), f"{iscsidb.root(read)}/ifaces"
    texts = _settled(read, [f"{at}/{i.name}" for i in found if i.torn])
    said = ((i, texts.get(f"{at}/{i.name}") if i.torn else None) for i in found)
    return tuple(i if text is None else iscsidb.iface(i.name, text) for i, text in said)


def _nodes(read: Files) -> tuple[Node, ...]:
    found = iscsidb.nodes(read)
    texts = _settled(read, [n.path for n in found if n.torn])
    said = ((n, texts.get(n.path) if n.torn else None) for n in found)
    return tuple(
        n if text is None else iscsidb.node(n.path, text, (n.pair.portal, n.tpgt), n.pair.target) for n, text in said
    )


def _settled(read: Files, paths: list[str]) -> Mapping[str, str | None]:
    if not paths:
        return {}
    from mpio import iscsilock  # for hosts on which something looks torn

    return iscsilock.settled(read, paths)


def seen(
    machine: Machine, site: Site | None, known: Records, addresses: Callable[[], Mapping[str, tuple[str, ...]]]
) -> Host:
    """What /sys shows now, with these records; `addresses` are asked for only where a NIC has any to tell."""
    read = machine.files
    nic_of = {i.name: i.nic for i in known.ifaces}
    wanted = dict.fromkeys([*nic_of.values(), *(i.nic for i in (site.ifaces if site else ()))])
    present = [n for n in wanted if n in sysfs.nic_names(read)]
    maps = sysfs.maps(read)
    of_map = {m.dm: m.wwid for m in maps}
    # Inside a map its WWID is the path's: a disk that is blocked or offline has no identity to read.
    paths = tuple(replace(p, wwid=of_map.get(p.dm, p.wwid)) for p in sysfs.paths(read, maps))
    ours = {p.dev for p in paths}
    return Host(
        nics=sysfs.nics(read, addresses(), present) if present else (),
        ifaces=known.ifaces,
        nodes=known.nodes,
        sessions=sysfs.sessions(read, nic_of),
        paths=paths,
        # A map none of whose disks is an iSCSI session's (Fibre Channel, SAS) is not ours to judge.
        maps=tuple(m for m in maps if not m.slaves or ours & set(m.slaves)),
        memory=known.memory,
        offline=_in_force(known.memory) if known.memory.offline else (),
        root=os.geteuid() == 0,
    )


def _addresses(machine: Machine) -> Mapping[str, tuple[str, ...]]:
    from mpio.tools import ip

    return ip.addresses(machine.run)


def _in_force(kept: memory.Memory) -> tuple[memory.Offline, ...]:
    import datetime  # for hosts on which something is offline

    return memory.in_force(kept, datetime.datetime.now(datetime.UTC))


def _or_blind(ask: Callable[[], T], otherwise: T, blind: list[str] | None, what: str) -> T:
    try:
        return ask()
    except NotAllowed:
        if blind is None:
            raise
        blind.append(what)
        return otherwise
