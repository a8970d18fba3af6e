"""A LUN that comes, changes or is taken as it is: what stands against it, and which steps of a plan are its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from mpio import guard, memory, sitewords, topology
from mpio.errors import UsageError
from mpio.findings import Finding, finding
from mpio.host import Host, Map, Pair, Path, Session
from mpio.plan.shape import MULTIPATH_DROP_IN, Plan
from mpio.site import Site, SiteLun
from mpio.step import Step, Write
from mpio.tools import iscsiadm, multipathd, scsi, wwid

if TYPE_CHECKING:
    from mpio.topology import Lun, Pairs


class Said(Protocol):
    """What a disk said of itself: see `mpio.identity`."""

    @property
    def gone(self) -> bool: ...
    @property
    def serial(self) -> str: ...
    @property
    def wwid(self) -> str: ...
    def is_another(self, wwid: str) -> bool: ...


# -- changed identities --------------------------------------------------------------------------------------------


def strangers(host: Host, forced: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """The maps whose disks say at this moment that they are another LUN."""
    if "MP414" in forced:
        return ()
    of_map: dict[str, list[Path]] = {}
    for path in host.paths:
        if path.dev in host.strangers:
            of_map.setdefault(path.dm, []).append(path)
    return tuple(_changed_map(host, mapped, of_map[mapped.dm]) for mapped in host.maps if mapped.dm in of_map)


def changed(host: Host, wanted: str, forced: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """As `strangers`, of this LUN's map alone."""
    names = {m.name for m in host.maps if m.wwid == wanted}
    return tuple(f for f in strangers(host, forced) if f.subject in names)


def _changed_map(host: Host, mapped: Map, paths: Iterable[Path]) -> Finding:
    now = ", ".join(f"{p.dev} (LUN {p.lun}) says {host.strangers[p.dev]}" for p in paths)
    used = f"; the map is in use: {guard.users_of(host, mapped.dm)}" if guard.users_of(host, mapped.dm) else ""
    return finding("MP414", mapped.name, f"the map is of {mapped.wwid}, but {now}{used}")


# -- add -----------------------------------------------------------------------------------------------------------


def wish(site: Site, text: str, alias: str) -> SiteLun:
    """The LUN that somebody asks for; UsageError where site or spelling stand against it."""
    way = "mpio lun add 3600144f0f484400000004e8685e70001 --alias hydra_apps-a01"
    try:
        wanted = SiteLun(wwid.of_lun(text), sitewords.alias(alias) if alias else None)
    except ValueError as error:
        raise UsageError(str(error), way) from error
    for lun in site.luns:
        if lun.wwid == wanted.wwid and alias and lun.alias != alias:
            called = f"is called {lun.alias}" if lun.alias else "has no alias"
            raise UsageError(f"{lun.wwid} {called} in {site.path}", "change its alias there, then mpio apply")
        if lun.wwid != wanted.wwid and alias and lun.alias == alias:
            raise UsageError(f"{alias} is the alias of {lun.wwid} in {site.path}", "choose another alias")
    return wanted


def name_taken(wanted: SiteLun, dms: Mapping[str, str]) -> str:
    """By what the alias is taken in the device mapper; `dms` maps names there to UUIDs."""
    uuid = dms.get(wanted.alias) if wanted.alias else None
    return "" if uuid in (None, f"mpath-{wanted.wwid}") else uuid or "a device without a UUID"


def planned_sessions(host: Host, pairs: Pairs) -> tuple[Session, ...]:
    return tuple(s for s in host.sessions if s.logged_in and s.pair in pairs.planned)


def lacking(host: Host, pairs: Pairs, wanted: str) -> tuple[Session, ...]:
    """The planned sessions that do not show the LUN."""
    here = {p.sid for p in host.paths if p.wwid == wanted}
    return tuple(s for s in planned_sessions(host, pairs) if s.sid not in here)


def behind(over: Mapping[int, Pair], have: Collection[int]) -> tuple[Pair, ...]:
    """Of the sessions `over`, those without the LUN although another one of their target has it."""
    showing = {pair.target for sid, pair in over.items() if sid in have}
    return tuple(pair for sid, pair in over.items() if sid not in have and pair.target in showing)


def against(host: Host, wanted: str, said: Mapping[str, Said], forced: frozenset[str]) -> tuple[Finding, ...]:
    """What forbids taking the LUN into use; `said` is what each disk says of itself at this moment."""
    paths = [p for p in host.paths if p.wwid == wanted]
    taken = {p.dm for p in host.paths if host.strangers.get(p.dev) == wanted}
    found = [
        f for f in strangers(host) for m in host.maps if m.name == f.subject and (m.dm in taken or m.wwid == wanted)
    ]
    if len({p.size for p in paths if p.size}) > 1:  # without one a path is of no use, and no other LUN
        found.append(finding("MP410", wanted, ", ".join(f"{p.dev} {p.size}" for p in paths)))
    asked = [p for p in paths if p.dev in said]
    others = {p.dev: said[p.dev].wwid for p in asked if not p.dm and said[p.dev].is_another(wanted)}
    serials = {p.dev: said[p.dev].serial for p in asked if said[p.dev].serial}
    if others or len(set(serials.values())) > 1:
        words = [f"{dev} says it is {now}" for dev, now in others.items()]
        words += [f"{dev} has the serial number {serial}" for dev, serial in serials.items() if not others]
        found.append(finding("MP415", wanted, ", ".join(words)))
    for path in paths:
        if not path.dm and (used := guard.of_disk(host, path)):
            found.append(used)
    return tuple(f for f in found if f.code not in forced)


def unshown(host: Host, pairs: Pairs, wanted: str) -> tuple[Finding, ...]:
    """The planned targets, reached now, that do not show the LUN."""
    showing = topology.shown_by(host, wanted)
    others = sorted({s.pair.target for s in planned_sessions(host, pairs)} - showing)
    return (finding("MP416", wanted, ", ".join(others)),) if others and showing else ()


def own(wanted: str, host: Host, made: Plan) -> tuple[Step, ...]:
    """The steps of a plan that bring this LUN into use: its entry, its WWID, its paths."""
    devs = {p.dev for p in host.paths if p.wwid == wanted}
    sids = {s.sid for s in lacking(host, made.pairs, wanted)}
    rescans = {iscsiadm.rescan(sid, why="").argv for sid in sids}

    def is_own(step: Step) -> bool:
        if isinstance(step, Write):
            return step.path == MULTIPATH_DROP_IN
        return (
            multipathd.is_reconfigure(step)
            or step.argv in rescans
            or wanted in step.argv
            or bool(devs & set(step.argv))
        )

    return tuple(s for s in made.steps if is_own(s))


# -- rescan --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class News:
    """What a rescan brought: WWIDs to the disks that are new, that nobody answers for any more, that have another size
    than their map or, in none, than before.
    """

    appeared: Mapping[str, tuple[Path, ...]]
    vanished: Mapping[str, tuple[Path, ...]]
    resized: Mapping[str, tuple[Path, ...]]


def news(before: Host, after: Host, said: Mapping[str, Said]) -> News:
    """`said` is of the disks that could be asked."""
    known = {(p.sid, p.hctl, p.wwid) for p in before.paths}
    size_of = {m.dm: m.size for m in after.maps}
    was = {p.dev: p.size for p in before.paths}
    paths = [p for p in after.paths if p.wwid and p.dev not in after.strangers]
    gone = {dev for dev, one in said.items() if one.gone}
    return News(
        _by_lun(p for p in paths if (p.sid, p.hctl, p.wwid) not in known),
        _by_lun(p for p in paths if p.dev in gone),
        _by_lun(p for p in paths if p.dev not in gone and p.size != (size_of.get(p.dm) or was.get(p.dev, p.size))),
    )


def _by_lun(paths: Iterable[Path]) -> dict[str, tuple[Path, ...]]:
    found: dict[str, tuple[Path, ...]] = {}
    for path in paths:
        found[path.wwid] = (*found.get(path.wwid, ()), path)
    return found


def told(site: Site | None, host: Host, found: News) -> tuple[Finding, ...]:
    """The findings of a rescan, the worst first."""
    over = {s.sid: s.pair for s in host.sessions}
    named = {lun.wwid for lun in site.luns} if site else set()
    return (
        *strangers(host),
        *(
            finding("MP417", called(site, host, w), ", ".join(str(over.get(p.sid, p.dev)) for p in paths))
            for w, paths in found.vanished.items()
        ),
        *(
            finding("MP418", called(site, host, w), ", ".join(f"{p.dev} {p.size} bytes" for p in paths))
            for w, paths in found.resized.items()
        ),
        *(finding("MP411", w, f"{len(p)} paths") for w, p in found.appeared.items() if site and w not in named),
    )


def called(site: Site | None, host: Host, wanted: str) -> str:
    """The name by which its administrator knows a LUN."""
    names = [m.name for m in host.maps if m.wwid == wanted]
    names += [lun.alias for lun in site.luns if lun.wwid == wanted and lun.alias] if site else []
    return names[0] if names else wanted


# -- adopt ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Adoption:
    """One LUN taken as it is: its expectation before and after. `targets` are those that show it now, `dead` its disks
    that no LUN is behind any more. `new`: it comes into the site, under its map's name; `paths` is written there where
    it is not None.
    """

    lun: Lun
    after: int
    targets: frozenset[str]
    dead: tuple[Path, ...]
    new: SiteLun | None
    paths: int | None
    known: bool

    @property
    def idle(self) -> bool:
        return self.known and not self.dead and self.new is None and self.paths is None


def adoption(site: Site, host: Host, pairs: Pairs, lun: Lun, said: Mapping[str, Said]) -> Adoption:
    """What adopting this LUN means; one without a usable path is not to be adopted."""
    over = {s.sid: s.pair for s in host.sessions}
    good = {p.dev for p in lun.usable}
    dead = tuple(
        p
        for p in lun.paths
        if p.dev not in good and p.dev in said and said[p.dev].gone
        if not (topology.offline(host, p) or guard.users_of(host, p.dev))
    )
    shown = host.memory.shown.get(lun.wwid, frozenset())
    # What is offline by hand comes back with `online`: that its target shows the LUN is not forgotten meanwhile.
    kept = {pair.target for one in host.offline for pair in pairs.planned if str(pair) in one.pairs} & shown
    targets = frozenset(kept | {over[p.sid].target for p in lun.usable})
    wish = next((one for one in site.luns if one.wwid == lun.wwid), None)
    new = None if wish else SiteLun(lun.wwid, _fit(lun))
    then = replace(
        host, paths=tuple(p for p in host.paths if p not in dead), memory=_with_shown(host, lun.wwid, targets)
    )
    counted = sum(not topology.offline(host, p) for p in lun.usable)
    planned = len(topology.pairs_of(then, pairs, lun.wwid))
    said_now = wish.paths if wish else None
    paths = None if counted == (said_now or planned) else counted
    return Adoption(lun, counted, targets, dead, new, paths, targets == shown)


def _fit(lun: Lun) -> str | None:
    """The map's name as an alias; None for one that multipath gave, which it goes on giving."""
    if lun.alias == lun.wwid:
        return None
    try:
        return sitewords.alias(lun.alias)
    except ValueError:
        return None


def _with_shown(host: Host, wanted: str, targets: frozenset[str]) -> memory.Memory:
    return replace(host.memory, shown={**host.memory.shown, wanted: targets})


def deletions(adoptions: Iterable[Adoption]) -> tuple[Step, ...]:
    return tuple(
        scsi.delete(p, why=f"{p.dev} of {one.lun.alias or one.lun.wwid}: the array has no such LUN there any more")
        for one in adoptions
        for p in one.dead
    )


def unfit(adoptions: Iterable[Adoption]) -> tuple[Finding, ...]:
    """Those that cannot be adopted: nothing is no expectation."""
    return tuple(
        finding("MP401", one.lun.alias or one.lun.wwid, "there is nothing to adopt")
        for one in adoptions
        if not one.lun.usable
    )


def remembered(host: Host, adoptions: Iterable[Adoption]) -> memory.Memory:
    shown = {one.lun.wwid: one.targets for one in adoptions}
    return replace(host.memory, shown={**host.memory.shown, **shown})
