"""What a machine has run out of, as an error with a way out: memory, descriptors, processes, room, and the like."""

from __future__ import annotations

import errno

from mpio.errors import MpioError

AGAIN = "then run the same again: it goes on from what the host is now"
_MEMORY = ("there is not enough memory", f"free some, or raise the limit (ulimit -v, MemoryMax= of a unit); {AGAIN}")
_PROCESSES = (
    "no process or thread can be started",
    f"end some, or raise the limit (ulimit -u, TasksMax= of a unit); {AGAIN}",
)
_DESCRIPTORS = (
    "no file descriptor is left",
    f"raise the limit (ulimit -n, LimitNOFILE= of a unit; fs.file-max for all); {AGAIN}",
)
_OF_ERRNO = {
    errno.EMFILE: _DESCRIPTORS,
    errno.ENFILE: _DESCRIPTORS,
    errno.ENOMEM: _MEMORY,
    errno.ENOBUFS: _MEMORY,  # of sockets
    errno.EAGAIN: _PROCESSES,  # what fork says where no more may run
    errno.ENOSPC: ("no room or no inode is left", f"make room (df, df -i); {AGAIN}"),
    errno.EDQUOT: ("the quota is used up", f"make room; {AGAIN}"),
    errno.EROFS: ("a file system is mounted read-only", f"see why (dmesg), mount it for writing; {AGAIN}"),
    errno.EIO: ("a file system cannot be read or written", "look at the kernel's log: dmesg"),
    errno.ESTALE: ("a file system has gone", f"mount it anew; {AGAIN}"),
}
_THREAD = "start new thread"  # "can't start new thread", "cannot …": CPython's words, 3.11 to 3.14


class Shortage(MpioError):
    """The machine cannot give what was asked of it; what was done until then is done, and nothing is half written."""

    code = "shortage"


def of(error: BaseException) -> Shortage | None:
    """None for what is no shortage but a mistake of ours."""
    if isinstance(error, MemoryError | SystemError):  # what libraries in C say that could not even say the first
        return Shortage(*_MEMORY)
    if isinstance(error, RecursionError):
        return Shortage("something is nested too deeply to be read", "run again with --record DIR and report that")
    if isinstance(error, RuntimeError):
        return Shortage(*_PROCESSES) if _THREAD in str(error) else None
    if isinstance(error, ImportError):
        # Libraries are mapped: the loader's words are about memory and descriptors, too.
        what = f"a part of mpio cannot be loaded: {error.name or 'unknown'}: {error}"
        return Shortage(what, "look for memory and descriptors (ulimit -a); if there are enough, install mpio again")
    if isinstance(error, OSError) and error.errno in _OF_ERRNO:
        said, way = _OF_ERRNO[error.errno]
        where = f", {error.filename}" if isinstance(error.filename, str) else ""
        return Shortage(f"{said}: {error.strerror or error}{where}", way)
    return None
