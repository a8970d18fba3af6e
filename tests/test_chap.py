"""CHAP: what a plan does for it, in which order, and what becomes of it at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from fakes import HOMER_1, PORTAL_8, PORTAL_9

from mpio import apply, memory, plan, script, topology, view
from mpio.checks import sessions as of_sessions
from mpio.files import Files
from mpio.host import Host, Pair, Portal
from mpio.machine import Machine
from mpio.plan import ending, iscsi, leftovers
from mpio.plan.iscsi import CHAP_KEYS, DISCOVERY_CHAP_KEYS, SECRET
from mpio.plan.shape import ISCSID_CONF
from mpio.program import Done
from mpio.replay import Replay
from mpio.site import Chap
from mpio.step import Command, Note, Part, Step, Write
from mpio.tools import iscsiadm, iscsidb, iscsitext, keyfile, sysfs
from mpio.tools.iscsierr import Code

HOST = fakes.guide_host()
NEAR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)
NODE = next(n for n in HOST.nodes if n.pair == NEAR)
OF_SESSIONS = dict(zip(CHAP_KEYS, ("CHAP", "prague", "ocean-blue", "homer", "doughnut"), strict=True))
OF_DISCOVERY = dict(zip(DISCOVERY_CHAP_KEYS, ("CHAP", "disco", "sea-green", "homer", "doughnut"), strict=True))
ONE_WAY = dict(list(OF_DISCOVERY.items())[:3])
LOGIN = Chap("prague", "/etc/mpio/chap", "homer", "/etc/mpio/chap-in")
SITE, GUARDED = fakes.guide_site(), fakes.guide_site(chap=LOGIN, discovery_chap=LOGIN)
RECORDS = {p: f"/etc/iscsi/send_targets/{p.address},{p.port}/st_config" for p in (PORTAL_8, PORTAL_9)}
STOCK = "# BEGIN RECORD 2.1.8\ndiscovery.sendtargets.auth.authmethod = None\n# END RECORD\n"
RIGHT = iscsidb.record_text_with(STOCK, OF_DISCOVERY)
THEIRS = "node.session.auth.authmethod = None\nnode.startup = manual\n# END RECORD\n"


def guarded(host: Host, *texts: str) -> Host:
    """The host of a site with both logins, its discovery records with these texts."""
    files = {**host.files, **dict(zip(RECORDS.values(), texts, strict=False))}
    return replace(host, chap=OF_SESSIONS, discovery_chap=OF_DISCOVERY, discovery_records=RECORDS, files=files)


def of_discovery(steps: Iterable[Step]) -> list[str]:
    return [
        " ".join(step.argv[1:]) if isinstance(step, Command) else step.path
        for step in steps
        if step.part is Part.DISCOVERY
    ]


def carried_out(host: Host, steps: Iterable[Step]) -> Host:
    """The host with the texts that the steps write."""
    new = {s.path: s.text for s in steps if isinstance(s, Write)}
    nodes = (replace(n, settings={**n.settings, **iscsi.shown(new.get(n.path) or "")}) for n in host.nodes)
    return replace(host, files={**host.files, **new}, nodes=tuple(nodes))


def foreign(host: Host, text: str = THEIRS) -> Host:
    """Somebody else made the record of NEAR and the first portal's discovery record."""
    nodes = tuple(replace(n, settings={**n.settings, **iscsi.shown(text)}) if n.pair == NEAR else n for n in host.nodes)
    made = host.memory.made - {("record", str(NEAR)), ("discovery", str(PORTAL_8))}
    return replace(
        host, nodes=nodes, files={**host.files, NODE.path: text}, memory=replace(host.memory, made=frozenset(made))
    )


def test_nobody_is_asked_before_the_record_has_the_login() -> None:
    bare = guarded(fakes.bare_host())
    first = plan.steps(GUARDED, bare)
    assert not first.complete
    assert of_discovery(first.steps) == [f"-m discoverydb -t sendtargets -p {p} -o new" for p in RECORDS]
    assert [s.notes for s in first.steps if s.part is Part.DISCOVERY] == [(Note("discovery", str(p)),) for p in RECORDS]

    second = plan.steps(GUARDED, guarded(fakes.bare_host(), STOCK, STOCK))
    assert of_discovery(second.steps) == list(RECORDS.values())
    assert {s.text for s in second.steps if isinstance(s, Write) and s.path in RECORDS.values()} == {RIGHT}
    assert all(s.secret and s.mode == 0o600 for s in second.steps if isinstance(s, Write) and s.text == RIGHT)

    third = plan.steps(GUARDED, guarded(fakes.bare_host(), RIGHT, RIGHT))
    assert of_discovery(third.steps) == [
        f"-m discoverydb -t sendtargets -p {PORTAL_8} -I sw-iscsi-0 -I sw-iscsi-1 -o nonpersistent --discover"
    ]
    (asked,) = (s for s in third.steps if iscsiadm.is_discovery(s))
    assert isinstance(asked, Command)
    assert iscsiadm.portal_of(asked) == PORTAL_8


def test_a_portal_may_be_asked_once_its_record_has_the_login_and_no_other() -> None:
    host = guarded(HOST, RIGHT, iscsidb.record_text_with(RIGHT, {DISCOVERY_CHAP_KEYS[2]: "sea-blue"}))
    assert iscsi.may_ask_at(host, PORTAL_8)
    assert not iscsi.may_ask_at(host, PORTAL_9)
    assert not iscsi.may_ask_at(host, Portal("10.10.8.99"))
    assert iscsi.may_ask_at(HOST, PORTAL_8)


def test_an_excluded_portal_needs_no_record() -> None:
    site = fakes.guide_site(discovery_chap=LOGIN, exclude=(PORTAL_9,))
    assert [
        s.path for s in iscsi.discovery_records(site, guarded(HOST, STOCK, STOCK)).steps if isinstance(s, Write)
    ] == [RECORDS[PORTAL_8]]
    made = replace(HOST.memory, made=HOST.memory.made | {("discovery", str(PORTAL_9))})
    gone = leftovers.discoveries(site, replace(guarded(HOST, RIGHT, RIGHT), memory=made))
    assert of_discovery(gone.steps) == [f"-m discoverydb -t sendtargets -p {PORTAL_9} -o delete"]


def test_what_mutual_chap_added_goes_with_it() -> None:
    host = replace(guarded(HOST, RIGHT, RIGHT), discovery_chap=ONE_WAY)
    for step in iscsi.discovery_records(GUARDED, host).steps:
        assert isinstance(step, Write)
        assert {k: v for k, v in keyfile.values(step.text or "").items() if ".auth." in k} == ONE_WAY


def test_who_cannot_read_the_secrets_changes_none() -> None:
    secret = replace(NODE, settings={**NODE.settings, SECRET: iscsidb.MASK})
    text = iscsidb.record_text_with(THEIRS, OF_SESSIONS)
    host = replace(guarded(HOST, RIGHT, RIGHT), chap={}, discovery_chap={}, root=False)
    nodes = tuple(secret if n is NODE else n for n in HOST.nodes)
    host = replace(host, nodes=nodes, files={**host.files, NODE.path: text})
    assert plan.steps(GUARDED, host).steps == ()


def test_the_login_of_iscsid_conf_stays_in_the_records_of_a_site_that_names_none() -> None:
    conf = f"{HOST.files[ISCSID_CONF]}node.session.auth.username = me\nnode.session.auth.password = mine\n"
    secret = replace(NODE, settings={**NODE.settings, SECRET: iscsidb.MASK})
    text = "node.session.auth.username = me\nnode.session.auth.password = {}\n# END RECORD\n"
    host = replace(HOST, nodes=tuple(secret if n is NODE else n for n in HOST.nodes))
    for have, steps in (("mine", 0), ("another", 1)):
        seen = replace(host, files={**host.files, ISCSID_CONF: conf, NODE.path: text.format(have)})
        made = plan.steps(SITE, seen).steps
        assert len(made) == steps
        assert all(isinstance(s, Write) and s.text == text.format("mine") for s in made)
    gone = plan.steps(SITE, replace(host, files={**host.files, NODE.path: text.format("mine")}))
    assert [(s.why, s.text) for s in gone.steps if isinstance(s, Write)] == [
        (f"the record of {NEAR} has a CHAP login that the site does not name", "# END RECORD\n")
    ]


# -- what somebody else made ---------------------------------------------------------------------------------------


def remembered(host: Host, steps: Iterable[Step]) -> Host:
    return replace(host, memory=memory.noted(host.memory, (n for s in steps for n in s.notes)))


def given_back(host: Host) -> dict[str, str | None]:
    return {s.path: s.text for s in ending.teardown(host).steps if isinstance(s, Write) and s.secret}


def test_a_login_in_a_record_of_somebody_else_is_taken_out_again() -> None:
    before = foreign(guarded(HOST, STOCK, RIGHT))
    steps = plan.steps(GUARDED, before).steps
    assert RECORDS[PORTAL_8] in {s.path for s in steps if isinstance(s, Write)}
    after = carried_out(remembered(before, steps), steps)
    kept = memory.dump(after.memory)
    assert not any(word in kept for word in ("ocean-blue", "doughnut", "sea-green"))
    assert given_back(after) == {NODE.path: THEIRS, RECORDS[PORTAL_8]: STOCK}
    changed = iscsidb.record_text_with(after.files[NODE.path] or "", {CHAP_KEYS[1]: "somebody"})
    assert NODE.path not in given_back(replace(after, files={**after.files, NODE.path: changed}))


def test_a_secret_that_was_there_before_is_not_kept_and_not_lost_in_silence() -> None:
    before = foreign(guarded(HOST, STOCK, RIGHT), iscsidb.record_text_with(THEIRS, {SECRET: "their-own"}))
    steps = plan.steps(GUARDED, before).steps
    after = carried_out(remembered(before, steps), steps)
    assert "their-own" not in memory.dump(after.memory)
    assert NODE.path not in given_back(after)
    (said,) = ending.left_alone(after)
    assert SECRET in said
    assert not any(word in said for word in ("ocean-blue", "their-own"))
    changed = iscsidb.record_text_with(after.files[NODE.path] or "", dict.fromkeys(CHAP_KEYS))
    said = " ".join(ending.left_alone(replace(after, files={**after.files, NODE.path: changed})))
    assert "ocean-blue" not in said


def test_a_discovery_record_that_others_have_used_only_loses_its_login() -> None:
    made = replace(HOST.memory, made=HOST.memory.made | {("discovery", str(p)) for p in RECORDS})
    host = replace(guarded(HOST, RIGHT, RIGHT), memory=made, discovered_through=frozenset({PORTAL_8}))
    plain = iscsidb.record_text_with(RIGHT, dict.fromkeys(DISCOVERY_CHAP_KEYS))
    for steps in (leftovers.discoveries(SITE, host).steps, ending.teardown(host).steps):
        assert [s.text for s in steps if isinstance(s, Write) and s.path == RECORDS[PORTAL_8]] == [plain]
        assert [d for d in of_discovery(steps) if "discoverydb" in d] == [
            f"-m discoverydb -t sendtargets -p {PORTAL_9} -o delete"
        ]


# -- what is looked at and shown -----------------------------------------------------------------------------------


def test_a_session_with_another_login_is_told() -> None:
    first, second, *_ = HOST.sessions
    host = replace(HOST, old_chap=frozenset({first.sid}))
    found = tuple(of_sessions.findings(SITE, host, plan.steps(SITE, host)))
    assert [(f.code, f.detail) for f in found] == [("MP306", "the CHAP login is not the site's")]
    assert str(first.pair) in found[0].subject
    assert str(second.pair) not in found[0].subject


def test_the_login_of_a_session(tmp_path: Path) -> None:
    at = tmp_path / "sys/class/iscsi_session/session7"
    at.mkdir(parents=True)
    for name, said in {"username": "default", "password": "ocean", "username_in": "(null)"}.items():
        (at / name).write_text(f"{said}\n\n")
    assert sysfs.login_of(Files(str(tmp_path)), 7) == {}
    (at / "password_in").write_text("(null)\n\n")
    assert sysfs.login_of(Files(str(tmp_path)), 7) == {
        "username": "default",
        "password": "ocean",
        "username_in": "",
        "password_in": "",
    }


# As 2.1.8 and 2.1.11 say it, with exit code 19; the target's name is empty in a discovery.
UNPROVEN = (
    "iscsiadm: failing authentication, received incorrect CHAP response from target \n"
    """\
iscsiadm: Login authentication failed with target , Authentication request failed
iscsiadm: discovery login to 10.10.8.90 failed, giving up 5
iscsiadm: Could not perform SendTargets discovery: encountered non-retryable iSCSI login failure
"""
)
NOT_EVEN_TRIED = """\
iscsiadm: Login authentication failed with target , CHAP response expected
iscsiadm: discovery login to 10.10.8.90 failed, giving up 5
iscsiadm: Could not perform SendTargets discovery: encountered non-retryable iSCSI login failure
"""


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (UNPROVEN, Code.LOGIN_AUTH_FAILED, "failing authentication, received incorrect CHAP response from target"),
        (NOT_EVEN_TRIED, Code.LOGIN_AUTH_FAILED, "Login authentication failed with target , CHAP response expected"),
        ("iscsiadm: no such thing\n", Code.FATAL_LOGIN, "no such thing"),
    ],
)
def test_a_portal_that_does_not_prove_itself(said: str, code: Code, words: str) -> None:
    (step,) = iscsi.discovery(GUARDED, guarded(fakes.bare_host(), RIGHT, RIGHT)).steps
    assert isinstance(step, Command)
    asked = iscsiadm.discovery(
        Replay([Done(step.argv, 19, "", said)]), PORTAL_8, ["sw-iscsi-0", "sw-iscsi-1"], stored=True
    )
    assert (asked.code, asked.said) == (code, words)
    assert iscsitext.parse_discovery_refusal("") == ""


def test_a_secret_beside_a_change_is_not_shown() -> None:
    before = "node.session.auth.password = mine\nnode.startup = manual\n"
    step = Write(Part.TIMEOUTS, "it is manual", ISCSID_CONF, before.replace("manual", "automatic"), 0o600, before)
    assert "+node.startup = automatic" in view.diff(step)
    assert f" node.session.auth.password = {view.MASK}" in view.diff(step)
    told = script.runbook(plan.Plan((step,), True, plan.steps(SITE, HOST).pairs))
    assert "# +node.startup = automatic" in told
    for said in (view.diff(step), told, str(view.step(step))):
        assert "mine" not in said


# -- what an array that counts failures is spared -------------------------------------------------------------------


@pytest.mark.parametrize(("one_login", "tried"), [(True, 3), (False, 4)])
def test_what_a_target_refuses_is_not_sent_to_it_again(tmp_path: Path, one_login: bool, tried: int) -> None:
    """One pair of each target goes first; the other target takes the same login."""
    asked: list[str] = []

    def run(*argv: str, **_: object) -> Done:
        asked.append(" ".join(argv))
        wrong = HOMER_1 in argv
        return Done(argv, 24 if wrong else 0, "", "iscsiadm: initiator reported error (24 - x)\n" if wrong else "")

    steps = tuple(iscsiadm.login(n.pair, why="there is no session") for n in HOST.nodes)
    assert len(steps) == 4
    outcome = apply.Outcome(one_login=one_login)
    apply.carry_out(Machine(run, Files(str(tmp_path))), steps, outcome, lambda _step, _trouble: None)
    assert len(asked) == tried
    assert {s.argv for s, _, _ in outcome.failed.values() if isinstance(s, Command)} == {
        s.argv for s in steps if HOMER_1 in s.argv
    }
    outcome.left = tuple(step for step, _, _ in outcome.failed.values())
    assert [f.code for f in apply.findings(outcome)] == ["MP302"] * 2
    assert len(outcome.done) == 2


def test_a_portal_group_that_takes_the_login_is_tried_where_another_refuses_it(tmp_path: Path) -> None:
    """LIO has a login for each portal group of a target."""
    asked: list[str] = []

    def run(*argv: str, **_: object) -> Done:
        asked.append(" ".join(argv))
        wrong = str(PORTAL_8) in argv
        return Done(argv, 24 if wrong else 0, "", "iscsiadm: initiator reported error (24 - x)\n" if wrong else "")

    pairs = [Pair(f"sw-iscsi-{n}", portal, HOMER_1) for n in range(3) for portal in (PORTAL_8, PORTAL_9)]
    groups = {pair: 1 if pair.portal == PORTAL_8 else 2 for pair in pairs}
    outcome = apply.Outcome(one_login=True, plan=plan.Plan((), True, topology.Pairs(groups)))
    steps = [iscsiadm.login(pair, why="") for pair in pairs]
    apply.carry_out(Machine(run, Files(str(tmp_path))), steps, outcome, lambda _step, _trouble: None)
    assert len(asked) == 1 + 3
    assert {iscsiadm.pair_of(s) for s in outcome.done if isinstance(s, Command)} == {
        pair for pair in pairs if groups[pair] == 2
    }
    assert len(outcome.failed) == 3


def test_a_secret_in_a_comment_is_not_written_into_a_script() -> None:
    """Somebody took a login out of use; the stock file's samples are none."""
    samples = (f"#node.session.auth.{name} = {name}\n" for name in ("password", "password_in"))
    stock = "".join(samples) + "node.startup = manual\n"
    for text, secret in ((stock, ""), (f"{stock}# node.session.auth.password = former\n", "former")):
        step = Write(Part.TIMEOUTS, "it is manual", ISCSID_CONF, text.replace("manual", "automatic"), 0o600, text)
        told = script.runbook(plan.Plan((step,), True, plan.steps(SITE, HOST).pairs))
        assert ("by hand" in told) is bool(secret)
        assert not secret or secret not in told + view.diff(step)


def test_a_record_that_others_may_read_is_closed_again() -> None:
    host = guarded(HOST, RIGHT, RIGHT)
    assert iscsi.discovery_records(GUARDED, host).steps == ()
    loose = replace(host, loose_records=frozenset({RECORDS[PORTAL_8], NODE.path}))
    (step,) = iscsi.discovery_records(GUARDED, loose).steps
    assert isinstance(step, Write)
    assert (step.path, step.text, step.mode, step.secret) == (RECORDS[PORTAL_8], RIGHT, 0o600, True)
    assert "others may read" in step.why
    assert not plan.steps(SITE, replace(HOST, loose_records=frozenset({NODE.path}))).steps  # it holds no secret
