"""`mpio doctor --fix CODE`: what is safe to do about a finding, as steps."""

from __future__ import annotations

from collections.abc import Mapping

from mpio import hearsay, topology
from mpio.diagnosis import conf_fixes, disks_fixes, logins_records
from mpio.diagnosis.causes import Cause
from mpio.diagnosis.disks_fixes import Steps
from mpio.errors import UsageError
from mpio.host import Host
from mpio.plan import Plan
from mpio.site import Site
from mpio.step import Command, Part, Step
from mpio.tools import dmsetup, ip


def _parts(*parts: Part) -> Steps:
    """What `apply --only` these parts would do, and nothing that takes away: that belongs to verbs with guards."""

    def steps(_site: Site | None, _host: Host, plan: Plan | None) -> tuple[Step, ...]:
        return tuple(s for s in plan.steps if s.part in parts and not _takes(s)) if plan else ()

    return steps


def _takes(step: Step) -> bool:
    return isinstance(step, Command) and bool({"--logout", "delete", "disable", "stop"} & set(step.argv))


def _resumed(_site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
    return tuple(dmsetup.resume(m.name, f"the map {m.name} is suspended") for m in host.maps if m.suspended)


def _up(site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
    """The site's NICs that are set down and not so by `mpio offline`."""
    nics = {i.nic: i.name for i in site.ifaces} if site else {}
    return tuple(
        ip.up(n.name, f"{n.name} is set down")
        for n in host.nics
        if n.name in nics and n.carrier is None and not topology.iface_offline(host, nics[n.name])
    )


def _nothing(_site: Site | None, _host: Host, _plan: Plan | None) -> tuple[Step, ...]:
    """The stale lock goes before any step: `apply.ready`."""
    return ()


FIXES: Mapping[str, Steps] = {
    "MP103": _parts(Part.SERVICES),
    "MP104": _parts(Part.SERVICES),
    "MP109": _nothing,
    "MP111": _parts(Part.SERVICES),
    "MP112": _parts(Part.SERVICES),
    "MP123": _parts(Part.DISCOVERY),
    "MP124": _parts(Part.DISCOVERY),
    "MP139": _parts(Part.MULTIPATH),
    "MP223": _parts(Part.SYSCTL),
    "MP224": _parts(Part.SYSCTL),
    "MP230": _up,
    "MP240": _parts(Part.SYSCTL),
    "MP323": _parts(Part.TIMEOUTS, Part.DISCOVERY, Part.MULTIPATH),
    "MP333": lambda _site, host, _plan: logins_records.closed(host),
    "MP336": _parts(Part.DISCOVERY),
    "MP338": _parts(Part.IFACES, Part.DISCOVERY),
    "MP340": _parts(Part.LOGIN),
    "MP341": _parts(Part.DISCOVERY, Part.LOGIN),
    "MP342": _parts(Part.IFACES, Part.DISCOVERY, Part.LOGIN),
    "MP407": _parts(Part.MULTIPATH),
    "MP431": _parts(Part.MULTIPATH),
    "MP458": _parts(Part.MULTIPATH),
    **dict.fromkeys(("MP532", "MP533"), _parts(Part.TIMEOUTS)),
    **disks_fixes.FIXES,
    **conf_fixes.FIXES,
    "MP423": _resumed,
}
# What needs nothing of a site file.
ANYWHERE = frozenset({"MP109", "MP333", "MP423", "MP537", *disks_fixes.FIXES})


def of(code: str, site: Site | None) -> Steps:
    """UsageError where there is no safe fix, or none without a site file."""
    steps = FIXES.get(code)
    if steps is None:
        raise UsageError(f"{code} is not mended by a command", f"mpio explain {code}; --fix takes {', '.join(FIXES)}")
    if site is None and code not in ANYWHERE:
        raise UsageError(f"{code} is mended by what a site file says, and there is none", "mpio init --adopt makes one")
    return steps


def words(cause: Cause, site: Site | None) -> tuple[str, ...]:
    """What a cause explains, by code, and how mpio mends it where it can on a host with this site file, or none."""
    of: dict[str, list[str]] = {}
    for symptom in cause.symptoms:
        of.setdefault(symptom.code, []).append(symptom.subject)
    said = "; ".join(f"{code} {hearsay.few(subjects)}" for code, subjects in sorted(of.items()))
    code = cause.finding.code
    return (
        f"hence: {said}" if said else "",
        f"mended by: mpio doctor --fix {code}" if code in (FIXES if site else ANYWHERE) else "",
    )
