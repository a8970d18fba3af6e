"""What portals say of targets, and what of it a host goes by: an answer to SendTargets is a stranger's word.

It may name any target at any address. Connected to is what the site's own words cover: a portal that it names, or
an address in a network of its NICs. Of itself a portal tells best, so what others say of one that has answered counts
only where that says so, too: nobody can give a good portal targets that it has not, or another group tag.
"""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mpio.host import Asked, Found, Host, Portal, Session

if TYPE_CHECKING:
    from mpio.site import Site

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# So much one portal may name for the site. Each line is a record, a login and a session for each iface: no array that
# a host is to use comes near it, and san.targets narrows those that do.
LINES = 1024
PORTALS = 128
# So many times as much is judged: arrays list their other networks, too, which no host goes by. Who names more for the
# site has none of it looked at.
JUDGED = 8


class Reason(StrEnum):
    """Why a line of an answer is not taken."""

    GLOBS = "no glob in san.targets takes it"
    EXCLUDED = "san.exclude has its portal"
    STRANGE = "no SAN may send a host to that address"
    FOREIGN = "the address is in no network of the site's NICs, and san.portals does not name it"
    UNTOLD = "a NIC of the site has no address, which may be in its network; san.portals does not name it"
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


@dataclass(frozen=True, slots=True)
class _Ground:
    """What addresses are judged against: `own` are those of the site's NICs and their networks' broadcast addresses,
    `said` the portals that a record or the administrator names; `bare` where a NIC is gone or has no address, so that
    its networks are not known.
    """

    site: Site
    own: frozenset[_Address]
    networks: frozenset[_Network]
    said: frozenset[Portal]
    bare: bool

    def against(self, portal: Portal) -> Reason | None:
        if excludes(self.site, portal):
            return Reason.EXCLUDED
        if portal in self.site.portals:
            return None
        address = ipaddress.ip_address(portal.address)
        if strange(portal) or address in self.own:
            return Reason.STRANGE
        # Where no NIC speaks its IP version nothing can connect there, which says enough.
        near = any(address in network for network in self.networks)
        if near or portal in self.said or not any(n.version == address.version for n in self.networks):
            return None
        return Reason.UNTOLD if self.bare else Reason.FOREIGN


def _ground(site: Site, host: Host) -> _Ground:
    nics = [host.nic(i.nic) for i in site.ifaces]
    each = [[ipaddress.ip_interface(a) for a in nic.addresses] if nic else [] for nic in nics]
    every = [one for nic in each for one in nic]
    # a network of two addresses or one has none for broadcasts (RFC 3021)
    shared = {one.network.broadcast_address for one in every if one.version == 4 and one.network.prefixlen < 31}
    # A record is somebody's word, too, and so is a portal that was named to `discover`.
    ifaces = {i.name for i in site.ifaces}
    said = {n.pair.portal for n in host.nodes if n.pair.iface in ifaces} | {asked.portal for asked in host.asked}
    return _Ground(
        site,
        own=frozenset({one.ip for one in every} | shared),
        networks=frozenset(one.network for one in every),
        said=frozenset(said),
        bare=any(all(one.ip.is_link_local for one in nic) for nic in each),
    )


def unasked(site: Site, host: Host, portal: Portal) -> Reason | None:
    """Why nobody but the administrator may send this host to that address; None where a portal's word is enough."""
    return _ground(site, host).against(portal)


def words(site: Site, host: Host) -> dict[Portal, Word]:
    """What each answer is worth, by the portal that gave it."""
    ground = _ground(site, host)
    alone = {asked.portal: _alone(ground, asked) for asked in host.asked}
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


def _alone(ground: _Ground, asked: Asked) -> Word:
    """An answer judged without what others say."""
    wants = {target: wants_target(ground.site, target) for target in {found.target for found in asked.found}}
    wanted = frozenset(found for found in asked.found if wants[found.target])
    left = {found: Reason.GLOBS for found in asked.found if not wants[found.target]}
    if flood := _flood(wanted, JUDGED):
        return Word(frozenset(), left | dict.fromkeys(wanted, Reason.FLOOD), flood)
    against = {portal: ground.against(portal) for portal in {found.portal for found in wanted}}
    left |= {found: reason for found in wanted if (reason := against[found.portal]) is not None}
    good = wanted - left.keys()
    if flood := _flood(good, 1):
        return Word(frozenset(), left | dict.fromkeys(good, Reason.FLOOD), flood)
    return Word(good, left)


def _flood(lines: Collection[Found], times: int) -> str:
    """How much these name where that is more than so many times what is believed of one portal."""
    portals = len({found.portal for found in lines})
    if len(lines) <= times * LINES and portals <= times * PORTALS:
        return ""
    return f"it names {len(lines)} targets at {portals} portals for the site; at most {LINES} at {PORTALS} are believed"


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
