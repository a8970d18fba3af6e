"""Ways to files against a real attacker: a process of another user that swaps what lies there while root writes."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import attacker
import pytest

from mpio import folders, lock, run, sitetrust, support, trust
from mpio.errors import CannotWrite, Distrusted, MpioError, SiteError
from mpio.files import Files
from mpio.machine import Machine

NOBODY = 65534
SHORT, LONG = 100, 2000  # tries of a race
LEAST = 150  # swaps in a race that shows anything
ROUND = 0.2  # seconds, after which the attacker is another process: one may sleep at the wrong moments
CEILING = 120.0  # seconds of a race on the busiest machine

files = Files()

AS_USER = """
import grp, os, pwd, sys
from mpio import run, sitetrust
run.warm()
uid, gid, home = sys.argv[1:]
os.setgroups([])
os.setgid(int(gid))
os.setuid(int(uid))
run.Runner(record=f"{home}/rec")("true")
print(sitetrust.read(f"{home}/site.toml"))
"""


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that others can reach, which pytest's are not."""
    place = Path(tempfile.mkdtemp(prefix="mpio-ground-", dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of ours alone. Who came by sudo is believed: here nobody did."""
    monkeypatch.delenv("SUDO_UID", raising=False)
    return tmp_path


# -- what is followed, and what not --------------------------------------------------------------------------------


def test_links_of_ours_are_followed_wherever_they_are(home: Path) -> None:
    """/etc/iscsi in a kept tree, /var/lib on another disk, a file that is a link to a link."""
    (home / "kept/iscsi").mkdir(parents=True)
    (home / "etc").mkdir()
    (home / "etc/iscsi").symlink_to("../kept/iscsi")
    (home / "kept/iscsi/iscsid.conf").symlink_to("real.conf")
    (home / "kept/iscsi/real.conf").symlink_to(home / "kept/./real.conf")
    files.write(f"{home}/etc/iscsi/iscsid.conf", "a")
    assert (home / "kept/real.conf").read_text() == "a"
    assert (home / "kept/iscsi/iscsid.conf").is_symlink()
    files.remove(f"{home}/etc/iscsi/iscsid.conf")
    assert (home / "kept/real.conf").exists()
    assert not (home / "kept/iscsi/iscsid.conf").is_symlink()


def test_links_that_lead_nowhere_end(home: Path) -> None:
    (home / "a").symlink_to("b")
    (home / "b").symlink_to("a")
    with pytest.raises(CannotWrite, match="Too many levels"):
        files.write(f"{home}/a/f", "x")
    (home / "dot").symlink_to(".")
    files.write(f"{home}/dot/dot/f", "x")
    assert (home / "f").read_text() == "x"
    for place in ("dot", "dot/dot", "..", "."):
        with pytest.raises(CannotWrite):
            files.write(f"{home}/{place}", "x")


def test_a_folder_that_others_may_write_is_refused_by_name(home: Path) -> None:
    for mode in (0o777, 0o757, 0o2775):
        (home / "open").mkdir(exist_ok=True)
        if os.geteuid() == 0:
            os.chown(home / "open", 0, 4321)
        (home / "open").chmod(mode)
        deeds: tuple[Callable[[], None], ...] = (
            lambda: files.write(f"{home}/open/f", "x"),
            lambda: files.write(f"{home}/open/sub/f", "x"),
            lambda: files.remove(f"{home}/open/f"),
            lambda: files.remove_folder(f"{home}/open/f"),
        )
        for deed in deeds:
            with pytest.raises(CannotWrite, match=rf"others may change {home}/open: its mode is {mode:04o}") as e:
                deed()
            assert e.value.hint
        assert os.listdir(home / "open") == []


def test_a_sticky_folder_is_a_way_and_what_others_lay_there_is_none(home: Path) -> None:
    (home / "tmp").mkdir()
    (home / "tmp").chmod(0o1777)
    files.write(f"{home}/tmp/new/f", "x")
    files.write(f"{home}/tmp/f", "x")
    (home / "tmp/link").symlink_to(home)
    files.write(f"{home}/tmp/link/g", "x")  # our own link
    assert (home / "g").read_text() == "x"


def test_a_list_of_users_counts_where_the_group_is_roots(home: Path) -> None:
    (home / "d").mkdir()
    (home / "d").chmod(0o775)
    fd = os.open(home / "d", os.O_PATH)
    try:
        assert bool(folders.loose(fd)) is (os.stat(home / "d").st_gid != 0)
    finally:
        os.close(fd)
    if shutil.which("setfacl") and os.geteuid() == 0:
        done = subprocess.run(["setfacl", "-m", "u:65534:rwx", str(home / "d")], check=False)
        if done.returncode == 0:  # this file system keeps lists
            with pytest.raises(CannotWrite, match="others may change"):
                files.write(f"{home}/d/f", "x")


def test_what_others_may_have_written_is_not_gone_by(home: Path) -> None:
    here = Files(str(home))
    here.write("/run/mpio/drill.json", "{}", 0o600)
    assert here.text("/run/mpio/drill.json") == "{}"
    assert here.text("/run/mpio/none.json") is None
    (home / "run/mpio/drill.json").chmod(0o666)
    with pytest.raises(Distrusted, match=r"^mpio does not go by /run/mpio/drill.json: its mode is 0666") as e:
        here.text("/run/mpio/drill.json")
    assert e.value.hint
    (home / "run/mpio/drill.json").chmod(0o600)
    (home / "run/mpio").chmod(0o777)
    with pytest.raises(Distrusted, match=f"others may change {home}/run/mpio: its mode is 0777"):
        here.text("/run/mpio/drill.json")
    (home / "run/mpio").chmod(0o755)
    (home / "run/mpio/fifo").mkdir()
    with pytest.raises(Distrusted, match="it is no file"):
        here.text("/run/mpio/fifo")


def test_a_lock_with_another_name_or_mode_is_not_taken(home: Path) -> None:
    (home / "precious").write_text("words")
    os.link(home / "precious", home / "lock")
    os.mkfifo(home / "fifo")
    (home / "open").touch()
    (home / "open").chmod(0o666)
    for name, why in (("lock", "another name"), ("fifo", "no file"), ("open", "mode is 0666")):
        with pytest.raises(CannotWrite, match=why), lock.hold("apply", f"{home}/{name}"):
            pytest.fail("held")
    assert (home / "precious").read_text() == "words"


def test_folders_are_made_with_their_modes_whatever_the_umask(home: Path) -> None:
    before = os.umask(0)
    try:
        with folders.of(f"{home}/a/b/f", mode=lambda path: 0o750 if path.endswith("/b") else 0o711):
            pass
    finally:
        os.umask(before)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (home / "a", home / "a/b")] == [0o711, 0o750]


def test_an_open_way_is_closed_once_whatever_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of several threads the number may be another's by the second time."""
    (home / "top").symlink_to("/etc")
    closed: list[int] = []
    real_open, real_close = os.open, os.close

    def none_left(path: str, *args: int, **at: int) -> int:
        if path == "/" and closed:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real_open(path, *args, **at)

    def close(fd: int) -> None:
        real_close(fd)  # a second time it raises EBADF
        closed.append(fd)

    with monkeypatch.context() as m:
        m.setattr(os, "open", none_left)
        m.setattr(os, "close", close)
        with pytest.raises(OSError, match="Too many open files"), folders.of(f"{home}/top/passwd"):
            pytest.fail("opened")


# -- races: another user takes root to be ---------------------------------------------------------------------------


ROOTS, THEIRS = "root's words", "their words"


@dataclass(frozen=True, slots=True)
class Arena:
    """`vault` is root's, `theirs` the attacker's, `sticky` is as /tmp."""

    vault: Path
    theirs: Path
    sticky: Path

    def untouched(self) -> bool:
        target = (self.vault / "target").stat()
        return (
            sorted(os.listdir(self.vault)) == ["inner", "mpio", "target"]
            and os.listdir(self.vault / "mpio") == ["drill.json"]
            and (self.vault / "mpio/drill.json").read_text() == ROOTS
            and (self.vault / "target").read_text() == "precious"
            and (target.st_uid, stat.S_IMODE(target.st_mode)) == (0, 0o644)
        )


def arena(ground: Path) -> Arena:
    made = Arena(ground / "vault", ground / "theirs", ground / "sticky")
    ground.mkdir(exist_ok=True)
    for folder in (made.vault, made.vault / "inner", made.vault / "mpio", made.theirs, made.sticky):
        folder.mkdir()
    (made.vault / "mpio/drill.json").write_text(ROOTS)
    (made.vault / "target").write_text("precious")
    (made.vault / "target").chmod(0o644)
    os.chown(made.theirs, NOBODY, NOBODY)
    made.sticky.chmod(0o1777)
    return made


def plant(place: Path) -> None:
    """Before a race: nothing of root's where the attacker swaps, which would end the attack, and in the folder that is
    put there words of the attacker's own.
    """
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    words = Path(f"{place}.real/mpio/drill.json")
    words.parent.mkdir(parents=True, exist_ok=True)
    words.write_text(THEIRS)
    for path in (words, words.parent, words.parent.parent):
        os.chown(path, NOBODY, NOBODY)


def race(kind: str, place: Path, arena: Arena, deed: Callable[[], object]) -> tuple[int, int, int]:
    """How often root did what is raced for, how often it was refused, and how often the attacker swapped meanwhile."""
    plant(place)
    pid, hear, stop = attacker.fork(NOBODY, kind, str(place), str(arena.vault))
    done = refused = 0
    end = time.monotonic() + ROUND
    try:
        while time.monotonic() < end:
            try:
                deed()
                done += 1
            except MpioError:
                refused += 1
    finally:
        os.close(stop)
        swaps = int(os.read(hear, 100))
        os.close(hear)
        os.waitpid(pid, 0)
    return done, refused, swaps


def deeds(arena: Arena) -> dict[str, tuple[str, Path, Callable[[], object]]]:
    """What root does where the attacker swaps: an output into a folder of somebody else's, and what is mpio's own."""
    place, sticky = arena.theirs / "x", arena.sticky / "x"
    root = Files(str(arena.sticky))
    return {
        "output over a file": ("file", place, lambda: files.output(str(place), "output", 0o644, durable=False)),
        "output in a folder": (
            "folder",
            place,
            lambda: files.output(f"{place}/target", "output", 0o644, durable=False),
        ),
        "output deep below": (
            "folder",
            place,
            lambda: files.output(f"{place}/a/b/target", "output", 0o644, durable=False),
        ),
        "output in /tmp": (
            "file",
            sticky,
            _then_gone(sticky, lambda p: files.output(p, "output", 0o644, durable=False)),
        ),
        "write in /tmp": ("file", sticky, _then_gone(sticky, lambda p: files.write(p, "text", durable=False))),
        "write in a folder": ("folder", sticky, lambda: files.write(f"{sticky}/target", "text", durable=False)),
        "write in theirs": ("folder", place, lambda: files.write(f"{place}/target", "text", durable=False)),
        "remove": ("folder", sticky, lambda: files.remove(f"{sticky}/target")),
        "remove a folder": ("folder", sticky, lambda: files.remove_folder(f"{sticky}/inner")),
        "lock": ("file", sticky, _then_gone(sticky, _held)),
        "lock in a folder": ("folder", sticky, lambda: _held(f"{sticky}/target")),
        "read": ("folder", arena.sticky / "run", lambda: _read(root)),
    }


def _then_gone(path: Path, deed: Callable[[str], object]) -> Callable[[], None]:
    """In a sticky folder the attacker can lay nothing where something of root's is."""

    def both() -> None:
        deed(str(path))
        with contextlib.suppress(OSError):
            path.unlink()

    return both


def _held(path: str) -> None:
    with lock.hold("apply", path):
        pass


def _read(root: Files) -> None:
    """Theirs are not believed, nor are root's where somebody else leads there."""
    assert root.text("/run/mpio/drill.json") is None


def contest(ground: Path, name: str, wanted: int) -> int:
    """The tries, at least as many as are wanted. Nothing is written, made or removed in the vault, however often the
    attacker swaps.
    """
    made = arena(ground / name.replace(" ", "-").replace("/", ""))
    kind, place, deed = deeds(made)[name]
    done = refused = swaps = 0
    end = time.monotonic() + CEILING
    while done + refused < wanted or not refused or swaps < LEAST:
        assert time.monotonic() < end, f"{name}: {done} done, {refused} refused, {swaps} swaps: the race shows nothing"
        more = race(kind, place, made, deed)
        done, refused, swaps = done + more[0], refused + more[1], swaps + more[2]
        assert made.untouched(), name
    sys.stdout.write(f"\n{name}: {done} done, {refused} refused, {swaps} swaps\n")
    return done + refused


def naive(path: Path) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o644)
        os.write(fd, b"hit")
        os.close(fd)


def looks_first(path: Path, heard: set[str]) -> None:
    """Is it root's? Then it is read: from what is there by then."""
    with contextlib.suppress(OSError):
        if path.stat().st_uid == 0:
            heard.add(path.read_text())


def the_races_can_be_lost(ground: Path) -> None:
    """Who writes by a path alone writes into the vault at once, and who looks before reading reads something else."""
    heard: set[str] = set()
    made = {kind: arena(ground / f"naive-{kind}") for kind in ("file", "folder", "read")}
    at = {kind: one.theirs / "x" for kind, one in made.items()} | {"read": made["read"].sticky / "run"}
    lost: dict[str, tuple[Callable[[], object], Callable[[], bool]]] = {
        "file": (partial(naive, at["file"]), lambda: not made["file"].untouched()),
        "folder": (partial(naive, at["folder"] / "target"), lambda: not made["folder"].untouched()),
        "read": (partial(looks_first, at["read"] / "mpio/drill.json", heard), lambda: THEIRS in heard),
    }
    for kind, (deed, is_lost) in lost.items():
        end = time.monotonic() + CEILING
        while not is_lost():
            assert time.monotonic() < end, f"{kind}: the attacker is too slow for this machine: the races show nothing"
            race("file" if kind == "file" else "folder", at[kind], made[kind], deed)


NAMES = tuple(deeds(Arena(Path("/"), Path("/"), Path("/"))))

if os.geteuid() == 0:  # for somebody else to be the attacker takes root

    def test_nothing_that_another_user_lays_leads_a_write_astray(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SUDO_UID", raising=False)
        the_races_can_be_lost(ground)
        tries = {name: contest(ground, name, SHORT) for name in NAMES}
        sys.stdout.write(f"\n{sum(tries.values())} tries in {len(tries)} races\n")

    @pytest.mark.nightly
    @pytest.mark.parametrize("name", NAMES)
    def test_nor_in_a_long_race(ground: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.delenv("SUDO_UID", raising=False)
        contest(ground, name, LONG)

    def test_what_another_user_has_laid_is_refused(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each kind of thing in the place of a file, without a race: so the sentence is the right one."""
        monkeypatch.delenv("SUDO_UID", raising=False)
        made = arena(ground / "still")
        sticky, theirs = made.sticky, made.theirs
        (sticky / "file").write_text("planted")
        (sticky / "link").symlink_to(made.vault / "target")
        (sticky / "dir").mkdir()
        (theirs / "link").symlink_to(made.vault)
        os.mkfifo(sticky / "fifo")
        os.mknod(sticky / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        for path in (*sticky.iterdir(), theirs / "link"):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        for path, why in (
            (sticky / "file", "it is owned by user 65534"),
            (sticky / "link", f"{sticky}/link is a link of user 65534"),
            (sticky / "dir/f", f"others may change {sticky}/dir: it is owned by user 65534"),
            (sticky / "fifo", "it is no file"),
            (sticky / "device", "it is no file"),
            (theirs / "link/f", f"others may change {theirs}: it is owned by user 65534"),
        ):
            with pytest.raises(CannotWrite, match=f"^cannot write {path}: {why}") as e:
                files.write(str(path), "x")
            assert e.value.hint or "no file" in why
        with pytest.raises(CannotWrite, match=f"{theirs}/link is a link, and others may change {theirs}"):
            files.output(f"{theirs}/link/f", "x", 0o644)
        with pytest.raises(CannotWrite, match=f"others may move {theirs}"):
            files.output(f"{theirs}/../vault/f", "x", 0o644)
        files.output(f"{theirs}/own", "x", 0o644)  # that is theirs to keep
        assert made.untouched()
        assert trust.of_output(str(sticky / "file"))

    def test_folders_of_state_that_were_there_before_us_are_refused(
        ground: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """/run/mpio or /var/lib/mpio of another user, or a link that leads to a folder of another user."""
        monkeypatch.delenv("SUDO_UID", raising=False)
        made = arena(ground / "state")
        for how in ("owned", "linked"):
            here = Files(str(ground / how))
            (ground / how / "run").mkdir(parents=True)
            place = ground / how / "run/mpio"
            if how == "owned":
                place.mkdir()
                os.chown(place, NOBODY, NOBODY)
            else:
                place.symlink_to(made.theirs)
            (place / "drill.json").write_text("{}")
            owned = made.theirs if how == "linked" else place
            said = f"others may change {owned}: it is owned by user 65534"
            with pytest.raises(Distrusted, match=said):
                here.text("/run/mpio/drill.json")
            with pytest.raises(CannotWrite, match=said):
                here.write("/run/mpio/drill.json", "{}")
            with pytest.raises(CannotWrite, match=said), lock.hold("apply", f"{place}/lock"):
                pytest.fail("held")

    def test_who_came_by_sudo_is_believed(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """They could be root: a site file of theirs may be edited, in a folder of theirs, and stays theirs."""
        made = arena(ground / "sudo")
        (made.theirs / "site.toml").write_text("old")
        os.chown(made.theirs / "site.toml", NOBODY, NOBODY)
        monkeypatch.setenv("SUDO_UID", "4321")
        with pytest.raises(CannotWrite):
            files.write(f"{made.theirs}/site.toml", "new")
        monkeypatch.setenv("SUDO_UID", str(NOBODY))
        files.write(f"{made.theirs}/site.toml", "new")
        status = (made.theirs / "site.toml").stat()
        assert ((made.theirs / "site.toml").read_text(), status.st_uid, status.st_gid) == ("new", NOBODY, NOBODY)

    def test_a_group_of_a_user_alone_is_that_user(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With umask 002 a home is 0775: verbs without root read the site there, and record there."""
        monkeypatch.delenv("SUDO_UID", raising=False)
        user = next(u for u in pwd.getpwall() if _alone(u))
        home = ground / "home"
        home.mkdir()
        (home / "site.toml").write_text("words")
        (home / "site.toml").chmod(0o644)

        def of_group(gid: int, mode: int = 0o775) -> None:
            os.chown(home, user.pw_uid, gid)
            home.chmod(mode)

        def as_user() -> str:
            done = subprocess.run(
                (sys.executable, "-c", AS_USER, str(user.pw_uid), str(user.pw_gid), str(home)),
                capture_output=True,
                text=True,
                check=False,
            )
            return done.stdout or done.stderr

        of_group(user.pw_gid)
        assert as_user() == "words\n"
        assert os.listdir(home / "rec") == ["00001-true"]
        with pytest.raises(SiteError, match="owned by user"):
            sitetrust.read(f"{home}/site.toml")
        # By sudo: what is read, but root writes nothing there.
        monkeypatch.setenv("SUDO_UID", str(user.pw_uid))
        assert sitetrust.read(f"{home}/site.toml") == "words"
        assert trust.of_program(f"{home}/site.toml")
        with pytest.raises(CannotWrite, match="its mode is 0775"):
            files.write(f"{home}/f", "x")
        for gid, mode in ((user.pw_gid, 0o777), (4321, 0o775), (next(_shared_by_many(user)), 0o775)):
            of_group(gid, mode)
            assert f"its mode is {mode:04o}" in as_user()
            with pytest.raises(SiteError, match=f"its mode is {mode:04o}"):
                sitetrust.read(f"{home}/site.toml")

    def _alone(user: pwd.struct_passwd) -> bool:
        try:
            group = grp.getgrgid(user.pw_gid)
        except KeyError:
            return False
        return user.pw_uid != 0 and group.gr_name == user.pw_name and not group.gr_mem

    def _shared_by_many(user: pwd.struct_passwd) -> Iterator[int]:
        return (group.gr_gid for group in grp.getgrall() if group.gr_gid not in (0, user.pw_gid))

    def test_staff_may_have_put_a_program_there_and_nothing_else(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """/usr/local/sbin is 2775 root:staff on hosts that began as an older Debian."""
        monkeypatch.delenv("SUDO_UID", raising=False)
        place = ground / "sbin"
        place.mkdir()
        (place / "page").write_text("#!/bin/sh\n")
        (place / "page").chmod(0o755)
        staff = grp.getgrnam("staff").gr_gid
        for owner, gid, mode, said in (
            (0, staff, 0o2775, ""),
            (0, staff, 0o2777, "its mode is 2777"),
            (0, 100, 0o2775, "its mode is 2775"),
            (NOBODY, staff, 0o2775, "owned by user"),
        ):
            os.chown(place, owner, gid)
            place.chmod(mode)
            why = trust.of_program(f"{place}/page")
            assert bool(why) is bool(said)
            assert said in why
        os.chown(place, 0, staff)
        place.chmod(0o2775)
        with pytest.raises(SiteError, match="its mode is 2775"):
            sitetrust.read(f"{place}/page")
        (place / "page").chmod(0o775)
        os.chown(place / "page", 0, staff)
        assert "others may write it" in trust.of_program(f"{place}/page")
        if shutil.which("setfacl"):
            (place / "page").chmod(0o755)
            done = subprocess.run(["setfacl", "-m", "u:65534:rwx", str(place)], check=False)
            assert done.returncode or trust.of_program(f"{place}/page")

    def test_a_bundle_holds_nothing_that_others_have_linked(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SUDO_UID", raising=False)
        made = arena(ground / "bundle")
        (made.theirs / "events.jsonl").symlink_to(made.vault / "target")
        got = support.Gathering.of(Machine(run.Runner(), Files()))
        assert support.text(got, f"{made.theirs}/events.jsonl") is None
        assert f"others may change {made.theirs}" in got.failed[0]
        assert support.text(got, f"{made.vault}/target") == "precious"

    def test_what_a_dead_run_left_goes_only_where_it_is_ours(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SUDO_UID", raising=False)
        made = arena(ground / "sweep")
        dead = subprocess.Popen(["true"])
        dead.wait()
        ours, other, link = (made.sticky / f".mpio-{dead.pid}-{name}" for name in ("ours", "other", "link"))
        for path in (ours, other):
            path.touch()
        os.chown(other, NOBODY, NOBODY)
        link.symlink_to(made.vault / "target")
        files.write(f"{made.sticky}/f", "x")
        assert sorted(p.name for p in made.sticky.iterdir()) == sorted([other.name, link.name, "f"])
        assert made.untouched()

    def test_no_set_id_bit_and_no_capability_is_kept(ground: Path) -> None:
        (ground / "f").write_text("old")
        (ground / "f").chmod(0o6755)
        files.write(f"{ground}/f", "new")
        assert stat.S_IMODE((ground / "f").stat().st_mode) == 0o755
