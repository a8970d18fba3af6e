"""A record or iface that iscsiadm wrote in part, for it was killed, or the power was cut."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from fakes import HOMER_1, PORTAL_8
from trees import Tree

from mpio import apply, iscsilock, memory, plan
from mpio.files import Files
from mpio.host import Host, Iface, Pair
from mpio.machine import Machine
from mpio.memory import Memory
from mpio.observe import kernel
from mpio.plan import ending, iscsi
from mpio.program import Done
from mpio.site import Chap
from mpio.step import Command, Write
from mpio.tools import iscsiadm, iscsidb

SITE = fakes.guide_site()
HOST = fakes.guide_host()
PAIR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)
PLACE = f"nodes/{HOMER_1}/10.10.8.90,3260,1"


def torn(host: Host) -> Host:
    nodes = tuple(replace(n, settings={}, torn=True) if n.pair == PAIR else n for n in host.nodes)
    return replace(host, nodes=nodes, memory=Memory(frozenset({("record", str(PAIR))})))


def test_a_torn_record_is_its_ifaces_by_its_name(tmp_path: Path) -> None:
    tree, read = Tree(tmp_path), Files(str(tmp_path))
    whole = iscsidb.seed(PAIR, 1)
    for name, text in (("sw-iscsi-0", ""), ("sw-iscsi-1", whole[:60]), ("sw-iscsi-2", "node.startup = manual\n")):
        tree.file(f"/etc/iscsi/{PLACE}/{name}", text)
    tree.file("/etc/iscsi/ifaces/sw-iscsi-0", "")
    places = {path.removeprefix("/etc/iscsi/") for path in iscsidb.files(read)}
    assert places == {"ifaces/sw-iscsi-0", *(f"{PLACE}/sw-iscsi-{n}" for n in range(3))}
    found = {n.pair.iface: (n.torn, n.tpgt) for n in iscsidb.nodes(read)}
    assert found == {"sw-iscsi-0": (True, 1), "sw-iscsi-1": (True, 1), iscsidb.DEFAULT: (False, 1)}
    tree.file(f"/etc/iscsi/{PLACE}/sw-iscsi-0", whole)
    assert next(n for n in iscsidb.nodes(read) if n.pair == PAIR).settings["node.tpgt"] == "1"


def test_a_torn_iface_is_told_from_one_that_was_written_by_hand() -> None:
    assert iscsidb.iface("a", "") == Iface("a", torn=True)
    assert iscsidb.iface("a", "# BEGIN RECORD 2.1.8\niface.net_if") == Iface("a", torn=True)
    assert iscsidb.iface("a", "iface.net_ifacename = eth1\n") == Iface("a", "eth1")


def test_a_torn_record_is_mended_first_and_made_anew() -> None:
    """iscsiadm neither changes nor deletes it, nor makes one in its place."""
    host = fakes.look(SITE, torn(HOST))
    node = next(n for n in host.nodes if n.torn)
    mend, new, update = plan.steps(SITE, host).steps
    assert isinstance(mend, Write)
    assert (mend.path, mend.text, mend.mode) == (node.path, iscsidb.seed(PAIR, node.tpgt), 0o600)
    assert isinstance(new, Command)
    assert isinstance(update, Command)
    assert "new" in new.argv
    assert {"node.startup", "automatic"} < set(update.argv)
    # it is still remembered as mpio's own
    assert memory.pruned(host.memory, apply.alive(host)).has("record", str(PAIR))


def test_a_torn_record_is_mended_before_teardown_deletes_it() -> None:
    steps = ending.teardown(torn(HOST)).steps
    at = next(n for n, s in enumerate(steps) if isinstance(s, Write) and s.path.endswith("sw-iscsi-0"))
    following = steps[at + 1]
    assert isinstance(following, Command)
    assert {"delete", "sw-iscsi-0"} < set(following.argv)


def test_a_torn_iface_is_made_anew() -> None:
    ifaces = tuple(Iface(i.name, torn=True) if i.name == "sw-iscsi-0" else i for i in HOST.ifaces)
    steps = plan.steps(SITE, fakes.look(SITE, replace(HOST, ifaces=ifaces))).steps
    argvs = [" ".join(s.argv) for s in steps if isinstance(s, Command) and "iface" in s.argv]
    assert [argv.rpartition("-o ")[2].split()[0] for argv in argvs] == ["new", "update"]


def test_a_record_is_written_under_the_lock_of_the_database() -> None:
    assert iscsidb.is_record(f"/etc/iscsi/{PLACE}/sw-iscsi-0")
    assert iscsidb.is_record("/var/lib/iscsi/send_targets/10.10.8.90,3260/st_config")
    assert not iscsidb.is_record("/etc/iscsi/iscsid.conf")


def test_a_folder_that_an_iscsiadm_emptied_and_left_is_mpios_where_its_record_was(tmp_path: Path) -> None:
    tree, read = Tree(tmp_path), Files(str(tmp_path))
    other = PLACE.replace("10.10.8.90", "10.10.9.90")
    for place in (PLACE, other):
        tree.file(f"/etc/iscsi/{place}/x", "")
    assert iscsidb.hollow(read) == ()
    for place in (PLACE, other):
        (tmp_path / f"etc/iscsi/{place}/x").unlink()
    hollow = iscsidb.hollow(read)
    assert {path for path, _, _ in hollow} == {f"/etc/iscsi/{PLACE}", f"/etc/iscsi/{other}"}
    ours = ending.emptied(Memory(frozenset({("record", str(PAIR))})), hollow)
    assert ours == (f"/etc/iscsi/{PLACE}", f"/etc/iscsi/nodes/{HOMER_1}")
    for folder in ours:
        read.remove_folder(folder)
    assert iscsidb.hollow(read) == hollow[1:]


# -- what somebody else is just writing -----------------------------------------------------------------------------

# As iscsiadm writes records: under the lock it empties each, and takes a moment.
WRITER = """
import sys, time
from mpio import iscsilock
folder, text, *paths = sys.argv[1:]
while True:
    for path in paths:
        with iscsilock.hold(folder), open(path, "w") as file:
            file.flush()
            time.sleep(0.002)
            file.write(text)
"""
ROUNDS = 150


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr(iscsilock, "hold", functools.partial(iscsilock.hold, str(folder)))
    monkeypatch.setattr(iscsilock, "settled", functools.partial(iscsilock.settled, folder=str(folder)))
    return str(folder)


@pytest.fixture
def written(tmp_path: Path, locks: str) -> Iterator[Files]:
    """A database of 16 records, which somebody writes again and again."""
    tree = Tree(tmp_path)
    places = [f"/etc/iscsi/{PLACE}/sw-iscsi-{n}" for n in range(16)]
    for place in places:
        tree.file(place, iscsidb.seed(PAIR, 1))
    argv = [sys.executable, "-c", WRITER, locks, iscsidb.seed(PAIR, 1), *(f"{tmp_path}{place}" for place in places)]
    with subprocess.Popen(argv) as writer:
        yield Files(str(tmp_path))
        assert writer.poll() is None
        writer.kill()


def test_a_record_that_somebody_is_just_writing_is_not_torn(written: Files) -> None:
    machine, looked_torn = Machine(no_program, written), 0
    for _ in range(ROUNDS):
        looked_torn += any(n.torn for n in iscsidb.nodes(written))
        assert [n for n in kernel.records(machine, None).nodes if n.torn] == []
    assert looked_torn  # without waiting they were


def no_program(*argv: str, **_: object) -> Done:
    raise AssertionError(argv)


def test_what_stays_torn_is_torn_once_its_lock_is_free_or_nobodys(tmp_path: Path, locks: str) -> None:
    for name in "ab":
        Tree(tmp_path).file(f"/{name}", "")
    files = Files(str(tmp_path))
    assert iscsilock.settled(files, ["/a", "/b", "/c"]) == {"/a": "", "/b": "", "/c": None}
    with iscsilock.hold():
        begin = time.monotonic()
        assert iscsilock.settled(files, ["/a"]) == {"/a": ""}
        assert time.monotonic() - begin > iscsilock.GRACE
    assert os.listdir(locks) == ["lock"]


def rebuilt(tmp_path: Path, text: str) -> tuple[list[str], str, apply.Outcome]:
    """What is asked of iscsiadm where this text is there when the torn record is to be mended."""
    host = fakes.look(SITE, replace(torn(HOST), memory=Memory()))
    steps = [s for s in plan.steps(SITE, host).steps if isinstance(s, Write) or iscsiadm.remade(s) == PAIR]
    mend = next(s for s in steps if isinstance(s, Write) and s.torn)
    Tree(tmp_path).file(mend.path, text)
    asked: list[str] = []

    def run(*argv: str, **_: object) -> Done:
        asked.append(argv[argv.index("-o") + 1])
        return Done(argv, 0, "", "")

    outcome = apply.Outcome()
    apply.carry_out(Machine(run, Files(str(tmp_path))), [mend, *steps[1:]], outcome, lambda _step, _trouble: None)
    return asked, (tmp_path / mend.path[1:]).read_text(), outcome


def test_a_record_that_is_whole_when_it_is_to_be_mended_stays(tmp_path: Path, locks: str) -> None:
    whole = iscsidb.seed(PAIR, 1).replace(iscsidb.END, f"node.startup = manual\n{iscsidb.END}")
    asked, text, outcome = rebuilt(tmp_path, whole)
    assert (asked, text, outcome.failed) == ([], whole, {})
    assert set(os.listdir(tmp_path)) == {"etc", os.path.basename(locks)}  # nothing is remembered as mpio's own
    asked, text, _ = rebuilt(tmp_path, "")
    assert (asked, text) == (["new", "update"], iscsidb.seed(PAIR, 2))
    assert memory.parse(Files(str(tmp_path)).text(memory.PATH)).has("record", str(PAIR))


def test_a_torn_discovery_record_is_made_anew_before_it_gets_its_login(tmp_path: Path, locks: str) -> None:
    chap = Chap("prague", "/etc/mpio/chap")
    site, path = fakes.guide_site(discovery_chap=chap), "/etc/iscsi/send_targets/10.10.8.90,3260/st_config"
    login = dict.fromkeys(iscsi.DISCOVERY_CHAP_KEYS, "CHAP")
    for text in ("", "# BEGIN RECORD 2.1.8\ndiscovery.startup = manual\ndiscovery.sendt"):
        records = {p: path if p == PORTAL_8 else "/x" for p in SITE.portals}
        files = {**HOST.files, path: text, "/x": iscsidb.record_text_with("# END RECORD\n", login)}
        host = replace(HOST, discovery_chap=login, discovery_records=records, files=files)
        assert not iscsi.may_ask_at(host, PORTAL_8)
        gone, new = iscsi.discovery_records(site, host).steps
        assert isinstance(gone, Write)
        assert (gone.path, gone.text, gone.torn) == (path, None, PORTAL_8)
        assert iscsiadm.remade(new) == PORTAL_8
        assert new.notes
        Tree(tmp_path).file(path, text)
        asked: list[str] = []

        def run(*argv: str, asked: list[str] = asked, **_: object) -> Done:
            asked.append(argv[-1])
            return Done(argv, 0, "", "")

        machine = Machine(run, Files(str(tmp_path)))
        apply.carry_out(machine, (gone, new), apply.Outcome(), lambda _step, _trouble: None)
        assert (asked, machine.files.text(path)) == (["new"], None)
        Tree(tmp_path).file(path, iscsidb.record_text_with("# END RECORD\n", {}))
        apply.carry_out(machine, (gone, new), apply.Outcome(), lambda _step, _trouble: None)
        assert (asked, machine.files.text(path)) == (["new"], "# END RECORD\n")
