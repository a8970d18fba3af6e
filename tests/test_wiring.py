from __future__ import annotations

from dataclasses import replace

import fakes
import reports

from mpio import plan, topology
from mpio.host import Host, Map
from mpio.report import wiring
from mpio.report.wiring import Bundle, Count, State, Wiring
from mpio.site import Site

SITE = fakes.guide_site()
HOST = fakes.guide_host(SITE)


def wired(host: Host, site: Site | None = SITE) -> Wiring:
    pairs = plan.steps(site, host).pairs if site else None
    return wiring.of(host, topology.luns(site, host, pairs), pairs)


def without_session(host: Host, sid: int) -> Host:
    return replace(
        host,
        sessions=tuple(s for s in host.sessions if s.sid != sid),
        paths=tuple(p for p in host.paths if p.sid != sid),
    )


def failed(host: Host, nic: str) -> Host:
    sessions = tuple(replace(s, state="FAILED") if s.nic == nic else s for s in host.sessions)
    return replace(host, sessions=sessions)


def test_the_guides_host_is_whole() -> None:
    seen = wired(HOST)
    assert [(c.name, c.state, [e.name for e in c.ifaces]) for c in seen.cards] == [
        ("eth1", State.HEALTHY, ["sw-iscsi-0"]),
        ("eth2", State.HEALTHY, ["sw-iscsi-1"]),
    ]
    assert [(p.name, p.ways) for p in seen.portals] == [
        ("10.10.8.90:3260", Count(2, 2)),
        ("10.10.9.90:3260", Count(2, 2)),
    ]
    assert [t.names for t in seen.targets] == [{fakes.HOMER_1}, {fakes.HOMER_2}]
    assert [len(group.luns) for group in seen.luns] == [4]
    assert len(seen.to_portals) == 4
    assert {b.count for b in seen.to_portals} == {Count(1, 1)}
    assert seen.to_luns == (Bundle(0, 0, Count(8, 8)), Bundle(1, 0, Count(8, 8)))
    assert (seen.sessions, seen.paths, seen.state) == (Count(4, 4), Count(16, 16), State.HEALTHY)


def test_a_session_that_is_gone_is_missed_with_a_site_only() -> None:
    lost = without_session(HOST, HOST.sessions[0].sid)
    seen = wired(lost)
    assert (seen.sessions, seen.paths, seen.state) == (Count(3, 4), Count(12, 16), State.DEGRADED)
    dead = [b for b in seen.to_portals if b.count == Count(0, 1)]
    assert [(b.start, b.sids, b.count.state) for b in dead] == [(HOST.sessions[0].pair.iface, (), State.DEAD)]
    assert {b.count for b in seen.to_luns} == {Count(4, 8), Count(8, 8)}
    blind = wired(lost, None)
    assert (blind.sessions, blind.paths, blind.state) == (Count(3, 3), Count(12, 12), State.HEALTHY)


def test_a_nic_that_carries_nothing() -> None:
    nics = (HOST.nics[0], replace(HOST.nics[1], carrier=False))
    seen = wired(failed(replace(HOST, nics=nics), "eth2"))
    assert [(c.state, c.ifaces[0].ways.state) for c in seen.cards] == [
        (State.HEALTHY, State.HEALTHY),
        (State.DEAD, State.DEAD),
    ]
    assert {p.ways.state for p in seen.portals} == {State.DEGRADED}
    assert seen.cards[1].says[0] == "no carrier, MTU 1500"
    gone = wired(replace(HOST, nics=HOST.nics[:1]))
    assert (gone.cards[1].state, gone.cards[1].says) == (State.DEAD, ("not there",))


def test_sessions_that_are_bound_to_no_nic() -> None:
    sessions = tuple(replace(s, nic="", pair=replace(s.pair, iface="default")) for s in HOST.sessions)
    seen = wired(replace(HOST, sessions=sessions, ifaces=()), None)
    assert [(c.name, [e.name for e in c.ifaces]) for c in seen.cards] == [(wiring.UNBOUND, ["default"])]


def test_targets_and_luns_are_grouped_by_what_is_above_them() -> None:
    """As arrays have it that give each LUN a target of its own."""
    sessions, paths, maps = [], [], []
    for n in range(40):
        for session in HOST.sessions[:2]:
            sid = 100 + 2 * n + session.sid
            target = f"iqn.2000-01.dom.one:{n:02}"
            sessions.append(replace(session, sid=sid, pair=replace(session.pair, target=target)))
            path = HOST.paths[0]
            paths.append(replace(path, dev=f"sd{sid}", sid=sid, wwid=f"3{n:032x}", dm=f"dm-{n}"))
        maps.append(Map(f"lun-{n:02}", f"3{n:032x}", f"dm-{n}"))
    host = replace(HOST, sessions=tuple(sessions), paths=tuple(paths), maps=tuple(maps))
    seen = wired(host, None)
    assert [len(t.ends) for t in seen.targets] == [40]
    assert [len(g.luns) for g in seen.luns] == [40]
    assert [b.count for b in seen.to_luns] == [Count(80, 80)]
    assert len(seen.to_portals) == len({(s.pair.iface, s.pair.portal) for s in sessions})


def test_a_lun_that_nobody_shows_stands_apart() -> None:
    paths = tuple(p for p in HOST.paths if p.wwid != fakes.DB_A03)
    maps = tuple(m for m in HOST.maps if m.wwid != fakes.DB_A03)
    memory = replace(HOST.memory, shown={w: t for w, t in HOST.memory.shown.items() if w != fakes.DB_A03})
    seen = wired(replace(HOST, paths=paths, maps=maps, memory=memory))
    assert [(len(g.luns), g.behind) for g in seen.luns] == [(3, frozenset({0, 1})), (1, frozenset())]
    assert seen.state is State.DEAD


def test_recorded_hosts_add_up() -> None:
    for state in reports.STATES:
        for with_site in (True, False):
            seen = reports.recorded(state, with_site=with_site)
            drawn = wiring.of(seen.host, seen.judged.luns, seen.judged.pairs)
            assert drawn.sessions.up == sum(s.logged_in for s in seen.host.sessions)
            assert sum(b.count.up for b in drawn.to_luns) == sum(len(lun.usable) for lun in seen.judged.luns)
            assert sum(len(g.luns) for g in drawn.luns) == len(seen.judged.luns)
