"""mpio online"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, choose, lock, logins, observe, plan, progress, rest, view
from mpio.commands import ended
from mpio.commands.call import Call
from mpio.errors import Exit, UsageError
from mpio.findings import finding
from mpio.host import Pair
from mpio.plan import resting

if TYPE_CHECKING:
    from mpio.commands import options


def command(call: Call, x: options.OnlineX = None, due: options.Due = False, yes: options.Yes = False) -> int:
    if not x and not due:
        raise UsageError("`mpio online` wants to know what", "mpio online X: what `mpio status` says is offline")
    site = call.site()
    call.need_root()
    outcome = apply.Outcome()
    with lock.hold("online"):
        apply.ready(call.machine, call.console.say)
        host = observe.host(call.machine, site, observe.Look.VERIFY)
        planned = plan.steps(site, host).pairs
        names, named = choose.offline(x or (), host, planned, site)
        wanted = resting.returning(host, planned, (*names, *(resting.over(host) if due else ())), named)
        made = rest.Back(rest.online(host, wanted))
        again, lacking = plan.steps(site, made.host), tuple[Pair, ...]()
        todo = wanted.kept != host.memory.offline
        if todo:
            if not yes:
                call.confirm(f"Bring {len(wanted.pairs)} pairs back?")
            with progress.shown(call.console) as tell:
                made = rest.bring_back(call.machine, site, (wanted, host, planned), outcome, tell)
                again = plan.steps(site, made.host)
                lacking = logins.lacking(made.host, again, wanted.pairs)
                # Where a timer brings back, it tries again until all is there.
                if not due or not (outcome.left or made.lacking or lacking):
                    rest.forget(call.machine, site, wanted.kept, outcome, tell)
            apply.remember(call.machine, observe.host(call.machine, site, observe.Look.VERIFY))
    found = (
        *logins.findings(site, made.host, again, wanted.pairs if todo else ()),
        *(finding("MP404", mapped, f"not back over {pair}") for pair, mapped in made.lacking),
        *apply.findings(outcome),
    )
    whole = not (outcome.left or made.lacking or lacking)
    for pair in wanted.held if not call.console.json else ():
        call.console.say(f"stays offline under another name: {pair}")
    more = {"online": [str(p) for p in wanted.pairs if todo], "offline": view.offline(made.host)}
    return ended.show(call, outcome, found, Exit.OK if whole else Exit.DIFFERS, more)
