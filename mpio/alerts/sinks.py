"""Alerts on their way: a queue for each `[[watch.alert]]`, retried with back-off, so that nobody waits for a sink."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import os
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from mpio.alerts import delivery, messages
from mpio.alerts.delivery import Parcel, Try
from mpio.alerts.incidents import Incidents
from mpio.alerts.messages import Message
from mpio.errors import MpioError
from mpio.machine import Machine
from mpio.site import Alert
from mpio.watch import beginning, kept
from mpio.watch.event import Event, Name, Severity
from mpio.watch.seen import Seen

KEPT = "/run/mpio/alerts.json"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: between tries (`first`, doubled up to `longest`), until a message is given up, between looks at a
    delivery under way. `most` messages wait in a queue. `owner` is whom the files that hold URLs must belong to.
    """

    first: float = 1.0
    longest: float = 60.0
    given: float = 3600.0
    look: float = 0.05
    most: int = 100
    owner: int = 0


@dataclass(slots=True)
class Sink:
    """Where one alert goes. `again` is the moment of the next try, `ends` when the one under way has had its time.
    `key` is what its place is called in the file that is kept.
    """

    key: str
    number: int
    alert: Alert
    incidents: Incidents
    machine: Machine
    patience: Patience
    queue: deque[Parcel] = field(default_factory=deque)
    under_way: Try | None = None
    ends: float = 0.0
    look: float = 0.0
    again: float = 0.0
    tries: int = 0
    dropped: int = 0
    failing: bool = False
    gave_up: bool = False
    changed: bool = False

    @property
    def name(self) -> str:
        return delivery.name(self.number, self.alert)

    @property
    def deadline(self) -> float | None:
        own = self.look if self.under_way else self.again if self.queue else None
        return min((d for d in (own, self.incidents.deadline) if d is not None), default=None)

    def put(self, said: Iterable[Message], now: float) -> None:
        for message in said:
            self.queue.append(delivery.parcel(message, now))
            if len(self.queue) > self.patience.most:
                self._drop()

    def _drop(self) -> None:
        """The oldest of what matters least, and not what is being delivered."""
        waiting = list(self.queue)[1:] if self.under_way else list(self.queue)
        repeats = (p for p in waiting if p.message.repeat)
        news = (p for p in waiting if p.message.severity is Severity.INFO)
        self.queue.remove(next(repeats, None) or next(news, None) or waiting[0])
        self.dropped += 1

    def tick(self, now: float) -> tuple[Event, ...]:
        due = self.incidents.deadline
        self.changed = self.changed or (due is not None and due <= now)
        self.put(self.incidents.tick(now), now)
        said = self._watched(now) if self.under_way else ()
        if not self.under_way and self.queue and now >= self.again:
            said += self._begin(now)
        return said

    def _begin(self, now: float) -> tuple[Event, ...]:
        parcel = self.queue[0]
        notes: tuple[str, ...] = (f"{self.dropped} older messages were dropped.",) if self.dropped else ()
        if now - parcel.born > 60:
            notes += (f"This message is {messages.span(now - parcel.born)} late: it could not be delivered before.",)
        try:
            self.under_way = Try(self.alert, parcel, self.machine, notes=notes, owner=self.patience.owner)
        except MpioError as error:
            return self._failed(error.message, now)
        self.ends, self.look = now + self.under_way.limit, now + self.patience.look
        return ()

    def _watched(self, now: float) -> tuple[Event, ...]:
        assert self.under_way is not None
        if self.under_way.ended():
            reason, self.under_way = self.under_way.reason, None
            return self._failed(reason, now) if reason else self._delivered()
        if now >= self.ends:
            # One that the kernel holds cannot be ended: it is looked at now and then, and others have their own.
            self.under_way.end()
            self.look = now + (self.patience.look if now < self.ends + 1 else 1.0)
            return self._say(self.under_way.reason) if now >= self.ends + 1 else ()
        self.look = min(now + self.patience.look, self.ends)
        return ()

    def _delivered(self) -> tuple[Event, ...]:
        self.queue.popleft()
        self.tries, self.dropped, self.failing, self.gave_up = 0, 0, False, False
        return ()

    def _failed(self, reason: str, now: float) -> tuple[Event, ...]:
        parcel = self.queue[0]
        self.again = now + min(self.patience.first * 2 ** min(self.tries, 30), self.patience.longest)
        self.tries += 1
        if now - parcel.born < self.patience.given:
            return self._say(reason)
        self.queue.popleft()
        self.dropped += 1
        if self.gave_up or parcel.message.plain:
            return ()
        self.gave_up = self.failing = True
        return (self._event(f"{reason}; a message was given up after {messages.span(now - parcel.born)}"),)

    def _say(self, reason: str) -> tuple[Event, ...]:
        """Once while it fails; what tells of alerts that failed is not told of."""
        if self.failing or self.queue[0].message.plain:
            return ()
        self.failing = True
        return (self._event(f"{reason}; tried again for {messages.span(self.patience.given)}"),)

    def _event(self, reason: str) -> Event:
        return Event(Name.ALERT_FAILED, Severity.INFO, subject=self.name, detail=f"{self.name}: {reason}")

    def stop(self) -> None:
        if self.under_way:
            self.under_way.end()


class Alerts:
    """All alerts of a site. Every call comes back at once, `stop` within the time it is given."""

    def __init__(
        self, alerts: tuple[Alert, ...], machine: Machine, patience: Patience | None = None, keep: str = ""
    ) -> None:
        """`keep` is the file in which what was told is kept for a watcher that comes after this one."""
        self._machine = machine
        self._patience = patience or Patience()
        self._kept = keep
        before = _told_before(machine, keep)
        self._told, self._salt = before.alerts, before.password or os.urandom(16).hex()
        self._seen: Seen | None = None
        self._sinks: list[Sink] = []
        self._gone: list[Sink] = []
        self.change(alerts)

    def change(self, alerts: tuple[Alert, ...]) -> None:
        """The site file's alerts now: what is open and what waits stays where the place to tell is the same."""
        old, self._sinks = self._sinks, []
        for number, alert in enumerate(alerts, 1):
            key = _key(self._salt, alert, sum(_place(one) == _place(alert) for one in alerts[: number - 1]))
            same = next((s for s in old if s.key == key), None)
            if same is None:
                self._sinks.append(Sink(key, number, alert, Incidents(alert), self._machine, self._patience))
                self._begin(self._sinks[-1])
                continue
            old.remove(same)
            same.number, same.alert = number, alert
            same.incidents.change(alert)
            self._sinks.append(same)
        for gone in old:
            gone.stop()
        self._gone += [s for s in old if s.under_way]
        self._told = {s.key: self._told[s.key] for s in self._sinks if s.key in self._told}

    @property
    def incidents(self) -> tuple[Incidents, ...]:
        return tuple(sink.incidents for sink in self._sinks)

    @property
    def pending(self) -> bool:
        """Is there a message that has not been delivered?"""
        return any(sink.under_way or sink.queue for sink in self._sinks)

    def take(self, events: tuple[Event, ...], seen: Seen, now: float) -> None:
        """What was said, if anything was, and how the host looks now."""
        self._seen = seen
        for sink in self._sinks:
            # that a sink fails is no news for itself
            told = [e for e in events if e.name is not Name.ALERT_FAILED or e.subject != sink.name]
            if told or sink.incidents.open:
                due = sink.incidents.deadline
                sink.incidents.take(told, seen, now)
                sink.changed = sink.changed or bool(told) or sink.incidents.deadline != due

    def tick(self, now: float) -> tuple[Event, ...]:
        self._gone = [s for s in self._gone if s.under_way and not s.under_way.ended()]
        said = tuple(event for sink in self._sinks for event in sink.tick(now))
        self._keep()
        return said

    @property
    def deadline(self) -> float | None:
        return min((d for sink in self._sinks if (d := sink.deadline) is not None), default=None)

    def stop(self, seconds: float) -> None:
        """What has been gathered is sent; what is under way then is given so long, and no more."""
        now = time.monotonic()
        until = now + seconds
        for sink in self._sinks:
            said = sink.incidents.hurry(now)
            sink.changed = sink.changed or bool(said)
            sink.put(said, now)
            sink.again = now
        while any(s.under_way or (s.queue and s.again <= now) for s in self._sinks) and now < until:
            self.tick(now)
            time.sleep(min(self._patience.look, max(until - now, 0)))
            now = time.monotonic()
        self._keep()
        for sink in self._sinks:
            sink.stop()

    # -- for the next watcher ----------------------------------------------------------------------------------------

    def _keep(self) -> None:
        """What each alert has open, as of the last moment at which all of it was delivered: a watcher that dies says
        what waited once more rather than never.
        """
        told = dict(self._told)
        for sink in self._sinks if self._kept else ():
            if sink.changed and not (sink.under_way or sink.queue):
                sink.changed = False
                state = kept.Told(tuple(sink.incidents.open), sink.incidents.flapped)
                told[sink.key] = copy.deepcopy(state)  # what is open goes on
        if told != self._told:
            self._told = told
            with contextlib.suppress(MpioError):  # a full /run is no reason to see nothing any more
                self._machine.files.write(self._kept, kept.dump(kept.Alerts(told, self._salt)), 0o600, durable=False)

    def _begin(self, sink: Sink) -> None:
        """What was told there before goes on; what is not well now and was not told is what it is found with."""
        if before := copy.deepcopy(self._told.get(sink.key)):
            sink.incidents.recall(before.open, before.flapped)
        if self._seen is not None:
            found = beginning.started(self._seen, "told here from now on")
            if found.severity is not Severity.INFO:
                sink.incidents.take((found,), self._seen, time.monotonic())
                sink.changed = True


def _told_before(machine: Machine, path: str) -> kept.Alerts:
    with contextlib.suppress(MpioError):  # another release's: as if there were none
        if path and (text := machine.files.text(path)):
            return kept.parse(kept.Alerts, text)
    return kept.Alerts()


def _place(alert: Alert) -> tuple[object, ...]:
    return alert.url, alert.url_file, alert.exec


def _key(salt: str, alert: Alert, before: int) -> str:
    """Two that are shown alike may be told elsewhere, and a place may be named more than once."""
    return f"{hashlib.sha256((salt + repr(_place(alert))).encode()).hexdigest()[:32]}-{before}"
