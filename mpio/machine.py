"""The machine as edges see it: a way to run programs and a way to read and write files."""

from __future__ import annotations

from dataclasses import dataclass

from mpio.files import Files
from mpio.program import Run


@dataclass(frozen=True, slots=True)
class Machine:
    run: Run
    files: Files
