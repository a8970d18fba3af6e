"""Taking a LUN away: who uses it, and the steps in the safe order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mpio import choose, guard, sitetext
from mpio.errors import UnknownName
from mpio.findings import Finding, finding
from mpio.host import Host, Path
from mpio.plan import maps
from mpio.plan.resizing import map_of, paths_of
from mpio.plan.shape import MULTIPATH_DROP_IN
from mpio.site import Site
from mpio.step import Command, Part, Step, Write
from mpio.tools import blockdev, multipath, multipathconf, multipathd, scsi


@dataclass(frozen=True, slots=True)
class Away:
    """`first` leaves the site file, so that no `apply` brings the LUN back; `disks` take map and disks away, `last` the
    entry in the drop-in. `forced` are the refusals that were let pass.
    """

    wwid: str
    forced: frozenset[str] = frozenset()
    first: tuple[Step, ...] = ()
    disks: tuple[Step, ...] = ()
    last: tuple[Step, ...] = ()
    refused: tuple[Finding, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        return (*self.first, *self.disks, *self.last)


def against(host: Host, wwid: str, forced: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """Who uses the LUN, and what it is a part of."""
    return tuple(f for f in guard.against_harm(host, wwid) if f.code not in forced)


def away(host: Host, wwid: str, site: tuple[str, str] = ("", ""), forced: frozenset[str] = frozenset()) -> Away:
    """All that is left to be done; `site` is the site file, (path, text).

    The WWID is forgotten before the map is flushed: between flush and delete, and after a rescan that finds the disks
    again, a strict multipathd would otherwise make the map anew.
    """
    if refused := against(host, wwid, forced):
        return Away(wwid, forced, refused=refused)
    name = named(host, wwid)
    first = _from_site(name, wwid, *site)
    return Away(wwid, forced, first, _disks(host, wwid, name), _from_multipath(host, wwid, name))


def named(host: Host, wwid: str) -> str:
    mapped = map_of(host, wwid)
    return mapped.name if mapped else maps.entries(host).get(wwid, {}).get("alias") or wwid


def _from_site(name: str, wwid: str, path: str, text: str) -> tuple[Step, ...]:
    new = sitetext.without_lun(text, wwid) if text else text
    why = f"{name} is to be removed: with its [[lun]] the next apply would bring it back"
    return (Write(Part.MULTIPATH, why, path, new, None, text),) if new != text else ()


def _disks(host: Host, wwid: str, name: str) -> tuple[Step, ...]:
    mapped, disks = map_of(host, wwid), paths_of(host, wwid)
    steps: list[Step] = []
    if wwid in host.registered:
        steps.append(multipath.forget(wwid, why=f"{wwid} is registered: multipathd would make its map again"))
    flush = (multipath.flush(name, why=f"{name} is not in use"),) if mapped else ()
    used = mapped is not None and guard.in_use(host, mapped)
    if mapped and (used or not any(_answers(host, p) for p in disks)):
        why = f"{name} {'is in use' if used else 'has no usable path'}: its I/O would wait in its queue"
        steps += [multipathd.disable_queueing(name, why=why)] if maps.runs(host) else []
    steps += () if used else flush
    for path in disks:
        if _answers(host, path):
            steps.append(blockdev.flush_buffers(path.dev, why=f"{path.dev} is a disk of {name}"))
        if maps.runs(host):
            steps.append(multipathd.del_path(path.dev, why=f"{path.dev} of {name} is not to be taken into a map again"))
    steps += deletions(host, wwid)
    # Who insists on removing a map in use gives it up without its disks; it can only go when its last user has.
    steps += flush if used else ()
    return tuple(steps)


def deletions(host: Host, wwid: str) -> tuple[Step, ...]:
    why = f"is a disk of {named(host, wwid)}"
    return tuple(scsi.delete(path, why=f"{path.dev} ({path.hctl}) {why}") for path in paths_of(host, wwid))


def is_about_a_disk(step: Step) -> bool:
    if not isinstance(step, Command):
        return scsi.is_delete(step)
    dev = step.argv[-1].removeprefix("/dev/")
    return step.argv in (blockdev.flush_buffers(dev, "").argv, multipathd.del_path(dev, "").argv)


def _answers(host: Host, path: Path) -> bool:
    """Would I/O to this disk come back? One outside a map has no state in the device mapper."""
    alive = any(s.sid == path.sid and s.logged_in for s in host.sessions)
    return alive and path.device_state == "running" and path.dm_state in ("", "active")


def _from_multipath(host: Host, wwid: str, name: str) -> tuple[Step, ...]:
    """Only this LUN's entry leaves the drop-in: what else it lacks is for `apply` to say and do."""
    text = host.files.get(MULTIPATH_DROP_IN)
    reconfigure = (
        (multipathd.reconfigure(why=f"multipathd still holds the entry of {name}"),) if maps.runs(host) else ()
    )
    if text is not None and wwid in maps.entries(host):
        new = without_entry(text, wwid)
        return (Write(Part.MULTIPATH, f"{name} is gone", MULTIPATH_DROP_IN, new, 0o644, text), *reconfigure)
    # What is remembered goes last: a run may have died before multipathd was told.
    gone = map_of(host, wwid) is None and not paths_of(host, wwid)
    return reconfigure if gone and wwid in host.memory.shown else ()


def without_entry(text: str, wwid: str) -> str:
    """The drop-in without the `multipath{}` section of a LUN."""
    sections = []
    for section in multipathconf.parse(text, MULTIPATH_DROP_IN).sections:
        if section.name != "multipaths":
            sections.append(section)
            continue
        kept = tuple(s for s in section.sections if (e := s.values.get("wwid")) is None or e.value != wwid)
        if kept or section.entries:
            sections.append(replace(section, sections=kept))
    return multipathconf.render(sections, maps.HEADER)


def is_gone(host: Host, wwid: str) -> bool:
    """Nothing of it is left here, but for disks in no map that a scan has found again."""
    return map_of(host, wwid) is None and wwid not in host.registered


def come_back(host: Host, wwid: str) -> tuple[Step, ...]:
    """The steps against a map that was made anew, which only a multipathd that is not strict does. Disks in no map are
    nobody's.
    """
    return () if is_gone(host, wwid) else _disks(host, wwid, named(host, wwid))


def chosen(name: str, site: Site, host: Host) -> str:
    """The WWID of the LUN to remove; one that neither the site nor the drop-in names has to be called by it."""
    wwid = choose.lun(name, site, host, gone=True)
    ours = {lun.wwid for lun in site.luns} | maps.entries(host).keys()
    mapped = map_of(host, wwid)
    if wwid not in ours and mapped and mapped.name == name:
        raise UnknownName(f"the site has no LUN {name!r}, only this host has a map of that name", f"call it {wwid}")
    return wwid


def question(site: Site, host: Host, wwid: str) -> str:
    foreign = "" if any(lun.wwid == wwid for lun in site.luns) else ", which is not in the site file"
    used = "; ".join(f"{f.subject}: {f.detail}" for f in against(host, wwid))
    lost = f" although it is in use ({used}), which fails then and may lose data" if used else ""
    return f"Remove {named(host, wwid)}{foreign} with its {len(paths_of(host, wwid))} disks from this host{lost}?"


def found(host: Host, wwid: str, name: str, done: Iterable[Step]) -> tuple[Finding, ...]:
    """What is to be done on the array, once anything was taken away here."""
    if not any(map(scsi.is_delete, done)) and paths_of(host, wwid):
        return ()
    back = ", ".join(p.dev for p in paths_of(host, wwid))
    mapped = map_of(host, wwid)
    where = f"in the map {mapped.name}: find_multipaths is not strict" if mapped else "in no map"
    return (finding("MP422", name, f"a scan has already brought its disks back: {back}, {where}" if back else ""),)
