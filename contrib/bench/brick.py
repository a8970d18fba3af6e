"""os-brick for the guest: its wheels and those it needs, fetched once and kept in the user's cache."""

from __future__ import annotations

import compileall
import gzip
import io
import py_compile
import sys
import tarfile
from pathlib import Path

from mpio.lab import packages, process
from mpio.lab.guest import Guest

VERSION = "7.1.1"
LIBRARY = "/opt/bench/lib"


def push(guest: Guest, say: process.Say) -> None:
    """Into the guest, compiled."""
    python = guest.check("python3", "-c", "import sys; print('{}.{}'.format(*sys.version_info))").strip()
    packed = pack(fetched(python, say))
    script = f"mkdir -p {LIBRARY} && tar -xzf - -C {LIBRARY}"
    guest.check("sh", "-c", script, stdin=gzip.compress(packed, 6, mtime=0), timeout=300)
    if python != "{}.{}".format(*sys.version_info):
        guest.check("python3", "-m", "compileall", "-q", LIBRARY, timeout=900)


def fetched(python: str, say: process.Say) -> Path:
    folder = process.cache() / f"os-brick-{VERSION}-python{python}"
    if folder.is_dir():
        return folder
    say(f"fetching os-brick {VERSION} for Python {python} (once)")
    with process.scratch(folder.with_name(f"{folder.name}-new")) as work:
        library = work / "lib"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", f"--target={library}"]
        pip += [f"--python-version={python}", "--implementation=cp", "--only-binary=:all:"]
        pip += [f"--platform={platform}" for platform in packages.PLATFORMS]
        process.call([*pip, f"os-brick=={VERSION}"])
        if python == "{}.{}".format(*sys.version_info):  # an emulated processor would compile for a minute
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            compileall.compile_dir(
                library, quiet=2, stripdir=str(library), prependdir=LIBRARY, invalidation_mode=mode, workers=0
            )
        library.rename(folder)
    return folder


def pack(folder: Path) -> bytes:
    """As a tar archive, without their tests."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and "tests" not in name.parts:
                tar.add(path, str(name), recursive=False)
    return buffer.getvalue()
