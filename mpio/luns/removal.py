"""Taking a LUN away, and looking whether it is: a scan finds its disks again as long as the array shows it."""

from __future__ import annotations

from mpio import apply, memory, observe, settle
from mpio.findings import Finding
from mpio.host import Host
from mpio.machine import Machine
from mpio.plan import removing
from mpio.plan.removing import Away
from mpio.site import Site
from mpio.step import Step
from mpio.tools import multipathd

# Disks that come back are taken away again so often; after that only the array can stop it.
ROUNDS = 3
SETTLE = 10


def look(machine: Machine) -> Host:
    """Who uses what is all that counts: neither the SAN nor what is in force is asked."""
    return observe.host(machine, None, observe.Look.USERS)


def away(machine: Machine, site: Site, host: Host, wwid: str, forced: frozenset[str]) -> Away:
    """What is to be done, the site file as it is now."""
    return removing.away(host, wwid, (site.path, machine.files.text(site.path) or ""), forced)


def carry_out(machine: Machine, all_of: Away, outcome: apply.Outcome, tell: apply.Tell) -> tuple[Finding, ...]:
    """Do it, in rounds until the LUN is gone, and say what stood in the way since; `outcome` keeps what was done, what
    is left and the last look.
    """
    refused: tuple[Finding, ...] = ()
    todo: tuple[Step, ...] = (*all_of.first, *all_of.disks)
    for _ in range(ROUNDS):
        if not _round(machine, all_of, todo, outcome, tell) and not set(all_of.first) <= set(outcome.done):
            break
        settle.udev(machine, SETTLE)
        outcome.host = look(machine)
        again = removing.away(outcome.host, all_of.wwid, forced=all_of.forced)
        todo, refused = again.disks, again.refused
        if refused or not todo:
            break
    outcome.left = all_of.last
    if not removing.is_gone(outcome.host, all_of.wwid):
        outcome.left = (*(s for s in all_of.first if s not in outcome.done), *(todo or all_of.disks), *all_of.last)
    elif _done(machine, all_of.last, outcome, tell):
        outcome.left = ()
        if any(map(multipathd.is_reconfigure, all_of.last)):
            settle.idle(machine)
        forget(machine, all_of.wwid)
        outcome.host = look(machine)  # a scan may have found it again meanwhile
        outcome.left = removing.come_back(outcome.host, all_of.wwid)
        if refused:  # the map is gone, but somebody uses a disk of it
            outcome.left = removing.deletions(outcome.host, all_of.wwid)
    return refused


def _round(machine: Machine, all_of: Away, todo: tuple[Step, ...], outcome: apply.Outcome, tell: apply.Tell) -> bool:
    """The steps in order, those about disks by another look and only if nobody uses them: the flush before them may
    take minutes, in which a name or an address can go to another disk, and somebody take up one that no map holds now.
    """
    cut = next((number for number, step in enumerate(todo) if removing.is_about_a_disk(step)), len(todo))
    if not _done(machine, todo[:cut], outcome, tell):
        return False
    if cut == len(todo):
        return True
    now = removing.away(look(machine), all_of.wwid, forced=all_of.forced)
    return not now.refused and _done(machine, now.disks, outcome, tell)


def _done(machine: Machine, steps: tuple[Step, ...], outcome: apply.Outcome, tell: apply.Tell) -> bool:
    own = apply.Outcome()
    apply.carry_out(machine, steps, own, tell, strict=True)
    outcome.done += own.done
    outcome.failed |= own.failed
    return not own.failed


def forget(machine: Machine, wwid: str) -> None:
    """Nobody expects a path of it any more."""
    before = observe.remembered(machine)
    after = memory.without_lun(before, wwid)
    if after != before:
        machine.files.write(memory.PATH, memory.dump(after), 0o600)
