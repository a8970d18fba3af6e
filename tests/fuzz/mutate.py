"""What strangers, crashes and bit rot do to a text: a recorded one with some of these done to it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

HOSTILE = (
    *(
        b'"',
        b"'",
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"=",
        b"#",
        b"!",
        b",",
        b"\0",
        b"\r",
        b"\t",
    ),
    *(b"\n", b"\n\n", b"\x1b[2J", b"\x85", b"\xff\xfe", b"\xc3", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\x7f", b" " * 99),
    *(b"../../etc/shadow", b"$(reboot)", b"`reboot`", b"; reboot", b"%s%n", b"{0.__class__}", b"-x", b"--", b"*"),
    *(b"null", b"true", b"NaN", b"Infinity", b"-1", b"0", b"1e999", b"[undef]", b"<empty>", b"default", b"********"),
    *(
        b"fe80::1%eth0",
        b"[::1]:99999",
        b"0.0.0.0",
        b'","dm_st":"active',
        b'", "sysfs" : "dm-9',
        b"password = x",
        b"://u:p@h",
    ),
)
NUMBERS: tuple[bytes, ...] = (
    b"0",
    b"-1",
    b"4294967295",
    b"18446744073709551616",
    b"9" * 25,
    b"9" * 5000,
    b"1e309",
    b"0x10",
    b"010",
)
NUMBERS += ("\u0663".encode(), "\u00b2".encode(), b"1.5", b"", b"1_0", b"+1", b" 7")
LARGEST = 200_000

Change = Callable[[bytes, random.Random], bytes]


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    begin = chance.randrange(len(data) + 1)
    return begin, min(len(data), begin + chance.choice((1, 1, 2, 9, 80, 999)))


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _behead(data: bytes, chance: random.Random) -> bytes:
    return data[chance.randrange(len(data) + 1) :]


def _delete(data: bytes, chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    return data[:begin] + data[end:]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    return data[:end] + data[begin:end] * chance.choice((1, 2, 50)) + data[end:]


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(HOSTILE) * chance.choice((1, 1, 3)) + data[at:]


def _flip(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes((chance.randrange(256),)) + data[at + 1 :]


def _lines(data: bytes, chance: random.Random) -> bytes:
    """A line deleted, said twice, moved, or two of them changed about."""
    lines = data.split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case _:
            lines[one] = chance.choice(HOSTILE)
    return b"\n".join(lines)


def _number(data: bytes, chance: random.Random) -> bytes:
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return data
    one = chance.choice(found)
    return data[: one.start()] + chance.choice(NUMBERS) + data[one.end() :]


def _word(data: bytes, chance: random.Random) -> bytes:
    """A word becomes another one of the text, or a hostile one."""
    found = list(re.finditer(rb"[^\s\"=:,]+", data))
    if not found:
        return data
    one = chance.choice(found)
    new = chance.choice(found)[0] if chance.random() < 0.5 else chance.choice(HOSTILE)
    return data[: one.start()] + new + data[one.end() :]


CHANGES: tuple[Change, ...] = (
    _cut,
    _behead,
    _delete,
    _repeat,
    _insert,
    _flip,
    _lines,
    _lines,
    _number,
    _number,
    _word,
    _word,
)


def mutated(data: bytes, seed: int, count: int = 0) -> bytes:
    """The same for the same seed; `count` changes, or a few."""
    chance = random.Random(seed)
    for _ in range(count or chance.choice((1, 1, 1, 2, 3, 8))):
        data = chance.choice(CHANGES)(data, chance)[:LARGEST]
    return data
