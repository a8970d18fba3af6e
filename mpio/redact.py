"""Secrets out of text: what follows a key that names one, and every known secret wherever and however it is spelt."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from mpio import recording, sitetoml
from mpio.recording import MASK

SHORTEST = 4  # a shorter one is only removed where its key tells it: it would be found in everything
PLAIN = 8  # one of letters and digits shorter than this counts as a whole word only, unless it is spelt otherwise

_KEY = re.compile(r"password|passwd|secret|token|api_?key", re.I)
_LINE = re.compile(r"^[^#\n]*?password(?:_in)?\"?[^\S\n]*[=:][^\S\n]*(\S[^\n]*)", re.I | re.M)
# Each begins where a scheme ends: to look for its begin at every letter takes quadratic time.
_USER = re.compile(r"((?<=[a-z0-9+.-])://)[^/\s\"']+@", re.I)
# [[watch.alert]] url = "mailto://…" and exec = ["/usr/local/sbin/page", …], also in a comment or a broken file.
_URL = re.compile(r"((?<![\w-])[\"']?url[\"']?[^\S\n]*=[^\S\n]*)(\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)|[^\n]*)", re.S)
_EXEC = re.compile(
    r"((?<![\w-])[\"']?exec[\"']?[^\S\n]*=[^\S\n]*)(.*?)(?=\n[^\S\n]*(?:\[|[\w.-]+\s*=|\"[^\"\n]*\"\s*=)|\Z)", re.S
)
_FILE = re.compile(r"(?:password_file|password_in_file|url_file)[\"']?\s*=\s*[\"']+([^\"'\n]+)[\"']")
_SCHEME = re.compile(r"[\"']+([a-z][a-z0-9+.-]*)://", re.I)
_ANY = re.compile(r"((?<=[a-z0-9+.-])://)[^\s\"'*][^\s\"']*", re.I)  # a key that is none of ours holds one too
_WORD = re.compile(r"\[\s*([\"'])(/[^\"'\n]*)\1")


@dataclass(frozen=True, slots=True)
class Named:
    """What a site file says of secrets: the secrets themselves, and the files that hold some."""

    secrets: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()


def in_settings(text: str) -> frozenset[str]:
    """The secrets of a file of `key = value` lines: iscsid.conf, a record."""
    values = (v.rstrip() for v in _LINE.findall(text))
    return frozenset(v.strip("\"'") for v in values if v not in ("<empty>", MASK))


def in_site(text: str) -> Named:
    """Those of a site file. Of one that is no TOML only the files: its lines are masked all the same."""
    try:
        said = sitetoml.loads(text)
    except ValueError:
        return Named(files=frozenset(_FILE.findall(text)))
    leaves = list(_leaves("", said))
    files = frozenset(v for k, v in leaves if k.endswith(("password_file", "password_in_file", "url_file")))
    keyed = (v for k, v in leaves if _KEY.search(k.rpartition(".")[2]) and not k.endswith("_file"))
    found = {line.strip() for value in keyed for line in value.splitlines() if line.strip()}
    for key, value in leaves:
        if key.endswith(".url") or "://" in value:
            found |= of_url(value.strip())
        elif ".exec." in f"{key}.":
            found |= of_word(value)
    return Named(frozenset(found), files)


def _leaves(key: str, value: object) -> Iterator[tuple[str, str]]:
    """Every text of the document with its dotted key; a list's items have its key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(f"{key}.{name}" if key else str(name), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(key, inner)
    elif isinstance(value, str):
        yield key, value


def of_url(url: str) -> set[str]:
    """A URL of Apprise holds its secrets as user and password, or as parts of its path and query."""
    rest = url.partition("://")[2]
    user, at, host = rest.rpartition("@")
    parts = [*user.split(":"), *re.split(r"[/?&=]", host if at else rest)[1 if at else 0 :]]
    found = {url, rest, *(p for p in parts if len(p) >= PLAIN), *(user.split(":")[1:] if at else [])}
    return found | {unquote(p) for p in found}  # as a service's own words may have them


def words_of_url(url: str) -> set[str]:
    """What else of it is told by its place, however short: user, password and the values of keys."""
    rest = url.partition("://")[2]
    path, _, query = rest.partition("?")
    values = (one.partition("=")[2] for one in re.split("[&;]", query))
    found = {*path.rpartition("@")[0].split(":"), *values}
    return {said for one in found for said in (one, unquote(one), unquote_plus(one))} - {""}


def of_word(word: str) -> set[str]:
    """What may be a secret in an argument of a program that an alert starts."""
    if word.startswith(("/", "--")):
        return {word.partition("=")[2]} - {""}
    return {word}


def shown(url: str) -> str:
    """What may be said of a URL: any other part of it may be a secret, the host, too (slack://TokenA/TokenB)."""
    return f"{url.partition('://')[0]}://{MASK}"


def site(text: str) -> str:
    """The text of a site file without what its alerts hold."""
    return _EXEC.sub(_exec, _ANY.sub(rf"\g<1>{MASK}", _URL.sub(_url, text)))


def _url(found: re.Match[str]) -> str:
    scheme = _SCHEME.match(found[2])
    return f'{found[1]}"{scheme[1]}://{MASK}"' if scheme else f'{found[1]}"{MASK}"'


def _exec(found: re.Match[str]) -> str:
    program = _WORD.match(found[2])
    return f'{found[1]}["{program[2]}", "{MASK}"]' if program else f'{found[1]}["{MASK}"]'


@dataclass(frozen=True, slots=True)
class Eraser:
    """Takes secrets out of any text. Made once: `known` holds each secret as it may be written."""

    known: re.Pattern[str] | None

    def __call__(self, text: str) -> str:
        # keys first: a secret may be a word that they are told by; URLs last: half a secret is found no more
        masked = recording.mask(text)
        return _USER.sub(rf"\g<1>{MASK}@", self.known.sub(MASK, masked) if self.known else masked)


def eraser(secrets: Iterable[str], words: Iterable[str] = ()) -> Eraser:
    """`words` are secrets of any length, which count as whole words only."""
    found = {spelt: _pattern(spelt) for one in secrets if len(one) >= SHORTEST for spelt in _spellings(one)}
    found = {word: _whole(word) for word in words} | found
    patterns = [found[spelt] for spelt in sorted(found, key=lambda s: (-len(s), s))]
    return Eraser(re.compile("|".join(patterns)) if patterns else None)


def _pattern(spelt: str) -> str:
    return _whole(spelt) if spelt.isalnum() and len(spelt) < PLAIN else re.escape(spelt)


def _whole(word: str) -> str:
    return rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])"


def _spellings(secret: str) -> set[str]:
    data = secret.encode("utf-8", "surrogateescape")
    words = {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], shlex.quote(secret), html.escape(secret)}
    as_jinja = html.escape(secret).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")  # markupsafe's
    words |= {json.dumps(secret, ensure_ascii=False)[1:-1], as_jinja}
    if data.decode("utf-8", "ignore") == secret:
        words |= {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    if len(data) >= 6:
        words |= {data.hex(), data.hex().upper()}
        for before in range(3):  # base64 of a longer text that has the secret in it
            coded = base64.b64encode(b"\0" * before + data).decode()
            inner = coded[(0, 2, 3)[before] : (before + len(data)) * 8 // 6]
            words |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {w for w in words if len(w) >= SHORTEST}
