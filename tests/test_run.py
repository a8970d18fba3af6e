"""The runner against real programs that exit, hang, die, print broken bytes, print a lot, leave daemons behind."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mpio import itself, recording
from mpio.errors import CannotWrite, MissingProgram, ProgramFailed
from mpio.program import Done, Run
from mpio.run import Child, Runner, begin

run: Run = Runner()


def script(text: str, *, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b"") -> Done:
    return run("sh", "-c", text, ok=ok, timeout=timeout, stdin=stdin)


def test_says_what_the_program_said() -> None:
    done = script("echo out; echo err >&2; exit 21", ok=(0, 21))
    assert done == Done(("sh", "-c", "echo out; echo err >&2; exit 21"), 21, "out\n", "err\n")


def test_a_code_that_is_no_error_for_nobody() -> None:
    with pytest.raises(ProgramFailed) as e:
        run("sh", "-c", "echo first >&2; echo 'the last word' >&2; exit 8")
    assert (
        e.value.message
        == "`sh -c 'echo first >&2; echo '\"'\"'the last word'\"'\"' >&2; exit 8'` ended with 8: the last word"
    )
    assert script("exit 8", ok=None).code == 8


@pytest.mark.parametrize("timeout", [None, 30])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_death_by_signal_is_128_and_the_signal(number: signal.Signals, timeout: float | None) -> None:
    assert script(f"ulimit -c 0; kill -{number.value} $$", ok=None, timeout=timeout).code == 128 + number
    with pytest.raises(ProgramFailed, match=f"was ended by {number.name}"):
        script(f"ulimit -c 0; kill -{number.value} $$", timeout=timeout)


def test_the_environment_holds_what_all_programs_need_and_no_more() -> None:
    os.environ["MPIO_TEST_LEAK"] = "1"
    try:
        seen = run("/usr/bin/env").out.splitlines()
    finally:
        del os.environ["MPIO_TEST_LEAK"]
    assert sorted(seen) == ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMCTL_SKIP_SYSV=1"]


def test_no_terminal_no_input_no_descriptors() -> None:
    assert script("cat; test -t 0 || test -t 1 || test -t 2 || echo none").out == "none\n"
    assert script("true < /dev/tty", ok=None).code != 0
    own = os.open("/", os.O_RDONLY)
    os.set_inheritable(own, True)
    try:
        assert run("ls", "/proc/self/fd").out.split() == ["0", "1", "2", "3"]  # 3 is ls's own
    finally:
        os.close(own)


def test_stdin_is_what_was_given() -> None:
    assert script("cat", stdin=b"a\0b\n" * 500_000).out == "a\0b\n" * 500_000


def test_bytes_that_are_no_text_are_shown_escaped() -> None:
    assert script(r"printf 'a\377\300b\303\244'").out == r"a\xff\xc0bä"


@pytest.mark.parametrize("text", ["yes x | head -c 10000000; yes y | head -c 10000000 >&2", "yes '' | head -n 4000000"])
def test_large_outputs_come_whole(text: str) -> None:
    done = script(text)
    assert len(done.out) >= 4_000_000
    assert len(done.out) + len(done.err) in {20_000_000, 4_000_000}


def test_a_program_that_hangs_is_ended_with_its_children() -> None:
    start = time.monotonic()
    with pytest.raises(ProgramFailed, match=r"did not end within 0\.3 s"):
        script(f"sleep 61.{os.getpid()} & sleep 61.{os.getpid()}", timeout=0.3)
    assert time.monotonic() - start < 2
    _until(lambda: not _alive(f"61.{os.getpid()}"))


def test_a_program_that_ignores_sigterm_is_killed() -> None:
    start = time.monotonic()
    with pytest.raises(ProgramFailed, match=r"did not end within 0\.2 s"):
        script("trap '' TERM; while :; do sleep 0.1; done", timeout=0.2)
    assert 2 <= time.monotonic() - start < 5


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time_left_is_no_time(timeout: float) -> None:
    with pytest.raises(ProgramFailed, match="did not end"):
        script("sleep 62.25", timeout=timeout)


def test_an_exit_code_124_of_its_own_is_no_timeout() -> None:
    assert script("exit 124", ok=(124,)).code == 124


def test_a_daemon_left_behind_does_not_hold_us() -> None:
    start = time.monotonic()
    done = script("sleep 5.125 & echo $!")
    assert time.monotonic() - start < 1.5
    os.kill(int(done.out), signal.SIGKILL)


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(MissingProgram, match="no-such-program"):
        run("no-such-program")
    with pytest.raises(MissingProgram, match="/no/such"):
        run("/no/such")
    if not Path("/usr/sbin/iscsiadm").exists():
        with pytest.raises(MissingProgram) as e:
            run("iscsiadm", "-m", "session")
        assert "open-iscsi" in e.value.hint


def test_what_cannot_start_is_an_error_not_a_crash(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    for timeout in (None, 30):
        with pytest.raises(ProgramFailed):
            run(str(broken), timeout=timeout)
    with pytest.raises(ProgramFailed):
        run("true", "a\0b", timeout=None)
    with pytest.raises(ProgramFailed):
        run("true", "x" * 3_000_000)


def test_programs_run_side_by_side() -> None:
    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        outs = list(pool.map(lambda n: script(f"sleep 0.5; echo {n}").out, range(8)))
    assert outs == [f"{n}\n" for n in range(8)]
    assert time.monotonic() - start < 3


def test_each_call_is_said_before_it_runs(tmp_path: Path) -> None:
    said: list[str] = []
    Runner(say=said.append)("true", "a b", "-n", "node.session.auth.password", "-v", "tell nobody")
    assert said == ["true 'a b' -n node.session.auth.password -v '********'"]


def test_calls_are_kept_as_recordings(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "rec"
    keep = Runner(record=str(folder))
    done = keep("sh", "-c", "echo 'node.session.auth.password = hush'; echo e >&2; exit 3", ok=None)
    with pytest.raises(ProgramFailed):
        keep("false")
    with pytest.raises(ProgramFailed):
        keep("sleep", "9", timeout=0.1)
    Runner(record=str(folder))("true")
    assert sorted(p.name for p in folder.iterdir()) == ["00001-sh", "00002-false", "00003-sleep", "00004-true"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    kept = (folder / "00001-sh").read_text()
    assert "hush" not in kept
    assert recording.load(kept) == recording.masked(done)
    assert recording.load((folder / "00002-false").read_text()) == Done(("false",), 1, "", "")


def test_a_recording_has_its_folder_before_anything_runs(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "rec"
    for _ in range(2):
        Runner(record=str(folder)).ready()
        assert list(folder.iterdir()) == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)
    with pytest.raises(CannotWrite, match="its mode is 0777"):
        Runner(record=str(folder)).ready()
    Runner().ready()


INTERRUPTED = """
import signal, sys
from mpio.run import Runner
signal.signal(signal.SIGTERM, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
try:
    Runner()("sh", "-c", sys.argv[1], timeout=None)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def _interruptible(text: str) -> subprocess.Popen[str]:
    """A process of ours in a group of its own that runs `text` and tells that an interrupt reached it."""
    return subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, text], stdout=subprocess.PIPE, text=True, process_group=0
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_lets_the_program_finish(tmp_path: Path, number: signal.Signals) -> None:
    begun, go, ended = tmp_path / "begun", tmp_path / "go", tmp_path / "ended"
    process = _interruptible(f"touch {begun}; while ! test -e {go}; do sleep 0.05; done; touch {ended}")
    _until(begun.exists)
    os.killpg(process.pid, signal.SIGHUP)  # ignored, as below nohup
    os.killpg(process.pid, number)  # what the terminal does on Ctrl-C
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    go.touch()
    out, _ = process.communicate(timeout=20)
    assert out == "interrupted\n"
    assert ended.exists()


def test_a_second_ctrl_c_leaves_the_program_to_itself(tmp_path: Path) -> None:
    begun, go, ended = tmp_path / "begun", tmp_path / "go", tmp_path / "ended"
    process = _interruptible(f"touch {begun}; while ! test -e {go}; do sleep 0.05; done; touch {ended}")
    _until(begun.exists)
    os.killpg(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert out == "interrupted\n"
    assert not ended.exists()
    go.touch()
    _until(ended.exists)


def test_the_interrupt_handler_is_the_callers_again() -> None:
    before, threads = signal.getsignal(signal.SIGINT), threading.active_count()
    run("true")
    with pytest.raises(ProgramFailed):
        run("false")
    assert signal.getsignal(signal.SIGINT) is before
    # Those that sh has begun end by themselves, a moment later.
    end = time.monotonic() + 10
    while threading.active_count() > threads:
        assert time.monotonic() < end, threading.enumerate()
        time.sleep(0.01)


ENDED = """
import signal, sys
from mpio import cli, run
signal.signal(signal.SIGHUP, signal.SIG_IGN if "nohup" in sys.argv else signal.SIG_DFL)
cli._run = lambda *_: run.Runner()("sh", "-c", sys.argv[1], timeout=None).code
sys.exit(cli.main(["apply"]))
"""


def _ended(tmp_path: Path, number: signal.Signals, *words: str) -> tuple[int, str]:
    """A verb's exit code and complaint, where this signal comes while a program of its runs to its end."""
    begun, go, ended = tmp_path / "begun", tmp_path / "go", tmp_path / "ended"
    text = f"touch {begun}; while ! test -e {go}; do sleep 0.05; done; touch {ended}"
    process = subprocess.Popen([sys.executable, "-c", ENDED, text, *words], stderr=subprocess.PIPE, text=True)
    _until(begun.exists)
    process.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    go.touch()
    _, err = process.communicate(timeout=20)
    assert ended.exists()
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_verb_that_is_told_to_end_ends_as_with_ctrl_c(tmp_path: Path, number: signal.Signals) -> None:
    code, err = _ended(tmp_path, number)
    assert (code, err.splitlines()[0]) == (130, "mpio: interrupted")


def test_below_nohup_a_closed_terminal_ends_nothing(tmp_path: Path) -> None:
    assert _ended(tmp_path, signal.SIGHUP, "nohup") == (0, "")


def _alive(word: str) -> bool:
    """Has a process this word among its arguments?"""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            if word.encode() in entry.read_bytes().split(b"\0"):
                return True
    return False


def _until(condition: Callable[[], bool], limit: float = 20) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_unit_starts_the_mpio_that_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From anywhere, also the mpio of a checkout that is not installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "here")
    argv = (*itself.program(), "--version")
    assert f"PYTHONPATH={tmp_path}/here:" in argv[1]
    assert subprocess.run(argv, cwd="/", env={}, capture_output=True, check=True).stdout.startswith(b"mpio ")


def ended(child: Child, within: float = 10) -> int:
    until = time.monotonic() + within
    while not child.poll():
        assert time.monotonic() < until
        time.sleep(0.01)
    assert child.code is not None
    return child.code


def test_a_child_runs_while_we_go_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    child = begin(("/bin/sh", "-c", f"cat >{out}; ps -o sid= -p $$ >>{out}; echo no >&2; exit 7"), b"what it is told\n")
    assert not child.poll()
    assert ended(child) == 7
    told, sid = out.read_text().splitlines()
    assert (told, int(sid), child.err) == ("what it is told", child.pid, b"no\n")
    child.kill()  # one that has ended is left alone: its number may be another's


def test_a_child_that_says_too_much_waits_and_its_last_words_are_kept() -> None:
    child = begin(("/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo $i >&2; i=$((i+1)); done"))
    assert ended(child) == 0
    assert child.err.endswith(b"19999\n")
    assert len(child.err) == 4096


def test_a_child_is_killed_with_what_it_started(tmp_path: Path) -> None:
    child = begin(("/bin/sh", "-c", f"sleep 600 & echo $! >{tmp_path / 'pid'}; wait"))
    until = time.monotonic() + 10
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < until
    inner = int((tmp_path / "pid").read_text())
    child.kill()
    assert ended(child) == 128 + signal.SIGKILL
    while Path(f"/proc/{inner}").exists() and "Z" not in Path(f"/proc/{inner}/stat").read_text().split()[2]:
        assert time.monotonic() < until


def test_a_child_that_is_not_there_says_so_and_none_leaves_anything_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    child = begin(("/no/such",))
    assert ended(child) == 127
    assert b"/no/such: not found" in child.err
    assert len(os.listdir("/proc/self/fd")) == before
