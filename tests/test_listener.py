"""`watch --listen`: what a scrape gets, and that no client holds anybody up."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from contextlib import ExitStack
from dataclasses import replace

import fakes
import pytest

from mpio import serve, topology
from mpio.errors import Exit, MpioError, UsageError
from mpio.watch import listener as listening
from mpio.watch.event import Name
from mpio.watch.listener import Listener
from mpio.watch.seen import Seen

SITE = fakes.guide_site()
HOST = fakes.guide_host()
SEEN = Seen(
    HOST,
    SITE,
    pairs := topology.pairs(SITE, HOST),
    topology.luns(SITE, HOST, pairs),
    {("sw-iscsi-0", fakes.PORTAL_8): 0.00025},
)


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request: pytest.FixtureRequest) -> Listener:
    return Listener(request.param, 0)


@pytest.fixture
def four() -> Listener:
    return Listener("127.0.0.1", 0)


def asked(listener: Listener, path: str = "/metrics", method: str = "GET") -> tuple[int, str, str]:
    with contextlib.closing(http.client.HTTPConnection(listener.address, listener.port, timeout=10)) as line:
        line.request(method, path)
        answer = line.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()


def test_a_scrape_gets_what_was_shown_last(listener: Listener) -> None:
    assert asked(listener)[0] == 503
    listener.show(SEEN, {"link_down": 2, "resync": 3}, 5, 1234.5)
    code, kind, text = asked(listener)
    assert (code, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = text.splitlines()
    assert "# TYPE mpio_events_total counter" in lines
    assert "# TYPE mpio_watch_resyncs_total counter" in lines
    assert "# TYPE mpio_portal_rtt_seconds gauge" in lines
    assert 'mpio_events_total{event="link_down"} 2.0' in lines
    assert [line for line in lines if line.startswith("mpio_events_total{")] == [
        f'mpio_events_total{{event="{n}"}} { {Name.LINK_DOWN: 2.0, Name.RESYNC: 3.0}.get(n, 0.0) }' for n in Name
    ]
    assert "mpio_watch_resyncs_total 5.0" in lines
    assert "mpio_last_observation_timestamp_seconds 1234.5" in lines
    assert 'mpio_portal_rtt_seconds{iface="sw-iscsi-0",portal="10.10.8.90:3260"} 0.00025' in lines
    listener.show(replace(SEEN, luns=()), {}, 4, 1235.5)
    assert "mpio_watch_resyncs_total 4.0" in asked(listener, "/metrics?x=1")[2]


def test_elsewhere_there_is_nothing(four: Listener) -> None:
    four.show(SEEN, {}, 0, 0.0)
    assert asked(four, "/")[0] == 404
    assert asked(four, "/metrics/")[0] == 404
    assert asked(four, method="POST")[0] == 501
    assert asked(four, method="HEAD") == (200, serve.TYPE, "")
    with socket.create_connection(("127.0.0.1", four.port), 10) as line:
        line.sendall(b"\x16\x03\x01 what is that\r\n\r\n")
        assert line.recv(100).startswith(b"400 ")


def test_slow_clients_hold_nobody_up(four: Listener) -> None:
    """As many as are let in at once but one say nothing, or no more than a byte."""
    four.show(SEEN, {}, 0, 0.0)
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", four.port), 30))
            for _ in range(listening.AT_ONCE - 1)
        ]
        for number, line in enumerate(slow):
            line.sendall((b"", b"G")[number % 2])
        begin = time.monotonic()
        assert asked(four)[0] == 200
        assert time.monotonic() - begin < 2
        # too many: the next ones wait until those are shown out
        stack.enter_context(socket.create_connection(("127.0.0.1", four.port), 30))
        assert asked(four)[0] == 200
        assert time.monotonic() - begin > listening.SECONDS / 2
        assert slow[0].recv(1) == b""


def test_who_drips_bytes_holds_no_seat(four: Listener) -> None:
    with socket.create_connection(("127.0.0.1", four.port), 1) as line:
        begin, out = time.monotonic(), False
        while not out and time.monotonic() - begin < 3 * listening.SECONDS:
            with contextlib.suppress(TimeoutError):
                line.sendall(b"G")
                out = line.recv(1) == b""
    assert (out, time.monotonic() - begin > listening.SECONDS / 2) == (True, True)


def test_a_client_that_hangs_up_is_no_trouble(four: Listener) -> None:
    four.show(SEEN, {}, 0, 0.0)
    for said in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\n\r\n"):
        line = socket.create_connection(("127.0.0.1", four.port), 10)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closed by a reset
        line.sendall(said)
        line.close()
    assert asked(four)[0] == 200


def test_an_address_in_use_and_one_of_nobody(four: Listener) -> None:
    with pytest.raises(MpioError, match=rf"cannot listen on 127.0.0.1:{four.port}: Address already in use") as used:
        Listener("127.0.0.1", four.port)
    assert (used.value.exit, bool(used.value.hint)) == (Exit.COULD_NOT, True)
    with pytest.raises(MpioError, match=r"cannot listen on 192.0.2.1:9464: Cannot assign"):
        Listener("192.0.2.1", 9464)


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:9464", ("::1", 9464)),
        (" [fe80::1%eth0]:65535 ", ("fe80::1%eth0", 65535)),
    ],
)
def test_where_to_listen(said: str, place: tuple[str, int]) -> None:
    assert listening.place(said) == place


@pytest.mark.parametrize(
    "said",
    ["", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:9464", "[127.0.0.1]:1", "x:1"],
)
def test_where_nobody_can(said: str) -> None:
    with pytest.raises(UsageError, match="names no") as wrong:
        listening.place(said)
    assert (wrong.value.exit, wrong.value.hint) == (Exit.USAGE, listening.WAY)
