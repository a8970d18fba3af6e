"""Where fuzzing begins: what the programs of each release have said (tests/recorded), and files as mpio writes them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mpio import recording
from mpio.program import Done
from mpio.recording import Tree

HERE = Path(__file__).parent
TOP = HERE.parent / "recorded"
LARGEST = 100_000  # bytes: of longer ones many thousand runs a minute are not to be had, and they say nothing new
FOUND = HERE / "found"


@cache
def done(path: Path) -> Done:
    return recording.load(path.read_bytes().decode("utf-8", "backslashreplace"))


@cache
def paths(pattern: str) -> tuple[Path, ...]:
    """The recordings `STATE/NAME` of every release, each text once."""
    seen: dict[bytes, Path] = {}
    for path in sorted(TOP.glob(f"*/{pattern}")):
        seen.setdefault(path.read_bytes().partition(b"\n\n")[2], path)
    return tuple(seen.values())


def outs(*patterns: str) -> tuple[bytes, ...]:
    """What these calls printed."""
    return _once(done(p).out.encode() for pattern in patterns for p in paths(pattern))


def errs(*patterns: str) -> tuple[bytes, ...]:
    """What they complained of."""
    return _once(done(p).err.encode() for pattern in patterns for p in paths(pattern))


@cache
def trees(pattern: str) -> tuple[Tree, ...]:
    return tuple(recording.tree(done(p).out) for p in paths(pattern))


def files(*endings: str) -> tuple[bytes, ...]:
    """The recorded files whose path has one of these words."""
    every = (one for tree in trees("*/files") for one in tree.files.items())
    return _once(text.encode() for path, text in every if any(word in path for word in endings))


def found(name: str) -> tuple[bytes, ...]:
    """What once broke this reader."""
    return tuple(p.read_bytes() for p in sorted(FOUND.glob(f"{name}/*")))


def _once(texts: Iterator[bytes]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(text for text in texts if 0 < len(text) <= LARGEST))
