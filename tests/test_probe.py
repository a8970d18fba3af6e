"""Real sockets: on the loopback, and in a network namespace of its own where nothing answers."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import pytest

from mpio import probe
from mpio.host import Answer, Portal

TOP = Path(__file__).parent.parent
SHORT = 0.3


@contextlib.contextmanager
def listener(address: str = "127.0.0.1", backlog: int = 5) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
        one.bind((address, 0))
        one.listen(backlog)
        yield one


@contextlib.contextmanager
def full(one: socket.socket) -> Iterator[None]:
    """Connections that nobody accepts, until the kernel drops the next one."""
    with contextlib.ExitStack() as held:
        for _ in range(50):
            client = held.enter_context(socket.socket())
            client.settimeout(0.05)
            try:
                client.connect(one.getsockname())
            except TimeoutError:
                break
        else:
            pytest.fail("the kernel takes any number of connections")
        yield


def portal(one: socket.socket) -> Portal:
    return Portal(*one.getsockname()[:2])


def test_answered_refused_and_silent_at_once() -> None:
    with listener() as closed:
        refuses = portal(closed)
    with listener() as answers, listener(backlog=0) as silent, full(silent):
        told = {portal(answers): Answer.ANSWERED, refuses: Answer.REFUSED, portal(silent): Answer.SILENT}
        begin = time.monotonic()
        met = probe.portals([(name, "lo", at) for name in ("a", "b") for at in told], SHORT)
        took = time.monotonic() - begin
    assert met == {(name, at): answer for name in ("a", "b") for at, answer in told.items()}
    assert SHORT <= took < SHORT + 2


def test_without_silence_nobody_waits() -> None:
    with listener() as one:
        begin = time.monotonic()
        assert probe.portals([("a", "lo", portal(one))], 30) == {("a", portal(one)): Answer.ANSWERED}
        assert time.monotonic() - begin < 5


def test_what_opened_is_closed_at_once() -> None:
    with listener() as one:
        probe.portals([("a", "lo", portal(one))], SHORT)
        accepted, _ = one.accept()
        with accepted:
            accepted.settimeout(5)
            assert accepted.recv(1) == b""


def test_an_ipv6_portal() -> None:
    with listener("::1") as one:
        assert probe.portals([("a", "lo", portal(one))], SHORT) == {("a", portal(one)): Answer.ANSWERED}


def test_a_nic_that_is_not_there_has_no_route() -> None:
    with listener() as one:
        assert probe.portals([("a", "no-such-nic", portal(one))], SHORT) == {("a", portal(one)): Answer.NO_ROUTE}


def test_one_probe_and_its_round_trips() -> None:
    with listener() as one:
        answer, rtt, network = probe.once("lo", portal(one), 5)
        assert answer is Answer.ANSWERED
        assert rtt is not None
        assert network is not None
        assert 0 < network <= rtt < 5  # the kernel's own figure is within ours
        accepted, _ = one.accept()
        with accepted:
            accepted.settimeout(5)
            assert accepted.recv(1) == b""  # closed at once
        closed = portal(one)
    assert probe.once("lo", closed, SHORT) == (Answer.REFUSED, None, None)
    assert probe.once("no-such-nic", closed, SHORT) == (Answer.NO_ROUTE, None, None)
    with listener(backlog=0) as deaf, full(deaf):
        assert probe.once("lo", portal(deaf), SHORT) == (Answer.SILENT, None, None)
    with listener("::1") as six:
        assert probe.once("lo", portal(six), 5)[0] is Answer.ANSWERED


def test_a_stream_takes_turns_and_its_time() -> None:
    with listener() as one, listener() as other:
        closed = Portal("127.0.0.1", 1)
        ways = [("a", "lo", portal(one)), ("b", "lo", closed), ("a", "lo", portal(other))]
        met = list(islice(probe.stream(ways, pace=0.2), 5))
    assert [(t.iface, t.portal) for t in met] == [(i, p) for i, _, p in (*ways, *ways[:2])]
    assert [t.number for t in met] == [0, 0, 1, 2, 1]
    assert [t.answer for t in met] == [
        *(Answer.ANSWERED, Answer.REFUSED, Answer.ANSWERED, Answer.ANSWERED, Answer.REFUSED)
    ]
    assert [t.rtt is None for t in met] == [False, True, False, False, True]
    assert all(later.at - sooner.at > 0.1 for sooner, later in pairwise(met))
    assert met[0].at < 0.2


def test_a_slow_probe_is_not_made_up_for() -> None:
    with listener(backlog=0) as deaf, full(deaf):
        met = list(islice(probe.stream([("a", "lo", portal(deaf))], pace=0.1, limit=SHORT), 3))
    assert {t.answer for t in met} == {Answer.SILENT}
    assert all(later.at - sooner.at >= SHORT for sooner, later in pairwise(met))


def test_nothing_wanted_is_nothing_met() -> None:
    assert probe.portals([]) == {}


def test_no_descriptor_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with listener() as one:
        probe.portals(
            [("a", "lo", portal(one)), ("b", "no-such-nic", portal(one)), ("c", "lo", Portal("::1", 1))], SHORT
        )
    assert len(os.listdir("/proc/self/fd")) == before


INSIDE = """
import json, sys
from mpio import probe
from mpio.host import Portal
wanted = [(nic, nic, Portal(address)) for nic, address in json.load(sys.stdin)]
print(json.dumps([[nic, portal.address, answer] for (nic, portal), answer in probe.portals(wanted, 0.3).items()]))
"""
NETWORK = """
set -e
ip link set lo up
ip link add san0 type veth peer name far0
ip link set far0 up
ip link set san0 up
ip address add 10.10.8.14/24 dev san0
ip link add san1 type veth peer name far1
ip address add 10.10.9.14/24 dev san1
ip route add unreachable 10.66.0.0/16
exec "$@"
"""


def in_namespace(wanted: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The answers in a network where san0 is up without anybody behind it and san1 is down."""
    own = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
    done = subprocess.run(
        ["unshare", *own, "--", "sh", "-c", NETWORK, "sh", sys.executable, "-c", INSIDE],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=TOP,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "PYTHONPATH": str(TOP)},
    )
    assert done.returncode == 0, done.stderr
    return {(nic, address): answer for nic, address, answer in json.loads(done.stdout)}


def test_a_network_where_nothing_answers() -> None:
    """The bound NIC alone decides, on-link whatever the routes say; a NIC that is down reaches nothing."""
    cases = {
        ("san0", "10.10.8.90"): "silent",
        ("san0", "10.66.0.1"): "silent",
        ("san1", "10.10.9.90"): "no route",
        ("san1", "10.66.0.1"): "no route",
    }
    assert in_namespace(list(cases)) == cases
