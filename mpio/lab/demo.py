"""The main job on a fresh guest with the guide's SAN, told as it goes."""

from __future__ import annotations

import json
import time
from collections import Counter

from mpio.errors import Exit, ProgramFailed
from mpio.lab import guest, process, san, session
from mpio.lab.channel import Hear
from mpio.lab.process import Say

LIMIT = 300.0  # seconds that one verb may take


def run(suite: str, hear: Hear, say: Say = process.quiet) -> int:
    """Plan, apply, verify; the exit code of the first that could not do its work, else the verification's."""
    begin = time.monotonic()
    say(f"A guest boots: Debian's own kernel, systemd, open-iscsi, multipath-tools; {_san(san.GUIDE)}.")
    with guest.Guest(suite=suite, say=say) as fresh:
        fresh.push_project()
        fresh.put("/etc/mpio/site.toml", session.SITE.read_bytes())
        say(f"It is up after {time.monotonic() - begin:.0f} s, with a site file and no configuration.")

        say("\nprague# mpio plan")
        planned = fresh.run(("mpio", "plan", "-o", "json"), timeout=LIMIT)
        if planned.code != Exit.DIFFERS:
            hear("out", planned.out.encode())
            hear("err", planned.err.encode())
            return planned.code or Exit.COULD_NOT
        hear("out", summary(planned.out).encode())

        code = 0
        for argv in (("mpio", "apply", "--yes"), ("mpio", "verify")):
            say("\nprague# " + " ".join(argv))
            code = fresh.run(argv, timeout=LIMIT, hear=hear).code
            if code == Exit.COULD_NOT:
                break
    say(f"\n{time.monotonic() - begin:.0f} s; nothing of the guest is left.")
    return code


def _san(layout: san.San) -> str:
    portals = sum(len(target.portals) for target in layout.targets)
    return (
        f"beside it a SAN with {len(layout.targets)} targets, {portals} portals and {len(layout.luns)} LUNs "
        f"of {layout.luns[0].vendor} {layout.luns[0].product}"
    )


def summary(planned: str) -> str:
    """What `plan -o json` said, as a line a part."""
    try:
        document = json.loads(planned)
        steps = [(str(step["part"]), str(step["why"])) for step in document["steps"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ProgramFailed(f"the plan cannot be read:\n{planned}") from error
    counts = Counter(part for part, _ in steps)
    first = dict(reversed(steps))
    lines = []
    for part, count in counts.items():
        more = f" (and {count - 1} more)" if count > 1 else ""
        lines.append(f"{part:<10} {first[part]}{more}")
    if not document["complete"]:
        lines.append("the plan goes on once the targets are known")
    return "\n".join(lines) + "\n"
