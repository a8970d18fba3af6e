"""The reader and the guard of a drill, with real files, processes and signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpio import settle
from mpio.drills import guard, reader
from mpio.errors import UnreadableOutput
from mpio.files import Files
from mpio.machine import Machine
from mpio.run import Runner
from mpio.step import Command, Part, Step, Write

TOP = Path(__file__).parent.parent
WHY = "the drill is over"


def command(*argv: str) -> Command:
    return Command(Part.IFACES, WHY, argv)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(guard, "NOTES", str(tmp_path / "drill.json"))
    return Machine(Runner(), Files())


# -- the note and its steps ----------------------------------------------------------------------------------------


def test_the_note_survives_writing_and_reading(machine: Machine) -> None:
    back: tuple[Step, ...] = (command("ip", "link", "set"), Write(Part.IFACES, WHY, "/proc/x", "0\n", None))
    assert guard.read(machine) is None
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    guard.write(machine, "eth1", back, 60)
    note = guard.read(machine)
    assert note is not None
    assert (note.what, note.pid, note.back) == ("eth1", os.getpid(), back)
    assert before + 60 <= note.deadline <= time.clock_gettime(time.CLOCK_BOOTTIME) + 60
    assert os.stat(guard.NOTES).st_mode & 0o777 == 0o600
    guard.forget(machine)
    assert guard.read(machine) is None


def test_a_program_that_outlives_its_drill_is_waited_for(machine: Machine, tmp_path: Path) -> None:
    """It may take away once more what was put back already."""
    late = tmp_path / "late"
    late.write_text(f"#!/bin/sh\ntouch {tmp_path}/begun\nsleep 1\ntouch {tmp_path}/away\n")
    late.chmod(0o755)
    guard.write(machine, "eth1", (), 60, (command("late", "path", "sdx"),))
    note = guard.read(machine)
    assert note is not None
    assert note.go == (("late", "path", "sdx"),)
    with subprocess.Popen(["timeout", "30", late, "path", "sdx"]):
        assert settle.until((tmp_path / "begun").exists, 10)
        guard.let_end(machine, note)
        assert (tmp_path / "away").exists()
    assert not guard._run(machine, set(note.go))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "what": "x", "pid": 1, "deadline": 1, "back": [{}]}']
)
def test_a_note_that_is_none_of_ours_is_an_error(machine: Machine, text: str) -> None:
    Path(guard.NOTES).write_text(text)
    with pytest.raises(UnreadableOutput):
        guard.read(machine)


def test_what_does_not_work_at_once_is_tried_again_and_what_never_works_is_said(
    machine: Machine, tmp_path: Path
) -> None:
    late = command("sh", "-c", f"test -e {tmp_path}/now || {{ touch {tmp_path}/now; exit 1; }}")
    never = command("sh", "-c", "exit 1")
    well = Write(Part.IFACES, WHY, str(tmp_path / "file"), "0\n", None)
    assert guard.restore(machine, (late, never, well), patience=2.0) == (never,)
    assert (tmp_path / "file").read_text() == "0\n"


def test_a_multipathd_that_was_too_busy_has_not_done_it(machine: Machine, tmp_path: Path) -> None:
    """0.9.4 answers "timeout" and exits with 0."""
    busy = command("sh", "-c", f"test -e {tmp_path}/now && echo ok || {{ touch {tmp_path}/now; echo timeout; }}")
    assert guard.restore(machine, (busy,), patience=0.0) == (busy,)
    assert guard.restore(machine, (busy,)) == ()


def test_mend_puts_back_what_was_left_away(machine: Machine, tmp_path: Path) -> None:
    said: list[str] = []
    guard.mend(machine, said.append)
    guard.write(machine, "eth1", (Write(Part.IFACES, WHY, str(tmp_path / "file"), "0\n", None),), 60)
    assert said == []
    guard.mend(machine, said.append)
    assert said == ["a drill that died had left eth1 away: putting it back"]
    assert (tmp_path / "file").exists()
    assert guard.read(machine) is None


# -- the guard as a process ----------------------------------------------------------------------------------------


class Watched:
    """A process that plays the drill, and its guard, which has said that it is ready."""

    def __init__(self, folder: Path) -> None:
        self.notes = folder / "drill.json"
        self.file = folder / "back"
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ready.bind(str(folder / "ready"))
        ready.settimeout(30)
        self.drill = subprocess.Popen(["sleep", "600"], start_new_session=True)
        script = (
            "import sys; from mpio.drills import guard; guard.NOTES = sys.argv[2]; sys.exit(guard.main(sys.argv[1:]))"
        )
        self.guard = subprocess.Popen(
            [sys.executable, "-c", script, str(self.drill.pid), str(self.notes)],
            env={**os.environ, "PYTHONPATH": str(TOP), "NOTIFY_SOCKET": str(folder / "ready")},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert ready.recv(100) == b"READY=1"
        ready.close()

    def away(self, seconds: float, pid: int = 0) -> None:
        step = {"part": "ifaces", "why": WHY, "path": str(self.file), "text": "0\n"}
        deadline = time.clock_gettime(time.CLOCK_BOOTTIME) + seconds
        document = {"format": 1, "what": "eth1", "pid": pid or self.drill.pid, "deadline": deadline, "back": [step]}
        text = json.dumps(document)
        self.notes.with_suffix(".new").write_text(text)
        self.notes.with_suffix(".new").rename(self.notes)

    def end(self) -> None:
        for one in (self.drill, self.guard):
            one.kill()
            one.communicate()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.end()


def test_the_guard_puts_back_when_the_drill_is_killed(watched: Watched) -> None:
    watched.away(600)
    os.killpg(watched.drill.pid, signal.SIGKILL)
    watched.drill.wait()
    _, said = watched.guard.communicate(timeout=30)
    assert (watched.guard.returncode, watched.file.read_text(), watched.notes.exists()) == (0, "0\n", False)
    assert "the drill of eth1 has died" in said


def test_the_guard_does_nothing_where_the_drill_ended_well(watched: Watched) -> None:
    watched.drill.terminate()
    watched.drill.wait()
    _, said = watched.guard.communicate(timeout=30)
    assert (watched.guard.returncode, said, watched.file.exists()) == (0, "", False)


def test_a_guard_that_is_stopped_while_it_puts_back_goes_on(watched: Watched) -> None:
    watched.away(600)
    os.killpg(watched.drill.pid, signal.SIGKILL)
    watched.drill.wait()
    assert settle.until(watched.file.exists, 30)
    watched.guard.terminate()
    watched.guard.communicate(timeout=30)
    assert (watched.guard.returncode, watched.notes.exists()) == (0, False)


def test_the_guard_leaves_alone_what_another_drill_has_taken_away(watched: Watched) -> None:
    watched.away(0, pid=os.getpid())
    watched.drill.terminate()
    watched.drill.wait()
    watched.guard.communicate(timeout=30)
    assert (watched.guard.returncode, watched.file.exists(), watched.notes.exists()) == (0, False, True)


def test_the_guard_does_not_forget_what_a_later_drill_takes_away(watched: Watched) -> None:
    watched.away(600)
    os.killpg(watched.drill.pid, signal.SIGKILL)
    watched.drill.wait()
    assert settle.until(watched.file.exists, 30)
    watched.away(600, pid=os.getpid())  # within AGAIN
    watched.guard.communicate(timeout=30)
    assert (watched.guard.returncode, watched.notes.exists()) == (0, True)


def test_mend_says_what_cannot_be_put_back(machine: Machine) -> None:
    said: list[str] = []
    guard.write(machine, "eth1", (command("sh", "-c", "exit 1"),), 60)
    guard.mend(machine, said.append)
    assert said[1:] == ["not put back: sh -c exit 1"]
    assert guard.read(machine) is None  # once more is enough: its disk may be gone for good


def test_the_guard_puts_back_when_the_drill_hangs(watched: Watched) -> None:
    watched.away(0)
    assert settle.until(lambda: watched.file.exists() and not watched.notes.exists(), 30)
    assert watched.guard.poll() is None  # it stays: the drill is alive


def test_a_guard_that_is_stopped_puts_back(watched: Watched) -> None:
    watched.away(600)
    watched.guard.terminate()
    watched.guard.communicate(timeout=30)
    assert (watched.file.exists(), watched.notes.exists()) == (True, False)


# -- the reader ----------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(b"x" * (1 << 20))
    return path


def test_the_reader_reads_at_its_pace_and_says_what_it_met(disk: Path) -> None:
    begin = time.monotonic()
    with reader.reading((str(disk), str(disk))) as now:
        assert settle.until(lambda: now.good_since(begin + 0.5), 30)
    mine = now.between(begin, time.monotonic())
    assert {s.number for s in mine} == {0, 1}
    assert {s.error for s in mine} == {0}
    assert all(begin <= s.begin <= s.end for s in mine)
    assert 5 < len(mine) <= 2 * 100 * (time.monotonic() - begin) + 2
    assert disk.read_bytes() == b"x" * (1 << 20)


def test_the_reader_notes_errors_and_goes_on(disk: Path, tmp_path: Path) -> None:
    with reader.reading((str(tmp_path / "none"), str(disk))) as now:
        assert settle.until(lambda: not now.good_since(0.0) and {s.number for s in now.samples} == {0, 1}, 30)
    assert {s.error for s in now.samples if s.number == 0} == {2}  # ENOENT


def test_the_reader_keeps_nothing_of_the_drill(disk: Path, tmp_path: Path) -> None:
    """Its lock, above all: a read that the kernel holds would hold it for the next mpio."""
    before = set(_children())
    with (tmp_path / "lock").open("w"), reader.reading((str(disk),)) as now:
        assert settle.until(lambda: now.good_since(0.0), 30)
        (child,) = set(_children()) - before
        kept = {os.readlink(f"/proc/{child}/fd/{fd}").partition(":")[0] for fd in os.listdir(f"/proc/{child}/fd")}
    assert kept == {"/dev/null", "/memfd", "pipe", str(disk)}


def test_errors_are_counted(disk: Path, tmp_path: Path) -> None:
    with reader.reading((str(tmp_path / "none"), str(disk))) as now:
        assert settle.until(lambda: now.good_since(0.0) or now.errors > 3, 30)
        now.look()
    assert now.errors == sum(s.error != 0 for s in now.samples)


def test_the_reader_ends_with_the_drill(disk: Path) -> None:
    before = set(_children())
    with reader.reading((str(disk),)) as now:
        assert settle.until(lambda: now.good_since(0.0), 30)
        (child,) = set(_children()) - before
    assert settle.until(lambda: _state(child) in ("Z", ""), 30)


def _children() -> list[str]:
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except FileNotFoundError:
        return ""
