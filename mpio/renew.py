"""Renewing sessions one at a time: look, move I/O away, log out, log in, wait until the paths are back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mpio import apply, observe, settle
from mpio.findings import Finding
from mpio.host import Host, Pair, Session
from mpio.machine import Machine
from mpio.plan import renewing
from mpio.site import Site
from mpio.step import Step
from mpio.tools import sysfs
from mpio.topology import Pairs

GONE = 15.0  # a session whose logout has returned is gone, or goes as soon as its last disk is closed


@dataclass(frozen=True, slots=True)
class Asked:
    """The pairs to renew, all of them among the planned `pairs`; `forced` are the refusals that are let pass."""

    due: tuple[Pair, ...]
    pairs: Pairs
    forced: frozenset[str]


@dataclass(slots=True)
class Renewal:
    """What was renewed; `refused` is what stopped it before the next session was ended, `found` what is wrong with
    one that was made anew. `host` is the last look.
    """

    host: Host
    renewed: list[Pair] = field(default_factory=list)
    refused: tuple[Finding, ...] = ()
    found: tuple[Finding, ...] = ()


def sessions(machine: Machine, site: Site, asked: Asked, outcome: apply.Outcome, tell: apply.Tell) -> Renewal:
    """Renew the pairs in order and stop at the first that is not whole again; `outcome` is added to."""
    made = Renewal(observe.host(machine, site, observe.Look.USERS))
    # The first look speaks for all: what may not be done wholly is not begun.
    made.refused = renewing.against(made.host, asked.due, asked.forced)
    for number, pair in enumerate(asked.due):
        made.refused = made.refused or renewing.against(made.host, (pair,), asked.forced)
        if made.refused:
            outcome.left = renewing.to_come(asked.due[number:], made.host)
            return made
        had = renewing.carried(made.host, pair)
        own = _one(machine, site, replace(asked, due=(pair,)), made, tell)
        outcome.done += own.done
        outcome.failed |= own.failed
        made.found = renewing.wrong(site, made.host, pair, had)
        if own.left or made.found:
            outcome.left = (*own.left, *renewing.to_come(asked.due[number + 1 :], made.host))
            return made
        made.renewed.append(pair)
    return made


@dataclass(slots=True)
class _Turn:
    """One session on its way: the look before it began, the steps away from it, and whether its logout was begun."""

    pair: Pair
    before: Host
    away: tuple[Step, ...]
    own: apply.Outcome = field(default_factory=apply.Outcome)
    refused: tuple[Finding, ...] = ()
    ending: bool = False


def _one(machine: Machine, site: Site, asked: Asked, made: Renewal, tell: apply.Tell) -> apply.Outcome:
    """The session of the one pair that is due anew; what it still lacks is left."""
    (pair,) = asked.due
    turn = _Turn(pair, made.host, renewing.away(site, made.host, asked.pairs, pair))
    own, login = turn.own, renewing.enter(pair)
    try:
        if _ended(machine, turn, asked.forced, tell):
            apply.carry_out(machine, (login,), own, tell)
            _await_paths(machine, site, turn)
        else:
            own.left = (*turn.away, renewing.out(pair), login)
            apply.carry_out(machine, renewing.back_in_use(turn.before, turn.away), own, tell)
    except BaseException:  # Ctrl-C, a look that failed, a terminal that is gone
        _put_back(machine, turn)
        raise
    made.refused = turn.refused
    made.host = observe.host(machine, site, observe.Look.USERS)
    if made.host.session_of(pair) is None:
        own.left = (login,)
    elif todo := renewing.restored(site, made.host, asked.pairs, pair):
        apply.carry_out(machine, todo, own, tell)
    return own


def _ended(machine: Machine, turn: _Turn, forced: frozenset[str], tell: apply.Tell) -> bool:
    """Move I/O away and log out: is the session gone?"""
    apply.carry_out(machine, turn.away, turn.own, tell, strict=True)
    if turn.own.failed:
        return False
    # A path may have been lost since the last look: the last word before the logout is the maps' own.
    turn.refused = renewing.against(_glance(machine), (turn.pair,), forced)
    if turn.refused:
        return False
    turn.ending = True
    apply.carry_out(machine, (renewing.out(turn.pair),), turn.own, tell, strict=True)
    turn.ending = not turn.own.failed
    return turn.ending and settle.until(lambda: not _stays(machine, turn), GONE)


def _await_paths(machine: Machine, site: Site, turn: _Turn) -> None:
    """Wait for the paths that the old session had."""
    had = renewing.carried(turn.before, turn.pair)

    def look() -> tuple[bool, object]:
        host = _glance(machine)
        return not renewing.missing(host, turn.pair, had), [p for p in host.paths if p.wwid in had]

    if not turn.own.failed:
        settle.after(machine, site, (renewing.enter(turn.pair),), had)
        settle.while_moving(machine, look)


def _put_back(machine: Machine, turn: _Turn) -> None:
    """Leave nothing half done: the old session's paths are used again or, where it is gone, there is a new one.

    Nothing is told on the way: the terminal may be gone.
    """
    steps: tuple[Step, ...] = ()
    if not settle.until(lambda: not _stays(machine, turn), GONE if turn.ending else 0.0):
        steps = renewing.back_in_use(turn.before, turn.away)
    elif not any(s.pair == turn.pair for s in _sessions(machine)):
        steps = (renewing.enter(turn.pair),)
    apply.carry_out(machine, steps, apply.Outcome(), lambda _step, _trouble: None)


def _glance(machine: Machine) -> Host:
    return observe.host(machine, None, observe.Look.STATUS)


def _stays(machine: Machine, turn: _Turn) -> bool:
    old = {s.sid for s in turn.before.sessions if s.pair == turn.pair}
    return any(s.sid in old and s.pair == turn.pair for s in _sessions(machine))


def _sessions(machine: Machine) -> tuple[Session, ...]:
    return sysfs.sessions(machine.files, {})
