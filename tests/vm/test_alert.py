"""Alerts that are really delivered, by a watcher on a real kernel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vm import watcher
from vm.hosts import ALIASES, Prague

ENDPOINTS = "/root/endpoints.py"
PAGED = "/run/paged"
PAGE = f'#!/bin/sh\nprintf \'[%s, %s]\\n\' "$(date +%s.%N)" "$(cat)" >>{PAGED}\n'
SECRET = "geheim-geheim"
WEB = f"""[[watch.alert]]
url = "json://127.0.0.1:8025/{SECRET}"
"""
EXEC = """[[watch.alert]]
exec = ["/root/page"]
"""
MAIL = """[[watch.alert]]
url_file = "/root/url"
"""


def opens(host: Prague, kind: str, port: int, file: str) -> None:
    host.put(ENDPOINTS, Path(__file__).with_name("endpoints.py").read_text())
    host.sh(f"systemd-run -q --unit end-{kind} python3 {ENDPOINTS} {kind} {port} {file}")
    host.until(f"ss -Hltn 'sport = :{port}' | grep -q LISTEN")


def ready(host: Prague, *tables: str) -> None:
    host.put("/root/page", PAGE, 0o755)
    host.put("/root/url", "mailto://127.0.0.1:8026?from=mpio@dom.prague&to=ops@dom.prague\n", 0o600)
    watcher.site(host, 'fast_fail = "link"', *"".join(tables).splitlines())


def kept(host: Prague, file: str, count: int, limit: float = 60) -> list[tuple[float, Any]]:
    """Wait for so many messages; all that came, each with its moment."""
    host.until(f"[ $(wc -l <{file}) -ge {count} ]", limit, f"cat {file}; {watcher.LOGS}")
    return [tuple(json.loads(line)) for line in host.text(file).splitlines()]


def test_a_lost_link_is_one_message_to_each_and_one_when_it_is_back(applied: Prague) -> None:
    ready(applied, WEB, EXEC)
    opens(applied, "http", 8025, "/run/web")
    watcher.begins(applied)
    applied.sh("ip -n san link set san1 down")
    kept(applied, PAGED, 1)
    applied.fault("link-up", "san1")
    paged, web = kept(applied, PAGED, 2), kept(applied, "/run/web", 2)
    (_, lost), (_, over) = paged
    assert [m["title"] for _, m in web] == [lost["title"], over["title"]]
    assert [m["type"] for _, m in web] == ["warning", "success"]
    assert "NIC eth1: link down; 8 of 16 paths of 4 LUNs lost" in lost["title"], lost
    assert (lost["event"], lost["nic"], lost["cause"]) == ("link_down", "eth1", "link down"), lost
    assert {one["alias"] for one in lost["luns"]} == set(ALIASES.values()), lost
    assert all(alias in lost["message"] for alias in ALIASES.values()), lost
    assert "4 LUNs whole again" in over["title"], over
    assert over["duration"] > 1, over
    everything = watcher.ends(applied)
    assert [e["detail"] for e in everything if e["event"] == "alert_failed"] == []
    assert len(kept(applied, PAGED, 2)) == len(kept(applied, "/run/web", 2)) == 2, applied.text(PAGED)
    assert SECRET not in applied.sh("journalctl -b --no-pager"), "the URL's secret is in the journal"


@pytest.mark.nightly
def test_a_test_message_says_who_got_it(applied: Prague) -> None:
    ready(applied, WEB, EXEC, MAIL)
    opens(applied, "smtp", 8026, "/run/mails")
    done = applied.mpio("watch", "--test-alert", exits=1)
    assert [line.split(" (")[0] for line in done.out.splitlines()] == ["alert 1", "alert 2", "alert 3"], done
    assert "alert 1 (json://********): not delivered" in done.out, done
    assert done.out.count(": delivered in ") == 2, done
    ((_, mail),) = kept(applied, "/run/mails", 1)
    assert "test message, nothing has happened" in " ".join(mail.split()), mail


@pytest.mark.nightly
def test_an_endpoint_that_was_down_for_a_minute_and_one_that_never_answers(applied: Prague) -> None:
    """All that was said meanwhile comes in its order; the others have theirs at once, and the watcher goes on."""
    deaf = '[[watch.alert]]\nurl = "json://127.0.0.1:8027/x"\n'
    ready(applied, deaf, WEB, EXEC, MAIL)
    opens(applied, "deaf", 8027, "/run/none")
    opens(applied, "smtp", 8026, "/run/mails")
    watcher.begins(applied)
    applied.sh("ip -n san link set san1 down; date +%s.%N >/run/lost")
    at = float(applied.text("/run/lost"))
    paged = kept(applied, PAGED, 1)
    mails = kept(applied, "/run/mails", 1, 120)  # three processes load Apprise at once, on an emulated processor
    assert paged[0][0] - at < 10, paged
    assert "link down" in " ".join(mails[0][1].split()), mails
    failed = watcher.says(applied, "alert_failed", 2, 120)
    assert {e["subject"] for e in failed} == {"alert 1 (json://********)", "alert 2 (json://********)"}, failed
    applied.sh("ip -n san link set san2 down")
    kept(applied, PAGED, 2)
    assert watcher.says(applied, "link_down", 2)
    applied.until(f"[ $(date +%s) -gt {at + 60:.0f} ]", 70)
    opens(applied, "http", 8025, "/run/web")
    kept(applied, PAGED, 3, 90)
    web = kept(applied, "/run/web", 3, 120)
    paged = kept(applied, PAGED, 3)
    assert [m["title"] for _, m in web] == [m["title"] for _, m in paged], (web, paged)
    assert [m["type"] for _, m in web] == ["warning", "warning", "failure"], web
    (failed,) = [m for _, m in paged if m["event"] == "lun_failed"]
    assert {one["alias"] for one in failed["luns"]} == set(ALIASES.values()), failed
    assert {one["usable_paths"] for one in failed["luns"]} == {0}, failed
    applied.fault("link-up", "san1")
    applied.fault("link-up", "san2")
    kept(applied, "/run/web", 5, 120)
    everything = watcher.ends(applied)
    assert len([e for e in everything if e["event"] == "alert_failed"]) == 2, everything
    assert SECRET not in applied.sh("journalctl -b --no-pager; cat /run/watched.jsonl")


@pytest.mark.nightly
def test_a_watcher_that_was_killed_is_followed_by_one_that_says_nothing_twice(applied: Prague) -> None:
    ready(applied, EXEC)
    watcher.begins(applied)
    applied.sh("ip -n san link set san1 down")
    kept(applied, PAGED, 1)
    watcher.says(applied, "lun_degraded", 4)
    applied.sh("sleep 1; systemctl kill -s KILL watched.service")
    applied.until("! systemctl is-active -q watched.service")
    watcher.begins(applied)
    applied.sh("sleep 40")  # as long as what is unwell at the start has, and more
    ((_, lost),) = kept(applied, PAGED, 1)
    applied.fault("link-up", "san1")
    (_, (_, over)) = kept(applied, PAGED, 2, 90)
    assert "NIC eth1: over after" in over["title"], over
    assert over["duration"] > 40, over
    assert "4 LUNs whole again" in over["title"], over
    watcher.ends(applied)
    assert len(kept(applied, PAGED, 2)) == 2
    assert lost["time"] < over["time"]
