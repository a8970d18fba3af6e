"""How long a reader waits when something fails, and how long I/O is held when the last path goes: the failover budget.

For whoever uses it (drill, report, status, verify, export, stat):

    budget.of_session(host, session, site)    a session's own Budget
    budget.of_lun(host, lun, site)            that of a LUN: the worst of the sessions that have paths of it counts
    budget.of_site(site)                      what the site promises, without looking at a host

A `Budget` has a `Stall` for each `Kind` of failure. `Stall.seconds` is the sum of the timers that are set, as a user
thinks of it (5 + 5 + 10 = 20); `Stall.limit` is the upper bound that a measured stall is compared with (23.5). Both are
None where a value that counts is not known, or nothing bounds the wait; `why` says so. Nothing is guessed.
`Budget.worst` is the worst kind, `Budget.queue` how long I/O is held after the last path is gone: "off", "forever",
seconds, None where nobody said.

The model, and where each term comes from:

- SILENCE, BLOCK and LINK: nobody tells the socket. libiscsi sends a no-op `noop_interval` after the last byte that
  came, and gives the connection up `noop_timeout` later (iscsi_check_transport_timeouts); then I/O is held for
  `recovery_tmo` (session_recovery_timedout), then failed, and the device mapper takes the next path at once. Loss of
  carrier closes no socket either. Other sessions that are just as dead run through the same timers since the same
  moment, so a second dead path in a row adds nothing. The checker of multipathd adds nothing: the error of the I/O
  itself fails the path. It counts for the way back only: a path is in use again up to `polling_interval` after its
  session is.
  One exception: where only what this host sends is lost, the target's own no-ops still come, and each should begin the
  wait anew (any byte does). LIO sends one every 15 s and then waits 30 s for the answer: so up to `noop_interval` +
  `noop_timeout` more. Measured once: 26.4 s of 20; that this was why was not traced. What another target does nobody
  tells, so it is in no limit.
- RESET: the end of the TCP connection is seen at once, so `recovery_tmo` alone; less where the login anew is quicker.
- OFFLINE: a path that is failed by hand still finishes what it has begun: no wait.
- With `fast_fail` and a watcher that runs, the timers do not count. "link": the loss of carrier is seen at once, by
  physical NICs up to LINK_WATCH later (net/core/link_watch.c). "probe": a pair is dead after `probe_misses` probes,
  `probe_interval` apart; the first is due an interval after the last byte came, and its turn is up to one more later.
  Where the watcher may not act (the last path, another user of the session) the timers count: say `watching` False.
- The kernel's timers never fire early, and late by up to an eighth of their time (kernel/time/timer.c, the wheel's
  granularity): 256 ms for 5 s at HZ=250, 2 s for 20 s. Each timer's eighth goes into the limit, which is rounded up to
  a tenth.
- GRACE is what iscsid, which is told before the recovery time begins to run, and the device mapper take on a busy
  machine. Measured in the lab: 15.2 to 15.5 s for 5 + 5 + 5, whose limit is 17.9.

- A session without no-ops (an interval or time-out of 0) hears of silence from TCP alone, after minutes: no bound.
- The live `recovery_tmo` counts, not the record's: multipathd writes its `fast_io_fail_tmo` over it. `Budget.recorded`
  is what the record says, for those who want to show that it has no say.
- The queue: `no_path_retry` checks of `polling_interval` seconds. `max_polling_interval` has no say: multipathd counts
  down from no_path_retry x polling_interval in seconds (enter_recovery_mode). The clock starts when the last path has
  failed, so the first error comes after the stall and the queue together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpio.host import Host, Session
    from mpio.site import Site, Watch
    from mpio.topology import Lun

GRACE = 1.0
LINK_WATCH = 1.0
LATE = 1 / 8
NO_PATH_RETRY, POLLING = "no_path_retry", "polling_interval"
REPLACEMENT = "node.session.timeo.replacement_timeout"


class Kind(StrEnum):
    """What fails: an `offline` by hand, the carrier of a NIC, a portal or pair that says nothing any more, packets that
    are dropped on the way, a TCP connection that is closed.
    """

    OFFLINE = "offline"
    LINK = "link"
    SILENCE = "silence"
    BLOCK = "block"
    RESET = "reset"


SHOWN = (Kind.OFFLINE, Kind.RESET, Kind.LINK, Kind.SILENCE)  # in tables: a block is as silence


@dataclass(frozen=True, slots=True)
class Stall:
    """How long a reader waits: `seconds` as the timers are set, `limit` at most; None: not known, or without end.
    `why` is the sum in words.
    """

    seconds: float | None
    limit: float | None
    why: str

    def __str__(self) -> str:
        if self.seconds is None or self.limit is None:
            return f"not known ({self.why})"
        return f"{self.seconds:g} s (at most {self.limit:g} s)"


@dataclass(frozen=True, slots=True)
class Budget:
    """`queue` is "off", "forever", seconds, or None where nobody said. `recovery` is the live recovery_tmo that the
    stalls are made of, `recorded` the record's replacement_timeout, which the live one beats.
    """

    stalls: Mapping[Kind, Stall] = field(default_factory=dict, hash=False)
    queue: str | int | None = None
    recovery: int | None = None
    recorded: int | None = None

    @property
    def worst(self) -> Stall:
        return _worst(self.stalls.values())

    def __str__(self) -> str:
        """`worst stall 20 s (at most 23.5 s), then I/O is held for 60 s`"""
        held = {
            "off": "then I/O fails",
            "forever": "then I/O is held for ever",
            None: "how long I/O is held then is not known",
        }
        then = f"then I/O is held for {self.queue} s" if isinstance(self.queue, int) else held.get(self.queue, "")
        return f"worst stall {self.worst}, {then}"


NOBODY = Stall(None, None, "no session")


def of_session(host: Host, session: Session, site: Site | None, watching: bool | None = None) -> Budget:
    """`watching`: does a watcher act, and may it? None: what the host shows counts."""
    node = host.node_of(session.pair)
    times = (session.noop_interval, session.noop_timeout, session.recovery_tmo)
    stalls = _stalls(*times, site.watch if site and (host.watched if watching is None else watching) else None)
    return Budget(stalls, None, session.recovery_tmo, _number(node.settings.get(REPLACEMENT)) if node else None)


def of_lun(host: Host, lun: Lun, site: Site | None, watching: bool | None = None) -> Budget:
    """The worst of the LUN's sessions for each kind, and its queue. A session of which too little is known leaves the
    LUN without a bound.
    """
    sids = {p.sid for p in lun.paths}
    # Whoever has one NIC alone loses all at once, which no watcher makes any shorter.
    alone = len({s.nic for s in host.sessions if s.sid in sids}) < 2
    own = [of_session(host, s, site, False if alone else watching) for s in host.sessions if s.sid in sids]
    recoveries = [b.recovery for b in own]
    recorded = {b.recorded for b in own}
    return Budget(
        {kind: _worst(b.stalls[kind] for b in own) for kind in Kind},
        _queue(host, lun),
        None if None in recoveries else max((r for r in recoveries if r is not None), default=None),
        recorded.pop() if len(recorded) == 1 else None,
    )


def of_site(site: Site, watching: bool | None = None) -> Budget:
    """What the site promises. The queue is None where the site or its preset leaves no_path_retry to multipath, or the
    polling interval to the host.
    """
    from mpio import presets

    t = site.timeouts
    retry = site.multipath.get(NO_PATH_RETRY) or presets.PRESETS[site.preset].keywords.get(NO_PATH_RETRY)
    return Budget(
        _stalls(t.noop_interval, t.noop_timeout, t.replacement, site.watch if watching else None),
        _queue_of(retry, None if site.polling_interval is None else str(site.polling_interval)),
        t.replacement,
        t.replacement,
    )


def _stalls(interval: int | None, timeout: int | None, recovery: int | None, watch: Watch | None) -> dict[Kind, Stall]:
    silent = _timers(("no-op interval", interval), ("no-op time-out", timeout), ("recovery", recovery))
    if interval == 0 or timeout == 0:
        silent = Stall(None, None, "no-ops are off: only TCP notices, after minutes")
    stalls = {
        Kind.OFFLINE: Stall(0, GRACE, "paths that are failed by hand finish what they have begun"),
        Kind.LINK: silent,
        Kind.SILENCE: silent,
        Kind.BLOCK: silent,
        Kind.RESET: _timers(("recovery", recovery)),
    }
    if watch is not None and watch.fast_fail in ("link", "probe"):
        stalls[Kind.LINK] = Stall(0, LINK_WATCH + GRACE, "the watcher fails the sessions of a NIC without carrier")
    if watch is not None and watch.fast_fail == "probe":
        every, misses = watch.probe_interval, watch.probe_misses
        why = f"the watcher fails a pair after {misses} probes, {every:g} s apart"
        stalls[Kind.SILENCE] = stalls[Kind.BLOCK] = Stall(every * misses, every * (misses + 2) + GRACE, why)
    return stalls


def _timers(*named: tuple[str, int | None]) -> Stall:
    """Timers that run one after another."""
    unknown = [name for name, value in named if value is None]
    if unknown:
        return Stall(None, None, f"{' and '.join(unknown)} off or not known")
    total = sum(value or 0 for _, value in named)
    limit = ceil((total * (1 + LATE) + GRACE) * 10) / 10
    return Stall(total, limit, " + ".join(f"{name} {value}" for name, value in named))


def _worst(stalls: Iterable[Stall]) -> Stall:
    """The longest; one without a bound is longer than any."""
    return max(stalls, key=lambda s: (s.limit is None, s.limit or 0), default=NOBODY)


def _queue(host: Host, lun: Lun) -> str | int | None:
    """What multipathd says of the map. Of a LUN without a path it says what is left of the count, and "off" once that
    is over: then what is in force counts, where it was looked at.
    """
    if lun.usable or lun.queueing in (None, "forever"):
        return lun.queueing
    said = host.effective.loaded or host.effective.installed if host.effective else {}
    return _queue_of(said.get(lun.wwid, {}).get(NO_PATH_RETRY), said.get("", {}).get(POLLING))


def _queue_of(retry: str | None, polling: str | None) -> str | int | None:
    """no_path_retry in multipath.conf's words as a time."""
    words = {"fail": "off", "0": "off", "queue": "forever"}
    if retry is None or retry in words:
        return words.get(retry or "")
    checks, every = _number(retry), _number(polling)
    return None if checks is None or every is None else checks * every


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
