"""This mpio as others may start it: units, and children that are not to import what lies around."""

from __future__ import annotations

import os
import stat
import sys

from mpio import folders, trust
from mpio.errors import UsageError

_HERE = os.path.dirname(os.path.abspath(__file__))


def program() -> tuple[str, ...]:
    """By absolute paths, with the folders that it was told to import from, and with its own where it is not installed
    (`python -m mpio` in a checkout).
    """
    told = [os.path.abspath(folder) for folder in os.environ.get("PYTHONPATH", "").split(":") if folder]
    own = os.path.dirname(_HERE)
    if own not in told and os.path.basename(own) not in ("site-packages", "dist-packages"):
        told.append(own)
    search = ("/usr/bin/env", f"PYTHONPATH={':'.join(told)}") if told else ()
    # -P: nothing from the folder that it happens to start in.
    return (*search, sys.executable, "-P", "-m", "mpio")


def may_stay(program: tuple[str, ...]) -> None:
    """That root may leave a unit that starts this program. Raises UsageError where others may change it, among them
    who came by sudo.
    """
    search = next((word.removeprefix("PYTHONPATH=") for word in program if word.startswith("PYTHONPATH=")), "")
    interpreter = next(word for word in program if word.startswith("/") and word != "/usr/bin/env")
    for path in (interpreter, _HERE, *filter(None, search.split(":"))):
        try:
            with folders.without_sudo(), folders.of(path) as (folder, name):
                why = _loose(folder, name)
        except FileNotFoundError:
            continue  # who may make it is who may change the folder above, which was looked at
        except OSError as e:
            raise _refused(path, str(e.strerror)) from e
        if why:
            raise _refused(path, f"others may change it: {why}")


def _loose(folder: int, name: str) -> str:
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            return folders.shared(fd)  # sticky or not: who may add a module there is imported
        return trust.wrong(status, folders.callers(), stat.S_IWGRP | stat.S_IWOTH)
    finally:
        os.close(fd)


def _refused(path: str, why: str) -> UsageError:
    return UsageError(
        f"a unit of root's is not to run what lies in {path}: {why}",
        "install mpio as root, by pipx or the package, and run that one",
    )
