"""The text of the site file, and who else may write that or what it names."""

from __future__ import annotations

import contextlib
import errno
import os

from mpio import sitemistakes, sitetoml, trust
from mpio.errors import MpioError, SiteError, UsageError
from mpio.folders import Swapped, of_owner
from mpio.sitemistakes import Tree, dotted


def read(path: str, owner: int = 0) -> str:
    """The text of a file that nobody else may write."""
    try:
        fd = trust.opened(path, of_owner)
    except Swapped as e:
        raise SiteError(path, (f"the file may be replaced by others: {e.strerror}",)) from e
    except (FileNotFoundError, NotADirectoryError):
        hint = "mpio init writes one; or name another with --site"
        raise UsageError(f"there is no site file {path}", hint) from None
    except OSError as e:
        if e.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            shown = path if len(path) <= 80 else f"{path[:80]}…"
            raise UsageError(f"no file can be called {shown}: {e.strerror}", "name another with --site") from e
        raise MpioError(f"cannot read {path}: {e.strerror}", "run as root") from e
    try:
        if wrong := trust.of_site(os.fstat(fd), owner):
            raise SiteError(path, (f"the file {wrong}",))
        with open(fd, "rb", closefd=False) as file:
            data = file.read(sitetoml.LARGEST + 1)
    finally:
        os.close(fd)
    if len(data) > sitetoml.LARGEST:
        raise SiteError(path, (f"the file is larger than {sitetoml.LARGEST >> 20} MiB",))
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        number = data.count(b"\n", 0, e.start) + 1
        raise SiteError(path, (f"line {number}: is not UTF-8",)) from None


def distrusted(tree: Tree, owner: int) -> tuple[list[str], list[str]]:
    """Lines for the secret files that are not there, and for those that others may touch."""
    missing: list[str] = []
    loose: list[str] = []
    for loc, path in sitemistakes.secrets(tree):
        if not path.startswith("/"):
            continue  # a mistake already
        try:
            if wrong := trust.of_secret(path, owner):
                loose.append(f"{dotted(loc)}: {path} {wrong}")
        except PermissionError:
            continue  # who may not look cannot tell; what needs the secret needs root
        except (OSError, ValueError) as e:
            missing.append(f"{dotted(loc)}: {path!r}: {getattr(e, 'strerror', None) or e}")
    for loc, path in sitemistakes.programs(tree):
        with contextlib.suppress(OSError, ValueError):  # one that is not there is told when it is to run
            if wrong := trust.of_program(path):
                loose.append(f"{dotted(loc)}: {path} {wrong}")
    return missing, loose
