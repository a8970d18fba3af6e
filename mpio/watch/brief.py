"""A look without a daemon: what is new since the last such look is told, and then it ends.

Who starts it leaves a flag (90-mpio-alert.rules does), and it ends only where there is none: however many flags come,
one process looks, and after each of them once more.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mpio import lock, settle
from mpio.alerts import damping, sinks
from mpio.alerts.sinks import Alerts
from mpio.errors import Busy, Exit, UnreadableOutput
from mpio.machine import Machine
from mpio.site import Site, Watch
from mpio.watch import changes, kept
from mpio.watch.box import Box
from mpio.watch.event import Event, stamped
from mpio.watch.seen import Seen
from mpio.watch.sight import Sight, judged

FLAG = "/run/mpio/event"
LOCK = "/run/mpio/event.lock"
KEPT = "/run/mpio/event.json"
SOAK, SOAKED = 1.0, 5.0  # seconds: without a flag before a look, and at most; one cause fails paths for a while
AGAIN = 5.0  # between looks while a message waits for what it belongs to
LINGER = damping.LONGEST_HOLD  # what is due later is for the next look to tell
LONGEST = 3600.0
LEAVE = 2.0

Tell = Callable[[tuple[Event, ...]], None]


def once(machine: Machine, site: Site | None, tell: Tell, say: Callable[[str], None]) -> int:
    """1 where a message could not be delivered: then the next look tells all of it again."""
    machine.files.write(FLAG, "", durable=False)
    code: int = Exit.OK
    end = time.monotonic() + LONGEST
    while _called(machine) and time.monotonic() < end:  # a flag that is left starts the next one
        try:
            with lock.hold("watch --event", LOCK):
                if lock.held(lock.WATCH):
                    machine.files.remove(FLAG)
                    say("a watcher is at work, which tells by itself")
                    return Exit.OK
                code = Looking.of(machine, site, tell, say).run(end)
        except Busy:
            return Exit.OK  # who is at work sees the flag
    return code


def _called(machine: Machine) -> bool:
    return machine.files.text(FLAG) is not None


@dataclass(slots=True)
class Looking:
    machine: Machine
    tell: Tell
    sight: Sight
    alerts: Alerts
    box: Box
    before: kept.Kept | None
    seen: Seen | None = None
    _heard: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, machine: Machine, site: Site | None, tell: Tell, say: Callable[[str], None]) -> Looking:
        alerts = Alerts((site.watch if site else Watch()).alerts, machine, keep=sinks.KEPT)
        return cls(machine, tell, Sight(machine, site), alerts, Box(machine, say), _kept(machine))

    def run(self, end: float) -> int:
        """Until all is told, but no longer than to this monotonic moment, and only while there is no watcher."""
        watched = False
        try:
            while True:
                settle.until(self._quiet, SOAKED)
                watched = lock.held(lock.WATCH)
                if watched:
                    break
                self._look()
                settle.until(self._told, AGAIN)
                if time.monotonic() > end or (not _called(self.machine) and self._over()):
                    break
        finally:
            self.alerts.stop(0 if watched else LEAVE)  # what waits is the watcher's to tell
            self.box.close(LEAVE)
        if watched:
            return Exit.OK
        if self.alerts.pending or self.seen is None:
            return Exit.COULD_NOT
        self.machine.files.write(KEPT, kept.dump(kept.of(self.seen.host)), 0o600, durable=False)
        return Exit.OK

    def _quiet(self) -> bool:
        if _called(self.machine):
            self.machine.files.remove(FLAG)
            self._heard = time.monotonic()
        return time.monotonic() - self._heard > SOAK

    def _look(self) -> None:
        now = self.sight.look({}, {})
        before = self.seen or judged(replace(now, host=kept.before(now.host, self.before)))
        self.seen = self.sight.with_causes(before, now)
        self._said(changes.between(before, self.seen))
        self.alerts.take((), self.seen, time.monotonic())

    def _said(self, events: tuple[Event, ...]) -> None:
        if events and self.seen is not None:
            events = stamped(events, datetime.datetime.now().astimezone())
            self.tell(events)
            self.box.keep(events)
            self.alerts.take(events, self.seen, time.monotonic())

    def _told(self) -> bool:
        """Is there nothing more to wait for, or something new to look at?"""
        self._said(self.alerts.tick(time.monotonic()))
        return _called(self.machine) or self._over()

    def _over(self) -> bool:
        due = self.alerts.deadline
        return not self.alerts.pending and (due is None or due > time.monotonic() + LINGER)


def _kept(machine: Machine) -> kept.Kept | None:
    text = machine.files.text(KEPT)
    try:
        return None if text is None else kept.parse(kept.Kept, text)
    except UnreadableOutput:  # another mpio's: as if there were none
        return None
