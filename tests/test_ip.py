from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
import recordings
from hypothesis import given
from hypothesis import strategies as st

from mpio.errors import UnreadableOutput
from mpio.files import Files
from mpio.routing import Rule, TableRoute
from mpio.tools import ip


def test_link_local_addresses_and_filtered_links_are_left_out() -> None:
    infos = [
        {"family": "inet6", "local": "fd00:8::20", "prefixlen": 64, "scope": "global"},
        {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"},
        {"family": "inet6", "local": "fd00:8::aaaa", "prefixlen": 64, "scope": "global", "temporary": True},
        {},
    ]
    text = json.dumps([{}, {"ifname": "eth0.100", "addr_info": infos}, {"ifname": "eth9"}])
    assert ip.parse_addresses(text) == {"eth0.100": ("fd00:8::20/64",), "eth9": ()}
    assert ip.parse_addresses("") == {}


def test_reads_a_gateway() -> None:
    text = (
        '[{"dst":"10.10.9.90","gateway":"10.10.8.1","dev":"eth1","prefsrc":"10.10.8.20","flags":[],"uid":0,"cache":[]}]'
    )
    assert ip.parse_route(text) == ip.Route("eth1", "10.10.8.20", "10.10.8.1")


@pytest.mark.parametrize(
    "text", ["[", "{}", "[1]", '[{"a":1}]', '[{"ifname":"x","addr_info":[{"local":"z","prefixlen":1}]}]']
)
def test_says_what_it_cannot_read(text: str) -> None:
    with pytest.raises(UnreadableOutput):
        ip.parse_addresses(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ["ifname", "addr_info", "local", "prefixlen", "scope", "dev", "src", "priority", "table", "dst"]
            ),
            inner,
        )
    ),
)


@given(st.text() | JSON.map(json.dumps))
def test_reading_is_total(text: str) -> None:
    for parse in (ip.parse_addresses, ip.parse_route, ip.parse_rules, ip.parse_own_routes):
        with contextlib.suppress(UnreadableOutput):
            parse(text)


# iproute2 5.9, 6.1 and 6.15 say the same, with -N
RULES = (
    '[{"priority":0,"src":"all","table":"255"},{"priority":999,"src":"192.0.2.0","srclen":24,"table":"100"},'
    '{"priority":1000,"src":"all","fwmark":"0x7","table":"200"},'
    '{"priority":1001,"src":"all","action":"6","protocol":"4"},'
    '{"priority":28016,"src":"10.10.8.20","table":"28016","protocol":"109"}]\n'
)


def test_reads_everybodys_rules() -> None:
    assert ip.parse_rules(RULES) == (
        Rule("all", 255, 0),
        Rule("192.0.2.0/24", 100, 999),
        Rule("all", 200, 1000),
        Rule("all", None, 1001),
        Rule("10.10.8.20", 28016, 28016, ours=True),
    )
    assert ip.parse_rules("[]\n") == ()
    for text in ('[{"src":"all"}]', '[{"priority":7,"src":1}]', '["x"]'):
        with pytest.raises(UnreadableOutput):
            ip.parse_rules(text)


def test_reads_the_routes_that_have_our_mark() -> None:
    text = (
        '[{"dst":"fd00:8::/64","dev":"eth1","table":"28016","metric":1024,"flags":[],"pref":"medium"},'
        '{"dst":"fd00:8::/64","dev":"eth2","table":"28017","metric":1024,"flags":["linkdown"],"pref":"medium"}]\n'
    )
    assert ip.parse_own_routes(text) == (
        TableRoute("fd00:8::/64", "eth1", 28016), TableRoute("fd00:8::/64", "eth2", 28017),
    )  # fmt: skip
    with pytest.raises(UnreadableOutput):
        ip.parse_own_routes('[{"dst":"10.10.8.0/24","dev":"eth1"}]')


def test_what_is_added_can_be_deleted() -> None:
    four, six = Rule("10.10.8.20", 28016, 28016, ours=True), TableRoute("fd00:8::/64", "eth1", 28016)
    assert " ".join(ip.rule_add(four)) == "ip -4 rule add priority 28016 from 10.10.8.20 lookup 28016 protocol 109"
    assert " ".join(ip.rule_delete(four)) == "ip -4 rule del priority 28016 from 10.10.8.20 lookup 28016 protocol 109"
    assert " ".join(ip.route_set(six)) == "ip -6 route replace fd00:8::/64 dev eth1 table 28016 protocol 109"
    assert " ".join(ip.route_delete(six)) == "ip -6 route del fd00:8::/64 dev eth1 table 28016 protocol 109"


def test_the_tables_that_have_a_name(tmp_path: Path) -> None:
    for name, text in {
        "etc/iproute2/rt_tables": "#\n# reserved values\n#\n255\tlocal\n0\tunspec\n#1 inr.ruhep\n",
        "etc/iproute2/rt_tables.d/san.conf": "0x6d70 san\n",
        "usr/share/iproute2/rt_tables": " 254\tmain\nwords only\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert ip.named_tables(Files(str(tmp_path))) == {255, 0, 28016, 254}


# -- what goes with a NIC that is set down -------------------------------------------------------------------------


def test_routes_over_a_nic_are_those_that_nobody_else_makes_again() -> None:
    text = (
        "default via 10.10.8.1 proto 4 metric 100 \n"
        "10.10.8.0/24 proto 2 scope 253 src 10.10.8.20 \n"
        "192.0.2.0/24 table 77 scope 253 linkdown \n"
        "10.10.8.0/24 table 28017 proto 109 scope 253 dead linkdown \n"
        "2 10.10.8.20 table 255 proto 2 scope 254 src 10.10.8.20 \n"
        "broadcast 10.10.8.255 table 255 proto kernel scope link src 10.10.8.20 \n"
        "fd00:77::/64 proto 16 metric 1024 expires 299sec pref medium\n"
        "default via fe80::1 proto 9 metric 1024 expires 1790sec hoplimit 64 pref medium\n"
    )
    assert ip.parse_routes_over(text) == (
        "192.0.2.0/24 table 77 scope 253",
        "10.10.8.0/24 table 28017 proto 109 scope 253",
        "fd00:77::/64 proto 16 metric 1024 pref medium",
        "default via 10.10.8.1 proto 4 metric 100",
    )
    assert ip.parse_routes_over("") == ()
    back = ip.route_back("192.0.2.0/24 table 77 scope 253", "eth1", 4, "it went").argv
    assert " ".join(back) == "ip -N -4 route replace 192.0.2.0/24 table 77 scope 253 dev eth1"


@recordings.EACH
def test_routes_over_a_nic_as_each_release_says_them(release: str) -> None:
    said = {v: ip.routes_over(recordings.replay(release, "sane"), "eth1", v) for v in ip.FAMILIES}
    assert said == {4: (), 6: ()}
    routed = ip.routes_over(recordings.replay(release, "steps"), "eth1", 4)
    assert [words.split()[0:3] for words in routed] == [["10.10.8.0/24", "table", "28017"]]
    assert "proto 109" in routed[0]


@given(st.text())
def test_any_text_is_routes_or_none(text: str) -> None:
    assert all(line.split() for line in ip.parse_routes_over(text))
