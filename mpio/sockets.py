"""The TCP sockets of iSCSI sessions: when each was last heard of, and their end at once (sock_diag, as `ss` asks it).

open-iscsi's sockets belong to iscsid, so only the kernel's own tables can say anything about them. The structs of
linux/inet_diag.h are read and written here: pyroute2's DiagSocket takes tens of milliseconds a question on a slow
machine, where a whole failover is to take 300, and does not read the errors of a SOCK_DESTROY.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from mpio.errors import MpioError
from mpio.host import Session
from mpio.tools.tcpinfo import Segments, parse_segments

NETLINK_SOCK_DIAG = 4  # linux/netlink.h
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
SOCK_DIAG_BY_FAMILY, SOCK_DESTROY = 20, 21  # linux/sock_diag.h
TCP = socket.IPPROTO_TCP
ESTABLISHED = 1 << 1
INET_DIAG_INFO = 2
HEADER = struct.Struct("=IHHII")  # nlmsghdr
REQUEST = struct.Struct("=BBBxI48s")  # inet_diag_req_v2: family, protocol, extensions, states, identity
MESSAGE = struct.Struct("=BBBB48s5I")  # inet_diag_msg: family, state, timer, retransmits, identity …
IDENTITY = struct.Struct("!HH16s16s12s")  # inet_diag_sockid: source and destination, then interface and cookie
NO_COOKIE = b"\0\0\0\0" + b"\xff" * 8
ATTRIBUTE = struct.Struct("=HH")
# tcp_info (linux/tcp.h): retransmits, probes, last_data_recv (milliseconds), rtt (microseconds)
TCP_INFO = struct.Struct("=2xBB48xI12xI")
LENGTHS = {socket.AF_INET: 4, socket.AF_INET6: 16}
FAMILIES = {length: family for family, length in LENGTHS.items()}
BOUND = struct.Struct("=I")  # at the head of the identity's last part: the index of the NIC it is bound to, or 0
LIMIT = 1.0  # seconds; the kernel answers at once or never
AGAIN = 60.0  # seconds after which a kernel that has no such tables is asked again: each question may start modprobe
NONE = frozenset({errno.ENOENT, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES})

Four = tuple[bytes, int, int]  # where it leads, the port there, the port here; addresses packed


@dataclass(frozen=True, slots=True)
class Socket:
    """`age` seconds since data last came in; `rtt` seconds, smoothed by the kernel; `stuck`: data waits in it that had
    to be sent again or cannot be sent.
    """

    age: float
    rtt: float
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A socket of the kernel's list: `identity` as it says it, `bound` the index of its NIC or 0, `waiting` bytes that
    the other end has not confirmed, `info` its tcp_info.
    """

    family: int
    identity: bytes
    here: bytes
    four: Four
    bound: int
    waiting: int
    info: bytes


@dataclass(slots=True)
class _Lack:
    """Why there are no tables, and until when that is taken for granted (monotonic)."""

    why: str = ""
    until: float = 0.0


_TURN = threading.Lock()  # of one socket: who asked beside another would take his answers
_LACK: dict[int, _Lack] = defaultdict(_Lack)  # by address family


def of_sessions(sessions: Iterable[Session]) -> dict[int, Socket]:
    """What the kernel knows of the socket of each session, by sid; a session without a socket has no entry.

    Raises MpioError where the kernel tells nothing of sockets.
    """
    return {session.sid: parse_info(seen) for session, seen in _found(sessions) if len(seen.info) >= TCP_INFO.size}


def segments_of(sessions: Iterable[Session]) -> dict[int, Segments]:
    """What the connection of each session has sent and received, by sid. Raises MpioError."""
    counted = ((session.sid, parse_segments(seen.info)) for session, seen in _found(sessions))
    return {sid: segments for sid, segments in counted if segments is not None}


def find(sessions: Iterable[Session], addresses: Mapping[str, tuple[str, ...]]) -> dict[int, Found]:
    """The connection of each session, by sid, for `end`. Raises MpioError.

    `addresses` are those of each NIC, in CIDR form: a socket that does not begin at one of its own session's NIC is
    another's.
    """
    own = {nic: {ipaddress.ip_interface(one).ip.packed for one in known} for nic, known in addresses.items()}
    return {session.sid: seen for session, seen in _found(sessions) if seen.here in own.get(session.nic, ())}


def candidates(sessions: Iterable[Session]) -> dict[int, tuple[Found, ...]]:
    """The connections that may be each session's, by sid: those with its portal and ports, whatever they are bound to.

    Raises MpioError where the kernel tells nothing of sockets.
    """
    wanted = {session.sid: four for session in sessions if (four := _four(session)) is not None}
    asked = sorted({(FAMILIES[len(four[0])], four[1]) for four in wanted.values()})
    listed = [seen for family, port in asked for seen in _list(family, port)]
    return {sid: tuple(seen for seen in listed if seen.four == four) for sid, four in wanted.items()}


def end(found: Mapping[int, Found]) -> frozenset[int]:
    """End these connections, as a reset would: the sids for which that was done."""
    # With the cookie that the kernel has said, no socket that came since can be meant.
    return frozenset(sid for sid, one in found.items() if _end(one.family, one.identity) in (0, errno.ENOENT))


def can_abort() -> bool:
    """Does this kernel end sockets for us (INET_DIAG_DESTROY)? Asked for one that cannot exist: an able kernel says
    that there is none. One that knows nothing of sockets says the same, so it is asked for a list first.
    """
    try:
        _list(socket.AF_INET, 1)
    except MpioError:
        return False
    nobody = ipaddress.ip_address("127.0.0.1").packed
    return _end(socket.AF_INET, IDENTITY.pack(1, 1, nobody, nobody, NO_COOKIE)) == errno.ENOENT


def _found(sessions: Iterable[Session]) -> Iterator[tuple[Session, Found]]:
    """Every session that has a socket, with it; one list for each port."""
    wanted: dict[Four, list[Session]] = defaultdict(list)
    for session in sessions:
        if (four := _four(session)) is not None:
            wanted[four].append(session)
    for family, port in sorted({(FAMILIES[len(four[0])], four[1]) for four in wanted}):
        listed: dict[Four, list[Found]] = defaultdict(list)
        for seen in _list(family, port):
            if seen.four in wanted:
                listed[seen.four].append(seen)
        for four, some in listed.items():
            yield from _whose(wanted[four], some)


def _whose(sessions: Sequence[Session], found: Sequence[Found]) -> Iterator[tuple[Session, Found]]:
    """Who has which of these connections, that differ only in where they begin: two sessions to one portal through two
    NICs may well have the same port here. open-iscsi binds each to its NIC; of those that are bound to none, one is a
    session's only if nobody else's it can be.
    """
    rest, loose = list(sessions), [one for one in found if not one.bound]
    for session in sessions:
        index = _index(session.nic)
        own = [one for one in found if index and one.bound == index]
        if own:
            rest.remove(session)
        if len(own) == 1:
            yield session, own[0]
    if len(rest) == len(loose) == 1:
        yield rest[0], loose[0]


def _index(nic: str) -> int:
    """0 for a NIC that is not there."""
    try:
        return socket.if_nametoindex(nic)
    except (OSError, ValueError):
        return 0


def _four(session: Session) -> Four | None:
    """None for a session that has no socket now."""
    try:
        there = ipaddress.ip_address(session.address.strip("[]")).packed
    except ValueError:
        return None
    if session.port is None or session.local_port is None or not 0 < session.port <= 0xFFFF:
        return None
    return there, session.port, session.local_port


def parse_info(seen: Found) -> Socket:
    again, probes, age, rtt = TCP_INFO.unpack_from(seen.info)
    return Socket(age / 1000, rtt / 1_000_000, bool(seen.waiting and (again or probes)))


def _list(family: int, port: int) -> tuple[Found, ...]:
    """The connections of this machine to that port of whoever. Raises MpioError."""
    lack, now = _LACK[family], time.monotonic()
    if now < lack.until:
        raise MpioError(lack.why)
    identity = IDENTITY.pack(0, port, b"", b"", b"")
    request = REQUEST.pack(family, TCP, 1 << (INET_DIAG_INFO - 1), ESTABLISHED, identity)
    try:
        listed = (parse_socket(data) for data in _ask(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, request))
        return tuple(one for one in listed if one is not None)
    except OSError as error:
        why = f"the kernel does not tell of TCP connections (tcp_diag): {error.strerror or error}"
        if error.errno in NONE:
            _LACK[family] = _Lack(why, now + AGAIN)
        raise MpioError(why) from error


def parse_socket(data: bytes) -> Found | None:
    """A socket of the kernel's list; None for what is none of TCP's two families."""
    if len(data) < MESSAGE.size or data[0] not in LENGTHS:
        return None
    family, _, _, _, identity, _, _, waiting, _, _ = MESSAGE.unpack_from(data)
    here_port, port, source, destination, last = IDENTITY.unpack(identity)
    length = LENGTHS[family]
    return Found(
        family,
        identity,
        source[:length],
        (destination[:length], port, here_port),
        BOUND.unpack_from(last)[0],
        waiting,
        _info(data[MESSAGE.size :]),
    )


def _info(data: bytes) -> bytes:
    while len(data) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(data)
        if kind == INET_DIAG_INFO or length < ATTRIBUTE.size:
            return data[ATTRIBUTE.size : length]
        data = data[length + 3 & ~3 :]  # at least 4: it comes to an end
    return b""


def _end(family: int, identity: bytes) -> int:
    """End one socket: 0, or what the kernel has against it."""
    try:
        _ask(SOCK_DESTROY, NLM_F_ACK, REQUEST.pack(family, TCP, 0, 0, identity))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


@cache
def _kernel() -> socket.socket:
    """One socket for all questions."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    made.settimeout(LIMIT)
    return made


def _ask(kind: int, flags: int, request: bytes) -> list[bytes]:
    """What the kernel answers, message by message. Raises OSError with its errno."""
    with _TURN:
        return _answered(kind, flags, request)


def _answered(kind: int, flags: int, request: bytes) -> list[bytes]:
    number = int.from_bytes(os.urandom(4), "little")
    kernel = _kernel()
    kernel.send(HEADER.pack(HEADER.size + len(request), kind, NLM_F_REQUEST | flags, number, 0) + request)
    said: list[bytes] = []
    while True:
        answer = parse_answer(kernel.recv(1 << 17), number)
        said += answer.said
        if answer.error:
            raise OSError(answer.error, os.strerror(answer.error))
        if answer.error is not None:
            return said


@dataclass(frozen=True, slots=True)
class Answer:
    """What one read of netlink has brought: messages, and an errno (0 for none) where it ends the answer."""

    said: tuple[bytes, ...]
    error: int | None = None


def parse_answer(data: bytes, number: int) -> Answer:
    """The part of the answer to the question of that number that is in `data`."""
    said: list[bytes] = []
    view = memoryview(data)
    while len(view) >= HEADER.size:
        length, what, _, answers, _ = HEADER.unpack_from(view)
        if length < HEADER.size:  # nobody could tell where the next begins
            return Answer(tuple(said), errno.EBADMSG)
        body, view = view[HEADER.size : length], view[length + 3 & ~3 :]
        if answers != number:  # to a question that was given up
            continue
        if what in (NLMSG_ERROR, NLMSG_DONE):  # a list that failed says so at its end
            code = -int.from_bytes(body[:4], sys.byteorder, signed=True)
            return Answer(tuple(said), max(code, 0))
        said.append(bytes(body))
    return Answer(tuple(said))
