"""How large an array says that a disk is: READ CAPACITY through one path, which changes nothing on this host.

The kernel keeps the size that it read at the last scan, and a rescan puts the new one in force: to know whether a LUN
grew or shrank before anything is touched, the array itself is asked.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from collections.abc import Iterable

from mpio.tools import scsi

SG_IO = 0x2285  # include/scsi/sg.h
FROM_DEVICE = -3
LIMIT = 5000  # milliseconds
ATTEMPTS = 3  # a unit attention answers the first command after a change and says nothing else
# sg_io_hdr: interface_id dxfer_direction cmd_len mx_sb_len iovec_count dxfer_len dxferp cmdp sbp timeout flags pack_id
# usr_ptr status masked_status msg_status sb_len_wr host_status driver_status resid duration info
_HEADER = "iiBBHIPPPIIiPBBBBHHiII"
_STATUS = 13
_SENSE = 32


def of(devs: Iterable[str]) -> dict[str, int | None]:
    """The bytes of each of these disks; None for one that does not say."""
    return {dev: _asked(dev) for dev in devs}


def _asked(dev: str) -> int | None:
    try:
        fd = os.open(f"/dev/{dev}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for command in scsi.CAPACITY:
            for _ in range(ATTEMPTS):
                said = scsi.parse_capacity(command, sent(fd, command, scsi.REPLY))
                if said is not None:
                    return said
    except OSError:
        return None
    finally:
        os.close(fd)
    return None


def sent(fd: int, command: bytes, room: int) -> bytes:
    """The reply to a command, at most `room` bytes; empty where the disk did not answer with GOOD."""
    block = ctypes.create_string_buffer(command, len(command))
    reply, sense = ctypes.create_string_buffer(room), ctypes.create_string_buffer(_SENSE)
    places = (ctypes.addressof(reply), ctypes.addressof(block), ctypes.addressof(sense))
    asked = (ord("S"), FROM_DEVICE, len(command), _SENSE, 0, room, *places, LIMIT, 0, 0, 0)
    header = bytearray(struct.pack(_HEADER, *asked, *[0] * 9))
    fcntl.ioctl(fd, SG_IO, header)
    words = struct.unpack(_HEADER, header)
    status, host_status, driver_status = words[_STATUS], words[_STATUS + 4], words[_STATUS + 5]
    return reply.raw if (status, host_status, driver_status) == (scsi.GOOD, 0, 0) else b""
