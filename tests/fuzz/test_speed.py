"""No reader takes quadratic time: a text of 10 MB is read, or refused, in seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SPEED = Path(__file__).parent / "speed.py"


def timed(*words: str) -> str:
    """In a process of its own, which ends itself, with the place, where a reader hangs."""
    done = subprocess.run([sys.executable, str(SPEED), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:].replace("\r", "\n")
    return done.stdout


def test_large_texts_of_some_shapes_take_time_as_they_grow() -> None:
    assert " 0 too slow" in timed("--bytes", "300000", "--limit", "3", "--shapes", "5")


@pytest.mark.nightly
def test_large_texts_of_many_shapes_take_time_as_they_grow(capsys: pytest.CaptureFixture[str]) -> None:
    said = timed("--bytes", "200000", "--limit", "3", "--shapes", "100")
    with capsys.disabled():
        sys.stdout.write(f"\n{said}")


@pytest.mark.nightly
def test_ten_megabytes_of_some_shapes_take_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    said = timed("--bytes", "10000000", "--limit", "20", "--shapes", "3")
    with capsys.disabled():
        sys.stdout.write(f"\n{said}")
