"""The benchmarks in their short forms, each once, in a guest of its own: mpio against the script of the fewest calls; a
lost link without `fast_fail` and with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpio import releases

TOP = Path(__file__).parent.parent.parent
SHORT = ("--runs", "1", "--only", "8x2", "--contenders", "script,mpio")


@pytest.mark.nightly
@pytest.mark.parametrize("release", [one.name for one in releases.SUPPORTED])
def test_the_benchmark_measures_what_it_says(release: str, tmp_path: Path) -> None:
    found = tmp_path / "figures.json"
    command = [sys.executable, str(TOP / "contrib/bench/connect"), "--suite", release, *SHORT, "-o", str(found)]
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    # Other guests run beside this one: whether the limits hold is for `make bench`, on a machine that is idle.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    runs = json.loads(found.read_text())["runs"]
    assert [(run["contender"], run["maps"], run["code"]) for run in runs] == [("script", 8, 0), ("mpio", 8, 0)]
    assert all(run["whole"] > 0 for run in runs), done.stdout
    assert "8x2: at most 1.25 x the script + 3 s" in done.stdout


@pytest.mark.nightly
@pytest.mark.parametrize("release", [one.name for one in releases.SUPPORTED])
def test_a_lost_link_is_measured_both_ways(release: str, tmp_path: Path) -> None:
    found = tmp_path / "figures.json"
    command = [sys.executable, str(TOP / "contrib/bench/failover"), "--suite", release, "--runs", "1", "-o", str(found)]
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    off, link = json.loads(found.read_text())["runs"]
    assert (off["mode"], link["mode"], off["errors"], link["errors"]) == ("off", "link", 0, 0), done.stdout
    assert 14 < off["longest"] < 18, off
    # Seconds hold on an idle machine alone: a disk whose link stayed says how idle it was.
    assert link["longest"] < 0.3 + 2 * link["control"], link
    assert "times shorter (at least 40)" in done.stdout
