"""What a supporter needs of a host, gathered without changing it: whatever cannot be seen is said, not raised."""

from __future__ import annotations

import fnmatch
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import TypeVar

from mpio import bundle, questions, recording, redact, trust
from mpio.bundle import Member
from mpio.errors import MpioError
from mpio.host import Host
from mpio.machine import Machine
from mpio.program import Done, Run
from mpio.run import checked
from mpio.tools import journalctl

T = TypeVar("T")
JOURNAL = 20_000  # lines
# Seconds. Programs have limits of their own, these are for one that the kernel holds; IN_ALL for many that are slow.
LOOK, ASK, IN_ALL = 120.0, 45.0, 420.0
# Of a file of secrets: one that was named by mistake must not become a pattern of a million characters or branches.
LINES, CHARACTERS = 100, 1 << 16
UNITS = (*questions.UNITS, "iscsid.socket", "multipathd.socket", "multipath-tools.service", "mpio-*")
FILES = f"""{questions.FILES}
/etc/os-release /proc/modules /proc/mounts /proc/swaps /proc/mdstat
/etc/udev/rules.d/*multipath* /etc/udev/rules.d/*scsi* /etc/udev/rules.d/*mpio*
/usr/lib/udev/rules.d/*multipath* /usr/lib/udev/rules.d/*mpath* /usr/lib/udev/rules.d/*mpio*
/usr/lib/udev/rules.d/*dm*.rules
/etc/systemd/system/mpio-* /usr/lib/systemd/system/mpio-* /run/systemd/system/mpio-*
/usr/lib/systemd/system/iscsid.* /usr/lib/systemd/system/open-iscsi.* /usr/lib/systemd/system/multipathd.*
/etc/systemd/system/iscsid.*.d/* /etc/systemd/system/open-iscsi.*.d/* /etc/systemd/system/multipathd.*.d/*
/var/lib/mpio/* /var/lib/mpio/history/* /run/mpio/*
"""


@dataclass(slots=True)
class Heard:
    """A `Run` that keeps what every program said, and what kept it from answering."""

    run: Run
    said: list[Done] = field(default_factory=list)

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        done = self.run(*argv, ok=None, timeout=timeout, stdin=stdin)
        self.said.append(done)
        return checked(done, ok)

    def once(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        """As before, where this was asked already."""
        before = next((d for d in self.said if d.argv == argv and not stdin), None)
        return checked(before, ok) if before else self(*argv, ok=ok, timeout=timeout, stdin=stdin)


@dataclass(slots=True)
class Gathering:
    """What is seen so far. `failed` are sentences on what could not be."""

    machine: Machine
    heard: Heard
    members: list[Member] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    end: float = field(default_factory=lambda: time.monotonic() + IN_ALL)

    @classmethod
    def of(cls, machine: Machine) -> Gathering:
        heard = Heard(machine.run)
        return cls(Machine(heard, machine.files), heard)

    def tried(self, what: str, ask: Callable[[], T], seconds: float = ASK) -> T | None:
        """The answer, None where there is none; never longer than so many seconds, nor than all may take together.

        The asking goes on in a thread that nobody waits for: a program that the kernel holds cannot be ended.
        """
        left = min(seconds, self.end - time.monotonic())
        if left <= 0:
            self.failed.append(f"{what}: not asked, the others took {IN_ALL:g} s")
            return None
        answer: Future[T] = Future()

        def work() -> None:
            try:
                answer.set_result(ask())
            except MpioError as error:
                answer.set_exception(error)
            finally:
                answer.cancel()  # a fault of our own, which Python tells of: the rest is wanted all the same

        threading.Thread(target=work, daemon=True).start()
        try:
            return answer.result(left)
        except MpioError as error:
            self.failed.append(f"{what}: {error.message}")
        except CancelledError:
            self.failed.append(f"{what}: mpio made a mistake there")
        except TimeoutError:
            self.failed.append(f"{what}: no answer within {left:.3g} s")
        return None

    def add(self, name: str, text: str, says: str = "", *, newest_last: bool = False) -> None:
        self.members.append(Member(name, text, says, newest_last))


def asks(got: Gathering, host: Host) -> None:
    """Every question that is harmless on this host, those left out that the looks have asked."""
    for name, ask in questions.harmless(host).items():
        got.tried(name, lambda ask=ask: ask(got.heard.once))  # type: ignore[misc]
    got.tried("sysfs", lambda: got.heard(*questions.tree(questions.SYSFS).argv, ok=None))


def journal(got: Gathering) -> None:
    """The logs are members of their own, not recordings. To be asked first: on a sick host they tell the most."""
    run = got.heard.run
    units = got.tried("the journal", lambda: journalctl.of_units(run, UNITS, JOURNAL))
    kernel = got.tried("the kernel's log", lambda: journalctl.of_kernel(run, JOURNAL))
    got.add("journal/units.txt", units or "", "iscsid, multipathd and mpio since the last boot", newest_last=True)
    ours = bundle.of_kernel(kernel or "")
    got.add("journal/kernel.txt", ours, "the kernel's lines about disks, sessions and links", newest_last=True)


def recordings(got: Gathering) -> None:
    for number, done in enumerate(tuple(got.heard.said), 1):
        name = os.path.basename(done.argv[0])
        got.add(f"recordings/{number:03}-{name}", recording.dump(done))


def files(got: Gathering, site_path: str, sealed: Iterable[str]) -> frozenset[str]:
    """The host's files, but for those that hold nothing but secrets; returns the secrets that the others hold."""
    shut = {os.path.realpath(path) for path in sealed}
    found: set[str] = set()
    paths = dict.fromkeys(path for pattern in FILES.split() for path in matching(got, pattern))
    for path in (*paths, *([os.path.abspath(site_path)] if site_path else [])):
        if os.path.realpath(path) in shut or "password" in os.path.basename(path):
            continue
        said = text(got, path)
        if said is None:
            continue
        found |= redact.in_settings(said)
        ours = path == os.path.abspath(site_path)
        got.add(f"host{path}", redact.site(said) if ours else said, "the site file" if ours else "")
    return frozenset(found)


def secrets_of(got: Gathering, named: redact.Named) -> frozenset[str]:
    """The secrets of the site, with what is in the files that it names: to take them out, these are never members."""
    inside = ((text(got, path) or "")[:CHARACTERS] for path in named.files)
    lines = {line.strip() for said in inside for line in said.splitlines()[:LINES]}
    return named.secrets | {word for line in lines for word in (line, *redact.of_url(line)) if word}


def matching(got: Gathering, pattern: str) -> list[str]:
    """The paths that a pattern of sh has on this host."""
    found = [""]
    for part in pattern.strip("/").split("/"):
        if not set("*?[") & set(part):
            found = [f"{path}/{part}" for path in found]
            continue
        found = [f"{path}/{name}" for path in found for name in _names(got, path, part)]
    return found


def _names(got: Gathering, path: str, pattern: str) -> list[str]:
    try:
        names = got.machine.files.names(path)
    except MpioError as error:
        if error.message not in got.failed:
            got.failed.append(error.message)
        return []
    return [name for name in names if fnmatch.fnmatchcase(name, pattern) and not name.startswith(".")]


def text(got: Gathering, path: str) -> str | None:
    """What a plain file holds, as much of it as a member may have; None for anything else."""
    try:
        # Where others could lay a link they would have root pack any file.
        fd = trust.opened(got.machine.files.root + path)
        with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            return file.read(bundle.MEMBER + 1).decode("utf-8", "backslashreplace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        got.failed.append(f"{path}: {error.strerror}")
        return None
