"""What a `discover` asks for, and what its answers mean for the site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mpio import hearsay, sitewords, topology
from mpio.checks import portals as of_portals
from mpio.errors import MpioError, UsageError
from mpio.findings import Finding, finding
from mpio.host import Answer, Asked, Found, Host, Portal
from mpio.plan import iscsi
from mpio.site import Site, SiteIface
from mpio.step import Command, Part
from mpio.tools import iscsierr, systemctl


@dataclass(frozen=True, slots=True)
class Named:
    """A line of an answer, and whether the site takes it; `why` says what is left out of it and for what reason."""

    found: Found
    wanted: bool
    why: str


def portals(words: Iterable[str], site: Site) -> tuple[Portal, ...]:
    """The portals to ask: those that the words name, the site's without any. UsageError says what is no portal."""
    named: dict[Portal, None] = {}
    mistakes = []
    for word in words:
        try:
            named[sitewords.portal(word)] = None
        except ValueError as error:
            mistakes.append(str(error))
    if mistakes:
        raise UsageError("\n".join(mistakes), "mpio discover 10.10.8.90 10.10.9.90:3260")
    return tuple(named) or tuple(p for p in site.portals if not hearsay.excludes(site, p))


def through(site: Site, host: Host) -> tuple[SiteIface, ...]:
    """The site's ifaces that open-iscsi has as the site says."""
    bound = {(i.name, i.nic) for i in host.ifaces if not i.hwaddress}
    return tuple(i for i in site.ifaces if (i.name, i.nic) in bound)


def silent(host: Host, portal: Portal) -> dict[str, Answer]:
    """The ifaces through which this portal did not take a connection."""
    return {i: met for (i, p), met in sorted(host.probes.items()) if p == portal and met is not Answer.ANSWERED}


def has_login(site: Site, host: Host, portal: Portal) -> bool:
    """An array may lock out who asks one of the site's portals without the discovery login that it is to have."""
    return portal not in site.portals or iscsi.may_ask_at(host, portal)


def named(site: Site, host: Host, asked: Asked) -> tuple[Named, ...]:
    """What each line of an answer is to the site."""
    word = hearsay.words(site, replace(host, asked=(*(a for a in host.asked if a.portal != asked.portal), asked)))
    pairs = topology.pairs(site, host)
    planned = {(p.portal, p.target) for p in pairs.planned}
    reasons: dict[tuple[Portal, str], list[str]] = {}
    for out in pairs.left_out:
        reasons.setdefault((out.pair.portal, out.pair.target), []).append(f"{out.pair.iface}: {out.reason}")

    def judged(found: Found) -> Named:
        here = (found.portal, found.target)
        if reason := word[asked.portal].left.get(found):
            return Named(found, wanted=False, why=reason.value)
        return Named(found, here in planned, "; ".join(reasons.get(here, ())))

    return tuple(judged(found) for found in sorted(set(asked.found)))


def findings(site: Site, host: Host, wanted: Iterable[Portal]) -> Iterator[Finding]:
    """A finding for each portal that gave no answer, and for what no target may say. That a portal has nothing for the
    site is an answer, too.
    """
    answers = {asked.portal: asked for asked in host.asked}
    heard = hearsay.words(site, host)
    for portal in wanted:
        if asked := answers.get(portal):
            yield from (f for f in of_portals.discovery(site, asked, heard[portal]) if f.code != "MP215")
            continue
        met = silent(host, portal)
        if not has_login(site, host, portal):
            yield finding("MP315", f"portal {portal}", "its discovery record has not the site's CHAP login")
            continue
        code = "MP211" if Answer.REFUSED in met.values() else "MP210"
        yield finding(code, f"portal {portal}", "through " + (", ".join(f"{i}: {a}" for i, a in met.items()) or "none"))


def start(host: Host) -> Command | None:
    """The step that starts iscsid where it does not run. A unit that cannot be started is an error."""
    unit = host.unit(systemctl.ISCSID)
    if unit is None or unit.active in ("active", "activating", "reloading"):
        return None
    if unit.load != "loaded":
        said = finding("MP105" if unit.load == "masked" else "MP108", unit.name)
        raise MpioError(said.summary, said.remedy)
    return Command(Part.SERVICES, f"{unit.name} does not run", systemctl.start(unit.name))


def answered(asked: Asked) -> bool:
    return asked.code in (iscsierr.Code.SUCCESS, iscsierr.Code.NO_OBJS_FOUND)
