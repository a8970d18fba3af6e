"""What anybody may see of a host: the kernel, multipathd, the units, and files that are not root's alone."""

from __future__ import annotations

from dataclasses import replace

from mpio import observe
from mpio.errors import NotAllowed
from mpio.host import Host
from mpio.machine import Machine
from mpio.observe import Look, configured
from mpio.plan import ground
from mpio.site import Site
from mpio.tools import systemctl


def host(machine: Machine, site: Site) -> Host:
    """A glance, with what a plan for anybody goes by: `blind` names the rest. Only files that could be read are in
    `files`, as None where they are not there.
    """
    seen = observe.host(machine, site, Look.STATUS)
    units = systemctl.units(machine.run, (systemctl.ISCSID, *systemctl.LOGIN_UNITS, systemctl.MULTIPATHD))
    files: dict[str, str | None] = {}
    blind = [*seen.blind]
    for path in ground.FILES:
        try:
            files[path] = machine.files.text(path)
        except NotAllowed:
            blind.append(path)
    return replace(
        seen,
        units=units,
        files=files,
        needs_multipath_conf=configured.needs_conf(machine.files),
        blind=tuple(blind),
    )
