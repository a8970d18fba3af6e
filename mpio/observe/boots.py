"""Services and the next boot: files first, programs only where a file gives a sign."""

from __future__ import annotations

from mpio import probe
from mpio.diagnosis import boots_records
from mpio.diagnosis.boots_seen import Boots
from mpio.host import Answer, Host, Portal
from mpio.machine import Machine
from mpio.observe import boots_files, boots_ground, boots_units
from mpio.plan import ground
from mpio.site import Site
from mpio.tools import systemctl

MOST = 64  # probes: of more records than these that have no session, the first tell what is wrong


def look(machine: Machine, site: Site | None, host: Host) -> Boots:
    """All that is looked at on a healthy host is files: no program runs."""
    read = machine.files
    login = ground.login_unit(host)
    names = (systemctl.ISCSID, *((login.name,) if login else ()), systemctl.MULTIPATHD)
    present = boots_ground.present(read)
    return Boots(
        services=boots_units.services(read, names),
        sockets=boots_units.sockets(machine, host),
        failed=boots_units.failed(machine, host),
        daemons=(daemons := boots_units.daemons(read)),
        versions=boots_units.versions(machine, daemons),
        bans=boots_ground.bans(read),
        kernel=boots_ground.lost_modules(read),
        startup=boots_ground.startup(read, host),
        strict_name=boots_ground.strict_name(read),
        made=boots_ground.made(read),
        places=boots_files.places(read, site, host),
        patience=boots_files.patience(read),
        probes=_probes(host, present),
        present=present,
        nics=boots_ground.nics(read, site, host),
        waiters=boots_ground.waiters(read),
        image=boots_files.image(machine, host),
    )


def _probes(host: Host, present: dict[str, str]) -> dict[tuple[str, Portal], Answer]:
    """Of records that log in at boot, have no session, and were not probed by the look."""
    asked: dict[tuple[str, Portal], str] = {}
    for node in boots_records.at_boot(host):
        key = (node.pair.iface, node.pair.portal)
        nic = node.settings.get("iface.net_ifacename", "")
        session = host.session_of(node.pair)
        if (session is None or not session.logged_in) and key not in host.probes and nic in present:
            asked[key] = nic
    wanted = [(iface, nic, portal) for (iface, portal), nic in sorted(asked.items())]
    return probe.portals(wanted[:MOST]) if wanted else {}
