from __future__ import annotations

import re
from pathlib import Path

import pytest
import test_checks

from mpio import apply, findings
from mpio.errors import Exit, UnknownName
from mpio.findings import TABLE, Severity, finding
from mpio.findings.shape import Kind
from mpio.host import Pair, Portal
from mpio.step import Command, Part, Write
from mpio.tools import iscsiadm
from mpio.tools.iscsierr import Code

SOURCES = Path(findings.__file__).parent.parent
PAIR = Pair("sw-iscsi-0", Portal("10.10.8.90"), "iqn.2011-09.dom.homer:01:x")
LOGIN = iscsiadm.login(PAIR, why="there is no session")
ENABLE = Command(Part.SERVICES, "it does not run", ("systemctl", "enable", "x.service"))
WRITE = Write(Part.SYSCTL, "it is 1", "/proc/sys/x", "2\n")


def raised() -> set[str]:
    """The codes that stand anywhere in the program but in the table."""
    texts = [p.read_text() for p in SOURCES.rglob("*.py") if p.parent != Path(findings.__file__).parent]
    return {code for text in texts for code in re.findall(r'"(MP\d{3})"', text)}


def test_every_code_is_raised_and_every_raised_code_is_explained() -> None:
    assert raised() == TABLE.keys()


def test_every_code_of_a_check_has_a_case() -> None:
    checks = "".join(p.read_text() for p in (SOURCES / "checks").rglob("*.py"))
    assert set(re.findall(r'"(MP\d{3})"', checks)) <= {case[0] for case in test_checks.CASES}


def test_a_code_that_is_given_up_names_nothing_else() -> None:
    assert not findings.RETIRED.keys() & (TABLE.keys() | raised())


def test_codes_stand_once_and_in_their_group() -> None:
    groups = (
        (findings.hosts, findings.boots),
        (findings.network, findings.wires),
        (findings.sessions, findings.logins, findings.absent),
        (findings.maps, findings.disks),
        (findings.configuration, findings.lines),
    )
    codes = [kind.code for group in groups for module in group for kind in module.KINDS]
    assert len(codes) == len(set(codes)) == len(TABLE)
    for number, group in enumerate(groups, 1):
        for module in group:
            own = [kind.code for kind in module.KINDS]
            assert all(re.fullmatch(rf"MP{number}\d\d", code) for code in own)
            assert own == sorted(own)


@pytest.mark.parametrize("kind", TABLE.values(), ids=list(TABLE))
def test_a_row_says_what_why_and_what_to_do(kind: Kind) -> None:
    assert kind.summary.strip()
    assert not kind.summary.endswith(".")
    assert kind.explanation.strip().endswith((".", "?"))
    assert kind.remedy.strip()
    assert kind.evidence.strip()
    assert kind.reference.strip()
    assert not kind.evidence.endswith(".")
    assert not kind.reference.endswith(".")
    made = finding(kind.code, "{subject}", "{detail}", "{remedy}")
    assert made.severity is kind.severity
    assert "\n" not in made.summary + made.remedy


@pytest.mark.parametrize("code", findings.refusal_codes())
def test_a_refusal_is_an_error(code: str) -> None:
    assert TABLE[code].severity is (Severity.CRITICAL if code == "MP414" else Severity.ERROR)  # that one loses data


def test_the_refusals() -> None:
    assert set(findings.refusal_codes()) == {
        "MP207",
        "MP307",
        "MP313",
        "MP405",
        "MP408",
        "MP409",
        "MP414",
        "MP415",
        "MP420",
        "MP426",
    }


@pytest.mark.parametrize(
    ("severity", "code"),
    [("info", Exit.OK), ("warning", Exit.OK), ("error", Exit.DEGRADED), ("critical", Exit.FAILED)],
)
def test_the_exit_of_a_severity(severity: str, code: Exit) -> None:
    assert Severity(severity).exit is code


def test_the_worst_counts() -> None:
    assert findings.worst(()) is Exit.OK
    assert findings.worst((finding("MP212", "x"), finding("MP305", "x"))) is Exit.OK
    assert findings.worst((finding("MP401", "x"), finding("MP402", "x"))) is Exit.FAILED


def test_a_code_is_found_in_any_case_and_an_unknown_one_gets_its_neighbours() -> None:
    assert findings.kind("mp401").code == "MP401"
    with pytest.raises(UnknownName) as caught:
        findings.kind("MP499")
    assert caught.value.exit is Exit.USAGE
    assert "MP401" in caught.value.hint
    assert "MP101" not in caught.value.hint
    with pytest.raises(UnknownName):
        findings.kind("{subject}")


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (Code.LOGIN_AUTH_FAILED, "MP302"),
        (Code.FATAL_LOGIN, "MP303"),
        (Code.TRANS_TIMEOUT, "MP301"),
        (124, "MP301"),
    ],
)
def test_what_a_failed_login_says(code: int, wanted: str) -> None:
    outcome = apply.Outcome(left=(LOGIN,), failed={apply.key(LOGIN): (LOGIN, "its last words", code)})
    (found,) = apply.findings(outcome)
    assert (found.code, found.subject) == (wanted, str(PAIR))
    assert "its last words" in found.detail


def test_a_login_that_came_true_after_all_says_nothing() -> None:
    outcome = apply.Outcome(failed={apply.key(LOGIN): (LOGIN, "x", 8)})
    assert apply.findings(outcome) == ()


def test_a_failed_step_says_what_it_was() -> None:
    steps = (ENABLE, WRITE)
    outcome = apply.Outcome(left=steps, failed={apply.key(s): (s, "no", 1) for s in steps})
    assert [(f.code, f.subject, f.detail) for f in apply.findings(outcome)] == [
        ("MP107", "systemctl enable x.service", "no"),
        ("MP107", "/proc/sys/x", "no"),
    ]
