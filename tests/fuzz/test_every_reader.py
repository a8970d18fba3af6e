"""No reader without fuzzing: what reads text or bytes is found in the source, and must be entered from the table."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from types import CodeType, FrameType

from readers import EVERY

TOP = Path(__file__).parent.parent.parent
# calls by which one knows a reader of its own
CALLS = frozenset({"loads", "load", "unpack", "unpack_from", "iter_unpack", "from_bytes", "fromhex", "fromisoformat"})
GIVEN = frozenset({"text", "data", "line", "stderr", "reply", "sense", "said", "raw"})
KINDS = frozenset({"str", "bytes", "str | None"})

# Readers that fuzzing cannot enter, or that read nothing of others, each with the reason.
ELSEWHERE = {
    "mpio/alerts/deliver.py:main": "a child's standard input, written by mpio itself a moment before",
    "mpio/commands/call.py:site": "asks `sitefile`, whose `parse` is in the table",
    "mpio/commands/complete.py:_site": "completion asks `sitefile`, too, and offers nothing where it cannot",
    "mpio/commands/watch.py:_line": "the time of an event, which mpio itself has just written",
    "mpio/drills/reader.py:look": "a file in memory that mpio's own child writes",
    "mpio/observe/wires_ask.py:_echoes": "two random bytes; what comes back goes through `frames.parse_echo`",
    "mpio/probe.py:once": "a struct of the kernel's, of one size",
    "mpio/replay.py:folder": "a folder of recordings: `recording.load` is in the table",
    "mpio/sgio.py:_sent": "a struct that the kernel fills in, of one size",
    "mpio/sockets.py:_answered": "four random bytes; what the kernel answers goes through `parse_answer`",
    "mpio/tools/frames.py:_checksum": "of a packet that mpio makes",
    "mpio/tools/frames.py:packed_mac": "a NIC's hardware address, as the kernel writes it",
    "mpio/tools/systemd_run.py:unit_name": "makes a name, reads none",
}


def functions() -> frozenset[str]:
    """`file:name` of each function that reads what others wrote."""
    found: set[str] = set()
    for path in sorted((TOP / "mpio").rglob("*.py")):
        name = str(path.relative_to(TOP))
        if name.startswith("mpio/lab/"):
            continue  # its guests are our own
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and _reads(node, name.startswith("mpio/tools/")):
                found.add(f"{name}:{node.name}")
    return frozenset(found)


def _reads(node: ast.FunctionDef, of_tool: bool) -> bool:
    if re.fullmatch(r"_?parse(_\w+)?", node.name):
        return True
    calls = (call.func for call in ast.walk(node) if isinstance(call, ast.Call))
    if any(isinstance(call, ast.Attribute) and call.attr in CALLS for call in calls):
        return True
    first = (node.args.posonlyargs + node.args.args)[:1]
    kind = ast.unparse(first[0].annotation) if first and first[0].annotation else ""
    is_public = not node.name.startswith("_")
    return of_tool and is_public and (kind == "Reader" or (kind in KINDS and first[0].arg in GIVEN))


def entered() -> frozenset[str]:
    """`file:name` of every function that the table's readers enter when they read what they begin with."""
    codes: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            codes.add(frame.f_code)

    for reader in EVERY:
        some = sorted(reader.corpus(), key=len)
        sys.setprofile(note)
        try:
            for data in (*some[:6], *some[-2:]):
                reader(data)
        finally:
            sys.setprofile(None)
    places = ((Path(code.co_filename).resolve(), code.co_name) for code in codes)
    return frozenset(f"{file.relative_to(TOP)}:{name}" for file, name in places if file.is_relative_to(TOP))


def test_every_reader_is_in_the_table() -> None:
    missed = sorted(functions() - entered() - ELSEWHERE.keys())
    assert missed == [], "put it into a table of tests/fuzz"


def test_reasons_are_for_readers_that_are_there() -> None:
    assert set(ELSEWHERE) <= functions()


def test_names_are_unique() -> None:
    assert len({reader.name for reader in EVERY}) == len(EVERY)
