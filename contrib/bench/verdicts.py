"""What was made of each fault: the table, and what mpio promises of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import figures

BEGIN, END = "<!-- figures: written by faults --write -->", "<!-- end of figures -->"
HARMFUL = ("error", "critical")
FAULTS = 45  # how many must be done for real


@dataclass(frozen=True, slots=True)
class Said:
    code: str
    severity: str
    subject: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`said` in doctor's order; `effect` seconds until the fault had come to be, `took` of the doctor that named it.

    `healed` None where there is no fix; `peers` who else noticed.
    """

    name: str
    code: str
    said: tuple[Said, ...]
    effect: float = 0.0
    took: float = 0.0
    healed: bool | None = None
    peers: Mapping[str, bool] = field(default_factory=dict)

    @property
    def found(self) -> bool:
        """The right code first; on a healthy host none above info."""
        if not self.code:
            return all(one.severity == "info" for one in self.said)
        return bool(self.said) and self.said[0].code == self.code

    @property
    def false(self) -> tuple[str, ...]:
        """Errors that say something else."""
        return tuple(f"{s.code} {s.subject}" for s in self.said if s.severity in HARMFUL and s.code != self.code)

    @property
    def severity(self) -> str:
        return next((s.severity for s in self.said if s.code == self.code), "-")

    def __str__(self) -> str:
        said = ", ".join(f"{s.code} {s.severity} {s.subject}" for s in self.said) or "nothing"
        healed = {None: "", True: "; healed", False: "; NOT HEALED"}[self.healed]
        return f"{self.name}: {'' if self.found else f'NOT {self.code}: '}{said} ({self.took:.1f} s){healed}"


def healthy(name: str, said: Sequence[Said]) -> Verdict:
    return Verdict(name, "", tuple(said))


def rows(found: Sequence[Verdict]) -> list[Verdict]:
    """The faults between a look at a healthy host before and one after: of several the first that was not silent."""
    looks: dict[str, Verdict] = {}
    for one in found:
        if not one.code:
            looks[one.name] = min(looks.get(one.name, one), one, key=lambda look: look.found)
    before, after = list(looks.values())[:1], list(looks.values())[1:]
    return [*before, *(one for one in found if one.code), *after]


def table(found: Sequence[Verdict]) -> str:
    peers = list(next((v.peers for v in found if v.peers), {}))
    head = ("fault", "code", "severity", "first", "doctor, s", "false alarms", "--fix", *peers)
    lines = [head]
    for one in rows(found):
        healed = {None: "", True: "heals", False: "**no**"}[one.healed]
        first = "yes" if one.found else "**no**"
        seen = [("yes" if one.peers.get(p) else "no") if one.peers else "" for p in peers]
        took = f"{one.took:.1f}" if one.took else ""
        lines.append((one.name, one.code, one.severity, first, took, ", ".join(one.false), healed, *seen))
    return figures.aligned(lines)


def claims(found: Sequence[Verdict]) -> list[figures.Claim]:
    faults = [v for v in found if v.code]
    first = [v for v in faults if v.found]
    wrong = [v for v in found if v.false]
    quiet = [v for v in found if not v.code and v.found]
    healed = [v for v in faults if v.healed is not None]
    whole = [
        figures.Claim(f"{len(faults)} faults done for real (at least {FAULTS})", len(faults) >= FAULTS),
        figures.Claim(f"{len(first)} of {len(faults)} found, with the right code first", len(first) == len(faults)),
        figures.Claim(f"{len(wrong)} with another error beside it", not wrong),
        figures.Claim("a healthy host is silent, before and after", len(quiet) == len(found) - len(faults)),
        figures.Claim(
            f"{sum(bool(v.healed) for v in healed)} of {len(healed)} healed by --fix, as verify confirms",
            all(v.healed for v in healed),
        ),
    ]
    return whole + [
        figures.Claim(f"{name} noticed {sum(v.peers[name] for v in faults if v.peers)} of {len(faults)}", True)
        for name in next((v.peers for v in faults if v.peers), {})
    ]
