"""The states in which `mpio lab record` asks a guest, and the steps that bring it there: those of mpio itself.

The guide's mesh, set up by the programs alone, so that guests that cannot run mpio are recorded in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from mpio.host import Pair, Portal
from mpio.lab import san
from mpio.lab.questions import FILES, SYSFS, Call, asks, call, questions, tree
from mpio.routing import Rule, TableRoute
from mpio.site import Site
from mpio.step import Command
from mpio.tools import ip, iscsiadm, multipath, multipathd, sysctl, udevadm

WHY = "it is to be recorded"

# -- the SAN: the guide's, and one target more that the site does not want, over IPv6 and with CHAP

HOMER = tuple(target.name for target in san.GUIDE.targets)
MARGE = "iqn.2011-09.dom.marge:03"
V6 = Portal("fd00:8::90")
SAN = replace(
    san.GUIDE,
    links=(
        replace(
            san.GUIDE.links[0],
            nic_addresses=(*san.GUIDE.links[0].nic_addresses, "fd00:8::20/64"),
            end_addresses=(*san.GUIDE.links[0].end_addresses, f"{V6.address}/64"),
        ),
        *san.GUIDE.links[1:],
    ),
    targets=(*san.GUIDE.targets, san.Target(MARGE, (str(V6),), luns=(), chap=san.Chap("prague", "nobody knows it"))),
)


# -- from nothing to maps


def pairs(site: Site) -> tuple[Pair, ...]:
    ends = [(Portal.parse(t.portals[0]), t.name) for t in san.GUIDE.targets]
    return tuple(Pair(iface.name, portal, target) for portal, target in ends for iface in site.ifaces)


def loosened(site: Site) -> str:
    """Shell lines: what mesh needs of the kernel."""
    return "".join(f"echo 2 >{sysctl.proc(iface.nic, 'rp_filter')};" for iface in site.ifaces)


def connecting(site: Site) -> dict[str, Call]:
    """From a bare host to sessions."""
    steps: dict[str, Command] = {}
    for n, iface in enumerate(site.ifaces, 1):
        steps[f"iface-new-{n}"] = iscsiadm.iface_new(iface.name, why=WHY)
        steps[f"iface-bind-{n}"] = iscsiadm.iface_bind(iface.name, iface.nic, why=WHY)
    through = [iface.name for iface in site.ifaces]
    steps["discovery"] = iscsiadm.discover(site.portals[0], through, why=WHY)
    settings = {"node.startup": "automatic", "node.session.timeo.replacement_timeout": str(site.timeouts.replacement)}
    for n, pair in enumerate(pairs(site), 1):
        steps[f"record-new-{n}"] = iscsiadm.record_new(pair, 1, why=WHY)
        steps[f"record-update-{n}"] = iscsiadm.record_update(pair, settings, why=WHY)
    for n, pair in enumerate(pairs(site), 1):
        steps[f"session-login-{n}"] = iscsiadm.login(pair, why=WHY)
    calls = {name: Call(step.argv) for name, step in steps.items()}
    return {**calls, "udevadm-settle": Call(udevadm.settle(60)), "sysfs": tree(SYSFS)}


def naming(site: Site) -> dict[str, Call]:
    """From disks to maps."""
    calls = {
        f"multipath-register-{n}": Call(multipath.register(lun.wwid, why=WHY).argv) for n, lun in enumerate(site.luns)
    }
    return {**calls, "multipathd-reconfigure": Call(multipathd.reconfigure(WHY).argv)}


# -- the states of a host that was set up


@dataclass(frozen=True, slots=True)
class State:
    """How a host that was set up comes into it; `over` is a condition to wait for, `without` what nobody would ask."""

    name: str
    prepare: str = "true"
    over: str = "true"
    without: str = "nothing"

    def calls(self, site: Site) -> dict[str, Call]:
        """All questions where nothing is wrong, else those whose answers change with the state."""
        found = questions(site, every=self.prepare == "true")
        return {name: one for name, one in found.items() if not name.startswith(self.without)}


def paths(letter: str, count: int) -> str:
    """The condition that the kernel holds so many paths for A (active) or F (failed): `8:16 A` (a group has it too)."""
    return f"[ \"$(dmsetup status --target multipath | grep -Eo '[0-9]+:[0-9]+ {letter} ' | wc -l)\" -eq {count} ]"


UP = f"{paths('A', 16)} && multipathd show daemon | grep -Eq ' (idle|running)$'"
STATES = (
    State("sane"),
    State(
        "failed-path",
        "multipathd fail path \"$(multipathd show paths raw format '%d' | sort | head -n 1)\"",
        paths("F", 1),
    ),
    State("failed-session", f"lab-san fault target-off {HOMER[1]}", paths("F", 8)),
    # Three of four: loose rp_filter drops what comes from the lost NIC's subnet, to which no route is left.
    State("nic-down", f"ip link set {san.GUIDE.links[1].nic} down", paths("F", 12), without="iscsiadm-discovery"),
    State("no-daemon", "systemctl stop multipathd.socket multipathd.service"),
    State("lost-lun", "".join(f"lab-san fault unmap {t} {san.GUIDE.luns[-1].number};" for t in HOMER), paths("F", 4)),
    State("all-down", "".join(f"lab-san fault target-off {target};" for target in HOMER), paths("F", 16)),
    State(
        "no-session",
        "iscsiadm -m node --logoutall=all && udevadm settle",
        # what becomes of the maps is multipathd's business
        '[ -z "$(ls /sys/class/iscsi_session)" ] && ! ls /sys/block | grep -q "^sd"',
    ),
)
FOLDERS = ("none", "multipath", "set-up", *(state.name for state in STATES), "steps")


# -- steps on a host that was set up, most of which fail

BAD, LEGACY = "iqn.2011-09.dom.homer:nobody", "iqn.2011-09.dom.homer:legacy"
RULE = Rule("10.10.8.20", 28017, 28017, ours=True)
ROUTE = TableRoute("10.10.8.0/24", "eth1", 28017)
_QUICK = {"node.session.initial_login_retry_max": "1", "node.conn[0].timeo.login_timeout": "5"}
_GUARDED = "/sys/kernel/config/target/iscsi/discovery_auth"


@dataclass(frozen=True, slots=True)
class Stage:
    """Calls made one after another, once the shell lines `prepare` ran."""

    calls: Mapping[str, Call]
    prepare: str = "true"


def stages(site: Site) -> tuple[Stage, ...]:
    first, name = pairs(site)[0], site.ifaces[0].name
    v6 = Pair(name, V6, MARGE)
    closed = Portal(site.portals[0].address, 3999)
    after = {
        "session-login-v6": iscsiadm.login(v6, why=WHY),
        "session-rescan": iscsiadm.rescan(1, why=WHY),
        "session-rescan-unknown": iscsiadm.rescan(99, why=WHY),
    }
    gone = {
        "session-logout-v6": iscsiadm.logout(v6, why=WHY),
        "session-logout": iscsiadm.logout(first, why=WHY),
        "session-logout-again": iscsiadm.logout(first, why=WHY),
        "multipath-forget": multipath.forget(site.luns[0].wwid, WHY),
        "multipath-flush-unknown": multipath.flush("nobody", WHY),
    }
    deaf = {
        "session-login-no-iscsid": iscsiadm.login(first, why=WHY),
        "session-logout-no-iscsid": iscsiadm.logout(pairs(site)[1], why=WHY),
        "record-delete": iscsiadm.record_delete(first, why=WHY),
        "record-delete-again": iscsiadm.record_delete(first, why=WHY),
    }
    listed = {n: call(a) for n, a in asks(site).items() if n in ("iscsiadm-session", "iscsiadm-session-P3")}
    chap = f"printf prague >{_GUARDED}/userid; printf x >{_GUARDED}/password; echo 1 >{_GUARDED}/enforce_discovery_auth"
    masked = "systemctl mask --runtime --now iscsid.socket iscsid.service; systemctl stop iscsid.service; true"
    return (
        Stage(_routed(site)),
        Stage(_argvs(_of_records(site, v6))),
        Stage(_argvs(_refused(first, v6, closed)) | {"files": tree(FILES)}),
        Stage(_argvs(after) | listed, f"lab-san fault no-chap {MARGE}"),
        Stage(_argvs(gone)),
        Stage({"discovery-auth": call(partial(iscsiadm.discovery, portal=site.portals[0], ifaces=[name]))}, chap),
        Stage(_argvs(deaf) | {"session-P3-no-iscsid": call(iscsiadm.session_details)}, masked),
    )


def _argvs(steps: Mapping[str, Command | tuple[str, ...]]) -> dict[str, Call]:
    return {name: Call(step.argv if isinstance(step, Command) else step) for name, step in steps.items()}


def _of_records(site: Site, v6: Pair) -> dict[str, Command | tuple[str, ...]]:
    """What changes nothing but open-iscsi's database."""
    first, portal, through = pairs(site)[0], site.portals[0], [iface.name for iface in site.ifaces]
    settings = {"discovery.sendtargets.timeo.login_timeout": "5", "discovery.sendtargets.reopen_max": "1"}
    return {
        "iface-new-in-use": iscsiadm.iface_new(first.iface, why=WHY),
        "iface-bind-unknown": iscsiadm.iface_bind("nobody", "eth9", why=WHY),
        "iface-new-spare": iscsiadm.iface_new("spare", why=WHY),
        "iface-delete": iscsiadm.iface_delete("spare", why=WHY),
        "iface-delete-again": iscsiadm.iface_delete("spare", why=WHY),
        "discoverydb-new": iscsiadm.discoverydb_new(portal, why=WHY),
        "discoverydb-update": iscsiadm.discoverydb_update(portal, settings, why=WHY),
        "discoverydb-show": call(partial(iscsiadm.discovery_record, portal=portal)).argv,
        "discoverydb-discover": iscsiadm.discoverydb_discover(portal, through, why=WHY),
        "discoverydb-delete": iscsiadm.discoverydb_delete(portal, why=WHY),
        "discoverydb-delete-again": iscsiadm.discoverydb_delete(portal, why=WHY),
        "record-show": call(partial(iscsiadm.record, pair=first)).argv,
        "record-update-unknown-key": iscsiadm.record_update(first, {"node.nosuch": "1"}, why=WHY),
        "record-update-unknown": iscsiadm.record_update(replace(first, target=BAD), {"node.startup": "x"}, why=WHY),
        "record-new-v6": iscsiadm.record_new(v6, 1, why=WHY),
        "record-new-again": iscsiadm.record_new(v6, 1, why=WHY),
        "record-new-legacy": iscsiadm.record_new(replace(first, target=LEGACY), -1, why=WHY),
    }


def _routed(site: Site) -> dict[str, Call]:
    """A table for one address, made, asked for, and taken away again."""
    steps: dict[str, Command | tuple[str, ...]] = {"route-set": ip.route_set(ROUTE), "rule-add": ip.rule_add(RULE)}
    of_routes = ("ip-own", "ip-routes", "ip-rules")
    asked = {name: call(ask) for name, ask in asks(site).items() if name.startswith(of_routes)}
    gone: dict[str, Command | tuple[str, ...]] = {
        "rule-delete": ip.rule_delete(RULE),
        "route-delete": ip.route_delete(ROUTE),
        "neighbours-forget": ip.forget_neighbours(ROUTE.nic),
    }
    return _argvs(steps) | asked | _argvs(gone)


def _refused(first: Pair, v6: Pair, closed: Portal) -> dict[str, Command | tuple[str, ...]]:
    """What a target or a session in use turns down."""
    absent, silent = replace(first, target=BAD), replace(first, portal=closed)
    return {
        "record-new-absent": iscsiadm.record_new(absent, 1, why=WHY),
        "record-new-closed": iscsiadm.record_new(silent, 1, why=WHY),
        "record-update-absent": iscsiadm.record_update(absent, _QUICK, why=WHY),
        "record-update-closed": iscsiadm.record_update(silent, _QUICK, why=WHY),
        "record-update-v6": iscsiadm.record_update(v6, _QUICK, why=WHY),
        "discovery-closed": iscsiadm.discover(closed, [first.iface], why=WHY),
        "session-login-again": iscsiadm.login(first, why=WHY),
        "session-login-absent": iscsiadm.login(absent, why=WHY),
        "session-login-closed": iscsiadm.login(silent, why=WHY),
        "session-login-auth": iscsiadm.login(v6, why=WHY),
        "record-delete-in-use": iscsiadm.record_delete(first, why=WHY),
    }
