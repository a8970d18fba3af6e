from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import struct
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
import recordings
from fakes import HOMER_1, HOMER_2, PORTAL_8, PORTAL_9
from hypothesis import given
from hypothesis import strategies as st
from recordings import EACH
from trees import Tree

from mpio import findings
from mpio.diagnosis import wires, wires_seen
from mpio.diagnosis.wires import Hole, Place, Way, Wires
from mpio.diagnosis.wires_seen import Read
from mpio.errors import UnreadableOutput
from mpio.files import Files
from mpio.host import Answer, Host, Pair, Portal, Session
from mpio.machine import Machine
from mpio.observe import wires as edge
from mpio.observe import wires_ask
from mpio.program import Done
from mpio.site import Site
from mpio.tools import frames, ip, nft
from mpio.tools import wires as tool
from mpio.tools.ip import Route
from mpio.tools.wires import Link

MAC_1, MAC_2, OTHER, FOURTH = "00:0c:29:94:5b:83", "00:0c:29:94:5b:84", "52:54:00:00:00:01", "52:54:00:00:00:02"
SET = {"arp_ignore": 1, "arp_announce": 2, "arp_filter": 0}
PLAIN = dict.fromkeys(SET, 0)


def link(name: str, number: int, mac: str, *addresses: str) -> Link:
    return Link(
        name,
        number,
        mac,
        addresses=addresses,
        mtu=1500,
        carrier=True,
        rp_filter=(0, 2),
        speed=10000,
        duplex="full",
        downs=2,
        packets=1_000_000,
        settings=PLAIN,
    )


ETH1 = link("eth1", 2, MAC_1, "10.10.8.14/24", "fe80::1/64")
ETH2 = link("eth2", 3, MAC_2, "10.10.9.14/24", "fe80::2/64")
LO = Link("lo", 1, "00:00:00:00:00:00", addresses=("127.0.0.1/8", "::1/128"), operstate="UNKNOWN", ethernet=False)
HEALTHY = Wires(
    links=(LO, ETH1, ETH2),
    claims={
        ("eth1", "10.10.8.14"): (),
        ("eth2", "10.10.9.14"): (),
        ("eth1", PORTAL_8.address): (OTHER,),
        ("eth2", PORTAL_9.address): (FOURTH,),
    },
    places={s: Place(nic, a) for s, nic, a in ((1, "eth1", "10.10.8.14"), (2, "eth2", "10.10.9.14"))},
    uptime=86400.0,
)
SITE = fakes.guide_site()
HOST = fakes.guide_host()


def with_links(*links: Link, **changes: object) -> Wires:
    return replace(HEALTHY, links=(LO, *links), **changes)  # type: ignore[arg-type]


def found(seen: Wires, site: Site | None = SITE, host: Host = HOST) -> list[tuple[str, str]]:
    return [(f.code, f.subject) for f in wires.findings(site, host, None, seen)]


def detail(seen: Wires, code: str, site: Site | None = SITE, host: Host = HOST) -> str:
    return next(f.detail for f in wires.findings(site, host, None, seen) if f.code == code)


def silent(**changes: object) -> Way:
    return replace(Way("eth2", PORTAL_9, Answer.SILENT, left=True), **changes)  # type: ignore[arg-type]


BROKEN = replace(HOST, sessions=tuple(s for s in HOST.sessions if s.pair.portal != PORTAL_9))
NO_8 = {k: v for k, v in HEALTHY.claims.items() if k != ("eth2", PORTAL_9.address)}


def test_a_host_that_is_well_is_silent() -> None:
    assert len({s.sid for s in HOST.sessions}) == 4
    assert found(HEALTHY) == found(HEALTHY, None) == []
    assert found(Wires()) == found(Wires(), None) == []
    assert list(wires.findings(None, Host(), None, HEALTHY)) == []


@pytest.mark.parametrize(
    ("changed", "code", "subject", "words"),
    [
        (replace(ETH2, rp_filter=(0, 1)), "MP223", "eth2", "it was set at run time"),
        (replace(ETH2, up=False, carrier=None, operstate="DOWN"), "MP230", "eth2", "2 sessions through it"),
        (replace(ETH2, operstate="DORMANT"), "MP231", "eth2", "802.1X"),
        (replace(ETH2, downs=60), "MP232", "eth2", "lost 60 times in 24.0 hours; the other NICs: 2"),
        (replace(ETH2, errors={"rx_crc_errors": 17}), "MP233", "eth2", "rx_crc_errors 17 in 1000000 packets"),
        (replace(ETH2, errors={"rx_fifo_errors": 100}), "MP233", "eth2", "rx_fifo_errors 100"),
        (replace(ETH2, speed=1000), "MP234", "eth1 and eth2", "eth1 10000 Mbit/s, eth2 1000 Mbit/s"),
        (replace(ETH2, duplex="half"), "MP235", "eth2", "half duplex"),
        (replace(ETH2, mtu=9000), "MP228", "eth1 and eth2", "eth1 1500, eth2 9000"),
        (replace(ETH2, addresses=("10.10.9.15/24",)), "MP229", "eth2", "10.10.9.14: session 2"),
        (replace(ETH2, kind="bond"), "MP219", "the NIC eth2", "of no NIC"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_nic(changed: Link, code: str, subject: str, words: str) -> None:
    for site in (SITE, None):
        seen = with_links(ETH1, changed)
        assert (code, subject) in found(seen, site)
        assert words in detail(seen, code, site)
        assert {c for c, _ in found(seen, site)} <= {code, "MP202", "MP203"}


def test_few_errors_and_few_losses_are_no_finding() -> None:
    for sound in (
        replace(ETH2, errors={"rx_crc_errors": 9, "rx_fifo_errors": 99}),
        replace(ETH2, errors={"rx_errors": 500}, packets=1_000_000_000),
        replace(ETH2, downs=9),
        replace(ETH2, speed=None, duplex="unknown", downs=None),
        replace(ETH2, operstate="UNKNOWN"),
    ):
        assert found(with_links(ETH1, sound)) == []
    both = with_links(replace(ETH1, downs=40), replace(ETH2, downs=40))
    assert found(replace(both, uptime=86400.0 * 300)) == []  # each reboot of the switch in a year
    assert found(with_links(replace(ETH1, mtu=9000), ETH2), replace(SITE, mtu=9000)) == []  # MP204 says it


def test_without_a_site_the_ground_is_looked_at_too() -> None:
    assert found(with_links(ETH1, replace(ETH2, carrier=False)), None) == [("MP203", "eth2")]
    assert found(with_links(ETH1, replace(ETH2, addresses=())), None) == [("MP229", "eth2")]
    failed = replace(HOST, sessions=tuple(replace(s, state="FAILED") for s in HOST.sessions))
    none = with_links(ETH1, replace(ETH2, addresses=("fe80::2/64",)), places={})
    assert found(none) == []
    assert found(none, SITE, failed) == [("MP229", "eth2")]
    unused = replace(HOST, sessions=tuple(s for s in HOST.sessions if s.nic == "eth1"))
    by_itself = tuple(replace(n, settings={**n.settings, "node.startup": "automatic"}) for n in HOST.nodes)
    assert found(none, None, replace(unused, nodes=by_itself)) == [("MP202", "eth2")]
    bond = Link("bond0", 9, MAC_2, kind="bond", carrier=True)
    member = with_links(ETH1, replace(ETH2, master="bond0"), bond)
    assert ("MP208", "eth2") in found(member, None)
    assert found(member) == [("MP208", "eth2")]  # of one without an address the checks say it
    assert "MP208" not in {c for c, _ in found(with_links(ETH1, replace(ETH2, master="bond0", addresses=()), bond))}
    vrf = Link("red", 9, MAC_2, kind="vrf", carrier=True)
    assert found(with_links(ETH1, replace(ETH2, master="red"), vrf), None) == []
    assert found(with_links(ETH1, replace(ETH2, master="red"), vrf)) == []


# -- bound to what -------------------------------------------------------------------------------------------------


def bound(**changes: str) -> Host:
    return replace(HOST, ifaces=(HOST.ifaces[0], replace(HOST.ifaces[1], **changes)))  # type: ignore[arg-type]


def test_a_hardware_address_that_nobody_has() -> None:
    host = bound(hwaddress="00:11:22:33:44:55")
    assert ("MP243", "sw-iscsi-1") in found(HEALTHY, SITE, host)
    assert "net_ifacename = eth2" in detail(HEALTHY, "MP243", SITE, host)
    seen = with_links(ETH1, replace(ETH2, permanent="00:11:22:33:44:55"))
    assert "eth2 was made with it" in detail(seen, "MP243", SITE, host)
    assert found(HEALTHY, SITE, bound(hwaddress=MAC_2.upper())) == []


def test_a_hardware_address_of_another_nic() -> None:
    host = bound(hwaddress=MAC_1)
    assert ("MP244", "sw-iscsi-1") in found(HEALTHY, SITE, host)
    vlan = replace(ETH2, name="eth2.9", index=7, kind="vlan")
    below = replace(ETH2, addresses=())
    site = fakes.guide_site(ifaces=(SITE.ifaces[0], replace(SITE.ifaces[1], nic="eth2.9")))
    seen = with_links(ETH1, below, vlan)
    assert ("MP244", "sw-iscsi-1") in found(seen, site, bound(hwaddress=MAC_2, nic=""))
    assert ("MP244", "sw-iscsi-1") in found(seen, None, bound(hwaddress=MAC_2, nic=""))


def test_a_nic_that_has_another_name_now() -> None:
    renamed = replace(ETH2, name="ens5", index=3)
    gone = replace(HEALTHY, links=(LO, ETH1, renamed), places={})
    host = replace(HOST, nodes=())
    assert [c for c, _ in found(gone, SITE, host)] == []
    for sign, words in (
        ({"places": {2: Place("ens5", "10.10.9.14")}}, "the socket of session 2"),
        ({"known_as": {"ens5": frozenset({"eth2"})}}, "udev knows it"),
        ({"namings": {"eth2": (("/etc/systemd/network/10-san.link", MAC_2),)}}, "10-san.link"),
        ({"links": (LO, ETH1, replace(renamed, others=("eth2",)))}, "udev knows it"),
    ):
        seen = replace(gone, **sign)
        assert [(c, s) for c, s in found(seen, SITE, host) if c == "MP245"] == [("MP245", "eth2")]
        assert words in detail(seen, "MP245", SITE, host)
        assert "name ens5 in the site file" in next(wires.findings(SITE, host, None, seen)).remedy
    assert "it has the hardware address" in detail(gone, "MP245", SITE, bound(hwaddress=MAC_2))
    assert "it alone" in detail(gone, "MP245")  # by the subnet of the records' portals


def test_a_session_that_is_bound_elsewhere() -> None:
    assert found(replace(HEALTHY, places={2: Place("eth1", "10.10.8.14")})) == [("MP246", "session 2")]
    loose = replace(HEALTHY, places={2: Place("", "10.10.8.14")})
    assert found(loose) == found(loose, None) == [("MP246", "session 2")]
    rebound = bound(nic="eth1")  # after the login
    assert found(HEALTHY, None, rebound) == [("MP246", "session 2")]
    assert "bound to no NIC" in detail(loose, "MP246")


def test_one_address_on_two_nics() -> None:
    both = replace(ETH1, addresses=(*ETH1.addresses, "10.10.9.14/32"))
    assert found(with_links(both, ETH2)) == [("MP248", "eth1"), ("MP248", "eth2")]


# -- rp_filter -----------------------------------------------------------------------------------------------------


def test_who_made_rp_filter_strict() -> None:
    strict = with_links(ETH1, replace(ETH2, rp_filter=(1, 0)))
    files = {**HOST.files, "/etc/sysctl.d/50-default.conf": "# x\nnet.ipv4.conf.all.rp_filter = 1\n"}
    host = replace(HOST, files=files)
    assert detail(strict, "MP223", SITE, host) == (
        "conf/all 1, conf/eth2 0; /etc/sysctl.d/50-default.conf line 2 sets all"
    )
    own = with_links(ETH1, replace(ETH2, rp_filter=(0, 1)))
    assert detail(own, "MP223", SITE, host).endswith("at run time; /etc/sysctl.d/99-zz-mpio.conf line 3 says 2")
    old = replace(HOST, files={"/etc/sysctl.conf": "net.ipv4.conf.default.rp_filter=1\n"})
    assert "/etc/sysctl.conf line 1 sets eth2" in detail(own, "MP223", None, old)
    assert found(own, replace(SITE, rp_filter=None)) == []  # the site keeps the host's own


def test_strict_rp_filter_drops_what_another_nic_would_answer() -> None:
    routes = {(PORTAL_8.address, "10.10.9.14"): Route("eth1"), (PORTAL_9.address, "10.10.9.14"): Route("eth2")}
    strict = with_links(ETH1, replace(ETH2, rp_filter=(0, 1)), routes=routes, refused_back=(3, 7))
    for site in (SITE, None, replace(SITE, rp_filter=None)):
        assert found(strict, site) == [("MP224", "eth2")]
    words = detail(strict, "MP224")
    assert "what 10.10.8.90 sends comes in here, and the host would send to it through eth1" in words
    assert "4 packets were dropped so just now" in words
    heard = replace(strict, ways=(silent(portal=PORTAL_8, came=("eth2",)),))
    assert found(heard) == [("MP224", "eth2")]


def test_loose_rp_filter_wants_a_route_all_the_same() -> None:
    seen = replace(HEALTHY, ways=(silent(nic="eth1", came=("eth1",)),))
    assert found(seen, SITE, BROKEN) == [("MP224", "eth1")]
    assert detail(seen, "MP224", SITE, BROKEN) == (
        "conf/all 0, conf/eth1 2; 10.10.9.90 answers here, and the host has no route to it, which loose mode wants"
    )
    down = replace(seen, links=(LO, ETH1, replace(ETH2, up=False, carrier=None)))
    assert detail(down, "MP224", SITE, BROKEN).endswith("wants: that of eth2 went when it was set down")


# -- silent portals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "changes", "code"),
    [
        (silent(), {"claims": {("eth2", PORTAL_9.address): ()}}, "MP238"),
        (silent(left=False), {"claims": {("eth2", PORTAL_9.address): ()}}, "MP238"),
        (silent(), {}, "MP239"),
        (silent(came=("eth1",)), {}, "MP240"),
        (silent(left=False), {}, "MP241"),
        (silent(came=("eth2",)), {"routes": {(PORTAL_9.address, "10.10.9.14"): Route("eth2")}}, "MP241"),
        (silent(answer=Answer.REFUSED, left=False), {}, "MP241"),
        (silent(left=False), {"claims": {}}, "MP241"),
        (silent(answer=Answer.NO_ROUTE, left=None), {}, "MP225"),
        (
            silent(),
            {"links": (LO, ETH1, replace(ETH2, addresses=("10.10.9.14/24", "10.10.9.90/24"))), "claims": {}},
            "MP236",
        ),
        (silent(answer=Answer.REFUSED, came=("eth2",)), {"gateways": {("eth2", PORTAL_9.address)}}, "MP237"),
    ],
)
def test_the_layer_on_which_a_silent_portal_ends(way: Way, changes: dict[str, object], code: str) -> None:
    seen = replace(HEALTHY, ways=(way,), **changes)  # type: ignore[arg-type]
    for site in (SITE, None):
        assert found(seen, site, BROKEN) == [(code, f"portal {PORTAL_9}")]
        assert found(seen, site) == [(code, f"sw-iscsi-1 -> {PORTAL_9}")]  # others still carry sessions there


def test_a_portal_that_answers_through_another_nic_is_no_silent_portal() -> None:
    seen = replace(HEALTHY, ways=(silent(), silent(nic="eth1", answer=Answer.ANSWERED)))
    assert found(seen, SITE, BROKEN) == [("MP239", f"sw-iscsi-1 -> {PORTAL_9}")]


def test_what_nobody_could_see_is_not_told() -> None:
    for way in (silent(left=None), silent(answer=Answer.ANSWERED), silent(answer=Answer.REFUSED, came=("eth2",))):
        assert found(replace(HEALTHY, ways=(way,)), SITE, BROKEN) == []
    unasked = replace(HEALTHY, ways=(silent(),), claims={})
    assert found(unasked, SITE, BROKEN) == []
    for came in (("eth2",), ()):  # by a reset, or by ICMP
        refused = replace(HEALTHY, ways=(silent(answer=Answer.REFUSED, came=came),))
        assert found(refused, SITE, BROKEN) == []
        assert found(refused, None, BROKEN) == [("MP211", f"portal {PORTAL_9}")]  # with a site its checks say it


def test_a_bound_nic_does_not_reach_another_subnet() -> None:
    way = silent(nic="eth1")
    seen = replace(HEALTHY, ways=(way,), claims={**HEALTHY.claims, ("eth1", PORTAL_9.address): ()})
    assert found(seen, SITE, BROKEN) == [("MP225", f"portal {PORTAL_9}")]
    nobody = replace(seen, claims={**seen.claims, ("eth2", PORTAL_9.address): ()}, ways=(way, silent()))
    assert found(nobody, SITE, BROKEN) == [("MP238", f"portal {PORTAL_9}")]
    alone = with_links(ETH1, ways=(way,), claims=seen.claims, places={})
    assert found(alone, SITE, BROKEN) == [("MP225", f"portal {PORTAL_9}")]
    routed = replace(
        seen,
        routes={(PORTAL_9.address, "eth1"): Route("eth1", "", "10.10.8.1")},
        claims={**seen.claims, ("eth1", "10.10.8.1"): ()},
    )
    assert found(routed, SITE, BROKEN) == [("MP238", f"portal {PORTAL_9}")]
    assert "the router 10.10.8.1" in detail(routed, "MP238", SITE, BROKEN)


def test_the_firewall_is_named_by_its_rule() -> None:
    rules = ("table inet f chain output: tcp dport 3260 drop", "table inet f chain output: tcp dport 25 drop")
    seen = replace(HEALTHY, ways=(silent(left=False),), firewall=rules)
    assert detail(seen, "MP241", SITE, BROKEN).endswith(f"; {rules[0]}")
    assert "tc qdisc" in detail(replace(seen, firewall=()), "MP241", SITE, BROKEN)


def test_a_way_through_a_router() -> None:
    seen = replace(HEALTHY, routes={(PORTAL_9.address, "eth1"): Route("eth1", "", "10.10.8.1")})
    assert found(seen) == [("MP242", f"sw-iscsi-0 -> {PORTAL_9}")]


def test_a_black_hole() -> None:
    seen = replace(HEALTHY, holes=(Hole("eth2", PORTAL_9, 9000, 1500),))
    assert found(seen) == [("MP217", f"sw-iscsi-1 -> {PORTAL_9}")]
    assert detail(seen, "MP217") == "9000 bytes with fragmentation forbidden are lost, 1500 bytes arrive"


def packets(*sizes: int) -> dict[int, Place]:
    return {s.sid: Place(s.nic, "10.10.9.14", size) for s, size in zip(OVER_2, sizes, strict=True)}


OVER_2 = tuple(s for s in HOST.sessions if s.nic == "eth2" and s.pair.portal == PORTAL_9)


def test_a_black_hole_that_tcp_knows_to_avoid() -> None:
    host = replace(HOST, sessions=(*HOST.sessions, replace(OVER_2[0], sid=9)))
    seen = replace(HEALTHY, holes=(Hole("eth2", PORTAL_9, 9000, 1500),))
    places = packets(1500) | {9: Place("eth2", "10.10.9.14", 1500)}
    copes = replace(seen, places=places)
    assert found(copes, SITE, host) == found(copes, None, host) == [("MP249", f"sw-iscsi-1 -> {PORTAL_9}")]
    assert detail(copes, "MP249", SITE, host) == (
        "9000 bytes with fragmentation forbidden are lost, 1500 arrive; packets of its sessions have 1500 at most"
    )
    assert findings.TABLE["MP249"].severity is findings.Severity.WARNING
    failed = replace(host, sessions=(*HOST.sessions, replace(OVER_2[0], sid=9, state="FAILED")))
    for bad, of in (
        (replace(seen, places=packets(1500)), host),  # nobody knows of one of them
        (replace(seen, places=places | {9: Place("eth2", "10.10.9.14", 9000)}), host),
        (replace(seen, places=places | {9: Place("eth2", "10.10.9.14")}), host),
        (copes, failed),
        (replace(copes, holes=(Hole("eth2", PORTAL_9, 1500, 84),)), host),  # a switch changed under live sessions
    ):
        assert [c for c, _ in found(bad, SITE, of)] == ["MP217"]
    gone = replace(HOST, sessions=tuple(s for s in HOST.sessions if s not in OVER_2))
    assert [c for c, _ in found(copes, SITE, gone)] == ["MP217"]


def test_packets_of_sessions_are_tried_where_full_ones_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []

    def narrow(wanted: dict[tuple[str, Portal], tuple[int, ...]], _: float) -> dict[tuple[str, Portal], set[int]]:
        asked.extend(wanted.values())
        return {at: {size for size in sizes if size <= 1400} for at, sizes in wanted.items()}

    monkeypatch.setattr(wires_ask, "_echoes", narrow)
    at = ("eth2", PORTAL_9)
    assert wires_ask.holes({at: 9000}, {at: 1400}) == (Hole("eth2", PORTAL_9, 9000, 1400),)
    assert asked == [(84, 9000), (84, 1400, 1500, 9000, 9000)]
    assert wires_ask.holes({at: 1500}, {at: 1500}) == (Hole("eth2", PORTAL_9, 1500, 84),)


def test_reads_how_large_packets_of_a_connection_are() -> None:
    info = bytes(5) + b"\x07" + bytes(10) + struct.pack("=II", 1448, 1348) + bytes(200)
    assert (tool.largest(info, 4), tool.largest(info, 6)) == (1500, 1520)
    plain = bytes(16) + struct.pack("=II", 536, 8960)  # the array has sent larger ones than it takes
    assert tool.largest(plain, 4) == 9000
    assert tool.largest(b"", 4) == 0


def test_what_is_asked_again() -> None:
    nic_of = wires_seen.nics(SITE, HOST, HEALTHY.links)
    deaf = fakes.San(deaf=frozenset({("eth2", PORTAL_9)}))
    bare = replace(HOST, sessions=())
    host = fakes.look(SITE, bare, deaf)
    assert wires_seen.silent(SITE, host, nic_of) == (("eth2", PORTAL_9),)
    assert ("eth1", PORTAL_9) in wires_seen.alive(host, nic_of)
    assert wires_seen.silent(SITE, HOST, nic_of) == ()
    assert wires_seen.silent(None, HOST, nic_of) == ()
    # Without a site nobody has asked: what logs in by itself is.
    by_itself = tuple(replace(n, settings={**n.settings, "node.startup": "automatic"}) for n in HOST.nodes)
    alone = replace(bare, nodes=by_itself)
    assert len(wires_seen.silent(None, alone, wires_seen.nics(None, alone, HEALTHY.links))) == 4
    unasked = replace(bare, nodes=(), asked=(), probes={("sw-iscsi-0", PORTAL_8): Answer.SILENT})
    assert wires_seen.silent(SITE, unasked, nic_of) == (("eth1", PORTAL_8),)


def test_sessions_of_no_iface_lend_their_nic() -> None:
    """iface `default`: the address at which the connection begins tells the NIC."""
    session = replace(HOST.sessions[0], pair=Pair("default", PORTAL_8, HOMER_1), nic="")
    host = replace(HOST, sessions=(session,), nodes=(), ifaces=())
    places = {session.sid: Place("", "10.10.8.14")}
    assert wires_seen.nics(None, host, HEALTHY.links, places) == {"eth1": "eth1"}
    strict = replace(HEALTHY, links=(LO, replace(ETH1, rp_filter=(0, 1)), ETH2), places=places)
    assert found(strict, None, host) == [("MP223", "eth1")]


# -- whose address -------------------------------------------------------------------------------------------------


def test_who_else_answers_for_our_address() -> None:
    theirs = replace(HEALTHY, claims={**HEALTHY.claims, ("eth1", "10.10.8.14"): (OTHER,)})
    assert found(theirs) == [("MP226", "eth1")]
    assert detail(theirs, "MP226") == f"{OTHER} answers ARP for 10.10.8.14"
    ours = replace(HEALTHY, claims={**HEALTHY.claims, ("eth2", "10.10.9.14"): (MAC_1,)})
    assert found(ours) == [("MP240", "eth2")]
    assert detail(ours, "MP240") == f"eth1 ({MAC_1}) answers ARP for 10.10.9.14"
    dead = replace(ours, reads=(Read("eth1", 4096, (("eth1", 4096),)), Read("eth2", 0, (("eth1", 9000),))))
    assert detail(dead, "MP240").endswith(
        "10.10.9.14; during a read over eth2 that did not end in time: eth1 received 8 KiB"
    )
    stray = replace(dead, claims=HEALTHY.claims, ways=(silent(came=("eth1",)),))
    assert "eth1; during a read over eth2 that did not end in time" in detail(stray, "MP240", SITE, BROKEN)
    two = replace(HEALTHY, claims={**HEALTHY.claims, ("eth1", PORTAL_8.address): (OTHER, FOURTH)})
    assert found(two) == [("MP227", f"portal {PORTAL_8}")]


def test_nics_of_one_subnet_without_a_site() -> None:
    second = replace(ETH2, addresses=("10.10.8.15/24",))
    seen = with_links(ETH1, second, places={})
    assert found(seen, None) == [("MP207", "eth1 and eth2")]
    words = detail(seen, "MP207", None)
    assert "arp_ignore of eth1 is 0" in words
    assert "no rule from 10.10.8.15" in words
    assert "received" not in words  # nothing was read
    read = replace(seen, reads=(Read("eth2", 256 << 10, (("eth1", 300 << 10), ("eth2", 4 << 10))),))
    assert detail(read, "MP207", None).endswith(
        "; during a read of 256 KiB over eth2: eth1 received 300 KiB, eth2 4 KiB"
    )
    careful = with_links(
        replace(ETH1, settings=SET),
        replace(second, settings=SET),
        places={},
        sources=frozenset({"10.10.8.14", "10.10.8.15/32"}),
    )
    assert found(careful, None) == []
    assert found(seen) == []  # with a site the plan says it
    red, blue = (Link(name, n, MAC_2, kind="vrf", carrier=True) for name, n in (("red", 8), ("blue", 9)))
    apart = (replace(ETH1, master="red"), replace(second, master="blue"))
    assert found(with_links(*apart, red, blue, places={}), None) == []
    assert found(with_links(ETH1, apart[1], red, blue, places={}), None) == []
    same = with_links(replace(ETH1, master="blue"), apart[1], red, blue, places={})
    assert found(same, None) == [("MP207", "eth1 and eth2")]


def test_records_by_name() -> None:
    path = "/etc/iscsi/nodes/iqn.x/san.example,3260,1/default"
    assert [(f.code, f.subject) for f in wires.findings(None, Host(unread=(("default", path),)), None, Wires())] == [
        ("MP247", path)
    ]


def test_every_code_has_evidence_and_a_reference() -> None:
    for row in (*findings.wires.KINDS, *findings.network.KINDS):
        assert row.evidence, row.code
        assert row.reference, row.code


# -- what programs and files say -----------------------------------------------------------------------------------


@EACH
def test_reads_every_link(release: str) -> None:
    links = {one.name: one for one in tool.links(recordings.replay(release, "sane"))}
    assert links["eth1"].has("10.10.8.20")
    assert links["eth1"].holds("10.10.8.90")
    assert not links["eth1"].holds("10.10.9.90")
    assert links["eth1"].source(4) == "10.10.8.20"
    assert (links["eth1"].up, links["eth1"].operstate, links["eth1"].ethernet) == (True, "UP", True)
    assert not links["lo"].ethernet
    assert [one.index for one in links.values()] == sorted(one.index for one in links.values())
    down = {one.name: one for one in tool.links(recordings.replay(release, "nic-down"))}
    assert {name for name, one in down.items() if not one.up or one.operstate == "DOWN"} & {"eth1", "eth2"}


def test_reads_further_names() -> None:
    said = {"ifindex": 4, "ifname": "eth0", "flags": ["UP"], "mtu": 1400, "altnames": ["enp1s0"], "permaddr": "AA:BB"}
    (one,) = tool.parse_links(json.dumps([{}, said]))
    assert (one.others, one.permanent, one.mtu, one.up) == (("enp1s0",), "aa:bb", 1400, True)


def test_reads_a_nics_files(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.nic("eth1", own=1, everywhere=0)
    at = "/sys/class/net/eth1"
    tree.files(
        at,
        {
            "speed": "1000\n",
            "duplex": "half\n",
            "carrier_down_count": "7\n",
            "uevent": "DEVTYPE=vlan\nINTERFACE=eth1\n",
            "statistics/rx_crc_errors": "3\n",
            "statistics/rx_packets": "9\n",
            "statistics/rx_bytes": "2048\n",
        },
    )
    tree.file("/proc/sys/net/ipv4/conf/all/arp_ignore", "1\n")
    one = tool.whole(Files(str(tmp_path)), Link("eth1"))
    assert (one.speed, one.duplex, one.downs, one.kind, one.errors) == (1000, "half", 7, "vlan", {"rx_crc_errors": 3})
    assert (one.rp_filter, one.strict, one.settings["arp_ignore"]) == ((0, 1), True, 1)
    assert (one.packets, tool.received(Files(str(tmp_path)), "eth1")) == (9, 2048)
    assert tool.whole(Files(str(tmp_path)), Link("eth9")).speed is None


NETSTAT = "TcpExt: SyncookiesSent IPReversePathFilter X\nTcpExt: 0 17 4\nIpExt: InNoRoutes\nIpExt: 1\n"
ROUTES = "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t0101A8C0\t0003\neth1\t00080A0A\t00000000\t0001\n"
ROUTES_6 = f"{'0' * 32} 00 {'0' * 32} 00 fe80{'0' * 27}1 00000400 00000003 0 00450003 eth0\n"


def test_reads_the_tables_of_the_kernel(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.files(
        "/proc", {"net/netstat": NETSTAT, "net/route": ROUTES, "net/ipv6_route": ROUTES_6, "uptime": "86400.5 1.0\n"}
    )
    read = Files(str(tmp_path))
    assert tool.refused_back(read) == 17
    assert tool.gateways(read) == {("eth0", "192.168.1.1"), ("eth0", "fe80::1")}
    assert tool.uptime(read) == 86400.5
    nothing = Files(str(tmp_path / "none"))
    assert (tool.refused_back(nothing), tool.gateways(nothing), tool.uptime(nothing)) == (0, frozenset(), 0.0)


LINK_FILE = "[Match]\nMACAddress=AA:BB:CC:00:00:01 aa-bb-cc-00-00-02\n\n[Link]\n# Name=eth7\nName=eth5\n"
RULE = (
    'SUBSYSTEM=="net", ACTION=="add", ATTR{address}=="aa:bb:cc:00:00:03", NAME="eth5"\n'
    'SUBSYSTEM=="net", ATTR{address}=="aa:bb:cc:00:00:04", NAME="eth6"\n'
)


def test_reads_what_files_call_a_nic(tmp_path: Path) -> None:
    assert tool.parse_naming(LINK_FILE, "eth5") == ("aa:bb:cc:00:00:01", "aa:bb:cc:00:00:02")
    assert tool.parse_naming(LINK_FILE, "eth7") == tool.parse_naming(LINK_FILE, "eth") == ()
    assert tool.parse_naming(RULE, "eth5") == ("aa:bb:cc:00:00:03",)
    assert tool.parse_naming('DEVICE="eth5"\nHWADDR=aa:bb:cc:00:00:05\n', "eth5") == ("aa:bb:cc:00:00:05",)
    tree = Tree(tmp_path)
    tree.file("/etc/systemd/network/10-x.link", LINK_FILE)
    tree.file("/run/udev/data/n3", "I:1\nE:ID_NET_NAME_PATH=enp1s0\nE:ID_NET_NAME_MAC=enxaa\n")
    read = Files(str(tmp_path))
    assert tool.named_by_files(read, "eth5")[0] == ("/etc/systemd/network/10-x.link", "aa:bb:cc:00:00:01")
    assert tool.names_of(read, Link("eth1", 3, others=("x",))) == {"enp1s0", "enxaa", "x"}


RULESET = """\
table inet filter {
\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t}

\tchain output {
\t\ttype filter hook output priority filter; policy drop;
\t\toifname "eth1" tcp dport 3260 counter packets 3 bytes 180 drop comment "x"
\t\ttcp dport 25 reject with tcp reset
\t\ttcp dport 22 accept
\t}
}
"""


def test_reads_what_a_firewall_drops() -> None:
    place = "table inet filter chain output: "
    assert nft.parse_drops(RULESET) == (
        f"{place}type filter hook output priority filter; policy drop;",
        f'{place}oifname "eth1" tcp dport 3260 counter packets 3 bytes 180 drop comment "x"',
        f"{place}tcp dport 25 reject with tcp reset",
    )


def test_reads_many_ways_at_once() -> None:
    text = (
        '[{"dst":"10.10.9.90","gateway":"10.10.8.1","dev":"eth1","prefsrc":"10.10.8.20","flags":[],"uid":0}]\n'
        '[{"dst":"10.10.9.90","from":"10.10.8.20","dev":"eth2","flags":[],"uid":0,"cache":[]}]\n'
    )
    assert ip.parse_ways(text) == {
        ("10.10.9.90", "eth1"): Route("eth1", "10.10.8.20", "10.10.8.1"),
        ("10.10.9.90", "10.10.8.20"): Route("eth2"),
    }
    said = json.dumps(
        [
            {"dst": "fd00::90", "dev": "eth1", "state": ["FAILED"]},
            {"dst": "10.10.8.90", "dev": "eth1", "lladdr": "AA:00", "state": ["REACHABLE"]},
            {"dst": "10.10.9.90", "dev": "eth1", "lladdr": "aa:01", "state": ["STALE"]},
        ]
    )
    assert tool.parse_neighbours(said) == {("fd00::90", "eth1"): "", ("10.10.8.90", "eth1"): "aa:00"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["ifname", "ifindex", "addr_info", "local", "dst", "dev", "lladdr"]), inner)
    ),
)


@given(st.text() | JSON.map(json.dumps))
def test_reading_programs_is_total(text: str) -> None:
    for parse in (tool.parse_links, ip.parse_ways, tool.parse_neighbours):
        with contextlib.suppress(UnreadableOutput):
            parse(text)
    nft.parse_drops(text)
    tool.parse_naming(text, "eth5")


@given(st.binary() | st.binary(min_size=40, max_size=80).map(lambda b: b"\x45" + b))
def test_reading_frames_is_total(data: bytes) -> None:
    frames.parse_arp(data)
    frames.parse_segment(data)
    for version in (4, 6):
        frames.parse_echo(version, data)


# -- frames --------------------------------------------------------------------------------------------------------


def test_an_arp_probe_says_nothing_of_us() -> None:
    said = frames.parse_arp(frames.ask(MAC_1, "10.10.8.14"))
    assert said == frames.Arp(True, MAC_1, "0.0.0.0", "10.10.8.14")
    asked = frames.parse_arp(frames.ask(MAC_1, "10.10.8.90", "10.10.8.14"))
    assert asked == frames.Arp(True, MAC_1, "10.10.8.14", "10.10.8.90")
    assert frames.parse_arp(b"\0" * 60) is None


def _tcp(flags: int, source: str = "10.10.8.90", destination: str = "10.10.8.14") -> bytes:
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    tcp = (3260).to_bytes(2, "big") + (41000).to_bytes(2, "big") + bytes(9) + bytes([flags]) + bytes(6)
    if ":" in source:
        return b"\x60" + bytes(5) + bytes([6, 64]) + ends + tcp
    return b"\x45" + bytes(8) + b"\x06" + bytes(2) + ends + tcp


def test_reads_the_begin_of_tcp() -> None:
    assert frames.parse_segment(_tcp(0x12)) == frames.Segment(
        "10.10.8.90", 3260, "10.10.8.14", 41000, syn=True, rst=False
    )
    six = frames.parse_segment(_tcp(0x14, "fd00::90", "fd00::14"))
    assert six == frames.Segment("fd00::90", 3260, "fd00::14", 41000, syn=False, rst=True)
    assert frames.parse_segment(b"\x45" + bytes(8) + b"\x11" + bytes(30)) is None


def _passes(packet: bytes) -> bool:
    """The filter, as the kernel would run it."""
    a = x = at = 0
    program = [(frames.FILTER[i : i + 8]) for i in range(0, len(frames.FILTER), 8)]
    while True:
        code, true, false = int.from_bytes(program[at][:2], "little"), program[at][2], program[at][3]
        k = int.from_bytes(program[at][4:], "little")
        at += 1
        if code in (0x30, 0x50):
            where = k + (x if code == 0x50 else 0)
            if where >= len(packet):
                return False
            a = packet[where]
        elif code == 0x54:
            a &= k
        elif code == 0xB1:
            x = 4 * (packet[k] & 0xF)
        elif code == 0x06:
            return k > 0
        else:
            at += true if (a == k if code == 0x15 else a & k) else false


def test_the_tap_keeps_back_what_opens_nothing() -> None:
    for source, destination in (("10.10.8.90", "10.10.8.14"), ("fd00::90", "fd00::14")):
        for flags in range(64):
            assert _passes(_tcp(flags, source, destination)) is bool(flags & 0x06)
    assert not _passes(b"\x45" + bytes(8) + b"\x11" + bytes(30))
    assert not _passes(b"")


def test_an_echo_is_what_ping_sends() -> None:
    packet = frames.echo(4, 0x1234, 7, 64)
    assert len(packet) == 64
    total = sum(int.from_bytes(packet[at : at + 2], "big") for at in range(0, 64, 2))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF  # RFC 1071
    reply = b"\x45" + bytes(19) + b"\0\0" + packet[2:]
    assert frames.parse_echo(4, reply) == (0x1234, 7)
    assert frames.parse_echo(4, b"\x45" + bytes(19) + packet) is None  # our own request
    assert frames.parse_echo(6, b"\x81\0" + frames.echo(6, 1, 2, 8)[2:]) == (1, 2)


# -- the edge ------------------------------------------------------------------------------------------------------


class Said:
    """A `Run` with the answers of `ip` as recorded."""

    def __init__(self, addresses: str) -> None:
        self.addresses, self.asked = addresses, list[tuple[str, ...]]()

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        self.asked.append(argv)
        return Done(argv, 0, self.addresses if argv == ip.ADDRESSES else "", "")


def _links_here(*links: Link) -> str:
    return json.dumps(
        [
            {
                "ifindex": one.index,
                "ifname": one.name,
                "flags": ["UP"],
                "mtu": one.mtu,
                "link_type": "ether" if one.ethernet else "loopback",
                "address": one.hwaddress,
                "addr_info": [dict(zip(("local", "prefixlen"), a.split("/"), strict=True)) for a in one.addresses],
            }
            for one in links
        ]
    )


def test_a_host_without_iscsi_pays_nothing(tmp_path: Path) -> None:
    run = Said("")
    assert edge.look(Machine(run, Files(str(tmp_path))), None, Host()) == Wires()
    assert run.asked == []


def test_a_sound_host_pays_for_one_call(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    for name in ("mpio-a", "mpio-b"):  # no NICs of this machine: nothing is sent
        tree.nic(name)
    run = Said(_links_here(replace(ETH1, name="mpio-a"), replace(ETH2, name="mpio-b")))
    site = fakes.guide_site(ifaces=tuple(replace(i, nic=n) for i, n in zip(SITE.ifaces, ("mpio-a", "mpio-b"))))  # noqa: B905
    seen = edge.look(Machine(run, Files(str(tmp_path))), site, replace(HOST, sessions=(), probes={}))
    assert run.asked == [ip.ADDRESSES]
    assert [one.name for one in seen.links] == ["mpio-a", "mpio-b"]
    assert (seen.ways, seen.holes, seen.claims) == ((), (), {})


def test_where_a_socket_is_bound() -> None:
    """Against this machine's own kernel."""
    with socket.create_server(("127.0.0.1", 0)) as door, socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        one.connect(door.getsockname())
        address, port = door.getsockname()
        pair = Pair("sw-iscsi-0", replace(PORTAL_8, address=address, port=port), HOMER_2)
        session = Session(1, 1, pair, "lo", 1, "LOGGED_IN", address=address, port=port, local_port=one.getsockname()[1])
        index = socket.if_nametoindex("lo")
        named = Link("lo", index)
        (place,) = edge._places([session], [named]).values()
        mss = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert (place.nic, place.address) == ("lo", "127.0.0.1")
        assert mss + 40 <= place.packet <= mss + 52
        (other,) = edge._places([replace(session, nic="eth7")], []).values()
        assert other == replace(place, nic=f"interface number {index}")
        assert edge._places([replace(session, local_port=1)], [named]) == {}


def test_a_connect_that_arrives_and_one_that_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        there, nowhere = (
            replace(PORTAL_8, address="127.0.0.1", port=port),
            replace(PORTAL_8, address="127.0.0.1", port=1),
        )
        met = {way.portal: way.answer for way in wires_ask.ways([("lo", there), ("lo", nowhere)])}
    assert met == {there: Answer.ANSWERED, nowhere: Answer.REFUSED}


def test_nobody_is_asked_through_what_is_not_there() -> None:
    assert wires_ask.claims([wires_ask.Question("mpio-none", MAC_1, "10.10.8.14")], 0.1) == {}
    assert wires_ask.holes({("mpio-none", PORTAL_8): 1500}) == ()
    assert [way.answer for way in wires_ask.ways([("mpio-none", PORTAL_8)], 0.1)] == [Answer.NO_ROUTE]
