"""What a name on the command line means: a NIC, iface, portal, target, or `sid:N`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mpio.errors import UnknownName
from mpio.host import Host, Pair, Portal
from mpio.topology import Pairs


def pairs(names: Iterable[str], host: Host, planned: Pairs) -> tuple[Pair, ...]:
    """The pairs, planned or with a session, that these names mean; all planned ones without a name.

    UnknownName otherwise.
    """
    every = tuple(dict.fromkeys([*planned.planned, *(s.pair for s in host.sessions)]))
    names = tuple(names)
    if not names:
        return tuple(planned.planned)
    chosen: dict[Pair, None] = {}
    for name in names:
        found = [p for p in every if name in words(host, p)]
        if not found:
            raise _unknown(name, host, every)
        chosen.update(dict.fromkeys(found))
    return tuple(chosen)


def words(host: Host, pair: Pair) -> frozenset[str]:
    """Everything that this pair may be called by."""
    nics = {i.nic for i in host.ifaces if i.name == pair.iface} | {s.nic for s in host.sessions if s.pair == pair}
    sids = {f"sid:{s.sid}" for s in host.sessions if s.pair == pair}
    return frozenset({pair.iface, pair.target, *_portal_words(pair.portal), *sids, *(n for n in nics if n)})


def _portal_words(portal: Portal) -> set[str]:
    return {str(portal), portal.address, f"[{portal.address}]"}


def _unknown(name: str, host: Host, every: Iterable[Pair]) -> UnknownName:
    known = sorted({w for p in every for w in words(host, p)})
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:5]
    way = f"did you mean {', '.join(near)}?" if near else "there is no session and nothing is planned: see mpio status"
    return UnknownName(f"nothing here is called {name!r}", way)
