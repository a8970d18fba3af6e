"""What each network interface is, from small copies of /sys and /proc."""

from __future__ import annotations

from pathlib import Path

import pytest
import recordings
import trees

from mpio.files import Files
from mpio.tools import cards
from mpio.tools.cards import Card

ROUTE = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
NONE = "0" * 32


@pytest.fixture
def tree(tmp_path: Path) -> trees.Tree:
    made = trees.Tree(tmp_path)
    made.nic("eth1", mtu=9000)
    made.file("/sys/class/net/eth1/type", "1\n")
    return made


def of(tree: trees.Tree, **addresses: tuple[str, ...]) -> dict[str, Card]:
    return {c.name: c for c in cards.cards(Files(str(tree.root)), addresses)}


def test_a_nic(tree: trees.Tree) -> None:
    assert of(tree, eth1=("10.10.8.20/24",)) == {
        "eth1": Card("eth1", "", ("10.10.8.20/24",), carrier=True, mtu=9000),
    }
    tree.nic("eth2", carrier=None)
    assert of(tree)["eth2"] == Card("eth2", mtu=1500)


@pytest.mark.parametrize(
    ("name", "number", "file", "kind"),
    [
        ("lo", "772", "", "loopback"),
        ("tunl0", "768", "", "tunnel"),
        ("wg0", "65534", "", "tunnel"),
        ("tap0", "1", "tun_flags", "tunnel"),
        ("br0", "1", "bridge/bridge_id", "bridge"),
        ("wlp2s0", "1", "wireless/status", "wireless"),
        ("bond0", "1", "bonding/mode", "bond"),
        ("veth12ab", "1", "", "guest"),
        ("docker0", "1", "", "guest"),
        ("ib0", "32", "", ""),
        ("storage", "1", "", ""),
    ],
)
def test_kinds(tree: trees.Tree, name: str, number: str, file: str, kind: str) -> None:
    tree.nic(name)
    tree.file(f"/sys/class/net/{name}/type", f"{number}\n")
    if file:
        tree.file(f"/sys/class/net/{name}/{file}", "802.3ad 4\n")
    assert of(tree)[name].kind == kind


def test_a_bond_and_its_members(tree: trees.Tree) -> None:
    tree.nic("bond0")
    tree.files("/sys/class/net/bond0/bonding", {"mode": "802.3ad 4", "slaves": "eth1 eth2"})
    tree.link("/sys/devices/virtual/net/eth1/master", "/sys/devices/virtual/net/bond0")
    found = of(tree)
    assert (found["bond0"].mode, found["bond0"].members) == (cards.LACP, ("eth1", "eth2"))
    assert found["eth1"].master == "bond0"


def test_default_routes(tree: trees.Tree) -> None:
    read = Files(str(tree.root))
    assert cards.default_routes(read) == frozenset()
    rows = [
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0",
        "eth1\t00080A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
        "eth2\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0",  # unreachable
    ]
    tree.file("/proc/net/route", ROUTE + "\n".join(rows) + "\n")
    six = [
        f"{NONE} 00 {NONE} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth3",
        f"{NONE} 00 {NONE} 00 {NONE} ffffffff 00000001 00000000 00200200       lo",
        f"fd00{'0' * 28} 40 {NONE} 00 {NONE} 00000100 00000001 00000000 00000001     eth1",
    ]
    tree.file("/proc/net/ipv6_route", "\n".join(six) + "\n")
    assert cards.default_routes(read) == {"eth0", "eth3"}
    assert not of(tree)["eth1"].default


@recordings.EACH
def test_the_labs_nics_are_fit(release: str, tmp_path: Path) -> None:
    read = trees.planted(tmp_path, recordings.tree(release, "sane", "sysfs"))
    assert {c.kind for c in cards.cards(read, {}) if c.name in ("eth1", "eth2")} == {""}
