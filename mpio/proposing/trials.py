"""Sessions that `init --login` makes to look at LUNs and ends again: which they are, and how they end.

They are known by their iface, whose name nobody else gives and which no database holds: so a run that was killed leaves
sessions that the next `init` or `teardown` knows without remembering them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from mpio import guard
from mpio.findings import Finding, finding
from mpio.host import Host, Pair, Session
from mpio.plan.shape import Share
from mpio.site import SiteIface
from mpio.step import Command, Part, Step, Write
from mpio.tools import iscsierr, iscsitrial, multipath, udevadm
from mpio.tools.iscsierr import Code

OK = (Code.SUCCESS, Code.NO_OBJS_FOUND)


def ours(host: Host) -> tuple[Session, ...]:
    return tuple(s for s in host.sessions if s.pair.iface.startswith(iscsitrial.PREFIX))


def ifaces(wanted: Iterable[SiteIface]) -> dict[str, str]:
    """The ifaces of the trial, name to NIC, in the order of the site's."""
    return {f"{iscsitrial.PREFIX}{number}": iface.nic for number, iface in enumerate(wanted)}


def due(host: Host, wanted: Iterable[SiteIface], reachable: Mapping[Pair, int]) -> dict[Pair, int]:
    """The pairs to log in, over the trial's ifaces: where somebody's session goes the same way, that will do."""
    nic_of = {i.name: i.nic for i in wanted}
    name_of = {nic: name for name, nic in ifaces(wanted).items()}
    there = {(s.nic, s.pair.portal, s.pair.target) for s in host.sessions if s.logged_in}
    return {
        Pair(name_of[nic_of[pair.iface]], pair.portal, pair.target): tpgt
        for pair, tpgt in reachable.items()
        if (nic_of[pair.iface], pair.portal, pair.target) not in there
    }


def looked_at(host: Host, wanted: Iterable[SiteIface], reachable: Collection[Pair]) -> frozenset[int]:
    """The sessions, of the trial or not, that go one of these ways."""
    nic_of = {i.name: i.nic for i in wanted}
    ways = {(nic_of[p.iface], p.portal, p.target) for p in reachable}
    return frozenset(s.sid for s in host.sessions if s.logged_in and (s.nic, s.pair.portal, s.pair.target) in ways)


def ended(host: Host, forced: frozenset[str] = frozenset()) -> Share:
    """Maps that stand on these sessions alone are flushed, then all of them are logged out in one call."""
    going = ours(host)
    if not going:
        return Share()
    refused = guard.against_logout(host, going, forced)
    if refused:
        return Share(refused=refused)
    sids = {s.sid for s in going}
    steps: list[Step] = []
    for mapped in host.maps:
        paths = [p for p in host.paths if p.dm == mapped.dm]
        if paths and all(p.sid in sids for p in paths) and not guard.in_use(host, mapped):
            why = f"{mapped.name} stands on sessions of `mpio init` alone"
            steps.append(multipath.flush(mapped.name, why=why))
    nics = {s.pair.iface: s.nic for s in going}
    tpgts = {s.pair: -1 if s.tpgt is None else s.tpgt for s in going}
    why = f"{len(going)} sessions of `mpio init` are to end"
    steps.append(Command(Part.LOGIN, why, iscsitrial.logout(nics, tpgts), OK))
    return Share(tuple(steps))


def rules_gone() -> tuple[Step, ...]:
    """The rules by which nobody takes up these sessions' disks; udevd sees by itself that they are gone."""
    why = "the sessions of `mpio init` have ended"
    return tuple(Write(Part.LOGIN, why, path, None) for path in udevadm.left_alone(iscsitrial.PREFIX))


def told(nics: Mapping[str, str], due: Iterable[Pair], host: Host, said: Mapping[Pair, int]) -> Iterator[Finding]:
    """What is wrong with the pairs that were to be logged in, by their NICs; `said` are iscsiadm's codes."""
    rows = {int(Code.LOGIN_AUTH_FAILED): "MP302", int(Code.FATAL_LOGIN): "MP303"}
    for pair in due:
        subject = f"{nics[pair.iface]} -> {pair.portal} {pair.target}"
        session = host.session_of(pair)
        if session is None or not session.logged_in:
            code = said.get(pair, 0)
            words = iscsierr.reason(code) if code else "no session came of it"
            yield finding(rows.get(code, "MP301"), subject, words)
        elif not any(p.sid == session.sid for p in host.paths):
            yield finding("MP308", subject, "it shows no LUN at all")
