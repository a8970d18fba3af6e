"""What a unit tells systemd: by a real socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mpio import notify


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line:
        line.bind(path)
        line.settimeout(5)
        yield line


def test_each_word_is_a_message(systemd: socket.socket) -> None:
    notify.ready()
    notify.alive()
    notify.stopping()
    said = [systemd.recv(200) for _ in range(3)]
    assert said == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_an_abstract_address(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"mpio-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line:
        line.bind(f"\0{name}")
        notify.ready()
        assert line.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "vsock:2:1", "/nowhere/at/all"])
def test_where_nobody_listens_nothing_is_said(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify.ready()
    notify.alive()


def test_a_systemd_that_does_not_read_holds_nobody_up(systemd: socket.socket) -> None:
    begin = time.monotonic()
    for _ in range(30):  # more than the kernel keeps of what is not read
        notify.alive()
    assert time.monotonic() - begin < 10
    assert systemd.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("usec", "pid", "interval"),
    [
        (None, None, None),
        ("", None, None),
        ("soon", None, None),
        ("0", None, None),
        ("60000000", None, 30.0),
        ("60000000", "us", 30.0),
        ("60000000", "1", None),
    ],
)
def test_the_watchdog(
    usec: str | None, pid: str | None, interval: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", str(os.getpid()) if pid == "us" else pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert notify.watchdog_interval() == interval
