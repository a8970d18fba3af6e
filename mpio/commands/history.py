"""mpio history"""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING

from mpio.commands.call import Call
from mpio.console import cell
from mpio.errors import Exit, UsageError
from mpio.watch import history

if TYPE_CHECKING:
    from mpio.commands import options


def command(call: Call, since: options.Since = "") -> int:
    begin = _moment(since) if since else None
    files = call.machine.files
    current, older = (files.text(path) or "" for path in (history.CURRENT, history.OLDER))  # in this order
    entries, torn = history.parse(history.whole(current, older))
    found = history.since(entries, begin)
    if torn:
        call.console.say(f"{torn} lines of {history.FOLDER} cannot be read: whoever wrote them was cut short")
    if call.console.lines:
        for one in found:
            call.console.out(json.dumps(one))
    elif call.console.json:
        since_ = begin.isoformat() if begin else None
        call.console.document("history", Exit.OK, {"since": since_, "entries": list(found)})
    elif found:
        call.console.table(history.HEADS, [[cell(word) for word in row] for row in history.rows(found)])
    elif entries:
        call.console.say(f"nothing is recorded since {begin}; the last is of {entries[-1]['time']}")
    else:
        call.console.say("nothing is recorded yet: `mpio watch` does it, as root, while it runs")
    return Exit.OK


def _moment(said: str) -> datetime.datetime:
    try:
        return history.moment(said, datetime.datetime.now().astimezone())
    except (ValueError, OverflowError) as error:
        way = "--since takes 2026-11-21, 2026-11-21T08:15, today, yesterday, or how long ago, as 2h or 30 min"
        raise UsageError(f"{said!r} is no time", way) from error
