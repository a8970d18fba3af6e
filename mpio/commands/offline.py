"""mpio offline"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpio import apply, choose, guard, lock, observe, plan, progress, rest, span, view
from mpio.checks import offline
from mpio.commands import ended
from mpio.commands.call import Call
from mpio.errors import Exit, UsageError
from mpio.findings import Finding
from mpio.host import Host, Pair
from mpio.memory import Offline
from mpio.plan import resting
from mpio.site import Site
from mpio.topology import Pairs

if TYPE_CHECKING:
    import datetime

    from mpio.commands import options


def command(
    call: Call,
    x: options.Names,
    for_: options.For = None,
    logout: options.Logout = False,
    yes: options.Yes = False,
    force: options.Force = None,
) -> int:
    length = _length(for_)
    site, forced = call.site(), call.forced(force)
    call.need_root()
    outcome, found = apply.Outcome(), tuple[Finding, ...]()
    with lock.hold("offline"):
        apply.ready(call.machine, call.console.say)
        host, planned = _look(call, site)
        meant = {name: choose.pairs((name,), host, planned, site) for name in dict.fromkeys(x)}
        chosen = {p for pairs in meant.values() for p in pairs}
        if length:
            call.stays(host.program, site=True)
        taken = _taken(host, meant, length, logout)
        todo = resting.rest(site, host, planned, taken)
        if any(_is_news(one, host) for one in taken) or todo.quiet or todo.out:
            guard.forbid(resting.against(host, chosen, forced))
            if not yes:
                call.confirm(_question(host, meant))
                # Somebody may have lost a path, or begun to use a LUN, while we waited for an answer.
                host, planned = _look(call, site)
                guard.forbid(resting.against(host, chosen, forced))
                taken = _taken(host, meant, length, logout)  # its time begins now
            asked = rest.Asked(taken, host, planned)
            with progress.shown(call.console) as tell:
                found = rest.take(call.machine, site, asked, outcome, tell)
            host = observe.host(call.machine, site, observe.Look.VERIFY)
    code = Exit.COULD_NOT if outcome.left or found else Exit.OK
    names = {one.name for one in taken}
    said = () if code else offline.only(host, names)
    if not call.console.json:
        for name, pairs in meant.items():
            call.console.out(f"nothing goes over {name}" if not pairs else resting.way_back(host, name))
    return ended.show(call, outcome, (*found, *said, *apply.findings(outcome)), code, {"offline": view.offline(host)})


def _look(call: Call, site: Site) -> tuple[Host, Pairs]:
    host = observe.host(call.machine, site, observe.Look.USERS)
    return host, plan.steps(site, host).pairs


def _length(said: str | None) -> datetime.timedelta | None:
    try:
        return None if said is None else span.parse(said)
    except ValueError as error:
        raise UsageError(str(error), "--for takes 30s, 15m, 2h, 1d or 1h30m") from error


def _taken(
    host: Host, meant: dict[str, tuple[Pair, ...]], length: datetime.timedelta | None, logout: bool
) -> tuple[Offline, ...]:
    """One for each name that means anything; who does the same again has not come later. What is offline under a name
    stays so with it, whatever the name means by now (`sid:4` after a reboot).
    """
    since, until = rest.moments(length)
    found = []
    for name, pairs in meant.items():
        names = frozenset(map(str, pairs))
        old = next((one for one in host.offline if one.name == name), None)
        out = logout or bool(old and old.logged_out)
        if old and old.pairs >= names and old.until is None and until is None:
            found.append(Offline(name, old.pairs, old.who, old.since, None, out))
        elif names:
            found.append(Offline(name, names | (old.pairs if old else frozenset()), rest.who(), since, until, out))
    return tuple(found)


def _is_news(one: Offline, host: Host) -> bool:
    return one not in host.offline


def _question(host: Host, meant: dict[str, tuple[Pair, ...]]) -> str:
    sessions = resting.sessions_of(host, {p for pairs in meant.values() for p in pairs})
    return f"Take {', '.join(meant)} offline: {len(sessions)} sessions?"
