"""What the lever does to files; that it moves I/O is shown in a guest (tests/vm/test_fast_fail.py)."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from trees import Tree, guide

from mpio import sockets
from mpio.fastfail import failing, noted
from mpio.fastfail.lever import Lever
from mpio.fastfail.noted import Noted
from mpio.files import Files
from mpio.host import Answer, Host, Session
from mpio.machine import Machine
from mpio.run import Runner
from mpio.site import Watch
from mpio.tools import sysfs
from mpio.watch.event import Cause, Event, Name, Severity
from mpio.watch.hands import Hands
from mpio.watch.seen import Seen


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = guide(tmp_path)
    made.file("/proc/self/mountinfo", "")
    return made


def lever(tree: Tree, fast_fail: str = "off") -> Lever:
    return Lever(Machine(Runner(), Files(str(tree.root))), Watch(fast_fail=fast_fail))


def look(tree: Tree) -> Seen:
    files = Files(str(tree.root))
    nics = sysfs.nics(files, {"eth1": ("10.10.8.20/24",), "eth2": ("10.10.9.20/24",)})
    return Seen(Host(nics=nics, sessions=sysfs.sessions(files, {})), fakes.guide_site())


def left(tree: Tree, *sids: int, local_port: int = 41000, at: float = 0.0) -> None:
    """A note as a watcher leaves it."""
    notes = {sid: Noted(sid, f"pair {sid}", "15", local_port, at) for sid in sids}
    tree.file(noted.PATH, noted.text(notes))
    for sid in sids:
        place = f"/sys/class/iscsi_session/session{sid}/recovery_tmo"
        if (tree.root / place.lstrip("/")).exists():
            tree.file(place, "0\n")


def recovery(tree: Tree, sid: int) -> str:
    return (tree.root / f"sys/class/iscsi_session/session{sid}/recovery_tmo").read_text().partition("\n")[0]


def noted_now(tree: Tree) -> set[int]:
    return set(noted.parse(Files(str(tree.root)).text(noted.PATH)))


def test_what_a_dead_watcher_left_is_mended_as_far_as_it_can_be(tree: Tree) -> None:
    left(tree, 1, 3, 99, at=time.monotonic())
    one = lever(tree)
    assert one.mend(look(tree)) == ()
    assert (recovery(tree, 1), recovery(tree, 3), noted_now(tree)) == ("15", "0", {3})
    assert one.deadline is not None
    tree.file("/sys/class/iscsi_session/session3/state", "LOGGED_IN\n")
    assert one.mend(look(tree)) == ()
    assert (recovery(tree, 3), noted_now(tree)) == ("15", set())
    assert not (tree.root / noted.PATH.lstrip("/")).exists()
    one.mend(look(tree))
    assert one.deadline is None


def test_a_recovery_time_that_cannot_be_put_back_is_said_once_and_tried_again(tree: Tree) -> None:
    left(tree, 1)
    place = tree.root / "sys/class/iscsi_session/session1/recovery_tmo"
    place.unlink()
    place.mkdir()
    one = lever(tree)
    (said,) = one.mend(look(tree))
    assert (said.name, "could not be put back" in said.detail) == (Name.FAST_FAIL, True)
    assert one.mend(look(tree)) == ()
    place.rmdir()
    place.write_text("0\n")
    assert one.mend(look(tree)) == ()
    assert (recovery(tree, 1), noted_now(tree)) == ("15", set())


def test_a_reason_is_said_once_for_each_loss(tree: Tree) -> None:
    """Nothing tells here what the device mapper has: that is no leave to act."""
    tree.file("/sys/class/net/eth1/carrier", "0\n")
    seen, one = look(tree), lever(tree, "link")
    doomed = tuple(s for s in seen.host.sessions if s.sid == 1)
    (said,) = one.fail(seen, doomed, Cause.LINK, "NIC eth1", 100.0)
    assert said.detail.startswith("nothing is failed at once: ")
    assert (said.name, said.root, said.cause, said.nic) == (Name.FAST_FAIL, "NIC eth1", Cause.LINK, "eth1")
    assert one.fail(seen, doomed, Cause.LINK, "NIC eth1", 100.0) == ()
    assert len(one.fail(seen, doomed, Cause.LINK, "NIC eth1", 200.0)) == 1
    assert (recovery(tree, 1), noted_now(tree)) == ("5", set())


@pytest.mark.parametrize(("every", "well", "held"), [(3, 2, True), (40, 20, False)])
def test_a_link_that_is_back_for_a_while_does_not_flap(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, every: int, well: int, held: bool
) -> None:
    """The return is told by the events that say it."""
    monkeypatch.setattr(sockets, "can_abort", lambda: True)
    tree.file("/sys/class/net/eth1/carrier", "0\n")
    seen, said = look(tree), list[Event]()
    hands = Hands.of(
        Machine(Runner(), Files(str(tree.root))), replace(fakes.guide_site(), watch=Watch(fast_fail="link")), print
    )
    doomed = tuple(s for s in seen.host.sessions if s.sid == 1)
    now = time.monotonic()
    for number in reversed(range(3)):
        lost = now - every * number
        said += hands.lever.fail(seen, doomed, Cause.LINK, "NIC eth1", lost)
        up = Event(Name.LINK_UP, Severity.RECOVERED, "eth1", root="NIC eth1")
        hands.told((up,), seen, lost + every - well)
    hands.close(0.1)
    assert ["times in a row" in one.detail for one in said] == [False, False, held]


def test_a_portal_was_well_since_its_last_answer_and_its_loss_is_told_some_misses_later(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(fast_fail="probe", probe_interval=2.0, probe_misses=3)
    hands = Hands.of(Machine(Runner(), Files(str(tree.root))), replace(fakes.guide_site(), watch=watch), print)
    back: list[tuple[str, float]] = []
    monkeypatch.setattr(hands.lever, "back", lambda what, at: back.append((what, at)))
    for name in (Name.PORTAL_REACHABLE, Name.LINK_UP, Name.PORTAL_UNREACHABLE):
        hands.told((Event(name, Severity.RECOVERED, "x", root=name.value),), look(tree), 100.0)
    hands.close(0.1)
    assert back == [("portal_reachable", 106.0), ("link_up", 100.0)]


def test_a_note_that_cannot_be_removed_is_said_once_and_ends_nobody(tree: Tree) -> None:
    left(tree, 1)
    one = lever(tree)
    place = tree.root / noted.PATH.lstrip("/")
    place.unlink()
    (place / "full").mkdir(parents=True)  # nothing can be removed or written there
    (said,) = one.mend(look(tree))
    assert "stays noted" in said.detail
    assert one.deadline is not None
    assert one.mend(look(tree)) == one.release(look(tree)) == ()
    assert recovery(tree, 1) == "15"


# -- the deed, on connections of this machine's own kernel; the sessions carry no disk

Ends = tuple[socket.socket, socket.socket, Session]


@pytest.fixture
def ends(tree: Tree) -> Iterator[Ends]:
    """Both ends of the connection of a session through lo."""
    tree.nic("lo")
    with socket.create_server(("127.0.0.1", 0)) as door:
        way = door.getsockname()
        with socket.create_connection(way) as near, door.accept()[0] as far:
            tree.session(7, 7, "sw-7", "lo", "127.0.0.1", "iqn.x")
            up = "/sys/class/iscsi_connection/connection7:0"
            tree.files(up, {"persistent_port": str(way[1]), "port": str(way[1])})
            tree.file(f"{up}/local_port", f"{near.getsockname()[1]}\n")
            tree.file("/proc/self/mountinfo", "22 1 0:2 / / rw - tmpfs tmpfs rw\n")
            session = sysfs.session(Files(str(tree.root)), 7, {})
            assert session is not None
            door.close()  # no new connection
            yield near, far, session


def on_lo(tree: Tree, answer: Answer | None = None, address: str = "127.0.0.1/8") -> Seen:
    files = Files(str(tree.root))
    sessions = sysfs.sessions(files, {})
    probes = {} if answer is None else {(s.pair.iface, s.pair.portal): answer for s in sessions}
    return Seen(Host(nics=sysfs.nics(files, {"lo": (address,)}), sessions=sessions, probes=probes))


def is_open(ends: Ends) -> bool:
    ends[1].send(b"x")
    try:
        return ends[0].recv(1) == b"x"
    except ConnectionError:
        return False


def test_a_lost_session_is_ended_and_what_it_had_is_noted(tree: Tree, ends: Ends) -> None:
    tree.file("/sys/class/net/lo/carrier", "0\n")
    tree.file("/sys/class/iscsi_session/session7/recovery_tmo", "off\n")
    seen, one = on_lo(tree), lever(tree, "link")
    (said,) = one.fail(seen, (ends[2],), Cause.LINK, "NIC lo", time.monotonic())
    assert (said.severity, said.detail.startswith("failed at once")) == (Severity.DEGRADED, True), said
    assert (recovery(tree, 7), noted_now(tree)) == ("0", {7})
    assert noted.parse(Files(str(tree.root)).text(noted.PATH))[7].planned == "off"
    with pytest.raises(ConnectionError):
        ends[0].recv(1)


def test_nothing_is_written_to_a_session_that_could_not_be_ended_or_put_back(tree: Tree, ends: Ends) -> None:
    """Its connection begins at an address that nobody knows of; what its recovery time is cannot be read."""
    tree.file("/sys/class/net/lo/carrier", "0\n")
    one = lever(tree, "link")
    (said,) = one.fail(on_lo(tree, address="10.1.1.1/8"), (ends[2],), Cause.LINK, "NIC lo", 100.0)
    assert (said.severity, "no connection from an address of lo" in said.detail) == (Severity.INFO, True), said
    tree.file("/sys/class/iscsi_session/session7/recovery_tmo", "\n")
    (said,) = lever(tree, "link").fail(on_lo(tree), (ends[2],), Cause.LINK, "NIC lo", 100.0)
    assert "the recovery time of session 7 cannot be read" in said.detail, said
    assert (recovery(tree, 7), noted_now(tree)) == ("", set())
    assert is_open(ends)


def test_a_portal_that_only_refuses_new_connections_costs_no_session_that_lives(tree: Tree, ends: Ends) -> None:
    hands = Hands.of(Machine(Runner(), Files(str(tree.root))), None, print)
    hands.watch = hands.lever.watch = Watch(fast_fail="probe")

    def acts(answer: Answer) -> tuple[Event, ...]:
        seen = on_lo(tree, answer)
        only = replace(seen.host, sessions=tuple(s for s in seen.host.sessions if s.sid == 7))
        return hands.fail_fast(replace(seen, host=only), 100.0, lambda _: 100.0)

    assert acts(Answer.REFUSED) == acts(Answer.NO_ROUTE) == ()
    assert is_open(ends)
    # once nothing has come in for longer than its no-ops may take
    for name in ("recv_tmo", "ping_tmo"):
        tree.file(f"/sys/class/iscsi_connection/connection7:0/{name}", "1\n")
    end = time.monotonic() + 20
    while not (said := acts(Answer.REFUSED)):
        assert time.monotonic() < end
    assert (said[0].severity, said[0].cause) == (Severity.DEGRADED, Cause.REFUSED), said


def test_a_pair_that_answers_now_is_not_failed(tree: Tree, ends: Ends) -> None:
    """Its last probe was missed; at the moment of the deed data comes in, or a connect is taken."""
    seen, one = on_lo(tree, Answer.SILENT), lever(tree, "probe")
    assert is_open(ends)
    (said,) = one.fail(seen, (ends[2],), Cause.SILENT, "x", time.monotonic() - 60)
    assert said.detail == f"nothing is failed at once: {failing.name(ends[2].pair)} answers now"
    assert (recovery(tree, 7), is_open(ends)) == ("5", True)
    (said,) = lever(tree, "probe").fail(seen, (ends[2],), Cause.SILENT, "x", time.monotonic())
    assert said.severity is Severity.DEGRADED


def test_a_root_that_nothing_is_known_of_forbids_it_unless_allowed(tree: Tree, ends: Ends) -> None:
    tree.file("/sys/class/net/lo/carrier", "0\n")
    tree.file("/proc/self/mountinfo", "22 1 0:31 / / rw - overlay overlay rw\n")
    one = lever(tree, "link")
    (said,) = one.fail(on_lo(tree), (ends[2],), Cause.LINK, "NIC lo", 100.0)
    assert "nothing tells what carries the root file system" in said.detail
    one.watch = Watch(fast_fail="link", fast_fail_root=True)
    (said,) = one.fail(on_lo(tree), (ends[2],), Cause.LINK, "NIC lo", 200.0)
    assert said.severity is Severity.DEGRADED


def test_a_link_that_is_back_and_sessions_that_have_failed_are_no_matter(tree: Tree) -> None:
    seen, one = look(tree), lever(tree, "link")
    assert one.fail(seen, seen.host.sessions, Cause.LINK, "NIC eth1", 100.0) == ()
    tree.file("/sys/class/net/eth1/carrier", "0\n")
    failed = tuple(replace(s, state="LOGGED_IN") for s in seen.host.sessions if s.sid == 3)
    assert one.fail(seen, failed, Cause.LINK, "NIC eth1", 100.0) == ()
