from __future__ import annotations

import datetime
import json
from dataclasses import replace
from itertools import pairwise

import pytest
import watched
from fakes import APPS_A01, PORTAL_9
from hypothesis import given
from hypothesis import strategies as st

from mpio.host import Answer, Nic, Path, Session
from mpio.memory import Memory, Offline
from mpio.topology import LunState
from mpio.watch import beginning, carried, changes, event, sight
from mpio.watch.event import Cause, Event, Name, Severity
from mpio.watch.seen import Seen

WHOLE = watched.seen()


def of(events: tuple[Event, ...], name: Name) -> tuple[Event, ...]:
    return tuple(e for e in events if e.name is name)


def test_nothing_changed_is_no_event() -> None:
    assert changes.between(WHOLE, watched.seen()) == ()


def test_a_lost_carrier_is_one_event_that_names_the_nic() -> None:
    (said,) = changes.between(WHOLE, watched.dark(WHOLE, "eth1"))
    assert (said.name, said.severity, said.subject) == (Name.LINK_DOWN, Severity.DEGRADED, "eth1")
    assert (said.cause, said.root, said.iface) == (Cause.LINK, "NIC eth1", "sw-iscsi-0")
    assert said.detail == "eth1 has no carrier; it carries 2 sessions"


@pytest.mark.parametrize("how", ["down", "not there"])
def test_a_nic_that_is_down_or_gone_has_no_link(how: str) -> None:
    nics = tuple(
        replace(n, carrier=None) if n.name == "eth1" else n
        for n in WHOLE.host.nics
        if how == "down" or n.name != "eth1"
    )
    after = replace(WHOLE, host=replace(WHOLE.host, nics=nics))
    assert f"eth1 is {how}" in changes.between(WHOLE, after)[0].detail
    assert watched.words(changes.between(after, WHOLE)) == [("link_up", "eth1")]


def test_what_a_lost_nic_takes_along_names_it_as_the_cause() -> None:
    after = watched.without_nic(WHOLE, "eth1")
    events = changes.between(WHOLE, after)
    assert watched.names(events) == {"link_down": 1, "session_failed": 2, "path_failed": 8, "lun_degraded": 4}
    assert {(e.cause, e.root) for e in events} == {(Cause.LINK, "NIC eth1")}
    assert {e.severity for e in events} == {Severity.DEGRADED}
    lun = next(e for e in events if e.wwid == APPS_A01 and e.name is Name.LUN_DEGRADED)
    assert (lun.usable_paths, lun.expected_paths, lun.alias) == (2, 4, "hydra_apps-a01")


def test_it_comes_back_as_it_went() -> None:
    events = changes.between(watched.without_nic(WHOLE, "eth1"), WHOLE)
    assert watched.names(events) == {"link_up": 1, "session_restored": 2, "path_restored": 8, "lun_recovered": 4}
    assert {e.severity for e in events} == {Severity.RECOVERED}


def test_further_losses_of_a_degraded_lun_are_paths_only() -> None:
    before = watched.without_nic(WHOLE, "eth1")
    other = next(p for p in before.host.paths if p.dm_state == "active")
    after = watched.with_paths(before, lambda p: replace(p, dm_state="failed") if p is other else p)
    assert watched.names(changes.between(before, after)) == {"path_failed": 1}


def test_the_last_path_is_a_failed_lun_that_names_what_took_it() -> None:
    before = watched.without_nic(WHOLE, "eth1")
    events = changes.between(before, watched.without_nic(before, "eth2"))
    failed = of(events, Name.LUN_FAILED)
    assert len(failed) == 4
    assert {(e.cause, e.root, e.severity) for e in failed} == {(Cause.ALL_DOWN, "NIC eth2", Severity.FAILED)}


@pytest.mark.parametrize(
    ("answer", "cause"),
    [(Answer.SILENT, Cause.SILENT), (Answer.NO_ROUTE, Cause.SILENT), (Answer.REFUSED, Cause.REFUSED)],
)
def test_a_pair_that_does_not_answer(answer: Answer, cause: Cause) -> None:
    after = watched.answering(WHOLE, {("sw-iscsi-0", PORTAL_9): answer})
    (said,) = changes.between(WHOLE, after)
    assert (said.name, said.subject, said.cause) == (
        Name.PORTAL_UNREACHABLE,
        "sw-iscsi-0 -> 10.10.9.90:3260",
        cause,
    )
    assert (said.iface, said.nic, said.portal) == ("sw-iscsi-0", "eth1", "10.10.9.90:3260")
    assert watched.words(changes.between(after, WHOLE)) == [("portal_reachable", said.subject)]


def test_a_first_answer_is_no_news_a_first_silence_is() -> None:
    unknown = replace(WHOLE, host=replace(WHOLE.host, probes={}))
    assert changes.between(unknown, WHOLE) == ()
    dead = watched.answering(WHOLE, {("sw-iscsi-0", PORTAL_9): Answer.SILENT})
    assert watched.names(changes.between(unknown, dead)) == {"portal_unreachable": 1}


def failed_session(one: Seen, sid: int, **more: object) -> Seen:
    return watched.with_sessions(one, lambda s: replace(s, state="FAILED") if s.sid == sid else s)


def test_a_session_that_fails_though_its_portal_answers_was_ended_by_the_target() -> None:
    sid = WHOLE.host.sessions[0].sid
    events = changes.between(WHOLE, failed_session(WHOLE, sid))
    (failed,) = of(events, Name.SESSION_FAILED)
    assert failed.cause is Cause.LOGGED_OUT
    why = f"target logged us out: session {sid} is FAILED though {failed.portal} answers"
    assert failed.detail == f"session {sid} is FAILED; {why}"


def test_an_address_that_is_lost_is_told_from_a_lost_carrier() -> None:
    bare = watched.with_nics(WHOLE, lambda n: replace(n, addresses=()) if n.name == "eth1" else n)
    sid = next(s.sid for s in WHOLE.host.sessions if s.nic == "eth1")
    (failed,) = of(changes.between(WHOLE, failed_session(bare, sid)), Name.SESSION_FAILED)
    assert (failed.cause, failed.root) == (Cause.ADDRESS, "NIC eth1")


def test_a_path_failed_by_the_checker_and_one_whose_lun_was_unmapped() -> None:
    path = WHOLE.host.paths[0]
    after = watched.with_paths(WHOLE, lambda p: replace(p, dm_state="failed") if p.dev == path.dev else p)
    assert changes.suspects(WHOLE, after) == ((after.host.paths[0],), ())
    (said,) = of(changes.between(WHOLE, after), Name.PATH_FAILED)
    assert (said.cause, said.dev, said.usable_paths) == (Cause.CHECKER, path.dev, 3)
    (said,) = of(changes.between(WHOLE, replace(after, unmapped=frozenset({path.dev}))), Name.PATH_FAILED)
    assert said.cause is Cause.UNMAPPED


def test_the_portals_of_a_session_that_failed_for_no_seen_reason_are_asked() -> None:
    unknown = replace(WHOLE, host=replace(WHOLE.host, probes={}))
    session = WHOLE.host.sessions[0]
    after = failed_session(unknown, session.sid)
    disks, asked = changes.suspects(unknown, after)
    assert (disks, [s.sid for s in asked]) == ((), [session.sid])
    silent = replace(after, fresh={(session.pair.iface, session.pair.portal): Answer.SILENT})
    (failed,) = of(changes.between(unknown, silent), Name.SESSION_FAILED)
    assert failed.cause is Cause.SILENT


def test_what_is_offline_by_hand_degrades_nothing() -> None:
    pairs = frozenset(str(s.pair) for s in WHOLE.host.sessions if s.nic == "eth1")
    away = Offline("eth1", pairs, "root", "2026-11-21T12:00:00+00:00")
    host = replace(WHOLE.host, offline=(away,), memory=Memory(offline=(away,), shown=WHOLE.host.memory.shown))
    before = sight.judged(replace(WHOLE, host=host))
    sids = {s.sid for s in host.sessions if s.nic == "eth1"}
    after = watched.with_paths(before, lambda p: replace(p, dm_state="failed") if p.sid in sids else p)
    events = changes.between(before, after)
    assert watched.names(events) == {"path_failed": 8}
    assert {(e.cause, e.severity) for e in events} == {(Cause.OFFLINE, Severity.INFO)}


def test_a_session_that_goes_takes_its_paths_along() -> None:
    sid = WHOLE.host.sessions[0].sid
    after = watched.with_paths(
        watched.with_sessions(WHOLE, lambda s: s if s.sid != sid else None), lambda p: p if p.sid != sid else None
    )
    events = changes.between(WHOLE, after)
    assert watched.names(events) == {"session_removed": 1, "path_removed": 4, "lun_degraded": 4}
    assert watched.names(changes.between(after, WHOLE)) == {"session_added": 1, "path_added": 4, "lun_recovered": 4}


def test_a_path_that_was_in_no_map_was_not_lost() -> None:
    path = WHOLE.host.paths[0]
    fresh = watched.with_paths(WHOLE, lambda p: replace(p, dm="", dm_state="") if p.dev == path.dev else p)
    assert of(changes.between(fresh, WHOLE), Name.PATH_RESTORED) == ()


def test_a_path_that_leaves_its_map_and_comes_back_is_restored() -> None:
    path = WHOLE.host.paths[0]
    failed = watched.with_paths(WHOLE, lambda p: replace(p, dm_state="failed") if p.dev == path.dev else p)
    away = watched.with_paths(failed, lambda p: replace(p, dm="", dm_state="") if p.dev == path.dev else p)
    away = carried.on(failed, away)
    again = carried.on(away, watched.with_paths(away, lambda p: replace(p) if p.dev == path.dev else p))
    assert of(changes.between(failed, again), Name.PATH_RESTORED) == ()
    assert [e.dev for e in of(changes.between(again, WHOLE), Name.PATH_RESTORED)] == [path.dev]


def test_a_lun_that_cannot_be_judged_for_a_while_is_told_once() -> None:
    half = watched.without_nic(WHOLE, "eth1")
    blind = watched.with_paths(half, lambda p: replace(p, dm_state="") if p.wwid == APPS_A01 else p)
    assert next(lun for lun in blind.luns if lun.wwid == APPS_A01).state is LunState.UNKNOWN
    blind = carried.on(half, blind)
    assert of(changes.between(half, blind), Name.LUN_DEGRADED) == ()
    assert of(changes.between(blind, half), Name.LUN_DEGRADED) == ()
    assert len(of(changes.between(blind, WHOLE), Name.LUN_RECOVERED)) == 4


def test_a_nic_of_the_site_without_an_iface_record_comes_back_too() -> None:
    bare = replace(WHOLE, host=replace(WHOLE.host, ifaces=()))
    gone = replace(bare, host=replace(bare.host, nics=tuple(n for n in bare.host.nics if n.name != "eth1")))
    assert watched.words(changes.between(bare, gone))[0] == ("link_down", "eth1")
    assert watched.words(changes.between(gone, bare))[0] == ("link_up", "eth1")


def test_a_lun_that_grew() -> None:
    grown = tuple(replace(m, size=(m.size or 0) * 2) for m in WHOLE.host.maps)
    events = changes.between(WHOLE, sight.judged(replace(WHOLE, host=replace(WHOLE.host, maps=grown))))
    assert watched.names(events) == {"lun_resized": 4}


def test_a_lun_that_nobody_listed_comes_and_goes() -> None:
    without = watched.SITE.luns[1:]
    smaller = replace(watched.SITE, luns=without)
    host = replace(
        WHOLE.host,
        maps=tuple(m for m in WHOLE.host.maps if m.wwid != APPS_A01),
        paths=tuple(p for p in WHOLE.host.paths if p.wwid != APPS_A01),
    )
    fewer = sight.judged(Seen(host, smaller))
    more = sight.judged(Seen(replace(WHOLE.host, probes={}), smaller))
    assert watched.names(changes.between(fewer, more)) == {"path_added": 4, "lun_added": 1}
    assert watched.names(changes.between(more, fewer)) == {"path_removed": 4, "lun_removed": 1}


def test_it_begins_with_the_whole_state_and_the_worst_luns_severity() -> None:
    said = beginning.started(WHOLE, "acts, fast_fail off")
    assert (said.name, said.severity) == (Name.STARTED, Severity.INFO)
    assert said.detail == "LUNs: 4 healthy; sessions: 4 of 4 logged in; links: eth1 up, eth2 up; acts, fast_fail off"
    half = watched.without_nic(WHOLE, "eth1")
    assert beginning.started(half, "").severity is Severity.DEGRADED
    assert beginning.started(watched.without_nic(half, "eth2"), "").severity is Severity.FAILED


def test_an_event_as_json() -> None:
    (said,) = changes.between(WHOLE, watched.dark(WHOLE, "eth1"))
    moment = datetime.datetime(2026, 11, 21, 12, 0, 0, 250_000, datetime.UTC)
    (stamped,) = event.stamped([said], moment)
    document = json.loads(json.dumps(event.document(stamped)))
    assert event.stamped([stamped], moment + datetime.timedelta(1))[0].time == stamped.time
    keys = (
        "format time event severity subject wwid alias iface nic portal target dev usable_paths expected_paths detail"
    )
    assert list(document) == [*keys.split(), "cause", "root"]
    assert (document["format"], document["time"]) == (1, "2026-11-21T12:00:00.250+00:00")
    assert (document["event"], document["cause"], document["wwid"]) == ("link_down", "link down", None)


# -- laws ----------------------------------------------------------------------------------------------------------

BAD = (LunState.DEGRADED, LunState.FAILED)
NICS = st.sampled_from((True, False, None))
STATES = st.sampled_from(("LOGGED_IN", "FAILED"))
DM = st.sampled_from(("active", "failed"))


@st.composite
def hosts(draw: st.DrawFn) -> Seen:
    """The guide's host with anything broken and anything gone."""

    def nic(one: Nic) -> Nic:
        return replace(one, carrier=draw(NICS))

    def session(one: Session) -> Session | None:
        return replace(one, state=draw(STATES)) if draw(st.integers(0, 9)) else None

    def path(one: Path) -> Path | None:
        return replace(one, dm_state=draw(DM)) if draw(st.integers(0, 9)) else None

    return watched.with_paths(watched.with_sessions(watched.with_nics(WHOLE, nic), session), path)


@given(st.lists(hosts(), min_size=2, max_size=5))
def test_every_change_is_told_once_whatever_lies_between(looks: list[Seen]) -> None:
    """Whoever follows the events knows at the end how the host stands."""
    known = {lun.wwid: lun.state for lun in looks[0].luns}
    links = {n.name: n.carrier is True for n in looks[0].host.nics}
    for before, after in pairwise(looks):
        events = changes.between(before, after)
        assert len(set(watched.words(events))) == len(events)
        for one in events:
            if one.name is Name.LUN_DEGRADED:
                known[one.wwid] = LunState.DEGRADED
            elif one.name is Name.LUN_FAILED:
                known[one.wwid] = LunState.FAILED
            elif one.name is Name.LUN_RECOVERED:
                assert known[one.wwid] in BAD
                known[one.wwid] = LunState.HEALTHY
            elif one.name in (Name.LINK_UP, Name.LINK_DOWN):
                assert links[one.nic] is (one.name is Name.LINK_DOWN)
                links[one.nic] = one.name is Name.LINK_UP
    assert known == {lun.wwid: lun.state for lun in looks[-1].luns}
    assert links == {n.name: n.carrier is True for n in looks[-1].host.nics}


@given(hosts(), hosts())
def test_every_loss_has_words(before: Seen, after: Seen) -> None:
    for one in changes.between(before, after):
        assert one.detail, one
        assert one.subject, one
        if one.severity in (Severity.DEGRADED, Severity.FAILED):
            assert one.root, one
