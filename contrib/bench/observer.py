"""Watches from outside how long a command takes to bring about multipath maps: runs in the guest, without mpio.

    observer.py --paths 4 --limit 150 --log FILE NAME… -- COMMAND…

Starts the command and asks `dmsetup status` until every map NAME has that many active paths and no other, and the
command has ended. Prints one JSON object; seconds count from the start of the command, by the monotonic clock.
Python 3.9, standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess  # noqa: TID251 - no part of mpio
import sys
import threading
import time
from pathlib import Path

PAUSE = 0.25  # seconds between two looks, and more where they are dear: at most a tenth of one processor goes to them
SHARE = 10
AFTER = 60.0  # how long maps may take to become whole once the command has ended
PATH = re.compile(r" \d+:\d+ ([AF]) ")


def active_paths(status: str) -> dict[str, int]:
    """The active paths of each map in the output of `dmsetup status`; -1 for a map that has a failed one.

    A line is `NAME: START LENGTH multipath …`, with `MAJOR:MINOR A|F FAILURES` for each path among the rest
    (Documentation/admin-guide/device-mapper, drivers/md/dm-mpath.c).
    """
    maps = {}
    for line in status.splitlines():
        name, _, rest = line.partition(": ")
        if rest.split(" ")[2:3] == ["multipath"]:
            states = PATH.findall(f"{rest} ")
            maps[name] = -1 if "F" in states else len(states)
    return maps


def are_whole(maps: dict[str, int], names: list[str], paths: int) -> bool:
    return all(maps.get(name) == paths for name in names)


class Look:
    """Asks dmsetup, and keeps account of what that costs."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.last = 0.0

    def maps(self) -> dict[str, int]:
        asked = subprocess.Popen(
            ["dmsetup", "status", "--target", "multipath"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert asked.stdout
        with asked.stdout:
            said = asked.stdout.read().decode()
        _, status, used = os.wait4(asked.pid, 0)
        asked.returncode = os.waitstatus_to_exitcode(status)
        self.count += 1
        self.last = used.ru_utime + used.ru_stime
        self.seconds += self.last
        return active_paths(said)


def watch(command: list[str], names: list[str], options: argparse.Namespace) -> dict[str, object]:
    look = Look()
    look.maps()  # the first one brings dmsetup into memory
    look.count, look.seconds = 0, 0.0
    whole: float | None = None
    maps: dict[str, int] = {}
    changes: list[tuple[float, int, int]] = []  # seconds, maps, active paths
    ended: list[float] = []
    with Path(options.log).open("wb") as log:
        begin = time.monotonic()
        contender = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )

        def wait() -> None:
            contender.wait()
            ended.append(time.monotonic() - begin)

        waiter = threading.Thread(target=wait)
        waiter.start()
        while True:
            over = bool(ended)  # before the look: the last look comes after the end
            maps = look.maps()
            now = time.monotonic() - begin
            if not changes or changes[-1][1:] != (len(maps), sum(maps.values())):
                changes.append((round(now, 2), len(maps), sum(maps.values())))
            if whole is None and are_whole(maps, names, options.paths):
                whole = now
            if now > options.limit or (over and (whole is not None or now > ended[0] + AFTER)):
                break
            time.sleep(max(PAUSE, SHARE * look.last))
        late = not ended
        if late:
            os.killpg(contender.pid, signal.SIGKILL)
        waiter.join()
    return {
        "whole": whole,
        "exit": None if late else ended[0],
        "code": contender.returncode,
        "still": are_whole(maps, names, options.paths),
        "maps": sum(maps.get(name) == options.paths for name in names),
        "looks": look.count,
        "look_seconds": round(look.seconds, 3),
        "changes": changes,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("names", nargs="+")
    cut = sys.argv.index("--")
    options = parser.parse_args(sys.argv[1:cut])
    seen = watch(sys.argv[cut + 1 :], options.names, options)
    sys.stdout.write(json.dumps(seen) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
