"""What is offline by hand: what is expected meanwhile, what stands against it, the steps there and back."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import APPS_A01, HOMER_1, HOMER_2, PORTAL_8, PORTAL_9
from hypothesis import given, settings
from hypothesis import strategies as st

from mpio import checks, choose, plan, topology, verdict
from mpio.errors import UnknownName
from mpio.host import Answer, Host, Pair, Path, Unit, User
from mpio.memory import Key, Offline
from mpio.plan import ending, resting, timer
from mpio.site import Site, SiteLun
from mpio.step import Command, Step, Write
from mpio.tools import iscsiadm, systemctl
from mpio.topology import LunState

SITE = fakes.guide_site()
HOST = replace(fakes.guide_host(), program=("/usr/bin/python3", "-m", "mpio"))
PAIRS = topology.pairs(SITE, HOST)
ALL = tuple(PAIRS.planned)
ETH1 = tuple(p for p in ALL if p.iface == "sw-iscsi-0")
ETH2 = tuple(p for p in ALL if p.iface == "sw-iscsi-1")
SINCE = "2026-11-21T18:00:00+00:00"
UNTIL = "2026-11-21T22:00:00+02:00"
NAMES = sorted(m.name for m in HOST.maps)


def of(name: str, *pairs: Pair, until: str | None = None, logged_out: bool = False) -> Offline:
    return Offline(name, frozenset(map(str, pairs)), "moe", SINCE, until, logged_out)


OFF = of("eth1", *ETH1)


def told(host: Host, *taken: Offline) -> Host:
    """Which remembers these, and in which they are in force."""
    return replace(host, memory=replace(host.memory, offline=taken), offline=taken)


def settled(host: Host, site: Site = SITE) -> Host:
    """What `apply` makes of a host that remembers what is offline."""
    return fakes.settled(site, host)[0]


def deeds(steps: tuple[Step, ...]) -> list[str]:
    return [" ".join(s.argv) if isinstance(s, Command) else s.path for s in steps]


def disks(host: Host, *pairs: Pair) -> set[str]:
    sids = {s.sid for s in host.sessions if s.pair in pairs}
    return {p.dev for p in host.paths if p.sid in sids}


def in_use(host: Host) -> set[str]:
    return {p.dev for p in host.paths if topology.usable(host, p)}


AWAY = settled(told(HOST, OFF))


# -- what is expected meanwhile ------------------------------------------------------------------------------------


def test_a_host_that_dies_after_remembering_is_brought_there_by_apply() -> None:
    assert in_use(AWAY) == disks(HOST, *ETH2)
    startup = {n.pair: n.settings["node.startup"] for n in AWAY.nodes}
    assert startup == {p: "manual" if p in ETH1 else "automatic" for p in ALL}
    assert len(AWAY.sessions) == 4


def test_what_is_offline_leaves_the_expectation_and_the_sharing_rule() -> None:
    judged = verdict.of(SITE, AWAY, plan.steps(SITE, AWAY))
    assert (judged.exit, judged.word, judged.drift) == (0, "healthy", ())
    assert [(len(x.usable), x.expected, x.state, x.shared) for x in judged.luns] == [(2, 2, LunState.HEALTHY, "")] * 4
    (said,) = judged.findings
    assert (said.code, said.severity, said.subject) == ("MP316", "info", "eth1")
    assert said.detail == f"by moe since {SINCE} until `mpio online eth1`: 2 pairs"
    assert said.remedy == "mpio online eth1"


def test_until_when_and_logged_out_are_told() -> None:
    host = told(HOST, of("sid:1", ETH1[0], until=UNTIL, logged_out=True))
    assert [f.detail for f in checks.offline.findings(host)] == [
        f"by moe since {SINCE} until {UNTIL}: 1 pair, logged out"
    ]


def test_one_that_is_missing_besides_is_missing() -> None:
    gone = next(p for p in AWAY.paths if p.dev in disks(AWAY, ETH2[0]))
    host = replace(AWAY, paths=tuple(p for p in AWAY.paths if p != gone))
    judged = verdict.of(SITE, host, plan.steps(SITE, host))
    assert judged.exit == 4
    assert {"MP316", "MP402"} <= {f.code for f in judged.findings}
    missing = next(f for f in judged.findings if f.code == "MP402")
    assert missing.detail == f"1 of 2 paths usable; missing: {ETH2[0]}"


def test_a_path_that_is_in_use_again_is_no_substitute() -> None:
    """multipathd was restarted and does not know; at the same time another path is gone."""
    gone = next(p for p in AWAY.paths if p.dev in disks(AWAY, ETH2[0]))
    paths = tuple(replace(p, dm_state="active") for p in AWAY.paths if p != gone)
    for wish in (None, 4):
        site = fakes.guide_site(luns=tuple(replace(lun, paths=wish) for lun in SITE.luns))
        luns = {x.wwid: x for x in topology.luns(site, replace(AWAY, paths=paths), PAIRS)}
        assert luns[gone.wwid].state is LunState.DEGRADED


@pytest.mark.parametrize(("wish", "expected"), [(None, 2), (4, 2), (3, 2), (2, 2), (1, 1), (6, 4)])
def test_counted_paths_are_lowered_by_what_is_offline(wish: int | None, expected: int) -> None:
    site = fakes.guide_site(luns=(SiteLun(APPS_A01, "hydra_apps-a01", paths=wish),))
    assert topology.luns(site, AWAY, PAIRS)[0].expected == expected
    assert topology.luns(site, HOST, PAIRS)[0].expected == (wish or 4)


def test_without_a_site_failed_paths_of_what_is_offline_degrade_nothing() -> None:
    assert {x.state for x in topology.luns(None, AWAY, None)} == {LunState.HEALTHY}


def test_what_is_wrong_with_it_is_no_finding() -> None:
    """That is what somebody took it offline for."""
    nics = tuple(replace(n, carrier=False) if n.name == "eth1" else n for n in AWAY.nics)
    sessions = tuple(replace(s, state="FAILED") if s.pair in ETH1 else s for s in AWAY.sessions)
    probes = {(p.iface, p.portal): Answer.SILENT for p in ETH1}
    host = replace(AWAY, nics=nics, sessions=sessions, probes=probes)
    judged = verdict.of(SITE, host, plan.steps(SITE, host))
    assert (judged.exit, [f.code for f in judged.findings]) == (0, ["MP316"])
    again = replace(host, offline=())
    assert {"MP203", "MP304", "MP403"} <= {f.code for f in verdict.of(SITE, again, plan.steps(SITE, again)).findings}


def test_a_portal_that_is_offline_may_be_silent_and_a_nic_may_not() -> None:
    off = tuple(p for p in ALL if p.portal == PORTAL_9)
    host = settled(told(HOST, of(str(PORTAL_9), *off)))
    sessions = tuple(s for s in host.sessions if s.pair not in off)
    probes = {(p.iface, p.portal): Answer.SILENT for p in off}
    host = replace(host, sessions=sessions, probes=probes, paths=tuple(p for p in host.paths if p.dm_state == "active"))
    judged = verdict.of(SITE, host, plan.steps(SITE, host))
    assert (judged.exit, [f.code for f in judged.findings]) == (0, ["MP316"])
    dark = replace(host, nics=tuple(replace(n, carrier=False) for n in host.nics))
    assert [f.code for f in verdict.of(SITE, dark, plan.steps(SITE, dark)).findings].count("MP203") == 2


def test_after_a_reboot_it_is_not_logged_in() -> None:
    rebooted = replace(AWAY, sessions=(), paths=(), maps=())
    host = settled(rebooted)
    assert {s.pair for s in host.sessions} == set(ETH2)
    assert verdict.of(SITE, host, plan.steps(SITE, host)).exit == 0


def test_once_it_is_over_apply_brings_it_back() -> None:
    over = replace(AWAY, offline=())
    assert verdict.of(SITE, over, plan.steps(SITE, over)).exit == 4
    assert verdict.of(SITE, settled(over), plan.steps(SITE, settled(over))).exit == 0
    assert in_use(settled(over)) == in_use(HOST)


# -- held ----------------------------------------------------------------------------------------------------------


def active(host: Host, *pairs: Pair) -> Host:
    """multipathd was restarted: what it was told to fail is in use again."""
    back = disks(host, *pairs)
    paths = tuple(replace(p, dm_state="active") if p.dev in back else p for p in host.paths)
    return replace(host, paths=paths)


def test_paths_that_are_in_use_again_are_failed_again() -> None:
    host = active(AWAY, *ETH1)
    share = resting.held(host)
    assert set(deeds(share.steps)) == {f"multipathd fail path {dev}" for dev in disks(HOST, *ETH1)}
    judged = verdict.of(SITE, host, plan.steps(SITE, host))
    assert (judged.exit, set(judged.drift)) == (3, set(share.steps))
    assert in_use(settled(host)) == disks(HOST, *ETH2)


def test_the_last_usable_path_stays() -> None:
    host = active(AWAY, *ETH1)
    gone = {p.dev for p in host.paths if p.dev in disks(HOST, *ETH2) and p.wwid == APPS_A01}
    host = replace(host, paths=tuple(replace(p, dm_state="failed") if p.dev in gone else p for p in host.paths))
    share = resting.held(host)
    kept = {p.dev for p in host.paths if p.wwid == APPS_A01}
    assert not kept & {d.rpartition(" ")[2] for d in deeds(share.steps)}
    assert [(f.code, f.severity, f.subject) for f in share.refused] == [("MP318", "warning", "hydra_apps-a01")]


def test_nobody_is_told_where_multipathd_does_not_run() -> None:
    units = tuple(replace(u, active="inactive") if u.name == systemctl.MULTIPATHD else u for u in HOST.units)
    assert resting.held(replace(active(AWAY, *ETH1), units=units)) == plan.Share()


# -- against -------------------------------------------------------------------------------------------------------


def test_the_last_usable_path_is_not_taken_open_or_not() -> None:
    assert resting.against(HOST, ETH1) == ()
    found = resting.against(AWAY, ETH2)
    assert sorted((f.code, f.subject) for f in found) == [("MP409", name) for name in NAMES]
    used = replace(AWAY, users=tuple(User(m.dm, "mount", "/srv") for m in AWAY.maps))
    assert {f.code for f in resting.against(used, ETH2)} == {"MP408"}
    assert resting.against(used, ETH2, frozenset({"MP408", "MP409"})) == ()
    assert {f.code for f in resting.against(HOST, ALL)} == {"MP409"}


def test_what_is_offline_and_in_use_by_mistake_is_no_other_path() -> None:
    assert {f.code for f in resting.against(active(AWAY, *ETH1), ETH2)} == {"MP409"}


def test_a_disk_used_past_multipath_is_not_taken() -> None:
    dev = min(disks(HOST, ETH1[0]))
    paths = tuple(replace(p, dm="", dm_state="") if p.dev == dev else p for p in HOST.paths)
    host = replace(HOST, paths=paths, users=(User(dev, "mount", "/srv"),))
    assert [(f.code, f.subject) for f in resting.against(host, ETH1)] == [("MP408", dev)]


@pytest.mark.parametrize("units", [(), (Unit(systemctl.MULTIPATHD, "loaded", "inactive"),)])
def test_only_a_multipathd_that_runs_can_take_paths_out_of_use(units: tuple[Unit, ...]) -> None:
    assert [f.code for f in resting.against(replace(HOST, units=units), ETH1)] == ["MP104"]
    assert resting.against(replace(HOST, units=units, paths=(), maps=()), ETH1) == ()


DEVS = sorted(p.dev for p in HOST.paths)


def with_usable(host: Host) -> set[str]:
    return {p.dm for p in host.paths if topology.usable(host, p)}


@given(st.sets(st.sampled_from(ALL)), st.sets(st.sampled_from(DEVS)))
@settings(deadline=None)
def test_law_no_step_takes_the_last_usable_path(off: set[Pair], failed: set[str]) -> None:
    paths = tuple(replace(p, dm_state="failed") if p.dev in failed else p for p in HOST.paths)
    host = told(replace(HOST, paths=paths), of("some", *off))
    assert with_usable(fakes.carry_out(host, resting.held(host).steps)) == with_usable(host)
    fresh = replace(HOST, paths=paths)
    if off and not resting.against(fresh, off):
        rest = resting.rest(SITE, fresh, PAIRS, (of("some", *off, logged_out=True),))
        done = fakes.carry_out(fresh, (*rest.quiet, *rest.out))
        touched = {p.dm for p in HOST.paths if p.dev in disks(HOST, *off)}
        assert touched <= with_usable(done)


@given(st.sets(st.sampled_from(ALL), max_size=3))
@settings(deadline=None, max_examples=20)
def test_law_what_is_offline_leaves_nothing_to_do_and_comes_back_whole(off: set[Pair]) -> None:
    there = settled(told(HOST, of("some", *off)))
    assert plan.steps(SITE, there).steps == ()
    assert in_use(there) == in_use(HOST) - disks(HOST, *off)
    assert in_use(settled(replace(told(there), offline=()))) == in_use(HOST)


# -- there and back ------------------------------------------------------------------------------------------------


def test_records_first_then_paths_then_logouts() -> None:
    rest = resting.rest(SITE, HOST, PAIRS, (of("eth1", *ETH1, logged_out=True),))
    assert [d.split()[0] for d in deeds(rest.quiet)] == ["iscsiadm"] * 2 + ["multipathd"] * 8
    assert all("node.startup -v manual" in d for d in deeds(rest.quiet)[:2])
    assert [iscsiadm.pair_of(s) for s in rest.out] == list(ETH1)
    assert resting.rest(SITE, HOST, PAIRS, (OFF,)).out == ()
    done = fakes.carry_out(HOST, (*rest.quiet, *rest.out))
    assert in_use(done) == disks(HOST, *ETH2)
    assert {s.pair for s in done.sessions} == set(ETH2)


def test_nothing_is_to_be_done_for_what_is_offline_already() -> None:
    assert resting.rest(SITE, AWAY, PAIRS, (OFF,)) == resting.Rest()


def test_a_record_that_the_site_does_not_plan_is_manual_too_and_put_back() -> None:
    site = fakes.guide_site(targets=(HOMER_1,))
    nodes = HOST.memory.made - {("record", str(p)) for p in ALL if p.target == HOMER_2}
    host = replace(HOST, memory=replace(HOST.memory, made=nodes))
    planned = topology.pairs(site, host)
    strange = Pair("sw-iscsi-0", PORTAL_9, HOMER_2)
    assert strange not in planned.planned
    rest = resting.rest(site, host, planned, (of("eth1", *ETH1),))
    there = fakes.carry_out(host, rest.quiet)
    startup = {n.pair: n.settings["node.startup"] for n in there.nodes}
    assert {p for p, word in startup.items() if word == "manual"} == set(ETH1)
    node = there.node_of(strange)
    assert node
    assert there.memory.keys[f"{node.path} node.startup"] == Key("automatic", "manual")
    back = fakes.carry_out(there, resting.back(site, replace(there, readable=disks(there)), planned, ETH1))  # type: ignore[arg-type]
    assert {n.settings["node.startup"] for n in back.nodes} == {"automatic"}
    gone = replace(there, sessions=tuple(s for s in there.sessions if s.pair != strange))
    assert any("--login" in d and HOMER_2 in d for d in deeds(resting.back(site, gone, planned, ETH1)))


def test_the_device_mappers_own_word_counts() -> None:
    rest = resting.rest(SITE, HOST, PAIRS, (OFF,))
    done = fakes.carry_out(HOST, rest.quiet)
    assert resting.still_in_use(HOST, done, rest.quiet) == ()
    (dev,) = sorted(disks(HOST, *ETH1))[:1]
    stuck = replace(done, paths=tuple(replace(p, dm_state="active") if p.dev == dev else p for p in done.paths))
    assert [(f.code, f.subject) for f in resting.still_in_use(HOST, stuck, rest.quiet)] == [("MP107", dev)]
    lost = replace(done, sessions=tuple(replace(s, state="FAILED") for s in done.sessions))
    assert {f.code for f in resting.still_in_use(HOST, lost, rest.quiet)} == {"MP409"}
    assert resting.still_in_use(lost, lost, rest.quiet) == ()  # that was known, and forced


def test_undone_is_as_it_was() -> None:
    rest = resting.rest(SITE, HOST, PAIRS, (OFF,))
    half = fakes.carry_out(HOST, rest.quiet[:6])
    again = fakes.carry_out(half, resting.undone(HOST, rest.quiet))
    assert in_use(again) == in_use(HOST)
    assert {n.settings["node.startup"] for n in again.nodes} == {"automatic"}


def back_of(host: Host, *names: str) -> resting.Return:
    ended, named = choose.offline(names, host, PAIRS, SITE)
    return resting.returning(host, PAIRS, ended, named)


def test_back_by_the_name_that_it_was_taken_offline_by() -> None:
    found = back_of(AWAY, "eth1")
    assert found == resting.Return(ETH1, (), ())
    readable = frozenset(disks(AWAY, *ETH1))
    view = replace(AWAY, offline=(), readable=readable)
    steps = resting.back(SITE, view, PAIRS, found.pairs)
    assert [d.split()[0] for d in deeds(steps)] == ["iscsiadm"] * 2 + ["multipathd"] * 8
    there = fakes.carry_out(view, steps)
    assert in_use(there) == in_use(HOST)
    assert {n.settings["node.startup"] for n in there.nodes} == {"automatic"}
    assert resting.back(SITE, there, PAIRS, found.pairs) == ()


def test_what_was_logged_out_is_logged_in() -> None:
    rest = resting.rest(SITE, HOST, PAIRS, (of("eth1", *ETH1, logged_out=True),))
    host = fakes.carry_out(HOST, (*rest.quiet, *rest.out))
    there = fakes.carry_out(host, resting.back(SITE, host, PAIRS, ETH1))
    assert len(in_use(there)) == len(in_use(HOST))


def test_a_path_that_does_not_answer_is_left_and_one_whose_session_is_down_is_watched_again() -> None:
    view = replace(AWAY, offline=(), readable=frozenset())
    assert [d for d in deeds(resting.back(SITE, view, PAIRS, ETH1)) if "reinstate" in d] == []
    sids = {s.sid for s in AWAY.sessions if s.pair in ETH1}
    broken = tuple(replace(s, state="FAILED") if s.sid in sids else s for s in AWAY.sessions)

    def of_device(state: str) -> list[str]:
        paths: tuple[Path, ...] = tuple(replace(p, device_state=state) if p.sid in sids else p for p in AWAY.paths)
        view = replace(AWAY, offline=(), sessions=broken, paths=paths)
        return [d for d in deeds(resting.back(SITE, view, PAIRS, ETH1)) if "reinstate" in d]

    assert of_device("blocked") == []
    assert len(of_device("transport-offline")) == 8


def test_a_part_of_what_is_offline_comes_off() -> None:
    first, second = ETH1
    sid = next(s.sid for s in AWAY.sessions if s.pair == first)
    assert back_of(AWAY, f"sid:{sid}") == resting.Return((first,), (of("eth1", second),), ())
    assert back_of(AWAY, "10.10.8.90") == resting.Return((first,), (of("eth1", second),), ())
    assert back_of(AWAY, "10.10.8.90", "10.10.9.90") == resting.Return(ETH1, (), ())


def test_what_another_name_holds_stays_offline() -> None:
    portal = of(str(PORTAL_8), *(p for p in ALL if p.portal == PORTAL_8))
    host = told(AWAY, OFF, portal)
    across = Pair("sw-iscsi-0", PORTAL_9, HOMER_2)
    near = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)
    assert back_of(host, "eth1") == resting.Return((across,), (portal,), (near,))
    assert back_of(host, "sw-iscsi-0").kept == (of(str(PORTAL_8), Pair("sw-iscsi-1", PORTAL_8, HOMER_1)),)


def test_nothing_comes_back_that_is_not_offline() -> None:
    assert back_of(AWAY, "eth2") == resting.Return((), (OFF,), ())
    with pytest.raises(UnknownName) as error:
        back_of(AWAY, "eth9")
    assert "eth1" in error.value.hint


def test_what_is_over_is_known_by_its_name() -> None:
    until = of("eth2", *ETH2, until=UNTIL)
    host = replace(told(AWAY, OFF, until), offline=(OFF,))
    assert resting.over(host) == ("eth2",)
    assert resting.returning(host, PAIRS, resting.over(host), ()) == resting.Return(ETH2, (OFF,), ())


def test_what_is_missing_of_what_should_be_back() -> None:
    assert resting.lacking(HOST, ALL) == ()
    assert len(resting.lacking(AWAY, ETH1)) == 8
    sessions = tuple(s for s in AWAY.sessions if s.pair not in ETH1)
    assert resting.lacking(replace(AWAY, sessions=sessions), ETH1) == ()  # a login's business


# -- the timer -----------------------------------------------------------------------------------------------------


def test_a_timer_for_each_end() -> None:
    text = timer.render((UNTIL, "2026-11-22T00:00:01+00:00"))
    lines = [line for line in text.splitlines() if line.startswith("OnCalendar=")]
    assert [line.removeprefix("OnCalendar=") for line in lines] == [
        *("2026-11-21 20:00:00 UTC", "2026-11-21 20:01:00 UTC"),
        *("2026-11-22 00:00:01 UTC", "2026-11-22 00:01:01 UTC"),
    ]


def test_the_service_starts_this_mpio() -> None:
    told = ("/usr/bin/env", "PYTHONPATH=/opt/a:/opt/b c", "/usr/bin/python3", "-m", "mpio")
    line = 'ExecStart=/usr/bin/env "PYTHONPATH=/opt/a:/opt/b c" /usr/bin/python3 -m mpio online --due --yes --site /s\n'
    assert line in timer.service(told, "/s")


def test_the_units_come_and_go_with_what_is_remembered() -> None:
    host = told(HOST, of("eth1", *ETH1, until=UNTIL))
    steps = timer.configured(SITE, host).steps
    assert deeds(steps) == [
        timer.SERVICE,
        timer.TIMER,
        "systemctl daemon-reload",
        "systemctl enable mpio-online.service",
        "systemctl enable --now mpio-online.timer",
    ]
    there = fakes.carry_out(host, steps)
    assert timer.configured(SITE, there).steps == ()
    later = told(there, of("eth1", *ETH1, until="2026-12-01T00:00:00+00:00"))
    assert deeds(timer.configured(SITE, later).steps) == [
        timer.TIMER,
        "systemctl daemon-reload",
        "systemctl restart mpio-online.timer",
    ]
    over = replace(there, offline=())
    assert timer.configured(SITE, over).steps == ()
    assert timer.configured(SITE, replace(host, offline=())).steps == ()
    stopped = replace(there, units=tuple(u for u in there.units if u.name != systemctl.ONLINE_TIMER))
    assert deeds(timer.configured(SITE, stopped).steps) == ["systemctl enable --now mpio-online.timer"]
    ever = told(there, of("eth1", *ETH1))
    gone = timer.configured(SITE, ever).steps
    assert deeds(gone) == [
        "systemctl disable --now mpio-online.timer",
        "systemctl disable mpio-online.service",
        *(timer.TIMER, timer.SERVICE),
        "systemctl daemon-reload",
    ]
    assert all(s.text is None for s in gone if isinstance(s, Write))
    assert timer.configured(SITE, fakes.carry_out(ever, gone)).steps == ()
    assert set(deeds(gone)) <= set(deeds(ending.teardown(ever).steps))


def test_teardown_gives_paths_of_others_back() -> None:
    ours = HOST.memory.made - {("record", str(p)) for p in ETH1}
    host = replace(AWAY, memory=replace(AWAY.memory, made=ours), readable=frozenset(disks(AWAY, *ETH1)))
    for one in (host, replace(host, offline=())):  # what is over and not back yet is forgotten, too
        assert len([d for d in deeds(ending.teardown(one).steps) if "reinstate" in d]) == 8
    assert not [d for d in deeds(ending.teardown(AWAY).steps) if "reinstate" in d]
