"""Ifaces, node records and logins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mpio import topology
from mpio.findings import finding
from mpio.host import Answer, Host, Iface, Node, Pair
from mpio.plan.shape import Share
from mpio.plan.timeouts import settings_of_records
from mpio.site import Site, SiteIface
from mpio.step import Command, Note, Part, Step, Write
from mpio.tools import iscsiadm, iscsidb, iscsierr, systemctl
from mpio.topology import Pairs

SECRET = "node.session.auth.password"
CHAP_KEYS = (
    "node.session.auth.authmethod",
    "node.session.auth.username",
    SECRET,
    "node.session.auth.username_in",
    "node.session.auth.password_in",
)


def ifaces(site: Site, host: Host) -> Share:
    steps: list[Step] = []
    refused = []
    for wish in site.ifaces:
        have = next((i for i in host.ifaces if i.name == wish.name), None)
        if have is None:
            note = Note("iface", wish.name)
            why = f"there is no iface {wish.name}"
            steps.append(iscsiadm.iface_new(wish.name, why=why, notes=(note,)))
            steps.append(iscsiadm.iface_bind(wish.name, wish.nic, why=f"{wish.name} is to use {wish.nic}"))
        elif not have.hwaddress and have.nic == "":
            steps.append(iscsiadm.iface_bind(wish.name, wish.nic, why=f"{wish.name} is bound to no NIC"))
        elif have.hwaddress or have.nic != wish.nic:
            rebuilt = _rebuilt(host, have, wish)
            if rebuilt:
                steps.extend(rebuilt)
            else:
                bound = have.hwaddress or have.nic
                refused.append(finding("MP309", wish.name, f"bound to {bound}, the site says {wish.nic}"))
    return Share(tuple(steps), tuple(refused))


def _rebuilt(host: Host, have: Iface, wish: SiteIface) -> tuple[Step, ...]:
    """A binding is not updated but made anew: iscsiadm refuses the change of a MAC binding with exit 0 (facts 1.2).

    Deleting an iface deletes its records, so only one that mpio made and that no session uses is rebuilt.
    """
    used = any(s.pair.iface == have.name for s in host.sessions)
    foreign = any(not host.memory.has("record", str(n.pair)) for n in host.nodes if n.pair.iface == have.name)
    if used or foreign or not host.memory.has("iface", have.name):
        return ()
    why = f"{have.name} is bound to {have.hwaddress or have.nic}"
    return (
        iscsiadm.iface_delete(have.name, why=why),
        iscsiadm.iface_new(wish.name, why=f"{wish.name} was deleted", notes=(Note("iface", wish.name),)),
        iscsiadm.iface_bind(wish.name, wish.nic, why=f"{wish.name} is to use {wish.nic}"),
    )


def discovery(site: Site, host: Host) -> Share:
    """One step where the targets could not be asked for yet: no iscsid, or no iface to ask through.

    Carried out it stores nothing; the next look asks every portal the same way and the records follow one by one.
    """
    if host.asked or topology.known(site, host):
        return Share()
    if not may_ask(site, host):
        wrong = elsewhere(site, host)
        free = tuple(i.name for i in site.ifaces if i.name not in wrong)
        answer = {pair for pair, met in host.probes.items() if met is Answer.ANSWERED}
        portals = [p for p in site.portals if not topology.excludes(site, p)] or list(site.portals)
        portal = next((p for p in portals if any((name, p) in answer for name in free)), portals[0])
        others = f" (and at {len(portals) - 1} more)" if len(portals) > 1 else ""
        names = tuple(name for name in free if (name, portal) in answer) or free
        if not names:
            return Share()  # no step would ever let a look ask: the refusals say what is to be mended
        why = f"the targets at {portal}{others} are not known"
        ok = tuple(iscsierr.Code)
        return Share((iscsiadm.discover(portal, names, why=why, ok=ok),))
    return Share()


def may_ask(site: Site, host: Host) -> bool:
    """Can a look ask for targets without starting iscsid? Where it can and learns nothing, a step would not help."""
    unit = host.unit(systemctl.ISCSID)
    bound = {(i.name, i.nic) for i in host.ifaces}
    return unit is not None and unit.active == "active" and any((i.name, i.nic) in bound for i in site.ifaces)


def record_settings(site: Site, node: Node | None) -> dict[str, str]:
    """What of a record's settings differs from the site; all of them where there is no record yet."""
    wanted = {"node.startup": "automatic", **settings_of_records(site)}
    if node is None:
        return wanted
    return {key: value for key, value in wanted.items() if node.settings.get(key) != value}


def elsewhere(site: Site, host: Host) -> frozenset[str]:
    """The site's ifaces whose records bind them to something else: nothing is made or logged in over these."""
    nics = {i.name: i.nic for i in site.ifaces}
    return frozenset(i.name for i in host.ifaces if i.name in nics and (i.hwaddress or i.nic not in ("", nics[i.name])))


def records(site: Site, host: Host, pairs: Pairs) -> Share:
    steps: list[Step] = []
    wrong = elsewhere(site, host)
    for pair, tpgt in pairs.planned.items():
        if pair.iface in wrong:
            continue
        node = host.node_of(pair)
        differs = record_settings(site, node)
        if node is None:
            note = Note("record", str(pair))
            steps.append(iscsiadm.record_new(pair, tpgt, why=f"there is no record for {pair}", notes=(note,)))
            steps.append(iscsiadm.record_update(pair, differs, why="a new record has the defaults of iscsid.conf"))
        elif differs:
            said = ", ".join(f"{key} is {node.settings.get(key, 'not set')}" for key in differs)
            steps.append(replace(iscsiadm.record_update(pair, differs, why=said), notes=_adopted(host, node, differs)))
        if node is not None:
            # The update before it changes the same file, which this look has not seen: its keys are said again.
            steps.extend(_chap(host, node.path, {**differs, **_chap_of(host, node)}, f"the record of {pair}"))
    return Share(tuple(steps))


def _adopted(host: Host, node: Node, differs: Mapping[str, str]) -> tuple[Note, ...]:
    """The previous values in a record that somebody else made: teardown puts them back."""
    if host.memory.has("record", str(node.pair)):
        return ()
    return tuple(Note("key", f"{node.path} {key}", node.settings.get(key), value) for key, value in differs.items())


def _chap_of(host: Host, node: Node) -> dict[str, str | None]:
    """The CHAP keys that a record is to have; those that the site does not name go from records of mpio's own."""
    if not host.chap and not host.memory.has("record", str(node.pair)):
        return {}
    return {**dict.fromkeys(CHAP_KEYS), **host.chap} if host.chap or SECRET in node.settings else {}


def _chap(host: Host, path: str, settings: Mapping[str, str | None], whose: str) -> tuple[Step, ...]:
    """CHAP values go into the record file itself: iscsiadm takes secrets on its command line only (facts 1.8)."""
    text = host.files.get(path)
    if text is None or not any(".auth." in key for key in settings):
        return ()
    new = iscsidb.record_text_with(text, settings)
    if new == text:
        return ()
    return (Write(Part.DISCOVERY, f"{whose} has not the site's CHAP login", path, new, 0o600, text, secret=True),)


def discovery_records(site: Site, host: Host) -> Share:
    """Discovery CHAP lives in a discovery record, one a portal; without it none is made."""
    steps: list[Step] = []
    for portal in site.portals if host.discovery_chap else ():
        path = host.discovery_records[portal]
        if host.files.get(path) is None:
            note = Note("discovery", str(portal))
            why = f"there is no discovery record for {portal}, which is to hold the CHAP login"
            steps.append(replace(iscsiadm.discoverydb_new(portal, why=why), notes=(note,)))
        else:
            steps.extend(_chap(host, path, host.discovery_chap, f"the discovery record of {portal}"))
    return Share(tuple(steps))


def logins(site: Site, host: Host, pairs: Pairs) -> tuple[Command, ...]:
    """One login for each planned pair without a session. A silent pair is a finding, never a step.

    With CHAP a new record gets its secret in the round after it was made, and its login then.
    """
    silent: Mapping[Pair, Answer] = pairs.silent or {}
    wrong = elsewhere(site, host)
    return tuple(
        iscsiadm.login(pair, why=f"there is no session for {pair}")
        for pair in pairs.planned
        if pair not in silent
        and pair.iface not in wrong
        and host.session_of(pair) is None
        and not (host.chap and host.node_of(pair) is None)
    )
