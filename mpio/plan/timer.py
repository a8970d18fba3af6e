"""The timer that brings back what is offline for a time, also after a reboot or where the machine was off by then.

Units in /etc are there again at boot, which transient ones are not. At boot the service looks too: the time may have
come while the machine was off, or a first try may not have succeeded before it went down, which `Persistent` forgets.
"""

from __future__ import annotations

import datetime

from mpio.host import Host, Unit
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

[Install]
WantedBy=multi-user.target
"""


def render(moments: tuple[str, ...]) -> str:
    """A minute after each moment too: it may have passed before the timer was there."""
    each = [m for one in map(_in_utc, moments) for m in (one, one + datetime.timedelta(minutes=1))]
    return UNIT.format(calendar="".join(f"OnCalendar={m:%Y-%m-%d %H:%M:%S} UTC\n" for m in each))


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
    text, before = render(moments), host.files.get(TIMER)
    steps: list[Step] = []
    if host.files.get(SERVICE) is None:
        runs = service(host.program, site.path)
        steps.append(Write(Part.SERVICES, why, SERVICE, runs, 0o644, host.files.get(SERVICE)))
    if before != text:
        steps.append(Write(Part.SERVICES, why, TIMER, text, 0o644, before))
    if steps:
        steps.append(Command(Part.SERVICES, why, systemctl.reload_files()))
    clock = host.unit(systemctl.ONLINE_TIMER)
    if not _enabled(host.unit(systemctl.ONLINE)):
        steps.append(Command(Part.SERVICES, why, systemctl.enable(systemctl.ONLINE)))
    if not _enabled(clock):
        steps.append(Command(Part.SERVICES, why, systemctl.enable(systemctl.ONLINE_TIMER, now=True)))
    elif clock and (clock.active != "active" or before != text):
        steps.append(Command(Part.SERVICES, why, systemctl.restart(systemctl.ONLINE_TIMER)))
    return Share(tuple(steps))


def _enabled(unit: Unit | None) -> bool:
    return unit is not None and unit.enabled in ground.ENABLED


def taken_back(host: Host, why: str) -> tuple[Step, ...]:
    there = [path for path in (TIMER, SERVICE) if host.files.get(path) is not None]
    if not there:
        return ()
    steps: list[Step] = []
    if TIMER in there:
        steps.append(Command(Part.SERVICES, why, systemctl.disable(systemctl.ONLINE_TIMER, now=True)))
    if SERVICE in there:  # which may be what runs now
        steps.append(Command(Part.SERVICES, why, systemctl.disable(systemctl.ONLINE)))
    steps += [Write(Part.SERVICES, why, path, None, None, host.files.get(path)) for path in there]
    return (*steps, Command(Part.SERVICES, f"{systemctl.ONLINE_TIMER} is gone", systemctl.reload_files()))
