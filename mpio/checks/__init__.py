"""What there is to say about a host: findings, causes before symptoms."""

from __future__ import annotations

from mpio.checks import configuration, ground, luns, offline, portals, sessions
from mpio.findings import Finding
from mpio.host import Host
from mpio.plan import Plan
from mpio.site import Site
from mpio.topology import Lun

__all__ = ["after", "before"]


def before(site: Site, host: Host, plan: Plan) -> tuple[Finding, ...]:
    """What would stop or hurt an apply: needs no session."""
    return (
        *offline.findings(host),
        *ground.findings(site, host),
        *portals.findings(site, host, plan),
        *configuration.findings(host),
        *(f for f in plan.refused),
    )


def after(site: Site, host: Host, plan: Plan, judged: tuple[Lun, ...]) -> tuple[Finding, ...]:
    """Everything, of a host that is meant to be whole."""
    return (
        *before(site, host, plan),
        *sessions.findings(site, host, plan),
        *luns.findings(site, host, plan, judged),
    )
