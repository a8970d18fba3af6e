"""Letting a map follow a LUN that grew: ask the array, rescan every path, resize the map, read it back."""

from __future__ import annotations

from collections.abc import Iterator

from mpio import apply, settle, topology
from mpio.findings import Finding, finding
from mpio.host import Host, Map
from mpio.luns import capacity
from mpio.machine import Machine
from mpio.plan import luns, resizing
from mpio.plan.resizing import Way
from mpio.site import Site
from mpio.tools import dmsetup, multipathd, sysfs, udevadm

SEEN = 15  # a rescan has read the size when its write returns; what udev and multipathd make of it comes later
# A busy daemon answers "timeout" after 4 s by itself, and 0.9.4's client ends with 0 then: the map is the answer.
TAKEN = 3.0
ATTEMPTS = 8


def way(site: Site, host: Host, wwid: str, forced: frozenset[str]) -> Way:
    """What is to be done for this LUN, or what stands against it. Nothing is touched: see `capacity`."""
    # Another LUN behind the map is not one that grew.
    if found := luns.changed(host, wwid, forced) or resizing.against(site, host, topology.pairs(site, host), wwid):
        return Way(refused=found)
    said = capacity.of(p.dev for p in resizing.paths_of(host, wwid))
    return resizing.way(host, wwid, said, forced)


def carry_out(machine: Machine, mapped: Map, way: Way, outcome: apply.Outcome, tell: apply.Tell) -> tuple[Finding, ...]:
    """Do it, and say what is wrong afterwards; what is left is kept in `outcome`."""
    outcome.left = way.steps
    apply.carry_out(machine, way.rescans, outcome, tell, strict=True)
    if outcome.failed:
        return ()
    settle.udev(machine, SEEN)
    if not settle.until(lambda: set(_sizes(machine, mapped).values()) == {way.size}, SEEN):
        return (resizing.disagree(mapped.name, _sizes(machine, mapped)),)
    if way.resize:
        for _ in range(ATTEMPTS):
            apply.carry_out(machine, (way.resize,), outcome, tell)
            if settle.until(lambda: _has(machine, mapped) == way.size, TAKEN):
                break
    outcome.done = list(dict.fromkeys(outcome.done))
    found = tuple(_wrong(machine, mapped, way, outcome, tell))
    outcome.left = way.steps if found else ()
    if way.resize and way.joins and not found:
        apply.carry_out(machine, way.joins, outcome, tell)
        settle.maps(machine, {mapped.wwid})
    return found


def next_words(machine: Machine, host: Host, mapped: Map) -> str:
    """What is on the map, and how it is grown."""
    users = [(u.kind, u.name) for u in host.users if u.dev == mapped.dm]
    return resizing.next_words(mapped, users, udevadm.properties(machine.files, mapped.dm))


def _wrong(machine: Machine, mapped: Map, way: Way, outcome: apply.Outcome, tell: apply.Tell) -> Iterator[Finding]:
    """The map read back from sysfs and from the device mapper; one that multipathd left suspended is let go on."""
    if _suspended(machine, mapped):
        resume = multipathd.resume_map(mapped.name, why=f"{mapped.name} was left suspended: its I/O waits")
        apply.carry_out(machine, (resume,), outcome, tell)
        if not settle.until(lambda: not _suspended(machine, mapped), TAKEN):
            yield finding("MP423", mapped.name)
    sizes = {
        "the kernel": _has(machine, mapped),
        "its table": dmsetup.sectors(machine.run).get(mapped.name, 0) * sysfs.SECTOR,
    }
    if set(sizes.values()) != {way.size}:
        said = ", ".join(f"{who} says {size}" for who, size in sizes.items())
        yield finding("MP424", mapped.name, f"{said}; the array {way.size}")


def _sizes(machine: Machine, mapped: Map) -> dict[str, int | None]:
    return {p.dev: p.size for p in sysfs.paths(machine.files) if p.dm == mapped.dm}


def _has(machine: Machine, mapped: Map) -> int | None:
    now = sysfs.map_of(machine.files, mapped.dm)
    return now.size if now else None


def _suspended(machine: Machine, mapped: Map) -> bool:
    now = sysfs.map_of(machine.files, mapped.dm)
    return now is not None and now.suspended
