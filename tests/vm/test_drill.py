"""Drills in earnest: what readers see, and that everything comes back whatever becomes of the drill."""

from __future__ import annotations

import time
from typing import Any

import pytest

from vm.hosts import ALIASES, TARGETS, Prague
from vm.readback import is_as_the_site_says

NOTE = "/run/mpio/drill.json"
# The sign that the thing is away, and that everything is back as it was.
AWAY = {
    "offline": "[ $(dmsetup status --target multipath | grep -o ' F ' | wc -l) -ge 8 ]",
    "link": "ip -o link show eth1 | grep -q 'state DOWN'",
    "block": "nft list tables | grep -q mpio_drill_",
}
BACK = {
    "offline": "! dmsetup status --target multipath | grep -q ' F '",
    "link": "ip -o link show eth1 | grep -q 'state UP'",
    "block": "! nft list tables | grep -q mpio_drill_",
}
WITHIN = 10.0
SHOW = rf"""
pgrep -af 'mpio|multipathd'; cat {NOTE}; dmsetup status
journalctl -b --no-pager -n 40 -o short-monotonic -u drilling -u 'mpio-drill*'
journalctl -b --no-pager -n 150 -o short-monotonic -u multipathd | grep -v 'tur checker\|unusable'
"""
FIRST = ("eth1", "eth2", "10.10.8.90:3260", "10.10.9.90:3260")


def start(host: Prague, how: str, *names: str) -> None:
    """A drill in a unit, which is what `systemctl kill` kills whole."""
    host.sh("systemctl reset-failed drilling 2>/dev/null || true")
    host.sh(f"systemd-run -q --unit drilling mpio drill {' '.join(names)} --how {how} --yes")
    host.until(f"test -e {NOTE} && {AWAY[how]}", 120)


def kill(host: Prague, how: str, signal: str) -> float:
    """How long it then takes until all is put back."""
    host.sh(f"systemctl kill --kill-whom=all -s {signal} drilling")
    begin = time.monotonic()
    host.until(BACK[how], 60, SHOW)
    return time.monotonic() - begin


def nothing_is_left(host: Prague) -> None:
    host.until(f"! test -e {NOTE}", 60)
    host.until("! systemctl list-units --plain --no-legend 'mpio-drill*' | grep -q .", 60)
    host.until("! pgrep -f 'mpio dri[l]l'", 60)
    assert "mpio_drill" not in host.sh("nft list tables")


def went_well(one: dict[str, Any], how: str, busy: float = 0.0) -> None:
    """`busy` is what a machine with other work may add."""
    assert (one["how"], one["errors"], one["paths"] != []) == (how, 0, True), one
    assert one["whole"] is not None, one
    assert one["stall"] <= one["budget"]["limit"] + busy, one
    assert {lun["alias"] for lun in one["luns"]} == set(ALIASES.values())
    assert all(lun["reads"] > 50 and lun["errors"] == 0 for lun in one["luns"]), one
    assert one["noticed"]["dm"] is not None, one


def test_a_drill_costs_no_read_and_a_killed_one_is_put_back(applied: Prague) -> None:
    done = applied.mpio("drill", "eth1", "--yes", "-o", "json").json
    (one,) = done["drills"]
    went_well(one, "offline", busy=3.0)
    assert (done["exit"], done["left"], done["not_drilled"]) == (0, [], [])

    start(applied, "offline", "eth1")
    assert kill(applied, "offline", "KILL") < WITHIN
    nothing_is_left(applied)

    applied.sh("iscsiadm -m node -I sw-iscsi-1 --logout")
    applied.until(BACK["offline"])  # multipathd drops the paths that went
    refused = applied.mpio("drill", "eth1", "--yes", "-o", "json", exits=1)
    assert refused.json["error"]["code"] == "MP409", refused
    applied.sh(f"{BACK['offline']} && ! test -e {NOTE}")


@pytest.mark.nightly
@pytest.mark.parametrize("how", AWAY)
def test_everything_in_turn(applied: Prague, how: str) -> None:
    done = applied.mpio("drill", "--yes", "--how", how, "-o", "json", timeout=900).json
    assert tuple(one["thing"] for one in done["drills"]) == (FIRST[:2] if how == "link" else FIRST)
    for one in done["drills"]:
        went_well(one, how)
    assert (done["exit"], done["left"], done["not_drilled"]) == (0, [], [])
    nothing_is_left(applied)
    applied.mpio("verify", "--wait", "60")
    is_as_the_site_says(applied)


@pytest.mark.nightly
@pytest.mark.parametrize("how", AWAY)
@pytest.mark.parametrize("signal", ["KILL", "TERM", "HUP", "INT"])
def test_every_way_out_puts_back(applied: Prague, how: str, signal: str) -> None:
    start(applied, how, "eth1")
    assert kill(applied, how, signal) < WITHIN
    nothing_is_left(applied)
    applied.mpio("verify", "--wait", "180", timeout=400)
    is_as_the_site_says(applied)


@pytest.mark.nightly
def test_a_drill_that_hangs_is_put_back_by_its_guard(applied: Prague) -> None:
    start(applied, "link", "eth1")
    applied.sh("systemctl kill --kill-whom=all -s STOP drilling")
    # the deadline passes sooner than in earnest
    applied.sh(f'sed -i \'s/"deadline": [0-9.]*/"deadline": 1/\' {NOTE}')
    applied.until(f"{BACK['link']} && ! test -e {NOTE}", 30)
    applied.sh("systemctl kill --kill-whom=all -s KILL drilling")
    nothing_is_left(applied)


@pytest.mark.nightly
def test_what_a_dead_guard_left_is_mended_by_the_next_drill_or_apply(applied: Prague) -> None:
    for verb in (("drill", "eth2"), ("apply",)):
        start(applied, "block", "eth1")
        applied.sh(
            "systemctl kill --kill-whom=all -s KILL 'mpio-drill-*'; systemctl kill --kill-whom=all -s KILL drilling"
        )
        applied.sh(AWAY["block"])
        applied.mpio(*verb, "--yes", exits=None)
        assert "mpio_drill" not in applied.sh("nft list tables")
        applied.sh(f"! test -e {NOTE}")
        applied.mpio("verify", "--wait", "180", timeout=400)


@pytest.mark.nightly
def test_routes_and_addresses_that_go_with_a_link_come_back(applied: Prague) -> None:
    applied.sh("""
        ip -6 addr add fd00:8::20/64 dev eth1 nodad
        ip route add 192.0.2.0/24 via 10.10.8.90 proto static metric 7
        ip route add 198.51.100.0/24 dev eth1 table 77
        ip -6 route add fd00:77::/64 via fd00:8::90 dev eth1
    """)
    asked = "ip -4 route show table all dev eth1; ip -6 route show table all dev eth1 | grep -v fe80; ip addr show eth1"
    before = applied.sh(asked)
    applied.mpio("drill", "eth1", "--how", "link", "--yes", timeout=400)
    assert applied.sh(asked) == before
    assert applied.sh("cat /proc/sys/net/ipv6/conf/eth1/keep_addr_on_down") == "0\n"
    applied.sh("ip route add default via 10.10.8.1 dev eth1")
    carries = applied.mpio("drill", "eth1", "--how", "link", "--yes", "-o", "json", exits=1)
    assert "the default route goes over it" in carries.json["error"]["message"], carries


@pytest.mark.nightly
def test_what_is_missing_or_wrong_is_said_before_anything(applied: Prague) -> None:
    before = applied.state("iscsiadm -m session", "dmsetup table")
    applied.mpio("drill", exits=2)  # no --yes, no terminal
    applied.mpio("drill", "eth9", "--yes", exits=2)
    applied.mpio("drill", TARGETS[0], "--how", "link", "--yes", exits=2)
    applied.mpio("drill", "--how", "saw", "--yes", exits=2)
    drawn = applied.mpio("drill", "--plot", "/root/x.svg", "--yes", "-o", "json", exits=1)
    assert drawn.json["error"]["hint"] == 'pip install "mpio-toolkit[plot]"'
    applied.sh("mv /usr/sbin/nft /usr/sbin/nft-away")
    without = applied.mpio("drill", "--how", "block", "--yes", "-o", "json", exits=1)
    assert without.json["error"]["hint"] == "apt install nftables", without
    applied.sh("mv /usr/sbin/nft-away /usr/sbin/nft")
    assert applied.state("iscsiadm -m session", "dmsetup table") == before
    applied.sh(f"{BACK['offline']} && ! test -e {NOTE}")
