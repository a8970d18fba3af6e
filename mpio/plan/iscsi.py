"""Ifaces, node records and logins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mpio import hearsay, topology
from mpio.findings import finding
from mpio.host import Answer, Host, Iface, Node, Pair, Portal
from mpio.plan.shape import ISCSID_CONF, Share
from mpio.plan.timeouts import settings_of_records
from mpio.site import Site, SiteIface
from mpio.step import Command, Note, Part, Step, Write
from mpio.tools import iscsiadm, iscsidb, iscsierr, keyfile, systemctl
from mpio.topology import Pairs

SECRET = "node.session.auth.password"
CHAP_KEYS = (
    "node.session.auth.authmethod",
    "node.session.auth.username",
    SECRET,
    "node.session.auth.username_in",
    "node.session.auth.password_in",
)
DISCOVERY_CHAP_KEYS = tuple(key.replace("node.session", "discovery.sendtargets") for key in CHAP_KEYS)


def ifaces(site: Site, host: Host) -> Share:
    steps: list[Step] = []
    refused = []
    for wish in site.ifaces:
        have = next((i for i in host.ifaces if i.name == wish.name), None)
        if have is None or have.torn:
            note = Note("iface", wish.name)
            why = f"the iface {wish.name} is torn" if have else f"there is no iface {wish.name}"
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
    foreign = foreign or any(iface == have.name for iface, _ in host.unread)
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
        portals = [p for p in site.portals if not hearsay.excludes(site, p)] or list(site.portals)
        portal = next((p for p in portals if any((name, p) in answer for name in free)), portals[0])
        others = f" (and at {len(portals) - 1} more)" if len(portals) > 1 else ""
        names = tuple(name for name in free if (name, portal) in answer) or free
        if not names:
            return Share()  # no step would ever let a look ask: the refusals say what is to be mended
        if site.discovery_chap and not may_ask_at(host, portal):
            return Share()  # its record comes first: an array may lock out who asks with another login
        why = f"the targets at {portal}{others} are not known"
        ask = iscsiadm.discoverydb_discover if site.discovery_chap else iscsiadm.discover
        return Share((ask(portal, names, why=why, ok=tuple(iscsierr.Code)),))
    return Share()


def may_ask(site: Site, host: Host) -> bool:
    """Can a look ask for targets without starting iscsid? Where it can and learns nothing, a step would not help."""
    unit = host.unit(systemctl.ISCSID)
    bound = {(i.name, i.nic) for i in host.ifaces}
    return unit is not None and unit.active == "active" and any((i.name, i.nic) in bound for i in site.ifaces)


def may_ask_at(host: Host, portal: Portal) -> bool:
    """Without discovery CHAP always; with it once the portal's discovery record has the site's login."""
    if portal not in host.discovery_records:
        return not host.discovery_chap
    text = host.files.get(host.discovery_records[portal])
    return not host.discovery_chap or (
        text is not None
        and not iscsidb.is_torn(text)
        and iscsidb.record_text_with(text, _discovery_login(host)) == text
    )


def record_settings(site: Site, node: Node | None, *, offline: bool = False) -> dict[str, str]:
    """What of a record's settings differs from the site; all of them where there is no record yet.

    What is offline by hand is not logged in at boot.
    """
    wanted = {"node.startup": "manual" if offline else "automatic", **settings_of_records(site)}
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
        if node is not None and node.torn:
            steps.append(mended(node))
            node = None
        differs = record_settings(site, node, offline=host.is_offline(pair))
        if node is None:
            note = Note("record", str(pair))
            steps.append(iscsiadm.record_new(pair, tpgt, why=f"there is no record for {pair}", notes=(note,)))
            steps.append(iscsiadm.record_update(pair, differs, why="a new record has the defaults of iscsid.conf"))
        elif differs:
            said = ", ".join(f"{key} is {node.settings.get(key, 'not set')}" for key in differs)
            steps.append(replace(iscsiadm.record_update(pair, differs, why=said), notes=_adopted(host, node, differs)))
        if node is not None:
            # The update before it changes the same file, which this look has not seen: its keys are said again.
            ours = host.memory.has("record", str(pair))
            settings = {**differs, **_chap_of(site, host, node)}
            steps.extend(_chap(host, node.path, settings, f"the record of {pair}", ours=ours))
    return Share(tuple(steps))


def mended(node: Node) -> Write:
    """A torn record becomes one that iscsiadm can make anew, or delete."""
    why = f"the record of {node.pair} was written in part: an iscsiadm died over it"
    return Write(Part.DISCOVERY, why, node.path, iscsidb.seed(node.pair, node.tpgt), 0o600, torn=node.pair)


def deleted(node: Node, why: str) -> tuple[Step, ...]:
    return (*((mended(node),) if node.torn else ()), iscsiadm.record_delete(node.pair, why=why))


def _adopted(host: Host, node: Node, differs: Mapping[str, str]) -> tuple[Note, ...]:
    """The previous values in a record that somebody else made: teardown puts them back."""
    if host.memory.has("record", str(node.pair)):
        return ()
    return tuple(Note("key", f"{node.path} {key}", node.settings.get(key), value) for key, value in differs.items())


def _chap_of(site: Site, host: Host, node: Node) -> dict[str, str | None]:
    """The CHAP keys that a record is to have. Where the site names none, records of mpio's own have iscsid.conf's, as
    a new record would: who keeps the login there is not to lose it.
    """
    if site.chap:
        return {**dict.fromkeys(CHAP_KEYS), **host.chap} if host.chap else {}
    if SECRET not in node.settings or not host.memory.has("record", str(node.pair)):
        return {}
    said = keyfile.values(host.files.get(ISCSID_CONF) or "")
    return {key: said.get(key) for key in CHAP_KEYS}


def _discovery_login(host: Host) -> dict[str, str | None]:
    return {**dict.fromkeys(DISCOVERY_CHAP_KEYS), **host.discovery_chap}


def _chap(
    host: Host, path: str, settings: Mapping[str, str | None], whose: str, *, ours: bool = True
) -> tuple[Step, ...]:
    """CHAP values go into the record file itself: iscsiadm takes secrets on its command line only (facts 1.8)."""
    text = host.files.get(path)
    if text is None or not any(".auth." in key for key in settings):
        return ()
    named = any("password" in key and value for key, value in settings.items())
    if named and iscsidb.is_torn(text):
        return ()  # a login alone is no record: that comes first
    new = iscsidb.record_text_with(text, settings)
    why = f"{whose} has not the site's CHAP login" if named else f"{whose} has a CHAP login that the site does not name"
    if new == text:
        if not named or path not in host.loose_records:
            return ()
        why = f"{whose} holds the site's CHAP login, and others may read or write it"
    notes = () if ours else _replaced(path, text, settings)
    return (Write(Part.DISCOVERY, why, path, new, 0o600, text, secret=True, notes=notes),)


def _replaced(path: str, text: str, settings: Mapping[str, str | None]) -> tuple[Note, ...]:
    """The CHAP values of a record that somebody else made, for teardown. Of a secret only that there was one."""
    have, new = keyfile.values(text), iscsidb.record_text_with(text, settings)
    before, after = shown(text), shown(new)
    keys = (key for key in settings if ".auth." in key and have.get(key) != keyfile.values(new).get(key))
    return tuple(Note("key", f"{path} {key}", before.get(key), after.get(key)) for key in keys)


def shown(text: str) -> dict[str, str]:
    """A record's values without its secrets."""
    return {key: iscsidb.MASK if "password" in key else value for key, value in keyfile.values(text).items()}


def without_login(host: Host, portals: Iterable[Portal]) -> tuple[Step, ...]:
    """Discovery records that stay lose their login."""
    steps: list[Step] = []
    for portal in portals:
        path = host.discovery_records[portal]
        steps.extend(_chap(host, path, dict.fromkeys(DISCOVERY_CHAP_KEYS), f"the discovery record of {portal}"))
    return tuple(steps)


def discovery_records(site: Site, host: Host) -> Share:
    """Discovery CHAP lives in a discovery record, one a portal; without it none is made."""
    steps: list[Step] = []
    for portal in site.portals if site.discovery_chap else ():
        path = host.discovery_records[portal]
        if hearsay.excludes(site, portal):
            continue
        text = host.files.get(path)
        if text is not None and iscsidb.is_torn(text):
            why = f"the discovery record of {portal} was written in part: an iscsiadm died over it"
            steps.append(Write(Part.DISCOVERY, why, path, None, None, torn=portal))
            text = None
        if text is None:
            note = Note("discovery", str(portal))
            why = f"there is no discovery record for {portal}, which is to hold the CHAP login"
            steps.append(replace(iscsiadm.discoverydb_new(portal, why=why), notes=(note,)))
        elif host.discovery_chap:
            ours = host.memory.has("discovery", str(portal))
            steps.extend(_chap(host, path, _discovery_login(host), f"the discovery record of {portal}", ours=ours))
    return Share(tuple(steps))


def logins(site: Site, host: Host, pairs: Pairs) -> tuple[Command, ...]:
    """One login for each planned pair without a session. A silent pair is a finding, never a step; what is offline by
    hand stays so.

    With CHAP a new record gets its secret in the round after it was made, and its login then.
    """
    silent: Mapping[Pair, Answer] = pairs.silent or {}
    wrong = elsewhere(site, host)
    return tuple(
        iscsiadm.login(pair, why=f"there is no session for {pair}")
        for pair in pairs.planned
        if pair not in silent
        and pair.iface not in wrong
        and not host.is_offline(pair)
        and host.session_of(pair) is None
        and not (site.chap and host.node_of(pair) is None)
    )
