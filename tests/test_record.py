"""`mpio lab record`: its list of calls, its script, and what it left in tests/recorded/bookworm/lab."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import shlex
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mpio.tools
from mpio import recording, sitefile
from mpio.lab import record, session
from mpio.program import Done
from mpio.replay import Replay
from mpio.tools import dmsetup, ip, iscsiadm, multipath, multipathd, ping, systemctl

RECORDED = Path(__file__).parent / "recorded/bookworm/lab"
STATES = ("none", *(state.name for state in record.STATES))
# Asked with the argv of another question: with -t on other files, or for the names of the same units.
SAME = {multipath.staged, multipath.keywords_known, systemctl.aliases}


def asks() -> dict[str, record.Ask]:
    return record.asks(sitefile.load(str(session.SITE), owner=session.SITE.stat().st_uid))


def questions() -> Iterator[Callable[..., object]]:
    for module in pkgutil.iter_modules(mpio.tools.__path__):
        there = f"mpio.tools.{module.name}"
        for name, function in inspect.getmembers(importlib.import_module(there), inspect.isfunction):
            own = function.__module__ == there and not name.startswith("_")
            if own and "run" in inspect.signature(function).parameters:
                yield function


def test_every_question_of_the_tools_is_recorded() -> None:
    asked = {ask.func if isinstance(ask, partial) else ask for ask in asks().values()}
    assert asked | SAME == set(questions())


def kept(folder: Path, call: record.Call) -> Done:
    text = record.script({"one": call}, str(folder))
    subprocess.run(["sh", "-s"], input=text.encode(), check=True)
    return recording.load((folder / "one").read_bytes().decode("utf-8", "backslashreplace"))


texts = st.text(st.characters(codec="ascii", exclude_characters="\r\0"), max_size=40)


@given(texts, texts, st.integers(0, 120))
@settings(max_examples=25, deadline=None)
def test_the_script_keeps_what_a_program_said(
    tmp_path_factory: pytest.TempPathFactory, out: str, err: str, code: int
) -> None:
    argv = ("sh", "-c", f"printf %s {shlex.quote(out)}; printf %s {shlex.quote(err)} >&2; exit {code}")
    found = kept(tmp_path_factory.mktemp("kept"), record.Call(argv, b""))
    assert found == recording.load(recording.dump(Done(argv, code, out, err)))


def test_the_script_gives_a_program_its_input(tmp_path: Path) -> None:
    data = bytes(range(1, 128)) * 9
    assert kept(tmp_path, record.Call(("cat",), data)).out == data.decode()
    assert kept(tmp_path, record.Call(("cat",), b"")).out == ""


@pytest.mark.parametrize(
    "line",
    [
        "node.session.auth.password = secret",
        "password_in: two words",
        'discovery.sendtargets.auth.password_in="x"',
        '"password": "x",',
        "Password=1 password=2",
        "\t\tpassword: <empty>",
        "no secret here: x",
        "password =",
    ],
)
def test_the_script_removes_the_secrets_that_mpio_removes(tmp_path: Path, line: str) -> None:
    script = record.script({"one": record.Call(("cat",), f"{line}\n".encode())}, str(tmp_path))
    subprocess.run(["sh", "-s"], input=script.encode(), check=True)
    assert (tmp_path / "one").read_text().endswith(f"\n\n{recording.mask(line)}\n")


def test_a_program_that_is_not_there_is_recorded_too(tmp_path: Path) -> None:
    assert kept(tmp_path, record.Call(("no-such-program",), b"")).code == 127


@pytest.mark.parametrize("state", STATES)
def test_the_recordings_are_of_the_calls_of_today(state: str) -> None:
    calls = {name: record.call(ask) for name, ask in asks().items()}
    expected = {name for name in calls if state == "sane" or not name.startswith(record.ONCE)}
    assert {path.name for path in (RECORDED / state).iterdir()} == expected, "record again: mpio lab record"
    for name in expected:
        done = recording.load((RECORDED / state / name).read_text())
        assert done.argv == recording.mask_argv(calls[name].argv), f"{name}: record again: mpio lab record"


# -- what the parsers make of them


def replay(state: str) -> Replay:
    return Replay.folder(RECORDED / state)


ALIASES = ["hydra_apps-a01", "hydra_db-a01", "hydra_db-a02", "hydra_db-a03"]
SET_UP = [state for state in STATES if state != "none"]
#                 paths that the kernel, and that multipathd, holds for failed, of sixteen
FAILED = {"sane": 0, "failed-path": 1, "failed-session": 8, "lost-lun": 4, "all-down": 16}


@pytest.mark.parametrize("state", SET_UP)
def test_the_device_mapper_knows_every_map_in_every_state(state: str) -> None:
    infos = dmsetup.info(replay(state))
    assert sorted(info.name for info in infos) == ALIASES
    assert {(info.suspended, info.uuid[:7]) for info in infos} == {(False, "mpath-3")}
    paths = dmsetup.path_status(replay(state))
    assert sorted(paths) == ALIASES
    assert {len(of_map) for of_map in paths.values()} == {4}
    assert {path.group for of_map in paths.values() for path in of_map} == {1, 2}


@pytest.mark.parametrize(("state", "failed"), FAILED.items())
def test_kernel_and_multipathd_agree_on_failed_paths(state: str, failed: int) -> None:
    by_kernel = {
        path.dev_t for of_map in dmsetup.path_status(replay(state)).values() for path in of_map if not path.active
    }
    views = multipathd.maps(replay(state))
    by_daemon = {path.dev_t for view in views for path in view.paths if path.dm_st != "active"}
    assert by_kernel == by_daemon
    assert len(by_kernel) == failed
    assert sorted(view.name for view in views) == ALIASES
    assert {(view.vendor, view.product, len(view.paths), len(view.groups)) for view in views} == {
        ("NEXENTA", "COMSTAR", 4, 2)
    }


def test_queueing_counts_down_only_where_every_path_is_lost() -> None:
    def seconds(state: str) -> dict[str, str | int | None]:
        return {view.name: multipathd.queueing_seconds(view.queueing, 5) for view in multipathd.maps(replay(state))}

    assert set(seconds("sane").values()) == {60}
    lost = seconds("lost-lun")
    assert {name for name, left in lost.items() if left != 60} == {"hydra_db-a03"}
    assert all(isinstance(left, int) and 0 < left < 60 for left in seconds("all-down").values())


def test_paths_of_a_failed_session_are_of_one_target() -> None:
    views = multipathd.maps(replay("failed-session"))
    targets = {(path.target.split(":")[1], path.chk_st) for view in views for path in view.paths}
    assert {word for word, state in targets if state == "ready"} == {"01"}
    assert {word for word, state in targets if state != "ready"} == {"02"}
    initiators = {(path.initiator, path.chk_st == "ready") for view in views for path in view.paths}
    assert initiators == {("10.10.8.20", True), ("10.10.9.20", True), ("", False)}  # a failed session has no address


def test_without_its_daemon_multipath_is_not_running() -> None:
    with pytest.raises(multipathd.NotRunning):
        multipathd.maps(replay("no-daemon"))
    with pytest.raises(multipathd.NotRunning):
        multipathd.map_named(replay("no-daemon"), "hydra_apps-a01")
    assert multipathd.daemon(replay("no-daemon")) == multipathd.State(None, "")
    (unit,) = systemctl.units(replay("no-daemon"), (systemctl.MULTIPATHD,))
    assert (unit.active, unit.enabled) == ("inactive", "enabled")


@pytest.mark.parametrize("state", [state for state in STATES if state != "no-daemon"])
def test_the_daemon_has_settled(state: str) -> None:
    daemon = multipathd.daemon(replay(state))
    assert daemon.settled
    assert daemon.pid


def test_a_fresh_host_has_nothing() -> None:
    run = replay("none")
    assert dmsetup.info(run) == ()
    assert dmsetup.path_status(run) == {}
    assert multipathd.maps(run) == ()
    assert multipathd.map_named(run, "hydra_apps-a01") is None
    assert iscsiadm.sessions(run) == ()
    assert iscsiadm.session_details(run) == ()
    assert {iface.name for iface in iscsiadm.ifaces(run)} == {"default", "iser"}
    units = systemctl.units(run, record.UNITS)
    assert [(unit.name, unit.active, unit.enabled) for unit in units] == [
        ("iscsid.service", "inactive", "disabled"),
        ("open-iscsi.service", "inactive", "enabled"),
        ("iscsi.service", "inactive", "enabled"),
        ("multipathd.service", "active", "enabled"),
    ]


@pytest.mark.parametrize("state", SET_UP)
def test_sessions_stay_listed_whatever_befalls_them(state: str) -> None:
    listed = iscsiadm.sessions(replay(state))
    details = iscsiadm.session_details(replay(state))
    assert sorted(one.sid for one in listed) == sorted(one.sid for one in details) == [1, 2, 3, 4]


def test_one_map_is_what_it_is_among_all() -> None:
    one = multipathd.map_named(replay("sane"), "hydra_apps-a01")
    assert one in multipathd.maps(replay("sane"))


def test_the_daemon_holds_what_multipath_reads() -> None:
    run = replay("sane")
    read, held = multipath.installed(run), multipath.effective(multipathd.config(run))
    assert read.warnings == ()
    for wwid in ("3600144f0f484400000004e8685e70001", "3600144f0f484400000004e8686210004"):
        for key in ("alias", "no_path_retry", "path_grouping_policy", "fast_io_fail_tmo", "dev_loss_tmo", "failback"):
            values = {multipath.effective_value(t, wwid, ("NEXENTA", "COMSTAR"), key) for t in (read.table, held)}
            assert len(values) == 1, (key, values)
            assert values != {None}


def test_addresses_routes_and_whole_packets() -> None:
    run = replay("sane")
    found = ip.addresses(run)
    assert (found["eth1"], found["eth2"]) == (("10.10.8.20/24",), ("10.10.9.20/24",))
    for nic, own in (("eth1", "10.10.8.20"), ("eth2", "10.10.9.20")):
        for portal in ("10.10.8.90", "10.10.9.90"):
            assert ip.route(run, portal, nic) == ip.Route(nic, own)
            assert ping.whole(run, nic, portal, 1500)


def test_a_target_that_is_off_is_not_discovered() -> None:
    site = sitefile.load(str(session.SITE), owner=session.SITE.stat().st_uid)
    through = tuple(iface.name for iface in site.ifaces)
    asked = [iscsiadm.discovery(replay(state), site.portals[1], through) for state in ("sane", "failed-session")]
    named = [{found.target.split(":")[1] for found in one.found} for one in asked]
    assert named == [{"01", "02"}, {"01"}]
