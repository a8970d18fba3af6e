"""What iscsid writes into the journal about logins. Its other lines are passed over: it is text for people.

A refused login, as 2.1.8 tells it (usr/login.c, usr/initiator.c); up to 2.1.4 with `conn 0` for `connection5:0`:

    1795323617.582828 prague iscsid[287]: Login failed to authenticate with target iqn.2011-09.dom.homer:01
    1795323617.582955 prague iscsid[287]: session 5 login rejected: Initiator failed authentication with target
    1795323617.582980 prague iscsid[287]: Connection5:0 to [target: iqn.2011-09.dom.homer:01, portal: 10.10.8.90,3260]
                                          through [iface: sw-iscsi-0] is shutdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mpio.host import Pair
from mpio.tools.sysfs import portal_of

TAG = "iscsid"


class Word(StrEnum):
    """What a line says of one session's login."""

    CHAP = "authentication"
    ACL = "authorization"
    UNPROVEN = "proof"
    NOT_SERVED = "not served"
    LOST = "lost"
    BACK = "back"
    UP = "up"
    DOWN = "down"


REFUSALS = frozenset({Word.CHAP, Word.ACL, Word.UNPROVEN, Word.NOT_SERVED})


@dataclass(frozen=True, slots=True)
class Line:
    """`at` seconds since 1970; `sid` None and `target` "" where the line names none; `pair` of UP and DOWN; `attempts`
    of BACK: how many logins it took; `noop` of LOST: a no-op stayed without its answer.
    """

    at: float
    word: Word
    text: str
    sid: int | None = None
    target: str = ""
    pair: Pair | None = None
    attempts: int = 0
    noop: bool = False


_LINE = re.compile(rf"(\d{{1,12}}\.\d{{1,9}}) \S+ {TAG}\[\d{{1,10}}\]: (.*)", re.ASCII)
_OF = r"(?:(?:connection|session )(?P<sid>\d{1,10})(?::\d{1,10})?|conn \d{1,10}) "
_SAID = tuple(
    (word, re.compile(pattern, re.ASCII))
    for word, pattern in (
        (Word.CHAP, _OF + r"login rejected: Initiator failed authentication with target.*"),
        (Word.ACL, _OF + r"login rejected: initiator failed authorization with target.*"),
        (Word.NOT_SERVED, _OF + r"login rejected: (?:initiator error - target not found|target error) \(.*"),
        (Word.UNPROVEN, r"(?:Login authentication failed with|failing authentication,.*) target (?P<target>[^\s,]+).*"),
        (Word.LOST, r"Kernel reported iSCSI connection (?P<sid>\d{1,10}):\d{1,10} error \((?P<code>\d{1,10}) - .*"),
        (Word.BACK, r"connection(?P<sid>\d{1,10}):\d{1,10} is operational after recovery \((?P<n>\d{1,9}) attempts\)"),
    )
)
_PAIR = re.compile(
    r"Connection(?P<sid>\d{1,10}):\d{1,10} to "
    r"\[target: (?P<target>\S+), portal: (?P<address>[^\s,]+),(?P<port>\d{1,5})\] "
    r"through \[iface: (?P<iface>\S+)\] is (?P<what>operational now|shutdown\.?)",
    re.ASCII,
)
NOP_TIMEDOUT = 1022  # iscsi_if.h, ISCSI_ERR_NOP_TIMEDOUT


def parse_log(text: str) -> tuple[Line, ...]:
    """`journalctl -o short-unix`: the lines about logins, the oldest first."""
    return tuple(line for raw in text.split("\n") if (line := _line(raw)) is not None)


def _line(raw: str) -> Line | None:
    found = _LINE.fullmatch(raw)
    if found is None:
        return None
    at, text = float(found[1]), found[2].rstrip()
    if said := _PAIR.fullmatch(text):
        pair = Pair(said["iface"], portal_of(said["address"], int(said["port"])), said["target"])
        word = Word.UP if said["what"].startswith("operational") else Word.DOWN
        return Line(at, word, text, int(said["sid"]), pair.target, pair)
    for word, pattern in _SAID:
        if said := pattern.fullmatch(text):
            known = {key: value or "" for key, value in said.groupdict().items()}
            return Line(
                at,
                word,
                text,
                int(known["sid"]) if known.get("sid") else None,
                known.get("target", ""),
                attempts=int(known.get("n") or 0),
                noop=known.get("code") == str(NOP_TIMEDOUT),
            )
    return None


def refusals(log: Iterable[Line], sessions: Mapping[int, Pair]) -> dict[Pair, Line]:
    """Of each pair whose last login was refused the line that says why. `sessions` are those that exist: a login anew
    of theirs has no line that names the pair.
    """
    of_sid: dict[int, Line] = {}
    loose: dict[str, Line] = {}  # those that name no session, by target; "" where they name none either
    found: dict[Pair, Line] = {}
    for line in log:
        if line.word in REFUSALS and line.sid is not None:
            of_sid[line.sid] = line
        elif line.word in REFUSALS:
            loose[line.target] = line
        elif line.sid is not None and line.word is not Word.LOST:
            why = of_sid.pop(line.sid, None)
            if line.pair is not None:
                found.pop(line.pair, None)
                mine = [one for name in ("", line.target) if (one := loose.pop(name, None))]
                why = why or max(mine, key=lambda one: one.at, default=None)
                if line.word is Word.DOWN and why is not None:
                    found[line.pair] = why
            elif line.sid in sessions:
                found.pop(sessions[line.sid], None)
    return found | {sessions[sid]: line for sid, line in of_sid.items() if sid in sessions}


def passing(log: Iterable[Line]) -> dict[int, int]:
    """How often a session lost its connection over a no-op and had it again by the first login, by sid: then nothing
    was broken for long.
    """
    lost: set[int] = set()
    found: dict[int, int] = {}
    for line in log:
        if line.sid is None:
            continue
        if line.word is Word.LOST and line.noop:
            lost.add(line.sid)
        elif line.word is Word.BACK:
            if line.sid in lost and line.attempts == 1:
                found[line.sid] = found.get(line.sid, 0) + 1
            lost.discard(line.sid)
    return found
