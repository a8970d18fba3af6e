"""Parts of a host: what a finding about each of them may explain, and what ends the login at boot as failed."""

from __future__ import annotations

from enum import IntEnum

from mpio.findings import Finding
from mpio.tools import systemctl


class Stage(IntEnum):
    """How far a LUN has come over a pair: what it lacks first of all that carries I/O."""

    SESSION = 0
    DISK = 1
    MAP = 2


# A part keeps sessions, disks or maps from being made and mended. It takes no link away, no portal answers otherwise
# for it and no LUN is another; a record once made stays without the daemon, and starting multipathd resumes no map that
# is suspended.
_COUNTS = frozenset({"MP401", "MP402", "MP403", "MP439"})
_LOGINS = _COUNTS | {"MP301", "MP340"}
_SESSIONS = _LOGINS | {"MP304", "MP339", "MP404"}
_TABLES = _COUNTS | {"MP407", "MP438", "MP458"}
_MAPS = _TABLES | {"MP404", "MP431"}
# By the code or by the subject of a finding about the part.
PARTS = {
    part: (stage, codes)
    for stage, codes, parts in (
        (Stage.SESSION, _SESSIONS, ("iscsid", "MP120", "iscsi_tcp", "libiscsi_tcp", "libiscsi")),
        (Stage.SESSION, _SESSIONS, ("scsi_transport_iscsi",)),
        (Stage.SESSION, _SESSIONS | {"MP341", "MP342"}, ("iscsiadm",)),
        (Stage.SESSION, _LOGINS, ("open-iscsi", "iscsi")),
        (Stage.DISK, _COUNTS | {"MP308", "MP434", "MP460"}, ("sd_mod",)),
        (Stage.MAP, _MAPS, ("multipathd",)),
        (Stage.MAP, _MAPS - {"MP404"}, ("multipath", "dmsetup", "MP525")),
        (Stage.MAP, _TABLES, ("dm_multipath", "dm_mod", "scsi_dh_alua", "dm_service_time", "dm_round_robin")),
        (Stage.MAP, _TABLES, ("dm_queue_length", "dm_historical_service_time")),
        (Stage.MAP, _COUNTS | {"MP407", "MP433", "MP458"}, ("systemd-udevd", "udevadm")),
    )
    for part in parts
}
# The login at boot ends as failed where a NIC, its link, a portal or the target kept it from a session.
UNREACHED = (
    *("MP201", "MP202", "MP203", "MP210", "MP211", "MP213", "MP215", "MP224", "MP225", "MP226", "MP229", "MP230"),
    *("MP231", "MP236", "MP237", "MP238", "MP239", "MP240", "MP241", "MP243", "MP244", "MP245", "MP248"),
    *("MP325", "MP328", "MP329", "MP330", "MP331"),
)


def explains(one: Finding) -> tuple[Stage, frozenset[str]]:
    """What a finding about the host explains: those of which codes, and of LUNs that have come how far."""
    part = one.subject.partition(".")[0]  # multipathd of multipathd.service
    return PARTS.get(one.code) or PARTS.get(part) or (Stage.SESSION, frozenset())


def failed_login(one: Finding) -> bool:
    return one.code == "MP113" and one.subject in systemctl.LOGIN_UNITS
