"""Renewals carried out on the pretend host: one at a time, and no further than the first that goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import fakes
import pytest

from mpio import apply, observe, renew, settle, topology
from mpio.files import Files
from mpio.host import Host, Pair
from mpio.machine import Machine
from mpio.plan import renewing
from mpio.run import Runner
from mpio.site import Timeouts
from mpio.step import Command, Step

SITE = fakes.guide_site(timeouts=Timeouts(noop_interval=7, noop_timeout=8))
START = fakes.guide_host()
PAIRS = topology.pairs(SITE, START)
ALL = tuple(PAIRS.planned)
MACHINE = Machine(Runner(), Files("/nonexistent"))  # no session in its /sys


@dataclass
class Stage:
    """The host as it is now, each step that was carried out, and what happens instead of one."""

    now: Host = START
    ran: list[str] = field(default_factory=list)
    instead: Callable[[Stage, str], bool] = lambda *_: False
    worst: int = 99  # the fewest usable paths that any map ever had

    def carry_out(
        self, _machine: object, steps: Sequence[Step], outcome: apply.Outcome, _tell: object, *, strict: bool = False
    ) -> None:
        for step in steps:
            said = " ".join(step.argv) if isinstance(step, Command) else step.path
            self.ran.append(said)
            if self.instead(self, said):
                outcome.failed[apply.key(step)] = (step, "it did not work", 1)
                if strict:
                    return
                continue
            self.now = fakes.carry_out(self.now, [step])
            outcome.done.append(step)
            counts = [sum(topology.usable(self.now, p) for p in self.now.paths if p.dm == m.dm) for m in self.now.maps]
            self.worst = min(self.worst, *counts)

    def renewed(self, *due: Pair, forced: frozenset[str] = frozenset()) -> tuple[renew.Renewal, apply.Outcome]:
        outcome = apply.Outcome(host=self.now)
        asked = renew.Asked(due or ALL, PAIRS, forced)
        return renew.sessions(MACHINE, SITE, asked, outcome, lambda *_: None), outcome

    def tails(self) -> list[str]:
        return [line.split()[-1] for line in self.ran if line.split()[-1] in ("--login", "--logout")]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage()
    monkeypatch.setattr(observe, "host", lambda *_: made.now)
    monkeypatch.setattr(apply, "carry_out", made.carry_out)
    monkeypatch.setattr(settle, "after", lambda *_: None)
    monkeypatch.setattr(settle, "until", lambda met, _limit: met())
    return made


def timers(host: Host) -> list[tuple[int | None, int | None]]:
    return [(s.noop_interval, s.noop_timeout) for s in host.sessions]


def test_each_session_is_made_anew_while_the_others_stand(stage: Stage) -> None:
    renewal, outcome = stage.renewed()
    assert (tuple(renewal.renewed), renewal.refused, renewal.found, outcome.left) == (ALL, (), (), ())
    assert stage.tails() == ["--logout", "--login"] * 4
    assert stage.worst == 3
    assert timers(stage.now) == [(7, 8)] * 4
    assert len(outcome.done) == len(stage.ran)


def test_it_stops_at_a_login_that_fails_and_says_what_is_left(stage: Stage) -> None:
    stage.instead = lambda me, said: said.endswith("--login") and me.tails().count("--login") == 2
    renewal, outcome = stage.renewed()
    assert renewal.renewed == [ALL[0]]
    assert stage.tails() == ["--logout", "--login", "--logout", "--login"]
    assert [s.argv for s in outcome.left if isinstance(s, Command)] == [
        renewing.enter(ALL[1]).argv,
        *(x.argv for p in ALL[2:] for x in (renewing.out(p), renewing.enter(p))),
    ]
    assert [f.code for f in apply.findings(outcome)] == ["MP301"]
    # and the next login heals
    assert [s.argv for s in renewing.ready(SITE, stage.now, PAIRS, ALL)] == [renewing.enter(ALL[1]).argv]


def test_a_logout_that_fails_leaves_its_paths_in_use(stage: Stage) -> None:
    stage.instead = lambda _, said: said.endswith("--logout")
    renewal, outcome = stage.renewed()
    assert renewal.renewed == []
    assert "--login" not in stage.tails()
    assert stage.now.paths == START.paths
    assert stage.now.sessions == START.sessions
    assert [f.code for f in apply.findings(outcome)] == ["MP107"]


def test_a_multipathd_that_does_not_obey_stops_it_before_the_logout(stage: Stage) -> None:
    stage.instead = lambda _, said: said.startswith("multipathd fail path")
    renewal, outcome = stage.renewed()
    assert (renewal.renewed, stage.tails()) == ([], [])
    assert stage.now.paths == START.paths
    assert len(outcome.left) > 0


def lose_the_others(stage: Stage, pair: Pair) -> None:
    """Every other session breaks."""
    mine = {s.sid for s in stage.now.sessions if s.pair == pair}
    sessions = tuple(s if s.sid in mine else replace(s, state="FAILED") for s in stage.now.sessions)
    stage.now = replace(stage.now, sessions=sessions)


def test_nothing_is_touched_where_one_of_them_may_not_go(stage: Stage) -> None:
    lose_the_others(stage, ALL[1])
    renewal, outcome = stage.renewed(ALL[1])
    assert {f.code for f in renewal.refused} == {"MP409"}
    assert stage.ran == []
    assert [s.argv for s in outcome.left if isinstance(s, Command)] == [
        renewing.out(ALL[1]).argv,
        renewing.enter(ALL[1]).argv,
    ]


def test_force_lets_it_pass(stage: Stage) -> None:
    lose_the_others(stage, ALL[1])
    renewal, _ = stage.renewed(ALL[1], forced=frozenset({"MP409"}))
    assert renewal.renewed == [ALL[1]]


def test_a_path_that_is_lost_between_look_and_logout_stops_it(stage: Stage) -> None:
    def breaks(me: Stage, said: str) -> bool:
        if said.startswith("multipathd fail path") and "FAILED" not in {s.state for s in me.now.sessions}:
            lose_the_others(me, ALL[0])
        return False

    stage.instead = breaks
    renewal, outcome = stage.renewed()
    assert {f.code for f in renewal.refused} == {"MP409"}
    assert stage.tails() == []
    # what was failed by hand is used again
    assert all(p.dm_state == "active" for p in stage.now.paths)
    assert stage.now.sessions[0].state == "LOGGED_IN"
    assert outcome.left


def test_a_session_that_comes_back_without_its_paths_stops_it(stage: Stage) -> None:
    def takes(me: Stage, said: str) -> bool:
        if said.endswith("--login"):
            me.now = replace(me.now, registered=frozenset())  # nobody takes the new disks into their maps
        return False

    stage.instead = takes
    renewal, outcome = stage.renewed()
    assert renewal.renewed == []
    assert {f.code for f in renewal.found} == {"MP404"}
    assert stage.tails() == ["--logout", "--login"]
    assert len(outcome.left) == 6
