"""Renewals carried out on a host of real files: one at a time, no further than the first that goes wrong, and nothing
left half done.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import recordings
import trees

from mpio import apply, identity, observe, renew, run, settle, topology
from mpio.host import Host, Pair, Session
from mpio.identity import Said
from mpio.lab import record
from mpio.machine import Machine
from mpio.plan import renewing
from mpio.program import Done
from mpio.recording import Tree
from mpio.run import checked
from mpio.site import Site, SiteLun
from mpio.step import Command, Step
from mpio.tools import iscsidb, keyfile, sysfs

GUIDE = record.site()
SITE = replace(GUIDE, timeouts=replace(GUIDE.timeouts, noop_interval=7, noop_timeout=8))
SYS = recordings.tree("bookworm", "sane")
FILES = recordings.tree("bookworm", "sane", "files")
NEW = 10  # the number of a new session is the old one's and this
RECORDED = ("systemctl", "ip", "dmsetup")


@dataclass
class Prague:
    """A Debian 12 host as it was recorded: its files real ones, its programs such as change them.

    `instead` is asked after each call that it gets as one line: what it gives is said in place of the deed. `takes`
    says what becomes of a new session's disks.
    """

    root: Path
    ran: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    worst: int = 99  # the fewest usable paths that any map had at a call
    instead: Callable[[str], Done | None] = lambda _: None
    takes: Callable[[Callable[[], None]], None] = lambda deed: deed()

    def __post_init__(self) -> None:
        self.machine = Machine(self, trees.planted(self.root, SYS, FILES))
        self.answers = recordings.replay("bookworm", "sane")

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        line = " ".join(argv)
        if argv[0] in ("iscsiadm", "multipathd") and "show" not in argv:
            self.ran.append(line)
        said = self.instead(line) or self.did(argv)
        self.worst = min([self.worst, *(len(p) for p in self.active().values())])
        return checked(said, ok)

    def did(self, argv: tuple[str, ...]) -> Done:
        match argv:
            case ("multipathd", "show", "maps", "json"):
                return replace(self.answers(*argv), out=json.dumps(self.maps()))
            case ("multipathd", "fail" | "reinstate" as verb, "path", dev):
                (self.failed.add if verb == "fail" else self.failed.discard)(dev)
            case ("iscsiadm", "-m", "node", "-T", target, "-p", portal, "-I", iface, *words):
                self.node(next(s for s in (1, 2, 3, 4) if OLD[s] == (iface, portal, target)), words)
            case ("udevadm" | "dd", *_):
                pass
            case _:
                return self.answers(*argv)
        return Done(argv, 0, "", "")

    def node(self, number: int, words: list[str]) -> None:
        if words == ["--logout"]:
            self.end(number)
            self.end(number + NEW)
        elif words == ["--login"]:
            self.begin(number)
        else:
            path = self.record(number)
            settings = dict(zip(words[3::4], words[5::4], strict=True))
            text = self.machine.files.text(path) or ""
            self.machine.files.write(path, iscsidb.record_text_with(text, dict(settings)))

    def record(self, number: int) -> str:
        return next(n.path for n in iscsidb.nodes(self.machine.files) if n.pair == ALL[number - 1])

    def end(self, sid: int) -> None:
        for disk in sysfs.paths(self.machine.files):
            if disk.sid == sid:
                self.failed.discard(disk.dev)
                for path in (f"/sys/block/{disk.dm}/slaves/{disk.dev}", f"/sys/block/{disk.dev}"):
                    self.machine.files.remove(path)
        self.machine.files.remove(f"/sys/class/iscsi_session/session{sid}")
        self.machine.files.remove(f"/sys/class/iscsi_connection/connection{sid}:0")

    def begin(self, number: int) -> None:
        """A new session with the old one's disks, and the timers of its record."""
        disks = [p.dev for p in sysfs.paths(SYS) if p.sid == number]
        held = Tree({}, {p: t for p, t in SYS.links.items() if set(p.split("/")) & set(disks) and "dm-" in p})

        def new(text: str) -> str:
            for word in ("session", "connection"):
                for end in "/:":
                    text = f"{text}/".replace(f"{word}{number}{end}", f"{word}{number + NEW}{end}")[:-1]
            return text

        def own(path: str) -> bool:
            return new(path) != path or (bool(set(path.split("/")) & set(disks)) and path not in held.links)

        links = {new(p): new(t) for p, t in SYS.links.items() if own(p)}
        trees.planted(self.root, Tree({new(p): t for p, t in SYS.files.items() if own(p)}, links))
        said = keyfile.values(self.machine.files.text(self.record(number)) or "")
        for name, key in (("recv_tmo", "noop_out_interval"), ("ping_tmo", "noop_out_timeout")):
            at = f"/sys/class/iscsi_connection/connection{number + NEW}:0/{name}"
            self.machine.files.write(at, said[f"node.conn[0].timeo.{key}"])
        slaves = Tree({}, {p: new(t) for p, t in held.links.items()})

        def taken() -> None:
            trees.planted(self.root, slaves)

        self.takes(taken)

    def active(self) -> dict[str, set[str]]:
        """The usable paths of each map."""
        good = {s.sid for s in self.sessions() if s.logged_in}
        found: dict[str, set[str]] = {m.dm: set() for m in sysfs.maps(self.machine.files)}
        for path in sysfs.paths(self.machine.files):
            if path.dm and path.sid in good and path.dev not in self.failed:
                found[path.dm].add(path.dev)
        return found

    def maps(self) -> dict[str, object]:
        """multipathd's own words, without the paths that are gone and with those that it was told to fail."""
        said = json.loads(self.answers("multipathd", "show", "maps", "json").out)
        inside = {p.dev for p in sysfs.paths(self.machine.files) if p.dm}
        for group in (g for m in said["maps"] for g in m["path_groups"]):
            group["paths"] = [p for p in group["paths"] if p["dev"] in inside]
            for path in group["paths"]:
                path["dm_st"] = "failed" if path["dev"] in self.failed else path["dm_st"]
        return dict(said)

    def sessions(self) -> tuple[Session, ...]:
        return sysfs.sessions(self.machine.files, {})

    def look(self) -> Host:
        return observe.host(self.machine, SITE, observe.Look.USERS)

    def breaks(self, *sids: int) -> None:
        for sid in sids:
            self.machine.files.write(f"/sys/class/iscsi_session/session{sid}/state", "FAILED\n")

    def renewed(
        self, *due: Pair, forced: frozenset[str] = frozenset(), tell: apply.Tell = lambda *_: None, site: Site = SITE
    ) -> tuple[renew.Renewal, apply.Outcome]:
        outcome = apply.Outcome()
        asked = renew.Asked(due or ALL, topology.pairs(SITE, self.look()), forced)
        return renew.sessions(self.machine, site, asked, outcome, tell), outcome

    def tails(self) -> list[str]:
        return [line.split()[-1] for line in self.ran if line.split()[-1] in ("--login", "--logout")]

    def whole(self) -> bool:
        """Every pair has its session and every map all its paths, with I/O on them."""
        return {s.pair for s in self.sessions()} == set(ALL) and {len(p) for p in self.active().values()} == {4}


ALL = tuple(s.pair for s in sysfs.sessions(SYS, {}))
OLD = {s.sid: (s.pair.iface, str(s.pair.portal), s.pair.target) for s in sysfs.sessions(SYS, {})}


@pytest.fixture
def prague(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prague:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(run, "PATH", "/nonexistent")  # what this machine has installed says nothing of that host
    for module, name in ((settle, "PAUSE"), (settle, "STILL"), (settle, "STILL_BUSY"), (renew, "GONE")):
        monkeypatch.setattr(module, name, 0.02 if name == "PAUSE" else 0.6)
    return Prague(tmp_path)


def argv(steps: tuple[Step, ...]) -> list[tuple[str, ...]]:
    return [s.argv for s in steps if isinstance(s, Command)]


def refusal(said: str, *, ends: str, code: int = 8) -> Done | None:
    return Done((), code, "", f"{ends} did not work\n") if said.endswith(ends) else None


def test_each_session_is_made_anew_while_the_others_stand(prague: Prague) -> None:
    renewal, outcome = prague.renewed()
    assert (tuple(renewal.renewed), renewal.refused, renewal.found, outcome.left) == (ALL, (), (), ())
    assert prague.tails() == ["--logout", "--login"] * 4
    assert prague.worst == 3
    assert [(s.sid, s.noop_interval, s.noop_timeout) for s in prague.sessions()] == [
        (11, 7, 8),
        (12, 7, 8),
        (13, 7, 8),
        (14, 7, 8),
    ]
    assert prague.whole()


def test_it_stops_at_a_login_that_fails_and_says_what_is_left(prague: Prague) -> None:
    prague.instead = lambda said: refusal(said, ends="--login") if prague.tails().count("--login") == 2 else None
    renewal, outcome = prague.renewed()
    assert renewal.renewed == [ALL[0]]
    assert prague.tails() == ["--logout", "--login", "--logout", "--login"]
    assert argv(outcome.left) == [
        renewing.enter(ALL[1]).argv,
        *(x.argv for p in ALL[2:] for x in (renewing.out(p), renewing.enter(p))),
    ]
    assert [f.code for f in apply.findings(outcome)] == ["MP301"]
    # and the next login heals
    host = prague.look()
    assert argv(renewing.ready(SITE, host, replace(topology.pairs(SITE, host), silent={}), ALL)) == [
        renewing.enter(ALL[1]).argv
    ]


def test_a_logout_that_fails_leaves_its_paths_in_use(prague: Prague) -> None:
    prague.instead = lambda said: refusal(said, ends="--logout")
    renewal, outcome = prague.renewed()
    assert (renewal.renewed, prague.tails()) == ([], ["--logout"])
    assert [s.sid for s in prague.sessions()] == [1, 2, 3, 4]
    assert prague.whole()
    assert [f.code for f in apply.findings(outcome)] == ["MP107"]


def test_a_session_that_stays_after_its_logout_is_used_again(prague: Prague) -> None:
    """iscsiadm ends with 0, and the kernel keeps the session."""
    prague.instead = lambda said: refusal(said, ends="--logout", code=0)
    renewal, outcome = prague.renewed(ALL[0])
    assert (renewal.renewed, renewal.refused, prague.tails()) == ([], (), ["--logout"])
    assert [s.sid for s in prague.sessions()] == [1, 2, 3, 4]
    assert prague.whole()
    assert argv(outcome.left)[-2:] == [renewing.out(ALL[0]).argv, renewing.enter(ALL[0]).argv]


def test_a_multipathd_that_does_not_obey_stops_it_before_the_logout(prague: Prague) -> None:
    prague.instead = lambda said: Done((), 1, "fail\n", "") if said.startswith("multipathd fail path") else None
    renewal, outcome = prague.renewed()
    assert (renewal.renewed, prague.tails()) == ([], [])
    assert prague.whole()
    assert len(outcome.left) > 0


def test_nothing_is_touched_where_one_of_them_may_not_go(prague: Prague) -> None:
    prague.breaks(1, 3, 4)
    renewal, outcome = prague.renewed(ALL[1])
    assert {f.code for f in renewal.refused} == {"MP409"}
    assert prague.ran == []
    assert argv(outcome.left) == [renewing.out(ALL[1]).argv, renewing.enter(ALL[1]).argv]


def test_force_lets_it_pass(prague: Prague) -> None:
    prague.breaks(1, 3, 4)
    renewal, _ = prague.renewed(ALL[1], forced=frozenset({"MP409"}))
    assert renewal.renewed == [ALL[1]]


def test_a_path_that_is_lost_between_look_and_logout_stops_it(prague: Prague) -> None:
    def breaks(said: str) -> None:
        if said.startswith("multipathd fail path"):
            prague.breaks(2, 3, 4)

    prague.instead = breaks
    renewal, outcome = prague.renewed()
    assert {f.code for f in renewal.refused} == {"MP409"}
    assert prague.tails() == []
    # what was failed by hand is used again
    assert prague.failed == set()
    assert prague.sessions()[0].logged_in
    assert outcome.left


def test_a_session_that_comes_back_without_its_paths_stops_it(prague: Prague) -> None:
    prague.takes = lambda _: None  # nobody takes the new disks into their maps
    renewal, outcome = prague.renewed()
    assert renewal.renewed == []
    assert {f.code for f in renewal.found} == {"MP404"}
    assert prague.tails() == ["--logout", "--login"]
    assert len(outcome.left) == 6


@pytest.mark.parametrize("luns", [GUIDE.luns, ()])
def test_paths_that_come_late_are_waited_for_in_the_site_or_not(prague: Prague, luns: tuple[SiteLun, ...]) -> None:
    late: list[threading.Timer] = []

    def takes(deed: Callable[[], None]) -> None:
        late.append(threading.Timer(0.4, deed))
        late[-1].start()

    prague.takes = takes
    renewal, _ = prague.renewed(ALL[0], site=replace(SITE, luns=luns))
    late[-1].join()
    assert (renewal.renewed, renewal.found) == ([ALL[0]], ())


# -- interrupted ---------------------------------------------------------------------------------------------------


def interrupting(prague: Prague, after: str) -> Callable[[str], Done | None]:
    """Ctrl-C while the first program runs whose line has these words: it ends before that counts, as the runner has
    it.
    """
    left = [after]

    def instead(said: str) -> Done | None:
        if not left or left[0] not in said:
            return None
        left.pop()
        prague.did(tuple(said.split()))
        signal.raise_signal(signal.SIGINT)
        return None

    return instead


@pytest.mark.parametrize(
    ("at", "sids"),
    [
        (" update ", [1, 2, 3, 4]),
        ("fail path sda", [1, 2, 3, 4]),
        ("fail path sdd", [1, 2, 3, 4]),
        ("--logout", [2, 3, 4, 11]),
        ("--login", [2, 3, 4, 11]),
        ("udevadm settle", [2, 3, 4, 11]),
    ],
)
def test_ctrl_c_leaves_no_session_out_and_no_path_failed(prague: Prague, at: str, sids: list[int]) -> None:
    prague.instead = interrupting(prague, at)
    with pytest.raises(KeyboardInterrupt):
        prague.renewed()
    assert [s.sid for s in prague.sessions()] == sids
    assert prague.whole()


def test_ctrl_c_while_the_session_is_still_going(prague: Prague) -> None:
    """The logout has returned and the last disk is only just closed."""
    late = threading.Timer(0.3, prague.end, [1])

    def instead(said: str) -> Done | None:
        if not said.endswith("--logout"):
            return None
        late.start()
        signal.raise_signal(signal.SIGINT)
        return None

    prague.instead = instead
    with pytest.raises(KeyboardInterrupt):
        prague.renewed(ALL[0])
    late.join()
    assert [s.sid for s in prague.sessions()] == [2, 3, 4, 11]
    assert prague.whole()


def test_a_look_that_fails_leaves_no_path_failed(prague: Prague) -> None:
    def instead(said: str) -> Done | None:
        return Done((), 0, "not JSON\n", "") if prague.failed and "show maps" in said else None

    prague.instead = instead
    with pytest.raises(Exception, match="not JSON"):
        prague.renewed(ALL[0])
    assert prague.whole()


def test_a_terminal_that_goes_away_leaves_no_path_failed(prague: Prague) -> None:
    def tell(_step: Step, _trouble: str) -> None:
        if prague.failed:
            raise OSError(errno.EIO, "the terminal is gone")

    with pytest.raises(OSError, match="the terminal is gone"):
        prague.renewed(ALL[0], tell=tell)
    assert prague.whole()


def test_only_a_disk_that_answers_now_is_read(prague: Prague, monkeypatch: pytest.MonkeyPatch) -> None:
    """A direct read of a silent one would hold dd, and with it the look, for as long as the kernel likes."""
    first, gone, _, _ = disks = sorted(next(iter(prague.active().values())))
    prague.failed |= set(disks)
    monkeypatch.setattr(identity, "of", lambda *_: {first: Said(gone=False), gone: Said(gone=True)})
    assert prague.look().readable == {first}
