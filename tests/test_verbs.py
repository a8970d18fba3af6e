"""The one-step verbs through their real entry: exit codes, JSON, what is said. The host is the guide's, pretended."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import HOMER_1, HOMER_2, PORTAL_8, PORTAL_9
from test_commands import FINDING_KEYS, HOST, SITE, Mpio, Shows, run, shows, site, well_formed, wrong

from mpio import apply, memory, observe, settle, topology
from mpio.host import Answer, Asked, Host, Iface
from mpio.observe import kernel, portals
from mpio.plan import renewing
from mpio.tools import sysfs

__all__ = ["run", "shows", "site"]  # fixtures

IFACE_KEYS = ["name", "nic", "hwaddress", "addresses", "mtu", "carrier", "rp_filter"]
SLOW = {"noop_interval = 5": "noop_interval = 7"}
FIRST = f"sw-iscsi-0 -> {PORTAL_8} {HOMER_1}"


@pytest.fixture
def acts(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> list[Host]:
    """The pretend host as it is now, the last of the list; steps are carried out on it."""
    now = [HOST]
    shows(HOST)
    monkeypatch.setattr(observe, "host", lambda *_: fakes.remembered(now[-1]))
    monkeypatch.setattr(apply, "remember", lambda *_: None)
    monkeypatch.setattr(settle, "after", lambda *_: None)

    def carry_out(_: object, steps: Any, outcome: apply.Outcome, _tell: object, *, strict: bool = False) -> None:
        for step in steps:
            now.append(fakes.carry_out(now[-1], [step]))
            outcome.done.append(step)

    monkeypatch.setattr(apply, "carry_out", carry_out)
    return now


@pytest.fixture
def nics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysfs, "nic_names", lambda _: ("eth1", "eth2", "lo"))


def change(site: Path, words: dict[str, str]) -> None:
    text = site.read_text()
    for old, new in words.items():
        assert old in text
        text = text.replace(old, new)
    site.write_text(text)


# -- iface ---------------------------------------------------------------------------------------------------------


def test_iface_list(run: Mpio, site: Path, shows: Shows) -> None:
    extra = Iface("extra", "eth2")
    shows(replace(HOST, ifaces=(HOST.ifaces[0], extra)))
    said = run("iface", "list", "-o", "json")
    document = said.json
    assert (said.code, said.err) == (0, "")
    assert list(document) == ["format", "command", "exit", "site", "ifaces", "missing"]
    assert document["command"] == "iface list"
    assert [list(i) for i in document["ifaces"]] == [[*IFACE_KEYS, "sessions", "records", "ours", "site_nic"]] * 2
    told = [(i["name"], i["nic"], i["sessions"], i["records"], i["ours"], i["site_nic"]) for i in document["ifaces"]]
    assert told == [("sw-iscsi-0", "eth1", 2, 2, True, "eth1"), ("extra", "eth2", 0, 0, False, None)]
    assert document["missing"] == [{"name": "sw-iscsi-1", "nic": "eth2"}]
    text = run("iface", "list")
    assert text.code == 0
    assert [line.split()[0::9] for line in text.out.splitlines()] == [
        ["IFACE"],
        ["sw-iscsi-0"],
        ["extra"],
        ["sw-iscsi-1"],
    ]
    assert [line.split()[-1] for line in text.out.splitlines()] == ["SITE", "yes", "no", "missing"]


def test_iface_list_without_a_site(run: Mpio, shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPIO_SITE")
    monkeypatch.setattr("mpio.commands.call.SITE", "/nonexistent/site.toml")
    shows(HOST)
    document = run("iface", "list", "-o", "json").json
    assert (document["site"], document["missing"]) == (None, [])
    assert {i["site_nic"] for i in document["ifaces"]} == {None}
    assert [line.split()[-1] for line in run("iface", "list").out.splitlines()] == ["SITE", "-", "-"]


def test_iface_list_needs_to_see_the_records(run: Mpio, site: Path, shows: Shows) -> None:
    shows(replace(HOST, ifaces=(), blind=(kernel.IFACES,)))
    assert "the iface records" in wrong(run, ["iface", "list"], 1, "not-allowed")


def test_iface_add_and_remove(run: Mpio, site: Path, acts: list[Host], nics: None) -> None:
    said = run("iface", "add", "extra", "eth2", "--yes", "-o", "json")
    document = said.json
    assert list(document) == ["format", "command", "exit", "done", "left", "findings"]
    assert (said.code, document["command"], len(document["done"]), document["left"]) == (0, "iface add", 2, [])
    well_formed(document["done"], document["findings"])
    assert [(f["code"], f["subject"]) for f in document["findings"]] == [("MP312", "extra")]
    assert acts[-1].ifaces[-1] == Iface("extra", "eth2")
    assert acts[-1].memory.has("iface", "extra")

    again = run("iface", "add", "extra", "eth2", "-o", "json")  # nothing to do needs no --yes
    assert (again.code, again.json["done"]) == (0, [])
    assert "extra exists with another binding: bound to eth2, not eth1" in wrong(
        run, ["iface", "add", "extra", "eth1", "--yes"], 1, "MP309"
    )

    gone = run("iface", "remove", "extra", "--yes", "-o", "json")
    assert (gone.code, gone.json["command"], len(gone.json["done"]), gone.json["findings"]) == (
        0,
        "iface remove",
        1,
        [],
    )
    assert acts[-1].ifaces == HOST.ifaces


def test_iface_add_of_one_that_the_site_has(run: Mpio, site: Path, acts: list[Host], nics: None) -> None:
    said = run("iface", "add", "sw-iscsi-0", "eth1", "-o", "json")
    assert (said.code, said.json["done"], said.json["findings"]) == (0, [], [])


@pytest.mark.parametrize(
    ("name", "nic", "kind", "about"),
    [
        ("default", "eth1", "usage", "open-iscsi's own"),
        ("a/b", "eth1", "usage", "no iface name"),
        ("eth2", "eth1", "usage", "is the name of a NIC"),
        ("extra", "eth 1", "usage", "no NIC name"),
        ("extra", "eth3", "unknown-name", "eth1"),
    ],
)
def test_iface_add_of_a_name_that_cannot_be(
    run: Mpio, site: Path, acts: list[Host], nics: None, name: str, nic: str, kind: str, about: str
) -> None:
    assert about in wrong(run, ["iface", "add", name, nic, "--yes"], 2, kind)
    assert len(acts) == 1


def test_an_iface_that_was_not_bound_after_all(
    run: Mpio, site: Path, acts: list[Host], nics: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """iscsiadm ends with 0 and binds nothing."""
    monkeypatch.setattr(apply, "carry_out", lambda _, steps, outcome, *__, **___: outcome.done.extend(steps))
    said = run("iface", "add", "extra", "eth2", "--yes", "-o", "json")
    assert said.code == said.json["exit"] == 1
    assert [(f["code"], f["detail"]) for f in said.json["findings"]] == [
        ("MP107", "the record of extra does not say eth2")
    ]
    assert len(said.json["left"]) == 2


def test_iface_remove_of_one_in_use_and_of_one_unknown(run: Mpio, site: Path, acts: list[Host]) -> None:
    said = wrong(run, ["iface", "remove", "sw-iscsi-0", "--yes"], 1, "MP314")
    assert "session 1 to 10.10.8.90:3260" in said
    assert "--force" not in said
    assert "sw-iscsi-1" in wrong(run, ["iface", "remove", "sw-iscsi-9", "--yes"], 2, "unknown-name")
    assert len(acts) == 1


def test_iface_remove_of_somebody_elses_records(run: Mpio, site: Path, acts: list[Host]) -> None:
    acts.append(replace(HOST, sessions=(), paths=(), maps=(), memory=memory.Memory()))
    assert "--force MP313" in wrong(run, ["iface", "remove", "sw-iscsi-0", "--yes"], 1, "MP313")
    said = run("iface", "remove", "sw-iscsi-0", "--yes", "--force", "MP313", "-o", "json")
    assert said.code == 0
    assert [f["code"] for f in said.json["findings"]] == ["MP312"]
    assert {n.pair.iface for n in acts[-1].nodes} == {"sw-iscsi-1"}


@pytest.mark.parametrize("argv", [["iface", "add", "extra", "eth2"], ["iface", "remove", "extra"]])
def test_a_change_of_an_iface_wants_a_yes(run: Mpio, site: Path, acts: list[Host], nics: None, argv: list[str]) -> None:
    if argv[1] == "remove":
        acts.append(replace(HOST, ifaces=(*HOST.ifaces, Iface("extra", "eth2"))))
    before = len(acts)
    assert run(*argv, "-o", "json").json["error"]["code"] == "needs-yes"
    assert len(acts) == before


# -- discover ------------------------------------------------------------------------------------------------------

ANSWER = Asked(PORTAL_8, ("sw-iscsi-0", "sw-iscsi-1"), 0, "", fakes.SAN.targets)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Host]:
    """What a look at the portals gives; `seen` is the host that it was given."""
    given = {"host": replace(HOST, asked=(ANSWER, replace(ANSWER, portal=PORTAL_9)))}

    def look(_machine: object, _site: object, seen: Host, _wanted: object) -> Host:
        given["seen"] = seen
        return given["host"]

    monkeypatch.setattr(portals, "look", look)
    return given


def test_discover(run: Mpio, site: Path, shows: Shows, answers: dict[str, Host]) -> None:
    shows(HOST)
    said = run("discover", "-o", "json")
    document = said.json
    assert (said.code, said.err) == (0, "")
    assert list(document) == ["format", "command", "exit", "asked", "findings"]
    assert [list(a) for a in document["asked"]] == [["portal", "ifaces", "code", "said", "silent", "found"]] * 2
    assert document["asked"][0] == {
        "portal": "10.10.8.90:3260",
        "ifaces": ["sw-iscsi-0", "sw-iscsi-1"],
        "code": 0,
        "said": None,
        "silent": {},
        "found": [
            {"portal": "10.10.8.90:3260", "tpgt": 2, "target": HOMER_1, "wanted": True, "why": None},
            {"portal": "10.10.9.90:3260", "tpgt": 3, "target": HOMER_2, "wanted": True, "why": None},
        ],
    }
    text = run("discover")
    assert text.code == 0
    assert text.out.count("takes it") == 4


def test_discover_of_what_the_site_leaves_out(run: Mpio, site: Path, shows: Shows, answers: dict[str, Host]) -> None:
    change(site, {"iqn.2011-09.dom.homer:*": "iqn.2011-09.dom.homer:01:*"})
    shows(HOST)
    wanted = [f["wanted"] for a in run("discover", "-o", "json").json["asked"] for f in a["found"]]
    assert wanted == [True, False] * 2
    assert "leaves it out: no glob in san.targets takes it" in run("discover").out


def test_discover_with_a_dead_portal(run: Mpio, site: Path, shows: Shows, answers: dict[str, Host]) -> None:
    shows(HOST)
    probes = {("sw-iscsi-0", PORTAL_9): Answer.SILENT, ("sw-iscsi-1", PORTAL_9): Answer.SILENT}
    answers["host"] = replace(HOST, asked=(ANSWER,), probes=probes)
    said = run("discover", "-o", "json")
    assert said.code == said.json["exit"] == 1
    assert [(f["code"], f["subject"]) for f in said.json["findings"]] == [("MP210", f"portal {PORTAL_9}")]
    assert [list(f) for f in said.json["findings"]] == [FINDING_KEYS]
    dead: dict[str, Any] = {"portal": str(PORTAL_9), "ifaces": [], "code": None, "said": None, "found": []}
    assert said.json["asked"][1] == {**dead, "silent": {"sw-iscsi-0": "silent", "sw-iscsi-1": "silent"}}
    assert "no answer" in run("discover").out


@pytest.mark.parametrize(("code", "exits"), [(0, 0), (21, 0), (24, 1)])
def test_discover_is_fine_where_every_portal_was_asked(
    run: Mpio, site: Path, shows: Shows, answers: dict[str, Host], code: int, exits: int
) -> None:
    """That a portal has no target at all is an answer, a refused login is none."""
    shows(HOST)
    answers["host"] = replace(HOST, asked=(ANSWER, Asked(PORTAL_9, ("sw-iscsi-0",), code)))
    assert run("discover", "-o", "json").code == exits


def test_discover_of_what_is_no_portal(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    assert "homer.dom" in wrong(run, ["discover", "homer.dom"], 2, "usage")


def test_discover_needs_ifaces(run: Mpio, site: Path, shows: Shows) -> None:
    shows(replace(HOST, ifaces=()))
    assert "mpio iface add" in wrong(run, ["discover"], 1, "could-not")


def test_discover_starts_iscsid_only_where_it_was_agreed_to(
    run: Mpio, site: Path, acts: list[Host], answers: dict[str, Host]
) -> None:
    acts.append(replace(HOST, units=fakes.bare_host().units))
    before = len(acts)
    assert run("discover", "-o", "json").json["error"]["code"] == "needs-yes"
    assert len(acts) == before
    assert run("discover", "--yes").code == 0
    assert fakes.runs(acts[-1], "iscsid.service")


def test_discover_takes_root(run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    shows(HOST)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "asks through iscsiadm" in wrong(run, ["discover"], 1, "not-root")


# -- tune ----------------------------------------------------------------------------------------------------------


def test_tune_heals_settings_and_says_what_a_login_must_bring(run: Mpio, site: Path, acts: list[Host]) -> None:
    change(site, SLOW)
    acts.append(replace(acts[-1], sessions=tuple(replace(s, recovery_tmo=44) for s in HOST.sessions)))
    assert run("tune", "-o", "json").json["error"]["code"] == "needs-yes"
    said = run("tune", "--yes", "-o", "json")
    document = said.json
    assert list(document) == ["format", "command", "exit", "done", "left", "findings", "seconds"]
    assert (said.code, document["left"]) == (0, [])
    assert {s["part"] for s in document["done"]} == {"timeouts", "discovery"}
    assert [f["code"] for f in document["findings"]] == ["MP306"] * 4
    assert all("mpio login --renew" in f["remedy"] for f in document["findings"])
    assert {s.recovery_tmo for s in acts[-1].sessions} == {10}
    assert {n.settings["node.conn[0].timeo.noop_out_interval"] for n in acts[-1].nodes} == {"7"}
    assert {s.sid for s in acts[-1].sessions} == {s.sid for s in HOST.sessions}


def test_tune_leaves_what_is_not_its_own(run: Mpio, site: Path, acts: list[Host]) -> None:
    acts.append(replace(HOST, sessions=HOST.sessions[1:]))
    said = run("tune", "-o", "json")
    assert (said.code, said.json["done"]) == (0, [])
    assert run("apply", "--yes", "-o", "json").json["done"]


def test_tune_that_would_rename_an_open_map(run: Mpio, site: Path, acts: list[Host]) -> None:
    change(site, {"hydra_apps-a01": "other"})
    acts.append(replace(HOST, maps=tuple(replace(m, open_count=1) for m in HOST.maps)))
    wrong(run, ["tune", "--yes"], 1, "MP405")


def test_tune_registers_nothing_and_makes_no_routes(run: Mpio, site: Path, acts: list[Host]) -> None:
    acts.append(replace(HOST, registered=frozenset()))
    said = run("tune", "-o", "json")
    assert (said.code, said.json["done"], said.json["left"]) == (0, [], [])


# -- login ---------------------------------------------------------------------------------------------------------


def test_a_login_on_a_bare_host_is_not_fine(run: Mpio, site: Path, shows: Shows) -> None:
    shows(fakes.look(SITE, fakes.bare_host()))
    for argv in ([], ["eth1"]):
        said = run("login", *argv, "-o", "json")
        assert (said.code, [f["code"] for f in said.json["findings"]]) == (3, ["MP315"])
    assert run("login").err == "nothing was done\n"


def test_a_login_makes_no_record(run: Mpio, site: Path, acts: list[Host]) -> None:
    acts.append(replace(HOST, sessions=HOST.sessions[1:], nodes=HOST.nodes[1:]))
    said = run("login", "--yes", "-o", "json")
    assert (said.code, said.json["done"], [f["code"] for f in said.json["findings"]]) == (3, [], ["MP315"])


def test_a_login_of_what_is_missing(run: Mpio, site: Path, acts: list[Host]) -> None:
    first = HOST.sessions[0]
    acts.append(fakes.carry_out(HOST, renewing.away(SITE, HOST, topology.pairs(SITE, HOST), first.pair)))
    acts.append(fakes.carry_out(acts[-1], [renewing.out(first.pair)]))
    said = run("login", "--yes", "-o", "json")
    assert (said.code, [s["argv"][-1] for s in said.json["done"]], said.json["left"]) == (0, ["--login"], [])
    assert "renewed" not in said.json


def test_an_interrupted_verb_says_so(run: Mpio, site: Path, acts: list[Host], monkeypatch: pytest.MonkeyPatch) -> None:
    def host(*_: object) -> Host:
        raise KeyboardInterrupt

    monkeypatch.setattr(observe, "host", host)
    for argv in (["login", "--renew", "--yes"], ["plan"]):
        assert "run the same verb again" in wrong(run, argv, 130, "interrupted")


SAME_SUBNET = (HOST.nics[0], replace(HOST.nics[1], addresses=("10.10.8.15/24",)))


@pytest.mark.parametrize("argv", [["login"], ["login", "--renew", "sid:1"]])
def test_no_login_over_two_nics_of_one_subnet(run: Mpio, site: Path, acts: list[Host], argv: list[str]) -> None:
    """As plan, apply and tune refuse it; before anything is asked."""
    sessions = HOST.sessions if "--renew" in argv else HOST.sessions[1:]
    acts.append(replace(HOST, nics=SAME_SUBNET, sessions=sessions))
    before = len(acts)
    assert "eth1 and eth2" in wrong(run, argv, 1, "MP207")
    assert len(acts) == before
    forced = run(*argv, "--yes", "--force", "MP207", "-o", "json")
    assert [s["argv"][-1] for s in forced.json["done"] if "--login" in s["argv"]] == ["--login"]


def test_renew_brings_the_timers(run: Mpio, site: Path, acts: list[Host]) -> None:
    change(site, SLOW)
    assert run("login", "--renew", "-o", "json").json["error"]["code"] == "needs-yes"
    said = run("login", "--renew", "--yes", "-o", "json")
    document = said.json
    assert list(document) == ["format", "command", "exit", "done", "left", "findings", "renewed", "current"]
    assert (said.code, len(document["renewed"]), document["current"], document["left"]) == (0, 4, 0, [])
    assert {s.noop_interval for s in acts[-1].sessions} == {7}
    text = run("login", "--renew")
    assert text.err == "0 sessions renewed, 4 were as they should be\nnothing to do\n"


def test_renew_of_what_is_named(run: Mpio, site: Path, acts: list[Host]) -> None:
    said = run("login", "--renew", "sid:1", "--yes", "-o", "json")
    assert (said.code, said.json["renewed"], said.json["current"]) == (0, [FIRST], 0)


def test_renew_that_would_take_a_last_path(run: Mpio, site: Path, acts: list[Host]) -> None:
    first, *others = HOST.sessions
    acts.append(replace(HOST, sessions=(first, *(replace(s, state="FAILED") for s in others))))
    before = len(acts)
    wrong(run, ["login", "--renew", "sid:1"], 1, "MP409")  # before it is asked for a yes
    said = wrong(run, ["login", "--renew", "sid:1", "--yes"], 1, "MP409")
    assert "hydra_apps-a01" in said
    assert "--force MP409" in said
    assert len(acts) == before
    forced = run("login", "--renew", "sid:1", "--yes", "--force", "MP409", "-o", "json")
    assert (forced.code, forced.json["renewed"]) == (0, [FIRST])


def test_renew_leaves_foreign_sessions_alone(run: Mpio, site: Path, acts: list[Host]) -> None:
    foreign = replace(HOST.sessions[0], sid=9, pair=replace(HOST.sessions[0].pair, iface="default"))
    acts.append(replace(HOST, sessions=(*HOST.sessions, foreign)))
    said = run("login", "--renew", "sid:9", "-o", "json")
    assert (said.code, said.json["renewed"], [f["code"] for f in said.json["findings"]]) == (0, [], ["MP305"])


def test_renew_needs_a_record_to_come_back_with(run: Mpio, site: Path, acts: list[Host]) -> None:
    acts.append(replace(HOST, nodes=HOST.nodes[1:]))
    gone = HOST.nodes[0].pair
    sid = next(s.sid for s in HOST.sessions if s.pair == gone)
    said = run("login", "--renew", f"sid:{sid}", "-o", "json")
    assert (said.code, said.json["renewed"], said.json["done"]) == (3, [], [])
    assert [(f["code"], f["subject"]) for f in said.json["findings"]] == [("MP315", str(gone))]
