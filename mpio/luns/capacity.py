"""How large an array says that a disk is: READ CAPACITY through one path, which changes nothing on this host.

The kernel keeps the size that it read at the last scan, and a rescan puts the new one in force: to know whether a LUN
grew or shrank before anything is touched, the array itself is asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from mpio import sgio
from mpio.tools import scsi

ATTEMPTS = 3  # a unit attention answers the first command after a change and says nothing else
LIMIT = 30.0  # seconds: a disk that is being written to answers after what it was given before (lab: over 5 s)
_ASKED = tuple(sgio.Question(command, scsi.REPLY) for command in scsi.CAPACITY for _ in range(ATTEMPTS))


def of(devs: Iterable[str]) -> dict[str, int | None]:
    """The bytes of each of these disks; None for one that does not say."""
    places = {dev: f"/dev/{dev}" for dev in devs}
    said = sgio.replies(places, _ASKED, LIMIT)
    return {dev: _told(said.get(dev, ())) for dev in places}


def _told(replies: tuple[sgio.Reply, ...]) -> int | None:
    said = zip(_ASKED, replies, strict=False)  # a disk that does not answer gives none
    found = (scsi.parse_capacity(asked.command, reply.data) for asked, reply in said)
    return next((size for size in found if size is not None), None)
