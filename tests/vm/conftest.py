"""Guests for tests. Nothing here skips: without QEMU or an image the tests fail and say what is missing.

Each test with a guest is there once for each supported release. `make test` runs all of them on the first and those
marked `everywhere` on the others too; `make nightly` runs all on all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mpio import releases
from mpio.lab.guest import Guest
from mpio.lab.san import San
from vm import hosts
from vm.hosts import Prague

Boot = Callable[[San], Guest]
FIXTURES = {"guest", "boot"}  # and all that are made of them


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not FIXTURES & set(metafunc.fixturenames):
        return
    short = metafunc.definition.get_closest_marker("everywhere") is not None
    own = (pytest.mark.nightly,) if not short else ()
    others = [pytest.param(one.name, marks=own) for one in releases.SUPPORTED if one is not releases.DEFAULT]
    metafunc.parametrize("release", [releases.DEFAULT.name, *others])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Guests of another release come before the first's, and all of them last: workers take each other's work from
    its end, so that one worker keeps what it begins with and a second guest of that release is never booted.
    """

    def turn(item: pytest.Item) -> int:
        if not isinstance(item, pytest.Function) or not FIXTURES & set(item.fixturenames):
            return 0
        return 2 if item.callspec.params["release"] == releases.DEFAULT.name else 1

    items.sort(key=turn)


@pytest.fixture(scope="session")
def guests() -> Iterator[Callable[[str], Guest]]:
    """A guest of each release, booted when the first test wants it, with the guide's SAN and the project."""
    with ExitStack() as stack:
        booted: dict[str, Guest] = {}

        def of(release: str) -> Guest:
            if release not in booted:
                shared = stack.enter_context(Guest(suite=release))
                shared.push_project()
                shared.checkpoint()
                booted[release] = shared
            return booted[release]

        yield of


@pytest.fixture
def guest(guests: Callable[[str], Guest], release: str) -> Guest:
    """The guest that all tests on this release share; `restore()` takes it back to how it booted."""
    return guests(release)


@pytest.fixture
def bare(guest: Guest) -> Prague:
    """A host with a site file and no configuration."""
    return hosts.bare(guest)


@pytest.fixture
def applied(guest: Guest) -> Prague:
    """A host after its first `mpio apply`."""
    return hosts.applied(guest)


@pytest.fixture
def boot(release: str) -> Iterator[Boot]:
    """Boots a guest of the test's own, with the SAN that it names."""
    with ExitStack() as stack:

        def start(layout: San) -> Guest:
            own = stack.enter_context(Guest(layout, release))
            own.push_project()
            return own

        yield start
