"""Fuzzing by coverage: `python tests/fuzz/run.py READER… --seconds N`, or `--all`; `--list` names the readers.

Each reader gets a process of its own, for atheris ends with it. It begins with what was recorded and with what once
broke the reader (found/). An input that breaks one is shown, kept in a temporary folder, and belongs into found/READER/
once it is made small. Exit code 1 then; 2 where atheris is not there.
"""

from __future__ import annotations

import importlib.util
import mmap
import os
import random
import re
import shutil
import struct
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asking import parser, tell

if TYPE_CHECKING:
    from fuzzed import Reader

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))  # from a checkout, whatever is installed

TOLD = struct.Struct("=QQQ")  # inputs, their bytes, and how many of them were read
LARGEST = 20_000  # bytes of an input: what is larger is for speed.py
HANGS = 30  # seconds for one input
PATIENCE = 4  # times as long for a reader of a whole host, which is read a few times a second


@dataclass(frozen=True)
class Tried:
    """What came of one reader: `broken` is what libFuzzer said where an input broke it."""

    name: str
    inputs: int
    size: int
    read: int
    seconds: float
    features: int
    broken: str = ""


def inside(reader: Reader, folder: Path, seconds: int) -> None:
    """The process of one reader; does not return."""
    import atheris
    from mutate import mutated

    with (folder / "told").open("r+b") as file:
        told = mmap.mmap(file.fileno(), TOLD.size)

    def one(data: bytes) -> None:
        inputs, size, read = TOLD.unpack_from(told)
        TOLD.pack_into(told, 0, inputs + 1, size + len(data), read)
        if reader(data):
            TOLD.pack_into(told, 0, inputs + 1, size + len(data), read + 1)

    def change(data: bytes, largest: int, seed: int) -> bytes:
        """Half of them by what happens to texts, half by libFuzzer's own, which knows what was compared."""
        if seed & 1:
            return mutated(data, seed, 1 + seed % 3)[:largest]
        return bytes(atheris.Mutate(data, largest))

    options = [f"-max_total_time={seconds}", f"-max_len={LARGEST}", f"-timeout={HANGS}", "-rss_limit_mb=2048"]
    options += [f"-artifact_prefix={folder}/broken-", f"-seed={random.randrange(1, 1 << 31)}", f"{folder}/corpus"]
    atheris.Setup([sys.argv[0], *options], one, custom_mutator=change)
    atheris.Fuzz()


def tried(reader: Reader, seconds: int, top: Path) -> Tried:
    """In a copy of this process, which has read all of mpio already: that takes longer than many a run."""
    from corpus import found

    folder = top / reader.name
    (folder / "corpus").mkdir(parents=True)
    for number, data in enumerate((*reader.corpus(), *found(reader.name))):
        (folder / "corpus" / str(number)).write_bytes(data[:LARGEST])
    (folder / "told").write_bytes(bytes(TOLD.size))
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        words = os.open(folder / "words", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(words, 1)
        os.dup2(words, 2)
        inside(reader, folder, seconds)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = (folder / "words").read_bytes().decode("utf-8", "replace")
    inputs, size, read = TOLD.unpack((folder / "told").read_bytes())
    features = max((int(n) for n in re.findall(r"\bft: (\d+)", said)), default=0)
    broken = ""
    if code or not inputs:
        kept = [f"{path}: {path.read_bytes()[:500]!r}" for path in sorted(folder.glob("broken-*"))]
        broken = "\n".join([*(line for line in said.splitlines() if "INFO" not in line)][-40:] + kept)
    return Tried(reader.name, inputs, size, read, time.monotonic() - begin, features, broken)


HEAD = f"{'reader':24} {'inputs':>9} {'MB':>8} {'read':>5} {'per second':>10} {'features':>8} broken"


def line(row: Tried) -> str:
    counts = f"{row.inputs:9} {row.size / 1e6:8.1f} {100 * row.read / max(row.inputs, 1):4.0f}%"
    rest = f"{row.inputs / max(row.seconds, 0.01):10.0f} {row.features:8} {'BROKEN' if row.broken else '-'}"
    return f"{row.name:24} {counts} {rest}"


def total(rows: list[Tried]) -> str:
    inputs, size, seconds = (sum(getattr(row, name) for row in rows) for name in ("inputs", "size", "seconds"))
    broken = sum(bool(row.broken) for row in rows)
    return f"{len(rows)} readers, {inputs} inputs, {size / 1e6:.1f} MB, {seconds:.0f} s, {broken} broken"


def main() -> int:
    asked = parser(__doc__)
    asked.add_argument("--all", action="store_true")
    asked.add_argument("--list", action="store_true")
    asked.add_argument("--seconds", type=int, default=10)
    given = asked.parse_args()
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("atheris is not installed for this Python: see requirements.lock, or fuzz with another\n")
        return 2
    import atheris

    with atheris.instrument_imports(include=["mpio"]):
        from readers import READERS

    if given.list or not (given.readers or given.all):
        tell("\n".join(READERS))
        return 0
    rows: list[Tried] = []
    top = Path(tempfile.mkdtemp(prefix="mpio-fuzz-"))
    tell(HEAD)
    for name in READERS if given.all else given.readers:
        rows.append(tried(READERS[name], given.seconds * (PATIENCE if READERS[name].slow else 1), top))
        tell(line(rows[-1]))
        if rows[-1].broken:
            tell(f"{rows[-1].broken}\n")
    tell(total(rows))
    if any(row.broken for row in rows):
        return 1
    shutil.rmtree(top)
    return 0


if __name__ == "__main__":
    sys.exit(main())
