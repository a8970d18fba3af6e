"""Probes of each (iface, portal) pair, as arrays accept them (contract 6): what a session's socket has received counts;
only a pair without that gets a connect, bound to its NIC and closed at once.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mpio import probe, sockets
from mpio.errors import MpioError
from mpio.host import Answer, Portal, Session

if TYPE_CHECKING:
    from mpio.site import Watch

Way = tuple[str, Portal]
SLOW = 10.0  # the interval where no fast_fail waits for the answer
LIMIT = 1.0  # a SYN that was lost is sent again after a second (RFC 6298): no answer after that is one
TOGETHER = 0.25  # of the interval: sockets that are due so soon are read in one go
SOONEST = 0.05  # of the interval, before a socket is read again whose last byte is nearly an interval old


@dataclass(slots=True)
class Asked:
    """A pair that is probed. `misses` in a row; `end` is when the connect under way counts as missed."""

    nic: str
    due: float
    misses: int = 0
    connect: socket.socket | None = None
    begun: float = 0.0
    end: float = 0.0


@dataclass(slots=True)
class Probing:
    """`answers` are settled: a pair is dead only after `misses` probes in a row."""

    selector: selectors.BaseSelector
    interval: float
    misses: int
    answers: dict[Way, Answer] = field(default_factory=dict)
    rtt: dict[Way, float] = field(default_factory=dict)
    _asked: dict[Way, Asked] = field(default_factory=dict)

    @classmethod
    def of(cls, selector: selectors.BaseSelector, watch: Watch) -> Probing:
        return cls(selector, watch.probe_interval if watch.fast_fail == "probe" else SLOW, watch.probe_misses)

    @property
    def deadline(self) -> float | None:
        return min((a.end if a.connect else a.due for a in self._asked.values()), default=None)

    def aim(self, wanted: Mapping[Way, str], now: float) -> None:
        """Probe these pairs, each with its NIC, from now on; new ones spread over the interval."""
        for way in self._asked.keys() - wanted.keys():
            self._hang_up(self._asked.pop(way))
            self.answers.pop(way, None)
            self.rtt.pop(way, None)
        for way, nic in wanted.items():
            if way in self._asked and self._asked[way].nic != nic:  # the iface was bound to another NIC
                self._hang_up(self._asked[way])
                self._asked[way] = Asked(nic, now)
        new = [way for way in wanted if way not in self._asked]
        for place, way in enumerate(new):
            self._asked[way] = Asked(wanted[way], now + self.interval * place / len(new))

    def change(self, watch: Watch, now: float) -> None:
        """The site has changed: what is settled stays so, until it is asked again."""
        new = Probing.of(self.selector, watch)
        self.interval, self.misses = new.interval, new.misses
        self.again(now)

    def again(self, now: float) -> None:
        """After a time in which nobody looked (suspended, a clock that jumped) what was missed counts for nothing."""
        for place, one in enumerate(self._asked.values()):
            self._hang_up(one)
            one.misses, one.due = 0, now + self.interval * place / len(self._asked)

    def turn(self, sessions: Iterable[Session], now: float, blind: frozenset[str]) -> None:
        """Do what is due. Nothing is asked through `blind` NICs, those without carrier: their loss says it all."""
        for way, one in self._asked.items():
            if one.nic in blind:
                self._hang_up(one)
                one.misses = 0
                while one.due <= now:  # by whole intervals: what was spread stays so
                    one.due += self.interval
            elif one.connect is not None and now >= one.end:
                self.answered(way, now)
        due = [w for w, one in self._asked.items() if one.connect is None and one.due <= now + self.interval * TOGETHER]
        if any(self._asked[w].due <= now for w in due):
            self._ask(due, tuple(sessions), now)

    def answered(self, way: Way, now: float) -> None:
        """The connect under way has met something, or its time is over."""
        one = self._asked.get(way)
        if one is None or one.connect is None:
            return
        met = probe.met(one.connect)
        if met is None and now < one.end:
            return
        took = now - one.begun
        self._hang_up(one)
        self._settle(way, one, met or Answer.SILENT, took)
        one.due = max(one.begun + self.interval, now)

    def close(self) -> None:
        for one in self._asked.values():
            self._hang_up(one)

    def _ask(self, due: list[Way], sessions: tuple[Session, ...], now: float) -> None:
        of = {w: [s for s in sessions if (s.pair.iface, s.pair.portal) == w and s.logged_in] for w in due}
        try:
            read = sockets.of_sessions([s for some in of.values() for s in some])
        except MpioError:  # no sock_diag in this kernel: then connects alone must tell
            read = {}
        for way in due:
            one, heard = self._asked[way], [read[s.sid] for s in of[way] if s.sid in read]
            freshest = min(heard, key=lambda h: h.age, default=None)
            if freshest is not None and freshest.age < self.interval:
                self._settle(way, one, Answer.ANSWERED, freshest.rtt)
                # When the last byte will be an interval old: so a loss is noticed as early as it can be.
                one.due = now + max(self.interval - freshest.age, self.interval * SOONEST)
            elif one.due <= now:
                self._connect(way, one, now)

    def _connect(self, way: Way, one: Asked, now: float) -> None:
        one.begun, one.end = now, now + min(self.interval, LIMIT)
        begun = probe.begin(one.nic, way[1])
        if isinstance(begun, socket.socket):
            one.connect = begun
            self.selector.register(begun, selectors.EVENT_WRITE, way)
            return
        if begun is not None:
            self._settle(way, one, begun, 0.0)
        one.due = now + self.interval

    def _settle(self, way: Way, one: Asked, answer: Answer, took: float) -> None:
        if answer is Answer.ANSWERED:
            one.misses = 0
            self.rtt[way] = took
        else:
            one.misses += 1
            if one.misses < self.misses:
                return
            self.rtt.pop(way, None)
        self.answers[way] = answer

    def _hang_up(self, one: Asked) -> None:
        if one.connect is not None:
            self.selector.unregister(one.connect)
            one.connect.close()
            one.connect = None
