"""The JSON that scripts rely on: keys and types of contract 5, which never change."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import APPS_A01, HOMER_1, PORTAL_8, PORTAL_9

from mpio import topology, view
from mpio.findings import finding
from mpio.host import Answer, Asked, Found, Host, Iface, Pair, Portal
from mpio.step import Command, Part, Write

SITE = fakes.guide_site()
HOST = fakes.guide_host()
LUNS = topology.luns(SITE, HOST, topology.pairs(SITE, HOST))


def test_an_iface() -> None:
    assert view.ifaces(HOST)[0] == {
        "name": "sw-iscsi-0",
        "nic": "eth1",
        "hwaddress": "00:0c:29:94:5b:83",
        "addresses": ["10.10.8.14/24"],
        "mtu": 1500,
        "carrier": True,
        "rp_filter": 2,
    }


def test_what_cannot_be_read_of_an_iface_is_null() -> None:
    assert view.ifaces(Host(ifaces=(Iface("a"),))) == [
        {"name": "a", "nic": None, "hwaddress": None, "addresses": [], "mtu": None, "carrier": None, "rp_filter": None}
    ]
    down = replace(HOST, nics=(replace(HOST.nics[0], carrier=None, mtu=0, rp_filter=None),))
    assert view.ifaces(down)[0] == {**view.ifaces(HOST)[0], "carrier": None, "mtu": None, "rp_filter": None}


def test_a_session() -> None:
    assert view.session(HOST.sessions[0]) == {
        "sid": 1,
        "iface": "sw-iscsi-0",
        "nic": "eth1",
        "portal": "10.10.8.90:3260",
        "target": HOMER_1,
        "tpgt": 2,
        "state": "LOGGED_IN",
        "recovery_tmo": 10,
        "noop_interval": 5,
        "noop_timeout": 5,
        "address": "10.10.8.90:3260",
    }


def test_what_cannot_be_read_of_a_session_is_null() -> None:
    bare = replace(
        HOST.sessions[0],
        nic="",
        tpgt=None,
        recovery_tmo=None,
        noop_interval=None,
        noop_timeout=None,
        pair=Pair("a", Portal("fd00::90"), "t"),
    )
    said = view.session(bare)
    assert said["portal"] == "[fd00::90]:3260"
    assert [said[k] for k in ("nic", "tpgt", "recovery_tmo", "noop_interval", "noop_timeout")] == [None] * 5


def test_a_lun() -> None:
    said = view.lun(HOST, LUNS[0])
    paths = said.pop("paths")
    assert said == {
        "wwid": APPS_A01,
        "alias": "hydra_apps-a01",
        "dm": "dm-0",
        "size": 1 << 30,
        "vendor": "NEXENTA",
        "product": "COMSTAR",
        "expected_paths": 4,
        "usable_paths": 4,
        "state": "healthy",
        "queueing": 60,
    }
    assert isinstance(paths, list)
    assert paths[0] == {
        "dev": "sda",
        "hctl": "2:0:0:10",
        "sid": 1,
        "iface": "sw-iscsi-0",
        "nic": "eth1",
        "portal": "10.10.8.90:3260",
        "target": HOMER_1,
        "dm_state": "active",
        "checker_state": "ready",
        "device_state": "running",
        "group": 1,
    }


@pytest.mark.parametrize("queueing", ["off", "forever", 60, None])
def test_queueing(queueing: str | int | None) -> None:
    assert view.lun(HOST, replace(LUNS[0], queueing=queueing))["queueing"] == queueing


def test_a_lun_that_is_not_there_is_null() -> None:
    host = fakes.bare_host()
    lun = topology.luns(SITE, host, topology.pairs(SITE, host))[0]
    assert view.lun(host, lun) == {
        "wwid": APPS_A01,
        "alias": "hydra_apps-a01",
        "dm": None,
        "size": None,
        "vendor": None,
        "product": None,
        "expected_paths": 0,
        "usable_paths": 0,
        "state": "failed",
        "queueing": None,
        "paths": [],
    }


def test_without_a_site_expected_paths_are_null() -> None:
    assert view.lun(HOST, topology.luns(None, HOST, None)[0])["expected_paths"] is None


def test_a_path_without_a_session_is_null_where_the_session_would_say_it() -> None:
    stray = replace(HOST.paths[0], sid=99, dm_state="", checker_state="", device_state="", group=None)
    said = view.path(HOST, stray)
    names = ("iface", "nic", "portal", "target", "dm_state", "checker_state", "device_state", "group")
    assert [said[k] for k in names] == [None] * 8


def test_status() -> None:
    assert {k: len(v) for k, v in view.status(HOST, LUNS).items() if isinstance(v, list)} == {
        "ifaces": 2,
        "sessions": 4,
        "luns": 4,
        "offline": 0,
        "unseen": 0,
    }


def test_a_finding() -> None:
    assert view.finding(finding("MP402", "hydra_apps-a01", "3 of 4")) == {
        "code": "MP402",
        "severity": "error",
        "subject": "hydra_apps-a01",
        "summary": "hydra_apps-a01 has fewer paths than expected",
        "detail": "3 of 4",
        "remedy": "the findings about links, portals and sessions name the cause; mend it, then mpio apply",
    }


def test_a_command() -> None:
    assert view.step(Command(Part.LOGIN, "there is none", ("iscsiadm", "-m", "node"))) == {
        "part": "login",
        "why": "there is none",
        "kind": "command",
        "argv": ["iscsiadm", "-m", "node"],
    }


def write(text: str | None, before: str | None, *, secret: bool = False) -> Write:
    return Write(Part.SYSCTL, "it is 1", "/etc/x", text, before=before, secret=secret)


def test_a_write() -> None:
    assert view.step(write("2\n", "1\n")) == {
        "part": "sysctl",
        "why": "it is 1",
        "kind": "write",
        "path": "/etc/x",
        "diff": "--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-1\n+2\n",
    }


@pytest.mark.parametrize(
    ("text", "before", "diff"),
    [
        ("a\n", None, "--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+a\n"),
        (None, "a\n", "--- /etc/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"),
        ("a\n", "a", "--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"),
        ("a\n", "a\n", ""),
    ],
)
def test_diffs_are_unified(text: str | None, before: str | None, diff: str) -> None:
    assert view.diff(write(text, before)) == diff


def test_a_secret_is_masked() -> None:
    said = view.diff(write("password = hunter2\n", "password = swordfish\n", secret=True))
    assert view.MASK in said
    assert "hunter2" not in said
    assert "swordfish" not in said


def test_the_ifaces_of_a_list_say_whose_they_are() -> None:
    host = replace(HOST, ifaces=(HOST.ifaces[0], Iface("extra", "eth2")))
    said = view.iface_list(SITE, host)
    assert said["site"] == "/etc/mpio/site.toml"
    assert said["ifaces"] == [
        {**view.ifaces(host)[0], "sessions": 2, "records": 2, "ours": True, "site_nic": "eth1"},
        {**view.ifaces(host)[1], "sessions": 0, "records": 0, "ours": False, "site_nic": None},
    ]
    assert said["missing"] == [{"name": "sw-iscsi-1", "nic": "eth2"}]
    assert view.iface_list(None, host)["missing"] == []


def test_what_portals_answered() -> None:
    found = Found(PORTAL_8, 2, "iqn.2000-01.other:x")
    locked = Asked(PORTAL_9, ("sw-iscsi-1",), 24, "no")
    host = replace(
        HOST,
        asked=(Asked(PORTAL_8, ("sw-iscsi-0",), 0, "", (found,)), locked),
        probes={("sw-iscsi-1", PORTAL_8): Answer.REFUSED},
    )
    assert view.asked(SITE, host, [PORTAL_8, PORTAL_9]) == [
        {
            "portal": "10.10.8.90:3260",
            "ifaces": ["sw-iscsi-0"],
            "code": 0,
            "said": None,
            "silent": {"sw-iscsi-1": "refused"},
            "found": [
                {
                    "portal": "10.10.8.90:3260",
                    "tpgt": 2,
                    "target": "iqn.2000-01.other:x",
                    "wanted": False,
                    "why": "no glob in san.targets takes it",
                }
            ],
        },
        {
            "portal": "10.10.9.90:3260",
            "ifaces": ["sw-iscsi-1"],
            "code": 24,
            "said": "no",
            "silent": {},
            "found": [],
        },
    ]
