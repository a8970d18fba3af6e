"""Questions to the wire itself: who has an address, what size arrives, how far a connect comes. Root's alone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import socket
import struct
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mpio import probe
from mpio.diagnosis.wires_seen import SMALL, Hole, Way
from mpio.host import Answer, Portal
from mpio.tools import frames, ping

ETH_P_ALL = 0x0003  # linux/if_ether.h
SO_ATTACH_FILTER = 26
# linux/in.h, in6.h, icmp.h, icmpv6.h: the socket module lacks them. PROBE: forbid fragmentation, past what the kernel
# has learned of the way.
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_PROBE = 10, 23, 3
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20  # linux/if_packet.h
SOL_RAW, ICMP_FILTER, ICMPV6_FILTER = 255, 1, 1
ETHERNET = 1500
ROUND = 0.3  # seconds, in which a storage network answers many times over

Ends = tuple[str, int, str, int]


@dataclass(frozen=True, slots=True)
class Question:
    """Who has `address`? Asked through a NIC with that hardware address; from `sender` where a probe met no answer."""

    nic: str
    mac: str
    address: str
    sender: str = ""


def claims(questions: Collection[Question], limit: float) -> dict[tuple[str, str], tuple[str, ...]]:
    """The hardware addresses that answer for each (NIC, address), those of the NIC itself left out.

    Probes of RFC 5227, from which nobody learns anything. Nothing where this user may not ask.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    with contextlib.ExitStack() as open_ones, selectors.DefaultSelector() as waiting:
        macs = {q.nic: q.mac for q in questions}
        sockets = {nic: one for nic in macs if (one := _arp(open_ones, nic)) is not None}
        for nic, one in sockets.items():
            waiting.register(one, selectors.EVENT_READ, nic)
        for q in questions:
            if q.nic in sockets and _sent(sockets[q.nic], frames.ask(q.mac, q.address)):
                found[q.nic, q.address] = {}
        begin, again = time.monotonic(), False
        while waiting.get_map() and (left := begin + limit - time.monotonic()) > 0:
            if not again and time.monotonic() > begin + ROUND:
                again = True
                for q in questions:
                    if q.nic in sockets and not found.get((q.nic, q.address), ()):
                        _sent(sockets[q.nic], frames.ask(q.mac, q.address, q.sender))
            for key, _ in waiting.select(min(left, 0.05)):
                for said in _heard(sockets[key.data]):
                    at = (key.data, said.sender)
                    if at in found and said.mac != macs[key.data]:
                        found[at][said.mac] = None
    return {at: tuple(sorted(answered)) for at, answered in found.items()}


def _arp(open_ones: contextlib.ExitStack, nic: str) -> socket.socket | None:
    try:
        one = open_ones.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        one.setblocking(False)
        one.bind((nic, frames.ETHERTYPE_ARP))
        # Past this host's own traffic control: that is told apart by what does not leave.
        one.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    except OSError:  # no root, no such NIC, or it is down
        return None
    return one


def _sent(one: socket.socket, frame: bytes) -> bool:
    try:
        return one.send(frame) == len(frame)
    except OSError:
        return False


def _heard(one: socket.socket) -> Iterator[frames.Arp]:
    with contextlib.suppress(OSError):
        while True:
            data, way = one.recvfrom(128)
            said = frames.parse_arp(data)
            if said is not None and way[2] != socket.PACKET_OUTGOING:
                yield said


# -- whole packets -------------------------------------------------------------------------------------------------


def holes(
    wanted: Mapping[tuple[str, Portal], int], used: Mapping[tuple[str, Portal], int] = MappingProxyType({})
) -> tuple[Hole, ...]:
    """Those of the (NIC, portal) whose echoes of the NIC's full size, not to be fragmented, are lost. `used` are the
    sizes of packets of sessions: whether such arrive is asked, too.

    A small one must arrive in each of two rounds, and none of three full ones: who answers no echoes at all, or is just
    losing packets, is not meant.
    """
    first = _echoes({at: (SMALL, size) for at, size in wanted.items()}, ROUND)
    doubtful = {at: size for at, size in wanted.items() if SMALL in first[at] and size not in first[at]}
    if not doubtful:
        return ()
    between = {at: sorted(n for n in {ETHERNET, used.get(at, 0)} if SMALL < n < doubtful[at]) for at in doubtful}
    sizes = {at: (SMALL, *between[at], size, size) for at, size in doubtful.items()}
    second = _echoes(sizes, 2 * ROUND)
    lost = (at for at, size in doubtful.items() if SMALL in second[at] and size not in second[at])
    return tuple(Hole(*at, doubtful[at], max(second[at])) for at in sorted(lost))


def _echoes(wanted: Mapping[tuple[str, Portal], Collection[int]], limit: float) -> dict[tuple[str, Portal], set[int]]:
    """The sizes, whole packets in bytes, that were answered of those asked."""
    came: dict[tuple[str, Portal], set[int]] = {at: set() for at in wanted}
    identifier = int.from_bytes(os.urandom(2), "big")
    with contextlib.ExitStack() as open_ones, selectors.DefaultSelector() as waiting:
        sent: dict[int, tuple[tuple[str, Portal], int]] = {}
        for at, sizes in wanted.items():
            one = _raw(open_ones, at[0], at[1].version)
            if one is None:
                continue
            waiting.register(one, selectors.EVENT_READ, at[1].version)
            for size in sizes:
                payload = max(size - ping.HEADERS[at[1].version], 0) + frames.ECHO.size
                packet = frames.echo(at[1].version, identifier, len(sent), payload)
                try:
                    one.sendto(packet, (at[1].address, 0))
                    sent[len(sent)] = (at, size)
                except OSError:  # what cannot be sent cannot be lost
                    came[at].add(size)
        end = time.monotonic() + limit
        open_still = set(sent)
        while open_still and waiting.get_map() and (left := end - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                for number in _answered(key, identifier):
                    if number in sent:
                        at, size = sent[number]
                        came[at].add(size)
                        open_still.discard(number)
    return came


def _raw(open_ones: contextlib.ExitStack, nic: str, version: int) -> socket.socket | None:
    try:
        if version == 6:
            one = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
            open_ones.enter_context(one)
            one.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE)
            allowed = 0xFFFFFFFF ^ (1 << frames.ECHO_TYPES[6][1] % 32)
            words = [0xFFFFFFFF] * 8
            words[frames.ECHO_TYPES[6][1] // 32] = allowed
            one.setsockopt(socket.IPPROTO_ICMPV6, ICMPV6_FILTER, struct.pack("=8I", *words))
        else:
            one = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            open_ones.enter_context(one)
            one.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE)
            one.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF ^ (1 << frames.ECHO_TYPES[4][1])))
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, nic.encode() + b"\0")
    except OSError:
        return None
    return one


def _answered(key: selectors.SelectorKey, identifier: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        while True:
            said = frames.parse_echo(key.data, key.fileobj.recv(1 << 16))  # type: ignore[union-attr]
            if said is not None and said[0] == identifier:
                yield said[1]


# -- how far a connect comes ---------------------------------------------------------------------------------------


def ways(wanted: Iterable[tuple[str, Portal]], limit: float = probe.LIMIT) -> tuple[Way, ...]:
    """Connect once more to each portal through each NIC, and see on all NICs what leaves and what comes back.

    The tap sees what goes out behind this host's firewall and what comes in before it, and before rp_filter.
    """
    met: dict[tuple[str, Portal], Answer] = {}
    begun: dict[tuple[str, Portal], socket.socket] = {}
    seen: list[Sight] = []
    with contextlib.ExitStack() as open_ones, selectors.DefaultSelector() as waiting:
        tap = _tap(open_ones)
        if tap is not None:
            waiting.register(tap, selectors.EVENT_READ)
        for at in wanted:
            one = probe.begin(*at)
            if isinstance(one, socket.socket):
                begun[at] = open_ones.enter_context(one)
                waiting.register(one, selectors.EVENT_WRITE, at)
            elif one is not None:
                met[at] = one
        ends = {at: _ends(at[1], one) for at, one in begun.items()}
        end = time.monotonic() + limit
        while begun.keys() - met.keys() and (rest := end - time.monotonic()) > 0:
            for key, _ in waiting.select(rest):
                if key.data is not None and (answer := probe.met(begun[key.data])) is not None:
                    met[key.data] = answer
                    waiting.unregister(begun[key.data])
            seen += _sights(tap)
        time.sleep(0.02)  # what was told may be seen a moment later
        seen += _sights(tap)
    met |= {at: Answer.SILENT for at in begun if at not in met}
    watched = tap is not None
    return tuple(_way(at, met[at], ends[at] if at in begun and watched else None, seen) for at in sorted(met))


@dataclass(frozen=True, slots=True)
class Sight:
    """A packet that opens or refuses a connection, seen at a NIC on its way out or in; `ends` portal first."""

    nic: str
    out: bool
    ends: Ends


def _way(at: tuple[str, Portal], answer: Answer, ends: Ends | None, seen: Iterable[Sight]) -> Way:
    if ends is None:
        return Way(*at, answer)
    mine = [sight for sight in seen if sight.ends == ends]
    came = dict.fromkeys(sight.nic for sight in mine if not sight.out)
    return Way(*at, answer, any(sight.out for sight in mine), tuple(came))


def _ends(portal: Portal, one: socket.socket) -> Ends:
    here = one.getsockname()
    return portal.address, portal.port, here[0], here[1]


def _tap(open_ones: contextlib.ExitStack) -> socket.socket | None:
    """On every NIC; the kernel keeps back all that opens or refuses no connection."""
    try:
        # Named with its protocol it is on every NIC at once; what comes before the filter is there matches nothing.
        made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        one = open_ones.enter_context(made)
        one.setblocking(False)
        program = ctypes.create_string_buffer(frames.FILTER, len(frames.FILTER))
        head = struct.pack("@HP", frames.FILTER_LINES, ctypes.addressof(program))
        one.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, head)
    except OSError:
        return None
    return one


def _sights(tap: socket.socket | None) -> Iterator[Sight]:
    with contextlib.suppress(OSError):
        while tap is not None:
            data, way = tap.recvfrom(256)
            said, out = frames.parse_segment(data), way[2] == socket.PACKET_OUTGOING
            if said is None or way[2] == socket.PACKET_OTHERHOST:  # another NIC's, which the switch sent here, too
                continue
            one, other = (said.source, said.sport), (said.destination, said.dport)
            yield Sight(way[0], out, (*other, *one) if out else (*one, *other))
