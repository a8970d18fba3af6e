from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
import recordings
from hypothesis import given
from hypothesis import strategies as st
from trees import HOMER_1, PRAGUE

from mpio.errors import UnreadableOutput
from mpio.host import Found, Iface, Portal
from mpio.tools import iscsitext

V4 = Portal("10.10.8.90")

PARSERS: list[Callable[[str], object]] = [
    iscsitext.parse_version,
    iscsitext.parse_ifaces,
    iscsitext.parse_records,
    iscsitext.parse_discovery,
    iscsitext.parse_sessions,
    iscsitext.parse_session_details,
]


def test_an_iface_with_a_name_of_its_own() -> None:
    line = f"sw-iscsi-0 tcp,<empty>,<empty>,eth1,{PRAGUE}\n"
    assert iscsitext.parse_ifaces(line) == (Iface("sw-iscsi-0", "eth1", initiatorname=PRAGUE),)


@pytest.mark.parametrize(
    "line",
    [
        "10.10.8.90:3260,1 iqn.2011-09.dom.homer:$(reboot)",
        "10.10.8.90:3260,1 iqn.2011-09.dom.homer:a b",
        "10.10.8.90:3260,1 iqn.2011-09.dom.homer:a\x07",
        "10.10.8.90:3260,1 iqn.2011-09.dom.homer:../../x",
        "10.10.8.90:3260,1 iqn.2011-09.dom.homer:ü",
        "10.10.8.90:3260,1 -oops",
        "10.10.8.90:3260,1 " + "iqn.".ljust(224, "x"),
        "san.example:3260,1 iqn.2011-09.dom.homer:01:5d3a",
        "10.10.8.90:0,1 iqn.2011-09.dom.homer:01:5d3a",
        "10.10.8.90:3260,65536 iqn.2011-09.dom.homer:01:5d3a",
        "10.10.8.90:3260,-2 iqn.2011-09.dom.homer:01:5d3a",
    ],
)
def test_names_that_no_command_may_see_are_refused(line: str) -> None:
    good = f"10.10.8.90:3260,1 {HOMER_1}"
    assert iscsitext.parse_discovery(f"{line}\n{good}\n") == iscsitext.Discovery((Found(V4, 1, HOMER_1),), (line,))


def test_a_name_of_223_characters_is_none_too_many() -> None:
    name = "iqn.".ljust(223, "x")
    assert iscsitext.parse_discovery(f"10.10.8.90:3260,1 {name}\n").found == (Found(V4, 1, name),)


def test_a_session_whose_group_is_not_known() -> None:
    assert iscsitext.parse_sessions(f"tcp: [7] 10.10.8.90:3260,4294967295 {HOMER_1}\n") == (
        iscsitext.Listed(7, V4, -1, HOMER_1, "tcp"),
    )


def test_a_complaint_is_no_login_s_error() -> None:
    assert iscsitext.parse_login_error("iscsiadm: Could not log into all portals\n") is None


@recordings.EACH
@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("name", ["discovery-auth", "record-delete-again", "record-new-v6"])
def test_what_is_not_theirs_is_unreadable(release: str, parse: Callable[[str], object], name: str) -> None:
    done = recordings.done(release, "steps", name)
    with pytest.raises(UnreadableOutput):
        parse(done.err or done.out)


WORDS = st.sampled_from(
    [
        "# BEGIN RECORD 2.1.8\n",
        "# END RECORD\n",
        "a = b\n",
        f"10.10.8.90:3260,1 {HOMER_1}\n",
        "[::1]:3260,-1 x\n",
        "[1]:9999999,1 x\n",
        "tcp: [1] ",
        "Target: x\n",
        "\tCurrent Portal: a\n",
        "\tPersistent Portal: b\n",
        "\t\tInterface:\n",
        "\t\tIface Name: x\n",
        "\t\tIface Netdev: y\n",
        "\t\tSID: 1\n",
        "\t\tSID: ²\n",
        "\t\tiSCSI Connection State: x\n",
        "\t\tiSCSI Session State: x\n",
        "\t\tInternal iscsid Session State: x\n",
        "\t\tAttached scsi disk sda\t\tState: running\n",
    ]
)


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.one_of(st.text(), st.lists(WORDS | st.text(), max_size=14).map("".join)))
def test_reading_is_total(parse: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(UnreadableOutput):
        parse(text)


@given(st.text())
def test_reading_login_errors_is_total(text: str) -> None:
    iscsitext.parse_login_error(text)
