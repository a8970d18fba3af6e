"""What was seen of sessions, records and logins beyond a Host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mpio.host import Answer, Host, Pair, Portal, Session
from mpio.tools import iscsidlog
from mpio.tools.tcpinfo import Segments

Log = tuple[iscsidlog.Line, ...]


@dataclass(frozen=True, slots=True)
class Logins:
    """All by sid but where it says otherwise. `now` seconds since 1970; `log` iscsid's journal, read only where a cheap
    sign asked for it; `segments` of the sessions' sockets; `digests` of header and data; `endless` are sessions whose
    recovery time is off; `otherwise` those whose CHAP login is not their record's; `down` how many seconds ago the
    kernel gave the connection up; `hung` why iscsid does nothing, looked at only where a session is not logged in.

    `stopped` are disks, each with its state, that do not run though their session is logged in, for longer than it
    takes to wake them. `changed` is when a record's file last was, by pair; `rediscovered` are files of records that
    nobody has written since a discovery did; `fast_io_fail` is what multipathd holds for each WWID; `answers` are
    probes that no site asked for.
    """

    now: float = 0.0
    log: Log = ()
    segments: Mapping[int, Segments] = field(default_factory=dict, hash=False)
    digests: Mapping[int, tuple[bool, bool]] = field(default_factory=dict, hash=False)
    endless: frozenset[int] = frozenset()
    otherwise: frozenset[int] = frozenset()
    down: Mapping[int, float] = field(default_factory=dict, hash=False)
    hung: str = ""
    stopped: Mapping[str, str] = field(default_factory=dict, hash=False)
    changed: Mapping[Pair, float] = field(default_factory=dict, hash=False)
    rediscovered: frozenset[str] = frozenset()
    fast_io_fail: Mapping[str, str] = field(default_factory=dict, hash=False)
    answers: Mapping[tuple[str, Portal], Answer] = field(default_factory=dict, hash=False)

    def answer(self, host: Host, pair: Pair) -> Answer | None:
        """What a TCP connect of this pair met; a session that is logged in is an answer, too."""
        session = host.session_of(pair)
        if session is not None and session.logged_in:
            return Answer.ANSWERED
        way = (pair.iface, pair.portal)
        return self.answers.get(way, host.probes.get(way))


def called(session: Session) -> str:
    return f"session {session.sid} {session.pair}"


def ago(seconds: float) -> str:
    """`40 s ago`, `3 min ago`, `5 h ago`."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"
