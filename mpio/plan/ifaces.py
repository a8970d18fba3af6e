"""One iface by itself: `iface add` and `iface remove`."""

from __future__ import annotations

from dataclasses import replace

from mpio.findings import Finding, finding
from mpio.host import Host, Iface
from mpio.plan.shape import Share
from mpio.site import Site, SiteIface
from mpio.step import Note
from mpio.tools import iscsiadm


def add(host: Host, wish: SiteIface) -> Share:
    """Make it and bind it. A binding that is there is never changed: iscsiadm says exit 0 and keeps it (facts 1.2)."""
    have = named(host, wish.name)
    bind = iscsiadm.iface_bind(wish.name, wish.nic, why=f"{wish.name} is to use {wish.nic}")
    if have is None:
        note = Note("iface", wish.name)
        why = f"there is no iface {wish.name}"
        return Share((iscsiadm.iface_new(wish.name, why=why, notes=(note,)), bind))
    if is_bound(host, wish):
        return Share()
    if have.nic or have.hwaddress:
        return Share(refused=(finding("MP309", wish.name, f"bound to {have.hwaddress or have.nic}, not {wish.nic}"),))
    return Share((replace(bind, why=f"{wish.name} is bound to no NIC"),))


def remove(host: Host, name: str, forced: frozenset[str] = frozenset()) -> Share:
    """Delete it with its records, which must be mpio's own; no session may use it."""
    sessions = [f"session {s.sid} to {s.pair.portal}" for s in host.sessions if s.pair.iface == name]
    if sessions:
        return Share(refused=(finding("MP314", name, ", ".join(sessions)),))
    records = [n.pair for n in host.nodes if n.pair.iface == name]
    unread = [path for iface, path in host.unread if iface == name]
    foreign = [*(str(p) for p in records if not host.memory.has("record", str(p))), *unread]
    if foreign and "MP313" not in forced:
        return Share(refused=(finding("MP313", name, "; ".join(foreign)),))
    also = f" with {len(records) + len(unread)} records" if records or unread else ""
    return Share((iscsiadm.iface_delete(name, why=f"the iface {name} is to go{also}"),))


def named(host: Host, name: str) -> Iface | None:
    return next((i for i in host.ifaces if i.name == name), None)


def is_bound(host: Host, wish: SiteIface) -> bool:
    have = named(host, wish.name)
    return have is not None and have.nic == wish.nic and not have.hwaddress


def against_site(site: Site | None, host: Host, name: str) -> tuple[Finding, ...]:
    """What the next apply would make of this iface, where that is something else than what is there now."""
    if site is None:
        return ()
    wish = next((i for i in site.ifaces if i.name == name), None)
    have = named(host, name)
    if wish is None and have is not None and host.memory.has("iface", name):
        return (finding("MP312", name, "the site does not name it: the next apply takes it away"),)
    if wish is not None and have is None:
        return (finding("MP312", name, f"the site binds it to {wish.nic}: the next apply makes it again"),)
    if wish is not None and not is_bound(host, wish):
        return (finding("MP312", name, f"the site binds it to {wish.nic}: the next apply makes it so, or refuses"),)
    return ()
