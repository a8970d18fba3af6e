"""Taking pairs offline and bringing them back: I/O is moved away first, and every way out is the old state or the new.

What is to become of them is remembered before it is done: a run that dies in between is finished by the same verb or
by apply, and undone by `online`.
"""

from __future__ import annotations

import datetime
import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mpio import apply, memory, observe, settle
from mpio.findings import Finding
from mpio.host import Host, Pair
from mpio.machine import Machine
from mpio.memory import Memory, Offline
from mpio.observe import states
from mpio.plan import resting, timer
from mpio.plan.resting import Return
from mpio.site import Site
from mpio.topology import Pairs


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to go offline, the look that this was decided by, and the planned pairs."""

    taken: tuple[Offline, ...]
    host: Host
    planned: Pairs


def who() -> str:
    """The login name behind sudo, or the user's own."""
    if name := os.environ.get("SUDO_USER", ""):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def moments(span: datetime.timedelta | None) -> tuple[str, str | None]:
    """Now, and the end of this span if there is one, in whole seconds."""
    now = datetime.datetime.now().astimezone().replace(microsecond=0)
    return now.isoformat(), (now + span).isoformat() if span else None


def take(machine: Machine, site: Site, asked: Asked, outcome: apply.Outcome, tell: apply.Tell) -> tuple[Finding, ...]:
    """Take them offline; what is returned stopped it, and then all is as before. A logout that fails is left: its paths
    carry no I/O any more.
    """
    rest = resting.rest(site, asked.host, asked.planned, asked.taken)
    after = memory.with_offline(observe.remembered(machine), *asked.taken)
    clock = timer.configured(site, _later(asked, after)).steps
    quiet = (*clock, *rest.quiet)
    _keep(machine, after)
    try:
        apply.carry_out(machine, quiet, outcome, tell, strict=True)
        found = () if outcome.failed else resting.still_in_use(asked.host, _by_kernel(machine), rest.quiet)
        if outcome.failed or found:
            _undo(machine, site, asked, rest)
            outcome.left = (*quiet, *rest.out)
            return found
    except BaseException:  # Ctrl-C, a look that failed, a terminal that is gone
        _undo(machine, site, asked, rest)
        raise
    apply.carry_out(machine, rest.out, outcome, tell, strict=True)
    outcome.left = tuple(s for s in rest.out if s not in outcome.done)
    return ()


def _later(asked: Asked, kept: Memory) -> Host:
    """The host once that is remembered."""
    names = {one.name for one in asked.taken}
    before = (one for one in asked.host.offline if one.name not in names)
    return replace(asked.host, memory=kept, offline=(*before, *asked.taken))


def _by_kernel(machine: Machine) -> Host:
    """What the device mapper itself says, not the daemon that was told."""
    return states.by_kernel(machine, observe.host(machine, None, observe.Look.STATUS))


def _undo(machine: Machine, site: Site, asked: Asked, rest: resting.Rest) -> None:
    """As it was before. Nothing is told on the way: the terminal may be gone."""
    nothing = apply.Outcome()
    apply.carry_out(machine, resting.undone(asked.host, rest.quiet), nothing, lambda _step, _trouble: None)
    kept = replace(observe.remembered(machine), offline=asked.host.memory.offline)
    _keep(machine, kept)
    seen = observe.host(machine, site, observe.Look.HERE)
    apply.carry_out(machine, timer.configured(site, seen).steps, nothing, lambda _step, _trouble: None)


@dataclass(slots=True)
class Back:
    """How far things are back: the last look, and what is not in use again as (pair, map)."""

    host: Host
    lacking: tuple[tuple[Pair, str], ...] = ()


def bring_back(
    machine: Machine, site: Site, asked: tuple[Return, Host, Pairs], outcome: apply.Outcome, tell: apply.Tell
) -> Back:
    """Bring the pairs back and wait until their paths are in use. They are not forgotten here."""
    wanted, host, planned = asked
    view = online(host, wanted)
    steps = resting.back(site, view, planned, wanted.pairs)
    apply.carry_out(machine, steps, outcome, tell)
    settle.after(machine, site, steps)
    made = Back(view)

    def look() -> tuple[bool, object]:
        seen = observe.host(machine, None, observe.Look.STATUS)
        made.lacking = resting.lacking(seen, wanted.pairs)
        return not made.lacking, made.lacking

    settle.while_moving(machine, look)
    made.host = online(observe.host(machine, site, observe.Look.VERIFY), wanted)
    again = {apply.key(s) for s in resting.back(site, made.host, planned, wanted.pairs)}
    outcome.left = tuple(s for s in steps if apply.key(s) in again)
    return made


def forget(machine: Machine, site: Site, kept: Iterable[Offline], outcome: apply.Outcome, tell: apply.Tell) -> None:
    """Remember only these from now on, and let the timer go by them."""
    after = replace(observe.remembered(machine), offline=tuple(kept))
    _keep(machine, after)
    seen = observe.host(machine, site, observe.Look.HERE)
    apply.carry_out(machine, timer.configured(site, replace(seen, memory=after)).steps, outcome, tell)


def online(host: Host, wanted: Return) -> Host:
    """The host once only what is kept is offline."""
    names = {one.name for one in host.offline}
    return replace(host, offline=tuple(one for one in wanted.kept if one.name in names))


def _keep(machine: Machine, kept: Memory) -> None:
    if kept != observe.remembered(machine):
        machine.files.write(memory.PATH, memory.dump(kept), 0o600)
