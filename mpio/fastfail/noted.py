"""The sessions whose recovery time fast_fail has set to 0, kept in /run so that whoever comes puts it back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

PATH = "/run/mpio/fast-fail.json"
FORMAT = 1
SETTLED = 5.0  # seconds after which a session that is still logged in was not ended, or is back


@dataclass(frozen=True, slots=True)
class Noted:
    """`planned` is the recovery time that it is to have, in the kernel's word (seconds, or off). `local_port` is that
    of the connection that was ended, `at` the monotonic second of it.
    """

    sid: int
    pair: str
    planned: str
    local_port: int | None
    at: float


Notes = Mapping[int, Noted]


def text(notes: Notes) -> str:
    document = {"format": FORMAT, "sessions": [asdict(notes[sid]) for sid in sorted(notes)]}
    return json.dumps(document, indent=1) + "\n"


def parse(said: str | None) -> dict[int, Noted]:
    """What a watcher has left; nothing where that cannot be read: then `verify` tells what is not as planned."""
    try:
        document: Any = json.loads(said or "")
        return {one["sid"]: _one(**one) for one in document["sessions"]}
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return {}


def _one(sid: object, pair: object, planned: object, local_port: object, at: object) -> Noted:
    """`planned` goes to the kernel: nothing but its own words for a recovery time."""
    if not (
        isinstance(sid, int) and isinstance(pair, str) and isinstance(planned, str) and isinstance(at, int | float)
    ):
        raise TypeError("another format")
    if not isinstance(local_port, int | None) or not re.fullmatch(r"off|-?\d{1,10}", planned, re.ASCII):
        raise TypeError("another format")
    return Noted(sid, pair, planned, local_port, float(at))


def is_back(one: Noted, local_port: int | None, now: float) -> bool:
    """Has a session that is logged in come back since? Right after the deed it says LOGGED_IN still, and to put its
    recovery time back then would undo the deed.
    """
    return local_port not in (None, one.local_port) or now - one.at > SETTLED
