"""How long each reader takes for large texts: `python tests/fuzz/speed.py [READER…] --bytes N --limit SECONDS`.

One that takes longer than the limit is named, and so is one that takes more than GROWTH times as long for four times
as much: it would take quadratic time. Exit code 1 then. A reader that does not end is stopped, with where it hangs.
"""

from __future__ import annotations

import faulthandler
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))  # from a checkout, whatever is installed

from asking import parser, tell
from fuzzed import Reader
from readers import READERS
from shapes import Shape, every

GROWTH = 8.0
NOTICED = 0.25  # seconds: what is quicker says nothing of how it grows
HANGS = 900.0  # seconds by the wall: nothing takes so long, however busy the machine is


def measured(reader: Reader, data: bytes) -> float:
    faulthandler.dump_traceback_later(HANGS, exit=True)
    begin = time.process_time()
    reader(data)
    taken = time.process_time() - begin
    faulthandler.cancel_dump_traceback_later()
    return taken


def slow(reader: Reader, shape: Shape, size: int, limit: float) -> str:
    """What is to be said against the reader; empty for one that is quick enough."""
    taken = measured(reader, shape(size))
    if taken > limit:
        return f"{taken:.1f} s for {size} bytes"
    if taken > NOTICED:
        before = min(measured(reader, shape(size // 4)) for _ in range(2))
        taken = min(taken, measured(reader, shape(size)))
        if taken > GROWTH * max(before, NOTICED / GROWTH):
            return f"{taken:.2f} s for {size} bytes, {before:.2f} s for a quarter of them"
    return ""


def main() -> int:
    asked = parser(__doc__)
    asked.add_argument("--bytes", type=int, default=1_000_000)
    asked.add_argument("--limit", type=float, default=3.0)
    asked.add_argument("--shapes", type=int, default=0, help="so many of each reader's, by lot; 0: all")
    given = asked.parse_args()
    found = tried = 0
    longest, begin = (0.0, ""), time.monotonic()
    for name in given.readers or [r.name for r in READERS.values() if not r.slow]:
        reader = READERS[name]
        shapes = list(every(reader.corpus()))
        if given.shapes:
            shapes = random.Random(name).sample(shapes, min(given.shapes, len(shapes)))
        for what, shape in shapes:
            sys.stderr.write(f"{name}: {what}\r")
            tried += 1
            start = time.process_time()
            if said := slow(reader, shape, given.bytes, given.limit):
                found += 1
                tell(f"{name}: {what}: {said}")
            longest = max(longest, (time.process_time() - start, f"{name}: {what}"))
    took = f"in {time.monotonic() - begin:.0f} s; longest {longest[0]:.2f} s: {longest[1]}"
    tell(f"{tried} texts of {given.bytes} bytes, {found} too slow, {took}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
