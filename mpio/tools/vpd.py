"""Vital product data: who a SCSI disk says it is, page 83h, and its serial number, page 80h (SPC-4, 7.8)."""

from __future__ import annotations

SERIAL, IDENTITY = 0x80, 0x83
REPLY = 252  # an old disk reads one byte of the length
_NO_DISK = 0xE0  # peripheral qualifier: nothing is (or can be) connected at this LUN
_HEAD = 4
STANDARD = bytes((0x12, 0, 0, 0, REPLY, 0))
# designator types: 1 T10 vendor, 2 EUI-64, 3 NAA; association 0: the logical unit, not the port it is asked through
_T10, _EUI, _NAA = 1, 2, 3


def inquiry(page: int) -> bytes:
    """The command that asks for a page."""
    return bytes((0x12, 1, page, 0, REPLY, 0))


def parse_identities(reply: bytes) -> frozenset[str]:
    """Every WWID that the logical unit has, as multipath writes them; empty where the reply tells none.

    A disk may have several, and which one its map is called by was chosen long ago, by udev: any of them is it.
    """
    body = _body(reply, IDENTITY)
    found: set[str] = set()
    while len(body) >= _HEAD:
        code, kind, length = body[0] & 0x0F, body[1], body[3]
        said, body = body[_HEAD : _HEAD + length], body[_HEAD + length :]
        if len(said) < length or kind & 0x30:
            continue
        match kind & 0x0F:
            case k if k in (_EUI, _NAA) and code == 1:
                found.add(f"{k}{said.hex()}")
            case k if k == _T10 and code in (2, 3):
                found.add("1" + "_".join(said.decode("ascii", "replace").strip("\0").split()))
    return frozenset(found)


def parse_serial(reply: bytes) -> str:
    """Empty where there is none. sysfs's `vpd_pg80` is such a reply, too."""
    return _body(reply, SERIAL).decode("ascii", "replace").strip(" \0")


def is_gone(reply: bytes) -> bool:
    """Did nobody answer, or the target say that there is no disk at this LUN?"""
    return not reply or bool(reply[0] & _NO_DISK)


def _body(reply: bytes, page: int) -> bytes:
    if len(reply) < _HEAD or reply[1] != page or is_gone(reply):
        return b""
    return reply[_HEAD : _HEAD + int.from_bytes(reply[2:4], "big")]
