"""The lock of open-iscsi's database, as iscsiadm takes it: for record files that mpio writes itself."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator

from mpio import folders
from mpio.errors import Busy, CannotWrite
from mpio.files import Files
from mpio.tools import iscsidb
from mpio.tools.sysfs import Reader, word

FOLDER = "/run/lock/iscsi"
LIMIT = 10.0
GRACE = 0.5
AGE = 3.0  # held so long by iscsid, which takes it too, it would be held for ever
SLACK = 1.0  # between the clock that files are stamped by and the one that processes are
PAUSE = 0.01  # iscsiadm's own (usr/idbm.c, idbm_lock)
STILL = 0.1  # some ticks of the clock that files are stamped by
SETTLE = 2.0  # a living iscsiadm holds it for some ms
STEPPED = 0.1  # by how much the clock was set


def stale(read: Reader, folder: str = FOLDER) -> bool:
    """Is the lock there with nobody who could hold it? A killed iscsiadm leaves it; a boot clears it.

    Asked in this order: whoever had it since then is dead, and it is the same lock still. So nobody lets go of it any
    more, and nobody else can take it. A clock that is set meanwhile, or was set back, says nothing. One that was set
    forward since, and an iscsiadm in a PID namespace that cannot be seen from here, are not found out.
    """
    since, booted = _since(folder), _booted()
    if since is None or since > time.time_ns():
        return False
    time.sleep(GRACE)  # one that has just ended may have let go of it between the two looks
    if _since(folder) != since or _elders(read, since / 1e9):
        return False
    return _since(folder) == since and abs(_booted() - booted) < STEPPED


def clear(read: Reader, folder: str = FOLDER) -> bool:
    """Take away a lock that nobody could hold; False where somebody may. mpio's own lock is held: two who did this at
    once could take away what a third has taken in between. (To rename it first and look then would be no better: for
    that moment a living one's lock would be free.)
    """
    end = time.monotonic() + AGE
    while (since := _since(folder)) is not None and 0 <= time.time() - since / 1e9 < AGE and time.monotonic() < end:
        time.sleep(PAUSE)
    if not stale(read, folder):
        return since is None
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/lock.write")
    except OSError as e:
        raise CannotWrite(f"cannot remove {folder}/lock.write: {e.strerror}", "make /run writable") from e
    return True


def settled(files: Files, paths: Iterable[str], folder: str = FOLDER) -> dict[str, str | None]:
    """The texts of files that looked torn, once nobody can be just writing them: iscsiadm empties a file first, under
    this lock, and a look does not take it.

    Torn is what stays so, time of its last change and all, until the lock is free, or nobody's.
    """
    waiting, found = list(paths), dict[str, str | None]()
    kept: dict[str, tuple[tuple[int, ...], float]] = {}
    nobodys: int | None = None
    begin = time.monotonic()
    while waiting:
        now, since = time.monotonic(), _since(folder)
        for path in tuple(waiting):
            stamp = _stamp(files, path)  # before its text, never after
            text = found[path] = files.text(path)
            if path not in kept or kept[path][0] != stamp:
                kept[path] = (stamp, now)
            still = now - kept[path][1] >= STILL and since in (None, nobodys)
            if text is None or not iscsidb.is_torn(text) or still:
                waiting.remove(path)
        if now - begin > SETTLE:
            break
        if waiting:
            time.sleep(PAUSE)
        if waiting and now - begin > GRACE and since is not None and nobodys is None and stale(files, folder):
            nobodys = _since(folder)
    return found


def _stamp(files: Files, path: str) -> tuple[int, ...]:
    try:
        found = os.stat(files.root + path)
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _since(folder: str) -> int | None:
    """When it was taken, in ns: a new link is a change of the inode. None where it is not."""
    try:
        return os.stat(f"{folder}/lock.write", follow_symlinks=False).st_ctime_ns
    except OSError:
        return None


def _booted() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def _elders(read: Reader, since: float) -> bool:
    """Is there an iscsiadm that ran already when the lock was taken? A younger one can only wait for it."""
    booted = _booted()
    for number in read.names("/proc"):
        if not number.isdigit() or word(read, f"/proc/{number}/comm") != "iscsiadm":
            continue
        # proc_pid_stat(5): what follows the name, which may hold anything, begins with the third field
        rest = (read.text(f"/proc/{number}/stat") or "").rpartition(")")[2].split()
        if len(rest) < 20 or booted + int(rest[19]) / os.sysconf("SC_CLK_TCK") < since + SLACK:
            return True
    return False


@contextlib.contextmanager
def hold(folder: str = FOLDER) -> Iterator[None]:
    """Hold it as a hard link from `lock` to `lock.write`. Busy where somebody keeps it: it does not say who."""
    lock, taken = f"{folder}/lock", f"{folder}/lock.write"
    try:
        # Anybody may make a folder in /run/lock: one that is not root's is refused, and a link not followed.
        with folders.of(lock, mode=lambda _: 0o770, follow=False) as (way, name):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o660, dir_fd=way))
            end = time.monotonic() + LIMIT
            while not _linked(way, name, os.path.basename(taken)):
                if time.monotonic() > end:
                    hint = f"if no iscsiadm runs, one was killed: remove {taken}"
                    raise Busy(f"open-iscsi's database is locked: {taken} is there", hint)
                time.sleep(PAUSE)
    except folders.Swapped as e:
        raise CannotWrite(
            f"cannot take the lock {taken}: {e.strerror}", f"look whose {folder} is, and remove it"
        ) from e
    except OSError as e:
        raise CannotWrite(f"cannot take the lock {taken}: {e.strerror}", "make /run writable") from e
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(taken)


def _linked(way: int, lock: str, taken: str) -> bool:
    try:
        os.link(lock, taken, src_dir_fd=way, dst_dir_fd=way, follow_symlinks=False)
    except FileExistsError:
        return False
    return True
