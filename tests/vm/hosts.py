"""Hosts in a guest for the tests: mpio run there, and what other programs say of the host."""

from __future__ import annotations

import json
import shlex
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from mpio.lab import san, session
from mpio.lab.guest import Guest

SITE = session.SITE.read_text()
SITE_PATH = "/etc/mpio/site.toml"
ALIASES = {lun["wwid"]: lun["alias"] for lun in tomllib.loads(SITE)["lun"]}
TARGETS = tuple(target.name for target in san.GUIDE.targets)
REPLACEMENT = tomllib.loads(SITE)["timeouts"]["replacement"]
WALK = Path(__file__).with_name("walk.py").read_bytes()
LOGS = "journalctl -b --no-pager -n 60 -o short-monotonic -u iscsid -u multipathd -u open-iscsi"
# The whole of what a program could have left behind, but for the SAN's own disks.
FILES = """
find /etc /var/lib -path /var/lib/mpio-lab -prune -o -printf '%y %m %u %s %p %l\\n' | sort
find /etc /var/lib -path /var/lib/mpio-lab -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
"""
# Which group a map begins with ("1 alua 2 1 service-time") is multipathd's to say, anew whenever a path comes or goes.
KERNEL = r"""
grep -H . /proc/sys/net/ipv4/conf/*/rp_filter /sys/class/iscsi_session/*/recovery_tmo 2>/dev/null
ls /sys/class/iscsi_session /sys/block 2>/dev/null
dmsetup table | sed -E 's/ ([0-9]+) [0-9]+ (service-time|round-robin|queue-length) / \1 any \2 /'
"""
UNITS = "systemctl list-units --no-legend --plain --type service,socket --state active,activating | cut -d' ' -f1"


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of mpio."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def found(self) -> set[tuple[str, str]]:
        """(code, subject) of every finding."""
        return {(f["code"], f["subject"]) for f in self.json["findings"]}

    def names(self, code: str, subject: str) -> bool:
        return any(c == code and subject in s for c, s in self.found)

    def steps(self, key: str = "drift") -> list[str]:
        """A line per step, to look for what it is about."""
        return [f"{s['part']}: {s['why']}: {s.get('path') or shlex.join(s['argv'])}" for s in self.json[key]]

    def __str__(self) -> str:
        return f"{shlex.join(self.argv)} ended with {self.code} after {self.seconds:.1f} s\n{self.out}{self.err}"


@dataclass(frozen=True, slots=True)
class Prague:
    """The guide's host, in a guest."""

    guest: Guest

    def mpio(self, *argv: str, exits: int | None = 0, timeout: float = 240, **environment: str) -> Ran:
        """Run it, and fail with all that was said if it does not end so; `exits` None takes any code."""
        command = ("mpio", *argv)
        begin = time.monotonic()
        done = self.guest.run(command, timeout=timeout, environment=environment)
        ran = Ran(command, done.code, done.out, done.err, time.monotonic() - begin)
        if exits is not None:
            assert ran.code == exits, f"{ran}\nnot {exits}\n{self.guest.sh(LOGS).out}"
        return ran

    def sh(self, script: str, timeout: float = 60) -> str:
        """What a script prints; it must end with 0."""
        return self.guest.check("sh", "-ec", script, timeout=timeout)

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        self.guest.put(path, text.encode(), mode)

    def text(self, path: str) -> str:
        return self.guest.get(path).decode()

    @property
    def database(self) -> str:
        """Where this release's open-iscsi keeps its records: a folder of its package's, where it moved out of /etc."""
        return self.sh("test -d /var/lib/iscsi && echo /var/lib/iscsi || echo /etc/iscsi").strip()

    def fault(self, *words: str) -> None:
        self.guest.check("lab-san", "fault", *words)

    def san(self, layout: san.San) -> None:
        """Another SAN in place of the guide's."""
        self.put("/etc/mpio-lab/san.json", san.to_json(layout))
        self.guest.check("lab-san", "up")

    def walk(self) -> Any:
        return json.loads(self.guest.check("python3", "-", stdin=WALK))

    def state(self, *scripts: str) -> str:
        return "".join(self.guest.sh(script).out for script in scripts)

    def until(self, script: str, limit: float = 60, show: str = LOGS) -> None:
        """Wait until a script ends with 0; what `show` prints is shown where it does not in time."""
        waiting = (
            'end=$(($(date +%s) + $2)); until sh -c "$1"; do [ "$(date +%s)" -lt "$end" ] || exit 9; sleep 0.2; done'
        )
        done = self.guest.run(("sh", "-c", waiting, "sh", script, f"{limit:.0f}"), timeout=limit + 30)
        assert done.code == 0, f"not met in {limit:g} s: {script}\n{done.out}{done.err}\n{self.guest.sh(show).out}"

    def keep(self, name: str) -> None:
        self.guest.checkpoint(name)


def without(text: str, *lines: str) -> str:
    assert set(lines) <= set(text.splitlines()), lines
    return "".join(line for line in text.splitlines(keepends=True) if line.strip() not in lines)


# Machines are taken back to what was once made in them, which takes a second instead of a minute.
_made: WeakKeyDictionary[Guest, set[str]] = WeakKeyDictionary()


def kept(guest: Guest, name: str, make: Callable[[], Prague]) -> Prague:
    made = _made.setdefault(guest, set())
    if name in made:
        guest.restore(name)
        return Prague(guest)
    host = make()
    guest.checkpoint(name)
    made.add(name)
    return host


def bare(guest: Guest) -> Prague:
    """A host with a site file and no configuration."""

    def make() -> Prague:
        guest.restore()
        host = Prague(guest)
        host.put(SITE_PATH, SITE)
        # An installed package is compiled; what is not costs every run seconds on an emulated processor.
        guest.check("python3", "-m", "compileall", "-q", "/opt/mpio/src/mpio", timeout=240)
        return host

    return kept(guest, "bare", make)


def applied(guest: Guest) -> Prague:
    """A host after its first `mpio apply`."""

    def make() -> Prague:
        host = bare(guest)
        first = host.mpio("apply", "--yes", "-o", "json").json
        assert (first["left"], first["exit"]) == ([], 0), first
        return host

    return kept(guest, "applied", make)
