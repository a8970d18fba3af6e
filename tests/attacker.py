"""An attacker for tests: another user, who puts one thing after another at a place, as fast as that goes."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
from collections.abc import Callable

Lay = Callable[[], None]


def clear(place: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(place)
    with contextlib.suppress(OSError):
        os.rmdir(place)


def files(place: str, vault: str) -> tuple[Lay, ...]:
    """What may stand where a file is to be written."""
    aside = f"{place}.aside"

    def swapped() -> None:
        clear(aside)
        os.symlink(f"{vault}/target", aside)
        os.rename(aside, place)

    def plain() -> None:
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT))
        os.rename(aside, place)

    return (
        swapped,
        lambda: clear(place),
        lambda: os.symlink(f"{vault}/target", place),
        plain,
        swapped,
        lambda: clear(place),
        lambda: os.link(f"{vault}/target", place),
        lambda: clear(place),
        lambda: os.mkfifo(place),
        swapped,
        lambda: clear(place),
        lambda: os.mkdir(place),
        lambda: clear(place),
    )


def folders(place: str, vault: str) -> tuple[Lay, ...]:
    """What may stand where a folder is to be gone through."""
    real, link = f"{place}.real", f"{place}.link"
    with contextlib.suppress(OSError):
        os.mkdir(real)
    with contextlib.suppress(OSError):
        os.symlink(vault, link)

    return (
        lambda: os.rename(real, place),
        lambda: os.rename(place, real),
        lambda: os.rename(link, place),
        lambda: os.rename(place, link),
        lambda: os.symlink(f"../{os.path.basename(vault)}", place),
        lambda: os.unlink(place),
    )


def main(kind: str, place: str, vault: str, begun: int, ended: int) -> None:
    """A byte into `begun` when it is at full speed; until `ended` ends, then how often goes into `begun`."""
    swaps = 0
    for turn, lay in enumerate(itertools.cycle({"file": files, "folder": folders}[kind](place, vault))):
        with contextlib.suppress(OSError):
            lay()
            swaps += 1
        if turn == 64:
            os.write(begun, b"+")
        if turn > 64 and turn % 64 == 0 and select.select([ended], [], [], 0)[0]:
            break
    os.write(begun, str(swaps).encode())


def fork(uid: int, kind: str, place: str, vault: str) -> tuple[int, int, int]:
    """Its number, and the descriptors to hear of it and to end it by. A fork, for another user may not be able to
    reach Python.
    """
    hear, begun = os.pipe()
    ended, stop = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            for fd in (hear, stop):
                os.close(fd)
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            main(kind, place, vault, begun, ended)
        except BaseException as error:  # noqa: BLE001 - a fork of pytest must not go on as pytest
            os.write(begun, repr(error).encode())
        finally:
            os._exit(0)
    for fd in (begun, ended):
        os.close(fd)
    assert os.read(hear, 1) == b"+"
    return pid, hear, stop
