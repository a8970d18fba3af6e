"""The wiring as boxes and lines: from the host above to its LUNs below, in a given width.

A row that cannot be squeezed makes the picture wider than was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from mpio.report import wiring
from mpio.report.lettering import GAP, LEADING, MARK, PAD, SMALL, Box, Pip, Text, lines, sized, width, written
from mpio.report.wiring import Bundle, Card, Count, End, Luns, State, Targets, Wiring
from mpio.topology import Lun

BEND, STUB = 58, 26  # between rows: lines cross in the first part, in the second each is alone with its label
NARROWEST, WIDEST = 128, 330  # of a box in a row
LUN = 152


@dataclass(frozen=True, slots=True)
class Line:
    """From the foot of one box to the head of another; `label` empty where there is no room for it."""

    x1: int
    y1: int
    x2: int
    y2: int
    state: State
    label: Text | None
    title: str
    data: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        """As SVG has it: a bend, and a straight end."""
        straight = self.y2 - STUB
        deep = (straight - self.y1) * 6 // 10
        bend = f"C{self.x1} {self.y1 + deep} {self.x2} {straight - deep} {self.x2} {straight}"
        return f"M{self.x1} {self.y1}{bend}V{self.y2}"

    @property
    def plate(self) -> int:
        """The width of what stands in the line's way: its label and, where not all is well, the sign of its state."""
        sign = 0 if self.state is State.HEALTHY else MARK
        return sign + (width(self.label.words, SMALL) + 6 if self.label else 0)


@dataclass(frozen=True, slots=True)
class Picture:
    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


@dataclass(slots=True)
class _Sheet:
    """What is drawn so far; `ends` finds the boxes that lines go to and come from."""

    width: int
    top: int = 0
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    ends: dict[tuple[str, str | int], Box] = field(default_factory=dict)

    def add(self, box: Box, key: str | int = "") -> None:
        self.boxes.append(box)
        self.ends[box.kind, key] = box


def of(wired: Wiring, name: str, wanted: int) -> Picture:
    """The picture of a host in a width, which it may exceed."""
    sheet = _Sheet(_needed(wired, wanted))
    _host(sheet, wired, name)
    rows = (
        ("portal", [_end("portal", e) for e in wired.portals], wired.to_portals),
        ("targets", [_targets(t) for t in wired.targets], wired.to_targets),
    )
    for kind, made, bundles in rows:
        if made:
            sheet.top += BEND + STUB
            _row(sheet, kind, made, [e.name for e in wired.portals] if kind == "portal" else range(len(made)))
            _lines(sheet, bundles, ("iface", "portal") if kind == "portal" else ("portal", "targets"), "session")
    if wired.luns:
        sheet.top += BEND + STUB if wired.to_luns else GAP * 2
        _shelves(sheet, wired.luns)
        _lines(sheet, wired.to_luns, ("targets", "luns"), "path")
    return Picture(sheet.width, sheet.top + 2, tuple(sheet.boxes), tuple(sheet.lines))


def _needed(wired: Wiring, wanted: int) -> int:
    def row(count: int, least: int) -> int:
        return count * least + (count - 1) * GAP

    ifaces = sum(max(1, len(c.ifaces)) for c in wired.cards)
    return max(
        wanted,
        row(ifaces, NARROWEST) + 2 * PAD * (len(wired.cards) + 1),
        row(len(wired.portals), NARROWEST),
        row(len(wired.targets), NARROWEST),
        row(len(wired.luns), NARROWEST + 2 * PAD),
    )


# -- the host


def _host(sheet: _Sheet, wired: Wiring, name: str) -> None:
    """A box around the NICs, which hold their ifaces."""
    head = lines([(name, "name")], sheet.width - 2 * PAD - MARK) + lines(
        [(summary(wired), "small")], sheet.width - 2 * PAD
    )
    inside = PAD + len(head) * LEADING + PAD // 2
    ifaces = max(1, sum(max(1, len(c.ifaces)) for c in wired.cards))
    frames = 2 * PAD * (len(wired.cards) + 1) + GAP * max(0, ifaces - 1)
    each = min(WIDEST, (sheet.width - frames) // ifaces)
    widths = [len(c.ifaces) * each + (len(c.ifaces) - 1) * GAP + 2 * PAD for c in wired.cards]
    left = (sheet.width - sum(widths) - GAP * (len(widths) - 1)) // 2
    made = []
    for card, wide in zip(wired.cards, widths, strict=True):
        made.append(_card(card, left, inside, wide))
        left += wide + GAP
    tall = max((boxes[0].height for boxes in made), default=0)
    height = inside + tall + PAD if made else inside + PAD
    title = f"host {name}: {summary(wired)}"
    sheet.add(written(Box("host", 1, 1, sheet.width - 2, height, wired.state, title=title), head, PAD))
    for boxes, card in zip(made, wired.cards, strict=True):
        sheet.add(replace(boxes[0], height=tall), card.name)
        for box, iface in zip(boxes[1:], card.ifaces, strict=True):
            sheet.add(box, iface.name)
            # lines come out of the card, not out of what is inside
            sheet.ends["iface", iface.name] = replace(box, height=inside + tall - box.y)
    sheet.top = 1 + height


def summary(wired: Wiring) -> str:
    """`degraded: 4 LUNs, 12 of 16 paths, 3 of 4 sessions`."""
    luns = sum(len(group.luns) for group in wired.luns)
    if not luns and not wired.sessions.of:
        return "no LUN and no session"
    many = f"{luns} LUN" if luns == 1 else f"{luns} LUNs"
    word = {State.DEAD: "failed"}.get(wired.state, wired.state.value)
    return f"{word}: {many}, {wired.paths} paths, {wired.sessions} sessions"


def _card(card: Card, left: int, top: int, wide: int) -> list[Box]:
    """The NIC, then its ifaces in it."""
    head = lines([(card.name, "name")], wide - 2 * PAD - MARK) + lines(
        [(word, "small") for word in card.says], wide - 2 * PAD
    )
    at = top + PAD + len(head) * LEADING + PAD // 2
    count = max(1, len(card.ifaces))
    each = (wide - 2 * PAD - (count - 1) * GAP) // count
    ifaces = []
    for number, iface in enumerate(card.ifaces):
        box = _end("iface", iface)
        ifaces.append(sized(replace(box, x=left + PAD + number * (each + GAP), y=at, width=each)))
    tall = max((b.height for b in ifaces), default=0)
    nic = Box("nic", left, top, wide, at - top + tall + PAD, card.state, title=f"NIC {card.name}: {card.says[0]}")
    data = (("nic", card.name), ("state", card.state.value))
    return [written(replace(nic, data=data), head, PAD), *(replace(b, height=tall) for b in ifaces)]


# -- rows


def _end(kind: str, end: End) -> Box:
    title = f"{kind} {end.name}: {end.ways} sessions"
    data = ((kind, end.name), ("up", str(end.ways.up)), ("of", str(end.ways.of)), ("state", end.ways.state.value))
    texts = (Text(0, 0, end.name), Text(0, 0, f"{end.ways} sessions", "small"))
    return Box(kind, 0, 0, 0, 0, end.ways.state, texts, title, data=data)


def _targets(group: Targets) -> list[Box]:
    return [_end("target", end) for end in group.ends]


def _row(sheet: _Sheet, kind: str, made: Sequence[Box | list[Box]], keys: Iterable[str | int]) -> None:
    """Boxes side by side, each as tall as its text; a list of several is a frame around a grid of them."""
    each = min(WIDEST, (sheet.width - GAP * (len(made) - 1)) // len(made))
    if any(isinstance(one, list) and len(one) > 1 for one in made):
        each = (sheet.width - GAP * (len(made) - 1)) // len(made)
    left = (sheet.width - len(made) * each - GAP * (len(made) - 1)) // 2
    bottom = sheet.top
    for one, key in zip(made, keys, strict=True):
        inner = one if isinstance(one, list) else [one]
        if len(inner) == 1:
            box = sized(replace(inner[0], x=left, y=sheet.top, width=each))
            sheet.add(box)
            sheet.ends[kind, key] = box
        else:
            ways = Count(sum(int(dict(b.data)["up"]) for b in inner), sum(int(dict(b.data)["of"]) for b in inner))
            frame = Box(kind, left, sheet.top, each, 0, ways.state, marked=False)
            box = _grid(sheet, frame, f"{len(inner)} targets, {ways} sessions", inner, key)
        bottom = max(bottom, box.bottom)
        left += each + GAP
    sheet.top = bottom


def _shelves(sheet: _Sheet, shelves: Sequence[Luns]) -> None:
    """The groups of LUNs side by side, the width shared out by how many they hold."""
    room = sheet.width - GAP * (len(shelves) - 1)
    least = NARROWEST + 2 * PAD
    spare = room - least * len(shelves)
    every = sum(len(s.luns) for s in shelves)
    left, bottom = 0, sheet.top
    for place, shelf in enumerate(shelves):
        wide = least + spare * len(shelf.luns) // every
        ways = [wiring.counted(lun) for lun in shelf.luns]
        count = Count(sum(c.up for c in ways), sum(c.of for c in ways))
        many = "1 LUN" if len(shelf.luns) == 1 else f"{len(shelf.luns)} LUNs"
        frame = Box("luns", left + 1, sheet.top, wide - 2, 0, count.state, marked=False)
        box = _grid(sheet, frame, f"{many}, {count} paths", [_lun(lun) for lun in shelf.luns], place)
        bottom = max(bottom, box.bottom)
        left += wide + GAP
    sheet.top = bottom


def _grid(sheet: _Sheet, frame: Box, says: str, cells: list[Box], key: str | int) -> Box:
    """A frame around cells in rows; gives the frame, which is drawn below them."""
    head = lines([(says, "small")], frame.width - 2 * PAD)
    room = frame.width - 2 * PAD
    columns = max(1, min((room + GAP // 2) // (LUN + GAP // 2), len(cells)))
    wide = min(2 * LUN, (room - (columns - 1) * GAP // 2) // columns)
    top = frame.y + PAD + len(head) * LEADING + PAD // 2
    drawn: list[Box] = []
    for start in range(0, len(cells), columns):
        row = [
            sized(replace(cell, x=frame.x + PAD + n * (wide + GAP // 2), y=top, width=wide))
            for n, cell in enumerate(cells[start : start + columns])
        ]
        tall = max(b.height for b in row)
        drawn += [replace(b, height=tall) for b in row]
        top += tall + GAP // 2
    whole = written(replace(frame, height=top - GAP // 2 + PAD - frame.y, title=says), head, PAD)
    sheet.add(whole, key)
    for box in drawn:
        sheet.add(box)
    return whole


def _lun(lun: Lun) -> Box:
    state = wiring.OF_LUN[lun.state]
    count = wiring.counted(lun)
    known = "" if lun.expected is not None else " seen"
    says = [Text(0, 0, lun.alias or lun.wwid), Text(0, 0, f"{count}{known}, {lun.state}", "small")]
    if lun.shared:
        says.append(Text(0, 0, f"all over {lun.shared}", "small"))
    data = (
        ("wwid", lun.wwid),
        ("alias", lun.alias),
        ("usable", str(len(lun.usable))),
        ("expected", "" if lun.expected is None else str(lun.expected)),
        ("state", lun.state.value),
    )
    title = f"LUN {lun.alias or lun.wwid}: {lun.state}, {count} paths{known}"
    good = {p.dev for p in lun.usable}
    kinds = ["up" if p.dev in good else "down" for p in lun.paths]
    kinds += ["missing"] * ((lun.expected or 0) - len(kinds))
    return Box("lun", 0, 0, 0, 0, state, tuple(says), title, pips=tuple(Pip(0, 0, k) for k in kinds), data=data)


# -- lines


def _lines(sheet: _Sheet, bundles: Sequence[Bundle], kinds: tuple[str, str], what: str) -> None:
    """Each bundle leaves and arrives at a place of its own, in the order that crosses least."""
    drawn = [b for b in bundles if (kinds[0], b.start) in sheet.ends and (kinds[1], b.end) in sheet.ends]

    def places(of_end: bool) -> dict[int, int]:
        found = {}
        for key in {b.end if of_end else b.start for b in drawn}:
            here = [n for n, b in enumerate(drawn) if (b.end if of_end else b.start) == key]
            box = sheet.ends[kinds[of_end], key]
            here.sort(key=lambda n: sheet.ends[kinds[not of_end], drawn[n].start if of_end else drawn[n].end].middle)
            for place, n in enumerate(here):
                found[n] = box.x + box.width * (2 * place + 1) // (2 * len(here))
        return found

    above, below = places(False), places(True)
    for n, bundle in enumerate(drawn):
        start, end = sheet.ends[kinds[0], bundle.start], sheet.ends[kinds[1], bundle.end]
        here = sum(b.end == bundle.end for b in drawn)
        count = bundle.count
        words = f"{count} {what}s" if what == "path" else _sids(bundle)
        fits = end.width // here >= width(words, SMALL) + MARK + 10
        sign = 0 if count.state is State.HEALTHY else MARK
        label = Text(below[n] + sign // 2, end.y - 10, words, "label") if fits else None
        title = f"{count} {what}s" + (f" ({_sids(bundle)})" if bundle.sids else "")
        data = (("up", str(count.up)), ("of", str(count.of)), ("sids", " ".join(map(str, bundle.sids))))
        sheet.lines.append(Line(above[n], start.bottom, below[n], end.y, count.state, label, title, data))


def _sids(bundle: Bundle) -> str:
    """`sid 3`; of many how many are there, of those that were never made that there is none."""
    if bundle.count.of == 1:
        return f"sid {bundle.sids[0]}" if bundle.sids else "no session"
    return f"{bundle.count} sessions"
