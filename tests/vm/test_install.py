"""What `watch --install` puts on a host: names of paths, alerts with or without a daemon, a unit that is confined."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vm import hosts, watcher
from vm.hosts import Prague

PAGE = """#!/bin/sh
cat >>/run/pages
echo >>/run/pages
"""
DAEMON, PATH = "mpio-watch.service", "mpio-event.path"
OURS = "find /etc/systemd/system /etc/udev /dev/disk/by-mpio -name '*mpio*' 2>/dev/null || true"
LOGS = "journalctl -b --no-pager -n 40 -u 'mpio-*'; cat /run/pages; ls -l /run/mpio"
# A line a link: its name, and what it is to be called by what the kernel shows of the disk that it leads to.
LINKS = """
for link in /dev/disk/by-mpio/*/*; do
    disk=$(basename "$(readlink -f "$link")")
    session=$(readlink -f "/sys/block/$disk" | grep -o 'session[0-9]*' | head -n 1)
    at=/sys/class/iscsi_connection/connection${session#session}:0
    echo "${link#/dev/disk/by-mpio/} $(cat /sys/block/$disk/holders/dm-*/dm/name)/\
$(cat /sys/class/iscsi_session/$session/ifacename)-$(cat $at/persistent_address):$(cat $at/persistent_port)"
done
"""
IDLE = "! systemctl is-active -q mpio-event.service && ! test -e /run/mpio/event"
ACTIVE = "test \"$(dmsetup status --target multipath | grep -Eo '[0-9]+:[0-9]+ A ' | wc -l)\" -eq {}"


def disk(host: Prague, alias: str) -> str:
    """A path of this LUN, by its name."""
    return host.sh(f"readlink -f /dev/disk/by-mpio/{alias}/sw-iscsi-0-10.10.8.90:3260").strip().rpartition("/")[2]


def site(host: Prague, *lines: str) -> None:
    host.put("/usr/local/sbin/page", PAGE, 0o755)
    watcher.site(host, *lines, "[[watch.alert]]", 'exec = ["/usr/local/sbin/page"]')


def pages(host: Prague) -> list[tuple[str, str]]:
    text = host.sh("cat /run/pages 2>/dev/null || true")
    told: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line]
    return [(one["severity"], one["root"]) for one in told]


def told(host: Prague, count: int, limit: float = 60) -> list[tuple[str, str]]:
    """Wait until so many alerts are out and nobody is at work on another; then they are all there are."""
    host.until(f'test "$(grep -c . /run/pages 2>/dev/null)" -ge {count} && {IDLE}', limit, LOGS)
    return pages(host)


def names_are_true(host: Prague, count: int = 16) -> None:
    host.until(f'test "$(ls -d /dev/disk/by-mpio/*/* 2>/dev/null | wc -l)" -eq {count}')
    pairs = [line.split() for line in host.sh(LINKS).splitlines()]
    assert [name for name, _ in pairs] == [really for _, really in pairs]
    assert len(pairs) == count


def rules_are_clean(host: Prague) -> None:
    rules = host.sh("ls /etc/udev/rules.d/*mpio*.rules").split()
    if "verify" in host.sh("udevadm --help"):  # from systemd 254 on
        host.sh(f"udevadm verify {' '.join(rules)}")
    for device in ("/sys/block/sda", "/sys/block/dm-0", "/sys/class/iscsi_session/session1"):
        said = host.sh(f"udevadm test --action=change {device} 2>&1")
        complaints = [line for line in said.splitlines() if "mpio" in line and ("nvalid" in line or "ailed" in line)]
        assert complaints == [], said


@pytest.mark.nightly
def test_without_a_daemon_one_failed_path_is_one_alert(applied: Prague) -> None:
    site(applied)
    made = applied.mpio("watch", "--install", "--no-daemon", "--yes", "-o", "json")
    assert (made.json["left"], made.json["findings"]) == ([], []), made
    assert applied.mpio("watch", "--install", "--no-daemon", "-o", "json").json["done"] == []
    names_are_true(applied)
    rules_are_clean(applied)
    applied.sh(f"multipathd fail path {disk(applied, 'hydra_db-a02')}")
    assert told(applied, 1) == [("degraded", "LUN hydra_db-a02")]


@pytest.mark.nightly
def test_the_service_is_held_short_and_ends_at_once(applied: Prague) -> None:
    site(applied)
    applied.mpio("watch", "--install", "--yes")
    assert applied.sh(f"systemctl is-active {DAEMON}; systemctl is-enabled {DAEMON}").split() == ["active", "enabled"]
    applied.sh(f"systemd-analyze verify --man=no /etc/systemd/system/{DAEMON} 2>&1 | (! grep .)")
    exposure = float(applied.sh(f"systemd-analyze security --no-pager {DAEMON} | tail -n 1").split(": ")[1].split()[0])
    assert exposure <= 3.0
    said = applied.sh(f"journalctl -b -o cat --no-pager -u {DAEMON}")
    assert "started" in said
    applied.sh(f"timeout 5 systemctl stop {DAEMON}")
    assert "stopped" in applied.sh(f"journalctl -b -o cat --no-pager -u {DAEMON} | tail -n 3")
    assert applied.sh(f"systemctl is-failed {DAEMON} || true").strip() == "inactive"


@pytest.mark.nightly
def test_one_lost_link_is_one_alert_without_a_daemon_too(applied: Prague) -> None:
    site(applied)
    applied.mpio("watch", "--install", "--no-daemon", "--yes")
    applied.fault("link-down", "san1")
    applied.until(ACTIVE.format(8), 60)
    assert told(applied, 1) == [("degraded", "NIC eth1")]
    applied.sh("sleep 10")  # nothing comes behind it
    assert told(applied, 1) == [("degraded", "NIC eth1")]
    applied.fault("link-up", "san1")
    applied.until(ACTIVE.format(16), 90)
    assert told(applied, 2, 120) == [("degraded", "NIC eth1"), ("recovered", "NIC eth1")]
    names_are_true(applied)


@pytest.mark.nightly
def test_a_flag_is_never_lost(applied: Prague) -> None:
    """Paths that fail and come back in the middle of looks; in the end all is told and nothing is left."""
    site(applied)
    applied.mpio("watch", "--install", "--no-daemon", "--yes")
    one, other = disk(applied, "hydra_db-a01"), disk(applied, "hydra_db-a02")
    for _ in range(6):
        applied.sh(f"multipathd fail path {one}; sleep 0.7; multipathd reinstate path {one}; sleep 1.1")
    applied.sh(f"multipathd fail path {other}")
    applied.until("grep -q 'LUN hydra_db-a02' /run/pages", 120, LOGS)
    applied.sh(f"multipathd reinstate path {other}")
    last = 'grep . /run/pages | tail -n 1 | grep -q \'"severity": "recovered"\''
    applied.until(f"{last} && {IDLE}", 200, LOGS)
    severities = [severity for severity, _ in pages(applied)]
    assert severities.count("degraded") == severities.count("recovered")


@pytest.mark.nightly
def test_where_the_daemon_runs_udev_starts_nothing(applied: Prague) -> None:
    site(applied)
    applied.mpio("watch", "--install", "--no-daemon", "--yes")
    applied.mpio("watch", "--install", "--yes")
    assert applied.sh(f"systemctl is-active {PATH} || true").strip() == "inactive"
    # As a package would have it: the rules are there all the same.
    applied.sh("cp /opt/mpio/src/udev/90-mpio-alert.rules /etc/udev/rules.d/; udevadm control --reload")
    applied.sh(f"multipathd fail path {disk(applied, 'hydra_db-a01')}")
    assert told(applied, 1) == [("degraded", "LUN hydra_db-a01")]
    applied.sh("! test -e /run/mpio/event")
    # nor does a look by hand tell it twice
    assert applied.mpio("watch", "--event", "-o", "json").json["events"] == []
    assert len(pages(applied)) == 1


@pytest.mark.nightly
def test_a_watcher_that_hangs_or_dies_is_started_again(applied: Prague) -> None:
    site(applied)
    applied.mpio("watch", "--install", "--yes")
    restarts = f'test "$(systemctl show -p NRestarts --value {DAEMON})" -ge {{}} && systemctl is-active -q {DAEMON}'
    applied.sh(f"systemctl kill -s KILL {DAEMON}")
    applied.until(restarts.format(1), 60, LOGS)
    applied.sh(
        f"mkdir -p /run/systemd/system/{DAEMON}.d; printf '[Service]\\nWatchdogSec=8\\n' "
        f">/run/systemd/system/{DAEMON}.d/soon.conf; systemctl daemon-reload; systemctl restart {DAEMON}"
    )
    applied.sh("sleep 20")  # longer than the watchdog's patience: it is heard
    assert applied.sh(f"systemctl show -p NRestarts --value {DAEMON}").strip() == "0"
    applied.sh(f"kill -STOP $(systemctl show -p MainPID --value {DAEMON})")
    applied.until(restarts.format(1), 90, LOGS)
    assert "Watchdog timeout" in applied.sh(f"journalctl -b --no-pager -u {DAEMON}")


@pytest.mark.nightly
def test_it_starts_at_boot_before_the_first_login(applied: Prague) -> None:
    """Nobody logs in at this boot: it is there all the same, and sees the first session come."""
    site(applied, "heal = false")
    applied.mpio("watch", "--install", "--yes")
    applied.sh("iscsiadm -m node -o update -n node.startup -v manual; udevadm settle")
    applied.guest.reboot()
    assert applied.sh(f"systemctl is-active {DAEMON}").strip() == "active"
    assert applied.sh("ls /sys/class/iscsi_session 2>/dev/null || true") == ""
    said = f"journalctl -b -o cat --no-pager -u {DAEMON}"
    assert "sessions: 0 of 0 logged in" in applied.sh(said)
    applied.mpio("login", "eth1", "--yes")
    applied.until(f"{said} | grep -q 'session_added.*session 1'", 60, LOGS)
    applied.until(f'test "$({said} | grep -c lun_degraded)" -le 4')
    names_are_true(applied, 8)


@pytest.mark.nightly
def test_the_names_come_and_go_with_their_disks(applied: Prague) -> None:
    site(applied)
    applied.mpio("watch", "--install", "--no-daemon", "--yes")
    names_are_true(applied)
    applied.mpio("logout", "sw-iscsi-1", "--yes")
    names_are_true(applied, 8)
    applied.mpio("login", "sw-iscsi-1", "--yes")
    names_are_true(applied)
    applied.guest.reboot()
    applied.mpio("verify", "--wait", "120", timeout=300)
    names_are_true(applied)


@pytest.mark.nightly
@pytest.mark.parametrize("way", [[], ["--no-daemon"]])
def test_teardown_leaves_nothing_of_it(applied: Prague, way: list[str]) -> None:
    site(applied)
    applied.mpio("watch", "--install", *way, "--yes")
    applied.mpio("apply", "--yes")  # which neither forgets nor minds it
    assert applied.sh(OURS) != ""
    applied.mpio("teardown", "--yes")
    assert applied.sh(OURS) == ""
    assert applied.sh(f"systemctl is-active {DAEMON} {PATH} || true").split() == ["inactive", "inactive"]
    assert "/dev/disk" not in applied.state(hosts.FILES)
