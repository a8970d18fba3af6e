"""The host's programs that the lab runs, and the environment's folders."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mpio import errors

Say = Callable[[str], None]

PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "chroot": "coreutils",
    "apt-get": "apt",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "qemu-system-x86_64": "qemu-system-x86",
}


def quiet(_: str) -> None:
    """The Say of those who want no progress."""


def to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(home) / "mpio" / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def need(*programs: str) -> None:
    """MissingProgram if one of these is not on PATH."""
    missing = [p for p in programs if not shutil.which(p, path=_path())]
    if missing:
        packages = " ".join(dict.fromkeys(PACKAGES.get(p, p) for p in missing))
        raise errors.MissingProgram(
            f"the lab needs {' and '.join(missing)}", f"as root: apt-get install --no-install-recommends {packages}"
        )


def _path() -> str:
    # A user's PATH on Debian has no sbin, where mke2fs is.
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


# Ends a build with its owner, however that dies: the programs are alone in a PID namespace, whose first process the
# kernel ends when its parent goes (--kill-child), and the parent when ours does (--pdeathsig).
BOUND = (
    "setpriv",
    "--pdeathsig",
    "KILL",
    "--",
    "unshare",
    "--pid",
    "--mount-proc",
    "--fork",
    "--kill-child=KILL",
    "--",
)


def bound(argv: Sequence[str]) -> list[str]:
    """The command so that nothing of it outlives us; as it is where the machine has no namespaces for us."""
    tried = subprocess.run(
        [*BOUND, "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env={**os.environ, "PATH": _path()},
    )
    return [*BOUND, *argv] if tried.returncode == 0 else list(argv)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A new folder that is gone afterwards, also where we are killed: a shell waits for the end of its input."""
    folder.mkdir(parents=True)
    # Again, since what dies may still write.
    wait = "trap '' INT TERM HUP; cat >/dev/null; until rm -rf --one-file-system \"$1\"; do sleep 0.1; done"
    with subprocess.Popen(
        ["sh", "-c", wait, "mpio-lab-scratch", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us
    ):
        yield folder  # leaving closes its input and waits


def call(argv: Sequence[str], say: Say = quiet, environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return what it printed, both streams together; `say` hears each line."""
    environment = {**os.environ, "PATH": _path(), **(environment or {})}
    lines: list[str] = []
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,  # Ctrl-C is for us, and we end the whole group
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                lines.append(line)
                say(line.rstrip())
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        tail = "".join(lines[-12:]).rstrip()
        raise errors.ProgramFailed(f"{argv[0]} ended with {process.returncode}:\n{tail}")
    return "".join(lines)
