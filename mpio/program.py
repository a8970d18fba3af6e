"""A program run and its result, as values: tools are given a `Run`, only `mpio.run` has one that starts anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Done:
    """A program that ended: its exit code (128 + N after signal N) and what it said."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str


class Run(Protocol):
    """Run a program to its end.

    `ok` are the exit codes that are no error, None for any; `timeout` seconds, None for programs that must never be
    killed.
    Raises MissingProgram, ProgramFailed.
    """

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done: ...
