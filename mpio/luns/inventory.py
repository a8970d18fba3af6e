"""The LUNs of this host, with what a glance at them costs little to know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mpio import inuse, observe
from mpio.errors import NotAllowed
from mpio.host import Host
from mpio.machine import Machine
from mpio.tools import multipath, vpd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mpio.site import Site


@dataclass(frozen=True, slots=True)
class Rest:
    """`registered` None: it could not be read. `serials` maps a WWID to the serial number that the kernel has read."""

    registered: frozenset[str] | None
    serials: Mapping[str, str]


def look(machine: Machine, site: Site | None) -> tuple[Host, Rest]:
    """Users by mounts, swap and holders; descriptors of processes are left to the verbs that would hurt them."""
    host = observe.host(machine, site, observe.Look.STATUS)
    read = machine.files
    host = replace(host, users=inuse.users(read, host, deep=False))
    registered: frozenset[str] | None = None
    try:
        registered = multipath.parse_wwids(read.text(multipath.WWIDS) or "")
    except NotAllowed:
        host = replace(host, blind=(*host.blind, "the registered WWIDs"))
    pages = {p.wwid: read.text(f"/sys/block/{p.dev}/device/vpd_pg80") for p in reversed(host.paths) if p.wwid}
    said = {wwid: vpd.parse_serial(page.encode("utf-8", "surrogateescape")) for wwid, page in pages.items() if page}
    return host, Rest(registered, said)
