"""What a drill has shown, as figures, findings and a picture."""

from __future__ import annotations

import errno
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import fakes
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio import topology
from mpio.budget import Stall
from mpio.drills import drill, drilled, drillplot
from mpio.drills.drill import How, Means
from mpio.drills.drilled import Measured, Sample
from mpio.errors import MpioError

SITE = fakes.guide_site()
HOST = fakes.guide_host(SITE)
ZERO = 1000.0
RECORDED = Path(__file__).parent / "drilled"


def taking(how: How = How.LINK) -> drill.Taking:
    thing = drill.things(SITE, HOST, topology.pairs(SITE, HOST), ("eth1",), how)[0]
    return drill.taking(SITE, HOST, thing, Means(how))


def samples(number: int, stall: float = 0.0, error: int = 0) -> list[Sample]:
    """A read each 10 ms for a second before and a second after, and one that begins with the take-away."""
    before = [Sample(number, 0, ZERO - 1 + n / 100, ZERO - 1 + n / 100 + 0.001) for n in range(100)]
    after = [Sample(number, 0, ZERO + stall + n / 100, ZERO + stall + n / 100 + 0.002) for n in range(1, 100)]
    return [*before, Sample(number, error, ZERO, ZERO + stall), *after]


def measured(stall: float = 15.3, error: int = 0, whole: float | None = 22.0, how: How = How.LINK) -> Measured:
    reads = [s for n in range(len(HOST.maps)) for s in samples(n, stall if n == 1 else 0.01, error if n == 1 else 0)]
    return Measured(
        taking(how),
        HOST.maps,
        tuple(sorted(reads, key=lambda s: s.end)),
        began=ZERO,
        gone=ZERO + 0.1,
        back=ZERO + 18.0,
        whole=None if whole is None else ZERO + whole,
        first={"carrier": ZERO + 0.15, "session": ZERO + 10.2, "device": ZERO + 15.1, "dm": ZERO + 15.4},
        every={"carrier": ZERO + 0.15, "dm": ZERO + 16.0},
    )


def test_the_document() -> None:
    said = drilled.document(measured())
    assert json.loads(json.dumps(said)) == said
    assert (said["thing"], said["kind"], said["how"], said["stall"], said["errors"]) == ("eth1", "nic", "link", 15.3, 0)
    assert said["budget"] == {"seconds": 20, "limit": 23.5, "why": "no-op interval 5 + no-op time-out 5 + recovery 10"}
    assert (said["gone"], said["put_back"], said["whole"]) == (0.1, 18.0, 22.0)
    assert said["noticed"] == {"carrier": 0.15, "session": 10.2, "device": 15.1, "checker": None, "dm": 15.4}
    luns: Any = said["luns"]
    assert [(x["alias"], x["reads"], x["errors"], x["stall"]) for x in luns] == [
        (m.name, 200, 0, 15.3 if n == 1 else 0.01) for n, m in enumerate(HOST.maps)
    ]
    assert luns[1]["stall_at"] == 0.0


def test_the_row() -> None:
    row = dict(zip(drilled.HEADS, drilled.row(measured()), strict=True))
    assert row["BUDGET"] == "23.5 s"
    assert row["STALL"] == "15.30 s"
    assert (row["CARRIER"], row["SESSION"], row["CHECKER"], row["DM"]) == ("0.1 s", "10.2 s", "-", "15.4 s")
    assert (row["LUNS"], row["ERRORS"], row["BACK AFTER"]) == ("4", "0", "4.0 s")
    assert dict(zip(drilled.HEADS, drilled.row(measured(whole=None)), strict=True))["BACK AFTER"] == "not whole"


def test_what_it_means() -> None:
    assert drilled.findings([measured()]) == ()
    (late,) = drilled.findings([measured(stall=30.0)])
    assert (late.code, late.severity, late.subject) == ("MP425", "warning", "eth1")
    assert "30.0 s; at most 23.5 s" in late.detail
    (failed,) = drilled.findings([measured(error=errno.EIO)])
    assert (failed.code, failed.severity, failed.subject) == ("MP427", "error", HOST.maps[1].name)
    assert failed.detail == "1 reads while eth1 was drilled: EIO"
    unbound = replace(measured(stall=300.0), taking=replace(taking(), stall=Stall(None, None, "no-ops are off")))
    assert drilled.findings([unbound]) == ()


reads = st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 300)), max_size=300)


@given(reads, st.integers(1, 50))
def test_a_series_is_short_and_keeps_the_longest(many: list[tuple[float, float]], points: int) -> None:
    own = [Sample(0, 0, begin, begin + length) for begin, length in sorted(many)]
    said = drilled.series(own, 0.0, points)
    assert len(said) <= points
    assert [t for t, _ in said] == sorted(t for t, _ in said)
    longest = max((s.end - s.begin for s in own), default=0.0)
    assert max((latency for _, latency in said), default=0.0) == pytest.approx(longest, abs=1e-4)


# -- the picture ---------------------------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


def recorded() -> list[dict[str, Any]]:
    """What `mpio drill -o json` said in a guest: each way once, and a LUN whose reads failed."""
    return [one for path in sorted(RECORDED.glob("*.json")) for one in json.loads(path.read_text())["drills"]]


def words(text: str) -> list[str]:
    tree = ElementTree.fromstring(text)
    return ["".join(element.itertext()).strip() for element in tree.iter(f"{SVG}text")]


def test_the_picture_has_a_panel_for_each_and_says_what_it_shows() -> None:
    drills = recorded()
    assert {d["how"] for d in drills} == {"offline", "link", "block"}
    text = drillplot.svg(drills)
    said = words(text)
    for one in drills:
        assert f"{one['thing']}, {one['how']}: longest stall {one['stall']:.2f} s, {one['errors']} errors" in said
        for layer, at in one["noticed"].items():
            assert at is None or f"{drillplot.LAYERS[layer]} {at:.1f} s" in said
        assert f"whole again {one['whole']:.1f} s" in said
        assert {x["alias"] for x in one["luns"]} <= set(said)
    assert said.count("latency of a read, s") == said.count("put back") == len(drills)
    assert len(re.findall(r'<g id="axes_\d+">', text)) == len(drills)


def test_the_same_drill_gives_the_same_picture() -> None:
    one = [drilled.document(measured())]
    assert drillplot.svg(one) == drillplot.svg(one)
    assert "<dc:date>" not in drillplot.svg(one)


def test_a_drill_that_went_wrong_can_be_drawn() -> None:
    bad = drilled.document(measured(error=errno.EIO, whole=None))
    assert "failed read" in words(drillplot.svg([bad]))
    unread = replace(measured(), samples=(), maps=())
    assert "eth1, link: longest stall 0.00 s, 0 errors" in words(drillplot.svg([drilled.document(unread)]))
    assert words(drillplot.svg([])) != []


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MpioError, match="not installed") as met:
        drillplot.need()
    assert met.value.hint == 'pip install "mpio-toolkit[plot]"'
