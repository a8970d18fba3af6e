"""Secret files: who else may have had a hand in one, and what is said of what cannot be believed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mpio import trust
from mpio.commands import call
from mpio.errors import CannotWrite, LooseSecret, UnreadableOutput, UsageError
from mpio.files import Files
from mpio.observe import configured
from mpio.site import Chap

ME = os.geteuid()
SECRET = "geheim-geheim"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A secret file as it should be."""
    folder = tmp_path / "mpio"
    folder.mkdir(mode=0o755)
    path = folder / "chap"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return path


def refused(path: Path) -> str:
    """Why; by who only looks and by who reads, who must come to the same."""
    assert trust.of_secret(str(path), ME)
    with pytest.raises(LooseSecret) as caught:
        trust.line(str(path), ME)
    assert str(path) in caught.value.message
    assert SECRET not in caught.value.message + caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_secret_that_is_root_s_alone(place: Path) -> None:
    assert trust.of_secret(str(place), ME) == ""
    assert trust.secret(str(place), ME) == SECRET


def test_one_in_a_folder_that_others_may_write(place: Path) -> None:
    for folder in (place.parent, place.parent.parent):
        before = folder.stat().st_mode
        for mode in (0o777, 0o757):
            folder.chmod(mode)
            assert "others may change" in refused(place)
        folder.chmod(0o1777)  # /tmp: there nobody takes away what is another's
        assert trust.secret(str(place), ME) == SECRET
        folder.chmod(before)


def test_one_with_a_second_name(place: Path) -> None:
    """Whoever may link root's files to where the site looks has one of them sent to an array, or keeps one."""
    os.link(place, place.parent / "other")
    assert "hard links" in refused(place)


def turned_by_others(place: Path) -> Path:
    theirs = place.parent.parent / "theirs"
    theirs.mkdir()
    link = theirs / "key"
    link.symlink_to(place)
    theirs.chmod(0o777)
    return link


def through_theirs(place: Path) -> Path:
    link = place.parent / "link"
    link.symlink_to(turned_by_others(place))
    return link


@pytest.mark.parametrize("laid", [turned_by_others, through_theirs])
def test_a_link_that_others_may_turn(place: Path, laid: Callable[[Path], Path]) -> None:
    assert "others may change" in refused(laid(place))


def test_a_link_of_root_s_own(place: Path) -> None:
    link = place.parent / "link"
    link.symlink_to("chap")
    assert trust.secret(str(link), ME) == SECRET


def test_the_same_secret_both_ways_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """open-iscsi takes the proof of such an array for its own, sent back."""
    monkeypatch.setattr(trust.secret, "__defaults__", (ME,))
    back = place.parent / "chap-in"
    back.write_text(f"{SECRET}\n")
    back.chmod(0o600)
    with pytest.raises(UsageError, match="the same secret") as caught:
        configured._chap(Chap("prague", str(place), "homer", str(back)), "node.session")
    assert SECRET not in caught.value.message + caught.value.hint
    back.write_text(f"{SECRET}-other\n")
    assert len(configured._chap(Chap("prague", str(place), "homer", str(back)), "node.session")) == 5


def test_a_name_that_no_file_can_have_is_left_to_the_write(place: Path) -> None:
    named = f"{place.parent}/{'x' * 300}"
    assert trust.of_output(named) == ""
    assert trust.of_output(f"{place}/below") == ""
    assert trust.of_place(f"{place}/below") == "Not a directory"
    to = call.made("report").to_write(named, "name one")
    with pytest.raises(CannotWrite, match="File name too long"):
        Files().output(to, "x", 0o600)


def test_a_line_that_cannot_be_read_is_shown_up_to_its_secret() -> None:
    for line in ("node.session.auth.password = geheim", "PASSWORD_IN=geheim", f"{'x' * 300} password geheim"):
        said = UnreadableOutput(line, "iscsiadm").message
        assert "geheim" not in said
    assert "node.session.auth.password" in UnreadableOutput("node.session.auth.password = geheim").message
    assert "node.startup = manual" in UnreadableOutput("node.startup = manual").message


SHOW = "from mpio import cores; import resource; cores.none(); print(resource.getrlimit(resource.RLIMIT_CORE))"
# setuid itself makes a process undumpable
UNPRIVILEGED = "import ctypes, os; os.geteuid() or os.setuid(65534); ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)"
DUMPABLE = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"


def test_no_core_file_is_left() -> None:
    """Of one byte, not of none: cores(5) go to handlers whatever a limit of 0 says."""
    begun = subprocess.run((sys.executable, "-c", f"{SHOW}; {DUMPABLE}"), check=True, capture_output=True, text=True)
    assert begun.stdout == "(1, 1)\n1\n"
    # One whose limit is 0 and who may not raise it.
    limited = "from mpio import cores; import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"
    script = "; ".join((limited, UNPRIVILEGED, SHOW, DUMPABLE))
    begun = subprocess.run((sys.executable, "-c", script), check=True, capture_output=True, text=True)
    assert begun.stdout == "(0, 0)\n0\n"
