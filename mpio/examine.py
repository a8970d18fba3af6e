"""The look of `mpio doctor`: as far as there is something to find."""

from __future__ import annotations

from dataclasses import dataclass

from mpio import diagnosis, observe, plan, topology
from mpio.diagnosis import causes, conf
from mpio.diagnosis.causes import Cause
from mpio.errors import ProgramFailed
from mpio.findings import Finding, Severity
from mpio.host import Host
from mpio.machine import Machine
from mpio.observe import conf as files
from mpio.observe import evidence
from mpio.plan import Plan
from mpio.site import Site
from mpio.topology import Lun


@dataclass(frozen=True, slots=True)
class Exam:
    """What was seen, and what it means."""

    host: Host
    plan: Plan | None
    luns: tuple[Lun, ...]
    causes: tuple[Cause, ...]


def host(machine: Machine, site: Site | None) -> Exam:
    """The SAN is asked for its targets only where something is wrong: that is slow, and cheap signs tell first."""
    try:
        if site is None:
            return _looked(machine, None, observe.Look.HERE)
        seen = _looked(machine, site, observe.Look.VERIFY)
        return _looked(machine, site, observe.Look.PLAN) if any(map(_asks_more, _findings(seen))) else seen
    except ProgramFailed:
        # A line of multipath.conf that multipath does not start with ends every look: at what is in force, and some
        # (0.9.4: a delimiter with a slash in it) at what multipathd says.
        lines = tuple(conf.findings(None, Host(), None, files.look(machine, None, Host())))
        if not any(f.code == "MP525" for f in lines):
            raise
        try:
            return _looked(machine, None, observe.Look.HERE)
        except ProgramFailed:
            return Exam(Host(), None, (), causes.of_lines(lines))


def _findings(seen: Exam) -> tuple[Finding, ...]:
    return tuple(f for c in seen.causes for f in (c.finding, *c.symptoms))


def _asks_more(one: Finding) -> bool:
    """Could the SAN know more of it? A warning that stays for months (a short CHAP secret, say) costs no discovery."""
    return one.severity in (Severity.ERROR, Severity.CRITICAL) or one.code in causes.LAYERS


def _looked(machine: Machine, site: Site | None, look: observe.Look) -> Exam:
    seen = observe.host(machine, site, look)
    made = plan.steps(site, seen) if site else None
    judged = topology.luns(site, seen, made.pairs if made else None)
    of_areas, blind = evidence.look(machine, site, seen)
    found = (*diagnosis.findings(site, seen, made, judged, of_areas), *blind)
    return Exam(seen, made, judged, causes.folded(found, causes.ways(seen, made, judged)))
