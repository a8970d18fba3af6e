"""One thing after another is taken away while its LUNs are read, measured, and put back, whatever happens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mpio import guard, observe, run
from mpio.drills import drill
from mpio.drills import guard as watch
from mpio.drills.drill import How, Means, Taking, Thing
from mpio.drills.drilled import Measured
from mpio.drills.layers import Layers
from mpio.drills.reader import Reading, reading
from mpio.errors import MpioError, ProgramFailed
from mpio.findings import Finding, finding
from mpio.host import Host, Map
from mpio.machine import Machine
from mpio.site import Site
from mpio.step import Step, Write
from mpio.tools import ip, multipathd, nft, sysfs, systemd_run

PAUSE = 0.05  # between looks at sysfs
WARM = 30.0  # every map must answer before anything is taken away
BEFORE = 2.0  # what is shown of the time before
SHORTEST = 2.0  # away at least so long: a path that is failed by hand is so at once
# Past the predicted stall: the checker looks at a path only every 4 x polling_interval once it has found it good.
MARGIN = 45.0
NO_BOUND = 120.0  # away at most so long where nothing bounds the stall
BACK = 240.0  # iscsid tries a lost session again in seconds, the checker its paths within 20 s
HANGS = 90.0  # past all that a drill is taken for hung, and its guard puts things back
NOWHERE = "203.0.113.9"  # TEST-NET-3 (RFC 5737): only a default route leads there

Tell = Callable[[str], None]


@dataclass(slots=True)
class Result:
    """`host` is the last look; `refused` what stopped it before the next thing; `left` is what was not drilled, `stuck`
    the steps back that did not work.
    """

    host: Host
    measured: list[Measured] = field(default_factory=list)
    refused: tuple[Finding, ...] = ()
    left: tuple[Thing, ...] = ()
    done: list[Step] = field(default_factory=list)
    stuck: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    site: Site
    things: tuple[Thing, ...]
    how: How
    forced: frozenset[str]

    @property
    def table(self) -> str:
        return f"mpio_drill_{os.getpid()}"


def ready(how: How) -> None:
    """Raise where a program that the drill needs is not there."""
    needed = (systemd_run.PROGRAM, *((nft.PROGRAM,) if how is How.BLOCK else ()))
    for name, way in run.missing(needed):
        raise MpioError(f"a drill of this kind needs {name}, which is not installed", way)


def takings(machine: Machine, asked: Asked, host: Host) -> tuple[tuple[Taking, ...], tuple[Finding, ...]]:
    """Each thing on this host, and what stands against taking any one of them away."""
    made, found = [], []
    for thing in asked.things:
        means = _means(machine, host, thing, asked)
        one = drill.taking(asked.site, host, thing, means)
        made.append(one)
        found += [f for f in drill.against(host, one, means) if f.code not in asked.forced]
    return tuple(made), tuple(found)


def things(machine: Machine, asked: Asked, host: Host, read: tuple[Map, ...], tell: Tell) -> Result:
    """Drill the things in order and stop at the first that does not come back whole."""
    result = Result(host, left=asked.things)
    with reading(tuple(f"/dev/{m.dm}" for m in read)) as now:
        begin = time.monotonic()
        if not _await(lambda: now.good_since(begin), WARM):
            raise ProgramFailed(
                f"not every LUN answered a read within {WARM:g} s", "mpio verify; nothing was taken away"
            )
        for number, thing in enumerate(asked.things):
            watch.stand(machine)  # which takes a while: between the look and what it allows there is to be none
            result.host = _glance(machine, asked.site)
            (one,), found = takings(machine, _only(asked, thing), result.host)
            # The first look stood for all; what has happened since then may forbid the rest.
            result.refused = tuple(f for f in found if f.code in ("MP319", "MP408", "MP409"))
            if result.refused:
                break
            tell(f"{thing.name}: taking it away ({asked.how}): {len(one.paths)} paths")
            measured = _one(machine, one, read, now, result)
            result.measured.append(measured)
            result.left = asked.things[number + 1 :]
            tell(f"{thing.name}: {_said(measured)}")
            if measured.whole is None or result.stuck or result.refused:
                break
    result.host = _glance(machine, asked.site)
    return result


def _one(machine: Machine, one: Taking, read: tuple[Map, ...], now: Reading, result: Result) -> Measured:
    before = result.host
    bare = guard.last_paths(before, one.sessions)  # by force
    layers = Layers(machine, one, frozenset(m.name for m in before.maps if m not in bare))
    longest = (NO_BOUND if one.stall.limit is None else one.stall.limit) + MARGIN
    watch.write(machine, one.thing.name, one.back, longest + HANGS, one.go)
    began = time.monotonic()
    try:
        watch.in_turn(one.go, lambda step: _do(machine, step))
        result.done += one.go
        gone = time.monotonic()
        _stay_away(layers, now, gone, longest)
    except BaseException:  # a signal, most of the time; should we hang now, the guard does not
        watch.write(machine, one.thing.name, one.back, watch.HURRY, one.go)
        raise
    finally:
        back = time.monotonic()
        layers.end()
        result.stuck = watch.put_back(machine, one.back)
        if not result.stuck:
            watch.forget(machine)  # else the guard goes on trying when we have ended
    result.done += [s for s in one.back if s not in result.stuck]
    result.refused = tuple(
        finding("MP409", name, "its other paths went at this moment") for name in sorted(layers.bare)
    )

    def whole() -> bool:
        settled = time.monotonic()
        return not drill.lost(before, _glance(machine, None)) and _await(lambda: now.good_since(settled), WARM)

    came = time.monotonic() if _await(whole, BACK, 1.0) else None
    now.look()
    samples = now.between(began - BEFORE, time.monotonic())
    return Measured(one, read, samples, began, gone, back, came, layers.first, layers.every)


def _stay_away(layers: Layers, now: Reading, gone: float, longest: float) -> None:
    """Until the failover is over: the device mapper has failed every path, and each map has answered since. No longer
    where a read fails, or a map loses what it was to keep.
    """
    failed_over, errors = 0.0, now.errors

    def over() -> bool:
        nonlocal failed_over
        layers.look()
        if layers.through and not failed_over:
            failed_over = time.monotonic()
        now.look()
        if layers.bare or now.errors > errors:
            return True
        return bool(failed_over) and time.monotonic() - gone > SHORTEST and now.good_since(failed_over)

    _await(over, longest)


def _do(machine: Machine, step: Step) -> None:
    if isinstance(step, Write):
        machine.files.write(step.path, step.text or "")
        return
    for _ in range(multipathd.ATTEMPTS):
        if not multipathd.too_busy(machine.run(*step.argv, ok=step.ok, timeout=watch.LIMIT).out):
            return
    raise ProgramFailed(f"multipathd is too busy for `{' '.join(step.argv)}`", "all is put back; try again later")


def _await(met: Callable[[], bool], limit: float, pause: float = PAUSE) -> bool:
    """As settle.until, at a drill's pace."""
    end = time.monotonic() + limit
    while not met():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def _said(one: Measured) -> str:
    errors = f", {one.errors} reads failed" if one.errors else ""
    whole = "NOT whole again" if one.whole is None else f"whole again {one.whole - one.back:.1f} s after"
    return f"back; longest stall {one.stall:.2f} s{errors}; {whole}"


def _glance(machine: Machine, site: Site | None) -> Host:
    return observe.host(machine, site, observe.Look.STATUS)


def _only(asked: Asked, thing: Thing) -> Asked:
    return Asked(asked.site, (thing,), asked.how, asked.forced)


def _means(machine: Machine, host: Host, thing: Thing, asked: Asked) -> Means:
    """What goes with a NIC that is set down is looked up only where one is."""
    if asked.how is not How.LINK:
        return Means(asked.how, asked.table)
    return Means(
        asked.how,
        routes=tuple((v, words) for v in ip.FAMILIES for words in ip.routes_over(machine.run, thing.nic, v)),
        ways={p: _way(machine, p.address) for p in sorted({s.pair.portal for s in host.sessions})},
        otherwise=_way(machine, NOWHERE),
        above=sysfs.above(machine.files, thing.nic),
        keeps=machine.files.text(ip.keeps_addresses(thing.nic)),
    )


def _way(machine: Machine, address: str) -> str:
    way = ip.route(machine.run, address)
    return way.nic if way else ""
