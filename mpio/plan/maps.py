"""multipath's configuration by WWID, and the maps and paths that should be there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mpio import dropin, guard, topology
from mpio.findings import Finding, finding
from mpio.host import Host, Map
from mpio.plan.shape import MULTIPATH_DROP_IN, Share
from mpio.site import Site, SiteLun
from mpio.step import Note, Part, Step, Write
from mpio.tools import iscsiadm, multipath, multipathconf, multipathd, systemctl
from mpio.topology import Pairs

HEADER = "Written by mpio from its site file; mpio apply writes it anew. Own settings belong into /etc/multipath.conf."


def entries(host: Host) -> dict[str, dict[str, str]]:
    """The multipath{} entries of our drop-in as it is: WWID to keywords."""
    text = host.files.get(MULTIPATH_DROP_IN)
    if text is None:
        return {}
    found = multipathconf.multipaths(multipathconf.merge((multipathconf.parse(text, MULTIPATH_DROP_IN),)))
    return {wwid: {key: entry.value for key, entry in keywords.items()} for wwid, keywords in found.items()}


def wish(site: Site, host: Host, forced: frozenset[str] = frozenset()) -> tuple[dropin.Wish, tuple[Finding, ...]]:
    """What the drop-in is to say. An open map keeps its name (contract 3):
    a changed alias is refused, a dropped LUN stays.
    """
    refused: list[Finding] = []
    luns: list[dropin.Lun] = []
    old = entries(host)
    code = "MP319" if "MP405" in forced else "MP405"  # what stands against it all the same is the host's own
    for lun in site.luns:
        alias, before = lun.alias, old.get(lun.wwid, {}).get("alias")
        mapped = next((m for m in host.maps if m.wwid == lun.wwid), None)
        # a LUN that loses its alias in the site would lose the name that the drop-in gave it, too
        if (
            mapped
            and mapped.name != alias
            and (alias or mapped.name == before)
            and guard.in_use(host, mapped)
            and not _let(host, mapped, forced)
        ):
            refused.append(finding(code, mapped.name, _said(host, mapped, f"to {alias or 'no alias'}; ")))
            alias = before
        luns.append(dropin.Lun(lun.wwid, alias, lun.keywords))
    named = {lun.wwid for lun in site.luns}
    aliases = {lun.alias: lun.wwid for lun in site.luns}
    for wwid, keywords in old.items():
        mapped = next((m for m in host.maps if m.wwid == wwid), None)
        if wwid in named or mapped is None or not guard.in_use(host, mapped) or _let(host, mapped, forced):
            continue
        refused.append(finding("MP406", mapped.name, _said(host, mapped)))
        if (taken := keywords.get("alias")) in aliases:
            refused.append(finding(code, mapped.name, _said(host, mapped, f"{aliases[taken]} is to be called so; ")))
            luns = [replace(lun, alias=None) if lun.alias == taken else lun for lun in luns]
        rest = {k: v for k, v in keywords.items() if k not in ("wwid", "alias")}
        luns.append(dropin.Lun(wwid, keywords.get("alias"), rest))
    made = dropin.Wish(
        preset=site.preset,
        keywords=site.multipath,
        replacement=site.timeouts.replacement,
        find_multipaths=site.find_multipaths,
        polling_interval=site.polling_interval,
        luns=tuple(luns),
        known=host.known_keywords,
    )
    return made, tuple(refused)


def _let(host: Host, mapped: Map, forced: frozenset[str]) -> bool:
    """May it be renamed under its users? Never where these are the host itself."""
    return "MP405" in forced and not guard.is_own(host, mapped.dm)


def _said(host: Host, mapped: Map, before: str = "") -> str:
    return f"{before}used by {guard.users_of(host, mapped.dm) or f'{mapped.open_count} opener(s)'}"


def mistakes(site: Site, host: Host) -> tuple[str, ...]:
    """Keywords of the site that the multipath of this host does not take. Of LUNs that only the drop-in still has, the
    site says nothing.
    """
    return dropin.mistakes(wish(site, Host(known_keywords=host.known_keywords))[0])


def drop_in(wished: dropin.Wish) -> str:
    return multipathconf.render(dropin.sections(wished), HEADER)


def configured(site: Site, host: Host, forced: frozenset[str]) -> Share:
    wished, refused = wish(site, host, forced)
    text = drop_in(wished)
    before = host.files.get(MULTIPATH_DROP_IN)
    steps: list[Step] = []
    if text != before:
        why = "there is no drop-in for the site's LUNs" if before is None else "the drop-in is not what the site says"
        note = Note("file", MULTIPATH_DROP_IN)
        # A multipathd that starts without the drop-in renames every map, open ones too (seen on 0.9.4): before it.
        part = Part.SERVICES if host.maps and not runs(host) else Part.MULTIPATH
        steps.append(Write(part, why, MULTIPATH_DROP_IN, text, 0o644, before, notes=(note,)))
    for lun in site.luns:
        if lun.wwid not in host.registered:
            why = f"{lun.wwid} is not registered, so find_multipaths strict would not take it"
            steps.append(multipath.register(lun.wwid, why=why))
    stale = _stale(host) or _misnamed(host, wished)
    if (steps or stale) and answers(host):
        steps.append(multipathd.reconfigure(why=stale or "multipathd has not read this yet"))
    return Share(tuple(steps), refused)


def runs(host: Host) -> bool:
    unit = host.unit(systemctl.MULTIPATHD)
    return unit is not None and unit.active == "active"


def answers(host: Host) -> bool:
    """Can multipathd be told anything in this round? A masked one must not be woken through its socket."""
    unit = host.unit(systemctl.MULTIPATHD)
    return unit is None or unit.load == "loaded"


def _stale(host: Host) -> str:
    """Which LUN's loaded keywords differ from the installed ones; empty where the daemon is up to date or could not
    be asked.
    """
    if host.effective is None or host.effective.loaded is None:
        return ""
    for wwid, installed in host.effective.installed.items():
        loaded = host.effective.loaded.get(wwid, {})
        for keyword, value in installed.items():
            if loaded.get(keyword) != value:
                about = f" for {wwid}" if wwid else ""
                return f"multipathd holds {keyword} {loaded.get(keyword, 'unset')}{about}, the files say {value}"
    return ""


def _misnamed(host: Host, wished: dropin.Wish) -> str:
    """A closed map that is not called as the drop-in says, although the daemon holds it: it was busy at the time."""
    for lun in wished.luns:
        mapped = next((m for m in host.maps if m.wwid == lun.wwid), None)
        if mapped and lun.alias and mapped.name != lun.alias and not guard.in_use(host, mapped):
            return f"the map of {lun.wwid} is called {mapped.name}, not {lun.alias}"
    return ""


def present(site: Site, host: Host, pairs: Pairs) -> Share:
    """Maps without paths taken, paths that nobody would bring back, sessions that do not show a LUN they should."""
    steps: list[Step] = []
    logged_in = {s.sid: s for s in host.sessions if s.logged_in}
    for lun in site.luns:
        paths = [p for p in host.paths if p.wwid == lun.wwid and p.device_state == "running" and p.sid in logged_in]
        # An unregistered WWID is registered first, and the reconfigure that follows takes all its paths at once.
        for path in paths if lun.wwid in host.registered and answers(host) else ():
            if path.dm or topology.offline(host, path):
                continue
            steps.append(multipathd.add_path(path.dev, why=f"{path.dev} is a path of {lun.wwid} but in no map"))
        for path in paths:
            # `multipathd fail path` also stops the checker, which goes on saying faulty: a read tells (tried on 0.9.4).
            by_hand = topology.offline(host, path)
            if path.dm_state == "failed" and path.dev in host.readable and answers(host) and not by_hand:
                why = f"{path.dev} of {lun.alias or lun.wwid} is failed although it answers"
                steps.append(multipathd.reinstate_path(path.dev, why=why))
    steps.extend(_rescans(site, host, pairs))
    return Share(tuple(steps))


def _rescans(site: Site, host: Host, pairs: Pairs) -> tuple[Step, ...]:
    """A logged-in session whose target has shown a LUN before, over this or another session, and does not show it
    now.
    """
    steps: list[Step] = []
    for session in host.sessions:
        if not session.logged_in or session.pair not in pairs.planned or host.is_offline(session.pair):
            continue
        here = {p.wwid for p in host.paths if p.sid == session.sid}
        missing = [
            lun.alias or lun.wwid
            for lun in site.luns
            if lun.wwid not in here and _shown(host, lun.wwid, session.pair.target) and not _enough(host, lun)
        ]
        if missing:
            steps.append(
                iscsiadm.rescan(
                    session.sid, why=f"session {session.sid} ({session.pair}) does not show {', '.join(missing)}"
                )
            )
    return tuple(steps)


def _enough(host: Host, lun: SiteLun) -> bool:
    """Has the LUN the paths that the site counts for it?"""
    return (
        lun.paths is not None and sum(topology.usable(host, p) for p in host.paths if p.wwid == lun.wwid) >= lun.paths
    )


def _shown(host: Host, wwid: str, target: str) -> bool:
    sids = {s.sid for s in host.sessions if s.pair.target == target}
    return target in host.memory.shown.get(wwid, frozenset()) or any(
        p.wwid == wwid and p.sid in sids for p in host.paths
    )


def wanted_keywords(wished: dropin.Wish) -> Mapping[str, Mapping[str, str]]:
    """What the site and its preset want in force, by WWID: the device keywords under each LUN's own."""
    table = multipath.table(multipathconf.parse(drop_in(wished)))
    common: dict[str, str] = {}
    for (section, _), keywords in table.items():
        if section in ("overrides", "protocol", "device"):
            common |= {k: v for k, v in keywords.items() if k not in NAMING}
    return {
        lun.wwid: {**common, **{k: v for k, v in table["multipath", lun.wwid].items() if k not in NAMING}}
        for lun in wished.luns
    }


NAMING = frozenset({"vendor", "product", "revision", "type", "wwid"})


def fits(site: Site, host: Host, inquiries: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bool]:
    """Does the device entry that the site asks for apply to LUNs of these INQUIRYs, (vendor, product)? An `overrides`
    section always does.
    """
    table = multipath.table(multipathconf.parse(drop_in(wish(site, host)[0])))
    has_entry = any(section == "device" for section, _ in table)
    return {inquiry: not has_entry or bool(multipath.devices_for(table, *inquiry)) for inquiry in set(inquiries)}
