"""systemctl: what units are, and the argv of the calls that change them (whose step it is, the planner knows)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from mpio.errors import UnreadableOutput
from mpio.host import Unit
from mpio.program import Run

ISCSID = "iscsid.service"
MULTIPATHD = "multipathd.service"
UDEVD = "systemd-udevd.service"
LOGIN_UNITS = ("open-iscsi.service", "iscsi.service")  # Debian's name, RHEL's (on Debian an alias)
NETWORK_UNITS = ("networking.service", "systemd-networkd.service", "NetworkManager.service")
ROUTES = "mpio-routes.service"  # mpio's own, as these
ONLINE = "mpio-online.service"
ONLINE_TIMER = "mpio-online.timer"
WATCH = "mpio-watch.service"
EVENT = "mpio-event.service"
EVENT_PATH = "mpio-event.path"
PROPERTIES = ("Id", "Names", "LoadState", "ActiveState", "UnitFileState")
ENDS = ("Id", "Names", "Result", "ExecMainStatus", "InvocationID")
_PROPERTY = re.compile(r"([A-Za-z]\w*)=(.*)", re.ASCII)


class Code(IntEnum):
    """What systemctl exits with, after LSB init scripts (systemd src/shared/exit-status.h, EXIT_STATUS_LSB)."""

    SUCCESS = 0
    FAILURE = 1
    INVALIDARGUMENT = 2
    NOTIMPLEMENTED = 3
    NOPERMISSION = 4
    NOTINSTALLED = 5
    NOTCONFIGURED = 6
    NOTRUNNING = 7


def enable(unit: str, *, now: bool = False) -> tuple[str, ...]:
    return ("systemctl", "enable", *(("--now",) if now else ()), unit)


def disable(unit: str, *, now: bool = False) -> tuple[str, ...]:
    return ("systemctl", "disable", *(("--now",) if now else ()), unit)


def start(unit: str) -> tuple[str, ...]:
    return ("systemctl", "start", unit)


def stop(unit: str) -> tuple[str, ...]:
    return ("systemctl", "stop", unit)


def restart(unit: str) -> tuple[str, ...]:
    return ("systemctl", "restart", unit)


def hotplugged(nic: str) -> str:
    """ifupdown's unit for a NIC that is allow-hotplug, which Debian's installer makes of NICs; empty for a name that
    no unit could have.
    """
    return f"ifup@{nic}.service" if re.fullmatch(r"[\w:.-]+", nic, re.ASCII) else ""


def reload_files() -> tuple[str, ...]:
    """systemd reads the files of all units again."""
    return ("systemctl", "daemon-reload")


def exec_line(argv: Iterable[str]) -> str:
    """The words of a program as a unit's ExecStart has them (systemd.service(5), COMMAND LINES)."""
    return " ".join(_exec_word(word) for word in argv)


def _exec_word(word: str) -> str:
    """`%` and `$` are theirs unless doubled; quotes keep the rest together."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if re.fullmatch(r"[\w@:/.+-]+", word, re.ASCII) else f'"{escaped}"'


def show(names: Iterable[str], properties: Iterable[str] = PROPERTIES) -> tuple[str, ...]:
    return ("systemctl", "show", f"--property={','.join(properties)}", "--", *names)


def units(run: Run, names: Iterable[str]) -> tuple[Unit, ...]:
    """One unit a name, under the name it was asked by: an alias (iscsi.service) says what open-iscsi.service is."""
    asked = tuple(names)
    return parse_units(run(*show(asked)).out, asked) if asked else ()


@dataclass(frozen=True, slots=True)
class End:
    """How a unit ended: `result` is exit-code, timeout, start-limit-hit, …, `invocation` the name of its last run."""

    unit: str
    result: str = ""
    code: int | None = None
    invocation: str = ""


def ends(run: Run, names: Iterable[str]) -> tuple[End, ...]:
    asked = tuple(names)
    return parse_ends(run(*show(asked, ENDS)).out, asked) if asked else ()


def parse_ends(text: str, asked: tuple[str, ...]) -> tuple[End, ...]:
    """As `parse_units`, of other properties; a unit that starts no program (a path, a timer) has no exit code."""
    return tuple(
        End(
            name,
            block["Result"],
            int(code) if re.fullmatch(r"\d{1,10}", code := block["ExecMainStatus"], re.ASCII) else None,
            block["InvocationID"],
        )
        for name, block in zip(asked, _blocks(text, asked), strict=True)
    )


def aliases(run: Run, names: Iterable[str]) -> dict[str, str]:
    """Each asked name to the unit's own name."""
    asked = tuple(names)
    blocks = _blocks(run(*show(asked)).out, asked) if asked else []
    return {name: block["Id"] for name, block in zip(asked, blocks, strict=True)}


def parse_units(text: str, asked: tuple[str, ...]) -> tuple[Unit, ...]:
    """Blocks of `Key=value` with an empty line between them, in the order of the names.

    Id=iscsid.service
    Names=iscsid.service
    LoadState=loaded
    ActiveState=active
    UnitFileState=enabled
    """
    return tuple(
        Unit(name, block["LoadState"], block["ActiveState"], block["UnitFileState"])
        for name, block in zip(asked, _blocks(text, asked), strict=True)
    )


def _blocks(text: str, asked: tuple[str, ...]) -> list[dict[str, str]]:
    blocks = [_block(part) for part in re.split(r"\n\n+", text.strip("\n")) if part.strip()]
    if len(blocks) != len(asked):
        raise UnreadableOutput(f"{len(blocks)} units for {len(asked)} names", "systemctl")
    for name, block in zip(asked, blocks, strict=True):
        if name not in block["Names"].split() and name != block["Id"]:
            raise UnreadableOutput(f"Id={block['Id']} where {name} was asked for", "systemctl")
    return blocks


def _block(part: str) -> dict[str, str]:
    found = dict.fromkeys((*PROPERTIES, *ENDS), "")
    for line in part.split("\n"):
        said = _PROPERTY.fullmatch(line)
        if said is None:
            raise UnreadableOutput(line, "systemctl")
        found[said[1]] = said[2]
    return found
