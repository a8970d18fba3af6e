"""Portals asked by hand: whoever is named, through the ifaces that are there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mpio import discovery, probe, topology
from mpio.host import Answer, Host, Portal
from mpio.machine import Machine
from mpio.observe import san
from mpio.site import Site
from mpio.tools import iscsidb, keyfile


def look(machine: Machine, site: Site, seen: Host, wanted: Iterable[Portal]) -> Host:
    """Probe each portal through each NIC, ask those that answer, then probe what they named.

    One after another, as `observe.san` does and for its reason. A portal's discovery record is used where it holds a
    CHAP login; nothing is stored in either case. A portal of the site whose record lacks the site's login is not asked.
    """
    ifaces = discovery.through(site, seen)
    portals = tuple(wanted)
    probes = dict(probe.portals((i.name, i.nic, p) for p in portals for i in ifaces))
    asked = []
    for portal in portals:
        names = [i.name for i in ifaces if probes[(i.name, portal)] is Answer.ANSWERED]
        if names and discovery.has_login(site, seen, portal):
            asked.append(san.one(machine, portal, names, stored=_has_login(machine, portal)))
    seen = replace(seen, asked=tuple(asked), probes=probes)
    more = [w for w in topology.probe_wanted(site, seen) if (w[0], w[2]) not in probes]
    return replace(seen, probes={**probes, **probe.portals(more)})


def _has_login(machine: Machine, portal: Portal) -> bool:
    text = machine.files.text(iscsidb.discovery_record(machine.files, portal))
    return bool(keyfile.values(text or "").get("discovery.sendtargets.auth.username"))
