"""What a report says, as values for its template: everything that `status` and `verify` know, in reading order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mpio import budget, topology, view
from mpio.budget import Budget
from mpio.findings import Finding
from mpio.host import Host
from mpio.memory import Offline
from mpio.report import picture, wiring
from mpio.report.picture import Picture
from mpio.report.wiring import Count, State
from mpio.site import Site
from mpio.step import Step
from mpio.topology import Lun, Pairs

# One picture each for a phone, a tablet or paper, and a desk: what is read is not shrunk.
WIDTHS = (344, 700, 1180)
NAMED = 4  # of the LUNs that share a budget


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known besides the look: the host's name, the time with its zone, `versions` by program."""

    name: str
    time: str
    versions: tuple[tuple[str, str], ...]
    initiator: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """How the host stands: `drift` and `findings` are None where nobody could say; `word` is verify's.

    `without` says why nothing is expected, where no site was looked at.
    """

    luns: tuple[Lun, ...]
    pairs: Pairs | None = None
    word: str = ""
    drift: tuple[Step, ...] | None = None
    findings: tuple[Finding, ...] | None = None
    without: str = "no site file"


@dataclass(frozen=True, slots=True)
class PathRow:
    said: view.Json
    usable: bool


@dataclass(frozen=True, slots=True)
class LunRow:
    said: view.Json
    name: str
    state: State
    count: Count
    shared: str
    queue: str
    paths: tuple[PathRow, ...]


@dataclass(frozen=True, slots=True)
class Waits:
    """A stall in words: as the timers are set, and at most."""

    words: str
    most: str


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What it is the budget of, with a wait for each kind of failure."""

    what: str
    names: str
    stalls: tuple[tuple[str, Waits], ...]
    queue: str


@dataclass(frozen=True, slots=True)
class Remark:
    """The findings of one code, and what to do about them."""

    code: str
    severity: str
    findings: tuple[Finding, ...]
    remedies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    facts: Facts
    site: str
    without: str
    word: str
    state: State
    summary: str
    counts: tuple[tuple[str, str, State], ...]
    pictures: tuple[Picture, ...]
    luns: tuple[LunRow, ...]
    ifaces: tuple[view.Json, ...]
    sessions: tuple[tuple[view.Json, State], ...]
    missing: tuple[str, ...]
    offline: tuple[Offline, ...]
    budgets: tuple[BudgetRow, ...]
    drift: tuple[view.Json, ...] | None
    findings: tuple[Remark, ...] | None
    blind: tuple[str, ...]


ORDER = ("critical", "error", "warning", "info")


def of(facts: Facts, site: Site | None, host: Host, judged: Judged) -> Page:
    wired = wiring.of(host, judged.luns, judged.pairs)
    found = judged.findings
    planned = judged.pairs.planned if judged.pairs else ()
    return Page(
        facts=facts,
        site=site.path if site else "",
        without=judged.without,
        word=judged.word or {State.DEAD: "failed"}.get(wired.state, wired.state.value),
        state={"failed": State.DEAD, "degraded": State.DEGRADED, "differs": State.DEGRADED}.get(
            judged.word, wired.state
        ),
        summary=picture.summary(wired),
        counts=_counts(wired, found),
        pictures=tuple(picture.of(wired, facts.name, width) for width in WIDTHS),
        luns=tuple(_lun(site, host, lun) for lun in judged.luns),
        ifaces=tuple(view.ifaces(host)),
        sessions=tuple((view.session(s), State.HEALTHY if s.logged_in else State.DEAD) for s in host.sessions),
        missing=tuple(str(pair) for pair in planned if host.session_of(pair) is None),
        offline=host.offline,
        budgets=tuple(_budgets(site, host, judged.luns)),
        drift=None if judged.drift is None else tuple(view.steps(judged.drift)),
        findings=None if found is None else _remarks(found),
        blind=host.blind,
    )


def _remarks(found: tuple[Finding, ...]) -> tuple[Remark, ...]:
    """A remark for each code, the worst first and otherwise in the order of the findings: causes before symptoms."""
    of_code: dict[str, list[Finding]] = {}
    for one in sorted(found, key=lambda f: ORDER.index(f.severity.value)):
        of_code.setdefault(one.code, []).append(one)
    return tuple(
        Remark(
            code,
            many[0].severity.value,
            tuple(many),
            tuple(dict.fromkeys(f.remedy for f in many)) if many[0].severity.value != "info" else (),
        )
        for code, many in of_code.items()
    )


def _counts(wired: wiring.Wiring, found: tuple[Finding, ...] | None) -> tuple[tuple[str, str, State], ...]:
    luns = [lun for group in wired.luns for lun in group.luns]
    healthy = Count(sum(lun.state is topology.LunState.HEALTHY for lun in luns), len(luns))
    links = Count(sum(card.state is State.HEALTHY for card in wired.cards), len(wired.cards))
    rows = [
        ("LUNs healthy", str(healthy), wired.state),
        ("paths usable", str(wired.paths), wired.paths.state),
        ("sessions logged in", str(wired.sessions), wired.sessions.state),
        ("NICs with a link", str(links), links.state),
    ]
    if found is not None:
        harmful = sum(f.severity.value in ("error", "critical") for f in found)
        state = State.DEAD if any(f.severity.value == "critical" for f in found) else State.DEGRADED
        rows.append(("errors found", str(harmful), state if harmful else State.HEALTHY))
    return tuple(rows)


def _lun(site: Site | None, host: Host, lun: Lun) -> LunRow:
    return LunRow(
        said=view.lun(host, lun),
        name=lun.alias or lun.wwid,
        state=wiring.OF_LUN[lun.state],
        count=wiring.counted(lun),
        shared=lun.shared,
        queue=queue(budget.of_lun(host, lun, site)),
        paths=tuple(PathRow(view.path(host, p), p in lun.usable) for p in lun.paths),
    )


def _budgets(site: Site | None, host: Host, luns: tuple[Lun, ...]) -> Iterator[BudgetRow]:
    """What the site promises, and what holds now: LUNs with the same budget share a row."""
    if site:
        yield _budget(budget.of_site(site), "the site file", "")
    rows: dict[tuple[tuple[tuple[str, Waits], ...], str], list[Lun]] = {}
    for lun in luns:
        own = _budget(budget.of_lun(host, lun, site), "", "")
        rows.setdefault((own.stalls, own.queue), []).append(lun)
    for (stalls, queued), those in rows.items():
        names = [lun.alias or lun.wwid for lun in those]
        more = f", {len(names) - NAMED} more" if len(names) > NAMED else ""
        what = f"all {len(names)} LUNs" if len(rows) == 1 < len(names) else f"{len(names)} LUNs"
        yield BudgetRow(what if len(names) > 1 else "1 LUN", ", ".join(names[:NAMED]) + more, stalls, queued)


def _budget(of_what: Budget, what: str, names: str) -> BudgetRow:
    stalls = tuple((kind.value, _waits(of_what.stalls.get(kind))) for kind in budget.SHOWN)
    return BudgetRow(what, names, stalls, queue(of_what))


def _waits(stall: budget.Stall | None) -> Waits:
    if stall is None or stall.seconds is None or stall.limit is None:
        return Waits("not known", "")
    return Waits(f"{stall.seconds:g} s", f"{stall.limit:g} s")


def queue(of_what: Budget) -> str:
    """What happens once the last path is gone."""
    if isinstance(of_what.queue, int):
        return f"I/O waits {of_what.queue} s"
    return {"off": "I/O fails at once", "forever": "I/O waits for ever"}.get(of_what.queue or "", "not known")
