"""Files of the host: read as text, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mpio import folders
from mpio.errors import CannotWrite, Distrusted, MpioError, NotAllowed
from mpio.folders import Swapped

KERNEL = ("/proc/", "/sys/")  # written in place: there the write is the deed
PRIVATE = "/var/lib/mpio"
OWN = ("/run/mpio/", f"{PRIVATE}/")  # what mpio goes by later: read only where nobody else can have written it
PAGE, BLOCK = 1 << 12, 1 << 20  # bytes: what most files fit into, and what the others are read by
# Bytes. The largest file that is read is dpkg's list of packages, of some MB: what is larger than this is no such file
# but a link to /dev/zero, or a sparse one, and would only fill the memory.
LARGEST = 1 << 26
TEMPORARY = ".mpio-"

_HINTS = {
    errno.EACCES: "run as root",
    errno.EBUSY: "something uses it at this moment; run again",
    errno.EDQUOT: "make room on its file system",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EINVAL: "the kernel does not take this value",
    errno.EIO: "look at the kernel's log: dmesg",
    errno.ELOOP: "let root alone own and write it and the folders above it, or name another place",
    errno.ENOENT: "the kernel does not offer it (any more): look whether module and device are there",
    errno.ENOSPC: "make room on its file system: for bytes (df) or for inodes (df -i)",
    errno.EOVERFLOW: "look at what is there: no file that mpio reads is so large",
    errno.EPERM: "run as root; where you are, look at the file's attributes with lsattr",
    errno.EROFS: "mount its file system for writing; in a unit, look at its Protect settings",
}


@dataclass(frozen=True, slots=True)
class Files:
    """The files below `root` (empty: the host's own). Bytes that are no UTF-8 survive reading and writing."""

    root: str = ""

    def text(self, path: str) -> str | None:
        """None where there is no such file, and where the kernel has no value to tell. Raises Distrusted for a file of
        mpio's own that somebody else may have written.
        """
        try:
            if path.startswith(OWN):
                return _own(self.root + path).decode("utf-8", "surrogateescape")
            # O_NONBLOCK: a FIFO in the file's place must not hold us.
            fd = os.open(self.root + path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                return _whole(fd).decode("utf-8", "surrogateescape")
            finally:
                os.close(fd)
        except Swapped as e:
            raise Distrusted(f"mpio does not go by {path}: {e.strerror}", _HINTS[errno.ELOOP]) from e
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            if path.startswith(KERNEL) and e.errno != errno.EOVERFLOW:
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
        data = text.encode("utf-8", "surrogateescape")
        with _explained(path):
            if path.startswith(KERNEL):
                _write_in_place(self.root + path, data)
                return
            with folders.of(self.root + path, mode=directory_mode) as (folder, name):
                if not beside:
                    _replace(_Place(folder, name, folder), data, mode, durable)
                    return
                with folders.of(f"{self.root}{beside}/{name}", follow=False) as (other, _):
                    same = os.fstat(other).st_dev == os.fstat(folder).st_dev
                    _replace(_Place(folder, name, other if same else folder), data, mode, durable)

    def sync(self, paths: Iterable[str], since: float) -> None:
        """Have on the disk what others have written into these files since then. That one is gone is no error."""
        for path in paths:
            # What others may lead elsewhere is not ours to open, nor a reason to end.
            with _explained(path), contextlib.suppress(FileNotFoundError, NotADirectoryError, Swapped):
                with folders.of(self.root + path) as (folder, name):
                    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
                with os.fdopen(fd, "rb"):
                    if os.fstat(fd).st_mtime >= since:
                        os.fsync(fd)

    def sweep(self, folder: str) -> None:
        """Remove what runs that died left here, where nobody may have to write again. That it is gone is no error."""
        gone = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with _explained(folder), gone, folders.of(f"{self.root}{folder}/{TEMPORARY}", follow=False) as (fd, _):
            _sweep(fd)

    def output(self, path: str, data: str | bytes, mode: int, *, durable: bool = True) -> None:
        """Write a file that the caller named, whole. It may lie in a folder of somebody else, who may do with it what
        they like, but lead it nowhere else.
        """
        content = data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape")
        with _explained(path), folders.of(self.root + path, mode=directory_mode, named=True) as (folder, name):
            _replace(_Place(folder, name, folder), content, mode, durable)

    def remove(self, path: str) -> None:
        """Remove the file (of a link: the link). That there is none is no error."""
        self._unname(path, os.unlink)

    def remove_folder(self, path: str) -> None:
        """Remove the folder if nothing is left in it. That there is none is no error."""
        self._unname(path, os.rmdir)

    def _unname(self, path: str, call: Callable[..., None]) -> None:
        with _explained(path):
            try:
                with folders.of(self.root + path, follow=False) as (folder, name):
                    call(name, dir_fd=folder)
                    _sync(folder)
            except (FileNotFoundError, NotADirectoryError):
                return
            except OSError as error:
                if call is not os.rmdir or error.errno not in (errno.ENOTEMPTY, errno.EBUSY):
                    raise


def directory_mode(path: str) -> int:
    """What a directory of ours is made with: what mpio remembers is root's business."""
    return 0o700 if path == PRIVATE or path.startswith(PRIVATE + "/") else 0o755


def _own(place: str) -> bytes:
    with folders.of(place) as (folder, name):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
        try:
            if why := foreign(os.fstat(fd)):
                raise Swapped(why)
            return _whole(fd)
        finally:
            os.close(fd)


def foreign(status: os.stat_result) -> str:
    """Why others may have had a hand in a file of mpio's own; empty: they had not."""
    if not stat.S_ISREG(status.st_mode):
        return "it is no file"
    if status.st_uid not in folders.callers():
        return f"it is owned by user {status.st_uid}"
    mode = stat.S_IMODE(status.st_mode)
    return f"its mode is {mode:04o}" if mode & 0o022 else ""


def _whole(fd: int) -> bytes:
    """By plain reads: a look takes thousands of small files, and a file object costs as much as its file."""
    found = os.read(fd, PAGE)
    part = os.read(fd, BLOCK) if found else b""
    if not part:
        return found
    whole = bytearray(found)
    while part:
        whole += part
        if len(whole) > LARGEST:
            raise OSError(errno.EOVERFLOW, f"it is larger than {LARGEST >> 20} MiB")
        part = os.read(fd, BLOCK)
    return bytes(whole)


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


@dataclass(frozen=True, slots=True)
class _Place:
    """A name in an open folder, and the open folder that its text lies in until it is whole."""

    folder: int
    name: str
    beside: int


def _replace(place: _Place, data: bytes, mode: int | None, durable: bool) -> None:
    before = _before(place)
    _sweep(place.beside)
    temporary = f"{TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600, dir_fd=place.beside)
    try:
        if before:
            _like(fd, place, before)
        # No set-id bit is kept: whoever linked such a file here would have one with what we write.
        kept = before.st_mode & 0o777 if before else 0o644
        os.fchmod(fd, kept if mode is None else mode)
        # Not sooner: the text may be a secret, and a mode takes back what an access list gave for a moment.
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        if durable:
            os.fsync(fd)
        os.rename(temporary, place.name, src_dir_fd=place.beside, dst_dir_fd=place.folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=place.beside)
        raise
    finally:
        os.close(fd)
    if durable:
        _sync(place.folder)


def _before(place: _Place) -> os.stat_result | None:
    try:
        before = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(before.st_mode):
        raise OSError(errno.EEXIST, "it is no file")
    if before.st_uid not in folders.callers():
        raise Swapped(f"it is owned by user {before.st_uid}, who would go on to own it")
    return before


def _like(fd: int, place: _Place, before: os.stat_result) -> None:
    """Owner and extended attributes (SELinux labels, ACLs) of the file that is replaced."""
    now = os.fstat(fd)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(fd, before.st_uid, before.st_gid)
    with contextlib.suppress(OSError):  # those of a file that this user may not read, or set, are not worth the file
        old = os.open(place.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=place.folder)
        try:
            if os.path.samestat(os.fstat(old), before):
                _attributes(old, fd)
        finally:
            os.close(old)


def _attributes(old: int, new: int) -> None:
    for name in os.listxattr(old):
        if name != "security.capability":  # as the set-id bits
            with contextlib.suppress(OSError):
                os.setxattr(new, name, os.getxattr(old, name))


def _sweep(folder: int) -> None:
    """Remove what runs of ours that died in the middle of a write left here; a run's number stands in the name."""
    with folders.readable(folder) as readable:
        names = [name for name in os.listdir(readable) if name.startswith(TEMPORARY)]
    for name in names:
        number = name.removeprefix(TEMPORARY).partition("-")[0]
        if number.isdigit() and not _has_open(number, name):
            with contextlib.suppress(FileNotFoundError):
                left = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(left.st_mode) and left.st_uid == os.geteuid():
                    os.unlink(name, dir_fd=folder)


def _has_open(number: str, name: str) -> bool:
    """Does that process write this file? After a reboot its number is another's, so that it lives says nothing."""
    try:
        for one in os.listdir(f"/proc/{number}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed in between
                if os.readlink(f"/proc/{number}/fd/{one}").endswith(f"/{name}"):
                    return True
    except OSError as e:
        return e.errno != errno.ENOENT
    return False


def _sync(folder: int) -> None:
    with folders.readable(folder) as readable:
        os.fsync(readable)
