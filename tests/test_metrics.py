from __future__ import annotations

from dataclasses import replace

import fakes
import pytest

from mpio import metrics, serve, topology
from mpio.host import Answer, Host
from mpio.metrics import Sample
from mpio.site import Site

SITE = fakes.guide_site()
HOST = fakes.guide_host()
# contract 7, as far as it is not watch's
LABELS = {
    "mpio_lun_paths_expected": {"wwid", "alias"},
    "mpio_lun_paths_usable": {"wwid", "alias"},
    "mpio_lun_state": {"wwid", "alias"},
    "mpio_failover_budget_seconds": {"wwid", "alias", "kind"},
    "mpio_path_up": {"wwid", "alias", "dev", "iface", "portal", "target"},
    "mpio_session_up": {"iface", "portal", "target"},
    "mpio_session_recovery_timeout_seconds": {"iface", "portal", "target"},
    "mpio_iface_carrier": {"iface", "nic"},
    "mpio_portal_reachable": {"iface", "portal"},
    "mpio_last_observation_timestamp_seconds": set(),
}


def samples(host: Host, site: Site | None = SITE) -> list[Sample]:
    luns = topology.luns(site, host, topology.pairs(site, host) if site else None)
    return list(metrics.samples(host, luns, 1234.5))


def values(host: Host, name: str) -> list[float]:
    return [s.value for s in samples(host) if s.name == name]


def test_names_and_labels_are_the_contracts() -> None:
    assert {s.name: {name for name, _ in s.labels} for s in samples(HOST)} == LABELS


def test_a_whole_host() -> None:
    assert values(HOST, "mpio_lun_paths_expected") == [4] * 4
    assert values(HOST, "mpio_lun_paths_usable") == [4] * 4
    assert values(HOST, "mpio_lun_state") == [0] * 4
    assert values(HOST, "mpio_path_up") == [1] * 16
    assert values(HOST, "mpio_session_up") == [1] * 4
    assert values(HOST, "mpio_session_recovery_timeout_seconds") == [10] * 4
    assert values(HOST, "mpio_iface_carrier") == [1, 1]
    assert values(HOST, "mpio_portal_reachable") == [1] * 4
    assert values(HOST, "mpio_last_observation_timestamp_seconds") == [1234.5]


def test_the_budget_of_each_lun_by_what_fails() -> None:
    said = [s for s in samples(HOST) if s.name == "mpio_failover_budget_seconds"]
    assert [(dict(s.labels)["kind"], s.value) for s in said[:5]] == [
        *(("offline", 1.0), ("link", 23.5), ("silence", 23.5), ("block", 23.5), ("reset", 12.3))
    ]
    assert len(said) == 20
    # without a bound there is no sample
    host = replace(HOST, sessions=tuple(replace(s, noop_interval=0) for s in HOST.sessions))
    assert sorted(set(values(host, "mpio_failover_budget_seconds"))) == [1.0, 12.3]


def test_a_broken_one() -> None:
    session = replace(HOST.sessions[0], state="FAILED", recovery_tmo=None)
    host = replace(
        HOST,
        sessions=(session, *HOST.sessions[1:]),
        nics=(replace(HOST.nics[0], carrier=None), HOST.nics[1]),
        probes={("sw-iscsi-0", fakes.PORTAL_8): Answer.SILENT},
    )
    assert values(host, "mpio_lun_paths_usable") == [3] * 4
    assert values(host, "mpio_lun_state") == [1] * 4
    assert sorted(values(host, "mpio_session_up")) == [0, 1, 1, 1]
    assert len(values(host, "mpio_session_recovery_timeout_seconds")) == 3
    assert values(host, "mpio_iface_carrier") == [0, 1]
    assert sorted(values(host, "mpio_portal_reachable")) == [0, 1, 1, 1]
    assert sum(values(host, "mpio_path_up")) == 12


def test_a_probe_knows_better_than_a_session_that_has_not_failed_yet() -> None:
    host = replace(HOST, probes={("sw-iscsi-0", fakes.PORTAL_8): Answer.SILENT})
    assert all(s.logged_in for s in host.sessions)
    assert sorted(values(host, "mpio_portal_reachable")) == [0, 1, 1, 1]


@pytest.mark.parametrize(("host", "state"), [(replace(HOST, paths=()), 2), (replace(HOST, paths=(), maps=()), 2)])
def test_a_failed_lun(host: Host, state: int) -> None:
    assert values(host, "mpio_lun_state") == [state] * 4


def test_without_a_site_nothing_is_expected() -> None:
    assert not [s for s in samples(HOST, None) if s.name == "mpio_lun_paths_expected"]


def test_an_empty_host_has_its_time_alone() -> None:
    assert samples(Host(), None) == [Sample("mpio_last_observation_timestamp_seconds", (), 1234.5)]


def test_the_text_has_help_and_type() -> None:
    lines = serve.text(samples(HOST)).splitlines()
    assert "# TYPE mpio_lun_state gauge" in lines
    assert f"# HELP mpio_lun_state {metrics.HELP['mpio_lun_state']}" in lines
    assert f'mpio_lun_paths_usable{{alias="hydra_apps-a01",wwid="{fakes.APPS_A01}"}} 4.0' in lines
