"""Configuration files that are not ours."""

from __future__ import annotations

from collections.abc import Iterator

from mpio.findings import Finding, finding
from mpio.host import Host


def findings(host: Host) -> Iterator[Finding]:
    for warning in host.effective.warnings if host.effective else ():
        yield finding("MP501", warning)
    for path in host.writable_by_others:
        yield finding("MP502", path)
