"""Reads each device every 10 ms past the page cache until /run/bench-stop is there, and says how long the longest read
of each took, and what failed. Runs in the guest with its own Python; standard library only.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
import time
from pathlib import Path

PACE = 0.01
BLOCK, BLOCKS = 4096, 1024
ON, STOP, SAID = (Path(f"/run/bench-{name}") for name in ("on", "stop", "said"))


def read(name: str, said: dict[str, dict[str, object]]) -> None:
    fd, buffer = os.open(name, os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, BLOCK)
    reads, longest = 0, 0.0
    errors: list[str] = []
    while not STOP.exists():
        begin = time.monotonic()
        try:
            os.preadv(fd, [buffer], reads % BLOCKS * BLOCK)
        except OSError as error:
            errors.append(str(error))
        reads, longest = reads + 1, max(longest, time.monotonic() - begin)
        time.sleep(PACE)
    said[name] = {"reads": reads, "longest": longest, "errors": errors}


def main(names: list[str]) -> None:
    said: dict[str, dict[str, object]] = {}
    threads = [threading.Thread(target=read, args=(name, said)) for name in names]
    for thread in threads:
        thread.start()
    ON.touch()
    for thread in threads:
        thread.join()
    unfinished = SAID.with_suffix(".new")
    unfinished.write_text(json.dumps(said))
    unfinished.rename(SAID)


if __name__ == "__main__":
    main(sys.argv[1:])
