"""The timer that brings back what is offline for a time, also after a reboot or where the machine was off by then.

A unit in /etc is there again at boot, which a transient one is not; `Persistent` makes up for what was missed.
"""

from __future__ import annotations

import datetime

from mpio.host import Host
from mpio.plan import ground
from mpio.plan.shape import Share
from mpio.site import Site
from mpio.step import Command, Part, Step, Write
from mpio.tools import systemctl

TIMER = f"/etc/systemd/system/{systemctl.ONLINE_TIMER}"
SERVICE = f"/etc/systemd/system/{systemctl.ONLINE}"
UNIT = """\
# Written by mpio for `offline --for`; `mpio online` removes it.
[Unit]
Description=When what is offline for a time comes back (mpio)

[Timer]
{calendar}AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
"""
# Tried again until all is back: another mpio may be at work, the other end may still be down.
RUNS = """\
# Written by mpio for `offline --for`; `mpio online` removes it.
[Unit]
Description=Bring back what was offline for a time (mpio)
Wants=network-online.target
After=network-online.target {before}

[Service]
ExecStart={start}
Restart=on-failure
RestartSec=60
"""


def render(moments: tuple[str, ...]) -> str:
    return UNIT.format(calendar="".join(f"OnCalendar={_in_utc(m):%Y-%m-%d %H:%M:%S} UTC\n" for m in moments))


def _in_utc(moment: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)


def service(program: tuple[str, ...], site: str) -> str:
    argv = (*program, "online", "--due", "--yes", "--site", site)
    before = (systemctl.ISCSID, *systemctl.LOGIN_UNITS, systemctl.MULTIPATHD)
    return RUNS.format(before=" ".join(before), start=systemctl.exec_line(argv))


def configured(site: Site, host: Host) -> Share:
    """The units as what is remembered wants them. The service's own words are not compared: another installation of
    mpio, which monitoring may run, would do as well.
    """
    # What is over waits for the timer that is there; a new one would never be due for it.
    due = host.memory.offline if host.files.get(TIMER) is not None else host.offline
    moments = tuple(sorted({one.until for one in due if one.until}, key=_in_utc))
    if not moments:
        return Share(taken_back(host, "nothing is offline for a time"))
    why = f"what is offline is to come back: {', '.join(moments)}"
    text, before, unit = render(moments), host.files.get(TIMER), host.unit(systemctl.ONLINE_TIMER)
    steps: list[Step] = []
    if host.files.get(SERVICE) is None:
        runs = service(host.program, site.path)
        steps.append(Write(Part.SERVICES, why, SERVICE, runs, 0o644, host.files.get(SERVICE)))
    if before != text:
        steps.append(Write(Part.SERVICES, why, TIMER, text, 0o644, before))
    if steps:
        steps.append(Command(Part.SERVICES, why, systemctl.reload_files()))
    if unit is None or unit.enabled not in ground.ENABLED:
        steps.append(Command(Part.SERVICES, why, systemctl.enable(systemctl.ONLINE_TIMER, now=True)))
    elif steps or unit.active != "active":
        steps.append(Command(Part.SERVICES, why, systemctl.restart(systemctl.ONLINE_TIMER)))
    return Share(tuple(steps))


def taken_back(host: Host, why: str) -> tuple[Step, ...]:
    there = [path for path in (TIMER, SERVICE, systemctl.ONLINE_STAMP) if host.files.get(path) is not None]
    if not there:
        return ()
    steps: list[Step] = []
    if TIMER in there:
        steps.append(Command(Part.SERVICES, why, systemctl.disable(systemctl.ONLINE_TIMER, now=True)))
    steps += [Write(Part.SERVICES, why, path, None, None, host.files.get(path)) for path in there]
    return (*steps, Command(Part.SERVICES, f"{systemctl.ONLINE_TIMER} is gone", systemctl.reload_files()))
