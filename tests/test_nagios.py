from __future__ import annotations

from dataclasses import replace

import fakes
import pytest

from mpio import nagios, plan, verdict
from mpio.errors import Exit, MpioError, SiteError
from mpio.findings import finding
from mpio.host import Host
from mpio.site import Site, SiteLun

SITE = fakes.guide_site()
HOST = fakes.guide_host()


def line(host: Host, site: Site = SITE) -> str:
    judged = verdict.of(site, host, plan.steps(site, host))
    return nagios.line(judged.exit, judged.luns, nagios.worst(judged.findings), len(judged.drift))


def test_a_whole_host() -> None:
    assert line(HOST) == (
        "MPIO OK - 4 LUNs: 4 healthy | 'hydra_apps-a01'=4;4:;1:;0;4 'hydra_db-a01'=4;4:;1:;0;4"
        " 'hydra_db-a02'=4;4:;1:;0;4 'hydra_db-a03'=4;4:;1:;0;4 drift=0;0"
    )


def test_a_lost_path() -> None:
    host = replace(HOST, paths=HOST.paths[1:])
    assert line(host) == (
        "MPIO WARNING - 4 LUNs: 3 healthy, 1 degraded; 1 steps of drift; hydra_apps-a01 has fewer paths than expected"
        " | 'hydra_apps-a01'=3;4:;1:;0;4 'hydra_db-a01'=4;4:;1:;0;4 'hydra_db-a02'=4;4:;1:;0;4"
        " 'hydra_db-a03'=4;4:;1:;0;4 drift=1;0"
    )


def test_all_lost() -> None:
    said = line(fakes.bare_host())
    assert said.startswith("MPIO CRITICAL - 4 LUNs: 4 failed; ")
    assert "; 3 more findings | " in said


def test_without_a_lun() -> None:
    assert line(fakes.bare_host(), fakes.guide_site(luns=())).startswith("MPIO WARNING - no LUN in the site; ")


def test_a_label_may_not_hold_an_equals_sign() -> None:
    """An alias may (contract 2), a label may not."""
    site = fakes.guide_site(luns=(SiteLun(fakes.APPS_A01, "a=b"),))
    assert "'a_b'=4;4:" in line(fakes.guide_host(site), site)


@pytest.mark.parametrize(("verdict_", "code"), [(Exit.OK, 0), (Exit.DIFFERS, 1), (Exit.DEGRADED, 1), (Exit.FAILED, 2)])
def test_codes_as_nagios_defines(verdict_: Exit, code: int) -> None:
    assert nagios.code(verdict_) == code


def test_only_what_is_bad_is_said() -> None:
    assert nagios.worst([finding("MP411", "a"), finding("MP305", "b"), finding("MP103", "c")]) == (
        "iscsid does not run",
    )


def test_an_error_is_unknown() -> None:
    assert nagios.unknown(MpioError("a|b\nc")) == "MPIO UNKNOWN - a/b"
    assert nagios.unknown(SiteError("/x", ("one", "two"))) == "MPIO UNKNOWN - /x: 2 mistakes: one"


def test_a_host_without_any_session_is_critical_at_once() -> None:
    said = nagios.without_sessions(("a=b", "c"))
    assert said == "MPIO CRITICAL - 2 LUNs: 2 failed; there is no iSCSI session | 'a_b'=0;;1:;0; 'c'=0;;1:;0;"
