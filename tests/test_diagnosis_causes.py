"""Causes before symptoms: what happened to the guide's host, and which finding stands for all that follows."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import APPS_A01, HOMER_1, HOMER_2, PORTAL_8, PORTAL_9
from hypothesis import given
from hypothesis import strategies as st

from mpio import checks, plan, topology
from mpio.diagnosis import absent, causes
from mpio.diagnosis.causes import LAYERS, Cause, Layer
from mpio.findings import TABLE, Finding, Severity, finding
from mpio.host import Answer, Host, Pair, Session

SITE = fakes.guide_site()
HOST = fakes.guide_host()
NEAR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)
LUN = "hydra_apps-a01"


def of(host: Host) -> tuple[Cause, ...]:
    made = plan.steps(SITE, host)
    judged = topology.luns(SITE, host, made.pairs)
    found = (*checks.after(SITE, host, made, judged), *absent.findings(SITE, host, made))
    return causes.folded(found, causes.ways(host, made, judged))


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


CODES = sorted(LAYERS)
SUBJECTS = ["eth1", "eth2", str(PORTAL_8), str(NEAR), LUN, f"{HOST.paths[0].dev} of {LUN}", "iscsid.service"]


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
