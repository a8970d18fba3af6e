"""What the kernel shows: NICs, sessions, disks and maps; and the records, which are files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from mpio import memory
from mpio.errors import NotAllowed
from mpio.host import Host, Iface, Nic, Node
from mpio.machine import Machine
from mpio.tools import iscsidb, sysfs

if TYPE_CHECKING:
    from mpio.site import Site

T = TypeVar("T")
IFACES = "the iface records"


def look(machine: Machine, site: Site | None, blind: list[str] | None) -> Host:
    """`blind` collects what this user may not read; without it that is NotAllowed, for looks that plans are made of."""
    read = machine.files
    ifaces: tuple[Iface, ...] = _or_blind(lambda: iscsidb.ifaces(read), (), blind, IFACES)
    nodes: tuple[Node, ...] = _or_blind(lambda: iscsidb.nodes(read), (), blind, "the node records")
    kept = _or_blind(
        lambda: memory.parse(machine.files.text(memory.PATH)), memory.Memory(), blind, "what mpio remembers"
    )
    offline = _in_force(kept) if kept.offline else ()
    nic_of = {i.name: i.nic for i in ifaces}
    wanted = dict.fromkeys([*nic_of.values(), *(i.nic for i in (site.ifaces if site else ()))])
    nics: tuple[Nic, ...] = ()
    present = [n for n in wanted if n in sysfs.nic_names(read)]
    if present:
        from mpio.tools import ip

        nics = sysfs.nics(read, ip.addresses(machine.run), present)
    maps = sysfs.maps(read)
    of_map = {m.dm: m.wwid for m in maps}
    # Inside a map its WWID is the path's: a disk that is blocked or offline has no identity to read.
    paths = tuple(replace(p, wwid=of_map.get(p.dm, p.wwid)) for p in sysfs.paths(read))
    ours = {p.dev for p in paths}
    return Host(
        nics=nics,
        ifaces=ifaces,
        nodes=nodes,
        sessions=sysfs.sessions(read, nic_of),
        paths=paths,
        # A map none of whose disks is an iSCSI session's (Fibre Channel, SAS) is not ours to judge.
        maps=tuple(m for m in maps if not m.slaves or ours & set(m.slaves)),
        memory=kept,
        offline=offline,
        root=os.geteuid() == 0,
    )


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
