from __future__ import annotations

import pytest

from mpio.program import Done
from mpio.replay import Replay
from mpio.tools import ping

FOUR = ("ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-I", "eth1", "-s", "8972", "10.10.8.90")
SIX = (*FOUR[:14], "8952", "fd00:8::90")


@pytest.mark.parametrize(("argv", "address"), [(FOUR, "10.10.8.90"), (SIX, "fd00:8::90")])
@pytest.mark.parametrize(("code", "whole"), [(0, True), (1, False), (2, False)])
def test_a_packet_of_the_whole_mtu(argv: tuple[str, ...], address: str, code: int, whole: bool) -> None:
    assert ping.whole(Replay([Done(argv, code, "", "")]), "eth1", address, 9000) == whole
