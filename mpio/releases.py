"""The releases that mpio is for. What the lab boots, the tests run on and the documents name follows this table."""

from __future__ import annotations

from dataclasses import dataclass

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Release:
    """A distribution's release. `name` is what its archive calls it, `python` the version of its python3."""

    name: str
    title: str
    python: str

    @property
    def runs_mpio(self) -> bool:
        return bool(self.python) and tuple(map(int, self.python.split("."))) >= OLDEST_PYTHON


RECORDED = (
    Release("bullseye", "Debian 11", "3.9"),
    Release("bookworm", "Debian 12", "3.11"),
    Release("trixie", "Debian 13", "3.13"),
)
"""Those whose programs' output every parser is tested on."""

SUPPORTED = tuple(release for release in RECORDED if release.runs_mpio)
"""Those that mpio itself runs on, tested whole in guests."""

DEFAULT = SUPPORTED[0]


def named(name: str) -> Release:
    """The release of that name; one that stands in no table can be booted and recorded, and mpio does not run there."""
    return next((one for one in RECORDED if one.name == name), Release(name, name, ""))
