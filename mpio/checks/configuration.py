"""Configuration files that are not ours, and secrets that are too short."""

from __future__ import annotations

from collections.abc import Iterator

from mpio.findings import Finding, finding
from mpio.host import Host

SHORTEST_SECRET = 12  # bytes


def findings(host: Host) -> Iterator[Finding]:
    for warning in host.effective.warnings if host.effective else ():
        yield finding("MP501", warning)
    for path in host.writable_by_others:
        yield finding("MP502", path)
    yield from _short_secrets(host)


def _short_secrets(host: Host) -> Iterator[Finding]:
    """How short is not said: that would be a part of the secret."""
    for table, login in (("san.chap", host.chap), ("san.discovery_chap", host.discovery_chap)):
        for key, value in login.items():
            name = key.rpartition(".")[2]
            if name.startswith("password") and len(value.encode()) < SHORTEST_SECRET:
                yield finding("MP320", f"{table}.{name}_file")
