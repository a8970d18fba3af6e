"""A host whose SAN wants every secret there is, and mpio traced on it: all that could tell one is read and searched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vm import needles
from vm.hosts import SITE, SITE_PATH, TARGETS, Prague, Ran
from vm.needles import DISCOVERY, SESSIONS

HERE = Path(__file__).parent
LOGINS = {"chap": SESSIONS, "discovery_chap": DISCOVERY}
FILES = {word: f"/etc/mpio/key-{n}" for n, word in enumerate([*SESSIONS[1::2], *DISCOVERY[1::2]])}
URL_FILE = "/etc/mpio/alert-url"
TRACES = "/run/traces"
EXECVE = "execve,execveat"
CALLS = f"{EXECVE},openat,open,creat,umask,fchmod,fchmodat,chmod,write,pwrite64,writev,rename,renameat,renameat2"
ALERT = f"""
[[watch.alert]]
on = ["info", "degraded", "failed", "recovered"]
url_file = "{URL_FILE}"
timeout = 60
"""


def table(name: str, login: tuple[str, ...], files: tuple[str, ...]) -> str:
    """A table of the site with these names; `files` are where the words of `login` are, those of secrets."""
    keys = ("username", "password_file", "username_in", "password_in_file")
    values = (files[n] if n % 2 else word for n, word in enumerate(login))
    return f"[san.{name}]\n" + "".join(f'{key} = "{v}"\n' for key, v in zip(keys, values, strict=False))


def guarded(host: Prague, *, alert: str = ALERT, site: str = SITE) -> None:
    """The SAN wants all four secrets, and the site names them. Nothing of them is on the disk but these files."""
    for target in TARGETS:
        host.fault("chap", target, *SESSIONS)
    host.fault("discovery-chap", *DISCOVERY)
    for word, path in FILES.items():
        host.put(path, f"{word}\n", 0o600)
    host.put(URL_FILE, f"{needles.URL}\n", 0o600)
    tables = (table(name, login, tuple(FILES.get(word, "") for word in login)) for name, login in LOGINS.items())
    host.put(SITE_PATH, site + "".join(tables) + alert)
    for name in ("spy.py", "births.py", "ransack.py", "endpoints.py"):
        host.put(f"/run/{name}", (HERE / name).read_text())
    host.sh(f"mkdir -p {TRACES}")


def words(host: Prague, path: str) -> str:
    """What to look for, in a file that its reader removes."""
    host.put(path, json.dumps(needles.every()), 0o600)
    return path


@dataclass
class Traced:
    """mpio with every program that it starts told by strace. `said` is all that it has printed."""

    host: Prague
    said: list[str] = field(default_factory=list)
    births: dict[str, Any] = field(default_factory=dict)

    def mpio(self, *argv: str, exits: int | None = 0, timeout: float = 400) -> Ran:
        out = f"{TRACES}/{len(self.said):02}-{argv[0]}"
        return self.run(("-e", f"trace={EXECVE}", "-o", out), argv, exits, timeout)

    def born(self, *argv: str, exits: int | None = 0, timeout: float = 400) -> Ran:
        """Told besides: with which mode files are made, and written."""
        told, out = "/run/births.json", f"{TRACES}/{len(self.said):02}-{argv[0]}"
        reader = f"|python3 /run/births.py {words(self.host, '/run/births.words')} {told} {out}"
        ran = self.run(("-y", "-e", f"trace={CALLS}", "-o", reader), argv, exits, timeout)
        self.host.until(f"test -s {told}")
        self.births = json.loads(self.host.text(told))
        self.host.sh(f"rm {told}")
        return ran

    def run(self, options: tuple[str, ...], argv: tuple[str, ...], exits: int | None, timeout: float) -> Ran:
        strace = ("strace", "-f", "-v", "-s", "8192", "--seccomp-bpf", "-qq", "-e", "signal=none", *options)
        done = self.host.guest.run((*strace, "mpio", *argv), timeout=timeout)
        ran = Ran(("mpio", *argv), done.code, done.out, done.err, 0.0)
        assert exits is None or ran.code == exits, ran
        assert not needles.shown(ran.out + ran.err), ran
        self.said.append(ran.out + ran.err)
        return ran

    def figures(self) -> dict[str, Any]:
        """What was traced, and whether the trace has arguments and environments at all."""
        lines = self.host.sh(f"cat {TRACES}/*").splitlines()
        calls = [line for line in lines if " execve" in line]
        assert len(calls) > len(self.said), calls
        assert all('"PATH=' in line for line in calls if '/iscsiadm"' in line and " = 0" in line), calls
        assert not needles.shown("\n".join(lines))
        return {"runs": len(self.said), "execves": len(calls), "printed": sum(map(len, self.said))}


@contextmanager
def spied(host: Prague) -> Iterator[dict[str, Any]]:
    """What /proc shows of all processes meanwhile."""
    unit, out = "spy.service", "/run/spy.json"
    place = words(host, "/run/spy.words")
    host.sh(f"rm -f {out}; systemd-run -q --unit {unit} -p Nice=5 python3 /run/spy.py {place} {out}")
    host.until(f"test ! -e {place}")
    figures: dict[str, Any] = {}
    yield figures
    host.sh(f"systemctl stop {unit}")
    figures.update(json.loads(host.text(out)))
    assert figures["found"] == [], figures
    assert figures["rounds"] > 5, figures


def ransacked(host: Prague, *devices: str) -> Any:
    whole = [text.encode().decode("latin-1") for text in (*FILES, needles.URL)]
    told = json.dumps({"words": needles.every(), "wide": needles.wide(), "whole": whole}).encode()
    found = json.loads(host.guest.check("python3", "/run/ransack.py", *devices, stdin=told, timeout=900))
    assert found["logs"] == {}, found
    assert found["searched"] > 5000, found
    assert found["log_bytes"] > 10000, found
    return found


def records(host: Prague) -> set[str]:
    return set(host.sh(f"find {host.database}/nodes {host.database}/send_targets -type f").split())


def holds_only(found: Any, *places: str) -> None:
    assert found["files"].keys() == set(places), found["files"]
    assert all("(plain)" in name for names in found["files"].values() for name in names), found["files"]
