"""How long alerts wait: for what belongs to the same message, and until something counts as over. Seconds."""

from __future__ import annotations

from mpio.watch.event import Cause, Event
from mpio.watch.seen import Seen

GATHER = 1.0  # from the first event of a cause to its message, which has its effects then
SPREAD = 6.0  # the same where sessions or checkers find out one after the other: noop_interval and a second
STRETCH = 5  # times as long at most, while further causes of that kind come
BOOT = 30.0  # what is not well at the start has so long to become it
HOLD = 5.0  # all must be well for so long before it counts as over; doubled with each time that it was lost again
LONGEST_HOLD = 900.0

_AT_ONCE = ("link", "address", "nothing", Cause.ALL_DOWN.value)


def kind(event: Event) -> str:
    """Causes that join one message when they come together: two NICs of one switch, the pairs of one portal."""
    match event.cause:
        case Cause.LINK:
            return "link"
        case Cause.ADDRESS:
            return "address"
        case Cause.SILENT | Cause.REFUSED:
            return "portal"
        case None:
            return "nothing"
        case other:
            return other.value


def wait(of_kind: str, seen: Seen) -> float:
    """From the first event to the message."""
    if of_kind in _AT_ONCE:
        return GATHER
    watch = seen.site.watch if seen.site else None
    if of_kind == "portal" and watch is not None and watch.fast_fail == "probe":
        return watch.probe_interval + GATHER
    return SPREAD


def hold(flaps: int) -> float:
    return float(min(HOLD * 2 ** min(flaps, 16), LONGEST_HOLD))
