"""What `mpio logout` has logged out by hand: it is meant, so a watcher does not log it in again. A boot forgets it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping

from mpio.errors import MpioError
from mpio.host import Pair
from mpio.machine import Machine

PATH = "/run/mpio/logged-out.json"


def meant(machine: Machine) -> dict[str, float]:
    """The pairs by name, each with the monotonic second of its logout; none where the file cannot be read."""
    try:
        said = json.loads(machine.files.text(PATH) or "{}")
        return {str(name): float(since) for name, since in said.items()}
    except (MpioError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}


def note(machine: Machine, pairs: Iterable[Pair]) -> None:
    """These were logged out just now."""
    now = time.monotonic()
    _change(machine, lambda before: {**before, **{str(p): now for p in pairs}})


def forget(machine: Machine, pairs: Iterable[Pair]) -> None:
    """These are to have sessions again."""
    names = {str(p) for p in pairs}
    _change(machine, lambda before: {name: since for name, since in before.items() if name not in names})


def _change(machine: Machine, to: Callable[[Mapping[str, float]], dict[str, float]]) -> None:
    before = meant(machine)
    after = to(before)
    if after and after != before:
        machine.files.write(PATH, json.dumps(after) + "\n", 0o600, durable=False)
    elif before and not after:
        machine.files.remove(PATH)
