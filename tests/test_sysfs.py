from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import HOMER_2, PRAGUE, guide

from mpio.files import Files
from mpio.host import Map, Nic, Pair, Portal
from mpio.tools import sysfs

WWID = "3600144f0f484400000004e8685e70001"
V4, OTHER, V6 = Portal("10.10.8.90"), Portal("10.10.9.90"), Portal("fd00:8::90")


# -- a tree of files


def test_an_ipv6_portal_and_a_failed_session(tmp_path: Path) -> None:
    guide(tmp_path)
    found = sysfs.sessions(Files(str(tmp_path)), {})
    assert [s.sid for s in found] == [1, 2, 3, 10]
    assert found[3].pair == Pair("sw-iscsi-1", V6, HOMER_2)
    failed = found[2]
    assert (failed.state, failed.address, failed.port, failed.local_port) == ("FAILED", "", None, None)
    assert (found[0].noop_interval, found[0].noop_timeout, found[0].recovery_tmo) == (5, 7, 5)
    assert (found[0].host, found[0].initiatorname) == (2, PRAGUE)
    assert sysfs.state(Files(str(tmp_path)), 3) == "FAILED"
    assert sysfs.state(Files(str(tmp_path)), 4) == ""


def test_a_recovery_time_that_is_off_is_none(tmp_path: Path) -> None:
    tree = guide(tmp_path)
    tree.file("/sys/class/iscsi_session/session1/recovery_tmo", "off\n")
    tree.file("/sys/class/iscsi_session/session2/recovery_tmo", "-1\n")
    tree.file("/sys/class/iscsi_session/session3/recovery_tmo", "0\n")
    assert [s.recovery_tmo for s in sysfs.sessions(Files(str(tmp_path)), {})] == [None, None, 0, 5]


@pytest.mark.parametrize("netdev", ["", "(null)", "default", "<NULL>"])
def test_a_host_that_names_no_nic_is_asked_of_the_iface(tmp_path: Path, netdev: str) -> None:
    tree = guide(tmp_path)
    tree.file("/sys/class/iscsi_host/host2/netdev", f"{netdev}\n")
    found = sysfs.sessions(Files(str(tmp_path)), {"sw-iscsi-0": "eth7"})
    assert [s.nic for s in found] == ["eth7", "eth2", "eth1", "eth2"]


def test_a_portal_known_by_name_is_told_by_its_address(tmp_path: Path) -> None:
    tree = guide(tmp_path)
    for sid in (1, 3):
        tree.file(f"/sys/class/iscsi_connection/connection{sid}:0/persistent_address", "san.example\n")
    found = sysfs.sessions(Files(str(tmp_path)), {})
    assert (found[0].pair.portal, found[2].pair.portal) == (V4, Portal("san.example"))


def test_paths_and_lun_numbers_above_255(tmp_path: Path) -> None:
    guide(tmp_path)
    found = sysfs.paths(Files(str(tmp_path)))
    assert [(p.dev, p.hctl, p.sid, p.lun) for p in found] == [
        ("sda", "2:0:0:10", 1, 10),
        ("sdb", "3:0:0:10", 2, 10),
        ("sdc", "4:0:0:10", 3, 10),
        ("sdaa", "5:0:0:300", 10, 300),
    ]
    assert {(p.wwid, p.size, p.vendor, p.product, p.dm) for p in found} == {
        (WWID, 64 << 20, "NEXENTA", "COMSTAR", "dm-0")
    }


@pytest.mark.parametrize(
    ("said", "wwid"), [(None, ""), ("", ""), ("scsi.what", ""), ("eui.0025385b71b0a1c2", "20025385b71b0a1c2")]
)
def test_disks_with_other_names(tmp_path: Path, said: str | None, wwid: str) -> None:
    tree = guide(tmp_path)
    tree.disk("sdx", 2, 1, 77, said)
    path = sysfs.path(Files(str(tmp_path)), "sdx")
    assert path is not None
    assert (path.wwid, path.dm, path.lun) == (wwid, "", 77)


def test_only_multipath_maps_are_maps(tmp_path: Path) -> None:
    tree = guide(tmp_path)
    tree.dm("dm-1", "hydra_apps-a01-part1", f"part1-mpath-{WWID}")
    tree.dm("dm-10", "vg-lv", "LVM-abc")
    tree.dm("dm-2", "mpathb", "mpath-3x", suspended="1")
    tree.holds("dm-0", "dm-1")
    read = Files(str(tmp_path))
    assert sysfs.maps(read) == (
        Map("hydra_apps-a01", WWID, "dm-0", 64 << 20, slaves=("sda", "sdaa", "sdb", "sdc")),
        Map("mpathb", "3x", "dm-2", 64 << 20, suspended=True),
    )
    assert sysfs.holders(read, "dm-0") == (("dm-1", "hydra_apps-a01-part1"),)
    assert sysfs.holders(read, "sda") == (("dm-0", "hydra_apps-a01"),)


def test_disks_of_no_session_are_no_paths(tmp_path: Path) -> None:
    tree = guide(tmp_path)
    tree.file("/sys/devices/pci0000:00/0000:00:04.0/ata1/host0/target0:0:0/0:0:0:0/block/sdz/size", "8\n")
    tree.link("/sys/block/sdz", "/sys/devices/pci0000:00/0000:00:04.0/ata1/host0/target0:0:0/0:0:0:0/block/sdz")
    assert sysfs.path(Files(str(tmp_path)), "sdz") is None


def test_nics_and_the_filter_in_force(tmp_path: Path) -> None:
    tree = guide(tmp_path)
    tree.nic("eth0.100", carrier=None, mtu=9000, own=2, everywhere=1)
    tree.link("/sys/class/net/eth0.100/master", "/sys/class/net/bond0")
    tree.file("/sys/class/net/bonding_masters", "bond0\n")
    read = Files(str(tmp_path))
    assert sysfs.nic_names(read) == ("eth0.100", "eth1", "eth2")
    assert sysfs.nic(read, "eth0.100") == Nic(
        "eth0.100", "02:00:00:00:08:14", (), 9000, None, 2, 2, 1, arp_ignore=0, arp_announce=0, master="bond0"
    )
    (eth1,) = sysfs.nics(read, {"eth1": ("10.10.8.20/24",)}, ("eth1", "eth7"))
    assert (eth1.rp_filter, eth1.rp_filter_own, eth1.rp_filter_all, eth1.carrier) == (1, 0, 1, True)
    assert len(sysfs.nics(read, {})) == 3


def test_whatever_is_gone_the_rest_is_told(tmp_path: Path) -> None:
    """Each file and link in turn: a device may vanish between any two reads."""
    guide(tmp_path)

    read = Listening(Files(str(tmp_path)))
    whole = _look(read)
    assert whole == (4, 4, 1, 2)
    lists = {"/sys/class/iscsi_session", "/sys/block", "/sys/class/net"}
    for path in sorted(read.asked - lists):
        lost = sum(whole) - sum(_look(Listening(Files(str(tmp_path)), gone=path)))
        assert lost <= 1, path


def _look(read: sysfs.Reader) -> tuple[int, ...]:
    return len(sysfs.sessions(read, {})), len(sysfs.paths(read)), len(sysfs.maps(read)), len(sysfs.nics(read, {}))


@dataclass
class Listening:
    """Keeps what was asked for; one path is gone."""

    files: Files
    gone: str = ""
    asked: set[str] = field(default_factory=set)

    def text(self, path: str) -> str | None:
        self.asked.add(path)
        return None if path == self.gone else self.files.text(path)

    def names(self, path: str) -> tuple[str, ...]:
        self.asked.add(path)
        return () if path == self.gone else self.files.names(path)

    def target(self, path: str) -> str:
        self.asked.add(path)
        return "" if path == self.gone else self.files.target(path)


@dataclass
class Anything:
    """A Reader whose every answer is drawn."""

    data: st.DataObject

    def text(self, path: str) -> str | None:
        said: str | None = self.data.draw(st.none() | st.text(max_size=8) | st.integers().map("{}\n".format))
        return said

    def names(self, path: str) -> tuple[str, ...]:
        names = ["session1", "session²", "connection1:0", "sda", "dm-0", "dm-x", "eth0", "sd"]
        return tuple(self.data.draw(st.lists(st.sampled_from(names), max_size=2, unique=True)))

    def target(self, path: str) -> str:
        at = "../devices/platform/host2/session1"
        ends = ["", "x", f"{at}/iscsi_session/session1", f"{at}/target2:0:0/2:0:0:10/block/sda"]
        return str(self.data.draw(st.sampled_from(ends)))


@given(st.data())
def test_looking_is_total(data: st.DataObject) -> None:
    read = Anything(data)
    sysfs.sessions(read, {})
    sysfs.paths(read)
    sysfs.maps(read)
    sysfs.nics(read, {})
