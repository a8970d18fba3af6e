"""`offline`, `online` and what other verbs say meanwhile, through their real entry. The host is the guide's, pretended;
what is remembered is a file."""

from __future__ import annotations

import datetime
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import HOMER_1, PORTAL_8
from test_commands import FINDING_KEYS, HOST, Mpio, Shows, run, shows, site, well_formed, wrong

from mpio import apply, cli, memory, observe, rest, settle, topology
from mpio.commands import call
from mpio.files import Files
from mpio.host import Answer, Host
from mpio.memory import Memory, Offline
from mpio.observe import states
from mpio.plan import timer
from mpio.step import Command, Step

__all__ = ["run", "shows", "site"]  # fixtures

PROGRAM = ("/usr/bin/python3", "-m", "mpio")
KEYS = ["name", "who", "since", "until", "logged_out", "pairs"]


class Prague:
    """The pretend host: `host` is what a look sees, `fails` are the words of a step that goes wrong."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.now = replace(HOST, program=PROGRAM)
        self.done: list[Step] = []
        self.fails = ""
        self.breaks = ""

    @property
    def kept(self) -> Memory:
        return memory.parse(self.files.text(memory.PATH))

    def host(self, *_: object) -> Host:
        kept = self.kept
        offline = memory.in_force(kept, datetime.datetime.now(datetime.UTC))
        seen = fakes.remembered(self.now)
        failed = frozenset(p.dev for p in seen.paths if p.dm_state == "failed")
        there = {path: self.now.files.get(path) for path in (timer.TIMER, timer.SERVICE)}
        seen = replace(seen, files={**seen.files, **there}, readable=failed)
        return replace(seen, memory=replace(seen.memory, offline=kept.offline), offline=offline)

    def carry_out(self, _: object, steps: Any, outcome: apply.Outcome, _tell: object, *, strict: bool = False) -> None:
        for step in steps:
            said = " ".join(step.argv) if isinstance(step, Command) else step.path
            if self.breaks and self.breaks in said:
                self.breaks = ""
                raise KeyboardInterrupt
            if self.fails and self.fails in said:
                outcome.failed[apply.key(step)] = (step, "no", 1)
                if strict:
                    return
                continue
            self.now = fakes.carry_out(self.now, [step])
            self.done.append(step)
            outcome.done.append(step)

    @property
    def in_use(self) -> set[str]:
        return {p.dev for p in self.now.paths if topology.usable(self.now, p)}

    @property
    def startup(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for node in self.now.nodes:
            found.setdefault(node.settings["node.startup"], set()).add(node.pair.iface)
        return found


@pytest.fixture
def prague(shows: Shows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Prague:
    made = Prague(Files(str(tmp_path / "root")))
    shows(HOST)
    monkeypatch.setattr(call, "Files", lambda: made.files)
    monkeypatch.setattr(observe, "host", made.host)
    monkeypatch.setattr(states, "by_kernel", lambda _, seen: seen)
    monkeypatch.setattr(apply, "remember", lambda *_: None)
    monkeypatch.setattr(apply, "carry_out", made.carry_out)
    monkeypatch.setattr(settle, "after", lambda *_: None)
    monkeypatch.setattr(settle, "while_moving", lambda _, look: look())
    monkeypatch.setenv("SUDO_USER", "moe")
    return made


WHOLE = {p.dev for p in HOST.paths}
ETH1 = {p.dev for p in HOST.paths if p.sid in {s.sid for s in HOST.sessions if s.nic == "eth1"}}


def test_offline_and_online(run: Mpio, site: Path, prague: Prague) -> None:
    assert run("offline", "eth1", "-o", "json").json["error"]["code"] == "needs-yes"
    assert (prague.kept, prague.done) == (Memory(), [])
    said = run("offline", "eth1", "--yes", "-o", "json")
    document = said.json
    assert (said.code, list(document)) == (0, ["format", "command", "exit", "done", "left", "findings", "offline"])
    well_formed(document["done"], document["findings"])
    assert (len(document["done"]), document["left"]) == (10, [])
    (one,) = document["offline"]
    assert list(one) == KEYS
    assert (one["name"], one["who"], one["until"], one["logged_out"], len(one["pairs"])) == (
        "eth1",
        "moe",
        None,
        False,
        2,
    )
    assert datetime.datetime.fromisoformat(one["since"]).tzinfo
    (found,) = document["findings"]
    assert (list(found), found["code"], found["subject"]) == (FINDING_KEYS, "MP316", "eth1")
    assert prague.in_use == WHOLE - ETH1
    assert prague.startup == {"manual": {"sw-iscsi-0"}, "automatic": {"sw-iscsi-1"}}

    verified = run("verify", "-o", "json")
    assert (verified.code, verified.json["state"], verified.json["drift"]) == (0, "healthy", [])
    assert [f["code"] for f in verified.json["findings"]] == ["MP316"]
    assert run("verify", "--nagios").code == 0
    assert run("plan").code == 0
    status = run("status", "-o", "json").json
    assert status["offline"] == document["offline"]
    assert {x["expected_paths"] for x in status["luns"]} == {2}
    text = run("status").out
    assert text.count("LOGGED_IN (offline)") == 2
    assert "offline by hand: eth1 by moe since " in text

    again = run("offline", "eth1", "-o", "json")
    assert (again.code, again.json["done"], again.json["offline"]) == (0, [], document["offline"])

    assert run("online", "eth1", "-o", "json").json["error"]["code"] == "needs-yes"
    said = run("online", "eth1", "--yes", "-o", "json")
    document = said.json
    assert (said.code, list(document)) == (
        0,
        ["format", "command", "exit", "done", "left", "findings", "online", "offline"],
    )
    assert (len(document["done"]), document["left"], document["findings"], document["offline"]) == (10, [], [], [])
    assert len(document["online"]) == 2
    assert (prague.in_use, set(prague.startup), prague.kept.offline) == (WHOLE, {"automatic"}, ())
    assert run("verify").code == 0
    idle = run("online", "eth1", "-o", "json")
    assert (idle.code, idle.json["done"], idle.json["online"]) == (0, [], [])


def test_what_is_said(run: Mpio, site: Path, prague: Prague) -> None:
    said = run("offline", "eth1", "--for", "2h", "--yes")
    assert said.out.startswith("mpio online eth1 brings it back before 20")
    assert "MP316 info  offline by hand: eth1" in said.out
    assert said.err.endswith("15 steps done, 0 left\n")
    assert run("offline", "eth2", "eth1", "--yes").code == 1


def test_the_other_nic_is_refused(run: Mpio, site: Path, prague: Prague) -> None:
    run("offline", "eth1", "--yes")
    kept, done = prague.kept, len(prague.done)
    said = wrong(run, ["offline", "eth2", "--yes"], 1, "MP409")
    assert all(m.name in said for m in HOST.maps)
    assert (prague.kept, len(prague.done)) == (kept, done)
    assert run("offline", "eth2", "--yes", "--force", "MP409").code == 0
    assert prague.in_use == set()
    assert run("verify").code == 5


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["offline"], "usage"),
        (["offline", "eth9", "--yes"], "unknown-name"),
        (["offline", "eth1", "--for", "soon"], "usage"),
        (["offline", "eth1", "--for", "0s"], "usage"),
        (["offline", "eth1", "--for", ""], "usage"),
        (["online"], "usage"),
        (["online", "--yes"], "usage"),
        (["online", "eth9", "--yes"], "unknown-name"),
    ],
)
def test_what_cannot_be_meant(run: Mpio, site: Path, prague: Prague, argv: list[str], kind: str) -> None:
    said = wrong(run, argv, 2, kind)
    if kind == "unknown-name":
        assert "eth1" in said
    assert (prague.done, prague.kept) == ([], Memory())


def test_a_name_of_the_site_that_nothing_goes_over(run: Mpio, site: Path, prague: Prague) -> None:
    text = site.read_text().replace('"10.10.9.90"', '"10.10.9.90", "10.10.9.91"', 1)
    site.write_text(text.replace('"10.10.9.90:3260"', '"10.10.9.90:3260", "10.10.9.91:3260"', 1))
    said = run("offline", "10.10.9.91", "--yes")
    assert (said.code, said.out) == (0, "nothing goes over 10.10.9.91\n")
    assert prague.kept == Memory()


@pytest.mark.parametrize("word", ["mpio-online.timer", "node.startup", "fail path sdb"])
def test_what_fails_on_the_way_is_undone(run: Mpio, site: Path, prague: Prague, word: str) -> None:
    prague.fails = word
    said = run("offline", "eth1", "--for", "1h", "--yes", "-o", "json")
    assert said.code == said.json["exit"] == 1
    assert "MP107" in {f["code"] for f in said.json["findings"]}
    assert (prague.in_use, prague.kept.offline, said.json["offline"]) == (WHOLE, (), [])
    assert prague.startup.keys() == {"automatic"}
    prague.fails = ""
    if word != "mpio-online.timer":
        assert prague.now.files[timer.TIMER] is None


@pytest.mark.parametrize("word", ["mpio-online.timer", "node.startup", "fail path sdb"])
def test_ctrl_c_on_the_way_is_undone(run: Mpio, site: Path, prague: Prague, word: str) -> None:
    prague.breaks = word
    assert cli.main(["offline", "eth1", "--for", "1h", "--yes"]) == 130
    assert (prague.in_use, prague.kept.offline, set(prague.startup)) == (WHOLE, (), {"automatic"})
    assert prague.now.files.get(timer.TIMER) is None


def test_a_path_that_the_device_mapper_still_uses(
    run: Mpio, site: Path, prague: Prague, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prague.host()
    monkeypatch.setattr(states, "by_kernel", lambda *_: before)
    said = run("offline", "eth1", "--yes", "-o", "json")
    assert (said.code, {f["code"] for f in said.json["findings"]}) == (1, {"MP107"})
    assert (prague.in_use, prague.kept.offline) == (WHOLE, ())


def test_logged_out_and_back(run: Mpio, site: Path, prague: Prague) -> None:
    said = run("offline", "10.10.8.90", "--logout", "--yes", "-o", "json")
    assert (said.code, said.json["offline"][0]["logged_out"]) == (0, True)
    assert {s.pair.portal for s in prague.now.sessions} != {PORTAL_8}
    assert len(prague.now.sessions) == 2
    assert run("verify").code == 0
    assert "offline by hand: 10.10.8.90 by moe" in run("status").out
    # a login leaves it alone
    refused = wrong(run, ["login", "10.10.8.90", "--yes"], 1, "MP317")
    assert "mpio online 10.10.8.90" in refused
    idle = run("login", "-o", "json")
    assert (idle.code, idle.json["done"], [f["code"] for f in idle.json["findings"]]) == (0, [], ["MP316"])
    part = run("login", "eth1", "--renew", "--yes", "-o", "json")
    assert HOMER_1 not in str(part.json["done"])
    assert run("online", "10.10.8.90", "--yes").code == 0
    assert len(prague.in_use) == len(WHOLE)
    assert run("verify").code == 0


def test_a_logout_that_fails_is_left(run: Mpio, site: Path, prague: Prague) -> None:
    prague.fails = "--logout"
    said = run("offline", "eth1", "--logout", "--yes", "-o", "json")
    assert (said.code, len(said.json["left"])) == (1, 2)
    assert prague.in_use == WHOLE - ETH1
    prague.fails = ""
    assert run("offline", "eth1", "--logout", "--yes").code == 0
    assert len(prague.now.sessions) == 2


def test_for_a_time(run: Mpio, site: Path, prague: Prague) -> None:
    document = run("offline", "eth1", "--for", "1h30m", "--yes", "-o", "json").json
    (one,) = document["offline"]
    until, since = map(datetime.datetime.fromisoformat, (one["until"], one["since"]))
    assert until - since == datetime.timedelta(minutes=90)
    text = prague.now.files[timer.TIMER]
    assert text
    assert f"OnCalendar={until.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC\n" in text
    service = prague.now.files[timer.SERVICE]
    assert service
    assert f"ExecStart=/usr/bin/python3 -m mpio online --due --yes --site {site}\n" in service
    assert run("verify").code == 0
    early = run("online", "--due", "--yes", "-o", "json")
    assert (early.code, early.json["done"]) == (0, [])

    (kept,) = prague.kept.offline
    past = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)).isoformat()
    prague.files.write(memory.PATH, memory.dump(Memory(offline=(replace(kept, until=past),))))
    over = run("verify", "-o", "json")
    assert (over.code, "MP316" in {f["code"] for f in over.json["findings"]}) == (4, False)
    # while it does not succeed it is not forgotten: the timer's service tries again
    prague.fails = "reinstate path sdb"
    failed = run("online", "--due", "--yes", "-o", "json")
    assert (failed.code, len(prague.kept.offline)) == (3, 1)
    prague.fails = ""
    back = run("online", "--due", "--yes", "-o", "json")
    assert (back.code, prague.kept.offline, prague.in_use) == (0, (), WHOLE)
    assert prague.now.files[timer.TIMER] is None
    assert prague.now.files[timer.SERVICE] is None
    assert run("verify").code == 0


if os.geteuid() == 0:  # to give a file to somebody else

    def test_for_a_time_takes_a_site_of_roots(
        run: Mpio, site: Path, prague: Prague, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The service that ends it has no SUDO_UID, and would refuse it."""
        monkeypatch.setenv("SUDO_UID", "65534")
        os.chown(site, 65534, 0)
        said = run("offline", "eth1", "--for", "1h", "--yes")
        assert (said.code, prague.kept.offline) == (2, ())
        assert "owned by user 65534" in said.err
        assert run("offline", "eth1", "--yes").code == 0


def test_online_forgets_what_cannot_come_back_yet(run: Mpio, site: Path, prague: Prague) -> None:
    run("offline", "eth1", "--yes")
    prague.fails = "reinstate path sdb"
    said = run("online", "eth1", "--yes", "-o", "json")
    assert (said.code, prague.kept.offline) == (3, ())
    assert {"MP404", "MP107"} <= {f["code"] for f in said.json["findings"]}
    assert len(said.json["left"]) == 1


def test_again_with_another_end_and_by_somebody_else(
    run: Mpio, site: Path, prague: Prague, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("offline", "eth1", "--yes")
    monkeypatch.setenv("SUDO_USER", "maude")
    same = run("offline", "eth1", "--yes", "-o", "json").json["offline"][0]
    assert same["who"] == "moe"
    later = run("offline", "eth1", "--for", "2h", "--yes", "-o", "json").json["offline"][0]
    assert (later["who"], bool(later["until"])) == ("maude", True)
    ever = run("offline", "eth1", "--yes", "-o", "json").json["offline"][0]
    assert ever["until"] is None
    assert prague.now.files[timer.TIMER] is None


def test_a_name_that_means_something_else_by_now(run: Mpio, site: Path, prague: Prague) -> None:
    """Session numbers begin anew at boot: what was taken offline as sid:1 stays so."""
    one, other = (str(s.pair) for s in HOST.sessions[:2])
    first = Offline(f"sid:{HOST.sessions[1].sid}", frozenset({one}), "moe", rest.moments(None)[0], None, True)
    prague.files.write(memory.PATH, memory.dump(Memory(offline=(first,))))
    (kept,) = run("offline", first.name, "--yes", "-o", "json").json["offline"]
    assert (kept["pairs"], kept["logged_out"]) == (sorted((one, other)), True)


def test_what_comes_back_by_itself_is_not_forgotten_before_it_is_there(run: Mpio, site: Path, prague: Prague) -> None:
    run("offline", "eth1", "--for", "1h", "--logout", "--yes")
    (kept,) = prague.kept.offline
    past = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)).isoformat()
    prague.files.write(memory.PATH, memory.dump(Memory(offline=(replace(kept, until=past),))))
    pairs = {s.pair for s in HOST.sessions if s.nic == "eth1"}
    prague.now = replace(prague.now, probes={(p.iface, p.portal): Answer.SILENT for p in pairs})
    silent = run("online", "--due", "--yes", "-o", "json")
    assert (silent.code, silent.json["left"], len(prague.kept.offline)) == (3, [], 1)


def test_a_part_comes_back(run: Mpio, site: Path, prague: Prague) -> None:
    run("offline", "eth1", "--yes")
    said = run("online", "10.10.8.90", "--yes", "-o", "json")
    assert (said.code, len(said.json["online"]), len(said.json["offline"][0]["pairs"])) == (0, 1, 1)
    assert run("verify").code == 0
    assert {x["expected_paths"] for x in run("status", "-o", "json").json["luns"]} == {3}


def test_who(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "moe")
    assert rest.who() == "moe"
    monkeypatch.delenv("SUDO_USER")
    assert rest.who()
    assert Offline("a", frozenset(), "b", rest.moments(None)[0]).since.count("T") == 1
