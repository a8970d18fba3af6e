"""How an apply is seen while it works: a moving line on a terminal, a plain line a step otherwise."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from mpio.console import Console, clean
from mpio.step import Step

Tell = Callable[[Step, str], None]


@contextlib.contextmanager
def shown(console: Console) -> Iterator[Tell]:
    """A `tell(step, trouble)`: called as each step begins, and again with what went wrong where something did."""

    def line(step: Step, trouble: str) -> None:
        console.say(f"{step.part}: {f'{step.why}: {trouble}' if trouble else step.why}")

    if not sys.stderr.isatty() or console.verbose:
        yield line
        return
    from rich.console import Console as Terminal  # loaded only where somebody watches
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    terminal = Terminal(stderr=True, highlight=False, markup=False)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(), console=terminal
    ) as bar:
        task = bar.add_task("looking at the host")

        def move(step: Step, trouble: str) -> None:
            if trouble:
                bar.console.print(clean(f"{step.part}: {step.why}: {trouble}"))
            bar.update(task, description=clean(f"{step.part}: {step.why}"))

        yield move
