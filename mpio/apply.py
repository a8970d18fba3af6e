"""Carrying steps out, in rounds: look, plan, do, settle, until a look finds nothing left."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mpio import iscsilock, lock, logins, memory, observe, plan, settle
from mpio.errors import Interrupted, MpioError
from mpio.files import PRIVATE
from mpio.findings import Finding, finding
from mpio.host import Asked as SanAsked
from mpio.host import Host
from mpio.machine import Machine
from mpio.observe import configured, san
from mpio.plan import Plan
from mpio.program import Done
from mpio.site import Site
from mpio.step import Command, Part, Step, Write
from mpio.tools import iscsiadm, iscsidb, iscsierr, iscsitext, multipath

ROUNDS = 12
# A login that is answered at all is answered in login x login_retries; past this the client may go, iscsid goes on
# by itself (lab).
LOGIN_LIMIT = 30.0
AT_ONCE = 16
# After a step on these a portal that was silent may answer: rp_filter alone can make one deaf.
GROUND = frozenset({Part.INITIATOR, Part.SYSCTL, Part.SERVICES, Part.IFACES})

Tell = Callable[[Step, str], None]
Pick = Callable[[Site, Host, Plan], tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an apply was asked for, and the first look, from which its user saw the plan.

    `pick` chooses among a plan's steps; without it they are those of the `parts`.
    """

    first: Host
    parts: frozenset[Part]
    forced: frozenset[str]
    pick: Pick | None = None

    def of(self, wanted: Site, host: Host, made: Plan) -> tuple[Step, ...]:
        return self.pick(wanted, host, made) if self.pick else tuple(s for s in made.steps if s.part in self.parts)


@dataclass(slots=True)
class Outcome:
    """What an apply did: the steps done, those left, the last look and its plan; `failed` maps a step's key to what
    was said. `one_login`: all log in with the same CHAP login.
    """

    one_login: bool = False
    done: list[Step] = field(default_factory=list)
    left: tuple[Step, ...] = ()
    failed: dict[object, tuple[Step, str, int]] = field(default_factory=dict)
    host: Host = field(default_factory=Host)
    plan: Plan | None = None
    seconds: float = 0.0


def key(step: Step) -> object:
    """What makes two steps the same: the deed, not the reason."""
    return step.argv if isinstance(step, Command) else (step.path, step.text)


def site(machine: Machine, wanted: Site, asked: Asked, tell: Tell) -> Outcome:
    """Bring the host to the site. Raises MpioError only where not even a look is possible."""
    begin = time.monotonic()
    outcome = Outcome(one_login=wanted.chap is not None)
    tries: Counter[object] = Counter()
    last: set[object] = set()
    deaf: tuple[SanAsked, ...] = ()
    for number in range(ROUNDS):
        if number:
            ready(machine, lambda _said: None)  # somebody may have killed one of this run's own
        outcome.host = asked.first if number == 0 else observe.host(machine, wanted, observe.Look.PLAN, deaf)
        remember(machine, outcome.host)
        outcome.plan = plan.steps(wanted, outcome.host, asked.forced)
        outcome.left = asked.of(wanted, outcome.host, outcome.plan)
        # What failed is not tried again; what was done and is called for again gets one more chance, for somebody else
        # may have changed it back in between (multipathd writes recovery_tmo as well); a round that repeats the last
        # one ends it.
        fresh = tuple(s for s in outcome.left if key(s) not in outcome.failed and tries[key(s)] < 2)
        if not fresh or {key(s) for s in fresh} == last:
            break
        configured.candidate(machine, fresh)
        last = {key(s) for s in fresh}
        tries.update(last)
        begun = time.time()
        carry_out(machine, fresh, outcome, tell)
        # iscsiadm and multipath leave it to the kernel when: a power cut right after a run must not take it away again.
        machine.files.sync((*iscsidb.files(machine.files), multipath.WWIDS), begun - 1)
        settle.after(machine, wanted, fresh)
        deaf = _deaf(outcome)
        if not GROUND & {s.part for s in fresh}:
            deaf += tuple(a for a in outcome.host.asked if holds_up(a))
    outcome.seconds = time.monotonic() - begin
    return outcome


def holds_up(asked: SanAsked) -> bool:
    """A portal that says nothing, or takes its time to say what is of no use: a redirect that leads nowhere, say."""
    if asked.code == iscsierr.Code.FATAL_LOGIN:
        return True
    return asked.code not in (iscsierr.Code.SUCCESS, iscsierr.Code.NO_OBJS_FOUND) and asked.seconds >= san.RETRY_WITHIN


def _deaf(outcome: Outcome) -> tuple[SanAsked, ...]:
    """The portals that held a discovery step until its limit: asked once in a run, they are not asked again."""
    return tuple(
        SanAsked(iscsiadm.portal_of(step), (), iscsierr.Code.FATAL_LOGIN, said)
        for step, said, _ in outcome.failed.values()
        if isinstance(step, Command) and iscsiadm.is_discovery(step)
    )


def ready(machine: Machine, say: Callable[[str], None]) -> None:
    """Remove what a run that was killed may have left: unfinished files in mpio's own folders, and the lock that its
    iscsiadm had on open-iscsi's database, for which every step there, and the look at the SAN before, would wait in
    vain. mpio's own lock is held.
    """
    for folder in (PRIVATE, os.path.dirname(lock.LOCK)):
        machine.files.sweep(folder)
    if iscsilock.stale(machine.files) and iscsilock.clear(machine.files):
        say("an iscsiadm that was killed had left open-iscsi's database locked: the lock is removed")


def carry_out(machine: Machine, steps: Iterable[Step], outcome: Outcome, tell: Tell, *, strict: bool = False) -> None:
    """Do the steps in order, the logins at once.

    What fails is kept and the rest goes on, since the next look decides; `strict` stops there, for what takes away.
    """
    steps = _mended(machine, tuple(steps), outcome, tell)
    if strict and outcome.failed:
        return
    note(machine, steps)
    for step in steps:
        if not iscsiadm.is_login(step):
            _one(machine, step, outcome, tell)
            if strict and outcome.failed:
                return
    todo = {p: s for s in steps if isinstance(s, Command) and iscsiadm.is_login(s) and (p := iscsiadm.pair_of(s))}
    if not outcome.one_login:
        _at_once(machine, todo.values(), outcome, tell)
        return
    # What refuses the first of its logins is not sent the others.
    planned = outcome.plan.pairs.planned if outcome.plan else {}
    first = logins.first(todo, planned)
    _at_once(machine, [todo[p] for p in first], outcome, tell)
    refused = {logins.group(p, planned) for p in first if _refused(outcome, todo[p])}
    rest = [p for p in todo if p not in first]
    for step in (todo[p] for p in rest if logins.group(p, planned) in refused):
        said = "not tried: the target has just refused this login"
        outcome.failed[key(step)] = (step, said, int(iscsierr.Code.LOGIN_AUTH_FAILED))
        tell(step, said)
    _at_once(machine, [todo[p] for p in rest if logins.group(p, planned) not in refused], outcome, tell)


def _refused(outcome: Outcome, step: Command) -> bool:
    return outcome.failed.get(key(step), (step, "", 0))[2] == iscsierr.Code.LOGIN_AUTH_FAILED


def _mended(machine: Machine, steps: tuple[Step, ...], outcome: Outcome, tell: Tell) -> tuple[Step, ...]:
    """Mend what is torn first; the steps that remain. A record that is whole by now was just written by somebody else:
    it is not made anew, and not noted as mpio's own.
    """
    whole: set[object] = set()
    torn = [s for s in steps if isinstance(s, Write) and s.torn]
    for step in torn:
        _one(machine, step, outcome, tell)
        if key(step) in outcome.failed or machine.files.text(step.path) != step.text:
            whole.add(step.torn)
    return tuple(s for s in steps if s not in torn and iscsiadm.remade(s) not in whole)


def _at_once(machine: Machine, todo: Collection[Command], outcome: Outcome, tell: Tell) -> None:
    if not todo:
        return
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(todo))) as pool:
        for future in [pool.submit(_one, machine, s, outcome, tell) for s in todo]:
            future.result()


def note(machine: Machine, steps: Iterable[Step]) -> None:
    """Remember what the steps will have made before they make it:
    dying in between must not leave something nobody owns.
    """
    notes = [n for s in steps for n in s.notes]
    if notes:
        before = observe.remembered(machine)
        after = memory.noted(before, notes)
        if after != before:
            machine.files.write(memory.PATH, memory.dump(after), 0o600)


def remember(machine: Machine, host: Host) -> None:
    """Keep what this look has shown: which target shows which LUN, and drop what is no longer there."""
    targets = {s.sid: s.pair.target for s in host.sessions if s.logged_in}
    shown = [(p.wwid, targets[p.sid]) for p in host.paths if p.wwid and p.sid in targets]
    before = host.memory
    after = memory.with_seen(memory.pruned(before, alive(host)), shown, targets.values())
    if after != before:
        machine.files.write(memory.PATH, memory.dump(after), 0o600)


def alive(seen: Host) -> set[tuple[str, str]]:
    """(kind, name) of everything this look still shows that mpio may have made."""
    found = {("iface", i.name) for i in seen.ifaces} | {("record", str(n.pair)) for n in seen.nodes}
    found |= {("wwid", w) for w in seen.registered} | {
        ("unit", u.name) for u in seen.units if u.enabled.startswith("enabled")
    }
    found |= {("discovery", str(p)) for p, path in seen.discovery_records.items() if seen.files.get(path) is not None}
    return found | {("file", p) for p, text in seen.files.items() if text is not None}


def _one(machine: Machine, step: Step, outcome: Outcome, tell: Tell) -> None:
    tell(step, "")
    try:
        if isinstance(step, Write):
            if step.torn or (step.text is not None and (step.secret or iscsidb.is_record(step.path))):
                with iscsilock.hold():
                    _write(machine, step)
            else:
                _write(machine, step)
        else:
            done = machine.run(*step.argv, ok=None, timeout=_limit(step))
            if done.code not in step.ok:
                _failed(outcome, step, done, tell)
                return
    except Interrupted:
        raise
    except MpioError as error:
        outcome.failed[key(step)] = (step, error.message, 0)
        tell(step, error.message)
        return
    outcome.done.append(step)


def _write(machine: Machine, step: Write) -> None:
    """Under open-iscsi's lock nobody else is just writing a record: what is torn now was left so."""
    if step.torn and not ((text := machine.files.text(step.path)) is not None and iscsidb.is_torn(text)):
        return
    if step.text is None:
        machine.files.remove(step.path)
    else:
        beside = iscsidb.beside(step.path) if step.secret or iscsidb.is_record(step.path) else ""
        machine.files.write(step.path, step.text, step.mode, beside=beside)


def _limit(step: Command) -> float | None:
    """iscsiadm may hold its lock and is never killed (facts 1.1), but for logins, which hold none while they wait
    (lab).
    """
    if not iscsiadm.is_call(step):
        return 120.0
    if iscsiadm.is_login(step):
        return LOGIN_LIMIT
    return iscsiadm.DISCOVERY_LIMIT if iscsiadm.is_discovery(step) else None


def _failed(outcome: Outcome, step: Command, done: Done, tell: Tell) -> None:
    said = next((line for line in reversed(done.err.splitlines()) if line.strip()), "") or f"exit {done.code}"
    code = iscsitext.parse_login_error(done.err) if iscsiadm.is_call(step) else None
    outcome.failed[key(step)] = (step, said.strip(), code or done.code)
    tell(step, said.strip())


def findings(outcome: Outcome) -> tuple[Finding, ...]:
    """What the failed steps say, by cause."""
    found = []
    for step, said, code in outcome.failed.values():
        if not any(key(step) == key(s) for s in outcome.left):
            continue  # a later round healed it
        if isinstance(step, Command) and iscsiadm.is_login(step):
            detail = f"{said} ({iscsierr.reason(code)})" if code else said
            found.append(finding(_login_code(code), str(iscsiadm.pair_of(step)), detail))
        else:
            subject = " ".join(step.argv) if isinstance(step, Command) else step.path
            found.append(finding("MP107", subject, said))
    return tuple(found)


def _login_code(code: int) -> str:
    if code == iscsierr.Code.LOGIN_AUTH_FAILED:
        return "MP302"
    return "MP303" if code == iscsierr.Code.FATAL_LOGIN else "MP301"
