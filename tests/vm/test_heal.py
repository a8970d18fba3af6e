"""`heal`: planned pairs without a session get it back without a hand, those that somebody meant do not; and the metrics
and the black box of the watcher that does it.
"""

from __future__ import annotations

import pytest

from vm import watcher
from vm.hosts import SITE, SITE_PATH, TARGETS, Prague
from vm.test_chap import refused

SESSIONS = "/sys/class/iscsi_session"
PAIR = f"sw-iscsi-0 -> 10.10.8.90:3260 {TARGETS[0]}"
LISTEN = "[::1]:9464"
SCRAPE = f"import urllib.request as r; print(r.urlopen('http://{LISTEN}/metrics', timeout=30).read().decode())"
CHAP = '\n[san.chap]\nusername = "prague"\npassword_file = "/etc/mpio/chap"\n'
SECRET, OTHER = "prague-secret-1", "prague-secret-2"


def logged_out(host: Prague, iface: str, portal: str) -> None:
    """By hand, past mpio: the record stays as it is."""
    host.sh(f"iscsiadm -m node -I {iface} -p {portal} --logout")


def pairs(host: Prague) -> set[tuple[str, str]]:
    return {(s["iface"], s["portal"].partition(":")[0]) for s in host.walk()["sessions"].values()}


def test_a_session_that_boot_missed_comes_back(applied: Prague) -> None:
    logged_out(applied, "sw-iscsi-0", "10.10.8.90")
    watcher.begins(applied, "--listen", LISTEN)
    (added,) = watcher.says(applied, "session_added", limit=40)
    assert added["subject"] == PAIR, added
    watcher.says(applied, "lun_recovered", 4, limit=30)
    lines = applied.guest.check("python3", "-c", SCRAPE).splitlines()
    assert "# TYPE mpio_events_total counter" in lines
    assert 'mpio_events_total{event="session_added"} 1.0' in lines
    assert sum(line.startswith("mpio_portal_rtt_seconds{") for line in lines) == 4
    kept = [e.get("event") or e["layer"] for e in applied.mpio("history", "-o", "json").json["entries"]]
    assert {"started", "session_added", "session", "device", "dm", "map"} <= set(kept), kept


@pytest.mark.nightly
def test_a_portal_that_was_dead_at_boot_gets_its_sessions_later(applied: Prague) -> None:
    for iface in ("sw-iscsi-0", "sw-iscsi-1"):
        logged_out(applied, iface, "10.10.8.90")
    applied.fault("silence", "10.10.8.90:3260")
    watcher.begins(applied)
    watcher.says(applied, "portal_unreachable", 2, limit=90)
    assert "session_added" not in watcher.counts(applied)
    applied.fault("unsilence", "10.10.8.90:3260")
    added = watcher.says(applied, "session_added", 2, limit=60)
    assert {e["portal"] for e in added} == {"10.10.8.90:3260"}
    watcher.says(applied, "lun_recovered", 4)
    assert "session_failed" not in {e["event"] for e in watcher.ends(applied)}
    applied.mpio("verify")


@pytest.mark.nightly
def test_a_session_that_ended_while_its_target_was_away_comes_back(applied: Prague) -> None:
    """As long as iscsid tries by itself it is iscsid's; once there is no session any more it is ours."""
    watcher.begins(applied)
    applied.fault("target-off", TARGETS[0])
    watcher.says(applied, "session_failed", 2)
    logged_out(applied, "sw-iscsi-0", "10.10.8.90")
    watcher.says(applied, "session_removed")
    applied.fault("target-on", TARGETS[0])
    (added,) = watcher.says(applied, "session_added", limit=120)
    assert added["subject"] == PAIR, added
    watcher.says(applied, "session_restored")
    watcher.says(applied, "lun_recovered", 4, limit=120)
    watcher.ends(applied)
    applied.mpio("verify", "--wait", "60")


@pytest.mark.nightly
def test_what_somebody_meant_stays(applied: Prague) -> None:
    """A session offline by hand and one that mpio logged out stay away, while others come back beside them."""
    first, second, _, _ = sorted(pairs(applied))
    sids = {(s["iface"], s["portal"].partition(":")[0]): sid for sid, s in applied.walk()["sessions"].items()}
    applied.mpio("offline", f"sid:{sids[first]}", "--logout", "--yes")
    watcher.begins(applied)
    applied.mpio("logout", f"sid:{sids[second]}", "--yes")
    for number in (1, 2):  # each takes its minute, for it may have been meant, too
        logged_out(applied, "sw-iscsi-1", "10.10.9.90")
        watcher.says(applied, "session_added", number, limit=120)
    assert pairs(applied) == set(sids) - {first, second}
    applied.mpio("login", second[0], "--yes", exits=None)
    watcher.says(applied, "session_added", 3)
    watcher.ends(applied)
    assert pairs(applied) == set(sids) - {first}


@pytest.mark.nightly
def test_a_login_that_chap_refuses_is_tried_once(applied: Prague) -> None:
    """Arrays lock out who fails: one refusal holds back every pair, and a watcher that begins anew knows of it."""
    applied.fault("chap", TARGETS[0], "prague", SECRET)
    applied.put("/etc/mpio/chap", SECRET + "\n", 0o600)
    applied.put(SITE_PATH, SITE + CHAP)
    applied.mpio("apply", "--yes", exits=None)
    for iface in ("sw-iscsi-0", "sw-iscsi-1"):
        logged_out(applied, iface, "10.10.8.90")
    applied.fault("chap", TARGETS[0], "prague", OTHER)
    before = refused(applied, TARGETS[0])
    watcher.begins(applied)
    (failed,) = watcher.says(applied, "session_failed", limit=90)
    assert (failed["severity"], failed["target"]) == ("info", TARGETS[0]), failed
    assert failed["detail"].endswith("tried again until the site file or the record changes"), failed
    watcher.ends(applied)
    watcher.begins(applied)
    applied.sh("sleep 20")  # after 5 s it would have tried
    assert refused(applied, TARGETS[0]) == before + 1
    applied.fault("chap", TARGETS[0], "prague", SECRET)
    applied.put(SITE_PATH, SITE + CHAP + "\n[watch]\nprobe_misses = 4\n")
    added = watcher.says(applied, "session_added", 2, limit=90)
    assert {(e["target"], e["iface"]) for e in added} == {(TARGETS[0], "sw-iscsi-0"), (TARGETS[0], "sw-iscsi-1")}
    assert "session_failed" not in {e["event"] for e in watcher.ends(applied)}
    assert refused(applied, TARGETS[0]) == before + 1
