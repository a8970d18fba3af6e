"""`mpio watch` through its real entry: what it refuses before it looks at anything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import watched

from mpio import cli
from mpio.files import Files
from mpio.machine import Machine
from mpio.run import Runner
from mpio.watch.event import Event, Name, Severity
from mpio.watch.hands import Hands
from mpio.watch.lines import Lines
from mpio.watch.loop import Loop
from mpio.watch.stamps import Stamps


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "json"], "a stream: --output takes jsonl"),
        (["--test-alert", "-o", "jsonl"], "no stream: --output takes json"),
        (["--test-alert", "--event"], "do not go together"),
        (["--install", "--listen", "127.0.0.1:9100"], "do not go together"),
        (["--listen", "everywhere"], ""),
        (["--listen", "192.0.2.1:70000"], ""),
    ],
)
def test_what_cannot_be_meant(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["watch", *words]) == 2
    out, err = capfd.readouterr()
    whole = out + err
    assert said in whole
    assert "Traceback" not in whole
    if "-o" in words:
        assert json.loads(out)["error"]["hint"]


def test_an_address_that_is_taken_is_told_before_anything_else(capfd: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert cli.main(["watch", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"]) == 1
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 2), err


@dataclass
class Told:
    """The hands of a watcher, which only hear."""

    times: list[str] = field(default_factory=list)

    def told(self, events: tuple[Event, ...], *_: Any) -> None:
        self.times += [one.time for one in events]


def test_all_who_are_told_of_an_event_are_told_one_time(tmp_path: Path) -> None:
    printed: list[str] = []
    hands = Told()
    loop = Loop(
        Machine(Runner(), Files(str(tmp_path))),
        None,
        lambda: watched.SITE,
        lambda events, _: printed.extend(one.time for one in events),
        print,
        cast(Hands, hands),
        None,
        "",
        Lines(print),
        Stamps(""),
    )
    loop.seen = watched.seen()
    for subject in ("eth1", "eth2"):
        loop.emit((Event(Name.LINK_DOWN, Severity.DEGRADED, subject), Event(Name.RESYNC, Severity.INFO, subject)))
    loop.selector.close()
    assert len(printed) == 4
    assert all(printed)
    assert printed == hands.times
