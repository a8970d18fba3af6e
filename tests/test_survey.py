"""What init makes of a host and of what its SAN answered."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import APPS_A01, DB_A01, HOMER_1, HOMER_2, PORTAL_8, PORTAL_9

from mpio import hearsay, sitefile, topology
from mpio.errors import UnknownName, UsageError
from mpio.findings import finding
from mpio.host import Answer, Asked, Found, Host, Iface, Map, Pair, Path, Portal
from mpio.proposing import survey
from mpio.proposing.survey import Lun, Verdict
from mpio.site import Site, SiteIface
from mpio.tools.cards import Card

ETH1 = Card("eth1", addresses=("10.10.8.14/24",), carrier=True, mtu=1500)
ETH2 = replace(ETH1, name="eth2", addresses=("10.10.9.14/24",))
LO = replace(ETH1, name="lo", kind="loopback", addresses=("127.0.0.1/8",))
BOND = replace(ETH1, name="bond0", kind="bond", mode="802.3ad", members=("eth3", "eth4"))
SITE = Site((SiteIface("sw-iscsi-0", "eth1"), SiteIface("sw-iscsi-1", "eth2")), (PORTAL_8,))
MANAGEMENT = Portal("10.10.99.1")


def seen(site: Site = SITE, san: fakes.San = fakes.SAN, **changes: object) -> Host:
    """The guide's bare host after its SAN was asked."""
    host = replace(fakes.bare_host(), asked=(Asked(PORTAL_8, ("sw-iscsi-0", "sw-iscsi-1"), 0, "", san.targets),))
    pairs = {(i.name, p) for i in site.ifaces for p in (PORTAL_8, *(f.portal for f in san.targets))}
    nics = {i.name: host.nic(i.nic) for i in site.ifaces}
    host = replace(host, probes={(name, p): san.answer(nics[name], p) for name, p in sorted(pairs)})
    return replace(host, **changes)  # type: ignore[arg-type]


# -- NICs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("card", "why"),
    [
        (LO, "is the loopback"),
        (replace(ETH1, kind="bridge"), "is a bridge"),
        (replace(ETH1, kind="guest"), "belongs to a container or virtual machine"),
        (replace(ETH1, kind="tunnel"), "is a tunnel or no Ethernet device"),
        (replace(ETH1, master="bond0"), "is a member of bond0"),
        (BOND, "is an LACP bond of eth3, eth4: multipath over the bare NICs serves iSCSI better"),
        (
            replace(BOND, mode="active-backup"),
            "is a bond (active-backup) of eth3, eth4: multipath over the bare NICs serves iSCSI better",
        ),
        (replace(ETH1, carrier=None), "is down"),
        (replace(ETH1, addresses=()), "has no address"),
        (replace(ETH1, default=True), "carries the default route"),
        (replace(ETH1, carrier=False), "has no carrier"),
    ],
)
def test_what_speaks_against_a_nic(card: Card, why: str) -> None:
    assert survey.nics([card]) == (Verdict(card, taken=False, why=why),)


def test_a_nic_without_a_flaw_is_proposed() -> None:
    assert survey.nics([ETH1, LO, ETH2])[0::2] == (Verdict(ETH1, taken=True), Verdict(ETH2, taken=True))
    assert "wireless" in survey.nics([replace(ETH1, kind="wireless")])[0].why
    assert "cannot be named in sysctl.d" in survey.nics([replace(ETH1, name="eth=1")])[0].why


def test_named_nics_are_taken_whatever_speaks_against_them_in_the_order_of_their_names() -> None:
    route = replace(ETH1, default=True)
    assert survey.nics([route, ETH2, LO], ["eth2", "eth1", "eth2"]) == (
        Verdict(ETH2, taken=True),
        Verdict(route, taken=True, why="carries the default route"),
        Verdict(LO, taken=False, why="is the loopback"),
    )
    assert survey.nics([ETH1, ETH2], ["eth1"])[1] == Verdict(ETH2, taken=False, why="not named")


def test_a_nic_that_cannot_be_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName) as error:
        survey.nics([ETH1, ETH2, LO], ["eth11"])
    assert "eth1" in error.value.hint
    with pytest.raises(UsageError, match="loopback"):
        survey.nics([ETH1, LO], ["lo"])


def test_ifaces_have_the_guides_names_unless_one_is_there() -> None:
    assert survey.ifaces(["eth1", "eth2"]) == SITE.ifaces
    there = (Iface("sw-iscsi-0", "eth9"), Iface("storage", "eth2"), Iface("mac", "", "02:00:00:00:00:01"))
    assert survey.ifaces(["eth1", "eth2"], there) == (SiteIface("sw-iscsi-1", "eth1"), SiteIface("storage", "eth2"))
    assert survey.ifaces(["eth1"], [Iface("eth1", "eth1")]) == (SiteIface("sw-iscsi-0", "eth1"),)


def test_portals_are_numbers_and_every_mistake_is_told_at_once() -> None:
    assert survey.portals(["10.10.8.90", "[fd00::90]:3261", "10.10.8.90:3260"]) == (PORTAL_8, Portal("fd00::90", 3261))
    with pytest.raises(UsageError) as error:
        survey.portals(["homer.dom", "10.10.8.90", "10.10.8"])
    assert len(error.value.message.splitlines()) == 2
    assert "host name" in error.value.message


def test_findings_on_nics() -> None:
    host = seen()
    assert tuple(survey.findings(host, survey.nics([ETH1, LO, BOND]))) == (
        finding("MP219", "the NIC bond0", "of eth3, eth4"),
        finding("MP220", "eth1"),
    )


def test_a_portal_without_a_target_is_told() -> None:
    host = replace(seen(), asked=(Asked(PORTAL_8, ("sw-iscsi-0",), 21), Asked(PORTAL_9, ("sw-iscsi-0",), 24, "no")))
    said = survey.findings(host, survey.nics([ETH1, ETH2]))
    assert tuple(said) == (finding("MP215", f"portal {PORTAL_8}", "it names none at all"),)
    assert survey.settled(SITE, host).targets == ()


# -- the SAN -------------------------------------------------------------------------------------------------------


def test_what_is_named_and_answers_becomes_the_site() -> None:
    site = survey.settled(SITE, seen())
    assert site == replace(SITE, portals=(PORTAL_8, PORTAL_9), targets=(HOMER_1, HOMER_2), layout="mesh")
    assert survey.reachable(site, seen()) == dict(topology.pairs(site, seen()).planned)


def test_portals_that_nobody_reaches_or_no_san_may_name_stay_out() -> None:
    more = (*fakes.SAN.targets, Found(MANAGEMENT, 4, HOMER_1), Found(Portal("169.254.1.1"), 4, HOMER_1))
    san = fakes.San(more, deaf=frozenset({("eth1", MANAGEMENT), ("eth2", MANAGEMENT)}))
    host = seen(san=san)
    site = survey.settled(SITE, host)
    assert site.portals == (PORTAL_8, PORTAL_9)
    assert {p.portal for p in survey.reachable(site, host)} == {PORTAL_8, PORTAL_9}


@pytest.mark.parametrize(
    ("deaf", "layout"),
    [
        (set(), "mesh"),
        ({("eth1", PORTAL_9), ("eth2", PORTAL_8)}, "subnet"),
        ({("eth1", PORTAL_9)}, "mesh"),
        ({("eth1", PORTAL_9), ("eth2", PORTAL_8), ("eth2", PORTAL_9)}, "mesh"),  # eth2 has no portal of its own
    ],
)
def test_the_layout_follows_what_answers_across(deaf: set[tuple[str, Portal]], layout: str) -> None:
    assert survey.layout(SITE, seen(san=fakes.San(deaf=frozenset(deaf)))) == layout


def test_two_nics_in_one_subnet_want_arp_set() -> None:
    host = replace(seen(), nics=(fakes.nic("eth1", "10.10.8.14/24"), fakes.nic("eth2", "10.10.8.15/24")))
    assert survey.settled(SITE, host).arp == "set"
    assert survey.layout(SITE, replace(host, probes={("sw-iscsi-0", PORTAL_8): Answer.ANSWERED})) == "mesh"


# -- LUNs ----------------------------------------------------------------------------------------------------------

GUIDE = fakes.guide_host()
SIDS = {s.sid for s in GUIDE.sessions}


def test_luns_have_the_names_of_their_maps() -> None:
    found = survey.luns(GUIDE, SIDS)
    assert [lun.alias for lun in found] == list(fakes.ALIASES.values())
    assert found[0] == Lun(
        APPS_A01, 10, fakes.SIZE, "NEXENTA", "COMSTAR", tuple(sorted(s.pair for s in GUIDE.sessions)), "hydra_apps-a01"
    )
    assert survey.luns(GUIDE, ()) == ()


def test_luns_without_a_map_are_named_by_number() -> None:
    host = replace(GUIDE, maps=())
    assert [lun.alias for lun in survey.luns(host, SIDS)] == ["lun10", "lun11", "lun12", "lun13"]
    named = replace(
        GUIDE, maps=(Map("mpatha", APPS_A01, "dm-0"), Map(DB_A01, DB_A01, "dm-1"), Map("lun12", "x", "dm-9"))
    )
    assert [lun.alias for lun in survey.luns(named, SIDS)] == ["lun10", "lun11", "lun12-2", "lun13"]


def test_two_luns_of_one_number_have_their_targets_names_too() -> None:
    first, second = (s for s in GUIDE.sessions[:3:2])
    paths = (Path("sda", "2:0:0:1", first.sid, APPS_A01), Path("sdb", "3:0:0:1", second.sid, DB_A01))
    assert {first.pair.target, second.pair.target} == {HOMER_1, HOMER_2}
    names = [lun.alias for lun in survey.luns(replace(GUIDE, maps=(), paths=paths), SIDS)]
    assert sorted(names) == ["01-lun1", "02-lun1"]
    unnamed = (Path("sda", "2:0:0:1", first.sid, ""), Path("sdb", "3:0:0:1", 99, DB_A01))
    assert survey.luns(replace(GUIDE, paths=unnamed), SIDS) == ()


@pytest.mark.parametrize(
    ("inquiries", "preset"),
    [
        ([], "nexenta-comstar"),
        ([("NEXENTA", "COMSTAR")], "nexenta-comstar"),
        ([("SUN", "COMSTAR"), ("SUN", "COMSTAR"), ("NEXENTA", "COMSTAR")], "sun-comstar"),
        ([("LIO-ORG", "disk")], "generic-alua"),
    ],
)
def test_the_preset_is_what_most_luns_say(inquiries: list[tuple[str, str]], preset: str) -> None:
    pair = Pair("a", PORTAL_8, HOMER_1)
    luns = [Lun(f"3{n:032x}", n, None, *said, (pair,)) for n, said in enumerate(inquiries)]
    assert survey.preset(luns)[0] == preset


def test_a_target_s_odd_name_is_said_by_a_glob_that_means_it() -> None:
    odd = "iqn.2011-09.dom.homer:disk/1 [a]*ä"
    site = survey.settled(SITE, seen(asked=(Asked(PORTAL_8, ("sw-iscsi-0",), 0, "", (Found(PORTAL_8, 1, odd),)),)))
    assert site.targets == ("iqn.2011-09.dom.homer:disk?1??a???",)
    assert sitefile.parse(sitefile.dump(site), "x").targets == site.targets
    assert hearsay.wants_target(site, odd)
    assert [hearsay.wants_target(site, name) for name in (HOMER_1, f"{odd}2")] == [False, False]
