"""Whether a tree is surely a site, for who must be quick: `mpio.sitekeys` gone through without pydantic_core, which
takes longer to import than `verify --nagios` has. What is wrong only `mpio.sitefile` tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpio import sitekeys, sitemistakes
from mpio.sitekeys import Schema
from mpio.sitemistakes import Tree


def is_sound(tree: Tree, nics: frozenset[str]) -> bool:
    """False also where it cannot be told here."""
    whole: Tree = {name: {} for name in sitekeys.OPTIONAL} | tree
    try:
        return _fits(whole, sitekeys.site()) and not any(sitemistakes.across(whole, nics))
    except ValueError:  # what a key's own check says
        return False


def _fits(given: Any, schema: Schema) -> bool:
    kind = schema["type"]
    if kind == "default":
        return _fits(given, schema["schema"])
    if kind.startswith("function-"):
        if kind == "function-after" and not _fits(given, schema["schema"]):
            return False
        schema["function"]["function"](given)
        return kind != "function-before" or _fits(given, schema["schema"])
    check = _KINDS.get(kind)
    return check is not None and check(given, schema)


def _table(given: Any, schema: Schema) -> bool:
    fields = schema["fields"]
    if not isinstance(given, dict) or given.keys() - fields.keys():
        return False
    there = all(key in given for key, field in fields.items() if field["required"])
    return there and all(_fits(value, fields[key]["schema"]) for key, value in given.items())


def _pairs(given: Any, schema: Schema) -> bool:
    keys, values = schema["keys_schema"], schema["values_schema"]
    return isinstance(given, dict) and all(_fits(k, keys) and _fits(v, values) for k, v in given.items())


def _list(given: Any, schema: Schema) -> bool:
    long = isinstance(given, list) and len(given) >= schema.get("min_length", 0)
    return long and all(_fits(one, schema["items_schema"]) for one in given)


def _between(given: Any, schema: Schema) -> bool:
    kinds = (int,) if schema["type"] == "int" else (int, float)
    return type(given) in kinds and bool(schema["ge"] <= given <= schema["le"])


_KINDS: dict[str, Callable[[Any, Schema], bool]] = {
    "typed-dict": _table,
    "dict": _pairs,
    "list": _list,
    "int": _between,
    "float": _between,
    "str": lambda given, _: isinstance(given, str),
    "bool": lambda given, _: isinstance(given, bool),
    "literal": lambda given, schema: any(type(given) is type(word) and given == word for word in schema["expected"]),
}
