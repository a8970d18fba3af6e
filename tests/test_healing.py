"""`heal`: which pairs lack a session, when each is tried again, and what a look of the moment still lets through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fakes
import pytest

from mpio import lock, logouts, topology
from mpio.files import Files
from mpio.host import Answer, Host, Pair, Portal
from mpio.machine import Machine
from mpio.memory import Offline
from mpio.program import Done
from mpio.run import Runner
from mpio.site import Chap, Site, Watch
from mpio.tools import iscsiadm
from mpio.tools.iscsierr import Code
from mpio.watch import absent, healing
from mpio.watch.absent import BY_HAND, LONGEST, SOON, STEADY, TURNED_DOWN, Absent, Met
from mpio.watch.event import Event, Name, Severity
from mpio.watch.healing import Healing
from mpio.watch.seen import Seen

SITE = fakes.guide_site()
WHOLE = fakes.guide_host()
PAIR = Pair("sw-iscsi-0", fakes.PORTAL_8, fakes.HOMER_1)
CHAP = replace(SITE, chap=Chap("prague", "/etc/mpio/chap"))
FINE = {(i.name, p): Answer.ANSWERED for i in SITE.ifaces for p in SITE.portals}


def seen(host: Host, site: Site = SITE, probes: dict[tuple[str, Portal], Answer] | None = None) -> Seen:
    host = replace(host, probes=FINE if probes is None else probes)
    return Seen(host, site, topology.pairs(site, host))


def without(*pairs: Pair, state: str = "") -> Host:
    """The host without these sessions, or with them in this state."""
    sessions = (replace(s, state=state) if s.pair in pairs else s for s in WHOLE.sessions)
    return replace(WHOLE, sessions=tuple(s for s in sessions if state or s.pair not in pairs))


LACKS = seen(without(PAIR))


def looked(*looks: tuple[Seen, float]) -> Absent:
    made = Absent()
    for one, now in looks:
        made.look(one, now, lambda _: "record")
    return made


def test_a_whole_host_lacks_nothing() -> None:
    made = looked((seen(WHOLE), 0.0))
    assert (made.deadline, made.due(1e9)) == (None, ())


def test_missing_at_the_start_it_is_tried_soon() -> None:
    made = looked((LACKS, 100.0))
    assert made.deadline == 100 + SOON
    assert (made.due(100.0), made.due(100 + SOON)) == ((), (PAIR,))


def test_what_ended_while_it_was_well_may_have_been_meant() -> None:
    made = looked((seen(WHOLE), 100.0), (LACKS, 101.0))
    assert made.deadline == 101 + BY_HAND
    failed = looked((seen(WHOLE), 100.0), (seen(without(PAIR, state="FAILED")), 101.0), (LACKS, 102.0))
    assert failed.deadline == 102 + SOON


@pytest.mark.parametrize(
    "look",
    [
        seen(without(PAIR, state="FAILED")),  # iscsid's own
        seen(replace(without(PAIR), nodes=tuple(n for n in WHOLE.nodes if n.pair != PAIR))),
        seen(replace(without(PAIR), offline=(Offline("eth1", frozenset({str(PAIR)}), "root", "2026-11-21"),))),
        seen(without(PAIR), replace(SITE, targets=("iqn.other:*",))),
        seen(without(PAIR), replace(SITE, exclude=(fakes.PORTAL_8,))),
        seen(without(PAIR), replace(SITE, watch=Watch(heal=False))),
        Seen(without(PAIR)),
    ],
)
def test_what_is_not_to_be_logged_in(look: Seen) -> None:
    assert absent.lacking(look) == ()
    assert looked((LACKS, 0.0), (look, 1.0)).due(1e9) == ()


@pytest.mark.parametrize(
    "look",
    [
        seen(without(PAIR), probes={**FINE, (PAIR.iface, PAIR.portal): Answer.SILENT}),
        seen(without(PAIR), probes={**FINE, (PAIR.iface, PAIR.portal): Answer.REFUSED}),
        seen(without(PAIR), probes={}),
        seen(replace(without(PAIR), nics=tuple(replace(n, carrier=False) for n in WHOLE.nics))),
    ],
)
def test_where_nobody_answers_it_waits_without_looking(look: Seen) -> None:
    made = looked((look, 0.0))
    assert (absent.lacking(look), made.deadline, made.due(1e9)) == ((PAIR,), None, ())
    made.look(LACKS, 1000.0, lambda _: "record")
    assert made.due(1000.0) == (PAIR,)


def test_a_session_beside_it_answers_for_the_way() -> None:
    other = replace(WHOLE.sessions[0], sid=99, pair=replace(PAIR, target="iqn.2011-09.dom.homer:03"))
    host = replace(without(PAIR), sessions=(*without(PAIR).sessions, other))
    assert absent.answers(seen(host, probes={}), PAIR)


def test_each_failure_doubles_the_time_and_is_said_once_for_each_reason() -> None:
    made, now = looked((LACKS, 0.0)), 10.0
    said: list[Event] = []
    pauses: list[float] = []
    for what in ["the portal was busy"] * 8 + ["another"]:
        said += made.met(PAIR, Met(what, Code.TRANS), LACKS, now, "record")
        pauses.append((made.deadline or 0) - now)
        now += pauses[-1]
    assert pauses == [10, 20, 40, 80, 160, LONGEST, LONGEST, LONGEST, LONGEST]
    assert [(e.name, e.severity, e.subject) for e in said] == [(Name.SESSION_FAILED, Severity.INFO, str(PAIR))] * 2
    assert said[0].detail == "not logged in again: the portal was busy; it is tried again"
    assert (said[0].iface, said[0].nic, said[0].portal, said[0].target) == (
        *("sw-iscsi-0", "eth1", "10.10.8.90:3260", fakes.HOMER_1),
    )


REFUSED = Met("no", Code.LOGIN_AUTH_FAILED)
OTHER = WHOLE.sessions[1].pair


def test_what_chap_refuses_bars_every_pair_of_the_login() -> None:
    look = seen(without(PAIR, OTHER), CHAP)
    made = looked((look, 0.0))
    assert set(made.due(1e3)) == {PAIR, OTHER}
    (said,) = made.met(PAIR, REFUSED, look, 10.0, "record")
    assert said.detail == (
        "not logged in again: no; no pair with this CHAP login is tried again until the site file or the record changes"
    )
    made.look(look, 1e6, lambda _: "record")
    assert (made.deadline, made.due(1e9)) == (None, ())
    made.look(look, 2e6, lambda pair: "record" if pair == OTHER else "another")
    assert (made.deadline, set(made.due(2e6 + SOON))) == (2e6 + SOON, {PAIR, OTHER})
    assert made.due(2e6 + SOON)[0] == OTHER  # which has not failed yet


def test_without_a_login_of_the_site_a_refusal_bars_its_pair() -> None:
    look = seen(without(PAIR, OTHER))
    made = looked((look, 0.0))
    (said,) = made.met(PAIR, REFUSED, look, 10.0, "record")
    assert said.detail.endswith("; not tried again until the site file or the record changes")
    made.look(look, 1e6, lambda _: "record")
    assert made.due(1e9) == (OTHER,)


@pytest.mark.parametrize("site", [SITE, CHAP])
def test_a_bar_that_was_kept_stays_until_its_session_is_there(site: Site) -> None:
    look = seen(without(PAIR), site)
    made = Absent(bars={str(PAIR): "record"})
    for one, now in [(look, 0.0), (Seen(look.host), 1.0), (seen(replace(look.host, nodes=()), site), 2.0), (look, 3.0)]:
        made.look(one, now, lambda _: "record")
        assert made.due(1e9) == ()
    made.look(seen(WHOLE, site), 4.0, lambda _: "record")
    assert made.bars == {}


def test_turned_down_with_chap_it_is_tried_seldom() -> None:
    look = seen(without(PAIR), CHAP)
    made = looked((look, 0.0))
    made.met(PAIR, Met("no", Code.FATAL_LOGIN), look, 10.0, "record")
    assert made.deadline == 10 + TURNED_DOWN


def test_what_comes_back_and_does_not_last_waits_longer() -> None:
    made = looked((LACKS, 0.0))
    for _ in range(5):
        made.met(PAIR, Met(), LACKS, 10.0, "record")
    made.look(seen(WHOLE), 11.0, lambda _: "record")
    assert made.due(1e9) == ()
    made.look(seen(without(PAIR, state="FAILED")), 12.0, lambda _: "record")
    made.look(LACKS, 13.0, lambda _: "record")
    assert made.deadline == 11.0 + 32 * SOON
    made.look(seen(WHOLE), 200.0, lambda _: "record")
    made.look(seen(WHOLE), 201.0 + STEADY, lambda _: "record")
    made.look(seen(without(PAIR, state="FAILED")), 300.0, lambda _: "record")
    made.look(LACKS, 301.0, lambda _: "record")
    assert made.deadline == 301.0 + SOON


# -- a try ---------------------------------------------------------------------------------------------------------


class Array:
    """Answers each login with the code for its target, and counts."""

    def __init__(self, **codes: int) -> None:
        self.codes = codes
        self.asked: list[str] = []

    def __call__(self, *argv: str, **_: object) -> Done:
        self.asked.append(argv[argv.index("-T") + 1])
        return Done(argv, self.codes.get(self.asked[-1], 0), "", "it says so")


LOGINS = {
    pair: iscsiadm.login(pair, why="")
    for pair in (Pair(f"iface-{n}", fakes.PORTAL_8, target) for n in range(4) for target in ("a", "b"))
}


def tries(root: Path, *, one_login: bool = True, **codes: int) -> tuple[list[str], dict[Pair, Met]]:
    array, groups = Array(**codes), dict.fromkeys(LOGINS, 1)
    met = healing.log_in(Machine(array, Files(str(root))), LOGINS, groups if one_login else None)
    return array.asked, met


def test_a_login_is_refused_once_however_many_have_it(tmp_path: Path) -> None:
    asked, met = tries(tmp_path, a=Code.LOGIN_AUTH_FAILED, b=Code.LOGIN_AUTH_FAILED)
    assert (asked, [m.code for m in met.values()]) == (["a"], [Code.LOGIN_AUTH_FAILED])
    asked, met = tries(tmp_path, b=Code.LOGIN_AUTH_FAILED)  # the first target asks for no login
    assert (asked, sorted(m.code for m in met.values())) == (["a", "b"], [0, Code.LOGIN_AUTH_FAILED])


def test_after_the_first_of_its_target_the_others_follow(tmp_path: Path) -> None:
    asked, met = tries(tmp_path)
    assert (asked[:2], len(asked), met) == (["a", "b"], len(LOGINS), dict.fromkeys(LOGINS, Met()))
    asked, met = tries(tmp_path, a=Code.TRANS)
    assert (asked, len(met)) == (["a", *"bbbb"], 5)
    asked, met = tries(tmp_path, one_login=False, a=Code.LOGIN_AUTH_FAILED)
    assert (sorted(asked), len(met)) == (sorted("ab" * 4), len(LOGINS))


def test_what_was_logged_out_before_the_lock_was_ours_is_left(tmp_path: Path) -> None:
    here = machine(tmp_path)
    logouts.note(here, [PAIR])
    assert healing.tried(here, SITE, [PAIR]) == {}


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, *_: str, **__: object) -> Done:
        raise self.error


def ended(one: Healing, look: Seen) -> tuple[Event, ...]:
    """What a try says that begins now."""
    one.look(look, 0.0)
    said = one.consider(look, 1e3)
    while one.deadline == 1e3 + healing.POLL:
        said = one.consider(look, 1e3)
    return said


@pytest.fixture
def unlocked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    held = lock.hold
    monkeypatch.setattr(lock, "hold", lambda verb: held(verb, str(tmp_path / "lock")))


@pytest.mark.usefixtures("unlocked")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("error", "says"), [(OSError(5, "Input/output error"), "Input/output error"), (KeyError("x"), "the try broke")]
)
def test_a_try_that_breaks_has_failed(tmp_path: Path, error: Exception, says: str) -> None:
    (tmp_path / "sys/class/net").mkdir(parents=True)  # else there is no kernel to look at
    (said,) = ended(Healing(Machine(Broken(error), Files(str(tmp_path)))), LACKS)
    assert (says in said.detail, said.detail.endswith("; it is tried again")) == (True, True)


@pytest.mark.usefixtures("unlocked")
def test_a_watcher_that_begins_anew_knows_what_was_refused(tmp_path: Path) -> None:
    here, look = machine(tmp_path), seen(without(PAIR), CHAP)
    for node in WHOLE.nodes:
        here.files.write(node.path, "a record")
    one = Healing(here)
    one.look(look, 0.0)
    one._absent.met(PAIR, REFUSED, look, 1.0, one._mark(look, PAIR))
    one.look(look, 2.0)
    again = Healing(here)
    again.look(look, 0.0)
    deadlines = [again.deadline]
    again.look(seen(without(PAIR), replace(CHAP, mtu=9000)), 10.0)
    assert [*deadlines, again.deadline] == [None, 10.0 + SOON]
    assert not (tmp_path / healing.BARS[1:]).exists()


# -- logged out by hand --------------------------------------------------------------------------------------------


def machine(root: Path) -> Machine:
    return Machine(Runner(), Files(str(root)))


def test_a_logout_is_remembered_until_it_is_not_meant_any_more(tmp_path: Path) -> None:
    here, other = machine(tmp_path), WHOLE.sessions[1].pair
    assert logouts.meant(here) == {}
    logouts.forget(here, [PAIR])
    logouts.note(here, [])
    assert not any(tmp_path.iterdir())
    logouts.note(here, [PAIR])
    logouts.note(here, [other])
    assert logouts.meant(here).keys() == {str(PAIR), str(other)}
    logouts.forget(here, [PAIR])
    assert logouts.meant(here).keys() == {str(other)}
    logouts.forget(here, [other])
    assert not (tmp_path / logouts.PATH[1:]).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": "b"}', '{"a": null}'])
def test_a_file_of_something_else_is_none(tmp_path: Path, text: str) -> None:
    here = machine(tmp_path)
    here.files.write(logouts.PATH, text)
    assert logouts.meant(here) == {}
