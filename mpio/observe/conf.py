"""multipath.conf, its drop-ins and iscsid.conf as they are, and what the installed multipath makes of them."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

from mpio import run
from mpio.diagnosis import conf
from mpio.diagnosis.conf import Seen
from mpio.errors import NotAllowed
from mpio.host import Host
from mpio.machine import Machine
from mpio.observe import states
from mpio.plan.shape import ISCSID_CONF, MULTIPATH_DROP_IN
from mpio.program import Done
from mpio.site import Site
from mpio.tools import keyfile, multipath
from mpio.tools.multipathbuilt import Dialect

# What packages and editors leave behind, and nobody takes for a drop-in.
_KEPT_ASIDE = re.compile(r"README.*|\..*|.*(~|\.(bak|orig|old|save|swp|disabled|off|sample|dpkg-\w+|rpm\w+|ucf-\w+))")


def look(machine: Machine, site: Site | None, host: Host) -> Seen:  # noqa: ARG001  (each area is given all three)
    """Reading files is all that a host with nothing but mpio's drop-in pays."""
    blind: list[str] = []
    try:
        texts = states.multipath_files(machine)
        unread = _unread(machine)
    except NotAllowed:
        texts, unread = {}, ()
        blind.append("multipath's files")
    try:
        iscsid = machine.files.text(ISCSID_CONF)
    except NotAllowed:
        iscsid = None
        blind.append(ISCSID_CONF)
    seen = Seen(
        texts=texts,
        iscsid=iscsid,
        readable=tuple(p for p in (ISCSID_CONF,) if iscsid and keyfile.holds_secret(iscsid) and _told(machine, p)),
        unread=unread,
        installed=not any(program == "multipath" for program, _ in run.missing(("multipath",))),
        blind=tuple(blind),
    )
    own = any(path != MULTIPATH_DROP_IN for path in texts)
    if not own or not seen.installed:
        return seen
    return _tried(machine, host, seen)


def _tried(machine: Machine, host: Host, seen: Seen) -> Seen:
    from dataclasses import replace

    with ThreadPoolExecutor(max_workers=1) as beside:
        ours = beside.submit(dialect, machine)
        if host.effective is not None:
            warned, fatal = host.effective.warnings, ""
        else:
            done = machine.run("multipath", "-t", ok=None)
            warned, fatal = complaints(done), fatal_line(done)
        return replace(seen, dialect=ours.result(), warned=warned, fatal=fatal)


def dialect(machine: Machine) -> Dialect:
    """The installed multipath: its keywords, and what it has without any file. Without root or without multipath: what
    any release since 0.9.4 has.
    """
    if os.geteuid() != 0 or run.missing(("multipath",)):
        return Dialect()
    return Dialect(multipath.known(machine.try_once), multipath.staged(machine.try_once, {}).table)


def complaints(done: Done) -> tuple[str, ...]:
    return tuple(str(w) for w in multipath.parse_warnings(done.err) if w.path != MULTIPATH_DROP_IN)


def fatal_line(done: Done) -> str:
    """The line that `multipath -t` ended with; "" where it did not fail."""
    if done.code == 0:
        return ""
    placed = [w for w in multipath.parse_warnings(done.err) if w.line]
    last = next((w for w in placed if w.text.startswith("parsing failed")), placed[-1] if placed else None)
    return str(last) if last else f"{multipath.CONF}: multipath -t ended with {done.code}"


def _unread(machine: Machine) -> tuple[str, ...]:
    names = (n for n in machine.files.names(multipath.CONF_D) if not n.endswith(".conf"))
    paths = [f"{multipath.CONF_D}/{name}" for name in names if not _KEPT_ASIDE.fullmatch(name)]
    return tuple(p for p in paths if conf.kind_of(machine.files.text(p) or "") is conf.Kind.MULTIPATH)


def _told(machine: Machine, path: str) -> bool:
    """May others than root and its group read it?"""
    try:
        found = os.stat(machine.files.root + path)
    except FileNotFoundError:
        return False
    return bool(found.st_mode & 0o004) or bool(found.st_mode & 0o040 and found.st_gid != 0)
