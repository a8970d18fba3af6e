"""The script that names a path for udev, run by the shell on a pretended /sys and /etc."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "udev/mpio-path"
NAA = "naa.600144f0f484400000004e8685e70001"
WWID = "3600144f0f484400000004e8685e70001"
CONF = f"""
defaults {{
    user_friendly_names yes
}}
multipaths {{
    multipath {{
        wwid 3600144f0f484400000004e8685f80002
        alias other
    }}
    multipath {{
        alias "hydra_apps-a01"
        path_selector "service-time 0"
        wwid "{WWID}"
    }}
}}
"""


@dataclass(frozen=True)
class Tree:
    root: Path

    def put(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def said(self, **environment: str) -> str:
        script = SCRIPT.read_text().replace("/sys/", f"{self.root}/sys/").replace("/etc/", f"{self.root}/etc/")
        done = subprocess.run(
            ["/bin/sh", "-u", "-c", script, "mpio-path", "sda", "session1"],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.stderr == ""
        return done.stdout

    def portal(self, address: str, port: str = "3260") -> None:
        at = "sys/class/iscsi_session/session1/device/connection1:0/iscsi_connection/connection1:0"
        self.put(f"{at}/persistent_address", f"{address}\n")
        self.put(f"{at}/persistent_port", f"{port}\n")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path)
    made.put("sys/block/sda/device/wwid", f"{NAA}\n")
    made.put("sys/class/iscsi_session/session1/ifacename", "sw-iscsi-0\n")
    made.portal("10.10.8.90")
    return made


def named(alias: str, portal: str = "10.10.8.90:3260") -> str:
    return f"MPIO_PATH={alias}/sw-iscsi-0-{portal}\n"


def test_a_disk_that_has_just_come_has_its_wwids_alias(tree: Tree) -> None:
    tree.put("etc/multipath/conf.d/90-mpio.conf", CONF)
    assert tree.said() == named("hydra_apps-a01")


def test_the_later_file_wins_and_the_map_beats_all(tree: Tree) -> None:
    tree.put("etc/multipath.conf", CONF)
    tree.put("etc/multipath/conf.d/90-mpio.conf", CONF.replace("hydra_apps-a01", "later"))
    assert tree.said() == named("later")
    tree.put("sys/block/sda/holders/dm-1/dm/uuid", f"mpath-{WWID}\n")
    tree.put("sys/block/sda/holders/dm-1/dm/name", "mpathq\n")
    assert tree.said() == named("mpathq")


def test_what_has_no_alias_has_its_friendly_name_or_its_wwid(tree: Tree) -> None:
    assert tree.said() == named(WWID)
    tree.put("etc/multipath/bindings", f"# Format:\nmpatha 3600144f0f484400000004e8685f80002\nmpathb {WWID}\n")
    assert tree.said() == named("mpathb")


def test_a_holder_that_is_no_multipath_map_names_nothing(tree: Tree) -> None:
    tree.put("sys/block/sda/holders/dm-1/dm/uuid", "LVM-abc\n")
    tree.put("sys/block/sda/holders/dm-1/dm/name", "vg-root\n")
    assert tree.said() == named(WWID)


def test_other_identifiers(tree: Tree) -> None:
    tree.put("sys/block/sda/device/wwid", "eui.0123456789abcdef\n")
    assert tree.said() == named("20123456789abcdef")
    tree.put("sys/block/sda/device/wwid", "t10.ATA     QEMU HARDDISK\n")
    assert tree.said() == ""
    assert tree.said(ID_SERIAL="1ATA_QEMU_HARDDISK") == named("1ATA_QEMU_HARDDISK")


def test_a_portal_with_an_ipv6_address_is_as_udev_writes_it(tree: Tree) -> None:
    tree.portal("fd00:8::90", "860")
    assert tree.said() == named(WWID, "_fd00:8::90_:860")


@pytest.mark.parametrize("alias", ["a-:b", "b-", "a:"])
def test_an_alias_may_have_what_parts_the_others(tree: Tree, alias: str) -> None:
    tree.put("etc/multipath.conf", CONF.replace("hydra_apps-a01", alias))
    assert tree.said() == named(alias)


@pytest.mark.parametrize(("address", "port"), [("", "3260"), ("10.10.8.90", ""), ("", "")])
def test_half_a_portal_makes_no_name(tree: Tree, address: str, port: str) -> None:
    tree.portal(address, port)
    assert tree.said() == ""


@pytest.mark.parametrize("path", ["sys/block/sda/device/wwid", "sys/class/iscsi_session/session1/ifacename"])
@pytest.mark.parametrize("text", ["", "a b", "../..", "naa.$(reboot)", "naa.a/b", "naa.\x1b[0m", "naa.\u00e4"])
def test_what_is_strange_or_gone_makes_no_name(tree: Tree, path: str, text: str) -> None:
    tree.put(path, f"{text}\n")
    assert tree.said() == ""
    (tree.root / path).unlink()
    assert tree.said() == ""


def test_a_session_that_goes_makes_no_name(tree: Tree) -> None:
    tree.portal("", "")
    assert tree.said() == ""
