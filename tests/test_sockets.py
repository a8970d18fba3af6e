"""Against this machine's own kernel."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mpio import sockets
from mpio.errors import MpioError
from mpio.host import Pair, Portal, Session

Ends = tuple[socket.socket, socket.socket, Session]


@pytest.fixture(params=["127.0.0.1", "::1"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """Both ends of a connection, and the session that it would be."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.create_server((request.param, 0), family=family) as door:
        port = door.getsockname()[1]
        with socket.create_connection((request.param, port)) as near, door.accept()[0] as far:
            pair = Pair("sw-iscsi-0", Portal(request.param, port), "iqn.x")
            local = near.getsockname()[1]
            yield near, far, Session(7, 7, pair, "lo", 1, "LOGGED_IN", None, None, None, "", request.param, port, local)


def test_a_socket_says_when_it_last_heard_something(ends: Ends) -> None:
    near, far, session = ends
    end = time.monotonic() + 10
    while sockets.of_sessions([session])[7].age < 0.2:
        assert time.monotonic() < end
    far.send(b"x")
    near.recv(1)
    heard = sockets.of_sessions([session])[7]
    assert heard.age < 0.2
    assert 0 < heard.rtt < 1


def test_sessions_without_a_socket_are_left_out(ends: Ends) -> None:
    session = ends[2]
    others = [
        replace(session, sid=1, address=""),
        replace(session, sid=2, local_port=None),
        replace(session, sid=3, local_port=(session.local_port or 0) ^ 1),
        replace(session, sid=4, address="127.0.0.2"),
    ]
    assert sockets.of_sessions(others) == {}
    assert sockets.of_sessions([]) == {}


def test_no_socket_is_ended_that_begins_elsewhere(ends: Ends) -> None:
    near, far, session = ends
    assert sockets.find([session], {"lo": ("10.10.8.20/24", "fd00::20/64"), "eth1": (f"{session.address}/8",)}) == {}
    assert sockets.find([session], {"lo": (f"{session.address}/8",)}).keys() == {7}
    assert sockets.end({}) == set()
    far.send(b"x")
    assert near.recv(1) == b"x"


def test_two_sessions_with_one_port_here_have_each_its_own_socket() -> None:
    """Through two NICs to one portal: only the device that a socket is bound to, or where it begins, tells them."""
    with socket.create_server(("127.0.0.1", 0)) as door, socket.socket() as one, socket.socket() as other:
        way: tuple[str, int] = door.getsockname()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.2", one.getsockname()[1]))
        one.connect(way)
        other.connect(way)
        pair, port = Pair("sw-iscsi-0", Portal(*way), "iqn.x"), one.getsockname()[1]
        first = Session(1, 1, pair, "lo", 1, "LOGGED_IN", None, None, None, "", way[0], way[1], port)
        second = replace(first, sid=2, nic="eth99")
        own = {"lo": ("127.0.0.1/8",), "eth99": ("127.0.0.2/8",)}
        assert {sid: f.here[3] for sid, f in sockets.find([first, second], own).items()} == {1: 1, 2: 2}
        assert {sid: f.here[3] for sid, f in sockets.find([second, first], own).items()} == {1: 1, 2: 2}
        assert sockets.of_sessions([second, first]).keys() == {1, 2}
        # Nobody knows whose the one is that is bound to nothing.
        third = replace(first, sid=3, nic="eth98")
        assert sockets.of_sessions([first, second, third]).keys() == {1}


@pytest.mark.parametrize(("name", "value"), [("TCP", 200), ("NETLINK_SOCK_DIAG", 31)])
def test_a_kernel_that_tells_nothing_of_sockets(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    """It has no handler for the protocol, or no sock_diag at all."""
    monkeypatch.setattr(sockets, "_LACK", defaultdict(type(sockets._LACK[0])))
    monkeypatch.setattr(sockets, name, value)
    if name == "NETLINK_SOCK_DIAG":
        monkeypatch.setattr(sockets, "_kernel", sockets._kernel.__wrapped__)
    for _ in range(2):
        with pytest.raises(MpioError, match="does not tell of TCP connections"):
            sockets.of_sessions([ends[2]])
    assert not sockets.can_abort()
    monkeypatch.undo()
    assert sockets.of_sessions([ends[2]]).keys() == {7}


def test_a_full_window_is_not_stuck(ends: Ends) -> None:
    """The other end is slow, and answers."""
    near, _, session = ends
    near.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            near.send(bytes(1 << 16))
    assert not sockets.of_sessions([session])[7].stuck
