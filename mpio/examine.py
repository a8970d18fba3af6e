"""The look of `mpio doctor`: as far as there is something to find."""

from __future__ import annotations

from dataclasses import dataclass

from mpio import diagnosis, observe, plan, topology
from mpio.diagnosis import causes
from mpio.diagnosis.causes import Cause
from mpio.errors import ProgramFailed
from mpio.findings import Severity
from mpio.host import Host
from mpio.machine import Machine
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
    if site is None:
        return _looked(machine, None, observe.Look.HERE)
    try:
        seen = _looked(machine, site, observe.Look.VERIFY)
        return seen if _is_fine(seen) else _looked(machine, site, observe.Look.PLAN)
    except ProgramFailed:
        # A line of multipath.conf that multipath does not start with ends every look at what is in force.
        seen = _looked(machine, None, observe.Look.HERE)
        if _is_fine(seen):
            raise
        return seen


def _is_fine(seen: Exam) -> bool:
    return all(c.finding.severity is Severity.INFO for c in seen.causes)


def _looked(machine: Machine, site: Site | None, look: observe.Look) -> Exam:
    seen = observe.host(machine, site, look)
    made = plan.steps(site, seen) if site else None
    judged = topology.luns(site, seen, made.pairs if made else None)
    found = diagnosis.findings(site, seen, made, judged, evidence.look(machine, site, seen))
    return Exam(seen, made, judged, causes.folded(found, causes.ways(seen, made, judged)))
