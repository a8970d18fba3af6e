"""The lock of open-iscsi's database: left by a killed iscsiadm, held by a living one, waited for by a younger one."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpio import apply, iscsilock
from mpio.files import Files
from mpio.machine import Machine
from mpio.run import Runner
from mpio.tools import sysfs

Start = Callable[[], subprocess.Popen[bytes]]
running: list[subprocess.Popen[bytes]] = []


class Own(Files):
    """The host's files, but of its processes only those that the test has started: others may test beside it."""

    def names(self, path: str) -> tuple[str, ...]:
        return tuple(str(one.pid) for one in running) if path == "/proc" else super().names(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(iscsilock, "AGE", 0.5)
    (tmp_path / "lock").touch()
    return str(tmp_path)


@pytest.fixture
def iscsiadm(tmp_path: Path) -> Iterator[Start]:
    """Starts a real program of that name, which does nothing."""
    program = tmp_path / "bin" / "iscsiadm"
    program.parent.mkdir()
    shutil.copy(str(shutil.which("sleep")), program)

    def start() -> subprocess.Popen[bytes]:
        running.append(subprocess.Popen([program, "60"]))
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.wait()
    running.clear()


def take(folder: str) -> None:
    os.link(f"{folder}/lock", f"{folder}/lock.write")


def is_there(folder: str) -> bool:
    return "lock.write" in os.listdir(folder)


def test_a_lock_that_nobody_holds_is_stale_and_taken_away(folder: str) -> None:
    assert not iscsilock.stale(Own(), folder)
    take(folder)
    assert iscsilock.stale(Own(), folder)
    assert iscsilock.clear(Own(), folder)
    assert not is_there(folder)
    assert iscsilock.clear(Own(), folder)
    with iscsilock.hold(folder):
        assert is_there(folder)


def test_a_lock_is_its_holders_as_long_as_that_lives(folder: str, iscsiadm: Start) -> None:
    holder = iscsiadm()
    take(folder)
    assert not iscsilock.stale(Own(), folder)
    assert not iscsilock.clear(Own(), folder)
    assert is_there(folder)
    holder.kill()
    holder.wait()
    assert iscsilock.clear(Own(), folder)


def test_who_came_after_the_lock_was_taken_only_waits_for_it(folder: str, iscsiadm: Start) -> None:
    take(folder)
    time.sleep(iscsilock.SLACK + 0.1)
    iscsiadm()
    assert iscsilock.stale(Own(), folder)
    assert iscsilock.clear(Own(), folder)


def test_a_lock_that_is_taken_again_and_again_is_somebodys(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """iscsid takes it, too, and runs all the time."""
    take(folder)

    def again(_seconds: float) -> None:
        os.unlink(f"{folder}/lock.write")
        take(folder)

    monkeypatch.setattr(time, "sleep", again)
    assert not iscsilock.stale(Own(), folder)


def test_a_lock_that_is_taken_by_another_while_its_holder_ends_is_not_taken_away(
    folder: str, iscsiadm: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holds it at both looks, and is gone when processes are looked at; a younger B, which waited for it, has it."""
    take(folder)
    elders, asked = iscsilock._elders, []

    def ends(read: sysfs.Reader, since: float) -> bool:
        asked.append(since)
        os.unlink(f"{folder}/lock.write")
        take(folder)
        return elders(read, since)

    time.sleep(iscsilock.SLACK + 0.1)
    iscsiadm()
    monkeypatch.setattr(iscsilock, "_elders", ends)
    assert not iscsilock.clear(Own(), folder)
    assert asked
    assert is_there(folder)


def test_while_the_clock_is_set_nobodys_lock_is_told(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    take(folder)
    booted = iter((1e9, 1e9 + 3600))
    monkeypatch.setattr(iscsilock, "_elders", lambda *_: False)
    monkeypatch.setattr(iscsilock, "_booted", lambda: next(booted))
    assert not iscsilock.stale(Own(), folder)
    monkeypatch.setattr(time, "time_ns", lambda: 0)  # it was set back since
    monkeypatch.setattr(iscsilock, "_booted", lambda: 1e9)
    assert not iscsilock.stale(Own(), folder)


def test_a_verb_goes_on_without_a_lock_that_was_nobodys_and_leaves_another(
    folder: str, iscsiadm: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (iscsilock.stale, iscsilock.clear):
        monkeypatch.setattr(one, "__defaults__", (folder,))
    said: list[str] = []
    machine = Machine(Runner(), Own())
    apply.ready(machine, said.append)
    assert said == []
    take(folder)
    apply.ready(machine, said.append)
    assert len(said) == 1
    assert not is_there(folder)
    iscsiadm()
    take(folder)
    apply.ready(machine, said.append)
    assert len(said) == 1
    assert is_there(folder)
