"""Files of the host: read as text, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from mpio.errors import CannotWrite, MpioError, NotAllowed

KERNEL = ("/proc/", "/sys/")  # written in place: there the write is the deed
PRIVATE = "/var/lib/mpio"
PAGE, BLOCK = 1 << 12, 1 << 20  # bytes: what most files fit into, and what the others are read by
TEMPORARY = ".mpio-"

_HINTS = {
    errno.EACCES: "run as root",
    errno.EBUSY: "something uses it at this moment; run again",
    errno.EDQUOT: "make room on its file system",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EINVAL: "the kernel does not take this value",
    errno.EIO: "look at the kernel's log: dmesg",
    errno.ENOENT: "the kernel does not offer it (any more): look whether module and device are there",
    errno.ENOSPC: "make room on its file system",
    errno.EPERM: "run as root; where you are, look at the file's attributes with lsattr",
    errno.EROFS: "mount its file system for writing; in a unit, look at its Protect settings",
}


@dataclass(frozen=True, slots=True)
class Files:
    """The files below `root` (empty: the host's own). Bytes that are no UTF-8 survive reading and writing."""

    root: str = ""

    def text(self, path: str) -> str | None:
        """None where there is no such file, and where the kernel has no value to tell."""
        try:
            # O_NONBLOCK: a FIFO in the file's place must not hold us.
            fd = os.open(self.root + path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                return _whole(fd).decode("utf-8", "surrogateescape")
            finally:
                os.close(fd)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            if path.startswith(KERNEL):
                return None
            # Never None: a plan would take an unreadable iscsid.conf for a missing one.
            kind = NotAllowed if isinstance(e, PermissionError) else MpioError
            raise kind(f"cannot read {path}: {e.strerror}", _HINTS.get(e.errno or 0, "")) from e

    def names(self, path: str) -> tuple[str, ...]:
        """What is in the directory, sorted; nothing where there is none."""
        try:
            return tuple(sorted(os.listdir(self.root + path)))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as e:
            if path.startswith(KERNEL):
                return ()
            kind = NotAllowed if isinstance(e, PermissionError) else MpioError
            raise kind(f"cannot read {path}: {e.strerror}", _HINTS.get(e.errno or 0, "")) from e

    def target(self, path: str) -> str:
        """What the symbolic link says; empty where there is no link."""
        try:
            return os.readlink(self.root + path)
        except OSError:
            return ""

    def write(self, path: str, text: str, mode: int | None = None, *, durable: bool = True, beside: str = "") -> None:
        """Write the file whole: whoever looks, after any crash too, sees the old text or the new.

        `mode` None keeps the mode, 0644 for a new file. `beside` is a folder of the same file system for the unfinished
        file, where every file in the folder of `path` means something. Raises CannotWrite.
        """
        self.write_data(path, text.encode("utf-8", "surrogateescape"), mode, durable=durable, beside=beside)

    def write_data(
        self, path: str, data: bytes, mode: int | None = None, *, durable: bool = True, beside: str = ""
    ) -> None:
        """As `write`, of what is no text."""
        with _explained(path):
            if path.startswith(KERNEL):
                _write_in_place(self.root + path, data)
                return
            place = _through_link(self.root + path)
            make_directories(_folder(place))
            _replace(place, data, mode, durable, self.root + beside if beside else "")

    def remove(self, path: str) -> None:
        """Remove the file (of a link: the link). That there is none is no error."""
        place = self.root + path
        with _explained(path):
            try:
                os.unlink(place)
            except (FileNotFoundError, NotADirectoryError):
                return
            _sync_directory(_folder(place))

    def remove_folder(self, path: str) -> None:
        """Remove the folder if nothing is left in it. That there is none is no error."""
        place = self.root + path
        with _explained(path):
            try:
                os.rmdir(place)
            except (FileNotFoundError, NotADirectoryError):
                return
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EBUSY):
                    return
                raise
            _sync_directory(_folder(place))


def directory_mode(path: str) -> int:
    """What a directory of ours is made with: what mpio remembers is root's business."""
    return 0o700 if path == PRIVATE or path.startswith(PRIVATE + "/") else 0o755


def make_directories(path: str) -> None:
    """Make the directory and the missing ones above it, durably and whatever the umask."""
    if os.path.isdir(path):
        return
    above = _folder(path)
    make_directories(above)
    mode = directory_mode(path)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return
    os.chmod(path, mode)
    _sync_directory(above)


def _whole(fd: int) -> bytes:
    """By plain reads: a look takes thousands of small files, and a file object costs as much as its file."""
    found = part = os.read(fd, PAGE)
    while part:
        part = os.read(fd, BLOCK)
        found += part
    return found


def _folder(path: str) -> str:
    """Where the file is; of a bare name it is where we are."""
    return os.path.dirname(path) or "."


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise CannotWrite(f"cannot write {path}: {e.strerror or e}", _HINTS.get(e.errno or 0, "")) from e


def _write_in_place(place: str, data: bytes) -> None:
    fd = os.open(place, os.O_WRONLY | os.O_CLOEXEC)
    try:
        # One write: sysfs takes each as a value of its own (Documentation/filesystems/sysfs.rst, "write").
        if os.write(fd, data) != len(data):
            raise OSError(errno.EINVAL, "the kernel took only a part")
    finally:
        os.close(fd)


def _through_link(place: str) -> str:
    """Where a link leads, provided that nobody else can turn it: iscsid.conf may be one into a kept tree."""
    if not os.path.islink(place):
        return place
    real = os.path.realpath(place, strict=False)
    for file in (place, real):
        directory = os.path.realpath(os.path.dirname(file))
        while True:
            status = os.stat(directory)
            loose = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
            if loose or status.st_uid not in {0, os.geteuid()}:
                raise OSError(errno.ELOOP, f"it is a link, and others may change {directory}")
            if directory == "/":
                break
            directory = os.path.dirname(directory)
    return real


def _replace(place: str, data: bytes, mode: int | None, durable: bool, beside: str) -> None:
    directory = _folder(place)
    if not beside or os.stat(beside).st_dev != os.stat(directory).st_dev:
        beside = directory
    try:
        before = os.lstat(place)
    except FileNotFoundError:
        before = None
    if before and not stat.S_ISREG(before.st_mode):
        raise OSError(errno.EEXIST, "it is no file")
    _sweep(beside)
    temporary = f"{beside}/{TEMPORARY}{os.getpid()}-{os.urandom(4).hex()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        if before:
            _like(fd, place, before)
        kept = stat.S_IMODE(before.st_mode) if before else 0o644
        os.fchmod(fd, kept if mode is None else mode)
        if durable:
            os.fsync(fd)
        os.rename(temporary, place)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    finally:
        os.close(fd)
    if durable:
        _sync_directory(directory)


def _like(fd: int, place: str, before: os.stat_result) -> None:
    """Owner and extended attributes (SELinux labels, ACLs) of the file that is replaced."""
    now = os.fstat(fd)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(fd, before.st_uid, before.st_gid)
    for name in os.listxattr(place, follow_symlinks=False):
        with contextlib.suppress(OSError):  # one that this file system or user may not set is not worth the file
            os.setxattr(fd, name, os.getxattr(place, name, follow_symlinks=False))


def _sweep(directory: str) -> None:
    """Remove what runs that died in the middle of a write left here; a run's number stands in the name."""
    for name in os.listdir(directory):
        number = name.removeprefix(TEMPORARY).partition("-")[0]
        if name.startswith(TEMPORARY) and number.isdigit() and not os.path.exists(f"/proc/{number}"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{directory}/{name}")


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
