"""Folders by descriptor: whoever swaps one while root is on its way to it gains nothing.

A path is walked name by name, each opened in the folder before it and looked at when it is open, so that what was
looked at is what is written to. Links are followed here and not by the kernel: only where nobody else could have laid
them (what fs.protected_symlinks does for sticky folders alone).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LINKS = 40  # as many as the kernel follows (path_resolution(7))
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_STAFF = 50  # Debian's group `staff`, which may put programs below /usr/local (base-passwd)

Mode = Callable[[str], int]
Alike = Callable[[os.stat_result], bool]  # is the group of a folder, which may write it, as good as its owner?


class Swapped(OSError):
    """Others could have led the way elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.ELOOP, text)


def callers(owner: int = 0) -> frozenset[int]:
    """Whose files a caller may believe: root's, the caller's own, and those of who came by sudo, who could be root."""
    caller = os.environ.get("SUDO_UID", "")
    return frozenset({owner, os.geteuid(), int(caller) if caller.isdecimal() else owner})


@contextlib.contextmanager
def without_sudo() -> Iterator[None]:
    """For what root leaves on the host: a unit has been started by nobody, and who came by sudo may lose that right."""
    caller = os.environ.pop("SUDO_UID", None)
    try:
        yield
    finally:
        if caller is not None:
            os.environ["SUDO_UID"] = caller


def of_owner(status: os.stat_result) -> bool:
    """A group of its owner's alone, as distributions make one for each user: with umask 002 it may write all that is
    theirs (pam_umask(8), usergroups).
    """
    import grp  # where a group may write, and else never: they may ask a server
    import pwd

    try:
        user, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    named = (user.pw_gid, user.pw_name) == (status.st_gid, group.gr_name)
    return status.st_uid != 0 and named and not {*group.gr_mem} - {user.pw_name}


def of_caller(status: os.stat_result) -> bool:
    """The same, of who runs this."""
    return status.st_uid == os.geteuid() and of_owner(status)


def of_staff(status: os.stat_result) -> bool:
    """Debian's /usr/local: what its group puts there root runs anyway, by its PATH."""
    import grp

    try:
        staff = status.st_uid == 0 and status.st_gid == _STAFF and grp.getgrgid(_STAFF).gr_name == "staff"
    except KeyError:
        return False
    return staff or of_caller(status)


def loose(fd: int, alike: Alike = of_caller) -> str:
    """Why others may put something else in the place of what is in this open folder; empty: they may not."""
    return _shared(fd, alike, stat.S_ISVTX)


def shared(fd: int) -> str:
    """Why others may put anything into this open folder; empty: they may not."""
    return _shared(fd, of_caller, 0)


def _shared(fd: int, alike: Alike, but: int) -> str:
    status = os.fstat(fd)
    if status.st_uid not in callers():
        return f"it is owned by user {status.st_uid}"
    mode = stat.S_IMODE(status.st_mode)
    if mode & but or not mode & (stat.S_IWOTH | stat.S_IWGRP):
        return ""
    closed = not mode & stat.S_IWOTH and (status.st_gid == 0 or alike(status)) and not _listed(fd)
    return "" if closed else f"its mode is {mode:04o}"


def _listed(fd: int) -> bool:
    """Has it a list of users? What that lets them do stands in the group's place then (acl(5))."""
    try:
        return "system.posix_acl_access" in os.listxattr(f"/proc/self/fd/{fd}")
    except OSError:
        return True


@dataclass(slots=True)
class _Way:
    """Where we are on a path: the folder that is open, its name, what is left to walk."""

    fd: int
    here: str
    left: list[str]
    alike: Alike
    links: int = LINKS
    loose: str = ""  # the first folder on the way that others may change


@contextlib.contextmanager
def of(
    path: str, *, mode: Mode | None = None, named: bool = False, follow: bool = True, alike: Alike = of_caller
) -> Iterator[tuple[int, str]]:
    """The open folder of a file, and the file's name in it, for os.open(…, dir_fd=…) and its kind.

    With `mode` folders that are missing are made, durably and whatever the umask, each with the mode that it says. A
    link at the end is followed, unless `follow` is False. Raises Swapped where others may change a folder on the way;
    `named` is for what a caller names, which may lie in a folder of somebody else: there no link is followed. `alike`
    says which groups do not count as others.
    """
    start = "/" if path.startswith("/") else "."
    way = _Way(os.open(start, _FOLDER), start, _names(path), alike)
    try:
        _look(way, named)
        while len(way.left) > 1 or (follow and _at_link(way)):
            _step(way, mode, named)
        if not way.left or way.left[0] in (".", ".."):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        yield way.fd, way.left[0]
    finally:
        os.close(way.fd)


@contextlib.contextmanager
def readable(fd: int) -> Iterator[int]:
    """An open folder for what a way there is not enough for: its names, and fsync(2)."""
    again = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
    try:
        yield again
    finally:
        os.close(again)


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _look(way: _Way, named: bool) -> None:
    if why := loose(way.fd, way.alike):
        if not named:
            raise Swapped(f"others may change {way.here}: {why}")
        way.loose = way.loose or way.here


def _at_link(way: _Way) -> bool:
    try:
        return bool(way.left) and stat.S_ISLNK(os.stat(way.left[0], dir_fd=way.fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _step(way: _Way, mode: Mode | None, named: bool) -> None:
    name = way.left[0]
    if name == ".." and way.loose:
        raise Swapped(f"others may move {way.loose}")
    try:
        # Of a link this opens nothing, and of what is no folder neither.
        fd = os.open(name, _FOLDER, dir_fd=way.fd)
    except FileNotFoundError:
        if mode is None:
            raise
        _make(way, name, mode)
        fd = os.open(name, _FOLDER, dir_fd=way.fd)
    except NotADirectoryError:
        if not _at_link(way):
            raise
        _turn(way, name)
        return
    os.close(way.fd)
    way.fd, way.here = fd, os.path.normpath(os.path.join(way.here, name))
    del way.left[0]
    _look(way, named)


def _make(way: _Way, name: str, mode: Mode) -> None:
    wanted = mode(os.path.normpath(os.path.join(way.here, name)))
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, wanted & 0o700, dir_fd=way.fd)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=way.fd)
        try:
            if os.fstat(fd).st_uid == os.geteuid():  # else it has been swapped, and the look at it will say so
                os.fchmod(fd, wanted)
        finally:
            os.close(fd)
        with readable(way.fd) as above:
            os.fsync(above)


def _turn(way: _Way, name: str) -> None:
    """Go where a link says."""
    link = os.path.normpath(os.path.join(way.here, name))
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=way.fd)
    try:
        status, leads = os.fstat(fd), os.readlink("", dir_fd=fd)
    finally:
        os.close(fd)
    if way.loose:
        raise Swapped(f"{link} is a link, and others may change {way.loose}")
    if os.fstat(way.fd).st_mode & stat.S_ISVTX and status.st_uid not in callers():
        raise Swapped(f"{link} is a link of user {status.st_uid}")
    way.links -= 1
    if way.links < 0:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    way.left[:1] = _names(leads) or ["."]
    if leads.startswith("/"):
        top = os.open("/", _FOLDER)
        os.close(way.fd)
        way.fd, way.here = top, "/"
