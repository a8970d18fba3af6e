"""A recorded host of which one file or answer is another one: looked at, judged, planned and shown."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import cast

from corpus import TOP, paths
from fuzzed import Reader
from of_host import Shown
from of_mpio import memories

from mpio import memory, nagios, observe, plan, recording, script, serve, stat, topology, verdict, view
from mpio.errors import MpioError
from mpio.files import Files
from mpio.host import Host
from mpio.lab import record
from mpio.machine import Machine
from mpio.metrics import samples
from mpio.observe import configured, states
from mpio.program import Done
from mpio.recording import Tree
from mpio.replay import NotRecorded, Replay
from mpio.report import page
from mpio.site import Site
from mpio.stat import View
from mpio.tools import iscsidb, multipath

STATES = ("sane", "failed-path", "nic-down", "all-down", "no-daemon", "lost-lun")
# what is swapped: what a peer, a kernel, a daemon or an administrator has a hand in
FACTS = page.Facts("prague", "now", (), "")
MEMORY = "memory"
NAMES = (
    "sysfs",
    "files",
    "multipathd-maps",
    "dmsetup-info",
    "dmsetup-status",
    "systemctl-multipathd",
    "ip-addr",
    MEMORY,
)


@cache
def _tree(state: str, name: str) -> Tree:
    """Of bookworm: the files are recorded in one state only."""
    return recording.tree(_done("sane" if name == "files" else state, name).out)


@cache
def _done(state: str, name: str) -> Done:
    return recording.load((TOP / "bookworm" / state / name).read_text(encoding="utf-8"))


@cache
def _site() -> Site:
    return record.named(record.site(), recording.tree(_done("set-up", "sysfs").out))


@cache
def _runs(state: str) -> dict[str, Done]:
    folder = TOP / "bookworm" / state
    return {
        p.name: recording.load(p.read_bytes().decode("utf-8", "backslashreplace")) for p in sorted(folder.iterdir())
    }


def _looked(data: bytes) -> object:
    """The first line says what the rest is: `sane multipathd-maps`."""
    head, _, body = data.partition(b"\n")
    state, _, name = head.decode("ascii", "replace").partition(" ")
    state, name = (state if state in STATES else STATES[0]), (name if name in NAMES else NAMES[0])
    runs, said = dict(_runs(state)), body.decode("utf-8", "backslashreplace")
    if name in runs:
        runs[name] = Done(runs[name].argv, runs[name].code, said, "")
    trees = {one: _tree(state, one) for one in ("sysfs", "files")}
    if name in trees:
        trees[name] = recording.tree(body.decode("utf-8", "surrogateescape"))
    kept = {memory.PATH: body.decode("utf-8", "surrogateescape")} if name == MEMORY else {}
    shown = Shown(trees["files"], trees["sysfs"], Tree(kept, {}))
    machine = Machine(Replay(runs.values()), cast(Files, shown))
    try:
        seen = observe.host(machine, _site(), observe.Look.STATUS)
        host = _configured(machine, seen)
        return _shown(None, host), _shown(_site(), host)
    except NotRecorded:  # another host's question
        return None


def _configured(machine: Machine, seen: Host) -> Host:
    """What `verify` and `plan` read of files beside; programs that would change something, or ask the SAN, are none."""
    with_files = configured.files(machine, _site(), replace(seen, root=True))
    unread = tuple((iscsidb.iface_of(machine.files, path), path) for path in iscsidb.unread(machine.files))
    assert states.polling_interval(machine) >= 0
    return replace(with_files, unread=unread, known_keywords=multipath.all_keywords())


def _shown(site: Site | None, host: Host) -> object:
    if site is None:
        luns = topology.luns(None, host, None)
        seen, pairs = stat.Seen(host, luns, None, None), None
        steps: list[object] = []
    else:
        made = plan.steps(site, host)
        judged = verdict.of(site, host, made)
        luns, pairs = judged.luns, made.pairs
        seen = stat.Seen(host, luns, pairs, site)
        shown = nagios.line(judged.exit, luns, nagios.worst(judged.findings), len(judged.drift))
        steps = [view.steps(made.steps), view.findings(judged.findings), script.runbook(made), shown]
    said = serve.text(samples(host, luns, 1.0, site))
    said.encode()
    judged_page = page.Judged(luns, pairs) if pairs is None else page.Judged(luns, pairs, "", (), ())
    made_page = page.of(FACTS, site, host, judged_page)
    views = (View.GROUP, View.INTERFACE, View.ADDRESS, View.TARGET)
    rows = [str(row) for one in views for row in stat.rows(one, seen)]
    document = json.dumps([view.status(host, luns, site), view.budgeted(host, luns, site), steps])
    document.encode()
    return rows, said, document, made_page


def named_by_host() -> str:
    """sysfs with two sessions that were made by a host name, and are down: nothing tells their address."""
    body = _done("sane", "sysfs").out
    named = re.sub(r"(/persistent_address <==\n)10.10.9.90", r"\1san.example.org", body)
    return re.sub(r"(connection\d:0/address <==\n)10.10.9.90", r"\1", named)


def _corpus() -> tuple[bytes, ...]:
    found = []
    for path in paths("*/*"):
        if path.parts[-3] == "bookworm" and path.parts[-2] in STATES and path.name in NAMES:
            body = recording.load(path.read_text(encoding="utf-8")).out
            found.append(f"{path.parts[-2]} {path.name}\n{body}".encode())
    found.append(f"sane sysfs\n{named_by_host()}".encode())
    return (*found, *(f"sane {MEMORY}\n".encode() + text for text in memories()))


READERS = (Reader("host", _looked, _corpus, (MpioError,), slow=True),)
