"""Following a host: every source wakes, the truth is read anew, the differences are said (contract 6).

One thread. The order of a turn is the order of urgency: what a lost link calls for, then a look at everything, then
what is due.
"""

from __future__ import annotations

import contextlib
import datetime
import gc
import selectors
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mpio import links, notify, udev
from mpio.errors import MpioError
from mpio.host import Portal
from mpio.machine import Machine
from mpio.site import Site, Watch
from mpio.watch import beginning, changes, sight
from mpio.watch.event import Event, Name, Severity, stamped
from mpio.watch.hands import Hands
from mpio.watch.lines import Lines
from mpio.watch.listener import Listener
from mpio.watch.probing import Probing
from mpio.watch.seen import Seen
from mpio.watch.sight import Sight
from mpio.watch.stamps import Stamps

EVERY = 1.0  # the cheap look: session states, carriers, stamps
WHOLE = 60.0  # a whole look though nothing said anything
SOAK = 0.25  # between two looks while events keep coming
SHARE = 2.0  # and so many times as long as the last one took: a big host has other work, too
PATIENCE = 5  # turns in a row that may break before the watcher gives up, for its service to begin anew
LEAVE = 2.0  # seconds that what is under way is given at the end

Say = Callable[[tuple[Event, ...], Seen], None]


@dataclass(slots=True)
class Loop:
    """`say` puts events out, by way of `out`; `complain` is for words that are no event. Without `hands` it only
    prints. `stamps` were made before the site was read.
    """

    machine: Machine
    site: Site | None
    reload: Callable[[], Site]
    say: Say
    complain: Callable[[str], None]
    hands: Hands | None
    listener: Listener | None
    role: str
    out: Lines
    stamps: Stamps
    seen: Seen = field(init=False)
    sight: Sight = field(init=False)
    probing: Probing = field(init=False)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    counts: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    _signals: tuple[socket.socket, socket.socket] = field(init=False)
    _udev: udev.Monitor = field(init=False)
    _links: links.Monitor = field(init=False)
    _cheap: tuple[object, ...] = ()
    _missed: set[str] = field(default_factory=set)  # why the next look is to be at everything
    _look: float | None = None  # when the next look is due
    _looked: float = 0.0
    _when: float = 0.0  # the same, in seconds since the epoch
    _took: float = 0.0
    _tick: float = 0.0
    _alive: float = 0.0
    _since: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        """The sources first, then the look: what happens between is noticed twice rather than never."""
        self._signals = self._wake_on_signals()
        self._udev, self._links = udev.Monitor(), links.Monitor()
        for fd in (*self._udev.filenos(), self._links.fileno()):
            self.selector.register(
                fd, selectors.EVENT_READ, self._hinted if fd != self._links.fileno() else self._linked
            )
        self.sight = Sight(self.machine, self.site)
        self.probing = Probing.of(self.selector, self.site.watch if self.site else Watch())
        begin = time.monotonic()
        self.seen = self.sight.look({}, {})
        self._looked, self._when = time.monotonic(), time.time()
        self._took = self._looked - begin
        self._aim()
        mended = self.hands.looked(self.seen) if self.hands else ()
        self.emit((beginning.started(self.seen, self.role), *mended))
        gc.freeze()  # what is here now stays: no collection has to walk it again

    def run(self) -> int:
        """Until a signal. Returns the signal's number."""
        broken = 0
        notify.ready()
        try:
            while not self.ended:
                try:
                    self._turn()
                    broken = 0
                except Exception as error:
                    broken += 1
                    if broken == PATIENCE:
                        raise
                    self.complain(f"a look failed ({type(error).__name__}: {error}); looking again")
                    self.sight.forget()
                    self._wanted()
                    time.sleep(SOAK * 2 ** (broken - 1))  # what is broken now may not be so in a moment
        finally:
            notify.stopping()
            self._end()
        return self.ended

    # -- a turn ------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        for key, _ in self.selector.select(max(0.0, self._deadline() - time.monotonic())):
            if isinstance(key.data, tuple):
                self.probing.answered(key.data, time.monotonic())
            else:
                key.data()
        now = time.monotonic()
        self._probed(now)
        if now >= self._tick:
            self._tick = now + EVERY
            self._each_second(now)
        if self._look is not None and now >= self._look:
            self._whole()
        if self.hands:
            self.emit(self.hands.turn(self.seen, time.monotonic()))
        if (every := notify.watchdog_interval()) and now >= self._alive:
            self._alive = now + every / 3
            notify.alive()

    def _deadline(self) -> float:
        parts = (self._tick, self._look, self.probing.deadline, self.hands.deadline if self.hands else None)
        return min(d for d in parts if d is not None)

    def _hinted(self) -> None:
        heard = self._udev.drain()
        if heard.lost:
            self._resync("udev events were lost")
        if heard.events or heard.lost:
            self._wanted()

    def _linked(self) -> None:
        if self._links.drain():
            self._resync("rtnetlink messages were lost")
        self._carriers()
        self._wanted()

    def _carriers(self) -> None:
        """What the NICs' carriers say now; the sessions of one that has lost it are failed before anything else."""
        now = time.monotonic()
        after = self.sight.links_now(self.seen)
        events = changes.between(self.seen, after)
        self.seen = after
        self.emit(events)
        if any(e.name is Name.LINK_DOWN for e in events):
            self._fail_fast(now)

    def _probed(self, now: float) -> None:
        if self.probing.deadline is not None and self.probing.deadline <= now:
            self.probing.turn(self.seen.host.sessions, now, self.seen.dark)
        if self.probing.answers == self.seen.host.probes:
            return
        after = self._with_answers(self.seen)
        events = changes.between(self.seen, after)
        self.seen = after
        self.emit(events)
        if any(e.name is Name.PORTAL_UNREACHABLE for e in events):
            self._fail_fast(now)
        self._wanted()

    def _with_answers(self, seen: Seen) -> Seen:
        return replace(seen, host=replace(seen.host, probes=dict(self.probing.answers)), rtt=dict(self.probing.rtt))

    def _each_second(self, now: float) -> None:
        for reason in self.stamps.news():
            self.probing.again(now)
            self._resync(reason)
        if self.out.gone.is_set():
            self.ended = signal.SIGPIPE
        if dropped := self.out.missing():
            self._resync(f"{dropped} lines were not read, and are lost")
        if self.stamps.site_changed():
            self._new_site()
        carriers = sight.carriers(self.machine, self.seen)
        if carriers != tuple(n.carrier for n in self.seen.host.nics):
            self._carriers()
            self._wanted()
        cheap = sight.session_states(self.machine, self.seen)
        if cheap != self._cheap:
            self._cheap = cheap
            self._wanted()
        if now - self._looked > WHOLE:
            self.sight.forget()
            self._wanted()
        self._fail_fast(now)

    def _whole(self) -> None:
        begin = time.monotonic()
        self._missed.clear()
        after = self.sight.look(dict(self.probing.answers), dict(self.probing.rtt))
        after = self.sight.with_causes(self.seen, after)
        events = changes.between(self.seen, after)
        self.seen = after
        self._looked, self._when, self._look = time.monotonic(), time.time(), None
        self._took = self._looked - begin
        self._aim()
        self.emit(events)
        if self.hands:
            self.emit(self.hands.looked(after))
        if events:
            self._fail_fast(time.monotonic())

    # -- what follows ------------------------------------------------------------------------------------------------

    def emit(self, events: tuple[Event, ...]) -> None:
        if events:
            self._note_losses(events)
            events = stamped(events, datetime.datetime.now().astimezone())  # one time for all who are told
            self.say(events, self.seen)
            self.counts.update(e.name.value for e in events)
            if self.hands:
                self.hands.told(events, self.seen, time.monotonic())
        if self.listener:
            self.listener.show(self.seen, self.counts, self.counts[Name.RESYNC], self._when)

    def _note_losses(self, events: tuple[Event, ...]) -> None:
        """When the loss of a link or a pair was seen: what has answered before is no answer to it."""
        for event in events:
            if event.name in (Name.LINK_UP, Name.PORTAL_REACHABLE):
                self._since.pop(event.root, None)
            elif event.name in (Name.LINK_DOWN, Name.PORTAL_UNREACHABLE):
                self._since[event.root] = time.monotonic()

    def _fail_fast(self, now: float) -> None:
        if self.hands:
            self.emit(self.hands.fail_fast(self.seen, now, lambda what: self._since.setdefault(what, now)))

    def _wanted(self) -> None:
        """A look is wanted: at once if the last one is long enough ago."""
        if self._look is None:
            self._look = max(time.monotonic(), self._looked + max(SOAK, SHARE * self._took))

    def _resync(self, reason: str) -> None:
        """Said once for each reason before the look that follows: a storm loses again what is lost already."""
        if reason in self._missed:
            return
        self._missed.add(reason)
        self.sight.forget()
        self.emit((Event(Name.RESYNC, Severity.INFO, subject="mpio watch", detail=reason),))
        self._wanted()

    def _new_site(self) -> None:
        try:
            self.site = self.reload()
        except MpioError as error:
            self.complain(f"the changed site file is not used: {error.message}")
            return
        self.sight.site = self.site
        self.probing.change(self.site.watch, time.monotonic())
        if self.hands:
            self.hands.take_over(self.site)
        self._resync("the site file has changed")

    def _aim(self) -> None:
        """Probe each planned pair, and those that have a session; none that is offline by hand."""
        host = self.seen.host
        pairs = {*(self.seen.pairs.planned if self.seen.pairs else ()), *(s.pair for s in host.sessions)}
        nics = {i.name: i.nic for i in host.ifaces} | {s.pair.iface: s.nic for s in host.sessions if s.nic}
        wanted: dict[tuple[str, Portal], str] = {
            (p.iface, p.portal): nics[p.iface] for p in sorted(pairs) if nics.get(p.iface) and not host.is_offline(p)
        }
        self.probing.aim(wanted, time.monotonic())

    # -- the end -----------------------------------------------------------------------------------------------------

    def _wake_on_signals(self) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._asked_to_end)
        self.selector.register(ours, selectors.EVENT_READ, lambda: ours.recv(4096))
        return ours, theirs

    def _asked_to_end(self, number: int, _: object) -> None:
        self.ended = self.ended or number

    def _end(self) -> None:
        """Whatever of it fails, the rest is done."""
        with contextlib.ExitStack() as last:
            for end in self._signals:
                last.callback(end.close)
            last.callback(signal.set_wakeup_fd, -1)
            last.callback(self._links.close)
            last.callback(self.probing.close)
            if self.hands:
                last.callback(self.hands.close, LEAVE)
            stopped = Event(Name.STOPPED, Severity.INFO, subject="mpio watch", detail=_why(self.ended))
            last.callback(lambda: self.emit((stopped,)))
            if self.hands:
                self.emit(self.hands.release(self.seen))


def _why(number: int) -> str:
    return f"ended by {signal.Signals(number).name}" if number else "ended by a fault"
