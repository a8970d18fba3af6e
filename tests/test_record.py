"""`mpio lab record`: its list of calls, its script, and whether what is in tests/recorded is of today's."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path

import pytest
import recordings
from hypothesis import given, settings
from hypothesis import strategies as st

import mpio.tools
from mpio import recording, releases
from mpio.lab import candidates, questions, record, states
from mpio.lab.questions import Call
from mpio.program import Done
from mpio.site import Site
from mpio.tools import dmsetup, ip, iscsiadm, journalctl, multipath, systemctl, wires

# Asked with the argv of another question: with -t on other files, for another part of the same lines.
SAME = {multipath.staged, multipath.keywords_known, dmsetup.sectors}

# Asked by `doctor` alone, of hosts in trouble, which none of the recorded states is: what real ones said is in the
# tests of its areas (test_diagnosis_*.py, fuzz/of_boots.py, fuzz/of_wires.py).
DOCTOR = {
    *(ip.ways, journalctl.of_invocation, journalctl.of_program, systemctl.ends, wires.links, wires.neighbours),
}


def asked() -> Iterator[Callable[..., object]]:
    for ask in questions.asks(record.site()).values():
        yield ask.func if isinstance(ask, partial) else ask
    yield multipath.known  # candidates.keywords
    yield from (iscsiadm.record, iscsiadm.discovery_record)  # states, in `steps`


def of_tools() -> Iterator[Callable[..., object]]:
    for module in pkgutil.iter_modules(mpio.tools.__path__):
        there = f"mpio.tools.{module.name}"
        for name, function in inspect.getmembers(importlib.import_module(there), inspect.isfunction):
            own = function.__module__ == there and not name.startswith("_")
            if own and "run" in inspect.signature(function).parameters:
                yield function


def test_every_question_of_the_tools_is_recorded() -> None:
    assert {*asked(), *SAME, *DOCTOR} == set(of_tools())


def test_the_releases_that_mpio_names_are_recorded() -> None:
    assert {release.name for release in releases.RECORDED} <= set(recordings.RELEASES)
    assert {"bullseye", "bookworm", "trixie"} <= set(recordings.RELEASES)


def test_the_recordings_stay_small() -> None:
    assert sum(path.stat().st_size for path in recordings.TOP.rglob("*")) < 3_000_000


@cache
def site(release: str) -> Site:
    """The guide's site with the WWIDs that the SAN's LUNs had there."""
    return record.named(record.site(), recordings.tree(release, "set-up"))


def calls(release: str, state: str) -> Mapping[str, Call]:
    wanted = site(release)
    match state:
        case "none":
            return questions.questions(wanted, every=False) | {"files": questions.tree(questions.FILES)}
        case "multipath":
            return candidates.keywords() | candidates.calls(recordings.known(release))
        case "set-up":
            return states.connecting(wanted) | states.naming(wanted)
        case "steps":
            return {name: call for stage in states.stages(wanted) for name, call in stage.calls.items()}
        case _:
            return next(one for one in states.STATES if one.name == state).calls(wanted)


@recordings.EACH
@pytest.mark.parametrize("state", states.FOLDERS)
def test_the_recordings_are_of_the_calls_of_today(release: str, state: str) -> None:
    expected = calls(release, state)
    assert {path.name for path in (recordings.TOP / release / state).iterdir()} == set(expected), "record again"
    for name, call in expected.items():
        argv = recordings.done(release, state, name).argv
        assert argv == recording.mask_argv(call.argv), f"{name}: record again: mpio lab record"


@recordings.EACH
def test_every_header_says_of_which_programs_it_is(release: str) -> None:
    assert {path.name for path in (recordings.TOP / release).iterdir()} == set(states.FOLDERS)
    for path in (recordings.TOP / release).glob("*/*"):
        head = path.read_text().partition("\n\n")[0]
        for said in (f"\ndistribution: {release}\n", "multipath-tools 0.", "open-iscsi 2.", "\ncode: "):
            assert said in head, (path, said)


def kept(folder: Path, call: Call) -> Done:
    text = record.script({"one": call}, str(folder))
    subprocess.run(["sh", "-s"], input=text.encode(), check=True)
    return recording.load((folder / "one").read_bytes().decode("utf-8", "backslashreplace"))


texts = st.text(st.characters(codec="ascii", exclude_characters="\r\0"), max_size=40)


@given(texts, texts, st.integers(0, 120))
@settings(max_examples=25, deadline=None)
def test_the_script_keeps_what_a_program_said(
    tmp_path_factory: pytest.TempPathFactory, out: str, err: str, code: int
) -> None:
    argv = ("sh", "-c", f"printf %s {shlex.quote(out)}; printf %s {shlex.quote(err)} >&2; exit {code}")
    found = kept(tmp_path_factory.mktemp("kept"), Call(argv, b""))
    assert found == recording.load(recording.dump(Done(argv, code, out, err)))


def test_the_script_gives_a_program_its_input(tmp_path: Path) -> None:
    data = bytes(range(1, 128)) * 9
    assert kept(tmp_path, Call(("cat",), data)).out == data.decode()
    assert kept(tmp_path, Call(("cat",), b"")).out == ""


@pytest.mark.parametrize(
    "line",
    [
        "node.session.auth.password = secret",
        "password_in: two words",
        'discovery.sendtargets.auth.password_in="x"',
        '"password": "x",',
        "Password=1 password=2",
        "\t\tpassword: <empty>",
        "no secret here: x",
        "password =",
    ],
)
def test_the_script_removes_the_secrets_that_mpio_removes(tmp_path: Path, line: str) -> None:
    script = record.script({"one": Call(("cat",), f"{line}\n".encode())}, str(tmp_path))
    subprocess.run(["sh", "-s"], input=script.encode(), check=True)
    assert (tmp_path / "one").read_text().endswith(f"\n\n{recording.mask(line)}\n")


def test_a_program_that_is_not_there_is_recorded_too(tmp_path: Path) -> None:
    assert kept(tmp_path, Call(("no-such-program",), b"")).code == 127
