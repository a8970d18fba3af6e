"""The project's tree, packed for a guest."""

from __future__ import annotations

import importlib.util
import io
import marshal
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

PARTS = ("mpio", "udev", "contrib/systemd")  # what of the tree goes into the guest
INSIDE = "/opt/mpio/src"


def pack(tree: Path, python: str = "") -> bytes:
    """As a tar archive that is the same for the same files; compiled too if `python` is the version that runs here.

    An emulated processor would compile for seconds.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in _files(tree):
            name = str(path.relative_to(tree))
            data = path.read_bytes()
            _add(tar, name, data, 0o755 if path.stat().st_mode & 0o100 else 0o644)
            if path.suffix == ".py" and python == "{}.{}".format(*sys.version_info[:2]):
                cached = f"{path.relative_to(tree).parent}/__pycache__/{path.stem}.{sys.implementation.cache_tag}.pyc"
                _add(tar, cached, _compiled(data, f"{INSIDE}/{name}"), 0o644)
    return buffer.getvalue()


def _compiled(source: bytes, path: str) -> bytes:
    """PEP 552: flag 0b11, valid while the source has this hash; times would not survive the archive."""
    code = marshal.dumps(compile(source, path, "exec", dont_inherit=True))
    return importlib.util.MAGIC_NUMBER + (0b11).to_bytes(4, "little") + importlib.util.source_hash(source) + code


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))


def _files(tree: Path) -> Iterator[Path]:
    for part in PARTS:
        for path in sorted((tree / part).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
