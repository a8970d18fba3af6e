from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio import recording
from mpio.errors import ProgramFailed, UnreadableOutput
from mpio.lab import questions
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


TREE = """\
/sys/block/sda -> ../devices/platform/host2/session1/target2:0:0/2:0:0:10/block/sda
==> /sys/block/sda/size <==
131072

==> /sys/class/iscsi_connection/connection1:0/address <==

==> /etc/iscsi/iscsid.conf <==
a = b

c = d
"""


def test_a_tree_of_files() -> None:
    found = recording.tree(TREE)
    assert found.target("/sys/block/sda").endswith("/2:0:0:10/block/sda")
    assert found.target("/sys/block/sda/size") == ""
    assert found.text("/sys/block/sda/size") == "131072\n"
    assert found.text("/sys/class/iscsi_connection/connection1:0/address") == ""  # the kernel had nothing to tell
    assert found.text("/etc/iscsi/iscsid.conf") == "a = b\n\nc = d\n"
    assert found.text("/etc/iscsi") is None
    assert found.names("/sys/block") == ("sda",)
    assert found.names("/sys/block/sda") == ("size",)
    assert found.names("/sys/bl") == ()
    assert recording.tree("") == recording.Tree({}, {})


def test_what_is_no_tree() -> None:
    for text in ("find: not there\n", "==> /etc/a\0b <==\n", "/sys/a -> b\0\n"):
        with pytest.raises(UnreadableOutput):
            recording.tree(text)


def test_a_tree_is_what_its_programs_print(tmp_path: Path) -> None:
    (tmp_path / "a b").write_text("one\n\ntwo\n")
    (tmp_path / "empty").write_text("")
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "link").symlink_to("a b")
    (tmp_path / "folder").mkdir()
    call = questions.tree(f"{tmp_path}/* {tmp_path}/none*")
    done = subprocess.run(call.argv, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    at = str(tmp_path)
    assert recording.tree(done.stdout) == recording.Tree(
        {f"{at}/a b": "one\n\ntwo\n", f"{at}/empty": "", f"{at}/link": "one\n\ntwo\n"}, {f"{at}/link": "a b"}
    )
