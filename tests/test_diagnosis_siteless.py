"""What is said of a host without a site file, or with one that names no LUN: what the kernel alone proves."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import APPS_A01

from mpio import diagnosis, plan, topology
from mpio.diagnosis.disks import Disks
from mpio.host import Host, Unit
from mpio.memory import Offline
from mpio.plan.shape import INITIATOR_NAME
from mpio.site import Site

HOST = fakes.guide_host()
PLAIN = fakes.guide_site(luns=())
LUN = "hydra_apps-a01"
FIRST = HOST.paths[0]
SESSION = HOST.sessions[0]
PAIR = str(SESSION.pair)


def told(host: Host, seen: Disks | None = None, site: Site | None = None) -> dict[str, list[tuple[str, str]]]:
    made = plan.steps(site, host) if site else None
    judged = topology.luns(site, host, made.pairs if made else None)
    found: dict[str, list[tuple[str, str]]] = {}
    for one in diagnosis.findings(site, host, made, judged, diagnosis.Seen(disks=seen or Disks())):
        found.setdefault(one.code, []).append((one.subject, one.detail))
    return found


def failed(*devs: str) -> Host:
    faulty = (replace(p, dm_state="failed", checker_state="faulty") if p.dev in devs else p for p in HOST.paths)
    return replace(HOST, paths=tuple(faulty))


def of_session(host: Host = HOST, **changes: object) -> Host:
    made = (replace(s, **changes) if s.sid == SESSION.sid else s for s in host.sessions)  # type: ignore[arg-type]
    return replace(host, sessions=tuple(made))


BROKEN = of_session(state="FAILED")
OFF = (Offline("eth1", frozenset({PAIR}), "moe", "2026-11-21T18:00:00+00:00"),)
MINE = tuple(p.dev for p in HOST.paths if p.wwid == APPS_A01)


def test_a_whole_host_is_silent() -> None:
    assert told(HOST) == {}


def test_a_path_that_failed() -> None:
    ((code, [(subject, detail)]),) = told(failed(FIRST.dev)).items()
    assert (code, subject) == ("MP404", f"{FIRST.dev} of {LUN}")
    assert detail.startswith("dm failed, checker faulty, device running over ")


def test_a_map_without_a_usable_path() -> None:
    dead = failed(*MINE)
    dead = replace(dead, maps=tuple(replace(m, queueing="off") for m in dead.maps))
    assert told(dead)["MP401"] == [(LUN, "0 of 4 paths usable")]
    # of a disk that is no iSCSI session's nobody knows whether it works; a map without a disk is MP450
    for slaves in ((*MINE, "sdz"), ()):
        maps = tuple(replace(m, slaves=slaves) if m.wwid == APPS_A01 else m for m in dead.maps)
        assert "MP401" not in told(replace(dead, maps=maps))
    silent = replace(dead, paths=tuple(replace(p, dm_state="") if p.dev in MINE else p for p in dead.paths))
    assert told(silent) == {}


def test_a_session_that_is_not_logged_in() -> None:
    assert told(BROKEN) == {"MP304": [(PAIR, f"session {SESSION.sid} is FAILED")]}
    assert told(replace(BROKEN, offline=OFF)) == {}


@pytest.mark.parametrize("site", [None, PLAIN])
def test_a_session_without_a_disk(site: Site | None) -> None:
    host = replace(HOST, paths=tuple(p for p in HOST.paths if p.sid != SESSION.sid))
    seen = Disks(empty=frozenset({SESSION.sid}))
    assert told(host, seen, site)["MP308"] == [(PAIR, f"session {SESSION.sid} has no disk at all")]
    assert "MP308" not in told(host, None, site)  # it may be that its scan has not ended
    assert "MP308" not in told(replace(host, offline=OFF), seen, site)
    nodes = (replace(n, settings={**n.settings, "node.session.scan": "manual"}) for n in host.nodes)
    assert "MP308" not in told(replace(host, nodes=tuple(nodes)), seen, site)


def test_a_host_that_does_not_use_iscsi_lacks_nothing_of_it() -> None:
    names = ("iscsid.service", "open-iscsi.service", "iscsi.service")
    fibre = tuple(Unit(name, "not-found", "inactive") for name in names)
    stock = tuple(Unit(name, "loaded", "inactive", "disabled") for name in (*names, "multipathd.service"))
    assert told(Host(units=fibre, files={INITIATOR_NAME: None})) == {}
    assert told(Host(units=stock)) == {}
    used = told(Host(units=stock, nodes=HOST.nodes))
    assert {"MP103", "MP104"} <= used.keys()
    assert told(Host(units=fibre, stale_lock=True, blind=("x",))).keys() == {"MP101", "MP109"}
