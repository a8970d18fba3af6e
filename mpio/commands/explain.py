"""mpio explain"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import findings
from mpio.commands.call import Call
from mpio.errors import Exit

if TYPE_CHECKING:
    from mpio.commands import options


def command(call: Call, code: options.Code) -> int:
    row = findings.kind(code)
    summary = row.summary.format(subject="X")
    remedy = row.remedy.format(subject="X", remedy="…")
    if call.console.json:
        body: dict[str, object] = {
            "code": row.code,
            "severity": row.severity.value,
            "summary": summary,
            "explanation": row.explanation,
            "remedy": remedy,
            "refusal": row.refusal,
        }
        call.console.document("explain", Exit.OK, body)
        return Exit.OK
    call.console.out(f"{row.code} ({row.severity}): {summary}")
    call.console.out(f"\n{row.explanation}\n\nWhat to do: {remedy}")
    if row.always:
        call.console.out("No --force lets it pass.")
    elif row.refusal:
        call.console.out(f"To let it pass once: --force {row.code}")
    return Exit.OK
