from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpio.errors import UnreadableOutput
from mpio.program import Done
from mpio.replay import Replay
from mpio.tools import dmsetup
from mpio.tools.dmsetup import Info, PathStatus

INFO = (
    "dm-0\t1\tActive\tmpath-3600144f0f484400000004e8685e70001\thydra_apps-a01\n"
    "dm-1\t0\tSuspended\tmpath-3600144f0f484400000004e8685f80002\thydra_db-a01\n"
    "dm-2\t2\tActive\t\tvg-root\n"
)
# two groups: the first with two paths and a selector argument each, the second with one failed path
STATUS = (
    "hydra_apps-a01: 0 131072 multipath 2 0 0 0 2 1 A 0 2 2 8:16 A 0 0 1 8:32 A 3 1 1 E 0 1 2 8:48 F 1 0 1 \n"
    "hydra_db-a01: 0 2097152 multipath 2 13 1 1 alua 1 1 E 0 2 0 8:64 A 0 65:0 F 7 \n"
)


def test_info() -> None:
    assert dmsetup.parse_info(INFO) == (
        Info("hydra_apps-a01", "dm-0", "mpath-3600144f0f484400000004e8685e70001", 1, False),
        Info("hydra_db-a01", "dm-1", "mpath-3600144f0f484400000004e8685f80002", 0, True),
        Info("vg-root", "dm-2", "", 2, False),
    )


def test_status_of_paths() -> None:
    assert dmsetup.parse_status(STATUS) == {
        "hydra_apps-a01": (PathStatus("8:16", True, 1), PathStatus("8:32", True, 1), PathStatus("8:48", False, 2)),
        "hydra_db-a01": (PathStatus("8:64", True, 1), PathStatus("65:0", False, 1)),
    }


@pytest.mark.parametrize("text", ["", "\n", "No devices found\n"])
def test_no_devices(text: str) -> None:
    assert dmsetup.parse_info(text) == ()
    assert dmsetup.parse_status(text) == {}


@pytest.mark.parametrize("line", ["dm-0", "sda\t1\tActive\tu\tn", "dm-0\tx\tActive\tu\tn", "dm-0\t1\tActive\tu\tn\tm"])
def test_a_line_of_info_that_is_none(line: str) -> None:
    with pytest.raises(UnreadableOutput) as caught:
        dmsetup.parse_info(line + "\n")
    assert caught.value.line == line


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "x: 0 1 linear",
        "x: 0 1 multipath 2 0",
        "x: 0 1 multipath 0 0 1 1 A 0 2 0 8:16 A 0",
        "x: 0 1 multipath 0 0 1 1 A 0 1 0 8:16 Q 0",
        "x: 0 1 multipath 0 0 one 1",
    ],
)
def test_a_line_of_status_that_is_none(line: str) -> None:
    with pytest.raises(UnreadableOutput):
        dmsetup.parse_status(line + "\n")


WORDS = st.lists(st.sampled_from(["0", "1", "2", "3", "-1", "-3", "A", "F", "8:16", "alua", "99"]), max_size=20)


@given(st.text() | WORDS.map(lambda words: f"m: 0 1 multipath {' '.join(words)}\n"))
@settings(deadline=None)
def test_reading_is_total(text: str) -> None:
    for read in (dmsetup.parse_info, dmsetup.parse_status):
        with contextlib.suppress(UnreadableOutput):
            read(text)


def test_the_questions() -> None:
    ask = (
        "dmsetup",
        "info",
        "--columns",
        "--noheadings",
        "--separator",
        "\t",
        "-o",
        "blkdevname,open,suspended,uuid,name",
    )
    status = ("dmsetup", "status", "--target", "multipath")
    run = Replay([Done(ask, 0, INFO, ""), Done(status, 0, STATUS, "")])
    assert len(dmsetup.info(run)) == 3
    assert set(dmsetup.path_status(run)) == {"hydra_apps-a01", "hydra_db-a01"}


def test_a_device_without_a_table_has_no_name_of_the_kernels() -> None:
    """dmsetup fails over it (tried on bookworm), so all are asked for by number."""

    def run(*argv: str, **_: object) -> Done:
        if argv[-1].startswith("blkdevname"):
            return Done(argv, 1, "", "Command failed.\n")
        return Done(argv, 0, "4\t0\tActive\tmpath-36001\tnotab\n1\t2\tActive\tmpath-36002\ta\n", "")

    said = dmsetup.info(run)
    assert said == (
        dmsetup.Info("notab", "dm-4", "mpath-36001", 0, suspended=False),
        dmsetup.Info("a", "dm-1", "mpath-36002", 2, suspended=False),
    )
