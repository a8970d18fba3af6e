"""Who else may touch a file that root is to believe: the site file and the secret files that it names."""

from __future__ import annotations

import os
import stat

from mpio.errors import LooseSecret, UsageError

_LONGEST = 4096  # bytes of a secret file
_LONGEST_SECRET = 255  # AUTH_STR_MAX_LEN of open-iscsi less its end
_HINT = "chown root and chmod 0600 what is named"


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


def callers(owner: int) -> frozenset[int]:
    caller = os.environ.get("SUDO_UID", "")
    return frozenset({owner, os.geteuid(), int(caller) if caller.isdecimal() else owner})


def of_output(path: str) -> str:
    """Why not to replace this file: it would stay its owner's, who may have laid it there to read what we write."""
    return wrong(os.stat(path), callers(0), 0) if os.path.exists(path) else ""


def of_secret(path: str, owner: int) -> str:
    """Looks without reading. Raises OSError where it cannot."""
    if os.path.islink(path):
        for directory in (os.path.dirname(os.path.abspath(path)), os.path.dirname(os.path.realpath(path))):
            mode = os.stat(directory).st_mode
            if mode & 0o022 and not mode & stat.S_ISVTX:
                return f"is a link, and others may change {directory}"
    return wrong(os.stat(path), frozenset({owner}), 0o077)


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
        loose = of_secret(path, owner)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as e:
        raise UsageError(f"cannot read {path}: {getattr(e, 'strerror', None) or e}", "the site file names it") from e
    with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        # once more: what is read must be what was looked at
        loose = loose or wrong(os.fstat(fd), frozenset({owner}), 0o077)
        data = b"" if loose else file.read(_LONGEST)
    if loose:
        raise LooseSecret(f"{path} {loose}", _HINT)
    said = data.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
    if not said or not said.isprintable() or "\ufffd" in said:
        raise UsageError(f"{path} does not hold one line of text", "write the secret into it, on one line")
    return said
