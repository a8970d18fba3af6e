from __future__ import annotations

from dataclasses import replace

import fakes
import pytest

from mpio import plan, verdict
from mpio.errors import Exit
from mpio.findings import finding
from mpio.host import Host, Unit
from mpio.plan import ending
from mpio.site import Site, SiteLun
from mpio.verdict import Verdict

SITE = fakes.guide_site()
HOST = fakes.guide_host()
LOGGED_OUT = fakes.carry_out(HOST, ending.sessions(HOST, HOST.sessions[:1]).steps)


def of(host: Host, site: Site = SITE) -> Verdict:
    return verdict.of(site, host, plan.steps(site, host))


def test_a_whole_host_is_healthy() -> None:
    judged = of(HOST)
    assert (judged.exit, judged.word, judged.drift, judged.findings) == (Exit.OK, "healthy", (), ())
    assert [lun.state.value for lun in judged.luns] == ["healthy"] * 4


def nics(**changes: object) -> Host:
    return replace(HOST, nics=tuple(replace(n, **changes) for n in HOST.nics))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "code", "word"),
    [
        (nics(rp_filter_own=0, rp_filter=0), Exit.DIFFERS, "differs"),
        (replace(HOST, registered=frozenset()), Exit.DIFFERS, "differs"),
        (replace(HOST, paths=HOST.paths[1:]), Exit.DEGRADED, "degraded"),
        (LOGGED_OUT, Exit.DEGRADED, "degraded"),
        (nics(carrier=False), Exit.DEGRADED, "degraded"),
        (replace(HOST, paths=(), maps=()), Exit.FAILED, "failed"),
        (replace(HOST, maps=HOST.maps[1:], paths=HOST.paths[1:]), Exit.FAILED, "failed"),
        (fakes.bare_host(), Exit.FAILED, "failed"),
    ],
    ids=["drift", "unregistered", "a path", "a session", "no link", "no paths", "a map", "bare"],
)
def test_the_highest_wins(host: Host, code: Exit, word: str) -> None:
    if code is Exit.FAILED and host.maps:
        host = replace(host, paths=tuple(p for p in host.paths if p.wwid != fakes.APPS_A01))
    judged = of(host)
    assert (judged.exit, judged.word) == (code, word)


def test_multipathd_down_is_an_error_and_luns_are_judged_all_the_same() -> None:
    units = tuple(Unit(u.name, u.load, "inactive", u.enabled) if u.name[:3] == "mul" else u for u in HOST.units)
    judged = of(replace(HOST, units=units))
    assert judged.exit is Exit.DEGRADED
    assert {f.code for f in judged.findings} == {"MP104"}
    assert {lun.state.value for lun in judged.luns} == {"healthy"}


def test_a_lun_of_nobody_does_not_count_but_its_map_does() -> None:
    site = fakes.guide_site(luns=SITE.luns[1:])
    host = fakes.guide_host(site)
    broken = tuple(replace(p, dm_state="failed") if p.wwid == fakes.APPS_A01 else p for p in host.paths)
    assert of(replace(host, paths=broken), site).exit is Exit.OK
    mapped = replace(HOST, files=host.files, effective=host.effective, paths=HOST.paths[1:])
    assert of(mapped, site).exit is Exit.DEGRADED


def test_an_info_changes_nothing() -> None:
    site = fakes.guide_site(luns=())
    host = fakes.guide_host(site)
    judged = of(host, site)
    assert {f.code for f in judged.findings} == {"MP411"}
    assert judged.exit is Exit.OK


def test_what_an_apply_met_counts_too() -> None:
    also = (finding("MP301", "x"),)
    judged = verdict.of(SITE, HOST, plan.steps(SITE, HOST), also)
    assert (judged.exit, judged.findings) == (Exit.DEGRADED, also)


def test_a_site_may_expect_fewer_paths() -> None:
    site = fakes.guide_site(luns=tuple(SiteLun(x.wwid, x.alias, x.keywords, 3) for x in SITE.luns))
    judged = of(replace(HOST, paths=HOST.paths[4:], sessions=HOST.sessions[1:]), site)
    assert {lun.state.value for lun in judged.luns} == {"healthy"}
    assert judged.exit is Exit.DIFFERS
