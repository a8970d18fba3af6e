"""ping: whole packets."""

from __future__ import annotations

from mpio.program import Run

# ping(8): 0 an answer, 1 none, 2 another error (with -M do also "message too long" from our own NIC)
ANSWERED, SILENT, FAILED = 0, 1, 2
HEADERS = {4: 28, 6: 48}  # IP and ICMP


def whole(run: Run, nic: str, address: str, mtu: int) -> bool:
    """Does a packet of the full MTU, not to be fragmented, get there and back through this NIC?"""
    size = mtu - HEADERS[6 if ":" in address else 4]
    argv = ("ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-I", nic, "-s", str(size), address)
    return run(*argv, ok=(ANSWERED, SILENT, FAILED), timeout=10).code == ANSWERED
