"""Fuzzing by coverage, the long form: every reader with atheris, beginning with what was recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "run.py"


@pytest.mark.nightly
def test_no_reader_is_broken_by_what_coverage_finds(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = os.environ.get("MPIO_FUZZ_SECONDS", "8")  # for each reader
    done = subprocess.run(
        [sys.executable, str(RUN), "--all", "--seconds", seconds], capture_output=True, text=True, check=False
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{done.stdout}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readers_are_named() -> None:
    done = subprocess.run([sys.executable, str(RUN), "--list"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert {"multipathd-maps", "site", "host", "sockets"} <= set(done.stdout.split())
