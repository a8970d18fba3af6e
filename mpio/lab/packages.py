"""The Python packages of a guest: what mpio needs, in the versions of the lock."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import mpio
from mpio import releases
from mpio.lab import process
from mpio.lab.process import Say

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def requirements(python: str) -> str:
    """As pip's requirements: the lock's entries, without a lock what runs here; none for a Python too old for mpio."""
    if not releases.Release("", "", python).runs_mpio:
        return ""
    top = Path(mpio.__file__).parent.parent
    lock = top / "requirements.lock"
    entries = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text()) if lock.is_file() else []
    locked = {_canonical(re.split(r"[=<>!~ ;]", entry)[0]): entry.strip() for entry in entries}
    wanted = []
    for name in _closure(_direct(top)):
        wanted.append(locked.get(name) or f"{name}=={importlib.metadata.version(name)}")
    return "\n".join(wanted) + "\n"


def _direct(top: Path) -> list[str]:
    project = top / "pyproject.toml"
    if project.is_file():
        return list(tomllib.loads(project.read_text())["project"]["dependencies"])
    return importlib.metadata.requires("mpio-toolkit") or []


def _closure(direct: list[str]) -> list[str]:
    """The names of these packages and of all that they need, as installed here."""
    names: set[str] = set()
    queue = list(direct)
    while queue:
        requirement = queue.pop()
        name = _canonical(re.split(r"[^A-Za-z0-9._-]", requirement)[0])
        if "extra ==" in requirement or name in names:
            continue
        try:
            queue += importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # needed on other systems only
        names.add(name)
    return sorted(names)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def install(python: str, root: Path, work: Path, say: Say) -> None:
    """Into /opt/mpio/lib of the tree at `root`."""
    text = requirements(python)
    if not text:
        return
    listed = work / "requirements.txt"
    listed.write_text(text)
    library = root / "opt/mpio/lib"
    say("installing the guest's Python packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", f"--target={library}"]
    pip += [f"--python-version={python}", "--implementation=cp", "--only-binary=:all:"]
    pip += [f"--platform={platform}" for platform in PLATFORMS]
    process.call(process.bound([*pip, "-r", str(listed)]))
    process.call(["chroot", str(root), "python3", "-m", "compileall", "-q", "/opt/mpio/lib"])
