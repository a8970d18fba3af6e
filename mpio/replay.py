"""A folder of recordings as a `Run`: what a host said once, said again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from mpio import recording
from mpio.program import Done
from mpio.run import checked


class NotRecorded(LookupError):
    """A program call that the recordings do not hold."""


class Replay:
    """Answers calls from recordings: the answers to one call in the order of the file names, the last for ever."""

    def __init__(self, runs: Iterable[Done]) -> None:
        self._answers: dict[tuple[str, ...], list[Done]] = defaultdict(list)
        for done in runs:
            self._answers[done.argv].append(done)

    @classmethod
    def folder(cls, path: Path) -> Replay:
        files = sorted(p for p in path.iterdir() if p.is_file())
        return cls(recording.load(p.read_bytes().decode("utf-8", "backslashreplace")) for p in files)

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        answers = self._answers.get(recording.mask_argv(argv))
        if not answers:
            raise NotRecorded(f"{' '.join(argv)}: not among the {len(self._answers)} recorded calls")
        return checked(answers.pop(0) if len(answers) > 1 else answers[0], ok)
