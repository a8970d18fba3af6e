"""Runs in a mount namespace of its own: writes of mpio's on a small real file system that has nothing left.

`unshare --mount python scarce.py FOLDER` prints what was met as JSON: for each lack what each write said, and whether
the old files are whole and no other is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

from mpio import iscsilock, lock, memory
from mpio.errors import MpioError
from mpio.files import Files
from mpio.memory import Memory

OLD = "old\n" * 100
NEW = "new\n" * 20000
KEPT = memory.dump(Memory(reached=frozenset({"iqn.2011-09.dom.homer:01"})))


@contextlib.contextmanager
def mounted(folder: str, options: str) -> Iterator[None]:
    subprocess.run(("mount", "-t", "tmpfs", "-o", options, "scarce", folder), check=True)
    try:
        yield
    finally:
        subprocess.run(("umount", "--lazy", folder), check=True)


def fill(folder: str) -> None:
    with contextlib.suppress(OSError), open(f"{folder}/fill", "wb") as file:  # noqa: PTH123
        while True:
            file.write(bytes(1024))
            file.flush()


def use_inodes(folder: str) -> None:
    with contextlib.suppress(OSError):
        for number in range(1000):
            os.symlink("nowhere", f"{folder}/inode-{number}")


def forbid(folder: str) -> None:
    subprocess.run(("mount", "-o", "remount,ro", folder), check=True)


LACKS = {
    "full": ("size=64k", fill),
    "no inodes": ("size=1m,nr_inodes=16", use_inodes),
    "read-only": ("size=1m", forbid),
}


def said_by(deed: Callable[..., None], *words: object) -> dict[str, str]:
    try:
        deed(*words)
    except MpioError as error:
        return {"code": error.code, "message": error.message, "hint": error.hint}
    return {}


def held(path: str) -> None:
    """The lock is held, and a second one is told by whom, whether or not there was room to write it."""
    with lock.hold("apply", path), lock.hold("teardown", path):
        raise SystemExit("held twice")


def tried(folder: str, make: Callable[[str], None]) -> dict[str, object]:
    files = Files()
    files.write(f"{folder}/site.toml", OLD, 0o644)
    files.write(f"{folder}/memory.json", KEPT, 0o600)
    with lock.hold("apply", f"{folder}/lock"):
        pass
    make(folder)
    there = set(os.listdir(folder))
    found: dict[str, object] = {
        "write": said_by(files.write, f"{folder}/site.toml", NEW, 0o644),
        "new": said_by(files.write, f"{folder}/new/file", NEW, 0o644),
        "memory": said_by(files.write, f"{folder}/memory.json", memory.dump(Memory()) + " " * 80000, 0o600),
        "iscsi": said_by(enter, f"{folder}/iscsi"),
        "lock": said_by(held, f"{folder}/lock"),
    }
    found["whole"] = files.text(f"{folder}/site.toml") == OLD and files.text(f"{folder}/memory.json") == KEPT
    found["litter"] = sorted(set(os.listdir(folder)) - there - {"new", "iscsi"})
    return found


def enter(folder: str) -> None:
    with iscsilock.hold(folder):
        pass


def main() -> None:
    folder = sys.argv[1]
    found = {}
    for name, (options, make) in LACKS.items():
        with mounted(folder, options):
            found[name] = tried(folder, make)
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
