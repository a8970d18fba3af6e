"""How a host stands against its site: verify is planning again."""

from __future__ import annotations

from dataclasses import dataclass

from mpio import checks, findings, topology
from mpio.errors import Exit
from mpio.findings import Finding
from mpio.host import Host
from mpio.plan import Plan
from mpio.site import Site
from mpio.step import Step
from mpio.topology import Lun, LunState

WORDS = {Exit.OK: "healthy", Exit.DIFFERS: "differs", Exit.DEGRADED: "degraded", Exit.FAILED: "failed"}


@dataclass(frozen=True, slots=True)
class Verdict:
    exit: Exit
    luns: tuple[Lun, ...]
    drift: tuple[Step, ...]
    findings: tuple[Finding, ...]

    @property
    def word(self) -> str:
        return WORDS[self.exit]


def of(site: Site, host: Host, plan: Plan, also: tuple[Finding, ...] = ()) -> Verdict:
    """The highest of failed, degraded and differing wins (contract 4).

    `also` are findings of what an apply met on its way.
    """
    judged = topology.luns(site, host, plan.pairs)
    found = (*also, *checks.after(site, host, plan, judged))
    states = {lun.state for lun in judged if lun.wanted or lun.dm}
    exits = [findings.worst(found), Exit.DIFFERS if plan.steps else Exit.OK]
    if LunState.FAILED in states:
        exits.append(Exit.FAILED)
    if states & {LunState.DEGRADED, LunState.UNKNOWN}:
        exits.append(Exit.DEGRADED)
    return Verdict(max(exits), judged, plan.steps, found)
