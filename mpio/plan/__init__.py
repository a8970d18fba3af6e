"""From what a host is to what its site says: the steps, as data."""

from __future__ import annotations

from mpio import topology
from mpio.host import Host
from mpio.plan import ground, iscsi, leftovers, luns, maps, resting, routes, timeouts, timer
from mpio.plan.shape import Plan, Share
from mpio.site import Site
from mpio.step import Part

__all__ = ["Plan", "Share", "steps"]


def steps(site: Site, host: Host, forced: frozenset[str] = frozenset()) -> Plan:
    """Every step that this look at the host calls for, in working order. `forced` are the refusal codes let pass."""
    pairs = topology.pairs(site, host)
    shares = (
        ground.initiator(site, host, forced),
        ground.network(site, host, forced),
        routes.configured(site, host),
        leftovers.registered(site, host),
        maps.configured(site, host, forced),
        ground.services(host),
        iscsi.ifaces(site, host),
        timeouts.configured(site, host),
        timeouts.live(site, host, pairs),
        leftovers.sessions(site, host, pairs),
        iscsi.discovery_records(site, host),
        iscsi.records(site, host, pairs),
        maps.present(site, host, pairs),
        Share(refused=luns.strangers(host, forced)),
        resting.held(host),
        timer.configured(site, host),
        leftovers.discoveries(site, host),
        leftovers.ifaces(site, host),
        Share(iscsi.logins(site, host, pairs)),
    )
    discovery = iscsi.discovery(site, host)
    order = list(Part)
    found = sorted((s for share in (*shares, discovery) for s in share.steps), key=lambda s: order.index(s.part))
    refused = tuple(f for share in shares for f in share.refused)
    complete = bool(topology.known(site, host))
    if discovery.steps:
        found = [s for s in found if s.part is not Part.DISCOVERY] + list(discovery.steps)
    return Plan(tuple(found), complete, pairs, refused)
