"""Every finding that a check can raise, raised: what happened to the guide's host, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import APPS_A01, HOMER_1, HOMER_2, PORTAL_8, PORTAL_9

from mpio import checks, plan, topology
from mpio.findings import Finding, Severity
from mpio.host import Answer, Asked, Effective, Found, Host, Iface, Pair, Portal, Unit
from mpio.memory import Offline
from mpio.plan.shape import SYSCTL_DROP_IN
from mpio.site import Site, SiteIface, SiteLun

SITE = fakes.guide_site()
HOST = fakes.guide_host()
NEAR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)
NIC_1, NIC_2 = HOST.nics
LUN = "hydra_apps-a01"


def of(site: Site, host: Host) -> tuple[Finding, ...]:
    made = plan.steps(site, host)
    return checks.after(site, host, made, topology.luns(site, host, made.pairs))


def told(site: Site, host: Host) -> dict[str, list[tuple[str, str]]]:
    """Code to (subject, detail)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in of(site, host):
        found.setdefault(one.code, []).append((one.subject, one.detail))
    return found


def unit(name: str, **changes: str) -> Host:
    return replace(HOST, units=tuple(replace(u, **changes) if u.name == name else u for u in HOST.units))


def nic(**changes: object) -> Host:
    return replace(HOST, nics=(replace(NIC_1, **changes), NIC_2))  # type: ignore[arg-type]


def path(at: int, **changes: object) -> Host:
    changed = replace(HOST.paths[at], **changes)  # type: ignore[arg-type]
    return replace(HOST, paths=(*HOST.paths[:at], changed, *HOST.paths[at + 1 :]))


def session(**changes: object) -> Host:
    changed = replace(HOST.sessions[0], **changes)  # type: ignore[arg-type]
    return replace(HOST, sessions=(changed, *HOST.sessions[1:]))


def probed(**answers: Answer) -> Host:
    """Nothing is logged in at the first portal, and it answers so."""
    gone = {s.sid for s in HOST.sessions if s.pair.portal == PORTAL_8}
    return replace(
        HOST,
        sessions=tuple(s for s in HOST.sessions if s.sid not in gone),
        paths=tuple(p for p in HOST.paths if p.sid not in gone),
        probes={(f"sw-iscsi-{name[-1]}", PORTAL_8): answer for name, answer in answers.items()},
    )


def asked(code: int, said: str = "", *found: Found) -> Host:
    return replace(HOST, asked=(Asked(PORTAL_8, ("sw-iscsi-0",), code, said, found),))


def opened(host: Host) -> Host:
    return replace(host, maps=tuple(replace(m, open_count=1) for m in host.maps))


SAME_SUBNET = replace(HOST, nics=(NIC_1, replace(NIC_2, addresses=("10.10.8.15/24",))))
UDEVD = Unit("systemd-udevd.service", "loaded", "inactive", "static")
LATER = "/etc/sysctl.d/zzz.conf"
Case = tuple[str, Site, Host, str, str]
OFF = Offline("eth1", frozenset({str(NEAR)}), "moe", "2026-11-21T18:00:00+00:00")
CASES: list[Case] = [
    ("MP101", SITE, replace(HOST, blind=("the node records",)), "the node records", ""),
    ("MP102", SITE, replace(HOST, missing_programs=(("iscsiadm", "apt install open-iscsi"),)), "iscsiadm", ""),
    ("MP103", SITE, unit("iscsid.service", active="failed"), "iscsid.service", "iscsid.service is failed"),
    ("MP104", SITE, unit("multipathd.service", active="inactive"), "multipathd.service", "is inactive"),
    ("MP105", SITE, unit("multipathd.service", load="masked"), "multipathd.service", ""),
    ("MP106", SITE, replace(HOST, missing_modules=("iscsi_tcp",)), "iscsi_tcp", ""),
    ("MP109", SITE, replace(HOST, stale_lock=True), "/run/lock/iscsi/lock.write", ""),
    ("MP108", SITE, unit("iscsid.service", load="not-found"), "iscsid.service", ""),
    ("MP135", SITE, replace(HOST, units=(*HOST.units, UDEVD)), "systemd-udevd.service", "it is inactive"),
    ("MP201", SITE, replace(HOST, nics=(NIC_2,)), "eth1", "iface sw-iscsi-0 is bound to it"),
    ("MP202", SITE, nic(addresses=("fd00::1/64",)), "eth1", "its addresses: fd00::1/64"),
    ("MP203", SITE, nic(carrier=False), "eth1", "carrier is 0"),
    ("MP203", SITE, nic(carrier=None), "eth1", "the interface is down"),
    ("MP204", fakes.guide_site(mtu=9000), HOST, "eth1", "1500, the site says 9000"),
    ("MP205", fakes.guide_site(rp_filter=0), nic(rp_filter_all=1), "eth1", "conf/all/rp_filter is 1"),
    (
        "MP206",
        SITE,
        replace(HOST, files={**HOST.files, LATER: "# x\nnet.ipv4.conf.eth1.rp_filter = 1\n"}),
        "rp_filter of eth1",
        f"{LATER} line 2 sets 1",
    ),
    ("MP207", SITE, SAME_SUBNET, "eth1 and eth2", "10.10.8.0/24"),
    ("MP208", SITE, nic(master="bond0", addresses=()), "eth1", "its master is bond0"),
    ("MP210", SITE, probed(p0=Answer.SILENT, p1=Answer.SILENT), f"portal {PORTAL_8}", "sw-iscsi-0: silent"),
    ("MP210", SITE, probed(p0=Answer.ANSWERED, p1=Answer.NO_ROUTE), f"sw-iscsi-1 -> {PORTAL_8}", "no route"),
    ("MP211", SITE, probed(p0=Answer.REFUSED, p1=Answer.SILENT), f"portal {PORTAL_8}", "sw-iscsi-0: refused"),
    ("MP211", SITE, probed(p0=Answer.REFUSED, p1=Answer.ANSWERED), f"sw-iscsi-0 -> {PORTAL_8}", "refused"),
    (
        "MP212",
        fakes.guide_site(layout="subnet"),
        fakes.guide_host(fakes.guide_site(layout="subnet")),
        f"sw-iscsi-0 -> {PORTAL_9} {HOMER_2}",
        "10.10.9.90:3260 is not in a subnet of eth1",
    ),
    ("MP213", SITE, asked(11, "connection login retries (reopen_max) 5 exceeded"), f"portal {PORTAL_8}", "reopen_max"),
    ("MP214", SITE, asked(24, "Login failed to authenticate with target"), f"portal {PORTAL_8}", "authenticate"),
    ("MP215", SITE, asked(21), f"portal {PORTAL_8}", "it names none at all"),
    ("MP215", SITE, asked(0, "", Found(PORTAL_8, 1, "iqn.x:y")), f"portal {PORTAL_8}", "it names iqn.x:y"),
    (
        "MP216",
        fakes.guide_site(portals=(PORTAL_8, Portal("10.10.8.99"))),
        replace(asked(0, "", *fakes.SAN.targets), probes={("sw-iscsi-0", Portal("10.10.8.99")): Answer.ANSWERED}),
        "portal 10.10.8.99:3260",
        "",
    ),
    (
        "MP217",
        fakes.guide_site(mtu=9000),
        replace(HOST, black_holes=(("sw-iscsi-0", PORTAL_8, 9000),)),
        f"sw-iscsi-0 -> {PORTAL_8}",
        "9000 bytes",
    ),
    ("MP304", SITE, session(state="FAILED"), str(NEAR), "session 1 is FAILED"),
    (
        "MP305",
        SITE,
        replace(HOST, sessions=(*HOST.sessions, replace(HOST.sessions[0], sid=9, pair=Pair("x", PORTAL_8, HOMER_1)))),
        f"x -> {PORTAL_8} {HOMER_1}",
        "session 9",
    ),
    (
        "MP305",
        SITE,
        replace(HOST, nodes=(*HOST.nodes, replace(HOST.nodes[0], pair=Pair("default", PORTAL_8, HOMER_1)))),
        f"default -> {PORTAL_8} {HOMER_1}",
        "a record",
    ),
    ("MP306", SITE, session(noop_interval=9), f"session 1 {NEAR}", "no-op interval 9, wanted 5"),
    ("MP306", SITE, session(nic="eth2"), f"session 1 {NEAR}", "NIC eth2, wanted eth1"),
    ("MP306", SITE, session(initiatorname="iqn.x"), f"session 1 {NEAR}", "initiator name iqn.x, wanted"),
    ("MP307", fakes.guide_site(initiator="iqn.2026-01.x:y"), HOST, "/etc/iscsi/initiatorname.iscsi", "4 sessions"),
    ("MP308", SITE, replace(HOST, paths=tuple(p for p in HOST.paths if p.sid != 1)), str(NEAR), "session 1"),
    (
        "MP309",
        SITE,
        replace(HOST, ifaces=(Iface("sw-iscsi-0", "eth9"), *HOST.ifaces[1:])),
        "sw-iscsi-0",
        "bound to eth9, the site says eth1",
    ),
    ("MP310", fakes.guide_site(targets=("x:*",)), opened(HOST), str(NEAR), "refused: hydra_apps-a01 is in use"),
    ("MP311", SITE, asked(0, "not a target name or portal: 'x y'", *fakes.SAN.targets), f"portal {PORTAL_8}", "'x y'"),
    ("MP316", SITE, replace(HOST, offline=(OFF,)), "eth1", "by moe since 2026-11-21T18:00:00+00:00 until `mpio online"),
    (
        "MP321",
        SITE,
        asked(0, "", *fakes.SAN.targets, Found(Portal("203.0.113.5"), 2, HOMER_1)),
        f"portal {PORTAL_8}",
        f"{HOMER_1} at 203.0.113.5:3260",
    ),
    (
        "MP322",
        SITE,
        session(address="203.0.113.5"),
        str(NEAR),
        "session 1 is at 203.0.113.5:3260: the address is in no",
    ),
    ("MP401", SITE, replace(HOST, paths=(), maps=()), LUN, "0 of 4 paths usable"),
    ("MP402", SITE, path(0, dm_state="failed", checker_state="faulty"), LUN, f"3 of 4 paths usable; missing: {NEAR}"),
    ("MP403", SITE, replace(HOST, paths=HOST.paths[:8]), LUN, f"portal {PORTAL_8}"),
    ("MP404", SITE, path(0, device_state="offline"), f"sda of {LUN}", "device offline"),
    ("MP405", fakes.guide_site(luns=(SiteLun(APPS_A01, "new"),)), opened(HOST), LUN, "to new; used by 1 opener(s)"),
    ("MP406", fakes.guide_site(luns=SITE.luns[1:]), opened(HOST), LUN, "used by 1 opener(s)"),
    ("MP407", SITE, replace(HOST, maps=HOST.maps[1:]), LUN, "sda, sde, sdi, sdm"),
    ("MP410", SITE, path(0, size=fakes.SIZE * 2), LUN, f"sda {fakes.SIZE * 2}"),
    ("MP411", fakes.guide_site(luns=()), replace(HOST, maps=HOST.maps[1:]), APPS_A01, "4 paths"),
    ("MP412", SITE, path(0, vendor="LIO-ORG", product="disk"), LUN, "LIO-ORG disk, preset nexenta-comstar"),
    (
        "MP413",
        SITE,
        replace(HOST, effective=Effective({APPS_A01: {"failback": "manual"}})),
        "failback immediate",
        f"{APPS_A01}: manual",
    ),
    (
        "MP501",
        SITE,
        replace(HOST, effective=Effective(warnings=("/etc/multipath.conf line 3: x",))),
        "/etc/multipath.conf line 3: x",
        "",
    ),
    ("MP320", SITE, replace(HOST, chap={"node.session.auth.password": "elevenbytes"}), "san.chap.password_file", ""),
    (
        "MP320",
        SITE,
        replace(HOST, discovery_chap={"discovery.sendtargets.auth.password_in": "short"}),
        "san.discovery_chap.password_in_file",
        "",
    ),
    ("MP502", SITE, replace(HOST, writable_by_others=("/etc/multipath.conf",)), "/etc/multipath.conf", ""),
]


@pytest.mark.parametrize(
    ("code", "site", "host", "subject", "detail"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_what_is_said_of_it(code: str, site: Site, host: Host, subject: str, detail: str) -> None:
    found = told(site, host)
    assert code in found
    assert any(s.endswith(subject) and detail in d for s, d in found[code]), found[code]


def test_nothing_is_said_of_a_whole_host() -> None:
    assert of(SITE, fakes.look(SITE, HOST)) == ()


def test_a_nic_in_a_vrf_is_no_member_of_a_bond() -> None:
    assert "MP208" not in told(SITE, nic(master="red"))


@pytest.mark.parametrize("name", ["iscsid.service", "multipathd.service"])
def test_a_unit_that_starts_is_no_finding(name: str) -> None:
    assert told(SITE, unit(name, active="activating")) == {}


def test_before_needs_no_session() -> None:
    host = fakes.look(SITE, fakes.bare_host())
    assert {f.code for f in checks.before(SITE, host, plan.steps(SITE, host))} == {"MP103", "MP104"}


def test_a_portal_behind_a_dead_link_is_not_said_twice() -> None:
    host = replace(probed(p0=Answer.SILENT, p1=Answer.ANSWERED), nics=(replace(NIC_1, carrier=False), NIC_2))
    found = told(SITE, host)
    assert "MP203" in found
    assert "MP210" not in found


def test_an_excluded_portal_is_not_asked_about() -> None:
    site = fakes.guide_site(exclude=(PORTAL_8,))
    assert "MP210" not in told(site, probed(p0=Answer.SILENT, p1=Answer.SILENT))


def test_a_path_of_a_failed_session_is_said_by_its_session_alone() -> None:
    host = session(state="FAILED")
    paths = tuple(replace(p, dm_state="failed") if p.sid == 1 else p for p in host.paths)
    found = told(SITE, replace(host, paths=paths))
    assert "MP304" in found
    assert "MP404" not in found


def test_a_site_without_luns_misses_none() -> None:
    host = fakes.guide_host(fakes.guide_site(luns=()))
    assert set(told(fakes.guide_site(luns=()), host)) == {"MP411"}


def test_an_alias_of_the_login_unit_is_enough() -> None:
    units = tuple(u for u in HOST.units if u.name != "open-iscsi.service")
    assert told(SITE, replace(HOST, units=units)) == {}
    none = (*(u for u in units if u.name != "iscsi.service"), Unit("open-iscsi.service", "not-found"))
    assert told(SITE, replace(HOST, units=none))["MP108"] == [("open-iscsi.service or iscsi.service", "")]


def test_without_units_seen_none_is_missed() -> None:
    assert told(SITE, replace(HOST, units=())) == {}


def test_our_own_drop_in_beats_an_earlier_file() -> None:
    earlier = "/etc/sysctl.d/10-x.conf"
    host = replace(HOST, files={**HOST.files, earlier: "net.ipv4.conf.eth1.rp_filter = 1\n"})
    assert SYSCTL_DROP_IN in host.files
    assert told(SITE, host) == {}


def test_the_severity_of_a_lost_lun() -> None:
    found = {f.code: f.severity for f in of(SITE, replace(HOST, paths=(), maps=(), sessions=()))}
    assert found["MP401"] is Severity.CRITICAL


def test_two_ifaces_on_one_nic_are_two_ifaces() -> None:
    site = fakes.guide_site(ifaces=(SiteIface("a", "eth9"), SiteIface("b", "eth9")))
    assert len(told(site, HOST)["MP201"]) == 2


def test_a_masked_login_unit_is_no_missing_package() -> None:
    logins = ("open-iscsi.service", "iscsi.service")
    host = replace(HOST, units=tuple(replace(u, load="masked") if u.name in logins else u for u in HOST.units))
    assert told(SITE, host) == {"MP105": [(name, "") for name in logins]}
