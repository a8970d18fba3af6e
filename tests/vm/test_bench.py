"""The benchmark in its short form: mpio against the script of the fewest calls, each once, in a guest of its own."""

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
def test_mpio_takes_little_longer_than_the_fewest_calls(release: str, tmp_path: Path) -> None:
    found = tmp_path / "figures.json"
    command = [sys.executable, str(TOP / "contrib/bench/connect"), "--suite", release, *SHORT, "-o", str(found)]
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = json.loads(found.read_text())["runs"]
    assert [(run["contender"], run["maps"], run["code"]) for run in runs] == [("script", 8, 0), ("mpio", 8, 0)]
    script, mpio = (run["whole"] for run in runs)
    assert mpio <= 1.25 * script + 3, done.stdout
