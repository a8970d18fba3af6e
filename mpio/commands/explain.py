"""mpio explain"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import findings
from mpio.commands.call import Call
from mpio.diagnosis import mending
from mpio.errors import Exit

if TYPE_CHECKING:
    from mpio.commands import options


def command(call: Call, code: options.Code) -> int:
    row = findings.kind(code)
    summary = row.summary.format(subject="X")
    remedy = row.remedy.format(subject="X", remedy="…")
    fix = row.code in mending.FIXES
    if call.console.json:
        body: dict[str, object] = {
            "code": row.code,
            "severity": row.severity.value,
            "summary": summary,
            "explanation": row.explanation,
            "remedy": remedy,
            "refusal": row.refusal,
            "evidence": row.evidence,
            "reference": row.reference,
            "fix": fix,
        }
        call.console.document("explain", Exit.OK, body)
        return Exit.OK
    call.console.out(f"{row.code} ({row.severity}): {summary}")
    call.console.out(f"\n{row.explanation}\n\nWhat to do: {remedy}")
    call.console.out(f"\nRests on: {row.evidence}\nSee: {row.reference}")
    if fix:
        call.console.out(f"Mended by: mpio doctor --fix {row.code}")
    if row.always:
        call.console.out("No --force lets it pass.")
    elif row.refusal:
        call.console.out(f"To let it pass once: --force {row.code}")
    return Exit.OK
