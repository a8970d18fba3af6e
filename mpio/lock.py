"""One changing verb at a time."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
from collections.abc import Iterator

from mpio import folders
from mpio.errors import Busy, CannotWrite, NotRoot
from mpio.files import directory_mode, foreign
from mpio.folders import Swapped

LOCK = "/run/mpio/lock"
WATCH = "/run/mpio/watch.lock"  # of several watchers one acts


@contextlib.contextmanager
def hold(verb: str, path: str = LOCK) -> Iterator[None]:
    """Hold the host's lock; Busy names who has it. The kernel lets go of it when its holder dies, however that is.

    The file stays: whoever removed it would part those who wait for it from those who come.
    """
    try:
        fd = _opened(path)
    except PermissionError as e:
        raise NotRoot(f"`{verb}` changes the host, which takes root", f"sudo mpio {verb}") from e
    except OSError as e:
        way = "let root alone own and write it" if isinstance(e, Swapped) else "make /run writable"
        raise CannotWrite(f"cannot open the lock {path}: {e.strerror}", way) from e
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


def _opened(path: str) -> int:
    """The lock's file, in a folder that nobody else may change: whoever planted one would hold it."""
    with folders.of(path, mode=directory_mode, follow=False) as (folder, name):
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(name, flags, 0o644, dir_fd=folder)
    at = os.fstat(fd)
    if why := foreign(at) or ("it has another name, too" if at.st_nlink > 1 else ""):
        os.close(fd)
        raise Swapped(why)
    return fd


def held(path: str) -> bool:
    """Does anybody hold it now? Asked without trying to, which would keep from it who comes for it just then."""
    try:
        at = os.stat(path)
    except OSError:
        return False
    return any(_number(at) in words and "FLOCK" in words for words in _locks())


def _locks() -> list[list[str]]:
    """`1: FLOCK  ADVISORY  WRITE 1234 00:19:5678 0 EOF` a line, as words."""
    try:
        with open("/proc/locks", encoding="ascii") as locks:  # noqa: PTH123 - the kernel's
            return [line.split() for line in locks]
    except OSError:
        return []


def _number(at: os.stat_result) -> str:
    return f"{os.major(at.st_dev):02x}:{os.minor(at.st_dev):02x}:{at.st_ino}"


def _holder(fd: int) -> str:
    said = os.pread(fd, 200, 0).decode("utf-8", "backslashreplace").strip()
    return said or f"it has not said who it is{_pid_of(fd)}"


def _pid_of(fd: int) -> str:
    """Of a holder that has written nothing: it holds since just now, or /run is full."""
    at = os.fstat(fd)
    pids = (words[4] for words in _locks() if _number(at) in words and "FLOCK" in words)
    return next((f", pid {pid}" for pid in pids), "")


def _say(fd: int, text: str) -> None:
    with contextlib.suppress(OSError):  # /run is full: the lock holds without words
        os.ftruncate(fd, 0)
        os.pwrite(fd, text.encode(), 0)
