from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import APPS_A01, HOMER_1, HOMER_2, PORTAL_8, PORTAL_9

from mpio import hearsay, topology
from mpio.host import Answer, Asked, Found, Host, Pair, Path, Portal
from mpio.memory import Memory
from mpio.site import Site, SiteLun
from mpio.topology import LunState

ACROSS = Pair("sw-iscsi-0", PORTAL_9, HOMER_2)
NEAR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)


def told(host: Host, *found: Found) -> Host:
    """A host without records whose portals named these targets."""
    return replace(host, nodes=(), asked=(Asked(PORTAL_8, (), 0, "", found or fakes.SAN.targets),))


def lun_of(site: Site | None, host: Host, wwid: str = APPS_A01) -> topology.Lun:
    pairs = topology.pairs(site, host) if site else None
    return next(x for x in topology.luns(site, host, pairs) if x.wwid == wwid)


def test_the_guides_mesh_is_four_pairs() -> None:
    made = topology.pairs(fakes.guide_site(), fakes.guide_host())
    assert made.planned == {
        Pair("sw-iscsi-0", PORTAL_8, HOMER_1): 2,
        Pair("sw-iscsi-1", PORTAL_8, HOMER_1): 2,
        Pair("sw-iscsi-0", PORTAL_9, HOMER_2): 3,
        Pair("sw-iscsi-1", PORTAL_9, HOMER_2): 3,
    }
    assert made.left_out == ()
    assert not made.silent
    assert made.of_target(HOMER_2) == (Pair("sw-iscsi-0", PORTAL_9, HOMER_2), Pair("sw-iscsi-1", PORTAL_9, HOMER_2))


def test_a_subnet_layout_is_two_pairs() -> None:
    made = topology.pairs(fakes.guide_site(layout="subnet"), told(fakes.bare_host()))
    assert set(made.planned) == {NEAR, Pair("sw-iscsi-1", PORTAL_9, HOMER_2)}
    assert {x.reason for x in made.left_out} == {
        "10.10.9.90:3260 is not in a subnet of eth1",
        "10.10.8.90:3260 is not in a subnet of eth2",
    }


def test_a_subnet_layout_survives_a_nic_that_lost_its_address() -> None:
    """Only the site's words lower what is expected; an address comes back."""
    site = fakes.guide_site(layout="subnet")
    host = fakes.guide_host(site)
    dark = replace(host, nics=tuple(replace(n, addresses=()) for n in host.nics))
    assert topology.pairs(site, dark).planned == topology.pairs(site, host).planned


@pytest.mark.parametrize("answer", [None, *Answer])
def test_only_an_answer_plans_a_pair_across_subnets(answer: Answer | None) -> None:
    probes = {} if answer is None else {("sw-iscsi-0", PORTAL_9): answer}
    made = topology.pairs(fakes.guide_site(), replace(told(fakes.bare_host()), probes=probes))
    assert (ACROSS in made.planned) == (answer is Answer.ANSWERED)
    assert NEAR in made.planned
    if answer is not Answer.ANSWERED:
        said = next(x.reason for x in made.left_out if x.pair == ACROSS)
        assert said == f"10.10.9.90:3260 does not answer through eth1 ({answer or 'not asked'})"


def test_silence_of_a_planned_pair_is_told() -> None:
    probes = {("sw-iscsi-0", PORTAL_8): Answer.SILENT}
    made = topology.pairs(fakes.guide_site(), replace(told(fakes.bare_host()), probes=probes))
    assert made.silent == {NEAR: Answer.SILENT}


def test_a_pair_with_a_live_session_is_not_silent() -> None:
    host = replace(fakes.guide_host(), probes={("sw-iscsi-0", PORTAL_8): Answer.SILENT})
    assert not topology.pairs(fakes.guide_site(), host).silent


def test_recorded_pairs_of_a_nic_that_is_gone_stay_planned_and_are_silent() -> None:
    host = fakes.guide_host()
    host = replace(host, nics=host.nics[1:], sessions=host.sessions[1:])
    made = topology.pairs(fakes.guide_site(), host)
    assert len(made.planned) == 4
    assert made.silent == {NEAR: Answer.NO_ROUTE}


def test_a_nic_of_the_other_ip_version_is_left_out() -> None:
    six = Portal("fd00:8::90")
    made = topology.pairs(fakes.guide_site(), told(fakes.bare_host(), Found(six, 1, HOMER_1)))
    assert made.planned == {}
    assert [x.reason for x in made.left_out] == ["eth1 has no IPv6 address", "eth2 has no IPv6 address"]


def test_globs_and_excluded_portals() -> None:
    site = fakes.guide_site(targets=("*:01:*",), exclude=(Portal("10.10.9.90", 0), Portal("10.10.8.90", 3261)))
    assert hearsay.wants_target(site, HOMER_1)
    assert not hearsay.wants_target(site, HOMER_2)
    assert hearsay.excludes(site, PORTAL_9)
    assert hearsay.excludes(site, Portal("10.10.9.90", 860))
    assert not hearsay.excludes(site, PORTAL_8)
    assert {p.portal for p in topology.pairs(site, fakes.guide_host()).planned} == {PORTAL_8}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.1.1", "fe80::1", "224.0.0.1", "0.0.0.0", "ff02::1"])
def test_an_array_cannot_send_the_host_to_strange_addresses(address: str) -> None:
    host = told(fakes.bare_host(), Found(Portal(address), 1, HOMER_1))
    assert topology.known(fakes.guide_site(), host) == ()
    assert topology.probe_wanted(fakes.guide_site(portals=(PORTAL_8,), layout="subnet"), host) == (
        ("sw-iscsi-0", "eth1", PORTAL_8),
        ("sw-iscsi-1", "eth2", PORTAL_8),
    )


def test_a_discovery_beats_a_record_about_the_portal_group() -> None:
    host = replace(fakes.guide_host(), asked=(Asked(PORTAL_8, (), 0, "", (Found(PORTAL_8, 7, HOMER_1),)),))
    planned = topology.pairs(fakes.guide_site(), host).planned
    assert planned[NEAR] == 7
    assert planned[ACROSS] == 3


def test_nothing_is_probed_that_a_session_answers_for() -> None:
    site, host = fakes.guide_site(), fakes.guide_host()
    assert topology.probe_wanted(site, host) == ()
    failed = tuple(replace(s, state="FAILED") if s.sid == 1 else s for s in host.sessions)
    assert topology.probe_wanted(site, replace(host, sessions=failed)) == (("sw-iscsi-0", "eth1", PORTAL_8),)


def test_whole_luns_are_healthy() -> None:
    host = fakes.guide_host()
    lun = lun_of(fakes.guide_site(), host)
    assert (lun.alias, lun.expected, len(lun.usable), lun.state, lun.shared) == (
        "hydra_apps-a01",
        4,
        4,
        LunState.HEALTHY,
        "",
    )
    assert (lun.vendor, lun.product, lun.size, lun.wanted) == ("NEXENTA", "COMSTAR", fakes.SIZE, True)


def test_luns_stand_in_the_sites_order_and_others_follow() -> None:
    site = fakes.guide_site(luns=(SiteLun(fakes.DB_A03), SiteLun("3" + "0" * 32), SiteLun(APPS_A01)))
    luns = topology.luns(site, fakes.guide_host(), None)
    assert [x.wwid for x in luns] == [fakes.DB_A03, "3" + "0" * 32, APPS_A01, fakes.DB_A01, fakes.DB_A02]
    assert [x.wanted for x in luns] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("change", "usable"),
    [
        ({"dm_state": "failed"}, False),
        ({"dm_state": ""}, False),
        ({"dm_state": "undef"}, False),
        ({"device_state": "offline"}, False),
        ({"device_state": "transport-offline"}, False),
        ({"device_state": ""}, False),
        ({"sid": 99}, False),
        ({"checker_state": "faulty"}, True),
    ],
)
def test_a_usable_path(change: dict[str, object], usable: bool) -> None:
    host = fakes.guide_host()
    path: Path = replace(host.paths[0], **change)  # type: ignore[arg-type]
    assert topology.usable(host, path) == usable


def test_a_path_of_a_failed_session_is_not_usable() -> None:
    host = fakes.guide_host()
    host = replace(host, sessions=(replace(host.sessions[0], state="FAILED"), *host.sessions[1:]))
    assert [topology.usable(host, p) for p in host.paths] == [p.sid != 1 for p in host.paths]


def test_fewer_paths_are_degraded_none_are_failed() -> None:
    site, host = fakes.guide_site(), fakes.guide_host()
    one_down = replace(host, paths=host.paths[4:])
    assert lun_of(site, one_down).state is LunState.DEGRADED
    assert lun_of(site, one_down).expected == 4
    assert lun_of(site, replace(host, paths=())).state is LunState.FAILED
    assert lun_of(site, replace(host, paths=(), maps=())).state is LunState.FAILED


@pytest.mark.parametrize(
    ("kept", "shared"), [({1, 3}, "NIC eth1"), ({1, 2}, f"portal {PORTAL_8}"), ({3, 4}, f"portal {PORTAL_9}")]
)
def test_paths_that_share_one_thing_are_degraded(kept: set[int], shared: str) -> None:
    site = fakes.guide_site(luns=(SiteLun(APPS_A01, "hydra_apps-a01", paths=2),))
    host = fakes.guide_host()
    host = replace(host, paths=tuple(p for p in host.paths if p.sid in kept))
    lun = lun_of(site, host)
    assert (lun.expected, lun.shared, lun.state) == (2, shared, LunState.DEGRADED)


def test_two_targets_of_one_portal_are_told_apart() -> None:
    san = fakes.San(targets=(Found(PORTAL_8, 2, HOMER_1), Found(PORTAL_8, 3, HOMER_2)))
    site = fakes.guide_site(luns=(SiteLun(APPS_A01, "a", paths=2),))
    host = fakes.guide_host(site, san)
    kept = {s.sid for s in host.sessions if s.pair.target == HOMER_1}
    assert (
        lun_of(site, replace(host, paths=tuple(p for p in host.paths if p.sid in kept))).shared == f"target {HOMER_1}"
    )


def test_one_nic_is_no_shared_part_where_no_more_is_planned() -> None:
    site = fakes.guide_site(layout="subnet", ifaces=fakes.guide_site().ifaces[:1])
    host = fakes.guide_host(site)
    lun = lun_of(site, host)
    assert (lun.expected, lun.shared, lun.state) == (1, "", LunState.HEALTHY)


def test_a_target_that_never_showed_the_lun_is_not_expected_to() -> None:
    san = fakes.San(luns={APPS_A01: (10, (HOMER_1,))})
    site = fakes.guide_site(luns=fakes.guide_site().luns[:1])
    host = fakes.guide_host(site, san)
    assert lun_of(site, host).expected == 2
    assert lun_of(site, host).state is LunState.HEALTHY


def test_a_target_never_reached_counts_until_it_was() -> None:
    host = fakes.guide_host()
    only_first = tuple(s for s in host.sessions if s.pair.target == HOMER_1)
    kept = {s.sid for s in only_first}
    host = replace(host, sessions=only_first, paths=tuple(p for p in host.paths if p.sid in kept), memory=Memory())
    assert lun_of(fakes.guide_site(), host).expected == 4
    reached = replace(host, memory=Memory(reached=frozenset({HOMER_2})))
    assert lun_of(fakes.guide_site(), reached).expected == 2


def test_without_a_site_nothing_is_expected() -> None:
    host = fakes.guide_host()
    lun = lun_of(None, host)
    assert (lun.expected, lun.state, lun.wanted, lun.alias) == (None, LunState.HEALTHY, False, "hydra_apps-a01")
    assert lun_of(None, replace(host, maps=())).state is LunState.UNKNOWN
    failed = tuple(replace(p, dm_state="failed") if p.sid == 1 else p for p in host.paths)
    assert lun_of(None, replace(host, paths=failed)).state is LunState.DEGRADED


def test_a_map_whose_paths_nobody_spoke_of_is_unknown_not_failed() -> None:
    host = fakes.guide_host()
    host = replace(host, paths=tuple(replace(p, dm_state="", checker_state="") for p in host.paths))
    assert lun_of(fakes.guide_site(), host).state is LunState.UNKNOWN
