"""A record or iface that iscsiadm wrote in part, for it was killed, or the power was cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fakes
from fakes import HOMER_1, PORTAL_8
from trees import Tree

from mpio import apply, memory, plan
from mpio.files import Files
from mpio.host import Host, Iface, Pair
from mpio.memory import Memory
from mpio.plan import ending
from mpio.step import Command, Write
from mpio.tools import iscsidb

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
