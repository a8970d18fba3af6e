"""From events to messages for one alert: one message a root cause, one when it is over, and few of what flaps.

`now` is a monotonic number of seconds. What an event says is broken is kept as items; a look, not an event, tells when
they are whole again, so that no message stays without its end whatever was missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mpio.alerts import damage, damping, messages
from mpio.alerts.damage import Item
from mpio.alerts.incident import Incident
from mpio.alerts.messages import Message
from mpio.site import Alert
from mpio.watch.event import Event, Name, Severity
from mpio.watch.seen import Seen

RECENT = 3600.0  # seconds: what comes back within this time flaps
NEWS = 30.0  # between two messages about changes that are neither loss nor recovery
MOST = 64  # causes open at once

_BAD = {Severity.DEGRADED: 1, Severity.FAILED: 2}
_LOST = {
    *("degraded", "failed", "link_down", "portal_unreachable", "session_failed", "session_removed"),
    *("path_failed", "lun_degraded", "lun_failed"),
}
_OVER = {"recovered", "link_up", "portal_reachable", "session_restored", "path_restored", "lun_recovered"}


class Incidents:
    """What is open for one alert. Never more than MOST causes: further ones join the youngest."""

    def __init__(self, alert: Alert) -> None:
        self.alert = alert
        self.open: list[Incident] = []
        self._on = frozenset(alert.on)
        self._seen: Seen | None = None
        self._before: dict[str, tuple[int, float]] = {}  # root: how often it flapped, when it was over
        self._news: list[Event] = []
        self._news_due: float | None = None
        self._news_said = float("-inf")

    def change(self, alert: Alert) -> None:
        """The same alert with other words in its table."""
        self.alert, self._on = alert, frozenset(alert.on)

    @property
    def flapped(self) -> Mapping[str, tuple[int, float]]:
        """Each root that is over: how often it flapped, and when it was over."""
        return self._before

    def recall(self, opened: Iterable[Incident], flapped: Mapping[str, tuple[int, float]]) -> None:
        """Go on from where another process of this boot has ended."""
        self.open, self._before = list(opened), dict(flapped)

    def take(self, events: Iterable[Event], seen: Seen, now: float) -> None:
        self._seen = seen
        for event in events:
            if event.name is Name.STARTED:
                self._begin(event, seen, now)
            elif event.name is Name.FAST_FAIL:
                self._note(event, now)
            elif event.name is not Name.ALERT_FAILED and event.severity in _BAD:
                self._lose(event, seen, now)
            elif event.severity is Severity.RECOVERED:
                self._mend(event)
            elif self._wants(event):
                self._tell(event, now)
        standing = damage.standing({item for one in self.open for item in one.items}, seen) if self.open else set()
        for one in self.open:
            one.look(standing, now)
        self._hand_over(seen, now)
        self.open = [one for one in self.open if one.told or one.well is None or not one.started]

    def tick(self, now: float) -> tuple[Message, ...]:
        """The messages that are due."""
        said: list[Message] = []
        for one in tuple(self.open) if self._seen else ():  # what another process left waits for a look
            if one.due is not None and one.due <= now:
                said += self._say(one, now)
            elif one.told and one.well is None and now >= one.said + self.alert.repeat:
                said += self._say(one, now, repeat=True)
            if one.over is not None and one.over <= now:
                said += self._close(one, now)
        if self._news_due is not None and self._news_due <= now:
            said.append(messages.of_changes(self._news))
            self._news, self._news_due, self._news_said = [], None, now
        return tuple(said)

    def hurry(self, now: float) -> tuple[Message, ...]:
        """What is gathered already, at once: the watcher ends. What waits to be over stays open."""
        for one in self.open:
            if one.due is not None and not one.started:
                one.due = now
        if self._news_due is not None:
            self._news_due = now
        return self.tick(now)

    @property
    def deadline(self) -> float | None:
        moments = [self._news_due]
        for one in self.open if self._seen else ():
            again = one.said + self.alert.repeat if one.told and one.well is None and one.due is None else None
            moments += [one.due, one.over, again]
        return min((m for m in moments if m is not None), default=None)

    def _hand_over(self, seen: Seen, now: float) -> None:
        """A LUN that is degraded still, by another cause alone, is held by that."""
        for one in [i for i in self.open if i.items and not i.started and i.lingers]:
            for other in (i for i in self.open if i is not one and i.items and not i.started):
                causes = {item for item in other.items if item[0] != "lun"}
                harmed = {("lun", loss.wwid) for loss in damage.losses(causes, causes, seen)} if causes else set()
                for item in one.items & harmed:
                    self._move(item, other)
                    other.items.add(item)
            one.look(one.items, now)

    # -- events ------------------------------------------------------------------------------------------------------

    def _wants(self, event: Event) -> bool:
        """Info about ourselves is told to whoever names it."""
        named = event.name.value in self._on
        own = event.name in (Name.ALERT_FAILED, Name.FAST_FAIL) and event.severity is Severity.INFO
        return named or (event.severity.value in self._on and not own)

    def _begin(self, event: Event, seen: Seen, now: float) -> None:
        """What is unwell at the start and in no incident yet waits for the boot to end."""
        known = {item for one in self.open for item in one.items}
        if event.severity not in _BAD:
            if self._wants(event):
                self._tell(event, now)
        elif items := damage.unwell(seen) - known:
            one = self._opened(event, Name.STARTED.value, now)
            one.items, one.evidence = items, [event.detail] if event.detail else []
            if self._wants(event):
                one.asked, one.lead, one.due = _BAD[event.severity], event, now + damping.BOOT

    def _lose(self, event: Event, seen: Seen, now: float) -> None:
        name, kind = messages.root(event), damping.kind(event)
        wait = damping.wait(kind, seen)
        item = damage.item(event)
        one = next((i for i in self.open if name in i.roots), None)
        joined, own = False, one is not None
        if one is None and (one := next((i for i in self.open if i.covers(event, name, now)), None)) is not None:
            one.leave(name, item)
        if one is None:
            fresh = (i for i in self.open if i.kind == kind and not i.told and now <= (i.due or i.since + wait))
            one = next(fresh, None) or (self.open[-1] if len(self.open) >= MOST else None)
            joined = one is not None
        one = one or self._opened(event, kind, now)
        if name not in one.effects:
            one.roots.setdefault(name, event)
        if one.well is not None:
            one.flaps += own
            one.well, one.hold = None, damping.hold(one.flaps)
        if item:
            if item[0] == "lun":
                self._move(item, one)
            one.items.add(item)
        one.events += 1
        if event.detail and len(one.evidence) < messages.LINES:
            one.evidence.append(event.detail)
        if self._wants(event):
            self._ask(one, event, now, wait, joined)

    def _ask(self, one: Incident, event: Event, now: float, wait: float, joined: bool) -> None:
        """A message is due: the first one, or one that says that it has become worse."""
        rank = _BAD[event.severity]
        if rank > one.asked:
            one.asked, one.lead = rank, event
        if one.due is None and one.asked > one.told:
            one.due, one.latest = now + wait, now + damping.STRETCH * wait
        elif one.due is not None and (joined or (one.told and rank == one.asked)):
            one.due = max(one.due, min(now + wait, one.latest))

    def _opened(self, event: Event, kind: str, now: float) -> Incident:
        name = messages.root(event)
        flaps, over = self._before.pop(name, (0, float("-inf")))
        flaps = flaps + 1 if now - over < RECENT else 0
        one = Incident(kind, now, damping.hold(flaps), roots={name: event}, flaps=flaps)
        self.open.append(one)
        return one

    def _move(self, item: Item, to: Incident) -> None:
        """A LUN is held by the cause that changed it last: when that is over it may be degraded still, by another."""
        for one in self.open:
            if one is not to and not one.started and item in one.items:
                one.items.discard(item)
                if self._seen is not None:
                    one.luns |= messages.known(damage.now({item[1]}, self._seen))

    def _mend(self, event: Event) -> None:
        item = damage.item(event)
        for one in self.open:
            if item in one.items or one.names(messages.root(event)):
                one.last = event
            one.items.discard(item or ())

    def _note(self, event: Event, now: float) -> None:
        """What was done about a cause belongs to its message."""
        one = next((i for i in self.open if i.names(event.root)), None)
        if one is not None and len(one.notes) < messages.LINES:
            one.notes.append(event.detail or event.subject)
        if self._wants(event) and (event.name.value in self._on or one is None) and not (one and one.due):
            self._tell(event, now)

    def _tell(self, event: Event, now: float) -> None:
        if len(self._news) <= messages.LINES or self._news[-1] != event:
            self._news.append(event)
        del self._news[: -10 * messages.LINES]
        if self._news_due is None:
            self._news_due = max(now + damping.GATHER, self._news_said + NEWS)

    # -- messages ----------------------------------------------------------------------------------------------------

    def _say(self, one: Incident, now: float, *, repeat: bool = False) -> list[Message]:
        one.due = None
        # What has ended before it was to be told was none, or none to be told of: but not what comes again and again.
        if not one.told and not one.items and not one.flaps:
            return []
        one.said, one.told = now, max(one.told, one.asked)
        if self._seen is None or one.lead is None:
            return []
        every = {item for other in self.open for item in other.items}
        losses = damage.losses(one.items, every, self._seen)
        one.luns |= messages.known(losses)
        return [messages.of_loss(one, one.lead, losses, now - one.since if repeat else None)]

    def _close(self, one: Incident, now: float) -> list[Message]:
        self.open.remove(one)
        self._before |= dict.fromkeys(one.roots, (one.flaps, now))
        while len(self._before) > 4 * MOST:
            del self._before[next(iter(self._before))]
        # who asks for no loss is told of each recovery
        if not (self._on & _OVER and (one.told or not self._on & _LOST)) or self._seen is None or one.well is None:
            return []
        if not one.told and one.well <= one.since:  # nothing ever stood that could be over
            return []
        return [messages.of_end(one, damage.now(one.luns.keys(), self._seen), one.well - one.since)]
