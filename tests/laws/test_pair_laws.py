"""The rules of planned pairs: what makes a pair planned, and what never unmakes it."""

from __future__ import annotations

from dataclasses import replace

import fakes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import GOING_DOWN, Damage, hosts, sans, sites, whole

from mpio import hearsay, topology
from mpio.host import Answer, Asked, Host, Pair, Portal
from mpio.site import Site

MORE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PLACES = st.tuples(
    st.sampled_from(["sw-iscsi-0", "sw-iscsi-1", "san-a"]), st.sampled_from([fakes.PORTAL_8, fakes.PORTAL_9])
)
PROBES: st.SearchStrategy[dict[tuple[str, Portal], Answer]] = st.dictionaries(PLACES, st.sampled_from(Answer))


def told(host: Host, probes: dict[tuple[str, Portal], Answer]) -> Host:
    """The host after every portal named its targets, with these probes."""
    return replace(host, probes=probes, asked=(Asked(fakes.PORTAL_8, (), 0, "", fakes.SAN.targets),))


def wanted(site: Site, host: Host) -> list[Pair]:
    """Every pair that the words of the site take, whatever the network says, where a portal's word is enough."""
    return [
        Pair(iface.name, found.portal, found.target)
        for found in fakes.SAN.targets
        for iface in site.ifaces
        if hearsay.wants_target(site, found.target) and not hearsay.excludes(site, found.portal)
        if hearsay.unasked(site, host, found.portal) is None
    ]


def near(site: Site, host: Host, pair: Pair) -> bool:
    nic = host.nic(next(i.nic for i in site.ifaces if i.name == pair.iface))
    return nic is not None and nic.on_link(pair.portal)


@given(sites(), hosts(down=False), PROBES)
@MORE
def test_pairs_in_the_subnet_are_planned_whatever_the_probe_says(
    site: Site, host: Host, probes: dict[tuple[str, Portal], Answer]
) -> None:
    host = told(host, probes)
    planned = topology.pairs(site, host).planned
    assert {p for p in wanted(site, host) if near(site, host, p)} <= planned.keys()


@given(sites(), hosts(), PROBES)
@MORE
def test_recorded_pairs_of_a_mesh_are_planned_whatever_the_probe_says(
    site: Site, host: Host, probes: dict[tuple[str, Portal], Answer]
) -> None:
    site, host = replace(site, layout="mesh"), told(host, probes)
    planned = topology.pairs(site, host).planned
    assert {p for p in wanted(site, host) if host.node_of(p)} <= planned.keys()


@given(sites(), hosts(), PROBES)
@MORE
def test_a_pair_across_subnets_without_a_record_needs_an_answer(
    site: Site, host: Host, probes: dict[tuple[str, Portal], Answer]
) -> None:
    site, host = replace(site, layout="mesh"), told(host, probes)
    made = topology.pairs(site, host)
    for pair in wanted(site, host):
        if host.node_of(pair) is None and not near(site, host, pair):
            nic = host.nic(next(i.nic for i in site.ifaces if i.name == pair.iface))
            answers = (
                probes.get((pair.iface, pair.portal)) is Answer.ANSWERED and nic is not None and bool(nic.addresses)
            )
            assert (pair in made.planned) == answers
            assert (pair in {left.pair for left in made.left_out}) != answers


@given(sites(), hosts(), PROBES)
@MORE
def test_a_subnet_layout_never_crosses(site: Site, host: Host, probes: dict[tuple[str, Portal], Answer]) -> None:
    site, host = replace(site, layout="subnet"), told(host, probes)
    for pair in topology.pairs(site, host).planned:
        nic = host.nic(next(i.nic for i in site.ifaces if i.name == pair.iface))
        assert near(site, host, pair) or (host.node_of(pair) and (nic is None or not nic.addresses))


@given(sites(), hosts(), PROBES)
@MORE
def test_every_pair_of_the_site_is_planned_or_left_out_with_a_reason(
    site: Site, host: Host, probes: dict[tuple[str, Portal], Answer]
) -> None:
    host = told(host, probes)
    made = topology.pairs(site, host)
    left = {x.pair for x in made.left_out}
    assert set(wanted(site, host)) == made.planned.keys() | left
    assert not made.planned.keys() & left
    assert all(x.reason for x in made.left_out)
    assert set(made.silent or {}) <= made.planned.keys()


@given(st.sampled_from(["mesh", "subnet"]), st.lists(GOING_DOWN, max_size=6), sans())
@MORE
def test_what_goes_down_takes_no_planned_pair_away(layout: str, damages: list[Damage], san: fakes.San) -> None:
    site = fakes.guide_site(layout=layout)
    host = whole() if layout == "mesh" else fakes.guide_host(site)
    before = topology.pairs(site, host).planned
    for happen in damages:
        host = happen(host)
        assert topology.pairs(site, fakes.look(site, host, san)).planned == before


@given(sites(), hosts(masked=True))
@MORE
def test_only_pairs_without_a_session_are_probed(site: Site, host: Host) -> None:
    alive = {(s.pair.iface, s.pair.portal) for s in host.sessions if s.logged_in}
    for iface, nic_name, portal in topology.probe_wanted(site, host):
        assert (iface, portal) not in alive
        assert not hearsay.excludes(site, portal)
        assert nic_name == next(i.nic for i in site.ifaces if i.name == iface)
