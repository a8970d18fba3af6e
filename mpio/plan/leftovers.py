"""What mpio made and the site no longer names: taken away again, guarded as `logout` is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mpio import guard, hearsay, topology
from mpio.findings import Finding, finding
from mpio.host import Host, Node, Session
from mpio.plan import iscsi
from mpio.plan.shape import Share
from mpio.site import Site
from mpio.step import Part, Step
from mpio.tools import iscsiadm, multipath
from mpio.topology import Pairs


def unwanted(site: Site, host: Host, pairs: Pairs) -> tuple[Node, ...]:
    """The records that mpio made and the site's own words (not the network's state) no longer want."""
    ours = [n for n in host.nodes if host.memory.has("record", str(n.pair)) and n.pair not in pairs.planned]
    return tuple(n for n in ours if _dropped(site, host, n))


def _dropped(site: Site, host: Host, node: Node) -> bool:
    iface = next((i for i in site.ifaces if i.name == node.pair.iface), None)
    if iface is None or not hearsay.wants_target(site, node.pair.target) or hearsay.excludes(site, node.pair.portal):
        return True
    nic = host.nic(iface.nic)
    if site.layout != "subnet" or nic is None or not nic.speaks(node.pair.portal):
        return False  # without an address the NIC is in no subnet at all: that says nothing of the layout
    return not nic.on_link(node.pair.portal)


def sessions(site: Site, host: Host, pairs: Pairs) -> Share:
    steps: list[Step] = []
    refused: list[Finding] = []
    gone = unwanted(site, host, pairs)
    ending = [s for n in gone if (s := host.session_of(n.pair))]
    against = (*guard.against_logout(host, ending), *_last_paths(site, host, ending))
    for node in gone:
        session = host.session_of(node.pair)
        if session is not None and against:
            said = (f"{f.summary}: {f.detail}" if f.detail else f.summary for f in against)
            refused.append(finding("MP310", str(node.pair), "; ".join(said)))
            continue
        why = f"the site no longer names {node.pair}"
        if session is not None:
            steps.append(replace(iscsiadm.logout(node.pair, why=why), part=Part.DISCOVERY))
        steps += iscsi.deleted(node, why)
    return Share(tuple(steps), tuple(refused))


def _last_paths(site: Site, host: Host, ending: list[Session]) -> Iterator[Finding]:
    """A closed map of the site's own LUNs that works now and would not work afterwards."""
    alive = {p.dm for p in host.paths if topology.usable(host, p)}
    wanted = {lun.wwid for lun in site.luns}
    for mapped in guard.last_paths(host, ending):
        if mapped.dm in alive and mapped.wwid in wanted and not guard.in_use(host, mapped):
            yield finding("MP409", mapped.name)


def ifaces(site: Site, host: Host) -> Share:
    """Ifaces of ours that the site dropped, once no session uses them; their records are ours too or they stay."""
    wanted = {i.name for i in site.ifaces}
    steps: list[Step] = []
    for iface in host.ifaces:
        if iface.name in wanted or not host.memory.has("iface", iface.name):
            continue
        users = {s.pair.iface for s in host.sessions} | {n.pair.iface for n in host.nodes}
        if iface.name not in users | {name for name, _ in host.unread}:
            steps.append(iscsiadm.iface_delete(iface.name, why=f"the site no longer names {iface.name}"))
    return Share(tuple(steps))


def discoveries(site: Site, host: Host) -> Share:
    """Discovery records that mpio made for a CHAP login that the site no longer has."""
    steps: list[Step] = []
    for portal, path in host.discovery_records.items():
        wanted = site.discovery_chap and portal in site.portals and not hearsay.excludes(site, portal)
        if wanted or host.files.get(path) is None or not host.memory.has("discovery", str(portal)):
            continue
        # Somebody has since discovered through it: their node records would go with it.
        if portal in host.discovered_through:
            steps.extend(iscsi.without_login(host, (portal,)))
        else:
            steps.append(iscsiadm.discoverydb_delete(portal, why=f"the site asks {portal} without CHAP"))
    return Share(tuple(steps))


def registered(site: Site, host: Host) -> Share:
    """WWIDs that mpio registered for LUNs that left the site. Under strict their closed maps go too: nothing would make
    them again. Anywhere else multipathd would, and register them itself.
    """
    defaults = host.effective.installed.get("", {}) if host.effective else {}
    if defaults.get("find_multipaths") != "strict":
        return Share()
    named = {lun.wwid for lun in site.luns}
    steps: list[Step] = []
    for wwid in host.memory.names("wwid"):
        mapped = next((m for m in host.maps if m.wwid == wwid), None)
        if wwid in named or wwid not in host.registered or (mapped and guard.in_use(host, mapped)):
            continue
        why = f"the site no longer names {wwid}"
        if mapped:
            steps.append(multipath.flush(mapped.name, why=why))
        steps.append(multipath.forget(wwid, why=why))
    return Share(tuple(steps))
