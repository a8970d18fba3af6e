"""struct tcp_info (linux/tcp.h): how many segments of a connection had to be sent again, as `ss -ti` shows it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# total_retrans, data_segs_in, data_segs_out, rcv_ooopack; so long since kernel 5.4
_SEGMENTS = struct.Struct("=100xI48xII64xI")


@dataclass(frozen=True, slots=True)
class Segments:
    """Since the connection was made: segments with data sent, sent again, received, received before an earlier one."""

    sent: int = 0
    again: int = 0
    received: int = 0
    early: int = 0


def parse_segments(info: bytes) -> Segments | None:
    """None of a kernel that does not count them."""
    if len(info) < _SEGMENTS.size:
        return None
    again, received, sent, early = _SEGMENTS.unpack_from(info)
    return Segments(sent, again, received, early)
