"""Unit files as systemd reads them: the file of the first folder that has one, and the drop-ins beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mpio.tools.sysfs import Reader

ADMINS = ("/etc/systemd/system", "/run/systemd/system")
FOLDERS = (*ADMINS, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
NOWHERE = "/dev/null"  # what a masked unit is a link to
_SECTION = re.compile(r"\[([^\[\]]+)\]")
_ORDER = {"Before", "After"}


@dataclass(frozen=True, slots=True)
class Unit:
    """`settings` are (section, key, value) in the order in which they count; `changed` the files that are not the
    package's own.
    """

    path: str
    settings: tuple[tuple[str, str, str], ...] = ()
    changed: tuple[str, ...] = ()

    def values(self, section: str, key: str) -> tuple[str, ...]:
        """What is in force of a key that may stand often: an empty value takes all before it back."""
        found: list[str] = []
        for where, name, value in self.settings:
            if (where, name) == (section, key):
                found = [*found, value] if value else []
        return tuple(found)

    def words(self, section: str, key: str) -> frozenset[str]:
        """The words of all of them; orders cannot be taken back (systemd.unit(5))."""
        every = [v for w, n, v in self.settings if (w, n) == (section, key)] if key in _ORDER else ()
        return frozenset(word for value in every or self.values(section, key) for word in value.split())


@dataclass(frozen=True, slots=True)
class Condition:
    """`ConditionPathExists=|!/x`: of those that `trigger` one must hold, of the others every one."""

    kind: str
    value: str
    trigger: bool = False
    negate: bool = False

    def __str__(self) -> str:
        return f"Condition{self.kind}={'|' * self.trigger}{'!' * self.negate}{self.value}"


def read(reader: Reader, name: str) -> Unit | None:
    """None where no folder has such a file; a masked one has no settings."""
    texts = ((f"{folder}/{name}", reader.text(f"{folder}/{name}")) for folder in FOLDERS)
    path, own = next(((path, text) for path, text in texts if text is not None), ("", ""))
    if not path:
        return None
    if reader.target(path) == NOWHERE:
        return Unit(NOWHERE)
    drop_ins: dict[str, str] = {}
    for folder in FOLDERS:
        for one in reader.names(f"{folder}/{name}.d"):
            if one.endswith(".conf"):
                drop_ins.setdefault(one, f"{folder}/{name}.d/{one}")
    files = [path, *(drop_ins[one] for one in sorted(drop_ins))]
    added = (reader.text(file) or "" for file in files[1:])
    settings = tuple(setting for text in (own, *added) for setting in parse(text))
    # A unit that is enabled under another name, or linked there, is a link to the package's own file.
    changed = tuple(f for f in files if f.startswith(ADMINS) and not reader.target(f))
    return Unit(path, settings, changed)


def parse(text: str) -> tuple[tuple[str, str, str], ...]:
    """(section, key, value) of each line that sets something; what is none is passed over, as systemd does."""
    found, section = [], ""
    for line in re.sub(r"\\\n(?:[#;][^\n]*\n)*", " ", text).split("\n"):
        said = line.strip()
        if not said or said[0] in "#;":
            continue
        if heading := _SECTION.fullmatch(said):
            section = heading[1]
            continue
        key, assigned, value = said.partition("=")
        if assigned:
            found.append((section, key.strip(), value.strip()))
    return tuple(found)


def conditions(unit: Unit) -> tuple[Condition, ...]:
    """The conditions in force: an empty one of any kind takes all before it back."""
    found: list[Condition] = []
    for section, key, value in unit.settings:
        if section != "Unit" or not key.startswith("Condition"):
            continue
        if not value:
            found = []
            continue
        rest = value.removeprefix("|").lstrip()
        plain = rest.removeprefix("!").lstrip()
        found.append(Condition(key.removeprefix("Condition"), plain, value.startswith("|"), rest.startswith("!")))
    return tuple(found)


def wanted_by(reader: Reader, target: str) -> frozenset[str]:
    """The units that a target pulls in by links."""
    return frozenset(one for folder in FOLDERS for one in reader.names(f"{folder}/{target}.wants"))


def span(text: str) -> float | None:
    """Seconds of a time span (systemd.time(7)): `90`, `1min 30s`, `5m`; inf for `infinity`, None for none."""
    if text.strip() == "infinity":
        return float("inf")
    parts = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]*)", text)
    if not parts or re.sub(r"(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]*)", "", text).strip():
        return None
    if any(unit not in _SECONDS for _, unit in parts):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


_SECONDS = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("ms", "msec"), 0.001),
}
