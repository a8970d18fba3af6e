from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import fakes
import pytest
import reports
from hypothesis import given
from hypothesis import strategies as st

from mpio.report import lettering, page, picture, wiring
from mpio.report.lettering import Box
from mpio.report.picture import Picture
from mpio.topology import Lun, LunState

HOST = reports.seen(fakes.guide_host(), fakes.guide_site())
DRAWN = dict(zip(page.WIDTHS, HOST.page.pictures, strict=True))


def boxes(drawn: Picture, kind: str) -> list[Box]:
    return [b for b in drawn.boxes if b.kind == kind]


def outside(inner: Box, outer: Box) -> bool:
    return (
        inner.x < outer.x
        or inner.y < outer.y
        or inner.x + inner.width > outer.x + outer.width
        or inner.bottom > outer.bottom
    )


def apart(a: Box, b: Box) -> bool:
    return a.x + a.width <= b.x or b.x + b.width <= a.x or a.bottom <= b.y or b.bottom <= a.y


def wrong(drawn: Picture) -> Iterator[str]:
    """What no picture may have: boxes that overlap or leave it, text that leaves its box, lines from nowhere."""
    for n, one in enumerate(drawn.boxes):
        if one.x < 0 or one.y < 0 or one.x + one.width > drawn.width or one.bottom > drawn.height:
            yield f"{one.title} leaves the picture"
        for other in drawn.boxes[n + 1 :]:
            if not apart(one, other) and outside(one, other) and outside(other, one):
                yield f"{one.title} overlaps {other.title}"
        for text in one.texts:
            size = lettering.NAME if text.kind == "name" else lettering.SMALL
            right = text.x + lettering.width(text.words, size)
            if text.x < one.x or right > one.x + one.width or not one.y < text.y <= one.bottom:
                yield f"{text.words} leaves {one.title}"
    for line in drawn.lines:
        if not any(b.bottom == line.y1 and b.x <= line.x1 <= b.x + b.width for b in drawn.boxes):
            yield f"{line.title} comes from nowhere"
        if not any(b.y == line.y2 and b.x <= line.x2 <= b.x + b.width for b in drawn.boxes):
            yield f"{line.title} goes nowhere"


@pytest.mark.parametrize("width", page.WIDTHS)
def test_the_guides_host(width: int) -> None:
    drawn = DRAWN[width]
    assert drawn.width == width
    assert [len(boxes(drawn, k)) for k in ("host", "nic", "iface", "portal", "target", "luns", "lun")] == [
        *(1, 2, 2, 2, 2, 1, 4)
    ]
    assert len(drawn.lines) == 4 + 2 + 2
    assert [line.label.words for line in drawn.lines if line.label][:4] == ["sid 1", "sid 3", "sid 2", "sid 4"]
    assert list(wrong(drawn)) == []


@pytest.mark.parametrize("state", reports.STATES)
@pytest.mark.parametrize("with_site", [True, False])
def test_recorded_hosts_are_drawn_well(state: str, with_site: bool) -> None:
    for drawn in reports.recorded(state, with_site=with_site).page.pictures:
        assert list(wrong(drawn)) == []


def test_a_large_host_is_drawn_well_and_always_the_same() -> None:
    seen = reports.large()
    first = seen.page.pictures
    assert first == seen.page.pictures
    for drawn in first:
        assert list(wrong(drawn)) == []
        assert len(boxes(drawn, "lun")) == reports.LUNS
        assert len(drawn.lines) == 8


@pytest.mark.parametrize("portals", [1, 3, 8, 16])
def test_many_portals_and_a_target_for_each_lun(portals: int) -> None:
    for drawn in reports.wide(portals=portals).page.pictures:
        assert list(wrong(drawn)) == []
        assert len(drawn.lines) == 2 * portals + 1


def test_the_law_can_fail() -> None:
    drawn = DRAWN[page.WIDTHS[0]]
    lun = boxes(drawn, "lun")[0]
    moved = replace(drawn, boxes=tuple(replace(b, x=b.x + 40) if b is lun else b for b in drawn.boxes))
    assert list(wrong(moved))
    narrow = replace(drawn, boxes=tuple(replace(b, width=60) if b is lun else b for b in drawn.boxes))
    assert list(wrong(narrow))


def lun(number: int, alias: str, paths: int, expected: int | None) -> Lun:
    return Lun(
        *(f"3{number:032x}", alias, "", None, "", "", None),
        paths=HOST.host.paths[:paths],
        usable=HOST.host.paths[: paths // 2],
        expected=expected,
        state=LunState.DEGRADED,
        shared="",
        wanted=True,
    )


names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"]), max_size=127)


@given(
    st.lists(st.tuples(names, st.integers(0, 16), st.none() | st.integers(0, 40)), max_size=9),
    st.integers(200, 1400),
    names,
)
def test_whatever_the_names_no_box_overlaps_and_no_text_is_cut(
    luns: list[tuple[str, int, int | None]], width: int, name: str
) -> None:
    made = tuple(lun(n, *one) for n, one in enumerate(luns))
    wired = wiring.of(HOST.host, made, HOST.judged.pairs)
    assert list(wrong(picture.of(wired, name, width))) == []


@given(names, st.integers(2, 60))
def test_text_is_broken_never_cut(words: str, room: int) -> None:
    lines = lettering.broken(words, room)
    assert "".join(lines) == words
    assert all(lettering.cells(line) <= room for line in lines)


def test_names_are_broken_where_they_have_a_joint() -> None:
    assert lettering.broken("iqn.2011-09.dom.homer:01:13611547-b4e6", 20) == [
        "iqn.2011-09.dom.",
        "homer:01:13611547-",
        "b4e6",
    ]
    assert lettering.broken("4 LUNs, 16 of 16 paths", 12) == ["4 LUNs, 16", "of 16 paths"]
