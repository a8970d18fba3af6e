"""Portals: who answers, who refuses, what they say of targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mpio import hearsay
from mpio.findings import Finding, finding
from mpio.host import Answer, Asked, Host, Portal
from mpio.plan import Plan
from mpio.site import Site
from mpio.tools import iscsierr

_TOLD = (hearsay.Reason.STRANGE, hearsay.Reason.DENIED, hearsay.Reason.FOREIGN)


def findings(site: Site, host: Host, plan: Plan) -> Iterator[Finding]:
    heard = hearsay.words(site, host)
    yield from _answers(site, host, plan, heard)
    for asked in host.asked:
        yield from discovery(site, asked, heard[asked.portal])
    yield from _unnamed(site, host)
    for left in plan.pairs.left_out:
        yield finding("MP212", str(left.pair), left.reason)
    for iface, portal, size in host.black_holes:
        yield finding("MP217", f"{iface} -> {portal}", f"{size} bytes with fragmentation forbidden")


def _answers(site: Site, host: Host, plan: Plan, heard: Mapping[Portal, hearsay.Word]) -> Iterator[Finding]:
    """One finding a portal where no iface gets an answer, one a pair where some do.

    A NIC that is down says so by itself.
    """
    planned = {(p.iface, p.portal) for p in plan.pairs.planned}
    named = {p.portal for p in plan.pairs.planned}
    portals = sorted(named | {p for p in site.portals if not hearsay.excludes(site, p)})
    alive = {(s.pair.iface, s.pair.portal) for s in host.sessions if s.logged_in}
    for portal in portals:
        seen = {
            i.name: host.probes[(i.name, portal)]
            for i in site.ifaces
            if (i.name, portal) in host.probes and _carrier(host, i.nic) and not _offline(host, plan, i.name, portal)
        }
        bad = {name: answer for name, answer in seen.items() if answer is not Answer.ANSWERED}
        if not bad:
            continue
        nobody = len(bad) == len(seen) and not any((i.name, portal) in alive for i in site.ifaces)
        if nobody:
            code = "MP211" if Answer.REFUSED in bad.values() else "MP210"
            met = "through " + ", ".join(f"{n}: {a}" for n, a in bad.items())
            yield finding(code, f"portal {portal}", met + _named_by(site, heard, portal))
            continue
        for name, answer in bad.items():
            if (name, portal) in planned:
                yield finding("MP211" if answer is Answer.REFUSED else "MP210", f"{name} -> {portal}", str(answer))


def _named_by(site: Site, heard: Mapping[Portal, hearsay.Word], portal: Portal) -> str:
    """Who says that this is a portal, where the site does not."""
    if portal in site.portals:
        return ""
    who = hearsay.few(str(by) for by, word in heard.items() if any(f.portal == portal for f in word.taken))
    return f"; named by the portal {who}" if who else ""


def _offline(host: Host, plan: Plan, iface: str, portal: Portal) -> bool:
    """Is all that is planned between the two offline by hand?"""
    pairs = [p for p in plan.pairs.planned if (p.iface, p.portal) == (iface, portal)]
    return bool(pairs) and all(host.is_offline(p) for p in pairs)


def _carrier(host: Host, nic_name: str) -> bool:
    nic = host.nic(nic_name)
    return nic is not None and nic.carrier is True


def discovery(site: Site, asked: Asked, heard: hearsay.Word) -> Iterator[Finding]:
    """What there is to say of one portal's answer, and of how much of it is believed."""
    portal = f"portal {asked.portal}"
    if asked.code == iscsierr.Code.LOGIN_AUTH_FAILED:
        yield finding("MP214", portal, asked.said)
    elif asked.code not in (iscsierr.Code.SUCCESS, iscsierr.Code.NO_OBJS_FOUND):
        yield finding("MP213", portal, asked.said or iscsierr.reason(asked.code))
    elif heard.flood:
        yield finding("MP213", portal, heard.flood)
    elif not any(hearsay.wants_target(site, f.target) for f in asked.found):
        yield finding("MP215", portal, f"it names {hearsay.few(f.target for f in asked.found) or 'none at all'}")
    if asked.code == 0 and asked.said:
        yield finding("MP311", portal, asked.said)
    yield from _not_believed(site, portal, heard)


def _not_believed(site: Site, portal: str, heard: hearsay.Word) -> Iterator[Finding]:
    """What a portal says of others that no host goes by. Where pairs keep to their subnets none would go far anyway."""
    lines: dict[hearsay.Reason, list[str]] = {}
    for found, reason in heard.left.items():
        if reason in _TOLD:
            lines.setdefault(reason, []).append(f"{found.target} at {found.portal}")
    for reason in (hearsay.Reason.STRANGE, hearsay.Reason.DENIED):
        if reason in lines:
            yield finding("MP311", portal, f"{reason}: {hearsay.few(lines[reason])}")
    if site.layout != "subnet" and (far := lines.get(hearsay.Reason.FOREIGN)):
        yield finding("MP321", portal, hearsay.few(far))


def _unnamed(site: Site, host: Host) -> Iterator[Finding]:
    """A configured portal that answers discovery and yet is no target's portal."""
    named = {f.portal for asked in host.asked for f in asked.found} | {n.pair.portal for n in host.nodes}
    if not any(asked.found for asked in host.asked):
        return
    for portal in site.portals:
        answers = any(a is Answer.ANSWERED for (_, p), a in host.probes.items() if p == portal)
        if portal not in named and answers and not hearsay.excludes(site, portal):
            yield finding("MP216", f"portal {portal}")
