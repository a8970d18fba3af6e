"""What every parser makes of what the programs of every release said, in every state that was recorded.

What is expected is said by the state, the guide's site and the lab's SAN, not by the recordings.
"""

from __future__ import annotations

from pathlib import Path as File

import in_force
import pytest
import recordings
import trees
from recordings import EACH, replay, tree

from mpio import topology
from mpio.host import Found, Host, Iface, Pair, Portal, Unit
from mpio.lab import questions, record, san, states
from mpio.machine import Machine
from mpio.observe import kernel
from mpio.observe import states as path_states
from mpio.plan import timeouts
from mpio.plan.shape import MULTIPATH_DROP_IN
from mpio.tools import (
    dd,
    dmsetup,
    ip,
    iscsiadm,
    iscsidb,
    iscsierr,
    iscsitext,
    keyfile,
    multipath,
    multipathconf,
    multipathd,
    ping,
    sysctl,
    sysfs,
    systemctl,
)
from mpio.topology import LunState

SITE = record.site()
ALIASES = sorted(str(lun.alias) for lun in SITE.luns)
V4, OTHER = SITE.portals
ONE, TWO = (Found(portal, 1, target) for portal, target in zip(SITE.portals, states.HOMER, strict=True))
MARGE = Found(states.V6, 1, states.MARGE)
PAIRS = states.pairs(SITE)
SET_UP = [state for state in recordings.STATES if state != "no-session"]
# what the states mean: paths of sixteen that the kernel does not use, sessions of four that are down, targets that tell
FAILED = {
    "sane": 0,
    "failed-path": 1,
    "failed-session": 8,
    "nic-down": 12,
    "no-daemon": 0,
    "lost-lun": 4,
    "all-down": 16,
}
DOWN = {"failed-session": [3, 4], "nic-down": [2, 3, 4], "all-down": [1, 2, 3, 4]}
TOLD = {"failed-session": {ONE, MARGE}, "all-down": {MARGE}}
BARE, EMPTY = ("none", "no-session"), ("none", "set-up", "no-session")
EACH_SET_UP = pytest.mark.parametrize("state", SET_UP)
EACH_DAEMON = pytest.mark.parametrize("state", [state for state in SET_UP if state != "no-daemon"])

Code = iscsierr.Code


# -- the kernel


@EACH
@EACH_SET_UP
def test_the_kernel_shows_the_sessions_of_the_mesh(release: str, state: str) -> None:
    found = sysfs.sessions(tree(release, state), {})
    assert [(s.sid, s.pair, s.nic) for s in found] == [
        (sid, pair, next(i.nic for i in SITE.ifaces if i.name == pair.iface)) for sid, pair in enumerate(PAIRS, 1)
    ]
    assert [s.sid for s in found if not s.logged_in] == DOWN.get(state, [])
    for session in found:
        assert (session.tpgt, session.noop_interval, session.noop_timeout) == (1, 5, 5)
        assert session.recovery_tmo == SITE.timeouts.replacement
        assert session.initiatorname.startswith("iqn.1993-08.org.debian:")
        # a session that is down has no socket: ENOTCONN
        ends = (session.pair.portal.address, 3260) if session.logged_in else ("", None)
        assert (session.address, session.port) == ends
        assert (session.local_port is not None) == session.logged_in


@EACH
@EACH_SET_UP
def test_the_kernel_shows_every_disk_in_its_map(release: str, state: str) -> None:
    read = tree(release, state)
    paths, maps = sysfs.paths(read), sysfs.maps(read)
    assert sorted(m.name for m in maps) == ALIASES
    assert sorted((p.sid, p.lun) for p in paths) == [
        (sid, lun.number) for sid in (1, 2, 3, 4) for lun in san.GUIDE.luns
    ]
    for number, lun in enumerate(san.GUIDE.luns):
        own = [p for p in paths if p.lun == lun.number]
        (mapped,) = {p.dm for p in own}
        view = next(m for m in maps if m.dm == mapped)
        assert view.name == SITE.luns[number].alias
        assert view.slaves == tuple(sorted(p.dev for p in own))
        assert view.wwid.endswith(lun.wwid[8:])  # 3, 6 and the company are LIO's own before kernel 5.11
        assert {p.size for p in own} == {view.size} == {lun.size}
        assert {(p.vendor, p.product) for p in own} == {("NEXENTA", "COMSTAR")}
        assert {p.wwid for p in own} <= {view.wwid, ""}  # "": it cannot be asked any more


@EACH
@EACH_SET_UP
def test_disks_of_sessions_that_are_down_do_not_run(release: str, state: str) -> None:
    stopped = {p.sid for p in sysfs.paths(tree(release, state)) if p.device_state != "running"}
    assert sorted(stopped) == DOWN.get(state, [])


@EACH
@pytest.mark.parametrize("state", BARE)
def test_without_sessions_the_kernel_shows_none(release: str, state: str) -> None:
    read = tree(release, state)
    assert (sysfs.sessions(read, {}), sysfs.paths(read), sysfs.maps(read)) == ((), (), ())
    assert {"eth1", "eth2"} <= set(sysfs.nic_names(read))


@EACH
@EACH_SET_UP
def test_the_nics(release: str, state: str) -> None:
    run = replay(release, state)
    one, two = sysfs.nics(tree(release, state), ip.addresses(run), ("eth1", "eth2", "eth9"))
    assert one.addresses == ("10.10.8.20/24", "fd00:8::20/64")
    assert two.addresses == ("10.10.9.20/24",)
    for nic in (one, two):
        assert (nic.mtu, nic.rp_filter_own, nic.rp_filter, nic.master) == (1500, 2, 2, "")
        assert (nic.arp_ignore, nic.arp_announce) == (0, 0)
    # of a NIC that is down the kernel tells no carrier: EINVAL
    assert (one.carrier, two.carrier) == (True, None if state == "nic-down" else True)


@EACH
def test_routes_and_packets(release: str) -> None:
    run = replay(release, "sane")
    for nic, own in (("eth1", "10.10.8.20"), ("eth2", "10.10.9.20")):
        for portal in SITE.portals:
            assert ip.route(run, portal.address, nic) == ip.Route(nic, own)
            assert ping.whole(run, nic, portal.address, 1500)
    assert ip.route(run, "203.0.113.9") is None
    assert not ping.whole(run, "eth1", "10.10.8.99", 1500)
    assert not ping.whole(run, "eth1", V4.address, 9000)


@EACH
def test_rules_and_routes_of_our_own(release: str) -> None:
    before, during = replay(release, "sane"), replay(release, "steps")
    # local, main, default: the kernel's own
    assert [(r.source, r.table, r.ours) for r in ip.rules(before, 4)] == [("all", t, False) for t in (255, 254, 253)]
    assert [(r.source, r.table, r.ours) for r in ip.rules(before, 6)] == [("all", t, False) for t in (255, 254)]
    assert (ip.own_routes(before, 4), ip.own_routes(before, 6)) == ((), ())
    assert set(ip.rules(during, 4)) - set(ip.rules(before, 4)) == {states.RULE}
    assert ip.own_routes(during, 4) == (states.ROUTE,)
    for name in ("route-set", "rule-add", "rule-delete", "route-delete", "neighbours-forget"):
        assert recordings.done(release, "steps", name).code == 0


@EACH
@pytest.mark.parametrize("state", recordings.STATES)
def test_a_disk_answers_a_read_while_its_session_lives(release: str, state: str) -> None:
    path = sysfs.path(tree(release, state), "sda")
    lost = state == "lost-lun" and path is not None and path.lun == san.GUIDE.luns[-1].number
    expected = path is not None and path.sid not in DOWN.get(state, []) and not lost
    assert dd.reads(replay(release, state), "sda") == expected


# -- the device mapper and multipathd


@EACH
@EACH_SET_UP
def test_the_device_mapper_knows_every_path(release: str, state: str) -> None:
    run, read = replay(release, state), tree(release, state)
    infos, status = dmsetup.info(run), dmsetup.path_status(run)
    assert {(i.dm, i.name, i.uuid) for i in infos} == {(m.dm, m.name, f"mpath-{m.wwid}") for m in sysfs.maps(read)}
    assert not any(i.suspended for i in infos)
    if state == "sane":  # in trouble udev may still hold one
        assert {i.open_count for i in infos} == {0}
    assert sorted(status) == ALIASES
    numbers = {sysfs.word(read, f"/sys/block/{p.dev}/dev"): p for p in sysfs.paths(read)}
    for name, paths in status.items():
        assert len(paths) == 4
        # group_by_node_name: a group for each target
        targets = {(p.group, (numbers[p.dev_t].sid - 1) // 2) for p in paths}
        assert len(targets) == len({group for group, _ in targets}) == 2, name
    assert sum(not p.active for paths in status.values() for p in paths) == FAILED[state]


@EACH
@EACH_DAEMON
def test_kernel_and_multipathd_agree_on_failed_paths(release: str, state: str) -> None:
    run = replay(release, state)
    by_kernel = {p.dev_t for paths in dmsetup.path_status(run).values() for p in paths if not p.active}
    views = multipathd.maps(run)
    assert {p.dev_t for view in views for p in view.paths if p.dm_st != "active"} == by_kernel
    assert len(by_kernel) == FAILED[state]
    assert [(v.name, v.wwid, v.dm) for v in sorted(views, key=lambda v: v.dm)] == [
        (m.name, m.wwid, m.dm) for m in sysfs.maps(tree(release, state))
    ]
    assert {(v.vendor, v.product, len(v.paths), len(v.groups), v.dm_st, v.failback) for v in views} == {
        ("NEXENTA", "COMSTAR", 4, 2, "active", "immediate")
    }


@EACH
@EACH_DAEMON
def test_multipathd_names_target_and_address_of_each_path(release: str, state: str) -> None:
    read = tree(release, state)
    sessions = {s.sid: s for s in sysfs.sessions(read, {})}
    own = {"eth1": "10.10.8.20", "eth2": "10.10.9.20"}
    for path in (p for view in multipathd.maps(replay(release, state)) for p in view.paths):
        shown = sysfs.path(read, path.dev)
        assert shown is not None
        session = sessions[shown.sid]
        assert path.target == session.pair.target
        assert path.initiator == (own[session.nic] if session.logged_in else "")
        assert path.checker == "tur"
        dead = not session.logged_in or (state == "lost-lun" and shown.lun == 13)
        failed = dead or (state == "failed-path" and path.dm_st == "failed")
        assert (path.chk_st == "ready") == (not failed)
        assert path.dev_st in ("running", "offline")


@EACH
@EACH_DAEMON
def test_of_the_path_groups_of_a_map_at_most_one_is_in_use(release: str, state: str) -> None:
    read = tree(release, state)
    daemon = Unit("multipathd.service", "loaded", "active", "enabled")
    seen = Host(maps=sysfs.maps(read), paths=sysfs.paths(read), units=(daemon,), root=False)
    host = path_states.look(Machine(replay(release, state), read), seen, [])  # type: ignore[arg-type]
    for one in host.maps:
        groups = {(p.group, p.group_state) for p in host.paths if p.dm == one.dm}
        assert len(groups) == 2
        assert {said for _, said in groups} <= {"active", "enabled"}
        assert [said for _, said in groups].count("active") <= 1


@EACH
def test_queueing_counts_down_only_where_every_path_is_lost(release: str) -> None:
    def seconds(state: str) -> dict[str, str | int | None]:
        views = multipathd.maps(replay(release, state))
        return {view.name: multipathd.queueing_seconds(view.queueing, 5) for view in views}

    assert set(seconds("sane").values()) == {12 * 5}
    lost = seconds("lost-lun")
    assert {name for name, left in lost.items() if left != 60} == {SITE.luns[-1].alias}
    assert all(left == "off" or (isinstance(left, int) and left < 60) for left in seconds("all-down").values())


@EACH
def test_one_map_is_what_it_is_among_all(release: str) -> None:
    run = replay(release, "sane")
    assert multipathd.map_named(run, "hydra_apps-a01") in multipathd.maps(run)
    for state in BARE:
        assert multipathd.maps(replay(release, state)) == ()
        assert multipathd.map_named(replay(release, state), "hydra_apps-a01") is None
        assert dmsetup.info(replay(release, state)) == ()
        assert dmsetup.path_status(replay(release, state)) == {}


@EACH
def test_without_its_daemon_multipath_is_not_running(release: str) -> None:
    run = replay(release, "no-daemon")
    with pytest.raises(multipathd.NotRunning):
        multipathd.maps(run)
    with pytest.raises(multipathd.NotRunning):
        multipathd.map_named(run, "hydra_apps-a01")
    assert multipathd.daemon(run) == multipathd.State(None, "")
    (unit,) = systemctl.units(run, (systemctl.MULTIPATHD,))
    assert (unit.active, unit.enabled) == ("inactive", "enabled")


@EACH
@pytest.mark.parametrize("state", [state for state in ("none", *recordings.STATES) if state != "no-daemon"])
def test_the_daemon_has_settled(release: str, state: str) -> None:
    daemon = multipathd.daemon(replay(release, state))
    assert daemon.settled
    assert daemon.pid
    (unit,) = systemctl.units(replay(release, state), (systemctl.MULTIPATHD,))
    assert unit == Unit(systemctl.MULTIPATHD, "loaded", "active", "enabled")


@EACH
def test_the_daemon_holds_what_multipath_reads(release: str) -> None:
    run = replay(release, "sane")
    read, held = multipath.installed(run), multipath.effective(multipathd.config(run))
    assert read.warnings == ()
    wwids = [m.wwid for m in sysfs.maps(tree(release, "sane"))]
    wanted = {
        "no_path_retry": "12",
        "path_grouping_policy": "group_by_node_name",
        "fast_io_fail_tmo": "10",
        "dev_loss_tmo": "infinity",
        "failback": "immediate",
        "find_multipaths": "strict",
    }
    for table in (read.table, held):
        assert sorted(str(in_force.value(table, w, ("NEXENTA", "COMSTAR"), "alias")) for w in wwids) == ALIASES
        for key, value in wanted.items():
            assert in_force.value(table, wwids[0], ("NEXENTA", "COMSTAR"), key) == value, key


@EACH
def test_the_files_of_multipath(release: str) -> None:
    files = tree(release, "sane", "files").files
    aliases = {m.wwid: m.name for m in sysfs.maps(tree(release, "sane"))}
    assert multipath.parse_wwids(files[multipath.WWIDS]) == aliases.keys()
    conf = multipathconf.parse(files[MULTIPATH_DROP_IN])
    assert conf.remarks == ()
    assert {wwid: said["alias"].value for wwid, said in multipathconf.multipaths(conf).items()} == aliases
    for n, lun in enumerate(record.named(SITE, tree(release, "set-up")).luns):
        assert recordings.done(release, "set-up", f"multipath-register-{n}").out == f"wwid '{lun.wwid}' added\n"


# -- open-iscsi


@EACH
@EACH_SET_UP
def test_sessions_stay_listed_whatever_befalls_them(release: str, state: str) -> None:
    listed = iscsiadm.sessions(replay(release, state))
    assert [(s.sid, s.portal, s.tpgt, s.target, s.transport) for s in listed] == [
        (sid, pair.portal, 1, pair.target, "tcp") for sid, pair in enumerate(PAIRS, 1)
    ]


@EACH
@EACH_SET_UP
def test_the_details_of_sessions_are_the_kernel_s(release: str, state: str) -> None:
    details = {s.sid: s for s in iscsiadm.session_details(replay(release, state))}
    disks = sysfs.paths(tree(release, state))
    for session in sysfs.sessions(tree(release, state), {}):
        told = details.pop(session.sid)
        assert Pair(told.iface, told.portal, told.target) == session.pair
        assert (told.nic, told.session) == (session.nic, session.state)
        assert (told.connection == "LOGGED IN") == session.logged_in
        assert dict(told.disks) == {p.dev: p.device_state for p in disks if p.sid == session.sid}
    assert not details


@EACH
@pytest.mark.parametrize("state", BARE)
def test_no_session_is_an_answer(release: str, state: str) -> None:
    run = replay(release, state)
    assert (iscsiadm.sessions(run), iscsiadm.session_details(run)) == ((), ())


@EACH
@pytest.mark.parametrize("state", [state for state in recordings.STATES if state != "nic-down"])
def test_a_target_that_is_off_is_not_discovered(release: str, state: str) -> None:
    through = tuple(iface.name for iface in SITE.ifaces)
    for portal in SITE.portals:
        asked = iscsiadm.discovery(replay(release, state), portal, through)
        assert (asked.code, asked.said, asked.portal) == (0, "", portal)
        assert set(asked.found) == TOLD.get(state, {ONE, TWO, MARGE})
        assert len(asked.found) == len(set(asked.found))  # asked through two ifaces, each is told once


@EACH
def test_ifaces(release: str) -> None:
    fresh = {i.name: i for i in iscsiadm.ifaces(replay(release, "none"))}
    assert fresh == {"default": Iface("default"), "iser": Iface("iser", transport="iser")}
    bound = {Iface(i.name, i.nic) for i in SITE.ifaces}
    for state in recordings.STATES:
        assert set(iscsiadm.ifaces(replay(release, state))) == bound | set(fresh.values())


@EACH
def test_the_database_as_files(release: str, tmp_path: File) -> None:
    read = trees.planted(tmp_path, tree(release, "sane", "files"))
    assert set(iscsidb.ifaces(read)) == {Iface(i.name, i.nic) for i in SITE.ifaces}
    nodes = iscsidb.nodes(read)
    assert sorted((n.pair, n.tpgt) for n in nodes) == sorted((pair, 1) for pair in PAIRS)
    for node in nodes:
        assert node.settings["node.startup"] == "automatic"
        assert node.settings["node.session.timeo.replacement_timeout"] == "10"
        assert node.settings["node.conn[0].address"] == node.pair.portal.address
        assert node.path.startswith(f"{iscsidb.root(read)}/nodes/")
    assert iscsidb.unread(read) == ()


@EACH
def test_the_database_with_ipv6_and_a_record_of_the_old_kind(release: str, tmp_path: File) -> None:
    read = trees.planted(tmp_path, tree(release, "steps", "files"))
    more = {(n.pair, n.tpgt) for n in iscsidb.nodes(read)} - {(pair, 1) for pair in PAIRS}
    name = SITE.ifaces[0].name
    assert more == {
        (Pair(name, states.V6, states.MARGE), 1),
        (Pair(name, V4, states.LEGACY), iscsidb.TPGT_UNKNOWN),
        (Pair(name, V4, states.BAD), 1),
        (Pair(name, Portal(V4.address, 3999), PAIRS[0].target), 1),
    }


@EACH
def test_a_fresh_database_is_nowhere(release: str, tmp_path: File) -> None:
    read = trees.planted(tmp_path, tree(release, "none", "files"))
    assert (iscsidb.ifaces(read), iscsidb.nodes(read), iscsidb.unread(read)) == ((), (), ())
    assert keyfile.values(read.text("/etc/iscsi/initiatorname.iscsi") or "")["InitiatorName"].startswith("iqn.1993-08.")


@EACH
def test_the_stock_iscsid_conf_has_every_key_that_a_site_sets(release: str) -> None:
    said = keyfile.values(tree(release, "none", "files").files["/etc/iscsi/iscsid.conf"])
    assert timeouts.settings_of_records(SITE).keys() <= said.keys()
    assert (said["node.startup"], said["node.session.timeo.replacement_timeout"]) == ("manual", "120")


@EACH
def test_records_as_iscsiadm_shows_them(release: str, tmp_path: File) -> None:
    run = replay(release, "steps")
    said = iscsiadm.record(run, PAIRS[0])
    node = next(
        n for n in iscsidb.nodes(trees.planted(tmp_path, tree(release, "steps", "files"))) if n.pair == PAIRS[0]
    )
    assert {key: said[key] for key in node.settings} == dict(node.settings)
    found = iscsiadm.discovery_record(run, SITE.portals[0])
    assert found["discovery.sendtargets.timeo.login_timeout"] == "5"
    assert found["discovery.sendtargets.reopen_max"] == "1"


ENDED = {
    "iface-new-in-use": Code.SESS_EXISTS,
    "iface-bind-unknown": Code.INVAL,
    "iface-new-spare": Code.SUCCESS,
    "iface-delete": Code.SUCCESS,
    "iface-delete-again": Code.INVAL,
    "discoverydb-discover": Code.SUCCESS,
    "discoverydb-delete": Code.SUCCESS,
    "discoverydb-delete-again": Code.IDBM,
    "record-update-unknown-key": Code.INVAL,
    "record-update-unknown": Code.NO_OBJS_FOUND,
    "record-new-v6": Code.SUCCESS,
    "record-new-again": Code.SUCCESS,
    "record-new-legacy": Code.SUCCESS,
    "record-delete-in-use": Code.SESS_EXISTS,
    "record-delete": Code.SUCCESS,
    "record-delete-again": Code.NO_OBJS_FOUND,
    "session-login-again": Code.SESS_EXISTS,
    "session-login-auth": Code.LOGIN_AUTH_FAILED,
    "session-login-v6": Code.SUCCESS,
    "session-login-no-iscsid": Code.ISCSID_NOTCONN,
    "session-rescan": Code.SUCCESS,
    "session-logout": Code.SUCCESS,
    "session-logout-again": Code.NO_OBJS_FOUND,
    "discovery-closed": Code.PDU_TIMEOUT,
    "discovery-auth": Code.LOGIN_AUTH_FAILED,
}


@EACH
@pytest.mark.parametrize(("name", "code"), ENDED.items())
def test_how_iscsiadm_ends(release: str, name: str, code: Code) -> None:
    assert recordings.done(release, "steps", name).code == code


@EACH
def test_what_is_there_already_or_gone_already_is_no_error(release: str) -> None:
    def code(name: str) -> int:
        return recordings.done(release, "steps", name).code

    pair, why = PAIRS[0], "it is not so"
    assert code("session-login-again") in iscsiadm.login(pair, why=why).ok
    assert code("session-logout-again") in iscsiadm.logout(pair, why=why).ok
    assert code("session-logout-no-iscsid") in iscsiadm.logout(pair, why=why).ok  # wrong: only sysfs tells
    assert code("record-delete-again") in iscsiadm.record_delete(pair, why=why).ok
    assert code("record-delete-in-use") not in iscsiadm.record_delete(pair, why=why).ok


@EACH
def test_why_a_login_failed(release: str) -> None:
    def error(name: str) -> int | None:
        return iscsitext.parse_login_error(recordings.done(release, "steps", name).err)

    assert error("session-login-auth") == Code.LOGIN_AUTH_FAILED
    assert error("session-login-no-iscsid") == Code.ISCSID_NOTCONN
    assert error("session-login-again") is None
    assert error("session-login-absent") in (Code.FATAL_LOGIN, Code.TRANS_TIMEOUT)
    assert error("session-login-closed") in (Code.TRANS, Code.TRANS_TIMEOUT)


@EACH
def test_every_step_of_setting_up_ended_well(release: str) -> None:
    for path in (recordings.TOP / release / "set-up").iterdir():
        assert recordings.done(release, "set-up", path.name).code == 0, path.name


@EACH
def test_sessions_over_ipv6(release: str) -> None:
    run = recordings.replay(release, "steps")
    v6 = Pair(SITE.ifaces[0].name, states.V6, states.MARGE)
    (listed,) = (s for s in iscsiadm.sessions(run) if s.target == states.MARGE)
    (details,) = (s for s in iscsiadm.session_details(run) if s.target == states.MARGE)
    assert (listed.portal, listed.tpgt, listed.sid) == (v6.portal, 1, details.sid)
    assert (details.iface, details.portal, details.session, details.disks) == (v6.iface, v6.portal, "LOGGED_IN", ())


@EACH
def test_without_iscsid_nobody_says_how_a_connection_is(release: str) -> None:
    found = iscsitext.parse_session_details(recordings.done(release, "steps", "session-P3-no-iscsid").out)
    assert {(s.connection, s.session) for s in found} == {("Unknown", "LOGGED_IN")}
    assert [s.sid for s in found] == [2, 3, 4]  # those that are left: iscsid was not needed to know them


@EACH
def test_a_portal_that_tells_nothing_is_an_answer(release: str) -> None:
    run = replay(release, "steps")
    for portal, code in ((V4, 24), (Portal(V4.address, 3999), 11)):
        asked = iscsiadm.discovery(run, portal, [SITE.ifaces[0].name])
        assert (asked.code, asked.found) == (code, ())
        assert asked.said.startswith("Could not perform SendTargets discovery: ")


# -- systemd, sysctl.d


@EACH
def test_units_and_their_other_names(release: str) -> None:
    asked = (*questions.UNITS, "multipath-tools.service", "nosuch.service")
    names = systemctl.aliases(replay(release, "sane"), asked)
    said = recordings.done(release, "sane", "systemctl-aliases").out
    assert names["open-iscsi.service"] == names["iscsi.service"] == "open-iscsi.service"
    assert names["nosuch.service"] == "nosuch.service"
    old = next(u for u in systemctl.parse_units(said, asked) if u.name == "multipath-tools.service")
    # Debian 13 has the old name no more
    assert names[old.name] == (systemctl.MULTIPATHD if old.load == "loaded" else old.name)
    for state in recordings.STATES:
        units = {u.name: u for u in systemctl.units(replay(release, state), questions.UNITS)}
        assert {u.load for u in units.values()} == {"loaded"}
        assert units["open-iscsi.service"].enabled == units["iscsi.service"].enabled == "enabled"
        assert units[systemctl.MULTIPATHD].active == ("inactive" if state == "no-daemon" else "active")
        assert units[systemctl.ISCSID].active == "active"  # there were sessions
        (routes,) = systemctl.units(replay(release, state), (systemctl.ROUTES,))
        assert routes == Unit(systemctl.ROUTES, "not-found", "inactive", "")


@EACH
def test_what_sysctl_d_decides_on_a_fresh_host(release: str, tmp_path: File) -> None:
    read, live = trees.planted(tmp_path, tree(release, "none", "files")), tree(release, "none")
    there = [f"{d}/{n}" for d in sysctl.DIRECTORIES for n in read.names(d)]
    files = [(path, read.text(path) or "") for path in sysctl.in_force(there)]
    process_ids = sysctl.winner(files, "kernel/pid_max")
    assert process_ids is not None
    assert process_ids.value == str(1 << 22)  # systemd's own, on 64 bits
    assert all(sysctl.winner(files, sysctl.key_of(nic.nic, "rp_filter")) is None for nic in SITE.ifaces)
    # what a file says of the keys that were recorded, the kernel has
    for path, text in live.files.items():
        line = sysctl.winner(files, path.removeprefix("/proc/sys/"))
        assert line is None or line.value == text.strip()


# -- a whole look


def host(release: str, state: str, root: File) -> Host:
    """What `status` sees, as root."""
    files = trees.planted(root, tree(release, "none" if state == "none" else "sane", "files"), tree(release, state))
    machine = Machine(replay(release, state), files)
    blind: list[str] = []
    seen = path_states.look(machine, kernel.look(machine, SITE, blind), blind)
    assert blind == []
    return seen


STANDING = {
    "sane": [LunState.HEALTHY] * 4,
    "failed-path": [LunState.DEGRADED] + [LunState.HEALTHY] * 3,
    "failed-session": [LunState.DEGRADED] * 4,
    "nic-down": [LunState.DEGRADED] * 4,
    "no-daemon": [LunState.HEALTHY] * 4,
    "lost-lun": [LunState.FAILED] + [LunState.HEALTHY] * 3,
    "all-down": [LunState.FAILED] * 4,
}


@EACH
@EACH_SET_UP
def test_how_the_luns_stand(release: str, state: str, tmp_path: File) -> None:
    seen = host(release, state, tmp_path)
    site = record.named(SITE, tree(release, "set-up"))
    luns = topology.luns(site, seen, topology.pairs(site, seen))
    assert sorted(str(lun.alias) for lun in luns) == ALIASES
    assert {lun.expected for lun in luns} == {4}
    assert sorted(lun.state for lun in luns) == sorted(STANDING[state])
    if state == "lost-lun":
        assert [lun.alias for lun in luns if lun.state is LunState.FAILED] == [SITE.luns[-1].alias]
