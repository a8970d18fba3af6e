"""The bound probe: does a portal answer a TCP connect through this very NIC?"""

from __future__ import annotations

import errno
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from mpio.errors import NotAllowed
from mpio.host import Answer, Portal

Answers = dict[tuple[str, Portal], Answer]
LIMIT = 1.0
# Between two probes of a stream. An array logs every connection that comes without a login (LIO: two lines), and a
# stream may run all day: one pair at a time is asked, and each the more seldom the more there are.
PACE = 1.0
# struct tcp_info (linux/tcp.h): eight bytes of flags, then numbers of four; tcpi_rtt is the sixteenth, microseconds
TCP_INFO_RTT = slice(68, 72)
NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENETDOWN})


def portals(
    wanted: Iterable[tuple[str, str, Portal]], limit: float = LIMIT, enough: Callable[[Answers], bool] | None = None
) -> Answers:
    """Connect to each (iface, NIC, portal) at once, close what opened, and say by iface and portal what was met
    within `limit` seconds, or until that is `enough`.

    SO_BINDTODEVICE is what open-iscsi's tcp transport does too (usr/io.c bind_conn_to_iface), so the answer holds
    for logins.
    A NIC that is not there counts as no route; a pair whose NIC this user may not bind to has no answer at all.
    """
    answers: Answers = {}
    waiting = selectors.DefaultSelector()
    try:
        for iface, nic, portal in wanted:
            answer = _start(waiting, (iface, portal), nic)
            if answer is not None:
                answers[(iface, portal)] = answer
        end = time.monotonic() + limit
        while waiting.get_map() and (left := end - time.monotonic()) > 0 and not (enough and enough(answers)):
            for key, _ in waiting.select(left):
                met = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # type: ignore[union-attr]
                answers[key.data] = _meaning(met)
                _close(waiting, key)
    finally:
        for key in list((waiting.get_map() or {}).values()):
            answers[key.data] = Answer.SILENT
            _close(waiting, key)
        waiting.close()
    return answers


def _start(waiting: selectors.BaseSelector, pair: tuple[str, Portal], nic: str) -> Answer | None:
    begun = begin(nic, pair[1])
    if not isinstance(begun, socket.socket):
        return begun
    waiting.register(begun, selectors.EVENT_WRITE, pair)
    return None


def begin(nic: str, portal: Portal) -> socket.socket | Answer | None:
    """A connect under way, for the caller to wait for and to close, or what it has met already; None where this user
    may not bind to the NIC.
    """
    one = socket.socket(socket.AF_INET6 if portal.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    one.setblocking(False)
    try:
        if not _bound(one, nic):
            one.close()
            return None
        met = one.connect_ex((portal.address, portal.port))
    except OSError as error:
        met = error.errno or errno.EIO
    if met == errno.EINPROGRESS:
        return one
    one.close()
    return _meaning(met)


def met(one: socket.socket) -> Answer | None:
    """What a connect has met; None while it is under way."""
    with selectors.PollSelector() as now:
        now.register(one, selectors.EVENT_WRITE)
        if not now.select(0):
            return None
    return _meaning(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def _bound(one: socket.socket, nic: str) -> bool:
    """False where only root may bind to a device: before kernel 5.7 (c427bfec18f2)."""
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, nic.encode() + b"\0")
    except PermissionError:
        return False
    return True


def _meaning(met: int) -> Answer:
    if met == 0:
        return Answer.ANSWERED
    if met == errno.ECONNREFUSED:
        return Answer.REFUSED
    return Answer.NO_ROUTE if met in NO_ROUTE else Answer.SILENT


def _close(waiting: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    waiting.unregister(key.fileobj)
    key.fileobj.close()  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class Timed:
    """One probe: `at` seconds after the stream began; `number` counts those of its iface from 0. `rtt` is the whole
    round trip, `network` the kernel's own figure of it; None where nothing answered or the kernel has none.
    """

    at: float
    iface: str
    nic: str
    portal: Portal
    number: int
    answer: Answer
    rtt: float | None = None
    network: float | None = None


def stream(wanted: Sequence[tuple[str, str, Portal]], pace: float = PACE, limit: float = LIMIT) -> Iterator[Timed]:
    """Probe these (iface, NIC, portal) in turn for ever, one at a time. Raises NotAllowed."""
    begin = due = time.monotonic()
    numbers = dict.fromkeys((iface for iface, _, _ in wanted), 0)
    for iface, nic, portal in cycle(wanted):
        time.sleep(max(0.0, due - time.monotonic()))
        at = time.monotonic()
        due = max(due + pace, at)  # what a slow one took is not made up for
        answer, rtt, network = once(nic, portal, limit)
        yield Timed(at - begin, iface, nic, portal, numbers[iface], answer, rtt, network)
        numbers[iface] += 1


def once(nic: str, portal: Portal, limit: float = LIMIT) -> tuple[Answer, float | None, float | None]:
    """One connect through the NIC, closed at once: what it met, and its two round trips where that was an answer."""
    with socket.socket(socket.AF_INET6 if portal.version == 6 else socket.AF_INET, socket.SOCK_STREAM) as one:
        one.settimeout(limit)
        begin = time.monotonic()
        try:
            if not _bound(one, nic):
                raise NotAllowed(f"this kernel lets nobody but root bind a socket to {nic}", "run as root")
            one.connect((portal.address, portal.port))
        except OSError as error:
            return _meaning(error.errno or 0) if error.errno else Answer.SILENT, None, None
        took = time.monotonic() - begin
        measured = int.from_bytes(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 72)[TCP_INFO_RTT], sys.byteorder)
        return Answer.ANSWERED, took, measured / 1_000_000 if measured else None
