"""systemd-run: a program in a unit of its own, which lives on when whoever started it is killed."""

from __future__ import annotations

import re
from collections.abc import Mapping

PROGRAM = "systemd-run"


def watcher(unit: str, about: str, argv: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Returns once the program has said READY=1 (sd_notify(3)). Nothing of the unit is left when it has ended."""
    settings = (f"--setenv={name}={value}" for name, value in environment.items())
    return (
        *(PROGRAM, "--quiet", "--collect", f"--unit={unit}", f"--description={about}", "--service-type=notify"),
        # A program that it has begun when the unit is stopped (a reboot) is let finish.
        "--property=KillMode=mixed",
        *settings,
        "--",
        *argv,
    )


def unit_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9:_.-]", "-", text)
