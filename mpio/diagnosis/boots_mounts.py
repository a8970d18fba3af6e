"""What fstab does with LUNs at the next boot and shutdown, and what multipath makes of them then."""

from __future__ import annotations

from collections.abc import Iterator

from mpio.diagnosis.boots_seen import Boots, Place
from mpio.findings import Finding, finding
from mpio.host import Host
from mpio.site import Site

NETDEV = "_netdev"
UNAWAITED = frozenset({"nofail", "x-systemd.automount"})
# With these multipath takes a LUN that it has not seen before only if its WWID is registered, or not with one path.
CAREFUL = frozenset({"strict", "on", "yes", "smart"})
FOREVER = "queue"


def findings(site: Site | None, host: Host, seen: Boots) -> Iterator[Finding]:
    # What the initial RAM disk has logged in for / is there before any unit waits for it.
    early = {u.name for u in host.system} if any(u.name == "/" for u in host.system) else set()
    for place in seen.places:
        if place.place not in early:
            yield from _of_place(place)
    yield from _queueing(site, host)
    yield from _unregistered(host)


def _of_place(place: Place) -> Iterator[Finding]:
    said = f"line {place.line}: {place.spec} is on {', '.join(place.on)}"
    if place.disk:
        yield finding("MP130", place.place, said)
    elif NETDEV not in place.options:
        yield finding("MP129" if UNAWAITED & set(place.options) else "MP128", place.place, said)


def _queueing(site: Site | None, host: Host) -> Iterator[Finding]:
    """Not where the site asks for it in so many words, nor of what carries the host: for that, to fail is the end."""
    own = {u.dev for u in host.system}
    for one in host.maps:
        if one.queueing == "forever" and one.dm not in own and not _asked_for(site, one.wwid):
            users = ", ".join(u.name for u in host.users if u.dev == one.dm and u.kind == "mount")
            yield finding("MP138", one.name, f"mounted on {users}" if users else "")


def _asked_for(site: Site | None, wwid: str) -> bool:
    if site is None:
        return False
    own = next((lun.keywords for lun in site.luns if lun.wwid == wwid), {})
    return own.get("no_path_retry", site.multipath.get("no_path_retry")) == FOREVER


def _unregistered(host: Host) -> Iterator[Finding]:
    found = host.effective.installed.get("", {}).get("find_multipaths") if host.effective else None
    if found not in CAREFUL:
        return
    for one in host.maps:
        if one.wwid not in host.registered:
            yield finding("MP139", one.name, f"{one.wwid} is not in /etc/multipath/wwids, find_multipaths is {found}")
