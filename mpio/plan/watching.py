"""What is installed on a host for watching: the daemon's unit or udev's alerts, and udev's names for paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mpio.host import Host
from mpio.plan import ground
from mpio.step import Command, Note, Part, Step, Write
from mpio.tools import systemctl, udevadm

NAMES = "60-mpio.rules"
NAMER = "mpio-path"
ALERTS = "90-mpio-alert.rules"
RULES = (NAMES, NAMER, ALERTS)
UNITS = (systemctl.WATCH, systemctl.EVENT, systemctl.EVENT_PATH)
STARTED = (systemctl.WATCH, systemctl.EVENT_PATH)
# What stands in the files as they come, for a package puts them there.
PROGRAM = "/usr/bin/mpio "
SITE = "/etc/mpio/site.toml"


@dataclass(frozen=True, slots=True)
class Wish:
    """`texts` are the files as they come with mpio, by name; `site` is the path of the site file, empty: there is none
    yet, and the watcher is to look for one in the usual place.
    """

    texts: Mapping[str, str]
    site: str = SITE
    daemon: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Of the alerts without a daemon nothing is needed where there is one."""
        others = (systemctl.WATCH,) if self.daemon else (ALERTS, systemctl.EVENT, systemctl.EVENT_PATH)
        return (NAMES, NAMER, *others)

    @property
    def started(self) -> str:
        return systemctl.WATCH if self.daemon else systemctl.EVENT_PATH


def place(name: str) -> str:
    """Where `watch --install` puts it: what is the administrator's own goes before a package's."""
    if name in UNITS:
        return f"/etc/systemd/system/{name}"
    return udevadm.script(name) if name == NAMER else udevadm.rules(name)


def packaged(name: str) -> str:
    """Where a package puts it."""
    if name in UNITS:
        return f"/usr/lib/systemd/system/{name}"
    return udevadm.packaged_program(name) if name == NAMER else udevadm.packaged_rules(name)


def text(wish: Wish, name: str, program: tuple[str, ...]) -> str:
    """The file as this host wants it: it starts this mpio, and the script by its place."""
    said = wish.texts[name]
    if name in UNITS:
        said = said.replace(PROGRAM, f"{systemctl.exec_line(program)} ")
        return said.replace(f" --site {SITE}", f" --site {systemctl.exec_line([wish.site])}" if wish.site else "")
    return said.replace(f'"{NAMER} ', f'"{udevadm.by_shell(NAMER)} ')


def configured(wish: Wish, host: Host) -> tuple[Step, ...]:
    """From the host as it is: what is another way of watching goes first, so that nothing is told twice."""
    others = [name for name in (*RULES, *UNITS) if name not in wish.names]
    why = f"{systemctl.WATCH} is to watch" if wish.daemon else "udev is to start each look, and no daemon runs"
    gone = tuple(_gone(host, others, why))
    written = tuple(_written(wish, host))
    changed = {step.path for step in (*gone, *written) if isinstance(step, Write)}
    steps: list[Step] = [*gone, *written]
    if changed & {place(name) for name in UNITS}:
        steps.append(Command(Part.SERVICES, "systemd has not read these units", systemctl.reload_files()))
    if changed & {place(name) for name in RULES}:
        steps.append(Command(Part.SERVICES, "udev has not read these rules", udevadm.reload_rules()))
    nameless = [path.dev for path in host.paths]
    if nameless and changed & {place(NAMES), place(NAMER)}:
        why = f"{len(nameless)} disks came before the rules that name them"
        steps.append(Command(Part.SERVICES, why, udevadm.announce(nameless)))
    return (*steps, *_started(wish, host, place(wish.started) in changed))


def _written(wish: Wish, host: Host) -> Iterator[Write]:
    for name in wish.names:
        path, before = place(name), host.files.get(place(name))
        wanted = text(wish, name, host.program)
        if before is None and host.files.get(packaged(name)) is not None and not _elsewhere(wish, name):
            continue  # a package has put it there, with a program of its own
        if before != wanted:
            why = f"{name} is not there" if before is None else f"{name} is not as it is to be"
            mode = 0o755 if name == NAMER else 0o644
            yield Write(Part.SERVICES, why, path, wanted, mode, before, notes=(Note("file", path),))


def _elsewhere(wish: Wish, name: str) -> bool:
    """Is it to read another site file than a package's unit does? Then one goes before that."""
    return wish.site not in ("", SITE) and f" --site {SITE}" in wish.texts[name]


def _started(wish: Wish, host: Host, changed: bool) -> Iterator[Step]:
    name = wish.started
    unit = host.unit(name)
    notes = (Note("unit", name),)
    if unit is None or unit.enabled not in ground.ENABLED:
        yield Command(Part.SERVICES, f"{name} is not enabled", systemctl.enable(name, now=True), notes=notes)
    elif changed or unit.active not in ("active", "activating"):
        why = f"{name} runs with what it was before" if unit.active == "active" else f"{name} does not run"
        yield Command(Part.SERVICES, why, systemctl.restart(name))


def stands(wish: Wish, host: Host) -> str:
    """How the unit that is to be started stands, in words."""
    unit = host.unit(wish.started)
    if unit is None or unit.active not in ("active", "activating"):
        return "does not run"
    return "is enabled and runs" if unit.enabled in ground.ENABLED else "runs, but is not enabled"


def _gone(host: Host, names: Iterable[str], why: str) -> Iterator[Step]:
    """Only what is mpio's: what a package has put there stays, but is not started any more."""
    names = tuple(names)
    for name in (systemctl.WATCH, systemctl.EVENT_PATH):
        unit = host.unit(name)
        there = host.files.get(place(name)) is not None
        if name in names and (there or (unit and (unit.active == "active" or unit.enabled in ground.ENABLED))):
            yield Command(Part.SERVICES, why, systemctl.disable(name, now=True))
            if name == systemctl.EVENT_PATH:  # a look that is under way may stay for an hour
                yield Command(Part.SERVICES, why, systemctl.stop(systemctl.EVENT), (0, systemctl.Code.NOTINSTALLED))
    for name in names:
        before = host.files.get(place(name))
        if before is not None:
            yield Write(Part.SERVICES, why, place(name), None, None, before)


def taken_back(host: Host, why: str, staying: Iterable[str] = ()) -> tuple[Step, ...]:
    """The watcher first: it would heal what is taken away behind it. `staying` are disks that outlive the rules: udev
    takes their names away when it goes over them again.
    """
    ours = [name for name in (*RULES, *UNITS) if host.memory.has("file", place(name))]
    ours += [name for name in STARTED if host.memory.has("unit", name) and name not in ours]
    steps = tuple(_gone(host, ours, why))
    gone = {step.path for step in steps if isinstance(step, Write)}
    if gone & {place(name) for name in UNITS}:
        steps += (Command(Part.SERVICES, "the units of the watcher are gone", systemctl.reload_files()),)
    if gone & {place(name) for name in RULES}:
        steps += (Command(Part.SERVICES, "the rules are gone", udevadm.reload_rules()),)
    nameless = tuple(staying)
    if nameless and place(NAMES) in gone:
        why = f"{len(nameless)} disks stay, whose names are gone"
        steps += (Command(Part.SERVICES, why, udevadm.announce(nameless)),)
    return steps
