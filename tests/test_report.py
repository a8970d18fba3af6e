"""`mpio report`: its numbers, what it makes of hostile names, how it looks in a browser, and the verb itself."""

from __future__ import annotations

import re
import stat
import struct
from dataclasses import replace
from pathlib import Path

import fakes
import htmltree
import pytest
import reports
from browser import Browser
from reports import Seen
from test_commands import HOST, Mpio, Shows, run, shows, site

from mpio import view
from mpio.commands import call
from mpio.findings import finding
from mpio.report import typeset

__all__ = ["run", "shows", "site"]
GUIDE = reports.seen(fakes.guide_host(), fakes.guide_site())
LARGE = reports.large()


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(tmp_path)


@pytest.mark.parametrize("state", reports.STATES)
@pytest.mark.parametrize("with_site", [True, False])
def test_the_numbers_are_those_of_status(state: str, with_site: bool) -> None:
    seen = reports.recorded(state, with_site=with_site)
    htmltree.as_status_says(seen.html, view.status(seen.host, seen.judged.luns))


def test_every_finding_is_there_with_its_remedy() -> None:
    page = htmltree.read(LARGE.html)
    found = LARGE.judged.findings or ()
    assert sorted(e.data("subject") for e in page.having("subject", tag="li")) == sorted(f.subject for f in found)
    for one in found:
        assert one.summary in page.text
        assert one.severity == "info" or one.remedy in page.text
    codes = [e.data("code") for e in page.having("code", tag="section")]
    assert len(codes) == len(set(codes))


def test_a_page_needs_nothing_but_itself() -> None:
    page = LARGE.html
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link rel=\"?(?!icon)|img|iframe|object|base)\b", page)
    assert not re.search(r"\bon\w+\s*=\s*[\"']", page)
    links = re.findall(r"(?:href|src)=\"([^\"]*)\"|url\(([^)]*)\)", page)
    assert {(a or b)[:1] for a, b in links} == {"#", "d"}
    assert len(page) < 600_000


HOSTILE = '"><script>alert(1)</script>\x1b[31m\u202e&amp;</svg></style>'


def test_nothing_from_outside_is_markup() -> None:
    host = GUIDE.host
    wild = replace(
        host,
        maps=tuple(replace(m, name=HOSTILE) for m in host.maps),
        paths=tuple(replace(p, vendor=HOSTILE, product=HOSTILE, dm_state=HOSTILE, hctl=HOSTILE) for p in host.paths),
        sessions=tuple(replace(s, state=HOSTILE, pair=replace(s.pair, target=HOSTILE)) for s in host.sessions),
        ifaces=tuple(replace(i, nic=HOSTILE) for i in host.ifaces),
        blind=(HOSTILE,),
    )
    judged = replace(reports.seen(wild, None).judged, findings=(finding("MP304", HOSTILE, HOSTILE),))
    page = Seen(wild, None, judged).html
    assert "<script" not in page
    assert "alert(1)" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "\\x1b[31m" in htmltree.read(page).text
    assert page.count("</svg>") == GUIDE.html.count("</svg>") - _icons(GUIDE.html) + _icons(page)


def _icons(page: str) -> int:
    return len(re.findall(r"<svg(?! class=\"picture)", page))


def test_every_table_and_picture_says_what_it_is() -> None:
    page = htmltree.read(LARGE.html)
    heads = [e for e in page.elements if e.tag == "th"]
    assert heads
    assert {e.attributes["scope"] for e in heads} == {"col", "row"}
    pictures = [e for e in page.elements if e.tag == "svg" and "picture" in e.classes]
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert len(pictures) == 3
    for one in pictures:
        assert one.attributes["role"] == "img"
        assert set(one.attributes["aria-labelledby"].split()) <= set(ids)
    assert not [e for e in page.elements if e.tag == "a" and e.attributes["href"][1:] not in ids]


def test_states_differ_by_more_than_colour() -> None:
    """Each has a line, a frame and a sign of its own; and text is 4.5 times lighter or darker than its ground."""
    css = (typeset.FOLDER / "report.css").read_text()
    rules = {
        s: re.search(rf"\.line\.{s} {{[^}}]*stroke-dasharray: ([\d ]+);", css) for s in ("degraded", "dead", "unknown")
    }
    assert len({found[1] for found in rules.values() if found}) == 3
    assert {f'id="mark-{s}"' in GUIDE.html for s in ("healthy", "degraded", "dead", "unknown")} == {True}
    for theme in re.findall(r":root \{(.*?)\}", css, re.S)[:2]:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", theme))
        for ink in ("ink", "soft", "link", "healthy", "degraded", "dead", "unknown"):
            for ground in ("paper", "sheet", "degraded-fill", "dead-fill", "unknown-fill"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def contrast(one: str, other: str) -> float:
    """WCAG 2, 1.4.3."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


# -- in a browser --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
def test_no_text_overlaps_and_none_is_cut(browser: Browser, dark: bool) -> None:
    kinds = [(state, with_site) for state in reports.STATES for with_site in ((True,) if dark else (True, False))]
    pages = {f"{state} {with_site}": reports.recorded(state, with_site=with_site).html for state, with_site in kinds}
    assert browser.measured({**pages, "large": LARGE.html, "wide": reports.wide().html}, (1280, 390), dark=dark) == []
    assert browser.measured({"large": LARGE.html}, (360, 759, 760, 1024, 1250, 1920), dark=dark) == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_picture_of_the_page_is_one(browser: Browser, width: int, dark: bool) -> None:
    png = browser.shot(LARGE.html, width, 2000, dark=dark).read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (max(width, 500), 2000)
    assert len(png) > 100_000, "a picture with next to nothing in it"


BREAKS = {
    "scrolls sideways": ".tile { width: 900px }",
    "leaves its box in the picture": ".picture .name { font-size: 19px }",
    "overlaps": "h2 { margin-bottom: -30px }",
    "is cut": "td { overflow: hidden; white-space: nowrap; max-width: 60px }",
    "is shrunk": ".picture { width: 200px; height: auto }",
}


def test_the_measurement_finds_broken_pages(browser: Browser) -> None:
    broken = {says: GUIDE.html.replace("</style>", f"{rule}</style>") for says, rule in BREAKS.items()}
    found = browser.measured(broken, (1280, 390))
    told = {
        (name, says) for name, _, problem in (p.partition(": ") for p in found) for says in BREAKS if says in problem
    }
    assert told >= {(f"{says} {width}", says) for says in BREAKS for width in (1280, 390)}


# -- the verb ------------------------------------------------------------------------------------------------------


def test_a_page_is_written_whole(run: Mpio, site: Path, shows: Shows, tmp_path: Path) -> None:
    shows(HOST)
    to = tmp_path / "page.html"
    said = run("report", str(to))
    assert (said.code, said.err) == (0, "")
    assert said.out == f"{to}: healthy, 4 LUNs, 16 of 16 paths, 4 of 4 sessions\n"
    assert stat.S_IMODE(to.stat().st_mode) == 0o644
    htmltree.as_status_says(to.read_text(), run("status", "-o", "json").json)
    document = run("report", str(to), "-o", "json").json
    assert document.pop("bytes") == to.stat().st_size
    assert document == {
        "format": 1,
        "command": "report",
        "exit": 0,
        "path": str(to),
        "state": "healthy",
        "luns": 4,
        "paths": {"usable": 16, "counted": 16},
        "sessions": {"logged_in": 4, "counted": 4},
        "findings": 0,
        "unseen": [],
    }


def test_a_sick_host_gets_its_page_all_the_same(run: Mpio, site: Path, shows: Shows, tmp_path: Path) -> None:
    shows(replace(HOST, sessions=(), paths=()))
    said = run("report", str(tmp_path / "page.html"), "-o", "json")
    assert (said.code, said.json["state"], said.json["paths"]) == (0, "failed", {"usable": 0, "counted": 16})
    assert said.json["findings"] > 0


def test_without_a_site_file_nothing_is_expected(
    run: Mpio, shows: Shows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MPIO_SITE")
    monkeypatch.setattr(call, "SITE", str(tmp_path / "none.toml"))
    shows(HOST)
    said = run("report", "-")
    assert said.code == 0
    assert "no site file" in said.out
    assert {e.data("expected") for e in htmltree.read(said.out).having("wwid", tag="g")} == {""}


def test_who_is_not_root_is_told_why_nothing_is_expected(
    run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows(HOST)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    said = run("report", "-")
    assert said.code == 0
    assert "only root may see what the site expects" in said.out
    assert {e.data("expected") for e in htmltree.read(said.out).having("wwid", tag="g")} == {""}


@pytest.mark.parametrize("name", ["", "folder/", ".", "-"])
def test_what_is_no_file_is_refused(run: Mpio, shows: Shows, name: str) -> None:
    shows(HOST)
    said = run("report", name, "-o", "json")
    assert said.code == 2
    assert said.json["error"]["code"] == "usage"


def test_a_page_that_cannot_be_written_is_said(run: Mpio, site: Path, shows: Shows, tmp_path: Path) -> None:
    shows(HOST)
    (tmp_path / "file").write_text("x")
    for folder in ("file", "none"):
        said = run("report", str(tmp_path / folder / "page.html"), "-o", "json")
        assert (said.code, said.json["error"]["code"]) == (1, "cannot-write")
    assert {p.name for p in tmp_path.iterdir()} == {"file", "site.toml"}


def test_a_name_that_cannot_be_printed_is_escaped(run: Mpio, site: Path, shows: Shows, tmp_path: Path) -> None:
    shows(HOST)
    said = run("report", f"{tmp_path}/\x1b[31m\udcff.html")
    assert said.code == 0
    assert said.out.startswith(f"{tmp_path}/\\x1b[31m\\xdcff.html: healthy")
