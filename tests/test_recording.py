from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio import recording
from mpio.errors import ProgramFailed, UnreadableOutput
from mpio.program import Done
from mpio.recording import dump, load, mask, mask_argv, masked
from mpio.replay import NotRecorded, Replay

texts = st.text(st.characters(exclude_categories=["Cs"]))
runs = st.builds(Done, st.lists(texts, min_size=1).map(tuple), st.integers(0, 255), texts, texts)


@given(runs)
def test_a_recording_survives_a_round_trip(done: Done) -> None:
    assert load(dump(done, version="iscsiadm 2.1.8", distribution="bookworm\n12")) == masked(done)


@given(runs)
def test_masking_twice_changes_nothing(done: Done) -> None:
    assert masked(masked(done)) == masked(done)


@given(texts)
def test_a_reader_reads_or_says_that_it_cannot(text: str) -> None:
    for candidate in (text, recording.FIRST + "\n" + text):
        try:
            load(candidate)
        except UnreadableOutput:
            continue


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("node.session.auth.password = geheim wort", "node.session.auth.password = ********"),
        ("discovery.sendtargets.auth.password_in=x", "discovery.sendtargets.auth.password_in=********"),
        ("\t\tpassword: x\n\t\tuser: u\n", "\t\tpassword: ********\n\t\tuser: u\n"),
        ("node.session.auth.password = <empty>", "node.session.auth.password = <empty>"),
        ("node.session.auth.password = \nnode.session.auth.chap_algs = MD5", None),
        ("node.session.auth.username = prague", None),
        ('{"password": "x"}', '{"password": ********'),
    ],
)
def test_secrets_are_masked(line: str, shown: str | None) -> None:
    assert mask(line) == (line if shown is None else shown)


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        ("-n node.session.auth.password -v x", "-n node.session.auth.password -v ********"),
        ("-v x -n node.session.auth.password_in", "-v ******** -n node.session.auth.password_in"),
        ("--name=node.session.auth.password --value=x", "--name=node.session.auth.password --value=********"),
        ("-n node.session.auth.username -v prague", "-n node.session.auth.username -v prague"),
        ("password=x", "password=********"),
    ],
)
def test_secrets_in_arguments_are_masked(argv: str, shown: str) -> None:
    assert " ".join(mask_argv(argv.split())) == shown


def test_the_output_stands_untouched_below_the_header() -> None:
    done = Done(("ip", "-j", "link"), 0, "[]\n\n  x", "warned\nhalf")
    head = f'{recording.FIRST}\nargv: ["ip", "-j", "link"]\ncode: 0\nerr: warned\nerr+: half\n\n'
    assert dump(done) == head + "[]\n\n  x"


def test_a_folder_of_recordings_answers_in_order(tmp_path: Path) -> None:
    call = ("iscsiadm", "-m", "session")
    for number, code in enumerate((21, 0, 7)):
        (tmp_path / f"{number:05}-iscsiadm").write_text(dump(Done(call, code, str(number), "")))
    run = Replay.folder(tmp_path)
    assert run(*call, ok=(21,)).out == "0"
    assert run(*call).out == "1"
    for _ in range(2):
        with pytest.raises(ProgramFailed, match="ended with 7: 2"):
            run(*call)
    with pytest.raises(NotRecorded, match="iscsiadm -m node"):
        run("iscsiadm", "-m", "node")
