"""The views of `stat` on a real host, and the failover budget against what a reader really waits."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from vm import reader
from vm.hosts import ALIASES, SITE, SITE_PATH, TARGETS, Prague

BOTH = ("sw-iscsi-0", "sw-iscsi-1")
PORTALS = ("10.10.8.90", "10.10.9.90")
OWN = "10.10.9.20"  # of eth2
SHELL = """
mpio stat -gnP --fields group,fdt,state,interfaces | while IFS=: read group fdt state interfaces; do
    echo "$interfaces|$state|$fdt|$group"
done
"""
# Until there are so many lines; then it is stopped as a unit is.
STREAM = """
mpio stat -p {options} > /run/probes & stream=$!
until [ $(wc -l < /run/probes) -ge {lines} ]; do sleep 0.2; done
kill -TERM $stream; wait $stream || echo ended $? >> /run/probes
cat /run/probes
"""


def view(host: Prague, option: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = host.mpio("stat", option, "-o", "json").json["rows"]
    return rows


def iface(host: Prague, name: str) -> tuple[object, ...]:
    (row,) = (r for r in view(host, "-i") if r["interface"] == name)
    return row["active"], row["link"], row["probe"], row["state"]


def address(host: Prague, portal: str) -> tuple[object, ...]:
    (row,) = (r for r in view(host, "-a") if r["address"] == f"{portal}:3260")
    return row["state"], row["inbound"], row["outbound"]


def budgets(host: Prague) -> dict[str, Any]:
    return {lun["alias"]: lun["budget"] for lun in host.mpio("status", "-o", "json").json["luns"]}


@pytest.mark.nightly
def test_views_and_budget_of_a_whole_host_and_of_a_broken_one(applied: Prague) -> None:
    whole = f"{' '.join(BOTH)}|ok|23.50s"
    assert sorted(applied.sh(SHELL).splitlines()) == sorted(f"{whole}|{alias}" for alias in ALIASES.values())
    assert {name: iface(applied, name) for name in BOTH} == dict.fromkeys(BOTH, (True, "up", "ok", "ok"))
    own = budgets(applied)
    assert own.keys() == set(ALIASES.values())
    assert {(b["worst"]["seconds"], b["worst"]["limit"], b["queue"]) for b in own.values()} == {(20, 23.5, 60)}

    applied.fault("link-down", "san2")
    assert iface(applied, BOTH[1])[1:] == ("down", "disabled", "failed")
    assert iface(applied, BOTH[0])[3] == "ok"
    applied.fault("link-up", "san2")

    # Nobody knows yet that this portal is silent, but for who asks it.
    applied.fault("silence", f"{PORTALS[1]}:3260")
    *heads, ended = applied.sh(STREAM.format(lines=6, options="-n"), 240).splitlines()
    assert ended == "ended 130"
    assert heads[0].split()[-1] == "TARGET"
    met = {line.split()[-1]: line.split()[3:-1] for line in heads[1:]}
    assert set(met) == set(PORTALS)
    assert all(re.fullmatch(r"\d+\.\d\dms", rtt) for rtt in met[PORTALS[0]]), heads
    assert met[PORTALS[1]] == ["--"] * 4, heads


@pytest.mark.nightly
def test_views_once_everybody_knows(applied: Prague) -> None:
    applied.fault("link-down", "san2")
    applied.until(f"mpio stat -gP -n --fields interfaces | grep -Fc '{BOTH[0]} [{BOTH[1]}]' | grep -x 4", 240)
    assert iface(applied, BOTH[1]) == (False, "down", "disabled", "failed")
    # whether I/O goes out to it depends on which path group each map is using
    assert address(applied, PORTALS[1])[:2] == ("up", [BOTH[0]])
    assert {row["state"] for row in view(applied, "-g")} == {"degraded"}
    applied.fault("link-up", "san2")
    applied.mpio("verify", "--wait", "180", timeout=300)

    applied.fault("silence", f"{PORTALS[1]}:3260")
    applied.until("test $(grep -l LOGGED_IN /sys/class/iscsi_session/*/state | wc -l) = 2", 240)
    assert address(applied, PORTALS[1])[:2] == ("down", [])
    assert {name: iface(applied, name)[1:] for name in BOTH} == dict.fromkeys(BOTH, ("up", "ok", "degraded"))
    modes = {(r["interface"], r["mode"]): r["targets"] for r in view(applied, "-t")}
    assert modes == {
        (name, mode): [f"{portal}:3260"]
        for name in BOTH
        for mode, portal in (("noop", PORTALS[0]), ("connect", PORTALS[1]))
    }
    applied.fault("unsilence", f"{PORTALS[1]}:3260")
    applied.mpio("verify", "--wait", "180", timeout=300)

    applied.sh(f"iscsiadm -m node -T {TARGETS[1]} -I {BOTH[1]} --logout")
    assert iface(applied, BOTH[1]) == (True, "up", "ok", "degraded")
    assert address(applied, PORTALS[1])[:2] == ("up", [BOTH[0]])
    said = applied.sh(STREAM.format(lines=8, options="-o jsonl"), 240).splitlines()
    assert said[-1] == "ended 130"
    probes = [json.loads(line) for line in said[:-1]]
    assert {(p["interface"], p["target"]) for p in probes} == {(n, f"{p}:3260") for n in BOTH for p in PORTALS}
    assert all(0 < p["netrtt"] <= p["rtt"] for p in probes)


# -- the budget against the clock ----------------------------------------------------------------------------------


def stalled(host: Prague) -> float:
    """The longest read of all LUNs since `reading`, none of which may have failed."""
    longest: float = max(one["longest"] for one in reader.ends(host).values())
    return longest


def reading(host: Prague) -> Prague:
    reader.begins(host)
    return host


def active_portal(host: Prague) -> str:
    """A portal that I/O goes over now."""
    return next(str(row["address"]) for row in view(host, "-a") if row["outbound"])


def within(host: Prague, kind: str, least: float, more: float = 0) -> None:
    """The longest stall must be within the worst budget of the LUNs, and worth being called one."""
    limits = [b["stalls"][kind]["limit"] for b in budgets(host).values()]
    waited = stalled(host)
    assert least <= waited <= max(limits) + more, (kind, waited, limits)


PATHS_BACK = "test $(multipathd show maps raw format %N | grep -cx ' *4 *') = 4"
# Not multipathd's word: a busy one says "timeout", in which no path is active either.
GONE = "test $(dmsetup status --target multipath | grep -o ' F ' | wc -l) -ge 8"


@pytest.mark.nightly
@pytest.mark.parametrize("replacement", [10, 5])
def test_a_reader_waits_no_longer_than_the_budget(applied: Prague, replacement: int) -> None:
    applied.put(SITE_PATH, SITE.replace("replacement = 10", f"replacement = {replacement}"))
    applied.mpio("apply", "--yes")
    worst = {b["worst"]["seconds"] for b in budgets(applied).values()}
    assert worst == {10 + replacement}

    reading(applied).fault("link-down", "san2")
    applied.until(GONE, 240)
    applied.fault("link-up", "san2")
    applied.until(PATHS_BACK, 240)
    within(applied, "link", 5 + replacement)

    reading(applied).fault("mute", OWN)
    applied.until(GONE, 240)
    applied.fault("unmute", OWN)
    applied.until(PATHS_BACK, 240)
    within(applied, "silence", 5 + replacement)

    # The target still speaks. Likely each no-op of its own begins the wait anew, once, for then it waits for the
    # answer: no-op interval and time-out more (docs/budget.md). 26.4 s were seen of 20.
    portal = active_portal(reading(applied))
    applied.fault("silence", portal)
    applied.until(GONE, 240)
    applied.fault("unsilence", portal)
    applied.until(PATHS_BACK, 240)
    within(applied, "silence", 5 + replacement, more=10)

    portal = active_portal(reading(applied))
    target = next(t for t, p in zip(TARGETS, PORTALS, strict=True) if p in portal)
    applied.fault("target-off", target)
    applied.until(GONE, 240)
    applied.fault("target-on", target)
    applied.until(PATHS_BACK, 240)
    within(applied, "reset", replacement - 1)

    reading(applied)
    failed = "multipathd show paths raw format '%d %a' | awk '$2 == \"10.10.9.20\" {print $1}'"
    applied.sh(f"for dev in $({failed}); do multipathd fail path $dev; done")
    applied.until(GONE, 240)
    applied.sh(f"for dev in $({failed}); do multipathd reinstate path $dev; done")
    applied.until(PATHS_BACK, 240)
    within(applied, "offline", 0)
