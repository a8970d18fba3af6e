"""What `tune` may do: settings of things that are there, and nothing that makes or takes away."""

from __future__ import annotations

from mpio.findings import Finding
from mpio.host import Host
from mpio.plan import ground, iscsi, leftovers, maps
from mpio.plan.shape import MULTIPATH_DROP_IN, Plan
from mpio.site import Site
from mpio.step import Command, Part, Step, Write
from mpio.tools import iscsiadm
from mpio.topology import Pairs

PARTS = frozenset({Part.SYSCTL, Part.TIMEOUTS, Part.MULTIPATH})


def steps(site: Site, host: Host, plan: Plan) -> tuple[Step, ...]:
    """The plan's steps on the settings of NICs, time-outs and multipath, and of records that exist.

    Without the maps of LUNs that left the site, which a plan flushes, and without words to a multipathd that does not
    run: its socket would start it. It reads the files when it starts.
    """
    taken = leftovers.registered(site, host).steps
    of_records = records(site, host, plan.pairs)
    return tuple(
        step
        for step in plan.steps
        if (step.part in PARTS or step in of_records or _is_drop_in(step))
        and step not in taken
        and (maps.runs(host) or not _told(step))
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


def _is_drop_in(step: Step) -> bool:
    """It is in another part where multipathd has still to be started."""
    return isinstance(step, Write) and step.path == MULTIPATH_DROP_IN


def _told(step: Step) -> bool:
    return isinstance(step, Command) and step.argv[0] == "multipathd"
