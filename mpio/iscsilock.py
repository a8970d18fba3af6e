"""The lock of open-iscsi's database, as iscsiadm takes it: for record files that mpio writes itself."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from mpio.errors import Busy, CannotWrite
from mpio.tools.sysfs import Reader, word

FOLDER = "/run/lock/iscsi"
LIMIT = 10.0
GRACE = 0.5
PAUSE = 0.01  # iscsiadm's own (usr/idbm.c, idbm_lock)


def stale(read: Reader, folder: str = FOLDER) -> bool:
    """Is the lock there with nobody who could hold it? A killed iscsiadm leaves it; a boot clears it."""
    for attempt in range(2):
        if attempt:
            time.sleep(GRACE)  # one that has just ended may have let go of it between the two looks
        if "lock.write" not in read.names(folder):
            return False
        if any(word(read, f"/proc/{p}/comm") == "iscsiadm" for p in read.names("/proc") if p.isdigit()):
            return False
    return True


@contextlib.contextmanager
def hold(folder: str = FOLDER) -> Iterator[None]:
    """Hold it as a hard link from `lock` to `lock.write`. Busy where somebody keeps it: it does not say who."""
    lock, taken = f"{folder}/lock", f"{folder}/lock.write"
    try:
        os.makedirs(folder, mode=0o770, exist_ok=True)
        os.close(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660))
        end = time.monotonic() + LIMIT
        while not _linked(lock, taken):
            if time.monotonic() > end:
                way = f"if no iscsiadm runs, one was killed: remove {taken}"
                raise Busy(f"open-iscsi's database is locked: {taken} is there", way)
            time.sleep(PAUSE)
    except OSError as e:
        raise CannotWrite(f"cannot take the lock {taken}: {e.strerror}", "make /run writable") from e
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(taken)


def _linked(lock: str, taken: str) -> bool:
    try:
        os.link(lock, taken)
    except FileExistsError:
        return False
    return True
