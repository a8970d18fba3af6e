"""Why a LUN's disks are in no map: each cause a finding of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mpio import topology
from mpio.diagnosis import disks_blacklist
from mpio.diagnosis.disks_blacklist import Line
from mpio.diagnosis.disks_seen import Disks
from mpio.findings import Finding, finding
from mpio.host import Host, Path
from mpio.plan import maps
from mpio.site import Site
from mpio.topology import Lun

# What somebody only reads past its map is no harm, nor what multipathd itself stands on.
HARMLESS = frozenset({"process", "map"})
# of find_multipaths: what takes one path alone only where its WWID is registered (libmultipath/wwids.c)
STRICT, PATIENT = frozenset({"strict"}), frozenset({"yes", "on", "smart"})


@dataclass
class _Causes:
    """What was found of one LUN's disks, by cause."""

    held: dict[str, str] = field(default_factory=dict)
    nameless: dict[str, str] = field(default_factory=dict)
    misnamed: dict[str, str] = field(default_factory=dict)
    unregistered: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def findings(site: Site | None, host: Host, seen: Disks, judged: tuple[Lun, ...]) -> Iterator[Finding]:
    lines: dict[Line, list[str]] = {}
    for lun in judged:
        loose = [p for p in lun.paths if not p.dm and _works(host, seen, p)]
        if not loose or not _meant(site, lun):
            continue
        causes = _Causes()
        for disk in loose:
            _judge(host, seen, lun, disk, (causes, lines))
        yield from _said(seen, lun, causes)
    for session in host.sessions:
        if left := seen.undriven.get(session.sid):
            yield finding("MP460", str(session.pair), f"session {session.sid}: {', '.join(left)}")
    for line, disks in lines.items():
        yield finding("MP430", str(line), f"{line.text} leaves out {', '.join(disks)}")


def _works(host: Host, seen: Disks, disk: Path) -> bool:
    alive = any(s.sid == disk.sid and s.logged_in for s in host.sessions)
    return alive and disk.device_state == "running" and disk.dev not in seen.gone and not topology.offline(host, disk)


def _meant(site: Site | None, lun: Lun) -> bool:
    """Is it to be multipathed? Without a site: where it is in part, or has more than one disk."""
    return lun.wanted or bool(lun.dm) or (site is None and len(lun.paths) > 1)


def _judge(host: Host, seen: Disks, lun: Lun, disk: Path, into: tuple[_Causes, dict[Line, list[str]]]) -> None:
    """The first cause that stands; where udev is not done with a disk nobody knows."""
    causes, lines = into
    known = seen.disk(disk.dev).udev
    if used := [str(u) for u in host.users if u.dev == disk.dev and u.kind not in HARMLESS]:
        causes.held[disk.dev] = "; ".join(used)
    elif not seen.settled or known is None:
        return
    elif line := disks_blacklist.line_against(seen.conf, disk, known):
        lines.setdefault(line, []).append(f"{disk.dev} of {lun.alias or lun.wwid}")
    elif words := _nameless(seen, known):
        causes.nameless[disk.dev] = words
    elif (now := known["ID_SERIAL"]) and _is_another(now, seen.disk(disk.dev).identities):
        causes.misnamed[disk.dev] = f"udev says {now}, the disk {_named(seen.disk(disk.dev).identities)}"
    elif not maps.runs(host):
        return
    elif not lun.dm and _unregistered(host, seen, lun):
        causes.unregistered.append(disk.dev)
    elif lun.dm:
        causes.left_out.append(disk.dev)


def _nameless(seen: Disks, known: Mapping[str, str]) -> str:
    if not known.get("ID_SERIAL"):
        return "udev has no ID_SERIAL of it"
    return "udev has neither SCSI_IDENT_… nor ID_WWN… of it" if disks_blacklist.lacks_property(seen.conf, known) else ""


def _is_another(said: str, identities: frozenset[str]) -> bool:
    """Is it none of these, of its own kind? Everybody spells blanks in a T10 name in their own way."""
    same = {_plain(w) for w in identities if w[:1] == said[:1]}
    return bool(same) and _plain(said) not in same


def _plain(wwid: str) -> str:
    return "".join(c for c in wwid.lower() if c.isalnum())


def _named(identities: frozenset[str]) -> str:
    return max(identities, key=lambda w: (w[0] == "3", w[0], len(w), w), default="")


def _unregistered(host: Host, seen: Disks, lun: Lun) -> bool:
    if lun.wwid in host.registered:
        return False
    return seen.find_multipaths in STRICT or (seen.find_multipaths in PATIENT and len(lun.paths) < 2)


def _said(seen: Disks, lun: Lun, causes: _Causes) -> Iterator[Finding]:
    name = lun.alias or lun.wwid
    if causes.held:
        # Beside a map it is written to behind the map's back.
        yield finding("MP435" if lun.dm else "MP432", name, _listed(causes.held))
    if causes.nameless:
        yield finding("MP433", name, _listed(causes.nameless))
    if causes.misnamed:
        yield finding("MP456", name, _listed(causes.misnamed))
    if causes.unregistered:
        few = f"find_multipaths is {seen.find_multipaths}, {lun.wwid} is not in /etc/multipath/wwids"
        alone = "" if seen.find_multipaths in STRICT else ", and it has one path"
        yield finding("MP431", name, f"{few}{alone}: {', '.join(causes.unregistered)}")
    if causes.left_out:
        given_up = "; multipath has given it up once" if lun.wwid in seen.given_up else ""
        yield finding("MP458", name, f"not in the map: {', '.join(causes.left_out)}{given_up}")


def _listed(words: Mapping[str, str]) -> str:
    return ", ".join(f"{dev}: {said}" for dev, said in words.items())
