"""What a watcher that acts does besides saying what it sees: fail fast, heal, alert, remember."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass

from mpio.alerts import sinks
from mpio.alerts.sinks import Alerts
from mpio.fastfail.lever import Lever
from mpio.host import Answer
from mpio.machine import Machine
from mpio.site import Site, Watch
from mpio.watch import causes
from mpio.watch.box import Box
from mpio.watch.event import Cause, Event, Name
from mpio.watch.healing import Healing
from mpio.watch.seen import Seen

QUIET = Watch(heal=False)  # without a site nothing says what is wanted


@dataclass(slots=True)
class Hands:
    """Each part is asked when its `deadline` has come, and waits for nothing."""

    watch: Watch
    lever: Lever
    healing: Healing
    alerts: Alerts
    box: Box

    @classmethod
    def of(cls, machine: Machine, site: Site | None, say: Callable[[str], None]) -> Hands:
        watch = site.watch if site else QUIET
        return cls(
            watch,
            Lever(machine, watch),
            Healing(machine),
            Alerts(watch.alerts, machine, keep=sinks.KEPT),
            Box(machine, say),
        )

    def take_over(self, site: Site) -> None:
        """The site file has changed."""
        self.watch = site.watch
        self.lever.watch = self.watch
        self.alerts.change(self.watch.alerts)

    @property
    def deadline(self) -> float | None:
        healing = self.healing.deadline if self.watch.heal else None
        parts = (self.lever.deadline, healing, self.alerts.deadline)
        return min((d for d in parts if d is not None), default=None)

    def told(self, events: tuple[Event, ...], seen: Seen, now: float) -> None:
        """These events were said."""
        for one in events:
            if one.name is Name.LINK_UP:
                self.lever.back(one.root, now)
            elif one.name is Name.PORTAL_REACHABLE:  # its loss counts from its last miss: it is well that much shorter
                self.lever.back(one.root, now + self.watch.probe_interval * self.watch.probe_misses)
        if events:
            self.box.keep(events)
            self.alerts.take(events, seen, now)

    def looked(self, seen: Seen) -> tuple[Event, ...]:
        """After each look: its layers are kept, what is missing is noticed, what is back gets its time-outs back."""
        self.box.look(seen, datetime.datetime.now().astimezone())
        self.healing.look(seen, time.monotonic())
        self.alerts.take((), seen, time.monotonic())  # what is over without any event, or wanted no more
        return self.lever.mend(seen)

    def turn(self, seen: Seen, now: float) -> tuple[Event, ...]:
        """Do what is due."""
        said: tuple[Event, ...] = ()
        if _due(self.lever.deadline, now):
            said += self.lever.mend(seen)
        if _due(self.healing.deadline, now) and self.watch.heal:
            said += self.healing.consider(seen, now)
        return said + self.alerts.tick(now)

    def fail_fast(self, seen: Seen, now: float, since: Callable[[str], float]) -> tuple[Event, ...]:
        """The sessions of NICs without carrier and of dead pairs, as the site says; `since` gives the monotonic second
        at which the loss of a thing was seen. Called again and again while the loss lasts. Of pairs that only take no
        new connections, those sessions are left alone that live.
        """
        if self.watch.fast_fail == "off":
            return ()
        said: tuple[Event, ...] = ()
        alive = [s for s in seen.host.sessions if s.logged_in]
        dark = {n.name for n in seen.host.nics if n.carrier is not True}
        for name in sorted(dark & {s.nic for s in alive}):
            what = causes.of_nic(name)
            said += self.lever.fail(seen, tuple(s for s in alive if s.nic == name), Cause.LINK, what, since(what))
        if self.watch.fast_fail == "probe":
            for way, answer in sorted(seen.host.probes.items()):
                lost = tuple(s for s in alive if (s.pair.iface, s.pair.portal) == way and s.nic not in dark)
                if lost and answer is not Answer.ANSWERED:
                    what = causes.of_way(*way)
                    cause = Cause.REFUSED if answer is Answer.REFUSED else Cause.SILENT
                    said += self.lever.fail(seen, lost, cause, what, since(what))
        return said

    def release(self, seen: Seen) -> tuple[Event, ...]:
        """At the end: planned time-outs where a session lives."""
        return self.lever.release(seen)

    def close(self, seconds: float) -> None:
        """What is under way has so long to end, of which the alerts, which may be on their way, have most."""
        self.healing.stop(seconds * 0.15)
        self.alerts.stop(seconds * 0.6)
        self.box.close(seconds * 0.25)


def _due(deadline: float | None, now: float) -> bool:
    return deadline is not None and deadline <= now
