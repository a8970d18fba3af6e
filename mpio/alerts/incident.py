"""One root cause and all that it has broken, as an alert follows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mpio.alerts import damage, damping
from mpio.alerts.damage import Item
from mpio.watch.event import Cause, Event, Name

_UNTOLD = (None, Cause.CHECKER)  # nothing tells why, or only that a path does not work


@dataclass(slots=True)
class Incident:
    """Open until all that it broke is whole. `luns` (WWID to name) are all that it ever harmed; `asked` is the worst
    that the alert is to tell, `told` the worst that it has told. `due`, `since`, `back`, `well` and `said` are moments:
    of the next message, of the first event, since when the cause itself is whole, and all that it broke, of the last
    message. `effects` are roots of what it left behind, each with the first item of it.
    """

    kind: str
    since: float
    hold: float
    roots: dict[str, Event] = field(default_factory=dict)
    items: set[Item] = field(default_factory=set)
    luns: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    told: int = 0
    lead: Event | None = None
    last: Event | None = None
    due: float | None = None
    latest: float = 0
    said: float = 0
    back: float | None = None
    well: float | None = None
    flaps: int = 0
    events: int = 0
    evidence: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    effects: dict[str, Item] = field(default_factory=dict)

    def names(self, root: str) -> bool:
        return root in self.roots or root in self.effects

    def covers(self, event: Event, root: str, now: float) -> bool:
        """Is it what a NIC or a pair of this incident leaves behind? A link that is back has sessions that are not, and
        paths that fail only then, of no cause that shows any more. What has a cause of its own by then is another's.
        """
        if root in self.effects:
            stands = self.effects[root] in self.items or event.cause is Cause.ALL_DOWN
            return stands or self._explains(event, now)
        roots = self.roots.values()
        if self.kind in ("link", "address"):
            behind = event.nic != "" and any(e.nic == event.nic for e in roots)
        else:
            ways = {(e.iface, e.portal) for e in roots}
            behind = self.kind == "portal" and (event.iface, event.portal) in ways
        return behind and self._explains(event, now)

    def _explains(self, event: Event, now: float) -> bool:
        """A session that dies of the loss may do so just after it, with a portal that answers again."""
        known = (*_UNTOLD, *(e.cause for e in self.roots.values()))
        return event.cause in known or self.back is None or now <= self.back + damping.HOLD

    def leave(self, root: str, item: Item | None) -> None:
        """It has left this behind."""
        if item is not None and self.effects.get(root) not in self.items:
            self.effects[root] = item

    def look(self, standing: set[Item], now: float) -> None:
        """`standing` is what is still broken, and still wanted."""
        self.items &= standing
        if any(damage.item(e) in self.items for e in self.roots.values()):
            self.back = None
        elif self.back is None:
            self.back = now
        if not self.items and self.well is None:
            self.well = now

    @property
    def lingers(self) -> bool:
        """Are LUNs all that is left of it, though something else had broken them?"""
        items = [damage.item(e) for e in self.roots.values()]
        return all(i[0] == "lun" for i in self.items) and any(i is not None and i[0] != "lun" for i in items)

    @property
    def started(self) -> bool:
        return self.kind == Name.STARTED

    @property
    def over(self) -> float | None:
        """When it may be called over."""
        return None if self.well is None or self.due is not None else self.well + self.hold
