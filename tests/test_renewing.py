"""Which sessions need a new login, what forbids it, and what is there again afterwards."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import HOMER_1, HOMER_2, PORTAL_8, PORTAL_9

from mpio import topology
from mpio.findings import finding
from mpio.host import Host, Pair, Unit, User
from mpio.plan import renewing
from mpio.site import Timeouts
from mpio.step import Command, Step

SITE = fakes.guide_site()
SLOW = fakes.guide_site(timeouts=Timeouts(noop_interval=7, noop_timeout=8))
HOST = fakes.guide_host()
PAIRS = topology.pairs(SITE, HOST)
ALL = tuple(PAIRS.planned)
FIRST = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)
NAMES = [m.name for m in HOST.maps]


def without(host: Host, *pairs: Pair) -> Host:
    """Whose sessions of these pairs are broken, their paths failed."""
    sids = {s.sid for s in host.sessions if s.pair in pairs}
    return replace(
        host,
        sessions=tuple(replace(s, state="FAILED") if s.sid in sids else s for s in host.sessions),
        paths=tuple(replace(p, dm_state="failed") if p.sid in sids else p for p in host.paths),
    )


def deeds(steps: tuple[Step, ...]) -> list[str]:
    return [" ".join(s.argv) for s in steps if isinstance(s, Command)]


def test_nothing_is_due_on_a_host_that_is_as_its_site_says() -> None:
    assert renewing.choice(SITE, HOST, PAIRS, ALL, every=False) == renewing.Choice(current=ALL)


def test_due_is_what_only_a_new_login_changes() -> None:
    assert renewing.choice(SLOW, HOST, PAIRS, ALL, every=False) == renewing.Choice(due=ALL)
    sessions = (replace(HOST.sessions[0], nic="eth2"), *HOST.sessions[1:])
    pair = sessions[0].pair
    host = replace(HOST, sessions=sessions)
    rest = tuple(p for p in ALL if p != pair)
    assert renewing.choice(SITE, host, PAIRS, ALL, every=False) == renewing.Choice(due=(pair,), current=rest)


def test_what_is_named_is_due_whatever_it_was_made_with() -> None:
    assert renewing.choice(SITE, HOST, PAIRS, [FIRST], every=True) == renewing.Choice(due=(FIRST,))


def test_a_session_that_is_broken_or_has_no_record_or_is_foreign_is_left_alone() -> None:
    broken = without(HOST, FIRST)
    assert FIRST not in renewing.choice(SITE, broken, PAIRS, ALL, every=True).due
    bare = replace(HOST, nodes=tuple(n for n in HOST.nodes if n.pair != FIRST))
    assert renewing.choice(SITE, bare, PAIRS, [FIRST], every=True) == renewing.Choice(unrecorded=(FIRST,))
    foreign = replace(HOST.sessions[0], sid=9, pair=Pair("default", PORTAL_8, HOMER_1))
    host = replace(HOST, sessions=(*HOST.sessions, foreign))
    assert renewing.choice(SITE, host, PAIRS, [foreign.pair], every=True) == renewing.Choice(foreign=(foreign.pair,))


def test_a_session_differs_by_timers_nic_and_name() -> None:
    session = HOST.sessions[0]
    assert renewing.stale(SITE, HOST, session) == ()
    assert renewing.stale(SLOW, HOST, session) == ("no-op interval 5, wanted 7", "no-op time-out 5, wanted 8")
    assert renewing.stale(SITE, HOST, replace(session, nic="eth9")) == (f"NIC eth9, wanted {session.nic}",)
    named = replace(session, initiatorname="iqn.x")
    assert renewing.stale(SITE, HOST, named) == (f"initiator name iqn.x, wanted {fakes.PRAGUE}",)
    # A name that the file does not have comes with no login.
    assert renewing.stale(fakes.guide_site(initiator="iqn.y"), HOST, session) == ()


def test_nothing_is_against_it_while_every_map_keeps_a_path() -> None:
    assert renewing.against(HOST, ALL) == ()
    assert renewing.against(without(HOST, *[p for p in ALL if p.portal == PORTAL_9]), [FIRST]) == ()


def test_the_last_usable_path_of_a_closed_map_is_not_taken() -> None:
    host = without(HOST, *[p for p in ALL if p != FIRST])
    assert renewing.against(host, [FIRST]) == tuple(finding("MP409", n) for n in NAMES)
    assert renewing.against(host, [FIRST], frozenset({"MP408"})) == tuple(finding("MP409", n) for n in NAMES)
    assert renewing.against(host, [FIRST], frozenset({"MP409"})) == ()


def test_the_last_usable_path_of_an_open_map_is_not_taken() -> None:
    host = without(HOST, *[p for p in ALL if p != FIRST])
    host = replace(host, maps=(replace(host.maps[0], open_count=1), *host.maps[1:]))
    used = finding("MP408", NAMES[0], "1 opener(s)")
    assert renewing.against(host, [FIRST]) == (used, *(finding("MP409", n) for n in NAMES[1:]))
    assert renewing.against(host, [FIRST], frozenset({"MP409"})) == (used,)


def test_a_disk_that_is_used_past_multipath_is_not_taken() -> None:
    sid = next(s.sid for s in HOST.sessions if s.pair == FIRST)
    disk = replace(next(p for p in HOST.paths if p.sid == sid), dm="", dm_state="")
    user = User(disk.dev, "mount", "/srv")
    host = replace(HOST, paths=tuple(disk if p.dev == disk.dev else p for p in HOST.paths), users=(user,))
    assert renewing.against(host, [FIRST]) == (finding("MP408", disk.dev, str(user)),)
    others = [p for p in ALL if p != FIRST]
    assert renewing.against(host, others) == ()


def test_without_multipathd_nobody_would_take_the_new_paths() -> None:
    units = tuple(replace(u, active="inactive") if u.name == "multipathd.service" else u for u in HOST.units)
    host = replace(HOST, units=units)
    assert renewing.against(host, ALL) == (finding("MP104", "multipathd.service", "it is inactive"),)
    assert renewing.against(replace(host, paths=(), maps=()), ALL) == ()
    gone = replace(HOST, units=tuple(u for u in HOST.units if u.name != "multipathd.service"))
    assert renewing.against(gone, ALL) == (finding("MP104", "multipathd.service", "it is not there"),)


def test_the_record_comes_first_then_its_paths_are_left_alone() -> None:
    sid = next(s.sid for s in HOST.sessions if s.pair == FIRST)
    devs = [p.dev for p in HOST.paths if p.sid == sid]
    assert deeds(renewing.away(SITE, HOST, PAIRS, FIRST)) == [f"multipathd fail path {d}" for d in devs]
    update, *rest = deeds(renewing.away(SLOW, HOST, PAIRS, FIRST))
    assert update.startswith(f"iscsiadm -m node -T {HOMER_1} -p {PORTAL_8} -I sw-iscsi-0 -o update -n ")
    assert rest == [f"multipathd fail path {d}" for d in devs]


def test_a_path_that_is_failed_already_is_not_failed_again() -> None:
    broken = without(HOST, FIRST)
    assert renewing.away(SITE, broken, PAIRS, FIRST) == ()


def test_paths_of_a_session_that_stayed_are_used_again() -> None:
    away = renewing.away(SLOW, HOST, PAIRS, FIRST)
    sid = next(s.sid for s in HOST.sessions if s.pair == FIRST)
    back = [f"multipathd reinstate path {p.dev}" for p in HOST.paths if p.sid == sid]
    assert deeds(renewing.back_in_use(HOST, away)) == back
    undone = fakes.carry_out(fakes.carry_out(HOST, away[1:]), renewing.back_in_use(HOST, away))
    assert undone.paths == HOST.paths


def test_what_a_pair_carries_is_missed_until_it_is_usable_again() -> None:
    had = renewing.carried(HOST, FIRST)
    assert had == frozenset(m.wwid for m in HOST.maps)
    assert renewing.missing(HOST, FIRST, had) == ()
    out = fakes.carry_out(HOST, [renewing.out(FIRST)])
    assert renewing.missing(out, FIRST, had) == tuple(m.name for m in sorted(HOST.maps, key=lambda m: m.wwid))
    again = fakes.carry_out(out, [renewing.enter(FIRST)])
    assert renewing.missing(again, FIRST, had) == ()
    assert renewing.wrong(SITE, again, FIRST, had) == ()


def test_a_renewal_brings_the_timers_of_the_site() -> None:
    host = fakes.carry_out(HOST, renewing.away(SLOW, HOST, PAIRS, FIRST))
    host = fakes.carry_out(host, [renewing.out(FIRST), renewing.enter(FIRST)])
    session = host.session_of(FIRST)
    assert session is not None
    assert (session.noop_interval, session.noop_timeout) == (7, 8)
    assert renewing.wrong(SLOW, host, FIRST, renewing.carried(HOST, FIRST)) == ()


@pytest.mark.parametrize(
    ("host", "code", "subject"),
    [
        (without(HOST, FIRST), "MP304", str(FIRST)),
        (replace(HOST, paths=tuple(replace(p, dm_state="failed") for p in HOST.paths)), "MP404", NAMES[0]),
    ],
)
def test_a_new_session_that_does_not_do_its_work_is_named(host: Host, code: str, subject: str) -> None:
    found = renewing.wrong(SITE, host, FIRST, renewing.carried(HOST, FIRST))
    assert (found[0].code, found[0].subject) == (code, subject)


def test_a_new_session_that_is_as_the_old_one_is_named() -> None:
    (found,) = renewing.wrong(SLOW, HOST, FIRST, ())
    assert (found.code, found.detail) == ("MP306", "its new login changed nothing: no-op interval 5, wanted 7")


def test_the_planned_recovery_time_is_restored_on_the_new_session_alone() -> None:
    host = replace(HOST, sessions=tuple(replace(s, recovery_tmo=5) for s in HOST.sessions))
    sid = next(s.sid for s in HOST.sessions if s.pair == FIRST)
    (step,) = renewing.restored(SITE, host, PAIRS, FIRST)
    assert not isinstance(step, Command)
    assert (step.path, step.text) == (f"/sys/class/iscsi_session/session{sid}/recovery_tmo", "10\n")
    assert renewing.restored(SITE, HOST, PAIRS, FIRST) == ()


def test_what_is_left_of_a_renewal_that_stopped() -> None:
    out = fakes.carry_out(HOST, [renewing.out(FIRST)])
    second = Pair("sw-iscsi-1", PORTAL_9, HOMER_2)
    assert [s.argv[-1] for s in renewing.to_come([FIRST, second], out)] == ["--login", "--logout", "--login"]


def test_ready_to_log_in_is_what_has_a_record_and_no_session() -> None:
    assert renewing.ready(SITE, HOST, PAIRS, ALL) == ()
    out = fakes.carry_out(HOST, [renewing.out(p) for p in ALL])
    assert [s.argv for s in renewing.ready(SITE, out, PAIRS, [FIRST])] == [renewing.enter(FIRST).argv]
    unknown = replace(out, nodes=tuple(n for n in out.nodes if n.pair != FIRST))
    assert renewing.ready(SITE, unknown, PAIRS, [FIRST]) == ()


def test_units_are_not_asked_of_a_host_without_paths() -> None:
    bare = replace(HOST, paths=(), maps=(), units=(Unit("iscsid.service", "loaded", "active"),))
    assert renewing.against(bare, ALL) == ()
