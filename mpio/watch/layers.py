"""Every layer's state in words, and what changed between two looks: the black box keeps it beside the events, which say
what that meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mpio.watch.seen import Seen

# From the cable up. What I/O meets on its way is device, dm, map; carrier, probe and session say why.
LAYERS = ("carrier", "address", "probe", "session", "device", "dm", "map")
GONE = "gone"
LINKS = {True: "up", False: "down", None: "off"}

States = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Change:
    """`subject` went from the state `was` to `now`, in the words of the kernel and multipath; either may be gone."""

    layer: str
    subject: str
    was: str
    now: str


def states(seen: Seen) -> States:
    """(layer, subject) and the state of each."""
    host = seen.host
    found: dict[tuple[str, str], str] = {}
    for nic in host.nics:
        found["carrier", nic.name] = LINKS[nic.carrier]
        found["address", nic.name] = " ".join(nic.addresses) or "none"
    for (iface, portal), answer in host.probes.items():
        found["probe", f"{iface} -> {portal}"] = answer.value
    pairs = {}
    for session in host.sessions:
        pairs[session.sid] = f"{session.pair.iface} -> {session.pair.portal}"
        found["session", f"sid:{session.sid} {session.pair}"] = session.state or "unknown"
    names = {m.dm: m.name for m in host.maps}
    for path in host.paths:
        over = pairs.get(path.sid, f"sid:{path.sid}")
        found["device", f"{path.dev} {path.hctl} {over}"] = path.device_state or "unknown"
        if path.dm:
            found["dm", f"{path.dev} of {names.get(path.dm, path.dm)} {over}"] = path.dm_state or "unknown"
    for one in host.maps:
        found["map", f"{one.name} {one.dm}"] = "suspended" if one.suspended else f"{len(one.slaves)} paths"
    return found


def between(before: States, after: States) -> Iterator[Change]:
    """From the cable up."""
    if before == after:
        return
    changed = {key for key in (*before, *after) if before.get(key) != after.get(key)}
    for layer, subject in sorted(changed, key=lambda key: (LAYERS.index(key[0]), key[1])):
        was, now = before.get((layer, subject), GONE), after.get((layer, subject), GONE)
        yield Change(layer, subject, was, now)
