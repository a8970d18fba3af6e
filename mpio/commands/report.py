"""mpio report"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mpio import facts, observe, plan, topology, verdict
from mpio.commands.call import Call
from mpio.console import clean
from mpio.errors import Exit, UsageError
from mpio.report import page, typeset, wiring

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.host import Host
    from mpio.site import Site


def command(call: Call, file: options.ReportFile) -> int:
    if file == "-" and call.console.json:
        raise UsageError("the page and a JSON document cannot both go to stdout", "name a file for the page")
    path = "" if file == "-" else call.to_write(file, "mpio report FILE.html, or - for stdout")
    site = call.site_or_none()
    # The records are root's: without them nobody knows what to expect.
    whole = site is not None and os.geteuid() == 0
    host = observe.host(call.machine, site, observe.Look.VERIFY if whole else observe.Look.STATUS)
    judged = _judged(site if whole else None, host)
    if site and not whole:
        judged = replace(judged, without="only root may see what the site expects")
    made = page.of(facts.of(call.machine, host), site if whole else None, host, judged)
    text = typeset.report(made)
    if not path:
        call.console.out(text)
        return Exit.OK
    call.machine.files.output(path, text, 0o644)
    if call.console.json:
        wired = wiring.of(host, judged.luns, judged.pairs)
        body = {
            "path": path,
            "bytes": len(text.encode()),
            "state": made.word,
            "luns": len(judged.luns),
            "paths": {"usable": wired.paths.up, "counted": wired.paths.of},
            "sessions": {"logged_in": wired.sessions.up, "counted": wired.sessions.of},
            "findings": None if judged.findings is None else len(judged.findings),
            "unseen": list(host.blind),
        }
        call.console.document("report", Exit.OK, body)
        return Exit.OK
    for what in host.blind:
        call.console.say(f"could not see {what}")
    call.console.out(clean(f"{path}: {made.word}, {made.summary.partition(': ')[2] or made.summary}"))
    return Exit.OK


def _judged(site: Site | None, host: Host) -> page.Judged:
    if site is None:
        return page.Judged(topology.luns(None, host, None))
    planned = plan.steps(site, host)
    found = verdict.of(site, host, planned)
    return page.Judged(found.luns, planned.pairs, found.word, found.drift, found.findings)
