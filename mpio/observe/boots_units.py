"""Units and daemons: their files and control groups, and systemd itself where these give a sign."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable

from mpio.diagnosis.boots import SOCKETS
from mpio.diagnosis.boots_seen import Check, Daemon, Failed, Service
from mpio.errors import MpioError
from mpio.files import Files
from mpio.host import Host, Unit
from mpio.machine import Machine
from mpio.plan import ground
from mpio.tools import cgroup, iscsidb, journalctl, systemctl, unitfile
from mpio.tools.sysfs import word

PID_FILES = {"iscsid": "/run/iscsid.pid", "multipathd": "/run/multipathd.pid"}
OWN = (systemctl.WATCH, systemctl.EVENT, systemctl.EVENT_PATH, systemctl.ONLINE, systemctl.ROUTES)
LINES = 20  # of a unit's journal: the last that its program said is among them


def services(read: Files, names: Iterable[str]) -> tuple[Service, ...]:
    return tuple(_service(read, name) for name in names)


def _service(read: Files, name: str) -> Service:
    unit = unitfile.read(read, name)
    if unit is None:
        return Service(name)
    said = unit.values("Service", "TimeoutStartSec") or unit.values("Service", "TimeoutSec")
    limit = unitfile.span(said[-1]) if said else None
    return Service(
        name,
        unit.path,
        tuple(Check(str(one), _holds(read, one), one.trigger) for one in unitfile.conditions(unit)),
        unit.words("Unit", "After"),
        unit.words("Unit", "Before"),
        unit.changed,
        limit or None,  # 0 is without an end, as is infinity
    )


def _holds(read: Files, one: unitfile.Condition) -> bool | None:
    """As the next boot finds it, as far as that can be told from here: sessions of now are none then."""
    path = one.value
    match one.kind:
        case "KernelCommandLine":
            words = (read.text("/proc/cmdline") or "").split()
            found = path in words or ("=" not in path and any(w.startswith(f"{path}=") for w in words))
        case "PathExists" | "PathIsDirectory":
            found = os.path.exists(read.root + path)
        case "DirectoryNotEmpty":
            found = bool(read.names(path)) and not path.startswith("/sys/class/iscsi_session")
        case "FileNotEmpty":
            found = bool(read.text(path))
        case _:
            return None
    return found != one.negate


def sockets(machine: Machine, host: Host) -> tuple[Unit, ...]:
    """Those whose service is not enabled."""
    off = [u.name for u in host.units if u.load == "loaded" and u.enabled not in ground.ENABLED]
    return systemctl.units(machine.run, [SOCKETS[name] for name in off if name in SOCKETS])


def failed(machine: Machine, host: Host) -> tuple[Failed, ...]:
    known = {u.name: u.active for u in host.units}
    there = machine.files.names("/etc/systemd/system")
    ours = [name for name in OWN if name in there and name not in known]
    known |= {u.name: u.active for u in systemctl.units(machine.run, ours)}
    names = [name for name, active in known.items() if active == "failed"]
    login = ground.login_unit(host)
    # An alias is said once, under the name that the host's login unit has.
    names = [n for n in names if n not in systemctl.LOGIN_UNITS or (login is not None and n == login.name)]
    return tuple(_failed(machine, end) for end in systemctl.ends(machine.run, names))


def _failed(machine: Machine, end: systemctl.End) -> Failed:
    try:
        # An earlier run of it may have said more than this one, which is not what it failed of.
        lines = journalctl.of_invocation(machine.run, end.invocation, LINES) if end.invocation else ""
    except MpioError:  # no journal: the failure is one all the same
        lines = ""
    return Failed(end.unit, end.result, end.code, journalctl.last_words(lines))


def daemons(read: Files) -> tuple[Daemon, ...]:
    """What iscsid and multipathd run, as the kernel has it; only root may look."""
    found = []
    for name, file in PID_FILES.items():
        pids = [word(read, file), *cgroup.pids(read, f"{name}.service")]
        exes = ((pid, read.target(f"/proc/{pid}/exe")) for pid in pids if pid.isdigit())
        for pid, exe in exes:
            path = exe.removesuffix(" (deleted)")
            if path.rpartition("/")[2] == name:
                found.append(Daemon(name, int(pid), path, exe != path))
                break
    return tuple(found)


def versions(machine: Machine, running: Iterable[Daemon]) -> dict[str, str]:
    """What both programs say of their version, where iscsid runs from another folder than iscsiadm's."""
    daemon = next((d for d in running if d.name == "iscsid" and not d.gone), None)
    read = machine.files
    client = next((p for p in iscsidb.PROGRAMS if os.path.exists(read.root + p)), "")
    if daemon is None or not client:
        return {}
    folder = os.path.dirname(os.path.realpath(read.root + client)).removeprefix(read.root)
    if os.path.dirname(daemon.exe) == folder:
        return {}
    said = {path: _version(machine, path) for path in (client, daemon.exe)}
    return said if all(said.values()) else {}


def _version(machine: Machine, path: str) -> str:
    """`iscsiadm version 2.1.8`: the last word."""
    try:
        said = machine.run(path, "--version", ok=None, timeout=2).out.split()
    except MpioError:
        return ""
    return said[-1] if said else ""


def startup_lacks(read: Files, command: str) -> str:
    """What of an `iscsid.startup` is not there; empty where all is."""
    try:
        words = shlex.split(command)
    except ValueError:
        return f"{command!r} is no command"
    folders = [""] if words and "/" in words[0] else ["/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"]
    if not words or not any(os.access(read.root + folder + words[0], os.X_OK) for folder in folders):
        return f"{words[0] if words else 'it'} is not there"
    if words[0].rpartition("/")[2] == "systemctl" and words[1:2] == ["start"]:
        units = [unit if "." in unit else f"{unit}.service" for unit in words[2:] if not unit.startswith("-")]
        found = [unitfile.read(read, unit) for unit in units]
        if units and all(one is None or one.path == unitfile.NOWHERE for one in found):
            return f"there is no unit {' or '.join(units)}"
    return ""
