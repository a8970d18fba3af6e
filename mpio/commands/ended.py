"""How a verb that carried steps out ends: what was done, what is left, what there is to say."""

from __future__ import annotations

from mpio import apply, view
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.findings import Finding


def show(
    call: Call, outcome: apply.Outcome, found: tuple[Finding, ...], code: Exit, more: view.Json | None = None
) -> int:
    if call.console.json:
        body: view.Json = {
            "done": view.steps(outcome.done),
            "left": view.steps(outcome.left),
            "findings": view.findings(found),
            **(more or {}),
        }
        call.console.document(call.verb, code, body)
        return code
    call.console.findings(found)
    touched = outcome.done or outcome.left
    idle = "nothing to do" if code is Exit.OK else "nothing was done"
    call.console.say(f"{len(outcome.done)} steps done, {len(outcome.left)} left" if touched else idle)
    return code
