"""Routing by source address: values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the routing policy: traffic from `source` (an address, a prefix, "all") is looked up in `table`.

    `table` is None where the rule names none; `ours` marks what mpio made.
    """

    source: str
    table: int | None
    priority: int
    ours: bool = False


@dataclass(frozen=True, slots=True)
class TableRoute:
    """A route of mpio's in a table of its own: `subnet` is on-link at `nic`."""

    subnet: str
    nic: str
    table: int
