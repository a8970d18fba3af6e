"""Causes before symptoms: one root cause with ten symptoms is one finding with ten subjects."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from mpio import findings, hearsay, topology
from mpio.diagnosis import parts
from mpio.diagnosis.parts import Stage
from mpio.findings import Finding, Severity
from mpio.host import Host, Pair
from mpio.plan import Plan
from mpio.topology import Lun


class Layer(IntEnum):
    """From what a host stands on to what it is for. What breaks on one layer shows on those behind it."""

    HOST = 0
    NIC = 1
    LINK = 2
    WIRE = 3
    SILENCE = 4
    NET = 5
    PORTAL = 6
    RECORD = 7
    REFUSED = 8
    LOGIN = 9
    LUN = 10
    DISK = 11
    PATH = 12
    MAP = 13
    COUNT = 14


# What takes paths away, and where. What is not here neither explains another finding by the ways that it breaks nor is
# explained so.
LAYERS = {
    code: layer
    for layer, codes in {
        Layer.HOST: (
            *("MP102", "MP103", "MP104", "MP105", "MP106", "MP108", "MP113", "MP115", "MP116", "MP120", "MP135"),
            "MP525",
        ),
        Layer.NIC: ("MP229", "MP230", "MP231", "MP243", "MP244", "MP245", "MP248"),
        Layer.LINK: ("MP201", "MP202", "MP203"),
        Layer.WIRE: ("MP217", "MP224", "MP226", "MP236", "MP237", "MP240"),
        Layer.SILENCE: ("MP225", "MP238", "MP239", "MP241"),
        Layer.NET: ("MP210", "MP211"),
        Layer.PORTAL: ("MP213", "MP214", "MP215"),
        Layer.RECORD: ("MP341", "MP342"),
        Layer.REFUSED: ("MP325", "MP328", "MP329", "MP330", "MP331", "MP339"),
        Layer.LOGIN: ("MP301", "MP302", "MP303", "MP304", "MP340"),
        Layer.LUN: ("MP308", "MP410", "MP414", "MP415", "MP417", "MP428", "MP434", "MP455", "MP456", "MP460"),
        Layer.DISK: ("MP430", "MP431", "MP432", "MP433", "MP442", "MP443", "MP458"),
        Layer.PATH: ("MP404",),
        Layer.MAP: ("MP407", "MP423", "MP438"),
        Layer.COUNT: ("MP401", "MP402", "MP403", "MP439", "MP126"),
    }.items()
    for code in codes
}
# What follows from what else, where both are about the same thing, the first of them about a line of the file that the
# other is about, or about the whole host.
FOLLOWS = {
    "MP103": ("MP102", "MP105", "MP106", "MP108", "MP113", "MP115", "MP116", "MP118", "MP120"),
    "MP104": ("MP102", "MP105", "MP106", "MP108", "MP113", "MP115", "MP116", "MP525"),
    "MP106": ("MP137",),
    "MP113": ("MP116", "MP120", "MP525"),
    "MP123": ("MP336", "MP338"),
    "MP124": ("MP336", "MP338"),
    "MP126": ("MP337",),
    "MP138": ("MP413", "MP440", "MP515", "MP526"),
    "MP201": ("MP245",),
    "MP213": ("MP201", "MP224", "MP229", "MP230", "MP243", "MP245"),
    "MP306": ("MP119",),
    "MP308": ("MP135", "MP460"),
    "MP309": ("MP243",),
    "MP323": ("MP532", "MP533", "MP534"),
    # the NIC has a way to this portal as a rule
    "MP337": ("MP201", "MP202", "MP203", "MP224", "MP226", "MP229", "MP230", "MP231", "MP241", "MP245"),
    "MP401": ("MP450",),
    "MP402": ("MP435",),
    "MP413": ("MP446", "MP505", "MP506", "MP507", "MP520", "MP526"),
    # A NIC that is down takes its subnet's route along: what comes from there over another one has no way back.
    "MP224": ("MP201", "MP202", "MP203", "MP229", "MP230", "MP231", "MP245"),
    "MP431": ("MP432",),
    "MP439": ("MP450",),
    "MP440": ("MP413", "MP515", "MP526"),
    "MP460": ("MP135",),
    "MP513": ("MP430",),
    "MP515": ("MP526",),
    "MP518": ("MP323",),
}
WHOLE = frozenset(
    {
        *("MP102", "MP106", "MP116", "MP118", "MP119", "MP120", "MP135", "MP137"),
        *parts.UNREACHED,
        *("MP323", "MP336", "MP338", "MP413", "MP430", "MP446"),
        *("MP505", "MP506", "MP507", "MP515", "MP520", "MP525", "MP526"),
    }
)

PAIR = re.compile(r"(\S+) -> (\S+)(?: (\S+))?")
SESSION = re.compile(r"session (\d+)\b.*")
DISK = re.compile(r"(sd[a-z]+) of (.+)")
DISKS = re.compile(r"\b(sd[a-z]+) of \S")
NAMED = re.compile(r"\bsd[a-z]+\b")
# Of a LUN, and true of the disks or pairs in their detail alone.
IN_PART = frozenset({"MP417", "MP434", "MP455"})
MOST = 6  # remedies of one cause that are said


@dataclass(frozen=True, slots=True, order=True)
class Leg:
    """One LUN over one pair; the WWID is empty for the session itself."""

    pair: Pair
    wwid: str


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding with all that it explains. Its severity is the worst of them."""

    finding: Finding
    subjects: tuple[str, ...]
    symptoms: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Ways:
    """All legs by what they go over and by how far they have come, and those that do not carry I/O."""

    legs: frozenset[Leg]
    broken: frozenset[Leg]
    over: Mapping[str, frozenset[Leg]]
    at: Mapping[Stage, frozenset[Leg]]

    def of(self, subject: str) -> frozenset[Leg]:
        """Which legs a finding's subject is about; none where it names no part of a way."""
        subject = subject.removeprefix("portal ")
        if subject in self.over:
            return self.over[subject]
        if found := SESSION.fullmatch(subject):
            return self.over.get(f"session {found[1]}", frozenset())
        if found := DISK.fullmatch(subject):
            return self.over.get(found[1], frozenset())
        if found := PAIR.fullmatch(subject):
            return self._meet(found)
        return frozenset()

    def named(self, detail: str) -> frozenset[Leg] | None:
        """The legs over the pairs and disks that a detail names; None where it names none."""
        pairs = [self._meet(pair) for pair in PAIR.finditer(detail)]
        disks = [self.over.get(disk, frozenset()) for disk in NAMED.findall(PAIR.sub("", detail))]
        return frozenset().union(*pairs, *disks) if pairs or disks else None

    def _meet(self, pair: re.Match[str]) -> frozenset[Leg]:
        words = (word.rstrip(",;") for word in pair.groups() if word)
        return frozenset.intersection(*(self.over.get(word, frozenset()) for word in words))


def ways(host: Host, plan: Plan | None, judged: Iterable[Lun]) -> Ways:
    """Every leg that is planned or there."""
    pairs = {s.sid: s.pair for s in host.sessions}
    nics = {i.name: i.nic for i in host.ifaces} | {s.pair.iface: s.nic for s in host.sessions if s.nic}
    over: defaultdict[str, set[Leg]] = defaultdict(set)
    good: set[Leg] = set()
    legs: set[Leg] = set()
    disks: set[Leg] = set()
    for pair in {*pairs.values(), *(plan.pairs.planned if plan else ())}:
        legs.add(Leg(pair, ""))
        session = host.session_of(pair)
        if session is not None and session.logged_in:
            good.add(Leg(pair, ""))
    for lun in judged:
        mine = {Leg(pairs[p.sid], lun.wwid) for p in lun.paths if p.sid in pairs}
        mine |= {Leg(p, lun.wwid) for p in topology.pairs_of(host, plan.pairs, lun.wwid)} if plan else set()
        good |= {Leg(pairs[p.sid], lun.wwid) for p in lun.usable if p.sid in pairs}
        legs |= mine
        for name in {lun.wwid, lun.alias, lun.dm} - {""}:
            over[name] |= mine
        for path in lun.paths:
            if path.sid in pairs:
                over[path.dev].add(Leg(pairs[path.sid], lun.wwid))
                disks.add(Leg(pairs[path.sid], lun.wwid))
    for leg in legs:
        pair = leg.pair
        for name in (
            pair.iface,
            nics.get(pair.iface, ""),
            str(pair.portal),
            pair.portal.address,
            pair.target,
            str(pair),
        ):
            if name:
                over[name].add(leg)
    for sid, pair in pairs.items():
        over[f"session {sid}"] |= {leg for leg in legs if leg.pair == pair}
    at: dict[Stage, set[Leg]] = {stage: set() for stage in Stage}
    for leg in legs:
        alive = Leg(leg.pair, "") in good
        at[Stage.SESSION if not alive else Stage.MAP if leg in disks else Stage.DISK].add(leg)
    return Ways(
        frozenset(legs),
        frozenset(legs - good),
        {name: frozenset(some) for name, some in over.items()},
        {stage: frozenset(some) for stage, some in at.items()},
    )


def folded(found: Iterable[Finding], among: Ways) -> tuple[Cause, ...]:
    """What explains the rest comes first, the worst before all; findings of one code are one with several subjects."""
    every = tuple(dict.fromkeys(found))
    reach = {f: _reach(f, among) for f in every}
    near = {f: _explaining(f, every, reach, among) for f in every}
    known: dict[Finding, tuple[Finding, ...]] = {}
    of: defaultdict[Finding, list[Finding]] = defaultdict(list)
    roots: list[Finding] = []
    for one in every:
        for cause in _first(one, near, known):
            of[cause].append(one)
        if not known[one]:
            roots.append(one)
    causes = [_one(same, of) for same in _by_code(roots)]
    return tuple(sorted(causes, key=_rank))


def of_lines(found: Iterable[Finding]) -> tuple[Cause, ...]:
    """Findings about a file's lines: each stays with its own line, the worst first."""
    return tuple(sorted((Cause(one, (one.subject,)) for one in dict.fromkeys(found)), key=_rank))


def _reach(one: Finding, among: Ways) -> frozenset[Leg]:
    layer = LAYERS.get(one.code)
    if layer is None:
        return frozenset()
    if layer is Layer.HOST:
        return among.at[parts.explains(one)[0]]
    if found := among.of(one.subject):
        named = among.named(one.detail) if one.code in IN_PART else None
        return found if named is None else found & named
    # A file's line says in its detail which disks it is about.
    return frozenset().union(*(among.over.get(disk, frozenset()) for disk in DISKS.findall(one.detail)))


def _explaining(
    one: Finding, every: Collection[Finding], reach: Mapping[Finding, frozenset[Leg]], among: Ways
) -> tuple[Finding, ...]:
    """The findings of earlier layers that together account for all that is broken in this one, none otherwise."""
    if sources := tuple(f for f in every if _follows(one, f)):
        return sources
    layer = LAYERS.get(one.code)
    broken = reach[one] & among.broken
    if layer is None or not broken:
        return ()
    before = tuple(
        f for f in every if f.code in LAYERS and LAYERS[f.code] < layer and reach[f] & broken and _may(f, one)
    )
    return before if broken <= frozenset().union(*(reach[f] for f in before)) else ()


def _follows(one: Finding, other: Finding) -> bool:
    unreached = parts.failed_login(one) and other.code in parts.UNREACHED
    if not unreached and other.code not in FOLLOWS.get(one.code, ()):
        return False
    return other.code in WHOLE or other.subject == one.subject or other.subject.startswith(f"{one.subject} line ")


def _may(cause: Finding, one: Finding) -> bool:
    return LAYERS[cause.code] is not Layer.HOST or one.code in parts.explains(cause)[1]


def _first(
    one: Finding, near: Mapping[Finding, tuple[Finding, ...]], known: dict[Finding, tuple[Finding, ...]]
) -> tuple[Finding, ...]:
    """Of the causes of this one, and theirs, those that nothing explains in turn; each is followed once."""
    if one not in known:
        firsts = (first for cause in near[one] for first in (_first(cause, near, known) or (cause,)))
        known[one] = tuple(dict.fromkeys(firsts))
    return known[one]


def _by_code(roots: Iterable[Finding]) -> Iterator[tuple[Finding, ...]]:
    same: defaultdict[str, list[Finding]] = defaultdict(list)
    for one in roots:
        same[one.code].append(one)
    return (tuple(many) for many in same.values())


def _one(same: tuple[Finding, ...], of: Mapping[Finding, list[Finding]]) -> Cause:
    symptoms = tuple(dict.fromkeys(s for one in same for s in of.get(one, ())))
    worst = max((f.severity for f in (*same, *symptoms)), key=list(Severity).index)
    first = same[0]
    subjects = tuple(dict.fromkeys((*(f.subject for f in same), *(s.subject for s in symptoms))))
    if len(same) > 1:
        first = findings.finding(
            first.code,
            hearsay.few(f.subject for f in same),
            "; ".join(f"{f.subject}: {f.detail}" for f in same if f.detail),
        )
        first = replace(first, remedy=_remedies(same))
    return Cause(replace(first, severity=worst), subjects, symptoms)


def _remedies(same: Iterable[Finding]) -> str:
    """Each once, in the findings' order."""
    every = tuple(dict.fromkeys(f.remedy for f in same if f.remedy))
    more = (f"and {len(every) - MOST} more",) if len(every) > MOST else ()
    return "; ".join((*every[:MOST], *more))


def _rank(cause: Cause) -> tuple[int, int, str]:
    worse = list(Severity).index(cause.finding.severity)
    return -worse, LAYERS.get(cause.finding.code, Layer.COUNT), cause.finding.code
