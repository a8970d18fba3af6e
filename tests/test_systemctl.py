from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio.errors import UnreadableOutput
from mpio.host import Unit
from mpio.replay import Replay
from mpio.tools import systemctl


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


def test_words_survive_a_units_exec_line() -> None:
    assert systemctl.exec_line(["ip", "-4", "route", "10.10.8.0/24", "eth0.100"]) == "ip -4 route 10.10.8.0/24 eth0.100"
    assert systemctl.exec_line(["a b", "50%", "$HOME", 'say "x"', "", "\\", ";"]) == (
        '"a b" "50%%" "$$HOME" "say \\"x\\"" "" "\\\\" ";"'
    )
