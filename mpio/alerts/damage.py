"""What is broken, as items that hold an alert open, and what that costs: the LUNs, and the paths of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mpio.host import Answer, Host, Session
from mpio.topology import Lun, LunState
from mpio.watch.event import Event, Name
from mpio.watch.seen import Seen

# ("link", nic) · ("pair", iface, portal) · ("session", iface, portal, target) · ("path", wwid, iface, portal, target) ·
# ("lun", wwid). A path is known by its session's pair, not by its disk, which has another name after a new login.
Item = tuple[str, ...]

_LINKS = (Name.LINK_DOWN, Name.LINK_UP)
_PAIRS = (Name.PORTAL_UNREACHABLE, Name.PORTAL_REACHABLE)
_SESSIONS = (Name.SESSION_FAILED, Name.SESSION_REMOVED, Name.SESSION_RESTORED)
_PATHS = (Name.PATH_FAILED, Name.PATH_RESTORED)
_LUNS = (Name.LUN_DEGRADED, Name.LUN_FAILED, Name.LUN_RECOVERED)


@dataclass(frozen=True, slots=True)
class Loss:
    """A LUN that is harmed: `left` of `of` paths can still be used."""

    wwid: str
    name: str
    left: int
    of: int


def item(event: Event) -> Item | None:
    """What this event says is broken, or whole again."""
    if event.name in _LINKS:
        return "link", event.nic
    if event.name in _PAIRS:
        return "pair", event.iface, event.portal
    if event.name in _SESSIONS:
        return "session", event.iface, event.portal, event.target
    if event.name in _PATHS:
        return "path", event.wwid, event.iface, event.portal, event.target
    return ("lun", event.wwid) if event.name in _LUNS else None


def standing(items: Iterable[Item], seen: Seen) -> set[Item]:
    """Those of the items that are still broken, and still wanted."""
    view = _View.of(seen)
    return {one for one in items if _STANDS[one[0]](view, one[1:])}


def losses(items: Collection[Item], every: Collection[Item], seen: Seen) -> tuple[Loss, ...]:
    """The LUNs that these items harm, as they stand with `every` item: a path over a NIC without carrier is lost,
    whatever the kernel has noticed of it.
    """
    sessions = {s.sid: s for s in seen.host.sessions}
    found = []
    for lun in seen.luns:
        if ("lun", lun.wwid) in items or any(_is_over(items, lun.wwid, sessions.get(p.sid)) for p in lun.paths):
            found.append(_loss(lun, {p.dev for p in lun.paths if _is_over(every, lun.wwid, sessions.get(p.sid))}))
    return tuple(found)


def now(wwids: Collection[str], seen: Seen) -> tuple[Loss, ...]:
    """How these LUNs stand, those that are whole left out."""
    return tuple(_loss(lun, ()) for lun in seen.luns if lun.wwid in wwids and lun.state is not LunState.HEALTHY)


def unwell(seen: Seen) -> set[Item]:
    return {("lun", lun.wwid) for lun in seen.luns if lun.state in (LunState.DEGRADED, LunState.FAILED)}


def _loss(lun: Lun, broken: Collection[str]) -> Loss:
    left = sum(p.dev not in broken for p in lun.usable)
    return Loss(lun.wwid, lun.alias or lun.wwid, left, len(lun.paths) if lun.expected is None else lun.expected)


def _is_over(items: Collection[Item], wwid: str, session: Session | None) -> bool:
    if session is None:
        return False
    pair = _way(session)
    return (
        ("link", session.nic) in items
        or ("pair", *pair[:2]) in items
        or ("session", *pair) in items
        or ("path", wwid, *pair) in items
    )


def _way(session: Session) -> Item:
    return session.pair.iface, str(session.pair.portal), session.pair.target


@dataclass(frozen=True, slots=True)
class _View:
    """A look, by what items are asked by. `wanted` are the planned pairs less those offline by hand, None: no plan."""

    host: Host
    carriers: frozenset[str]
    answers: dict[Item, Answer]
    logged_in: frozenset[Item]
    sessions: frozenset[Item]
    offline: frozenset[Item]
    wanted: frozenset[Item] | None
    luns: dict[str, Lun]
    usable: frozenset[Item]

    @classmethod
    def of(cls, seen: Seen) -> _View:
        host, plan = seen.host, seen.pairs
        over = {s.sid: _way(s) for s in host.sessions}
        planned = None
        if plan is not None:
            planned = frozenset((p.iface, str(p.portal), p.target) for p in plan.planned if not host.is_offline(p))
        return cls(
            host,
            carriers=frozenset(n.name for n in host.nics if n.carrier),
            answers={(iface, str(portal)): answer for (iface, portal), answer in host.probes.items()},
            logged_in=frozenset(_way(s) for s in host.sessions if s.logged_in),
            sessions=frozenset(over.values()),
            offline=frozenset(_way(s) for s in host.sessions if host.is_offline(s.pair)),
            wanted=planned,
            luns={lun.wwid: lun for lun in seen.luns},
            usable=frozenset((lun.wwid, *over[p.sid]) for lun in seen.luns for p in lun.usable if p.sid in over),
        )

    def link(self, item: Item) -> bool:
        (nic,) = item
        bound = any(i.nic == nic for i in self.host.ifaces) or self.host.nic(nic) is not None
        return nic not in self.carriers and bound

    def pair(self, item: Item) -> bool:
        answer = self.answers.get(item)
        if answer is Answer.ANSWERED:
            return False
        if answer is None and any(w[:2] == item for w in self.logged_in):
            return False  # nobody has asked yet: a watcher that begins
        if self.wanted is not None and any(w[:2] == item for w in self.wanted):
            return True
        # nobody plans to log in there: a portal that was never asked for its targets, or all is offline by hand
        return answer is not None and not any(w[:2] == item for w in self.offline)

    def session(self, item: Item) -> bool:
        if item in self.logged_in or item in self.offline:
            return False
        return self._expected(item)

    def path(self, item: Item) -> bool:
        wwid, *pair = item
        lun = self.luns.get(wwid)
        if lun is None or lun.state is LunState.HEALTHY or item in self.usable or tuple(pair) in self.offline:
            return False
        return self._expected(tuple(pair))

    def _expected(self, pair: Item) -> bool:
        """It is there, or it is planned: nobody misses what was logged out and is in no plan."""
        return pair in self.sessions or (self.wanted is not None and pair in self.wanted)

    def lun(self, item: Item) -> bool:
        lun = self.luns.get(item[0])
        return lun is not None and lun.state is not LunState.HEALTHY


_STANDS = {"link": _View.link, "pair": _View.pair, "session": _View.session, "path": _View.path, "lun": _View.lun}
