"""Disks and maps: who they are, why they are in no map, what holds them up."""

from __future__ import annotations

from collections.abc import Iterator

from mpio import topology
from mpio.diagnosis import disks_identity, disks_maps, disks_paths, disks_unmapped, disks_users
from mpio.diagnosis.disks_seen import Alien, Disk, Disks, Named
from mpio.findings import Finding
from mpio.host import Host
from mpio.plan import Plan
from mpio.site import Site

__all__ = ["Alien", "Disk", "Disks", "Named", "findings"]


def findings(site: Site | None, host: Host, plan: Plan | None, seen: Disks) -> Iterator[Finding]:
    judged = topology.luns(site, host, plan.pairs if plan else None)
    yield from disks_identity.findings(site, host, plan, seen, judged)
    yield from disks_unmapped.findings(site, host, seen, judged)
    yield from disks_users.findings(host, seen, judged)
    yield from disks_paths.findings(host, seen, judged)
    yield from disks_maps.findings(site, host, seen, judged)
