"""Runbooks; what holds of every one is in laws/test_script_laws.py."""

from __future__ import annotations

import fakes

from mpio import plan, script
from mpio.plan import Plan
from mpio.step import Command, Part, Step, Write
from mpio.topology import Pairs

HEAD = "#!/bin/sh\n# Made by `mpio plan --script`. Each block is one step with its reason; it needs no mpio.\nset -eu\n"


def block(step: Step) -> str:
    return script.runbook(Plan((step,), True, Pairs({}))).removeprefix(HEAD).strip("\n")


def test_nothing_to_do_is_a_script_that_does_nothing() -> None:
    assert script.runbook(Plan((), True, Pairs({}))) == HEAD


def test_a_command_with_its_reason() -> None:
    step = Command(Part.LOGIN, "there is no\nsession", ("iscsiadm", "-m", "it's"))
    assert block(step) == "# login: there is no\n# session\niscsiadm -m 'it'\"'\"'s'"


def test_codes_that_are_no_error() -> None:
    step = Command(Part.LOGIN, "w", ("x",), (0, 21, 15))
    assert block(step).splitlines()[1:] == [
        "code=0; x || code=$?",
        'case "$code" in 0|15|21) ;; *) exit "$code" ;; esac',
    ]


def test_a_kernel_file_is_written_in_place() -> None:
    step = Write(Part.SYSCTL, "w", "/proc/sys/net/ipv4/conf/eth1/rp_filter", "2\n", None, "0\n")
    assert block(step).splitlines()[1:] == ["printf %s '2", "' > /proc/sys/net/ipv4/conf/eth1/rp_filter"]


def test_a_file_is_written_whole_and_keeps_its_mode() -> None:
    new = "/etc/a/x.conf.mpio-new"
    assert block(Write(Part.SYSCTL, "w", "/etc/a/x.conf", "one\nMPIO_END\n", 0o600)).splitlines()[1:] == [
        "mkdir -p /etc/a",
        f"if [ -e /etc/a/x.conf ]; then cp -p /etc/a/x.conf {new}; else install -m 600 /dev/null {new}; fi",
        "cat > /etc/a/x.conf.mpio-new <<'MPIO_END_'",
        "one",
        "MPIO_END",
        "MPIO_END_",
        "mv /etc/a/x.conf.mpio-new /etc/a/x.conf",
    ]


def test_a_file_is_removed() -> None:
    assert block(Write(Part.SYSCTL, "w", "/etc/x y", None)).endswith("\nrm -f '/etc/x y'")


def test_a_secret_is_left_to_its_owner() -> None:
    said = block(Write(Part.DISCOVERY, "w", "/etc/iscsi/nodes/x", "password = hunter2\n", 0o600, secret=True))
    assert "hunter2" not in said
    assert said.splitlines()[1].startswith("# ********: write the CHAP values into /etc/iscsi/nodes/x by hand")


def test_an_incomplete_plan_says_so() -> None:
    made = plan.steps(fakes.guide_site(), fakes.look(fakes.guide_site(), fakes.bare_host()))
    assert script.runbook(made).splitlines()[-1].startswith("# The targets are not known yet")
    assert "\nsystemctl enable --now iscsid.service\n" in script.runbook(made)
