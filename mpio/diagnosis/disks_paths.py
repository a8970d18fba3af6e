"""Single paths: failed or offline by hand, slow, in error, read-only, or with limits that fit nothing."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median, quantiles

from mpio import topology
from mpio.diagnosis.disks_seen import Disks
from mpio.findings import Finding, finding
from mpio.host import Host, Path
from mpio.topology import Lun

# A path is slow where its reads take so many times, and so many seconds more than, those of the others, and where its
# quickest quarter is slower than their slowest: what one busy moment does to a few reads is no such thing.
TIMES, MORE, ENOUGH = 5.0, 0.02, 2
ERRORS, ERROR_TIMES = 5, 5  # new errors during a look, and how many times those of the others
# Seconds: SCSI commands are given 30 (SD_TIMEOUT), by some vendors' rules up to 180; error handling 10
SHORTEST, LONGEST, EH_LONGEST = 5, 300, 60
HELD = ("offline", "quiesce", "transport-offline")


def findings(host: Host, seen: Disks, judged: tuple[Lun, ...]) -> Iterator[Finding]:
    for lun in judged:
        paths = [p for p in lun.paths if p.dev not in seen.gone and not topology.offline(host, p)]
        yield from _by_hand(host, seen, lun, paths)
        yield from _compared(seen, lun, paths)
        yield from _limits(seen, lun, paths)
        yield from _slow(host, seen, lun)
        yield from _reserved(seen, lun, paths)


def _name(lun: Lun) -> str:
    return lun.alias or lun.wwid


def _by_hand(host: Host, seen: Disks, lun: Lun, paths: list[Path]) -> Iterator[Finding]:
    over = {s.sid: s for s in host.sessions if s.logged_in}
    for path in paths:
        if path.sid not in over:
            continue
        if path.dev in seen.stuck:
            said = seen.stuck[path.dev]
            yield finding(
                "MP442",
                f"{path.dev} of {_name(lun)}",
                f"it answers reads over {over[path.sid].pair}{f'; {said}' if said else ''}",
            )
        if path.dev in seen.held:
            yield finding(
                "MP443",
                f"{path.dev} of {_name(lun)}",
                f"its state is {seen.held[path.dev]}, {over[path.sid].pair} is up",
            )


def _compared(seen: Disks, lun: Lun, paths: list[Path]) -> Iterator[Finding]:
    read_only = [p.dev for p in paths if seen.disk(p.dev).read_only]
    if read_only and len(read_only) < len(paths):
        yield finding("MP454", _name(lun), f"read-only: {', '.join(read_only)}")
    for path in paths:
        grown = seen.disk(path.dev).grown
        others = [seen.disk(p.dev).grown for p in paths if p.dev != path.dev]
        if others and grown >= ERRORS and grown >= ERROR_TIMES * (median(others) + 1):
            yield finding(
                "MP445",
                f"{path.dev} of {_name(lun)}",
                f"{grown} errors in the last seconds, {seen.disk(path.dev).errors} since it came",
            )


def _limits(seen: Disks, lun: Lun, paths: list[Path]) -> Iterator[Finding]:
    times = {p.dev: seen.disk(p.dev).timeout for p in paths}
    said = {dev: t for dev, t in times.items() if t is not None}
    wrong = [f"{dev} gives a command {t} s" for dev, t in said.items() if not SHORTEST <= t <= LONGEST]
    if len(set(said.values())) > 1 and not wrong:
        wrong = [f"{dev} gives a command {t} s" for dev, t in said.items()]
    handling = {p.dev: seen.disk(p.dev).eh_timeout for p in paths}
    wrong += [
        f"{dev} gives error handling {t} s" for dev, t in handling.items() if t is not None and not 1 <= t <= EH_LONGEST
    ]
    if wrong:
        yield finding("MP453", _name(lun), ", ".join(wrong))


def _slow(host: Host, seen: Disks, lun: Lun) -> Iterator[Finding]:
    """The disks that were read from stand for their sessions: the same LUN over each."""
    over = {s.sid: s for s in host.sessions}
    took = {p.dev: seen.delays[p.dev] for p in lun.paths if len(seen.delays.get(p.dev, ())) >= ENOUGH}
    for path in lun.paths:
        others = [delays for dev, delays in took.items() if dev != path.dev]
        if path.dev in took and others and is_slow(took[path.dev], others):
            here, there = median(took[path.dev]), median(median(d) for d in others)
            pair = f" over {over[path.sid].pair}" if path.sid in over else ""
            yield finding(
                "MP444",
                f"{path.dev} of {_name(lun)}",
                f"a read takes {here * 1000:.0f} ms{pair}, {there * 1000:.1f} ms over the others",
            )


def is_slow(delays: tuple[float, ...], others: list[tuple[float, ...]]) -> bool:
    """Against the half of the others that is quicker: of four paths two may be slow."""
    middle = sorted(others, key=median)[: (len(others) + 1) // 2]
    usual = median(median(d) for d in middle)
    slowest = max(quantiles(d, n=4)[2] for d in middle)
    return median(delays) >= max(TIMES * usual, usual + MORE) and quantiles(delays, n=4)[0] > slowest


def _reserved(seen: Disks, lun: Lun, paths: list[Path]) -> Iterator[Finding]:
    refused = [p.dev for p in paths if p.dev in seen.conflicts]
    if refused:
        held = "; a persistent reservation is on it" if any(p.dev in seen.reserved for p in lun.paths) else ""
        yield finding("MP455", _name(lun), f"the kernel's log tells of conflicts on {', '.join(refused)}{held}")
