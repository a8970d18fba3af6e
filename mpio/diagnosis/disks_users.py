"""Files that name a path where the map is meant."""

from __future__ import annotations

from collections.abc import Iterator

from mpio.diagnosis.disks_seen import Disks
from mpio.findings import Finding, finding
from mpio.host import Host
from mpio.topology import Lun


def findings(host: Host, seen: Disks, judged: tuple[Lun, ...]) -> Iterator[Finding]:
    lun_of = {p.dev: lun for lun in judged if lun.wanted or lun.dm for p in lun.paths}
    for named in seen.named:
        if lun := lun_of.get(named.dev):
            instead = f"/dev/mapper/{lun.alias or lun.wwid}"
            yield finding(
                "MP436", f"{named.file} line {named.line}", f"{named.name} is {named.dev}, a path of {instead}", instead
            )
    if any(m.slaves for m in host.maps):
        for place, words in seen.marked:
            yield finding("MP437", place, words)
