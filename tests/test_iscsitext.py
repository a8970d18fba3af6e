from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import HOMER_1, HOMER_2, PRAGUE

from mpio import recording
from mpio.errors import UnreadableOutput
from mpio.host import Found, Iface, Portal
from mpio.program import Done
from mpio.tools import iscsitext

RECORDED = Path(__file__).parent / "recorded/bookworm/iscsiadm"
V4, OTHER, V6 = Portal("10.10.8.90"), Portal("10.10.9.90"), Portal("fd00:8::90")

PARSERS: list[Callable[[str], object]] = [
    iscsitext.parse_version,
    iscsitext.parse_ifaces,
    iscsitext.parse_iface_record,
    iscsitext.parse_records,
    iscsitext.parse_discovery,
    iscsitext.parse_sessions,
    iscsitext.parse_session_details,
]


def said(name: str, folder: str = "") -> Done:
    return recording.load((RECORDED.with_name(f"iscsiadm{folder}") / name).read_text())


def test_version() -> None:
    assert iscsitext.parse_version(said("version").out) == "2.1.8"


def test_ifaces() -> None:
    default, iser = Iface("default"), Iface("iser", transport="iser")
    assert iscsitext.parse_ifaces(said("iface-none").out) == (default, iser)
    assert iscsitext.parse_ifaces(said("iface-list").out)[:2] == (
        Iface("sw-iscsi-0", "eth1"),
        Iface("sw-iscsi-1", "eth2"),
    )
    named = Iface("sw-iscsi-0", "eth1", initiatorname=PRAGUE)
    assert iscsitext.parse_ifaces(said("iface-list-named").out)[0] == named
    assert iscsitext.parse_iface_record(said("iface-show").out) == named


def test_records() -> None:
    (record,) = iscsitext.parse_records(said("node-show").out)
    assert record["node.name"] == HOMER_1
    assert record["node.conn[0].timeo.noop_out_interval"] == "5"
    assert record["iface.hwaddress"] == ""
    assert record["node.session.auth.password"] == "********"
    names = [r["node.conn[0].address"] for r in iscsitext.parse_records(said("node-show-all").out)]
    assert names == ["10.10.8.90", "fd00:8::90", "10.10.8.90"]
    (discovery,) = iscsitext.parse_records(said("discoverydb-show").out)
    assert discovery["discovery.sendtargets.timeo.login_timeout"] == "5"


def test_discovery_says_each_portal_once() -> None:
    found = (Found(V4, 1, HOMER_1), Found(V6, 1, HOMER_1), Found(OTHER, 2, HOMER_2))
    for name in ("discovery-nonpersistent", "discovery-nonpersistent-v6", "discoverydb-nonpersistent"):
        assert iscsitext.parse_discovery(said(name).out) == iscsitext.Discovery(found)


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
    ],
)
def test_names_that_no_command_may_see_are_refused(line: str) -> None:
    good = f"10.10.8.90:3260,1 {HOMER_1}"
    assert iscsitext.parse_discovery(f"{line}\n{good}\n") == iscsitext.Discovery((Found(V4, 1, HOMER_1),), (line,))


def test_a_name_of_223_characters_is_none_too_many() -> None:
    name = "iqn.".ljust(223, "x")
    assert iscsitext.parse_discovery(f"10.10.8.90:3260,1 {name}\n").found == (Found(V4, 1, name),)


def test_sessions_flat() -> None:
    listed = iscsitext.parse_sessions(said("session-tree").out)
    assert [(s.sid, s.portal, s.target) for s in listed] == [
        (1, V4, HOMER_1),
        (10, V6, HOMER_2),
        (2, V4, HOMER_1),
        (3, OTHER, HOMER_2),
    ]
    assert iscsitext.parse_sessions(f"tcp: [7] 10.10.8.90:3260,4294967295 {HOMER_1}\n") == (
        iscsitext.Listed(7, V4, -1, HOMER_1, "tcp"),
    )
    assert iscsitext.parse_sessions(said("session-none").out) == ()


@pytest.mark.parametrize("level", ["1", "2", "3"])
def test_sessions_in_detail(level: str) -> None:
    found = iscsitext.parse_session_details(said(f"session-tree-P{level}").out)
    assert [(s.sid, s.portal, s.iface, s.nic, s.session) for s in found] == [
        (1, V4, "sw-iscsi-0", "eth1", "LOGGED_IN"),
        (10, V6, "sw-iscsi-1", "eth2", "LOGGED_IN"),
        (2, V4, "sw-iscsi-1", "eth2", "LOGGED_IN"),
        (3, OTHER, "sw-iscsi-0", "eth1", "FAILED"),
    ]
    assert {s.connection for s in found} == {"Unknown"}  # there was no iscsid to say
    assert found[0].target == HOMER_1


@pytest.mark.parametrize("level", ["1", "3"])
def test_sessions_of_a_real_kernel(level: str) -> None:
    """Two of a portal share its headers."""
    found = iscsitext.parse_session_details(said(f"session-P{level}", "-lab").out)
    assert [(s.sid, s.portal, s.iface, s.nic) for s in found] == [
        (1, V4, "sw-iscsi-0", "eth1"),
        (2, V4, "sw-iscsi-1", "eth2"),
        (3, OTHER, "sw-iscsi-0", "eth1"),
        (4, OTHER, "sw-iscsi-1", "eth2"),
    ]
    assert {(s.connection, s.session, s.internal) for s in found} == {("LOGGED IN", "LOGGED_IN", "NO CHANGE")}
    assert {len(s.disks) for s in found} == ({0} if level == "1" else {4})
    assert [s.sid for s in iscsitext.parse_sessions(said("session", "-lab").out)] == [1, 2, 3, 4]


def test_disks_of_a_real_session() -> None:
    disks = iscsitext.parse_session_details(said("session-P3", "-lab").out)[0].disks
    assert disks == (("sda", "running"), ("sdb", "running"), ("sdc", "running"), ("sdd", "running"))


def test_failed_sessions_of_a_real_kernel() -> None:
    found = iscsitext.parse_session_details(said("session-down-P3", "-lab").out)
    assert [s.sid for s in found if s.session == "FAILED"] == [2, 3]


def test_discovery_at_lio() -> None:
    found = iscsitext.parse_discovery(said("discovery", "-lab").out).found
    assert [(f.portal, f.tpgt) for f in found] == [(V4, 1), (OTHER, 1)]


def test_login_errors() -> None:
    assert iscsitext.parse_login_error(said("node-login-noiscsid").err) == 20
    assert iscsitext.parse_login_error(said("login-refused", "-lab").err) == 8
    assert iscsitext.parse_login_error(said("login-again", "-lab").err) is None
    assert iscsitext.parse_login_error("iscsiadm: Could not log into all portals\n") is None


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("name", ["discoverydb-auth", "node-delete", "node-list-P1"])
def test_what_is_not_theirs_is_empty_or_unreadable(parse: Callable[[str], object], name: str) -> None:
    done = said(name)
    text = done.err or done.out or "?\n"
    with pytest.raises(UnreadableOutput):
        parse(text)


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
