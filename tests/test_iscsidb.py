from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import HOMER_1, PRAGUE, Tree

from mpio.files import Files
from mpio.host import Iface, Pair, Portal
from mpio.tools import iscsidb, keyfile

RECORDED = Path(__file__).parent / "recorded/bookworm/iscsidb"
V4, V6 = Portal("10.10.8.90"), Portal("fd00:8::90")
LEGACY = "iqn.2011-09.dom.homer:legacy"


def test_reads_the_database_of_a_real_iscsiadm() -> None:
    read = Files(str(RECORDED))
    assert iscsidb.root(read) == "/etc/iscsi"
    assert iscsidb.ifaces(read) == (
        Iface("sw-iscsi-0", "eth1", initiatorname=PRAGUE),
        Iface("sw-iscsi-1", "eth2", initiatorname=PRAGUE),
    )
    assert [(n.pair, n.tpgt) for n in iscsidb.nodes(read)] == [
        (Pair("sw-iscsi-0", V4, HOMER_1), 1),
        (Pair("sw-iscsi-0", V6, HOMER_1), 1),
        (Pair("sw-iscsi-0", V4, LEGACY), -1),
    ]
    assert iscsidb.unread(read) == ()


def test_a_record_keeps_its_settings_but_no_secret() -> None:
    node = iscsidb.nodes(Files(str(RECORDED)))[0]
    assert node.path == f"/etc/iscsi/nodes/{HOMER_1}/10.10.8.90,3260,1/sw-iscsi-0"
    assert node.settings["node.session.timeo.replacement_timeout"] == "10"
    assert node.settings["node.session.auth.username"] == "prague"
    assert node.settings["node.session.auth.password"] == iscsidb.MASK
    assert "node.session.auth.password_in" not in node.settings


def test_the_place_that_has_a_database_counts_and_of_two_the_newer(tmp_path: Path) -> None:
    tree, read = Tree(tmp_path), Files(str(tmp_path))
    assert iscsidb.root(read) == "/etc/iscsi"
    tree.file("/etc/iscsi/iscsid.conf", "")
    assert iscsidb.root(read) == "/etc/iscsi"
    (tmp_path / "var/lib/iscsi/nodes").mkdir(parents=True)
    assert iscsidb.root(read) == "/var/lib/iscsi"
    tree.file("/etc/iscsi/ifaces/a", "")
    assert iscsidb.root(read) == "/etc/iscsi"
    tree.file("/var/lib/iscsi/ifaces/a", "")
    assert iscsidb.root(read) == "/var/lib/iscsi"


def test_what_is_no_iface_of_ours_is_passed_over(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    for name in ("iface.example", ".a.swp"):
        tree.file(f"/etc/iscsi/ifaces/{name}", "iface.iscsi_ifacename = x\n")
    tree.file("/etc/iscsi/ifaces/by-mac", "iface.hwaddress = 00:11:22:33:44:55\niface.net_ifacename = default\n")
    assert iscsidb.ifaces(Files(str(tmp_path))) == (Iface("by-mac", "", "00:11:22:33:44:55"),)


def test_a_portal_that_is_a_host_name_is_told_apart(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    path = f"/etc/iscsi/nodes/{HOMER_1}/san.example,3260,1/default"
    tree.file(path, "node.name = x\n")
    (tmp_path / f"etc/iscsi/nodes/{HOMER_1}/10.10.8.91,3260,1").mkdir()
    assert iscsidb.nodes(Files(str(tmp_path))) == ()
    assert iscsidb.unread(Files(str(tmp_path))) == (path,)


def test_a_record_that_goes_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    shutil.copytree(RECORDED, tmp_path / "r")
    files = Files(str(tmp_path / "r"))

    class Racing(Files):
        def text(self, path: str) -> str | None:
            return None if path.endswith("fd00:8::90,3260,1/sw-iscsi-0") else files.text(path)

    assert len(iscsidb.nodes(Racing(files.root))) == 2


@pytest.mark.parametrize(
    "name",
    ["", "x", "10.10.8.90", "10.10.8.90,x,1", "10.10.8.90,0,1", "10.10.8.90,3260,1,2", "10.10.8.90,99999,1", "::g,1,1"],
)
def test_what_is_no_portal(name: str) -> None:
    assert iscsidb.portal_of(name) is None


def test_chap_goes_into_a_record_before_its_end() -> None:
    node = iscsidb.nodes(Files(str(RECORDED)))[1]
    text = Files(str(RECORDED)).text(node.path)
    assert text is not None
    chap = {
        "node.session.auth.authmethod": "CHAP",
        "node.session.auth.username": "prague",
        "node.session.auth.password": "x y",
    }
    new = iscsidb.record_text_with(text, chap)
    assert new.endswith("node.session.auth.username = prague\nnode.session.auth.password = x y\n# END RECORD\n")
    assert {**keyfile.values(text), **chap} == keyfile.values(new)
    assert iscsidb.record_text_with(new, chap) == new
    gone = dict.fromkeys(["node.session.auth.username", "node.session.auth.password"])
    assert iscsidb.record_text_with(new, {**gone, "node.session.auth.authmethod": "None"}) == text


def test_the_discovery_record_has_its_place(tmp_path: Path) -> None:
    path = iscsidb.discovery_record(Files(str(tmp_path)), V6)
    assert path == "/etc/iscsi/send_targets/fd00:8::90,3260/st_config"


@given(st.text(), st.text())
def test_reading_a_record_is_total(name: str, text: str) -> None:
    iscsidb.portal_of(name)
    iscsidb.iface("a", text)
    node = iscsidb.node("/x", text, (V4, 1), HOMER_1)
    assert all(value == iscsidb.MASK for key, value in node.settings.items() if "password" in key)
