"""`heal`: planned pairs that have lost their session are logged in again, by the steps of a plan and under mpio's lock.

What iscsid itself tries to bring back still has a session, and is left to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mpio import apply, iscsilock, lock, logins, logouts, probe, topology
from mpio.errors import Busy, MpioError
from mpio.host import Host, Pair
from mpio.machine import Machine
from mpio.observe import configured, kernel
from mpio.plan import iscsi
from mpio.site import Site
from mpio.step import Command
from mpio.tools import iscsiadm, iscsierr, systemctl
from mpio.watch.absent import SOON, Absent, Met
from mpio.watch.event import Event
from mpio.watch.seen import Seen

POLL = 0.25  # seconds between two looks whether a try is over
MEANT = 60.0  # until somebody who logged out may have changed their mind
BARS = "/run/mpio/refused.json"  # a watcher that begins anew must not try what was refused
NOTED = 5.0  # a session that is there so long after its logout was noted is another one

Tried = Mapping[Pair, Met | None]  # None: there was no try, and nothing is wrong


class Healing:
    """Logins run in a thread, one batch at a time; what they met is told by `consider`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._absent = Absent(bars=barred(machine))
        self._barred = dict(self._absent.bars)  # what the file says
        self._over: queue.SimpleQueue[Tried] = queue.SimpleQueue()
        self._trying: threading.Thread | None = None
        self._seen: Seen | None = None  # at the beginning of the try
        self._marks: dict[Pair, str] = {}  # of the pairs that are tried
        self._of_site: tuple[Site | None, str] = (None, "")
        self._poll = 0.0

    @property
    def deadline(self) -> float | None:
        return self._poll if self._trying else self._absent.deadline

    def look(self, seen: Seen, now: float) -> None:
        """After each look: who lacks a session."""
        self._absent.look(seen, now, lambda pair: self._mark(seen, pair))
        self._keep()
        well = {str(s.pair): s.pair for s in seen.host.sessions if s.logged_in}
        noted = logouts.meant(self._machine) if well else {}
        if again := [well[name] for name, since in noted.items() if name in well and now - since > NOTED]:
            with contextlib.suppress(MpioError), lock.hold("watch (heal)"):  # at work: after another look
                logouts.forget(self._machine, again)

    def consider(self, seen: Seen, now: float) -> tuple[Event, ...]:
        """What tries have met, and the next one where it is due."""
        if self._trying is not None:
            return self._ended(seen, now)
        due = self._absent.due(now)
        if not due or seen.site is None:
            return ()
        by_hand = logouts.meant(self._machine)
        meant = [p for p in due if str(p) in by_hand]
        self._absent.wait(meant, now + MEANT)
        self._marks = {p: self._mark(seen, p) for p in due if p not in meant}
        if self._marks:
            self._seen, self._poll = seen, now + POLL
            asked = (seen.site, tuple(self._marks))
            self._trying = threading.Thread(target=self._try, args=asked, name="heal", daemon=True)
            self._trying.start()
        return ()

    def stop(self, seconds: float = 1.0) -> None:
        """A login that is under way is iscsid's, and goes on without us."""
        if self._trying is not None and self._seen is not None:
            self._trying.join(seconds)
            self._ended(self._seen, 0.0)  # whoever was refused is kept

    def _ended(self, seen: Seen, now: float) -> tuple[Event, ...]:
        if self._trying is not None and self._trying.is_alive():
            self._poll = now + POLL
            return ()
        self._trying = None
        said: list[Event] = []
        # A thread that says nothing has broken: its traceback is in the log.
        broken = dict.fromkeys(self._marks, Met("the try broke"))
        tried = broken if self._over.empty() else self._over.get()
        for pair, mark in self._marks.items():
            if met := tried.get(pair):
                said += self._absent.met(pair, met, seen, now, mark)
            else:
                self._absent.wait([pair], now + 2 * SOON)
        self._keep()
        return tuple(said)

    def _mark(self, seen: Seen, pair: Pair) -> str:
        """Another one once the site has changed or the pair's record was written; the same in another process."""
        if self._of_site[0] is not seen.site:
            self._of_site = (seen.site, hashlib.sha256(repr(seen.site).encode()).hexdigest())
        node = seen.host.node_of(pair)
        try:
            found = os.stat(self._machine.files.root + node.path) if node else None
        except OSError:
            found = None
        return f"{self._of_site[1]} {found.st_ino} {found.st_mtime_ns}" if found else self._of_site[1]

    def _keep(self) -> None:
        """The bars, for the watcher after this one."""
        bars = self._absent.bars
        if bars != self._barred:
            self._barred = dict(bars)
            with contextlib.suppress(MpioError):  # no room: this watcher at least knows them
                if bars:
                    self._machine.files.write(BARS, json.dumps(bars) + "\n", 0o600, durable=False)
                else:
                    self._machine.files.remove(BARS)

    # -- the thread's ------------------------------------------------------------------------------------------------

    def _try(self, site: Site, pairs: tuple[Pair, ...]) -> None:
        try:
            with lock.hold("watch (heal)"):
                self._over.put(tried(self._machine, site, pairs))
        except Busy:
            self._over.put({})
        except (MpioError, OSError) as error:
            self._over.put({pair: Met(str(error)) for pair in pairs})


def tried(machine: Machine, site: Site, pairs: Iterable[Pair]) -> dict[Pair, Met | None]:
    """Log these in, as far as a look of this moment still calls for it. mpio's lock is held."""
    by_hand = logouts.meant(machine)  # again: a logout may have ended while the lock was not ours yet
    wanted = tuple(p for p in pairs if str(p) not in by_hand)
    if not wanted:
        return {}
    apply.ready(machine, lambda _said: None)
    host = look(machine, site, wanted)
    units = {u.name: u.active for u in host.units}
    if any(units.get(name) == "activating" for name in systemctl.LOGIN_UNITS):
        return {}
    if units.get(systemctl.ISCSID) != "active":
        return dict.fromkeys(wanted, Met("iscsid is not running"))
    if host.stale_lock:
        return dict.fromkeys(wanted, Met("open-iscsi's database is locked by an iscsiadm that is gone (MP109)"))
    planned = topology.pairs(site, host)
    differs = _differing(site, host, planned)
    steps = {p: s for s in iscsi.logins(site, host, planned) if (p := iscsiadm.pair_of(s)) in wanted and p is not None}
    todo = {p: steps[p] for p in wanted if p in steps and p not in differs and host.node_of(p) is not None}
    found: dict[Pair, Met | None] = dict.fromkeys(wanted)
    found |= dict.fromkeys((p for p in steps if p in differs), Met("its record is not as the site says: mpio apply"))
    return found | log_in(machine, todo, planned.planned if site.chap else None)


def log_in(machine: Machine, todo: Mapping[Pair, Command], one_login: Mapping[Pair, int] | None) -> dict[Pair, Met]:
    """What each login has met that was tried. Where all are with `one_login`, which names their portal groups, one of
    each group goes before its others, in turn: the first refusal ends it, and the others of a group that failed are
    left for later.
    """
    outcome = apply.Outcome()
    first = logins.first(todo, one_login) if one_login is not None else ()
    for pair in first:
        apply.carry_out(machine, [todo[pair]], outcome, lambda _step, _trouble: None)
        if any(code == iscsierr.Code.LOGIN_AUTH_FAILED for _, _, code in outcome.failed.values()):
            return _met(todo, outcome)
    groups = {pair: logins.group(pair, one_login or {}) for pair in todo}
    well = {groups[pair] for pair, step in todo.items() if step in outcome.done}
    rest = [s for p, s in todo.items() if p not in first and (one_login is None or groups[p] in well)]
    apply.carry_out(machine, rest, outcome, lambda _step, _trouble: None)
    return _met(todo, outcome)


def _met(todo: Mapping[Pair, Command], outcome: apply.Outcome) -> dict[Pair, Met]:
    found = {pair: Met() for pair, step in todo.items() if step in outcome.done}
    for pair, step in todo.items():
        if apply.key(step) in outcome.failed:
            _, said, code = outcome.failed[apply.key(step)]
            found[pair] = Met(f"{said} ({iscsierr.reason(code)})" if code else said, code)
    return found


def look(machine: Machine, site: Site, pairs: Iterable[Pair]) -> Host:
    """As much as a login asks for. No disk is asked: one that is dead would hold the lock."""
    seen = kernel.look(machine, site, None)
    seen = configured.secrets(machine, site, configured.files(machine, site, seen), [])
    nics = {i.name: i.nic for i in site.ifaces}
    ways = sorted({(p.iface, nics[p.iface], p.portal) for p in pairs if p.iface in nics})
    units = systemctl.units(machine.run, (systemctl.ISCSID, *systemctl.LOGIN_UNITS))
    return replace(seen, units=units, probes=probe.portals(ways), stale_lock=iscsilock.stale(machine.files))


def _differing(site: Site, host: Host, planned: topology.Pairs) -> frozenset[Pair]:
    """The pairs whose records are to be changed first: a login takes what stands there."""
    of_path = {n.path: n.pair for n in host.nodes}
    steps = iscsi.records(site, host, planned).steps
    found = (iscsiadm.pair_of(s) if isinstance(s, Command) else of_path.get(s.path) for s in steps)
    return frozenset(pair for pair in found if pair is not None)


def barred(machine: Machine) -> dict[str, str]:
    """What a watcher before us has kept; nothing where that cannot be read."""
    try:
        return {str(name): str(mark) for name, mark in json.loads(machine.files.text(BARS) or "{}").items()}
    except (MpioError, ValueError, AttributeError, RecursionError):
        return {}
