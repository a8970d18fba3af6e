"""Readers as fuzzing calls them: bytes in, and out a value or the one error that the reader is documented to raise."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mpio import console
from mpio.errors import UnreadableOutput
from mpio.program import Done

MOST = 2000  # strings of a value that are looked at: of one with more the others are alike


@dataclass(frozen=True)
class Reader:
    """`read` does what mpio does with such bytes, and what it does next; `errors` are the answers that it may give
    instead of a value. `slow`: it reads what can never be large, or all of a host: no 10 MB are tried.
    """

    name: str
    read: Callable[[bytes], object]
    corpus: Callable[[], tuple[bytes, ...]]
    errors: tuple[type[Exception], ...] = (UnreadableOutput,)
    slow: bool = False

    def __call__(self, data: bytes) -> bool:
        """Was it read? Raises what no reader may raise."""
        try:
            harmless(self.read(data))
        except self.errors as error:
            harmless(str(error))
            return False
        return True


def said(data: bytes) -> str:
    """What a program printed, as the runner gives it."""
    return data.decode("utf-8", "backslashreplace")


def text(data: bytes) -> str:
    """What a file holds, as `Files` gives it."""
    return data.decode("utf-8", "surrogateescape")


def of_program(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(said(data))


def of_file(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(text(data))


def answering(out: str, code: int = 0, err: str = "") -> Callable[..., Done]:
    """A `Run` that says this whatever is asked."""
    return lambda *argv, **_: Done(argv, code, out, err)


def harmless(value: object) -> None:
    """Every text of a value can be shown, be JSON and be a word of a script."""
    left: list[Any] = [value]
    count = 0
    while left and count < MOST:
        one = left.pop()
        if isinstance(one, str):
            count += 1
            shown = console.clean(one)
            assert all(c.isprintable() or c in "\n\t" for c in shown)
            shown.encode()
            json.dumps(one).encode()
            shlex.quote(one)
        elif dataclasses.is_dataclass(one) and not isinstance(one, type):
            left += [getattr(one, field.name) for field in dataclasses.fields(one)]
        elif isinstance(one, Mapping):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, tuple | list | set | frozenset):
            left += one
        elif isinstance(one, int) and not isinstance(one, bool):
            str(one)  # more than 4300 digits cannot be shown
