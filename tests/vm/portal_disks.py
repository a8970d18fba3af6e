"""The disks of the malicious portal: what its LUNs say of themselves (SPC-4, SBC-3), by its evil."""

from __future__ import annotations

import struct

MANY = 16_000  # reported; so many are there
THERE = 16
BLOCKS, BLOCK = 65_536, 512
# The session evils show nothing but trouble; "disks" shows LUNs whose strings are hostile, "t10" also one whose WWID is
# made of such, which multipathd 0.9.4 puts in a map and out again for ever, "luns" too many of them.
EVILS = ("mute", "garbage", "huge", "digests", "async-logout", "async-drop", "disks", "t10", "luns")
# vendor (8), product (16), revision (4), unit serial, and the NAA identifier of each of its LUNs
STRINGS = (
    (
        b'"},{"x":',
        b'","sysfs":"dm-0',
        b'"}]}',
        b'x",\n "uuid" : "3600144f0f484400000004e8685e70001',
        b"\x60" + b"\xe1" * 15,
    ),
    (b"\x1b[2J\x1b]0", b"a\nb\x00c\x9b31m\x07\r", b"%s%n", b"$(touch /tmp/evil);\x1b[2J", b"\x60" + b"\xe2" * 15),
    (b"NEXENTA\n", b"<script>x\xe2\x80\xae", b"\xff\xfe\xfd\xfc", b"\xff" * 200, b"\x60" + b"\xe3" * 15),
    (b"'\"`$(;|&", b"../../etc/passwd", b"\\\\\\\\", b"", b""),
)
NOT_THERE = b"\x70\0\5\0\0\0\0\x0a\0\0\0\0\x25\0\0\0\0\0"  # LOGICAL UNIT NOT SUPPORTED
WRONG = b"\x70\0\5\0\0\0\0\x0a\0\0\0\0\x24\0\0\0\0\0"  # INVALID FIELD IN CDB
UNKNOWN = b"\x70\0\5\0\0\0\0\x0a\0\0\0\0\x20\0\0\0\0\0"  # INVALID COMMAND


def answer(evil: str, lun: bytes, cdb: bytes, wanted: int) -> tuple[bytes, bytes]:
    """(data, sense) for a command; both empty where it is fine and has nothing to say."""
    number = int.from_bytes(lun[:2], "big") & 0x3FFF
    reported, there = {"disks": (3, 3), "t10": (4, 4), "luns": (MANY, THERE)}.get(evil, (0, 0))
    if cdb[0] == 0xA0:
        data, sense = _reported(reported, cdb), b""
    elif cdb[0] == 0x12:
        data, sense = _inquiry(number, number < there, cdb)
    else:
        data, sense = _command(cdb) if number < there else (b"", NOT_THERE)
    return data[:wanted], sense


def _reported(count: int, cdb: bytes) -> bytes:
    """REPORT LUNS"""
    luns = b"".join(struct.pack(">H6x", n | (0x4000 if n > 255 else 0)) for n in range(count))
    return (struct.pack(">I4x", len(luns)) + luns)[: int.from_bytes(cdb[6:10], "big")]


def _inquiry(number: int, there: bool, cdb: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(cdb[3:5], "big")
    if not there:
        return (b"\x7f\0\5\2\x1f" + bytes(31))[:size], b""
    data = _page(cdb[2], number) if cdb[1] & 1 else _standard(number)
    return (data[:size], b"") if data else (b"", WRONG)


def _command(cdb: bytes) -> tuple[bytes, bytes]:
    short = {
        0x25: struct.pack(">II", BLOCKS - 1, BLOCK),  # READ CAPACITY (10)
        0x9E: struct.pack(">QI20x", BLOCKS - 1, BLOCK)[: int.from_bytes(cdb[10:14], "big")],
        0x1A: b"\3\0\0\0",  # MODE SENSE (6)
        0x5A: b"\0\6\0\0\0\0\0\0",
        0x00: b"",  # TEST UNIT READY
        0x1B: b"",  # START STOP UNIT
        0x35: b"",  # SYNCHRONIZE CACHE
    }
    if cdb[0] in short:
        return short[cdb[0]], b""
    blocks = {0x08: cdb[4] or 256, 0x28: int.from_bytes(cdb[7:9], "big"), 0x88: int.from_bytes(cdb[10:14], "big")}
    return (bytes(BLOCK * blocks[cdb[0]]), b"") if cdb[0] in blocks else (b"", UNKNOWN)


def _strings(number: int) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    if number < len(STRINGS):
        return STRINGS[number]
    return (b"EVIL", b"LUN", b"1", b"%d" % number, b"\x60" + number.to_bytes(15, "big"))


def _standard(number: int) -> bytes:
    vendor, product, revision, _, _ = _strings(number)
    return b"\0\0\5\2\x1f\0\0\2" + vendor.ljust(8)[:8] + product.ljust(16)[:16] + revision.ljust(4)[:4]


def _page(page: int, number: int) -> bytes:
    """A page of vital product data; the first LUN's say that they are longer than they are."""
    serial, naa = _strings(number)[3:]
    lie = 200 if number == 0 else 0
    if page == 0x00:
        return b"\0\0\0\3\0\x80\x83"
    if page == 0x80:
        return b"\0\x80" + (len(serial) + lie).to_bytes(2, "big") + serial
    if page == 0x83:
        t10 = b"EVIL\n\x1b[2J" + serial[:40]
        said = b"\2\1\0" + bytes((len(t10),)) + t10
        if naa:
            said = b"\1\3\0\x10" + naa + said
        return b"\0\x83" + (len(said) + lie).to_bytes(2, "big") + said
    return b""
