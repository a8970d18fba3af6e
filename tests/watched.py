"""The guide's host as a watcher sees it, and what may become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import fakes

from mpio.host import Answer, Host, Nic, Path, Portal, Session
from mpio.watch import sight
from mpio.watch.event import Event
from mpio.watch.seen import Seen

SITE = fakes.guide_site()


def seen(host: Host | None = None, **changes: Any) -> Seen:
    """Every pair answers, every path is in use."""
    given = host or fakes.guide_host()
    answered = {(s.pair.iface, s.pair.portal): Answer.ANSWERED for s in given.sessions}
    return sight.judged(Seen(replace(given, probes={**answered, **changes.pop("probes", {})}), SITE, **changes))


def with_nics(one: Seen, change: Callable[[Nic], Nic]) -> Seen:
    return sight.judged(replace(one, host=replace(one.host, nics=tuple(change(n) for n in one.host.nics))))


def with_sessions(one: Seen, change: Callable[[Session], Session | None]) -> Seen:
    changed = tuple(s for s in map(change, one.host.sessions) if s is not None)
    return sight.judged(replace(one, host=replace(one.host, sessions=changed)))


def with_paths(one: Seen, change: Callable[[Path], Path | None]) -> Seen:
    changed = tuple(p for p in map(change, one.host.paths) if p is not None)
    return sight.judged(replace(one, host=replace(one.host, paths=changed)))


def answering(one: Seen, answers: dict[tuple[str, Portal], Answer]) -> Seen:
    return sight.judged(replace(one, host=replace(one.host, probes={**one.host.probes, **answers})))


def dark(one: Seen, nic: str) -> Seen:
    """The NIC has lost its carrier; nothing else shows it yet."""
    return with_nics(one, lambda n: replace(n, carrier=False) if n.name == nic else n)


def without_nic(one: Seen, nic: str) -> Seen:
    """Its carrier lost, its sessions failed, its paths failed by the device mapper."""
    lost = {s.sid for s in one.host.sessions if s.nic == nic}
    one = with_sessions(dark(one, nic), lambda s: replace(s, state="FAILED") if s.sid in lost else s)
    return with_paths(one, lambda p: replace(p, dm_state="failed") if p.sid in lost else p)


def words(events: tuple[Event, ...]) -> list[tuple[str, str]]:
    return [(e.name.value, e.subject) for e in events]


def names(events: tuple[Event, ...]) -> dict[str, int]:
    """How many of each."""
    found: dict[str, int] = {}
    for one in events:
        found[one.name.value] = found.get(one.name.value, 0) + 1
    return found
