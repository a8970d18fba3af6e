"""Why a path, a session or a pair is lost: the cause, not the symptom, with what shows it."""

from __future__ import annotations

from dataclasses import dataclass

from mpio.host import Answer, Nic, Pair, Path
from mpio.watch.event import Cause
from mpio.watch.seen import Seen


@dataclass(frozen=True, slots=True)
class Why:
    """`root` is what an alert names, `evidence` a part of a sentence. `cause` None: nothing tells it."""

    cause: Cause | None
    root: str
    evidence: str


def of_pair(seen: Seen, pair: Pair, nic: str = "") -> Why:
    """Why this pair has no session, or one that is of no use."""
    host = seen.host
    name = nic or next((i.nic for i in host.ifaces if i.name == pair.iface), "")
    one = next((o for o in host.offline if str(pair) in o.pairs), None)
    if one is not None:
        return Why(Cause.OFFLINE, f"offline {one.name}", f"{one.name} is offline by hand since {one.since} ({one.who})")
    if name and (lost := link(host.nic(name), name)):
        return Why(Cause.LINK, of_nic(name), lost)
    seen_nic = host.nic(name)
    if seen_nic is not None and not seen_nic.speaks(pair.portal):
        return Why(Cause.ADDRESS, of_nic(name), f"{name} has no IPv{pair.portal.version} address")
    way = (pair.iface, pair.portal)
    root = of_way(*way)
    answer = seen.fresh.get(way, host.probes.get(way))
    if answer is Answer.REFUSED:
        return Why(Cause.REFUSED, root, f"{pair.portal} refuses connections through {name or pair.iface}")
    if answer in (Answer.SILENT, Answer.NO_ROUTE):
        return Why(Cause.SILENT, root, f"{pair.portal} does not answer through {name or pair.iface} ({answer})")
    session = host.session_of(pair)
    state = f"session {session.sid} is {session.state}" if session else "there is no session"
    if answer is Answer.ANSWERED:
        return Why(Cause.LOGGED_OUT, f"{pair}", f"{state} though {pair.portal} answers")
    return Why(None, f"{pair}", state)


def of_path(seen: Seen, path: Path, name: str) -> Why:
    """Why this path is of no use; `name` is its LUN's."""
    session = seen.session(path.sid)
    if session is None:
        return Why(None, f"LUN {name}", f"session {path.sid} is gone")
    nic = seen.host.nic(session.nic)
    offline = seen.host.is_offline(session.pair)
    if offline or not session.logged_in or (session.nic and link(nic, session.nic)):
        return of_pair(seen, session.pair, session.nic)
    root = f"LUN {name}"
    if path.dev in seen.unmapped:
        return Why(Cause.UNMAPPED, root, f"{session.pair.target} says that it has no LUN {path.lun}")
    if path.dm_state == "failed":
        return Why(Cause.CHECKER, root, f"the device mapper has failed {path.dev}; its session is logged in")
    return Why(None, root, f"{path.dev} is {path.device_state or 'gone'}")


def of_nic(name: str) -> str:
    return f"NIC {name}"


def of_way(iface: str, portal: object) -> str:
    return f"{iface} -> {portal}"


def link(nic: Nic | None, name: str) -> str:
    """How the NIC is of no use, in words; empty where it has carrier."""
    if nic is None:
        return f"{name} is not there"
    return {True: "", False: f"{name} has no carrier", None: f"{name} is down"}[nic.carrier]
