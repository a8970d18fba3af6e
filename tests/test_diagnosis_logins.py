"""Sessions, records and logins: each fault by itself is said with its code, and the guide's host is silent."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from fakes import APPS_A01, HOMER_1, HOMER_2, PORTAL_8, PORTAL_9
from hypothesis import given
from hypothesis import strategies as st
from trees import Tree

from mpio import plan
from mpio.diagnosis import logins, logins_records
from mpio.diagnosis.logins_seen import Logins, ago
from mpio.files import Files
from mpio.findings import Finding
from mpio.host import Answer, Asked, Effective, Found, Host, Node, Pair
from mpio.machine import Machine
from mpio.memory import Offline
from mpio.observe import logins as edge
from mpio.plan.shape import ISCSID_CONF
from mpio.program import Done
from mpio.replay import Replay
from mpio.site import Site
from mpio.step import Write
from mpio.tools import iscsidlog, kmsg, tcpinfo
from mpio.tools.iscsidlog import Word
from mpio.tools.tcpinfo import Segments

SITE = fakes.guide_site()
REPLACEMENT = "node.session.timeo.replacement_timeout"
INTERVAL = "node.conn[0].timeo.noop_out_interval"
NEAR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)
FAR = Pair("sw-iscsi-1", PORTAL_8, HOMER_1)
FIRST = f"session 1 {NEAR}"


def guide() -> Host:
    """The guide's host, with a multipath that was asked, and the group tags that its array has."""
    host = fakes.guide_host()
    said = {lun: {"fast_io_fail_tmo": str(SITE.timeouts.replacement)} for lun in fakes.ALIASES}
    return replace(host, effective=Effective(installed=said, loaded=said))


HOST = guide()
SID = {s.pair: s.sid for s in HOST.sessions}


def found(host: Host = HOST, seen: Logins | None = None, site: Site | None = SITE) -> list[Finding]:
    made = None if site is None else plan.steps(site, host)
    return list(logins.findings(site, host, made, seen or Logins()))


def codes(host: Host = HOST, seen: Logins | None = None, site: Site | None = SITE) -> list[tuple[str, str]]:
    return [(f.code, f.subject) for f in found(host, seen, site)]


def called(pair: Pair) -> str:
    return f"session {SID[pair]} {pair}"


def session(pair: Pair, **changes: object) -> Host:
    """The guide's host with this session changed."""
    changed = (replace(s, **changes) if s.pair == pair else s for s in HOST.sessions)  # type: ignore[arg-type]
    return replace(HOST, sessions=tuple(changed))


def keyed(host: Host, pair: Pair, settings: dict[str, str]) -> Host:
    def of(node: Node) -> Node:
        merged = {key: value for key, value in {**node.settings, **settings}.items() if value}
        return replace(node, settings=merged) if node.pair == pair else node

    return replace(host, nodes=tuple(of(n) for n in host.nodes))


def without(pair: Pair, host: Host = HOST) -> Host:
    """No session of this pair, and nothing of it."""
    gone = {s.sid for s in host.sessions if s.pair == pair}
    paths = tuple(p for p in host.paths if p.sid not in gone)
    return replace(host, sessions=tuple(s for s in host.sessions if s.sid not in gone), paths=paths)


def multipath_says(value: str) -> Host:
    said = {lun: {"fast_io_fail_tmo": value} for lun in fakes.ALIASES}
    return replace(HOST, effective=Effective(installed=said, loaded=said))


# -- healthy


@pytest.mark.parametrize("site", [SITE, None])
def test_the_guides_host_is_silent(site: Site | None) -> None:
    assert found(site=site) == []


def test_no_evidence_is_no_finding() -> None:
    assert list(logins.findings(None, Host(), None, Logins())) == []
    assert found(fakes.bare_host()) == []


def test_a_stock_host_is_silent_though_its_records_say_120() -> None:
    host = replace(HOST, sessions=tuple(replace(s, recovery_tmo=5) for s in HOST.sessions), effective=None)
    for node in HOST.nodes:
        host = keyed(host, node.pair, {REPLACEMENT: "120"})
    host = replace(host, files={**host.files, ISCSID_CONF: fakes.STOCK_ISCSID_CONF})
    seen = Logins(fast_io_fail=dict.fromkeys(fakes.ALIASES, "5"))
    assert found(host, seen, None) == []


# -- time-outs


def test_multipath_beats_the_site_and_is_named() -> None:
    host = multipath_says("7")
    host = replace(host, sessions=tuple(replace(s, recovery_tmo=7) for s in HOST.sessions))
    said = found(host)
    assert {f.code for f in said} == {"MP323"}
    assert len(said) == len(HOST.sessions)
    assert "recovery 7 s is in force: fast_io_fail_tmo of multipath 7, its record 10" in said[0].detail
    assert "multipathd writes its own over every other" in said[0].detail
    assert said[0].detail.endswith("worst stall 17 s (at most 20.2 s)")


def test_one_session_that_drifted() -> None:
    assert codes(session(NEAR, recovery_tmo=3)) == [("MP323", called(NEAR))]
    assert "somebody wrote into /sys" in found(session(NEAR, recovery_tmo=3))[0].detail


def test_a_record_alone_and_iscsid_conf_alone() -> None:
    assert codes(keyed(HOST, NEAR, {REPLACEMENT: "30"})) == [("MP323", called(NEAR))]
    conf = (HOST.files[ISCSID_CONF] or "").replace("replacement_timeout = 10", "replacement_timeout = 60")
    host = replace(HOST, files={**HOST.files, ISCSID_CONF: conf})
    assert codes(host) == [("MP323", ISCSID_CONF)]


def test_without_a_site_a_value_that_somebody_set_and_that_has_no_say() -> None:
    host = replace(HOST, sessions=tuple(replace(s, recovery_tmo=5) for s in HOST.sessions), effective=None)
    seen = Logins(fast_io_fail=dict.fromkeys(fakes.ALIASES, "5"))
    assert {c for c, _ in codes(host, seen, None)} == {"MP323"}
    bare = replace(host, paths=tuple(replace(p, dm="") for p in host.paths))
    assert {c for c, _ in codes(bare, None, None)} == {"MP323"}  # changed since the login, and no multipath did it


def test_no_op_timers_of_the_record_come_with_the_next_login() -> None:
    host = keyed(HOST, NEAR, {INTERVAL: "20"})
    assert codes(host) == [("MP323", called(NEAR))]
    assert "no-op interval 5 s is in force, its record says 20 from the next login on" in found(host)[0].detail
    assert codes(host, site=None) == [("MP323", called(NEAR))]
    # A session that has not the site's is MP306; one zero alone is taken for the stock five.
    assert codes(session(NEAR, noop_interval=7)) == []
    assert codes(keyed(HOST, NEAR, {INTERVAL: "0"}), site=None) == []


def test_what_has_no_bound() -> None:
    assert codes(session(NEAR, noop_interval=0, noop_timeout=0)) == [("MP324", called(NEAR))]
    assert codes(session(NEAR, recovery_tmo=None), Logins(endless=frozenset({SID[NEAR]}))) == [
        ("MP324", called(NEAR)),
    ]
    assert codes(session(NEAR, recovery_tmo=None)) == []  # it could not be read
    long = replace(keyed(multipath_says("off"), NEAR, {REPLACEMENT: "120"}), effective=None)
    long = replace(long, sessions=tuple(replace(s, recovery_tmo=120) if s.pair == NEAR else s for s in long.sessions))
    assert ("MP324", called(NEAR)) in codes(long, site=None)
    assert ("MP324", called(NEAR)) in codes(long)


def test_a_site_that_wants_it_so_is_not_argued_with() -> None:
    patient = replace(SITE, timeouts=replace(SITE.timeouts, replacement=120))
    host = fakes.guide_host(patient)
    assert found(host, site=patient) == []


def noop_lost(sid: int, times: int, attempts: int = 1) -> str:
    lost = (
        f"Kernel reported iSCSI connection {sid}:0 error (1022 - ISCSI_ERR_NOP_TIMEDOUT: A NOP has timed out) state (3)"
    )
    back = f"connection{sid}:0 is operational after recovery ({attempts} attempts)"
    return "".join(f"{100 + n}.5 prague iscsid[287]: {line}\n" for n in range(times) for line in (lost, back))


def test_no_ops_that_end_connections_again_and_again() -> None:
    log = iscsidlog.parse_log(noop_lost(SID[NEAR], 3) + noop_lost(SID[FAR], 2))
    assert codes(seen=Logins(log=log)) == [("MP326", called(NEAR))]
    # What needed more than one login was gone for longer.
    assert codes(seen=Logins(log=iscsidlog.parse_log(noop_lost(SID[NEAR], 9, attempts=3)))) == []


@pytest.mark.parametrize(
    ("segments", "lossy"),
    [
        (Segments(10_000, 199, 10_000, 199), False),
        (Segments(10_000, 200, 0, 0), True),
        (Segments(0, 0, 10_000, 200), True),
        (Segments(100, 40, 0, 0), False),
    ],
)
def test_segments_that_were_sent_again(segments: Segments, lossy: bool) -> None:
    expected = [("MP327", called(NEAR))] if lossy else []
    assert codes(seen=Logins(segments={SID[NEAR]: segments})) == expected


# -- refused logins, as iscsid 2.1.8 wrote them in a guest


def login(sid: int, pair: Pair, *lines: str) -> str:
    end = (
        f"Connection{sid}:0 to [target: {pair.target}, portal: {pair.portal.address},{pair.portal.port}] "
        f"through [iface: {pair.iface}] is shutdown."
    )
    return "".join(f"1795323617.{n} prague iscsid[287]: {line}\n" for n, line in enumerate((*lines, end)))


CHAP = (
    f"Login failed to authenticate with target {HOMER_1}",
    "session {sid} login rejected: Initiator failed authentication with target",
)
ACL = ("connection{sid}:0 login rejected: initiator failed authorization with target",)
ACL_OLD = ("conn 0 login rejected: initiator failed authorization with target",)
UNPROVEN = (
    f"failing authentication, received incorrect CHAP response from target {HOMER_1}",
    f"Login authentication failed with target {HOMER_1}, Authentication request failed",
    "connection{sid}:0 Login error (Login status 5)",
)
ONE_SIDED = (
    f"Login authentication failed with target {HOMER_1}, CHAP response expected",
    "connection{sid}:0 Login error (Login status 5)",
)
NO_CHAP_THERE = (
    f"Login authentication failed with target {HOMER_1}, T bit set on response",
    "connection{sid}:0 Login error (Login status 5)",
)
NOT_THERE = ("connection{sid}:0 login rejected: initiator error - target not found (02/03)",)
NOT_SERVED = ("connection{sid}:0 login rejected: target error (03/01)",)
SECRET = {"node.session.auth.username": "prague", "node.session.auth.password": "********"}


def refused(lines: Iterable[str], pair: Pair = NEAR, sid: int = 9) -> Logins:
    log = iscsidlog.parse_log(login(sid, pair, *(line.format(sid=sid) for line in lines)))
    return Logins(now=1795323700.0, log=log)


@pytest.mark.parametrize("site", [SITE, None])
@pytest.mark.parametrize(
    ("lines", "settings", "code"),
    [
        (CHAP, {}, "MP329"),
        (CHAP, SECRET, "MP328"),
        (UNPROVEN, SECRET, "MP330"),
        (ONE_SIDED, SECRET, "MP330"),
        (NO_CHAP_THERE, SECRET, "MP330"),
        (ACL, SECRET, "MP331"),
        (ACL_OLD, {}, "MP331"),
        (NOT_THERE, {}, "MP325"),
        (NOT_SERVED, {}, "MP325"),
    ],
)
def test_each_refusal_by_what_iscsid_wrote(
    lines: tuple[str, ...], settings: dict[str, str], code: str, site: Site | None
) -> None:
    host = keyed(without(NEAR), NEAR, settings)
    (one,) = found(host, refused(lines), site)
    assert (one.code, one.subject) == (code, str(NEAR))
    assert "83 s ago, iscsid: " in one.detail or "1 min ago, iscsid: " in one.detail
    assert "****" not in one.detail


def test_a_refusal_that_is_mended_or_over_is_none() -> None:
    host = without(NEAR)
    assert found(host, replace(refused(CHAP), changed={NEAR: 1795323690.0})) == []
    assert found(host, replace(refused(CHAP), changed={NEAR: 1795323600.0}))[0].code == "MP329"
    assert found(HOST, refused(CHAP)) == []  # it is logged in
    up = login(10, NEAR).replace("is shutdown.", "is operational now")
    again = Logins(log=(*refused(CHAP).log, *iscsidlog.parse_log(up)))
    assert found(host, again) == []
    off = Offline("sw-iscsi-0", frozenset({str(NEAR)}), "root", "2026-11-22T04:00:00+00:00")
    assert found(replace(host, offline=(off,)), refused(CHAP)) == []
    other = replace(host, nodes=tuple(n for n in host.nodes if n.pair != NEAR))
    assert found(other, refused(CHAP)) == []  # nobody wants it any more


def test_a_session_that_is_there_and_refused_when_it_comes_back() -> None:
    text = f"1795323617.1 prague iscsid[287]: connection{SID[NEAR]}:0 login rejected: target error (03/01)\n"
    seen = Logins(log=iscsidlog.parse_log(text), answers={(NEAR.iface, NEAR.portal): Answer.ANSWERED})
    assert codes(session(NEAR, state="FAILED"), seen) == [("MP325", str(NEAR))]


def test_a_target_that_its_portal_names_no_more() -> None:
    asked = Asked(PORTAL_8, (NEAR.iface, FAR.iface), 0, "", (Found(PORTAL_9, 2, HOMER_1), Found(PORTAL_9, 3, HOMER_2)))
    (one,) = found(replace(without(NEAR), asked=(asked,)))
    assert (one.code, one.subject) == ("MP325", str(NEAR))
    assert f"names it at {PORTAL_9} only" in one.detail
    moved = replace(asked, found=(Found(PORTAL_8, 7, HOMER_1),))
    (one,) = found(replace(without(NEAR), asked=(moved,)))
    assert "its group tag is 7 there, the record says 2" in one.detail
    assert found(replace(without(NEAR), asked=(replace(asked, found=(Found(PORTAL_8, 2, HOMER_1),)),))) == []
    assert found(replace(without(NEAR), asked=(replace(asked, code=8, found=()),))) == []


# -- records


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ({"authmethod": "CHAP"}, "no password"),
        ({"username": "prague"}, "without its password"),
        ({"password": "********"}, "without its username"),
        ({"username_in": "homer", "password_in": "********"}, "no secret of its own"),
        ({"username": "prague", "password": "********", "username_in": "homer"}, "without password_in"),
        ({"username": "prague", "password": "********", "password_in": "********"}, "without username_in"),
    ],
)
def test_half_a_login(auth: dict[str, str], said: str) -> None:
    host = keyed(HOST, NEAR, {f"node.session.auth.{key}": value for key, value in auth.items()})
    (one,) = found(host)
    assert (one.code, one.subject) == ("MP334", str(NEAR))
    assert said in one.detail


def test_a_whole_login_is_none_whatever_authmethod_says() -> None:
    assert found(keyed(HOST, NEAR, {**SECRET, "node.session.auth.authmethod": "None"})) == []
    whole = {**SECRET, "node.session.auth.username_in": "homer", "node.session.auth.password_in": "********"}
    assert found(keyed(HOST, NEAR, {**whole, "node.session.auth.authmethod": "CHAP"})) == []


def test_scan_manual() -> None:
    host = keyed(HOST, NEAR, {"node.session.scan": "manual"})
    assert codes(host) == [("MP332", str(NEAR))]
    assert codes(host, site=None) == []  # whoever has it so scans by himself: there are disks
    bare = replace(host, paths=tuple(p for p in host.paths if p.sid != SID[NEAR]))
    assert codes(bare, site=None) == [("MP332", str(NEAR))]
    asked = replace(SITE, session_keys={"node.session.scan": "manual"})
    assert codes(host, site=asked) == []


def test_more_patience_than_anybody_has() -> None:
    host = keyed(HOST, NEAR, {"node.session.initial_login_retry_max": "60"})
    assert codes(host) == [("MP332", str(NEAR))]
    stock = {"node.conn[0].timeo.login_timeout": "15", "node.session.initial_login_retry_max": "8"}
    assert codes(keyed(HOST, NEAR, stock), site=None) == []


def test_digests_on_some_paths_only() -> None:
    none = {s.sid: (False, False) for s in HOST.sessions}
    assert codes(seen=Logins(digests=none)) == []
    (one,) = found(seen=Logins(digests={**none, SID[NEAR]: (True, False)}))
    assert (one.code, one.subject) == ("MP332", "hydra_apps-a01")
    assert f"header: session {SID[NEAR]}" in one.detail


def test_an_iface_under_another_name() -> None:
    named = tuple(replace(i, initiatorname="iqn.x:other") if i.name == NEAR.iface else i for i in HOST.ifaces)
    assert codes(replace(HOST, ifaces=named)) == [("MP332", NEAR.iface)]
    assert ("MP332", NEAR.iface) in codes(replace(HOST, ifaces=named), site=None)
    every = tuple(replace(i, initiatorname="iqn.x:other") for i in HOST.ifaces)
    sessions = tuple(replace(s, initiatorname="iqn.x:other") for s in HOST.sessions)
    assert codes(replace(HOST, ifaces=every, sessions=sessions), site=None) == []


def test_a_secret_that_others_may_read() -> None:
    path = HOST.nodes[0].path
    host = replace(HOST, loose_records=frozenset({path}))
    assert codes(host) == [("MP333", path)]
    (step,) = logins_records.closed(host)
    assert isinstance(step, Write)
    assert (step.path, step.text, step.mode, step.secret) == (path, HOST.files[path], 0o600, True)


def test_two_records_of_one_pair() -> None:
    node = HOST.node_of(NEAR)
    assert node is not None
    twice = replace(HOST, nodes=(*HOST.nodes, replace(node, tpgt=5, path=node.path.replace(",2/", ",5/"))))
    (one,) = found(twice)
    assert (one.code, one.subject) == ("MP335", str(NEAR))
    assert ",5/" in one.detail


def test_two_sessions_of_one_pair() -> None:
    again = replace(next(s for s in HOST.sessions if s.pair == NEAR), sid=77)
    host = replace(HOST, sessions=(*HOST.sessions, again))
    assert codes(host) == [("MP335", str(NEAR))]
    meant = keyed(host, NEAR, {"node.session.nr_sessions": "2"})
    assert codes(meant) == [("MP335", str(NEAR))]
    assert codes(meant, site=None) == []
    assert codes(meant, site=replace(SITE, session_keys={"node.session.nr_sessions": "2"})) == []


def test_one_portal_under_two_group_tags() -> None:
    asked = Asked(PORTAL_8, (NEAR.iface,), 0, "", (Found(PORTAL_8, 2, HOMER_1), Found(PORTAL_8, 4, HOMER_1)))
    (one,) = [f for f in found(replace(HOST, asked=(asked,))) if f.code == "MP335"]
    assert (one.subject, one.detail) == (f"{PORTAL_8} {HOMER_1}", "the portal names it under the group tags 2, 4")


def test_records_that_a_discovery_has_set_back() -> None:
    host = keyed(HOST, NEAR, {"node.startup": "manual", "node.discovery_address": "10.10.8.90"})
    node = host.node_of(NEAR)
    assert node is not None
    seen = Logins(rediscovered=frozenset({node.path}))
    assert codes(host) == []  # somebody set it so by hand
    (one,) = found(host, seen)
    assert (one.code, one.subject) == ("MP336", str(NEAR))
    assert "discovered through 10.10.8.90" in one.detail
    assert codes(host, seen, None) == [("MP336", str(NEAR))]
    assert codes(HOST, seen) == []


def test_pairs_that_cannot_meet() -> None:
    far = next(s.pair for s in HOST.sessions if s.pair.iface == "sw-iscsi-1" and s.pair.portal == PORTAL_8)
    host = without(far)
    seen = Logins(answers={(far.iface, far.portal): Answer.SILENT})
    (one,) = found(host, seen, None)
    assert (one.code, one.subject) == ("MP337", str(far))
    assert "through sw-iscsi-0 it does" in one.detail
    assert codes(replace(host, probes={(far.iface, far.portal): Answer.NO_ROUTE}), None, None) == [("MP337", str(far))]
    assert codes(host, Logins(), None) == []
    # A portal in the NIC's own subnet is no matter of discovery; nor is one that is silent for all.
    assert codes(without(NEAR), Logins(answers={(NEAR.iface, NEAR.portal): Answer.SILENT}), None) == []
    alone = without(NEAR, host)
    both = {(p.iface, p.portal): Answer.SILENT for p in (NEAR, far)}
    assert codes(alone, Logins(answers=both), None) == []


def test_sessions_without_record_or_iface() -> None:
    bare = replace(HOST, nodes=tuple(n for n in HOST.nodes if n.pair != NEAR))
    assert codes(bare) == [("MP338", called(NEAR))]
    ifaces = tuple(i for i in HOST.ifaces if i.name != NEAR.iface)
    said = found(replace(HOST, ifaces=ifaces), site=None)
    assert {(f.code, f.detail) for f in said} == {("MP338", "its iface sw-iscsi-0 has no record any more")}
    unbound = Pair("default", PORTAL_8, HOMER_1)
    one = tuple(replace(s, pair=unbound) for s in HOST.sessions if s.pair == NEAR)
    nodes = tuple(replace(n, pair=unbound) for n in HOST.nodes if n.pair == NEAR)
    assert found(replace(HOST, sessions=one, nodes=nodes, ifaces=()), site=None) == []


def test_what_a_session_that_no_site_plans_was_made_with() -> None:
    assert codes(seen=Logins(otherwise=frozenset({SID[NEAR]})), site=None) == [("MP306", called(NEAR))]
    assert codes(seen=Logins(otherwise=frozenset({SID[NEAR]}))) == []


# -- what does not come back


def test_a_session_that_stays_away_though_its_portal_answers() -> None:
    host = session(NEAR, state="FAILED")
    answers = {(NEAR.iface, NEAR.portal): Answer.ANSWERED}
    seen = Logins(answers=answers, down={SID[NEAR]: 300.0}, hung="iscsid is stopped by a signal")
    (one,) = found(host, seen)
    assert (one.code, one.subject) == ("MP339", called(NEAR))
    assert one.detail == (
        "at the session: it is FAILED, its connection broke 5 min ago, the portal answers, iscsid is stopped by a "
        "signal"
    )
    assert codes(host, replace(seen, answers={(NEAR.iface, NEAR.portal): Answer.SILENT})) == []
    assert codes(host) == []


def test_a_disk_that_is_blocked_though_its_session_is_logged_in() -> None:
    dev = next(p.dev for p in HOST.paths if p.sid == SID[NEAR] and p.wwid == APPS_A01)
    assert codes(seen=Logins(stopped={dev: "blocked"})) == [("MP339", f"{dev} of hydra_apps-a01")]


@given(st.floats(0, 1e9))
def test_ago_is_short(seconds: float) -> None:
    assert ago(seconds).endswith(" ago")
    assert len(ago(seconds)) < 20


# -- the readers


def test_the_kernels_log() -> None:
    text = (
        "6,1,0,-;Linux version 6.1\n"
        "3,1228,203202553,-; connection24:0: ping timeout of 5 secs expired, recv timeout 5, last rx 1, last ping 2\n"
        " SUBSYSTEM=scsi\n DEVICE=+scsi:1:0:0:10\n"
        "6,1238,213444828,-; session24: session recovery timed out after 10 secs\n"
    )
    ping, over = kmsg.parse_kmsg(text)
    assert (ping.at, ping.sid, ping.text.startswith(kmsg.PING)) == (203.202553, 24, True)
    assert over == kmsg.Line(213.444828, 24, "session recovery timed out after 10 secs")


@given(st.text(), st.lists(st.sampled_from([*noop_lost(3, 2).splitlines(), *login(4, NEAR, *UNPROVEN).splitlines()])))
def test_a_log_of_anything_is_read(noise: str, lines: list[str]) -> None:
    log = iscsidlog.parse_log("\n".join([noise, *lines]))
    assert len(log) <= len(lines) + noise.count("\n") + 1
    assert set(iscsidlog.refusals(log, {3: NEAR, 4: NEAR})) <= {NEAR}
    assert set(iscsidlog.passing(log)) <= {3}
    assert {line.word for line in log} <= set(Word)


@given(st.binary(max_size=300))
def test_tcp_info_of_any_length(info: bytes) -> None:
    said = tcpinfo.parse_segments(info)
    assert (said is None) == (len(info) < 228)


def test_tcp_info_of_a_kernel() -> None:
    info = bytearray(232)
    for place, value in ((100, 3), (152, 20), (156, 10), (224, 4)):
        struct.pack_into("=I", info, place, value)
    assert tcpinfo.parse_segments(bytes(info)) == Segments(sent=10, again=3, received=20, early=4)


# -- the edge


class Silent:
    """A `Run` that must not be needed."""

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        raise AssertionError(f"asked {argv}")


def looked(root: Path, host: Host, run: Replay | Silent | None = None, site: Site | None = SITE) -> Logins:
    return edge.look(Machine(run or Silent(), Files(str(root))), site, replace(host, root=True))


def test_a_healthy_host_is_asked_no_program(tmp_path: Path) -> None:
    seen = looked(tmp_path, HOST)
    assert (seen.log, seen.answers, seen.hung, seen.rediscovered) == ((), {}, "", frozenset())
    assert found(seen=seen) == []


def test_three_lost_no_ops_ask_for_the_journal(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    line = "3,{},{},-; connection1:0: ping timeout of 5 secs expired, recv timeout 5, last rx 1, last ping 2, now 3\n"
    tree.file("/dev/kmsg", "".join(line.format(n, n * 9) for n in range(3)))
    argv = ("journalctl", "-b", "-q", "--no-pager", "-o", "short-unix", "-n", "2000", "-t", "iscsid")
    seen = looked(tmp_path, HOST, Replay((Done(argv, 0, noop_lost(1, 3), ""),)))
    assert iscsidlog.passing(seen.log) == {1: 3}
    (tmp_path / "dev/kmsg").write_text(line.format(1, 1) * 2)
    assert looked(tmp_path, HOST).log == ()


def test_what_a_discovery_wrote_and_what_somebody_wrote_since(tmp_path: Path) -> None:
    settings = {
        "node.startup": "manual",
        "node.discovery_type": "send_targets",
        "node.discovery_address": "10.10.8.90",
        "node.discovery_port": "3260",
    }
    host = keyed(HOST, NEAR, settings)
    node = host.node_of(NEAR)
    assert node is not None
    tree = Tree(tmp_path)
    tree.file(node.path, "node.startup = manual\n")
    link = f"/etc/iscsi/send_targets/10.10.8.90,3260/{HOMER_1},10.10.8.90,3260,{node.tpgt},sw-iscsi-0"
    tree.link(link, os.path.dirname(node.path))
    assert looked(tmp_path, host).rediscovered == {node.path}
    os.utime(tmp_path / node.path.lstrip("/"), (1, 1))
    assert looked(tmp_path, host).rediscovered == frozenset()


def test_a_recovery_time_that_is_off(tmp_path: Path) -> None:
    host = session(NEAR, recovery_tmo=None)
    Tree(tmp_path).file(f"/sys/class/iscsi_session/session{SID[NEAR]}/recovery_tmo", "off\n")
    assert looked(tmp_path, host).endless == {SID[NEAR]}


def test_an_iscsid_that_hangs_is_looked_at_where_a_session_is_dead(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.files("/proc/287", {"comm": "iscsid", "stat": "287 (iscsid) T 1 287"})
    tree.files("/proc/288", {"comm": "iscsid", "stat": "288 (is (x) d) S 1 287"})
    host = replace(session(NEAR, state="FREE"), probes={(NEAR.iface, NEAR.portal): Answer.ANSWERED})
    argv = ("journalctl", "-b", "-q", "--no-pager", "-o", "short-unix", "-n", "2000", "-t", "iscsid")
    assert looked(tmp_path, host, Replay((Done(argv, 0, "", ""),))).hung == "iscsid is stopped by a signal"
    assert looked(tmp_path, HOST).hung == ""


def test_the_login_of_a_session_that_its_record_does_not_have(tmp_path: Path) -> None:
    tree, node = Tree(tmp_path), HOST.node_of(NEAR)
    assert node is not None
    login_of = {"username": "prague", "password": "session-to-homer", "username_in": "(null)", "password_in": "(null)"}
    tree.files(f"/sys/class/iscsi_session/session{SID[NEAR]}", login_of)
    key = "node.session.auth"
    tree.file(node.path, f"{key}.username = prague\n{key}.password = session-to-homer\n")
    assert looked(tmp_path, HOST, site=None).otherwise == frozenset()
    tree.file(node.path, f"{key}.username = prague\n{key}.password = another\n")
    assert looked(tmp_path, HOST, site=None).otherwise == {SID[NEAR]}
    assert looked(tmp_path, HOST).otherwise == frozenset()  # there the site's login counts
