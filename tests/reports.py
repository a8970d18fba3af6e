"""Hosts to make reports of: recorded ones, and one with everything large."""

from __future__ import annotations

from dataclasses import dataclass, replace

import fakes
import recordings

from mpio import observe, plan, topology, verdict
from mpio.host import Host, Iface, Map, Node, Pair, Path, Portal, Session
from mpio.lab import record
from mpio.machine import Machine
from mpio.recording import Tree
from mpio.report import page, typeset
from mpio.site import Site, SiteIface, SiteLun

STATES = ("sane", "failed-path", "nic-down", "all-down", "no-daemon", "lost-lun", "no-session")
LUNS = 64
FACTS = page.Facts(
    "prague",
    "2026-11-21 19:00:00+01:00",
    (("mpio", "0.1.0"), ("Python", "3.11.2"), ("Linux", "6.1.0"), ("on", "Debian GNU/Linux 12 (bookworm)")),
    "iqn.2011-10.dom.prague:hydra",
)


@dataclass(frozen=True)
class Seen:
    """What a report is made of."""

    host: Host
    site: Site | None
    judged: page.Judged

    @property
    def page(self) -> page.Page:
        return page.of(FACTS, self.site, self.host, self.judged)

    @property
    def html(self) -> str:
        return typeset.report(self.page)


def seen(host: Host, site: Site | None) -> Seen:
    if site is None:
        return Seen(host, None, page.Judged(topology.luns(None, host, None)))
    planned = plan.steps(site, host)
    found = verdict.of(site, host, planned)
    return Seen(host, site, page.Judged(found.luns, planned.pairs, found.word, found.drift, found.findings))


def recorded(state: str, *, with_site: bool, release: str = "bookworm") -> Seen:
    """The guide's host as a guest once showed it."""
    files, kernel = recordings.tree(release, "sane", "files"), recordings.tree(release, state)
    tree = Tree({**files.files, **kernel.files}, {**files.links, **kernel.links})
    machine = Machine(recordings.replay(release, state), tree)  # type: ignore[arg-type]
    site = record.named(record.site(), recordings.tree(release, "set-up")) if with_site else None
    return seen(observe.host(machine, site, observe.Look.STATUS), site)


def large() -> Seen:
    """64 LUNs with 4 paths each and the longest names that there are; a NIC without carrier, a LUN without a path."""
    portals = (Portal("fd00:8:0:1111:2222:3333:4444:90"), Portal("10.10.9.90"))
    homers = tuple(f"iqn.2011-09.dom.{'homer-' * 20}example:{n}:13611547-b4e6-e4b9-d97b-d1f4df275f58" for n in (1, 2))
    ifaces = tuple(Iface(f"sw-iscsi-{n}{'-of-the-fabric' * n * 3}", f"eth{n + 1}") for n in range(2))
    pairs = [Pair(i.name, portal, homer) for portal, homer in zip(portals, homers, strict=True) for i in ifaces]
    sessions = [
        Session(n, n + 2, pair, "eth1" if pair.iface == ifaces[0].name else "eth2", 1, "FAILED", 10, 5, 5)
        for n, pair in enumerate(pairs, 1)
    ]
    sessions = [replace(s, state="LOGGED_IN") if s.nic == "eth1" else s for s in sessions]
    maps, paths = [], []
    for n in range(LUNS):
        wwid = f"3600144f0f484400000{n:015x}"
        name = f"hydra_{'very-long-name-of-a-lun.' * 4 if n % 8 == 0 else 'db-'}{n:02}"
        maps.append(Map(name, wwid, f"dm-{n}", 3 << 38, queueing=60))
        for s in sessions:
            up = "active" if s.logged_in and n != 9 else "failed"
            where = f"{s.host}:0:0:{n}"
            paths.append(
                Path(
                    f"sd{n}x{s.sid}", where, s.sid, wwid, 3 << 38, "NEXENTA", "COMSTAR", "running", f"dm-{n}", up, up, 1
                )
            )
    host = Host(
        nics=(fakes.nic("eth1", "10.10.8.14/24", "fd00:8::14/64"), fakes.nic("eth2", "10.10.9.14/24", carrier=False)),
        ifaces=ifaces,
        sessions=tuple(sessions),
        paths=tuple(paths),
        maps=tuple(maps),
        nodes=tuple(Node(pair, 1) for pair in pairs),
        blind=("what multipathd says: it did not answer",),
    )
    site = fakes.guide_site(
        ifaces=tuple(SiteIface(i.name, i.nic) for i in ifaces),
        portals=portals,
        targets=(),
        luns=tuple(SiteLun(m.wwid, m.name, {}) for m in maps),
    )
    return seen(host, site)


def wide(targets: int = 24, portals: int = 8, ifaces: int = 4) -> Seen:
    """A target for each LUN, as some arrays have it, behind many portals; every fifth session is down."""
    sessions, paths, maps = [], [], []
    for n in range(targets):
        for place in range(portals):
            sid = 1 + n * portals + place
            pair = Pair(f"sw-{place % ifaces}", Portal(f"10.10.{place}.90"), f"iqn.2000-01.com.array:lun-{n:02}")
            state = "FAILED" if sid % 5 == 0 else "LOGGED_IN"
            sessions.append(Session(sid, sid, pair, f"eth{place % ifaces}", 1, state, 10, 5, 5))
            up = "failed" if sid % 5 == 0 else "active"
            wwid = f"3{n:032x}"
            paths.append(
                Path(f"sd{sid}", f"{sid}:0:0:0", sid, wwid, 1 << 40, "A", "B", "running", f"dm-{n}", up, up, 1)
            )
        maps.append(Map(f"data-{n:02}", f"3{n:032x}", f"dm-{n}", 1 << 40, queueing="off"))
    host = Host(
        nics=tuple(fakes.nic(f"eth{n}", f"10.10.{n}.14/24") for n in range(ifaces)),
        ifaces=tuple(Iface(f"sw-{n}", f"eth{n}") for n in range(ifaces)),
        sessions=tuple(sessions),
        paths=tuple(paths),
        maps=tuple(maps),
    )
    return seen(host, None)
