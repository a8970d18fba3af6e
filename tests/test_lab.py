"""The lab's host side, without a guest: the agent runs here, and a small program stands where QEMU would."""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import io
import json
import lzma
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio import errors, releases
from mpio.lab import archive, channel, demo, guest, image, packages, process, project, qemu, san, session

TOP = Path(__file__).parent.parent


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


@pytest.fixture
def agent() -> Iterator[tuple[channel.Channel, subprocess.Popen[bytes]]]:
    ours, theirs = socket.socketpair()
    script = guest.INSIDE / "agent.py"
    with (
        theirs,
        subprocess.Popen([sys.executable, script, str(theirs.fileno())], pass_fds=[theirs.fileno()]) as started,
    ):
        theirs.close()
        line = channel.Channel(ours, lambda: "last words")
        line.wait_boot(20)
        yield line, started
        line.close()
        started.kill()


def test_a_command_has_two_outputs_and_a_code(agent: tuple[channel.Channel, object]) -> None:
    done = agent[0].run(["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")


def test_death_by_signal_is_128_and_its_number(agent: tuple[channel.Channel, object]) -> None:
    assert agent[0].run(["sh", "-c", "kill -TERM $$"]).code == 128 + signal.SIGTERM


def test_a_program_that_is_not_there(agent: tuple[channel.Channel, object]) -> None:
    done = agent[0].run(["no-such-program"])
    assert (done.code, done.err) == (127, "no-such-program: No such file or directory\n")


def test_bytes_go_in_and_come_back_unchanged(agent: tuple[channel.Channel, object]) -> None:
    data = os.urandom(1 << 20)
    assert agent[0].exchange(["cat"], stdin=data) == (0, data, b"")


def test_without_input_a_program_sees_its_end(agent: tuple[channel.Channel, object]) -> None:
    assert agent[0].run(["cat"]).code == 0


def test_commands_run_side_by_side(agent: tuple[channel.Channel, object], tmp_path: Path) -> None:
    """Each of the two waits for what the other does."""
    one, two = tmp_path / "1", tmp_path / "2"
    os.mkfifo(one)
    os.mkfifo(two)
    codes = []
    other = threading.Thread(
        target=lambda: codes.append(agent[0].run(["sh", "-c", f"cat {one} && echo >{two}"]).code), daemon=True
    )
    other.start()
    codes.append(agent[0].run(["sh", "-c", f"echo >{one} && cat {two}"]).code)
    other.join(20)
    assert codes == [0, 0]


def test_a_command_whose_time_is_up_is_ended_with_its_children(
    agent: tuple[channel.Channel, object], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(errors.ProgramFailed, match=r"not over after 0\.5 s"):
        agent[0].run(["sh", "-c", f"sleep 600 & echo $! >{pids}; wait"], timeout=0.5)
    until(lambda: not Path("/proc", pids.read_text().strip()).exists() or _is_zombie(pids.read_text().strip()))


def _is_zombie(pid: str) -> bool:
    try:
        return ") Z" in Path("/proc", pid, "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it went while we looked
        return True


def test_output_is_heard_while_the_command_runs(agent: tuple[channel.Channel, object], tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    heard: list[tuple[str, bytes]] = []

    def hear(stream: str, data: bytes) -> None:
        heard.append((stream, data))
        if data == b"now\n":
            gate.write_text("go\n")

    done = agent[0].run(["sh", "-c", f"echo now; cat {gate} >&2"], hear=hear)
    assert heard == [("out", b"now\n"), ("err", b"go\n")]
    assert done.code == 0


def test_a_lost_guest_is_an_error_of_its_own_with_its_last_words(
    agent: tuple[channel.Channel, subprocess.Popen[bytes]],
) -> None:
    line, started = agent
    threading.Timer(0.2, started.kill).start()
    with pytest.raises(channel.GuestLost, match="last words"):
        line.run(["sleep", "5"])
    with pytest.raises(channel.GuestLost):
        line.run(["true"])


# -- the machine


QEMU = """#!/bin/sh
echo $$ >"$PIDFILE"
exec sleep 600
"""


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> qemu.Spec:
    """A program that only sleeps, where QEMU would be; it leaves its process number in `pid`."""
    program = tmp_path / "bin/qemu-system-x86_64"
    program.parent.mkdir()
    program.write_text(QEMU)
    program.chmod(0o755)
    (tmp_path / "initrd").write_bytes(b"")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PIDFILE", str(tmp_path / "pid"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return qemu.Spec(image.Image(releases.DEFAULT, tmp_path), b"", accelerator="tcg")


def alive(pid: str) -> bool:
    return Path("/proc", pid).exists() and not _is_zombie(pid)


def test_a_machine_leaves_no_process_and_no_file(pretended: qemu.Spec, tmp_path: Path) -> None:
    with qemu.Machine(pretended):
        until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
        pid = (tmp_path / "pid").read_text().strip()
        assert alive(pid)
    assert not alive(pid)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_owner_is_killed(pretended: qemu.Spec, tmp_path: Path, number: signal.Signals) -> None:
    owner = f"""
import tempfile
from pathlib import Path
from mpio import releases
from mpio.lab import image, qemu
tempfile.tempdir = {str(tmp_path / "tmp")!r}
qemu.end_on_sigterm()
with qemu.Machine(qemu.Spec(image.Image(releases.DEFAULT, Path({str(tmp_path)!r})), b"", accelerator="tcg")) as machine:
    machine.agent.recv(1)
"""
    with subprocess.Popen([sys.executable, "-c", owner], cwd=TOP, stderr=subprocess.DEVNULL) as started:
        until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
        pid = (tmp_path / "pid").read_text().strip()
        started.send_signal(number)
    until(lambda: not alive(pid))
    until(lambda: list((tmp_path / "tmp").iterdir()) == [])


def test_the_command_line_never_writes_to_the_image(pretended: qemu.Spec) -> None:
    argv = qemu.argv(pretended, Path("/i"), Path("/c"))
    drive = argv[argv.index("-drive") + 1]
    assert "snapshot=on" in drive
    assert "-nic" not in argv
    assert "-netdev" not in argv


# -- the parts


def test_an_archive_holds_folders_files_and_links() -> None:
    packed = archive.newc({"a/b/c": archive.File(b"12345", 0o755), "a/link": archive.Link("b/c")})
    found, at = {}, 0
    while True:
        assert packed[at : at + 6] == b"070701"
        fields = [int(packed[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = packed[at + 110 : at + 110 + length - 1].decode()
        at += -(-(110 + length) // 4) * 4
        if name == "TRAILER!!!":
            break
        found[name] = (mode, packed[at : at + size])
        at += -(-size // 4) * 4
    assert found == {
        "a": (0o040755, b""),
        "a/b": (0o040755, b""),
        "a/b/c": (0o100755, b"12345"),
        "a/link": (0o120777, b"b/c"),
    }


chaps = st.builds(san.Chap, st.text(), st.text(), st.text(), st.text())
texts = st.lists(st.text()).map(tuple)
sans = st.builds(
    san.San,
    st.lists(st.builds(san.Link, st.text(), st.text(), texts, texts, st.integers())).map(tuple),
    st.lists(
        st.builds(
            san.Target,
            st.text(),
            texts,
            st.none() | st.lists(st.integers()).map(tuple),
            texts,
            st.none() | chaps,
            st.integers(),
        )
    ).map(tuple),
    st.lists(st.builds(san.Lun, st.integers(), st.text(), st.integers())).map(tuple),
    st.none() | chaps,
    st.none() | st.builds(san.Bridge, st.text(), texts),
)


@given(sans)
def test_a_description_survives_the_way_into_the_guest(layout: san.San) -> None:
    assert san.from_json(san.to_json(layout)) == layout


def test_many_luns_have_wwids_of_their_own() -> None:
    made = san.luns(300, first=200)
    assert len({lun.wwid for lun in made}) == 300
    assert all(re.fullmatch(r"3600144f[0-9a-f]{25}", lun.wwid) for lun in (*made, *san.GUIDE.luns))


def test_the_same_project_packs_to_the_same_bytes() -> None:
    packed = project.pack(TOP)
    assert packed == project.pack(TOP)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        names = tar.getnames()
    assert "mpio/lab/guest.py" in names
    assert not [name for name in names if "__pycache__" in name]


def test_what_is_no_suite_is_refused_with_the_known_ones() -> None:
    with pytest.raises(errors.UnknownName) as caught:
        image.suite("../sarge")
    assert "bookworm" in caught.value.hint


def test_a_release_that_no_table_names_can_be_recorded() -> None:
    forky = image.suite("forky")
    assert (forky.name, forky.runs_mpio) == ("forky", False)
    assert packages.requirements(forky.python) == ""


def test_the_guest_gets_the_locked_versions_only() -> None:
    listed = packages.requirements("3.11")
    names = re.findall(r"^([A-Za-z0-9._-]+)==", listed, re.MULTILINE)
    assert {"pydantic", "pydantic-core", "typer", "sh", "tabulate", "rich", "pyudev"} <= {
        name.lower().replace("_", "-") for name in names
    }
    assert not {"mypy", "pytest", "ruff"} & set(names)
    assert packages.requirements("3.9") == ""  # its Python is too old for mpio


def test_a_missing_program_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.MissingProgram) as caught:
        process.need("qemu-system-never-there", "sh")
    assert caught.value.hint.startswith("as root: apt-get install")
    assert "qemu-system-never-there" in caught.value.message


def test_a_program_that_fails_shows_its_end() -> None:
    with pytest.raises(errors.ProgramFailed, match="the reason"):
        process.call(["sh", "-c", "echo the reason >&2; exit 3"])


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("runtime")
def test_down_without_a_guest_is_no_error() -> None:
    assert session.down() is False


def test_a_socket_that_a_crash_left_is_no_guest(runtime: Path) -> None:
    left = session.folder() / "lab.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    with session.attached() as running:
        assert running is None
    assert not left.exists()


# -- nothing is left, whoever dies


def marked(mark: Path) -> set[int]:
    """The processes with this mark in their environment; a zombie has none."""
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"MARK={mark}\0".encode() in place.joinpath("environ").read_bytes():
                found.add(int(place.name))
    return found


@pytest.fixture
def marking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache, a runtime folder and a place for temporary files; and what runs from here on is found by `marked`."""
    for name, folder in (("XDG_CACHE_HOME", "cache"), ("XDG_RUNTIME_DIR", "run"), ("TMPDIR", "tmp")):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setenv(name, str(tmp_path / folder))
    (tmp_path / "bin").mkdir(exist_ok=True)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("MARK", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(TOP))
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / name).chmod(0o755)


def with_image(folder: Path) -> None:
    """An image that is in the cache already, of empty files."""
    place = folder / f"cache/mpio/lab/bookworm-{image.key(image.suite('bookworm'))}"
    place.mkdir(parents=True)
    for name in ("kernel", "initrd", "disk.ext4"):
        (place / name).touch()


def left(folder: Path) -> set[str]:
    """The files in the temporary folders, and of the cache what is no image."""
    places = [*(folder / "tmp").rglob("*"), *(folder / "run").rglob("*.sock"), *(folder / "cache").rglob("new-*")]
    return {str(place) for place in places}


def lab(*words: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "mpio", "lab", *words]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


DEATHS = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)


@DEATHS
def test_a_demo_that_is_ended_leaves_nothing(marking: Path, number: signal.Signals, code: int) -> None:
    with_image(marking)
    program(marking, "qemu-system-x86_64", f"touch {marking}/started; exec sleep 600")
    with lab("demo") as started:
        until((marking / "started").exists)
        started.send_signal(number)
        assert started.wait(20) == code
    until(lambda: not marked(marking))
    until(lambda: not left(marking))


@DEATHS
def test_a_build_that_is_ended_leaves_nothing(marking: Path, number: signal.Signals, code: int) -> None:
    """The stand-in ignores signals and has a child of its own, as a package manager in the middle of its work."""
    stubborn = f"trap '' INT TERM HUP; mkdir {marking}/cache/mpio/lab/new-*/root; touch {marking}/started"
    program(marking, "mmdebstrap", f"{stubborn}; sleep 600 & wait")
    with lab("demo") as started:
        until((marking / "started").exists)
        assert left(marking)
        started.send_signal(number)
        assert started.wait(20) == code
    until(lambda: not marked(marking))
    until(lambda: not left(marking))


def test_a_guest_whose_owner_is_killed_takes_its_socket_along(marking: Path) -> None:
    with_image(marking)
    program(marking, "qemu-system-x86_64", "exec sleep 600")
    companion = marking / "run/it.sock"
    owner = (
        "import sys; from pathlib import Path; from mpio.lab import image, qemu\n"
        "spec = qemu.Spec(image.get(), b'', accelerator='tcg', companion=Path(sys.argv[1]))\n"
        "with qemu.Machine(spec) as machine:\n"
        "    Path(sys.argv[1]).touch(); machine.agent.recv(1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", owner, companion]) as started:
        until(companion.exists)
        started.kill()
    until(lambda: not marked(marking))
    until(lambda: not left(marking))


def test_a_guest_that_dies_is_an_error_with_a_code_of_its_own(marking: Path) -> None:
    with_image(marking)
    program(marking, "qemu-system-x86_64", "echo no such machine; exit 3")
    with lab("run", "-o", "json", "--", "true") as started:
        out, _ = started.communicate(timeout=60)
    said = json.loads(out)
    assert (started.returncode, said["exit"], said["error"]["code"]) == (1, 1, "guest-lost")
    assert "no such machine" in said["error"]["message"]


def test_two_checkouts_do_not_take_each_others_image(marking: Path) -> None:
    cache = marking / "cache/mpio/lab"
    made = [cache / f"bookworm-{n}" for n in range(5)]
    for age, folder in enumerate(made):
        folder.mkdir(parents=True)
        os.utime(folder, (age, age))
    (cache / "trixie-0").mkdir()
    image.forget(image.suite("bookworm"))
    assert sorted(cache.iterdir()) == sorted([*made[-image.KEPT :], cache / "trixie-0"])


def test_a_compressed_kernel_is_unpacked_and_any_other_stays_as_it_is() -> None:
    for packed in (lzma.compress(b"\x7fELF"), gzip.compress(b"\x7fELF")):
        kernel = bytearray(1024 + 16)
        kernel[0x1F1] = 1
        struct.pack_into("<II", kernel, 0x248, 16, len(packed) + 4)
        assert image.unpacked(bytes(kernel) + packed + b"size and more") == b"\x7fELF"
    assert image.unpacked(bytes(2048)) == bytes(2048)


def test_the_project_goes_into_a_guest_compiled_for_it_only() -> None:
    own = "{}.{}".format(*sys.version_info[:2])
    with tarfile.open(fileobj=io.BytesIO(project.pack(TOP, own))) as tar:
        names = tar.getnames()
        cached = tar.extractfile(next(name for name in names if name.endswith(".pyc") and "/errors." in name))
        assert cached
        head = cached.read(16)
    assert head[:4] == importlib.util.MAGIC_NUMBER
    assert head[8:] == importlib.util.source_hash((TOP / "mpio/errors.py").read_bytes())
    assert project.pack(TOP, "2.7") == project.pack(TOP)


def test_a_plan_is_told_a_line_a_part() -> None:
    steps = [{"part": part, "why": why} for part, why in (("sysctl", "a"), ("sysctl", "b"), ("login", "c"))]
    told = demo.summary(json.dumps({"steps": steps, "complete": False}))
    assert told.splitlines() == [
        "sysctl     a (and 1 more)",
        "login      c",
        "the plan goes on once the targets are known",
    ]
    with pytest.raises(errors.ProgramFailed):
        demo.summary("nothing")
