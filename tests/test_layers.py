"""When a drill is given up: what the device mapper and the readers say while something is away."""

from __future__ import annotations

import os
import time
from pathlib import Path

import fakes
import pytest

from mpio import topology
from mpio.drills import drill, turns
from mpio.drills.drill import How, Means
from mpio.drills.layers import Layers
from mpio.drills.reader import SAMPLE, Reading
from mpio.errors import ProgramFailed
from mpio.files import Files
from mpio.machine import Machine
from mpio.program import Done

SITE = fakes.guide_site()
HOST = fakes.guide_host(SITE)
(THING,) = drill.things(SITE, HOST, topology.pairs(SITE, HOST), ("eth1",), How.OFFLINE)
TAKING = drill.taking(SITE, HOST, THING, Means(How.OFFLINE))
NAME = HOST.maps[0].name


def layers(folder: Path, *states: str, kept: str = NAME) -> Layers:
    """The device mapper says these states of the paths of one map."""
    paths = " ".join(f"8:{16 * number} {state} 0 0 1" for number, state in enumerate(states, 1))
    text = f"{NAME}: 0 131072 multipath 2 0 0 0 1 1 A 0 {len(states)} 2 {paths}\n"
    return Layers(Machine(lambda *argv, **_: Done(argv, 0, text, ""), Files(str(folder))), TAKING, frozenset({kept}))


@pytest.fixture
def now(tmp_path: Path) -> Reading:
    fd = os.open(tmp_path / "samples", os.O_RDWR | os.O_CREAT)
    return Reading(1, _file=fd)


def away(one: Layers, now: Reading) -> float:
    """How long the thing stays away."""
    begin = time.monotonic()
    turns._stay_away(one, now, begin, 5.0)
    one.end()
    return time.monotonic() - begin


def test_a_map_that_keeps_a_path_is_not_bare(tmp_path: Path) -> None:
    one = layers(tmp_path, "A", "F")
    one.look()
    one.end()
    assert one.bare == frozenset()


def test_a_map_that_loses_its_other_paths_ends_it_at_once(tmp_path: Path, now: Reading) -> None:
    one = layers(tmp_path, "F", "F")
    assert away(one, now) < 2.0
    assert one.bare == {NAME}


def test_a_map_whose_last_path_was_given_up_by_force_does_not(tmp_path: Path, now: Reading) -> None:
    one = layers(tmp_path, "F", "F", kept="another")
    assert away(one, now) >= 5.0


def test_a_read_that_fails_ends_it_at_once(tmp_path: Path, now: Reading) -> None:
    with (tmp_path / "samples").open("wb") as file:
        file.write(SAMPLE.pack(0, 5, 1.0, 2.0))
    assert away(layers(tmp_path, "A", "F"), now) < 2.0


def test_what_a_busy_multipathd_did_not_do_is_no_drill(tmp_path: Path) -> None:
    """0.9.4 answers "timeout" and exits with 0: nothing would be away, and all would look well."""
    asked: list[tuple[str, ...]] = []

    def busy(*argv: str, **_: object) -> Done:
        asked.append(argv)
        return Done(argv, 0, "timeout\n" if len(asked) != 2 else "ok\n", "")

    machine = Machine(busy, Files(str(tmp_path)))
    turns._do(machine, TAKING.go[0])
    assert len(asked) == 2
    with pytest.raises(ProgramFailed):
        turns._do(machine, TAKING.go[0])
