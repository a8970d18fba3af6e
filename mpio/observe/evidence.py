"""The evidence of `mpio doctor`, area by area, all at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from mpio import diagnosis
from mpio.host import Host
from mpio.machine import Machine
from mpio.observe import boots, conf, disks, logins, wires
from mpio.site import Site


def look(machine: Machine, site: Site | None, host: Host) -> diagnosis.Seen:
    """What each area asks of a host that has been looked at."""
    asked = (machine, site, host)
    with ThreadPoolExecutor(max_workers=5) as pool:
        of_boots, of_conf = pool.submit(boots.look, *asked), pool.submit(conf.look, *asked)
        of_disks, of_logins = pool.submit(disks.look, *asked), pool.submit(logins.look, *asked)
        of_wires = pool.submit(wires.look, *asked)
    return diagnosis.Seen(of_boots.result(), of_conf.result(), of_disks.result(), of_logins.result(), of_wires.result())


def without_sessions(machine: Machine, site: Site, host: Host) -> diagnosis.Seen:
    """What can be asked of a host before its first login: its wires, and its files."""
    return diagnosis.Seen(conf=conf.look(machine, site, host), wires=wires.look(machine, site, host))
