"""What is wrong with a host, and why: evidence and decisions of each area, and causes before symptoms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mpio import checks
from mpio.checks import ground, luns, sessions
from mpio.diagnosis import absent, boots, conf, disks, logins, wires
from mpio.findings import Finding
from mpio.host import Host
from mpio.plan import Plan
from mpio.site import Site
from mpio.topology import Lun


@dataclass(frozen=True, slots=True)
class Seen:
    """The evidence of each area, beside what every look at a host has."""

    boots: boots.Boots = field(default_factory=boots.Boots)
    conf: conf.Seen = field(default_factory=conf.Seen)
    disks: disks.Disks = field(default_factory=disks.Disks)
    logins: logins.Logins = field(default_factory=logins.Logins)
    wires: wires.Wires = field(default_factory=wires.Wires)


def findings(
    site: Site | None, host: Host, plan: Plan | None, judged: tuple[Lun, ...], seen: Seen
) -> Iterator[Finding]:
    """Everything there is to say of a host, in no order. Without a site: what can be said without."""
    if site is not None and plan is not None:
        yield from conf.without_echoes(checks.after(site, host, plan, judged), seen.conf)
        yield from absent.findings(site, host, plan)
    else:
        yield from _of_kernel(host, judged)
    if site is None or not site.luns:
        yield from sessions.empty(host, plan, seen.disks.empty)
    yield from boots.findings(site, host, plan, seen.boots)
    yield from wires.findings(site, host, plan, seen.wires)
    yield from logins.findings(site, host, plan, seen.logins)
    yield from disks.findings(site, host, plan, seen.disks)
    yield from conf.findings(site, host, plan, seen.conf)


def _of_kernel(host: Host, judged: tuple[Lun, ...]) -> Iterator[Finding]:
    """What stands whatever a site would say."""
    yield from ground.of_host(host)
    if ground.uses_iscsi(host):
        yield from ground.units(host)
    yield from sessions.failed(host)
    yield from luns.of_kernel(host, judged)


def without_sessions(site: Site, host: Host, plan: Plan, seen: Seen) -> Iterator[Finding]:
    """What would stop or hurt an apply."""
    yield from conf.without_echoes(checks.before(site, host, plan), seen.conf)
    yield from wires.findings(site, host, plan, seen.wires)
    yield from conf.findings(site, host, plan, seen.conf)
