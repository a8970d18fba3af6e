"""POSIX extended regular expressions, as glibc's regcomp() takes them for multipath.

Tried on multipath-tools 0.9.4: one that does not compile in a blacklist ends multipath and multipathd ("parsing
failed", "error parsing config file"); in a device section it matches nothing and nobody says so.
"""

from __future__ import annotations

import re

_CLASSES = frozenset(
    ("alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "xdigit", "print", "graph", "cntrl")
)
_MOST = 0x7FFF  # RE_DUP_MAX
_REPEAT = re.compile(r"\{(\d*)(,?)(\d*)\}", re.ASCII)
_INSIDE = re.compile(r"\[:(\w*):\]|\[[.=].*?[.=]\]|(.)-([^\]])|.", re.DOTALL)


def broken(pattern: str) -> str:
    """Why it does not compile; "" where it does."""
    at, depth, repeatable = 0, 0, False
    while at < len(pattern):
        one = pattern[at]
        if one == "\\" and at + 1 == len(pattern):
            return "ends with a backslash"
        if one == "[":
            end, why = _bracket(pattern, at)
            if why:
                return why
            at, repeatable = end, True
            continue
        if one in "*+?{":
            if not repeatable:
                return f"has a {one} with nothing before it"
            if one == "{":
                found = _REPEAT.match(pattern, at)
                if not found or not _fits(found):
                    return "has a { that counts nothing"
                at = found.end()
                continue
        depth += (one == "(") - (one == ")" and depth > 0)
        repeatable = one not in "(|^$"
        at += 2 if one == "\\" else 1
    return "has a ( that is not closed" if depth else ""


def _fits(found: re.Match[str]) -> bool:
    least, comma, most = found.groups()
    if not least and not comma:
        return False
    low, high = int(least or 0), int(most) if most else None
    return low <= _MOST and (high is None or low <= high <= _MOST)


def _bracket(pattern: str, start: int) -> tuple[int, str]:
    """Where a bracket expression ends, and what is wrong with it."""
    at = start + 1 + pattern.startswith("^", start + 1)
    first = at
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        found = _INSIDE.match(pattern, at)
        if found is None:  # never: any character is one
            break
        if found[1] is not None and found[1] not in _CLASSES:
            return at, f"has no class [:{found[1]}:]"
        if found[2] is not None and found[2] > found[3]:
            return at, f"has a range from {found[2]} back to {found[3]}"
        at = found.end()
    return (at + 1, "") if at < len(pattern) else (at, "has a [ that is not closed")
