"""One iface made or removed by itself."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest

from mpio.findings import finding
from mpio.host import Host, Iface
from mpio.memory import Memory
from mpio.plan import ifaces
from mpio.plan.shape import Share
from mpio.site import SiteIface
from mpio.step import Note

SITE = fakes.guide_site()
HOST = fakes.guide_host()
BARE = fakes.bare_host()
EXTRA = SiteIface("extra", "eth2")
WITH = replace(HOST, ifaces=(*HOST.ifaces, Iface("extra", "eth2")))
OURS = replace(WITH, memory=replace(HOST.memory, made=HOST.memory.made | {("iface", "extra")}))


def test_an_iface_is_made_bound_and_remembered() -> None:
    share = ifaces.add(BARE, EXTRA)
    assert [s.argv for s in share.steps if hasattr(s, "argv")] == [
        ("iscsiadm", "-m", "iface", "-I", "extra", "-o", "new"),
        ("iscsiadm", "-m", "iface", "-I", "extra", "-o", "update", "-n", "iface.net_ifacename", "-v", "eth2"),
    ]
    assert [n for s in share.steps for n in s.notes] == [Note("iface", "extra")]
    after = fakes.carry_out(BARE, share.steps)
    assert after.ifaces == (Iface("extra", "eth2"),)
    assert ifaces.is_bound(after, EXTRA)
    assert ifaces.add(after, EXTRA) == Share()


def test_one_without_a_binding_gets_it_and_stays_its_makers() -> None:
    (step,) = ifaces.add(replace(BARE, ifaces=(Iface("extra"),)), EXTRA).steps
    assert step.notes == ()
    assert step.why == "extra is bound to no NIC"


@pytest.mark.parametrize(
    ("have", "said"),
    [
        (Iface("extra", "eth1"), "bound to eth1, not eth2"),
        (Iface("extra", "eth2", hwaddress="02:00:00:00:00:01"), "bound to 02:00:00:00:00:01, not eth2"),
    ],
)
def test_one_that_is_bound_otherwise_is_refused(have: Iface, said: str) -> None:
    assert ifaces.add(replace(BARE, ifaces=(have,)), EXTRA) == Share((), (finding("MP309", "extra", said),))


def test_an_iface_goes() -> None:
    (step,) = ifaces.remove(WITH, "extra").steps
    assert step.why == "the iface extra is to go"
    assert fakes.carry_out(WITH, [step]).ifaces == HOST.ifaces


def test_its_own_records_go_with_it() -> None:
    idle = replace(HOST, sessions=())
    (step,) = ifaces.remove(idle, "sw-iscsi-0").steps
    assert step.why == "the iface sw-iscsi-0 is to go with 2 records"
    assert {n.pair.iface for n in fakes.carry_out(idle, [step]).nodes} == {"sw-iscsi-1"}


def test_it_does_not_go_under_a_session_whatever_is_forced() -> None:
    for forced in (frozenset[str](), frozenset({"MP313", "MP314"})):
        share = ifaces.remove(HOST, "sw-iscsi-0", forced)
        assert (share.steps, [f.code for f in share.refused]) == ((), ["MP314"])
        assert share.refused[0].detail == "session 1 to 10.10.8.90:3260, session 3 to 10.10.9.90:3260"


def test_records_of_somebody_else_go_only_by_force() -> None:
    idle = replace(HOST, sessions=(), memory=Memory())
    pairs = "; ".join(str(n.pair) for n in HOST.nodes if n.pair.iface == "sw-iscsi-0")
    assert ifaces.remove(idle, "sw-iscsi-0") == Share((), (finding("MP313", "sw-iscsi-0", pairs),))
    assert len(ifaces.remove(idle, "sw-iscsi-0", frozenset({"MP313"})).steps) == 1


def test_a_record_of_a_portal_by_name_is_somebody_elses() -> None:
    path = f"/etc/iscsi/nodes/{fakes.HOMER_1}/homer.dom,3260,1/extra"
    named = replace(OURS, unread=(("extra", path), ("other", f"{path}x")))
    assert ifaces.remove(named, "extra") == Share((), (finding("MP313", "extra", path),))
    (step,) = ifaces.remove(named, "extra", frozenset({"MP313"})).steps
    assert step.why == "the iface extra is to go with 1 records"


@pytest.mark.parametrize(
    ("host", "name", "said"),
    [
        (OURS, "extra", "the site does not name it: the next apply takes it away"),
        (BARE, "sw-iscsi-0", "the site binds it to eth1: the next apply makes it again"),
        (
            replace(BARE, ifaces=(Iface("sw-iscsi-0", "eth2"),)),
            "sw-iscsi-0",
            "the site binds it to eth1: the next apply makes it so, or refuses",
        ),
    ],
)
def test_the_site_that_says_otherwise_is_told(host: Host, name: str, said: str) -> None:
    assert ifaces.against_site(SITE, host, name) == (finding("MP312", name, said),)


def test_what_the_site_agrees_with_or_leaves_alone_is_not() -> None:
    assert ifaces.against_site(None, OURS, "extra") == ()
    assert ifaces.against_site(SITE, WITH, "extra") == ()  # not mpio's: no apply touches it
    assert ifaces.against_site(SITE, HOST, "sw-iscsi-0") == ()
    assert ifaces.against_site(SITE, HOST, "extra") == ()
