"""Frames and packets as they are on the wire: ARP (RFC 826, 5227), ICMP echoes (RFC 792, 4443), the begin of TCP."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

ETHERTYPE_ARP = 0x0806
EVERYBODY = b"\xff" * 6
NOBODY = bytes(4)
ARP = struct.Struct("!6s6sHHHBBH6s4s6s4s")  # Ethernet's head, then ARP for IPv4 over Ethernet
_HEAD = (ETHERTYPE_ARP, 1, 0x0800, 6, 4)
REQUEST, REPLY = 1, 2
SYN, RST = 0x02, 0x04
TCP = 6
ECHO = struct.Struct("!BBHHH")  # type, code, checksum, identifier, number
ECHO_TYPES = {4: (8, 0), 6: (128, 129)}  # request and reply

# Classic BPF (linux/filter.h) over the IP header: TCP with SYN or RST, of either family. All else stays in the kernel,
# or a tap on a busy host would have to read every packet.
_FILTER = (
    (0x30, 0, 0, 0),  # ldb [0]
    (0x54, 0, 0, 0xF0),  # and #0xf0
    (0x15, 0, 5, 0x40),  # jeq 4: else to the test for 6
    (0x30, 0, 0, 9),  # ldb [9]: protocol
    (0x15, 0, 9, TCP),
    (0xB1, 0, 0, 0),  # ldxb 4*([0]&0xf)
    (0x50, 0, 0, 13),  # ldb [x+13]: flags
    (0x45, 5, 6, SYN | RST),  # jset
    (0x15, 0, 5, 0x60),  # jeq 6
    (0x30, 0, 0, 6),  # next header
    (0x15, 0, 3, TCP),
    (0x30, 0, 0, 53),
    (0x45, 0, 1, SYN | RST),
    (0x06, 0, 0, 128),  # ret: so much of the packet
    (0x06, 0, 0, 0),
)
FILTER = b"".join(struct.pack("=HBBI", *line) for line in _FILTER)
FILTER_LINES = len(_FILTER)


@dataclass(frozen=True, slots=True)
class Arp:
    """What an ARP frame says: `mac` has the address `sender`, and looks for `target` if it is a request."""

    request: bool
    mac: str
    sender: str
    target: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment's ends and whether it opens (`syn`) or refuses (`rst`) a connection."""

    source: str
    sport: int
    destination: str
    dport: int
    syn: bool
    rst: bool


def ask(mac: str, target: str, sender: str = "") -> bytes:
    """Who has `target`? Without `sender` a probe (RFC 5227, 2.1.1): nobody learns anything from it."""
    own = packed_mac(mac)
    source = ipaddress.IPv4Address(sender).packed if sender else NOBODY
    return ARP.pack(EVERYBODY, own, *_HEAD, REQUEST, own, source, bytes(6), ipaddress.IPv4Address(target).packed)


def packed_mac(mac: str) -> bytes:
    """ValueError for what is none of Ethernet's."""
    found = bytes.fromhex(mac.replace(":", ""))
    if len(found) != 6:
        raise ValueError(f"{mac} is no Ethernet address")
    return found


def parse_arp(frame: bytes) -> Arp | None:
    """None for what is no ARP for IPv4 over Ethernet."""
    if len(frame) < ARP.size:
        return None
    _, _, *head, operation, mac, sender, _, target = ARP.unpack_from(frame)
    if tuple(head) != _HEAD or operation not in (REQUEST, REPLY):
        return None
    return Arp(
        operation == REQUEST, mac.hex(":"), str(ipaddress.IPv4Address(sender)), str(ipaddress.IPv4Address(target))
    )


def parse_segment(packet: bytes) -> Segment | None:
    """From the IP header on; None for what is no TCP, or a fragment's later part."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20 and packet[9] == TCP and not int.from_bytes(packet[6:8], "big") & 0x1FFF:
        ends, at = (packet[12:16], packet[16:20]), (packet[0] & 0xF) * 4
    elif version == 6 and len(packet) >= 40 and packet[6] == TCP:
        ends, at = (packet[8:24], packet[24:40]), 40
    else:
        return None
    if len(packet) < at + 14 or at < 20:
        return None
    sport, dport = struct.unpack_from("!HH", packet, at)
    source, destination = (str(ipaddress.ip_address(one)) for one in ends)
    flags = packet[at + 13]
    return Segment(source, sport, destination, dport, bool(flags & SYN), bool(flags & RST))


def echo(version: int, identifier: int, number: int, size: int) -> bytes:
    """An ICMP echo request of so many bytes; the kernel fills in ICMPv6's checksum."""
    kind = ECHO_TYPES[version][0]
    data = bytes(max(size - ECHO.size, 0))
    bare = ECHO.pack(kind, 0, 0, identifier, number) + data
    return bare if version == 6 else ECHO.pack(kind, 0, _checksum(bare), identifier, number) + data


def _checksum(data: bytes) -> int:
    """The data is zeros but for its head: RFC 1071."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, ECHO.size, 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def parse_echo(version: int, packet: bytes) -> tuple[int, int] | None:
    """(identifier, number) of an echo reply; None for anything else. A raw socket gives IPv4's header along."""
    at = (packet[0] & 0xF) * 4 if version == 4 and packet else 0
    if len(packet) < at + ECHO.size or (version == 4 and at < 20):
        return None
    kind, code, _, identifier, number = ECHO.unpack_from(packet, at)
    return (identifier, number) if (kind, code) == (ECHO_TYPES[version][1], 0) else None
