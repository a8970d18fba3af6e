"""The machine as edges see it: a way to run programs and a way to read and write files."""

from __future__ import annotations

from dataclasses import dataclass, field

from mpio.files import Files
from mpio.program import Done, Run
from mpio.run import checked


@dataclass(frozen=True, slots=True)
class Machine:
    """`trials` keeps what multipath made of a text: within one call of mpio it makes the same of it again."""

    run: Run
    files: Files
    trials: dict[tuple[tuple[str, ...], bytes], Done] = field(default_factory=dict, repr=False, compare=False)

    def try_once(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        """A `Run` for trials that change nothing and depend on nothing but their words and their input."""
        if (argv, stdin) not in self.trials:
            self.trials[argv, stdin] = self.run(*argv, ok=None, timeout=timeout, stdin=stdin)
        return checked(self.trials[argv, stdin], ok)
