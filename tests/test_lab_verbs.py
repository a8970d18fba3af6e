"""The lab's verbs by their command line, without a guest: the agent runs here, or the work is done by a stand-in."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from test_commands import Mpio, run, wrong
from test_lab import agent, runtime

from mpio.lab import channel, demo, guest, record, rehearse, session

__all__ = ["agent", "run", "runtime"]


@pytest.fixture
def up(agent: tuple[channel.Channel, Popen[bytes]], runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A guest in the background, whose commands run here; the project is not pushed into it."""
    monkeypatch.setattr(guest.Remote, "push_project", lambda _: None)
    there: Any = guest.Remote(agent[0])
    with session.Owner(session.at(), there) as owner:
        threading.Thread(target=owner.serve_forever, daemon=True).start()
        yield session.at()
        owner.shutdown()


@pytest.mark.usefixtures("up")
def test_a_commands_output_is_in_the_document(run: Mpio) -> None:
    said = run(
        "lab", "run", "-o", "json", "--", "sh", "-c", r"echo out; printf '\303' >&2; printf '\251\377' >&2; exit 7"
    )
    assert said.json == {"format": 1, "command": "lab run", "exit": 7, "out": "out\n", "err": "é\\xff"}
    assert (said.code, said.err) == (7, "")


@pytest.mark.usefixtures("up")
def test_without_a_document_it_goes_out_as_it_comes(run: Mpio) -> None:
    said = run("lab", "run", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (said.code, said.out, said.err) == (7, "out\n", "err\n")


def test_a_guest_that_is_up_is_not_started_again(run: Mpio, up: Path) -> None:
    said = run("lab", "up", "--suite", "bullseye", "-o", "json")
    body = {"started": False, "suite": None, "socket": str(up)}
    assert said.json == {"format": 1, "command": "lab up", "exit": 0, **body}


@pytest.mark.usefixtures("runtime")
def test_down_says_whether_there_was_one(run: Mpio) -> None:
    said = run("lab", "down", "-o", "json")
    assert said.json == {"format": 1, "command": "lab down", "exit": 0, "ended": False}
    assert said.err == "there is no guest\n"


def test_the_demo_tells_its_way_beside_the_document(run: Mpio, monkeypatch: pytest.MonkeyPatch) -> None:
    def done(suite: str, hear: channel.Hear, say: Any) -> int:
        say("prague# mpio verify")
        hear("out", b"degraded\n")
        return 4

    monkeypatch.setattr(demo, "run", done)
    said = run("lab", "demo", "--suite", "trixie", "-o", "json")
    assert said.json == {"format": 1, "command": "lab demo", "exit": 4, "suite": "trixie"}
    assert (said.code, said.err) == (4, "prague# mpio verify\ndegraded\n")
    said = run("lab", "demo")
    assert (said.code, said.out, said.err) == (4, "degraded\n", "prague# mpio verify\n")


@pytest.mark.parametrize("page", ["", "<html>"])
def test_a_rehearsal_names_the_page_that_it_has_written(
    run: Mpio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str
) -> None:
    monkeypatch.setattr(rehearse, "run", lambda *_: (1, page))
    monkeypatch.chdir(tmp_path)
    Path("site.toml").write_bytes(session.SITE.read_bytes())
    said = run("lab", "rehearse", "site.toml", "--report", "page.html", "-o", "json")
    body = {"suite": "bookworm", "site": f"{tmp_path}/site.toml", "report": f"{tmp_path}/page.html" if page else None}
    assert said.json == {"format": 1, "command": "lab rehearse", "exit": 1, **body}
    assert Path("page.html").exists() == bool(page)


def test_a_recorder_says_where_to(run: Mpio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(record, "record", lambda *_: 3)
    monkeypatch.chdir(tmp_path)
    said = run("lab", "record", "kept", "--suite", "bullseye", "-o", "json")
    body = {"suite": "bullseye", "folder": f"{tmp_path}/kept", "recordings": 3}
    assert said.json == {"format": 1, "command": "lab record", "exit": 0, **body}


@pytest.mark.parametrize("argv", [["demo"], ["rehearse", str(session.SITE)]])
@pytest.mark.parametrize("suite", ["bullseye", "forky"])
def test_where_mpio_does_not_run_no_guest_is_started(
    run: Mpio, monkeypatch: pytest.MonkeyPatch, argv: list[str], suite: str
) -> None:
    for module in (demo, rehearse):
        monkeypatch.setattr(module, "run", lambda *_: sys.exit("a guest was started"))
    said = wrong(run, ["lab", *argv, "--suite", suite], 2, "usage")
    assert suite in said
    assert "bookworm or trixie" in said
    assert "bullseye" not in run("lab", argv[0], "--help").out
    assert "bookworm" in wrong(run, ["lab", *argv, "--suite", "../sarge"], 2, "unknown-name")
