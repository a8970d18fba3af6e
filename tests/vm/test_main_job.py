"""The main job on a real kernel, read back with other tools than mpio."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from vm import hosts
from vm.hosts import ALIASES, Prague
from vm.readback import is_as_the_site_says


@pytest.mark.everywhere
def test_looking_at_a_bare_host_changes_nothing(bare: Prague) -> None:
    before = bare.state(hosts.FILES, hosts.KERNEL, hosts.UNITS)
    plan = bare.mpio("plan", "-o", "json", exits=3)
    said = plan.json
    bare.mpio("preflight", exits=None)
    bare.mpio("verify", exits=5)
    assert bare.state(hosts.FILES, hosts.KERNEL, hosts.UNITS) == before

    assert said["complete"] is False
    parts = [step["part"] for step in said["steps"]]
    order = ["initiator", "sysctl", "services", "ifaces", "timeouts", "multipath", "discovery", "login"]
    assert parts == sorted(parts, key=order.index)
    assert Counter(parts)["discovery"] == 1
    assert parts[-1] == "discovery", plan
    written = {step["path"] for step in said["steps"] if step["kind"] == "write"}
    assert {"/etc/multipath/conf.d/90-mpio.conf", "/etc/sysctl.d/99-zz-mpio.conf", "/etc/iscsi/iscsid.conf"} <= written


@pytest.mark.everywhere
def test_apply_makes_a_bare_host_what_the_site_says(applied: Prague) -> None:
    is_as_the_site_says(applied)
    verdict = applied.mpio("verify", "-o", "json").json
    assert (verdict["state"], verdict["drift"], verdict["findings"]) == ("healthy", [], [])
    counts = {lun["alias"]: (lun["usable_paths"], lun["expected_paths"]) for lun in verdict["luns"]}
    assert counts == dict.fromkeys(ALIASES.values(), (4, 4))


@pytest.mark.everywhere
def test_a_second_plan_has_no_steps_and_a_second_apply_touches_nothing(applied: Prague) -> None:
    before = applied.state(hosts.FILES, hosts.KERNEL, hosts.UNITS)
    plan = applied.mpio("plan", "-o", "json")
    assert (plan.json["steps"], plan.json["complete"]) == ([], True), plan
    again = applied.mpio("apply", "-o", "json")  # with nothing to do no --yes is needed
    assert (again.json["done"], again.json["left"], again.json["findings"]) == ([], [], []), again
    assert applied.state(hosts.FILES, hosts.KERNEL, hosts.UNITS) == before


@pytest.mark.everywhere
def test_a_reboot_keeps_it_with_no_help(applied: Prague) -> None:
    applied.guest.reboot()
    applied.mpio("verify", "--wait", "120")
    is_as_the_site_says(applied)
    assert json.loads(applied.mpio("plan", "-o", "json").out)["steps"] == []


@pytest.mark.nightly
def test_the_runbook_of_a_plan_does_what_the_plan_says(bare: Prague) -> None:
    """Two scripts, since a bare host's plan ends in discovery; nothing of mpio carries anything out."""
    for _ in range(2):
        script = bare.mpio("plan", "--script", exits=3).out
        bare.put("/root/runbook", script)
        done = bare.guest.run(("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", "/root/runbook"), timeout=120)
        assert done.code == 0, f"{done.out}{done.err}\n{script}"
        assert "mpio " not in "\n".join(line for line in script.splitlines() if not line.startswith("#")), script
    bare.mpio("verify", "--wait", "60")
    is_as_the_site_says(bare)
