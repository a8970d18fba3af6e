"""Steps, findings, hosts and LUNs as the values that JSON is made of (contract 5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpio.budget import Budget
    from mpio.diagnosis.causes import Cause
    from mpio.discovery import Named
    from mpio.findings import Finding
    from mpio.host import Host, Path, Portal, Session
    from mpio.proposing.survey import Verdict
    from mpio.site import Site
    from mpio.step import Step
    from mpio.topology import Lun

MASK = "********"
Json = dict[str, object]


def diff(step: Step) -> str:
    """A unified diff of a write; of a secret file only that it changes. A line beside a change may be a secret, too."""
    from mpio.step import Command

    if isinstance(step, Command):
        return ""
    if step.secret:
        return f"--- {step.path}\n+++ {step.path}\n {MASK}\n"
    import difflib

    from mpio import recording

    old = (step.before or "").splitlines(keepends=True)
    new = (step.text or "").splitlines(keepends=True)
    here = step.path if step.before is not None else "/dev/null"
    there = step.path if step.text is not None else "/dev/null"
    lines = difflib.unified_diff(old, new, here, there)
    whole = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return recording.mask(whole)


def step(one: Step) -> Json:
    from mpio.step import Command

    if isinstance(one, Command):
        return {"part": one.part.value, "why": one.why, "kind": "command", "argv": list(one.argv)}
    return {"part": one.part.value, "why": one.why, "kind": "write", "path": one.path, "diff": diff(one)}


def steps(many: Iterable[Step]) -> list[Json]:
    return [step(s) for s in many]


def finding(one: Finding) -> Json:
    return {
        "code": one.code,
        "severity": one.severity.value,
        "subject": one.subject,
        "summary": one.summary,
        "detail": one.detail,
        "remedy": one.remedy,
    }


def findings(many: Iterable[Finding]) -> list[Json]:
    return [finding(f) for f in many]


def causes(many: Iterable[Cause]) -> list[Json]:
    """Findings with what they explain: `subjects` are all that they are about, `symptoms` the findings that follow."""
    return [{**finding(c.finding), "subjects": list(c.subjects), "symptoms": findings(c.symptoms)} for c in many]


def status(host: Host, luns: Iterable[Lun], site: Site | None = None) -> Json:
    return {
        "ifaces": ifaces(host),
        "sessions": sessions(host, site),
        "luns": budgeted(host, luns, site),
        "offline": offline(host),
        "unseen": list(host.blind),
    }


def offline(host: Host) -> list[Json]:
    """What is offline by hand; `until` null: until somebody says online."""
    return [
        {
            "name": one.name,
            "who": one.who,
            "since": one.since,
            "until": one.until,
            "logged_out": one.logged_out,
            "pairs": sorted(one.pairs),
        }
        for one in host.offline
    ]


def sessions(host: Host, site: Site | None) -> list[Json]:
    """The sessions with their failover budgets."""
    from mpio import budget

    return [{**session(s), "budget": stalls(budget.of_session(host, s, site))} for s in host.sessions]


def budgeted(host: Host, luns: Iterable[Lun], site: Site | None) -> list[Json]:
    """The LUNs with their failover budgets."""
    from mpio import budget

    return [{**lun(host, x), "budget": stalls(budget.of_lun(host, x, site))} for x in luns]


def stalls(one: Budget) -> Json:
    """Seconds; null is not known or without end. `worst` is the longest of `stalls`, `queue` how long I/O is held
    when the last path goes.
    """
    each = {kind.value: {"seconds": s.seconds, "limit": s.limit, "why": s.why} for kind, s in one.stalls.items()}
    worst = {"seconds": one.worst.seconds, "limit": one.worst.limit}
    return {"worst": worst, "queue": one.queue, "recovery": one.recovery, "recorded": one.recorded, "stalls": each}


def ifaces(host: Host) -> list[Json]:
    rows: list[Json] = []
    for iface in host.ifaces:
        nic = host.nic(iface.nic)
        rows.append(
            {
                "name": iface.name,
                "nic": iface.nic or None,
                "hwaddress": (nic.hwaddress if nic else "") or iface.hwaddress or None,
                "addresses": list(nic.addresses) if nic else [],
                "mtu": (nic.mtu or None) if nic else None,
                "carrier": nic.carrier if nic else None,
                "rp_filter": nic.rp_filter if nic else None,
            }
        )
    return rows


def iface_list(site: Site | None, host: Host) -> Json:
    """The ifaces as `status` has them, with who uses them and where the site wants them."""
    wanted = {i.name: i.nic for i in site.ifaces} if site else {}
    there = {i.name for i in host.ifaces}
    return {
        "site": (site.path or None) if site else None,
        "ifaces": [
            {
                **row,
                "sessions": sum(s.pair.iface == row["name"] for s in host.sessions),
                "records": sum(n.pair.iface == row["name"] for n in host.nodes),
                "ours": host.memory.has("iface", str(row["name"])),
                "site_nic": wanted.get(str(row["name"])),
            }
            for row in ifaces(host)
        ],
        "missing": [{"name": name, "nic": nic} for name, nic in wanted.items() if name not in there],
    }


def asked(site: Site, host: Host, portals: Iterable[Portal]) -> list[Json]:
    """What each portal answered; `code` is null where nothing took a connection, so that nobody was asked."""
    from mpio import discovery

    answers = {a.portal: a for a in host.asked}
    rows: list[Json] = []
    for portal in portals:
        answer = answers.get(portal)
        rows.append(
            {
                "portal": str(portal),
                "ifaces": list(answer.ifaces) if answer else [],
                "code": answer.code if answer else None,
                "said": (answer.said or None) if answer else None,
                "silent": {i: met.value for i, met in discovery.silent(host, portal).items()},
                "found": [named(n) for n in discovery.named(site, host, answer)] if answer else [],
            }
        )
    return rows


def named(one: Named) -> Json:
    return {
        "portal": str(one.found.portal),
        "tpgt": one.found.tpgt,
        "target": one.found.target,
        "wanted": one.wanted,
        "why": one.why or None,
    }


def nics(verdicts: Iterable[Verdict]) -> list[Json]:
    """The verdicts of `init` on each NIC."""
    return [
        {
            "nic": v.card.name,
            "addresses": list(v.card.addresses),
            "carrier": v.card.carrier,
            "mtu": v.card.mtu or None,
            "taken": v.taken,
            "why": v.why or None,
        }
        for v in verdicts
    ]


def session(one: Session) -> Json:
    from mpio import hearsay

    place = hearsay.place(one)
    return {
        "sid": one.sid,
        "iface": one.pair.iface,
        "nic": one.nic or None,
        "portal": str(one.pair.portal),
        "target": one.pair.target,
        "tpgt": one.tpgt,
        "state": one.state or None,
        "recovery_tmo": one.recovery_tmo,
        "noop_interval": one.noop_interval,
        "noop_timeout": one.noop_timeout,
        "address": str(place) if place else None,
    }


def lun(host: Host, one: Lun) -> Json:
    return {
        "wwid": one.wwid,
        "alias": one.alias or None,
        "dm": one.dm or None,
        "size": one.size,
        "vendor": one.vendor or None,
        "product": one.product or None,
        "expected_paths": one.expected,
        "usable_paths": len(one.usable),
        "state": one.state.value,
        "queueing": one.queueing,
        "paths": [path(host, p) for p in one.paths],
    }


def path(host: Host, one: Path) -> Json:
    over = next((s for s in host.sessions if s.sid == one.sid), None)
    return {
        "dev": one.dev,
        "hctl": one.hctl,
        "sid": one.sid,
        "iface": over.pair.iface if over else None,
        "nic": (over.nic or None) if over else None,
        "portal": str(over.pair.portal) if over else None,
        "target": over.pair.target if over else None,
        "dm_state": one.dm_state or None,
        "checker_state": one.checker_state or None,
        "device_state": one.device_state or None,
        "group": one.group,
    }
