"""Causes before symptoms: what happened to the guide's host, and which finding stands for all that follows."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import APPS_A01, HOMER_1, HOMER_2, PORTAL_8, PORTAL_9
from hypothesis import given
from hypothesis import strategies as st

from mpio import checks, plan, topology
from mpio.diagnosis import absent, causes, mending, parts
from mpio.diagnosis.causes import FOLLOWS, LAYERS, MOST, WHOLE, Cause, Layer
from mpio.findings import TABLE, Finding, Severity, finding
from mpio.host import Answer, Host, Pair, Session
from mpio.plan.shape import ISCSID_CONF

SITE = fakes.guide_site()
HOST = fakes.guide_host()
NEAR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)
LUN = "hydra_apps-a01"


def of(host: Host, *more: Finding) -> tuple[Cause, ...]:
    """What is said of this host, beside what other areas have found."""
    made = plan.steps(SITE, host)
    judged = topology.luns(SITE, host, made.pairs)
    found = (*more, *checks.after(SITE, host, made, judged), *absent.findings(SITE, host, made))
    return causes.folded(found, causes.ways(host, made, judged))


def explained(found: tuple[Cause, ...]) -> dict[str, set[str]]:
    """The codes of the causes, and which codes each explains."""
    return {c.finding.code: {s.code for s in c.symptoms} for c in found}


def told(host: Host) -> list[tuple[str, str, str, list[str]]]:
    """Code, severity and subject of each cause, and the codes that it explains."""
    return [
        (c.finding.code, c.finding.severity.value, c.finding.subject, sorted({s.code for s in c.symptoms}))
        for c in of(host)
    ]


def lost(host: Host, *, iface: str = "", portal: object = None) -> Host:
    """Sessions over the iface or portal broken, and their paths failed."""

    def hit(session: Session) -> bool:
        return session.pair.iface == iface or session.pair.portal == portal

    dead = {s.sid for s in host.sessions if hit(s)}
    return replace(
        host,
        sessions=tuple(replace(s, state="FAILED") if s.sid in dead else s for s in host.sessions),
        paths=tuple(
            replace(p, dm_state="failed", device_state="transport-offline") if p.sid in dead else p for p in host.paths
        ),
    )


def without_carrier(host: Host, *nics: str) -> Host:
    return replace(host, nics=tuple(replace(n, carrier=False) if n.name in nics else n for n in host.nics))


def test_a_healthy_host_is_silent() -> None:
    assert of(HOST) == ()


def test_a_lost_link_is_one_finding_with_all_that_hangs_on_it() -> None:
    nic = next(i.nic for i in SITE.ifaces if i.name == "sw-iscsi-0")
    (cause,) = of(without_carrier(lost(HOST, iface="sw-iscsi-0"), nic))
    assert (cause.finding.code, cause.finding.subject, cause.finding.severity) == ("MP203", nic, Severity.ERROR)
    assert {s.code for s in cause.symptoms} >= {"MP304", "MP402"}
    assert cause.subjects[0] == nic
    assert {LUN, str(NEAR)} <= set(cause.subjects)


def test_both_links_lost_are_one_critical_finding_with_two_subjects() -> None:
    nics = [i.nic for i in SITE.ifaces]
    host = without_carrier(lost(lost(HOST, iface="sw-iscsi-0"), iface="sw-iscsi-1"), *nics)
    (cause,) = of(host)
    assert (cause.finding.code, cause.finding.severity) == ("MP203", Severity.CRITICAL)
    assert cause.finding.subject == ", ".join(sorted(nics))
    assert "MP401" in {s.code for s in cause.symptoms}


def test_a_silent_portal_explains_its_sessions_and_paths() -> None:
    host = lost(HOST, portal=PORTAL_9)
    host = replace(host, probes={(i.name, PORTAL_9): Answer.SILENT for i in SITE.ifaces})
    assert told(host)[0][0] == "MP210"
    assert [c for c in told(host)[1:] if c[1] != "info"] == []


def test_a_session_that_was_logged_out_is_the_cause_of_its_missing_paths() -> None:
    gone = next(s for s in HOST.sessions if s.pair == NEAR)
    host = replace(
        HOST,
        sessions=tuple(s for s in HOST.sessions if s is not gone),
        paths=tuple(p for p in HOST.paths if p.sid != gone.sid),
        probes={("sw-iscsi-0", PORTAL_8): Answer.ANSWERED},
    )
    first, *rest = told(host)
    assert first[:3] == ("MP340", "error", str(NEAR))
    assert {"MP402"} <= set(first[3])
    assert rest == []


def test_without_its_record_the_record_is_the_cause() -> None:
    gone = next(s for s in HOST.sessions if s.pair == NEAR)
    host = replace(
        HOST,
        nodes=tuple(n for n in HOST.nodes if n.pair != NEAR),
        sessions=tuple(s for s in HOST.sessions if s is not gone),
        paths=tuple(p for p in HOST.paths if p.sid != gone.sid),
        probes={("sw-iscsi-0", PORTAL_8): Answer.ANSWERED},
    )
    assert [c[0] for c in told(host) if c[1] != "info"] == ["MP341"]


def test_without_the_iface_record_the_iface_is_the_cause() -> None:
    gone = {s.sid for s in HOST.sessions if s.pair.iface == "sw-iscsi-0"}
    host = replace(
        HOST,
        ifaces=tuple(i for i in HOST.ifaces if i.name != "sw-iscsi-0"),
        sessions=tuple(s for s in HOST.sessions if s.sid not in gone),
        paths=tuple(p for p in HOST.paths if p.sid not in gone),
        probes={("sw-iscsi-0", p): Answer.ANSWERED for p in (PORTAL_8, PORTAL_9)},
    )
    assert told(host)[0][:3] == ("MP342", "error", "sw-iscsi-0")


def test_what_a_cause_does_not_cover_stays() -> None:
    """One path is gone with its link, another was failed for no reason that is known: the LUN's count has two causes,
    and both are named.
    """
    nic = next(i.nic for i in SITE.ifaces if i.name == "sw-iscsi-0")
    host = without_carrier(lost(HOST, iface="sw-iscsi-0"), nic)
    other = next(p for p in host.paths if p.wwid == APPS_A01 and p.dm_state == "active")
    host = replace(host, paths=tuple(replace(p, dm_state="failed") if p is other else p for p in host.paths))
    codes = {c.finding.code: c for c in of(host)}
    assert set(codes) == {"MP203", "MP404"}
    assert codes["MP404"].finding.subject == f"{other.dev} of {LUN}"
    assert LUN in codes["MP404"].subjects
    assert LUN in codes["MP203"].subjects


def test_a_dead_daemon_explains_paths_that_stay_failed() -> None:
    units = tuple(replace(u, active="inactive") if u.name == "multipathd.service" else u for u in HOST.units)
    failed = replace(HOST.paths[0], dm_state="failed")
    host = replace(HOST, units=units, paths=(failed, *HOST.paths[1:]))
    assert [c.finding.code for c in of(host)] == ["MP104"]


NIC = next(i.nic for i in SITE.ifaces if i.name == "sw-iscsi-0")
LINK_LOST = without_carrier(lost(HOST, iface="sw-iscsi-0"), NIC)
FIRST, *_, LAST = (p for p in HOST.paths if p.wwid == APPS_A01)
PAIRS = {s.sid: s.pair for s in HOST.sessions}


def failed(*devs: str) -> Host:
    return replace(HOST, paths=tuple(replace(p, dm_state="failed") if p.dev in devs else p for p in HOST.paths))


@pytest.mark.parametrize("unit", ["open-iscsi.service", "iscsi.service"])
@pytest.mark.parametrize("code", ["MP203", "MP230", "MP239", "MP328", "MP331"])
def test_a_login_that_failed_at_boot_is_the_effect_of_what_kept_it_from_the_target(code: str, unit: str) -> None:
    found = (finding(code, {"2": NIC}.get(code[2], str(NEAR))), finding("MP113", unit))
    (cause,) = causes.folded(found, causes.ways(HOST, None, ()))
    assert (cause.finding.code, [s.code for s in cause.symptoms]) == (code, ["MP113"])


def test_a_failed_login_stands_for_sessions_where_nothing_explains_it() -> None:
    gone = {s.sid for s in HOST.sessions}
    host = replace(
        HOST,
        sessions=(),
        paths=tuple(p for p in HOST.paths if p.sid not in gone),
        probes={(i.name, p): Answer.ANSWERED for i in SITE.ifaces for p in (PORTAL_8, PORTAL_9)},
    )
    found = explained(of(host, finding("MP113", "open-iscsi.service")))
    assert found.keys() == {"MP113"}
    assert found["MP113"] >= {"MP340", "MP401"}


@pytest.mark.parametrize(
    "part",
    [
        finding("MP113", "multipathd.service"),
        finding("MP104", "multipathd.service"),
        finding("MP103", "iscsid.service"),
        finding("MP102", "iscsiadm", remedy="open-iscsi"),
        finding("MP106", "iscsi_tcp"),
        finding("MP116", "dm_historical_service_time"),
        finding("MP525", "/etc/multipath.conf line 1: x"),
        finding("MP135", "systemd-udevd.service"),
    ],
    ids=lambda f: f"{f.code} {f.subject}",
)
@pytest.mark.parametrize(
    ("host", "other"),
    [
        (LINK_LOST, finding("MP203", NIC, "carrier is 0")),
        (lost(HOST, portal=PORTAL_8), finding("MP239", f"sw-iscsi-0 -> {PORTAL_8}")),
        (lost(HOST, portal=PORTAL_8), finding("MP328", str(NEAR))),
        (failed(FIRST.dev), finding("MP415", LUN)),
        (failed(FIRST.dev), finding("MP417", LUN)),
        (failed(FIRST.dev), finding("MP442", f"{FIRST.dev} of {LUN}")),
    ],
    ids=["link", "portal", "refusal", "identity", "unmapped", "by hand"],
)
def test_no_part_of_the_host_explains_what_is_not_its_own(part: Finding, host: Host, other: Finding) -> None:
    found = explained(of(host, part, other))
    assert {part.code, other.code} <= found.keys()
    assert other.code not in found[part.code]


@pytest.mark.parametrize(
    ("part", "symptoms"),
    [
        (finding("MP103", "iscsid.service"), {"MP304", "MP402"}),
        (finding("MP105", "iscsid.service"), {"MP304", "MP402"}),
        (finding("MP120", "/etc/iscsi/initiatorname.iscsi"), {"MP304", "MP402"}),
        (finding("MP104", "multipathd.service"), set()),
        (finding("MP106", "dm_multipath"), set()),
    ],
    ids=lambda f: f"{f.code} {f.subject}" if isinstance(f, Finding) else None,
)
def test_broken_sessions_are_of_what_mends_sessions(part: Finding, symptoms: set[str]) -> None:
    found = explained(of(lost(HOST, portal=PORTAL_8), part))
    assert found[part.code] >= symptoms
    assert bool(found[part.code]) == bool(symptoms)


@pytest.mark.parametrize("cause", [None, finding("MP135", "systemd-udevd.service"), finding("MP116", "sd_mod")])
def test_disks_without_their_driver_are_not_of_the_array(cause: Finding | None) -> None:
    """Who loads it was away when they came (lab, udevd and its sockets stopped before the login), or may not."""
    none = replace(HOST, paths=(), maps=())
    assert "MP308" in explained(of(none))
    undriven = tuple(finding("MP460", str(s.pair)) for s in none.sessions)
    found = explained(of(none, *undriven, *([cause] if cause else [])))
    assert found.keys() == {cause.code if cause else "MP460"}
    assert {"MP308", "MP401"} <= set().union(*found.values())


def test_a_map_that_is_missing_is_of_what_makes_maps() -> None:
    host = replace(
        HOST,
        maps=tuple(m for m in HOST.maps if m.wwid != APPS_A01),
        paths=tuple(replace(p, dm="", dm_state="") if p.wwid == APPS_A01 else p for p in HOST.paths),
    )
    for part in (finding("MP102", "multipath"), finding("MP116", "dm_multipath"), finding("MP525", "x line 1: y")):
        found = explained(of(host, part))
        assert found.keys() == {part.code}
        assert found[part.code] >= {"MP407", "MP401"}
    assert "MP407" in explained(of(host, finding("MP103", "iscsid.service")))


def test_what_the_cause_of_a_cause_explains_is_told_with_it() -> None:
    """Two builds keep iscsid from running, and that the sessions from coming back."""
    builds = finding("MP118", "/usr/local/sbin/iscsid and /usr/sbin/iscsiadm")
    found = explained(of(lost(HOST, portal=PORTAL_8), builds, finding("MP103", "iscsid.service")))
    assert found.keys() == {"MP118"}
    assert found["MP118"] >= {"MP103", "MP304", "MP402"}


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("MP417", f"{FIRST.dev} over {PAIRS[FIRST.sid]}"),
        ("MP417", str(PAIRS[FIRST.sid])),
        ("MP434", f"LUN 10 over {PAIRS[FIRST.sid]} (session {FIRST.sid}); its record has node.session.scan = manual"),
        ("MP455", f"the kernel's log tells of conflicts on {FIRST.dev}; a persistent reservation is on it"),
    ],
)
def test_what_is_true_of_one_path_hides_nothing_of_another(code: str, detail: str) -> None:
    host = failed(FIRST.dev, LAST.dev)
    by_hand = finding("MP442", f"{LAST.dev} of {LUN}")
    found = {c.finding.code: c for c in of(host, finding(code, LUN, detail), by_hand)}
    assert found.keys() == {code, "MP442"}
    assert {s.subject for s in found[code].symptoms} == {LUN, f"{FIRST.dev} of {LUN}"}
    assert {s.subject for s in found["MP442"].symptoms} == {LUN, f"{LAST.dev} of {LUN}"}
    every = f"{detail}, {LAST.dev} over {PAIRS[LAST.sid]}"
    assert explained(of(host, finding(code, LUN, every), by_hand)).keys() == {code}
    assert explained(of(host, finding(code, LUN), by_hand)).keys() == {code}


def test_causes_go_one_way() -> None:
    """Whatever is found: nothing explains itself through others."""
    direct = {code: set(FOLLOWS.get(code, ())) for code in {*TABLE}}
    direct["MP113"] |= set(parts.UNREACHED)
    every = set[str]().union(*(codes for _, codes in parts.PARTS.values()))
    # No unit keeps records from being made: that a program is missing does.
    programs = parts.PARTS["iscsiadm"][1] - parts.PARTS["iscsid"][1]
    for code, layer in LAYERS.items():
        for cause, before in LAYERS.items():
            of_host = code in (every if cause == "MP102" else every - programs)
            if before < layer and (before is not Layer.HOST or of_host):
                direct[code].add(cause)

    def reaches(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = set(direct[start])
        while ahead:
            seen |= ahead
            ahead = set().union(*(direct[code] for code in ahead)) - seen
        return seen

    assert [code for code in sorted(TABLE) if code in reaches(code)] == []


def test_a_file_is_as_its_line_says() -> None:
    said = finding("MP323", ISCSID_CONF, "node.conn[0].timeo.noop_out_timeout is 0, the site says 5")
    session = finding("MP323", f"session 1 {NEAR}")
    for code in ("MP532", "MP533", "MP534"):
        line = finding(code, f"{ISCSID_CONF} line 3: node.conn[0].timeo.noop_out_timeout")
        nowhere = causes.ways(Host(), None, ())
        assert explained(causes.folded((said, line), nowhere)) == {code: {"MP323"}}
        assert explained(causes.folded((session, line), nowhere)) == {code: set(), "MP323": set()}
        overruled = finding("MP518", f"{ISCSID_CONF} line 4: node.session.timeo.replacement_timeout")
        assert explained(causes.folded((overruled, said, line), nowhere)) == {code: {"MP323", "MP518"}}


def test_each_remedy_of_one_code_is_told_once() -> None:
    packages = [("iscsiadm", "open-iscsi"), ("multipath", "multipath-tools"), ("multipathd", "multipath-tools")]
    found = [finding("MP102", program, remedy=package) for program, package in packages]
    (cause,) = causes.folded(found, causes.ways(Host(), None, ()))
    assert cause.finding.remedy == "install it: open-iscsi; install it: multipath-tools"
    many = [finding("MP113", f"{n}.service") for n in range(MOST + 2)]
    (cause,) = causes.folded(many, causes.ways(Host(), None, ()))
    assert cause.finding.remedy.count("systemctl restart") == MOST
    assert cause.finding.remedy.endswith("; and 2 more")


def test_a_fix_is_named_where_it_works() -> None:
    needs_site, anywhere = (Cause(finding(code, "x"), ("x",)) for code in ("MP103", "MP423"))
    assert mending.words(needs_site, SITE)[-1] == "mended by: mpio doctor --fix MP103"
    assert mending.words(needs_site, None)[-1] == ""
    for site in (SITE, None):
        assert mending.words(anywhere, site)[-1] == "mended by: mpio doctor --fix MP423"
    assert "MP518" not in mending.FIXES  # MP323's mends it


def test_the_worst_comes_first_then_what_is_nearest_to_the_ground() -> None:
    found = [finding("MP413", "a"), finding("MP204", "eth1"), finding("MP401", "x"), finding("MP203", "eth1")]
    ordered = causes.folded(found, causes.ways(Host(), None, ()))
    assert [c.finding.code for c in ordered] == ["MP401", "MP203", "MP204", "MP413"]


def test_findings_of_one_code_are_one_with_several_subjects() -> None:
    found = [finding("MP204", nic, f"{n}, the site says 9000") for n, nic in enumerate(("eth1", "eth2"))]
    (cause,) = causes.folded(found, causes.ways(Host(), None, ()))
    assert cause.finding.subject == "eth1, eth2"
    assert cause.finding.detail == "eth1: 0, the site says 9000; eth2: 1, the site says 9000"
    assert cause.subjects == ("eth1", "eth2")


def test_every_layer_has_codes_of_the_table_and_causes_break_things() -> None:
    assert set(LAYERS) <= set(TABLE)
    assert set(LAYERS.values()) == set(Layer)
    assert {*FOLLOWS, *WHOLE, *parts.UNREACHED} <= set(TABLE)
    assert set[str]().union(*(codes for _, codes in parts.PARTS.values())) <= set(LAYERS)


@pytest.mark.parametrize(
    "subject",
    [
        "eth1",
        "sw-iscsi-0",
        str(PORTAL_8),
        f"portal {PORTAL_8}",
        f"sw-iscsi-0 -> {PORTAL_8}",
        str(NEAR),
        f"session {HOST.session_of(NEAR).sid} {NEAR}",  # type: ignore[union-attr]
        HOMER_1,
        LUN,
        APPS_A01,
        f"{HOST.paths[0].dev} of {LUN}",
    ],
)
def test_each_kind_of_subject_names_ways(subject: str) -> None:
    made = plan.steps(SITE, HOST)
    ways = causes.ways(HOST, made, topology.luns(SITE, HOST, made.pairs))
    nics = {i.name: i.nic for i in SITE.ifaces}
    found = ways.of(subject if subject != "eth1" else nics["sw-iscsi-0"])
    assert found
    assert found < ways.legs
    assert ways.of("nobody knows") == frozenset()
    assert HOMER_2 not in {leg.pair.target for leg in ways.of(str(NEAR))}


CODES = sorted({*LAYERS, *FOLLOWS, *WHOLE})
SUBJECTS = [
    *("eth1", "eth2", str(PORTAL_8), str(NEAR), LUN, f"{HOST.paths[0].dev} of {LUN}", "iscsid.service"),
    *("open-iscsi.service", "multipathd.service", "iscsi_tcp", "dm_multipath", ISCSID_CONF, f"{ISCSID_CONF} line 1: x"),
]


@given(st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(SUBJECTS)), max_size=12))
def test_no_finding_is_lost_and_no_exit_code_changes(pairs: list[tuple[str, str]]) -> None:
    """Whatever is found: it is a cause or a symptom, and the worst severity is what it was."""
    found = [finding(code, subject) for code, subject in pairs]
    made = plan.steps(SITE, HOST)
    host = without_carrier(lost(HOST, iface="sw-iscsi-0"), "eth1")
    judged = topology.luns(SITE, host, made.pairs)
    folded = causes.folded(found, causes.ways(host, made, judged))
    kept: set[Finding] = {s for c in folded for s in c.symptoms}
    for one in found:
        assert one in kept or any(one.code == c.finding.code and one.subject in c.subjects for c in folded)
    order = list(Severity).index
    assert max((order(c.finding.severity) for c in folded), default=0) == max(
        (order(f.severity) for f in found), default=0
    )
