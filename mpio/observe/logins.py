"""What is to be seen of sessions and logins beyond a Host: the kernel's counters and log, and, where these or a missing
session ask for it, iscsid's journal, what multipathd holds, and probes that no site asks for.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from mpio import probe, sockets
from mpio.diagnosis import logins_timers
from mpio.diagnosis.logins_seen import Logins
from mpio.errors import MpioError
from mpio.files import Files
from mpio.host import Host, Node, Path, Portal, Session
from mpio.machine import Machine
from mpio.plan import maps
from mpio.site import Site
from mpio.tools import iscsidlog, journalctl, keyfile, kmsg, multipath, multipathd, sysfs, tcpinfo

JOURNAL = 2000  # lines
KERNEL, RECORD = 1.0, 8192  # seconds, and the bytes that one record of the kernel's log may have
TOGETHER = 1.0  # seconds between a record's file and its link, where one discovery has written both

STOPPED = frozenset({"blocked"})  # a session that comes back ends that at once; the other states are MP443's
WAKING = 1.5  # seconds
HUNG = {"T": "iscsid is stopped by a signal", "t": "iscsid is stopped by a debugger", "D": "iscsid waits in the kernel"}

Ask = Callable[[], object]


def look(machine: Machine, site: Site | None, host: Host) -> Logins:
    read, booted = machine.files, time.clock_gettime(time.CLOCK_BOOTTIME)
    kernel = _kernel(read) if host.root and host.sessions else ()
    pings = [line for line in kernel if line.text.startswith(kmsg.PING)]
    broken = {line.sid: booted - line.at for line in kernel if line.text.startswith(kmsg.BROKEN)}
    lacking = tuple(n for n in host.nodes if _lacking(host, n))
    dead = tuple(s for s in host.sessions if not s.logged_in)
    seen = Logins(
        now=time.time(),
        segments=_segments(host),
        digests={s.sid: _digests(read, s) for s in host.sessions if s.logged_in},
        endless=frozenset(s.sid for s in host.sessions if s.recovery_tmo is None and _endless(read, s)),
        otherwise=_otherwise(read, site, host) if host.root else frozenset(),
        down={s.sid: broken[s.sid] for s in dead if s.sid in broken},
        hung=_hung(read) if dead else "",
        changed={n.pair: at for n in lacking if (at := _stamp(read, n.path)) is not None},
        rediscovered=frozenset(n.path for n in host.nodes if _rediscovered(read, n)),
    )
    asks: dict[str, Ask] = {}
    if host.root and (lacking or len(pings) >= logins_timers.PASSING):
        asks["log"] = lambda: iscsidlog.parse_log(journalctl.of_program(machine.run, iscsidlog.TAG, JOURNAL))
    if host.root and maps.runs(host) and _doubtful(site, host):
        asks["fast_io_fail"] = lambda: _fast_io_fail(machine, host)
    if stopped := [p for p in host.paths if p.device_state in STOPPED]:
        asks["stopped"] = lambda: _stopped(read, stopped)
    if wanted := _unprobed(host, lacking):
        asks["answers"] = lambda: dict(probe.portals(wanted))
    return replace(seen, **_answered(asks)) if asks else seen


def _answered(asks: Mapping[str, Ask]) -> dict[str, Any]:
    """What does not answer is not known: nothing is said of it then."""
    with ThreadPoolExecutor(max_workers=len(asks)) as pool:
        asked = {name: pool.submit(ask) for name, ask in asks.items()}
        found: dict[str, Any] = {}
        for name, one in asked.items():
            with contextlib.suppress(MpioError):
                found[name] = one.result()
        return found


def _lacking(host: Host, node: Node) -> bool:
    session = host.session_of(node.pair)
    return not (session is not None and session.logged_in) and not host.is_offline(node.pair)


def _kernel(read: Files) -> tuple[kmsg.Line, ...]:
    return kmsg.parse_kmsg(b"".join(_records(read)).decode("utf-8", "replace"))


def _records(read: Files) -> Iterator[bytes]:
    """Each read of the kernel's log gives one record; nobody else's reads are disturbed."""
    end = time.monotonic() + KERNEL
    with contextlib.suppress(OSError):  # EAGAIN: that was the last; ENOENT, EPERM: in a container
        log = os.open(read.root + kmsg.PATH, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            while time.monotonic() < end:
                try:
                    record = os.read(log, RECORD)
                except BrokenPipeError:  # it was overwritten meanwhile: the next is the oldest there is
                    continue
                if not record:
                    return
                yield record
        finally:
            os.close(log)


def _segments(host: Host) -> Mapping[int, tcpinfo.Segments]:
    if not host.root or not host.sessions:
        return {}
    try:
        return sockets.segments_of(host.sessions)
    except MpioError:
        return {}


def _digests(read: Files, session: Session) -> tuple[bool, bool]:
    at = f"{sysfs.CONNECTIONS}/connection{session.sid}:0"
    header, data = (sysfs.word(read, f"{at}/{kind}_digest") == "1" for kind in ("header", "data"))
    return header, data


def _endless(read: Files, session: Session) -> bool:
    said = sysfs.word(read, f"{sysfs.SESSIONS}/session{session.sid}/recovery_tmo")
    return said == "off" or said.startswith("-")


def _otherwise(read: Files, site: Site | None, host: Host) -> frozenset[int]:
    """Sessions whose CHAP login is not their record's; of the site's own ifaces the site's login counts (old_chap)."""
    found = set()
    for session in host.sessions:
        node = host.node_of(session.pair)
        if node is None or (site and any(i.name == session.pair.iface for i in site.ifaces)):
            continue
        login = sysfs.login_of(read, session.sid)
        said = keyfile.values(_text(read, node.path))
        if any(value != said.get(f"node.session.auth.{key}", "") for key, value in login.items()):
            found.add(session.sid)
    return frozenset(found)


def _text(read: Files, path: str) -> str:
    with contextlib.suppress(MpioError):
        return read.text(path) or ""
    return ""


def _rediscovered(read: Files, node: Node) -> bool:
    """Has a stored discovery written this record, and nobody since? It makes a link to it at the same moment."""
    said = node.settings
    if said.get("node.startup") != "manual" or said.get("node.discovery_type") != "send_targets":
        return False
    place = f"{said.get('node.discovery_address', '')},{said.get('node.discovery_port', '')}"
    pair = node.pair
    link = f"{pair.target},{pair.portal.address},{pair.portal.port},{node.tpgt},{pair.iface}"
    record = _stamp(read, node.path)
    linked = _stamp(read, f"{node.path.partition('/nodes/')[0]}/send_targets/{place}/{link}")
    return record is not None and linked is not None and abs(record - linked) <= TOGETHER


def _stamp(read: Files, path: str) -> float | None:
    try:
        return os.lstat(read.root + path).st_mtime
    except (OSError, ValueError):
        return None


def _hung(read: Files) -> str:
    """What holds iscsid. Not iscsiadm's word for it: that waits half a minute for an iscsid that hangs, and ending an
    iscsiadm may leave its lock behind.
    """
    states = set()
    for number in read.names("/proc"):
        if number.isdigit() and sysfs.word(read, f"/proc/{number}/comm") == iscsidlog.TAG:
            # proc_pid_stat(5): what follows the name, which may hold anything, begins with the state
            states |= set((read.text(f"/proc/{number}/stat") or "").rpartition(")")[2].split()[:1])
    return next((words for state, words in HUNG.items() if state in states), "")


def _stopped(read: Files, paths: list[Path]) -> Mapping[str, str]:
    before = {p.dev for p in paths if sysfs.state(read, p.sid) == "LOGGED_IN"}
    if before:
        time.sleep(WAKING)
    now = {p.dev: sysfs.device_state(read, p.dev) for p in paths if p.dev in before}
    return {p.dev: now[p.dev] for p in paths if now.get(p.dev) in STOPPED and sysfs.state(read, p.sid) == "LOGGED_IN"}


def _doubtful(site: Site | None, host: Host) -> bool:
    """Has a session another recovery time than its record? With a site multipath has been asked already."""
    nodes = ((s, host.node_of(s.pair)) for s in host.sessions)
    key = "node.session.timeo.replacement_timeout"
    return site is None and any(node and node.settings.get(key) != str(s.recovery_tmo) for s, node in nodes)


def _fast_io_fail(machine: Machine, host: Host) -> Mapping[str, str]:
    table = multipath.effective(multipathd.config(machine.run))
    of_wwid = {p.wwid: (p.vendor, p.product) for p in host.paths if p.dm}
    key = logins_timers.FAST_IO_FAIL
    return {wwid: found[key] for wwid, found in multipath.by_lun(table, of_wwid).items() if key in found}


def _unprobed(host: Host, lacking: tuple[Node, ...]) -> tuple[tuple[str, str, Portal], ...]:
    """What logs in at boot, or did, and that nobody has probed: each way once."""
    nics = {i.name: i.nic for i in host.ifaces}
    found = {
        (n.pair.iface, nics[n.pair.iface], n.pair.portal)
        for n in lacking
        if (n.settings.get("node.startup") != "manual" or host.session_of(n.pair))
        and nics.get(n.pair.iface)
        and (n.pair.iface, n.pair.portal) not in host.probes
    }
    return tuple(sorted(found))
