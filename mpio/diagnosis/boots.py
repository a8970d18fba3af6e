"""Services, and what happens at the next boot and shutdown."""

from __future__ import annotations

from collections.abc import Iterator

from mpio.diagnosis import boots_ground, boots_mounts, boots_records
from mpio.diagnosis.boots_seen import Boots, Check, Failed
from mpio.findings import Finding, finding
from mpio.host import Host, Unit
from mpio.plan import Plan, ground
from mpio.site import Site
from mpio.tools import systemctl

__all__ = ["Boots", "findings"]

SOCKETS = {systemctl.ISCSID: "iscsid.socket", systemctl.MULTIPATHD: "multipathd.socket"}
COSTS = {
    systemctl.ISCSID: "no session is repaired after the next boot",
    systemctl.MULTIPATHD: "the LUNs come up as bare disks, without maps",
}
AFTER, BEFORE = "network-online.target", "remote-fs-pre.target"


def findings(site: Site | None, host: Host, plan: Plan | None, seen: Boots) -> Iterator[Finding]:
    """Of a host without a site file only where it has sessions: an initiator that is not used may be off."""
    if site is not None or host.sessions:
        yield from _units(host, seen)
        yield from _order(host, seen)
    yield from _failed(seen)
    yield from boots_ground.findings(site, host, seen)
    yield from boots_records.findings(host, plan, seen)
    yield from boots_mounts.findings(site, host, seen)


def _units(host: Host, seen: Boots) -> Iterator[Finding]:
    login = ground.login_unit(host)
    for unit in (host.unit(systemctl.ISCSID), login, host.unit(systemctl.MULTIPATHD)):
        if unit is None or unit.load != "loaded":
            continue
        service = seen.service(unit.name)
        # What runs was started while they held; the login is what the next boot begins anew.
        runs = unit != login and unit.active in ("active", "activating", "reloading")
        if service is not None and not runs and (unmet := _unmet(service.checks)):
            files = dict.fromkeys((service.path, *service.changed))
            yield finding("MP115", unit.name, f"{' and '.join(unmet)} ({', '.join(files)})")
        if unit.enabled in ground.ENABLED:
            continue
        socket = next((s for s in seen.sockets if s.name == SOCKETS.get(unit.name)), None)
        if socket is not None and socket.enabled in ground.ENABLED and socket.load == "loaded":
            yield finding("MP112", unit.name, f"{socket.name} is enabled, {unit.name} is {unit.enabled or 'not'}")
        else:
            yield finding("MP111", unit.name, f"it is {unit.enabled or 'not enabled'}: {_cost(unit)}")


def _cost(unit: Unit) -> str:
    return COSTS.get(unit.name, "nobody logs in at the next boot")


def _unmet(checks: tuple[Check, ...]) -> tuple[str, ...]:
    """The conditions that do not hold, in their own words."""
    plain = tuple(c.text for c in checks if not c.trigger and c.holds is False)
    either = tuple(c for c in checks if c.trigger)
    none = either and all(c.holds is False for c in either)
    return (*plain, " or ".join(c.text for c in either)) if none else plain


def _order(host: Host, seen: Boots) -> Iterator[Finding]:
    """Of the package's own file the order is right; what was laid over it is looked at."""
    login = ground.login_unit(host)
    service = seen.service(login.name) if login else None
    if service is None or not service.changed:
        return
    lacking = [f"After={AFTER}"] if AFTER not in service.after else []
    lacking += [f"Before={BEFORE}"] if BEFORE not in service.before else []
    if lacking:
        yield finding("MP131", service.name, f"{', '.join(service.changed)}: without {' and '.join(lacking)}")


def _failed(seen: Boots) -> Iterator[Finding]:
    for one in seen.failed:
        yield finding("MP114" if one.unit.startswith("mpio-") else "MP113", one.unit, _how(one))


def _how(one: Failed) -> str:
    # 0 where it was another program of the unit's that failed (ExecStartPre, a daemon's first process)
    code = f" {one.code}" if one.code and one.result == "exit-code" else ""
    return ": ".join(word for word in (f"{one.result or 'failed'}{code}", one.said) if word)
