from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mpio.tools import keyfile

RETRIES = "node.session.initial_login_retry_max"
NAME = "InitiatorName"

# each was given to iscsid 2.1.8 as the end of its iscsid.conf; a record made then had this value (None: the default)
TRIED = {
    "node.session.cmds_max=64\n": None,
    "node.session.cmds_max =64\n": "64",
    "node.session.cmds_max= 64\n": None,
    "node.session.cmds_max = 64\n": "64",
    "  node.session.cmds_max = 64\n": "64",
    "node.session.cmds_max\t=\t64\n": "64",
    "node.session.cmds_max = 64\r\n": "64",
    "node.session.cmds_max = 64\nnode.session.cmds_max = 32\n": "32",
    "node.session.cmds_max = 64\nnode.session.cmds_max =\n": "64",
    "#node.session.cmds_max = 64\n": None,
    " # node.session.cmds_max = 64\n": None,
    "node.session.cmds_max = 64": None,
    "node.session.cmds_max 64\n": None,
}
# the same with initiatorname.iscsi
TRIED_NAMES = {
    "InitiatorName=iqn.a:1\nInitiatorName=iqn.b:2\n": "iqn.a:1",
    "#InitiatorName=iqn.a:1\nInitiatorName=iqn.b:2\n": "iqn.b:2",
    " #InitiatorName=iqn.a:1\nInitiatorName=iqn.b:2\n": "iqn.b:2",
    "InitiatorName = iqn.a:1 \n": "iqn.a:1",
    "  InitiatorName=iqn.a:1\n": "iqn.a:1",
    "InitiatorName=iqn.a:1 # x\n": "iqn.a:1 # x",
    "InitiatorName=iqn.a:1\r\n": "iqn.a:1",
    "InitiatorName=\nInitiatorName=iqn.b:2\n": "iqn.b:2",
    "InitiatorName=iqn.a:1": "iqn.a:1",
    "InitiatorName= iqn.a:1\n": "iqn.a:1",
    "GenerateName=yes\n": None,
}


@pytest.mark.parametrize(("text", "value"), TRIED.items())
def test_reads_iscsid_conf_as_iscsid_does(text: str, value: str | None) -> None:
    assert keyfile.values(text).get("node.session.cmds_max") == value


@pytest.mark.parametrize(("text", "value"), TRIED_NAMES.items())
def test_reads_the_initiator_name_as_iscsid_does(text: str, value: str | None) -> None:
    assert keyfile.values(text).get(NAME) == value


def test_changes_the_line_in_force_and_keeps_its_looks() -> None:
    text = "# retries\nnode.session.initial_login_retry_max   =  8  \r\n#end"
    assert keyfile.with_values(text, {RETRIES: "4"}) == text.replace("8", "4")


def test_the_last_of_several_lines_is_the_one_in_force() -> None:
    text = f"{RETRIES} = 3\n{RETRIES} = 5\n{RETRIES} =\n"
    assert keyfile.with_values(text, {RETRIES: "4"}) == f"{RETRIES} = 3\n{RETRIES} = 4\n{RETRIES} =\n"


def test_a_new_line_goes_below_the_commented_default() -> None:
    text = f"a.b = 1\n# default:\n#{RETRIES} = 8\nc.d = 2\n"
    assert keyfile.with_values(text, {RETRIES: "4"}) == f"a.b = 1\n# default:\n#{RETRIES} = 8\n{RETRIES} = 4\nc.d = 2\n"


def test_a_line_that_iscsid_does_not_read_stays_above_the_new_one() -> None:
    assert keyfile.with_values(f"{RETRIES}=8\nx.y = 1\n", {RETRIES: "4"}) == f"{RETRIES}=8\n{RETRIES} = 4\nx.y = 1\n"


def test_a_new_line_never_brings_an_unread_one_into_force() -> None:
    text = "a.b = 1\nc.d = 2"
    new = keyfile.with_values(text, {RETRIES: "4"})
    assert new == f"a.b = 1\n{RETRIES} = 4\nc.d = 2"
    assert keyfile.values(new) == {"a.b": "1", RETRIES: "4"}


def test_the_first_initiator_name_is_the_one_in_force() -> None:
    text = "## generated\nInitiatorName=iqn.a:1\nInitiatorName=iqn.b:2"
    assert keyfile.with_values(text, {NAME: "iqn.c:3"}, separator="=") == text.replace("iqn.a:1", "iqn.c:3")
    assert keyfile.with_values("", {NAME: "iqn.c:3"}, separator="=") == "InitiatorName=iqn.c:3\n"


def test_none_takes_every_line_of_the_key_away() -> None:
    assert keyfile.with_values(f"a.b = 1\n{RETRIES} = 3\n{RETRIES} = 5\n#x\n", {RETRIES: None}) == "a.b = 1\n#x\n"


def test_bytes_that_are_no_text_survive() -> None:
    text = b"# x\xe9\xff\x85\x0b\x0c\na.b = \xe9\n".decode("utf-8", "surrogateescape")
    new = keyfile.with_values(text, {RETRIES: "4"})
    assert (
        new.encode("utf-8", "surrogateescape") == b"# x\xe9\xff\x85\x0b\x0c\na.b = \xe9\n" + f"{RETRIES} = 4\n".encode()
    )


@pytest.mark.parametrize("value", ["", " 4", "4 ", "4\n5", "4\0", "\n"])
def test_refuses_values_that_a_line_cannot_carry(value: str) -> None:
    with pytest.raises(ValueError):
        keyfile.with_values("", {RETRIES: value})


@pytest.mark.parametrize("value", ["geheim ", " geheim", "geheim\n", "ge\0heim"])
def test_a_refused_value_is_not_shown(value: str) -> None:
    with pytest.raises(ValueError) as caught:
        keyfile.with_values("", {RETRIES: value})
    assert "heim" not in str(caught.value)
    assert RETRIES in str(caught.value)


@pytest.mark.parametrize("key", ["", "a b", "a=b", "#a"])
def test_refuses_keys_that_a_line_cannot_carry(key: str) -> None:
    with pytest.raises(ValueError):
        keyfile.with_values("", {key: "1"})


def test_refuses_a_separator_that_iscsid_would_not_read() -> None:
    with pytest.raises(ValueError):
        keyfile.with_values("", {RETRIES: "4"}, separator="=")


KEYS = st.sampled_from(["a.b", "a.bc", "node.conn[0].x", NAME, "InitiatorAlias"])
VALUES = st.text(st.characters(exclude_characters="\n\0"), min_size=1).filter(
    lambda v: not re.search(r"\A[\s]|[\s]\Z", v, re.ASCII)
)
LINES = st.one_of(
    st.builds(
        "{}{}{}{}".format, KEYS, st.sampled_from([" = ", "=", " =", "\t=  "]), VALUES, st.sampled_from(["", " ", "\r"])
    ),
    st.builds("#{} = {}".format, KEYS, VALUES),
    st.builds("  # {} = 1".format, KEYS),
    KEYS,
    st.text(st.characters(exclude_characters="\n")),
)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, st.lists(LINES, max_size=8), st.sampled_from(["", "\n"]))


@given(TEXTS, KEYS, VALUES)
def test_what_is_set_is_in_force_and_nothing_else_changes(text: str, key: str, value: str) -> None:
    before = keyfile.values(text)
    new = keyfile.with_values(text, {key: value})
    assert keyfile.values(new) == {**before, key: value}
    assert keyfile.with_values(new, {key: value}) == new
    old_lines, new_lines = text.split("\n"), new.split("\n")
    if len(new_lines) == len(old_lines):
        assert sum(a != b for a, b in zip(old_lines, new_lines, strict=True)) <= 1
    else:
        assert any(new_lines[:i] + new_lines[i + 1 :] == old_lines for i in range(len(new_lines)))


@given(TEXTS, KEYS, VALUES)
def test_setting_and_taking_away_leaves_the_text_as_it_was(text: str, key: str, value: str) -> None:
    assume(key not in keyfile.values(text))
    assert keyfile.with_values(keyfile.with_values(text, {key: value}), {key: None}) == text


@given(TEXTS, KEYS)
def test_what_is_taken_away_is_gone(text: str, key: str) -> None:
    after = keyfile.values(keyfile.with_values(text, {key: None}))
    assert after == {k: v for k, v in keyfile.values(text).items() if k != key}


@given(st.text())
def test_reading_is_total(text: str) -> None:
    keyfile.values(text)
