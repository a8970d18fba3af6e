"""What a name on the command line means: a NIC, iface, portal, target, or `sid:N`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mpio.errors import UnknownName
from mpio.host import Host, Pair, Portal
from mpio.plan import maps
from mpio.site import Site
from mpio.tools.wwid import of_lun
from mpio.topology import Pairs


def pairs(names: Iterable[str], host: Host, planned: Pairs, site: Site | None = None) -> tuple[Pair, ...]:
    """The pairs, planned or with a session, that these names mean; all planned ones without a name.

    A name of the site's that no pair has yet means none of them. UnknownName for any other.
    """
    every = tuple(dict.fromkeys([*planned.planned, *(s.pair for s in host.sessions)]))
    names = tuple(names)
    if not names:
        return tuple(planned.planned)
    of_site = words_of(site)
    known = {p: words(host, p) for p in every}
    chosen: dict[Pair, None] = {}
    for name in names:
        meant = _spelt(name)
        found = [p for p in every if meant in known[p]]
        if not found and meant not in of_site:
            raise _unknown(name, sorted(of_site.union(*known.values())))
        chosen.update(dict.fromkeys(found))
    return tuple(chosen)


def offline(
    names: Iterable[str], host: Host, planned: Pairs, site: Site | None = None
) -> tuple[tuple[str, ...], tuple[Pair, ...]]:
    """What these names mean of what is offline by hand: names that it was taken offline by, and pairs."""
    own = [one.name for one in host.memory.offline]
    every = tuple(dict.fromkeys([*planned.planned, *(s.pair for s in host.sessions), *(n.pair for n in host.nodes)]))
    known = {p: words(host, p) for p in every}
    ended: list[str] = []
    chosen: dict[Pair, None] = {}
    for name in names:
        if name in own:
            ended.append(name)
            continue
        meant = _spelt(name)
        found = [p for p in every if meant in known[p]]
        if not found and meant not in words_of(site):
            raise _unknown(name, sorted({*own, *words_of(site)}.union(*known.values())))
        chosen.update(dict.fromkeys(found))
    return tuple(ended), tuple(chosen)


def words(host: Host, pair: Pair) -> frozenset[str]:
    """Everything that this pair may be called by."""
    nics = {i.nic for i in host.ifaces if i.name == pair.iface} | {s.nic for s in host.sessions if s.pair == pair}
    sids = {f"sid:{s.sid}" for s in host.sessions if s.pair == pair}
    return frozenset({pair.iface, pair.target, *_portal_words(pair.portal), *sids, *(n for n in nics if n)})


def words_of(site: Site | None) -> frozenset[str]:
    """Every name that a site file has, whether there is anything of that name or not."""
    if site is None:
        return frozenset()
    portals = {word for portal in site.portals for word in _portal_words(portal)}
    return frozenset({*portals, *(i.name for i in site.ifaces), *(i.nic for i in site.ifaces)})


def lun(name: str, site: Site | None, host: Host, *, gone: bool = False) -> str:
    """The WWID of the LUN that is called so: by its alias in the site or in the drop-in, its map's name, or its WWID.

    With `gone` a WWID that nothing here has means itself. UnknownName for any other name.
    """
    named = {alias: w for w, entry in maps.entries(host).items() if (alias := entry.get("alias"))}
    named |= {m.name: m.wwid for m in host.maps}
    named |= {one.alias: one.wwid for one in site.luns if one.alias} if site else {}
    if name in named:
        return named[name]
    known = {*named.values(), *maps.entries(host), *(p.wwid for p in host.paths if p.wwid), *host.memory.shown}
    known |= {one.wwid for one in site.luns} if site else set()
    try:
        spelt = of_lun(name)
    except ValueError:
        spelt = ""
    if spelt in known or (spelt and gone):
        return spelt
    near = nearest(spelt or name, {*named, *known})
    way = f"did you mean {', '.join(near)}?" if near else "there is none at all: see mpio lun list"
    raise UnknownName(f"there is no LUN {name!r}", way)


def nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """The known names most like this one, or the first few where none is."""
    known = sorted(known)
    return tuple(difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:5])


def _portal_words(portal: Portal) -> set[str]:
    return {str(portal), portal.address, f"[{portal.address}]"}


def _spelt(name: str) -> str:
    """A portal as it is written here: an IPv6 address has many spellings."""
    try:
        portal = Portal.parse(name)
    except ValueError:
        return name
    return str(portal) if "]:" in name or name.count(":") == 1 else portal.address


def _unknown(name: str, known: list[str]) -> UnknownName:
    near = nearest(name, known)
    way = f"did you mean {', '.join(near)}?" if near else "there is no session and nothing is planned: see mpio status"
    return UnknownName(f"nothing here is called {name!r}", way)
