"""What can be wrong with a site file's tree: the validator's errors in TOML's words, and what is wrong between keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mpio import sitewords

Loc = tuple[int | str, ...]
Tree = dict[str, Any]


def dotted(loc: Loc) -> str:
    """`("iface", 1, "name")` as `iface[1].name`; keys that TOML wants quoted are."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += "." * bool(text) + (part if re.fullmatch("[A-Za-z0-9_-]+", part) else quoted(part))
    return text


def quoted(text: str) -> str:
    """A TOML basic string: JSON's, whose escapes are TOML's too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


_WORDS = {
    "missing": "is missing",
    "too_short": "must not be empty",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "dict_type": "must be a table",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
}


def words(error: Mapping[str, Any], loc: Loc, keys: Tree) -> str:
    """One of pydantic's errors, for `loc` of the tree whose core schema is `keys`."""
    kind, context, given = error["type"], error.get("ctx", {}), error["input"]
    if kind == "extra_forbidden":
        return _unknown(loc, keys)
    if kind == "list_type" and isinstance(given, dict):
        return f"must be a list of tables: write [[{dotted(loc)}]]"
    if kind == "dict_type" and isinstance(given, list):
        return f"must be one table: write [{dotted(loc)}]"
    if kind == "value_error":
        return str(context["error"])
    return _WORDS[kind].format(**context) if kind in _WORDS else str(error["msg"])


def _unknown(loc: Loc, keys: Tree) -> str:
    here: Tree = keys
    for part in loc[:-1]:
        here = here["fields"][part]["schema"] if isinstance(part, str) else here["items_schema"]
        while here["type"] == "default":
            here = here["schema"]
    name = str(loc[-1])
    if name in {"fast_io_fail_tmo", "dev_loss_tmo"} and loc[0] == "multipath":
        return "is no key here: timeouts.replacement says it"
    import difflib

    near = difflib.get_close_matches(name, here["fields"], n=2)
    return "is no key here" + (f"; near: {', '.join(near)}" if near else "")


def _strings(tree: Tree, table: str, key: str) -> list[tuple[Loc, str]]:
    """The strings of one key in an array of tables, whatever else is wrong there."""
    rows = tree.get(table)
    rows = rows if isinstance(rows, list) else []
    found = [((table, i, key), row.get(key)) for i, row in enumerate(rows) if isinstance(row, dict)]
    return [(loc, text) for loc, text in found if isinstance(text, str)]


def across(tree: Tree, nics: frozenset[str]) -> Iterator[tuple[Loc, str]]:
    """What is wrong between keys, in a tree that may be wrong in any other way too."""
    bound = _strings(tree, "iface", "nic")
    taken = nics | {nic for _, nic in bound}
    names, aliases = _strings(tree, "iface", "name"), _strings(tree, "lun", "alias")
    yield from ((loc, f"{name!r} is the name of a NIC") for loc, name in names if name in taken)
    wwids = list(_kept(_strings(tree, "lun", "wwid"), sitewords.wwid))
    for named in (names, bound, aliases, wwids):
        yield from _again(named)
    owners = {wwid: loc for loc, wwid in wwids}
    for loc, alias in aliases:
        if owners.get(alias, loc)[:2] != loc[:2]:
            yield loc, f"{alias!r} is the WWID of {dotted(owners[alias][:2])}"
    san = tree["san"] if isinstance(tree["san"], dict) else {}
    portals = san.get("portals")
    asked = portals if isinstance(portals, list) else []
    texts = [(("san", "portals", i), text) for i, text in enumerate(asked) if isinstance(text, str)]
    yield from _again(_kept(texts, sitewords.portal))
    for key in ("chap", "discovery_chap"):
        chap = san.get(key)
        if isinstance(chap, dict) and ("username_in" in chap) != ("password_in_file" in chap):
            yield ("san", key), "username_in and password_in_file come together (mutual CHAP)"
    yield from _across_multipath(tree["multipath"])
    yield from _across_alerts(tree["watch"])


def _kept(found: Iterable[tuple[Loc, str]], check: Callable[[str], object]) -> Iterator[tuple[Loc, str]]:
    for loc, text in found:
        try:
            yield loc, str(check(text))
        except ValueError:
            continue  # the validator says so


def _again(found: Iterable[tuple[Loc, str]]) -> Iterator[tuple[Loc, str]]:
    seen: dict[str, Loc] = {}
    for loc, text in found:
        if text in seen:
            yield loc, f"{text!r} is {dotted(seen[text])} already"
        seen.setdefault(text, loc)


def _across_multipath(table: object) -> Iterator[tuple[Loc, str]]:
    """Without a vendor or product there is no device entry, and overrides have fewer keywords (dropin.place)."""
    if not isinstance(table, dict) or table.keys() & {"vendor", "product"}:
        return
    from mpio import presets
    from mpio.tools import multipathwords

    name = table.get("preset")
    preset = presets.PRESETS.get(name) if isinstance(name, str) else None
    if preset and not preset.vendor:
        for key in sorted((multipathwords.DEVICE_KEYWORDS - multipathwords.OVERRIDES_KEYWORDS) & table.keys()):
            yield ("multipath", key), f"needs vendor or product beside it: preset {name} is for no array in particular"


def _across_alerts(table: object) -> Iterator[tuple[Loc, str]]:
    alerts = table.get("alert") if isinstance(table, dict) else None
    for i, alert in enumerate(alerts if isinstance(alerts, list) else []):
        if isinstance(alert, dict) and len(alert.keys() & {"url", "url_file", "exec"}) != 1:
            yield ("watch", "alert", i), "takes one of url, url_file and exec"


def secrets(tree: Tree) -> Iterator[tuple[Loc, str]]:
    """The secret files that a tree names, whatever else is wrong in it."""
    san, watch = (t if isinstance(t, dict) else {} for t in (tree.get("san"), tree.get("watch")))
    for key in ("chap", "discovery_chap"):
        chap = san.get(key)
        for name in ("password_file", "password_in_file"):
            if isinstance(chap, dict) and isinstance(chap.get(name), str):
                yield ("san", key, name), chap[name]
    yield from ((("watch", *loc), path) for loc, path in _strings(watch, "alert", "url_file"))


def programs(tree: Tree) -> Iterator[tuple[Loc, str]]:
    """The programs that alerts start, by absolute paths."""
    watch = tree.get("watch")
    alerts = watch.get("alert") if isinstance(watch, dict) else None
    for i, alert in enumerate(alerts if isinstance(alerts, list) else []):
        argv = alert.get("exec") if isinstance(alert, dict) else None
        if isinstance(argv, list) and argv and isinstance(argv[0], str) and argv[0].startswith("/"):
            yield ("watch", "alert", i, "exec"), argv[0]
