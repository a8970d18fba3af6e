"""Which planned pairs lack their session, and when each may be logged in again: seconds are those of one clock."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from mpio.host import Answer, Pair
from mpio.tools.iscsierr import Code
from mpio.watch.event import Event, Name, Severity
from mpio.watch.seen import Seen

SOON = 5.0  # after a session is missing: whoever logs in at boot or by hand comes first
BY_HAND = 60.0  # where it ended while it was well: somebody may have meant that
LONGEST = 300.0  # between two tries; each failure doubles the time before the next
TURNED_DOWN = 900.0  # where a CHAP login was turned down without a word on CHAP: an array may count these, too
STEADY = 60.0  # a session that has lasted so long begins anew


@dataclass(frozen=True, slots=True)
class Met:
    """What a try has met: iscsiadm's `code`, and what `said` in words kept the session away; nothing for a success."""

    said: str = ""
    code: int = 0


@dataclass(slots=True)
class Lack:
    """`due` is its next try, `back` when its session came back."""

    due: float
    tries: int = 0
    answers: bool = False
    back: float | None = None
    told: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Absent:
    """The pairs without a session, as the looks show them. `bars` are those that were refused, by name, each with the
    mark that must change before there is another try. With CHAP one bars all: an array locks out a login, not a pair.
    """

    lacks: dict[Pair, Lack] = field(default_factory=dict)
    bars: dict[str, str] = field(default_factory=dict)
    _one_login: bool = False
    _well: frozenset[Pair] = frozenset()

    def look(self, seen: Seen, now: float, mark: Callable[[Pair], str]) -> None:
        """`mark` is another one once the site or a pair's record has changed."""
        self._one_login = bool(seen.site and seen.site.chap)
        self._lift(seen, now, mark)
        missing = lacking(seen)
        for pair in missing:
            one = self.lacks.get(pair)
            if one is None:
                one = self.lacks[pair] = Lack(now + (BY_HAND if pair in self._well else SOON))
            elif one.back is not None:  # it was back, and did not last
                one.due = max(now + (BY_HAND if pair in self._well else SOON), one.back + _pause(one.tries))
                one.back = None
            one.answers = answers(seen, pair)
        for pair in self.lacks.keys() - set(missing):
            one = self.lacks[pair]
            session = seen.host.session_of(pair)
            if session is None:
                del self.lacks[pair]  # not wanted any more
            elif session.logged_in:
                one.back = now if one.back is None else one.back
                if now - one.back > STEADY:
                    del self.lacks[pair]
            else:
                one.answers = False  # iscsid is at it
        self._well = frozenset(s.pair for s in seen.host.sessions if s.logged_in)

    def due(self, now: float) -> tuple[Pair, ...]:
        """Those that have failed least come first."""
        ready = (pair for pair, one in self.lacks.items() if one.due <= now and self._may(pair, one))
        return tuple(sorted(ready, key=lambda pair: self.lacks[pair].tries))

    @property
    def deadline(self) -> float | None:
        return min((one.due for pair, one in self.lacks.items() if self._may(pair, one)), default=None)

    def wait(self, pairs: Collection[Pair], until: float) -> None:
        """No try before that, and none is counted."""
        for pair in pairs:
            if pair in self.lacks:
                self.lacks[pair].due = until

    def met(self, pair: Pair, what: Met, seen: Seen, now: float, mark: str) -> tuple[Event, ...]:
        """A try is over, `mark` is of its beginning. Its failure is said once for each reason."""
        if what.code == Code.LOGIN_AUTH_FAILED:
            # The array may lock out who fails: nobody tries the same login twice.
            self.bars[str(pair)] = mark
        one = self.lacks.get(pair)
        if one is None:
            return ()
        one.tries += 1
        one.due = now + _pause(one.tries)
        again = "it is tried again"
        if what.code == Code.LOGIN_AUTH_FAILED:
            again = "not tried again until the site file or the record changes"
            if self._one_login:
                again = f"no pair with this CHAP login is {again.removeprefix('not ')}"
        elif what.code == Code.FATAL_LOGIN and self._one_login:
            one.due = now + TURNED_DOWN
        if not what.said or what.said in one.told:
            return ()
        one.told.add(what.said)
        return (_failed(seen, pair, f"not logged in again: {what.said}; {again}"),)

    def _lift(self, seen: Seen, now: float, mark: Callable[[Pair], str]) -> None:
        """What has changed since is tried; a session that is there says that its login is right. Without a site or
        records nothing is known of a change.
        """
        if not self.bars or seen.site is None or not seen.host.nodes:
            return
        pairs = {str(n.pair): n.pair for n in seen.host.nodes}
        alive = {s.pair for s in seen.host.sessions if s.logged_in}
        refused = {pairs[name]: was for name, was in self.bars.items() if name in pairs}
        stay = {str(pair): was for pair, was in refused.items() if pair not in alive and mark(pair) == was}
        for pair, one in self.lacks.items() if stay != self.bars else ():
            lifted = str(pair) in self.bars and str(pair) not in stay
            one.due = now + SOON if lifted else max(one.due, now + SOON)
            one.told = set() if lifted else one.told
        self.bars = stay

    def _may(self, pair: Pair, one: Lack) -> bool:
        barred = bool(self.bars) if self._one_login else str(pair) in self.bars
        return one.back is None and one.answers and not barred


def lacking(seen: Seen) -> tuple[Pair, ...]:
    """The planned pairs that have a record and no session, and are not offline by hand."""
    if seen.site is None or seen.pairs is None or not seen.site.watch.heal:
        return ()
    host = seen.host
    there, recorded = {s.pair for s in host.sessions}, {n.pair for n in host.nodes}
    return tuple(p for p in seen.pairs.planned if p in recorded and p not in there and not host.is_offline(p))


def answers(seen: Seen, pair: Pair) -> bool:
    """Would a login get through? A probe or a session over the same way says so, and the NIC has carrier."""
    host = seen.host
    nic = next((host.nic(i.nic) for i in host.ifaces if i.name == pair.iface), None)
    way = (pair.iface, pair.portal)
    beside = any((s.pair.iface, s.pair.portal) == way and s.logged_in for s in host.sessions)
    return nic is not None and nic.carrier is True and (beside or host.probes.get(way) is Answer.ANSWERED)


def _pause(tries: int) -> float:
    return min(SOON * (1 << min(tries, 10)), LONGEST)


def _failed(seen: Seen, pair: Pair, detail: str) -> Event:
    """As info: the loss was said when it was seen, and nothing is worse now."""
    nic = next((i.nic for i in seen.host.ifaces if i.name == pair.iface), "")
    return Event(
        Name.SESSION_FAILED,
        Severity.INFO,
        subject=str(pair),
        detail=detail,
        root=f"{pair.iface} -> {pair.portal}",
        iface=pair.iface,
        nic=nic,
        portal=str(pair.portal),
        target=pair.target,
    )
