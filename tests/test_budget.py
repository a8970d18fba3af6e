"""The failover budget: the sums, what bounds them, what is not known, and the queue behind them."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import APPS_A01

from mpio import budget, topology
from mpio.budget import GRACE, LINK_WATCH, Budget, Kind, Stall
from mpio.host import Effective, Host
from mpio.site import Site, Timeouts, Watch
from mpio.topology import Lun

SITE = fakes.guide_site()
HOST = fakes.guide_host()
TIMERS = (Kind.LINK, Kind.SILENCE, Kind.BLOCK)


def lun(host: Host = HOST, site: Site | None = SITE) -> Lun:
    return topology.luns(site, host, topology.pairs(site, host) if site else None)[0]


def of(host: Host = HOST, site: Site | None = SITE, watching: bool | None = None) -> Budget:
    return budget.of_lun(host, lun(host, site), site, watching)


def with_sessions(**changes: object) -> Host:
    return replace(HOST, sessions=tuple(replace(s, **changes) for s in HOST.sessions))  # type: ignore[arg-type]


def test_the_guides_host() -> None:
    own = budget.of_session(HOST, HOST.sessions[0], SITE)
    silent = Stall(20, 23.5, "no-op interval 5 + no-op time-out 5 + recovery 10")
    assert own == Budget(
        {
            Kind.OFFLINE: Stall(0, GRACE, "paths that are failed by hand finish what they have begun"),
            Kind.LINK: silent,
            Kind.SILENCE: silent,
            Kind.BLOCK: silent,
            Kind.RESET: Stall(10, 12.3, "recovery 10"),
        },
        queue=None,
        recovery=10,
        recorded=10,
    )
    assert of() == replace(own, queue=60)
    assert own.worst == silent
    assert str(of()) == "worst stall 20 s (at most 23.5 s), then I/O is held for 60 s"


def test_what_was_measured_is_within_the_limit() -> None:
    """The lab's figures for 5 + 5 + 5 on three releases: 15.2 to 15.5 s."""
    stall = of(with_sessions(recovery_tmo=5)).worst
    assert stall.seconds == 15
    assert stall.limit is not None
    assert 15.5 < stall.limit < 18


def test_the_live_recovery_time_counts_and_not_the_records() -> None:
    own = of(with_sessions(recovery_tmo=5))
    assert (own.recovery, own.recorded, own.stalls[Kind.RESET].seconds) == (5, 10, 5)


def test_the_worst_session_counts() -> None:
    one, *others = HOST.sessions
    host = replace(HOST, sessions=(replace(one, recovery_tmo=120), *others))
    assert budget.of_session(host, others[0], SITE).worst.seconds == 20
    assert (of(host).worst.seconds, of(host).recovery) == (130, 120)


@pytest.mark.parametrize("unknown", ["noop_interval", "noop_timeout", "recovery_tmo"])
def test_what_is_not_known_is_not_guessed(unknown: str) -> None:
    one, *others = HOST.sessions
    own = of(replace(HOST, sessions=(replace(one, **{unknown: None}), *others)))  # type: ignore[arg-type]
    for kind in TIMERS:
        assert (own.stalls[kind].seconds, own.stalls[kind].limit) == (None, None)
    assert own.worst.limit is None
    assert "not known" in str(own)
    assert (own.stalls[Kind.RESET].limit is None) == (unknown == "recovery_tmo")
    assert own.stalls[Kind.OFFLINE].limit == GRACE


@pytest.mark.parametrize("off", ["noop_interval", "noop_timeout"])
def test_without_no_ops_nothing_bounds_a_silence(off: str) -> None:
    own = of(with_sessions(**{off: 0}))
    assert [own.stalls[kind].limit for kind in TIMERS] == [None] * 3
    assert "no-ops are off" in own.worst.why
    assert own.stalls[Kind.RESET].limit == 12.3


def test_a_recovery_time_of_nothing_is_a_time() -> None:
    assert of(with_sessions(recovery_tmo=0)).stalls[Kind.RESET] == Stall(0, GRACE, "recovery 0")


def test_a_lun_without_a_session() -> None:
    own = of(fakes.bare_host())
    assert {s.limit for s in own.stalls.values()} == {None}
    assert (own.queue, own.recovery, own.recorded) == (None, None, None)
    assert str(own) == "worst stall not known (no session), how long I/O is held then is not known"


@pytest.mark.parametrize("watching", [None, False])
def test_a_watcher_counts_only_where_it_runs(watching: bool | None) -> None:
    assert of(site=replace(SITE, watch=Watch(fast_fail="probe")), watching=watching) == of()


def test_a_watcher_that_looks_at_the_link() -> None:
    own = of(site=replace(SITE, watch=Watch(fast_fail="link")), watching=True)
    assert (own.stalls[Kind.LINK].seconds, own.stalls[Kind.LINK].limit) == (0, LINK_WATCH + GRACE)
    assert own.stalls[Kind.SILENCE] == own.worst == of().worst


def test_a_watcher_that_probes() -> None:
    watch = Watch(fast_fail="probe", probe_interval=1.5, probe_misses=4)
    own = of(site=replace(SITE, watch=watch), watching=True)
    assert own.stalls[Kind.LINK].limit == LINK_WATCH + GRACE
    for kind in (Kind.SILENCE, Kind.BLOCK):
        assert (own.stalls[kind].seconds, own.stalls[kind].limit) == (6.0, 10.0)
    assert own.worst == own.stalls[Kind.RESET]


def test_a_watcher_that_does_not_act() -> None:
    assert of(watching=True) == of()


def test_a_watcher_that_the_host_shows_counts_but_not_for_whoever_has_one_nic() -> None:
    site = replace(SITE, watch=Watch(fast_fail="link"))
    watched = replace(HOST, watched=True)
    assert of(watched, site) == of(HOST, site, watching=True) != of(HOST, site)
    assert of(watched, site, watching=False) == of(HOST, site)
    single = replace(with_sessions(nic="eth1"), watched=True)
    assert of(single, site) == of(single, site, watching=False)


@pytest.mark.parametrize(
    ("queue", "said"),
    [
        ("off", "then I/O fails"),
        ("forever", "then I/O is held for ever"),
        (60, "then I/O is held for 60 s"),
        (None, "how long I/O is held then is not known"),
    ],
)
def test_the_queue_is_the_maps(queue: str | int | None, said: str) -> None:
    own = of(replace(HOST, maps=tuple(replace(m, queueing=queue) for m in HOST.maps)))
    assert own.queue == queue
    assert str(own).endswith(said)


@pytest.mark.parametrize("left", [47, "off"])
def test_while_the_queue_is_counted_down_what_is_left_is_not_what_is_set(left: int | str) -> None:
    host = replace(
        HOST,
        paths=tuple(replace(p, dm_state="failed") for p in HOST.paths),
        maps=tuple(replace(m, queueing=left) for m in HOST.maps),
    )
    keywords = {APPS_A01: {"no_path_retry": "12"}, "": {"polling_interval": "5"}}
    assert of(replace(host, effective=Effective(loaded=keywords))).queue == 60
    assert of(replace(host, effective=Effective(installed=keywords))).queue == 60
    assert of(replace(host, effective=Effective(installed={APPS_A01: {"no_path_retry": "12"}}))).queue is None
    assert of(replace(host, effective=None)).queue is None


@pytest.mark.parametrize(
    ("retry", "polling", "queue"),
    [
        ("12", 5, 60),
        ("12", None, None),
        ("fail", None, "off"),
        ("0", 5, "off"),
        ("queue", None, "forever"),
        (None, 5, 60),  # the preset's own
    ],
)
def test_what_a_site_promises(retry: str | None, polling: int | None, queue: str | int | None) -> None:
    said = {"no_path_retry": retry} if retry else {}
    own = budget.of_site(replace(SITE, multipath=said, polling_interval=polling, timeouts=Timeouts(7, 1, 2)))
    assert (own.worst.seconds, own.queue, own.recovery) == (10, queue, 7)
    assert budget.of_site(replace(SITE, preset="none", polling_interval=5)).queue is None
