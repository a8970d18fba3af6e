"""What the programs of each release said: tests/recorded/RELEASE/STATE/NAME, made by `mpio lab record`.

The releases are the folders that are there: a new one is tested as soon as it is recorded.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import pytest

from mpio import recording
from mpio.lab import candidates, states
from mpio.program import Done
from mpio.recording import Tree
from mpio.replay import Replay
from mpio.run import checked
from mpio.tools import multipath

TOP = Path(__file__).parent / "recorded"
RELEASES = tuple(sorted(path.name for path in TOP.iterdir() if path.is_dir()))
STATES = tuple(state.name for state in states.STATES)
EACH = pytest.mark.parametrize("release", RELEASES)


def done(release: str, state: str, name: str) -> Done:
    return recording.load(_text(release, state, name))


def replay(release: str, state: str) -> Replay:
    """A `Run` that answers as the release did in this state."""
    return Replay.folder(TOP / release / state)


@cache
def tree(release: str, state: str, name: str = "sysfs") -> Tree:
    """What the kernel showed (`sysfs`), or the files of the host (`files`)."""
    return recording.tree(done(release, state, name).out)


def _text(release: str, state: str, name: str) -> str:
    return (TOP / release / state / name).read_text(encoding="utf-8")


class Recorded:
    """A `Run` with the answer to one candidate of `multipath -t`, for exactly the input that it was recorded with."""

    def __init__(self, release: str, case: str) -> None:
        self._text = _text(release, "multipath", case)

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        said = recording.load(self._text)
        assert said.argv == argv, "record again: mpio lab record"
        digest = hashlib.sha256(stdin).hexdigest()
        assert f"\nstdin: {digest}\n" in self._text, "another input: record again with mpio lab record"
        return checked(said, ok)


@cache
def known(release: str) -> frozenset[str]:
    """The keywords that the release's multipath knows."""
    return multipath.known(Recorded(release, "known"))


def staged(release: str, case: str) -> multipath.Staged:
    return multipath.staged(Recorded(release, case), candidates.files(case, known(release)))
