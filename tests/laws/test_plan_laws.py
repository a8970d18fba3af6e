"""What holds of every plan, whatever the site and whatever happened to the host."""

from __future__ import annotations

from dataclasses import replace

import fakes
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from strategies import GOING_DOWN, Damage, disowned, foreign_iface, hosts, open_map, sans, sites, whole

from mpio import guard, plan, topology, verdict
from mpio.errors import Exit
from mpio.host import Host, Map, Pair
from mpio.plan import ending, maps
from mpio.site import Site, SiteIface
from mpio.step import Command, Part, Step, Write
from mpio.tools import iscsiadm
from mpio.topology import usable

SAN_A = fakes.guide_site(ifaces=(SiteIface("san-a", "eth2"),))
MORE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def argvs(steps: tuple[Step, ...]) -> list[tuple[str, ...]]:
    return [s.argv for s in steps if isinstance(s, Command)]


def ended(steps: tuple[Step, ...]) -> set[Pair]:
    """The pairs whose sessions these steps end."""
    logouts = [s for s in steps if isinstance(s, Command) and s.argv[0] == "iscsiadm" and "--logout" in s.argv]
    return {pair for s in logouts if (pair := iscsiadm.pair_of(s)) is not None}


def deleted(steps: tuple[Step, ...]) -> tuple[set[str], set[str]]:
    """The ifaces and the records that these steps delete."""
    going = [s for s in steps if isinstance(s, Command) and s.argv[0] == "iscsiadm" and s.argv[-1] == "delete"]
    ifaces = {s.argv[s.argv.index("-I") + 1] for s in going if s.argv[2] == "iface"}
    return ifaces, {str(iscsiadm.pair_of(s)) for s in going if s.argv[2] == "node"}


def live(host: Host, mapped: Map, without: set[Pair]) -> bool:
    sids = {s.sid for s in host.sessions if s.pair not in without}
    return any(p.dm == mapped.dm and p.sid in sids and usable(host, p) for p in host.paths)


def spared(host: Host, steps: tuple[Step, ...]) -> bool:
    """Every map in use that has a live path keeps one; none is flushed or loses the name that the drop-in gave it."""
    used = [m for m in host.maps if guard.in_use(host, m)]
    going = ended(steps)
    flushed = {argv[2] for argv in argvs(steps) if argv[:2] == ("multipath", "-f")}
    names = {m.wwid: m.name for m in fakes.carry_out(host, steps).maps}
    named = {m.wwid for m in used if maps.entries(host).get(m.wwid, {}).get("alias") == m.name}
    return (
        not flushed & {m.name for m in used}
        and all(live(host, m, going) or not live(host, m, set()) for m in used)
        and all(names[m.wwid] == m.name for m in used if m.wwid in named)
    )


@given(sites())
@MORE
def test_a_host_that_matches_gives_no_steps(site: Site) -> None:
    host, made = fakes.settled(site, fakes.bare_host())
    assert made.steps == ()
    assert plan.steps(site, fakes.look(site, host)).steps == ()


@given(sites(), hosts(), sans())
@MORE
def test_carried_out_on_a_pretend_host_a_plan_leaves_no_steps(site: Site, host: Host, san: fakes.San) -> None:
    _, made = fakes.settled(site, host, san)
    # An iface that is bound elsewhere and may not be rebuilt is refused: logins over it may fail for ever.
    foreign = {f.subject for f in made.refused if f.code == "MP309"}
    left = [
        s
        for s in made.steps
        if not (isinstance(s, Command) and iscsiadm.is_login(s) and s.argv[s.argv.index("-I") + 1] in foreign)
    ]
    assert left == []


@given(sites(), hosts(masked=True), sans())
@example(SAN_A, foreign_iface(fakes.bare_host()), fakes.SAN)
@MORE
def test_no_plan_logs_out_or_deletes_what_mpio_did_not_make(site: Site, host: Host, san: fakes.San) -> None:
    for _ in range(3):
        host = fakes.remembered(fakes.look(site, host, san))
        steps = plan.steps(site, host).steps
        ifaces, records = deleted(steps)
        assert ifaces <= set(host.memory.names("iface"))
        ours = set(host.memory.names("record"))
        assert records <= ours
        assert {str(p) for p in ended(steps)} <= ours
        host = fakes.carry_out(host, steps, san)


@given(sites(), hosts(masked=True), sans())
@MORE
def test_no_plan_takes_the_last_live_path_of_a_map_in_use_or_of_the_site(
    site: Site, host: Host, san: fakes.San
) -> None:
    for _ in range(3):
        host = fakes.look(site, host, san)
        steps = plan.steps(site, host).steps
        assert spared(host, steps)
        wanted = [m for m in host.maps if m.wwid in {lun.wwid for lun in site.luns}]
        assert all(live(host, m, ended(steps)) or not live(host, m, set()) for m in wanted)
        host = fakes.carry_out(host, steps, san)


@given(hosts(masked=True), st.sets(st.integers(0, 5)), st.booleans())
@MORE
def test_no_logout_takes_the_last_live_path_of_a_map_in_use(host: Host, chosen: set[int], whole_site: bool) -> None:
    going = [s for i, s in enumerate(host.sessions) if i in chosen]
    share = ending.sessions(host, going, whole=whole_site)
    assert spared(host, share.steps)
    assert not share.steps or not share.refused


@given(hosts(masked=True))
@example(open_map(0, True)(disowned("record", f"sw-iscsi-0 -> {fakes.PORTAL_8} {fakes.HOMER_1}")(whole())))
@MORE
def test_a_teardown_spares_maps_in_use_and_what_is_not_ours(host: Host) -> None:
    share = ending.teardown(host)
    assert spared(host, share.steps)
    ifaces, records = deleted(share.steps)
    ours = set(host.memory.names("record"))
    assert ifaces <= set(host.memory.names("iface"))
    assert records <= ours
    assert {str(p) for p in ended(share.steps)} <= ours
    written = {s.path for s in share.steps if isinstance(s, Write) and s.text is None}
    assert written <= set(host.memory.names("file"))


@given(hosts(masked=True))
@MORE
def test_a_teardown_leaves_nothing_to_tear_down(host: Host) -> None:
    share = ending.teardown(host)
    if share.refused:
        return
    after = fakes.remembered(fakes.carry_out(host, share.steps))
    again = ending.teardown(after)
    assert again.steps == ()
    used = {n.pair.iface for n in after.nodes} | {s.pair.iface for s in after.sessions}
    assert set(after.memory.names("iface")) <= used


@given(sites(), hosts(masked=True), sans(), st.randoms(use_true_random=False))
@MORE
def test_the_order_of_portals_and_luns_does_not_matter(site: Site, host: Host, san: fakes.San, random: object) -> None:
    portals, luns = list(site.portals), list(site.luns)
    random.shuffle(portals)  # type: ignore[attr-defined]
    random.shuffle(luns)  # type: ignore[attr-defined]
    other = replace(site, portals=tuple(portals), luns=tuple(luns))
    one, two = fakes.look(site, host, san), fakes.look(other, host, san)
    assert topology.pairs(site, one).planned == topology.pairs(other, two).planned
    first, second = verdict.of(site, one, plan.steps(site, one)), verdict.of(other, two, plan.steps(other, two))
    assert {lun.wwid: lun for lun in first.luns} == {lun.wwid: lun for lun in second.luns}
    assert {f.code for f in first.findings} == {f.code for f in second.findings}

    def unordered(steps: tuple[Step, ...]) -> set[object]:
        commands = {s.argv for s in steps if isinstance(s, Command) and "discovery" not in s.argv}
        return commands | {s.path for s in steps if isinstance(s, Write)}

    drop_in_differs = [x.wwid for x in site.luns] != [x.wwid for x in other.luns]
    if not drop_in_differs:
        assert unordered(first.drift) == unordered(second.drift)


@given(sites(), hosts(masked=True), sans())
@MORE
def test_steps_stand_in_working_order_with_a_reason_each(site: Site, host: Host, san: fakes.San) -> None:
    made = plan.steps(site, fakes.look(site, host, san))
    order = list(Part)
    ranks = [order.index(s.part) for s in made.steps if s.part is not Part.DISCOVERY or made.complete]
    assert ranks == sorted(ranks)
    assert all(s.why for s in made.steps)
    discoveries = [i for i, s in enumerate(made.steps) if isinstance(s, Command) and "discovery" in s.argv]
    assert discoveries == ([] if made.complete else [len(made.steps) - 1])


@given(sites(), hosts(masked=True), sans())
@MORE
def test_a_verdict_is_healthy_only_without_steps_and_harmful_findings(site: Site, host: Host, san: fakes.San) -> None:
    host = fakes.look(site, host, san)
    made = plan.steps(site, host)
    judged = verdict.of(site, host, made)
    if judged.exit is Exit.OK:
        assert made.steps == ()
        assert all(lun.state == "healthy" for lun in judged.luns if lun.wanted)
        assert not [f for f in judged.findings if f.severity in ("error", "critical")]
    if any(lun.wanted and not lun.usable for lun in judged.luns):
        assert judged.exit >= Exit.DEGRADED


@given(st.lists(GOING_DOWN, max_size=6))
@MORE
def test_what_goes_down_never_lowers_what_is_expected(damages: list[Damage]) -> None:
    site, host = fakes.guide_site(), whole()
    before = {lun.wwid: lun.expected or 0 for lun in topology.luns(site, host, topology.pairs(site, host))}
    for happen in damages:
        host = happen(host)
        seen = fakes.look(site, host)
        for lun in topology.luns(site, seen, topology.pairs(site, seen)):
            assert (lun.expected or 0) >= before[lun.wwid]
            assert len(lun.usable) <= (lun.expected or 0)
