"""A change to the host, as data: it compares, prints and becomes JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mpio.host import Pair, Portal


class Part(StrEnum):
    """The parts of the work, in working order; `--only` takes them and JSON's `part` names them."""

    INITIATOR = "initiator"
    SYSCTL = "sysctl"
    SERVICES = "services"
    IFACES = "ifaces"
    TIMEOUTS = "timeouts"
    DISCOVERY = "discovery"
    MULTIPATH = "multipath"
    LOGIN = "login"


@dataclass(frozen=True, slots=True)
class Note:
    """What mpio remembers before a step, so that `teardown` can undo it.

    `kind` is iface, record, discovery, wwid, unit, file or key.

    For a key, `name` is the file and the key with a space between them, `before` its previous value (None: not set),
    `ours` the new one.
    """

    kind: str
    name: str
    before: str | None = None
    ours: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run. `why` is a fact about the host; `ok` are the exit codes that are no error."""

    part: Part
    why: str
    argv: tuple[str, ...]
    ok: tuple[int, ...] = (0,)
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Write:
    """A file to write whole; `text` None removes it, `mode` None keeps the mode (kernel files, existing files).

    `before` is the text that was seen, None where there was no file: the diff is made of both.
    `secret` marks a text that is never shown. `torn` says whose record is torn there: it is written only while it is,
    and what makes the record anew is left where it is whole again.
    """

    part: Part
    why: str
    path: str
    text: str | None
    mode: int | None = 0o644
    before: str | None = None
    secret: bool = False
    notes: tuple[Note, ...] = ()
    torn: Pair | Portal | None = None


Step = Command | Write
