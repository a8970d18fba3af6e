"""`mpio doctor` on real hosts: what was done to them is what it begins with, and what it can mend it mends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vm import big
from vm.conftest import Boot
from vm.hosts import Prague

TOP = Path(__file__).parents[2]
PATH = "$(multipathd show paths raw format '%d %m' | sed -n 's/ hydra_db-a01$//p' | sort | head -n1)"
LOCKED = "touch /run/lock/iscsi/lock && ln /run/lock/iscsi/lock /run/lock/iscsi/lock.write"
FAILED = "[ $(dmsetup status --target multipath | grep -Eo '[0-9]+:[0-9]+ F ' | wc -l) = 8 ]"
TIMES, ROUNDS = 3, 5


def harmful(host: Prague) -> list[str]:
    """The codes of what is said above info, in order."""
    found = host.mpio("doctor", "-o", "json", exits=None).json["findings"]
    return [f["code"] for f in found if f["severity"] != "info"]


def test_a_fault_is_found_by_its_cause_and_mended_where_that_is_safe(applied: Prague) -> None:
    assert harmful(applied) == []
    applied.sh(f"multipathd fail path {PATH}")
    assert harmful(applied) == ["MP442"]
    applied.mpio("doctor", "--fix", "MP442", "--yes")
    applied.mpio("verify", "--wait", "60")

    applied.fault("link-down", "san1")
    applied.until(FAILED, 90)
    found = applied.mpio("doctor", "-o", "json", exits=4).json["findings"]
    assert [f["code"] for f in found if f["severity"] in ("error", "critical")] == ["MP203"]
    assert len(found[0]["subjects"]) >= 1 + 2 + 4  # the NIC, its sessions, the LUNs


@pytest.mark.nightly
def test_a_lock_that_nobody_holds_is_found_and_removed_and_what_comes_back_is_no_finding(applied: Prague) -> None:
    applied.sh(LOCKED)
    assert harmful(applied) == ["MP109"]
    applied.mpio("doctor", "--fix", "MP109", "--yes")
    assert harmful(applied) == []
    applied.fault("link-down", "san1")
    applied.until(FAILED, 90)
    applied.fault("link-up", "san1")
    applied.mpio("verify", "--wait", "120", timeout=300)
    assert harmful(applied) == []


@pytest.mark.nightly
def test_a_big_host_that_is_healthy_is_looked_over_in_three_times_what_status_takes(
    boot: Boot, capsys: pytest.CaptureFixture[str]
) -> None:
    host = big.applied(boot)
    host.mpio("verify", "--wait", "120", timeout=300)
    assert harmful(host) == []
    took: dict[str, list[float]] = {"status": [], "doctor": []}
    for _ in range(ROUNDS):
        for verb, seconds in took.items():
            seconds.append(host.mpio(verb, "-o", "json", timeout=300).seconds)
    status, doctor = map(min, took.values())  # whatever else the machine does only adds to them
    with capsys.disabled():
        sys.stdout.write(f"\nstatus {status:.2f} s, doctor {doctor:.2f} s: {doctor / status:.2f} times\n")
    assert doctor < TIMES * status, took


@pytest.mark.nightly
def test_every_fault_of_the_bench_is_found_first() -> None:
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    command = [sys.executable, str(TOP / "contrib/bench/faults")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=5400, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
