"""What `watch` says (contract 6): events as values."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

FORMAT = 1


class Name(StrEnum):
    STARTED = "started"
    RESYNC = "resync"
    LINK_DOWN = "link_down"
    LINK_UP = "link_up"
    PORTAL_UNREACHABLE = "portal_unreachable"
    PORTAL_REACHABLE = "portal_reachable"
    SESSION_FAILED = "session_failed"
    SESSION_RESTORED = "session_restored"
    SESSION_ADDED = "session_added"
    SESSION_REMOVED = "session_removed"
    PATH_FAILED = "path_failed"
    PATH_RESTORED = "path_restored"
    PATH_ADDED = "path_added"
    PATH_REMOVED = "path_removed"
    LUN_DEGRADED = "lun_degraded"
    LUN_FAILED = "lun_failed"
    LUN_RECOVERED = "lun_recovered"
    LUN_ADDED = "lun_added"
    LUN_REMOVED = "lun_removed"
    LUN_RESIZED = "lun_resized"
    FAST_FAIL = "fast_fail"
    ALERT_FAILED = "alert_failed"
    STOPPED = "stopped"


class Severity(StrEnum):
    """Of the change, not of the host."""

    INFO = "info"
    DEGRADED = "degraded"
    FAILED = "failed"
    RECOVERED = "recovered"


class Cause(StrEnum):
    """Why something is lost. The words are the JSON's."""

    LINK = "link down"
    ADDRESS = "address lost"
    SILENT = "portal silent"
    REFUSED = "portal refusing"
    LOGGED_OUT = "target logged us out"
    UNMAPPED = "LUN unmapped"
    CHECKER = "path failed by checker"
    OFFLINE = "offline by hand"
    ALL_DOWN = "all paths down"


@dataclass(frozen=True, slots=True)
class Event:
    """One change. `root` is the one thing that an alert about it names, and that its other effects name, too:
    `NIC eth1`, `sw-iscsi-0 -> 10.10.8.90:3260`, `LUN hydra_db-a01`. `detail` says what was seen, as a sentence without
    a full stop. `time` (ISO 8601) is when it was said, to all who are told of it.
    """

    name: Name
    severity: Severity
    subject: str
    detail: str = ""
    cause: Cause | None = None
    root: str = ""
    wwid: str = ""
    alias: str = ""
    iface: str = ""
    nic: str = ""
    portal: str = ""
    target: str = ""
    dev: str = ""
    usable_paths: int | None = None
    expected_paths: int | None = None
    time: str = field(default="", compare=False)


def stamped(events: Iterable[Event], moment: datetime.datetime) -> tuple[Event, ...]:
    """As they are said at this moment, which has a zone; what has been said before keeps its own."""
    time = moment.isoformat(timespec="milliseconds")
    return tuple(one if one.time else replace(one, time=time) for one in events)


def document(event: Event) -> dict[str, object]:
    """An event that was said, as the JSON object of contract 6."""
    return {
        "format": FORMAT,
        "time": event.time,
        "event": event.name.value,
        "severity": event.severity.value,
        "subject": event.subject,
        "wwid": event.wwid or None,
        "alias": event.alias or None,
        "iface": event.iface or None,
        "nic": event.nic or None,
        "portal": event.portal or None,
        "target": event.target or None,
        "dev": event.dev or None,
        "usable_paths": event.usable_paths,
        "expected_paths": event.expected_paths,
        "detail": event.detail or None,
        "cause": event.cause.value if event.cause else None,
        "root": event.root or None,
    }
