from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mpio.fastfail import failing, flaps, noted
from mpio.fastfail.failing import Refusal
from mpio.fastfail.flaps import FIRST, LONGEST, STABLE, WINDOW, Flaps
from mpio.fastfail.noted import Noted
from mpio.host import Host, Map, Nic, Pair, Path, Portal, Session, User

NICS = (Nic("eth1", carrier=False), Nic("eth2", carrier=True))
PORTALS = (Portal("10.10.8.90"), Portal("10.10.9.90"))
MAPS = tuple(Map(f"hydra_{name}", f"36001{place}", f"dm-{place}") for place, name in enumerate(("apps", "db")))
DOOMED = frozenset({1, 2})


def session(sid: int, nic: str, portal: Portal, state: str = "LOGGED_IN") -> Session:
    return Session(sid, sid, Pair(f"sw-{nic}", portal, "iqn.x"), nic, 1, state)


def path(dev: str, sid: int, dm: str, dm_state: str = "active", device_state: str = "running") -> Path:
    return Path(dev, f"{sid}:0:0:1", sid, "", dm=dm, dm_state=dm_state, device_state=device_state)


SESSIONS = tuple(session(n + 1, nic, p) for n, (nic, p) in enumerate((n, p) for n in ("eth1", "eth2") for p in PORTALS))
PATHS = tuple(path(f"sd{m.dm[-1]}{s.sid}", s.sid, m.dm) for m in MAPS for s in SESSIONS)
HOST = Host(nics=NICS, sessions=SESSIONS, paths=PATHS, maps=MAPS)


def with_paths(**states: tuple[str, str]) -> Host:
    """By disk: what the device mapper and the kernel say of it."""

    def changed(path: Path) -> Path:
        dm, device = states.get(path.dev, (path.dm_state, path.device_state))
        return replace(path, dm_state=dm, device_state=device)

    return replace(HOST, paths=tuple(changed(p) for p in PATHS))


def test_a_map_may_go_on_over_what_has_answered_since() -> None:
    assert failing.keepers(HOST, DOOMED) == {"dm-0": {3, 4}, "dm-1": {3, 4}}
    assert failing.refusal(HOST, DOOMED, {4}) is None
    assert failing.unanswered(failing.keepers(HOST, DOOMED), {4}) == set()
    assert failing.unanswered(failing.keepers(HOST, DOOMED), {1}) == {3, 4}


def test_every_map_must_keep_one_and_the_first_that_does_not_is_named() -> None:
    host = with_paths(sd13=("failed", "running"), sd14=("active", "blocked"))
    assert failing.refusal(host, DOOMED, {3, 4}) == Refusal(
        "hydra_db has no other path that works: the device mapper calls sd13 failed, sd14 is blocked", MAPS[1]
    )


def test_each_reason_against_another_path_is_said() -> None:
    nobody = failing.refusal(HOST, DOOMED, ())
    assert nobody is not None
    assert nobody.why == (
        "hydra_apps, hydra_db have no other path that works: "
        "sw-eth2 -> 10.10.8.90:3260 has not answered since, sw-eth2 -> 10.10.9.90:3260 has not answered since"
    )
    down = failing.refusal(replace(HOST, nics=(NICS[0], replace(NICS[1], carrier=None))), DOOMED, {3, 4})
    assert down is not None
    assert down.why.endswith("works: eth2 has no carrier")
    out = replace(HOST, sessions=(*SESSIONS[:2], replace(SESSIONS[2], state="FAILED")))
    said = failing.refusal(out, DOOMED, {3, 4})
    assert said is not None
    assert said.why.endswith("session 3 is FAILED, sd04 has no session")
    every = failing.refusal(HOST, {1, 2, 3, 4}, {1, 2, 3, 4})
    assert every is not None
    assert every.why.endswith("all its paths are on these sessions")


def test_maps_that_are_not_touched_have_no_say() -> None:
    other = Map("elsewhere", "36009", "dm-9")
    host = replace(HOST, maps=(*MAPS, other), paths=(*PATHS, path("sdx", 3, "dm-9", "failed"), path("sdy", 1, "")))
    assert failing.refusal(host, DOOMED, {3}) is None
    assert failing.touched(host, DOOMED) == MAPS


def test_what_answers_after_all_is_named() -> None:
    assert failing.alive(SESSIONS[:2], {3, 4}) is None
    assert failing.alive(SESSIONS[:2], {2, 3}) == Refusal("sw-eth1 -> 10.10.9.90:3260 answers now")
    assert failing.alive(SESSIONS[:2], {1, 2}) == Refusal(
        "sw-eth1 -> 10.10.8.90:3260, sw-eth1 -> 10.10.9.90:3260 answer now"
    )


def test_the_root_disk_and_users_of_single_disks_forbid_it() -> None:
    assert failing.of_root(DOOMED, {2}, allowed=True) is None
    assert failing.of_root(DOOMED, {3}, allowed=False) is None
    assert failing.of_root(DOOMED, None, allowed=True) is None
    assert failing.of_root(DOOMED, None, allowed=False) is not None
    assert failing.of_root(DOOMED, {2}, allowed=False) == Refusal(
        "the root disk is on these sessions, and fast_fail_root is not set"
    )
    assert failing.used(()) is None
    users = [User("sdq", "mount", "/backup"), *(User("sdr", "process", f"dd ({pid})") for pid in (1, 2, 2, 3))]
    said = failing.used(users)
    assert said is not None
    assert said.why == (
        "mount /backup on sdq, process dd (1) on sdr, process dd (2) on sdr and 1 more would get I/O errors at once: "
        "a disk of these sessions is in use by itself"
    )


@given(st.sets(st.integers(1, 4)), st.sets(st.integers(1, 4)), st.booleans(), st.data())
def test_no_leave_is_ever_given_that_takes_a_maps_last_path(
    doomed: set[int], answered: set[int], carrier: bool, data: st.DataObject
) -> None:
    states = {p.dev: data.draw(st.sampled_from(["active", "failed", ""])) for p in PATHS}
    host = replace(
        HOST,
        nics=tuple(replace(n, carrier=carrier) for n in NICS),
        paths=tuple(replace(p, dm_state=states[p.dev]) for p in PATHS),
    )
    if failing.refusal(host, doomed, answered) is None:
        for mapped in MAPS if doomed else ():
            kept = [p for p in host.paths if p.dm == mapped.dm and p.sid not in doomed]
            assert any(p.dm_state == "active" and p.sid in answered and carrier for p in kept)


# -- flaps ---------------------------------------------------------------------------------------------------------


def test_the_third_loss_of_a_row_must_last_and_each_one_longer() -> None:
    row, holds = Flaps(), []
    for number in range(10):
        row = row.lost("NIC eth1", 100.0 + 10 * number)
        row = row.lost("NIC eth1", 100.0 + 10 * number)  # the same loss again
        holds.append(row.hold("NIC eth1"))
    assert holds == [0, 0, FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST, *(LONGEST,) * 4]
    assert row.why("NIC eth1") == "it was lost 10 times in a row, so this loss must last 60 s first"
    assert row.hold("NIC eth2") == 0


def pulled(every: float, away: float, count: int = 10) -> list[float]:
    """How long each loss of a link is held that is lost every so many seconds, for so many."""
    row, holds = Flaps(), []
    for number in range(count):
        begin = 100.0 + every * number
        row = row.lost("NIC eth1", begin)
        holds.append(row.hold("NIC eth1"))
        row = row.back("NIC eth1", begin + away)
    return holds


def test_what_was_well_between_is_not_held_and_what_flaps_is() -> None:
    assert pulled(40, 20) == [0] * 10
    assert pulled(STABLE + 1, 1) == [0] * 10
    assert pulled(3, 1) == [0, 0, FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST, *(LONGEST,) * 4]
    assert pulled(40, 38)[2:4] == [FIRST, 2 * FIRST]  # down for long, and back only for a moment
    assert Flaps().back("NIC eth1", 100.0) == Flaps()


def test_a_well_time_begins_a_new_row() -> None:
    row = Flaps()
    for number in range(4):
        row = row.lost("x", 3.0 * number).back("x", 3.0 * number + 1)
    assert row.hold("x") == 2 * FIRST
    row = row.lost("x", 10 + STABLE)
    assert row.hold("x") == 0
    row = row.back("x", 12 + STABLE).lost("x", 13 + STABLE).back("x", 14 + STABLE).lost("x", 15 + STABLE)
    assert row.hold("x") == FIRST


def test_a_quiet_while_ends_a_row_and_is_forgotten() -> None:
    row = Flaps()
    for number in range(5):
        row = row.lost("a -> b", float(number))
    assert row.hold("a -> b") > 0
    later = row.lost("a -> b", 4 + WINDOW)
    assert later.hold("a -> b") == 0
    assert set(later.lost("NIC eth1", 5 + 3 * WINDOW).rows) == {"NIC eth1"}


@given(st.lists(st.tuples(st.floats(0.01, 10 * WINDOW), st.floats(0.01, 2 * STABLE)), max_size=60))
def test_what_flaps_acts_at_once_twice_before_it_must_last(gaps: list[tuple[float, float]]) -> None:
    """However it flaps, and however long each loss is; what had been well for a while begins anew."""
    row, now, back, acted = flaps.Flaps(), 0.0, -2 * STABLE, list[float]()
    for away, well in gaps:
        now = back + well
        row = row.lost("x", now)
        if now - back >= STABLE:
            acted.clear()
        if row.hold("x") == 0:
            acted.append(now)
        back = now + away
        row = row.back("x", back)
        assert len(acted) <= flaps.FREE


# -- the note ------------------------------------------------------------------------------------------------------

NOTE = Noted(3, "sw -> 10.10.8.90:3260 iqn.x", "10", 41000, 100.0)


def test_a_note_survives_and_what_is_none_is_nothing() -> None:
    assert noted.parse(noted.text({3: NOTE})) == {3: NOTE}
    assert [noted.parse(said) for said in (None, "", "{", "[]", '{"sessions": [{"sid": 1}]}', "3")] == [{}] * 6


def test_a_session_is_back_with_another_connection_or_after_a_while() -> None:
    assert not noted.is_back(NOTE, 41000, 100.2)
    assert not noted.is_back(NOTE, None, 100.2)
    assert noted.is_back(NOTE, 41002, 100.2)
    assert noted.is_back(NOTE, 41000, 106.0)
