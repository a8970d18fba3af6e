"""The benchmark's pure parts; tests/vm/test_bench.py runs it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import recordings

from mpio import recording, releases, sitefile
from mpio.host import Host
from mpio.plan import maps, timeouts
from mpio.tools import dmsetup

TOP = Path(__file__).parent.parent
BENCH = TOP / "contrib/bench"


def load(name: str) -> Any:
    """A file of the benchmark, which is no package."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


figures, layouts, observer = load("figures"), load("layouts"), load("observer")
sys.modules["figures"] = figures  # by which its neighbour knows it
stalls, verdicts = load("stalls"), load("verdicts")

WHOLE = "m: 0 2048 multipath 2 0 1 0 2 1 A 0 2 2 8:32 A 0 0 1 65:128 A 0 0 1 E 0 2 2 8:176 A 0 0 1 8:0 A 0 0 1 \n"
SCRIPT = (BENCH / "fewest.sh").read_text()
NOOPS = {"node.conn[0].timeo.noop_out_interval": "5", "node.conn[0].timeo.noop_out_timeout": "5"}  # iscsid.conf's own


def run(layout: str, contender: str, whole: float | None, ended: float | None = 1.0, code: int = 0) -> Any:
    return figures.Run(layout, contender, whole, ended, code, 8 if whole else 3, 180.0)


# -- the observer


@pytest.mark.parametrize(
    ("text", "maps"),
    [
        ("No devices found\n", {}),
        (WHOLE, {"m": 4}),
        (WHOLE.replace("8:0 A", "8:0 F"), {"m": -1}),
        (f"{WHOLE}swap: 0 4096 linear \n", {"m": 4}),
        ("a:b: 0 2048 multipath 2 0 0 0 1 1 E 0 1 0 8:16 A 0\n", {"a:b": 1}),
        ("m: 0 2048 multipath 2 0 0 0 0 1\n", {"m": 0}),
    ],
)
def test_the_observer_reads_dmsetup(text: str, maps: dict[str, int]) -> None:
    assert observer.active_paths(text) == maps


def test_the_observer_reads_what_mpio_reads() -> None:
    recorded = [recording.load(p.read_text()).out for p in (TOP / "tests/recorded").rglob("dmsetup-status")]
    assert any(" F " in text for text in recorded)
    for text in recorded:
        states = {name: [p.active for p in paths] for name, paths in dmsetup.parse_status(text).items()}
        assert observer.active_paths(text) == {n: len(s) if all(s) else -1 for n, s in states.items()}


def test_whole_is_every_map_by_name_with_exactly_its_paths() -> None:
    assert observer.are_whole({"a": 4, "b": 4, "c": 1}, ["a", "b"], 4)
    assert not observer.are_whole({"a": 4}, ["a", "b"], 4)
    assert not observer.are_whole({"a": 4, "b": 3}, ["a", "b"], 4)
    assert not observer.are_whole({"a": 4, "b": 5}, ["a", "b"], 4)
    assert not observer.are_whole({"a": 4, "b": -1}, ["a", "b"], 4)


def test_the_observer_times_a_command_and_keeps_what_it_said(tmp_path: Path) -> None:
    log = tmp_path / "log"
    fake = tmp_path / "dmsetup"
    fake.write_text(
        f"#!/bin/sh\n[ -e {tmp_path}/made ] && printf 'm: 0 8 multipath 2 0 0 0 1 1 A 0 1 0 8:0 A 0\\n'\nexit 0\n"
    )
    fake.chmod(0o755)
    command = ["sh", "-c", f"echo said; touch {tmp_path}/made; exit 3"]
    argv = [sys.executable, str(BENCH / "observer.py"), "--paths", "1", "--limit", "60", "--log", str(log), "m", "--"]
    done = subprocess.run(
        [*argv, *command],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    seen = json.loads(done.stdout)
    assert (seen["code"], seen["maps"], seen["still"], log.read_text()) == (3, 1, True, "said\n")
    assert 0 < seen["exit"] < 60
    assert 0 < seen["whole"] < 60
    assert seen["changes"][-1][1:] == [1, 1]


# -- the figures


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ([3.0], 3.0),
        ([9.0, 1.0, 2.0], 2.0),
        ([1.0, 2.0], 1.5),
        ([None, 1.0, 2.0], 2.0),
        ([None, 1.0], None),
        ([None, None, 1.0], None),
        ([], None),
    ],
)
def test_median(values: list[float | None], median: float | None) -> None:
    assert figures.median(values) == median


def test_the_table_has_medians_and_ratios() -> None:
    times = {"script": (10.0, 20.0, 12.0), "mpio": (15.0, 14.0, 99.0), "os-brick": (None, 30.0, None)}
    runs = [run("8x4", c, times[c][n], None if c == "os-brick" else 5.0, -9 if c == "os-brick" else 0)
            for n in range(3) for c in times]  # fmt: skip
    assert figures.rows(runs) == [
        ("8x4", "script", "12.0", "10.0, 20.0, 12.0", "5.0", "1.00"),
        ("8x4", "mpio", "15.0", "15.0, 14.0, 99.0", "5.0", "1.25"),
        ("8x4", "os-brick", "over 180", "over 180 (3 maps), 30.0, over 180 (3 maps)", "over 180", "over 15.0"),
    ]
    head, rule, *rows = figures.table(runs).splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")] == list(figures.HEAD)
    assert set(rule) == {"|", "-"}
    assert {len(line) for line in (head, rule, *rows)} == {len(head)}
    assert figures.rows([run("8x2", "mpio", 4.0, 6.0, 4)]) == [("8x2", "mpio", "4.0", "4.0", "6.0 (exit 4)", "-")]


@pytest.mark.parametrize(
    ("mpio", "script", "brick", "holds"),
    [
        (15.5, 10.0, 20.0, [True, True, True]),
        (15.6, 10.0, 20.0, [True, False, True]),
        (15.5, 10.0, 15.4, [True, True, False]),
        (15.5, 10.0, None, [True, True, True]),
        (None, 10.0, None, [True, False, False]),
    ],
)
def test_what_is_promised(mpio: float | None, script: float, brick: float | None, holds: list[bool]) -> None:
    runs = [run("8x4", "mpio", mpio), run("8x4", "script", script), run("8x4", "os-brick", brick)]
    assert [claim.holds for claim in figures.claims(runs)] == holds


def test_a_dead_portal_is_compared_with_the_same_without_it() -> None:
    runs = [run("8x4", "mpio", 10.0), run("8x4-dead", "mpio", 15.0, code=4), run("8x4-dead", "script", 1.0)]
    assert [c.holds for c in figures.claims(runs)] == [True, True]
    late = [run("8x4", "mpio", 10.0, code=1), run("8x4-dead", "mpio", 15.1)]
    assert [c.holds for c in figures.claims(late)] == [False, False]
    assert figures.claims([run("8x4", "script", 1.0)]) == []


def test_the_page_keeps_the_figures() -> None:
    page = (TOP / "docs/benchmarks.md").read_text()
    once = figures.written(page, "| a |\n")
    assert figures.written(figures.written(page, "other\n"), "| a |\n") == once
    before, _, rest = page.partition(figures.BEGIN)
    assert once == f"{before}{figures.BEGIN}\n\n| a |\n\n{figures.END}{rest.partition(figures.END)[2]}"
    with pytest.raises(ValueError, match="no place"):
        figures.written("# another page\n", "x")


# -- what the contenders are given


def test_layouts() -> None:
    assert [(one.name, one.paths, len(one.portals)) for one in layouts.LAYOUTS] == [
        ("8x2", 2, 2),
        ("8x4", 4, 4),
        ("8x4-mesh", 4, 2),
        ("8x4-dead", 4, 5),
    ]
    for one in layouts.LAYOUTS:
        site = sitefile.parse(layouts.site(one), one.name)
        assert (len(site.luns), len(site.portals), site.layout) == (
            8,
            len(one.portals),
            "mesh" if one.mesh else "subnet",
        )


@pytest.mark.parametrize("release", [one.name for one in releases.SUPPORTED])
def test_the_script_comes_to_the_same_end_as_mpio(release: str) -> None:
    site = sitefile.parse(layouts.site(layouts.LAYOUTS[0]), "")
    drop_in = maps.drop_in(maps.wish(site, Host(known_keywords=recordings.known(release)))[0])
    device = re.findall(r"^\t\t\S.*$", drop_in.partition("multipaths {")[0], re.MULTILINE)
    assert len(device) > 5
    assert {line.strip() for line in device} <= {line.strip() for line in SCRIPT.splitlines()}
    written = dict(re.findall(r"s/\^\\\((.+?)\\\) = \.\*/\\1 = (\w+)/", SCRIPT))
    written = {key.replace("\\", ""): value for key, value in written.items()}
    assert written | NOOPS == timeouts.settings_of_conf(site) | {"node.startup": "automatic"}


def test_connect_is_python_like_the_rest() -> None:
    """It has no suffix, so the house does not find it."""
    for check in (("check", "--quiet"), ("format", "--check", "--quiet", "--diff")):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "contrib/bench/connect"],
            cwd=TOP,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_connect_refuses_what_it_does_not_know() -> None:
    done = subprocess.run(
        [sys.executable, BENCH / "connect", "--only", "8x3"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(TOP)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "there is no 8x3" in done.stderr


# -- a lost link


def lost(mode: str, longest: float, errors: int = 0) -> Any:
    return stalls.Run(mode, longest, 0.05, errors)


def test_the_stalls_of_both_modes_stand_side_by_side() -> None:
    runs = [
        lost("off", 15.2),
        lost("link", 0.12),
        lost("off", 15.4),
        lost("link", 0.2),
        lost("off", 16),
        lost("link", 0.1),
    ]
    assert stalls.table(runs).splitlines()[2:] == [
        "| off       | 15.40            | 15.20, 15.40, 16.00 | 0.05                 | 0          |",
        "| link      | 0.12             | 0.12, 0.20, 0.10    | 0.05                 | 0          |",
    ]
    assert round(stalls.ratio(runs)) == 128
    assert all(claim.holds for claim in stalls.claims(runs))


def test_a_stall_too_long_and_an_error_are_said() -> None:
    runs = [lost("off", 15.2), lost("link", 0.5, 1)]
    assert [claim.holds for claim in stalls.claims(runs)] == [False, False, False]


def test_the_page_has_a_place_for_each_benchmark() -> None:
    page = (TOP / "docs/benchmarks.md").read_text()
    for marks in ((figures.BEGIN, figures.END), (stalls.BEGIN, stalls.END)):
        assert "\n\nhere\n" in figures.written(page, "here", *marks)


# -- the faults


def test_runs_put_together_have_one_look_before_and_one_after() -> None:
    loud = (verdicts.Said("MP203", "error", "eth1"),)
    looks = [verdicts.healthy(f"healthy, {when}", ()) for when in ("before", "after")]
    faults = [verdicts.Verdict(name, "MP230", (verdicts.Said("MP230", "error", "eth1"),)) for name in ("one", "two")]
    before, after = looks
    shown = [before, *faults, after]
    assert verdicts.rows([before, faults[0], after, before, faults[1], after, before]) == shown
    once = verdicts.healthy("healthy, before", loud)
    found = [before, *faults, after, once, after]
    assert verdicts.rows(found) == [once, *faults, after]
    assert verdicts.table(found).count("healthy,") == 2
    assert [claim.holds for claim in verdicts.claims(found) if "silent" in claim.what] == [False]
