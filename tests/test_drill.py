"""What a drill takes away, what it refuses to take, how that comes back."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import HOMER_1, HOMER_2, PORTAL_8, PORTAL_9
from hypothesis import given
from hypothesis import strategies as st

from mpio import budget, topology
from mpio.budget import Kind
from mpio.drills import drill
from mpio.drills.drill import How, Means, Taking, Thing
from mpio.errors import Refused, UnknownName, UsageError
from mpio.host import Host, Unit, User
from mpio.step import Command, Step, Write
from mpio.topology import usable

SITE = fakes.guide_site()
HOST = fakes.guide_host(SITE)
PAIRS = topology.pairs(SITE, HOST)
# With both NICs up each portal is reached through the NIC of its own subnet, and there is no default route.
WAYS = {PORTAL_8: "eth1", PORTAL_9: "eth2"}
OFFLINE, LINK = Means(How.OFFLINE), Means(How.LINK, ways=WAYS)
BLOCK = Means(How.BLOCK, "mpio_drill_7")


def things(*names: str, how: How = How.OFFLINE) -> tuple[Thing, ...]:
    return drill.things(SITE, HOST, PAIRS, names, how)


def named(name: str, how: How = How.OFFLINE) -> Thing:
    (one,) = things(name, how=how)
    return one


def taking(name: str, means: Means, host: Host = HOST) -> Taking:
    return drill.taking(SITE, host, named(name, means.how), means)


def words(steps: tuple[Step, ...]) -> list[str]:
    return [" ".join(s.argv) if isinstance(s, Command) else f"{s.path}={s.text!r}" for s in steps]


def over(one: Taking) -> set[tuple[str, str]]:
    return {(s.nic, str(s.pair.portal)) for s in one.sessions}


# -- what there is -------------------------------------------------------------------------------------------------


def test_every_nic_and_portal_and_no_target_that_is_a_portal_again() -> None:
    assert [(t.kind, t.name, t.nic, len(t.pairs)) for t in things()] == [
        ("nic", "eth1", "eth1", 2),
        ("nic", "eth2", "eth2", 2),
        ("portal", str(PORTAL_8), "", 2),
        ("portal", str(PORTAL_9), "", 2),
    ]


def test_a_target_with_portals_of_its_own_is_drilled_too() -> None:
    both = replace(PAIRS, planned={**PAIRS.planned, **{replace(p, target=HOMER_2): 3 for p in PAIRS.planned}})
    found = drill.things(SITE, HOST, both, (), How.OFFLINE)
    assert [t.name for t in found if t.kind == "target"] == [HOMER_1, HOMER_2]


def test_the_only_target_is_drilled_by_its_name_only() -> None:
    one = replace(PAIRS, planned={replace(p, target=HOMER_1): 1 for p in PAIRS.planned})
    assert {t.kind for t in drill.things(SITE, HOST, one, (), How.OFFLINE)} == {"nic", "portal"}
    assert [t.kind for t in drill.things(SITE, HOST, one, (HOMER_1,), How.OFFLINE)] == ["target"]


def test_names_of_every_kind() -> None:
    sid = HOST.sessions[0].sid
    said = things("eth1", "sw-iscsi-1", "10.10.8.90", HOMER_2, f"sid:{sid}")
    assert [(t.kind, t.name, t.nic) for t in said] == [
        ("nic", "eth1", "eth1"),
        ("iface", "sw-iscsi-1", "eth2"),
        ("portal", str(PORTAL_8), ""),
        ("target", HOMER_2, ""),
        ("session", f"sid:{sid}", ""),
    ]
    assert things("eth1", "sw-iscsi-0") == (named("eth1"),)
    with pytest.raises(UnknownName):
        things("eth9")


def test_a_link_is_a_nic() -> None:
    assert [t.name for t in things(how=How.LINK)] == ["eth1", "eth2"]
    assert named("sw-iscsi-0", How.LINK).nic == "eth1"
    with pytest.raises(UsageError, match=r"10\.10\.8\.90:3260 is a portal"):
        things("10.10.8.90", how=How.LINK)


# -- how it goes and comes back ------------------------------------------------------------------------------------


def test_offline_fails_the_paths_and_reinstates_the_same() -> None:
    one = taking("eth1", OFFLINE)
    sids = {s.sid for s in HOST.sessions if s.nic == "eth1"}
    devs = [p.dev for p in HOST.paths if p.sid in sids]
    assert words(one.go) == [f"multipathd fail path {d}" for d in devs]
    assert words(one.back) == [f"multipathd reinstate path {d}" for d in devs]
    assert (len(one.paths), one.stall.limit) == (8, 1.0)


def test_a_path_that_is_failed_already_stays_as_it_is() -> None:
    gone = next(p for p in HOST.paths if p.sid == HOST.sessions[0].sid)
    host = replace(HOST, paths=tuple(replace(p, dm_state="failed") if p == gone else p for p in HOST.paths))
    one = taking(HOST.sessions[0].nic, OFFLINE, host)
    assert not any(gone.dev in line.split() for line in words((*one.go, *one.back)))


def test_block_drops_the_packets_of_the_pairs_and_no_others() -> None:
    one = taking("10.10.8.90", BLOCK)
    assert over(one) == {("eth1", str(PORTAL_8)), ("eth2", str(PORTAL_8))}
    (go,), (back,) = one.go, one.back
    assert isinstance(go, Command)
    script = go.argv[1]
    assert script.startswith("table inet mpio_drill_7 {")
    for nic in ("eth1", "eth2"):
        assert f'oifname "{nic}" ip daddr 10.10.8.90 tcp dport 3260 drop' in script
        assert f'iifname "{nic}" ip saddr 10.10.8.90 tcp sport 3260 drop' in script
    assert "10.10.9.90" not in script
    assert words((back,)) == ["nft add table inet mpio_drill_7; delete table inet mpio_drill_7"]
    assert one.stall.limit == budget.of_session(HOST, HOST.sessions[0], SITE).stalls[Kind.BLOCK].limit


def test_block_takes_the_sessions_of_another_target_at_the_same_portal_along() -> None:
    twin = replace(HOST.sessions[0], sid=99, pair=replace(HOST.sessions[0].pair, target="iqn.2011-09.dom.homer:03"))
    host = replace(HOST, sessions=(*HOST.sessions, twin))
    assert twin in taking(twin.nic, BLOCK, host).sessions
    assert twin not in taking(twin.nic, OFFLINE, host).sessions


def test_link_brings_back_what_the_kernel_drops() -> None:
    means = replace(LINK, routes=((4, "192.0.2.0/24 via 10.10.8.1 proto 4"), (6, "fd00:9::/64 via fd00:8::1")))
    one = taking("eth1", replace(means, keeps="0\n"))
    keep = "/proc/sys/net/ipv6/conf/eth1/keep_addr_on_down"
    assert words(one.go) == [f"{keep}='1\\n'", "ip link set dev eth1 down"]
    assert words(one.back) == [
        "ip link set dev eth1 up",
        "ip -N -4 route replace 192.0.2.0/24 via 10.10.8.1 proto 4 dev eth1",
        "ip -N -6 route replace fd00:9::/64 via fd00:8::1 dev eth1",
        f"{keep}='0\\n'",
    ]
    assert not any(isinstance(s, Write) for s in taking("eth1", LINK).go)  # a host without IPv6


def test_loose_filtering_costs_the_other_nics_sessions_too() -> None:
    assert {n.rp_filter for n in HOST.nics} == {2}
    assert over(taking("eth2", LINK)) == {
        ("eth2", str(PORTAL_8)),
        ("eth2", str(PORTAL_9)),
        ("eth1", str(PORTAL_9)),
    }
    only_eth2 = {("eth2", str(PORTAL_8)), ("eth2", str(PORTAL_9))}
    unfiltered = replace(HOST, nics=tuple(replace(n, rp_filter=0) for n in HOST.nics))
    assert over(taking("eth2", LINK, unfiltered)) == only_eth2
    assert over(taking("eth2", replace(LINK, otherwise="eth0"))) == only_eth2
    assert over(taking("eth2", replace(LINK, ways={PORTAL_8: "eth1", PORTAL_9: "eth0"}))) == only_eth2
    third = replace(HOST, nics=(*HOST.nics, fakes.nic("eth3", "10.10.9.15/24")))
    assert over(taking("eth2", LINK, third)) == only_eth2


# -- what stands against it ----------------------------------------------------------------------------------------


def codes(one: Taking, host: Host, means: Means) -> list[str]:
    return [f.code for f in drill.against(host, one, means)]


@pytest.mark.parametrize("means", [OFFLINE, LINK, BLOCK])
@pytest.mark.parametrize("name", ["eth1", "eth2"])
def test_nothing_stands_against_a_drill_of_a_whole_host(name: str, means: Means) -> None:
    assert codes(taking(name, means), HOST, means) == []
    assert drill.unwhole(HOST, topology.luns(SITE, HOST, PAIRS)) == ()


@pytest.mark.parametrize("means", [OFFLINE, LINK, BLOCK])
def test_the_last_path_is_never_taken(means: Means) -> None:
    gone = {s.sid for s in HOST.sessions if s.nic == "eth2"}
    kept = replace(HOST, sessions=tuple(s for s in HOST.sessions if s.sid not in gone))
    host = replace(kept, paths=tuple(p for p in HOST.paths if p.sid not in gone))
    one = taking("eth1", means, host)
    found = drill.against(host, one, means)
    assert {f.subject for f in found if f.code == "MP409"} >= {m.name for m in HOST.maps}
    whole = drill.unwhole(host, topology.luns(SITE, host, topology.pairs(SITE, host)))
    assert {f.code for f in whole} == {"MP426"}


def test_it_says_that_a_link_takes_the_last_path_by_its_routes() -> None:
    """Over eth1 only the portal in eth2's subnet is left, and the replies from there need eth2's route."""
    one_way = {s.sid for s in HOST.sessions if s.nic == "eth1" and s.pair.portal == PORTAL_8}
    host = replace(HOST, paths=tuple(replace(p, dm_state="failed") if p.sid in one_way else p for p in HOST.paths))
    found = drill.against(host, taking("eth2", LINK, host), LINK)
    assert {f.code for f in found} == {"MP409"}
    assert "so that 10.10.9.90:3260 through eth1 is not heard (rp_filter)" in found[0].detail
    assert drill.against(host, taking("eth2", BLOCK, host), BLOCK) == ()


def test_a_disk_that_is_used_directly_is_no_drills_business() -> None:
    disk = replace(HOST.paths[0], dm="", wwid="")
    host = replace(HOST, paths=(disk, *HOST.paths[1:]), users=(User(disk.dev, "mount", "/srv"),))
    nic = next(s.nic for s in HOST.sessions if s.sid == disk.sid)
    assert codes(taking(nic, OFFLINE, host), host, OFFLINE) == []
    assert codes(taking(nic, BLOCK, host), host, BLOCK) == ["MP408"]
    # one that is in a map and is used past it would get errors just the same
    used = replace(HOST, users=(User(HOST.paths[0].dev, "process", "dd (812)"),))
    assert codes(taking(nic, BLOCK, used), used, BLOCK) == ["MP408"]


def test_what_the_host_runs_from_is_not_cut_off_in_a_drill() -> None:
    """Its paths may be failed one after another, but nothing that ends a drill could be loaded if the rest failed."""
    own = User(HOST.maps[0].dm, "system", "/")
    host = replace(HOST, system=(own,), users=(User(own.dev, "mount", "/"),))
    for means in (LINK, BLOCK):
        assert codes(taking("eth1", means, host), host, means) == ["MP319"]
    assert codes(taking("eth1", OFFLINE, host), host, OFFLINE) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"otherwise": "eth1"}, "the default route"), ({"above": ("eth1.100",)}, r"eth1\.100 is on it")],
)
def test_a_link_that_carries_more_is_not_set_down(changes: dict[str, object], what: str) -> None:
    means = replace(LINK, **changes)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=what):
        drill.against(HOST, taking("eth1", means), means)


def test_without_multipathd_nobody_would_notice() -> None:
    host = replace(HOST, units=tuple(replace(u, active="inactive") for u in HOST.units))
    assert drill.unwhole(host, ())[0].code == "MP104"
    assert drill.unwhole(replace(HOST, units=(Unit("x"),)), ())[0].detail == "it is not there"


# -- laws ----------------------------------------------------------------------------------------------------------


@given(st.sampled_from(things()), st.sampled_from([OFFLINE, BLOCK]), st.sets(st.sampled_from(range(len(HOST.paths)))))
def test_a_drill_that_is_not_refused_leaves_every_map_a_path(thing: Thing, means: Means, broken: set[int]) -> None:
    paths = tuple(replace(p, dm_state="failed") if i in broken else p for i, p in enumerate(HOST.paths))
    host = replace(HOST, paths=paths)
    one = drill.taking(SITE, host, thing, means)
    refused = {f.subject for f in drill.against(host, one, means)}
    sids = {s.sid for s in one.sessions}
    for mapped in host.maps:
        own = [p for p in host.paths if p.dm == mapped.dm]
        keeps = any(usable(host, p) and p.sid not in sids for p in own)
        assert keeps or mapped.name in refused or not any(p.sid in sids for p in own)


def test_what_is_lost_and_what_is_back() -> None:
    assert drill.lost(HOST, HOST) == frozenset()
    first = HOST.paths[0]
    now = replace(HOST, paths=(replace(first, dm_state="failed"), *HOST.paths[1:]))
    pair = next(s.pair for s in HOST.sessions if s.sid == first.sid)
    assert drill.lost(HOST, now) == {(first.wwid, pair)}
    # A disk that comes back under another name is the same path.
    moved = replace(HOST, paths=(replace(first, dev="sdzz"), *HOST.paths[1:]))
    assert drill.lost(HOST, moved) == frozenset()


def test_only_a_few_maps_are_read_and_none_that_is_suspended() -> None:
    one = taking("eth1", OFFLINE)
    assert drill.read_maps(HOST, [one]) == HOST.maps
    many = replace(HOST, maps=HOST.maps * 5)
    assert len(drill.read_maps(many, [one])) == drill.AT_ONCE
    asleep = replace(HOST, maps=tuple(replace(m, suspended=True) for m in HOST.maps))
    assert drill.read_maps(asleep, [one]) == ()
