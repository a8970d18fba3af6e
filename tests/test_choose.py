from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import HOMER_1, HOMER_2, PORTAL_8, PORTAL_9

from mpio import choose, topology
from mpio.errors import Exit, UnknownName
from mpio.host import Host, Pair, Portal

HOST = fakes.guide_host()
PLANNED = topology.pairs(fakes.guide_site(), HOST)
ALL = set(PLANNED.planned)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("eth1", {p for p in ALL if p.iface == "sw-iscsi-0"}),
        ("sw-iscsi-1", {p for p in ALL if p.iface == "sw-iscsi-1"}),
        ("10.10.8.90", {p for p in ALL if p.portal == PORTAL_8}),
        ("10.10.9.90:3260", {p for p in ALL if p.portal == PORTAL_9}),
        (HOMER_2, {p for p in ALL if p.target == HOMER_2}),
        ("sid:1", {Pair("sw-iscsi-0", PORTAL_8, HOMER_1)}),
    ],
)
def test_what_a_name_means(name: str, wanted: set[Pair]) -> None:
    assert set(choose.pairs([name], HOST, PLANNED)) == wanted


def test_no_name_is_all_that_is_planned_and_nothing_foreign() -> None:
    foreign = replace(HOST.sessions[0], sid=9, pair=Pair("default", PORTAL_8, HOMER_1))
    host = replace(HOST, sessions=(*HOST.sessions, foreign))
    assert set(choose.pairs([], host, PLANNED)) == ALL
    assert choose.pairs(["sid:9"], host, PLANNED) == (foreign.pair,)


def test_names_add_up_without_repeating() -> None:
    chosen = choose.pairs(["eth1", "sw-iscsi-0", "sid:1"], HOST, PLANNED)
    assert len(chosen) == len(set(chosen)) == 2


@pytest.mark.parametrize(
    ("name", "near"),
    [("eth3", "eth1"), ("sw-iscsi-9", "sw-iscsi-0"), ("sid:11", "sid:1"), ("10.10.8.91", "10.10.8.90")],
)
def test_an_unknown_name_gets_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UnknownName) as caught:
        choose.pairs([name], HOST, PLANNED)
    assert caught.value.exit is Exit.USAGE
    assert repr(name) in caught.value.message
    assert near in caught.value.hint


def test_on_an_empty_host_the_way_out_is_another() -> None:
    with pytest.raises(UnknownName, match="eth1") as caught:
        choose.pairs(["eth1"], Host(), topology.Pairs({}))
    assert "mpio status" in caught.value.hint


def test_a_name_of_the_site_that_nothing_has_yet_means_nothing() -> None:
    site = fakes.guide_site()
    for name in ("eth1", "sw-iscsi-0", "10.10.8.90", "10.10.8.90:3260"):
        assert choose.pairs([name], Host(), topology.Pairs({}), site) == ()
    with pytest.raises(UnknownName, match="eth3") as caught:
        choose.pairs(["eth3"], Host(), topology.Pairs({}), site)
    assert "eth1" in caught.value.hint


@pytest.mark.parametrize("name", ["fd00::90", "FD00:0::90", "[fd00::90]", "[fd00:0:0::90]:3260"])
def test_an_ipv6_portal_has_many_spellings(name: str) -> None:
    pair = Pair("a", Portal("fd00::90"), HOMER_1)
    assert choose.pairs([name], Host(), topology.Pairs({pair: 1})) == (pair,)


def test_another_port_is_another_portal() -> None:
    with pytest.raises(UnknownName):
        choose.pairs(["10.10.8.90:3261"], HOST, PLANNED)


def test_the_nearest_names() -> None:
    assert choose.nearest("sw-iscsi-9", ["sw-iscsi-0", "extra"]) == ("sw-iscsi-0",)
    assert choose.nearest("zzz", ["b", "a"]) == ("a", "b")
    assert choose.nearest("zzz", []) == ()
