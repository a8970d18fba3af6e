from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio import recording
from mpio.errors import UnreadableOutput
from mpio.host import Unit
from mpio.replay import Replay
from mpio.tools import systemctl

RECORDED = Path(__file__).parent / "recorded/bookworm/systemctl"
UNITS = (
    "iscsid.service",
    "open-iscsi.service",
    "iscsi.service",
    "multipathd.service",
    "multipath-tools.service",
    "nosuch.service",
)


def replay(name: str) -> Replay:
    return Replay([recording.load((RECORDED / name).read_text())])


def test_reads_units_of_a_real_guest() -> None:
    units = systemctl.units(replay("show-after"), UNITS)
    assert tuple(u.name for u in units) == UNITS
    assert units[0].active == units[3].active == "active"
    assert {u.load for u in units[:5]} == {"loaded"}
    assert units[5] == Unit("nosuch.service", "not-found", "inactive", "")


def test_an_alias_says_what_its_unit_is() -> None:
    names = systemctl.aliases(replay("show-before"), UNITS)
    assert names["open-iscsi.service"] == names["iscsi.service"] == "open-iscsi.service"
    assert names["multipath-tools.service"] == "multipathd.service"
    assert names["nosuch.service"] == "nosuch.service"


def test_asks_nothing_about_no_units() -> None:
    assert systemctl.units(Replay([]), ()) == ()
    assert systemctl.aliases(Replay([]), ()) == {}


def test_builds_argv() -> None:
    assert systemctl.enable("a.service") == ("systemctl", "enable", "a.service")
    assert systemctl.enable("a.service", now=True) == ("systemctl", "enable", "--now", "a.service")
    assert systemctl.disable("a.service") == ("systemctl", "disable", "a.service")
    assert systemctl.start("a.service") == ("systemctl", "start", "a.service")
    assert systemctl.stop("a.service") == ("systemctl", "stop", "a.service")
    assert systemctl.restart("a.service") == ("systemctl", "restart", "a.service")


BLOCK = "Id=a.service\nNames=a.service b.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", ("a.service",)),
        (BLOCK, ("a.service", "c.service")),
        (BLOCK, ("c.service",)),
        ("Failed to connect\n", ("a.service",)),
    ],
)
def test_says_what_it_cannot_read(text: str, asked: tuple[str, ...]) -> None:
    with pytest.raises(UnreadableOutput):
        systemctl.parse_units(text, asked)


def test_units_without_a_property_have_it_empty() -> None:
    assert systemctl.parse_units("Id=a.service\nActiveState=inactive\n", ("a.service",)) == (
        Unit("a.service", "", "inactive", ""),
    )


@given(st.text() | st.lists(st.sampled_from([BLOCK, "\n", "Id=x\n", "x"])).map("".join), st.lists(st.text()).map(tuple))
def test_reading_is_total(text: str, asked: tuple[str, ...]) -> None:
    with contextlib.suppress(UnreadableOutput):
        systemctl.parse_units(text, asked)
