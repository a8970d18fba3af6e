"""`mpio drill` through its real entry: exit codes, JSON, what is refused. The host is the guide's, pretended."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_commands import FINDING_KEYS, HOST, Mpio, Shows, run, shows, site, wrong
from test_drilled import measured

from mpio.drills import guard, turns
from mpio.drills.drill import How
from mpio.drills.drilled import Measured
from mpio.findings import finding
from mpio.host import Host
from mpio.run import missing
from mpio.step import Command, Part

__all__ = ["run", "shows", "site"]  # fixtures

Ends = Callable[..., None]
DRILL_KEYS = [
    *("thing", "kind", "how", "sessions", "paths", "budget", "stall", "errors", "gone", "put_back", "whole"),
    *("noticed", "noticed_all", "luns"),
]


@pytest.fixture
def ends(shows: Shows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ends:
    """Each drill ends with these figures, and the host is then this one."""
    shows(HOST)
    monkeypatch.setattr(guard, "NOTES", str(tmp_path / "drill.json"))
    monkeypatch.setattr("mpio.run.missing", lambda _: ())

    def end(*figures: Measured, **also: Any) -> None:
        def things(_: object, asked: turns.Asked, host: Host, *__: object) -> turns.Result:
            left = asked.things[len(figures) :]
            return replace(turns.Result(host, list(figures), left=left), **also)

        monkeypatch.setattr(turns, "things", things)

    end(measured(how=How.OFFLINE, stall=0.1))
    return end


def without(host: Host, nic: str) -> Host:
    gone = {s.sid for s in host.sessions if s.nic == nic}
    return replace(
        host,
        sessions=tuple(s for s in host.sessions if s.sid not in gone),
        paths=tuple(p for p in host.paths if p.sid not in gone),
    )


def test_a_drill_that_went_well(run: Mpio, site: Path, ends: Ends) -> None:
    said = run("drill", "eth1", "--yes", "-o", "json")
    document = said.json
    assert (said.code, document["exit"]) == (0, 0), said
    assert list(document) == [
        *("format", "command", "exit", "done", "left", "findings", "drills", "not_drilled", "seconds")
    ]
    assert [list(one) for one in document["drills"]] == [DRILL_KEYS]
    assert (document["left"], document["findings"], document["not_drilled"]) == ([], [], [])
    text = run("drill", "eth1", "--yes")
    assert text.code == 0
    heads, row = text.out.splitlines()
    assert heads.split()[:6] == ["WHAT", "HOW", "LUNS", "PATHS", "BUDGET", "STALL"]
    assert row.split()[:3] == ["eth1", "offline", "4"]


def test_a_stall_over_the_budget_is_a_warning(run: Mpio, site: Path, ends: Ends) -> None:
    ends(measured(stall=90.0))
    document = run("drill", "eth1", "--yes", "-o", "json").json
    assert (document["exit"], [f["code"] for f in document["findings"]]) == (0, ["MP425"])
    assert [list(f) for f in document["findings"]] == [FINDING_KEYS]
    assert " !" in run("drill", "eth1", "--yes").out


def test_reads_that_failed_and_a_host_that_is_not_whole(run: Mpio, site: Path, ends: Ends) -> None:
    ends(measured(error=errno.EIO))
    failed = run("drill", "eth1", "--yes", "-o", "json").json
    assert (failed["exit"], [f["code"] for f in failed["findings"]]) == (4, ["MP427"])
    ends(measured(whole=None), host=without(HOST, "eth1"))
    degraded = run("drill", "--yes", "-o", "json").json
    assert (degraded["exit"], {f["code"] for f in degraded["findings"]}) == (4, {"MP402"})
    assert degraded["not_drilled"] == ["eth2", "10.10.8.90:3260", "10.10.9.90:3260"]
    ends(measured(whole=None), host=without(without(HOST, "eth1"), "eth2"))
    lost = run("drill", "--yes", "-o", "json").json
    assert (lost["exit"], {f["code"] for f in lost["findings"]}) == (5, {"MP401"})
    stuck = Command(Part.IFACES, "the drill is over", ("ip", "link", "set", "dev", "eth1", "up"))
    ends(measured(), stuck=(stuck,))
    away = run("drill", "--yes", "-o", "json").json
    assert [s["argv"] for s in away["left"]] == [list(stuck.argv)]
    assert (away["exit"], [f["code"] for f in away["findings"]]) == (4, ["MP107"])


def test_what_the_site_does_not_expect_must_be_back_too(run: Mpio, site: Path, ends: Ends) -> None:
    ends(measured(whole=None))
    said = run("drill", "eth1", "--yes", "-o", "json").json
    assert (said["exit"], said["findings"]) == (4, [])


def test_what_is_refused_at_the_last_moment(run: Mpio, site: Path, ends: Ends) -> None:
    ends(refused=(finding("MP409", "hydra"),))
    said = run("drill", "eth1", "--yes", "-o", "json").json
    assert (said["exit"], said["drills"], said["not_drilled"]) == (1, [], ["eth1"])
    ends(measured(), refused=(finding("MP409", "hydra"),))
    assert run("drill", "--yes").code == 4


def test_the_last_path_and_a_host_that_is_not_whole_are_refused(
    run: Mpio, site: Path, ends: Ends, shows: Shows
) -> None:
    shows(without(HOST, "eth2"))
    assert "would lose its last usable path" in wrong(run, ["drill", "eth1", "--yes"], 1, "MP409")
    shows(replace(HOST, paths=HOST.paths[1:]))
    assert "is not whole" in wrong(run, ["drill", "eth1", "--yes"], 1, "MP426")
    assert run("drill", "eth1", "--yes", "--force", "MP426").code == 0
    shows(replace(HOST, units=tuple(replace(u, active="inactive") for u in HOST.units)))
    wrong(run, ["drill", "eth1", "--yes"], 1, "MP104")


def test_bad_input(
    run: Mpio, site: Path, ends: Ends, shows: Shows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "offline, link, block" in wrong(run, ["drill", "--how", "saw", "--yes"], 2, "usage")
    assert "eth1" in wrong(run, ["drill", "eth9", "--yes"], 2, "unknown-name")
    wrong(run, ["drill", "10.10.8.90", "--how", "link", "--yes"], 2, "usage")
    wrong(run, ["drill", "--yes", "--plot", str(tmp_path)], 2, "usage")
    wrong(run, ["drill", "--yes", "--plot", "/dev/null"], 2, "usage")
    wrong(run, ["drill", "--yes", "--plot", str(tmp_path / "none" / "x.svg")], 1, "cannot-write")
    wrong(run, ["drill"], 2, "needs-yes")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "mpio-toolkit[plot]" in wrong(run, ["drill", "--yes", "--plot", str(tmp_path / "x.svg")], 1, "could-not")
    monkeypatch.setattr("mpio.run.missing", missing)
    monkeypatch.setattr("mpio.run.PATH", str(tmp_path))
    assert "apt install systemd" in wrong(run, ["drill", "--yes"], 1, "could-not")
    monkeypatch.setattr("mpio.run.missing", lambda names: missing(n for n in names if n == "nft"))
    assert "apt install nftables" in wrong(run, ["drill", "--how", "block", "--yes"], 1, "could-not")


def test_the_picture_is_written(run: Mpio, site: Path, ends: Ends, tmp_path: Path) -> None:
    assert run("drill", "eth1", "--yes", "--plot", str(tmp_path / "x.svg")).code == 0
    assert (tmp_path / "x.svg").read_text().startswith("<?xml")
