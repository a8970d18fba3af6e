"""What is said of services and of the next boot: each fault found, a healthy host silent."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from fakes import APPS_A01, DB_A01, PRAGUE
from hypothesis import given
from hypothesis import strategies as st
from trees import Tree

from mpio import checks, plan
from mpio.diagnosis import boots, boots_ground, boots_records
from mpio.diagnosis.boots_seen import Boots, Check, Daemon, Failed, Image, Made, Nic, Place, Service
from mpio.files import Files
from mpio.findings import TABLE, Finding
from mpio.findings import boots as rows
from mpio.host import Answer, Host, Pair, Portal, Unit, User
from mpio.host import Path as Disk
from mpio.machine import Machine
from mpio.observe import boots as edge
from mpio.observe import boots_files, boots_units, configured
from mpio.observe import boots_ground as ground_edge
from mpio.plan.shape import INITIATOR_NAME
from mpio.program import Done
from mpio.replay import Replay
from mpio.site import Site
from mpio.tools import fstab, journalctl, modprobe, nicfiles, systemctl, unitfile
from mpio.tools.modprobe import Ban
from mpio.tools.nicfiles import Claim

SITE = fakes.guide_site()
HOST = fakes.guide_host()
LOGIN = "open-iscsi.service"
DB = Place(3, "/dev/mapper/hydra_db-a01", "/db", ("_netdev",), ("hydra_db-a01",), (DB_A01,))
OLD_PORTAL = Portal("10.10.8.99")


def found(host: Host = HOST, seen: Boots | None = None, site: Site | None = SITE) -> list[Finding]:
    made = plan.steps(site, host) if site else None
    return list(boots.findings(site, host, made, seen or Boots()))


def codes(host: Host = HOST, seen: Boots | None = None, site: Site | None = SITE) -> list[tuple[str, str]]:
    return [(f.code, f.subject) for f in found(host, seen, site)]


def with_unit(name: str, **changes: str) -> Host:
    units = tuple(replace(u, **changes) if u.name == name else u for u in HOST.units)
    return replace(HOST, units=units)


def with_records(
    change: Callable[[Pair], Mapping[str, str]], host: Host = HOST, which: Callable[[Pair], bool] = lambda _: True
) -> Host:
    nodes = tuple(replace(n, settings={**n.settings, **change(n.pair)}) if which(n.pair) else n for n in host.nodes)
    return replace(host, nodes=nodes)


def named(text: str | None) -> Host:
    return replace(HOST, files={**HOST.files, INITIATOR_NAME: text})


def test_nothing_is_said_of_nothing() -> None:
    assert codes(Host(), site=None) == []
    assert codes(Host(), Boots(), None) == []


def test_a_healthy_host_is_silent() -> None:
    seen = Boots(
        services=(
            Service("iscsid.service", "/lib/systemd/system/iscsid.service"),
            Service(LOGIN, "/lib/x", (Check("ConditionDirectoryNotEmpty=|/a", True, True), Check("B", False, True))),
            Service("multipathd.service", "/lib/y", (Check("ConditionVirtualization=!container", None),)),
        ),
        daemons=(Daemon("iscsid", 1, "/usr/sbin/iscsid"), Daemon("multipathd", 2, "/usr/sbin/multipathd")),
        made=Made(10_000.0, 10_000.0 + 60, 10_000.0 + 900),
        places=(DB,),
        present={"eth1": "02:00", "eth2": "02:01"},
        nics=(Nic("eth1"), Nic("eth2")),
    )
    assert codes(seen=seen) == []
    assert codes() == []
    assert codes(site=None) == []


@pytest.mark.parametrize(
    ("unit", "cost"),
    [
        ("iscsid.service", "no session is repaired"),
        (LOGIN, "nobody logs in"),
        ("multipathd.service", "without maps"),
    ],
)
def test_a_service_that_is_off_is_told_with_what_it_costs(unit: str, cost: str) -> None:
    (one,) = found(with_unit(unit, enabled="disabled"))
    assert (one.code, one.subject) == ("MP111", unit)
    assert cost in one.detail
    assert codes(with_unit(unit, enabled="enabled-runtime")) == [("MP111", unit)]


@pytest.mark.parametrize("unit", ["iscsid.service", "multipathd.service"])
def test_what_is_masked_is_not_told_as_off(unit: str) -> None:
    assert codes(with_unit(unit, enabled="disabled", load="masked")) == []  # MP105 says that


def test_an_initiator_that_is_not_used_may_be_off() -> None:
    off = with_unit(LOGIN, enabled="disabled")
    assert codes(replace(off, sessions=()), site=None) == []
    assert codes(off, site=None) == [("MP111", LOGIN)]


def test_a_socket_alone() -> None:
    off = with_unit("iscsid.service", enabled="disabled")
    assert codes(off, Boots(sockets=(Unit("iscsid.socket", "loaded", "active", "enabled"),))) == [
        ("MP112", "iscsid.service")
    ]
    assert codes(off, Boots(sockets=(Unit("iscsid.socket", "loaded", "active", "disabled"),))) == [
        ("MP111", "iscsid.service")
    ]


def test_a_unit_that_failed_says_its_last_words() -> None:
    seen = Boots(failed=(Failed("iscsid.service", "exit-code", 1, "can not create NETLINK_ISCSI socket"),))
    (one,) = found(seen=seen)
    assert (one.code, one.detail) == ("MP113", "exit-code 1: can not create NETLINK_ISCSI socket")
    (one,) = found(seen=Boots(failed=(Failed("mpio-watch.service", "timeout", 0),)))
    assert (one.code, one.detail) == ("MP114", "timeout")


def test_a_start_condition_that_does_not_hold() -> None:
    nompath = Service("multipathd.service", "/lib/m", (Check("ConditionKernelCommandLine=!nompath", False),))
    down = with_unit("multipathd.service", active="inactive")
    (one,) = found(down, Boots(services=(nompath,)))
    assert (one.code, one.detail) == ("MP115", "ConditionKernelCommandLine=!nompath (/lib/m)")
    assert codes(HOST, Boots(services=(nompath,))) == []  # it runs: it held when it was started
    nodes = tuple(Check(f"ConditionDirectoryNotEmpty=|/{x}", False, True) for x in "ab")
    (one,) = found(seen=Boots(services=(Service(LOGIN, "/lib/o", nodes),)))
    assert (one.code, one.subject) == ("MP115", LOGIN)
    assert " or " in one.detail
    unknown = Service("multipathd.service", "/lib/m", (Check("ConditionVirtualization=!container", None),))
    assert codes(down, Boots(services=(unknown,))) == []


def test_the_order_of_a_changed_unit() -> None:
    order = {"after": frozenset({"network-online.target"}), "before": frozenset({"remote-fs-pre.target"})}
    changed = ("/etc/systemd/system/open-iscsi.service",)
    assert codes(seen=Boots(services=(Service(LOGIN, "x", changed=changed, **order),))) == []  # type: ignore[arg-type]
    assert codes(seen=Boots(services=(Service(LOGIN, "x"),))) == []
    (one,) = found(seen=Boots(services=(Service(LOGIN, "x", changed=changed),)))
    assert one.code == "MP131"
    assert "network-online.target" in one.detail
    assert "remote-fs-pre.target" in one.detail


@pytest.mark.parametrize(
    ("seen", "code", "subject"),
    [
        (Boots(daemons=(Daemon("iscsid", 7, "/usr/sbin/iscsid", True),)), "MP117", "iscsid"),
        (Boots(versions={"/a/iscsid": "2.1.5", "/b/iscsiadm": "2.1.8"}), "MP118", "/a/iscsid and /b/iscsiadm"),
        (Boots(bans=(Ban("iscsi_tcp", "blacklist", "f line 1", "x"),)), "MP116", "iscsi_tcp"),
        (Boots(bans=(Ban("dm_multipath", "install", "f line 1", "x"),)), "MP116", "dm_multipath"),
        (Boots(kernel="6.1.0"), "MP137", "6.1.0"),
        (Boots(startup="iscsid.startup = /x: /x is not there"), "MP134", "/etc/iscsi/iscsid.conf"),
        (Boots(image=Image("/boot/i", ("multipathd",))), "MP136", "/boot/i"),
        (Boots(image=Image("/boot/i", (), "/etc/multipath.conf")), "MP140", "/boot/i"),
    ],
)
def test_the_ground_of_a_boot(seen: Boots, code: str, subject: str) -> None:
    assert codes(seen=seen) == [(code, subject)]


def test_an_image_that_is_only_older_still_brings_up_its_lun() -> None:
    (one,) = found(seen=Boots(image=Image("/boot/i", (), "/etc/multipath/conf.d/90-mpio.conf")))
    assert (one.code, one.severity) == ("MP140", "warning")
    assert one.detail == "older than /etc/multipath/conf.d/90-mpio.conf"
    (both,) = found(seen=Boots(image=Image("/boot/i", ("multipathd",), "/etc/multipath.conf")))
    assert (both.code, both.detail) == ("MP136", "without multipathd and older than /etc/multipath.conf")


def test_a_host_that_does_not_use_iscsi_needs_no_name() -> None:
    seen = Boots(startup="iscsid.startup = /x: /x is not there")
    host = Host(files={INITIATOR_NAME: None})
    assert codes(host, seen, site=None) == []
    used = codes(replace(host, nodes=HOST.nodes), seen, site=None)
    assert {code for code, _ in used} >= {"MP120", "MP134"}
    assert {code for code, _ in codes(host, seen)} >= {"MP120", "MP134"}


def test_what_is_no_fault_of_the_ground() -> None:
    seen = Boots(
        versions={"/a/iscsid": "2.1.8", "/b/iscsiadm": "2.1.8"},
        bans=(Ban("dm_multipath", "blacklist", "f", "x"),),  # loaded by its name, for which this counts nothing
        image=Image("/boot/i"),
    )
    assert codes(seen=seen) == []


@pytest.mark.parametrize(
    ("text", "strict", "unusable"),
    [
        (None, False, True),
        ("", False, True),
        ("# InitiatorName=iqn.x:y\n", False, True),
        ("InitiatorName=prague\n", False, True),
        ("GenerateName=yes\n", True, False),
        (f"InitiatorName={PRAGUE}\n", True, False),
        (f"InitiatorName = {PRAGUE}\n", False, False),
        (f"InitiatorName = {PRAGUE}\n", True, True),
    ],
)
def test_a_name_that_iscsid_cannot_use(text: str | None, strict: bool, unusable: bool) -> None:
    assert bool(boots_ground.unusable(text, strict)) is unusable
    expected = [("MP120", INITIATOR_NAME)] if unusable else []
    host = named(text)
    if not unusable and text and "Generate" in text:
        host = replace(host, sessions=())
    assert [c for c in codes(host, Boots(strict_name=strict)) if c[0] == "MP120"] == expected


def test_two_names_and_a_name_that_changed() -> None:
    assert codes(named(f"InitiatorName={PRAGUE}\nInitiatorName=iqn.x:2\n")) == [("MP121", INITIATOR_NAME)]
    assert codes(named(f"InitiatorName={PRAGUE}\nInitiatorName={PRAGUE}\n")) == []
    sessions = tuple(replace(s, initiatorname=PRAGUE) for s in HOST.sessions)
    host = replace(named("InitiatorName=iqn.2011-10.dom.prague:new\n"), sessions=sessions)
    (one,) = found(host)
    assert (one.code, one.detail) == (
        "MP119",
        f"sessions are those of {PRAGUE}, the file says iqn.2011-10.dom.prague:new",
    )
    own = tuple(replace(i, initiatorname=PRAGUE) for i in host.ifaces)
    assert codes(replace(host, ifaces=own)) == []


def test_a_name_from_an_image_only_where_it_is_plain() -> None:
    site = replace(SITE, initiator=None)
    day = 86400.0
    cloned = Boots(made=Made(0.0, 9 * day, 9 * day + 5))
    assert codes(seen=cloned, site=site) == [("MP122", PRAGUE)]
    assert codes(seen=cloned) == []  # the site file says that this is the name
    assert codes(seen=Boots(made=Made(0.0, 9 * day, None)), site=site) == []
    assert codes(seen=Boots(made=Made(0.0, 9 * day, 60.0)), site=site) == []
    assert codes(seen=Boots(made=Made(0.0, 600.0, 900.0)), site=site) == []


def test_the_configuration_of_nics() -> None:
    known = Claim(nicfiles.NETWORKD, "/etc/systemd/network/10.network")
    other = Claim(nicfiles.NETWORKD, "/etc/systemd/network/99.network", named=False)
    waits = frozenset({"systemd-networkd-wait-online.service"})
    both = (Nic("eth1", (known,)), Nic("eth2", (known,)))
    assert codes(seen=Boots(nics=both, waiters=waits)) == []
    assert codes(seen=Boots(nics=both)) == [("MP132", "eth1"), ("MP132", "eth2")]
    assert codes(seen=Boots(nics=(both[0], Nic("eth2")), waiters=waits)) == [("MP133", "eth2")]
    assert codes(seen=Boots(nics=(Nic("eth1", (other,)), Nic("eth2")), waiters=waits)) == []
    hotplug = Claim(nicfiles.IFUPDOWN, "/etc/network/interfaces", hotplug=True)
    assert codes(seen=Boots(nics=(Nic("eth1", (hotplug,)),))) == [("MP132", "eth1")]
    assert codes(seen=Boots(nics=(Nic("eth1", (replace(hotplug, hotplug=False),)),))) == []
    assert codes(seen=Boots(nics=(Nic("eth1", (Claim(nicfiles.IFCFG, "ifcfg-eth1"),)),))) == []


# -- records


def test_no_record_logs_in_although_sessions_live() -> None:
    host = with_records(lambda _: {"node.startup": "manual"})
    (one,) = found(host)
    assert (one.code, one.subject) == ("MP123", "4 of 4 sessions")
    assert one.detail.startswith("node.startup is manual: sw-iscsi-0 -> ")
    (one,) = found(host, Boots(places=(DB,)))
    assert one.detail.endswith("/db (line 3) waits for it in vain")
    assert codes(host, site=None) == []  # somebody logs in when needed
    assert codes(host, Boots(places=(DB,)), None) == [("MP123", "4 of 4 sessions")]
    either = with_records(lambda _: {"node.startup": "manual", "node.conn[0].startup": "automatic"})
    assert codes(either) == []


def test_some_records_do_not_log_in() -> None:
    first = with_records(lambda _: {"node.startup": "onboot"}, which=lambda p: p.iface == "sw-iscsi-0")
    assert codes(first) == [("MP124", "2 of 4 sessions")]
    gone = replace(HOST, nodes=HOST.nodes[1:])
    (one,) = found(gone)
    assert (one.code, one.detail) == ("MP124", f"no record: {HOST.nodes[0].pair}")


def test_leading_logins() -> None:
    host = with_records(lambda _: {"node.leading_login": "Yes"})
    (one,) = found(host)
    assert one.code == "MP125"
    assert len([n for n in host.nodes if boots_records.absent_because(host, n.pair)]) == 2
    bare = replace(host, ifaces=())
    assert {boots_records.absent_because(bare, n.pair).rpartition(": ")[2] for n in bare.nodes} == {"nothing logs in"}


def old(**settings: str) -> Host:
    """The guide's host with a record of a SAN that is gone."""
    said = {"node.startup": "automatic", "iface.net_ifacename": "eth1", **settings}
    node = replace(HOST.nodes[0], pair=Pair("sw-iscsi-0", OLD_PORTAL, "iqn.2011-09.dom.homer:old"), settings=said)
    return replace(HOST, nodes=(*HOST.nodes, node))


def test_a_record_that_will_log_in_and_cannot() -> None:
    for answer in (Answer.SILENT, Answer.REFUSED, Answer.NO_ROUTE):
        seen = Boots(probes={("sw-iscsi-0", OLD_PORTAL): answer}, present={"eth1": "02:00"})
        (one,) = found(old(), seen)
        assert (one.code, one.subject) == ("MP126", f"sw-iscsi-0 -> {OLD_PORTAL}")
        assert "the boot may wait 120 s for it" in one.detail
    quick = old(**{boots_records.LOGIN_TIMEOUT: "5", boots_records.RETRIES: "4"})
    seen = Boots(probes={("sw-iscsi-0", OLD_PORTAL): Answer.SILENT})
    assert "may wait 20 s" in found(quick, seen)[0].detail
    assert codes(old(), Boots(probes={("sw-iscsi-0", OLD_PORTAL): Answer.ANSWERED})) == []
    assert codes(old()) == []  # nobody has asked
    assert codes(old(**{"node.startup": "manual"}), seen) == []


def test_a_record_of_a_nic_that_is_gone() -> None:
    there = {"eth1": "02:00:00:00:08:14", "eth2": "02:00:00:00:09:14"}
    assert codes(old(**{"iface.net_ifacename": "eth7"}), Boots(present=there)) == [
        ("MP126", f"sw-iscsi-0 -> {OLD_PORTAL}")
    ]
    by_mac = {"iface.net_ifacename": "<empty>", "iface.hwaddress": "02:00:00:00:08:14"}
    assert codes(old(**by_mac), Boots(present=there)) == []
    assert codes(old(**{**by_mac, "iface.hwaddress": "02:00:00:00:0f:ff"}), Boots(present=there)) != []


def test_the_clock_of_retries() -> None:
    stock = with_records(lambda _: {boots_records.LOGIN_TIMEOUT: "15", boots_records.RETRIES: "8"})
    assert [f.code for f in found(stock)] == []  # nobody waits for it
    (one,) = found(stock, Boots(places=(DB,)))
    assert (one.code, one.subject) == ("MP127", "login_timeout x initial_login_retry_max = 120 s")
    assert "/db (line 3) waits 90 s" in one.detail
    assert codes(stock, Boots(places=(replace(DB, patience=300.0),))) == []
    assert codes(stock, Boots(places=(replace(DB, patience=float("inf")),))) == []
    assert codes(stock, Boots(services=(Service(LOGIN, "x", patience=60.0),)))[0][0] == "MP127"


def test_what_is_offline_by_hand_is_no_fault_of_a_boot() -> None:
    pair = HOST.nodes[0].pair
    host = with_records(lambda _: {"node.startup": "manual"}, which=lambda p: p == pair)
    from mpio.memory import Offline

    away = Offline("eth1", frozenset({str(pair)}), "root", "2026-01-01T00:00:00+00:00")
    assert codes(host) == [("MP124", "1 of 4 sessions")]
    assert codes(replace(host, offline=(away,))) == []


# -- mounts and maps


@pytest.mark.parametrize(
    ("options", "disk", "code"),
    [
        (("_netdev",), False, None),
        (("defaults",), False, "MP128"),
        ((), False, "MP128"),
        (("nofail",), False, "MP129"),
        (("x-systemd.automount",), False, "MP129"),
        (("nofail", "_netdev"), False, None),
        (("_netdev",), True, "MP130"),
        ((), True, "MP130"),
    ],
)
def test_lines_of_fstab(options: tuple[str, ...], disk: bool, code: str | None) -> None:
    seen = Boots(places=(replace(DB, options=options, disk=disk),))
    assert codes(seen=seen) == ([(code, "/db")] if code else [])
    assert codes(seen=seen, site=None) == ([(code, "/db")] if code else [])


def test_queueing_for_ever_unless_it_is_wished_for() -> None:
    maps = tuple(replace(m, queueing="forever") if m.wwid == APPS_A01 else m for m in HOST.maps)
    host = replace(HOST, maps=maps)
    assert codes(host, site=None) == [("MP138", "hydra_apps-a01")]
    asked = replace(SITE, multipath={"no_path_retry": "queue"})
    assert [c for c in codes(host, site=asked) if c[0] == "MP138"] == []
    used = replace(host, users=(User(maps[0].dm, "mount", "/apps"),))
    assert {f.detail for f in found(used, site=None)} <= {"mounted on /apps", ""}


def test_a_host_that_boots_from_a_lun() -> None:
    root = User(HOST.maps[0].dm, "system", "/")
    var = replace(root, name="/var")
    seen = Boots(places=(replace(DB, place="/var", options=()),))
    assert codes(replace(HOST, system=(root, var)), seen) == []
    assert codes(replace(HOST, system=(var,)), seen) == [("MP128", "/var")]
    forever = tuple(replace(m, queueing="forever") for m in HOST.maps[:1])
    assert codes(replace(HOST, maps=forever, system=(root,)), site=None) == []


def test_a_map_that_is_not_registered() -> None:
    effective = HOST.effective
    assert effective is not None
    strict = replace(effective, installed={**effective.installed, "": {"find_multipaths": "strict"}})
    host = replace(HOST, effective=strict, registered=HOST.registered - {APPS_A01})
    assert codes(host, site=None) == [("MP139", "hydra_apps-a01")]
    greedy = replace(strict, installed={"": {"find_multipaths": "greedy"}})
    assert codes(replace(host, effective=greedy), site=None) == []


def test_every_code_of_the_area_is_found_above() -> None:
    text = Path(__file__).read_text()
    assert [row.code for row in rows.KINDS if f'"{row.code}"' not in text] == []
    assert all(TABLE[row.code].evidence and TABLE[row.code].reference for row in rows.KINDS)


# -- the edge

UNIT = """\
[Unit]
After=network-online.target iscsid.service
Before=remote-fs-pre.target
ConditionDirectoryNotEmpty=|/etc/iscsi/nodes
ConditionDirectoryNotEmpty=|/sys/class/iscsi_session

[Service]
ExecStart=/sbin/iscsiadm -m node --loginall=automatic
"""
MULTIPATHD = """\
[Unit]
ConditionKernelCommandLine=!nompath
ConditionKernelCommandLine=!multipath=off
ConditionVirtualization=!container
[Service]
ExecStart=/sbin/multipathd -d -s \\
# a comment inside
  -v2
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A whole host's files, as a Debian 12 guest has them."""
    tree = Tree(tmp_path)
    tree.file(f"/lib/systemd/system/{LOGIN}", UNIT)
    tree.file("/lib/systemd/system/multipathd.service", MULTIPATHD)
    tree.file("/lib/systemd/system/iscsid.service", "[Unit]\nConditionVirtualization=!private-users\n")
    tree.file("/lib/systemd/system/iscsid.socket", "[Socket]\n")
    tree.file("/proc/cmdline", "console=ttyS0 quiet modprobe.blacklist=floppy,psmouse\n")
    tree.file("/etc/iscsi/nodes/iqn.x/10.10.8.90,3260,1/sw-iscsi-0", "node.name = x\n")
    tree.file("/etc/machine-id", "0123\n")
    tree.file("/proc/sys/kernel/osrelease", "6.1.0-50-amd64\n")
    tree.file("/proc/modules", "iscsi_tcp 24576 2 - Live 0x0\n")
    tree.file("/lib/modules/6.1.0-50-amd64/modules.dep", "")
    tree.file("/run/iscsid.pid", "294\n")
    tree.link("/proc/294/exe", "/usr/sbin/iscsid")
    tree.file("/sys/fs/cgroup/system.slice/systemd-udevd.service/cgroup.procs", "140\n")
    tree.file("/sys/fs/cgroup/system.slice/multipathd.service/cgroup.procs", "176\n")
    tree.file("/run/systemd/system/.keep", "")
    return tree


def machine(tree: Tree, *runs: Done) -> Machine:
    return Machine(Replay(runs), Files(str(tree.root)))


def shown(argv: tuple[str, ...], **values: str) -> Done:
    return Done(argv, 0, "".join(f"{k}={v}\n" for k, v in values.items()), "")


def test_a_whole_host_is_looked_at_without_running_a_program(tree: Tree) -> None:
    host = replace(HOST, files={**HOST.files, "/etc/iscsi/iscsid.conf": ""})
    seen = edge.look(machine(tree), SITE, host)
    assert codes(host, replace(seen, present=None)) == []
    assert seen.service(LOGIN) == Service(
        LOGIN,
        f"/lib/systemd/system/{LOGIN}",
        (
            Check("ConditionDirectoryNotEmpty=|/etc/iscsi/nodes", True, True),
            Check("ConditionDirectoryNotEmpty=|/sys/class/iscsi_session", False, True),
        ),
        frozenset({"network-online.target", "iscsid.service"}),
        frozenset({"remote-fs-pre.target"}),
    )
    assert [c.holds for c in seen.services[2].checks] == [True, True, None]
    assert [d.name for d in seen.daemons] == ["iscsid"]


def test_the_kernel_command_line_counts_by_whole_words(tree: Tree) -> None:
    def holds(line: str) -> list[bool | None]:
        tree.file("/proc/cmdline", line)
        (one,) = boots_units.services(Files(str(tree.root)), ["multipathd.service"])
        return [c.holds for c in one.checks[:2]]

    assert holds("quiet nompath\n") == [False, True]
    assert holds("nompath=1 multipath=off\n") == [False, False]
    assert holds("xnompath multipath=offline\n") == [True, True]


def test_a_unit_that_this_host_has_changed(tree: Tree) -> None:
    at = f"/etc/systemd/system/{LOGIN}.d/x.conf"
    tree.file(at, "[Service]\nTimeoutStartSec=1min 30s\n[Unit]\nConditionDirectoryNotEmpty=\n")
    (one,) = boots_units.services(Files(str(tree.root)), [LOGIN])
    assert (one.changed, one.patience, one.checks) == ((at,), 90.0, ())
    tree.file(f"/etc/systemd/system/{LOGIN}", "[Unit]\nAfter=network.target\n")
    (one,) = boots_units.services(Files(str(tree.root)), [LOGIN])
    assert one.path == one.changed[0] == f"/etc/systemd/system/{LOGIN}"
    assert "network-online.target" not in one.after


def test_a_unit_that_failed_is_asked_for_its_end(tree: Tree) -> None:
    asked = systemctl.show(["iscsid.service"], systemctl.ENDS)
    journal = (
        "2026-11-22T04:48:46.1+00:00 prague iscsid[9]: no\n2026-11-22T04:48:47.1+00:00 prague systemd[1]: Failed\n"
    )
    on = machine(
        tree,
        shown(
            asked,
            Id="iscsid.service",
            Names="iscsid.service",
            Result="exit-code",
            ExecMainStatus="1",
            InvocationID="a1",
        ),
        Done(
            (
                "journalctl",
                "-b",
                "-q",
                "--no-pager",
                "-o",
                "short-iso-precise",
                "-n",
                "20",
                "_SYSTEMD_INVOCATION_ID=a1",
                "+",
                "INVOCATION_ID=a1",
            ),
            0,
            journal,
            "",
        ),
    )
    seen = boots_units.failed(on, with_unit("iscsid.service", active="failed"))
    assert seen == (Failed("iscsid.service", "exit-code", 1, "no"),)
    assert boots_units.failed(machine(tree), HOST) == ()


def test_the_last_words_are_complaints() -> None:
    said = ["iscsiadm: initiator reported error (12 - iSCSI driver not found)", "Logging in to [iface: a]"]
    lines = [f"2026-11-22T04:48:46.1+00:00 prague iscsiadm[9]: {one}" for one in said]
    assert journalctl.last_words("\n".join(lines)) == said[0]
    assert journalctl.last_words(lines[1]) == said[1]
    assert journalctl.last_words("-- No entries --") == ""


def test_units_of_mpio_are_asked_for_where_they_are_installed(tree: Tree) -> None:
    tree.file("/etc/systemd/system/mpio-online.service", "")
    name = "mpio-online.service"
    run = shown(systemctl.show([name]), Id=name, Names=name, LoadState="loaded", ActiveState="inactive")
    assert boots_units.failed(machine(tree, run), HOST) == ()


def test_only_a_service_that_is_off_has_its_socket_asked_for(tree: Tree) -> None:
    name = "iscsid.socket"
    run = shown(systemctl.show([name]), Id=name, Names=name, LoadState="loaded", UnitFileState="enabled")
    off = with_unit("iscsid.service", enabled="disabled")
    assert boots_units.sockets(machine(tree, run), off) == (Unit(name, "loaded", "", "enabled"),)
    assert boots_units.sockets(machine(tree), HOST) == ()


def test_a_daemon_of_before_an_upgrade(tree: Tree) -> None:
    (tree.root / "proc/176").mkdir(parents=True)
    (tree.root / "proc/176/exe").symlink_to("/usr/sbin/multipathd (deleted)")
    seen = boots_units.daemons(Files(str(tree.root)))
    assert seen[1] == Daemon("multipathd", 176, "/usr/sbin/multipathd", True)


def test_another_build_of_iscsid(tree: Tree) -> None:
    tree.file("/usr/sbin/iscsiadm", "")
    ran = (Daemon("iscsid", 9, "/usr/local/sbin/iscsid"),)
    on = machine(
        tree,
        Done(("/usr/sbin/iscsiadm", "--version"), 0, "iscsiadm version 2.1.8\n", ""),
        Done(("/usr/local/sbin/iscsid", "--version"), 0, "iscsid version 2.1.5\n", ""),
    )
    assert boots_units.versions(on, ran) == {"/usr/sbin/iscsiadm": "2.1.8", "/usr/local/sbin/iscsid": "2.1.5"}
    assert boots_units.versions(on, (replace(ran[0], exe="/usr/sbin/iscsid"),)) == {}
    assert boots_units.versions(on, (replace(ran[0], gone=True),)) == {}


def test_udevd_is_asked_for_only_where_its_group_is_gone(tree: Tree) -> None:
    assert configured.without_udevd(machine(tree), HOST) == HOST
    (tree.root / "sys/fs/cgroup/system.slice/systemd-udevd.service/cgroup.procs").unlink()
    name = systemctl.UDEVD
    run = shown(systemctl.show([name]), Id=name, Names=name, LoadState="loaded", ActiveState="inactive")
    host = configured.without_udevd(machine(tree, run), HOST)
    assert ("MP135", name) in [(f.code, f.subject) for f in checks.before(SITE, host, plan.steps(SITE, host))]
    (tree.root / "run/systemd/system/.keep").unlink()
    (tree.root / "run/systemd/system").rmdir()  # another init: its udevd is in no group
    assert configured.without_udevd(machine(tree), HOST) == HOST


@pytest.mark.parametrize(
    ("command", "lacks"),
    [
        ("/bin/systemctl start iscsid.socket", ""),
        ("systemctl start iscsid.socket iscsiuio.socket", ""),
        ("/bin/systemctl start iscsi.socket", "there is no unit iscsi.socket"),
        ("/etc/rc.d/init.d/iscsid force-start", "/etc/rc.d/init.d/iscsid is not there"),
        ("'", '"\'" is no command'),
    ],
)
def test_the_command_that_starts_iscsid(tree: Tree, command: str, lacks: str) -> None:
    tree.file("/bin/systemctl", "")
    os.chmod(tree.root / "bin/systemctl", 0o755)
    assert boots_units.startup_lacks(Files(str(tree.root)), command) == lacks


def test_lines_that_mean_a_lun(tree: Tree) -> None:
    wwid = HOST.maps[1].wwid
    dm = HOST.maps[1].dm
    tree.dm(dm, "hydra_db-a01", f"mpath-{wwid}")
    tree.dm("dm-9", "vg-lv", "LVM-x")
    for one in (dm, "dm-9"):
        tree.link(f"/sys/class/block/{one}", f"/sys/devices/virtual/block/{one}")
    tree.holds(dm, "dm-9")
    tree.link("/dev/disk/by-uuid/1234", f"/dev/{dm}")
    tree.link("/dev/disk/by-label/my\\x20db", f"/dev/{dm}")
    tree.link("/dev/vg/lv", "/dev/dm-9")
    tree.file(
        "/etc/fstab",
        "/dev/vda1 / ext4 defaults 0 1\n/dev/mapper/hydra_db-a01 /a ext4 _netdev 0 2\nUUID=1234 /b xfs\n"
        "LABEL=my\\040db /c xfs x-systemd.device-timeout=2min\n/dev/vg/lv /d ext4\n/dev/mapper/vg-lv none swap sw\n"
        "/dev/mapper/hydra_db-a02 /later ext4 noauto\ntmpfs /tmp tmpfs\nhost:/x /n nfs\n"
        "/dev/mapper/hydra_db-a03 /e ext4\n",
    )
    host = replace(HOST, maps=(HOST.maps[1],), paths=())
    seen = boots_files.places(Files(str(tree.root)), SITE, host)
    name = HOST.maps[1].name
    assert [(p.line, p.place, p.on, p.patience) for p in seen] == [
        (2, "/a", (name,), None),
        (3, "/b", (name,), None),
        (4, "/c", (name,), 120.0),
        (5, "/d", (name,), None),
        (6, "swap", (name,), None),
        (10, "/e", ("hydra_db-a03",), None),
    ]
    assert [p.line for p in boots_files.places(Files(str(tree.root)), None, host)] == [2, 3, 4, 5, 6]


def test_a_disk_by_its_name(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.disk("sdb", 3, 1, 10, None)
    tree.link("/sys/class/block/sdb", "/sys/devices/platform/host3/session1/target3:0:0/3:0:0:10/block/sdb")
    tree.file("/etc/fstab", "/dev/sdb /b ext4 _netdev\n/dev/sda /local ext4\n")
    host = Host(paths=(Disk("sdb", "3:0:0:10", 1, APPS_A01),))
    assert [(p.place, p.on, p.disk) for p in boots_files.places(Files(str(tmp_path)), None, host)] == [
        ("/b", ("sdb",), True)
    ]


def test_how_long_systemd_waits(tree: Tree) -> None:
    read = Files(str(tree.root))
    assert boots_files.patience(read) == 90.0
    tree.file("/etc/systemd/system.conf", "[Manager]\n#DefaultTimeoutStartSec=90s\nDefaultTimeoutStartSec=3min\n")
    assert boots_files.patience(read) == 180.0


def test_the_image_is_looked_into_only_where_root_is_a_lun(tree: Tree) -> None:
    assert boots_files.image(machine(tree), HOST) is None
    host = replace(HOST, system=(User(HOST.maps[0].dm, "system", "/"),))
    path = "/boot/initrd.img-6.1.0-50-amd64"
    assert boots_files.image(machine(tree), host) is None
    tree.file(path, "")
    listed = "usr/sbin/multipathd\nusr/lib/modules/6.1/kernel/drivers/md/dm-multipath.ko\netc/multipath/wwids\n"
    good = machine(tree, Done(("lsinitramfs", path), 0, listed, ""))
    assert boots_files.image(good, host) == Image(path)
    bare = machine(tree, Done(("lsinitramfs", path), 0, "bin/sh\n", ""))
    seen = boots_files.image(bare, host)
    assert seen is not None
    assert seen.lacking == tuple(boots_files.NEEDED)


def test_modules_that_are_kept_out(tree: Tree) -> None:
    tree.file("/etc/modprobe.d/a.conf", "# no\nblacklist iscsi-tcp\ninstall dm-multipath /bin/false\n")
    tree.file("/lib/modprobe.d/a.conf", "blacklist sd_mod\n")  # the other of its name counts
    tree.file("/lib/modprobe.d/b.conf", "install dm_round_robin /sbin/modprobe --ignore-install dm_round_robin\n")
    assert [(b.module, b.kind, b.where) for b in ground_edge.bans(Files(str(tree.root)))] == [
        ("iscsi_tcp", "blacklist", "/etc/modprobe.d/a.conf line 2"),
        ("dm_multipath", "install", "/etc/modprobe.d/a.conf line 3"),
    ]
    tree.file("/proc/cmdline", "module_blacklist=scsi_dh_alua,x modprobe.blacklist=iscsi_tcp\n")
    assert [b.kind for b in ground_edge.bans(Files(str(tree.root)))][2:] == ["refused", "blacklist"]


def test_modules_of_the_running_kernel(tree: Tree) -> None:
    read = Files(str(tree.root))
    assert ground_edge.lost_modules(read) == ""
    (tree.root / "lib/modules/6.1.0-50-amd64/modules.dep").unlink()
    assert ground_edge.lost_modules(read) == "6.1.0-50-amd64"
    tree.file("/proc/modules", "")  # a kernel without modules has none to lose
    assert ground_edge.lost_modules(read) == ""


def test_when_things_were_made(tree: Tree) -> None:
    tree.file(INITIATOR_NAME, "")
    tree.file("/etc/ssh/ssh_host_rsa_key.pub", "")
    for path, stamp in ((INITIATOR_NAME, 10), ("/etc/machine-id", 20), ("/etc/ssh/ssh_host_rsa_key.pub", 30)):
        os.utime(str(tree.root) + path, (stamp, stamp))
    assert ground_edge.made(Files(str(tree.root))) == Made(10.0, 20.0, 30.0)


def test_who_configures_a_nic(tree: Tree) -> None:
    mac = "02:00:00:00:08:14"

    def claimed(nic: str = "eth1") -> list[tuple[str, str, bool, bool]]:
        found = nicfiles.claims(Files(str(tree.root)), nic, mac if nic == "eth1" else "")
        return [(c.program, c.path.rpartition("/")[2], c.named, c.hotplug) for c in found]

    assert claimed() == []
    tree.file("/etc/network/interfaces", "allow-hotplug eth1\niface eth1 inet static\n  address 10.10.8.20/24\n")
    tree.file("/etc/systemd/network/10.network", "[Match]\nName=en* eth1\n")
    tree.file("/lib/systemd/network/80.network", "[Match]\nType=ether\n")
    tree.file("/lib/systemd/network/80-wifi-adhoc.network", "[Match]\nType=wlan\nWLANInterfaceType=ad-hoc\n")
    tree.file(
        "/etc/NetworkManager/system-connections/san", f"[connection]\ntype=ethernet\n[ethernet]\nmac-address={mac}\n"
    )
    tree.file("/etc/netplan/1.yaml", "network:\n  ethernets:\n    eth1:\n      mtu: 9000\n")
    tree.file("/etc/sysconfig/network-scripts/ifcfg-eth1", 'DEVICE="eth1"\n')
    assert claimed() == [
        ("ifupdown", "interfaces", True, True),
        ("systemd-networkd", "10.network", True, False),
        ("systemd-networkd", "80.network", False, False),
        ("NetworkManager", "san", True, False),
        ("netplan", "1.yaml", True, False),
        ("ifcfg", "ifcfg-eth1", True, False),
    ]
    assert claimed("eth2") == [("systemd-networkd", "80.network", False, False)]
    for folder in ("network/interfaces.d/old", "NetworkManager/system-connections/old", "systemd/network/a.network"):
        tree.file(f"/etc/{folder}/x", "")  # a folder is passed over
    tree.file("/etc/network/interfaces.d/san", "auto eth1\n")
    assert claimed()[0] == ("ifupdown", "interfaces", True, False)


def test_only_programs_that_boot_starts_count(tree: Tree) -> None:
    tree.file("/etc/systemd/network/10.network", "[Match]\nName=eth1\n")
    read = Files(str(tree.root))
    assert [n.claims for n in ground_edge.nics(read, SITE, HOST)] == [(), ()]
    tree.file("/lib/systemd/system/systemd-networkd.service", "[Unit]\n")
    tree.link(
        "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
        "/lib/systemd/system/systemd-networkd.service",
    )
    assert [len(n.claims) for n in ground_edge.nics(read, SITE, HOST)] == [1, 0]
    waiter = "systemd-networkd-wait-online.service"
    tree.file(f"/lib/systemd/system/{waiter}", "[Unit]\n")
    tree.file(f"/etc/systemd/system/network-online.target.wants/{waiter}", "")
    assert ground_edge.waiters(read) == {waiter}
    (tree.root / "etc/systemd/system" / waiter).symlink_to("/dev/null")
    assert ground_edge.waiters(read) == frozenset()


# -- readers


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("1min 30s", 90.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("500ms", 0.5),
        ("infinity", float("inf")),
        ("", None),
        ("soon", None),
        ("5 parsecs", None),
    ],
)
def test_spans(text: str, seconds: float | None) -> None:
    assert unitfile.span(text) == seconds


def test_conditions_in_their_own_words() -> None:
    text = "[Unit]\nConditionPathExists=|!/x\nConditionKernelCommandLine=!nompath\n"
    found = unitfile.conditions(unitfile.Unit("x", unitfile.parse(text)))
    assert [str(one) for one in found] == ["ConditionPathExists=|!/x", "ConditionKernelCommandLine=!nompath"]
    assert [(c.trigger, c.negate) for c in found] == [(True, True), (False, True)]


WORDS = st.text() | st.lists(
    st.sampled_from(
        [
            "[Unit]\n",
            "After=",
            "\\\n",
            "UUID=",
            "/dev/x ",
            "blacklist ",
            "install ",
            "auto eth0\n",
            "a b c\n",
            "=",
            "\\040",
            "\n",
        ]
    )
).map("".join)


@given(WORDS)
def test_readers_are_total(text: str) -> None:
    unitfile.conditions(unitfile.Unit("x", unitfile.parse(text)))
    unitfile.span(text)
    for entry in fstab.parse(text):
        fstab.device(entry)
    modprobe.parse("/x", text)
    modprobe.parse_command_line(text)
    nicfiles.parse_interfaces(text)
    journalctl.last_words(text)


@given(
    st.lists(st.tuples(st.sampled_from(["Unit", "Service"]), st.sampled_from("ABC"), st.sampled_from(["", "x", "y z"])))
)
def test_settings_survive_being_written(settings: list[tuple[str, str, str]]) -> None:
    text = "".join(f"[{section}]\n{key}={value}\n" for section, key, value in settings)
    assert unitfile.parse(text) == tuple(settings)
