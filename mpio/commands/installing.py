"""mpio watch --install"""

from __future__ import annotations

import os

from mpio import apply, lock, progress
from mpio.commands import ended
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.findings import finding
from mpio.plan import watching
from mpio.step import Step
from mpio.watch import kit


def install(call: Call, yes: bool, daemon: bool) -> int:
    """Units and rules in their places, the one that watches enabled and started; looked at again afterwards."""
    site = call.site_if_any()  # a mistake is better said now than by the service, over and over
    wish = watching.Wish(kit.texts(), os.path.abspath(call.site_path) if site else "", daemon)
    outcome = apply.Outcome()
    with lock.hold("watch --install"):
        seen = kit.look(call.machine)
        steps = watching.configured(wish, seen)
        if steps:
            call.stays(seen.program, site is not None)
        if steps and not yes:
            for step in steps if not call.console.json else ():
                call.console.step(step)
            call.confirm(f"Carry out these {len(steps)} steps?")
        with progress.shown(call.console) as tell:
            apply.carry_out(call.machine, steps, outcome, tell, strict=True)
        now = kit.look(call.machine)
        outcome.left = _left(steps, outcome, watching.configured(wish, now))
    if not call.console.json:
        call.console.out(f"{wish.started} {watching.stands(wish, now)}")
    untold = () if site and site.watch.alerts else (finding("MP110", call.site_path),)
    code = Exit.COULD_NOT if outcome.left else Exit.OK
    return ended.show(call, outcome, (*untold, *apply.findings(outcome)), code)


def _left(steps: tuple[Step, ...], outcome: apply.Outcome, again: tuple[Step, ...]) -> tuple[Step, ...]:
    """What was not come to, and what the host still lacks."""
    undone = tuple(step for step in steps if step not in outcome.done)
    known = {apply.key(step) for step in undone}
    return (*undone, *(step for step in again if apply.key(step) not in known))
