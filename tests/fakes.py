"""A pretend host and a pretend SAN as plain values: the guide's, bare or whole, and what steps make of them.

`carry_out` does to a Host what the programs would do to a machine, `look` adds what a look would see then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import in_force

from mpio import hearsay, memory, plan, topology
from mpio.host import (
    Answer,
    Asked,
    Effective,
    Found,
    Host,
    Iface,
    Map,
    Nic,
    Node,
    Pair,
    Path,
    Portal,
    Session,
    Unit,
)
from mpio.plan import Plan
from mpio.plan.shape import (
    INITIATOR_NAME,
    ISCSID_CONF,
    MULTIPATH_CONF,
    MULTIPATH_DROP_IN,
    ROUTES_UNIT,
    SYSCTL_DROP_IN,
)
from mpio.routing import Rule, TableRoute
from mpio.site import Site, SiteIface, SiteLun
from mpio.step import Command, Step, Write
from mpio.tools import iscsidb, keyfile, multipath, multipathconf

HOMER_1 = "iqn.2011-09.dom.homer:01:13611547-b4e6-e4b9-d97b-d1f4df275f58"
HOMER_2 = "iqn.2011-09.dom.homer:02:0e4f921a-407e-eb9f-9f53-aded8d99a723"
PORTAL_8, PORTAL_9 = Portal("10.10.8.90"), Portal("10.10.9.90")
PRAGUE = "iqn.2011-10.dom.prague:hydra"
STOCK_NAME = "iqn.1993-08.org.debian:01:abcdef"
APPS_A01 = "3600144f0f484400000004e8685e70001"
DB_A01 = "3600144f0f484400000004e8685f80002"
DB_A02 = "3600144f0f484400000004e86860a0003"
DB_A03 = "3600144f0f484400000004e8686210004"
ALIASES = {APPS_A01: "hydra_apps-a01", DB_A01: "hydra_db-a01", DB_A02: "hydra_db-a02", DB_A03: "hydra_db-a03"}
STOCK_ISCSID_CONF = """\
# Open-iSCSI default configuration.
node.startup = manual
node.session.timeo.replacement_timeout = 120
node.conn[0].timeo.login_timeout = 15
node.conn[0].timeo.noop_out_interval = 5
node.conn[0].timeo.noop_out_timeout = 5
node.session.initial_login_retry_max = 8
node.session.cmds_max = 128
"""
INQUIRY = ("NEXENTA", "COMSTAR")
SIZE = 1 << 30
GROUP_TAGS = {HOMER_1: 2, HOMER_2: 3}


@dataclass(frozen=True)
class San:
    """What an array shows: its targets by portal, its LUNs (number, targets) by WWID; `deaf` are the (NIC, portal)
    without an answer.
    """

    targets: tuple[Found, ...] = (Found(PORTAL_8, 2, HOMER_1), Found(PORTAL_9, 3, HOMER_2))
    luns: Mapping[str, tuple[int, tuple[str, ...]]] = field(
        default_factory=lambda: {wwid: (10 + i, (HOMER_1, HOMER_2)) for i, wwid in enumerate(ALIASES)}
    )
    deaf: frozenset[tuple[str, Portal]] = frozenset()

    def answer(self, nic: Nic | None, portal: Portal) -> Answer:
        if nic is None or not nic.speaks(portal):
            return Answer.NO_ROUTE
        if nic.carrier is not True or (nic.name, portal) in self.deaf:
            return Answer.SILENT
        return Answer.ANSWERED if any(f.portal == portal for f in self.targets) else Answer.REFUSED

    def shown(self, target: str) -> tuple[str, ...]:
        return tuple(wwid for wwid, (_, targets) in self.luns.items() if target in targets)


SAN = San()


def guide_site(**changes: object) -> Site:
    """The site file of the 2011 guide: two ifaces, two portals, mesh, four LUNs."""
    site = Site(
        ifaces=(SiteIface("sw-iscsi-0", "eth1"), SiteIface("sw-iscsi-1", "eth2")),
        portals=(PORTAL_8, PORTAL_9),
        initiator=PRAGUE,
        targets=("iqn.2011-09.dom.homer:*",),
        luns=tuple(SiteLun(w, a, {"path_selector": "service-time 0", "failback": "immediate"}) for w, a in LUNS),
        path="/etc/mpio/site.toml",
    )
    return replace(site, **changes)  # type: ignore[arg-type]


LUNS = tuple(ALIASES.items())


def nic(name: str, *addresses: str, **changes: object) -> Nic:
    made = Nic(
        name,
        f"00:0c:29:94:5b:{82 + int(name[-1])}",
        addresses,
        1500,
        carrier=True,
        rp_filter=0,
        rp_filter_own=0,
        rp_filter_all=0,
        arp_ignore=0,
        arp_announce=0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


UNITS = ("iscsid.service", "open-iscsi.service", "iscsi.service", "multipathd.service")


def bare_host(**changes: object) -> Host:
    """The guide's host after the packages were installed, before anything was set up."""
    host = Host(
        nics=(nic("eth1", "10.10.8.14/24"), nic("eth2", "10.10.9.14/24")),
        units=tuple(Unit(name, "loaded", "inactive", "disabled") for name in UNITS),
        files={
            ISCSID_CONF: STOCK_ISCSID_CONF,
            INITIATOR_NAME: f"## DO NOT EDIT\nInitiatorName={STOCK_NAME}\n",
            MULTIPATH_CONF: None,
            MULTIPATH_DROP_IN: None,
            SYSCTL_DROP_IN: None,
        },
        known_keywords=multipath.all_keywords(),
        effective=Effective(),
    )
    return replace(host, **changes)  # type: ignore[arg-type]


def guide_host(site: Site | None = None, san: San = SAN, **changes: object) -> Host:
    """The guide's host as mpio set it up: every session, path and map there, nothing left to do."""
    wanted = site or guide_site()
    host, _ = settled(wanted, bare_host(), san)
    return replace(host, **changes)  # type: ignore[arg-type]


ROUNDS = 12


def settled(site: Site, host: Host, san: San = SAN, rounds: int = ROUNDS) -> tuple[Host, Plan]:
    """Rounds of look, plan and carry out, until a plan has no steps or the rounds are over."""
    for _ in range(rounds):
        host = remembered(look(site, host, san))
        made = plan.steps(site, host)
        if not made.steps:
            return host, made
        host = carry_out(host, made.steps, san)
    host = remembered(look(site, host, san))
    return host, plan.steps(site, host)


def runs(host: Host, name: str) -> bool:
    unit = host.unit(name)
    return unit is not None and unit.active == "active"


# -- what a look sees ----------------------------------------------------------------------------------------------


def look(site: Site, host: Host, san: San = SAN) -> Host:
    """The host with the SAN asked, and with what multipath makes of its files."""
    loaded = host.effective.loaded if host.effective and runs(host, "multipathd.service") else None
    host = replace(host, asked=(), effective=Effective(installed(host), loaded))
    alive = {s.sid for s in host.sessions if s.logged_in}
    failed = [p for p in host.paths if p.dm_state == "failed" and p.device_state == "running" and p.sid in alive]
    host = replace(host, probes=probed(site, host, san), readable=frozenset(p.dev for p in failed))
    bound = {(i.name, i.nic) for i in host.ifaces}
    through = [i for i in site.ifaces if (i.name, i.nic) in bound]
    if not runs(host, "iscsid.service") or not through:
        return host
    asked = []
    for portal in site.portals:
        names = tuple(i.name for i in through if san.answer(host.nic(i.nic), portal) is Answer.ANSWERED)
        if names and not hearsay.excludes(site, portal):
            asked.append(Asked(portal, names, 0, "", san.targets))
    host = replace(host, asked=tuple(asked))
    return replace(host, probes=probed(site, host, san))


def probed(site: Site, host: Host, san: San) -> dict[tuple[str, Portal], Answer]:
    wanted = topology.probe_wanted(site, host)
    return {(iface, portal): san.answer(host.nic(nic_name), portal) for iface, nic_name, portal in wanted}


def installed(host: Host) -> dict[str, dict[str, str]]:
    """What the files say for each WWID that they name."""
    text = host.files.get(MULTIPATH_DROP_IN)
    if text is None:
        return {}
    table = multipath.table(multipathconf.parse(text))
    keys = {k for values in table.values() for k in values} - {"vendor", "product", "revision", "type", "wwid"}
    found: dict[str, dict[str, str]] = {"": dict(table.get(("defaults", ""), {}))}
    for section, wwid in table:
        if section == "multipath":
            values = {k: in_force.value(table, wwid, INQUIRY, k) for k in sorted(keys)}
            found[wwid] = {k: v for k, v in values.items() if v is not None}
    return found


def remembered(host: Host) -> Host:
    """With what a run keeps of a look (apply.remember)."""
    targets = {s.sid: s.pair.target for s in host.sessions if s.logged_in}
    shown = [(p.wwid, targets[p.sid]) for p in host.paths if p.wwid and p.sid in targets]
    kept = memory.with_seen(memory.pruned(host.memory, alive(host)), shown, targets.values())
    return replace(host, memory=kept)


def alive(host: Host) -> set[tuple[str, str]]:
    return (
        {("iface", i.name) for i in host.ifaces}
        | {("record", str(n.pair)) for n in host.nodes}
        | {("wwid", w) for w in host.registered}
        | {("unit", u.name) for u in host.units if u.enabled.startswith("enabled")}
        | {("file", p) for p, text in host.files.items() if text is not None}
    )


# -- what steps do -------------------------------------------------------------------------------------------------


def carry_out(host: Host, steps: Iterable[Step], san: San = SAN) -> Host:
    """The host after these steps, in order; a step that the real program would refuse changes nothing."""
    todo = tuple(steps)
    host = replace(host, memory=memory.noted(host.memory, (n for s in todo for n in s.notes)))
    for step in todo:
        host = _written(host, step) if isinstance(step, Write) else _ran(host, step, san)
    return host


def _written(host: Host, step: Write) -> Host:
    path, text = step.path, step.text
    if path.startswith("/proc/sys/net/ipv4/conf/"):
        *_, name, key = path.split("/")
        host = replace(host, files={**host.files, path: text})
        return replace(host, nics=tuple(_set_nic(n, key, int(text or "0")) if n.name == name else n for n in host.nics))
    if path.startswith("/sys/class/iscsi_session/"):
        sid = int(path.split("/")[4].removeprefix("session"))
        sessions = (
            replace(s, recovery_tmo=int(text or "0")) if s.sid == sid and s.logged_in else s for s in host.sessions
        )
        return replace(host, sessions=tuple(sessions))
    if path.startswith("/sys/class/scsi_device/"):
        hctl, _, deed = path.removeprefix("/sys/class/scsi_device/").partition("/device/")
        return _deleted(host, hctl) if deed == "delete" else host
    host = replace(host, files={**host.files, path: text})
    nodes = tuple(_node(n.path, host) if n.path == path else n for n in host.nodes)
    return replace(host, nodes=nodes)


def _deleted(host: Host, hctl: str) -> Host:
    """The disk at this address is gone, and multipathd drops it from its map."""
    gone = {p.dev for p in host.paths if p.hctl == hctl}
    maps = tuple(replace(m, slaves=tuple(d for d in m.slaves if d not in gone)) for m in host.maps)
    return replace(host, paths=tuple(p for p in host.paths if p.dev not in gone), maps=maps)


def _set_nic(one: Nic, key: str, value: int) -> Nic:
    if key == "rp_filter":
        return replace(one, rp_filter_own=value, rp_filter=max(value, one.rp_filter_all or 0))
    return replace(one, arp_ignore=value) if key == "arp_ignore" else replace(one, arp_announce=value)


def _ran(host: Host, step: Command, san: San) -> Host:
    match step.argv:
        case ("systemctl" | "ip" as program, verb, *rest):
            return _ip(host, (verb, *rest)) if program == "ip" else _systemctl(host, verb, tuple(rest), san)
        case ("iscsiadm", "-m", "iface", "-I", name, "-o", operation, *rest):
            return _iface(host, name, operation, tuple(rest))
        case ("iscsiadm", "-m", "discovery" | "discoverydb", *_):
            return host
        case ("iscsiadm", "-m", "node", *rest):
            return _record(host, tuple(rest), san)
        case ("iscsiadm", "-m", "session", "-r", sid, "--rescan"):
            return _scanned(host, int(sid), san)
        case ("blockdev", "--flushbufs", _):
            return host
        case ("multipath", option, word):
            return _multipath(host, option, word)
        case ("multipathd", *words):
            return _multipathd(host, tuple(words))
    raise AssertionError(f"no pretend program for {step.argv}")


def _systemctl(host: Host, verb: str, words: tuple[str, ...], san: San) -> Host:
    if verb == "daemon-reload":
        return host
    *options, name = words
    if name.startswith("mpio-online."):
        return _timer(host, name, verb)
    if name == "mpio-routes.service":
        return _routes_unit(host, verb, tuple(options))
    unit = host.unit(name)
    if unit is None or unit.load != "loaded":
        return host
    if verb == "enable":
        unit = replace(unit, enabled="enabled")
    elif verb == "disable":
        unit = replace(unit, enabled="disabled")
    if verb in ("start", "restart") or (verb == "enable" and "--now" in options):
        unit = replace(unit, active="active")
    elif verb == "stop":
        unit = replace(unit, active="inactive")
    host = replace(host, units=tuple(unit if u.name == name else u for u in host.units))
    return _reconfigured(host) if name == "multipathd.service" and unit.active == "active" else host


def _routes_unit(host: Host, verb: str, options: tuple[str, ...]) -> Host:
    text = host.files.get(ROUTES_UNIT)
    if text is None:
        return host
    unit = host.unit("mpio-routes.service") or Unit("mpio-routes.service", "loaded", "inactive", "disabled")
    now = "--now" in options
    if verb in ("stop", "restart") or (verb == "disable" and now):
        host, unit = _executed(host, text, "ExecStop=-ip "), replace(unit, active="inactive")
    if verb in ("start", "restart") or (verb == "enable" and now and unit.active != "active"):
        host, unit = _executed(host, text, "ExecStart=-ip "), replace(unit, active="active")
    if verb in ("enable", "disable"):
        unit = replace(unit, enabled=f"{verb}d")
    return replace(host, units=(*(u for u in host.units if u.name != unit.name), unit))


def _executed(host: Host, text: str, start: str) -> Host:
    for line in text.splitlines():
        if line.startswith(start):
            host = _ip(host, tuple(line.removeprefix(start).split()))
    return host


def _timer(host: Host, name: str, verb: str) -> Host:
    others = tuple(u for u in host.units if u.name != name)
    on = Unit(name, "loaded", "active", "enabled")
    return replace(host, units=others if verb == "disable" else (*others, on))


def _ip(host: Host, words: tuple[str, ...]) -> Host:
    match words:
        case ("neigh", "flush", "dev", _):
            return host
        case (_, "rule", verb, "priority", priority, "from", source, "lookup", table, "protocol", "109"):
            rule = Rule(source, int(table), int(priority), ours=True)
            rules = tuple(r for r in host.rules if r != rule)
            return replace(host, rules=(*rules, rule) if verb == "add" else rules)
        case (_, "route", verb, subnet, "dev", name, "table", table, "protocol", "109"):
            route = TableRoute(subnet, name, int(table))
            routes = tuple(r for r in host.routes if r != route)
            up = (seen := host.nic(name)) is not None and seen.carrier is not None
            return replace(host, routes=(*routes, route) if verb == "replace" and up else routes)
    raise AssertionError(f"no pretend ip for {words}")


def _iface(host: Host, name: str, operation: str, rest: tuple[str, ...]) -> Host:
    used = any(s.pair.iface == name for s in host.sessions)
    others = tuple(i for i in host.ifaces if i.name != name)
    have = next((i for i in host.ifaces if i.name == name), None)
    if operation == "new" and not used:
        return replace(host, ifaces=(*others, Iface(name)))
    if operation == "delete" and not used:
        return replace(host, ifaces=others, nodes=tuple(n for n in host.nodes if n.pair.iface != name))
    if operation == "update" and have is not None and not have.nic and not have.hwaddress:
        assert rest[:3] == ("-n", "iface.net_ifacename", "-v")
        return replace(host, ifaces=(*others, replace(have, nic=rest[3])))
    return host  # iscsiadm says exit 0 and changes nothing (facts 1.2)


def _record(host: Host, words: tuple[str, ...], san: San) -> Host:
    said = dict(pairwise(words))
    place, _, tag = said["-p"].rpartition(",") if "," in said["-p"] else (said["-p"], "", "-1")
    pair = Pair(said["-I"], Portal.parse(place), said["-T"])
    node, session = host.node_of(pair), host.session_of(pair)
    if "--login" in words:
        return _logged_in(host, pair, san) if node and session is None else host
    if "--logout" in words:
        return _logged_out(host, session) if session else host
    if said["-o"] == "new":
        return _recorded(host, pair, int(tag))
    if node is None:
        return host
    if said["-o"] == "delete":
        return host if session else replace(host, nodes=tuple(n for n in host.nodes if n.pair != pair))
    assert said["-o"] == "update"
    settings = {k: v for n, k, v_, v in zip(words, words[1:], words[2:], words[3:], strict=False) if (n, v_) == _NAMED}
    text = iscsidb.record_text_with(host.files[node.path] or "", settings)
    return _written(host, Write(_ANY.part, "", node.path, text))


_NAMED = ("-n", "-v")
_ANY = multipath.flush("", why="")


def _recorded(host: Host, pair: Pair, tag: int) -> Host:
    address, port = pair.portal.address, pair.portal.port
    path = f"/etc/iscsi/nodes/{pair.target}/{address},{port},{tag}/{pair.iface}"
    stock = keyfile.values(host.files.get(ISCSID_CONF) or "")
    lines = {"iface.iscsi_ifacename": pair.iface, **{k: v for k, v in stock.items() if k.startswith("node.")}}
    text = "# BEGIN RECORD 2.1.8\n" + "".join(f"{k} = {v}\n" for k, v in lines.items()) + "# END RECORD\n"
    host = replace(host, files={**host.files, path: text})
    others = tuple(n for n in host.nodes if n.pair != pair)
    return replace(host, nodes=(*others, _node(path, host)))


def _node(path: str, host: Host) -> Node:
    *_, target, place, _ = path.split("/")
    portal = iscsidb.portal_of(place)
    assert portal is not None
    return iscsidb.node(path, host.files[path] or "", portal, target)


def bound_to(host: Host, iface: Iface) -> Nic | None:
    """The MAC address counts before the name (facts 1.2)."""
    if iface.hwaddress:
        return next((n for n in host.nics if n.hwaddress == iface.hwaddress), None)
    return host.nic(iface.nic)


def _logged_in(host: Host, pair: Pair, san: San) -> Host:
    node, iface = host.node_of(pair), next((i for i in host.ifaces if i.name == pair.iface), None)
    assert node is not None
    there = any(f.portal == pair.portal and f.target == pair.target for f in san.targets)
    through = bound_to(host, iface) if iface else None
    if through is None or not there or san.answer(through, pair.portal) is not Answer.ANSWERED:
        return host
    sid = max((s.sid for s in host.sessions), default=0) + 1

    def said(key: str) -> int:
        return int(node.settings.get(key, "0"))

    made = Session(
        sid=sid,
        host=sid + 1,
        pair=pair,
        nic=through.name,
        tpgt=node.tpgt,
        state="LOGGED_IN",
        recovery_tmo=said("node.session.timeo.replacement_timeout"),
        noop_interval=said("node.conn[0].timeo.noop_out_interval"),
        noop_timeout=said("node.conn[0].timeo.noop_out_timeout"),
        initiatorname=keyfile.values(host.files.get(INITIATOR_NAME) or "").get("InitiatorName", ""),
        address=pair.portal.address,
        port=pair.portal.port,
        local_port=40000 + sid,
    )
    return _scanned(replace(host, sessions=(*host.sessions, made)), sid, san)


def _logged_out(host: Host, session: Session) -> Host:
    gone = {p.dev for p in host.paths if p.sid == session.sid}
    maps = tuple(replace(m, slaves=tuple(d for d in m.slaves if d not in gone)) for m in host.maps)
    return replace(
        host,
        sessions=tuple(s for s in host.sessions if s.sid != session.sid),
        paths=tuple(p for p in host.paths if p.dev not in gone),
        maps=maps,
    )


def _scanned(host: Host, sid: int, san: San) -> Host:
    """A scan adds what the target shows; udev and multipathd take it from there."""
    session = next(s for s in host.sessions if s.sid == sid)
    have = {p.wwid for p in host.paths if p.sid == sid}
    for wwid in san.shown(session.pair.target):
        if wwid in have or not session.logged_in:
            continue
        number = san.luns[wwid][0]
        dev = _next_disk({p.dev for p in host.paths})
        disk = Path(dev, f"{session.host}:0:0:{number}", sid, wwid, SIZE, *INQUIRY, device_state="running")
        host = replace(host, paths=(*host.paths, disk))
        if wwid in host.registered and runs(host, "multipathd.service"):
            host = _taken(host, dev)
    return host


def _next_disk(taken: set[str]) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [f"sd{a}" for a in letters] + [f"sd{a}{b}" for a in letters for b in letters]
    return next(n for n in names if n not in taken)


def _taken(host: Host, dev: str) -> Host:
    """multipathd puts a disk into the map of its WWID, and makes that map first where there is none."""
    disk = next(p for p in host.paths if p.dev == dev)
    if disk.dm:
        return host
    mapped = next((m for m in host.maps if m.wwid == disk.wwid), None)
    if mapped is None:
        number = next(n for n in range(99) if f"dm-{n}" not in {m.dm for m in host.maps})
        mapped = Map(_name_of(host, disk.wwid), disk.wwid, f"dm-{number}", SIZE, queueing=60)
        host = replace(host, maps=(*host.maps, mapped))
    grown = replace(mapped, slaves=(*mapped.slaves, dev))
    group = sorted(GROUP_TAGS).index(target) + 1 if (target := _target(host, disk)) in GROUP_TAGS else 1
    inside = replace(disk, dm=mapped.dm, dm_state="active", checker_state="ready", group=group)
    return replace(
        host,
        maps=tuple(grown if m.dm == mapped.dm else m for m in host.maps),
        paths=tuple(inside if p.dev == dev else p for p in host.paths),
    )


def _target(host: Host, disk: Path) -> str:
    return next((s.pair.target for s in host.sessions if s.sid == disk.sid), "")


def _name_of(host: Host, wwid: str) -> str:
    loaded = host.effective.loaded if host.effective else None
    return (loaded or {}).get(wwid, {}).get("alias", wwid)


def _multipath(host: Host, option: str, word: str) -> Host:
    assert option in ("-a", "-w", "-f")
    if option == "-f":
        return _flushed(host, word)
    return replace(host, registered=host.registered | {word} if option == "-a" else host.registered - {word})


def _flushed(host: Host, name: str) -> Host:
    mapped = next((m for m in host.maps if m.name == name), None)
    if mapped is None or mapped.open_count or any(u.dev == mapped.dm for u in host.users):
        return host
    paths = (
        replace(p, dm="", dm_state="", checker_state="", group=None) if p.dm == mapped.dm else p for p in host.paths
    )
    return replace(host, maps=tuple(m for m in host.maps if m.dm != mapped.dm), paths=tuple(paths))


def _multipathd(host: Host, words: tuple[str, ...]) -> Host:
    if not runs(host, "multipathd.service"):
        return host
    match words:
        case ("reconfigure", *_):
            return _reconfigured(host)
        case ("add", "path", dev):
            return _taken(host, dev) if any(p.dev == dev for p in host.paths) else host
        case ("del", "path", _) | ("disablequeueing" | "resize" | "resume", "map", _):
            return host
        case ("reinstate", "path", dev):
            paths = (replace(p, dm_state="active") if p.dev == dev and p.dm else p for p in host.paths)
            return replace(host, paths=tuple(paths))
        case ("fail", "path", dev):
            paths = (replace(p, dm_state="failed") if p.dev == dev and p.dm else p for p in host.paths)
            return replace(host, paths=tuple(paths))
    raise AssertionError(f"no pretend multipathd for {words}")


def _reconfigured(host: Host) -> Host:
    host = replace(host, effective=Effective(installed(host), installed(host)))
    for disk in host.paths:
        if disk.wwid in host.registered:
            host = _taken(host, disk.dev)
    return replace(host, maps=tuple(replace(m, name=_name_of(host, m.wwid)) for m in host.maps))
