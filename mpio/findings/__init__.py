"""The table of findings: every code that mpio can say, with its explanation and its remedy."""

from __future__ import annotations

from collections.abc import Iterable

from mpio.errors import Exit, UnknownName
from mpio.findings import absent, boots, configuration, disks, hosts, lines, logins, maps, network, sessions, wires
from mpio.findings.shape import Finding, Kind, Severity

_MODULES = (hosts, boots, network, wires, sessions, logins, absent, maps, disks, configuration, lines)
TABLE: dict[str, Kind] = {
    row.code: row for row in sorted((row for module in _MODULES for row in module.KINDS), key=lambda row: row.code)
}

# Codes that were given and are not any more: a code is for ever, so none of these names another finding.
RETIRED = {"MP218": "source routes are not managed by mpio (they are)"}

__all__ = ["RETIRED", "TABLE", "Finding", "Kind", "Severity", "finding", "kind", "refusal_codes", "worst"]


def finding(code: str, subject: str, detail: str = "", remedy: str = "") -> Finding:
    """A finding from its row of the table; `remedy` fills the row's own place for it."""
    row = TABLE[code]
    return Finding(
        code,
        row.severity,
        subject,
        row.summary.format(subject=subject),
        detail,
        row.remedy.format(subject=subject, remedy=remedy),
    )


def kind(code: str) -> Kind:
    """UnknownName with the nearest codes where there is no such row."""
    row = TABLE.get(code.upper())
    if row is None:
        near = [c for c in TABLE if c[:3] == code.upper()[:3]] or list(TABLE)
        raise UnknownName(f"there is no finding {code}", f"known are {', '.join(near)}")
    return row


def refusal_codes() -> tuple[str, ...]:
    """Those that `--force` takes."""
    return tuple(code for code, row in TABLE.items() if row.refusal and not row.always)


def worst(findings: Iterable[Finding]) -> Exit:
    return max((f.severity.exit for f in findings), default=Exit.OK)
