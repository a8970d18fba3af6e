"""What a watcher says while things are taken away from it, on a real kernel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vm import hosts, watcher
from vm.hosts import ALIASES, TARGETS, Prague

# Starts a watcher, does something at a known moment, and says when each line came.
STOPWATCH = """
import json, subprocess, sys, threading, time
watch = subprocess.Popen(["mpio", "watch", "-o", "jsonl", "--listen", sys.argv[1]], stdout=subprocess.PIPE, text=True)
lines, began = [], threading.Event()
def read():
    for line in watch.stdout:
        lines.append((time.monotonic(), json.loads(line)))
        began.set()
reading = threading.Thread(target=read)
reading.start()
began.wait(60)
while subprocess.run(sys.argv[2], shell=True, stderr=subprocess.DEVNULL).returncode:
    time.sleep(0.1)
begin = time.monotonic()
subprocess.run(sys.argv[4:], check=True)
done = time.monotonic()
while time.monotonic() < begin + 20 and not any(one["event"] == sys.argv[3] for _, one in lines):
    time.sleep(0.01)
watch.terminate()
ended = time.monotonic()
code = watch.wait(10)
took = time.monotonic() - ended
reading.join()
first = {}
for at, one in lines:
    first.setdefault(one["event"], at - begin)
print(json.dumps({"first": first, "fault": done - begin, "end": took, "code": code, "last": lines[-1][1]["event"]}))
"""


def test_a_lost_link_is_said_at_once(applied: Prague) -> None:
    cut = "ip -n san link set san1 down"
    words = (watcher.PLACE, watcher.PROBED, "link_down", *cut.split())
    said = json.loads(applied.guest.check("python3", "-c", STOPWATCH, *words, timeout=120))
    assert said["first"]["link_down"] < 0.3 + said["fault"], said
    assert (said["code"], said["last"]) == (0, "stopped"), said
    assert said["end"] < 5, said


def of(events: list[dict[str, Any]], name: str, **keys: object) -> list[dict[str, Any]]:
    return [e for e in events if e["event"] == name and keys.items() <= e.items()]


@pytest.mark.nightly
def test_each_loss_is_told_with_its_cause(applied: Prague) -> None:
    """A path failed by hand, a session that its target ended, a NIC taken offline, a daemon restarted, a second
    watcher beside it.
    """
    watcher.begins(applied)
    applied.sh("multipathd fail path sdb")
    (failed,) = watcher.says(applied, "path_failed")
    assert (failed["cause"], failed["dev"], failed["usable_paths"]) == ("path failed by checker", "sdb", 3), failed
    applied.sh("multipathd reinstate path sdb")
    watcher.says(applied, "lun_recovered")

    applied.fault("drop-sessions", TARGETS[0])
    failed = watcher.says(applied, "session_failed", 2)[0]
    assert failed["cause"] == "target logged us out", failed
    watcher.says(applied, "lun_recovered", 5)

    applied.sh("systemctl restart multipathd")
    assert "multipathd was restarted" in watcher.says(applied, "resync")[0]["detail"]

    second = applied.guest.run(("timeout", "--signal=TERM", "8", "mpio", "watch", "-o", "jsonl"), timeout=60)
    lines = [json.loads(line) for line in second.out.splitlines()]
    assert [one["event"] for one in lines] == ["started", "stopped"], second
    assert "only prints, for mpio is at work: watch, pid" in lines[0]["detail"], lines[0]

    before = len(watcher.said(applied))
    applied.mpio("offline", "eth1", "--yes")
    watcher.says(applied, "path_failed", 1 + 8 + 8)
    events = watcher.ends(applied)
    away = [e for e in events[before:] if e["event"] == "path_failed"]
    assert {(e["cause"], e["severity"]) for e in away} == {("offline by hand", "info")}, away
    assert not of(events[before:], "lun_degraded"), events[before:]
    assert events[0]["state"]["luns"], events[0]
    assert {one["alias"] for one in events[0]["state"]["luns"]} == set(ALIASES.values())


@pytest.mark.nightly
def test_a_lun_that_the_target_takes_away_is_told_from_a_broken_path(applied: Prague) -> None:
    watcher.begins(applied)
    applied.fault("unmap", TARGETS[0], "10")
    failed = watcher.says(applied, "path_failed", 2, limit=120)
    assert {e["cause"] for e in failed} == {"LUN unmapped"}, failed
    watcher.ends(applied)


@pytest.mark.nightly
def test_the_last_nic_too(applied: Prague) -> None:
    """Nothing is lost: I/O waits, every LUN is told once, and all comes back."""
    watcher.begins(applied)
    for end in ("san1", "san2"):
        applied.fault("link-down", end)
    failed = watcher.says(applied, "lun_failed", len(ALIASES), limit=90)
    assert {e["cause"] for e in failed} == {"all paths down"}, failed
    for end in ("san1", "san2"):
        applied.fault("link-up", end)
    watcher.says(applied, "lun_recovered", len(ALIASES), limit=90)
    events = watcher.ends(applied)
    assert {len(of(events, n)) for n in ("lun_failed", "lun_recovered")} == {len(ALIASES)}, watcher.counts(applied)


@pytest.mark.nightly
def test_a_set_clock_and_a_changed_site_are_noticed(applied: Prague) -> None:
    watcher.begins(applied)
    applied.sh("date -s '-1 hour'")
    assert "the clock was set by -3600 s" in watcher.says(applied, "resync")[-1]["detail"]
    applied.put(hosts.SITE_PATH, "format = 2\n")
    applied.until("journalctl -b -u watched | grep -q 'the changed site file is not used'", 30, watcher.LOGS)
    watcher.site(applied, 'fast_fail = "link"')
    assert "the site file has changed" in watcher.says(applied, "resync", 2)[-1]["detail"]
    applied.fault("link-down", "san1")
    watcher.says(applied, "fast_fail")
    applied.sh("date -s '+1 hour'")
    watcher.ends(applied)
