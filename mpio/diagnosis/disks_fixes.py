"""What is safe to do about findings of disks and maps: steps that take nothing from anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mpio import topology
from mpio.diagnosis import disks_identity, disks_maps, disks_paths
from mpio.host import Host
from mpio.plan import Plan
from mpio.site import Site
from mpio.step import Step
from mpio.tools import iscsiadm, multipath, multipathd, multipathnames, scsi

Steps = Callable[[Site | None, Host, Plan | None], tuple[Step, ...]]


def _reinstated(_site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
    return tuple(
        multipathd.reinstate_path(p.dev, why=f"{p.dev} is failed although it answers")
        for p in host.paths
        if p.dm_state == "failed" and p.dev in host.readable and not topology.offline(host, p)
    )


def _switched_on(_site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
    alive = {s.sid for s in host.sessions if s.logged_in}
    return tuple(
        scsi.switch_on(p, why=f"{p.dev} is {p.device_state}, and its session is up")
        for p in host.paths
        if p.device_state in disks_paths.HELD and p.sid in alive and not topology.offline(host, p)
    )


def _rescanned(site: Site | None, host: Host, plan: Plan | None) -> tuple[Step, ...]:
    judged = topology.luns(site, host, plan.pairs if plan else None)
    lacking = {
        s.sid: lun for lun in judged for s in disks_identity.lacking(host, plan, lun, remembered=plan is not None)
    }
    return tuple(
        iscsiadm.rescan(sid, why=f"session {sid} has no disk of {lun.alias or lun.wwid}")
        for sid, lun in sorted(lacking.items(), key=lambda one: one[0])
    )


def _queueing(_site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
    return tuple(
        multipathnames.restore_queueing(m.name, why=f"queueing of {m.name} is switched off by hand")
        for m in host.maps
        if m.queueing == "off" and disks_maps.asked_for(host, m.wwid).get("no_path_retry", "") not in ("", "fail", "0")
    )


def _grown(_site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
    """Only where every path of the map works and has the new size."""
    of_dm = {m.dm: [p for p in host.paths if p.dm == m.dm] for m in host.maps}
    return tuple(
        multipathd.resize_map(m.name, why=f"each disk of {m.name} is larger than the map")
        for m in host.maps
        if m.size and of_dm[m.dm] and all(topology.usable(host, p) for p in of_dm[m.dm])
        if len({p.size for p in of_dm[m.dm]}) == 1 and (of_dm[m.dm][0].size or 0) > m.size
    )


def _flushed(site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
    """What nobody has open: a map without a disk holds nothing that could be lost."""
    named = {lun.wwid for lun in site.luns} if site else set()
    used = {u.dev for u in host.users}
    idle = [m for m in host.maps if m.size and not (m.slaves or m.open_count or m.dm in used or m.wwid in named)]
    why = "the map {} is left over"
    return (
        *(multipathd.disable_queueing(m.name, why=why.format(m.name)) for m in idle if m.queueing != "off"),
        *(multipath.flush(m.name, why=why.format(m.name)) for m in idle),
    )


# Those that need nothing of a site file; the plan's own steps mend MP407, MP431 and MP458.
FIXES: Mapping[str, Steps] = {
    "MP434": _rescanned,
    "MP441": _queueing,
    "MP442": _reinstated,
    "MP443": _switched_on,
    "MP450": _flushed,
    "MP457": _grown,
}
