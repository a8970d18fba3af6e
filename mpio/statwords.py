"""The rows of `stat` in words, as ipmpstat says them: a table for people, and lines for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mpio import choose
from mpio.errors import UsageError
from mpio.host import Portal
from mpio.stat import FIELDS, Interfaces, Row, Value, View

PORT = 3260
EMPTY = "--"
FEW = 4  # names of a list that people are shown
SECONDS = {"fdt", "time"}
MILLISECONDS = {"netrtt", "rtt", "rttavg", "rttdev"}
# A stream cannot know how long its next line will be.
WIDTHS = {"time": 10, "interface": 16, "probe": 7, "netrtt": 10, "rtt": 10, "rttavg": 10, "rttdev": 10, "target": 18}
Names = Mapping[str, str]


def fields(view: View, said: str, parseable: bool) -> tuple[str, ...]:
    """The fields that `--fields` names, in its order and in any case. UsageError for others."""
    known = FIELDS[view]
    own = ",".join(known).upper()
    if parseable and (not said or said.lower() == "all"):
        raise UsageError("--parseable needs the fields by name", f"--fields {own}")
    if not said:
        return tuple(f for f in known if f != "answer")  # ipmpstat's own
    if said.lower() == "all":
        return known
    wanted = tuple(word.strip().lower() for word in said.split(","))
    for word in wanted:
        if word not in known:
            near = [name.upper() for name in choose.nearest(word, known)]
            raise UsageError(f"the {view} view has no field {word!r}", f"did you mean {', '.join(near)}? It has {own}")
    return wanted


def table(chosen: Sequence[str], rows: Iterable[Row], names: Names) -> list[str]:
    """A line of heads and a line a row, columns as wide as they need."""
    lines = [[f.upper() for f in chosen]]
    lines += [[_short(row[f], f, names) or EMPTY for f in chosen] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(chosen))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]


def line(chosen: Sequence[str], row: Row | None, names: Names) -> str:
    """One line of a stream; its heads without a row."""
    cells = [f.upper() if row is None else _short(row[f], f, names) or EMPTY for f in chosen]
    return " ".join(cell.ljust(WIDTHS.get(f, 0)) for f, cell in zip(chosen, cells, strict=True)).rstrip()


def lines(chosen: Sequence[str], rows: Iterable[Row], names: Names) -> list[str]:
    return [parseable(chosen, row, names) for row in rows]


def parseable(chosen: Sequence[str], row: Row, names: Names) -> str:
    """The fields with colons between them; colons and backslashes in a value are escaped where there is more than one
    field.
    """
    cells = [text(row[f], f, names) for f in chosen]
    if len(cells) == 1:
        return cells[0]
    return ":".join(cell.replace("\\", "\\\\").replace(":", "\\:") for cell in cells)


def text(value: Value, field: str, names: Names) -> str:
    """One value; empty where there is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if field in SECONDS and isinstance(value, int | float):
        return f"{value:.2f}s"
    if field in MILLISECONDS and isinstance(value, int | float):
        return f"{value * 1000:.2f}ms"
    if isinstance(value, Portal):
        return _portal(value, names)
    if isinstance(value, Interfaces):
        waiting = f"({' '.join(value.inactive)})" if value.inactive else ""
        broken = f"[{' '.join(value.unusable)}]" if value.unusable else ""
        return " ".join(filter(None, [*value.active, waiting, broken]))
    if isinstance(value, tuple):
        return " ".join(_portal(v, names) if isinstance(v, Portal) else names.get(v, v) for v in value)
    return str(value)


def _short(value: Value, field: str, names: Names) -> str:
    """For people: of a long list the first few, and how many more."""
    if field == "group" and isinstance(value, tuple) and len(value) > FEW:
        return f"{text(value[: FEW - 1], field, names)} and {len(value) - FEW + 1} more"
    return text(value, field, names)


def _portal(portal: Portal, names: Names) -> str:
    """Its address, or the name of it; the port where it is not the usual one."""
    named = names.get(portal.address)
    if portal.port == PORT:
        return named or portal.address
    return f"{named}:{portal.port}" if named else str(portal)


def addresses(rows: Iterable[Row]) -> set[str]:
    """All that could have a name."""
    found: set[str] = set()
    for row in rows:
        for field in ("address", "testaddr", "targets", "target"):
            value = row.get(field)
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, Portal | str):
                    found.add(one.address if isinstance(one, Portal) else one)
    return found


def json(row: Row, chosen: Iterable[str]) -> dict[str, object]:
    """Portals with their ports, times in seconds."""
    return {f: _json(row[f]) for f in chosen}


def _json(value: Value) -> object:
    if isinstance(value, Portal):
        return str(value)
    if isinstance(value, Interfaces):
        return {"active": value.active, "inactive": value.inactive, "unusable": value.unusable}
    if isinstance(value, tuple):
        return [str(v) for v in value]
    return value
