"""The resolver's words: those of this machine's hosts file, and no waiting for others."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from mpio import names


def test_a_name_of_this_machine() -> None:
    wanted, _ = socket.getnameinfo(("127.0.0.1", 0), socket.NI_NOFQDN)
    assert names.of(["127.0.0.1", "127.0.0.1", "no address"], 10) == {"127.0.0.1": wanted}
    assert names.of([]) == {}


def test_a_resolver_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getnameinfo", lambda *_: (over.wait(60), ("late", ""))[1])
    begin = time.monotonic()
    assert names.of([f"10.0.0.{n}" for n in range(20)], 0.2) == {}
    assert time.monotonic() - begin < 5
    over.set()
