"""Editing the LUNs of a site file: tomlkit writes what is new, and whatever else is there stays, to the byte.

tomlkit gathers [[lun]] tables that stand apart, and to it the comments above a header belong to the table before. So it
is given one table at a time, and what comes out is looked at: another tree than meant, or a line lost, is an error.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable
from itertools import takewhile
from typing import Any

from mpio import sitewords
from mpio.errors import MpioError

Tree = dict[str, Any]
# Changes blocks and tree alike, and tells which lines may be gone then.
Change = Callable[[list[str], Tree], str]

_COMMENT = re.compile(r"[ \t]*#.*\n")
_BLANK = re.compile(r"[ \t\r]*\n")
_EITHER = re.compile(r"[ \t\r]*(?:#.*)?\n")


def with_lun(text: str, wwid: str, alias: str = "", paths: int | None = None) -> str:
    """The text with one more LUN behind the others; `wwid` is one that it does not have."""
    words: Tree = {"wwid": wwid} | ({"alias": alias} if alias else {}) | ({"paths": paths} if paths else {})

    def change(blocks: list[str], tree: Tree) -> str:
        luns = tree.setdefault("lun", [])
        luns.append(words)
        found = _found(blocks)
        if found == [0]:
            own = _of_list(blocks[0], luns[-2]["wwid"] if luns[1:] else "lun")
            blocks[0] = _by_tomlkit(blocks[0], lambda doc: doc["lun"].append(_inline(words)))
            return own
        at = found[-1] if found else len(blocks) - 1
        before, behind = _own(blocks[at]) if found else _cut(blocks[at], _BLANK)
        blocks[at] = before + "\n" * bool(before) + _table(words, before if found else "") + behind
        return ""

    said = " and ".join(f"{key} = {value!r}" for key, value in words.items())
    return _edited(text, change, f"add a [[lun]] with {said}")


def without_lun(text: str, wwid: str) -> str:
    """The text without this LUN and the comments that stand right at it; the same text where it is not there."""
    number = _number(text, wwid)
    if number is None:
        return text

    def change(blocks: list[str], tree: Tree) -> str:
        written = tree["lun"].pop(number)["wwid"]
        found = _found(blocks)
        if found == [0]:
            own = _of_list(blocks[0], written)
            blocks[0] = _by_tomlkit(blocks[0], lambda doc: doc["lun"].pop(number))
            return own
        if not tree["lun"]:
            del tree["lun"]
        own, blocks[found[number]] = _own(blocks[found[number]])
        before, blank = _cut(blocks[found[number] - 1], _BLANK)
        blocks[found[number] - 1] = before + "".join(_lines(blank)[:-1])
        return "".join(_lines(blank)[-1:]) + own

    return _edited(text, change, f"take the [[lun]] with wwid = {wwid!r} out")


def with_paths(text: str, wwid: str, paths: int | None) -> str:
    """The text with another expectation for this LUN; None: the one that follows from the plan."""
    number = _number(text, wwid)
    if number is None or tomllib.loads(text)["lun"][number].get("paths") == paths:
        return text

    def change(blocks: list[str], tree: Tree) -> str:
        lun, found = tree["lun"][number], _found(blocks)
        listed = found == [0]
        at, index = (0, number) if listed else (found[number], 0)
        # tomlkit puts a new key behind the last comment, which may be about something else
        keys, behind = (blocks[at], "") if listed else _cut(blocks[at], _EITHER)

        def edit(doc: Any) -> None:
            entry = doc["lun"][index]
            if paths is None:
                del entry["paths"]
            elif "paths" in lun:
                entry["paths"] = paths
            else:
                _put(entry, "paths", paths, entry)

        blocks[at] = _by_tomlkit(keys, edit) + behind
        tree["lun"][number] = {k: v for k, v in (lun | {"paths": paths}).items() if v is not None}
        return _of_list(keys, lun["wwid"]) if listed else "".join(x for x in _lines(keys) if "paths" in x)

    said = "no paths" if paths is None else f"paths = {paths}"
    return _edited(text, change, f"the [[lun]] with wwid = {wwid!r} is to have {said}")


def _edited(text: str, change: Change, by_hand: str) -> str:
    """The text as it is after this change; MpioError where it would be one that is not meant."""
    from tomlkit.exceptions import TOMLKitError  # 20 ms, paid where a file is edited

    # tomlkit ends its lines with \n, and puts them right behind a last line without an end: given back at the end
    crlf = 0 < text.count("\n") == text.count("\r\n")
    plain = text.replace("\r\n", "\n") if crlf else text
    bare = "" if plain.endswith("\n") or not plain else "\n"
    tree, blocks = tomllib.loads(text), _blocks(plain + bare)
    try:
        own = change(blocks, tree)
        new = "".join(blocks)
        fine = tomllib.loads(new) == tree and kept(plain + bare, new, own)
    except (TOMLKitError, ValueError):
        fine = False
    if not fine:
        raise MpioError(
            "cannot edit the site file as it is written", f"edit it by hand: {by_hand}; then run this again"
        )
    new = new.removesuffix(bare)
    return new.replace("\n", "\r\n") if crlf else new


def kept(old: str, new: str, own: str) -> bool:
    """Is every line that is not one of `own` still there, in its order?"""
    gone = Counter(_lines(old)) - Counter(_lines(new))
    left = iter(_lines(new))
    return gone <= Counter(_lines(own)) and all(line in left for line in _lines(old) if line not in gone)


def _by_tomlkit(block: str, edit: Callable[[Any], object]) -> str:
    import tomlkit

    doc = tomlkit.parse(block)
    edit(doc)
    return doc.as_string()


def _table(words: Tree, like: str) -> str:
    """A [[lun]] of these words, its keys written as those of the one before."""
    import tomlkit

    last: Any = tomlkit.parse(like)["lun"] if like else [{}]
    table = tomlkit.table()
    for name, value in words.items():
        _put(table, name, value, last[0])
    return "[[lun]]\n" + table.as_string()


def _inline(words: Tree) -> Any:
    import tomlkit

    table = tomlkit.inline_table()
    table.update(words)
    return table


def _put(table: Any, name: str, value: object, like: Any) -> None:
    """One more key, in a table of its own indented and aligned as the WWID of the table `like`."""
    from tomlkit import items, key

    new, item = key(name), items.item(value)
    if not isinstance(table, items.Table):
        table.append(new, item)
        return
    for said, what in like.value.body if like else ():
        if said and said.key == "wwid":
            wide = len(said.as_string() + said.sep.partition("=")[0])
            new.sep = " " * max(1, wide - len(name)) + "= "
            item.trivia.indent = what.trivia.indent
    table.raw_append(new, item)


# -- tables as text ------------------------------------------------------------------------------------------------


def _blocks(text: str) -> list[str]:
    """What stands before the first header, then each table with the comments right above it."""
    blocks = [""]
    for line in _lines(text):
        # within a string or a list no header begins, and what is before is no TOML
        if line.lstrip(" \t").startswith("[") and _whole(blocks[-1]):
            blocks[-1], comments = _cut(blocks[-1], _COMMENT)
            blocks.append(comments)
        blocks[-1] += line
    return blocks


def _found(blocks: list[str]) -> list[int]:
    """The blocks that are a [[lun]]; the first block alone, where it has a list `lun = [...]`."""
    return [n for n, block in enumerate(blocks) if isinstance(tomllib.loads(block).get("lun"), list)]


def _number(text: str, wwid: str) -> int | None:
    luns = tomllib.loads(text).get("lun", [])
    return next((n for n, lun in enumerate(luns) if sitewords.wwid(lun["wwid"]) == wwid), None)


def _own(block: str) -> tuple[str, str]:
    """A table with the comments right behind it, and what comes then."""
    keys, behind = _cut(block, _EITHER)
    own = len(keys) + sum(map(len, takewhile(_COMMENT.fullmatch, _lines(behind))))
    return block[:own], block[own:]


def _of_list(block: str, word: str) -> str:
    """The lines of a list that may change: this LUN's, and any without a comment, whose words the tree accounts for."""
    return "".join(line for line in _lines(block) if word in line or "#" not in line)


def _cut(text: str, line: re.Pattern[str]) -> tuple[str, str]:
    """The text and the lines like this at its end, unless they are within a string."""
    lines = _lines(text)
    at = len(lines)
    while at and line.fullmatch(lines[at - 1]):
        at -= 1
    while not _whole("".join(lines[:at])):  # they all together are
        at += 1
    return "".join(lines[:at]), "".join(lines[at:])


def _lines(text: str) -> list[str]:
    return re.findall(r".*\n", text)


def _whole(text: str) -> bool:
    try:
        tomllib.loads(text)
    except ValueError:
        return False
    return True
