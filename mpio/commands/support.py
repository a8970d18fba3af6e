"""mpio support"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mpio import bundle, facts, observe, plan, recording, redact, support, topology, verdict, view
from mpio.commands.call import Call
from mpio.console import clean
from mpio.errors import Exit
from mpio.host import Host
from mpio.questions import UNITS
from mpio.report import page, typeset
from mpio.support import Gathering
from mpio.tools import systemctl

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.site import Site


def command(call: Call, file: options.BundleFile) -> int:
    path = call.to_write(file, "mpio support FILE.tar.gz")
    got = Gathering.of(call.machine)
    if os.geteuid() != 0:
        got.failed.append("what only root may see: run it as root for all of it")
    wanted = call.named or os.path.exists(call.site_path)
    site = got.tried("the site file", call.site) if wanted else None
    support.journal(got)
    host, said = _looks(got, site)
    support.asks(got, host)
    support.recordings(got)
    named = redact.in_site(support.text(got, call.site_path) or "")
    secrets = support.files(got, call.site_path, named.files) | support.secrets_of(got, named)
    erase = redact.eraser(secrets)
    got.failed[:] = [erase(what) for what in got.failed]  # a program's words may hold one, and these are shown
    whole = _erased(got, said, erase)
    data = bundle.packed(whole, int(time.time()))
    call.machine.files.output(path, data, 0o600)
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
    said_size = f"{len(whole)} files, {len(data)} bytes"
    call.console.out(clean(f"{path}: {said_size}; secrets are removed, read it before you send it"))
    return Exit.OK


def _looks(got: Gathering, site: Site | None) -> tuple[Host, page.Facts]:
    """What `status` and `verify` see, as their documents and as a page, and what host it is."""
    root = os.geteuid() == 0
    units = got.tried("the units", lambda: systemctl.units(got.heard, UNITS))
    host = got.tried("the host", lambda: observe.host(got.machine, site, observe.Look.STATUS), support.LOOK) or Host()
    host = replace(host, units=host.units or units or ())
    pairs = topology.pairs(site, host) if site and root else None
    judged = page.Judged(topology.luns(site if root else None, host, pairs), pairs)
    if site and not root:
        judged = replace(judged, without="only root may see what the site expects")
    body = view.status(host, judged.luns, site)
    got.add("status.json", _document("status", Exit.OK, body), "what `mpio status -o json` says")
    found = got.tried("the findings", lambda: _verdict(got, site), support.LOOK) if site and root else None
    if found:
        host, judged, text = found
        got.add("verify.json", text, "what `mpio verify -o json` says")
    said = facts.of(got.machine, host)
    made = page.of(said, site if root else None, host, judged)
    got.add("report.html", typeset.report(made), "the same as a page, which `mpio report` makes")
    return host, said


def _verdict(got: Gathering, site: Site) -> tuple[Host, page.Judged, str]:
    """What verify saw, what it made of it, and its document."""
    host = observe.host(got.machine, site, observe.Look.VERIFY)
    planned = plan.steps(site, host)
    found = verdict.of(site, host, planned)
    body: view.Json = {
        "state": found.word,
        "luns": view.budgeted(host, found.luns, site),
        "drift": view.steps(found.drift),
        "findings": view.findings(found.findings),
    }
    judged = page.Judged(found.luns, planned.pairs, found.word, found.drift, found.findings)
    return host, judged, _document("verify", found.exit, body)


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
    shown = (replace(member, text=erase(member.text)) for member in got.members)
    whole, cuts = bundle.fitted(shown)
    index = bundle.readme(said, whole, cuts, got.failed)
    return (bundle.Member(bundle.README, index), *whole)
