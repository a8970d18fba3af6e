"""The elements of a page that carry data, as a program reads them back."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())

    def data(self, key: str) -> str:
        return self.attributes[f"data-{key}"]


@dataclass
class Read(HTMLParser):
    """Every element of a page, in order, and all its text."""

    elements: list[Element] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {k: v or "" for k, v in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def having(self, *keys: str, tag: str = "") -> list[Element]:
        wanted = {f"data-{key}" for key in keys}
        return [e for e in self.elements if wanted <= e.attributes.keys() and tag in ("", e.tag)]


def read(page: str) -> Read:
    parser = Read()
    parser.feed(page)
    return parser


def as_status_says(page: str, status: Any) -> None:
    """Every picture and every table of a report has the numbers of `status -o json`."""
    found = read(page)
    drawn = [e for e in found.having("wwid", tag="g") if "lun" in e.classes]
    luns = [
        (
            one["wwid"],
            one["alias"] or "",
            str(one["usable_paths"]),
            "" if one["expected_paths"] is None else str(one["expected_paths"]),
            one["state"],
        )
        for one in status["luns"]
    ]
    keys = ("wwid", "alias", "usable", "expected", "state")
    shown = [tuple(e.data(key) for key in keys) for e in drawn]
    assert sorted(shown) == sorted(luns * 3)  # the picture groups them; one picture for each width
    rows = found.having("row-wwid", tag="tr")
    assert [(e.data("row-wwid"), *(e.data(key) for key in keys[2:])) for e in rows] == [
        (one[0], *one[2:]) for one in luns
    ]
    paths = [(p["dev"], one["wwid"], p["hctl"]) for one in status["luns"] for p in one["paths"]]
    assert [(e.data("dev"), e.data("of"), e.data("hctl")) for e in found.having("dev", tag="tr")] == paths
    for one in status["luns"]:
        usable = [
            e for e in found.having("dev", tag="tr") if e.data("of") == one["wwid"] and e.data("usable") == "true"
        ]
        assert len(usable) == one["usable_paths"]
    sessions = [(str(s["sid"]), s["state"] or "") for s in status["sessions"]]
    assert [(e.data("sid"), e.data("state")) for e in found.having("sid", tag="tr")] == sessions
    assert [e.data("iface") for e in found.having("iface", tag="tr")] == [i["name"] for i in status["ifaces"]]
    lines = found.having("up", "sids", tag="path")
    up = sum(s["state"] == "LOGGED_IN" for s in status["sessions"])
    ifaces = [e for e in found.having("iface", "up", tag="g") if "iface" in e.classes]
    assert sum(int(e.data("up")) for e in ifaces) == 3 * up
    assert {sid for e in lines for sid in e.data("sids").split()} == {sid for sid, _ in sessions}
