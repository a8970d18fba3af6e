"""The evidence of `mpio doctor`, area by area, all at once."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mpio import diagnosis
from mpio.errors import MissingProgram, ProgramFailed, UnreadableOutput
from mpio.findings import Finding, finding
from mpio.host import Host
from mpio.machine import Machine
from mpio.observe import boots, conf, disks, logins, wires
from mpio.site import Site

_T = TypeVar("_T")


def look(machine: Machine, site: Site | None, host: Host) -> tuple[diagnosis.Seen, tuple[Finding, ...]]:
    """What each area asks of a host that has been looked at, and which could not: it does not silence the others."""
    asked = (machine, site, host)
    blind: list[Finding] = []
    with ThreadPoolExecutor(max_workers=5) as pool:
        of_boots, of_conf = pool.submit(boots.look, *asked), pool.submit(conf.look, *asked)
        of_disks, of_logins = pool.submit(disks.look, *asked), pool.submit(logins.look, *asked)
        of_wires = pool.submit(wires.look, *asked)
    none = diagnosis.Seen()
    seen = diagnosis.Seen(
        boots=_said(of_boots, none.boots, "the next boot", blind),
        conf=_said(of_conf, none.conf, "what the configuration files say", blind),
        disks=_said(of_disks, none.disks, "more of the disks", blind),
        logins=_said(of_logins, none.logins, "more of the logins", blind),
        wires=_said(of_wires, none.wires, "more of the network", blind),
    )
    return seen, tuple(blind)


def _said(area: Future[_T], nothing: _T, what: str, blind: list[Finding]) -> _T:
    try:
        return area.result()
    except (MissingProgram, ProgramFailed, UnreadableOutput) as error:
        blind.append(finding("MP141", what, error.message))
        return nothing


def without_sessions(machine: Machine, site: Site, host: Host) -> diagnosis.Seen:
    """What can be asked of a host before its first login: its wires, and its files."""
    return diagnosis.Seen(conf=conf.look(machine, site, host), wires=wires.look(machine, site, host))
