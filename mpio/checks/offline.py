"""What is offline by hand: by whom, since when, until when."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mpio.findings import Finding, finding
from mpio.host import Host, Pair
from mpio.plan import resting


def findings(host: Host) -> Iterator[Finding]:
    for one in host.offline:
        yield finding("MP316", one.name, resting.said(one))


def only(host: Host, names: Collection[str]) -> tuple[Finding, ...]:
    return tuple(f for f in findings(host) if f.subject in names)


def holding(host: Host, pairs: Collection[Pair]) -> tuple[Finding, ...]:
    """What keeps these pairs offline."""
    return only(host, {one.name for one in resting.holding(host, pairs)})
