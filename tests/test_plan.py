from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import fakes
import pytest
from fakes import HOMER_1, PORTAL_8

from mpio import plan
from mpio.host import Answer, Asked, Effective, Host, Iface, Node, Pair, Unit, User
from mpio.memory import Key, Memory
from mpio.plan import Plan, ending
from mpio.plan.shape import INITIATOR_NAME, ISCSID_CONF, MULTIPATH_CONF, MULTIPATH_DROP_IN, SYSCTL_DROP_IN
from mpio.site import Chap, Site, SiteIface, SiteLun
from mpio.step import Command, Note, Part, Step, Write
from mpio.tools import keyfile

SITE = fakes.guide_site()
HOST = fakes.guide_host()
NEAR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)


def commands(steps: Iterable[Step], part: Part | None = None) -> list[str]:
    return [" ".join(s.argv) for s in steps if isinstance(s, Command) and part in (None, s.part)]


def writes(steps: Iterable[Step]) -> dict[str, str | None]:
    return {s.path: s.text for s in steps if isinstance(s, Write)}


def codes(made: Plan) -> list[str]:
    return [f.code for f in made.refused]


def without_session(host: Host, *pairs: Pair) -> Host:
    gone = {s.sid for s in host.sessions if s.pair in pairs}
    return replace(
        host,
        sessions=tuple(s for s in host.sessions if s.sid not in gone),
        paths=tuple(p for p in host.paths if p.sid not in gone),
    )


def opened(host: Host, *names: str) -> Host:
    return replace(host, maps=tuple(replace(m, open_count=1) if m.name in names else m for m in host.maps))


# -- from nothing to whole -----------------------------------------------------------------------------------------


def test_a_whole_host_needs_nothing() -> None:
    made = plan.steps(SITE, fakes.look(SITE, HOST))
    assert (made.steps, made.complete, made.refused) == ((), True, ())


def test_the_first_round_on_a_bare_host() -> None:
    made = plan.steps(SITE, fakes.look(SITE, fakes.bare_host()))
    assert not made.complete
    parts = [s.part for s in made.steps]
    assert parts == [*sorted(parts[:-1], key=list(Part).index), Part.DISCOVERY]
    assert commands(made.steps, Part.SERVICES) == [
        "systemctl enable --now iscsid.service",
        "systemctl enable open-iscsi.service",
        "systemctl enable --now multipathd.service",
    ]
    assert commands(made.steps, Part.IFACES) == [
        "iscsiadm -m iface -I sw-iscsi-0 -o new",
        "iscsiadm -m iface -I sw-iscsi-0 -o update -n iface.net_ifacename -v eth1",
        "iscsiadm -m iface -I sw-iscsi-1 -o new",
        "iscsiadm -m iface -I sw-iscsi-1 -o update -n iface.net_ifacename -v eth2",
    ]
    assert commands(made.steps)[-1] == (
        "iscsiadm -m discovery -t sendtargets -p 10.10.8.90:3260 -I sw-iscsi-0 -I sw-iscsi-1 -o nonpersistent"
    )
    assert set(writes(made.steps)) == {
        INITIATOR_NAME,
        SYSCTL_DROP_IN,
        "/proc/sys/net/ipv4/conf/eth1/rp_filter",
        "/proc/sys/net/ipv4/conf/eth2/rp_filter",
        ISCSID_CONF,
        MULTIPATH_DROP_IN,
    }


def test_the_rounds_end_with_a_record_a_session_and_a_path_each() -> None:
    assert {n.pair for n in HOST.nodes} == {s.pair for s in HOST.sessions}
    assert len(HOST.sessions) == 4
    assert {m.name for m in HOST.maps} == set(fakes.ALIASES.values())
    assert all(len(m.slaves) == 4 for m in HOST.maps)
    assert {s.recovery_tmo for s in HOST.sessions} == {10}


def test_every_step_that_makes_something_is_noted_first() -> None:
    host = fakes.look(SITE, fakes.bare_host())
    notes = {(n.kind, n.name) for s in plan.steps(SITE, host).steps for n in s.notes}
    assert {("iface", "sw-iscsi-0"), ("iface", "sw-iscsi-1")} <= notes
    assert {("unit", "iscsid.service"), ("unit", "open-iscsi.service"), ("unit", "multipathd.service")} <= notes
    assert {("file", SYSCTL_DROP_IN), ("file", MULTIPATH_DROP_IN)} <= notes
    assert ("key", f"{INITIATOR_NAME} InitiatorName") in notes
    assert ("wwid", fakes.APPS_A01) in notes


# -- the ground ----------------------------------------------------------------------------------------------------


def test_the_initiator_name_changes_with_iscsid_stopped() -> None:
    host = replace(fakes.guide_host(fakes.guide_site(initiator=None)), sessions=(), paths=(), maps=())
    made = plan.steps(SITE, host)
    first, second = made.steps[:2]
    assert isinstance(first, Command)
    assert first.argv == ("systemctl", "stop", "iscsid.service")
    assert isinstance(second, Write)
    assert (second.path, second.text) == (INITIATOR_NAME, f"## DO NOT EDIT\nInitiatorName={fakes.PRAGUE}\n")
    assert second.notes == (Note("key", f"{INITIATOR_NAME} InitiatorName", fakes.STOCK_NAME, fakes.PRAGUE),)


def test_the_initiator_name_is_refused_while_sessions_exist() -> None:
    site = fakes.guide_site(initiator="iqn.2026-01.dom.prague:other")
    made = plan.steps(site, HOST)
    assert codes(made) == ["MP307"]
    assert made.steps == ()
    forced = plan.steps(site, HOST, frozenset({"MP307"}))
    assert codes(forced) == []
    assert INITIATOR_NAME in writes(forced.steps)


def test_two_nics_in_a_subnet_want_arp_set() -> None:
    both = tuple(replace(n, addresses=(f"10.10.8.{i + 14}/24",)) for i, n in enumerate(fakes.bare_host().nics))
    host = fakes.bare_host(nics=both)
    assert codes(plan.steps(SITE, host)) == ["MP207"]
    made = plan.steps(fakes.guide_site(arp="set"), host)
    assert codes(made) == []
    assert writes(made.steps)["/proc/sys/net/ipv4/conf/eth1/arp_ignore"] == "1\n"
    assert writes(made.steps)["/proc/sys/net/ipv4/conf/eth2/arp_announce"] == "2\n"


def test_a_kept_rp_filter_takes_the_drop_in_away() -> None:
    made = plan.steps(fakes.guide_site(rp_filter=None), HOST)
    assert writes(made.steps) == {
        SYSCTL_DROP_IN: None,
        "/proc/sys/net/ipv4/conf/eth1/rp_filter": "0\n",
        "/proc/sys/net/ipv4/conf/eth2/rp_filter": "0\n",
    }


def test_a_masked_or_missing_unit_is_no_step() -> None:
    units = tuple(Unit(u.name, load, "inactive", load) for u, load in zip(HOST.units, ["masked", "not-found"] * 2))  # noqa: B905
    assert commands(plan.steps(SITE, replace(HOST, units=units)).steps, Part.SERVICES) == []


def test_an_alias_of_the_login_unit_counts_once() -> None:
    units = tuple(
        replace(u, load="not-found") if u.name == "open-iscsi.service" else u for u in fakes.bare_host().units
    )
    made = plan.steps(SITE, fakes.bare_host(units=units))
    assert "systemctl enable iscsi.service" in commands(made.steps)
    assert not any("open-iscsi" in c for c in commands(made.steps))


def test_a_configuration_file_is_made_only_where_multipathd_needs_one() -> None:
    assert MULTIPATH_CONF not in writes(plan.steps(SITE, fakes.bare_host()).steps)
    made = plan.steps(SITE, fakes.bare_host(needs_multipath_conf=True))
    text = writes(made.steps)[MULTIPATH_CONF]
    assert text is not None
    assert text.startswith("#")


# -- ifaces, records, sessions -------------------------------------------------------------------------------------


def test_a_changed_nic_rebuilds_an_iface_of_ours_without_sessions() -> None:
    site = fakes.guide_site(ifaces=(SiteIface("sw-iscsi-0", "eth2"), SiteIface("sw-iscsi-1", "eth1")))
    assert codes(plan.steps(site, HOST)) == ["MP309", "MP309"]
    host = replace(HOST, sessions=(), paths=(), maps=())
    assert commands(plan.steps(site, host).steps, Part.IFACES)[:3] == [
        "iscsiadm -m iface -I sw-iscsi-0 -o delete",
        "iscsiadm -m iface -I sw-iscsi-0 -o new",
        "iscsiadm -m iface -I sw-iscsi-0 -o update -n iface.net_ifacename -v eth2",
    ]


@pytest.mark.parametrize("nodes", [(), HOST.nodes[1:2]])
def test_a_foreign_iface_is_never_deleted(nodes: tuple[Node, ...]) -> None:
    host = fakes.bare_host(ifaces=(Iface("sw-iscsi-0", "eth1", "00:0c:29:94:5b:83"),), nodes=nodes)
    made = plan.steps(SITE, host)
    assert codes(made) == ["MP309"]
    assert not any("sw-iscsi-0" in c for c in commands(made.steps, Part.IFACES))


def test_a_foreign_iface_without_a_binding_is_bound() -> None:
    made = plan.steps(SITE, fakes.bare_host(ifaces=(Iface("sw-iscsi-0"),)))
    assert commands(made.steps, Part.IFACES)[0].endswith("-I sw-iscsi-0 -o update -n iface.net_ifacename -v eth1")


def test_a_lost_session_is_logged_in_again() -> None:
    made = plan.steps(SITE, without_session(HOST, NEAR))
    assert commands(made.steps) == [f"iscsiadm -m node -T {HOMER_1} -p 10.10.8.90:3260 -I sw-iscsi-0 --login"]


def test_a_silent_pair_is_not_logged_in() -> None:
    host = replace(without_session(HOST, NEAR), probes={("sw-iscsi-0", PORTAL_8): Answer.SILENT})
    assert plan.steps(SITE, host).steps == ()


def test_a_failed_session_is_iscsids_business() -> None:
    host = replace(HOST, sessions=tuple(replace(s, state="FAILED") for s in HOST.sessions))
    assert plan.steps(SITE, host).steps == ()


def test_a_lost_record_is_made_with_its_group_and_settings() -> None:
    host = replace(HOST, nodes=tuple(n for n in HOST.nodes if n.pair != NEAR), asked=(asked(),))
    new, update = commands(plan.steps(SITE, host).steps)
    assert new == f"iscsiadm -m node -o new -T {HOMER_1} -p 10.10.8.90:3260,2 -I sw-iscsi-0"
    assert "-n node.startup -v automatic" in update
    assert "-n node.session.timeo.replacement_timeout -v 10" in update


def asked() -> Asked:
    return Asked(PORTAL_8, ("sw-iscsi-0",), 0, "", fakes.SAN.targets)


def test_only_what_differs_of_a_record_is_set() -> None:
    node = HOST.nodes[0]
    changed = replace(node, settings={**node.settings, "node.startup": "manual"})
    (step,) = plan.steps(SITE, replace(HOST, nodes=(changed, *HOST.nodes[1:]))).steps
    assert isinstance(step, Command)
    assert step.argv[-4:] == ("-n", "node.startup", "-v", "automatic")
    assert step.why == "node.startup is manual"


def test_chap_goes_into_the_record_file_and_nowhere_else() -> None:
    chap = {
        "node.session.auth.authmethod": "CHAP",
        "node.session.auth.username": "prague",
        "node.session.auth.password": "ocean-blue-42",
    }
    site = fakes.guide_site(chap=Chap("prague", "/etc/mpio/chap"))
    made = plan.steps(site, replace(HOST, chap=chap))
    assert len(made.steps) == 4
    for step in made.steps:
        assert isinstance(step, Write)
        assert step.secret
        assert (step.mode, step.part) == (0o600, Part.DISCOVERY)
        assert keyfile.values(step.text or "").items() >= chap.items()
        assert "ocean" not in step.why
    after, again = fakes.settled(site, replace(HOST, chap=chap))
    assert again.steps == ()
    assert after.nodes[0].settings["node.session.auth.password"] == "********"


def test_a_live_recovery_time_is_written_only_while_logged_in() -> None:
    old = replace(HOST.sessions[0], recovery_tmo=5)
    host = replace(HOST, sessions=(old, *HOST.sessions[1:]))
    assert writes(plan.steps(SITE, host).steps) == {"/sys/class/iscsi_session/session1/recovery_tmo": "10\n"}
    failed = replace(host, sessions=(replace(old, state="FAILED"), *HOST.sessions[1:]))
    assert plan.steps(SITE, failed).steps == ()


def test_no_discovery_step_where_a_look_could_have_asked() -> None:
    made = plan.steps(SITE, replace(HOST, nodes=(), sessions=(), paths=(), maps=(), asked=()))
    assert not made.complete
    assert made.steps == ()


# -- what the site no longer names ---------------------------------------------------------------------------------


def test_what_the_site_dropped_is_logged_out_then_deleted() -> None:
    made = plan.steps(fakes.guide_site(targets=("*:02:*",)), HOST)
    assert commands(made.steps) == [
        f"iscsiadm -m node -T {HOMER_1} -p 10.10.8.90:3260 -I {iface} {deed}"
        for iface in ("sw-iscsi-0", "sw-iscsi-1")
        for deed in ("--logout", "-o delete")
    ]


def test_what_the_site_dropped_stays_while_a_map_needs_it() -> None:
    site = fakes.guide_site(targets=("nothing:*",))
    made = plan.steps(site, opened(HOST, "hydra_db-a01"))
    assert codes(made) == ["MP310"] * 4
    assert not any("--logout" in c or "delete" in c for c in commands(made.steps))


def test_new_paths_come_before_old_ones_go() -> None:
    """All ifaces renamed: a LUN of the site, open or not, is never without a path."""
    site = fakes.guide_site(ifaces=(SiteIface("a", "eth1"), SiteIface("b", "eth2")))
    host = fakes.look(site, HOST)
    first = plan.steps(site, host)
    assert codes(first) == ["MP310"] * 4
    host, made = fakes.settled(site, fakes.carry_out(host, first.steps))
    assert (made.steps, codes(made)) == ((), [])
    assert {s.pair.iface for s in host.sessions} == {"a", "b"}
    assert all(len(m.slaves) == 4 for m in host.maps)


def test_what_the_site_gave_up_wholly_goes() -> None:
    host, made = fakes.settled(fakes.guide_site(targets=("nothing:*",), luns=()), HOST)
    assert (made.steps, host.sessions, host.nodes) == ((), (), ())


def test_a_nic_that_lost_its_address_costs_no_record() -> None:
    site = fakes.guide_site(layout="subnet")
    host = fakes.guide_host(site)
    dark = replace(host, nics=tuple(replace(n, addresses=()) for n in host.nics))
    assert plan.steps(site, dark).steps == ()


def test_a_changed_layout_takes_the_crossing_pairs_away() -> None:
    host, made = fakes.settled(fakes.guide_site(layout="subnet"), HOST)
    assert made.steps == ()
    assert {(s.pair.iface, s.pair.portal) for s in host.sessions} == {
        ("sw-iscsi-0", fakes.PORTAL_8),
        ("sw-iscsi-1", fakes.PORTAL_9),
    }


def test_an_iface_of_ours_goes_once_nothing_uses_it() -> None:
    site = fakes.guide_site(ifaces=SITE.ifaces[:1])
    host, made = fakes.settled(site, HOST)
    assert made.steps == ()
    assert [i.name for i in host.ifaces] == ["sw-iscsi-0"]
    assert {s.pair.iface for s in host.sessions} == {"sw-iscsi-0"}


# -- maps ----------------------------------------------------------------------------------------------------------


def test_an_open_map_is_not_renamed() -> None:
    site = fakes.guide_site(luns=(SiteLun(fakes.APPS_A01, "other"), *SITE.luns[1:]))
    made = plan.steps(site, opened(HOST, "hydra_apps-a01"))
    assert codes(made) == ["MP405"]
    text = writes(made.steps).get(MULTIPATH_DROP_IN) or ""
    assert "other" not in text
    assert "hydra_apps-a01" in text
    forced = plan.steps(site, opened(HOST, "hydra_apps-a01"), frozenset({"MP405"}))
    assert "other" in (writes(forced.steps)[MULTIPATH_DROP_IN] or "")


def test_an_open_map_does_not_lose_its_alias() -> None:
    site = fakes.guide_site(luns=(SiteLun(fakes.APPS_A01), *SITE.luns[1:]))
    made = plan.steps(site, opened(HOST, "hydra_apps-a01"))
    assert [(f.code, f.detail) for f in made.refused] == [("MP405", "to no alias; used by 1 opener(s)")]
    assert "hydra_apps-a01" in (writes(made.steps).get(MULTIPATH_DROP_IN) or "")
    assert codes(plan.steps(site, HOST)) == []


def test_an_open_map_that_left_the_site_keeps_its_entry() -> None:
    site = fakes.guide_site(luns=SITE.luns[1:])
    made = plan.steps(site, opened(HOST, "hydra_apps-a01"))
    assert codes(made) == ["MP406"]
    assert fakes.APPS_A01 in (writes(made.steps).get(MULTIPATH_DROP_IN, HOST.files[MULTIPATH_DROP_IN]) or "")
    closed = plan.steps(site, HOST)
    assert fakes.APPS_A01 not in (writes(closed.steps)[MULTIPATH_DROP_IN] or "")


def test_a_daemon_that_holds_other_values_is_told() -> None:
    assert HOST.effective is not None
    loaded = {**HOST.effective.installed, fakes.APPS_A01: {"no_path_retry": "30"}}
    host = replace(HOST, effective=replace(HOST.effective, loaded=loaded))
    (step,) = plan.steps(SITE, host).steps
    assert isinstance(step, Command)
    assert step.argv == ("multipathd", "reconfigure")
    assert fakes.APPS_A01 in step.why


def test_a_daemon_that_could_not_be_asked_is_not_told() -> None:
    host = replace(HOST, effective=Effective(HOST.effective.installed if HOST.effective else {}, None))
    assert plan.steps(SITE, host).steps == ()


def test_a_path_in_no_map_is_added_and_a_failed_one_that_answers_reinstated() -> None:
    stray = replace(HOST.paths[0], dm="", dm_state="", checker_state="", group=None)
    failed = replace(HOST.paths[5], dm_state="failed", checker_state="faulty")
    dead = replace(HOST.paths[6], dm_state="failed", checker_state="faulty")
    host = replace(
        HOST, paths=(stray, *HOST.paths[1:5], failed, dead, *HOST.paths[7:]), readable=frozenset({failed.dev})
    )
    assert commands(plan.steps(SITE, host).steps) == [
        f"multipathd add path {stray.dev}",
        f"multipathd reinstate path {failed.dev}",
    ]


def test_a_session_that_lost_a_lun_is_scanned_again() -> None:
    host = replace(HOST, paths=HOST.paths[1:])
    (step,) = plan.steps(SITE, host).steps
    assert isinstance(step, Command)
    assert step.argv == ("iscsiadm", "-m", "session", "-r", "1", "--rescan")
    assert "hydra_apps-a01" in step.why


# -- endings -------------------------------------------------------------------------------------------------------


def test_a_logout_of_all_flushes_closed_maps_first() -> None:
    share = ending.sessions(HOST, HOST.sessions, whole=True)
    assert commands(share.steps) == [
        *(f"multipath -f {m.name}" for m in HOST.maps),
        *(f"iscsiadm -m node -T {s.pair.target} -p {s.pair.portal} -I {s.pair.iface} --logout" for s in HOST.sessions),
    ]
    assert all(ending.is_left(s, HOST) for s in share.steps if isinstance(s, Command) and "--logout" in s.argv)


def test_a_logout_of_one_may_not_take_the_last_path_of_a_closed_map_either() -> None:
    assert ending.sessions(HOST, HOST.sessions[:3]).refused == ()
    refused = ending.sessions(HOST, HOST.sessions)
    assert (refused.steps, {f.code for f in refused.refused}) == ((), {"MP409"})
    assert ending.sessions(HOST, HOST.sessions, frozenset({"MP409"})).refused == ()


@pytest.mark.parametrize("whole", [True, False])
def test_a_map_in_use_stops_every_logout(whole: bool) -> None:
    share = ending.sessions(opened(HOST, "hydra_db-a02"), HOST.sessions, frozenset({"MP409"}), whole)
    assert (share.steps, [f.code for f in share.refused]) == ((), ["MP408"])


def torn(host: Host) -> Host:
    share = ending.teardown(host)
    assert share.refused == ()
    return fakes.remembered(fakes.carry_out(host, share.steps))


def test_a_teardown_puts_the_bare_host_back() -> None:
    after, bare = torn(with_proc(HOST)), fakes.bare_host()
    assert (after.sessions, after.paths, after.maps, after.nodes, after.ifaces) == ((), (), (), (), ())
    assert after.registered == frozenset()
    assert after.nics == bare.nics
    for path in (ISCSID_CONF, INITIATOR_NAME, MULTIPATH_DROP_IN, SYSCTL_DROP_IN):
        assert keyfile.values(after.files[path] or "") == keyfile.values(bare.files[path] or "")
    assert {u.name: u.enabled for u in after.units} == {u.name: u.enabled for u in bare.units}
    assert ending.teardown(with_proc(after)).steps == ()


def with_proc(host: Host) -> Host:
    """A look reads the kernel's values of remembered keys too."""
    files = {f"/proc/sys/net/ipv4/conf/{n.name}/rp_filter": f"{n.rp_filter_own}\n" for n in host.nics}
    return replace(host, files={**host.files, **files})


def test_a_teardown_leaves_a_key_that_somebody_changed_since() -> None:
    text = keyfile.with_values(HOST.files[ISCSID_CONF] or "", {"node.conn[0].timeo.login_timeout": "7"})
    host = replace(HOST, files={**HOST.files, ISCSID_CONF: text})
    (said,) = ending.left_alone(host)
    assert said.startswith("node.conn[0].timeo.login_timeout in /etc/iscsi/iscsid.conf is 7")
    after = keyfile.values(torn(host).files[ISCSID_CONF] or "")
    assert after["node.conn[0].timeo.login_timeout"] == "7"
    assert after["node.session.timeo.replacement_timeout"] == "120"


def test_a_teardown_spares_what_mpio_did_not_make() -> None:
    foreign = Pair("default", PORTAL_8, HOMER_1)
    node = replace(HOST.nodes[0], pair=foreign, path="/etc/iscsi/nodes/x")
    session = replace(HOST.sessions[0], sid=77, pair=foreign)
    host = replace(
        HOST,
        nodes=(*HOST.nodes, node),
        sessions=(*HOST.sessions, session),
        ifaces=(*HOST.ifaces, Iface("theirs", "eth1")),
    )
    after = torn(host)
    assert after.nodes == (node,)
    assert after.sessions == (session,)
    assert [i.name for i in after.ifaces] == ["theirs"]


def test_a_teardown_is_refused_whole_while_a_lun_is_in_use() -> None:
    host = replace(HOST, users=(User("dm-2", "mount", "/srv"),))
    share = ending.teardown(host)
    assert (share.steps, [(f.code, f.detail) for f in share.refused]) == ((), [("MP408", "mount /srv on dm-2")])


def test_a_teardown_is_refused_where_a_foreign_session_keeps_an_open_map() -> None:
    """Without our entry the map would lose its name under its user."""
    made = HOST.memory.made - {("record", str(NEAR))}
    host = opened(replace(HOST, memory=replace(HOST.memory, made=made)), "hydra_apps-a01")
    assert [f.code for f in ending.teardown(host).refused] == ["MP408"]


def test_nothing_made_is_nothing_to_tear_down() -> None:
    assert ending.teardown(replace(HOST, memory=Memory())).steps == ()
    kept = Memory(keys={f"{ISCSID_CONF} node.startup": Key("manual", "automatic")})
    assert ending.teardown(replace(HOST, memory=kept)).steps == ()


def test_a_site_of_nothing_but_ifaces_needs_no_maps() -> None:
    site = Site(SITE.ifaces, SITE.portals)
    host, made = fakes.settled(site, fakes.bare_host())
    assert made.steps == ()
    assert len(host.sessions) == 4
