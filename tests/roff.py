"""Manual pages in man(7), as groff and mandoc read it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

COMMENT = '.\\" Written by `make docs`; changes made here are lost.'
PLAIN = ".nh\n.ad l"  # names are not broken at the end of a line, and no line is stretched

# What roff would print as something else, or not in ASCII: a minus that can be pasted, straight quotes.
_AS_THEY_ARE = {"\\": "\\(rs", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", "…": "..."}


def literal(text: str) -> str:
    return "".join(_AS_THEY_ARE.get(c, c) for c in text)


def bold(text: str) -> str:
    return f"\\fB{literal(text)}\\fP" if text else ""


def slanted(text: str) -> str:
    return f"\\fI{literal(text)}\\fP" if text else ""


def prose(text: str) -> str:
    """A paragraph; `words` in backquotes are bold. No line begins with a dot or a quote, which would be a request."""
    pieces = re.split(r"`([^`]+)`", " ".join(text.split()))
    marked = "".join(bold(p) if i % 2 else literal(p) for i, p in enumerate(pieces))
    lines = textwrap.wrap(marked, 80, break_long_words=False, break_on_hyphens=False)
    return "\n".join(re.sub(r"^(?=[.'])", r"\\&", line) for line in lines)


def paragraphs(text: str) -> str:
    return "\n.PP\n".join(prose(block) for block in text.strip().split("\n\n"))


def item(term: str, *blocks: str) -> str:
    return "\n".join((".TP", term, *filter(None, blocks)))


def inner(blocks: Iterable[str]) -> str:
    """Items below an item."""
    rows = list(blocks)
    return "\n".join((".RS", *rows, ".RE")) if rows else ""


def example(text: str) -> str:
    lines = [re.sub(r"^(?=\.)", r"\\&", literal(line)) or ".sp" for line in text.strip("\n").split("\n")]
    return "\n".join((".nf", ".RS 4", *lines, ".RE", ".fi"))


def section(title: str, *blocks: str) -> str:
    return f'.SH "{title}"\n' + "\n".join(blocks).removeprefix(".PP\n")


def page(name: str, number: int, title: str, edition: tuple[str, str], *sections: str) -> str:
    """A whole page. `edition` is the date and what it is the manual of."""
    date, source = edition
    head = f'.TH {literal(name.upper())} {number} "{date}" "{source}" "{title}"'
    return "\n".join((COMMENT, head, PLAIN, *sections)) + "\n"


def after(text: str) -> str:
    return f".PP\n{prose(text)}"


def see(*names: str) -> str:
    """References to other pages: "mpio(8)"."""
    return ",\n".join(f"\\fB{literal(name.partition('(')[0])}\\fP({name.partition('(')[2]}" for name in names)
