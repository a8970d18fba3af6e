"""The views of `stat` as values, and in words: tables, and lines that a shell can read."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from fakes import HOMER_1, HOMER_2, PORTAL_8, PORTAL_9

from mpio import stat, statwords, topology
from mpio.errors import UsageError
from mpio.host import Answer, Host, Iface, Nic, Pair, Portal, Session
from mpio.memory import Offline
from mpio.site import Site
from mpio.stat import FIELDS, Interfaces, Row, Rtt, Seen, View

SITE = fakes.guide_site()
HOST = fakes.guide_host()
BOTH = ("sw-iscsi-0", "sw-iscsi-1")
LUNS = tuple(fakes.ALIASES.values())


def seen(host: Host = HOST, site: Site | None = SITE) -> Seen:
    plan = topology.pairs(site, host) if site else None
    return Seen(host, topology.luns(site, host, plan), plan, site)


def rows(view: View, host: Host = HOST, site: Site | None = SITE) -> tuple[Row, ...]:
    return stat.rows(view, seen(host, site))


def row(view: View, name: object, host: Host = HOST, site: Site | None = SITE) -> Row:
    first = FIELDS[view][0]
    return next(r for r in rows(view, host, site) if r[first] == name)


def without_link(*, since_long: bool) -> Host:
    """eth2 has lost its carrier: at once nobody else knows, later its sessions have failed and their paths too."""
    nics = (HOST.nics[0], replace(HOST.nics[1], carrier=False))
    if not since_long:
        return replace(HOST, nics=nics)
    dead = {s.sid for s in HOST.sessions if s.nic == "eth2"}
    return replace(
        HOST,
        nics=nics,
        sessions=tuple(replace(s, state="FREE") if s.sid in dead else s for s in HOST.sessions),
        paths=tuple(replace(p, dm_state="failed") if p.sid in dead else p for p in HOST.paths),
    )


def logged_out(pair: Pair) -> Host:
    gone = {s.sid for s in HOST.sessions if s.pair == pair}
    assert gone
    return replace(
        HOST,
        sessions=tuple(s for s in HOST.sessions if s.sid not in gone),
        paths=tuple(p for p in HOST.paths if p.sid not in gone),
    )


def silent(portal: Portal) -> Host:
    """The portal says nothing since long."""
    dead = {s.sid for s in HOST.sessions if s.pair.portal == portal}
    return replace(
        HOST,
        sessions=tuple(replace(s, state="FAILED") if s.sid in dead else s for s in HOST.sessions),
        paths=tuple(replace(p, dm_state="failed") if p.sid in dead else p for p in HOST.paths),
        probes={(iface, portal): Answer.SILENT for iface in BOTH},
    )


OUT = Pair("sw-iscsi-1", PORTAL_9, HOMER_2)


def test_each_view_has_its_fields() -> None:
    for view in View:
        if view is not View.PROBE:
            assert {tuple(r) for r in rows(view)} == {FIELDS[view]}


def test_the_page_names_every_field() -> None:
    page = (Path(__file__).parent.parent / "docs/stat.md").read_text(encoding="utf-8")
    assert not [f for own in FIELDS.values() for f in own if f.upper() not in page]


# -- groups --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", [SITE, None])
def test_groups(site: Site | None) -> None:
    assert [r["group"] for r in rows(View.GROUP, site=site)] == list(LUNS)
    assert rows(View.GROUP, site=site)[0] == {
        "group": "hydra_apps-a01",
        "groupname": "dm-0",
        "state": "ok",
        "fdt": 23.5,
        "interfaces": Interfaces(BOTH, (), ()),
    }


@pytest.mark.parametrize("site", [SITE, None])
def test_groups_without_a_link(site: Site | None) -> None:
    said = row(View.GROUP, LUNS[0], without_link(since_long=True), site)
    assert (said["state"], said["interfaces"]) == ("degraded", Interfaces(BOTH[:1], (), BOTH[1:]))


def test_groups_that_wait() -> None:
    """A path group for each target, one in use: an iface that is in the other only could, and does not."""
    of_one = [s.sid for s in HOST.sessions if s.pair in (Pair(BOTH[0], PORTAL_8, HOMER_1), OUT)]
    used = next(s.sid for s in HOST.sessions if s.pair.iface == BOTH[0] and s.sid in of_one)
    paths = tuple(
        replace(p, group_state="active" if p.sid == used else "enabled") for p in HOST.paths if p.sid in of_one
    )
    host = replace(HOST, paths=paths, sessions=tuple(s for s in HOST.sessions if s.sid in of_one))
    assert row(View.GROUP, LUNS[0], host)["interfaces"] == Interfaces(BOTH[:1], BOTH[1:], ())
    waits = row(View.INTERFACE, BOTH[1], host)
    assert (waits["active"], waits["flags"]) == (False, "i------")
    assert row(View.ADDRESS, PORTAL_9, host)["inbound"] == BOTH[1:]
    assert row(View.ADDRESS, PORTAL_9, host)["outbound"] == ()


def test_groups_that_are_gone() -> None:
    said = row(View.GROUP, LUNS[0], fakes.bare_host())
    assert said == {
        "group": LUNS[0],
        "groupname": None,
        "state": "failed",
        "fdt": None,
        "interfaces": Interfaces((), (), ()),
    }


# -- interfaces ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", [SITE, None])
def test_interfaces(site: Site | None) -> None:
    for name in BOTH:
        assert row(View.INTERFACE, name, site=site) == {
            "interface": name,
            "active": True,
            "group": LUNS,
            "flags": "-------",
            "link": "up",
            "probe": "ok",
            "state": "ok",
        }


@pytest.mark.parametrize("since_long", [False, True])
def test_a_link_that_is_down(since_long: bool) -> None:
    said = row(View.INTERFACE, BOTH[1], without_link(since_long=since_long))
    assert (said["link"], said["probe"], said["state"]) == ("down", "disabled", "failed")
    assert (said["active"], said["flags"]) == (not since_long, "-------")
    assert row(View.INTERFACE, BOTH[0], without_link(since_long=since_long))["state"] == "ok"


@pytest.mark.parametrize("nics", [HOST.nics[:1], (HOST.nics[0], replace(HOST.nics[1], carrier=None))])
def test_a_nic_that_is_down_or_gone(nics: tuple[Nic, ...]) -> None:
    said = row(View.INTERFACE, BOTH[1], replace(HOST, nics=nics))
    assert (said["flags"], said["link"], said["state"]) == ("-----d-", "down", "failed")


def test_a_portal_that_is_silent() -> None:
    host = silent(PORTAL_9)
    for name in BOTH:
        said = row(View.INTERFACE, name, host)
        assert (said["active"], said["link"], said["probe"], said["state"]) == (True, "up", "ok", "degraded")
    assert [t[2] for t in stat.to_probe(seen(host))] == [PORTAL_9, PORTAL_9]


def test_no_portal_answers() -> None:
    host = replace(silent(PORTAL_9), probes={(i, p): Answer.REFUSED for i in BOTH for p in (PORTAL_8, PORTAL_9)})
    host = replace(host, sessions=tuple(replace(s, state="FAILED") for s in host.sessions))
    said = row(View.INTERFACE, BOTH[0], host)
    assert (said["link"], said["probe"], said["state"]) == ("up", "failed", "failed")


def test_a_session_that_is_logged_out() -> None:
    host = replace(logged_out(OUT), probes={(OUT.iface, OUT.portal): Answer.ANSWERED})
    assert stat.to_probe(seen(logged_out(OUT))) == ((OUT.iface, "eth2", OUT.portal),)
    said = row(View.INTERFACE, OUT.iface, host)
    assert (said["active"], said["probe"], said["state"]) == (True, "ok", "degraded")
    assert row(View.INTERFACE, BOTH[0], host)["state"] == "ok"


def test_nobody_could_ask() -> None:
    host = replace(HOST, sessions=(), paths=())
    said = row(View.INTERFACE, BOTH[0], host)
    assert (said["link"], said["probe"], said["state"]) == ("up", "unknown", "unknown")


def test_an_iface_that_is_offline() -> None:
    pairs = frozenset(str(s.pair) for s in HOST.sessions if s.pair.iface == BOTH[1])
    host = replace(HOST, offline=(Offline("eth2", pairs, "root", "2026-01-01T00:00:00+00:00"),))
    said = row(View.INTERFACE, BOTH[1], host)
    assert (said["link"], said["probe"], said["state"]) == ("up", "disabled", "offline")
    assert row(View.TARGET, BOTH[1], host)["mode"] == "disabled"
    assert {way[0] for way in stat.every_probe(seen(host))} == {BOTH[0]}


def test_an_iface_without_a_nic() -> None:
    session = Session(9, 9, Pair("default", PORTAL_8, HOMER_1), "", 2, "LOGGED_IN", 10, 5, 5)
    said = row(View.INTERFACE, "default", replace(HOST, sessions=(*HOST.sessions, session)))
    assert (said["link"], said["probe"], said["state"]) == ("unknown", "ok", "ok")


def test_a_session_without_no_ops_proves_nothing() -> None:
    host = replace(HOST, sessions=tuple(replace(s, noop_interval=0) for s in HOST.sessions))
    assert len(stat.to_probe(seen(host))) == 4
    assert {r["mode"] for r in rows(View.TARGET, host)} == {"connect"}


# -- addresses and targets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", [SITE, None])
def test_addresses(site: Site | None) -> None:
    assert rows(View.ADDRESS, site=site) == tuple(
        {"address": p, "state": "up", "group": LUNS, "inbound": BOTH, "outbound": BOTH} for p in (PORTAL_8, PORTAL_9)
    )


def test_the_address_of_a_silent_portal() -> None:
    assert row(View.ADDRESS, PORTAL_9, silent(PORTAL_9)) == {
        "address": PORTAL_9,
        "state": "down",
        "group": LUNS,
        "inbound": (),
        "outbound": (),
    }


def test_targets() -> None:
    assert rows(View.TARGET) == tuple(
        {"interface": name, "mode": "noop", "testaddr": (own,), "targets": (PORTAL_8, PORTAL_9)}
        for name, own in zip(BOTH, ("10.10.8.14", "10.10.9.14"), strict=True)
    )
    split = rows(View.TARGET, logged_out(OUT))
    assert [(r["interface"], r["mode"], r["targets"]) for r in split] == [
        (BOTH[0], "noop", (PORTAL_8, PORTAL_9)),
        (BOTH[1], "noop", (PORTAL_8,)),
        (BOTH[1], "connect", (PORTAL_9,)),
    ]


def test_each_ip_version_has_its_test_address() -> None:
    six = Portal("fd00::90")
    nic = replace(HOST.nics[0], addresses=(*HOST.nics[0].addresses, "fd00::14/64"))
    session = Session(9, 9, Pair(BOTH[0], six, HOMER_1), "eth1", 2, "LOGGED_IN", 10, 5, 5)
    host = replace(HOST, nics=(nic, HOST.nics[1]), sessions=(*HOST.sessions, session))
    own = [r for r in rows(View.TARGET, host) if r["interface"] == BOTH[0]]
    assert [(r["testaddr"], r["targets"]) for r in own] == [
        (("10.10.8.14",), (PORTAL_8, PORTAL_9)),
        (("fd00::14",), (six,)),
    ]


def test_an_iface_with_nothing_to_probe() -> None:
    host = replace(fakes.bare_host(), ifaces=(Iface("sw-iscsi-0", "eth1"),))
    assert rows(View.TARGET, host, None) == (
        {"interface": "sw-iscsi-0", "mode": "disabled", "testaddr": (), "targets": ()},
    )


# -- probes --------------------------------------------------------------------------------------------------------


def test_the_ifaces_take_turns() -> None:
    assert stat.every_probe(seen()) == (
        (BOTH[0], "eth1", PORTAL_8),
        (BOTH[1], "eth2", PORTAL_8),
        (BOTH[0], "eth1", PORTAL_9),
        (BOTH[1], "eth2", PORTAL_9),
    )
    assert stat.every_probe(seen(fakes.bare_host(), None)) == ()


def test_round_trips_are_smoothed_in_eighths() -> None:
    first = stat.smoothed(None, 0.008)
    assert first == Rtt(0.008, 0.004)
    assert stat.smoothed(first, None) == first
    assert stat.smoothed(None, None) is None
    second = stat.smoothed(first, 0.016)
    assert second is not None
    assert (second.average, second.deviation) == pytest.approx((0.009, 0.005))


# -- words ---------------------------------------------------------------------------------------------------------


def test_fields() -> None:
    assert statwords.fields(View.GROUP, "", False) == FIELDS[View.GROUP]
    assert statwords.fields(View.GROUP, "ALL", False) == FIELDS[View.GROUP]
    assert statwords.fields(View.GROUP, "FDT,group", True) == ("fdt", "group")
    assert statwords.fields(View.PROBE, "", False) == FIELDS[View.PROBE][:-1]
    assert statwords.fields(View.PROBE, "all", False)[-1] == "answer"


@pytest.mark.parametrize("said", ["", "all", "All"])
def test_parseable_needs_its_fields(said: str) -> None:
    with pytest.raises(UsageError) as refused:
        statwords.fields(View.INTERFACE, said, True)
    assert "INTERFACE,ACTIVE,GROUP" in refused.value.hint


@pytest.mark.parametrize("said", ["groups", "group,", ",", "link"])
def test_a_field_that_the_view_has_not(said: str) -> None:
    with pytest.raises(UsageError) as refused:
        statwords.fields(View.GROUP, said, False)
    assert "GROUP" in refused.value.hint


def test_a_table() -> None:
    made = rows(View.GROUP, without_link(since_long=True))
    lines = statwords.table(FIELDS[View.GROUP], made, {})
    assert lines[:2] == [
        "GROUP           GROUPNAME  STATE     FDT     INTERFACES",
        "hydra_apps-a01  dm-0       degraded  23.50s  sw-iscsi-0 [sw-iscsi-1]",
    ]
    assert statwords.table(("fdt",), [{"fdt": None}], {}) == ["FDT", "--"]


def test_interfaces_in_words() -> None:
    assert statwords.text(Interfaces(("a",), ("b", "c"), ("d",)), "interfaces", {}) == "a (b c) [d]"
    assert statwords.text(Interfaces((), (), ("d",)), "interfaces", {}) == "[d]"


def test_a_long_list_is_cut_for_people_only() -> None:
    many = {"group": tuple(f"lun{i}" for i in range(64))}
    assert statwords.table(("group",), [many], {})[1] == "lun0 lun1 lun2 and 61 more"
    assert statwords.parseable(("group",), many, {}).count(" ") == 63


def test_names_stand_for_addresses() -> None:
    named = {"10.10.8.90": "homer", "10.10.8.14": "prague"}
    said: Row = {"testaddr": ("10.10.8.14",), "targets": (PORTAL_8, Portal("10.10.8.90", 3261), PORTAL_9)}
    assert statwords.table(("testaddr", "targets"), [said], named)[1] == "prague    homer homer:3261 10.10.9.90"
    assert statwords.addresses([said]) == {"10.10.8.14", "10.10.8.90", "10.10.9.90"}


def test_a_shell_reads_what_is_parseable() -> None:
    """Colons and backslashes come through `read`, which takes the backslashes away again."""
    said: Row = {"address": Portal("fd00::90", 3261), "group": ("a\\b", "c:d"), "state": None}
    line = statwords.parseable(("address", "state", "group"), said, {})
    assert line == r"[fd00\:\:90]\:3261::a\\b c\:d"
    script = 'while IFS=: read a s g; do printf "%s\\n" "$a" "$s" "$g"; done'
    read = subprocess.run(["sh", "-c", script], input=line + "\n", capture_output=True, text=True, check=True)
    assert read.stdout.splitlines() == ["[fd00::90]:3261", "", "a\\b c:d"]
    assert statwords.parseable(("address",), said, {}) == "[fd00::90]:3261"


def test_a_line_of_the_stream() -> None:
    one: Row = {
        "time": 1.154,
        "interface": "sw-iscsi-0",
        "probe": 3,
        "netrtt": 0.00061,
        "rtt": None,
        "rttavg": 0.0011,
        "rttdev": 0.00055,
        "target": PORTAL_8,
        "answer": "answered",
    }
    chosen = statwords.fields(View.PROBE, "", False)
    heads, line = statwords.line(chosen, None, {}), statwords.line(chosen, one, {})
    assert heads.split() == ["TIME", "INTERFACE", "PROBE", "NETRTT", "RTT", "RTTAVG", "RTTDEV", "TARGET"]
    assert line.split() == ["1.15s", "sw-iscsi-0", "3", "0.61ms", "--", "1.10ms", "0.55ms", "10.10.8.90"]
    assert line.index("10.10.8.90") == heads.index("TARGET")


def test_json() -> None:
    said = [statwords.json(r, FIELDS[v]) for v in View if v is not View.PROBE for r in rows(v)]
    assert json.loads(json.dumps(said))[0] == {
        "group": "hydra_apps-a01",
        "groupname": "dm-0",
        "state": "ok",
        "fdt": 23.5,
        "interfaces": {"active": list(BOTH), "inactive": [], "unusable": []},
    }
    assert statwords.json(rows(View.ADDRESS)[0], ("address",)) == {"address": "10.10.8.90:3260"}
