"""The tables of the `lun` verbs, made of their documents."""

from __future__ import annotations

from collections.abc import Mapping

from mpio import console
from mpio.console import Console

YES = {True: "yes", False: "no", None: ""}


def listed(out: Console, said: Mapping[str, object]) -> None:
    rows = []
    for lun in console.dicts(said["luns"]):
        expected = "?" if lun["expected_paths"] is None else lun["expected_paths"]
        row = (
            *(lun["alias"], lun["wwid"], lun["dm"], console.size(_number(lun["size"]))),
            *(f"{lun['vendor'] or ''} {lun['product'] or ''}".strip(), _words(lun["numbers"]), lun["serial"]),
            *(f"{lun['usable_paths']} of {expected}", YES.get(_truth(lun["in_site"]), "")),
            *(YES.get(_truth(lun["registered"]), ""), _used(lun)),
        )
        state = str(lun["state"])
        rows.append([*map(console.cell, row), out.colored(state, console.OF_STATE[state])])
    if rows:
        heads = ("LUN", "WWID", "DM", "SIZE", "PRODUCT", "NUMBER", "SERIAL", "PATHS", "SITE", "KNOWN", "USED BY")
        out.table((*heads, "STATE"), rows)


def news(out: Console, said: Mapping[str, object]) -> None:
    for word in ("appeared", "vanished", "resized"):
        for lun in console.dicts(said[word]):
            devs = ", ".join(
                f"{p['dev']} (LUN {str(p['hctl']).rpartition(':')[2]})" for p in console.dicts(lun["paths"])
            )
            out.out(f"{word}: {console.clean(str(lun['wwid']))}: {console.clean(devs)}")
    if not any(said.values()):
        out.say("nothing new")


def adoptions(out: Console, said: Mapping[str, object]) -> None:
    rows = [
        (one["alias"], one["wwid"], one["before"], one["after"], _words(one["dead"]), YES[bool(one["into_site"])])
        for one in console.dicts(said["adopted"])
    ]
    if rows:
        heads = ("LUN", "WWID", "EXPECTED", "WILL BE", "GONE DISKS", "INTO THE SITE")
        out.table(heads, [[console.cell(c) for c in row] for row in rows])


def _used(lun: Mapping[str, object]) -> str:
    """The first user and how many more there are."""
    users = console.dicts(lun["users"])
    if users:
        space = f" (in the mount namespace of {users[0]['space']})" if users[0]["space"] else ""
        more = f" and {len(users) - 1} more" if len(users) > 1 else ""
        return f"{users[0]['kind']} {users[0]['name']}{space}{more}"
    return f"open {lun['open_count']} times" if lun["open_count"] else ""


def _words(value: object) -> str:
    return " ".join(str(v) for v in value) if isinstance(value, list) else ""


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
