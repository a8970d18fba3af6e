"""Files on real file systems, with real trouble: full, read-only, no room, killed in the middle."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio.errors import CannotWrite, MpioError
from mpio.files import Files, directory_mode
from mpio.tools.sysfs import Reader

files = Files()
reader: Reader = files  # the type checker's test


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@given(st.binary())
def test_bytes_survive_reading_and_writing(data: bytes) -> None:
    path = f"/dev/shm/mpio-test-{os.getpid()}"
    try:
        Path(path).write_bytes(data)
        text = files.text(path)
        assert text is not None
        files.write(path, text)
        assert Path(path).read_bytes() == data
    finally:
        os.unlink(path)


def test_a_bare_name_is_a_file_where_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("x.prom", "new/folder/x.prom"):
        files.write(path, "1\n")
        assert (tmp_path / path).read_text() == "1\n"
    files.remove("x.prom")
    assert [p.name for p in tmp_path.iterdir()] == ["new"]


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert files.text(f"{tmp_path}/no") is None
    assert files.text(f"{tmp_path}/file/no") is None
    assert files.names(f"{tmp_path}/no") == ()
    assert files.target(f"{tmp_path}/no") == ""
    assert files.target(f"{tmp_path}/file") == ""
    files.remove(f"{tmp_path}/no")
    files.remove(f"{tmp_path}/no/no")


def test_what_cannot_be_read_is_no_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MpioError, match="cannot read"):
        files.text(str(tmp_path))
    with pytest.raises(MpioError, match="cannot read"):
        files.text("/./proc/self/mem")  # no kernel file by its name


def test_the_kernel_may_refuse_to_tell() -> None:
    assert files.text("/proc/self/mem") is None
    assert files.text("/proc/self/stat") is not None
    assert files.names("/proc/no") == ()


def test_a_fifo_does_not_hold_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert files.text(f"{tmp_path}/fifo") == ""


def test_what_has_no_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "zero").symlink_to("/dev/zero")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 << 30)
    (tmp_path / "large").write_bytes(b"x" * (3 << 20))
    for name in ("zero", "sparse"):
        with pytest.raises(MpioError, match="larger than 64 MiB"):
            files.text(f"{tmp_path}/{name}")
    assert files.text(f"{tmp_path}/large") == "x" * (3 << 20)


def test_names_are_sorted_and_links_are_read(tmp_path: Path) -> None:
    for name in "cab":
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("../x/y")
    assert files.names(str(tmp_path)) == ("a", "b", "c", "link")
    assert files.target(f"{tmp_path}/link") == "../x/y"


def test_a_root_of_its_own(tmp_path: Path) -> None:
    here = Files(str(tmp_path))
    here.write("/etc/iscsi/iscsid.conf", "a = b\n")
    assert (tmp_path / "etc/iscsi/iscsid.conf").read_text() == here.text("/etc/iscsi/iscsid.conf") == "a = b\n"
    assert here.names("/etc") == ("iscsi",)
    here.remove("/etc/iscsi/iscsid.conf")
    assert here.names("/etc/iscsi") == ()


def test_a_folder_goes_when_nothing_is_left_in_it(tmp_path: Path) -> None:
    here = Files(str(tmp_path))
    here.write("/a/b/c", "x")
    here.remove_folder("/a/b")
    assert here.text("/a/b/c") == "x"
    here.remove("/a/b/c")
    here.remove_folder("/a/b")
    here.remove_folder("/a/b")
    assert here.names("/a") == ()


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    new = tmp_path / "a/b/new"
    with umask(0o077):
        files.write(str(new), "x")
    assert (mode(new), mode(new.parent), mode(tmp_path / "a")) == (0o644, 0o755, 0o755)
    with umask(0):
        files.write(str(new), "y", 0o600)
    assert mode(new) == 0o600
    files.write(str(new), "z")
    assert (mode(new), new.read_text()) == (0o600, "z")
    assert directory_mode("/var/lib/mpio") == directory_mode("/var/lib/mpio/x") == 0o700
    assert directory_mode("/var/lib/mpiox") == directory_mode("/run/mpio") == 0o755


def test_a_secret_is_never_readable_on_the_way(tmp_path: Path) -> None:
    """The temporary file is made 0600 and has its mode, and what else its predecessor let in, before its first byte."""
    seen = _trace(tmp_path, f"Files().write('{tmp_path}/f', 'x', 0o640)")
    made = next(line for line in seen if ".mpio-" in line and "open" in line)
    assert "O_EXCL" in made
    assert "O_NOFOLLOW" in made
    assert "0600" in made
    calls = [line.split("(")[0].split()[-1] for line in seen]
    assert calls.index("fchmod") < calls.index("write")


def test_an_unfinished_file_lies_where_it_is_told_to(tmp_path: Path) -> None:
    """Beside a record of open-iscsi's every file is a record. Another file system cannot be renamed from."""
    for beside, place in ((str(tmp_path), tmp_path), ("/proc", tmp_path / "nodes"), ("", tmp_path / "nodes")):
        seen = _trace(tmp_path, f"Files().write('{tmp_path}/nodes/f', 'x', 0o600, beside='{beside}')")
        assert [line for line in seen if line.startswith("open") and f"({place}: .mpio-" in line], seen
        assert (tmp_path / "nodes/f").read_text() == "x"
        assert mode(tmp_path / "nodes/f") == 0o600


def test_content_reaches_the_disk_before_its_name(tmp_path: Path) -> None:
    seen = _trace(tmp_path, f"Files().write('{tmp_path}/sub/f', 'content')")
    calls = [line.split("(")[0].split()[-1] for line in seen]
    order = [c for c in calls if c in {"mkdir", "write", "fchmod", "fsync", "rename"}]
    assert order == ["mkdir", "fchmod", "fsync", "fchmod", "write", "fsync", "rename", "fsync"]


def _trace(tmp_path: Path, deed: str) -> list[str]:
    """The system calls of a deed, as the audit hooks and a wrapped `os` of a fresh interpreter see them."""
    program = f"""
import os, sys
from mpio.files import Files
def tell(name):
    call = getattr(os, name)
    def told(*a, **k):
        folder = os.readlink(f"/proc/self/fd/{{k['dir_fd']}}") + ": " if "dir_fd" in k else ""
        print(name + "(" + folder + ", ".join(describe(name, i, x) for i, x in enumerate(a)) + ")")
        return call(*a, **k)
    setattr(os, name, told)
def describe(name, i, x):
    if name == "open" and i == 1:
        return "|".join(f for f in ("O_CREAT", "O_EXCL", "O_NOFOLLOW") if x & getattr(os, f))
    return format(x, "04o") if name in ("open", "fchmod", "mkdir") and i and isinstance(x, int) else str(x)
for name in ("open", "write", "fchmod", "fsync", "rename", "mkdir"):
    tell(name)
{deed}
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_owner_and_attributes_stay(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(0o4640)
    attributed = True
    try:
        os.setxattr(path, "user.mpio", b"kept")
    except OSError:  # this file system has none
        attributed = False
    if os.geteuid() == 0:
        os.chown(path, 0, 4321)
    before = path.stat()
    path.chmod(0o4640)  # a set-id bit is nothing that a text should get
    files.write(str(path), "new")
    after = path.stat()
    assert (after.st_uid, after.st_gid, mode(path)) == (before.st_uid, before.st_gid, 0o640)
    if attributed:
        assert os.getxattr(path, "user.mpio") == b"kept"


def test_a_link_that_only_we_can_turn_is_written_through(tmp_path: Path) -> None:
    kept = Path("/run") if os.geteuid() == 0 else Path.home()
    folder = kept / f"mpio-test-{os.getpid()}"
    (folder / "tree").mkdir(parents=True)
    try:
        (folder / "conf").symlink_to("tree/conf")
        files.write(f"{folder}/conf", "text")
        assert (folder / "conf").is_symlink()
        assert (folder / "tree/conf").read_text() == "text"
        (folder / "tree").chmod(0o777)
        with pytest.raises(CannotWrite, match=r"others may change .*tree"):
            files.write(f"{folder}/conf", "more")
        assert (folder / "tree/conf").read_text() == "text"
        files.remove(f"{folder}/conf")
        assert os.listdir(folder) == ["tree"]
    finally:
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        folder.rmdir()


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    for place in ("directory", "file/below"):
        with pytest.raises(CannotWrite, match=str(tmp_path / place)):
            files.write(f"{tmp_path}/{place}", "x")


def test_leftovers_of_dead_runs_go_and_those_of_live_ones_stay(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    # After a power cut the number of the dead run is somebody else's, who does not have its file open.
    gone = [f".mpio-{dead.pid}-aa", f".mpio-{os.getpid()}-cc", f".mpio-{os.getppid()}-dd"]
    names = [f".mpio-{os.getpid()}-bb", ".mpio-notes", "other"]
    for name in (*gone, *names):
        (tmp_path / name).touch()
    with (tmp_path / names[0]).open():
        files.write(f"{tmp_path}/f", "x")
    assert set(os.listdir(tmp_path)) == {*names, "f"}
    files.sweep(str(tmp_path))
    files.sweep(f"{tmp_path}/none")
    assert set(os.listdir(tmp_path)) == {*names[1:], "f"}


def test_what_others_wrote_since_then_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    new, old = tmp_path / "new", tmp_path / "old"
    for one in (new, old):
        one.write_text("x")
    os.utime(old, (1, 1))
    files.sync([str(new), str(old), f"{tmp_path}/none", f"{new}/below"], new.stat().st_mtime - 1)
    assert synced == [str(new)]
    (tmp_path / "link").symlink_to("new")  # as /etc/multipath/wwids in a kept tree
    files.sync([f"{tmp_path}/link"], new.stat().st_mtime - 1)
    assert synced == [str(new), str(new)]
    (tmp_path / "open").mkdir()
    (tmp_path / "open/new").write_text("x")
    (tmp_path / "open").chmod(0o777)
    files.sync([f"{tmp_path}/open/new"], 0)  # others could lead it anywhere
    assert len(synced) == 2


def test_no_room_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(CannotWrite, match="File too large") as e:
            files.write(str(path), "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert e.value.hint
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


def test_a_full_device_and_a_refusing_kernel_are_told_with_a_way_out() -> None:
    with pytest.raises(CannotWrite, match="cannot write /proc/self/oom_score_adj: Invalid argument") as e:
        files.write("/proc/self/oom_score_adj", "nonsense")
    assert "does not take" in e.value.hint
    with pytest.raises(CannotWrite) as e:
        files.write("/sys/class/iscsi_session/session9999/recovery_tmo", "5")
    assert "does not offer" in e.value.hint


def test_kernel_files_are_written_in_place() -> None:
    before = files.text("/proc/self/comm")
    assert before is not None
    files.write("/proc/self/comm", "mpio-test")
    try:
        assert files.text("/proc/self/comm") == "mpio-test\n"
    finally:
        files.write("/proc/self/comm", before.strip())


WRITER = """
import sys
from mpio.files import Files
texts = [c * 300_000 for c in "ab"]
print("go", flush=True)
n = 0
while True:
    n += 1
    Files().write(sys.argv[1], texts[n % 2])
"""


def test_killed_in_the_middle_leaves_the_old_or_the_new_text(tmp_path: Path) -> None:
    path = tmp_path / "f"
    leftovers = 0
    for turn in range(200):
        if turn >= 12 and leftovers:
            break
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        assert writer.stdout.readline() == "go\n"
        end = time.monotonic() + 0.02 + turn % 12 * 0.007  # another instruction each time
        while time.monotonic() < end or not path.exists():
            pass
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        text = path.read_text()
        assert text in {"a" * 300_000, "b" * 300_000, "c"}
        leftovers += len(os.listdir(tmp_path)) - 1
        files.write(str(path), "c")
        assert os.listdir(tmp_path) == ["f"]
    assert leftovers > 0, "no kill met the middle of a write: the test shows nothing"
