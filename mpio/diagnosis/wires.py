"""What frames and packets do on the way to the portals: which layer of which wire a trouble is on."""

from __future__ import annotations

from collections.abc import Iterator

from mpio.diagnosis import wires_nics, wires_seen, wires_sharing, wires_ways
from mpio.diagnosis.wires_seen import Hole, Place, Way, Wires
from mpio.findings import Finding, finding
from mpio.host import Host
from mpio.plan import Plan
from mpio.site import Site

__all__ = ["Hole", "Place", "Way", "Wires", "findings"]


def findings(
    site: Site | None,
    host: Host,
    plan: Plan | None,  # noqa: ARG001 - an area's shape
    seen: Wires,
) -> Iterator[Finding]:
    for iface, path in host.unread:
        yield finding("MP247", path, f"its iface is {iface}")
    if not seen.links:
        return
    nic_of = wires_seen.nics(site, host, seen.links, seen.places)
    yield from wires_nics.findings(site, host, seen, nic_of)
    yield from wires_ways.findings(site, host, seen, nic_of)
    yield from wires_sharing.findings(site, host, seen, nic_of)
