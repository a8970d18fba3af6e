"""LUNs, maps and paths against what was planned."""

from __future__ import annotations

from collections.abc import Iterator

from mpio import topology
from mpio.findings import Finding, finding
from mpio.host import Host, Path
from mpio.plan import Plan, maps
from mpio.plan.shape import MULTIPATH_DROP_IN
from mpio.site import Site
from mpio.topology import Lun, LunState


def findings(site: Site, host: Host, plan: Plan, judged: tuple[Lun, ...]) -> Iterator[Finding]:
    for lun in judged:
        yield from _paths(host, lun)
    fits = maps.fits(site, host, ((lun.vendor, lun.product) for lun in judged))
    for lun in judged:
        yield from _standing(host, plan, lun)
        yield from _identity(site, lun, fits[lun.vendor, lun.product])
    yield from _in_force(site, host)


def of_kernel(host: Host, judged: tuple[Lun, ...]) -> Iterator[Finding]:
    """Without a site: paths that failed, and maps with disks none of which is usable. Of disks that no iSCSI session
    carries nobody has looked.
    """
    slaves = {m.wwid: set(m.slaves) for m in host.maps}
    for lun in judged:
        yield from _paths(host, lun)
        here = slaves.get(lun.wwid, set())
        if lun.state is LunState.FAILED and here and here <= {p.dev for p in lun.paths}:
            yield finding("MP401", _called(lun), f"0 of {len(lun.paths)} paths usable")


def _called(lun: Lun) -> str:
    return lun.alias or lun.wwid


def _paths(host: Host, lun: Lun) -> Iterator[Finding]:
    """Only what no session or link finding says already: the path's own failure."""
    alive = {s.sid for s in host.sessions if s.logged_in}
    for path in lun.paths:
        if topology.offline(host, path):
            continue
        if path.dm and path.sid in alive and not topology.usable(host, path) and path.dm_state:
            yield finding("MP404", f"{path.dev} of {_called(lun)}", _path_words(host, path))


def _path_words(host: Host, path: Path) -> str:
    session = next((s for s in host.sessions if s.sid == path.sid), None)
    over = f" over {session.pair}" if session else ""
    return f"dm {path.dm_state or '-'}, checker {path.checker_state or '-'}, device {path.device_state or '-'}{over}"


def _standing(host: Host, plan: Plan, lun: Lun) -> Iterator[Finding]:
    mapped = any(m.wwid == lun.wwid for m in host.maps)
    if lun.wanted and not mapped and lun.paths:
        yield finding("MP407", _called(lun), ", ".join(p.dev for p in lun.paths))
    count = f"{len(lun.usable)} of {lun.expected} paths usable"
    if lun.state is LunState.FAILED:
        yield finding("MP401", _called(lun), count)
    elif lun.state is LunState.DEGRADED:
        if lun.expected is not None and len(lun.usable) < lun.expected:
            yield finding(
                "MP402", _called(lun), f"{count}; missing: {', '.join(_missing(host, plan, lun)) or 'none planned'}"
            )
        if lun.shared:
            yield finding("MP403", _called(lun), lun.shared)
    elif lun.state is LunState.UNKNOWN and not lun.wanted:
        yield finding("MP411", lun.wwid, f"{len(lun.paths)} paths")


def _missing(host: Host, plan: Plan, lun: Lun) -> tuple[str, ...]:
    """The planned pairs of the LUN over which no usable path comes."""
    have = {s.pair for p in lun.usable for s in host.sessions if s.sid == p.sid}
    return tuple(str(p) for p in topology.pairs_of(host, plan.pairs, lun.wwid) if p not in have)


def _identity(site: Site, lun: Lun, fits: bool) -> Iterator[Finding]:
    sizes = {p.size for p in lun.paths if p.size is not None}
    if len(sizes) > 1:
        detail = ", ".join(f"{p.dev} {p.size}" for p in lun.paths)
        yield finding("MP410", _called(lun), detail)
    if lun.wanted and lun.paths and not fits:
        yield finding("MP412", _called(lun), f"{lun.vendor} {lun.product}, preset {site.preset}")


def _in_force(site: Site, host: Host) -> Iterator[Finding]:
    """multipath's own word against the site's, once our drop-in is what the site says."""
    if host.effective is None or host.files.get(MULTIPATH_DROP_IN) is None:
        return
    wished, _ = maps.wish(site, host)
    if maps.drop_in(wished) != host.files.get(MULTIPATH_DROP_IN):
        return
    beaten: dict[str, list[str]] = {}
    for wwid, keywords in (host.effective.wished or maps.wanted_keywords(wished)).items():
        installed = host.effective.installed.get(wwid, {})
        for keyword, value in keywords.items():
            have = installed.get(keyword)
            if have is not None and have != value:
                beaten.setdefault(f"{keyword} {value}", []).append(f"{wwid}: {have}")
    for what, where in beaten.items():
        yield finding("MP413", what, "; ".join(where))
