"""Every file of a guest, its logs and its bare disk, searched for secrets, which are told by JSON on stdin.

`ransack.py [DEVICE…]`, or `ransack.py --below FOLDER` for the files there alone.

    {"words": {"spelling": "name"}, "wide": {…}, "whole": ["secret"]}

stdout: {"files": {path: [names]}, "searched", "bytes", "logs": {…}, "log_bytes", "device": {…}, "device_bytes"}. Of a
hit on the device is told what stands before it on its line: free blocks keep what deleted files held. What is searched
for lies in memory only, or it would be found.
"""

from __future__ import annotations

import collections
import gzip
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

KINDS = {"ext4", "tmpfs", "devtmpfs", "ramfs", "hugetlbfs", "xfs", "btrfs", "overlay", "vfat"}
LOGS = {
    "journal": "journalctl --no-pager -a -o export",
    "kernel": "dmesg",
    "units": "systemctl show '*'",
    "udev": "udevadm info -e",
    "multipathd": "multipathd show config",
}
KEY = re.compile(rb"((?:node\.session|discovery\.sendtargets)\.auth\.password(?:_in)? = )[^\n\0]*\Z")
PACKED = (".gz", ".tgz")
BEFORE, BLOCK, CHUNK = 300, 4096, 1 << 22


def grep(words: dict[bytes, str], options: str, paths: list[str]) -> bytes:
    """`-z`: what holds no NUL byte is one line, and an empty disk is many short ones."""
    fd = os.memfd_create("words")
    os.write(fd, b"\n".join(words) + b"\n")
    command = ["grep", "-z", "-a", "-s", *options.split(), "-F", "-f", f"/proc/self/fd/{fd}", "--", *paths]
    environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    done = subprocess.run(command, check=False, pass_fds=[fd], stdout=subprocess.PIPE, env=environment)
    os.close(fd)
    return done.stdout


def said(script: str) -> bytes:
    return subprocess.run(("sh", "-c", script), check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def mounts() -> Iterator[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind in KINDS:
            yield place


def files(places: Iterable[str]) -> dict[str, int]:
    """Every plain file with its size, once."""
    found: dict[str, int] = {}
    known: set[tuple[int, int]] = set()
    for mount in places:
        device = os.stat(mount).st_dev
        for folder, folders, names in os.walk(mount):
            folders[:] = [name for name in folders if os.lstat(f"{folder}/{name}").st_dev == device]
            for name in names:
                path = os.path.join(folder, name)
                try:
                    at = os.lstat(path)
                except OSError:
                    continue
                if stat.S_ISREG(at.st_mode) and (at.st_dev, at.st_ino) not in known:
                    known.add((at.st_dev, at.st_ino))
                    found[path] = at.st_size
    return found


def hits(words: dict[bytes, str], data: bytes) -> list[str]:
    return sorted({name for word, name in words.items() if word in data})


def in_files(words: dict[bytes, str], paths: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for begin in range(0, len(paths), 1000):
        some = grep(words, "-l -Z", paths[begin : begin + 1000])
        for path in filter(None, some.decode(errors="surrogateescape").split("\0")):
            found[path] = hits(words, Path(path).read_bytes())
    for path in paths:
        if path.endswith(PACKED) and not path.startswith("/usr/share/"):
            with gzip.open(path) as file:
                if names := hits(words, file.read()):
                    found[path] = names
    return found


def on_device(words: dict[bytes, str], whole: list[bytes], device: str) -> dict[str, int]:
    """What stands before each hit; a file that is nothing but a secret begins with it, and a block with the file.

    grep says which words there are, but not where: it does not count the empty blocks that it skips.
    """
    present = sorted(set(filter(None, grep(words, "-o", [device]).split(b"\0"))))
    found: collections.Counter[str] = collections.Counter()
    with open(device, "rb") as disk:  # noqa: PTH123
        begin, before = 0, b""
        while data := disk.read(CHUNK):
            text = before + data
            start = begin - len(before)
            for word in present if data.count(0) < len(data) else ():
                at = text.find(word)
                while at >= 0:
                    if at + len(word) > len(before):  # else it was told with the chunk before
                        found[_place(text[max(at - BEFORE, 0) : at], start + at, word, whole) or words[word]] += 1
                    at = text.find(word, at + 1)
            begin += len(data)
            before = text[-BEFORE:]
    return dict(found)


def _place(before: bytes, offset: int, word: bytes, whole: list[bytes]) -> str:
    """The kind of place that may hold it; empty for any other."""
    if any(word in one and (offset - one.index(word)) % BLOCK == 0 for one in whole):
        return "a file of its own"
    key = KEY.search(before)
    return key[1].decode().strip(" =") if key else ""


def main() -> None:
    given = json.load(sys.stdin)
    words = {spelt.encode("latin-1"): name for spelt, name in given["words"].items()}
    if sys.argv[1:2] == ["--below"]:
        json.dump({"files": in_files(words, list(files(sys.argv[2:])))}, sys.stdout)
        return
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
    there = files(mounts())
    logs = {name: said(ask) for name, ask in LOGS.items()}
    wide = {spelt.encode("latin-1"): name for spelt, name in given["wide"].items()}
    told: dict[str, Any] = {
        "files": in_files(words, list(there)),
        "searched": len(there),
        "bytes": sum(there.values()),
        "logs": {name: found for name, text in logs.items() if (found := hits(words | wide, text))},
        "log_bytes": sum(map(len, logs.values())),
        "device": {},
        "device_bytes": 0,
    }
    for device in sys.argv[1:]:
        told["device"] = on_device(words, [one.encode("latin-1") for one in given["whole"]], device)
        with open(device, "rb") as disk:  # noqa: PTH123
            told["device_bytes"] = disk.seek(0, os.SEEK_END)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
