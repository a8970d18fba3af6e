from __future__ import annotations

from pathlib import Path

import pytest
import recordings
import trees
from hypothesis import given
from hypothesis import strategies as st
from trees import HOMER_1, Tree

from mpio.files import Files
from mpio.host import Iface, Portal
from mpio.tools import iscsidb, keyfile

V4, V6 = Portal("10.10.8.90"), Portal("fd00:8::90")
SECRET = "node.session.auth.password"


def recorded(release: str, root: Path) -> Files:
    """A database with records over IPv4 and IPv6, and one of the old kind."""
    return trees.planted(root, recordings.tree(release, "steps", "files"))


@recordings.EACH
def test_a_record_keeps_its_settings_but_no_secret(release: str, tmp_path: Path) -> None:
    read = recorded(release, tmp_path)
    before = next(n for n in iscsidb.nodes(read) if n.pair.portal == V6)
    assert not [key for key in before.settings if "password" in key]
    chap = {"node.session.auth.username": "prague", "node.session.auth.password": "x y"}
    read.write(before.path, iscsidb.record_text_with(read.text(before.path) or "", chap), durable=False)
    node = next(n for n in iscsidb.nodes(read) if n.path == before.path)
    assert node.settings == {**before.settings, "node.session.auth.username": "prague", SECRET: iscsidb.MASK}


def test_the_package_makes_the_place_where_it_is_not_below_etc(tmp_path: Path) -> None:
    tree, read = Tree(tmp_path), Files(str(tmp_path))
    tree.file("/etc/iscsi/ifaces/a", "")
    tree.file("/var/lib/other", "")
    assert iscsidb.root(read) == "/etc/iscsi"
    (tmp_path / "etc/iscsi/ifaces/a").unlink()
    assert iscsidb.root(read) == "/etc/iscsi"
    (tmp_path / "var/lib/iscsi").mkdir()
    assert iscsidb.root(read) == "/var/lib/iscsi"
    # a folder that somebody made says nothing where the program knows another place
    tree.file("/usr/sbin/iscsiadm", "\x7fELF /etc/iscsi/nodes\0/etc/iscsi/iscsid.conf")
    assert iscsidb.root(read) == "/etc/iscsi"


@pytest.mark.parametrize(
    ("program", "empty", "filled"),
    [
        # What an upgrade to Debian 13 leaves below /etc is nothing to its iscsiadm, whatever the new place holds.
        ("\x7fELF /var/lib/iscsi/nodes\0/etc/iscsi/iscsid.conf", "/var/lib/iscsi", "/var/lib/iscsi"),
        ("\x7fELF /etc/iscsi/nodes\0/etc/iscsi/iscsid.conf", "/etc/iscsi", "/etc/iscsi"),
        (None, "/etc/iscsi", "/var/lib/iscsi"),
    ],
)
@pytest.mark.parametrize("left", ["ifaces/a", "nodes/b/c", "send_targets/d/st_config"])
def test_with_both_places_the_program_says_which(
    tmp_path: Path, left: str, program: str | None, empty: str, filled: str
) -> None:
    tree, read = Tree(tmp_path), Files(str(tmp_path))
    tree.file(f"/etc/iscsi/{left}", "")
    (tmp_path / "var/lib/iscsi/nodes").mkdir(parents=True)
    if program:
        tree.file("/usr/sbin/iscsiadm", program)
    assert iscsidb.root(read) == empty
    tree.file("/var/lib/iscsi/ifaces/a", "")
    assert iscsidb.root(read) == filled


def test_an_unfinished_file_is_no_record_and_has_its_place(tmp_path: Path) -> None:
    tree, at = Tree(tmp_path), f"/etc/iscsi/nodes/{HOMER_1}/10.10.8.90,3260,1"
    text = "iface.iscsi_ifacename = a\n"
    tree.file(f"{at}/a", text)
    tree.file(f"{at}/.mpio-1-ab", text)
    assert [node.path for node in iscsidb.nodes(Files(str(tmp_path)))] == [f"{at}/a"]
    assert iscsidb.beside(f"{at}/a") == "/etc/iscsi"
    assert iscsidb.beside("/var/lib/iscsi/send_targets/10.10.8.90,3260/st_config") == "/var/lib/iscsi"


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
    assert iscsidb.iface_of(Files(str(tmp_path)), path) == "default"
    tree.file(path, "node.name = x\niface.iscsi_ifacename = sw-iscsi-0\n")
    assert iscsidb.iface_of(Files(str(tmp_path)), path) == "sw-iscsi-0"


def test_a_record_that_goes_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    files = recorded(recordings.RELEASES[0], tmp_path)
    all_there = len(iscsidb.nodes(files))

    class Racing(Files):
        def text(self, path: str) -> str | None:
            return None if path.endswith("fd00:8::90,3260,1/sw-iscsi-0") else files.text(path)

    assert len(iscsidb.nodes(Racing(files.root))) == all_there - 1


@pytest.mark.parametrize(
    "name",
    ["", "x", "10.10.8.90", "10.10.8.90,x,1", "10.10.8.90,0,1", "10.10.8.90,3260,1,2", "10.10.8.90,99999,1", "::g,1,1"],
)
def test_what_is_no_portal(name: str) -> None:
    assert iscsidb.portal_of(name) is None


@recordings.EACH
def test_chap_goes_into_a_record_before_its_end(release: str, tmp_path: Path) -> None:
    read = recorded(release, tmp_path)
    text = read.text(iscsidb.nodes(read)[0].path)
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
    tree = Tree(tmp_path)
    tree.file(path, "")
    assert iscsidb.found_through(Files(str(tmp_path)), V6) == ()
    tree.file(path.replace("st_config", f"{HOMER_1},fd00:8::90,3260,1,a"), "")
    assert iscsidb.found_through(Files(str(tmp_path)), V6) == (f"{HOMER_1},fd00:8::90,3260,1,a",)


@given(st.text(), st.text())
def test_reading_a_record_is_total(name: str, text: str) -> None:
    iscsidb.portal_of(name)
    iscsidb.iface("a", text)
    node = iscsidb.node("/x", text, (V4, 1), HOMER_1)
    assert all(value == iscsidb.MASK for key, value in node.settings.items() if "password" in key)
