"""Secrets that can be found again however they are spelt: two words of letters and digits around awkward characters.

Quoting, escaping and percent-encoding keep such words; base64, hexadecimal digits, UTF-16 and escapes of every
character do not, so that what is searched for are the words in these, too.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

# Session and discovery CHAP, each with this host's name and secret, then the array's: quotes, a dollar, a backslash,
# blanks, a hash sign (a comment at the start of a line), no ASCII, what sh, printf, TOML and URLs make something of.
SESSIONS = ("prague", "Kestrel41\"'$%\\ #é~Wagtail52", "homer", "Plover6301 `x`;&|<>Dunlin7402")
DISCOVERY = ("disco", "#Sanderling85 = x %41Curlew9603", "homer-too", "0x4c6170Lapwing071 ${HOME} €Redwing082")
TOKEN, PASSWORD = "Fieldfare1904", "Brambling2805"  # of an alert: in the URL's path, and its password
URL = f"json://operator:{PASSWORD}%40%2F@127.0.0.1:8027/{TOKEN}"

WORDS = (
    *("Kestrel41", "Wagtail52", "Plover6301", "Dunlin7402"),
    *("Sanderling85", "Curlew9603", "Lapwing071", "Redwing082"),
    *(TOKEN, PASSWORD),
)


def spellings(word: str) -> dict[str, str]:
    """How it may stand somewhere, by the name of the encoding; bytes as Latin-1."""
    data = word.encode()
    found = {
        "plain": word,
        "upper": word.upper(),
        "lower": word.lower(),
        "backwards": word[::-1],
        "hex": data.hex(),
        "HEX": data.hex().upper(),
        "hex with blanks": data.hex(" "),
        "percent": "".join(f"%{byte:02x}" for byte in data),
        "PERCENT": "".join(f"%{byte:02X}" for byte in data),
        "\\x": "".join(f"\\x{byte:02x}" for byte in data),
        "\\u": "".join(f"\\u{byte:04x}" for byte in data),
        "octal": "".join(f"\\{byte:03o}" for byte in data),
        "HTML": "".join(f"&#{byte};" for byte in data),
        "UTF-16": word.encode("utf-16-le").decode("latin-1"),
    }
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data).decode()
        found[f"base64 at {before}"] = coded[(0, 2, 3)[before] : (before + len(data)) * 8 // 6]
    return found


def every(words: Iterable[str] = WORDS) -> dict[str, str]:
    """What to search for: each spelling with the word and the encoding."""
    return {spelt: f"{word} ({name})" for word in words for name, spelt in spellings(word).items() if "\0" not in spelt}


def wide(words: Iterable[str] = WORDS) -> dict[str, str]:
    """Those with NUL bytes, which no argument and no line can hold."""
    return {spelt: f"{word} ({name})" for word in words for name, spelt in spellings(word).items() if "\0" in spelt}


def shown(text: str) -> set[str]:
    """The secrets of a text, as words and encodings."""
    return {name for spelt, name in every().items() if spelt in text}
