"""What a shell may put in a word's place. The scripts of contrib/completion know the verbs and their options; for what
only this host or this release knows they ask `_MPIO_COMPLETE=KIND mpio`.

Read are files of the host and the kernel, no program runs. What may not be read is not offered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from mpio import findings
from mpio.commands import call
from mpio.console import Console
from mpio.errors import Exit, MpioError, UsageError
from mpio.files import Files
from mpio.host import Iface, Node, Portal, Session
from mpio.site import Site
from mpio.tools import iscsidb, sysfs
from mpio.tools.sysfs import Reader

T = TypeVar("T")
Words = Iterator[tuple[str, str]]  # a word and what it is


def show(kind: str, read: Reader | None = None) -> int:
    """Print the words of a kind, one a line, each with what it is behind a tab."""
    if kind not in KINDS:
        raise UsageError(f"there is nothing called {kind!r} to complete", f"there is {', '.join(KINDS)}")
    console = Console()
    for word, what in dict(KINDS[kind](read or Files())).items():
        console.out(f"{word}\t{what}")
    return Exit.OK


def names(read: Reader) -> Words:
    """Everything that X may be."""
    yield from ifaces(read)
    sessions = _sessions(read)
    site = _site()
    nics = [i.nic for i in _ifaces(read)] + [s.nic for s in sessions] + [i.nic for i in (site.ifaces if site else ())]
    yield from ((nic, "NIC") for nic in nics if nic)
    yield from portals(read)
    pairs = [*(s.pair for s in sessions), *(n.pair for n in _nodes(read))]
    yield from ((pair.target, "target") for pair in pairs)
    yield from ((f"sid:{s.sid}", f"session {s.pair}") for s in sessions)


def ifaces(read: Reader) -> Words:
    site = _site()
    known = [*(i.name for i in _ifaces(read)), *(i.name for i in (site.ifaces if site else ()))]
    known += [s.pair.iface for s in _sessions(read)]
    return ((name, "iface") for name in known)


def portals(read: Reader) -> Words:
    site = _site()
    known: list[Portal] = [*(site.portals if site else ()), *(s.pair.portal for s in _sessions(read))]
    known += [n.pair.portal for n in _nodes(read)]
    return ((str(portal), "portal") for portal in known)


def nics(read: Reader) -> Words:
    return ((nic, "NIC") for nic in sysfs.nic_names(read) if nic != "lo")


def luns(read: Reader) -> Words:
    """The aliases and WWIDs of the site's LUNs and of the maps."""
    site = _site()
    for lun in site.luns if site else ():
        yield from ((lun.alias, lun.wwid),) if lun.alias else ()
        yield lun.wwid, lun.alias or "LUN"
    for mapped in sysfs.maps(read):
        yield from ((mapped.name, mapped.wwid), (mapped.wwid, mapped.name))


def wwids(read: Reader) -> Words:
    """The LUNs that are shown to this host and not in the site yet."""
    site = _site()
    named = {lun.wwid for lun in site.luns} if site else set()
    return ((p.wwid, f"{p.vendor} {p.product}") for p in sysfs.paths(read) if p.wwid and p.wwid not in named)


def codes(_: Reader) -> Words:
    return ((code, row.summary.format(subject="X")) for code, row in findings.TABLE.items())


def refusals(read: Reader) -> Words:
    return ((code, what) for code, what in codes(read) if code in findings.refusal_codes())


KINDS: dict[str, Callable[[Reader], Words]] = {
    "names": names,
    "ifaces": ifaces,
    "portals": portals,
    "nics": nics,
    "luns": luns,
    "wwids": wwids,
    "codes": codes,
    "refusals": refusals,
}


def _ifaces(read: Reader) -> tuple[Iface, ...]:
    return _seen(lambda: iscsidb.ifaces(read), ())


def _nodes(read: Reader) -> tuple[Node, ...]:
    return _seen(lambda: iscsidb.nodes(read), ())


def _sessions(read: Reader) -> tuple[Session, ...]:
    nic_of = {i.name: i.nic for i in _ifaces(read)}
    return _seen(lambda: sysfs.sessions(read, nic_of), ())


def _site() -> Site | None:
    from mpio import sitefile

    return _seen(lambda: sitefile.load(os.environ.get("MPIO_SITE", "") or call.SITE), None)


def _seen(ask: Callable[[], T], otherwise: T) -> T:
    try:
        return ask()
    except MpioError:
        return otherwise
