"""The watcher's small edges: what it writes to, and what it looks at once a second."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from mpio import links
from mpio.watch import lines, stamps
from mpio.watch.lines import Lines
from mpio.watch.stamps import Stamps


def test_lines_come_out_in_their_order_and_all_of_them() -> None:
    said: list[str] = []
    out = Lines(said.append)
    for number in range(1000):
        out.put(str(number))
    out.close(5)
    assert said == [str(n) for n in range(1000)]


def test_a_reader_that_stands_still_holds_nobody_up() -> None:
    go_on = threading.Event()

    def stands_still(_: str) -> None:
        go_on.wait()

    out = Lines(stands_still)
    begin = time.monotonic()
    for _ in range(500):
        out.put("x")
    assert time.monotonic() - begin < 1
    go_on.set()
    out.close(5)


def test_what_nobody_takes_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "KEPT", 10)
    go_on, said = threading.Event(), list[str]()

    def write(line: str) -> None:
        go_on.wait()
        said.append(line)

    out = Lines(write)
    for number in range(100):
        out.put(str(number))
    assert (out.missing(), out.dropped > 80) == (0, True)
    go_on.set()
    end = time.monotonic() + 10
    while not (dropped := out.missing()):
        assert time.monotonic() < end
    out.close(5)
    assert dropped + len(said) == 100


def test_a_reader_that_has_gone_ends_the_writing_not_the_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "KEPT", 2)
    ours, theirs = os.pipe()
    os.close(ours)

    def write(line: str) -> None:
        os.write(theirs, line.encode())

    out = Lines(write)
    for _ in range(10):
        out.put("x")
    assert out.gone.wait(5)
    out.put("x")
    out.close(1)
    os.close(theirs)


def test_stamps_tell_what_was_restarted_and_that_the_clock_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "UNITS", str(tmp_path))
    (tmp_path / "multipathd.service").mkdir()
    looked = Stamps(str(tmp_path / "site.toml"))
    assert looked.news() == ()
    (tmp_path / "kept").mkdir()  # or the file system may give the number that has just become free again
    (tmp_path / "multipathd.service").rename(tmp_path / "gone")
    assert looked.news() == ()  # stopped: that it is down is what the paths show
    (tmp_path / "multipathd.service").mkdir()
    assert looked.news() == ("multipathd was restarted",)
    (tmp_path / "iscsid.service").mkdir()
    assert looked.news() == ()  # a first start is none again
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert looked.news() == ("the clock was set by +3600 s",)
    assert looked.news() == ()


def test_a_suspended_machine_is_told_from_a_set_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Stamps(str(tmp_path / "site.toml"))
    slept = looked._slept
    monkeypatch.setattr(stamps, "_slept", lambda: slept + 90)
    assert looked.news() == ("the machine was suspended for 90 s",)
    assert looked.news() == ()


def test_a_changed_site_file_is_told_once(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    looked = Stamps(str(site))
    assert not looked.site_changed()
    site.write_text("format = 1\n")
    assert looked.site_changed()
    assert not looked.site_changed()
    os.replace(site, tmp_path / "old")
    assert looked.site_changed()


def test_addresses_are_those_of_the_kernel() -> None:
    assert "127.0.0.1/8" in links.addresses()["lo"]
    monitor = links.Monitor()
    assert monitor.drain() is False
    monitor.close()
