"""The completion scripts for bash, zsh and fish, from the command tree.

Typer's own scripts start Python at every key, know no files and no colons within words; these know verbs and options
by themselves, and ask mpio (mpio/commands/complete.py) only for what this host has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import reference

from mpio.stat import FIELDS
from mpio.step import Part

HEAD = "# Completion of mpio's command line for {name}. Written by `make docs`; changes made here are lost.\n"

# What stands in a metavar's place; `asked` are kinds of mpio/commands/complete.py. "a|b" needs no entry: it says so.
PLACES = {
    "--alias": "nothing",
    "--force": "asked refusals",
    "A:P": "nothing",
    "ALIAS|WWID": "asked luns",
    "CODE": "asked codes",
    "COMMAND": "nothing",
    "DIR": "folders",
    "FIELDS": f"list {' '.join(dict.fromkeys(field for own in FIELDS.values() for field in own))} all",
    "FILE": "files",
    "NAME": "asked ifaces",
    "NIC": "asked nics",
    "PARTS": f"list {' '.join(Part)}",
    "PORTAL": "asked portals",
    "SECONDS": "nothing",
    "TIME": "nothing",
    "WWID": "asked wwids",
    "X": "asked names",
}


@dataclass(frozen=True)
class Word:
    """An option with its spellings, or an argument without any. `place` is empty for a flag."""

    spelt: tuple[str, ...]
    says: str
    place: str = ""
    shown: str = ""
    many: bool = False

    @property
    def kind(self) -> str:
        return self.place.partition(" ")[0]

    @property
    def words(self) -> str:
        return self.place.partition(" ")[2]


@dataclass(frozen=True)
class Verb:
    """A verb or, with verbs below it, a family of them; the root is the family without a name."""

    name: str
    says: str
    options: tuple[Word, ...]
    arguments: tuple[Word, ...] = ()
    below: tuple[Verb, ...] = ()

    @property
    def last(self) -> str:
        return self.name.rpartition(" ")[2]


HELP = Word(("--help",), "Show the options of the verb and end.")


def root() -> Verb:
    top, _, _ = reference.command_tree()
    return _verb("", top)


def _verb(name: str, command: Any) -> Verb:
    below = tuple(_verb(f"{name} {word}".strip(), inner) for word, inner in getattr(command, "commands", {}).items())
    words = [_word(p) for p in command.params if p.name != "help"]
    options = tuple(w for w in words if w.spelt)
    return Verb(name, reference.said(command), (*options, HELP), tuple(w for w in words if not w.spelt), below)


def _word(param: Any) -> Word:
    spelt, metavar = reference.spelt(param)
    words = tuple(spelt.split(", ")) if spelt else ()
    shown = metavar.strip("[].")
    place = PLACES.get(words[-1] if words else "", "")
    if shown and not place:  # whoever adds an option says above what stands in its place
        place = f"words {shown.replace('|', ' ')}" if "|" in shown and shown not in PLACES else PLACES[shown]
    return Word(words, reference.said(param), place, shown, param.multiple if words else param.nargs == -1)


def verbs(verb: Verb) -> Iterator[Verb]:
    yield verb
    for inner in verb.below:
        yield from verbs(inner)


def runnable(top: Verb) -> list[Verb]:
    return [verb for verb in verbs(top) if not verb.below]


def everywhere(top: Verb) -> tuple[Word, ...]:
    """The options that every verb has."""
    first, *others = (verb.options for verb in runnable(top))
    return tuple(word for word in first if all(word in options for options in others))


def valued(top: Verb) -> dict[str, str]:
    """What follows each option that takes a value; with its verb before it, where verbs differ in that."""
    found: dict[str, dict[str, str]] = {}
    for verb in verbs(top):
        for word in verb.options:
            for spelt in word.spelt if word.place else ():
                found.setdefault(spelt, {})[f"{verb.name} {spelt}"] = word.place
    alike = {spelt: len(set(of.values())) == 1 for spelt, of in found.items()}
    return {(spelt if alike[spelt] else whole): place for spelt, of in found.items() for whole, place in of.items()}


def filled(text: str, fields: dict[str, str]) -> str:
    for field, value in fields.items():
        text = text.replace(f"@{field}@", value)
    return text


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
