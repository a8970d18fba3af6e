"""A host described by a site file as it is."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import APPS_A01, DB_A01, HOMER_1, PORTAL_8, PORTAL_9, PRAGUE

from mpio import plan
from mpio.errors import MpioError
from mpio.findings import finding
from mpio.host import Host, Iface, Map, Pair, Path, Portal, Session
from mpio.memory import Memory
from mpio.plan.shape import INITIATOR_NAME, ISCSID_CONF, MULTIPATH_DROP_IN, SYSCTL_DROP_IN
from mpio.proposing import adopting
from mpio.site import Chap, Site, SiteIface, SiteLun, Timeouts

HOST = fakes.guide_host()
USUAL = {
    "node.session.timeo.replacement_timeout": "10",
    "node.conn[0].timeo.noop_out_interval": "5",
    "node.conn[0].timeo.noop_out_timeout": "5",
    "node.conn[0].timeo.login_timeout": "15",
    "node.session.initial_login_retry_max": "8",
    "node.startup": "manual",
}


def by_hand(**changes: object) -> Host:
    """The guide's host as its own procedure left it: no drop-ins, other time-outs, nothing remembered."""
    nodes = tuple(replace(n, settings=USUAL) for n in HOST.nodes)
    files = {
        **HOST.files,
        MULTIPATH_DROP_IN: None,
        SYSCTL_DROP_IN: None,
        INITIATOR_NAME: "InitiatorName=iqn.2001-01.x:y",
    }
    host = replace(HOST, nodes=nodes, files=files, memory=Memory())
    return replace(host, **changes)  # type: ignore[arg-type]


def adopted(host: Host, **discovery: dict[str, str]) -> adopting.Adopted:
    return adopting.of(host, {Portal(name): settings for name, settings in discovery.items()})


def test_a_host_of_mpios_gives_its_site_again() -> None:
    made = adopted(HOST)
    wanted = fakes.guide_site(targets=tuple(f.target for f in fakes.SAN.targets), path="")
    assert (made.site, made.findings) == (wanted, ())
    looked = fakes.remembered(fakes.look(made.site, HOST))
    assert adopting.left(plan.steps(made.site, looked)) == ()


def test_a_host_set_up_by_hand_keeps_what_is_in_force() -> None:
    made = adopted(by_hand())
    site = made.site
    assert (site.ifaces, site.portals) == (fakes.guide_site().ifaces, (PORTAL_8, PORTAL_9))
    assert (site.preset, dict(site.multipath), site.rp_filter, site.arp) == ("none", {}, None, "keep")
    assert site.timeouts == Timeouts(10, 5, 5, 15, 8)
    assert site.initiator == "iqn.2001-01.x:y"
    assert site.luns == tuple(SiteLun(wwid, alias) for wwid, alias in fakes.LUNS)
    assert made.findings == ()
    assert '"nexenta-comstar"' in made.why["multipath.preset"]
    assert "eth1 2, eth2 2" in made.why["network.rp_filter"]


def test_what_the_next_plan_would_change_is_told_by_part() -> None:
    site = adopted(by_hand()).site
    made = plan.steps(site, fakes.look(site, by_hand()))
    found = adopting.left(made)
    assert {f.code for f in found} == {"MP221"}
    assert {f.subject for f in found} == {f"the part {s.part}" for s in made.steps}
    assert all(any(s.why in f.detail for f in found) for s in made.steps)


def test_maps_named_by_multipath_get_no_alias_and_odd_ones_are_told() -> None:
    maps = (Map("mpatha", APPS_A01, "dm-0"), Map(DB_A01, DB_A01, "dm-1"), Map("odd", "0QEMU_disk", "dm-2"))
    loose = Path("sdz", "2:0:0:99", 1, f"3{'6' * 32}")
    made = adopted(by_hand(maps=maps, paths=(loose,)))
    assert made.site.luns == (SiteLun(APPS_A01), SiteLun(DB_A01))
    assert [(f.code, f.subject) for f in made.findings] == [
        ("MP221", "the map odd"),
        ("MP221", f"the LUN 3{'6' * 32}"),
    ]


def test_ifaces_that_no_site_can_say() -> None:
    nodes = (
        *(
            replace(n, pair=replace(n.pair, iface=name))
            for name in ("mac", "lost", "eth2", "twin")
            for n in HOST.nodes[:1]
        ),
    )
    ifaces = (
        Iface("mac", "", HOST.nics[0].hwaddress, initiatorname="iqn.2001-01.other:name"),
        Iface("lost", "", "02:00:00:00:00:99"),
        Iface("eth2", "eth2"),
        Iface("twin", "eth1"),
        Iface("unused", "eth2"),
    )
    strange = Session(9, 9, Pair("default", PORTAL_8, HOMER_1), "", 2, "LOGGED_IN")
    made = adopted(by_hand(ifaces=ifaces, nodes=nodes, sessions=(strange,), unread=(("mac", "/etc/iscsi/nodes/x"),)))
    assert made.site.ifaces == (SiteIface("mac", "eth1"),)
    assert [(f.subject, f.detail.partition(":")[0]) for f in made.findings] == [
        ("the iface mac", "bound by its MAC address 00"),
        ("the iface mac", "has a name of its own"),
        ("the iface lost", "no NIC has its MAC address 02"),
        ("the iface eth2", "has the name of a NIC"),
        ("the iface twin", "eth1 is bound by mac already"),
        ("session 9", "default -> 10.10.8.90"),
        ("/etc/iscsi/nodes/x", "a record of mac whose portal is no numeric address"),
    ]


def test_nothing_to_adopt() -> None:
    with pytest.raises(MpioError, match="nothing to adopt"):
        adopted(fakes.bare_host())


def test_the_layout_is_that_of_the_records() -> None:
    near = [
        n for n in HOST.nodes if (n.pair.iface, n.pair.portal) in {("sw-iscsi-0", PORTAL_8), ("sw-iscsi-1", PORTAL_9)}
    ]
    assert adopted(by_hand(nodes=tuple(near), sessions=())).site.layout == "subnet"
    assert adopted(by_hand(nodes=tuple(HOST.nodes[:1]), sessions=(), ifaces=HOST.ifaces[:1])).site.layout == "mesh"


def test_two_nics_in_one_subnet_are_told_apart_by_arp() -> None:
    nics = (fakes.nic("eth1", "10.10.8.14/24"), fakes.nic("eth2", "10.10.8.15/24"))
    made = adopted(by_hand(nics=nics))
    assert (made.site.arp, made.why["network.arp"]) == ("set", "eth1 and eth2 share 10.10.8.0/24")


def test_timeouts_are_those_of_most_records() -> None:
    first, *rest = by_hand().nodes
    odd = replace(first, settings={**USUAL, "node.session.timeo.replacement_timeout": "120"})
    made = adopted(by_hand(nodes=(odd, *rest)))
    assert made.site.timeouts.replacement == 10
    key = "node.session.timeo.replacement_timeout"
    assert made.findings == (finding("MP221", key, "differs between records: 10, 120"),)
    off = tuple(replace(n, settings={**USUAL, "node.conn[0].timeo.noop_out_interval": "0"}) for n in by_hand().nodes)
    made = adopted(by_hand(nodes=off))
    assert made.site.timeouts.noop_interval == 5
    assert [f.subject for f in made.findings] == ["node.conn[0].timeo.noop_out_interval"]
    text = f"{HOST.files[ISCSID_CONF]}node.session.timeo.replacement_timeout = 33\n"
    bare = by_hand(nodes=(), files={**by_hand().files, ISCSID_CONF: text})
    assert adopted(bare).site.timeouts.replacement == 33


def test_chap_names_are_kept_and_passwords_asked_for() -> None:
    auth = {"node.session.auth.username": "prague", "node.session.auth.password": "********"}
    mutual = {**auth, "node.session.auth.username_in": "homer", "node.session.auth.password_in": "********"}
    nodes = by_hand().nodes
    with_login = tuple(replace(n, settings={**USUAL, **mutual}) for n in nodes)
    made = adopted(by_hand(nodes=with_login))
    assert made.site.chap == Chap("prague", "/etc/mpio/chap", "homer", "/etc/mpio/chap-in")
    assert made.findings == (finding("MP222", "/etc/mpio/chap, /etc/mpio/chap-in", "CHAP name prague, and homer"),)
    mixed = (*with_login[:3], replace(nodes[3], settings={**USUAL, **auth}))
    assert [f.code for f in adopted(by_hand(nodes=mixed)).findings] == ["MP221", "MP222"]
    asked = {"discovery.sendtargets.auth.username": "prague", "discovery.sendtargets.auth.password": "********"}
    made = adopting.of(by_hand(), {PORTAL_8: asked, Portal("10.0.0.1"): asked})
    assert made.site.discovery_chap == Chap("prague", "/etc/mpio/chap-discovery")


def test_a_name_that_is_no_initiators_stays_where_it_is() -> None:
    files = {**by_hand().files, INITIATOR_NAME: "InitiatorName=iqn.2001-01.X:Y\n"}
    made = adopted(by_hand(files=files))
    assert made.site.initiator is None
    assert [f.subject for f in made.findings] == ["the initiator name"]


def test_sessions_of_a_killed_init_are_nobodys() -> None:
    ours = Session(9, 9, Pair("mpio-init-0", Portal("10.10.8.91"), HOMER_1), "eth1", 2, "LOGGED_IN")
    made = adopted(replace(HOST, sessions=(*HOST.sessions, ours)))
    assert (made.site.portals, made.findings) == ((PORTAL_8, PORTAL_9), ())
    assert made.site.initiator == PRAGUE


def test_a_drop_in_says_what_it_was_made_of() -> None:
    def with_drop_in(*changes: tuple[str, str]) -> Site:
        text = HOST.files[MULTIPATH_DROP_IN] or ""
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return adopted(replace(HOST, files={**HOST.files, MULTIPATH_DROP_IN: text})).site

    site = with_drop_in(("no_path_retry 12", "no_path_retry 7"))
    assert (site.preset, site.multipath) == ("nexenta-comstar", {"no_path_retry": "7"})
    # a checker that mpio had written would have switched detection off: this is of another making
    odd = with_drop_in(("path_checker tur", "path_checker directio"))
    assert (odd.preset, odd.multipath) == ("nexenta-comstar", {})
