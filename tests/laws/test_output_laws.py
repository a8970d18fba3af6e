"""What monitoring and terminals get is well formed whatever the host is called."""

from __future__ import annotations

import json
import re

import fakes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import HOSTILE, hosts, sans, sites

from mpio import checks, console, metrics, nagios, plan, serve, topology, verdict, view
from mpio.errors import Exit, MpioError
from mpio.findings import TABLE, Finding, Severity, finding
from mpio.host import Host
from mpio.site import Site
from mpio.step import Command, Part, Step, Write
from mpio.topology import Lun, LunState
from mpio.verdict import Verdict

MORE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NUMBERS = st.none() | st.integers(0, 9)
LUNS = st.builds(
    lambda wwid, alias, expected, state: Lun(
        wwid, alias, "dm-0", None, "", "", None, (), (), expected, state, "", wanted=True
    ),
    HOSTILE,
    HOSTILE,
    NUMBERS,
    st.sampled_from(LunState),
)
FINDINGS = st.builds(finding, st.sampled_from(sorted(TABLE)), HOSTILE, HOSTILE)
STEPS = st.builds(Command, st.sampled_from(Part), HOSTILE, st.lists(HOSTILE, max_size=2).map(tuple))
VERDICTS = st.builds(
    Verdict,
    st.sampled_from([Exit.OK, Exit.DIFFERS, Exit.DEGRADED, Exit.FAILED]),
    st.lists(LUNS, max_size=3).map(tuple),
    st.lists(STEPS, max_size=2).map(tuple),
    st.lists(FINDINGS, max_size=5).map(tuple),
)
# Monitoring Plugins Development Guidelines: 'label'=value[UOM];[warn];[crit];[min];[max]
DATUM = re.compile(r"(?:'[^'=]*'|[^\s'=]+)=\d+(?:;[\d.:@~]*){0,4}")


def said(judged: Verdict) -> str:
    return nagios.line(judged.exit, judged.luns, nagios.worst(judged.findings), len(judged.drift))


def well_formed(line: str) -> None:
    assert line == console.clean(line).replace("\n", "").replace("\t", "")
    assert line.splitlines() == [line]
    text, _, data = line.partition(" | ")
    assert "|" not in text
    assert DATUM.sub("", data).strip() == ""


@given(VERDICTS)
@MORE
def test_nagios_gets_one_line(judged: Verdict) -> None:
    well_formed(said(judged))
    assert nagios.code(judged.exit) in (0, 1, 2)


@given(sites(), hosts(masked=True), sans())
@MORE
def test_nagios_gets_one_line_of_every_host(site: Site, host: Host, san: fakes.San) -> None:
    host = fakes.look(site, host, san)
    well_formed(said(verdict.of(site, host, plan.steps(site, host))))


@given(HOSTILE)
@MORE
def test_nagios_gets_one_line_of_an_error(message: str) -> None:
    line = nagios.unknown(MpioError(message))
    assert line.splitlines() == [line]
    assert line.startswith("MPIO UNKNOWN - ")
    assert "|" not in line


@given(HOSTILE, HOSTILE, st.sampled_from(["/etc/x", "/proc/x"]))
@MORE
def test_json_takes_every_step(why: str, text: str, path: str) -> None:
    steps: list[Step] = [
        Command(Part.LOGIN, why, ("x", text)),
        Write(Part.SYSCTL, why, path, text, before=why),
        Write(Part.DISCOVERY, why, path, text, before=text, secret=True),
    ]
    first, second, third = json.loads(json.dumps(view.steps(steps)))
    assert first == {"part": "login", "why": why, "kind": "command", "argv": ["x", text]}
    assert {k: v for k, v in second.items() if k != "diff"} == {
        "part": "sysctl",
        "why": why,
        "kind": "write",
        "path": path,
    }
    assert third["diff"].count(view.MASK) == 1


@given(st.text(min_size=8).filter(lambda t: t.strip("-+* \n/@,0123456789") == t), HOSTILE)
@MORE
def test_no_secret_is_in_a_diff(secret: str, before: str) -> None:
    step = Write(Part.DISCOVERY, "w", "/etc/iscsi/nodes/x", f"password = {secret}\n", before=before, secret=True)
    assert secret not in view.diff(step).replace(step.path, "")


@given(st.text())
@MORE
def test_no_control_sequence_reaches_a_terminal(text: str) -> None:
    shown = console.clean(text)
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    assert console.clean(shown) == shown


@given(sites(), hosts(masked=True), sans())
@MORE
def test_metrics_are_text_and_say_what_status_says(site: Site, host: Host, san: fakes.San) -> None:
    host = fakes.look(site, host, san)
    luns = topology.luns(site, host, topology.pairs(site, host))
    samples = list(metrics.samples(host, luns, 1.0))
    assert {s.name for s in samples} <= metrics.HELP.keys()
    assert len({(s.name, s.labels) for s in samples}) == len(samples)
    lines = serve.text(samples).splitlines()
    assert len([x for x in lines if not x.startswith("#")]) == len(samples)
    usable = {dict(s.labels)["wwid"]: s.value for s in samples if s.name == "mpio_lun_paths_usable"}
    assert usable == {lun.wwid: len(lun.usable) for lun in luns}


@given(sites(), hosts(masked=True), sans())
@MORE
def test_json_of_every_host_has_the_contracts_types(site: Site, host: Host, san: fakes.San) -> None:
    host = fakes.look(site, host, san)
    made = plan.steps(site, host)
    luns = topology.luns(site, host, made.pairs)
    document = json.loads(json.dumps(view.status(host, luns)))
    for lun in document["luns"]:
        assert isinstance(lun["usable_paths"], int)
        assert isinstance(lun["expected_paths"], int)
        assert lun["state"] in ("healthy", "degraded", "failed", "unknown")
    for session in document["sessions"]:
        assert session["recovery_tmo"] is None or isinstance(session["recovery_tmo"], int)
    found: tuple[Finding, ...] = checks.after(site, host, made, luns)
    for one in json.loads(json.dumps(view.findings(found))):
        assert list(one) == ["code", "severity", "subject", "summary", "detail", "remedy"]
        assert one["severity"] in list(Severity)
        assert one["summary"]
        assert one["remedy"]
