"""mpio init"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mpio import apply, discovery, lock, observe, plan, sitefile, sitewords, topology, trust, view
from mpio.checks import portals as of_portals
from mpio.commands.call import Call
from mpio.console import Console, size
from mpio.errors import CannotWrite, Exit, MpioError, UsageError
from mpio.findings import Finding
from mpio.host import Portal
from mpio.memory import Memory
from mpio.plan import iscsi
from mpio.proposing import adopting, proposal, survey, trials, tryout
from mpio.site import Site
from mpio.tools import cards, ip, iscsidb, sysfs

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.host import Host

WAY = "mpio init --portal 10.10.8.90 --portal 10.10.9.90"


@dataclass(frozen=True, slots=True)
class Made:
    """What a look gave: the site with its comments, the host that it was seen on, and what there is to say."""

    site: Site
    words: proposal.Words
    host: Host
    nics: tuple[survey.Verdict, ...] = ()
    luns: tuple[survey.Lun, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; `talks` says that there is somebody to ask."""

    nics: tuple[str, ...]
    portals: tuple[Portal, ...]
    login: bool
    yes: bool
    talks: bool


def command(
    call: Call,
    nic: options.InitNics = None,
    portal: options.InitPortals = None,
    file: options.InitFile = "",
    login: options.Trial = False,
    adopt: options.Adopt = False,
    yes: options.Yes = False,
) -> int:
    if adopt and (nic or portal or login):
        raise UsageError("--adopt describes what is there: it takes no --nic, --portal or --login", "mpio init --adopt")
    talks = terminal()
    wanted = Wanted(tuple(nic or ()), survey.portals(portal or ()), login, yes, talks)
    if not (adopt or wanted.portals or talks):
        raise UsageError("there is no terminal to ask on for the portals", WAY)
    path = _free(file if file == "-" else os.path.abspath(file or call.site_path))
    call.need_root("reads open-iscsi's records" if adopt else "asks through iscsiadm")
    if path != "-" and (why := trust.of_place(path)):
        raise CannotWrite(f"cannot write {path}: {why}", "name another with --file (- for stdout)")
    with lock.hold("init"):
        made = _adopted(call) if adopt else _surveyed(call, wanted)
        text = proposal.text(made.site, made.words)
        site = sitefile.parse(text, path, frozenset(sysfs.nic_names(call.machine.files)))
        if adopt:
            made = replace(made, findings=(*made.findings, *_left(call, site)))
        if path != "-":
            call.machine.files.write(_free(path), text, 0o644)
    _show(call, made, path, text)
    return Exit.OK


def terminal() -> bool:
    """Is there somebody to ask?"""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _free(path: str) -> str:
    """A file that is there is somebody's work."""
    if path != "-" and os.path.lexists(path):
        raise CannotWrite(f"{path} is there already", "name another with --file (- for stdout), or move that one away")
    return path


# -- from the SAN --------------------------------------------------------------------------------------------------


def _surveyed(call: Call, wanted: Wanted) -> Made:
    machine = call.machine
    verdicts = survey.nics(cards.cards(machine.files, ip.addresses(machine.run)), wanted.nics)
    if wanted.talks and not (wanted.nics or wanted.yes):
        verdicts = _confirmed(call, verdicts)
    chosen = [v.card.name for v in verdicts if v.taken]
    if not chosen:
        said = "; ".join(f"{v.card.name} {v.why}" for v in verdicts) or "there is none at all"
        raise UsageError(f"no NIC looks fit for the SAN: {said}", "name them: mpio init --nic eth1 --nic eth2")
    portals = wanted.portals or _asked_for(call)
    site = Site(survey.ifaces(chosen, iscsidb.ifaces(machine.files)), portals)
    apply.ready(call.machine, call.console.say)
    host = observe.host(machine, site, observe.Look.HERE)
    start = discovery.start(host)
    if start and not wanted.yes:
        call.confirm("iscsid does not run, and asking takes it. Start it for as long as this lasts?")
    if wanted.login and not wanted.yes:
        call.confirm("Log in to look at the LUNs, and out again?")
    # Records that are there speak for the site that they were made of, not for this one.
    blank = replace(host, nodes=(), memory=Memory())
    with tryout.iscsid(machine, start):
        if trials.ours(host):
            call.console.say("ending the sessions of an init that was killed")
        tryout.ended(machine)
        call.console.say(f"asking {', '.join(map(str, portals))} through {', '.join(chosen)}")
        seen = tryout.asked(machine, site, blank, portals)
        found = (*survey.findings(seen, verdicts), *discovery.findings(site, seen, portals))
        if not survey.answering(seen):
            said = "; ".join(f"{f.summary}: {f.detail}" for f in found if f.code in ("MP210", "MP211"))
            raise MpioError(f"no portal answers through any NIC: {said}", "check cables, addresses and portals")
        site = survey.settled(site, seen)
        luns, failed = _luns(call, site, seen, wanted.login)
    if wanted.talks and not wanted.yes:
        luns = _renamed(call, luns)
    site = survey.with_luns(site, luns)
    words = proposal.reasons(site, seen, luns, size)
    return Made(site, words, seen, verdicts, luns, (*found, *_silent(site, seen, portals), *failed))


def _luns(call: Call, site: Site, seen: Host, login: bool) -> tuple[tuple[survey.Lun, ...], tuple[Finding, ...]]:
    """The LUNs that sessions show: those of this host and, with `login`, those made for the look."""
    ways = survey.reachable(site, seen)
    if not login:
        return survey.luns(seen, trials.looked_at(seen, site.ifaces, ways)), ()
    due = trials.due(seen, site.ifaces, ways)
    trial = tryout.logged_in(call.machine, trials.ifaces(site.ifaces), due, call.console.say)
    return survey.luns(trial.host, trials.looked_at(trial.host, site.ifaces, ways)), trial.found


def _silent(site: Site, seen: Host, asked: Iterable[Portal]) -> tuple[Finding, ...]:
    """Single pairs of planned ones that did not answer, where others of the same portal did."""
    return tuple(
        f
        for f in of_portals.findings(site, seen, plan.Plan((), True, topology.pairs(site, seen)))
        if f.code in ("MP210", "MP211") and f.subject not in {f"portal {p}" for p in asked}
    )


# -- questions -----------------------------------------------------------------------------------------------------


def _confirmed(call: Call, verdicts: tuple[survey.Verdict, ...]) -> tuple[survey.Verdict, ...]:
    _nics(call.console, verdicts)
    proposed = [v.card.name for v in verdicts if v.taken]
    answer = call.console.ask("NICs that lead to the SAN, with blanks between them", " ".join(proposed))
    return survey.nics((v.card for v in verdicts), answer.replace(",", " ").split())


def _asked_for(call: Call) -> tuple[Portal, ...]:
    """Ask until every word is a portal."""
    while True:
        words = call.console.ask("Portals of the SAN (numeric addresses, with blanks between them)")
        try:
            if found := survey.portals(words.replace(",", " ").split()):
                return found
        except UsageError as error:
            call.console.say(error.message)


def _renamed(call: Call, luns: tuple[survey.Lun, ...]) -> tuple[survey.Lun, ...]:
    named: list[survey.Lun] = []
    for lun in luns:
        while True:
            words = f"Alias of {lun.wwid} (LUN {lun.number}, {size(lun.size)})"
            alias = call.console.ask(words, lun.alias)
            try:
                sitewords.alias(alias)
            except ValueError as error:
                call.console.say(str(error))
                continue
            if alias in {other.alias for other in named}:
                call.console.say(f"{alias!r} is taken")
                continue
            named.append(replace(lun, alias=alias))
            break
    return tuple(named)


# -- from the host as it is ----------------------------------------------------------------------------------------


def _adopted(call: Call) -> Made:
    machine = call.machine
    seen = observe.host(machine, None, observe.Look.USERS)
    nics = sysfs.nics(machine.files, ip.addresses(machine.run))
    known = observe.host(machine, None, observe.Look.RENDER).known_keywords
    host = replace(seen, nics=nics, known_keywords=known)
    portals = sorted({n.pair.portal for n in host.nodes})
    texts = {p: machine.files.text(iscsidb.discovery_record(machine.files, p)) for p in portals}
    adopted = adopting.of(host, {p: iscsi.shown(text) for p, text in texts.items() if text is not None})
    luns = survey.luns(host, {s.sid for s in host.sessions})
    words = replace(proposal.reasons(adopted.site, host, luns, size), of=adopted.why, portals={})
    return Made(adopted.site, words, host, (), luns, adopted.findings)


def _left(call: Call, site: Site) -> tuple[Finding, ...]:
    """What the next plan would change. Where password files are still to be made there is no next plan yet."""
    try:
        seen = observe.host(call.machine, site, observe.Look.PLAN)
    except UsageError:
        return ()
    return adopting.left(plan.steps(site, seen))


# -- the end -------------------------------------------------------------------------------------------------------


def _show(call: Call, made: Made, path: str, text: str) -> None:
    console = call.console
    asked = view.asked(made.site, made.host, [a.portal for a in made.host.asked])
    if console.json:
        body: view.Json = {
            "file": None if path == "-" else path,
            "text": text,
            "nics": view.nics(made.nics),
            "asked": asked,
            "layout": made.site.layout,
            "luns": [{"wwid": lun.wwid, "alias": lun.alias, "lun": lun.number, "size": lun.size} for lun in made.luns],
            "findings": view.findings(made.findings),
        }
        console.document("init", Exit.OK, body)
        return
    if path == "-":
        console.out(text.rstrip("\n"))
        for one in made.findings:
            console.say(f"{one.code} {one.severity}  {one.summary}{f': {one.detail}' if one.detail else ''}")
        return
    _nics(console, made.nics)
    console.asked(asked)
    console.findings(made.findings)
    console.say(f"{path} is written: read it, then mpio plan")


def _nics(console: Console, verdicts: Iterable[survey.Verdict]) -> None:
    links = {True: "up", False: "down", None: "off"}
    rows = [
        (v.card.name, " ".join(v.card.addresses) or "-", links[v.card.carrier], v.card.mtu or "-", _taken(v))
        for v in verdicts
    ]
    if rows:
        console.table(("NIC", "ADDRESS", "LINK", "MTU", "FOR THE SAN"), rows)


def _taken(verdict: survey.Verdict) -> str:
    word = "yes" if verdict.taken else "no"
    return f"{word}: {verdict.why}" if verdict.why else word
