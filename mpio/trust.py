"""Who else may touch a file that root is to believe: the site file and the secret files that it names."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from mpio import folders
from mpio.errors import LooseSecret, UsageError
from mpio.folders import callers

_LONGEST = 4096  # bytes of a secret file
_LONGEST_SECRET = 255  # AUTH_STR_MAX_LEN of open-iscsi less its end
_HINT = "chown root and chmod 0600 what is named"
_FOLDERS = "let root alone own and write it and the folders above it, or name another place"


def wrong(status: os.stat_result, owners: frozenset[int], bits: int) -> str:
    """Why not to trust what these owners alone should have, and others none of the mode bits of; empty: trust it."""
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        return "is no plain file"
    if status.st_uid not in owners:
        return f"is owned by user {status.st_uid}, not by user {min(owners)}"
    if mode & bits:
        return f"has mode {mode:04o}: others may {'write' if mode & 0o022 else 'read'} it"
    return ""


def of_site(status: os.stat_result, owner: int) -> str:
    """A site file may be the caller's own: also of one who came by sudo, who could write any other."""
    return wrong(status, callers(owner), 0o022)


def of_output(path: str) -> str:
    """Why not to replace this file: it would stay its owner's, who may have laid it there to read what we write."""
    try:
        with folders.of(path, named=True) as (folder, name):
            return wrong(os.stat(name, dir_fd=folder, follow_symlinks=False), callers(0), 0)
    except folders.Swapped as e:
        return f"may lead elsewhere: {e.strerror}"
    except OSError:
        return ""  # it is not there, or the write will say what is in its way


def of_place(path: str) -> str:
    """Why no file of root's can be made there; empty: it can, or only the write will tell."""
    try:
        with folders.of(path):
            return ""
    except (folders.Swapped, NotADirectoryError) as e:
        return str(e.strerror)
    except OSError:
        return ""


def opened(path: str, alike: folders.Alike = folders.of_caller) -> int:
    """The file, open to be read. Raises OSError: folders.Swapped where others may put another one in its place."""
    with folders.of(path, alike=alike) as (folder, name):
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)


def of_secret(path: str, owner: int) -> str:
    """Looks without reading. Raises OSError where it cannot."""
    return _of(path, lambda status: _wrong_secret(status, owner))


def of_program(path: str) -> str:
    """Why not to run this program; empty: run it, or see that it is not there. Raises OSError where it cannot look."""
    return _of(path, lambda status: wrong(status, callers(0), 0o022), folders.of_staff)


def _of(path: str, wrong_with: Callable[[os.stat_result], str], alike: folders.Alike = folders.of_caller) -> str:
    try:
        with folders.of(path, alike=alike) as (folder, name):
            return wrong_with(os.stat(name, dir_fd=folder, follow_symlinks=False))
    except folders.Swapped as e:
        return f"may be replaced by others: {e.strerror}"


def _wrong_secret(status: os.stat_result, owner: int) -> str:
    """Of two names one may lie where others have put it: they would keep the secret, or have another file of root's
    sent to an array.
    """
    names = status.st_nlink
    return wrong(status, frozenset({owner}), 0o077) or (f"has {names} hard links: leave it one" if names > 1 else "")


def secret(path: str, owner: int = 0) -> str:
    """The CHAP secret of a secret file. Raises LooseSecret, UsageError."""
    said = line(path, owner)
    if said != said.strip() or len(said.encode()) > _LONGEST_SECRET:
        raise UsageError(
            f"the secret in {path} is none that open-iscsi keeps: 1 to {_LONGEST_SECRET} bytes, no blank at either end",
            "write another secret into it and set the same on the array",
        )
    return said


def line(path: str, owner: int = 0) -> str:
    """The one line of a secret file. Raises LooseSecret, UsageError."""
    try:
        fd = opened(path)
    except folders.Swapped as e:
        raise LooseSecret(f"{path} may be replaced by others: {e.strerror}", _FOLDERS) from e
    except (OSError, ValueError) as e:
        raise UsageError(f"cannot read {path}: {getattr(e, 'strerror', None) or e}", "the site file names it") from e
    with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        loose = _wrong_secret(os.fstat(fd), owner)
        data = b"" if loose else file.read(_LONGEST)
    if loose:
        raise LooseSecret(f"{path} {loose}", _HINT)
    said = data.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
    if not said or not said.isprintable() or "\ufffd" in said:
        raise UsageError(f"{path} does not hold one line of text", "write the secret into it, on one line")
    return said
