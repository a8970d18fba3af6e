from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mpio import lock
from mpio.errors import Busy, CannotWrite

HOLDER = """
import sys, time
from mpio import lock
from mpio.run import Runner
with lock.hold("apply", sys.argv[1]):
    print("held", flush=True)
    Runner()("sh", "-c", "echo $$ > " + sys.argv[1] + ".child; exec sleep 60", timeout=None)
"""


def test_the_second_is_told_who_is_first(tmp_path: Path) -> None:
    path = str(tmp_path / "run/lock")
    with lock.hold("apply", path):
        with pytest.raises(Busy, match=rf"apply, pid {os.getpid()}, since \d{{4}}-"), lock.hold("teardown", path):
            pytest.fail("held twice")
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755
    with lock.hold("teardown", path):
        assert Path(path).read_text().startswith("teardown, pid ")
    assert Path(path).read_text() == ""


def test_a_holder_without_words_is_named_by_the_kernel(tmp_path: Path) -> None:
    """/run may be full: it holds all the same."""
    path = tmp_path / "lock"
    with lock.hold("apply", str(path)):
        path.write_text("")
        with pytest.raises(Busy, match=f"has not said who it is, pid {os.getpid()}$"), lock.hold("login", str(path)):
            pytest.fail("held twice")


def test_an_error_inside_lets_go(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with pytest.raises(KeyError), lock.hold("apply", path):
        raise KeyError
    with lock.hold("apply", path):
        pass


def test_it_dies_with_its_holder_though_a_program_of_his_lives_on(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    child = tmp_path / "lock.child"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Busy, match=f"apply, pid {holder.pid}"), lock.hold("login", str(path)):
        pytest.fail("held twice")
    while not child.exists() or not child.read_text():
        assert holder.poll() is None
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with lock.hold("login", str(path)):
        os.kill(int(child.read_text()), signal.SIGKILL)


def test_a_link_in_the_locks_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(CannotWrite), lock.hold("apply", str(tmp_path / "lock")):
        pytest.fail("followed")
    assert not (tmp_path / "victim").exists()
