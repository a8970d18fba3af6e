"""What the SAN answers: probes through each NIC, targets by nonpersistent discovery, full-size packets."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from mpio import hearsay, probe, topology
from mpio.host import Answer, Asked, Host, Portal
from mpio.machine import Machine
from mpio.plan import iscsi
from mpio.site import Site
from mpio.tools import iscsiadm, iscsierr, ping

RETRY_WITHIN = 8.0  # seconds


def look(machine: Machine, site: Site, seen: Host, ask: bool) -> Host:
    """Probe the pairs without a session, then ask the portals that answer for their targets, then probe what they
    named.
    """
    probes = dict(probe.portals(topology.probe_wanted(site, seen)))
    seen = replace(seen, probes=probes)
    free = seen.root and not seen.stale_lock  # each question would wait for that
    if (free and iscsi.may_ask(site, seen)) and (ask or not topology.known(site, seen)):
        seen = replace(seen, asked=_asked(machine, site, seen))
        more = [w for w in topology.probe_wanted(site, seen) if (w[0], w[2]) not in probes]
        if more:
            seen = replace(seen, probes={**probes, **probe.portals(more)})
    if site.mtu is not None and ask:
        seen = replace(seen, black_holes=_black_holes(machine, site, seen))
    return seen


def _asked(machine: Machine, site: Site, seen: Host) -> tuple[Asked, ...]:
    bound = {(i.name, i.nic) for i in seen.ifaces}
    alive = {(s.pair.iface, s.pair.portal) for s in seen.sessions if s.logged_in}
    deaf = {asked.portal: asked for asked in seen.asked}

    def ask(portal: Portal) -> Asked | None:
        if portal in deaf:
            return deaf[portal]
        through = [
            i.name
            for i in site.ifaces
            if (i.name, i.nic) in bound
            and (seen.probes.get((i.name, portal)) is Answer.ANSWERED or (i.name, portal) in alive)
        ]
        if not through or not iscsi.may_ask_at(seen, portal):
            return None
        return one(machine, portal, through, stored=bool(seen.discovery_chap))

    # One after another: every discovery session of a host has the same ISID (open-iscsi, usr/discovery.c), so a target
    # that serves several portals may take a second one for the first come again, and end that (RFC 7143, 6.3.5).
    portals = [p for p in site.portals if not hearsay.excludes(site, p)]
    return tuple(asked for asked in map(ask, portals) if asked is not None)


def one(machine: Machine, portal: Portal, through: Sequence[str], *, stored: bool) -> Asked:
    """Ask one portal for its targets."""
    begin = time.monotonic()
    asked = iscsiadm.discovery(machine.run, portal, through, stored=stored)
    # A target that serves a login at this moment may let a second one wait past its time: once more is no harm.
    if asked.code in iscsierr.RETRYABLE and time.monotonic() - begin < RETRY_WITHIN:
        asked = iscsiadm.discovery(machine.run, portal, through, stored=stored)
    return replace(asked, seconds=time.monotonic() - begin)


def _black_holes(machine: Machine, site: Site, seen: Host) -> tuple[tuple[str, Portal, int], ...]:
    assert site.mtu is not None
    nics = {i.name: i.nic for i in site.ifaces}
    pairs = {pair for pair, answer in seen.probes.items() if answer is Answer.ANSWERED}
    pairs |= {(s.pair.iface, s.pair.portal) for s in seen.sessions if s.logged_in and s.pair.iface in nics}
    found = []
    for iface, portal in sorted(pairs):
        nic = seen.nic(nics[iface])
        if (
            nic is not None
            and nic.mtu >= site.mtu
            and not ping.whole(machine.run, nics[iface], portal.address, site.mtu)
        ):
            found.append((iface, portal, site.mtu))
    return tuple(found)
