"""A site file rehearsed: a SAN that answers to it, plan, apply, a drill and the report, in a guest."""

from __future__ import annotations

import secrets
import time

from mpio.errors import Exit
from mpio.lab import demo, guest, process, san, stand_in
from mpio.lab.channel import Hear
from mpio.lab.process import Say
from mpio.site import Site

SITE = "/etc/mpio/site.toml"
REPORT = "/root/report.html"
LIMIT = 900.0  # seconds that one verb may take


def run(site: Site, text: str, suite: str, hear: Hear, say: Say = process.quiet) -> tuple[int, str]:
    """The exit code of the first verb that could not do its work, else the worst of them, and the report's page, empty
    if it came to none. The guest gets the site's `text`, and passwords that are made up: nobody's own leave their host.
    """
    begin = time.monotonic()
    made_up = {name: secrets.token_hex(7) for name in stand_in.secret_files(site)}
    layout = stand_in.of(site, made_up)
    say(f"A guest boots with a SAN that answers to {site.path}: {words(layout)}.")
    with guest.Guest(layout, suite, say=say) as fresh:
        fresh.push_project()
        fresh.put(SITE, text.encode())
        for name, secret in made_up.items():
            fresh.put(name, f"{secret}\n".encode(), 0o600)
        say("\nguest# mpio plan")
        planned = fresh.run(("mpio", "plan", "-o", "json"), timeout=LIMIT)
        if planned.code not in (Exit.OK, Exit.DIFFERS):
            hear("out", planned.out.encode())
            hear("err", planned.err.encode())
            return planned.code, ""
        hear("out", demo.summary(planned.out).encode())
        codes = []
        for argv in (("mpio", "apply", "--yes"), ("mpio", "drill", "--yes")):
            say("\nguest# " + " ".join(argv))
            codes.append(fresh.run(argv, timeout=LIMIT, hear=hear).code)
            if codes[-1] in (Exit.COULD_NOT, Exit.USAGE):
                return codes[-1], ""
        page = (
            fresh.get(REPORT).decode() if fresh.run(("mpio", "report", REPORT), timeout=LIMIT).code == Exit.OK else ""
        )
    say(f"\n{time.monotonic() - begin:.0f} s; nothing of the guest is left.")
    return max(codes), page


def words(layout: san.San) -> str:
    """What a SAN has, in words."""
    portals = {portal for target in layout.targets for portal in target.portals}
    return f"{len(layout.targets)} targets, {len(portals)} portals, {len(layout.luns)} LUNs"
