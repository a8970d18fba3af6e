"""Files of `key = value` lines, read as open-iscsi reads them and changed key by key.

These are iscsid.conf, records and initiatorname.iscsi. Tried on open-iscsi 2.1.8: in the first two a blank must
precede the `=` (`key=value` is passed over with a warning), the value goes to the end of the line, the last line of a
key that has a value wins, and a last line without its newline is not read. `InitiatorName` has a reader of its own:
blanks around the `=` are free, the first line wins, and the newline may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

NAMES = frozenset({"InitiatorName", "InitiatorAlias"})

_SETTING = re.compile(r"(\s*([^\s=#][^\s=]*)\s+=\s*)(\S(?:[^\n]*\S)?)(\s*)", re.ASCII)
_NAME = re.compile(rf"(\s*({'|'.join(sorted(NAMES))})\s*=\s*)(\S(?:[^\n]*\S)?)(\s*)", re.ASCII)
_PASSWORD = re.compile(r"^[^=\n]*?(password(?:_in)?)\s*=[^\S\n]*(\S[^\n]*)$", re.M | re.I)
_MENTION = re.compile(r"[\s#]*([^\s=#][^\s=]*)\s*=", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that is read: all its text is head + value + tail."""

    head: str
    key: str
    value: str
    tail: str


def values(text: str) -> dict[str, str]:
    """What is in force. Bytes that are no text may stand as surrogates."""
    found: dict[str, str] = {}
    for line in _lines(text):
        if said := _read(line):
            if said.key in NAMES:
                found.setdefault(said.key, said.value)
            else:
                found[said.key] = said.value
    return found


def holds_secret(text: str) -> bool:
    """Has it one in a line that is read, or in a comment? The samples of the stock file are none."""
    said = {(found[1], found[2].strip()) for found in _PASSWORD.finditer(text)}
    return any("password" in key for key in values(text)) or any(sample != key.lower() for key, sample in said)


def with_values(text: str, changes: Mapping[str, str | None], separator: str = " = ") -> str:
    """The text with these keys set, None: not set. Every other line stays byte for byte.

    The line in force gets the new value; without one, a new line goes below the last one that mentions the key (a
    commented default), or to the end. ValueError for a key or value that the line could not carry.
    """
    lines = _lines(text)
    for key, value in changes.items():
        lines = _without(lines, key) if value is None else _with(lines, key, value, separator)
    return "".join(lines)


def _lines(text: str) -> list[str]:
    """Lines with their newlines; only the last one may be without."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _read(line: str) -> _Line | None:
    """The setting on a line, None for comments, blank and unread lines."""
    if said := _NAME.fullmatch(line):
        return _Line(said[1], said[2], said[3], said[4])
    said = _SETTING.fullmatch(line) if line.endswith("\n") else None
    return _Line(said[1], said[2], said[3], said[4]) if said else None


def _without(lines: list[str], key: str) -> list[str]:
    return [line for line in lines if not ((said := _read(line)) and said.key == key)]


def _with(lines: list[str], key: str, value: str, separator: str) -> list[str]:
    new = f"{key}{separator}{value}\n"
    back = _read(new)
    if back is None or (back.key, back.value) != (key, value) or "\0" in new:
        # never the value: it may be a secret
        raise ValueError(f"{key!r} with this value cannot be a line of this file")
    places = [i for i, line in enumerate(lines) if (said := _read(line)) and said.key == key]
    if places:
        place = places[0] if key in NAMES else places[-1]
        old = _read(lines[place])
        changed = f"{old.head}{value}{old.tail}" if old else new
        return [*lines[:place], changed, *lines[place + 1 :]]
    place = _place(lines, key)
    beside = lines[place - 1] if place else (lines[0] if lines else "")
    ending = "\r\n" if beside.endswith("\r\n") else "\n"
    return [*lines[:place], new.removesuffix("\n") + ending, *lines[place:]]


def _place(lines: list[str], key: str) -> int:
    """Where a new line goes: never below a last line without newline, which would become part of a longer file."""
    whole = len(lines) - bool(lines and not lines[-1].endswith("\n"))
    mentions = [i for i in range(whole) if (said := _MENTION.match(lines[i])) and said[1] == key]
    return mentions[-1] + 1 if mentions else whole
