"""A runbook is a shell script whatever stands in its steps."""

from __future__ import annotations

import subprocess
from pathlib import Path

import fakes
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import HOSTILE, hosts, sans, sites

from mpio import plan, script
from mpio.host import Host
from mpio.plan import Plan
from mpio.site import Site
from mpio.step import Command, Part, Step, Write
from mpio.topology import Pairs

FEW = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# files hold lines; a carriage return inside one is as good as any other character
TEXTS = st.lists(HOSTILE, max_size=4).map(lambda lines: "".join(f"{line}\n" for line in lines))
PARTS = st.sampled_from(Part)


def plan_of(*steps: Step) -> Plan:
    return Plan(steps, True, Pairs({}))


def sh(text: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["sh", *options], input=text.encode(), capture_output=True, check=False, timeout=20)


def shellcheck(text: str) -> str:
    done = subprocess.run(
        ["shellcheck", "-s", "sh", "-"], input=text.encode(), capture_output=True, check=False, timeout=60
    )
    return done.stdout.decode()


COMMANDS = st.builds(
    Command,
    PARTS,
    HOSTILE,
    st.lists(HOSTILE, max_size=3).map(lambda words: ("iscsiadm", *words)),
    st.sampled_from([(0,), (0, 15), (0, 21, 15)]),
)
WRITES = st.builds(
    Write,
    PARTS,
    HOSTILE,
    st.sampled_from(["/etc/x", "/etc/a b/it's", "/proc/sys/net/ipv4/conf/eth0.100/rp_filter", "/var/$(id)"]),
    st.none() | TEXTS,
    st.sampled_from([None, 0o600, 0o644]),
    st.none() | TEXTS,
    st.booleans(),
)


@given(st.lists(COMMANDS | WRITES, max_size=4), st.booleans())
@settings(max_examples=25, deadline=None)
def test_sh_reads_it(steps: list[Step], complete: bool) -> None:
    done = sh(script.runbook(Plan(tuple(steps), complete, Pairs({}))), "-n")
    assert (done.returncode, done.stderr) == (0, b"")


@given(st.lists(COMMANDS | WRITES, max_size=4))
@FEW
def test_shellcheck_finds_nothing_in_hostile_steps(steps: list[Step]) -> None:
    """SC1017 is about carriage returns, which a text may hold; SC2016 and SC2028 about what is meant literally."""
    text = script.runbook(plan_of(*steps))
    done = subprocess.run(
        ["shellcheck", "-s", "sh", "-e", "SC1017,SC2016,SC2028,SC1003,SC1018,SC1111,SC1112", "-"],
        input=text.encode(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.decode() == ""


@given(sites(), hosts(), sans())
@FEW
def test_shellcheck_finds_nothing_in_real_plans(site: Site, host: Host, san: fakes.San) -> None:
    made = plan.steps(site, fakes.look(site, host, san))
    assert shellcheck(script.runbook(made)) == ""


@given(st.lists(HOSTILE, min_size=1, max_size=4), HOSTILE)
@settings(max_examples=25, deadline=None)
def test_hostile_words_arrive_as_they_are(words: list[str], why: str) -> None:
    done = sh(script.runbook(plan_of(Command(Part.LOGIN, why, ("printf", "%s\\n", *words)))))
    assert done.stderr == b""
    assert done.stdout.decode() == "".join(f"{word}\n" for word in words)


@given(TEXTS, HOSTILE, st.booleans())
@FEW
def test_hostile_texts_arrive_as_they_are(tmp_path: Path, text: str, why: str, exists: bool) -> None:
    path = tmp_path / "it's a $(folder)" / "file"
    path.unlink(missing_ok=True)
    if exists:
        path.parent.mkdir(exist_ok=True)
        path.write_text("before\n")
    done = sh(script.runbook(plan_of(Write(Part.MULTIPATH, why, str(path), text, 0o640))))
    assert (done.returncode, done.stderr) == (0, b"")
    assert path.read_bytes() == text.encode()


@given(st.sampled_from([0, 1, 15, 21]), st.sampled_from([(0,), (0, 15), (0, 15, 21)]))
@FEW
def test_a_code_that_is_no_error_goes_on_and_another_ends(code: int, ok: tuple[int, ...]) -> None:
    steps = (
        Command(Part.LOGIN, "it may", ("sh", "-c", f"exit {code}"), ok),
        Command(Part.LOGIN, "then", ("echo", "went on")),
    )
    done = sh(script.runbook(plan_of(*steps)))
    assert (done.returncode, done.stdout) == ((0, b"went on\n") if code in ok else (code, b""))


@pytest.mark.parametrize("host", [fakes.bare_host(), fakes.guide_host()], ids=["bare", "whole"])
def test_the_guides_runbook_is_clean(host: Host) -> None:
    made = plan.steps(fakes.guide_site(), fakes.look(fakes.guide_site(), host))
    text = script.runbook(made)
    assert shellcheck(text) == ""
    assert text.startswith("#!/bin/sh\n")
