"""Ways to files against a real attacker: a process of another user that swaps what lies there while root writes."""

from __future__ import annotations

import contextlib
import os
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

from mpio import folders, lock, run, support, trust
from mpio.errors import CannotWrite, Distrusted, MpioError
from mpio.files import Files
from mpio.machine import Machine

NOBODY = 65534
LONG = 5.0  # seconds of a race
ROUNDS = 12  # on a busy machine the attacker may sleep at the wrong moment
LEAST = 150  # tries of a race that shows anything, on a busy machine

files = Files()


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


# -- races: another user takes root to be ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arena:
    """`vault` is root's, `theirs` the attacker's, `sticky` is as /tmp."""

    vault: Path
    theirs: Path
    sticky: Path

    def untouched(self) -> bool:
        target = (self.vault / "target").stat()
        return (
            sorted(os.listdir(self.vault)) == ["inner", "target"]
            and (self.vault / "target").read_text() == "precious"
            and (target.st_uid, stat.S_IMODE(target.st_mode)) == (0, 0o644)
        )


def arena(ground: Path) -> Arena:
    made = Arena(ground / "vault", ground / "theirs", ground / "sticky")
    ground.mkdir(exist_ok=True)
    for folder in (made.vault, made.vault / "inner", made.theirs, made.sticky):
        folder.mkdir()
    (made.vault / "target").write_text("precious")
    (made.vault / "target").chmod(0o644)
    os.chown(made.theirs, NOBODY, NOBODY)
    made.sticky.chmod(0o1777)
    return made


def race(kind: str, place: Path, arena: Arena, deed: Callable[[], object], seconds: float) -> tuple[int, int, int]:
    """How often root did what is raced for, how often it was refused, and how often the attacker swapped meanwhile."""
    hear, stop = attacker.fork(NOBODY, kind, str(place), str(arena.vault))
    done = refused = 0
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end or done + refused < LEAST:
            try:
                deed()
                done += 1
            except MpioError:
                refused += 1
            os.sched_yield()  # on a busy machine the attacker would sleep all the while
    finally:
        os.close(stop)
        swaps = int(os.read(hear, 100))
        os.close(hear)
        os.wait()
    sys.stdout.write(f"\n{place.parent.name}/{place.name}: {done} done, {refused} refused, {swaps} swaps\n")
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
    assert root.text("/run/mpio/drill.json") is None  # whatever is there is nobody's to believe


def contest(ground: Path, name: str, seconds: float) -> int:
    """The tries. Nothing is written, made or removed in the vault, however often the attacker swaps."""
    made = arena(ground / name.replace(" ", "-").replace("/", ""))
    kind, place, deed = deeds(made)[name]
    tries = met = swapped = 0
    for number in range(1, ROUNDS):
        if place.is_dir() and not place.is_symlink():  # root's own folder there would end the attack
            shutil.rmtree(place)
        done, refused, swaps = race(kind, place, made, deed, seconds)
        tries, met, swapped = tries + done + refused, met + refused, swapped + swaps
        assert made.untouched(), name
        if met and swapped > LEAST:
            return tries
    pytest.fail("no try met the attacker: the race shows nothing")


def naive(path: Path) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o644)
        os.write(fd, b"hit")
        os.close(fd)


def the_races_can_be_lost(ground: Path) -> None:
    """Who writes by a path alone writes into the vault at once."""
    for kind, name in (("file", "x"), ("folder", "x/target")):
        made = arena(ground / kind)
        for _ in range(ROUNDS):
            race(kind, made.theirs / "x", made, partial(naive, made.theirs / name), 0.2)
            if not made.untouched():
                break
        else:
            pytest.fail("the attacker is too slow for this machine: the races show nothing")


NAMES = tuple(deeds(Arena(Path("/"), Path("/"), Path("/"))))

if os.geteuid() == 0:  # for somebody else to be the attacker takes root

    def test_nothing_that_another_user_lays_leads_a_write_astray(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SUDO_UID", raising=False)
        the_races_can_be_lost(ground)
        tries = {name: contest(ground, name, 0.3) for name in NAMES}
        sys.stdout.write(f"\n{sum(tries.values())} tries in {len(tries)} races\n")

    @pytest.mark.nightly
    @pytest.mark.parametrize("name", NAMES)
    def test_nor_in_a_long_race(ground: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.delenv("SUDO_UID", raising=False)
        assert contest(ground, name, LONG) > 2000

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
