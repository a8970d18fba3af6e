"""The shape of a finding and of its row in the table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mpio.errors import Exit


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def exit(self) -> Exit:
        return {"error": Exit.DEGRADED, "critical": Exit.FAILED}.get(self.value, Exit.OK)


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table. `summary` and `remedy` are templates filled from a finding's subject and details; `evidence`
    is what it rests on, `reference` whose document or report tells more.

    `refusal` marks the codes that stop a verb. `--force` takes them, unless they are `always` refused.
    """

    code: str
    severity: Severity
    summary: str
    explanation: str
    remedy: str
    refusal: bool = False
    always: bool = False
    evidence: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A remark about a host. A code is for ever; `subject` is the thing itself: a NIC, portal, session, WWID, file."""

    code: str
    severity: Severity
    subject: str
    summary: str
    detail: str
    remedy: str
