"""Messages as udevd would send them, far more than anybody can read: run as root in a guest.

    storm.py COUNT

Each has libudev's header (sd-device, monitor_netlink_header) with the hash that a listener's filter in the kernel asks
for, and the properties of a disk that is no session's.
"""

from __future__ import annotations

import socket
import struct
import sys

UEVENT, OF_UDEVD = 15, 2  # NETLINK_KOBJECT_UEVENT, and the group that udevd sends to
MAGIC = 0xFEEDCAFE
HEADER = struct.Struct("=8sI3I")  # prefix, magic (big endian), size of the header, offset and length of what follows
FILTERS = struct.Struct(">4I")  # hashes of subsystem and device type, bloom filter of the tags
M32 = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2 with seed 0, which libudev hashes names with."""
    m, h = 0x5BD1E995, len(data)
    whole = len(data) // 4 * 4
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        k = word * m & M32
        h = (h * m & M32) ^ ((k ^ k >> 24) * m & M32)
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & M32
    h = (h ^ h >> 13) * m & M32
    return h ^ h >> 15


def message() -> bytes:
    said = {
        "ACTION": "change",
        "DEVPATH": "/devices/virtual/block/loop7",
        "SUBSYSTEM": "block",
        "DEVNAME": "/dev/loop7",
        "DEVTYPE": "disk",
        "MAJOR": "7",
        "MINOR": "7",
        "SEQNUM": "10000000",
        "USEC_INITIALIZED": "1",
    }
    body = b"".join(f"{key}={value}".encode() + b"\0" for key, value in said.items())
    size = HEADER.size + FILTERS.size
    magic = int.from_bytes(MAGIC.to_bytes(4, "big"), sys.byteorder)
    head = HEADER.pack(b"libudev\0", magic, size, size, len(body))
    return head + FILTERS.pack(murmur2(b"block"), murmur2(b"disk"), 0, 0) + body


def send(count: int) -> None:
    """As fast as can be: whoever listens is to be too slow."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, UEVENT) as line:
        line.bind((0, 0))
        line.connect((0, OF_UDEVD))
        send_one, one = line.send, message()
        for _ in range(count):
            send_one(one)


if __name__ == "__main__":
    send(int(sys.argv[1]))
