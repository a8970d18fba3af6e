"""The bound probe: does a portal answer a TCP connect through this very NIC?"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Iterable

from mpio.host import Answer, Portal

LIMIT = 1.0
NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENETDOWN})


def portals(wanted: Iterable[tuple[str, str, Portal]], limit: float = LIMIT) -> dict[tuple[str, Portal], Answer]:
    """Connect to each (iface, NIC, portal) at once, close what opened, and say by iface and portal what was met
    within `limit` seconds.

    SO_BINDTODEVICE is what open-iscsi's tcp transport does too (usr/io.c bind_conn_to_iface), so the answer holds
    for logins.
    A NIC that cannot be bound to (not there, not allowed) counts as no route.
    """
    answers: dict[tuple[str, Portal], Answer] = {}
    waiting = selectors.DefaultSelector()
    try:
        for iface, nic, portal in wanted:
            answer = _start(waiting, (iface, portal), nic)
            if answer is not None:
                answers[(iface, portal)] = answer
        end = time.monotonic() + limit
        while waiting.get_map() and (left := end - time.monotonic()) > 0:
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
    portal = pair[1]
    one = socket.socket(socket.AF_INET6 if portal.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    one.setblocking(False)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, nic.encode() + b"\0")
        met = one.connect_ex((portal.address, portal.port))
    except OSError as error:
        met = error.errno or errno.EIO
    if met == errno.EINPROGRESS:
        waiting.register(one, selectors.EVENT_WRITE, pair)
        return None
    one.close()
    return _meaning(met)


def _meaning(met: int) -> Answer:
    if met == 0:
        return Answer.ANSWERED
    if met == errno.ECONNREFUSED:
        return Answer.REFUSED
    return Answer.NO_ROUTE if met in NO_ROUTE else Answer.SILENT


def _close(waiting: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    waiting.unregister(key.fileobj)
    key.fileobj.close()  # type: ignore[union-attr]
