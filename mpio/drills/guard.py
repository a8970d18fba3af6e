"""The drill's guard: a unit of its own that puts back what a drill has taken away, should the drill die or hang.

What is to be put back lies in /run/mpio/drill.json as steps, written before the take-away and removed when all is back.
The guard waits for the end of the drill's process, which the kernel tells it (pidfd), and for the note's deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from mpio import notify, observe, run, settle
from mpio.errors import MpioError, UnreadableOutput
from mpio.files import Files
from mpio.machine import Machine
from mpio.observe import states
from mpio.step import Command, Part, Step, Write
from mpio.tools import multipathd, systemctl, systemd_run

NOTES = "/run/mpio/drill.json"
PATIENCE = 8.0  # a gateway's route has to wait for the NIC's own
LIMIT = 15.0  # for one step
TICK = 1000  # ms between looks at the deadline
# A program that the drill had begun when it was killed outlives it: what that still took away is put back once more.
AGAIN = 2.0
LONGEST = 30.0  # paths are asked for so long to come back
HURRY = 5.0  # a drill that was broken in on has so long before its guard puts back in its place
AT_ONCE = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Note:
    """What is away, and how it comes back; `pid` is the drill, `deadline` by CLOCK_BOOTTIME, which a suspended machine
    does not stop. `go` are the programs that took it away: one of them may outlive the drill.
    """

    what: str
    pid: int
    deadline: float
    back: tuple[Step, ...]
    go: tuple[tuple[str, ...], ...] = ()


# -- the note ------------------------------------------------------------------------------------------------------


def write(machine: Machine, what: str, back: Iterable[Step], seconds: float, go: Iterable[Step] = ()) -> None:
    document = {
        "format": 1,
        "what": what,
        "pid": os.getpid(),
        "deadline": _now() + seconds,
        "back": [_dumped(s) for s in back],
        "go": [list(s.argv) for s in go if isinstance(s, Command)],
    }
    machine.files.write(NOTES, json.dumps(document) + "\n", 0o600, durable=False)


def read(machine: Machine) -> Note | None:
    text = machine.files.text(NOTES)
    if text is None:
        return None
    try:
        document = json.loads(text)
        if document["format"] != 1:
            raise ValueError(f"format {document['format']}")
        back = tuple(_loaded(one) for one in document["back"])
        go = tuple(tuple(str(word) for word in argv) for argv in document.get("go", ()))
        return Note(str(document["what"]), int(document["pid"]), float(document["deadline"]), back, go)
    except (ValueError, LookupError, TypeError, RecursionError, OverflowError) as error:
        raise UnreadableOutput(str(error), NOTES) from error


def forget(machine: Machine) -> None:
    machine.files.remove(NOTES)


def _dumped(step: Step) -> dict[str, object]:
    if isinstance(step, Command):
        return {"part": step.part.value, "why": step.why, "argv": list(step.argv)}
    return {"part": step.part.value, "why": step.why, "path": step.path, "text": step.text}


def _loaded(one: dict[str, object]) -> Step:
    part, why = Part(str(one["part"])), str(one["why"])
    if "argv" in one:
        argv = one["argv"]
        if not isinstance(argv, list) or not argv:
            raise ValueError("a step without words")
        return Command(part, why, tuple(str(word) for word in argv))
    return Write(part, why, str(one["path"]), str(one["text"]), None)


# -- putting back --------------------------------------------------------------------------------------------------


def restore(machine: Machine, back: Iterable[Step], patience: float = PATIENCE) -> tuple[Step, ...]:
    """Carry the steps out, those that fail again and again for a while; returns those that never worked."""
    left = tuple(back)

    def done() -> bool:
        nonlocal left
        worked = in_turn(left, lambda step: _worked(machine, step))
        left = tuple(s for s, well in zip(left, worked, strict=True) if not well)
        return not left

    settle.until(done, patience)
    return left


def put_back(machine: Machine, back: Iterable[Step], patience: float = PATIENCE) -> tuple[Step, ...]:
    """As `restore`, and then until the device mapper itself says for a while that each path is in use again: a busy
    multipathd may do what it was told before after what it was told last. Returns what is not back.
    """
    back = tuple(back)
    left = restore(machine, back, patience)
    begin = time.monotonic()
    away = _away(machine, back)

    def stays() -> bool:
        nonlocal away
        if away:
            restore(machine, away, 0.0)
        away = _away(machine, back)
        return not away and time.monotonic() - begin > AGAIN

    if any(s.part is Part.MULTIPATH for s in back):
        settle.until(stays, LONGEST)
    return tuple(s for s in back if s in left or s in away)


def _away(machine: Machine, back: tuple[Step, ...]) -> tuple[Step, ...]:
    """Those of the steps whose path the device mapper does not use; all that are about paths where it does not say."""
    if not any(s.part is Part.MULTIPATH for s in back):
        return ()
    try:
        seen = states.by_kernel(machine, observe.host(machine, None, observe.Look.STATUS))
    except MpioError:
        return tuple(s for s in back if s.part is Part.MULTIPATH)
    failed = {multipathd.reinstate_path(p.dev, "").argv for p in seen.paths if p.dm_state == "failed"}
    return tuple(s for s in back if isinstance(s, Command) and s.argv in failed)


def let_end(machine: Machine, note: Note) -> None:
    """Wait for the programs that a killed drill has left behind: the last `fail path` may still wait for multipathd."""
    settle.until(lambda: not _run(machine, set(note.go)), LIMIT + AGAIN if note.go else 0.0)


def _run(machine: Machine, programs: set[tuple[str, ...]]) -> bool:
    """Does any of them run now, by whatever path and within whatever other program's limit of time?"""
    for number in machine.files.names("/proc") if programs else ():
        said = (machine.files.text(f"/proc/{number}/cmdline") or "").split("\0")[:-1] if number.isdigit() else []
        for at, word in enumerate(said):
            if (os.path.basename(word), *said[at + 1 :]) in programs:
                return True
    return False


def in_turn(steps: tuple[Step, ...], do: Callable[[Step], T]) -> list[T]:
    """Do the steps one after another; what multipathd is told has no order: several of its clients start at once."""
    with ThreadPoolExecutor(max_workers=AT_ONCE if all(s.part is Part.MULTIPATH for s in steps) else 1) as pool:
        return list(pool.map(do, steps))


def _worked(machine: Machine, step: Step) -> bool:
    try:
        if isinstance(step, Write):
            machine.files.write(step.path, step.text or "")
            return True
        done = machine.run(*step.argv, ok=None, timeout=LIMIT)
        return done.code in step.ok and not multipathd.too_busy(done.out)
    except MpioError:
        return False


def mend(machine: Machine, say: Callable[[str], None]) -> None:
    """Put back what a drill left away that died together with its guard. The lock is ours: no drill is at work.

    What cannot be put back is said once: the disk of a path may be gone for good.
    """
    note = read(machine)
    if note is not None:
        say(f"a drill that died had left {note.what} away: putting it back")
        let_end(machine, note)
        for step in put_back(machine, note.back):
            say(_stuck(step))
        forget(machine)


def _stuck(step: Step) -> str:
    return f"not put back: {' '.join(step.argv) if isinstance(step, Command) else step.path}"


# -- the unit ------------------------------------------------------------------------------------------------------


def stand(machine: Machine) -> None:
    """Have a guard watch this process; returns when it does. Raises ProgramFailed where systemd starts none."""
    pid = os.getpid()
    unit = systemd_run.unit_name(f"mpio-drill-{pid}.service")
    if any(u.active == "active" for u in systemctl.units(machine.run, (unit,))):
        return
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    search = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    argv = (sys.executable, "-P", "-m", "mpio.drills.guard", str(pid))
    about = f"puts back what mpio drill (pid {pid}) has taken away, should it die"
    machine.run(*systemd_run.watcher(unit, about, argv, {"PYTHONPATH": search}), timeout=120)


def main(argv: list[str]) -> int:
    machine, pid = Machine(run.Runner(), Files()), int(argv[0])
    run.warm()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):  # a stopped guard puts back, too: nobody else would
        _watch(machine, pid)
    signal.signal(signal.SIGTERM, lambda *_: None)  # nor may it break in on that; programs get their own again
    note = _of(machine, pid)
    if note is None:
        return 0
    sys.stderr.write(f"the drill of {note.what} has died: putting it back\n")
    left = restore(machine, note.back)
    let_end(machine, note)
    time.sleep(AGAIN)
    if (now := read(machine)) is not None and now.pid != pid:
        return 0  # another drill has put this back before it began, and what is away now is its own
    left = put_back(machine, note.back, patience=60.0 if left else 0.0)
    if not left and _of(machine, pid):
        forget(machine)  # else the next drill or apply tries again
    for step in left:
        sys.stderr.write(f"{_stuck(step)}\n")
    return 1 if left else 0


def _of(machine: Machine, pid: int) -> Note | None:
    """The note, if it is this drill's."""
    note = read(machine)
    return note if note is not None and note.pid == pid else None


def _watch(machine: Machine, pid: int) -> None:
    """Until the process has ended; what is away past its deadline is put back on the way."""
    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(end, select.POLLIN)
    notify.ready()
    while not poll.poll(TICK):
        note = _of(machine, pid)
        if note is not None and _now() > note.deadline:
            sys.stderr.write(f"the drill of {note.what} hangs: putting it back\n")
            if not put_back(machine, note.back):
                forget(machine)


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
