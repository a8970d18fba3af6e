"""What addresses are called: the resolver's words, for a short time only."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterable

LIMIT = 1.0


def of(addresses: Iterable[str], limit: float = LIMIT) -> dict[str, str]:
    """The names of these addresses, those left out that have none. All are asked at once: a resolver that is silent,
    as the SAN's often is, holds nobody up for longer than `limit` seconds in all.
    """
    found: dict[str, str] = {}

    def ask(address: str) -> None:
        with contextlib.suppress(OSError):
            name, _ = socket.getnameinfo((address, 0), socket.NI_NAMEREQD | socket.NI_NOFQDN)
            found[address] = name

    asking = [threading.Thread(target=ask, args=(a,), daemon=True) for a in dict.fromkeys(addresses)]
    for one in asking:
        one.start()
    end = time.monotonic() + limit
    for one in asking:
        one.join(max(0.0, end - time.monotonic()))
    return dict(found)
