"""What `tune` may do: settings alone. No iface, record, session, route or map comes or goes, no WWID is registered."""

from __future__ import annotations

from dataclasses import replace

from mpio.findings import Finding
from mpio.host import Host
from mpio.plan import ground, iscsi, maps, routes
from mpio.plan.shape import MULTIPATH_DROP_IN, Plan
from mpio.site import Site
from mpio.step import Command, Part, Step, Write
from mpio.tools import iscsiadm, multipathd, systemctl
from mpio.topology import Pairs

PARTS = frozenset({Part.SYSCTL, Part.TIMEOUTS, Part.MULTIPATH})
STARTED_AGAIN = (systemctl.reload_files(), systemctl.restart(systemctl.ROUTES))


def steps(site: Site, host: Host, plan: Plan) -> tuple[Step, ...]:
    """The plan's steps on the settings of NICs, time-outs and multipath, and of records that exist."""
    routed = routes.configured(site, host).steps
    wanted = (*records(site, host, plan.pairs), *_brought_back(routed))
    told = _told(site, host, plan)
    return tuple(
        step
        for step in plan.steps
        if step in wanted
        or step.part is Part.TIMEOUTS
        or (step.part is Part.SYSCTL and step not in routed)
        or _is_drop_in(step)
        or (told and multipathd.is_reconfigure(step))
    )


def records(site: Site, host: Host, pairs: Pairs) -> tuple[Step, ...]:
    """The settings of these pairs' records, CHAP with them, where there is a record."""
    paths = {n.path for n in host.nodes}
    there = {n.pair for n in host.nodes}
    return tuple(
        step
        for step in iscsi.records(site, host, pairs).steps
        if (step.path in paths if isinstance(step, Write) else iscsiadm.pair_of(step) in there)
    )


def refused(site: Site, host: Host, forced: frozenset[str]) -> tuple[Finding, ...]:
    """Of what a plan refuses that which concerns these settings."""
    return (*ground.network(site, host, forced).refused, *maps.configured(site, host, forced).refused)


def _brought_back(routed: tuple[Step, ...]) -> tuple[Step, ...]:
    """The unit of the source routes, as it stands and is enabled, started once more where its routes are gone."""
    if any(isinstance(step, Write) for step in routed):
        return ()
    return tuple(step for step in routed if isinstance(step, Command) and step.argv in STARTED_AGAIN)


def _told(site: Site, host: Host, plan: Plan) -> bool:
    """Is multipathd to read its files again for a setting, and not for a WWID that `tune` does not register?

    One that does not run is told nothing: its socket would start it, and it reads the files when it starts.
    """
    registered = replace(host, registered=host.registered | {lun.wwid for lun in site.luns})
    by_setting = (*filter(_is_drop_in, plan.steps), *maps.configured(site, registered, frozenset()).steps)
    return maps.runs(host) and bool(by_setting)


def _is_drop_in(step: Step) -> bool:
    """It is in another part where multipathd has still to be started."""
    return isinstance(step, Write) and step.path == MULTIPATH_DROP_IN
