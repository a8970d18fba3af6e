"""Archives for initial RAM disks: newc (the kernel's driver-api/early-userspace/buffer-format.rst)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    data: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Link:
    target: str


def newc(tree: Mapping[str, File | Link]) -> bytes:
    """The tree, its folders included, as one archive; paths are relative, with `/` between their parts."""
    folders = sorted({folder for path in tree for folder in _parents(path)})
    entries = [_entry(folder, 0o040755, b"") for folder in folders]
    for path, content in tree.items():
        if isinstance(content, Link):
            entries.append(_entry(path, 0o120777, content.target.encode()))
        else:
            entries.append(_entry(path, 0o100000 | content.mode, content.data))
    return b"".join([*entries, _entry("TRAILER!!!", 0, b"")])


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _entry(path: str, mode: int, data: bytes) -> bytes:
    name = path.encode() + b"\0"
    # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
