"""mpio drill"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mpio import apply, findings, guard, lock, observe, plan, topology
from mpio.commands import ended
from mpio.commands.call import Call
from mpio.drills import drill, drilled, turns
from mpio.drills import guard as watch
from mpio.drills.drill import How
from mpio.errors import Exit, MpioError, UsageError
from mpio.findings import Finding, finding
from mpio.site import Site
from mpio.step import Command, Step
from mpio.topology import LunState, Pairs

if TYPE_CHECKING:
    from mpio.commands import options


def command(
    call: Call,
    x: options.X = None,
    how: options.How = "offline",
    plot: options.Plot = "",
    yes: options.Yes = False,
    force: options.Force = None,
) -> int:
    if how not in list(How):
        raise UsageError(f"there is no way {how!r} to take something away", f"--how takes {', '.join(How)}")
    site, forced, way = call.site(), call.forced(force), How(how)
    to = _can_plot(call, plot) if plot else ""
    call.need_root()
    turns.ready(way)
    begin = time.monotonic()
    with lock.hold("drill"):
        watch.mend(call.machine, call.console.say)
        apply.ready(call.machine, call.console.say)
        host = observe.host(call.machine, site, observe.Look.USERS)
        planned = plan.steps(site, host).pairs
        asked = turns.Asked(site, drill.things(site, host, planned, x or (), way), way, forced)
        takings, found = turns.takings(call.machine, asked, host)
        luns = topology.luns(site, host, planned)
        guard.forbid((*found, *(f for f in drill.unwhole(host, luns) if f.code not in forced)))
        read = drill.read_maps(host, takings)
        if not read:
            raise MpioError("there is no map to read: nothing would be seen", "mpio apply, then drill again")
        if not yes:
            names = ", ".join(t.name for t in asked.things)
            call.confirm(f"Take {names} away ({way}), one after another, while {len(read)} LUNs are read?")
        result = turns.things(call.machine, asked, host, read, call.console.say)
    if to:
        from mpio.drills import drillplot

        documents = [drilled.document(m) for m in result.measured]
        call.machine.files.output(to, drillplot.svg(documents), 0o644)
    return _show(call, site, result, planned, time.monotonic() - begin)


def _show(call: Call, site: Site, result: turns.Result, planned: Pairs, seconds: float) -> int:
    broken = _broken(site, result, planned)
    stuck = tuple(finding("MP107", _words(s), "it stays away") for s in result.stuck)
    found = (*drilled.findings(result.measured), *result.refused, *broken, *stuck)
    code = findings.worst(found)
    if any(m.whole is None for m in result.measured):
        code = max(code, Exit.DEGRADED)  # also where the LUNs have what the site expects
    if result.refused and not result.measured:
        code = Exit.COULD_NOT
    if not call.console.json and result.measured:
        call.console.table(drilled.HEADS, [drilled.row(m) for m in result.measured])
    more = {
        "drills": [drilled.document(m) for m in result.measured],
        "not_drilled": [t.name for t in result.left],
        "seconds": round(seconds, 1),
    }
    for thing in result.left:
        call.console.say(f"{thing.name} was not drilled")
    return ended.show(call, apply.Outcome(done=result.done, left=result.stuck), found, code, more)


def _broken(site: Site, result: turns.Result, planned: Pairs) -> tuple[Finding, ...]:
    """What is not whole again."""
    if all(m.whole is not None for m in result.measured):
        return ()
    found = []
    for lun in topology.luns(site, result.host, planned):
        name = lun.alias or lun.wwid
        if (lun.wanted or lun.dm) and lun.state is LunState.FAILED:
            found.append(finding("MP401", name, "after the drill"))
        elif (lun.wanted or lun.dm) and lun.state is not LunState.HEALTHY:
            found.append(finding("MP402", name, f"{len(lun.usable)} of {lun.expected} after the drill"))
    return tuple(found)


def _words(step: Step) -> str:
    return " ".join(step.argv) if isinstance(step, Command) else step.path


def _can_plot(call: Call, file: str) -> str:
    """What the drawing needs must be there before anything is taken away."""
    from mpio.drills import drillplot

    drillplot.need()
    return call.to_write(file, "mpio drill --plot FILE.svg")
