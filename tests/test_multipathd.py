from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio.errors import UnreadableOutput
from mpio.program import Done
from mpio.step import Part
from mpio.tools import multipathd

# as libmultipath/print.c writes it (0.9.4), one member a line
MAPS = """\
{
   "major_version": 0,
   "minor_version": 1,
   "maps": [{
      "name" : "hydra_db-a01",
      "uuid" : "3600144f0f484400000004e8685f80002",
      "sysfs" : "dm-2",
      "failback" : "immediate",
      "queueing" : "12 chk",
      "paths" : 1,
      "write_prot" : "rw",
      "dm_st" : "active",
      "features" : "1 queue_if_no_path",
      "hwhandler" : "1 alua",
      "action" : "",
      "path_faults" : 3,
      "vend" : "NEXENTA",
      "prod" : "COMSTAR",
      "rev" : "1.0",
      "switch_grp" : 0,
      "map_loads" : 1,
      "total_q_time" : 0,
      "q_timeouts" : 0,
      "path_groups": [{
         "selector" : "service-time 0",
         "pri" : 50,
         "dm_st" : "active",
         "marginal_st" : "normal",
         "group" : 1,
         "paths": [{
            "dev" : "sdf",
            "dev_t" : "8:80",
            "dm_st" : "active",
            "dev_st" : "running",
            "chk_st" : "ready",
            "checker" : "tur",
            "pri" : 50,
            "host_wwnn" : "[undef]",
            "target_wwnn" : "iqn.2011-09.dom.homer:01:13611547",
            "host_wwpn" : "[undef]",
            "target_wwpn" : "[undef]",
            "host_adapter" : "10.10.8.11",
            "lun_hex" : "0x000a000000000000",
            "marginal_st" : "normal"
         }]
      },{
         "selector" : "service-time 0",
         "pri" : 0,
         "dm_st" : "enabled",
         "marginal_st" : "normal",
         "group" : 2,
         "paths": [{
            "dev" : "sdg",
            "dev_t" : "8:96",
            "dm_st" : "failed",
            "dev_st" : "running",
            "chk_st" : "i/o pending",
            "checker" : "tur",
            "pri" : 50,
            "host_wwnn" : "[undef]",
            "target_wwnn" : "iqn.2011-09.dom.homer:02:0e4f921a",
            "host_wwpn" : "[undef]",
            "target_wwpn" : "[undef]",
            "host_adapter" : "[undef]",
            "lun_hex" : "0x000a000000000000",
            "marginal_st" : "normal"
         }]
      }]
   }]
}
"""
EMPTY = '{\n   "major_version": 0,\n   "minor_version": 1,\n   "maps": []\n}\n'


class Said:
    """A `Run` that gives the daemon's answers in order and keeps what was asked."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.asked: list[Sequence[str]] = []

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        self.asked.append(argv)
        code, out = self.answers.pop(0)
        assert ok is not None
        assert code in ok
        return Done(argv, code, out, "")


def test_a_map() -> None:
    (found,) = multipathd.parse_maps(MAPS)
    assert (found.name, found.wwid, found.dm) == ("hydra_db-a01", "3600144f0f484400000004e8685f80002", "dm-2")
    assert (found.queueing, found.failback, found.dm_st, found.faults) == ("12 chk", "immediate", "active", 3)
    assert (found.vendor, found.product, found.revision) == ("NEXENTA", "COMSTAR", "1.0")
    assert [(g.number, g.dm_st, g.priority) for g in found.groups] == [(1, "active", 50), (2, "enabled", 0)]
    good, bad = found.paths
    assert (good.dev, good.dev_t, good.group, good.target) == ("sdf", "8:80", 1, "iqn.2011-09.dom.homer:01:13611547")
    assert (good.dm_st, good.dev_st, good.chk_st, good.initiator) == ("active", "running", "ready", "10.10.8.11")
    assert (bad.dm_st, bad.chk_st, bad.group, bad.initiator) == ("failed", "i/o pending", 2, "")


def test_no_maps() -> None:
    assert multipathd.parse_maps(EMPTY) == ()


@given(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=1))
def test_strings_that_nobody_escaped(vendor: str) -> None:
    (found,) = multipathd.parse_maps(MAPS.replace('"NEXENTA"', f'"{vendor}"'))
    assert len(found.paths) == 2
    if vendor != "[undef]":
        assert found.vendor == vendor.strip()


@pytest.mark.parametrize("said", ['","sysfs":"dm-7', '", "dm_st" : "failed', "A\\nB\\ud800", 'x"}],"maps":[{"name":"'])
def test_what_a_lun_calls_itself_is_no_more_than_its_name(said: str) -> None:
    (meant,) = multipathd.parse_maps(MAPS)
    (found,) = multipathd.parse_maps(MAPS.replace('"COMSTAR"', f'"{said}"'))
    assert found == replace(meant, product=said.strip())


def test_answers_that_have_no_end_are_read_in_time() -> None:
    begin = time.process_time()
    for text in ("\n" * 300_000, MAPS + " \n" * 300_000, '"' * 300_000, "[" * 300_000):
        with contextlib.suppress(UnreadableOutput):
            multipathd.parse_maps(text)
    assert time.process_time() - begin < 5  # a tenth of a second; it was hours


@given(st.text() | st.integers(0, len(MAPS) - 3).map(lambda n: MAPS[:n]))
def test_half_an_answer_is_no_answer(text: str) -> None:
    with pytest.raises(UnreadableOutput):
        multipathd.parse_maps(text)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)))
def test_other_json_is_no_answer(value: object) -> None:
    for text in (json.dumps(value), json.dumps({"maps": [value]})):
        with pytest.raises(UnreadableOutput):
            multipathd.parse_maps(text)


@pytest.mark.parametrize("member", ["uuid", "name", "path_groups", "sysfs", "dev_t", "chk_st", "group"])
def test_a_missing_member_is_not_passed_over(member: str) -> None:
    with pytest.raises(UnreadableOutput):
        multipathd.parse_maps(MAPS.replace(f'"{member}"', '"other"'))


def test_a_busy_daemon_is_asked_again() -> None:
    run = Said((0, "timeout\n"), (1, "fail\ntimeout\n"), (0, MAPS))
    assert len(multipathd.maps(run)) == 1
    assert run.asked == [("multipathd", "show", "maps", "json")] * 3


def test_a_daemon_that_stays_busy_is_given_up() -> None:
    run = Said(*[(0, "timeout\n")] * multipathd.ATTEMPTS)
    with pytest.raises(multipathd.NotRunning, match="too busy"):
        multipathd.maps(run)


def test_a_daemon_that_is_not_there() -> None:
    with pytest.raises(multipathd.NotRunning):
        multipathd.maps(Said((1, "")))
    assert multipathd.daemon(Said((1, ""))) == multipathd.State(None, "")
    assert not multipathd.State(None, "").settled


def test_one_map() -> None:
    one = MAPS.replace('"maps": [{', '"map":{').replace("      }]\n   }]\n}", "      }]\n   }\n}")
    found = multipathd.map_named(Said((0, one)), "hydra_db-a01")
    assert found is not None
    assert found.dm == "dm-2"
    for reply in ("fail\n", "device not found\n", "fail\ndevice not found\n"):
        assert multipathd.map_named(Said((1, reply)), "nobody") is None
    with pytest.raises(multipathd.NotRunning):
        multipathd.map_named(Said((1, "")), "hydra_db-a01")


@pytest.mark.parametrize(
    ("text", "state", "settled"),
    [
        ("pid 412 idle\n", multipathd.State(412, "idle"), True),
        ("pid 412 running\n", multipathd.State(412, "running"), True),
        ("pid 412 configure\n", multipathd.State(412, "configure"), False),
        ("pid 412 idle (pending reconfigure)\n", multipathd.State(412, "idle", pending=True), False),
    ],
)
def test_the_daemons_state(text: str, state: multipathd.State, settled: bool) -> None:
    assert multipathd.parse_daemon(text) == state
    assert state.settled is settled


@given(st.text())
def test_another_state_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableOutput):
        multipathd.parse_daemon(text)


@pytest.mark.parametrize(
    ("raw", "meant"),
    [("off", "off"), ("on", "forever"), ("-", None), ("12 chk", 60), ("47 sec", 47)],
)
def test_queueing(raw: str, meant: str | int | None) -> None:
    assert multipathd.queueing_seconds(raw, 5) == meant


def test_queueing_of_another_kind() -> None:
    with pytest.raises(UnreadableOutput):
        multipathd.queueing_seconds("12 years", 5)


def test_steps() -> None:
    why = "90-mpio.conf changed"
    assert multipathd.reconfigure(why).argv == ("multipathd", "reconfigure")
    assert multipathd.fail_path("sdf", why).argv == ("multipathd", "fail", "path", "sdf")
    assert multipathd.reinstate_path("sdf", why).argv == ("multipathd", "reinstate", "path", "sdf")
    assert multipathd.del_path("sdf", why).argv == ("multipathd", "del", "path", "sdf")
    assert multipathd.del_path("sdf", why).ok == (0, 1)
    assert multipathd.resize_map("a", why).argv == ("multipathd", "resize", "map", "a")
    assert multipathd.resume_map("a", why).argv == ("multipathd", "resume", "map", "a")
    assert multipathd.add_path("sdf", why).argv == ("multipathd", "add", "path", "sdf")
    assert multipathd.disable_queueing("a", why).argv == ("multipathd", "disablequeueing", "map", "a")
    assert multipathd.reconfigure(why).part is Part.MULTIPATH


def test_the_loaded_configuration() -> None:
    assert multipathd.config(Said((0, "defaults {\n}\n"))) == "defaults {\n}\n"
