from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from mpio.host import Answer, Portal
from mpio.site import Watch
from mpio.watch import probing
from mpio.watch.probing import Probing

EVERY = 0.1
Way = tuple[str, Portal]


@pytest.fixture
def door() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


@pytest.fixture
def probed() -> Iterator[Callable[..., Probing]]:
    made: list[Probing] = []

    def make(misses: int = 3, interval: float = EVERY) -> Probing:
        made.append(Probing(selectors.DefaultSelector(), interval, misses))
        return made[-1]

    yield make
    for one in made:
        one.close()
        one.selector.close()


def way_to(door: socket.socket) -> Way:
    return "lo0", Portal("127.0.0.1", door.getsockname()[1])


def turned(one: Probing, until: Callable[[], bool], blind: frozenset[str] = frozenset(), limit: float = 10) -> None:
    """As the loop does it, until something holds."""
    end = time.monotonic() + limit
    while not until():
        assert time.monotonic() < end, one
        deadline = one.deadline
        for key, _ in one.selector.select(max(0.0, min(deadline or end, end) - time.monotonic())):
            one.answered(key.data, time.monotonic())
        one.turn((), time.monotonic(), blind)


def test_an_answer_is_known_after_one_connect_which_is_not_held(
    door: socket.socket, probed: Callable[..., Probing]
) -> None:
    one, way = probed(), way_to(door)
    one.aim({way: "lo"}, time.monotonic())
    turned(one, lambda: way in one.answers)
    assert one.answers == {way: Answer.ANSWERED}
    assert 0 <= one.rtt[way] < 1
    visitor, _ = door.accept()
    with visitor:
        visitor.settimeout(5)
        assert visitor.recv(1) == b""


def test_a_pair_is_dead_after_so_many_misses_in_a_row(door: socket.socket, probed: Callable[..., Probing]) -> None:
    one, way = probed(misses=3), way_to(door)
    one.aim({way: "lo"}, time.monotonic())
    turned(one, lambda: way in one.answers)
    door.close()
    begin = time.monotonic()
    turned(one, lambda: one.answers[way] is not Answer.ANSWERED)
    assert one.answers == {way: Answer.REFUSED}
    assert way not in one.rtt
    assert 2 * EVERY <= time.monotonic() - begin < 20 * EVERY


def test_a_portal_that_says_nothing(door: socket.socket, probed: Callable[..., Probing]) -> None:
    """192.0.2.0/24 is nobody's (RFC 5737), and lo leads nowhere else."""
    one, way = probed(misses=2), ("lo0", Portal("192.0.2.1"))
    one.aim({way: "lo"}, time.monotonic())
    turned(one, lambda: way in one.answers)
    assert one.answers[way] in (Answer.SILENT, Answer.NO_ROUTE)


def test_through_a_nic_without_carrier_nothing_is_asked(door: socket.socket, probed: Callable[..., Probing]) -> None:
    one, way = probed(), way_to(door)
    one.aim({way: "lo"}, time.monotonic())
    end = time.monotonic() + 3 * EVERY
    turned(one, lambda: time.monotonic() > end, frozenset({"lo"}))
    assert one.answers == {}
    with pytest.raises(BlockingIOError):
        door.accept()


def test_pairs_begin_spread_over_the_interval(probed: Callable[..., Probing]) -> None:
    one, ways = probed(interval=10.0), [("lo0", Portal("127.0.0.1", port)) for port in (1, 2, 3, 4)]
    one.aim(dict.fromkeys(ways, "lo"), 100.0)
    assert [a.due for a in one._asked.values()] == [100.0, 102.5, 105.0, 107.5]


def test_what_is_wanted_no_more_is_forgotten(door: socket.socket, probed: Callable[..., Probing]) -> None:
    one, way = probed(), way_to(door)
    one.aim({way: "lo"}, time.monotonic())
    turned(one, lambda: way in one.answers)
    one.aim({}, time.monotonic())
    assert (one.answers, one.rtt, one.deadline) == ({}, {}, None)
    assert not one.selector.get_map()


def test_an_iface_that_is_bound_anew_is_probed_through_its_new_nic(
    door: socket.socket, probed: Callable[..., Probing]
) -> None:
    one, way = probed(), way_to(door)
    one.aim({way: "nowhere0"}, time.monotonic())
    turned(one, lambda: way in one.answers)
    assert one.answers == {way: Answer.NO_ROUTE}
    one.aim({way: "lo"}, time.monotonic())
    turned(one, lambda: one.answers[way] is Answer.ANSWERED)


def test_a_changed_site_forgets_no_answer(door: socket.socket, probed: Callable[..., Probing]) -> None:
    """A dead pair would be told once more, and one that came back meanwhile never."""
    one, way = probed(misses=1), ("lo0", Portal("127.0.0.1", 1))
    one.aim({way: "lo"}, time.monotonic())
    turned(one, lambda: way in one.answers)
    one.change(Watch(fast_fail="probe", probe_interval=2.0, probe_misses=5), time.monotonic())
    assert (one.answers, one.interval, one.misses) == ({way: Answer.REFUSED}, 2.0, 5)


def test_what_is_dark_for_a_while_stays_spread(probed: Callable[..., Probing]) -> None:
    one, ways = probed(interval=10.0), [("lo0", Portal("127.0.0.1", port)) for port in (1, 2, 3, 4)]
    one.aim(dict.fromkeys(ways, "lo"), 100.0)
    one.turn((), 131.0, frozenset({"lo"}))
    assert [a.due for a in one._asked.values()] == [140.0, 132.5, 135.0, 137.5]


def test_after_a_time_without_looks_misses_count_anew(door: socket.socket, probed: Callable[..., Probing]) -> None:
    one, way = probed(misses=3), way_to(door)
    one.aim({way: "lo"}, time.monotonic())
    turned(one, lambda: way in one.answers)
    door.close()
    turned(one, lambda: one._asked[way].misses == 2)
    one.again(time.monotonic())
    assert one._asked[way].misses == 0
    assert one.answers == {way: Answer.ANSWERED}


def test_the_slow_interval_is_for_those_who_wait_for_no_answer() -> None:
    selector = selectors.DefaultSelector()
    assert Probing.of(selector, Watch(fast_fail="link", probe_interval=1.0)).interval == probing.SLOW
    assert Probing.of(selector, Watch(fast_fail="probe", probe_interval=1.5)).interval == 1.5
