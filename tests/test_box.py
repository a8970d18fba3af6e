"""The black box on real files: bounded, private, whole after a death within a line; and its reader, `mpio history`."""

from __future__ import annotations

import datetime
import json
import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import fakes
import pytest
from test_commands import Mpio, run

from mpio import topology
from mpio.commands import call
from mpio.files import Files
from mpio.host import Answer, Host
from mpio.machine import Machine
from mpio.run import Runner
from mpio.watch import box, history, layers
from mpio.watch.box import Box
from mpio.watch.event import Event, Name, Severity, document, stamped
from mpio.watch.layers import Change
from mpio.watch.seen import Seen

__all__ = ["run"]
SITE = fakes.guide_site()
HOST = fakes.guide_host()
NOW = datetime.datetime(2026, 11, 21, 22, 0, 0, 123000, datetime.timezone(datetime.timedelta(hours=1)))
LINKS = (
    Event(Name.LINK_DOWN, Severity.DEGRADED, "NIC eth1", "eth1 has no carrier", root="NIC eth1", nic="eth1"),
    Event(Name.LINK_UP, Severity.RECOVERED, "NIC eth1", "eth1 has carrier", root="NIC eth1", nic="eth1"),
)
DOWN, UP = stamped(LINKS, NOW)


def seen(host: Host) -> Seen:
    pairs = topology.pairs(SITE, host)
    return Seen(host, SITE, pairs, topology.luns(SITE, host, pairs))


def lost(host: Host) -> Host:
    """The host without carrier on eth1, as far as the kernel shows it at once."""
    return replace(
        host,
        nics=tuple(replace(n, carrier=False) if n.name == "eth1" else n for n in host.nics),
        sessions=tuple(replace(s, state="FAILED") if s.nic == "eth1" else s for s in host.sessions),
    )


def boxed(root: Path, said: list[str] | None = None) -> Box:
    return Box(Machine(Runner(), Files(str(root))), (said if said is not None else []).append)


def kept(root: Path) -> list[dict[str, object]]:
    files = Files(str(root))
    entries, _ = history.parse("".join(files.text(path) or "" for path in (history.OLDER, history.CURRENT)))
    return list(entries)


def test_events_and_layers_on_one_clock(tmp_path: Path) -> None:
    one = boxed(tmp_path)
    one.look(seen(HOST), NOW)
    one.keep([DOWN])
    one.look(seen(lost(HOST)), NOW)
    one.look(seen(lost(HOST)), NOW)
    one.close(10)
    event, *others = kept(tmp_path)
    assert {k: v for k, v in event.items() if k not in ("monotonic", "boot")} == document(DOWN)
    assert [(e["layer"], e["was"], e["now"]) for e in others] == [
        ("carrier", "up", "down"),
        *[("session", "LOGGED_IN", "FAILED")] * 2,
    ]
    assert all(isinstance(e["monotonic"], float) for e in (event, *others))
    assert len({str(e["boot"]) for e in (event, *others)}) == 1
    place = tmp_path / history.CURRENT[1:]
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert oct(place.stat().st_mode & 0o077) == "0o0"


def test_nothing_new_writes_nothing_and_starts_nothing(tmp_path: Path) -> None:
    before = threading.active_count()
    one = boxed(tmp_path)
    one.look(seen(HOST), NOW)
    one.look(seen(HOST), NOW)
    one.keep(())
    assert threading.active_count() == before
    one.close(10)
    assert not any(tmp_path.iterdir())


def test_it_is_bounded(tmp_path: Path) -> None:
    one, long = boxed(tmp_path), replace(DOWN, detail="x" * 4000)
    for number in range(800):
        one.keep([replace(long, subject=str(number))])
    one.close(30)
    sizes = [(tmp_path / path[1:]).stat().st_size for path in (history.OLDER, history.CURRENT)]
    assert all(0 < size <= box.SIZE for size in sizes), sizes
    numbers = [int(str(e["subject"])) for e in kept(tmp_path)]
    assert numbers == list(range(numbers[0], 800))
    assert len(numbers) > 200


def test_a_death_within_a_line_costs_that_line(tmp_path: Path) -> None:
    first = boxed(tmp_path)
    first.keep([DOWN, UP])
    first.close(10)
    place = tmp_path / history.CURRENT[1:]
    place.write_bytes(place.read_bytes()[:-40])
    second = boxed(tmp_path)
    second.keep([UP])
    second.close(10)
    assert [e["event"] for e in kept(tmp_path)] == ["link_down", "link_up"]
    assert history.parse(place.read_text())[1] == 1


def test_a_disk_that_takes_nothing_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("where a folder should be")
    said: list[str] = []
    one = boxed(tmp_path, said)
    for _ in range(20):
        one.keep([DOWN])
        one.look(seen(HOST), NOW)
    one.close(10)
    assert len(said) == 1
    assert said[0].startswith(f"the black box {history.FOLDER} takes nothing: ")


def test_a_full_disk_is_said_and_gone_again(tmp_path: Path) -> None:
    """/dev/full takes a file's place: each write ends with ENOSPC."""
    folder = tmp_path / history.FOLDER[1:]
    folder.mkdir(parents=True)
    place = tmp_path / history.CURRENT[1:]
    os.mkfifo(place)  # opened for reading and writing it takes bytes, but has nothing to sync
    said: list[str] = []
    one = boxed(tmp_path, said)
    one.keep([DOWN])
    one.close(10)
    assert len(said) == 1, said
    place.unlink()
    two = boxed(tmp_path, said)
    two.keep([UP])
    two.close(10)
    assert (len(said), [e["event"] for e in kept(tmp_path)]) == (1, ["link_up"])


def test_what_a_disk_did_not_take_waits_for_it(tmp_path: Path) -> None:
    obstacle = tmp_path / "var"
    obstacle.write_text("where a folder should be")
    refused = threading.Event()
    one = Box(Machine(Runner(), Files(str(tmp_path))), lambda _: refused.set())
    one.keep([DOWN])
    assert refused.wait(10)
    obstacle.unlink()
    one.keep([UP])
    one.close(10)
    assert [e["event"] for e in kept(tmp_path)] == ["link_down", "link_up"]


# A limit on the size of files takes a full disk's place: it cuts a write short within a line.
FULL = """
import resource, sys, threading
import test_box as t
refused = threading.Event()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
one = t.Box(t.Machine(t.Runner(), t.Files(sys.argv[1])), lambda _: refused.set())
one.keep([t.replace(t.DOWN, subject=str(number)) for number in range(10)])
assert refused.wait(10)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
one.keep([t.replace(t.DOWN, subject="10")])
one.close(10)
"""


def test_a_write_that_is_cut_short_goes_on_where_it_was(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], check=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert [e["subject"] for e in kept(tmp_path)] == [str(number) for number in range(11)]
    assert history.parse((tmp_path / history.CURRENT[1:]).read_text())[1] == 1


def test_what_changed_between_two_looks() -> None:
    before = seen(replace(HOST, probes={("sw-iscsi-0", fakes.PORTAL_8): Answer.ANSWERED}))
    first, *others = HOST.paths
    after = replace(
        HOST,
        probes={("sw-iscsi-0", fakes.PORTAL_8): Answer.SILENT},
        paths=(replace(first, device_state="transport-offline", dm_state="failed"), *others[1:]),
        maps=(replace(HOST.maps[0], suspended=True), *HOST.maps[1:]),
    )
    found = list(layers.between(layers.states(before), layers.states(seen(after))))
    assert [c.layer for c in found] == ["probe", "device", "device", "dm", "dm", "map"]
    assert found[0] == Change("probe", "sw-iscsi-0 -> 10.10.8.90:3260", "answered", "silent")
    assert {c.now for c in found if c.subject.startswith(f"{others[0].dev} ")} == {"gone"}
    states = {c.layer: (c.was, c.now) for c in found if c.subject.startswith(f"{first.dev} ")}
    assert states == {"device": ("running", "transport-offline"), "dm": ("active", "failed")}
    assert not list(layers.between(layers.states(before), layers.states(before)))


def test_every_layer_has_its_place() -> None:
    assert {layer for layer, _ in layers.states(seen(HOST))} <= set(layers.LAYERS)


# -- mpio history --------------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr(call, "Files", partial(Files, str(root)))
    return root


def test_nothing_recorded_yet(run: Mpio, here: Path) -> None:
    said = run("history")
    assert (said.code, said.out) == (0, "")
    assert said.err == "nothing is recorded yet: `mpio watch` does it, as root, while it runs\n"
    assert run("history", "-o", "json").json == {
        "format": 1,
        "command": "history",
        "exit": 0,
        "since": None,
        "entries": [],
    }
    assert run("history", "-o", "jsonl").out == ""


def test_it_is_read_as_text_json_and_lines(run: Mpio, here: Path) -> None:
    one = boxed(here)
    one.look(seen(HOST), NOW)
    one.keep([DOWN])
    one.look(seen(lost(HOST)), NOW)
    one.keep(stamped([LINKS[1]], NOW + datetime.timedelta(hours=2)))
    one.close(10)
    lines = run("history").out.splitlines()
    assert [" ".join(line.split()[2:5]) for line in lines[1:]] == [
        "link_down degraded NIC",
        "carrier - eth1",
        "session - 2:",
        "link_up recovered NIC",
    ]
    assert lines[0].split() == list(history.HEADS)
    assert lines[3].endswith("LOGGED_IN -> FAILED")
    document = run("history", "-o", "json").json
    assert document["entries"] == kept(here)
    streamed = run("history", "-o", "jsonl", "--since", "2026-11-21T22:30+01:00").out.splitlines()
    assert [json.loads(line)["event"] for line in streamed] == ["link_up"]
    later = run("history", "--since", "2027-01-01")
    assert (later.code, later.out) == (0, "")
    assert "nothing is recorded since 2027-01-01" in later.err


def test_a_torn_line_is_told(run: Mpio, here: Path) -> None:
    one = boxed(here)
    one.keep([DOWN])
    one.close(10)
    with (here / history.CURRENT[1:]).open("a") as file:
        file.write('{"format":1,"time":"2026-1')
    said = run("history")
    assert said.code == 0
    assert "link_down" in said.out
    assert said.err.startswith("1 line")


def test_a_box_that_turns_over_while_it_is_read(run: Mpio, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = boxed(here)
    one.keep([DOWN])
    one.close(10)
    read = Files.text

    def text(files: Files, path: str) -> str | None:
        said = read(files, path)
        if path == history.CURRENT:
            (here / history.CURRENT[1:]).rename(here / history.OLDER[1:])
            later = boxed(here)
            later.keep([UP])
            later.close(10)
        return said

    monkeypatch.setattr(Files, "text", text)
    assert [e["event"] for e in run("history", "-o", "json").json["entries"]] == ["link_down"]


def test_a_box_that_cannot_be_read(run: Mpio, here: Path) -> None:
    (here / history.CURRENT[1:]).mkdir(parents=True)
    said = run("history")
    assert (said.code, said.out) == (1, "")
    assert history.CURRENT in said.err


def test_a_time_that_is_none(run: Mpio, here: Path) -> None:
    said = run("history", "--since", "tea time")
    assert (said.code, said.out) == (2, "")
    assert "'tea time' is no time" in said.err


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-11-21T21:00:00+00:00", "2026-11-21T22:00:00+01:00"),
        ("today", "2026-11-21T00:00:00+01:00"),
        ("Yesterday", "2026-11-20T00:00:00+01:00"),
        ("2h", "2026-11-21T20:00:00.123+01:00"),
        ("30 min", "2026-11-21T21:30:00.123+01:00"),
        ("1 day 2 hours ago", "2026-11-20T20:00:00.123+01:00"),
        ("90 seconds", "2026-11-21T21:58:30.123+01:00"),
    ],
)
def test_since_when(said: str, moment: str) -> None:
    assert history.moment(said, NOW) == datetime.datetime.fromisoformat(moment)


def test_a_day_is_this_hosts() -> None:
    assert history.moment("2026-11-21", NOW) == datetime.datetime(2026, 11, 21).astimezone()


@pytest.mark.parametrize("said", ["", "now and then", "2", "-2h", "25:00", "2026-13-01", "2h x"])
def test_no_moment(said: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        history.moment(said, NOW)


@pytest.mark.parametrize(
    "line", ["{", "[]", "7", "{}", '{"event":"x"}', '{"event":"x","time":7}', '{"layer":1,"time":"x"}']
)
def test_what_is_no_entry(line: str) -> None:
    assert history.parse(line + "\n") == ((), 1)
