"""A running `mpio watch` in a guest, and what it has said so far."""

from __future__ import annotations

import json
from typing import Any

from vm.hosts import SITE, SITE_PATH, Prague

SAID = "/run/watched.jsonl"
PLACE = "127.0.0.1:9464"
# With --listen PLACE: each pair has been probed once. What a watcher does for the first time takes seconds on an
# emulated processor, and is no part of what is measured.
PROBED = f"""python3 -c '
import urllib.request
text = urllib.request.urlopen("http://{PLACE}/metrics").read().decode()
exit(sum(line.startswith("mpio_portal_rtt_seconds{{") for line in text.splitlines()) != 4)'"""
LOGS = "systemctl status --no-pager -n 30 watched.service; tail -n 5 /run/watched.jsonl; journalctl -b --no-pager -n 20"


def site(host: Prague, *lines: str) -> None:
    """The guide's site with this [watch] table."""
    host.put(SITE_PATH, SITE + "\n[watch]\n" + "".join(f"{line}\n" for line in lines))


def begins(host: Prague, *options: str) -> None:
    """Returns when it has looked at the host once."""
    host.sh(f"rm -f {SAID}; systemctl reset-failed watched.service 2>/dev/null || true")
    streams = f"-p StandardOutput=file:{SAID} -p StandardError=journal"
    host.sh(f"systemd-run -q --unit watched {streams} mpio watch -o jsonl {' '.join(options)}")
    host.until(f"grep -q started {SAID}", 60, LOGS)


def said(host: Prague) -> list[dict[str, Any]]:
    """Every whole line so far."""
    return [json.loads(line) for line in host.text(SAID).splitlines(keepends=True) if line.endswith("\n")]


def says(host: Prague, event: str, count: int = 1, limit: float = 60) -> list[dict[str, Any]]:
    """Wait until it has said so many of these; they are returned."""
    host.until(f"""[ "$(grep -c '"event": "{event}"' {SAID})" -ge {count} ]""", limit, LOGS)
    return [one for one in said(host) if one["event"] == event]


def counts(host: Prague) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in said(host):
        found[one["event"]] = found.get(one["event"], 0) + 1
    return found


def ends(host: Prague) -> list[dict[str, Any]]:
    """SIGTERM; all that it has said, `stopped` last. It must end well, and soon."""
    host.sh("timeout 15 systemctl stop watched.service")
    everything = said(host)
    assert everything[-1]["event"] == "stopped", everything[-1]
    assert host.sh("systemctl is-failed watched.service || true").strip() != "failed", host.state(LOGS)
    return everything
