"""Maps: whether they can do I/O, for how long they would hold it, and whether they are as somebody asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mpio.diagnosis.disks_seen import Disks
from mpio.findings import Finding, finding
from mpio.host import Host, Map
from mpio.plan import maps
from mpio.site import Site
from mpio.tools import multipathconf
from mpio.tools.multipathd import Group, MapView
from mpio.topology import Lun

# On the way to disks that may have more than one: Fibre Channel, SAS, SRP, iSCSI, NVMe over fabrics, and hypervisors
# that bring these through.
FABRICS = ("/rport-", "/end_device-", "/port-", "/session", "fabrics", "subsystem", "/vio/", "/css", "VMBUS", "vmbus")


def findings(site: Site | None, host: Host, seen: Disks, judged: tuple[Lun, ...]) -> Iterator[Finding]:
    named = {lun.wwid for lun in site.luns} if site else set[str]()
    of_wwid = {lun.wwid: lun for lun in judged}
    for mapped in host.maps:
        lun = of_wwid.get(mapped.wwid)
        yield from _able(host, seen, mapped, lun, mapped.wwid in named)
        wished = asked_for(host, mapped.wwid)
        if view := seen.view(mapped.dm):
            yield from _queueing(mapped, view, wished, bool(lun and lun.usable))
            yield from _groups(mapped, view, wished)
            if not (host.effective and "path_grouping_policy" in host.effective.wished.get(mapped.wwid, {})):
                yield from _alone(mapped, view)
    for name, wwid in seen.hollow.items():
        yield finding("MP438", name, wwid)
    yield from _names(host, seen)
    yield from _aliens(seen)


def asked_for(host: Host, wwid: str) -> Mapping[str, str]:
    """What the site asks for and multipath's files say, too: the rest is MP413's."""
    if host.effective is None:
        return {}
    wished, installed = host.effective.wished.get(wwid, {}), host.effective.installed.get(wwid, {})
    loaded = (host.effective.loaded or {}).get(wwid, {})
    return {k: v for k, v in wished.items() if installed.get(k) == v == loaded.get(k, v)}


def _able(host: Host, seen: Disks, mapped: Map, lun: Lun | None, named: bool) -> Iterator[Finding]:
    held = f"open count {mapped.open_count}" if mapped.open_count else "nobody has it open"
    if mapped.dm in seen.suspended:
        yield finding("MP423", mapped.name, held)
    if mapped.name in seen.hollow:
        return
    if not mapped.slaves and not named and not (lun and lun.paths):
        users = "; ".join(str(u) for u in host.users if u.dev == mapped.dm)
        yield finding("MP450", mapped.name, f"{mapped.wwid}; {users or held}")
    if lun is not None and not lun.usable and mapped.queueing not in (None, "off") and _known(lun):
        how = "for ever" if mapped.queueing == "forever" else f"for {mapped.queueing} s"
        yield finding("MP439", mapped.name, f"it is held back {how}; {held}")


def _known(lun: Lun) -> bool:
    """Has somebody said how its paths stand?"""
    return all(p.dm_state or not p.dm for p in lun.paths)


def _queueing(mapped: Map, view: MapView, wished: Mapping[str, str], works: bool) -> Iterator[Finding]:
    retry = wished.get("no_path_retry", "")
    if view.queueing == "on" and retry != "queue":
        yield finding("MP440", mapped.name, view.features)
    # Where every path is lost and its time is over it is off, too.
    if view.queueing == "off" and works and retry not in ("", "fail", "0"):
        yield finding("MP441", mapped.name, f"no_path_retry is {retry}, and the map queues nothing")


def _groups(mapped: Map, view: MapView, wished: Mapping[str, str]) -> Iterator[Finding]:
    beaten = tuple(_beaten(view, wished))
    if beaten:
        yield finding("MP446", mapped.name, "; ".join(beaten))
    whole = _working(view)
    used = next((g for g in view.groups if g.dm_st == "active"), None)
    better = [g for g in whole if used and (g.priority or 0) > (used.priority or 0)]
    if used and better and view.failback == "manual":
        best = max(better, key=lambda g: g.priority or 0)
        yield finding(
            "MP448",
            mapped.name,
            f"group {used.number} of priority {used.priority} ({_devs(used)}) is in use, group {best.number} of "
            f"priority {best.priority} ({_devs(best)}) is not: failback is manual",
        )
    slow = [p.dev for p in view.paths if p.marginal]
    if slow:
        yield finding("MP459", mapped.name, ", ".join(slow))


def _alone(mapped: Map, view: MapView) -> Iterator[Finding]:
    whole = _working(view)
    if len(whole) > 1 and all(len(g.paths) == 1 for g in view.groups):
        yield finding("MP447", mapped.name, f"{len(whole)} paths, a group for each")


def _working(view: MapView) -> list[Group]:
    """The groups with a path that works."""
    return [g for g in view.groups if any(p.dm_st == "active" and p.chk_st == "ready" for p in g.paths)]


def _devs(group: Group) -> str:
    return ", ".join(p.dev for p in group.paths)


def _beaten(view: MapView, wished: Mapping[str, str]) -> Iterator[str]:
    """What the map has in spite of what multipath's files say: autodetection is all that is left to do that."""
    ready = [p for p in view.paths if p.chk_st == "ready" and p.dm_st == "active"]
    checkers = {p.checker for p in ready if p.checker}
    if (asked := wished.get("path_checker")) and checkers and checkers != {asked}:
        yield f"path_checker is {', '.join(sorted(checkers))}, not {asked} (detect_checker)"
    priorities = {p.priority for p in ready if p.priority is not None}
    if wished.get("prio") == "const" and priorities - {1}:
        yield f"the priorities are {', '.join(map(str, sorted(priorities)))}, not const's 1 (detect_prio)"
    handler, wanted = _handler(view.hwhandler), _handler(wished.get("hardware_handler", view.hwhandler))
    if view.hwhandler and handler != wanted:
        yield f"the hardware handler is {handler}, not {wanted} (retain_attached_hw_handler)"
    asked = wished.get("path_grouping_policy", "")
    if len(ready) == len(view.paths) and ready and not any(p.marginal for p in ready):
        have, want = {frozenset(p.dev for p in g.paths) for g in view.groups}, _grouped(view, asked)
        if want and have != want:
            yield f"{len(have)} path groups, where {asked} makes {len(want)} (detect_pgpolicy)"


def _handler(text: str) -> str:
    """`1 alua` and `0`: the count of words, and the words."""
    return text.partition(" ")[2] or "none"


def _grouped(view: MapView, policy: str) -> set[frozenset[str]]:
    """The groups that a policy makes of a map's paths; none where that cannot be told."""
    of: dict[object, set[str]] = {}
    for path in view.paths:
        key: object
        match policy:
            case "multibus" | "group_by_serial":  # of one LUN all have one serial number
                key = ""
            case "failover":
                key = path.dev
            case "group_by_node_name" if path.target:
                key = path.target
            case "group_by_prio" if path.priority is not None:
                key = path.priority
            case _:
                return set()
        of.setdefault(key, set()).add(path.dev)
    return {frozenset(devs) for devs in of.values()}


# -- names ---------------------------------------------------------------------------------------------------------


def _names(host: Host, seen: Disks) -> Iterator[Finding]:
    """Two WWIDs with one name, and maps that are called otherwise than they would be once they are made anew."""
    configured = {
        wwid: said["alias"].value for wwid, said in multipathconf.multipaths(seen.conf).items() if "alias" in said
    }
    for alias, wwids in _twice((alias, wwid) for wwid, alias in configured.items()):
        yield finding("MP451", alias, f"multipath's files give it to {', '.join(wwids)}")
    for alias, wwids in _twice(seen.bindings):
        yield finding("MP451", alias, f"/etc/multipath/bindings gives it to {', '.join(wwids)}")
    bound = {wwid: alias for alias, wwid in reversed(seen.bindings)}  # the first line of a WWID counts
    if not maps.runs(host):
        return
    for mapped in host.maps:
        wanted = configured.get(mapped.wwid) or bound.get(mapped.wwid)
        friendly = mapped.wwid in configured or mapped.name != mapped.wwid
        if wanted and friendly and wanted != mapped.name:
            source = "multipath's files" if mapped.wwid in configured else "/etc/multipath/bindings"
            yield finding("MP452", mapped.name, f"{source}: {mapped.wwid} is {wanted}")


def _twice(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    of: dict[str, dict[str, None]] = {}
    for alias, wwid in pairs:
        of.setdefault(alias, {})[wwid] = None
    return ((alias, tuple(wwids)) for alias, wwids in of.items() if len(wwids) > 1)


def _aliens(seen: Disks) -> Iterator[Finding]:
    """Local disks, each alone in a map."""
    for alien in seen.aliens:
        if len(alien.slaves) == 1 and not any(word in alien.slaves[0][1] for word in FABRICS):
            yield finding("MP449", alien.name, f"{alien.slaves[0][0]} ({alien.wwid}) is a disk of this host's own")
