"""`mpio doctor` through its real entry; every look shows the guide's host, and every area what the test gives it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fakes
import pytest
from test_commands import FINDING_KEYS, HOST, Mpio, Shows, run, shows, site

from mpio import apply, diagnosis, findings, observe, plan
from mpio.commands import call
from mpio.diagnosis import mending
from mpio.diagnosis.disks import Disks
from mpio.errors import ProgramFailed
from mpio.host import Answer, Host
from mpio.observe import conf as observed
from mpio.observe import evidence
from mpio.plan import ending
from mpio.plan.shape import MULTIPATH_CONF
from mpio.step import Step

__all__ = ["run", "shows", "site"]

TOP = Path(__file__).parent.parent
GUIDE = TOP / "tests/conf/guide-multipath.conf"
LINK_LOST = replace(
    HOST,
    nics=(replace(HOST.nics[0], carrier=False), *HOST.nics[1:]),
    sessions=tuple(replace(s, state="FAILED") if s.nic == HOST.nics[0].name else s for s in HOST.sessions),
)
GONE = ending.sessions(HOST, HOST.sessions[:1]).steps
LOGGED_OUT = replace(
    fakes.carry_out(HOST, GONE),
    probes={(HOST.sessions[0].pair.iface, HOST.sessions[0].pair.portal): Answer.ANSWERED},
)


@pytest.fixture(autouse=True)
def nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """No area looks at the machine that runs the tests."""
    monkeypatch.setattr(evidence, "look", lambda *_: (diagnosis.Seen(), ()))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Mpio) -> Mpio:
    """A host that has no site file, and nobody names one."""
    monkeypatch.delenv("MPIO_SITE")
    monkeypatch.setattr(call, "SITE", str(tmp_path / "none.toml"))
    return run


def test_a_healthy_host_is_silent(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    said = run("doctor")
    assert (said.code, said.out) == (0, "")
    assert said.err == "nothing found\n"
    document = run("doctor", "-o", "json").json
    assert document == {"format": 1, "command": "doctor", "exit": 0, "findings": []}


def test_a_cause_comes_with_what_follows_from_it(run: Mpio, site: Path, shows: Shows) -> None:
    shows(LINK_LOST)
    document = run("doctor", "-o", "json")
    (found,) = document.json["findings"]
    assert document.code == document.json["exit"] == 4
    assert list(found) == [*FINDING_KEYS, "subjects", "symptoms"]
    assert (found["code"], found["subject"]) == ("MP203", HOST.nics[0].name)
    assert {s["code"] for s in found["symptoms"]} >= {"MP304", "MP402"}
    assert {s["subject"] for s in found["symptoms"]} | {found["subject"]} == set(found["subjects"])
    said = run("doctor")
    assert said.out.startswith(f"MP203 error  the NIC {HOST.nics[0].name} has no carrier\n")
    assert "hence: MP304" in said.out


def test_the_san_is_asked_only_where_something_is_wrong(
    run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[observe.Look] = []

    def show(host: Host) -> None:
        def look(_machine: object, _site: object, far: observe.Look, *_: object) -> Host:
            looks.append(far)
            return host

        shows(host)
        monkeypatch.setattr(observe, "host", look)

    show(HOST)
    run("doctor")
    assert looks == [observe.Look.VERIFY]
    show(LINK_LOST)
    run("doctor")
    assert looks[1:] == [observe.Look.VERIFY, observe.Look.PLAN]


def test_without_a_site_file_it_says_what_it_can(bare: Mpio, shows: Shows) -> None:
    shows(replace(HOST, stale_lock=True))
    assert [f["code"] for f in bare("doctor", "-o", "json").json["findings"]] == ["MP109"]


# -- what cannot look ----------------------------------------------------------------------------------------------

SEGFAULT = ProgramFailed("`multipathd show maps json` was ended by SIGSEGV", "")


@pytest.mark.parametrize("also_here", [True, False])
def test_a_line_that_ends_every_program_of_multipath_is_found(
    run: Mpio, site: Path, monkeypatch: pytest.MonkeyPatch, also_here: bool
) -> None:
    def look(_machine: object, _site: object, far: observe.Look, *_: object) -> Host:
        if also_here or far is not observe.Look.HERE:
            raise SEGFAULT
        return replace(
            HOST, units=tuple(replace(u, active="failed") if "multipathd" in u.name else u for u in HOST.units)
        )

    fatal = replace(diagnosis.Seen().conf, fatal=f"{MULTIPATH_CONF} line 2")
    monkeypatch.setattr(observe, "host", look)
    monkeypatch.setattr(observed, "look", lambda *_: fatal)
    monkeypatch.setattr(evidence, "look", lambda *_: (diagnosis.Seen(conf=fatal), ()))
    document = run("doctor", "-o", "json")
    assert (document.json["findings"][0]["code"], document.code) == ("MP525", 4)
    # nor is what can be seen then a ground for the plan's steps
    refused = run("doctor", "--fix", "MP104", "--yes", "-o", "json")
    assert (refused.code, refused.json.get("error", {}).get("code")) == ((4, None) if also_here else (1, "MP525"))
    # any other program that fails is no reason to judge the host as if it had no site file
    monkeypatch.setattr(observed, "look", lambda *_: diagnosis.Seen().conf)
    failed = run("doctor", "-o", "json")
    assert (failed.code, failed.json["error"]["message"]) == (1, SEGFAULT.message)


def test_who_is_not_root_is_told_so(run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    shows(HOST)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert run("doctor").code == 1
    said = run("doctor", "--nagios")
    assert (said.code, said.out.split(" - ")[0]) == (3, "MPIO UNKNOWN")


@pytest.mark.parametrize(
    ("host", "code", "word", "data"),
    [
        (HOST, 0, "OK", "critical=0;;;0 error=0;;;0 warning=0;;;0 info=0;;;0"),
        (LINK_LOST, 1, "WARNING", "critical=0;;;0 error=1;;;0 warning=0;;;0 info=0;;;0"),
        (replace(HOST, paths=(), maps=()), 2, "CRITICAL", "critical=1;;;0"),
    ],
    ids=["healthy", "degraded", "failed"],
)
def test_nagios(run: Mpio, site: Path, shows: Shows, host: Host, code: int, word: str, data: str) -> None:
    shows(host)
    said = run("doctor", "--nagios")
    assert (said.code, len(said.out.splitlines())) == (code, 1)
    assert said.out.startswith(f"MPIO {word} - ")
    assert data in said.out.partition(" | ")[2]


# -- --fix ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that a fix would start, in place of starting them."""
    ran: list[str] = []

    def carry_out(_machine: object, steps: Any, outcome: apply.Outcome, tell: Callable[..., None], **_: bool) -> None:
        for step in steps:
            ran.append(" ".join(getattr(step, "argv", ())) or step.path)
            tell(step, "")
            outcome.done.append(step)

    monkeypatch.setattr(apply, "carry_out", carry_out)
    monkeypatch.setattr(apply, "ready", lambda *_: None)
    monkeypatch.setattr(apply, "remember", lambda *_: None)
    monkeypatch.setattr("mpio.settle.after", lambda *_: None)
    monkeypatch.setattr("mpio.files.Files.sync", lambda *_: None)
    return ran


def test_a_fix_does_its_own_steps_alone(run: Mpio, site: Path, shows: Shows, carried: list[str]) -> None:
    shows(LOGGED_OUT)
    document = run("doctor", "--fix", "mp340", "--yes", "-o", "json").json
    assert carried
    assert all("--login" in line for line in carried)
    assert [s["part"] for s in document["done"]] == ["login"] * len(carried)
    assert document["findings"][0]["code"] == "MP340"  # this host does not change


def test_a_fix_by_the_plans_steps_is_refused_where_apply_is(
    run: Mpio, site: Path, shows: Shows, carried: list[str]
) -> None:
    shows(replace(LOGGED_OUT, strangers={LOGGED_OUT.paths[0].dev: "3600144f0ffffffffffffffffffffffff9"}))
    said = run("doctor", "--fix", "MP340", "--yes", "-o", "json")
    assert (said.code, said.json["error"]["code"], carried) == (1, "MP414", [])


def test_a_fix_that_fails_says_so(bare: Mpio, shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = HOST.maps
    shows(replace(HOST, stale_lock=True, maps=(replace(first, suspended=True), *others)))

    def one(_machine: object, step: Step, outcome: apply.Outcome, _tell: object) -> None:
        outcome.failed[apply.key(step)] = (step, "device or resource busy", 1)

    seen = diagnosis.Seen(disks=Disks(suspended=frozenset({first.dm})))
    monkeypatch.setattr(evidence, "look", lambda *_: (seen, ()))
    monkeypatch.setattr(apply, "_one", one)
    for name in ("note", "ready"):
        monkeypatch.setattr(apply, name, lambda *_: None)
    document = bare("doctor", "--fix", "MP423", "--yes", "-o", "json").json
    assert (document["done"], len(document["left"])) == ([], 1)
    assert (document["findings"][0]["code"], document["findings"][0]["detail"]) == ("MP107", "device or resource busy")


def test_a_fix_of_what_is_not_there_does_nothing(run: Mpio, site: Path, shows: Shows, carried: list[str]) -> None:
    shows(HOST)
    said = run("doctor", "--fix", "MP340", "-o", "json")
    assert (said.code, said.json["done"], carried) == (0, [], [])


def test_some_fixes_need_no_site(bare: Mpio, shows: Shows, carried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = HOST.maps
    seen = diagnosis.Seen(disks=Disks(suspended=frozenset({first.dm})))
    monkeypatch.setattr(evidence, "look", lambda *_: (seen, ()))
    shows(replace(HOST, maps=(replace(first, suspended=True), *others), stale_lock=True))
    assert bare("doctor", "--fix", "MP109", "--yes").code == 4
    assert carried == []  # the lock goes before any step
    bare("doctor", "--fix", "MP423", "--yes")
    assert carried == [f"dmsetup resume {first.name}"]
    said = bare("doctor", "--fix", "MP340", "--yes", "-o", "json")
    assert (said.code, said.json["error"]["code"]) == (2, "usage")


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["--fix", "MP999"], "unknown-name"),
        (["--fix", "MP401"], "usage"),
        (["--fix", "MP109", "--config", "/dev/null"], "usage"),
        (["--migrate"], "usage"),
        (["--config", "/nowhere"], "usage"),
        (["--config", "/dev/null"], "usage"),
        (["--config", str(TOP)], "usage"),
    ],
)
def test_bad_words(run: Mpio, site: Path, shows: Shows, argv: list[str], kind: str) -> None:
    shows(HOST)
    said = run("doctor", *argv, "-o", "json")
    assert (said.code, said.json["error"]["code"]) == (2, kind)


@pytest.mark.parametrize("argv", [("--fix", "MP109"), ("--frob",), ("extra",), ("-o", "xml")])
def test_to_nagios_bad_words_are_unknown(run: Mpio, argv: tuple[str, ...]) -> None:
    said = run("doctor", "--nagios", *argv)
    assert (said.code, said.err) == (3, "")
    assert said.out.startswith("MPIO UNKNOWN - ")


def test_a_fix_asks_first(run: Mpio, site: Path, shows: Shows, carried: list[str]) -> None:
    shows(LOGGED_OUT)
    said = run("doctor", "--fix", "MP340", "-o", "json")
    assert (said.code, said.json["error"]["code"], carried) == (2, "needs-yes", [])


def test_no_fix_takes_anything_away() -> None:
    """Whatever a plan has for a host that its site has left behind."""
    for host in (HOST, LOGGED_OUT, fakes.bare_host()):
        for site_ in (fakes.guide_site(), fakes.guide_site(luns=(), ifaces=fakes.guide_site().ifaces[:1])):
            made = plan.steps(site_, host)
            for code, steps in mending.FIXES.items():
                for step in steps(site_, host, made):
                    argv = getattr(step, "argv", ())
                    assert not {"--logout", "delete", "disable"} & set(argv), (code, argv)


def test_no_fix_edits_a_users_multipath_conf() -> None:
    """Contract 8, whatever a plan of this host has."""
    text = "defaults {\n udev_dir /dev\n verbosity 2\n verbosity 3\n}\n"
    host = replace(HOST, files={**HOST.files, MULTIPATH_CONF: text})
    made = plan.steps(fakes.guide_site(), host)
    for steps in mending.FIXES.values():
        assert MULTIPATH_CONF not in {getattr(s, "path", "") for s in steps(fakes.guide_site(), host, made)}


def test_every_fix_is_of_a_code() -> None:
    assert set(mending.FIXES) <= set(findings.TABLE)
    assert set(mending.FIXES) >= mending.ANYWHERE


# -- --config ------------------------------------------------------------------------------------------------------


def test_the_guides_file(run: Mpio) -> None:
    said = run("doctor", "--config", str(GUIDE), "-o", "json")
    codes = [f["code"] for f in said.json["findings"]]
    assert said.code == 4
    assert codes[0] == "MP507"
    assert {"MP503", "MP505", "MP510", "MP511", "MP512"} <= set(codes)
    assert all("line" in f["subject"] for f in said.json["findings"])


def test_the_guides_file_today(run: Mpio) -> None:
    said = run("doctor", "--config", str(GUIDE), "--migrate")
    assert said.code == 0
    assert said.out.count("alias hydra_") == 4
    assert json.loads(run("doctor", "--config", str(GUIDE), "--migrate", "-o", "json").out)["drop_in"] == said.out
