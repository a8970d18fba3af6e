"""A SCSI disk: what its files in sysfs take, and the commands that ask it for its capacity.

A disk is named by its H:C:T:L, not as sdX: a name that is free goes to the next disk that comes, an address does not.
"""

from __future__ import annotations

from mpio.host import Path
from mpio.step import Part, Step, Write

DEVICES = "/sys/class/scsi_device"

# SBC-3: READ CAPACITY (16) is a service action of 9eh; an old disk has only READ CAPACITY (10)
_REPLY = 32
CAPACITY = (
    bytes((0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, _REPLY, 0, 0)),
    bytes((0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
)
REPLY = _REPLY
# SPC-4, 6.33: REPORT LUNS. A line of `sgio` takes the reply of a target with 224 of them, and no more is needed.
LUNS_REPLY = 1800
LUNS = bytes((0xA0, 0, 0, 0, 0, 0)) + LUNS_REPLY.to_bytes(4, "big") + bytes(2)
# SPC-4, 6.15: PERSISTENT RESERVE IN, READ RESERVATION: who may do I/O at all
RESERVATION_REPLY = 24
RESERVATION = bytes((0x5E, 1, 0, 0, 0, 0, 0, 0, RESERVATION_REPLY, 0))
# SBC-3: READ (10) of the first block, of 4096 bytes at most
BLOCK = 4096
READ = bytes((0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0))
# SPC-4, 4.5: key and additional code of "logical unit not supported"; fixed sense has them elsewhere than descriptors
_ILLEGAL_REQUEST, _NOT_SUPPORTED = 0x05, 0x25
_FIXED, _DESCRIPTORS = (0x70, 0x71), (0x72, 0x73)


def read(blocks: int) -> bytes:
    """READ (10) of so many of the first blocks, fewer than 65,536."""
    return READ[:7] + blocks.to_bytes(2, "big") + READ[9:]


def rescan(path: Path, why: str) -> Write:
    """Have the kernel ask this one disk again, for its size too; nothing else of its session is looked at."""
    return Write(Part.MULTIPATH, why, f"{DEVICES}/{path.hctl}/device/rescan", "1\n", None)


def switch_on(path: Path, why: str) -> Write:
    """Have the SCSI layer take commands for this disk again."""
    return Write(Part.MULTIPATH, why, f"{DEVICES}/{path.hctl}/device/state", "running\n", None)


def delete(path: Path, why: str) -> Write:
    """Have the kernel forget the disk; a scan of its session finds it again while the array shows it."""
    return Write(Part.MULTIPATH, why, f"{DEVICES}/{path.hctl}/device/delete", "1\n", None)


def is_delete(step: Step) -> bool:
    return isinstance(step, Write) and step.path.startswith(f"{DEVICES}/") and step.path.endswith("/device/delete")


def parse_capacity(command: bytes, reply: bytes) -> int | None:
    """The size in bytes; None where the reply is none, or says that the other command is to be used."""
    width = 8 if command == CAPACITY[0] else 4
    if len(reply) < width + 4:
        return None
    last, block = int.from_bytes(reply[:width], "big"), int.from_bytes(reply[width : width + 4], "big")
    return None if last == (1 << 8 * width) - 1 or not block else (last + 1) * block


def says_no_lun(sense: bytes) -> bool:
    """Does the target say that it has no such LUN (any more)? Silence, or being busy, says no such thing."""
    code = sense[0] & 0x7F if sense else 0
    if code in _FIXED and len(sense) > 12:
        return (sense[2] & 0x0F, sense[12]) == (_ILLEGAL_REQUEST, _NOT_SUPPORTED)
    return code in _DESCRIPTORS and len(sense) > 2 and (sense[1] & 0x0F, sense[2]) == (_ILLEGAL_REQUEST, _NOT_SUPPORTED)


def parse_luns(reply: bytes) -> frozenset[int] | None:
    """The LUNs that a target lists, numbered as the kernel numbers them (scsilun_to_int); None where the reply is none,
    or not the whole list.
    """
    length = int.from_bytes(reply[:4], "big")
    if len(reply) < 8 or length % 8 or length + 8 > len(reply):
        return None
    places = (reply[at : at + 8] for at in range(8, 8 + length, 8))
    return frozenset(sum((p[i] << 8 | p[i + 1]) << i * 8 for i in range(0, 8, 2)) for p in places)


def parse_reservation(reply: bytes) -> int | None:
    """The type of the persistent reservation; None where there is none or the reply is none."""
    if len(reply) < RESERVATION_REPLY or int.from_bytes(reply[4:8], "big") < 16:
        return None
    return reply[21] & 0x0F
