"""What comes with mpio for a host that is watched, units and udev rules, and how the host stands to them."""

from __future__ import annotations

import os

from mpio import itself, observe
from mpio.errors import MpioError
from mpio.host import Host
from mpio.machine import Machine
from mpio.plan import watching
from mpio.tools import sysfs, systemctl

HERE = os.path.dirname(os.path.abspath(__file__))
# In an installed mpio beside this file, in a checkout where people look for them.
PLACES = (f"{HERE}/files", *(f"{HERE}/../../{folder}" for folder in ("udev", "contrib/systemd")))


def texts() -> dict[str, str]:
    """Every file by its name, as it comes."""
    return {name: _text(name) for name in (*watching.RULES, *watching.UNITS)}


def _text(name: str) -> str:
    for place in PLACES:
        try:
            with open(f"{place}/{name}", encoding="utf-8") as file:  # noqa: PTH123 - mpio's own, not the host's
                return file.read()
        except FileNotFoundError:
            continue
    raise MpioError(f"this mpio has come without {name}", "install it anew")


def look(machine: Machine) -> Host:
    """What installing asks of the host, and no more."""
    read = machine.files
    names = (*watching.RULES, *watching.UNITS)
    paths = [place(name) for name in names for place in (watching.place, watching.packaged)]
    return Host(
        paths=sysfs.paths(read),
        files={path: read.text(path) for path in paths},
        units=systemctl.units(machine.run, watching.STARTED),
        memory=observe.remembered(machine),
        program=itself.program(),
    )
