"""What goes wrong on a whole host: verify names it, apply or time mends it."""

from __future__ import annotations

import threading

import pytest

from vm import hosts
from vm.hosts import ALIASES, TARGETS, Prague
from vm.readback import is_as_the_site_says

RECORD = f"iscsiadm -m node -T {TARGETS[0]} -p 10.10.8.90:3260 -I sw-iscsi-1"
# A name: what does it, and what the plan's step that mends it is about.
DRIFT = {
    "recovery": (
        "for f in /sys/class/iscsi_session/*/recovery_tmo; do echo 44 >$f; done",
        "timeouts: the recovery time of session",
    ),
    "rp_filter": ("sysctl -qw net.ipv4.conf.eth1.rp_filter=1", "sysctl: rp_filter of eth1 is 1"),
    "sysctl-file": ("rm /etc/sysctl.d/99-zz-mpio.conf", "99-zz-mpio.conf"),
    "iscsid.conf": (
        "sed -i 's/^\\(node.session.timeo.replacement_timeout\\) .*/\\1 = 99/' /etc/iscsi/iscsid.conf",
        "node.session.timeo.replacement_timeout is 99",
    ),
    "drop-in": ("rm /etc/multipath/conf.d/90-mpio.conf", "90-mpio.conf"),
    "startup": (f"{RECORD} -o update -n node.startup -v manual", "node.startup is manual"),
    "unit": ("systemctl disable open-iscsi.service", "open-iscsi.service is not enabled"),
}


def mend(host: Prague) -> None:
    host.mpio("apply", "--yes", exits=None)
    host.mpio("verify", "--wait", "90")


def test_drift_of_every_kind_is_named_and_mended_at_once(applied: Prague) -> None:
    for script, _ in DRIFT.values():
        applied.sh(script)
    drifted = applied.mpio("verify", "-o", "json", exits=3)
    for name, (_, about) in DRIFT.items():
        assert any(about in step for step in drifted.steps()), f"{name}: {about}\n{drifted}"
    applied.sh("systemctl stop multipathd.socket multipathd.service")
    stopped = applied.mpio("verify", "-o", "json", exits=4)
    assert stopped.names("MP104", "multipathd.service"), stopped
    assert any("multipathd.service" in step for step in stopped.steps()), stopped
    # The LUNs are judged all the same, from the device mapper.
    assert {(lun["usable_paths"], lun["state"]) for lun in stopped.json["luns"]} == {(4, "healthy")}, stopped
    applied.mpio("apply", "--yes")
    is_as_the_site_says(applied)


@pytest.mark.nightly
@pytest.mark.parametrize("name", DRIFT)
def test_drift_of_one_kind_is_all_that_is_named(applied: Prague, name: str) -> None:
    script, about = DRIFT[name]
    applied.sh(script)
    drifted = applied.mpio("verify", "-o", "json", exits=3)
    assert any(about in step for step in drifted.steps()), drifted
    assert {step["part"] for step in drifted.json["drift"]} == {
        {"recovery": "timeouts", "rp_filter": "sysctl", "sysctl-file": "sysctl", "iscsid.conf": "timeouts",
         "drop-in": "multipath", "startup": "discovery", "unit": "services"}[name]
    }  # fmt: skip
    applied.mpio("apply", "--yes")
    is_as_the_site_says(applied)


def paths_to(host: Prague, iface: str, portal: str) -> dict[str, str]:
    """The disks of one session by their map's name."""
    seen = host.walk()
    sid = next(s["sid"] for s in seen["sessions"].values() if (s["iface"], s["portal"]) == (iface, portal))
    map_of = {name: one["name"] for one in seen["maps"].values() for name in one["slaves"]}
    return {map_of[name]: name for name, disk in seen["disks"].items() if disk["sid"] == sid}


def test_a_session_and_a_lun_that_are_lost_are_named_and_come_back(applied: Prague) -> None:
    unmapped = [paths_to(applied, f"sw-iscsi-{n}", "10.10.9.90:3260")["hydra_db-a03"] for n in (0, 1)]
    applied.fault("unmap", TARGETS[1], "13")
    applied.sh(f"{RECORD} --logout")
    for name in unmapped:
        applied.until(f"multipathd show paths raw format '%d %t' | grep -qx '{name} *failed *'")
    bad = applied.mpio("verify", "-o", "json", exits=4)
    counts = {lun["alias"]: lun["usable_paths"] for lun in bad.json["luns"]}
    assert counts == {**dict.fromkeys(ALIASES.values(), 3), "hydra_db-a03": 1}, bad
    assert all(bad.names("MP402", alias) for alias in counts), bad
    assert all(bad.names("MP404", name) for name in unmapped), bad
    assert any(f"there is no session for sw-iscsi-1 -> 10.10.8.90:3260 {TARGETS[0]}" in s for s in bad.steps()), bad

    applied.fault("map", TARGETS[1], "13")
    mend(applied)
    is_as_the_site_says(applied)


def test_a_path_that_a_hand_failed_is_named_and_taken_again(applied: Prague) -> None:
    """multipathd checks such a path no more until it is reinstated: time alone does not mend it."""
    failed = paths_to(applied, "sw-iscsi-0", "10.10.8.90:3260")["hydra_db-a01"]
    applied.sh(f"multipathd fail path {failed}")
    applied.until(f"multipathd show paths raw format '%d %t' | grep -qx '{failed} *failed *'")
    bad = applied.mpio("verify", "-o", "json", exits=4)
    assert bad.names("MP404", failed), bad
    assert bad.names("MP402", "hydra_db-a01"), bad
    applied.mpio("apply", "--yes")
    applied.until(f"multipathd show paths raw format '%d %t %T' | grep -qx '{failed} *active *ready *'", 30)


def test_a_link_that_is_down_is_named_at_once_and_its_return_suffices(applied: Prague) -> None:
    applied.fault("link-down", "san1")
    down = applied.mpio("verify", "-o", "json", exits=4)
    assert ("MP203", "eth1") in down.found, down
    assert not down.json["drift"], down
    applied.fault("link-up", "san1")
    applied.mpio("verify", "--wait", "90")
    is_as_the_site_says(applied)


@pytest.mark.nightly
def test_a_portal_that_falls_silent_is_named_and_its_return_suffices(applied: Prague) -> None:
    applied.fault("silence", "10.10.9.90:3260")
    applied.until("test $(grep -l FAILED /sys/class/iscsi_session/*/state | wc -l) = 2")
    applied.until("test $(multipathd show paths raw format '%d %t' | grep -c failed) = 8")
    silent = applied.mpio("apply", "--yes", "-o", "json", exits=4)
    assert silent.seconds < 60, silent
    assert silent.names("MP210", "10.10.9.90:3260"), silent
    assert sum(code == "MP304" for code, _ in silent.found) == 2, silent
    verdict = applied.mpio("verify", "-o", "json", exits=4)
    assert {(lun["usable_paths"], lun["expected_paths"]) for lun in verdict.json["luns"]} == {(2, 4)}, verdict
    assert all(verdict.names("MP403", alias) for alias in ALIASES.values()), verdict
    applied.fault("unsilence", "10.10.9.90:3260")
    applied.mpio("verify", "--wait", "120", timeout=300)
    is_as_the_site_says(applied)


@pytest.mark.nightly
def test_a_second_changing_verb_is_told_who_is_at_work(applied: Prague) -> None:
    first: list[hosts.Ran] = []
    thread = threading.Thread(target=lambda: first.append(applied.mpio("apply", "--yes", exits=None)))
    thread.start()
    # The holder stands still, so that it cannot have ended before the other comes.
    applied.until("test -s /run/mpio/lock && pkill -STOP -f 'mpio apply --yes$'")
    second = applied.mpio("apply", "--yes", "-o", "json", exits=1)
    applied.sh("pkill -CONT -f 'mpio apply --yes$'")
    thread.join()
    assert second.json["error"]["code"] == "busy", second
    assert "apply, pid" in second.json["error"]["message"], second
    assert first[0].code == 0, first[0]
