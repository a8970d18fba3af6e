"""Flapping links: a bad cable must not make sessions fail faster than they do by themselves. Pure.

What is lost for the first or second time acts at once. A loss makes a row with the last one where the thing had been
back for less than STABLE; from the third of a row on it must last before it counts, each time twice as long: a link
that comes back meanwhile has cost its users less than a login anew. What had been well for longer does not flap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

STABLE = 5.0  # seconds
WINDOW = 60.0  # after which a row without a new loss is forgotten
FREE = 2
FIRST, LONGEST = 5.0, 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """Losses of one thing that came one after another: how many, when the last began, and when it was back since;
    None: nobody has seen that.
    """

    count: int
    last: float
    back: float | None = None

    def goes_on(self, since: float) -> bool:
        """Is a loss at that second one more of this row?"""
        return since - self.last < WINDOW if self.back is None else since - self.back < STABLE

    @property
    def quiet(self) -> float:
        """Since when nothing has been heard of it."""
        return self.last if self.back is None else self.back


@dataclass(frozen=True, slots=True)
class Flaps:
    rows: Mapping[str, Row] = field(default_factory=dict, hash=False)

    def lost(self, what: str, since: float) -> Flaps:
        """It was lost at that monotonic second; to hear of the same loss again changes nothing."""
        row = self.rows.get(what)
        if row is not None and since <= row.last:
            return self
        new = Row(row.count + 1 if row and row.goes_on(since) else 1, since)
        # What has been quiet for long is forgotten, or the rows would grow with every portal that ever was.
        kept = {name: one for name, one in self.rows.items() if since - one.quiet < WINDOW}
        return replace(self, rows={**kept, what: new})

    def back(self, what: str, at: float) -> Flaps:
        """It was seen to be back at that monotonic second."""
        row = self.rows.get(what)
        return self if row is None else replace(self, rows={**self.rows, what: replace(row, back=at)})

    def hold(self, what: str) -> float:
        """How many seconds the present loss must last before anything is done."""
        row = self.rows.get(what)
        if row is None or row.count <= FREE:
            return 0.0
        return min(LONGEST, FIRST * (1 << min(row.count - FREE - 1, 10)))

    def why(self, what: str) -> str:
        row = self.rows.get(what)
        count = row.count if row else 0
        return f"it was lost {count} times in a row, so this loss must last {self.hold(what):g} s first"
