"""Taking a LUN into use, or as it is: look at the array, check, write the site file, and let a plan do the rest.

The site file is written once nothing stands against it any more, and before all that follows from it: registered WWID,
drop-in and map are what a plan makes of the site. So whoever dies behind that write leaves a host that differs from its
site, which the same verb or `apply` brings to an end; whoever dies before it leaves new disks at most. The other way
round an `apply` would take away again what was begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mpio import apply, choose, guard, identity, memory, observe, plan, settle, sitefile, sitetext, sitetrust, topology
from mpio.checks import luns as checks
from mpio.errors import Busy, Exit, MpioError
from mpio.findings import Finding, finding
from mpio.host import Host
from mpio.luns import scan
from mpio.machine import Machine
from mpio.observe import configured
from mpio.plan import Plan, luns, maps
from mpio.step import Part, Step, Write
from mpio.tools import dmsetup, sysfs, systemctl
from mpio.topology import LunState

if TYPE_CHECKING:
    from mpio.plan.luns import Adoption
    from mpio.site import Site, SiteLun
    from mpio.topology import Lun

CONFIRM = 15.0
OF_STATE = {LunState.HEALTHY: Exit.OK, LunState.DEGRADED: Exit.DEGRADED}


@dataclass(frozen=True, slots=True)
class Change:
    """The site as it is to be, the write that makes it so, and the LUNs that are brought into use by it."""

    site: Site
    write: Write
    wishes: tuple[SiteLun, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """How it ended for one LUN."""

    lun: Lun
    found: tuple[Finding, ...]
    exit: Exit


def is_whole(site: Site, host: Host, wish: SiteLun) -> bool:
    """Is there nothing to add: the LUN in the site, and as the site says?"""
    made = plan.steps(site, host)
    lun = _lun(site, host, wish.wwid)
    return bool(lun and lun.wanted and lun.state is LunState.HEALTHY) and not (
        luns.own(wish.wwid, host, made) or _about(made.refused, host, wish)
    )


def add(
    machine: Machine, site: Site, wish: SiteLun, asked: apply.Asked, tell: apply.Tell
) -> tuple[Change, apply.Outcome]:
    """Have the sessions show the LUN, check it, then bring it into the site file and into use."""
    known = any(lun.wwid == wish.wwid for lun in site.luns)
    why = f"{wish.wwid} is not in the site file"
    change = changed(
        machine, site, lambda text: text if known else sitetext.with_lun(text, wish.wwid, wish.alias or ""), why
    )

    host = asked.first
    planned = topology.pairs(site, host)
    looked = apply.Outcome(host=host)
    if blind := luns.lacking(host, planned, wish.wwid):
        scan.sessions(machine, blind, f"does not show {wish.wwid}", looked, tell)
        scan.whole(machine, host, planned, wish.wwid)
    host = observe.host(machine, site, observe.Look.USERS)
    if scan.measured(machine, host, wish.wwid, looked, tell):
        host = observe.host(machine, site, observe.Look.USERS)
    _check(machine, site, host, wish, asked.forced)
    change = replace(change, wishes=(wish,))
    return change, carry_out(machine, change, replace(asked, first=host, pick=own(wish)), looked, tell)


def changed(machine: Machine, site: Site, change: Callable[[str], str], why: str) -> Change:
    return Change(*sitefile.edited(site.path, change, why, frozenset(sysfs.nic_names(machine.files))), ())


def adoptions(machine: Machine, site: Site, host: Host, wwid: str) -> tuple[Adoption, ...]:
    """What adopting this LUN means, or every LUN that the site names or a map of its sessions has."""
    planned = topology.pairs(site, host)
    ours = {s.sid for s in luns.planned_sessions(host, planned)}
    mapped = {p.wwid for p in host.paths if p.dm and p.sid in ours}
    judged = [
        lun
        for lun in topology.luns(site, host, planned)
        if (lun.wwid == wwid if wwid else lun.wanted or lun.wwid in mapped)
    ]
    devs = {p.dev for lun in judged for p in lun.paths} & {p.dev for p in identity.can_answer(host)}
    said = identity.of(machine, devs)
    return tuple(luns.adoption(site, host, planned, lun, said) for lun in judged)


def adopt(machine: Machine, site: Site, host: Host, todo: Sequence[Adoption], tell: apply.Tell) -> apply.Outcome:
    """The site file first, then the dead disks, and the memory last: any look in between would bring back what they
    seem to show.
    """

    def meant(text: str) -> str:
        for one in todo:
            if one.new:
                text = sitetext.with_lun(text, one.new.wwid, one.new.alias or "", one.paths)
            elif one.paths is not None:
                text = sitetext.with_paths(text, one.lun.wwid, one.paths)
        return text

    change = changed(machine, site, meant, "the site file is to expect what there is")
    wishes = tuple(one.new for one in todo if one.new)
    asked = apply.Asked(host, frozenset(Part), frozenset(), own(*wishes))
    looked = apply.Outcome(host=host)
    outcome = carry_out(machine, replace(change, wishes=wishes), asked, looked, tell)
    deletions = luns.deletions(todo)
    apply.carry_out(machine, deletions, outcome, tell)
    outcome.left += tuple(s for s in deletions if s not in outcome.done)
    if deletions:
        gone = {p.dev for one in todo for p in one.dead}
        settle.until(lambda: not gone & {p.dev for p in sysfs.paths(machine.files)}, CONFIRM)
    kept = luns.remembered(replace(host, memory=observe.remembered(machine)), todo)
    machine.files.write(memory.PATH, memory.dump(kept), 0o600)
    return outcome


def own(*wishes: SiteLun) -> apply.Pick:
    """Of a plan, what is about these LUNs."""

    def pick(_: Site, host: Host, made: Plan) -> tuple[Step, ...]:
        mine = [luns.own(wish.wwid, host, made) for wish in wishes]
        return tuple(step for step in made.steps if any(step in one for one in mine))

    return pick


def carry_out(
    machine: Machine, change: Change, asked: apply.Asked, before: apply.Outcome, tell: apply.Tell
) -> apply.Outcome:
    """Write the site file and do what then differs; `before` is what was done until here."""
    write = change.write
    made = plan.steps(change.site, asked.first, asked.forced)
    guard.forbid(f for wish in change.wishes for f in _about(made.refused, asked.first, wish))
    configured.candidate(machine, asked.of(change.site, asked.first, made))
    if write.text != write.before:
        if sitetrust.read(write.path) != write.before:
            raise Busy(f"somebody changed {write.path} at this moment", "run it again")
        apply.carry_out(machine, (write,), before, tell, strict=True)
        if failed := before.failed.get(apply.key(write)):
            _, said, _ = failed
            raise MpioError(f"the site file was not changed: {said}", "nothing else was, but new disks may be there")
    outcome = apply.site(machine, change.site, asked, tell)
    outcome.done[:0] = before.done
    outcome.failed = {**before.failed, **outcome.failed}
    return outcome


def taken(machine: Machine, site: Site, outcome: apply.Outcome, wish: SiteLun) -> Taken:
    """How the LUN stands at the end, also by the device mapper's own word."""
    host = outcome.host
    made = plan.steps(site, host)
    lun = _lun(site, host, wish.wwid)
    assert lun is not None
    found = [f for f in checks.findings(site, host, made, (lun,)) if f.code != "MP413" or wish.wwid in f.detail]
    found += [*_about(made.refused, host, wish), *luns.unshown(host, made.pairs, wish.wwid)]
    if lun.dm and not settle.until(lambda: _active(machine, lun.alias) == len(lun.usable), CONFIRM):
        said = f"the device mapper has {_active(machine, lun.alias)} active paths, multipathd {len(lun.usable)}"
        found.append(finding("MP404", lun.alias, said))
        return Taken(lun, tuple(found), Exit.DEGRADED)
    state = OF_STATE.get(lun.state, Exit.FAILED)
    return Taken(lun, tuple(found), max(state, Exit.DIFFERS) if outcome.left else state)


def unready(machine: Machine, host: Host, wish: SiteLun) -> tuple[Finding, ...]:
    """What stands against any LUN at all. Raises where the alias is somebody else's in the device mapper."""
    if by := luns.name_taken(wish, sysfs.dm_names(machine.files)):
        raise MpioError(f"/dev/mapper/{wish.alias} is there already: {by}", "choose another alias")
    if maps.runs(host):
        return ()
    unit = host.unit(systemctl.MULTIPATHD)
    return (finding("MP104", systemctl.MULTIPATHD, f"it is {unit.active if unit else 'not there'}"),)


def _check(machine: Machine, site: Site, host: Host, wish: SiteLun, forced: frozenset[str]) -> None:
    able = [p.dev for p in identity.can_answer(host) if p.wwid == wish.wwid]
    said = identity.of(machine, able)
    guard.forbid(luns.against(host, wish.wwid, said, forced))
    if not any(not one.gone for one in said.values()):
        raise MpioError(f"no session shows {wish.wwid}", _shown_instead(site, host, wish.wwid))


def _shown_instead(site: Site, host: Host, wanted: str) -> str:
    """The way on where no session shows a LUN: those that are shown and that nobody has taken, the most alike first."""
    named = {lun.wwid for lun in site.luns}
    near = choose.nearest(wanted, {p.wwid for p in host.paths if p.wwid} - named)
    if not any(s.logged_in for s in host.sessions):
        return "no session is logged in: mpio login"
    if near:
        return f"shown and not in the site are {', '.join(near)}"
    return "every LUN that is shown is in the site: map it to this host on the array"


def _about(refused: Iterable[Finding], host: Host, wish: SiteLun) -> tuple[Finding, ...]:
    """The refusals of a plan that are about this LUN: about its map, or about another that has its name."""
    names = {m.name for m in host.maps if m.wwid == wish.wwid} | {wish.wwid}
    return tuple(f for f in refused if f.subject in names or f.detail.startswith(wish.wwid))


def _lun(site: Site, host: Host, wwid: str) -> Lun | None:
    judged = topology.luns(site, host, topology.pairs(site, host))
    return next((lun for lun in judged if lun.wwid == wwid), None)


def _active(machine: Machine, name: str) -> int:
    return sum(path.active for path in dmsetup.path_status(machine.run).get(name, ()))
