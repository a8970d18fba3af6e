"""mpio lun list, add, resize, remove, rescan and adopt"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, choose, console, findings, guard, lock, observe, progress, topology, view
from mpio.commands import ended
from mpio.commands.call import Call
from mpio.errors import Exit, MpioError
from mpio.findings import Finding, finding
from mpio.luns import growth, inventory, luntext, lunview, removal, scan, taking
from mpio.plan import luns, removing
from mpio.step import Part

if TYPE_CHECKING:
    from mpio.commands import options


def list_(call: Call) -> int:
    """Every LUN of the site, the maps and the paths, and who uses it; needs no site file."""
    site = call.site_or_none()
    host, rest = inventory.look(call.machine, site)
    judged = topology.luns(site, host, topology.pairs(site, host) if site and host.root else None)
    said = lunview.listed(site, host, judged, rest)
    if call.console.json:
        call.console.document("lun list", Exit.OK, {**said, "unseen": list(host.blind)})
        return Exit.OK
    luntext.listed(call.console, said)
    for what in host.blind:
        call.console.say(f"could not see {what}")
    return Exit.OK


def add(
    call: Call, wwid: options.Wwid, alias: options.Alias = "", yes: options.Yes = False, force: options.Force = None
) -> int:
    """Take a LUN into the site file and use it, once all of its paths are there and agree."""
    site, forced = call.site(), call.forced(force)
    wish = luns.wish(site, wwid, alias)
    call.need_root()
    with lock.hold("lun add"):
        apply.ready(call.machine, call.console.say)
        host = observe.host(call.machine, site, observe.Look.USERS)
        outcome = apply.Outcome(host=host)
        if not taking.is_whole(site, host, wish):
            guard.forbid(taking.unready(call.machine, host, wish))
            if not yes:
                called = f" as {alias}" if alias else ""
                call.confirm(f"Add {wish.wwid}{called} to {site.path} and use it?")
            asked = apply.Asked(host, frozenset(Part), forced)
            with progress.shown(call.console) as tell:
                change, outcome = taking.add(call.machine, site, wish, asked, tell)
            site = change.site
        taken = taking.taken(call.machine, site, outcome, wish)
    if not call.console.json:
        call.console.luns(outcome.host, (taken.lun,))
    more: view.Json = {"lun": view.lun(outcome.host, taken.lun)}
    return ended.show(call, outcome, (*taken.found, *apply.findings(outcome)), taken.exit, more)


def resize(call: Call, lun: options.Lun, yes: options.Yes = False, force: options.Force = None) -> int:
    """Let the map follow a LUN that grew on the array, once every path has its new size."""
    site, forced = call.site(), call.forced(force)
    call.need_root()
    with lock.hold("lun resize"):
        host = observe.host(call.machine, site, observe.Look.USERS)
        wwid = choose.lun(lun, site, host)
        way = growth.way(site, host, wwid, forced)
        guard.forbid(way.refused)
        mapped = next(m for m in host.maps if m.wwid == wwid)
        outcome, found = apply.Outcome(host=host), tuple[Finding, ...]()
        if way.steps:
            if not yes:
                call.confirm(f"Resize {mapped.name} from {console.size(mapped.size)} to {console.size(way.size)}?")
                # A path may have been lost while we waited for an answer.
                host = observe.host(call.machine, site, observe.Look.USERS)
                way = growth.way(site, host, wwid, forced)
                guard.forbid(way.refused)
                mapped = next(m for m in host.maps if m.wwid == wwid)
            with progress.shown(call.console) as tell:
                found = growth.carry_out(call.machine, mapped, way, outcome, tell)
        elif not call.console.json:
            call.console.say(f"{mapped.name} did not grow: map, paths and array say {console.size(way.size)}")
        if not outcome.left and way.size > (mapped.size or 0):
            found = (finding("MP421", mapped.name, growth.next_words(call.machine, host, mapped)),)
    code = Exit.COULD_NOT if outcome.left or findings.worst(found) else Exit.OK
    more: view.Json = {"wwid": wwid, "was": mapped.size, "size": way.size}
    return ended.show(call, outcome, (*found, *apply.findings(outcome)), code, more)


def remove(call: Call, lun: options.Lun, yes: options.Yes = False, force: options.Force = None) -> int:
    """Take a LUN away, in the safe order: out of the site file, map, disks and multipath's files."""
    site, forced = call.site(), call.forced(force)
    call.need_root()
    with lock.hold("lun remove"):
        apply.ready(call.machine, call.console.say)
        host = removal.look(call.machine)
        wwid = removing.chosen(lun, site, host)
        name = removing.named(host, wwid)
        away = removal.away(call.machine, site, host, wwid, forced)
        guard.refuse(away.refused)
        outcome, refused = apply.Outcome(host=host), tuple[Finding, ...]()
        if away.steps:
            if not yes:
                call.confirm(removing.question(site, host, wwid))
                # Somebody may have begun to use the LUN while we waited for an answer.
                away = removal.away(call.machine, site, removal.look(call.machine), wwid, forced)
                guard.refuse(away.refused)
            with progress.shown(call.console) as tell:
                refused = removal.carry_out(call.machine, away, outcome, tell)
        else:
            removal.forget(call.machine, wwid)
    found = (*refused, *removing.found(outcome.host, wwid, name, outcome.done), *apply.findings(outcome))
    code = Exit.COULD_NOT if outcome.left else Exit.OK
    return ended.show(call, outcome, found if away.steps else (), code, {"wwid": wwid})


def rescan(call: Call, lun: options.AnyLun = "", yes: options.Yes = False) -> int:
    """Have the sessions look for LUNs anew, and say what came, went or changed; no device is removed."""
    call.need_root()
    site = call.site_if_any()
    with lock.hold("lun rescan"):
        apply.ready(call.machine, call.console.say)
        before = observe.host(call.machine, site, observe.Look.HERE)
        wwid = choose.lun(lun, site, before) if lun else ""
        sessions = scan.wanted(site, before, wwid)
        if not sessions:
            raise MpioError("there is no session to rescan", "mpio login")
        if not yes:
            call.confirm(f"Rescan {len(sessions)} sessions?")
        outcome = apply.Outcome(host=before)
        with progress.shown(call.console) as tell:
            scan.sessions(call.machine, sessions, "is to look for LUNs anew", outcome, tell)
        outcome.left = tuple(step for step, _, _ in outcome.failed.values())
        after = observe.host(call.machine, site, observe.Look.HERE)
        apply.remember(call.machine, after)
        news = scan.news(call.machine, before, after)
    found = luns.told(site, after, news)
    changed = any(f.code == "MP414" for f in found)
    more = lunview.news(after, news)
    if not call.console.json:
        luntext.news(call.console, more)
    code = Exit.COULD_NOT if changed or outcome.left or not scan.shows(after, wwid) else Exit.OK
    return ended.show(call, outcome, (*found, *apply.findings(outcome)), code, more)


def adopt(call: Call, lun: options.AnyLun = "", yes: options.Yes = False) -> int:
    """Take the paths that there are now for those to expect; a map that the site does not name comes into it."""
    site = call.site()
    call.need_root()
    with lock.hold("lun adopt"):
        apply.ready(call.machine, call.console.say)
        host = observe.host(call.machine, site, observe.Look.USERS)
        wwid = choose.lun(lun, site, host) if lun else ""
        adoptions = taking.adoptions(call.machine, site, host, wwid)
        guard.forbid(luns.unfit(adoptions))
        outcome = apply.Outcome(host=host)
        todo = [one for one in adoptions if not one.idle]
        more: view.Json = {"adopted": [lunview.adoption(one) for one in todo]}
        if todo:
            if not call.console.json:
                luntext.adoptions(call.console, more)
            if not yes:
                call.confirm(f"Expect of {len(todo)} LUNs what they have now?")
                # The array may have mapped a LUN again while we waited for an answer: its disks are not dead any more.
                host = observe.host(call.machine, site, observe.Look.USERS)
                if taking.adoptions(call.machine, site, host, wwid) != adoptions:
                    raise MpioError("what the LUNs have has changed since it was asked", "run it again")
            with progress.shown(call.console) as tell:
                outcome = taking.adopt(call.machine, site, host, todo, tell)
    code = Exit.COULD_NOT if outcome.left else Exit.OK
    return ended.show(call, outcome, apply.findings(outcome), code, more)


COMMANDS = (list_, add, resize, remove, rescan, adopt)
