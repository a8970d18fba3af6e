"""mpio teardown"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, guard, iscsilock, lock, logouts, memory, observe, progress
from mpio.alerts import sinks
from mpio.commands import ended
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.files import PRIVATE
from mpio.host import Host
from mpio.plan import ending
from mpio.tools import iscsidb
from mpio.watch import brief, healing, history

if TYPE_CHECKING:
    from mpio.commands import options


def command(call: Call, yes: options.Yes = False, force: options.Force = None) -> int:
    forced = call.forced(force)
    call.need_root()
    with lock.hold("teardown"):
        apply.ready(call.machine, call.console.say)
        host = _look(call)
        share = ending.teardown(host, forced)
        guard.refuse(share.refused)
        outcome = apply.Outcome(host=host)
        if share.steps:
            for step in share.steps if not yes and not call.console.json else ():
                call.console.step(step)
            if not yes:
                call.confirm(f"Carry out these {len(share.steps)} steps?")
                # Somebody may have begun to use a LUN while we waited for an answer.
                guard.refuse(ending.teardown(_look(call), forced).refused)
            with progress.shown(call.console) as tell:
                apply.carry_out(call.machine, share.steps, outcome, tell, strict=True)
        outcome.left = tuple(s for s in share.steps if s not in outcome.done)
        if not outcome.left:
            # nobody looks any more who would hold that lock, or try a login again
            told = (sinks.KEPT, healing.BARS, brief.KEPT, brief.FLAG, brief.LOCK)
            for path in (memory.PATH, logouts.PATH, history.CURRENT, history.OLDER, *told):
                call.machine.files.remove(path)
            for folder in (history.FOLDER, PRIVATE):  # what somebody else has put there stays
                call.machine.files.remove_folder(folder)
            if empty := ending.emptied(host.memory, iscsidb.hollow(call.machine.files)):
                with iscsilock.hold():
                    for folder in empty:
                        call.machine.files.remove_folder(folder)
    for said in ending.left_alone(host):
        call.console.say(f"left as it is: {said}")
    return ended.show(call, outcome, apply.findings(outcome), Exit.COULD_NOT if outcome.left else Exit.OK)


def _look(call: Call) -> Host:
    return observe.host(call.machine, None, observe.Look.USERS)
