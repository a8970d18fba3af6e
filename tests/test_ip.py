from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio import recording
from mpio.errors import UnreadableOutput
from mpio.replay import Replay
from mpio.tools import ip

RECORDED = Path(__file__).parent / "recorded/bookworm/ip"


def out(name: str) -> str:
    return recording.load((RECORDED / name).read_text()).out


def test_reads_the_addresses_of_a_real_guest() -> None:
    found = ip.addresses(Replay.folder(RECORDED))
    assert found["eth1"] == ("10.10.8.20/24",)
    assert found["lo"] == ("127.0.0.1/8", "::1/128")


def test_asks_for_the_way_through_a_nic() -> None:
    run = Replay.folder(RECORDED)
    assert ip.route(run, "10.10.8.90", "eth1") == ip.Route("eth1", "10.10.8.20")
    assert ip.route(run, "203.0.113.9") is None


def test_link_local_addresses_and_filtered_links_are_left_out() -> None:
    infos = [
        {"family": "inet6", "local": "fd00:8::20", "prefixlen": 64, "scope": "global"},
        {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"},
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
        | st.dictionaries(st.sampled_from(["ifname", "addr_info", "local", "prefixlen", "scope", "dev"]), inner)
    ),
)


@given(st.text() | JSON.map(json.dumps))
def test_reading_is_total(text: str) -> None:
    for parse in (ip.parse_addresses, ip.parse_route):
        with contextlib.suppress(UnreadableOutput):
            parse(text)
