"""One changing verb at a time."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
from collections.abc import Iterator

from mpio.errors import Busy, CannotWrite, NotRoot
from mpio.files import make_directories

LOCK = "/run/mpio/lock"
WATCH = "/run/mpio/watch.lock"  # of several watchers one acts


@contextlib.contextmanager
def hold(verb: str, path: str = LOCK) -> Iterator[None]:
    """Hold the host's lock; Busy names who has it. The kernel lets go of it when its holder dies, however that is.

    The file stays: whoever removed it would part those who wait for it from those who come.
    """
    try:
        make_directories(os.path.dirname(path))
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except PermissionError as e:
        raise NotRoot(f"`{verb}` changes the host, which takes root", f"sudo mpio {verb}") from e
    except OSError as e:
        raise CannotWrite(f"cannot open the lock {path}: {e.strerror}", "make /run writable") from e
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise Busy(f"another mpio is at work: {_holder(fd)}", "wait until it has ended, then run again") from e
        since = datetime.datetime.now(datetime.UTC).astimezone().isoformat(timespec="seconds")
        _say(fd, f"{verb}, pid {os.getpid()}, since {since}\n")
        yield
        _say(fd, "")
    finally:
        os.close(fd)


def held(path: str) -> bool:
    """Does anybody hold it now? Asked without trying to, which would keep from it who comes for it just then."""
    try:
        at = os.stat(path)
        with open("/proc/locks", encoding="ascii") as locks:  # noqa: PTH123 - the kernel's
            taken = [line.split() for line in locks]
    except OSError:
        return False
    # 1: FLOCK  ADVISORY  WRITE 1234 00:19:5678 0 EOF
    mine = f"{os.major(at.st_dev):02x}:{os.minor(at.st_dev):02x}:{at.st_ino}"
    return any(mine in words and "FLOCK" in words for words in taken)


def _holder(fd: int) -> str:
    return os.pread(fd, 200, 0).decode("utf-8", "backslashreplace").strip() or "it has not said who it is"


def _say(fd: int, text: str) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)
