"""Guests for tests. Nothing here skips: without QEMU or an image the tests fail and say what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mpio.lab.guest import Guest
from mpio.lab.san import San

Boot = Callable[[San], Guest]


@pytest.fixture(scope="session")
def guest() -> Iterator[Guest]:
    """A guest with the guide's SAN and the project, shared by all tests; `restore()` takes it back to how it booted."""
    with Guest() as shared:
        shared.push_project()
        shared.checkpoint()
        yield shared


@pytest.fixture
def boot() -> Iterator[Boot]:
    """Boots a guest of the test's own, with the SAN that it names."""
    with ExitStack() as stack:

        def start(layout: San) -> Guest:
            own = stack.enter_context(Guest(layout))
            own.push_project()
            return own

        yield start
