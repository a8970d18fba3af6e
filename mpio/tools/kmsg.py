"""/dev/kmsg: what the kernel says of iSCSI sessions. Its other lines are passed over: it is text for people.

    3,812,95123456,-;connection1:0: ping timeout of 5 secs expired, recv timeout 5, last rx 4294917, last ping …
    3,813,95123460,-; connection1:0: detected conn error (1022)
    6,815,100260000,-; session1: session recovery timed out after 5 secs

Level, number, microseconds since the boot, flags; then the text, and lines that begin with a blank about the device
(Documentation/ABI/testing/dev-kmsg).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PATH = "/dev/kmsg"
PING = "ping timeout of "  # libiscsi.c: the target left a no-op without an answer
BROKEN = "detected conn error "
GIVEN_UP = "session recovery timed out "

_LINE = re.compile(
    r"^\d{1,10},\d{1,20},(\d{1,18}),[^;\n]*; ?(?:session|connection)(\d{1,10})(?::\d{1,10})?: ([^\n]*)$",
    re.ASCII | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """`at` seconds since the boot; `sid` the session that it is about."""

    at: float
    sid: int
    text: str


def parse_kmsg(text: str) -> tuple[Line, ...]:
    """The lines about sessions, the oldest first."""
    return tuple(Line(int(found[1]) / 1_000_000, int(found[2]), found[3]) for found in _LINE.finditer(text))
