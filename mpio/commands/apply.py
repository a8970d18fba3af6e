"""mpio apply"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, guard, lock, logouts, observe, plan, progress, verdict, view
from mpio.commands.call import Call
from mpio.drills import guard as away
from mpio.errors import Exit, MissingProgram, UsageError
from mpio.step import Part

if TYPE_CHECKING:
    from mpio.commands import options


def command(
    call: Call,
    only: options.Only = None,
    yes: options.Yes = False,
    force: options.Force = None,
) -> int:
    site, parts, forced = call.site(), parts_of(only), call.forced(force)
    call.need_root()
    with lock.hold("apply"):
        away.mend(call.machine, call.console.say)
        apply.ready(call.machine, call.console.say)
        seen = observe.host(call.machine, site, observe.Look.PLAN)
        for program, way in seen.missing_programs:
            raise MissingProgram(f"the program {program} is not installed", way)
        first = plan.steps(site, seen, forced)
        guard.refuse(first.refused)
        todo = [s for s in first.steps if s.part in parts]
        if todo and not yes:
            for step in todo if not call.console.json else []:
                call.console.step(step)
            call.confirm(f"Carry out these {len(todo)} steps?")
        if Part.LOGIN in parts:
            logouts.forget(call.machine, first.pairs.planned)
        with progress.shown(call.console) as tell:
            outcome = apply.site(call.machine, site, apply.Asked(seen, parts, forced), tell)
    assert outcome.plan is not None
    judged = verdict.of(site, outcome.host, outcome.plan, apply.findings(outcome))
    code = (Exit.DIFFERS if outcome.left else Exit.OK) if only is not None else judged.exit
    if call.console.json:
        body: view.Json = {
            "done": view.steps(outcome.done),
            "left": view.steps(outcome.left),
            "findings": view.findings(judged.findings),
            "seconds": round(outcome.seconds, 3),
        }
        call.console.document("apply", code, body)
        return code
    call.console.luns(outcome.host, judged.luns)
    call.console.findings(judged.findings)
    call.console.say(
        f"{len(outcome.done)} steps done, {len(outcome.left)} left, {outcome.seconds:.1f} s: {judged.word}"
    )
    return code


def parts_of(only: str | None) -> frozenset[Part]:
    if only is None:
        return frozenset(Part)
    words = [w.strip() for w in only.split(",") if w.strip()]
    unknown = [w for w in words if w not in list(Part)]
    if unknown or not words:
        raise UsageError(f"there is no part {', '.join(unknown) or only!r}", f"the parts are {', '.join(Part)}")
    return frozenset(Part(w) for w in words)
