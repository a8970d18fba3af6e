"""A bundle for a supporter: its members kept in bounds, an index, and the archive, the same for the same members."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mpio import redact
from mpio.report.page import Facts

# Bytes. What gzip cannot make smaller it makes larger by far less than the difference to 20 MB.
MEMBER = 2_000_000
WHOLE = 18_000_000
BLOCK = 512  # of tar: the header, and what a member is filled up to
TOP = "mpio-support"
README = "README.txt"

# Lines of the kernel that have to do with disks, sessions or links; those that quote its command line may hold secrets.
_OURS = re.compile(
    r"scsi|\bsd[a-z]+\b|\biscsi|connection\d+:\d+|session\d+|dm-\d+|device-mapper|multipath|alua|\bmd\d|i/o error"
    r"|link (?:is )?(?:up|down|becomes)|\b(?:eth|en[opsx]|bond)\w*\b.*link|hung|blocked for more|oom|out of memory"
    r"|bug:|oops",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Member:
    """`says` is its line in the index; where it is cut, its end stays if the newest stands there."""

    name: str
    text: str
    says: str = ""
    newest_last: bool = False


def of_kernel(text: str) -> str:
    """What of the kernel's log has to do with us."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if _OURS.search(line) and "ommand line:" not in line)


def fitted(members: Iterable[Member]) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    """The members that go in, the first ones first, and what was cut or left out, in words."""
    kept: list[Member] = []
    cuts: list[str] = []
    room = WHOLE
    for member in members:
        size = len(_data(member.text))
        fits = min(MEMBER, room - 2 * BLOCK)
        if fits < min(size, BLOCK):
            cuts.append(f"{member.name}: left out, {size} bytes")
            continue
        if size > fits:
            cuts.append(f"{member.name}: cut to {fits} of {size} bytes")
        kept.append(_cut(member, fits) if size > fits else member)
        room -= min(size, fits) // BLOCK * BLOCK + 2 * BLOCK
    return tuple(kept), tuple(cuts)


def _cut(member: Member, size: int) -> Member:
    data = _data(member.text)
    part = data[-size:] if member.newest_last else data[:size]
    text = part.decode("utf-8", "ignore")
    # whole lines, where there are any
    whole = text.partition("\n")[2] if member.newest_last else text.rpartition("\n")[0]
    return Member(member.name, whole or text, member.says, member.newest_last)


def readme(facts: Facts, members: Sequence[Member], cuts: Iterable[str], failed: Iterable[str]) -> str:
    """What each member is, what is missing, and what was done about secrets."""
    lines = [
        f"What mpio saw of {facts.name} at {facts.time}.",
        "",
        *(f"{program}: {version}" for program, version in facts.versions),
        "",
        "Secrets are removed: CHAP passwords, what alert URLs and commands hold, in whatever spelling; ******** stands",
        f"in their place. One of fewer than {redact.SHORTEST} characters is removed only behind its key.",
        "Names are no secrets: initiator, targets, portals, addresses and user names are there.",
        "",
        "host/        files of the host, by their paths",
        "journal/     what was logged since the last boot",
        "recordings/  each program that was asked, its exit code and what it said: what `mpio --record` keeps",
        "",
        *(f"{m.name}: {m.says}" for m in members if m.says),
    ]
    for title, words in (("Cut, to keep this small:", tuple(cuts)), ("Could not be seen:", tuple(failed))):
        if words:
            lines += ["", title, *(f"  {' '.join(w.split())}" for w in words)]
    return "\n".join(lines) + "\n"


def packed(members: Iterable[Member], when: int) -> bytes:
    """A tar.gz below one folder; `when` in seconds since the epoch. Nobody but its owner may read what comes out."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in sorted(members, key=lambda m: m.name):
            data = _data(member.text)
            entry = tarfile.TarInfo(f"{TOP}/{_name(member.name)}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, when
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=when)


def _name(path: str) -> str:
    """Relative, below the folder, and printable."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return "/".join("".join(c if c.isprintable() else "_" for c in part) for part in parts)


def _data(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
