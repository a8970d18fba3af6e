"""The state of maps and paths, by multipathd or, where it does not run, by the device mapper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mpio import inuse
from mpio.errors import NotAllowed
from mpio.host import Host, Map, Path
from mpio.machine import Machine
from mpio.tools import dmsetup, multipath, multipathconf, multipathd, sysfs, systemctl, udevadm

POLLING = 5
PASSING = 5  # seconds that udev is given


def look(machine: Machine, seen: Host, blind: list[str]) -> Host:
    """What multipathd says of maps and paths; where it does not run, what the device mapper itself says."""
    units = seen.units or systemctl.units(machine.run, (systemctl.MULTIPATHD,))
    seen = replace(seen, units=units)
    counts = _open_counts(machine, seen, blind)
    if any(u.name == systemctl.MULTIPATHD and u.active == "active" for u in units):
        try:
            return _with_views(machine, seen, multipathd.maps(machine.run), counts, _polling(machine, blind))
        except multipathd.NotRunning:
            blind.append("what multipathd says: it did not answer")
    return _with_status(machine, seen, counts, blind)


def _open_counts(machine: Machine, seen: Host, blind: list[str]) -> Mapping[str, dmsetup.Info]:
    if not seen.maps:
        return {}
    if not seen.root:
        blind.append("how often each map is open")
        return {}
    return {i.dm: i for i in dmsetup.info(machine.run)}


def _with_views(
    machine: Machine,
    seen: Host,
    views: Iterable[multipathd.MapView],
    counts: Mapping[str, dmsetup.Info],
    polling: int | None,
) -> Host:
    of_dm = {v.dm: v for v in views}
    of_dev = {p.dev: p for v in of_dm.values() for p in v.paths}
    groups = {p.dev: g.dm_st for v in of_dm.values() for g in v.groups for p in g.paths}

    def one_map(m: Map) -> Map:
        view = of_dm.get(m.dm)
        queueing = multipathd.queueing_seconds(view.queueing, polling) if view else None
        return replace(m, queueing=queueing, open_count=_opened(machine, m, counts))

    def one_path(p: Path) -> Path:
        view = of_dev.get(p.dev)
        if view is None or not p.dm:
            return p
        return replace(p, dm_state=view.dm_st, checker_state=view.chk_st, group=view.group, group_state=groups[p.dev])

    return replace(seen, maps=tuple(one_map(m) for m in seen.maps), paths=tuple(one_path(p) for p in seen.paths))


def without_passers(machine: Machine, seen: Host) -> Host:
    """Maps that are open though nobody can be named are counted once more when udev is done: its workers look at each
    map that changes, and at one without a path they hang in its queue.
    """
    unnamed = {m.dm for m in seen.maps if m.open_count} - {u.dev for u in seen.users}
    if not unnamed:
        return seen
    machine.run(*udevadm.settle(PASSING), ok=None, timeout=None)
    counts, kept = _open_counts(machine, seen, []), inuse.keepers(machine.files, seen)
    return replace(
        seen,
        maps=tuple(
            replace(m, open_count=max(0, _opened(machine, m, counts) - kept[m.dm])) if m.dm in unnamed else m
            for m in seen.maps
        ),
    )


def by_kernel(machine: Machine, seen: Host) -> Host:
    """The paths of these maps as the device mapper itself has them, whatever multipathd says."""
    return _with_status(machine, seen, _open_counts(machine, seen, []), [])


def _with_status(machine: Machine, seen: Host, counts: Mapping[str, dmsetup.Info], blind: list[str]) -> Host:
    if not seen.maps:
        return seen
    if not seen.root:
        blind.append("the state of paths in the device mapper")
        return seen
    of_name = dmsetup.path_status(machine.run)
    names = {m.dm: m.name for m in seen.maps}

    def one_path(p: Path) -> Path:
        dev_t = sysfs.word(machine.files, f"/sys/block/{p.dev}/dev")
        said = next((s for s in of_name.get(names.get(p.dm, ""), ()) if s.dev_t == dev_t), None)
        return replace(p, dm_state="active" if said.active else "failed", group=said.group) if said else p

    return replace(
        seen,
        maps=tuple(replace(m, open_count=_opened(machine, m, counts)) for m in seen.maps),
        paths=tuple(one_path(p) for p in seen.paths),
    )


def _opened(machine: Machine, mapped: Map, counts: Mapping[str, dmsetup.Info]) -> int:
    """How often the map is open by somebody; kpartx's partitions of it that nobody has open do not count, `multipath
    -f` takes them.
    """
    info = counts.get(mapped.dm)
    if info is None:
        return 0
    idle = sum(
        1
        for holder, _ in sysfs.holders(machine.files, mapped.dm)
        if (above := counts.get(holder)) and above.open_count == 0 and above.uuid.startswith("part")
    )
    return max(0, info.open_count - idle)


def _polling(machine: Machine, blind: list[str]) -> int | None:
    try:
        return polling_interval(machine)
    except NotAllowed:  # /etc/multipath is root's alone where multipath has made it
        blind.append("multipath's files: how long a LUN without paths holds I/O back")
        return None


def polling_interval(machine: Machine) -> int:
    """multipathd's interval from its files, the compiled default where they say nothing."""
    said = multipathconf.value(multipathconf.merge(_multipath_confs(machine)), "defaults", "polling_interval")
    return int(said) if said and said.isascii() and said.isdigit() else POLLING


def multipath_files(machine: Machine) -> dict[str, str]:
    names = machine.files.names(multipath.CONF_D)
    paths = [multipath.CONF, *(f"{multipath.CONF_D}/{n}" for n in names if n.endswith(".conf"))]
    return {p: t for p in paths if (t := machine.files.text(p)) is not None}


def _multipath_confs(machine: Machine) -> tuple[multipathconf.Conf, ...]:
    return tuple(multipathconf.parse(text, path) for path, text in multipath_files(machine).items())
