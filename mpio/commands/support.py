"""mpio support"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mpio import bundle, facts, observe, page, plan, recording, redact, support, topology, typeset, verdict, view
from mpio.commands.call import Call
from mpio.errors import Exit, UsageError
from mpio.host import Host
from mpio.questions import UNITS
from mpio.support import Gathering
from mpio.tools import systemctl

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.site import Site


def command(call: Call, file: options.BundleFile) -> int:
    if not file or file == "-" or file.endswith("/") or os.path.isdir(file):
        raise UsageError(f"{file or 'an empty name'} is no file to write", "mpio support FILE.tar.gz")
    got = Gathering.of(call.machine)
    if os.geteuid() != 0:
        got.failed.append("what only root may see: run it as root for all of it")
    wanted = call.named or os.path.exists(call.site_path)
    site = got.tried("the site file", call.site) if wanted else None
    host = _looks(got, site)
    said = facts.of(got.machine, host)
    support.asks(got, host)
    support.recordings(got)
    named = redact.in_site(support.text(got, call.site_path) or "")
    secrets = support.files(got, call.site_path, named.files) | support.secrets_of(got, named)
    erase = redact.eraser(secrets)
    got.failed[:] = [erase(what) for what in got.failed]  # a program's words may hold one, and these are shown
    whole = _erased(got, said, erase)
    path = os.path.abspath(file)
    data = bundle.packed(whole, int(time.time()))
    call.machine.files.write_data(path, data, 0o600)
    if call.console.json:
        body: view.Json = {
            "path": path,
            "bytes": len(data),
            "members": [{"name": m.name, "bytes": len(m.text.encode("utf-8", "backslashreplace"))} for m in whole],
            "failed": got.failed,
        }
        call.console.document("support", Exit.OK, body)
        return Exit.OK
    for what in got.failed:
        call.console.say(f"could not see {what}")
    call.console.out(f"{path}: {len(whole)} files, {len(data)} bytes; secrets are removed, read it before you send it")
    return Exit.OK


def _looks(got: Gathering, site: Site | None) -> Host:
    """What `status` and `verify` see, as their documents and as a page."""
    root = os.geteuid() == 0
    units = got.tried("the units", lambda: systemctl.units(got.heard, UNITS))
    host = got.tried("the host", lambda: observe.host(got.machine, site, observe.Look.STATUS), support.LOOK) or Host()
    host = replace(host, units=host.units or units or ())
    pairs = topology.pairs(site, host) if site and root else None
    judged = page.Judged(topology.luns(site if root else None, host, pairs), pairs)
    body = view.status(host, judged.luns)
    got.add("status.json", _document("status", Exit.OK, body), "what `mpio status -o json` says")
    if site and root:
        seen = got.tried("the findings", lambda: observe.host(got.machine, site, observe.Look.VERIFY), support.LOOK)
        if seen:
            host, planned = seen, plan.steps(site, seen)
            found = verdict.of(site, seen, planned)
            judged = page.Judged(found.luns, planned.pairs, found.word, found.drift, found.findings)
            body = {
                "state": found.word,
                "luns": [view.lun(seen, lun) for lun in found.luns],
                "drift": view.steps(found.drift),
                "findings": view.findings(found.findings),
            }
            got.add("verify.json", _document("verify", found.exit, body), "what `mpio verify -o json` says")
    made = page.of(facts.of(got.machine, host), site, host, judged)
    got.add("report.html", typeset.report(made), "the same as a page, which `mpio report` makes")
    return host


def _document(name: str, code: Exit, body: view.Json) -> str:
    return json.dumps({"format": 1, "command": name, "exit": int(code), **body}, indent=2) + "\n"


def _erased(got: Gathering, said: page.Facts, erase: redact.Eraser) -> tuple[bundle.Member, ...]:
    """The members that go in, secrets removed, with their index."""
    about: view.Json = {
        "argv": recording.mask_argv(sys.argv),
        "root": os.geteuid() == 0,
        "time": said.time,
        "versions": dict(said.versions),
    }
    got.add("about.json", json.dumps(about, indent=2) + "\n", "how this was made")
    clean = (replace(member, text=erase(member.text)) for member in got.members)
    whole, cuts = bundle.fitted(clean)
    index = bundle.readme(said, whole, cuts, got.failed)
    return (bundle.Member(bundle.README, index), *whole)
