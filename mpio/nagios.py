"""A verdict as a Nagios plug-in says it: one line, performance data, exit 0 to 3."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from mpio.errors import Exit, MpioError

if TYPE_CHECKING:
    from mpio.findings import Finding
    from mpio.topology import Lun

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
SAID = 3  # findings that are named; the rest is counted


def code(verdict: Exit) -> int:
    """Differing and degraded warn, failed is critical."""
    return {Exit.OK: OK, Exit.FAILED: CRITICAL}.get(verdict, WARNING)


def worst(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(f.summary for f in findings if f.severity.value in ("error", "critical"))


def line(verdict: Exit, luns: Iterable[Lun], said: tuple[str, ...], drift: int) -> str:
    """Counts of LUNs and the first of what is `said`; per LUN its usable paths, the expected ones as threshold."""
    wanted = [lun for lun in luns if lun.wanted]
    states = [lun.state.value for lun in wanted]
    counts = ", ".join(f"{states.count(s)} {s}" for s in ("healthy", "degraded", "failed", "unknown") if s in states)
    words = [f"{len(wanted)} LUNs: {counts}" if wanted else "no LUN in the site"]
    if drift:
        words.append(f"{drift} steps of drift")
    words += said[:SAID] + ((f"{len(said) - SAID} more findings",) if len(said) > SAID else ())
    data = [f"'{_label(x)}'={len(x.usable)};{x.expected or 0}:;1:;0;{x.expected or 0}" for x in wanted]
    return f"MPIO {WORDS[code(verdict)]} - {_plain('; '.join(words))} | {' '.join([*data, f'drift={drift};0'])}"


def severity(found: Iterable[Finding]) -> int:
    """Critical is critical, an error or a warning warns; infos are fine."""
    words = {f.severity.value for f in found}
    if "critical" in words:
        return CRITICAL
    return WARNING if words & {"error", "warning"} else OK


def diagnosis(found: Collection[Finding]) -> str:
    """The first findings, worst first as they come, and how many there are of each severity."""
    said = [f"{f.code} {f.summary}" for f in found if f.severity.value != "info"]
    words = "; ".join([*said[:SAID], *([f"{len(said) - SAID} more"] if len(said) > SAID else [])]) or "nothing found"
    names = ("critical", "error", "warning", "info")
    data = " ".join(f"{name}={sum(f.severity.value == name for f in found)};;;0" for name in names)
    return f"MPIO {WORDS[severity(found)]} - {_plain(words)} | {data}"


def without_sessions(names: tuple[str, ...]) -> str:
    """The line of a host that has no iSCSI session at all."""
    data = " ".join(f"'{_named(name)}'=0;;1:;0;" for name in names)
    return f"MPIO CRITICAL - {len(names)} LUNs: {len(names)} failed; there is no iSCSI session | {data}"


def unknown(error: MpioError) -> str:
    """The first line, and where that only counts what follows, the first of that."""
    first, *rest = error.message.split("\n")
    said = f"{first} {rest[0].strip()}" if rest and first.endswith(":") else first
    return f"MPIO UNKNOWN - {_plain(said)}"


def _label(lun: Lun) -> str:
    """Any characters but an equals sign and a quote may stand in a label (Monitoring Plugins guidelines)."""
    return _named(lun.alias or lun.wwid)


def _named(name: str) -> str:
    return _plain(name).replace("=", "_").replace("'", "_")


def _plain(text: str) -> str:
    """One line, and no mark that would start the performance data."""
    return "".join(c if c.isprintable() else " " for c in text).replace("|", "/")
