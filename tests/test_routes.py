"""Routes by source address, for NICs that share a subnet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import fakes
import pytest

from mpio import plan
from mpio.host import Host, Nic, Unit
from mpio.plan import ending, routes
from mpio.plan.shape import ROUTES_UNIT, SYSCTL_DROP_IN
from mpio.routing import Rule, TableRoute
from mpio.site import SiteIface
from mpio.step import Command, Note, Step, Write

SITE = fakes.guide_site(arp="set")
NICS = (fakes.nic("eth1", "10.10.8.20/24"), fakes.nic("eth2", "10.10.8.21/24"))
BARE = fakes.bare_host(nics=NICS)
HOST = fakes.settled(SITE, BARE)[0]
RULES = (Rule("10.10.8.20", 28016, 28016, ours=True), Rule("10.10.8.21", 28017, 28017, ours=True))
ROUTES = (TableRoute("10.10.8.0/24", "eth1", 28016), TableRoute("10.10.8.0/24", "eth2", 28017))
UNIT = "mpio-routes.service"
STOPPED = f"systemctl disable --now {UNIT}"
AGAIN = ["systemctl daemon-reload", f"systemctl restart {UNIT}"]


def commands(steps: Iterable[Step]) -> list[str]:
    return [" ".join(s.argv) for s in steps if isinstance(s, Command) and (s.argv[0] == "ip" or UNIT in s.argv[-1])]


def planned(host: Host, site: object = SITE) -> list[str]:
    """Every step of this part, in words."""
    share = routes.configured(site, host)  # type: ignore[arg-type]
    return [" ".join(s.argv) if isinstance(s, Command) else f"write {s.path}" for s in share.steps]


def with_nic(host: Host, name: str, **changes: object) -> Host:
    return replace(host, nics=tuple(replace(n, **changes) if n.name == name else n for n in host.nics))  # type: ignore[arg-type]


def test_two_nics_in_a_subnet_are_refused_without_arp_set() -> None:
    made = plan.steps(fakes.guide_site(), BARE)
    assert [(f.code, f.subject, f.detail) for f in made.refused] == [("MP207", "eth1 and eth2", "10.10.8.0/24")]
    assert ROUTES_UNIT not in {s.path for s in made.steps if isinstance(s, Write)}
    assert plan.steps(SITE, BARE).refused == ()


def test_each_address_gets_a_rule_and_each_nic_a_table() -> None:
    assert routes.wanted(SITE, BARE) == (RULES, ROUTES)
    assert (HOST.rules, HOST.routes) == (RULES, ROUTES)
    assert HOST.unit(UNIT) == Unit(UNIT, "loaded", "active", "enabled")
    assert plan.steps(SITE, fakes.look(SITE, HOST)).steps == ()


def test_what_is_done_about_it() -> None:
    steps = plan.steps(SITE, fakes.look(SITE, BARE)).steps
    assert commands(steps) == ["ip neigh flush dev eth1", "ip neigh flush dev eth2", f"systemctl enable --now {UNIT}"]
    write = next(s for s in steps if isinstance(s, Write) and s.path == ROUTES_UNIT)
    assert write.notes == (Note("file", ROUTES_UNIT),)
    assert write.why.startswith("eth1 and eth2 share 10.10.8.0/24")
    text = (write.text or "").splitlines()
    assert [line for line in text if line.startswith("Exec")] == [
        "ExecStart=-ip -4 route replace 10.10.8.0/24 dev eth1 table 28016 protocol 109",
        "ExecStart=-ip -4 route replace 10.10.8.0/24 dev eth2 table 28017 protocol 109",
        "ExecStart=-ip -4 rule add priority 28016 from 10.10.8.20 lookup 28016 protocol 109",
        "ExecStart=-ip -4 rule add priority 28017 from 10.10.8.21 lookup 28017 protocol 109",
        "ExecStop=-ip -4 rule del priority 28016 from 10.10.8.20 lookup 28016 protocol 109",
        "ExecStop=-ip -4 rule del priority 28017 from 10.10.8.21 lookup 28017 protocol 109",
        "ExecStop=-ip -4 route del 10.10.8.0/24 dev eth1 table 28016 protocol 109",
        "ExecStop=-ip -4 route del 10.10.8.0/24 dev eth2 table 28017 protocol 109",
    ]
    assert "Before=iscsid.service open-iscsi.service iscsi.service" in text
    assert "After=ifup@eth1.service ifup@eth2.service" in text
    note = next(s.notes for s in steps if isinstance(s, Command) and s.argv[-1] == UNIT)
    assert note == (Note("unit", UNIT),)


def test_neighbours_are_asked_anew_only_where_arp_changed() -> None:
    one = with_nic(with_nic(BARE, "eth1", arp_ignore=1, arp_announce=2), "eth2", arp_ignore=1)
    assert commands(plan.steps(SITE, one).steps)[:-1] == ["ip neigh flush dev eth2"]


def test_subnets_apart_need_nothing() -> None:
    apart = fakes.bare_host()
    assert routes.wanted(SITE, apart) == ((), ())
    assert planned(apart) == []
    assert "ip" not in {s.argv[0] for s in plan.steps(fakes.guide_site(), apart).steps if isinstance(s, Command)}


def test_only_the_shared_subnets_count_and_ipv6_is_one_of_them() -> None:
    nics = (
        fakes.nic("eth1", "10.10.8.20/24", "fd00:8::20/64"),
        fakes.nic("eth2", "10.10.9.21/24", "fd00:8::21/64", "fd00:8::22/64"),
    )
    host = fakes.bare_host(nics=nics)
    assert routes.wanted(SITE, host) == (
        (
            Rule("fd00:8::20", 28016, 28016, ours=True),
            Rule("fd00:8::21", 28017, 28017, ours=True),
            Rule("fd00:8::22", 28017, 28017, ours=True),
        ),
        (TableRoute("fd00:8::/64", "eth1", 28016), TableRoute("fd00:8::/64", "eth2", 28017)),
    )
    text = routes.render(*routes.wanted(SITE, host))
    assert "ExecStart=-ip -6 rule add priority 28017 from fd00:8::22 lookup 28017 protocol 109\n" in text
    assert "-4" not in text


def test_numbers_go_round_what_others_use() -> None:
    foreign = (Rule("all", 254, 32766), Rule("all", 28016, 999), Rule("192.0.2.0/24", 7, 28018))
    host = replace(BARE, rules=(*foreign, *RULES), named_tables=frozenset({28019, 255}))
    assert routes.numbers(SITE, host) == {"eth1": 28017, "eth2": 28020}
    assert routes.numbers(SITE, replace(BARE, rules=RULES)) == {"eth1": 28016, "eth2": 28017}


def test_a_number_that_somebody_else_took_is_left_to_them() -> None:
    taken = replace(HOST, rules=(*HOST.rules, Rule("192.0.2.1", 28016, 999)))
    assert planned(taken) == [
        f"systemctl stop {UNIT}", f"write {ROUTES_UNIT}", "systemctl daemon-reload", f"systemctl restart {UNIT}",
    ]  # fmt: skip
    host, made = fakes.settled(SITE, taken)
    assert made.steps == ()
    assert {(r.source, r.table) for r in host.rules} == {
        ("192.0.2.1", 28016), ("10.10.8.20", 28017), ("10.10.8.21", 28018),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (replace(HOST, rules=HOST.rules[1:]), "not in force: the rule from 10.10.8.20"),
        (replace(HOST, routes=HOST.routes[:1]), "not in force: the route to 10.10.8.0/24 through eth2"),
    ],
)
def test_what_was_taken_away_is_drift_and_comes_back(lost: Host, said: str) -> None:
    steps = plan.steps(SITE, fakes.look(SITE, lost)).steps
    assert [(" ".join(s.argv), s.why) for s in steps if isinstance(s, Command)] == [(again, said) for again in AGAIN]
    back, made = fakes.settled(SITE, lost)
    assert made.steps == ()
    assert (set(back.rules), set(back.routes)) == (set(RULES), set(ROUTES))


def test_the_unit_itself_is_looked_after() -> None:
    others = tuple(u for u in HOST.units if u.name != UNIT)
    off = replace(HOST, units=(*others, Unit(UNIT, "loaded", "active", "disabled")))
    assert planned(off) == [f"systemctl enable --now {UNIT}"]
    stopped = replace(HOST, units=(*others, Unit(UNIT, "loaded", "inactive", "enabled")))
    assert planned(stopped) == AGAIN
    changed = replace(HOST, files={**HOST.files, ROUTES_UNIT: "[Unit]\n"})
    assert planned(changed) == [f"systemctl stop {UNIT}", f"write {ROUTES_UNIT}", *AGAIN]


def test_a_nic_that_is_down_lacks_no_route() -> None:
    down = with_nic(replace(HOST, routes=HOST.routes[:1]), "eth2", carrier=None)
    assert planned(down) == []
    no_carrier = with_nic(replace(HOST, routes=HOST.routes[:1]), "eth2", carrier=False)
    assert planned(no_carrier) == AGAIN


def gone(host: Host) -> Host:
    return replace(host, nics=host.nics[:1])


def bare(host: Host) -> Host:
    return with_nic(host, "eth2", addresses=())


@pytest.mark.parametrize("lost", [gone(HOST), bare(HOST)])
def test_a_nic_without_an_address_says_nothing_of_what_is_wanted(lost: Host) -> None:
    assert planned(lost) == []


def test_what_has_our_mark_and_is_not_wanted_goes() -> None:
    stray = Rule("10.10.8.99", 28017, 28017, ours=True)
    foreign = Rule("10.10.8.98", 28030, 28030)
    old = TableRoute("10.10.7.0/24", "eth2", 28017)
    host = replace(HOST, rules=(*HOST.rules, stray, foreign), routes=(*HOST.routes, old))
    assert planned(host) == [
        "ip -4 rule del priority 28017 from 10.10.8.99 lookup 28017 protocol 109",
        "ip -4 route del 10.10.7.0/24 dev eth2 table 28017 protocol 109",
    ]


def test_what_is_not_wanted_any_more_is_taken_back() -> None:
    away = [STOPPED, f"write {ROUTES_UNIT}", "systemctl daemon-reload"]
    apart = with_nic(HOST, "eth2", addresses=("10.10.9.21/24",))
    assert planned(apart) == away
    assert planned(HOST, fakes.guide_site()) == away
    host, made = fakes.settled(fakes.guide_site(), apart)
    assert made.steps == ()
    assert (host.rules, host.routes, host.files[ROUTES_UNIT]) == ((), (), None)
    assert [(n.arp_ignore, n.arp_announce) for n in host.nics] == [(0, 0), (0, 0)]
    assert "arp" not in (host.files[SYSCTL_DROP_IN] or "")
    # and what was given back is not ours to give back again
    theirs = with_nic(host, "eth1", arp_ignore=1)
    path = "/proc/sys/net/ipv4/conf/eth1/arp_ignore"
    theirs = replace(theirs, files={**theirs.files, path: "1\n"})
    assert plan.steps(fakes.guide_site(), fakes.look(fakes.guide_site(), theirs)).steps == ()


def test_without_its_unit_each_goes_by_itself() -> None:
    left = replace(HOST, files={**HOST.files, ROUTES_UNIT: None}, units=HOST.units[:-1])
    assert planned(left, fakes.guide_site()) == [
        "ip -4 rule del priority 28016 from 10.10.8.20 lookup 28016 protocol 109",
        "ip -4 rule del priority 28017 from 10.10.8.21 lookup 28017 protocol 109",
        "ip -4 route del 10.10.8.0/24 dev eth1 table 28016 protocol 109",
        "ip -4 route del 10.10.8.0/24 dev eth2 table 28017 protocol 109",
    ]


def test_teardown_leaves_no_rule_no_route_and_no_unit() -> None:
    after = fakes.carry_out(HOST, ending.teardown(HOST).steps)
    assert (after.rules, after.routes, after.files[ROUTES_UNIT]) == ((), (), None)
    assert after.unit(UNIT) == Unit(UNIT, "loaded", "inactive", "disabled")
    steps = [" ".join(s.argv) for s in ending.teardown(HOST).steps if isinstance(s, Command)]
    assert [s for s in steps if UNIT in s] == [STOPPED]
    assert [(n.arp_ignore, n.arp_announce, n.rp_filter_own) for n in after.nics] == [(0, 0, 0), (0, 0, 0)]


def test_an_odd_name_of_a_nic_survives_systemd() -> None:
    site = fakes.guide_site(arp="set", ifaces=(SiteIface("a", "we%i$rd;"), SiteIface("b", "eth2")))
    nics = (Nic("we%i$rd;", addresses=("10.10.8.20/24",), carrier=True), NICS[1])
    text = routes.render(*routes.wanted(site, fakes.bare_host(nics=nics)))
    assert 'route replace 10.10.8.0/24 dev "we%%i$$rd;" table 28016' in text
    assert "After=ifup@eth2.service\n" in text
