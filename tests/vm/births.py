"""With which mode files are that secrets are written to: reads the lines of `strace -f -y` on stdin as they come.

`births.py WORDS FILE TRACE`: WORDS as for spy.py. TRACE keeps the lines of execve. FILE gets {"files": {path: mode},
"loose": […], "others": […], "made": N}: where secrets were written to and the mode at that moment, which of these were
open to others, then or later, what they went to that is no file, and how many files were made.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)(?:<(.*)>)?")
UNFINISHED, RESUMED = re.compile(r"(\d+) +(.*) <unfinished \.\.\.>"), re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
FD = re.compile(r"\d+<(/[^>]*)>")
OPENED = re.compile(r".*O_CREAT.*, (0[0-7]+)")
RENAMED = re.compile(r'(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]*)", (?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]*)"')


class Births:
    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.masks: dict[str, int] = {}
        self.modes: dict[str, int] = {}
        self.holders: dict[str, int] = {}
        self.loose: list[str] = []
        self.others: set[str] = set()
        self.made = 0

    def take(self, pid: str, call: str, args: str, result: str, path: str) -> None:
        if result.startswith("-"):
            return
        if call == "umask":
            self.masks[pid] = int(args, 8)
        elif call in ("open", "openat", "creat") and (found := OPENED.match(args)):
            self.made += 1
            self.modes[path] = int(found[1], 8) & ~self.masks.get(pid, 0)
        elif call in ("fchmod", "chmod", "fchmodat"):
            at = FD.match(args)
            place = at[1] if at and call == "fchmod" else "".join(re.findall(r'"([^"]*)"', args)[:1])
            self.changed(place, int(args.rsplit(", ", 2)[-1 if call != "fchmodat" else 1], 8))
        elif call.startswith("rename") and (moved := RENAMED.match(args)):
            both = (moved.group(1, 2), moved.group(3, 4))
            old, new = (f"{folder}/{name}" if folder else name for folder, name in both)
            for table in (self.modes, self.holders):
                if old in table:
                    table[new] = table.pop(old)
        elif call.startswith(("write", "pwrite", "send")) and any(word in args for word in self.words):
            self.written(args)

    def written(self, args: str) -> None:
        at = FD.match(args)
        if not at or at[1].startswith(("/memfd:", "/dev/")):
            self.others.add(re.split(r"[>,:]", args)[0].lstrip("0123456789<"))
            return
        mode = self.modes.get(at[1])
        mode = Path(at[1]).stat().st_mode & 0o777 if mode is None else mode
        self.holders[at[1]] = mode
        if mode & 0o077:
            self.loose.append(f"{at[1]} is written with mode {mode:04o}")

    def changed(self, path: str, mode: int) -> None:
        self.modes[path] = mode
        if path in self.holders and mode & 0o077:
            self.loose.append(f"{path} gets mode {mode:04o}")


def main() -> None:
    words = Path(sys.argv[1])
    seen = Births(list(json.loads(words.read_text())))
    words.unlink()
    begun: dict[str, str] = {}
    with open(sys.argv[3], "w", encoding="utf-8") as kept:  # noqa: PTH123
        for part in sys.stdin:
            if found := UNFINISHED.match(part):
                begun[found[1]] = part.split(" <unfinished", 1)[0]
                continue
            found = RESUMED.match(part)
            line = f"{begun.pop(found[1], '')}{found[2]}\n" if found else part
            if " execve" in line:
                kept.write(line)
            elif found := LINE.match(line):
                seen.take(found[1], found[2], found[3], found[4], found[5] or "")
    files = {path: f"{mode:04o}" for path, mode in seen.holders.items()}
    said = {"files": files, "loose": seen.loose, "others": sorted(seen.others), "made": seen.made}
    Path(sys.argv[2]).write_text(json.dumps(said))


if __name__ == "__main__":
    main()
