"""The lever of fast_fail: sessions that are lost for certain are failed at once, so that their maps go on elsewhere.

Their recovery time is set to 0 while they are still LOGGED_IN (the kernel takes it only then) and their connections are
aborted. Tried in the lab: the longest wait of a reader falls from 15 s to 0.2 s.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mpio import inuse, settle, sockets
from mpio.errors import CannotWrite, MpioError
from mpio.fastfail import failing, moment, noted
from mpio.fastfail.failing import Refusal
from mpio.fastfail.flaps import Flaps
from mpio.fastfail.noted import Noted
from mpio.host import Answer, Session
from mpio.machine import Machine
from mpio.tools import sysfs
from mpio.watch.event import Cause, Event, Name, Severity
from mpio.watch.seen import Seen

if TYPE_CHECKING:
    from mpio.site import Watch

EVERY = 1.0  # seconds between two looks whether a failed session is back
FAILING = 1.0  # seconds that a session which has just lost its connection is given to say so
PATIENCE = 8.0  # seconds, at most, between two tries while nothing may be done
NICE = -10
UNABLE = "the kernel ends no connections for us (INET_DIAG_DESTROY, CAP_NET_ADMIN)"


@dataclass(frozen=True, slots=True)
class Refused:
    """What was said of one loss, and when it is looked at again."""

    since: float
    why: str
    again: float
    wait: float


class Lever:
    """One for a watcher that acts. `watch` may be changed; `deadline` says when `mend` is wanted."""

    def __init__(self, machine: Machine, watch: Watch) -> None:
        self.watch = watch
        self.deadline: float | None = None
        self._machine = machine
        self._noted = noted.parse(machine.files.text(noted.PATH))
        self._left = frozenset(self._noted)  # by a watcher that is gone
        self._flaps = Flaps()
        self._refused: dict[str, Refused] = {}
        self._complained: set[str] = set()
        self._addresses: dict[str, dict[str, None]] = {}  # of each NIC, also those that it has lost since
        self._able: bool | None = None
        self._ready = False

    # -- fail --------------------------------------------------------------------------------------------------------

    def fail(
        self, seen: Seen, sessions: tuple[Session, ...], cause: Cause, what: str, since: float
    ) -> tuple[Event, ...]:
        """Fail these sessions now, if that harms nobody. `since` is the monotonic second at which the loss of `what`
        was seen: whatever is said to be alive must have been heard of after it.
        """
        begin = time.monotonic()
        before = self._refused.get(what)
        if before and before.since == since and begin < before.again:
            return ()
        self._flaps = self._flaps.lost(what, since)
        now = moment.sessions(self._machine.files, seen)
        lost = {s.sid for s in sessions}
        doomed = tuple(s for s in now if s.sid in lost and s.logged_in and self._is_lost(s, cause, begin))
        try:
            if cause is not Cause.LINK:
                doomed = _unheard(seen, doomed)
            if not doomed:
                return ()
            against = self._against(seen, now, doomed, what, since)
        except (MpioError, OSError) as error:  # what cannot be known is no leave to act
            against = Refusal(f"what must be known first cannot be read: {error}")
        if against is None:
            deed = self._do(seen, doomed, cause, what, since)
            if isinstance(deed, Event):
                self._refused.pop(what, None)
                return (deed,)
            against = deed
        wait = min(PATIENCE, before.wait * 2) if before and before.since == since else EVERY
        self._refused[what] = Refused(since, against.why, time.monotonic() + wait, wait)
        if before and before.since == since and before.why == against.why:
            return ()
        return (_event(doomed, cause, what, f"nothing is failed at once: {against.why}", against),)

    def back(self, what: str, at: float) -> None:
        """What was lost is back since that monotonic second: if it stays so, its next loss is a first one again."""
        self._flaps = self._flaps.back(what, at)

    def _is_lost(self, session: Session, cause: Cause, now: float) -> bool:
        """The loss of a link is over once the kernel says so; and what was done a moment ago is not done again."""
        if cause is Cause.LINK and sysfs.carrier(self._machine.files, session.nic) is True:
            return False
        one = self._noted.get(session.sid)
        return one is None or noted.is_back(one, session.local_port, now)

    def _against(
        self, seen: Seen, now: tuple[Session, ...], doomed: tuple[Session, ...], what: str, since: float
    ) -> Refusal | None:
        """What forbids it; the quick questions first."""
        files, sids = self._machine.files, frozenset(s.sid for s in doomed)
        if not self._can():
            return Refusal(UNABLE)
        if time.monotonic() - since < self._flaps.hold(what):
            return Refusal(self._flaps.why(what))
        root = frozenset() if self.watch.fast_fail_root else moment.of_root(files)
        if against := failing.of_root(sids, root, self.watch.fast_fail_root):
            return against
        host = moment.host(files, seen, now, sids)
        # Whoever cannot be a way on for some map need not be asked.
        every = frozenset(s.sid for s in now)
        if against := failing.refusal(host, sids, every):
            return against
        answered = moment.answered(host, sids, since)
        if against := failing.alive(doomed, answered):
            return against
        # To ask may have taken a while.
        if against := failing.refusal(moment.with_carriers(files, host), sids, answered):
            return against
        return failing.used(inuse.of_disks(files, host, (p for p in host.paths if p.sid in sids)))

    def _do(self, seen: Seen, doomed: tuple[Session, ...], cause: Cause, what: str, since: float) -> Event | Refusal:
        """Says what was done, or why nothing could be."""
        begin = time.monotonic()
        self._learn(seen)
        addresses = {nic: tuple(known) for nic, known in self._addresses.items()}
        done: list[Session] = []
        failures: list[str] = []
        ended = frozenset[int]()
        try:
            found = sockets.find(doomed, addresses)
            new: dict[int, Noted] = {}
            for session in doomed:
                planned = self._planned(seen, session)
                if against := _hopeless(session, found, planned):
                    failures.append(against)
                else:
                    new[session.sid] = Noted(session.sid, str(session.pair), planned, session.local_port, begin)
            if new:
                self._keep({**self._noted, **new})
            self._left -= new.keys()
            for session in (s for s in doomed if s.sid in new):
                try:
                    self._write(session.sid, "0")
                    done.append(session)
                except CannotWrite as error:  # it has failed by itself meanwhile, mostly
                    failures.append(error.message)
            ended = sockets.end({s.sid: found[s.sid] for s in done})
        except (MpioError, OSError) as error:
            failures.append(str(error))
        self.deadline = time.monotonic() + EVERY
        took = (time.monotonic() - since) * 1000
        if not ended:
            return Refusal("; ".join(failures or ["no connection could be ended"]))
        names = ", ".join(f"{s.sid} ({failing.name(s.pair)})" for s in done if s.sid in ended)
        detail = f"failed at once, {took:.0f} ms after the loss was seen: session {names}"
        detail = "; ".join((detail, *failures))
        return replace(_event(doomed, cause, what, detail), severity=Severity.DEGRADED)

    def _learn(self, seen: Seen) -> None:
        for nic in seen.host.nics:
            self._addresses.setdefault(nic.name, {}).update(dict.fromkeys(nic.addresses))

    def _planned(self, seen: Seen, session: Session) -> str:
        """What its recovery time is to be: the plan's, else what it is; empty where that cannot be read."""
        if seen.site and seen.pairs and session.pair in seen.pairs.planned:
            return str(seen.site.timeouts.replacement)
        now = sysfs.word(self._machine.files, f"{sysfs.SESSIONS}/session{session.sid}/recovery_tmo")
        if now == "0" and session.sid in self._noted:
            return self._noted[session.sid].planned
        return now

    def _rehearse(self, seen: Seen) -> None:
        """Decide once without a reason: what is loaded or asked for the first time takes a while, which no failure
        should wait for, and may lie on the very disks that are lost then.
        """
        if self._ready or self.watch.fast_fail == "off":
            return
        self._ready = True
        _go_first()
        with contextlib.suppress(MpioError, OSError):  # said when it counts
            self._against(seen, moment.sessions(self._machine.files, seen), seen.host.sessions[:1], "", 0.0)
            inuse.of_disks(self._machine.files, seen.host, seen.host.paths[:1])

    def _can(self) -> bool:
        if self._able is None:
            self._able = sockets.can_abort()
        return self._able

    # -- mend --------------------------------------------------------------------------------------------------------

    def mend(self, seen: Seen) -> tuple[Event, ...]:
        """Give sessions that are back their planned recovery time, and forget those that are gone."""
        self._rehearse(seen)
        self._learn(seen)
        return self._restore(seen, at_once=False)

    def release(self, seen: Seen) -> tuple[Event, ...]:
        """At the end: every session that is logged in gets it. What is not stays noted, for who comes next."""
        if self._noted:
            settle.until(lambda: not self._ending(seen), FAILING)
        return self._restore(seen, at_once=True)

    def _ending(self, seen: Seen) -> bool:
        """Is there a session whose connection was ended a moment ago, and which does not know it yet?"""
        now = time.monotonic()
        alive = (s for s in moment.sessions(self._machine.files, seen) if s.logged_in and s.sid in self._noted)
        return any(not noted.is_back(self._noted[s.sid], s.local_port, now) for s in alive if s.sid not in self._left)

    def _restore(self, seen: Seen, *, at_once: bool) -> tuple[Event, ...]:
        if not self._noted:
            self.deadline = None
            return ()
        files, now = self._machine.files, time.monotonic()
        said: list[str] = []
        over: set[int] = set()
        alive = {s.sid: s for s in moment.sessions(files, seen)}
        for sid, one in self._noted.items():
            session = alive.get(sid)
            if session is None:
                over |= set() if sysfs.state(files, sid) else {sid}
                continue
            old = at_once or sid in self._left
            if session.logged_in and (old or noted.is_back(one, session.local_port, now)):
                try:
                    self._write(sid, one.planned)
                    over.add(sid)
                except CannotWrite as error:
                    said.append(f"a recovery time could not be put back: {error.message}")
        if over:
            try:
                self._keep({sid: one for sid, one in self._noted.items() if sid not in over})
            except CannotWrite as error:  # tried again: who comes next would take the note for true
                said.append(f"what was put back stays noted: {error.message}")
        self.deadline = now + EVERY if self._noted else None
        new = [reason for reason in dict.fromkeys(said) if reason not in self._complained]
        self._complained.update(new)
        return tuple(_unmended(reason) for reason in new)

    # -- files -------------------------------------------------------------------------------------------------------

    def _keep(self, notes: noted.Notes) -> None:
        """Not durable: what is in /run is gone after a crash of the machine, and so are the sessions."""
        files = self._machine.files
        if notes:
            files.write(noted.PATH, noted.text(notes), durable=False)
        else:
            files.remove(noted.PATH)
        self._noted = dict(notes)

    def _write(self, sid: int, value: str) -> None:
        self._machine.files.write(f"{sysfs.SESSIONS}/session{sid}/recovery_tmo", f"{value}\n")


def _go_first() -> None:
    """Before the host's other work, as iscsid itself (nice -10); what this process starts is no part of it. Where a
    unit forbids it, the unit says what counts.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)


def _event(doomed: tuple[Session, ...], cause: Cause, what: str, detail: str, against: Refusal | None = None) -> Event:
    mapped = against.mapped if against else None
    return Event(
        Name.FAST_FAIL,
        Severity.INFO,
        subject=what,
        root=what,
        detail=detail,
        cause=cause,
        iface=_same(s.pair.iface for s in doomed),
        nic=_same(s.nic for s in doomed),
        portal=_same(str(s.pair.portal) for s in doomed),
        target=_same(s.pair.target for s in doomed),
        wwid=mapped.wwid if mapped else "",
        alias=mapped.name if mapped else "",
    )


def _same(words: Iterable[str]) -> str:
    """What is the same for all of them, else nothing."""
    every = set(words)
    return every.pop() if len(every) == 1 else ""


def _unheard(seen: Seen, lost: tuple[Session, ...]) -> tuple[Session, ...]:
    """Those that the silence of their pair condemns. A portal that refuses new connections, or to which no new one
    finds a way, is not silent: of its sessions only those whose own connection is of no use.
    """
    silent = {s.sid for s in lost if seen.host.probes.get((s.pair.iface, s.pair.portal)) is Answer.SILENT}
    stuck = moment.stuck(s for s in lost if s.sid not in silent)
    return tuple(s for s in lost if s.sid in silent | stuck)


def _hopeless(session: Session, found: Collection[int], planned: str) -> str:
    """Why nothing is to be written to a session: it would not be ended, or never get back what it had."""
    if session.sid not in found:
        return f"session {session.sid} has no connection from an address of {session.nic or 'its NIC'}"
    return "" if planned else f"the recovery time of session {session.sid} cannot be read"


def _unmended(detail: str) -> Event:
    return Event(Name.FAST_FAIL, Severity.INFO, subject="recovery time", detail=detail)
