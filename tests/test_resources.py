"""What a machine runs out of: each ends in one sentence with a way out and a documented code, and loses nothing."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpio import cli, shortage
from mpio.console import Console
from mpio.errors import Exit, ProgramFailed
from mpio.run import Runner

TOP = Path(__file__).parent.parent
SITE = TOP / "mpio/lab/guide-site.toml"
WWID = "3600144f0f484400000004e8685e70001"
DOCUMENTED = {int(e) for e in Exit}
VERBS = {
    "status": ("status",),
    "verify": ("verify",),
    "nagios": ("verify", "--nagios"),
    "plan": ("plan", "-o", "json"),
    "apply": ("apply", "--yes"),
    "lun add": ("lun", "add", WWID, "--yes"),
    "support": ("support", "BUNDLE"),
    "explain": ("explain", "MP319"),
}
MIB = 1 << 20


def limited(kind: int, count: int, *argv: str) -> tuple[int, str, str, float]:
    """One call of mpio that may have so much of one thing and no more."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "mpio", *argv],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=90,
        cwd=TOP,
        env={"PATH": os.environ["PATH"], "MPIO_SITE": str(SITE), "PYTHONPATH": str(TOP)},
        preexec_fn=lambda: resource.setrlimit(kind, (count, count)),
    )
    return done.returncode, done.stdout, done.stderr, time.monotonic() - begin


def is_said(code: int, out: str, err: str) -> None:
    """A documented end without a traceback; one that could not says why and what to do."""
    assert code in DOCUMENTED, (code, out, err)
    assert "Traceback" not in out + err, (code, out, err)
    if code == Exit.COULD_NOT and '"error"' not in out and not out.startswith("MPIO "):
        lines = err.splitlines()
        assert any(line.startswith("mpio:") for line in lines), (code, out, err)


def floor(kind: int, counts: Iterator[int]) -> int:
    """What Python itself needs to get as far as mpio."""
    return next(count for count in counts if limited(kind, count, "--version")[0] == 0)


def memory() -> Iterator[int]:
    """From what Python itself has mapped when it is up, in bytes. With less it dies in its start or never ends it (seen
    once in some thousand starts between 8 and 13 MiB), which says nothing about mpio.
    """
    grown = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmPeak')))"
    argv = [sys.executable, "-c", grown]
    least = 1024 * int(subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout)
    return iter(range(least, least + 64 * MIB, MIB // 4))


def verbs(bundle: Path) -> Iterator[tuple[str, ...]]:
    for words in VERBS.values():
        yield tuple(str(bundle) if word == "BUNDLE" else word for word in words)


def sweep(kind: int, counts: range, bundle: Path) -> tuple[int, int]:
    """How many calls were made, and how many of them came to an end other than they would with enough."""
    calls = short = 0
    for words in verbs(bundle):
        enough = limited(kind, resource.RLIM_INFINITY if kind == resource.RLIMIT_AS else 4096, *words)[:3]
        for count in counts:
            code, out, err, seconds = limited(kind, count, *words)
            if code == -signal.SIGABRT and err.startswith("memory allocation of"):
                calls, short = calls + 1, short + 1
                continue  # pydantic_core is Rust, whose allocator ends the process
            is_said(code, out, err)
            assert seconds < 60, (words, count, seconds)
            calls, short = calls + 1, short + ((code, out, err) != enough)
            for left in bundle.parent.glob(".mpio-*"):
                pytest.fail(f"{words} with {count} left {left}")
    return calls, short


def test_no_descriptor_left(tmp_path: Path) -> None:
    least = floor(resource.RLIMIT_NOFILE, iter(range(3, 64)))
    calls, short = sweep(resource.RLIMIT_NOFILE, range(least, least + 4, 3), tmp_path / "s.tar.gz")
    assert calls == len(VERBS) * 2
    assert short > 1


def test_no_memory_left(tmp_path: Path) -> None:
    least = floor(resource.RLIMIT_AS, memory())
    calls, short = sweep(resource.RLIMIT_AS, range(least, least + 12 * MIB, 6 * MIB), tmp_path / "s.tar.gz")
    assert calls == len(VERBS) * 2
    assert short > 1


@pytest.mark.nightly
def test_no_descriptor_left_at_any_point(tmp_path: Path) -> None:
    least = floor(resource.RLIMIT_NOFILE, iter(range(3, 64)))
    calls, short = sweep(resource.RLIMIT_NOFILE, range(least, 32), tmp_path / "s.tar.gz")
    print(f"descriptors: {calls} calls, {short} of them short")  # noqa: T201


@pytest.mark.nightly
def test_no_memory_left_at_any_point(tmp_path: Path) -> None:
    least = floor(resource.RLIMIT_AS, memory())
    calls, short = sweep(resource.RLIMIT_AS, range(least, least + 120 * MIB, 3 * MIB), tmp_path / "s.tar.gz")
    print(f"memory: {calls} calls, {short} of them short")  # noqa: T201


if os.geteuid() == 0:  # in a user's namespace / is somebody else's, and mpio trusts no path

    def test_small_file_systems_with_nothing_left(tmp_path: Path) -> None:
        """Full, no inodes, read-only: what was there is whole, nothing half done lies about, the way out is said."""
        done = subprocess.run(
            ["unshare", "--mount", "--", sys.executable, str(TOP / "tests/scarce.py"), str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=TOP,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP)},
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert set(said) == {"full", "no inodes", "read-only"}
        for name, one in said.items():
            assert (one["whole"], one["litter"]) == (True, []), (name, one)
            for write in ("write", "new", "memory"):
                assert one[write]["code"] == "cannot-write", (name, write, one)
                assert one[write]["hint"], (name, write)
        # The lock needs no room: it holds, and names its holder, though nothing could be written into it.
        for name in ("full", "no inodes"):
            assert said[name]["lock"]["code"] == "busy", said
            assert ", pid " in said[name]["lock"]["message"], said
        assert "Read-only" in said["read-only"]["lock"]["message"]


# -- words


@pytest.mark.parametrize(
    ("error", "about"),
    [
        (MemoryError(), "memory"),
        (RecursionError("maximum recursion depth exceeded"), "nested"),
        (RuntimeError("can't start new thread"), "process"),
        (ImportError("failed to map segment from shared object", name="_ssl"), "_ssl"),
        (OSError(errno.EMFILE, "Too many open files", "/etc/x"), "descriptor"),
        (OSError(errno.ENFILE, "Too many open files in system"), "descriptor"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "process"),
        (OSError(errno.ENOSPC, "No space left on device", "/run/mpio"), "inode"),
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (OSError(errno.ESTALE, "Stale file handle"), "Stale"),
        (OSError(errno.ENOBUFS, "No buffer space available"), "memory"),
    ],
)
def test_a_shortage_is_a_sentence_with_a_way_out(error: Exception, about: str) -> None:
    said = shortage.of(error)
    assert said
    assert about in said.message
    assert said.hint
    assert "\n" not in said.message


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("generator raised StopIteration"),
        KeyError("x"),
        ValueError(),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        NotADirectoryError(errno.ENOTDIR, "Not a directory"),
        OSError(errno.EBADF, "Bad file descriptor"),
        OSError("words only"),
    ],
)
def test_a_mistake_of_ours_is_none(error: Exception) -> None:
    assert shortage.of(error) is None


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("raise MemoryError", 1),
        ("raise OSError(24, 'Too many open files')", 1),
        ('raise RuntimeError("can\'t start new thread")', 1),
        ("def deep(): deep()\ndeep()", 1),
        ("raise BrokenPipeError(32, 'Broken pipe')", 1),
    ],
)
def test_anywhere_in_the_program(tmp_path: Path, script: str, code: int) -> None:
    """A verb that meets it: a small one of its own, in the place of a real one."""
    (tmp_path / "verb.py").write_text(f"def command(call, **_):\n    exec({script!r}, {{}})\n")
    run = (
        "import sys; sys.path.insert(0, sys.argv[1]); import verb; sys.modules['mpio.commands.status'] = verb;"
        "from mpio import cli; sys.exit(cli.main(['status']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", run, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60, cwd=TOP
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("mpio: ") or "BrokenPipe" in script


# A mistake as it happens: a folder where a file should be, a key that nobody has, in a verb.
MISTAKES = {
    "open('/etc').read()": "IsADirectoryError: Is a directory, /etc",
    "{}['hunter2']": "KeyError",
    "os.fstat(99)": "OSError: Bad file descriptor",
    "int('hunter2')": "ValueError",
}


def mistaken(place: Path, script: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """mpio as it is started, from a copy in which `status` meets this."""
    shutil.copytree(TOP / "mpio", place / "mpio", ignore=shutil.ignore_patterns("__pycache__", "lab"))
    (place / "mpio/commands/status.py").write_text(f"import os, threading\n\ndef command(call):\n    {script}\n")
    return subprocess.run(
        [sys.executable, "-m", "mpio", "status", *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=place,
        env={"PATH": os.environ["PATH"]},
    )


@pytest.mark.parametrize("script", MISTAKES)
def test_a_mistake_of_ours_is_a_sentence_that_says_where(tmp_path: Path, script: str) -> None:
    done = mistaken(tmp_path, script)
    assert done.returncode == 1, done
    said, way = done.stderr.splitlines()
    assert said == f"mpio: a fault of mpio itself, at mpio/commands/status.py:4: {MISTAKES[script]}"
    assert "--record DIR" in way
    assert "hunter2" not in done.stdout + done.stderr  # what it met may be a secret


def test_so_it_is_in_json_and_in_a_thread(tmp_path: Path) -> None:
    done = mistaken(tmp_path / "json", "os.fstat(99)", "-o", "json")
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert (document["exit"], document["error"]["code"]) == (1, "fault")
    assert "mpio/commands/status.py:4" in document["error"]["message"]
    done = mistaken(
        tmp_path / "thread", "t = threading.Thread(target=os.fstat, args=(99,)); t.start(); t.join(); return 0"
    )
    assert done.stderr.startswith("mpio: a fault of mpio itself, at "), done
    assert "Traceback" not in done.stderr


FULL = "/dev/full"


@pytest.mark.parametrize(
    "verb",
    [
        *[("--version",), ("explain", "MP319"), ("nonsense",), ("status", "--site", "/none"), ("--help",)],
        ("plan", "-o", "json", "--site", "/none"),
    ],
)
@pytest.mark.parametrize("streams", [{"stdout"}, {"stderr"}, {"stdout", "stderr"}])
def test_an_output_that_is_full_ends_as_documented(verb: tuple[str, ...], streams: set[str]) -> None:
    """Not with Python's own 120."""
    with open(FULL, "w") as full:  # noqa: PTH123
        to = {name: full if name in streams else subprocess.PIPE for name in ("stdout", "stderr")}
        done = subprocess.run(
            [sys.executable, "-m", "mpio", *verb],
            text=True,
            check=False,
            timeout=60,
            cwd=TOP,
            **to,  # type: ignore[call-overload]
        )
    assert done.returncode in DOCUMENTED
    if "stderr" not in streams:
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        assert done.stderr.startswith("mpio: ") or done.returncode == 0 or "stdout" not in streams


def test_what_cannot_be_said_for_want_of_a_module_is_said_in_few_words(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The limit of memory is met where json is opened to be imported (seen at 3 of 30 limits)."""

    def opened(*_: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(Console, "error", opened)
    assert cli.main(["plan", "-o", "json", "--site", "/none"]) == Exit.USAGE
    assert capfd.readouterr().err.startswith("mpio: there is no site file /none; Cannot allocate memory\n  ")


def test_a_runner_without_descriptors_says_so() -> None:
    run: Callable[..., object] = Runner()
    run("true")  # what is loaded the first time needs some
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept = os.dup(0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (kept, hard))
    try:
        with pytest.raises(ProgramFailed, match="could not be started") as met:
            run("true")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(kept)
    assert "descriptors" in met.value.hint
    run("true")
