"""Renewing sessions one at a time: look, move I/O away, log out, log in, wait until the paths are back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mpio import apply, observe, settle
from mpio.findings import Finding
from mpio.host import Host, Pair
from mpio.machine import Machine
from mpio.plan import renewing
from mpio.site import Site
from mpio.tools import sysfs
from mpio.topology import Pairs

GONE = 15.0  # a session whose logout has returned is gone, or goes as soon as its last disk is closed
BACK = 15.0  # after `settle` has waited as long as anything moved


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


def _one(machine: Machine, site: Site, asked: Asked, made: Renewal, tell: apply.Tell) -> apply.Outcome:
    """The session of the one pair that is due anew; what it still lacks is left."""
    (pair,) = asked.due
    own = apply.Outcome()
    had, login = renewing.carried(made.host, pair), renewing.enter(pair)
    away, out = renewing.away(site, made.host, asked.pairs, pair), renewing.out(pair)
    apply.carry_out(machine, away, own, tell, strict=True)
    # A path may have been lost since the last look: the last word before the logout is the maps' own.
    made.refused = () if own.failed else renewing.against(_glance(machine), (pair,), asked.forced)
    if not own.failed and not made.refused:
        apply.carry_out(machine, (out,), own, tell, strict=True)
    if own.failed or made.refused or not settle.until(lambda: not _there(machine, pair), GONE):
        own.left = (*away, out, login)
        apply.carry_out(machine, renewing.back_in_use(made.host, away), own, tell)
    else:
        apply.carry_out(machine, (login,), own, tell)
        settle.after(machine, site, (login,))
        settle.until(lambda: bool(own.failed) or not renewing.missing(_glance(machine), pair, had), BACK)
    made.host = observe.host(machine, site, observe.Look.USERS)
    if made.host.session_of(pair) is None:
        own.left = (login,)
    elif todo := renewing.restored(site, made.host, asked.pairs, pair):
        apply.carry_out(machine, todo, own, tell)
    return own


def _glance(machine: Machine) -> Host:
    return observe.host(machine, None, observe.Look.STATUS)


def _there(machine: Machine, pair: Pair) -> bool:
    return any(s.pair == pair for s in sysfs.sessions(machine.files, {}))
