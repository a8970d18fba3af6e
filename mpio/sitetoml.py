"""The TOML of a site file as a tree, in bounded time; without validating it, for those who must be quick."""

from __future__ import annotations

from typing import Any

LARGEST = 1 << 20  # bytes: some thousand LUNs, and nothing that takes long to refuse
LONGEST_LINE = 2000  # characters: tomllib takes quadratic time for a key of many dots


def loads(text: str) -> dict[str, Any]:
    """ValueError for what is no TOML, and for what only looks for trouble."""
    import tomllib

    if len(text) > LARGEST:
        raise ValueError(f"is larger than {LARGEST >> 20} MiB")
    if long := next((n for n, line in enumerate(text.split("\n"), 1) if len(line) > LONGEST_LINE), 0):
        raise ValueError(f"is longer than {LONGEST_LINE} characters; a list may span lines (at line {long})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
