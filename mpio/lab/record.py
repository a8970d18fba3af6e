"""Recordings of every question that mpio asks of programs, in a guest in several states: what unit tests replay.

A generated shell script makes them, so the guest needs no Python.
"""

from __future__ import annotations

import base64
import io
import json
import shlex
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mpio import recording, sitefile
from mpio.errors import ProgramFailed
from mpio.files import Files
from mpio.lab import guest, image, packages, process, san, session
from mpio.lab.process import Say
from mpio.program import Done, Run
from mpio.site import Site
from mpio.tools import dd, dmsetup, ip, iscsiadm, multipath, multipathd, ping, systemctl

Ask = Callable[[Run], object]

KEEP = (guest.INSIDE / "keep.sh").read_text()
UNITS = (systemctl.ISCSID, *systemctl.LOGIN_UNITS, systemctl.MULTIPATHD)
# What is long, or has nothing to do with the state of sessions and paths: recorded once.
ONCE = ("dd", "ip-route", "iscsiadm-version", "multipath-", "multipathd-config", "ping")


@dataclass(frozen=True, slots=True)
class Call:
    """A program's call, as a tool would make it."""

    argv: tuple[str, ...]
    stdin: bytes


class _Noted(Exception):
    pass


def call(ask: Ask) -> Call:
    """What a tool's question runs; it gets no answer."""
    noted: list[Call] = []

    def run(*argv: str, stdin: bytes = b"", **_: object) -> Done:
        noted.append(Call(argv, stdin))
        raise _Noted

    try:
        ask(run)
    except _Noted:
        return noted[0]
    raise ValueError(f"{ask} runs nothing")


def asks(site: Site) -> dict[str, Ask]:
    """Every question of the tools, by the name of its recording."""
    through = [iface.name for iface in site.ifaces]
    found: dict[str, Ask] = {
        "dd-sda": partial(dd.reads, dev="sda"),
        "dmsetup-info": dmsetup.info,
        "dmsetup-status": dmsetup.path_status,
        "ip-addr": ip.addresses,
        "iscsiadm-iface": iscsiadm.ifaces,
        "iscsiadm-session": iscsiadm.sessions,
        "iscsiadm-session-P3": iscsiadm.session_details,
        "iscsiadm-version": iscsiadm.version,
        "multipath-keywords": multipath.known,
        "multipath-t": multipath.installed,
        "multipathd-config": multipathd.config,
        "multipathd-daemon": multipathd.daemon,
        "multipathd-maps": multipathd.maps,
        "systemctl-multipathd": partial(systemctl.units, names=(systemctl.MULTIPATHD,)),
        "systemctl-units": partial(systemctl.units, names=UNITS),
    }
    if site.luns:
        # by its alias: 0.9.4 knows no map by its WWID
        found["multipathd-map"] = partial(multipathd.map_named, name=site.luns[0].alias or site.luns[0].wwid)
    for portal in site.portals:
        found[f"iscsiadm-discovery-{portal.address}"] = partial(iscsiadm.discovery, portal=portal, ifaces=through)
        for iface in site.ifaces:
            end = f"{iface.nic}-{portal.address}"
            found[f"ip-route-{end}"] = partial(ip.route, address=portal.address, nic=iface.nic)
            found[f"ping-{end}"] = partial(ping.whole, nic=iface.nic, address=portal.address, mtu=site.mtu or 1500)
    return found


def script(calls: Mapping[str, Call], folder: str) -> str:
    """A POSIX sh script that makes the calls and leaves a recording of each in `folder`."""
    lines = [KEEP, f"mkdir -p {shlex.quote(folder)} && cd {shlex.quote(folder)} || exit"]
    for name, one in calls.items():
        argv = json.dumps(recording.mask_argv(one.argv))
        keep = f"keep {shlex.quote(name)} {shlex.quote(argv)} {shlex.join(one.argv)}"
        if one.stdin:
            lines.append(f"base64 -d >\"$work/in\" <<'E'\n{base64.encodebytes(one.stdin).decode()}E")
            lines.append(f'{keep} <"$work/in"')
        else:
            lines.append(f"{keep} </dev/null")
    return "\n".join(lines) + "\n"


# -- the states

TARGETS = tuple(target.name for target in san.GUIDE.targets)
LAST = san.GUIDE.luns[-1].number


@dataclass(frozen=True, slots=True)
class State:
    """How a host that was set up comes into it; `over` is a condition to wait for."""

    name: str
    prepare: str
    over: str = "true"


STATES = (
    State("sane", "true"),
    State(
        "failed-path",
        "multipathd fail path \"$(multipathd show paths raw format '%d' | sort | head -n 1)\"",
        "dmsetup status --target multipath | grep -q ' F '",
    ),
    State(
        "failed-session",
        f"lab-san fault target-off {TARGETS[1]}",
        # eight of sixteen paths, as soon as their sessions' time is up
        "[ \"$(dmsetup status --target multipath | grep -o ' F ' | wc -l)\" -eq 8 ]",
    ),
    State("no-daemon", "systemctl stop multipathd.socket multipathd.service"),
    State(
        "lost-lun",
        f"lab-san fault unmap {TARGETS[0]} {LAST}; lab-san fault unmap {TARGETS[1]} {LAST}",
        "[ \"$(dmsetup status --target multipath | grep -o ' F ' | wc -l)\" -eq 4 ]",
    ),
    State(
        "all-down",
        "".join(f"lab-san fault target-off {target};" for target in TARGETS),
        "[ \"$(dmsetup status --target multipath | grep -o ' F ' | wc -l)\" -eq 16 ]",
    ),
)
WAIT = 'end=$(($(date +%s) + 180)); until eval "$1"; do [ "$(date +%s)" -lt "$end" ] || exit 9; sleep 1; done'
UP = "[ \"$(dmsetup status --target multipath | grep -o ' A ' | wc -l)\" -ge 16 ]"
VERSIONS = "dpkg-query -W -f '${Package} ${Version}, ' multipath-tools open-iscsi iproute2 dmsetup systemd; uname -r"


def plain(site: Site) -> str:
    """The guide's set-up with nothing but the programs themselves, for guests that cannot run mpio."""
    lines = ["set -e", "systemctl start iscsid"]
    for iface in site.ifaces:
        lines.append(f"echo 2 >/proc/sys/net/ipv4/conf/{iface.nic}/rp_filter")
        lines.append(f"iscsiadm -m iface -I {iface.name} -o new")
        lines.append(f"iscsiadm -m iface -I {iface.name} -o update -n iface.net_ifacename -v {iface.nic}")
    through = " ".join(f"-I {iface.name}" for iface in site.ifaces)
    lines += [f"iscsiadm -m discovery -t sendtargets -p {portal} {through}" for portal in site.portals]
    entries = "".join(f" multipath {{\n  wwid {lun.wwid}\n  alias {lun.alias or lun.wwid}\n }}\n" for lun in site.luns)
    lines.append(
        f"mkdir -p /etc/multipath/conf.d; cat >/etc/multipath/conf.d/lab.conf <<E\nmultipaths {{\n{entries}}}\nE"
    )
    lines += [f"multipath -a {lun.wwid}" for lun in site.luns]
    lines += ["multipathd reconfigure", "iscsiadm -m node --login", "udevadm settle"]
    return "\n".join(lines)


def record(folder: Path, suite: str = image.DEFAULT, say: Say = process.quiet) -> int:
    """Every question in every state, a folder a state; returns how many recordings there are."""
    site = sitefile.load(str(session.SITE), owner=session.SITE.stat().st_uid)
    calls = {name: call(ask) for name, ask in asks(site).items()}
    often = {name: one for name, one in calls.items() if not name.startswith(ONCE)}
    count = 0
    with guest.Guest(suite=suite, say=say) as host:
        facts = {"distribution": suite, "version": host.check("sh", "-c", VERSIONS)}
        count += keep(host, often, folder / "none", facts)
        _set_up(host, site, suite)
        _until(host, UP)
        host.checkpoint("sane")
        for state in STATES:
            say(state.name)
            host.restore("sane")
            host.check("sh", "-c", state.prepare)
            _until(host, state.over)
            count += keep(host, calls if state is STATES[0] else often, folder / state.name, facts)
    return count


def _set_up(host: guest.Guest, site: Site, suite: str) -> None:
    if packages.requirements(image.suite(suite).python):
        host.push_project()
        host.put("/etc/mpio/site.toml", session.SITE.read_bytes())
        host.check("mpio", "apply", "--yes", timeout=300)
    else:
        host.check("sh", "-c", plain(site), timeout=180)


def _until(host: guest.Remote, over: str) -> None:
    host.check("sh", "-c", WAIT, "sh", over, timeout=200)


def keep(host: guest.Remote, calls: Mapping[str, Call], folder: Path, facts: Mapping[str, str]) -> int:
    """Run the script in a guest and fetch what it left, in the words of `recording.dump`."""
    inside = "/run/mpio-lab/recordings"
    host.put(f"{inside}.sh", script(calls, inside).encode())
    host.check("sh", f"{inside}.sh", timeout=60 * len(calls))
    code, packed, _ = host.channel.exchange(("tar", "-C", inside, "-c", "."))
    if code:
        raise ProgramFailed(f"the recordings cannot be fetched from the guest: tar ended with {code}")
    host.check("rm", "-r", inside, f"{inside}.sh")
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for name in calls:
            member = archive.extractfile(f"./{name}")
            if member is None:
                raise ProgramFailed(f"the guest has no recording of {name}")
            done = recording.load(member.read().decode("utf-8", "backslashreplace"))
            text = recording.dump(done, **facts)
            Files().write(str(folder / name), text, 0o644, durable=False)
    return len(calls)
