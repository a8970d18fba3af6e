"""What alerts say and when, on looks and the differences between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpio import topology
from mpio.alerts import damping, incidents, messages
from mpio.alerts.incidents import Incidents
from mpio.alerts.messages import Message
from mpio.host import Answer, Host, Iface, Map, Nic, Pair, Path, Portal, Session
from mpio.site import Alert, Site, SiteIface, SiteLun, Watch
from mpio.watch import beginning, changes
from mpio.watch.event import Cause, Event, Name, Severity
from mpio.watch.seen import Seen

PORTALS = (Portal("10.10.8.90"), Portal("10.10.9.90"))
TARGETS = ("iqn.2011-09.dom.homer:01", "iqn.2011-09.dom.homer:02")
IFACES = (Iface("sw-iscsi-0", "eth1"), Iface("sw-iscsi-1", "eth2"))
# sid 1 and 2 over eth1, 3 and 4 over eth2
PAIRS = {
    sid: Pair(iface.name, portal, target)
    for sid, (iface, (portal, target)) in enumerate(
        ((i, pt) for i in IFACES for pt in zip(PORTALS, TARGETS, strict=True)), 1
    )
}
NICS = {sid: "eth1" if sid <= 2 else "eth2" for sid in PAIRS}
ALL = frozenset(PAIRS)
WATCH = Watch(fast_fail="probe")


def look(
    down: Iterable[str] = (),
    failed: Iterable[int] = (),
    lost: Iterable[int] = (),
    dead: Iterable[int] = (),
    count: int = 4,
) -> Seen:
    """NICs without carrier; sids whose session has failed, whose paths have, and whose pair does not answer."""
    wwids = [f"3600144f0f484400000004e8685e7{n:04x}" for n in range(count)]
    site = Site(
        tuple(SiteIface(i.name, i.nic) for i in IFACES),
        PORTALS,
        luns=tuple(SiteLun(w, f"lun-{n}") for n, w in enumerate(wwids)),
        watch=WATCH,
    )
    nics = tuple(
        Nic(n, addresses=(f"10.10.{8 + i}.20/24",), carrier=n not in down) for i, n in enumerate(("eth1", "eth2"))
    )
    sessions = tuple(
        Session(sid, sid, pair, NICS[sid], 1, "FAILED" if sid in failed else "LOGGED_IN") for sid, pair in PAIRS.items()
    )
    paths = tuple(
        Path(
            dev=f"sd{sid}-{n}",
            hctl=f"{sid}:0:0:{n}",
            sid=sid,
            wwid=wwid,
            device_state="running",
            dm=f"dm-{n}",
            dm_state="failed" if sid in lost else "active",
        )
        for n, wwid in enumerate(wwids)
        for sid in PAIRS
    )
    maps = tuple(Map(f"lun-{n}", wwid, f"dm-{n}") for n, wwid in enumerate(wwids))
    probes = {(p.iface, p.portal): Answer.SILENT if sid in dead else Answer.ANSWERED for sid, p in PAIRS.items()}
    host = Host(nics=nics, ifaces=IFACES, sessions=sessions, paths=paths, maps=maps, probes=probes)
    pairs = topology.Pairs(dict.fromkeys(PAIRS.values(), 1))
    return Seen(host, site, pairs, topology.luns(site, host, pairs))


WELL = look()


class Story:
    """Looks at moments; what is said comes with the moment it is said at."""

    def __init__(self, alert: Alert | None = None, seen: Seen = WELL, **keys: object) -> None:
        self.alerts = Incidents(alert or Alert(**keys))  # type: ignore[arg-type]
        self.seen = seen
        self.said: list[tuple[float, Message]] = []

    def until(self, now: float) -> Story:
        while (due := self.alerts.deadline) is not None and due <= now:
            self.said += [(due, m) for m in self.alerts.tick(due)]
        return self

    def at(self, now: float, seen: Seen, *more: Event) -> Story:
        self.until(now)
        events = (*changes.between(self.seen, seen), *more)
        self.seen = seen
        self.alerts.take(events, seen, now)
        return self

    @property
    def titles(self) -> list[tuple[float, str, str]]:
        return [(round(now, 3), m.severity.value, m.title) for now, m in self.said]


LINK = look(down=["eth1"])
LINK_SESSIONS = look(down=["eth1"], failed=[1, 2])
LINK_PATHS = look(down=["eth1"], failed=[1, 2], lost=[1, 2])


def test_a_lost_link_is_one_message_and_one_when_it_is_over() -> None:
    story = Story().at(100, LINK).at(110, LINK_SESSIONS).at(116, LINK_PATHS)
    story.at(200, look(failed=[1, 2], lost=[1, 2])).at(201, look(lost=[1, 2])).at(204, WELL).until(10_000)
    assert story.titles == [
        (101, "degraded", "NIC eth1: link down; 8 of 16 paths of 4 LUNs lost"),
        (209, "recovered", "NIC eth1: over after 1 min 44 s; 4 LUNs whole again"),
    ]
    (_, first), (_, last) = story.said
    assert first.text.splitlines() == [
        "With paths left: lun-0 (2 of 4), lun-1 (2 of 4), lun-2 (2 of 4), lun-3 (2 of 4).",
        "Seen: eth1 has no carrier; it carries 2 sessions.",
    ]
    assert (first.lead.name, first.lead.nic, first.duration) == (Name.LINK_DOWN, "eth1", None)
    assert first.counts == {"luns": 4, "luns_failed": 0, "paths": 16, "paths_lost": 8, "events": 1, "flaps": 0}
    assert last.text == "Whole again: lun-0, lun-1, lun-2, lun-3."
    assert (last.lead.name, last.lead.root, last.duration, last.losses) == (Name.LUN_RECOVERED, "NIC eth1", 104, ())
    assert story.alerts.deadline is None


def test_192_paths_are_one_message_that_names_some_luns_and_counts_the_rest() -> None:
    story = Story(seen=look(count=48))
    for at, seen in ((0, look(["eth1"], count=48)), (0.3, look(["eth1"], [1, 2], [1, 2], count=48))):
        story.at(at, seen)
    story.at(60, look(count=48)).until(1000)
    assert [m.title for _, m in story.said] == [
        "NIC eth1: link down; 96 of 192 paths of 48 LUNs lost",
        "NIC eth1: over after 1 min; 48 LUNs whole again",
    ]
    assert story.said[0][1].text.splitlines()[0].endswith("lun-9 (2 of 4) and 38 more.")
    assert len(story.said[0][1].losses) == 48
    assert len(story.said[0][1].text) < 1000


def test_the_last_nic_is_told_with_all_luns_that_it_fails() -> None:
    both = look(["eth1", "eth2"])
    story = Story().at(0, LINK_PATHS).at(50, both).at(60, look(["eth1", "eth2"], ALL, [1, 2]))
    story.at(66, look(["eth1", "eth2"], ALL, ALL)).until(70)
    assert story.titles == [
        (1, "degraded", "NIC eth1: link down; 8 of 16 paths of 4 LUNs lost"),
        (51, "degraded", "NIC eth2: link down; 4 LUNs without a usable path"),
        (61, "failed", "NIC eth2: link down; 4 LUNs without a usable path"),
    ]
    failed = story.said[-1][1]
    assert failed.lead.name is Name.LUN_FAILED
    assert failed.text.startswith("Without a usable path: lun-0, lun-1, lun-2, lun-3.")


def test_the_nic_that_comes_back_ends_its_own_message_though_the_other_one_is_out_still() -> None:
    story = Story().at(0, LINK_PATHS).at(50, look(["eth1", "eth2"], ALL, ALL))
    story.at(100, LINK_PATHS).until(200)
    assert story.titles[1:] == [
        (51, "failed", "NIC eth2: link down; 4 LUNs without a usable path"),
        (105, "recovered", "NIC eth2: over after 50 s, 8 of 16 paths of 4 LUNs lost"),
    ]
    story.at(300, WELL).until(400)
    assert story.titles[3:] == [(305, "recovered", "NIC eth1: over after 5 min; 4 LUNs whole again")]


def test_both_nics_at_once_are_one_message() -> None:
    story = Story().at(0, LINK).at(0.4, look(["eth1", "eth2"])).at(16, look(["eth1", "eth2"], ALL, ALL)).until(30)
    assert story.titles == [
        (1.4, "degraded", "NIC eth1, NIC eth2: link down; 4 LUNs without a usable path"),
        (17, "failed", "NIC eth1, NIC eth2: link down; 4 LUNs without a usable path"),
    ]
    story.at(40, look(["eth2"], [3, 4], [3, 4])).until(60)
    assert len(story.said) == 2  # it is not over yet
    story.at(80, WELL).until(90)
    assert story.titles[2:] == [(85, "recovered", "NIC eth1, NIC eth2: over after 1 min 20 s; 4 LUNs whole again")]


@pytest.mark.parametrize(
    ("dead", "named"),
    [
        ([1], "sw-iscsi-0 -> 10.10.8.90:3260"),
        ([1, 3], "portal 10.10.8.90:3260"),
        ([1, 2], "iface sw-iscsi-0 (eth1)"),
        ([1, 4], "sw-iscsi-0 -> 10.10.8.90:3260, sw-iscsi-1 -> 10.10.9.90:3260"),
    ],
)
def test_dead_pairs_are_named_by_what_they_share(dead: list[int], named: str) -> None:
    story = Story()
    for step in range(1, len(dead) + 1):
        story.at(step, look(dead=dead[:step]))
    story.at(3, look(failed=dead, lost=dead, dead=dead)).until(50)
    assert [m.title.partition(";")[0] for _, m in story.said] == [f"{named}: portal silent"]
    story.at(60, WELL).until(80)
    assert story.said[-1][1].title.startswith(f"{named}: over after 59 s; 4 LUNs whole again")


def test_one_dead_pair_after_the_window_is_a_message_of_its_own() -> None:
    story = Story().at(0, look(dead=[1])).at(30, look(dead=[1, 3])).until(60)
    assert [at for at, _, _ in story.titles] == [2, 32]


def test_what_flaps_gives_few_messages_and_is_counted() -> None:
    story = Story()
    for second in range(0, 3600, 10):
        story.at(second, LINK).at(second + 6, WELL)
    story.until(10_000)
    assert len(story.said) == 2
    assert story.said[0][0] == 1
    assert story.said[1][1].title == "NIC eth1: over after 59 min 56 s; 4 LUNs whole again"
    assert "was back and lost again 359 times" in story.said[1][1].text


def test_what_flaps_slowly_gives_fewer_and_fewer_messages() -> None:
    story = Story()
    for second in range(0, 86400, 120):
        story.at(second, LINK).at(second + 60, WELL)
    story.until(100_000)
    repeats = [m for _, m in story.said if m.repeat]
    assert len(story.said) - len(repeats) <= 12
    assert len(repeats) == 5
    assert repeats[0].title.startswith("still: NIC eth1: link down")
    assert "lost again" in repeats[0].text


def test_what_a_short_loss_leaves_behind_belongs_to_it() -> None:
    """The link is back before the sessions have noticed; what fails then has another cause to show, or none."""
    story = Story().at(0, LINK).at(2, WELL).at(4, look(failed=[1, 2])).at(4.2, look(failed=[1, 2], lost=[1, 2]))
    story.at(6, look(lost=[1, 2])).at(9, WELL).until(100)
    assert story.titles == [
        (1, "degraded", "NIC eth1: link down; 8 of 16 paths of 4 LUNs lost"),
        (14, "recovered", "NIC eth1: over after 9.0 s; 4 LUNs whole again"),
    ]
    assert story.said[1][1].counts["flaps"] == 0


def test_what_stays_is_repeated() -> None:
    story = Story(repeat=600).at(0, LINK_PATHS).until(2000)
    assert [(at, m.repeat) for at, m in story.said] == [(1, False), (601, True), (1201, True), (1801, True)]
    assert story.said[1][1].title == "still: NIC eth1: link down; 8 of 16 paths of 4 LUNs lost; for 10 min 1 s"
    assert story.said[1][1].duration == 601


@pytest.mark.parametrize(
    ("on", "kinds"),
    [
        (("failed",), ["failed"]),
        (("failed", "recovered"), ["failed", "recovered"]),
        (("degraded",), ["degraded"]),
        (("recovered",), ["recovered"]),
        (("link_down",), ["degraded"]),
        (("lun_failed", "lun_recovered"), ["failed", "recovered"]),
        (("lun_degraded", "link_up"), ["degraded", "recovered"]),
        (("lun_added",), []),
        (("link_up", "info"), ["recovered"]),
    ],
)
def test_only_what_was_asked_for_is_told(on: tuple[str, ...], kinds: list[str]) -> None:
    story = Story(on=on).at(0, look(["eth1", "eth2"])).at(10, look(["eth1", "eth2"], [1, 2], [1, 2]))
    story.at(20, look(["eth1", "eth2"], ALL, ALL)).at(60, WELL).until(1000)
    assert [m.severity.value for _, m in story.said] == kinds


def test_what_is_unwell_at_the_start_has_the_time_of_a_boot() -> None:
    quick = Story(seen=LINK_PATHS).at(0, LINK_PATHS, beginning.started(LINK_PATHS, "acts")).at(20, WELL).until(1000)
    assert quick.said == []
    slow = Story(seen=LINK_PATHS).at(0, LINK_PATHS, beginning.started(LINK_PATHS, "acts")).at(90, WELL).until(1000)
    assert slow.titles == [
        (30, "degraded", "found at the start; 8 of 16 paths of 4 LUNs lost"),
        (95, "recovered", "what was found at the start: over after 1 min 30 s; 4 LUNs whole again"),
    ]
    assert Story().at(0, WELL, beginning.started(WELL, "acts")).until(100).said == []
    assert len(Story(on=("started",)).at(0, WELL, beginning.started(WELL, "acts")).until(100).said) == 1


def test_changes_are_gathered_and_come_seldom() -> None:
    story = Story(on=("info",))
    added = [Event(Name.LUN_ADDED, Severity.INFO, f"lun-{n}", f"lun-{n} is there") for n in range(50)]
    story.at(0, WELL, *added).at(5, WELL, added[0]).at(6, WELL, added[1]).until(100)
    assert [(at, m.title) for at, m in story.said] == [(1, "lun_added x 50"), (31, "lun_added x 2")]
    assert story.said[0][1].text.splitlines()[-1] == "And 30 more."
    assert story.said[1][1].text == "lun_added lun-0: lun-0 is there\nlun_added lun-1: lun-1 is there"


def test_what_was_done_about_it_is_in_the_message() -> None:
    acted = Event(Name.FAST_FAIL, Severity.INFO, "NIC eth1", "failed 2 sessions in 0.1 s", root="NIC eth1")
    story = Story().at(0, LINK, acted).until(10)
    assert story.said[0][1].text.splitlines()[-1] == "failed 2 sessions in 0.1 s."
    assert Story(on=("info",)).at(0, LINK, acted).until(10).said == []
    assert [m.title for _, m in Story(on=("fast_fail",)).at(0, LINK, acted).until(10).said] == ["fast_fail: NIC eth1"]


def test_an_alert_that_failed_is_told_to_who_names_it() -> None:
    failed = Event(Name.ALERT_FAILED, Severity.INFO, "alert 1 (/x)", "alert 1 (/x): no")
    for on in (("info",), ("degraded", "failed", "recovered")):
        assert Story(on=on).at(0, WELL, failed).until(100).said == []
    ((_, message),) = Story(on=("alert_failed",)).at(0, WELL, failed).until(100).said
    assert (message.title, message.plain) == ("alert_failed: alert 1 (/x)", True)


def test_what_the_watcher_s_end_leaves_unsaid_is_said() -> None:
    story = Story(on=("degraded", "stopped")).at(0, LINK, Event(Name.STOPPED, Severity.INFO, "mpio watch"))
    assert [m.severity for m in story.alerts.hurry(0.1)] == [Severity.DEGRADED, Severity.INFO]


def test_luns_that_a_target_takes_away_are_one_message() -> None:
    """48 of them, as checkers find out: some each second."""
    story = Story(seen=look(count=48))
    seen = look(count=48)
    for second in range(12):
        for n in range(second * 4, second * 4 + 4):
            paths = tuple(replace(p, dm_state="failed") if p.dev == f"sd1-{n}" else p for p in seen.host.paths)
            host = replace(seen.host, paths=paths)
            assert seen.pairs
            seen = replace(
                seen,
                host=host,
                unmapped=seen.unmapped | {f"sd1-{n}"},
                luns=topology.luns(seen.site, host, seen.pairs),
            )
        story.at(second, seen)
    story.until(1000)
    assert story.titles == [(17, "degraded", "48 LUNs: LUN unmapped; 48 of 192 paths of 48 LUNs lost")]


def test_a_session_that_is_gone_by_hand_holds_nothing_open() -> None:
    """Logged out and left out of the plan meanwhile: nobody expects it."""
    paths = tuple(p for p in WELL.host.paths if p.sid != 1)
    host = replace(WELL.host, sessions=WELL.host.sessions[1:], paths=paths)
    without = replace(WELL, host=host, luns=topology.luns(WELL.site, host, WELL.pairs))
    story = Story().at(0, without).until(20)
    assert len(story.said) == 1
    assert WELL.pairs
    fewer = topology.Pairs({p: 1 for p in WELL.pairs.planned if p != PAIRS[1]})
    story.at(30, replace(without, pairs=fewer, luns=topology.luns(None, host, None))).until(100)
    assert story.said[-1][1].severity is Severity.RECOVERED


def unplanned(*sids: int) -> Seen:
    """These sessions are gone, and no plan misses them."""
    assert WELL.pairs
    host = replace(
        WELL.host,
        sessions=tuple(s for s in WELL.host.sessions if s.sid not in sids),
        paths=tuple(p for p in WELL.host.paths if p.sid not in sids),
        probes={
            w: a for w, a in WELL.host.probes.items() if w not in {(PAIRS[s].iface, PAIRS[s].portal) for s in sids}
        },
    )
    pairs = topology.Pairs({p: 1 for p in WELL.pairs.planned if p not in {PAIRS[s] for s in sids}})
    return replace(WELL, host=host, pairs=pairs, luns=topology.luns(None, host, None))


def test_a_pair_that_nobody_aims_at_any_more_is_over_without_an_event() -> None:
    story = Story().at(0, look(dead=[1])).until(10)
    story.alerts.take((), unplanned(1), 20)
    story.until(100)
    assert [(at, severity) for at, severity, _ in story.titles] == [(2, "degraded"), (25, "recovered")]


def test_a_session_that_was_logged_out_by_hand_and_that_nobody_plans_is_not_told() -> None:
    for on in (("degraded", "failed", "recovered"), ("recovered",)):
        story = Story(on=on).at(0, unplanned(1)).until(100)
        assert story.said == []
        assert story.alerts.open == []


def test_what_ends_before_it_is_due_is_told_once_it_comes_again() -> None:
    story = Story().at(0, LINK).at(0.4, WELL).until(100)
    assert story.said == []
    story.at(200, LINK).at(200.4, WELL).until(300)
    assert [severity for _, severity, _ in story.titles] == ["degraded", "recovered"]


def test_what_has_a_cause_of_its_own_is_told_though_its_nic_has_flapped() -> None:
    story = Story()
    for second in range(0, 60, 10):
        story.at(second, LINK).at(second + 6, look(failed=[1])).at(second + 7, WELL)
    story.at(120, look(failed=[1])).at(126, look(failed=[1], lost=[1])).at(150, WELL).until(1000)
    assert [(severity, title.partition(";")[0]) for _, severity, title in story.titles] == [
        ("degraded", "NIC eth1: link down"),
        ("degraded", f"{PAIRS[1]}: target logged us out"),
        ("recovered", f"{PAIRS[1]}: over after 30 s"),
        ("recovered", "NIC eth1: over after 57 s"),
    ]


def test_a_session_that_dies_of_a_loss_just_after_it_takes_its_paths_along() -> None:
    story = Story().at(0, LINK).at(8, WELL).at(10, look(failed=[1]))
    host = replace(unplanned(1).host, probes=WELL.host.probes)
    story.at(30, replace(WELL, host=host, luns=topology.luns(WELL.site, host, WELL.pairs)))  # iscsid gives it up
    story.at(60, WELL).until(100)
    assert [severity for _, severity, _ in story.titles] == ["degraded", "recovered"]


def test_a_lun_whose_path_is_back_is_left_to_the_cause_that_harms_it_still() -> None:
    def broken(down: Iterable[str], devs: Iterable[str]) -> Seen:
        seen = look(down, [3, 4] if "eth2" in down else [])
        paths = tuple(replace(p, dm_state="failed") if p.dev in devs else p for p in seen.host.paths)
        host = replace(seen.host, paths=paths)
        return replace(seen, host=host, luns=topology.luns(seen.site, host, seen.pairs))

    story = Story().at(0, broken([], ["sd1-0"])).at(20, broken(["eth2"], ["sd1-0"])).at(60, broken(["eth2"], []))
    story.until(80)
    assert story.titles[2:] == [(65, "recovered", "LUN lun-0: over after 1 min, 2 of 4 paths of 1 LUN lost")]
    story.at(100, WELL).until(200)
    assert story.titles[3:] == [(105, "recovered", "NIC eth2: over after 1 min 20 s; 4 LUNs whole again")]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.42, "0.4 s"), (12, "12 s"), (200, "3 min 20 s"), (3600, "1 h"), (7500, "2 h 5 min"), (262_800, "3 d 1 h")],
)
def test_spans(seconds: float, said: str) -> None:
    assert messages.span(seconds) == said


# -- laws --------------------------------------------------------------------------------------------------------------

SIDS = st.frozensets(st.sampled_from(sorted(ALL)))
Broken = tuple[frozenset[str], frozenset[int], frozenset[int], frozenset[int]]
BROKEN = st.tuples(st.frozensets(st.sampled_from(["eth1", "eth2"])), SIDS, SIDS, SIDS)
STEPS = st.lists(st.tuples(st.integers(1, 5000), BROKEN), max_size=12)


@given(steps=STEPS, repeat=st.sampled_from([60, 14400]), more=st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_was_told_ends_and_nothing_is_told_twice(steps: list[tuple[int, Broken]], repeat: int, more: bool) -> None:
    on = ("degraded", "failed", "recovered", *(["info"] if more else []))
    well = look(count=2)
    story, now = Story(on=on, repeat=repeat, seen=well), 0.0
    for tenths, broken in steps:
        now += tenths / 10
        story.at(now, look(*broken, count=2))
        assert len(story.alerts.open) <= 2 + 4 + 4 + 2
    story.at(now + 1, well).until(now + 10_000)
    assert (story.alerts.open, story.alerts.deadline) == ([], None)
    open_of: dict[str, tuple[float, Severity]] = {}
    for at, message in story.said:
        for root in message.roots:
            before = open_of.pop(root, None)
            if message.severity is Severity.RECOVERED:
                assert before
                continue
            if before and message.repeat:
                assert at - before[0] >= repeat - 1e-6
            elif before:
                assert (before[1], message.severity) == (Severity.DEGRADED, Severity.FAILED)
            open_of[root] = (at, message.severity)
    assert not open_of
    firsts = sum(not m.repeat and m.severity is Severity.DEGRADED for _, m in story.said)
    rises = sum(not m.repeat and m.severity is Severity.FAILED for _, m in story.said)
    ends = sum(m.severity is Severity.RECOVERED for _, m in story.said)
    assert firsts <= ends + rises
    assert ends <= firsts + rises


@given(period=st.floats(0.2, 400), share=st.floats(0.05, 0.95))
@settings(max_examples=25, deadline=None)
def test_a_bad_cable_is_told_of_a_bounded_number_of_times(period: float, share: float) -> None:
    story, now = Story(), 0.0
    for _ in range(100):
        story.at(now, LINK).at(now + period * share, WELL)
        now += period
    story.until(now + 10_000)
    # each time that it is over takes twice as long: no more than a dozen ends, and what stays open is repeated
    assert len([m for _, m in story.said if not m.repeat]) <= 26
    assert len([m for _, m in story.said if m.repeat]) <= now / 14400 + 1


@given(st.lists(st.sampled_from(list(Cause)), min_size=200, max_size=300))
@settings(max_examples=10, deadline=None)
def test_however_many_causes_there_are_what_is_kept_is_bounded(causes: list[Cause]) -> None:
    story = Story()
    for n, cause in enumerate(causes):
        lost = Event(Name.PATH_FAILED, Severity.DEGRADED, f"x{n}", "x" * 99, cause, f"root {n}", wwid="w", iface=f"{n}")
        story.until(n * 100)
        story.alerts.take((lost,), LINK_PATHS, n * 100)
    assert len(story.alerts.open) <= incidents.MOST
    assert all(len(i.evidence) <= messages.LINES for i in story.alerts.open)
    assert damping.hold(500) == damping.LONGEST_HOLD
