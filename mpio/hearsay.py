"""What portals say of targets, and what of it a host goes by: an answer to SendTargets is a stranger's word.

It may name any target at any address. Connected to is what the site's own words cover: a portal that it names, or
an address in a network of its NICs. Of itself a portal tells best, so what others say of one that has answered counts
only where that says so, too: nobody can give a good portal targets that it has not, or another group tag.
"""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mpio.host import Asked, Found, Host, Portal, Session

if TYPE_CHECKING:
    from mpio.site import Site

# So much one portal may name for the site. Each line is a record, a login and a session for each iface: no array that
# a host is to use comes near it, and san.targets narrows those that do.
LINES = 1024
PORTALS = 128


class Reason(StrEnum):
    """Why a line of an answer is not taken."""

    GLOBS = "no glob in san.targets takes it"
    EXCLUDED = "san.exclude has its portal"
    STRANGE = "no SAN may send a host to that address"
    FOREIGN = "the address is in no network of the site's NICs, and san.portals does not name it"
    DENIED = "the portal at that address does not say so itself"
    FLOOD = "its portal names too much to be believed"


@dataclass(frozen=True, slots=True)
class Word:
    """What one portal's answer is worth: the lines that are taken, and why each of the others is not. `flood` says how
    much it named where that is too much.
    """

    taken: frozenset[Found]
    left: Mapping[Found, Reason]
    flood: str = ""


def wants_target(site: Site, target: str) -> bool:
    return not site.targets or any(fnmatch.fnmatchcase(target, glob) for glob in site.targets)


def excludes(site: Site, portal: Portal) -> bool:
    return any(e.address == portal.address and e.port in (portal.port, 0) for e in site.exclude)


def strange(portal: Portal) -> bool:
    """An address that no SAN may send a host to: itself, link-local, multicast, broadcast, unspecified."""
    address = ipaddress.ip_address(portal.address)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # ::ffff:127.0.0.1 is connected to as 127.0.0.1
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == ipaddress.IPv4Address(0xFFFFFFFF)
    )


def unasked(site: Site, host: Host, portal: Portal) -> Reason | None:
    """Why nobody but the administrator may send this host to that address; None where a portal's word is enough."""
    if excludes(site, portal):
        return Reason.EXCLUDED
    if portal in site.portals:
        return None
    if strange(portal) or _own(site, host, portal):
        return Reason.STRANGE
    nics = [nic for i in site.ifaces if (nic := host.nic(i.nic)) is not None]
    # Where no NIC speaks its IP version nothing can connect there, which says enough.
    if any(nic.on_link(portal) for nic in nics) or not any(nic.speaks(portal) for nic in nics):
        return None
    # A record is somebody's word, too, and so is a portal that was named to `discover`.
    ifaces = {i.name for i in site.ifaces}
    said = any(n.pair.portal == portal and n.pair.iface in ifaces for n in host.nodes)
    return None if said or any(portal == asked.portal for asked in host.asked) else Reason.FOREIGN


def _own(site: Site, host: Host, portal: Portal) -> bool:
    """Is it this host's own address, or the broadcast address of one of its networks?"""
    address = ipaddress.ip_address(portal.address)
    for nic in (host.nic(i.nic) for i in site.ifaces):
        for own in (ipaddress.ip_interface(a) for a in (nic.addresses if nic else ())):
            # a network of two addresses or one has none for broadcasts (RFC 3021)
            shared = own.version == 4 and own.network.prefixlen < 31
            if address == own.ip or (shared and address == own.network.broadcast_address):
                return True
    return False


def words(site: Site, host: Host) -> dict[Portal, Word]:
    """What each answer is worth, by the portal that gave it."""
    alone = {asked.portal: _alone(site, host, asked) for asked in host.asked}
    speaks = {portal: word for portal, word in alone.items() if not word.flood and _answered(host, portal)}

    def denied(by: Portal, found: Found) -> bool:
        return found.portal != by and found.portal in speaks and found not in speaks[found.portal].taken

    heard = {}
    for portal, word in alone.items():
        wrong = {found for found in word.taken if denied(portal, found)}
        left = {**word.left, **dict.fromkeys(wrong, Reason.DENIED)} if wrong else word.left
        heard[portal] = replace(word, taken=word.taken - wrong, left=left)
    return heard


def taken(site: Site, host: Host) -> frozenset[Found]:
    """What the portals have said that the site goes by; of several group tags that are said of one pair the lowest."""
    found: dict[tuple[Portal, str], Found] = {}
    for one in sorted({f for word in words(site, host).values() for f in word.taken}, reverse=True):
        found[(one.portal, one.target)] = one
    return frozenset(found.values())


def _alone(site: Site, host: Host, asked: Asked) -> Word:
    """An answer judged without what others say."""
    against: dict[Portal, Reason | None] = {}
    wants: dict[str, bool] = {}
    good: set[Found] = set()
    left: dict[Found, Reason] = {}
    for found in asked.found:
        if found.target not in wants:
            wants[found.target] = wants_target(site, found.target)
        if not wants[found.target]:
            left[found] = Reason.GLOBS
            continue
        if found.portal not in against:
            against[found.portal] = unasked(site, host, found.portal)
        reason = against[found.portal]
        if reason is None:
            good.add(found)
        else:
            left[found] = reason
    portals = len({found.portal for found in good})
    if len(good) <= LINES and portals <= PORTALS:
        return Word(frozenset(good), left)
    flood = f"it names {len(good)} targets at {portals} portals for the site; at most {LINES} at {PORTALS} are believed"
    return Word(frozenset(), {**left, **dict.fromkeys(good, Reason.FLOOD)}, flood)


def _answered(host: Host, portal: Portal) -> bool:
    return any(asked.portal == portal and asked.found for asked in host.asked)


def place(session: Session) -> Portal | None:
    """Where a session's connection goes to, which a redirect may have made another place than its portal; None while it
    has none.
    """
    try:
        return Portal.parse(f"[{session.address}]:{session.port}") if session.address and session.port else None
    except ValueError:
        return None


def whereabouts(session: Session) -> str:
    """The session's portal and, where it was redirected, the place."""
    portal, now = session.pair.portal, place(session)
    return str(portal) if now in (None, portal) else f"{portal} at {now}"


def few(words: Iterable[str], most: int = 6) -> str:
    """The first of the words, sorted, and how many more there are: a stranger's answer may have any number."""
    every = sorted(set(words))
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
