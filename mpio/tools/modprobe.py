"""modprobe.d(5): what keeps a kernel module out, and where that stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mpio.tools.sysfs import Reader

FOLDERS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
COMMAND_LINE = "/proc/cmdline"


@dataclass(frozen=True, slots=True)
class Ban:
    """`kind`: "blacklist" stops what loads a module by itself, "install" puts a program in its place, "refused" is the
    kernel's own no. `where` is the file and its line.
    """

    module: str
    kind: str
    where: str
    said: str


def bans(reader: Reader, modules: Iterable[str]) -> tuple[Ban, ...]:
    """What stands against these modules, in files and on the kernel's command line."""
    wanted = frozenset(modules)
    files: dict[str, str] = {}
    for folder in FOLDERS:
        for name in reader.names(folder):
            if name.endswith(".conf"):
                files.setdefault(name, f"{folder}/{name}")
    found = [b for name in sorted(files) for b in parse(files[name], reader.text(files[name]) or "")]
    found += parse_command_line(reader.text(COMMAND_LINE) or "")
    return tuple(b for b in found if b.module in wanted)


def parse(path: str, text: str) -> tuple[Ban, ...]:
    """Total: other commands, and lines that are none, are passed over."""
    found = []
    for number, line in enumerate(text.replace("\\\n", "  ").split("\n"), 1):
        words = line.split()
        if len(words) >= 2 and words[0] == "blacklist":
            found.append(Ban(_name(words[1]), "blacklist", f"{path} line {number}", line.strip()))
        elif len(words) >= 3 and words[0] == "install" and _loads_nothing(words[2:]):
            found.append(Ban(_name(words[1]), "install", f"{path} line {number}", line.strip()))
    return tuple(found)


def parse_command_line(text: str) -> tuple[Ban, ...]:
    """`modprobe.blacklist=a,b` is modprobe's, `module_blacklist=a,b` the kernel's own."""
    found = []
    for word in text.split():
        key, _, value = word.partition("=")
        kind = {"modprobe.blacklist": "blacklist", "module_blacklist": "refused"}.get(key)
        found += [Ban(_name(one), kind, COMMAND_LINE, f"{key}={one}") for one in value.split(",") if kind and one]
    return tuple(found)


def _loads_nothing(command: list[str]) -> bool:
    """`install x /bin/false`; a command that ends in the module itself, by modprobe or insmod, is none."""
    return not any(word.rpartition("/")[2] in ("modprobe", "insmod") for word in command)


def _name(module: str) -> str:
    return module.replace("-", "_")
