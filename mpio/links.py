"""NICs as rtnetlink has them: a hint when a link or an address changes, and the addresses. An importer of pyroute2."""

from __future__ import annotations

import contextlib
import errno
import socket
from functools import cache
from typing import Any

# linux/rtnetlink.h; the socket module names only AF_NETLINK and NETLINK_ROUTE
RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
SCOPE_LINK = 253
TEMPORARY = 0x01  # linux/if_addr.h, IFA_F_TEMPORARY, which is IFA_F_SECONDARY where the family is IPv4


class Monitor:
    """Wakes on any change of a link or an address; what has changed is read from the kernel then. So the messages need
    no reading, and pyroute2's parser is kept for answers.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setblocking(False)
        self._socket.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def drain(self) -> bool:
        """Take in all that has come; True where the kernel has dropped some of it."""
        lost = False
        while True:
            try:
                self._socket.recv(1 << 16)
            except BlockingIOError:
                return lost
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True


@cache
def _routes() -> Any:
    from pyroute2 import IPRoute

    return IPRoute()


def warm() -> None:
    """Load now what the first question would load."""
    addresses()


def addresses() -> dict[str, tuple[str, ...]]:
    """NIC to its addresses in CIDR form, without link-local and temporary ones: as `ip.addresses` has them."""
    found: dict[str, list[str]] = {}
    for message in _routes().get_addr():
        if message["scope"] == SCOPE_LINK or (message["family"] == socket.AF_INET6 and message["flags"] & TEMPORARY):
            continue
        with contextlib.suppress(OSError):  # the NIC has gone meanwhile
            name = socket.if_indextoname(message["index"])
            # The peer's address is IFA_ADDRESS on a point-to-point link; IPv6 has no IFA_LOCAL elsewhere.
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            found.setdefault(name, []).append(f"{address}/{message['prefixlen']}")
    return {name: tuple(one) for name, one in found.items()}
