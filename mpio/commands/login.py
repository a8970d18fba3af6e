"""mpio login"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, choose, guard, lock, logins, logouts, observe, plan, progress, renew, settle, view
from mpio.checks import offline
from mpio.commands import ended
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.findings import Finding, finding
from mpio.host import Host, Pair
from mpio.plan import ground, renewing, resting

if TYPE_CHECKING:
    from mpio.commands import options


def command(
    call: Call,
    x: options.X = None,
    as_renewal: options.Renew = False,
    yes: options.Yes = False,
    force: options.Force = None,
) -> int:
    site, forced = call.site(), call.forced(force)
    call.need_root()
    with lock.hold("login"):
        apply.ready(call.machine, call.console.say)
        host = observe.host(call.machine, site, observe.Look.PLAN)
        made = plan.steps(site, host)
        chosen, away = _chosen(host, choose.pairs(x or (), host, made.pairs, site), bool(x))
        logouts.forget(call.machine, chosen)
        steps = renewing.ready(site, host, made.pairs, chosen)
        choice = renewing.choice(site, host, made.pairs, chosen if as_renewal else (), every=bool(x))
        outcome, renewal = apply.Outcome(site.chap is not None, host=host, plan=made), renew.Renewal(host)
        if steps or choice.due:
            guard.refuse(ground.network(site, host, forced).refused)
            if not steps:  # what is logged in first may be the paths that a renewal needs
                seen = observe.host(call.machine, site, observe.Look.USERS)
                guard.forbid(renewing.against(seen, choice.due, forced))
            if not yes:
                call.confirm(_question(len(steps), len(choice.due)))
            asked = renew.Asked(choice.due, made.pairs, forced)
            with progress.shown(call.console) as tell:
                apply.carry_out(call.machine, steps, outcome, tell)
                settle.after(call.machine, site, steps)
                # What cannot be logged in now would not come back after a logout either.
                if outcome.failed:
                    outcome.left = renewing.to_come(choice.due, host)
                elif choice.due:
                    renewal = renew.sessions(call.machine, site, asked, outcome, tell)
            if not outcome.done:
                guard.forbid(renewal.refused)
            host = observe.host(call.machine, site, observe.Look.VERIFY)
            apply.remember(call.machine, host)
            made = plan.steps(site, host)
        again = {apply.key(s) for s in outcome.left}
        ready = renewing.ready(site, host, made.pairs, chosen)
        outcome.left += tuple(s for s in ready if apply.key(s) not in again)
    found = (*logins.findings(site, host, made, chosen), *renewal.refused, *renewal.found, *_left_alone(choice))
    found += offline.holding(host, away)
    lacking = choice.unrecorded or logins.lacking(host, made, chosen)
    whole = made.complete and not (outcome.left or renewal.found or lacking)
    code = Exit.COULD_NOT if renewal.refused else Exit.OK if whole else Exit.DIFFERS
    more = _renewed(call, renewal, choice) if as_renewal else None
    return ended.show(call, outcome, (*found, *apply.findings(outcome)), code, more)


def _renewed(call: Call, renewal: renew.Renewal, choice: renewing.Choice) -> view.Json:
    if not call.console.json:
        call.console.say(f"{len(renewal.renewed)} sessions renewed, {len(choice.current)} were as they should be")
    return {"renewed": [str(p) for p in renewal.renewed], "current": len(choice.current)}


def _chosen(host: Host, meant: tuple[Pair, ...], named: bool) -> tuple[frozenset[Pair], frozenset[Pair]]:
    """Those to log in and those that are offline by hand; refused where somebody names nothing else."""
    away = frozenset(p for p in meant if host.is_offline(p))
    if named and away == frozenset(meant):
        guard.forbid(resting.against_login(host, away))
    return frozenset(meant) - away, away


def _left_alone(choice: renewing.Choice) -> tuple[Finding, ...]:
    return (
        *(finding("MP315", str(p), "its session is left as it is") for p in choice.unrecorded),
        *(finding("MP305", str(p), "left as it is") for p in choice.foreign),
    )


def _question(logins: int, renewals: int) -> str:
    words = [f"log in {logins} sessions"] if logins else []
    words += [f"renew {renewals} sessions, one at a time"] if renewals else []
    return f"{' and '.join(words).capitalize()}?"
