"""May these sessions be failed at once? Pure: the contract's two rules, on what the host shows at this moment.

(a) Every map with a path on them keeps one that works: dm says active, the disk runs, the session is logged in, its NIC
has carrier, and its pair has answered after the loss was seen. (b) Nobody else uses a disk of theirs: it would get I/O
errors at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mpio.host import Host, Map, Pair, Path, Session, User
from mpio.topology import usable

FEW = 3  # that a sentence names


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is failed at once. The same state gives the same words, so that they are said once. `mapped` is the
    map that would be left without a path.
    """

    why: str
    mapped: Map | None = None


def of_root(doomed: Collection[int], root: Collection[int] | None, allowed: bool) -> Refusal | None:
    """Rule 0: never the sessions of the root disk, unless the site says so. `root` are their sids, None: not known."""
    if allowed:
        return None
    if root is None:
        return Refusal("nothing tells what carries the root file system, and fast_fail_root is not set")
    if not set(doomed) & set(root):
        return None
    return Refusal("the root disk is on these sessions, and fast_fail_root is not set")


def touched(host: Host, doomed: Collection[int]) -> tuple[Map, ...]:
    """The maps that have a path on these sessions."""
    dms = {p.dm for p in host.paths if p.sid in doomed}
    return tuple(m for m in host.maps if m.dm in dms)


def keepers(host: Host, doomed: Collection[int]) -> dict[str, frozenset[int]]:
    """For each map with a path on these sessions, the other sessions by which it could go on; whether they answer is
    not known yet.
    """
    good = {s.sid for s in host.sessions if s.sid not in doomed and s.logged_in and has_carrier(host, s)}
    return {
        m.dm: frozenset(p.sid for p in _paths(host, m) if p.sid in good and usable(host, p))
        for m in touched(host, doomed)
    }


def unanswered(kept: Mapping[str, frozenset[int]], answered: Collection[int]) -> frozenset[int]:
    """The sessions that are still to be asked: those of maps for which nobody has answered so far."""
    heard = frozenset(answered)
    return frozenset(sid for sids in kept.values() if not sids & heard for sid in sids)


def refusal(host: Host, doomed: Collection[int], answered: Collection[int]) -> Refusal | None:
    """Rule (a). `answered` are the sessions whose pair has answered after the loss was seen."""
    kept = keepers(host, doomed)
    heard = frozenset(answered)
    stuck = [m for m in touched(host, doomed) if not kept[m.dm] & heard]
    if not stuck:
        return None
    verb = "has" if len(stuck) == 1 else "have"
    return Refusal(
        f"{_some(m.name for m in stuck)} {verb} no other path that works: {_missing(host, stuck[0], doomed)}", stuck[0]
    )


def used(users: Iterable[User]) -> Refusal | None:
    """Rule (b)."""
    found = tuple(dict.fromkeys(str(u) for u in users))
    if not found:
        return None
    return Refusal(f"{_some(found)} would get I/O errors at once: a disk of these sessions is in use by itself")


def alive(doomed: Iterable[Session], answered: Collection[int]) -> Refusal | None:
    """What is said to be dead has answered after all."""
    found = dict.fromkeys(name(s.pair) for s in doomed if s.sid in answered)
    return Refusal(f"{_some(found)} {'answers' if len(found) == 1 else 'answer'} now") if found else None


def _missing(host: Host, mapped: Map, doomed: Collection[int]) -> str:
    """What is against the other paths of a map, each cause once."""
    of_sid = {s.sid: s for s in host.sessions}
    said: dict[str, None] = {}
    for path in _paths(host, mapped):
        if path.sid not in doomed:
            said[_against(host, path, of_sid.get(path.sid))] = None
    return _some(said) if said else "all its paths are on these sessions"


def _against(host: Host, path: Path, session: Session | None) -> str:
    if session is None:
        return f"{path.dev} has no session"
    if not session.logged_in:
        return f"session {session.sid} is {session.state or 'gone'}"
    if not has_carrier(host, session):
        return f"{session.nic or session.pair.iface} has no carrier"
    if path.device_state != "running":
        return f"{path.dev} is {path.device_state or 'gone'}"
    if path.dm_state != "active":
        return f"the device mapper calls {path.dev} {path.dm_state or 'nothing'}"
    return f"{name(session.pair)} has not answered since"


def name(pair: Pair) -> str:
    """`sw-iscsi-0 -> 10.10.8.90:3260`"""
    return f"{pair.iface} -> {pair.portal}"


def has_carrier(host: Host, session: Session) -> bool:
    """Has its NIC?"""
    nic = host.nic(session.nic)
    return nic is not None and nic.carrier is True


def _paths(host: Host, mapped: Map) -> tuple[Path, ...]:
    return tuple(p for p in host.paths if p.dm == mapped.dm)


def _some(names: Iterable[str]) -> str:
    every = tuple(names)
    rest = len(every) - FEW
    return ", ".join(every[:FEW]) + (f" and {rest} more" if rest > 0 else "")
