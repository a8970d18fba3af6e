"""What is lost for certain is failed at once, and nothing else is: under readers, on a real kernel."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from vm import reader, watcher
from vm.hosts import ALIASES, REPLACEMENT, Prague
from vm.readback import is_as_the_site_says

PORTALS = ("10.10.8.90:3260", "10.10.9.90:3260")
NOTE = "/run/mpio/fast-fail.json"
ACTIVE = "test \"$(dmsetup status --target multipath | grep -Eo '[0-9]+:[0-9]+ A ' | wc -l)\" -eq {}"
PLANNED = f"! cat /sys/class/iscsi_session/*/recovery_tmo | grep -vqx {REPLACEMENT}"
LOGGED_IN = 'test "$(cat /sys/class/iscsi_session/*/state | grep -c LOGGED_IN)" -eq {}'
WHOLE = f"{LOGGED_IN.format(4)} && {ACTIVE.format(16)} && {PLANNED} && ! test -e {NOTE}"
# Says when the carrier of a NIC goes, by the clock that events have.
CARRIER = """
import time
while open("/sys/class/net/eth1/carrier").read().strip() == "1":
    time.sleep(0.005)
print(time.time(), flush=True)
"""
ONE_PAIR = """
nsenter --net=/run/netns/san nft -f - <<END
table inet part {
 chain input { type filter hook input priority 0; ip saddr 10.10.8.20 ip daddr 10.10.9.90 tcp dport 3260 drop; }
}
END
"""


def disks(host: Prague, nic: str) -> list[str]:
    luns = host.mpio("status", "-o", "json").json["luns"]
    return sorted(f"/dev/{p['dev']}" for lun in luns for p in lun["paths"] if p["nic"] == nic)


def longest(said: dict[str, Any]) -> float:
    return max(float(one["longest"]) for name, one in said.items() if name in reader.MAPS)


def done(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in events if one["event"] == "fast_fail" and one["detail"].startswith("failed at once")]


def refused(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in events if one["event"] == "fast_fail" and one not in done(events)]


def moment(event: dict[str, Any]) -> float:
    return datetime.datetime.fromisoformat(event["time"]).timestamp()


def test_a_lost_link_costs_no_more_than_a_moment(applied: Prague) -> None:
    # All maps and, to know how long this machine holds up any read, as many disks that stay.
    others = disks(applied, "eth2")[: len(ALIASES)]
    watcher.site(applied, 'fast_fail = "link"')
    watcher.begins(applied)
    reader.begins(applied, read := [*reader.MAPS, *others])
    applied.put("/root/carrier.py", CARRIER)
    applied.sh("systemd-run -q --unit carrier -p StandardOutput=file:/run/carrier python3 /root/carrier.py")
    applied.fault("link-down", "san1")
    watcher.says(applied, "lun_degraded", len(ALIASES))
    said = reader.ends(applied, read)
    control = max(said[other]["longest"] for other in others)
    # What an untouched disk stands is the other guest's doing; what a lost one stands is made of several such turns.
    limit = 0.3 + 3 * control
    assert longest(said) < limit < 5, (said, watcher.said(applied))
    (down,) = watcher.says(applied, "link_down")
    assert moment(down) - float(applied.text("/run/carrier")) < limit, (down, control)
    (one,) = done(watcher.said(applied))
    shown = [one[key] for key in ("nic", "root", "cause", "severity")]
    assert shown == ["eth1", "NIC eth1", "link down", "degraded"], one

    applied.fault("link-up", "san1")
    applied.until(WHOLE, 60, watcher.LOGS)
    watcher.says(applied, "lun_recovered", len(ALIASES))
    events = watcher.ends(applied)
    assert len(done(events)) == 1, done(events)
    assert not refused(events), refused(events)


@pytest.mark.nightly
@pytest.mark.parametrize("shape", ["portal", "nic", "pair"])
def test_silence_moves_the_io_off_exactly_the_dead_pairs(applied: Prague, shape: str) -> None:
    watcher.site(applied, 'fast_fail = "probe"', "probe_interval = 1.0", "probe_misses = 3")
    watcher.begins(applied, "--listen", watcher.PLACE)
    reader.begins(applied)
    applied.until(watcher.PROBED)
    applied.put("/root/now.py", "import time; print(time.time())")
    match shape:
        case "portal":
            dead = {(iface, PORTALS[0]) for iface in ("sw-iscsi-0", "sw-iscsi-1")}
            begin = applied.sh(f"python3 /root/now.py; lab-san fault silence {PORTALS[0]}")
        case "nic":
            dead = {("sw-iscsi-0", portal) for portal in PORTALS}
            begin = applied.sh("python3 /root/now.py; lab-san fault mute 10.10.8.20")
        case _:
            dead = {("sw-iscsi-0", PORTALS[1])}
            begin = applied.sh(f"python3 /root/now.py; {ONE_PAIR}")
    lost = watcher.says(applied, "portal_unreachable", len(dead))
    applied.until(ACTIVE.format(16 - 4 * len(dead)), 60, watcher.LOGS)
    said = reader.ends(applied)
    events = watcher.said(applied)
    assert {(one["iface"], one["portal"]) for one in lost} == dead, lost
    took = max(map(moment, lost)) - float(begin)
    assert took < 4.5 + 2, (took, begin, events)  # to bring the fault about takes a program, which starts slowly here
    assert longest(said) < 5, (said, events)
    assert {(one["iface"], one["portal"]) for one in done(events) if one["portal"]} <= dead, events
    assert not refused(events), refused(events)
    alive = {
        (s["iface"], s["portal"])
        for s in applied.mpio("status", "-o", "json").json["sessions"]
        if s["state"] == "LOGGED_IN"
    }
    assert alive == {(i, p) for i in ("sw-iscsi-0", "sw-iscsi-1") for p in PORTALS} - dead
    assert {
        s["recovery_tmo"] for s in applied.mpio("status", "-o", "json").json["sessions"] if s["state"] == "LOGGED_IN"
    } == {REPLACEMENT}

    match shape:
        case "portal":
            applied.fault("unsilence", PORTALS[0])
        case "nic":
            applied.fault("unmute", "10.10.8.20")
        case _:
            applied.sh("nsenter --net=/run/netns/san nft delete table inet part")
    applied.until(WHOLE, 60, watcher.LOGS)
    watcher.says(applied, "portal_reachable", len(dead))
    watcher.ends(applied)
    applied.mpio("verify", "--wait", "60", timeout=300)


@pytest.mark.nightly
def test_the_last_nic_is_never_failed_fast(applied: Prague) -> None:
    watcher.site(applied, 'fast_fail = "link"')
    watcher.begins(applied)
    reader.begins(applied)
    applied.fault("link-down", "san1")
    watcher.says(applied, "fast_fail")
    applied.fault("link-down", "san2")
    watcher.says(applied, "lun_failed", len(ALIASES))
    events = watcher.said(applied)
    assert [one["nic"] for one in done(events)] == ["eth1"], events
    (one,) = refused(events)
    assert (one["nic"], "no other path that works" in one["detail"]) == ("eth2", True), one
    applied.fault("link-up", "san1")
    applied.fault("link-up", "san2")
    applied.until(f"{LOGGED_IN.format(4)} && {PLANNED}", 15, watcher.LOGS)
    applied.until(WHOLE, 60, watcher.LOGS)
    reader.ends(applied)
    watcher.says(applied, "lun_recovered", len(ALIASES))
    watcher.ends(applied)
    applied.mpio("verify", "--wait", "60", timeout=300)


@pytest.mark.nightly
def test_a_watcher_that_is_killed_leaves_nothing_behind(applied: Prague) -> None:
    watcher.site(applied, 'fast_fail = "link"')
    watcher.begins(applied)
    applied.fault("link-down", "san1")
    watcher.says(applied, "fast_fail")
    applied.sh("systemctl kill -s KILL watched.service")
    applied.until(LOGGED_IN.format(2))
    assert {s["planned"] for s in json.loads(applied.text(NOTE))["sessions"]} == {str(REPLACEMENT)}
    # what has failed is no drift: the kernel takes nothing from it
    assert not [s for s in applied.mpio("verify", "-o", "json", exits=4).steps() if "recovery" in s]
    # nobody watches when the link comes back
    applied.fault("link-up", "san1")
    applied.until(f"{LOGGED_IN.format(4)} && {ACTIVE.format(16)}", 60)
    if not applied.guest.sh(PLANNED).code:
        applied.sh("echo 0 > /sys/class/iscsi_session/session1/recovery_tmo")  # a multipathd that was quicker
    drift = applied.mpio("verify", "-o", "json", exits=3).steps()
    assert drift, "verify has seen nothing"
    assert all("recovery time of session" in step for step in drift), drift
    applied.mpio("apply", "--yes")
    applied.sh(PLANNED)
    # the next one mends and forgets, even where the last was killed between its two deeds
    applied.sh("for one in /sys/class/iscsi_session/*; do echo 0 > $one/recovery_tmo; done")
    watcher.begins(applied)
    applied.until(
        f'test "$(cat /sys/class/iscsi_session/*/recovery_tmo | grep -cx {REPLACEMENT})" -ge 2 && ! test -e {NOTE}'
    )
    applied.mpio("apply", "--yes")
    watcher.ends(applied)
    is_as_the_site_says(applied)


@pytest.mark.nightly
def test_daemons_restart_and_the_clock_is_set_back_meanwhile(applied: Prague) -> None:
    watcher.site(applied, 'fast_fail = "link"')
    watcher.begins(applied)
    applied.fault("link-down", "san1")
    watcher.says(applied, "fast_fail")
    applied.sh("date -s '-1 hour'; systemctl restart multipathd.service; systemctl restart iscsid.service", timeout=120)
    watcher.says(applied, "resync", 2)
    applied.fault("link-up", "san1")
    applied.until(WHOLE, 120, watcher.LOGS)
    watcher.says(applied, "lun_recovered", len(ALIASES))
    # and it is as quick as before
    applied.fault("link-down", "san1")
    watcher.says(applied, "fast_fail", 2)
    applied.fault("link-up", "san1")
    applied.until(WHOLE, 120, watcher.LOGS)
    assert len(done(watcher.ends(applied))) == 2
    applied.mpio("verify", "--wait", "60", timeout=300)


@pytest.mark.nightly
def test_a_disk_that_is_mounted_by_itself_forbids_it(applied: Prague) -> None:
    wwid = next(wwid for wwid, alias in ALIASES.items() if alias == "hydra_db-a03")
    applied.put("/etc/multipath/conf.d/00-alone.conf", f'blacklist {{\n wwid "{wwid}"\n}}\n')
    applied.sh("multipathd reconfigure")
    applied.until("! test -e /dev/mapper/hydra_db-a03")
    luns = applied.mpio("status", "-o", "json").json["luns"]
    dev = next(p["dev"] for lun in luns if lun["wwid"] == wwid for p in lun["paths"] if p["nic"] == "eth1")
    applied.sh(f"mkfs.ext4 -q -F /dev/{dev}; mkdir -p /alone; mount /dev/{dev} /alone")
    watcher.site(applied, 'fast_fail = "link"')
    watcher.begins(applied)
    applied.fault("link-down", "san1")
    watcher.says(applied, "fast_fail")
    applied.fault("link-up", "san1")
    applied.sh("echo alive > /alone/file; sync; ! dmesg | tail -n 100 | grep 'Remounting filesystem read-only'")
    applied.sh("grep alive /alone/file")
    (one,) = refused(watcher.said(applied))
    assert f"mount /alone on {dev}" in one["detail"], one
    assert not done(watcher.ends(applied))
    applied.sh(f"{PLANNED}; umount /alone")
    # and so does an open descriptor
    watcher.begins(applied)
    applied.sh(f"systemd-run -q --unit holder sh -c 'exec sleep 600 < /dev/{dev}'")
    applied.fault("link-down", "san1")
    watcher.says(applied, "fast_fail")
    applied.fault("link-up", "san1")
    (one,) = refused(watcher.ends(applied))
    assert "process sleep (" in one["detail"], one


@pytest.mark.nightly
def test_two_watchers_and_one_acts(applied: Prague) -> None:
    watcher.site(applied, 'fast_fail = "link"')
    watcher.begins(applied)
    other = "/run/other.jsonl"
    applied.sh(f"systemd-run -q --unit other -p StandardOutput=file:{other} mpio watch -o jsonl")
    applied.until(f"grep -q started {other}")
    applied.fault("link-down", "san1")
    watcher.says(applied, "lun_degraded", len(ALIASES))
    applied.until(f'[ "$(grep -c lun_degraded {other})" -ge {len(ALIASES)} ]')
    seen = [json.loads(line) for line in applied.text(other).splitlines()]
    assert "only prints" in seen[0]["detail"], seen[0]
    assert (len(done(watcher.said(applied))), done(seen)) == (1, [])
    applied.fault("link-up", "san1")
    applied.until(WHOLE, 60, watcher.LOGS)
    applied.sh("systemctl stop other.service")
    watcher.ends(applied)
