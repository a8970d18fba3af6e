"""How long: `30s`, `15m`, `2h`, `1d`, `1h30m`."""

from __future__ import annotations

import datetime
import re

LONGEST = datetime.timedelta(days=3650)
_SPAN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?", re.ASCII)


def parse(text: str) -> datetime.timedelta:
    """ValueError for anything else, for nothing at all, and for more than ten years."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is no time span")
    days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    span = datetime.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not datetime.timedelta(0) < span <= LONGEST:
        raise ValueError(f"{text!r} is no time to wait for")
    return span
