"""Sites, and hosts that were whole once and had things happen to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import fakes
from hypothesis import strategies as st

from mpio import presets
from mpio.host import Host, Iface, Node, Pair, Portal, User
from mpio.memory import Memory
from mpio.plan.shape import INITIATOR_NAME, ISCSID_CONF, MULTIPATH_DROP_IN, SYSCTL_DROP_IN
from mpio.site import Site, SiteIface, SiteLun, Timeouts

Damage = Callable[[Host], Host]

# text that has hurt shell scripts, tables and monitoring before
HOSTILE = st.text(
    st.sampled_from("ab '\"`$\\|;&()<>*?!~#%\n\r\t\v\f\x00\x1b\x85\u2028=-{}[]é").filter(lambda c: c != "\x00"),
    max_size=20,
)

NICS = {"eth1": "10.10.8", "eth2": "10.10.9"}
IFACES = st.sampled_from(
    [
        (SiteIface("sw-iscsi-0", "eth1"), SiteIface("sw-iscsi-1", "eth2")),
        (SiteIface("sw-iscsi-1", "eth2"), SiteIface("sw-iscsi-0", "eth1")),
        (SiteIface("sw-iscsi-0", "eth1"),),
        (SiteIface("sw-iscsi-0", "eth2"), SiteIface("sw-iscsi-1", "eth1")),
        (SiteIface("san-a", "eth1"), SiteIface("sw-iscsi-1", "eth2")),
    ]
)
PORTALS = st.sampled_from([(fakes.PORTAL_8, fakes.PORTAL_9), (fakes.PORTAL_9, fakes.PORTAL_8), (fakes.PORTAL_8,)])
TARGETS = st.sampled_from([(), ("iqn.2011-09.dom.homer:*",), (fakes.HOMER_1,), ("*:02:*", "*:01:*")])
EXCLUDES = st.sampled_from([(), (), (fakes.PORTAL_9,), (Portal("10.10.8.90", 0),), (Portal("10.10.8.90", 3261),)])
LUN_KEYWORDS: st.SearchStrategy[dict[str, str]] = st.sampled_from(
    [{}, {"failback": "immediate"}, {"no_path_retry": "24"}]
)


@st.composite
def luns(draw: st.DrawFn) -> tuple[SiteLun, ...]:
    chosen = draw(st.lists(st.sampled_from(fakes.LUNS), unique=True, max_size=4))
    return tuple(
        SiteLun(wwid, draw(st.sampled_from([alias, alias, f"{alias}-b", None])), draw(LUN_KEYWORDS))
        for wwid, alias in chosen
    )


def sites() -> st.SearchStrategy[Site]:
    return st.builds(
        Site,
        ifaces=IFACES,
        portals=PORTALS,
        initiator=st.sampled_from([None, fakes.PRAGUE, fakes.STOCK_NAME]),
        targets=TARGETS,
        layout=st.sampled_from(["mesh", "mesh", "subnet"]),
        exclude=EXCLUDES,
        rp_filter=st.sampled_from([None, 0, 2]),
        arp=st.sampled_from(["keep", "set"]),
        timeouts=st.builds(Timeouts, st.integers(1, 60), st.integers(1, 9), st.integers(1, 9)),
        session_keys=st.sampled_from([{}, {"node.session.cmds_max": "256"}]),
        preset=st.sampled_from(sorted(presets.PRESETS)),
        multipath=st.sampled_from([{}, {"no_path_retry": "9"}, {"path_grouping_policy": "multibus"}]),
        find_multipaths=st.sampled_from([None, "strict"]),
        polling_interval=st.sampled_from([None, 7]),
        luns=luns(),
    )


@cache
def whole() -> Host:
    return fakes.guide_host()


def _nth(many: tuple[object, ...], number: int) -> int:
    return number % len(many) if many else -1


def fail_session(number: int) -> Damage:
    def happen(host: Host) -> Host:
        if not host.sessions:
            return host
        session = host.sessions[_nth(host.sessions, number)]
        paths = (
            replace(p, dm_state="failed" if p.dm else "", checker_state="faulty", device_state="transport-offline")
            if p.sid == session.sid
            else p
            for p in host.paths
        )
        sessions = (replace(s, state="FAILED") if s is session else s for s in host.sessions)
        return replace(host, sessions=tuple(sessions), paths=tuple(paths))

    return happen


def drop_session(number: int) -> Damage:
    def happen(host: Host) -> Host:
        if not host.sessions:
            return host
        gone = host.sessions[_nth(host.sessions, number)]
        devs = {p.dev for p in host.paths if p.sid == gone.sid}
        return replace(
            host,
            sessions=tuple(s for s in host.sessions if s is not gone),
            paths=tuple(p for p in host.paths if p.dev not in devs),
            maps=tuple(replace(m, slaves=tuple(d for d in m.slaves if d not in devs)) for m in host.maps),
        )

    return happen


def fail_path(number: int, checker: str) -> Damage:
    def happen(host: Host) -> Host:
        at = _nth(host.paths, number)
        paths = (
            replace(p, dm_state="failed" if p.dm else "", checker_state=checker) if i == at else p
            for i, p in enumerate(host.paths)
        )
        return replace(host, paths=tuple(paths))

    return happen


def drop_path(number: int) -> Damage:
    def happen(host: Host) -> Host:
        at = _nth(host.paths, number)
        gone = {p.dev for i, p in enumerate(host.paths) if i == at}
        maps = (replace(m, slaves=tuple(d for d in m.slaves if d not in gone)) for m in host.maps)
        return replace(host, paths=tuple(p for p in host.paths if p.dev not in gone), maps=tuple(maps))

    return happen


def drop_record(number: int) -> Damage:
    """By hand, past iscsiadm, as the guide has it: also under a live session."""

    def happen(host: Host) -> Host:
        at = _nth(host.nodes, number)
        return replace(host, nodes=tuple(n for i, n in enumerate(host.nodes) if i != at))

    return happen


def change_record(number: int) -> Damage:
    def happen(host: Host) -> Host:
        if not host.nodes:
            return host
        node = host.nodes[_nth(host.nodes, number)]
        old = host.files[node.path] or ""
        text = old.replace("node.startup = automatic", "node.startup = manual")
        settings = {**node.settings, "node.startup": "manual"}
        nodes = (replace(n, settings=settings) if n is node else n for n in host.nodes)
        return replace(host, nodes=tuple(nodes), files={**host.files, node.path: text})

    return happen


def lose_binding(number: int, hwaddress: str, nic: str) -> Damage:
    def happen(host: Host) -> Host:
        at = _nth(host.ifaces, number)
        ifaces = (replace(i, hwaddress=hwaddress, nic=nic) if at == n else i for n, i in enumerate(host.ifaces))
        return replace(host, ifaces=tuple(ifaces))

    return happen


def change_nic(number: int, **changes: object) -> Damage:
    def happen(host: Host) -> Host:
        at = _nth(host.nics, number)
        nics = (
            replace(n, **changes) if i == at else n  # type: ignore[arg-type]
            for i, n in enumerate(host.nics)
        )
        return replace(host, nics=tuple(nics))

    return happen


def drop_nic(number: int) -> Damage:
    return lambda host: replace(host, nics=tuple(n for i, n in enumerate(host.nics) if i != _nth(host.nics, number)))


def change_unit(number: int, active: str, enabled: str, load: str) -> Damage:
    def happen(host: Host) -> Host:
        at = _nth(host.units, number)
        units = (
            replace(u, active=active, enabled=enabled, load=load) if i == at else u for i, u in enumerate(host.units)
        )
        return replace(host, units=tuple(units))

    return happen


def change_file(path: str, text: str | None) -> Damage:
    return lambda host: replace(host, files={**host.files, path: text})


def forget_wwids(host: Host) -> Host:
    return replace(host, registered=frozenset())


def open_map(number: int, by_user: bool) -> Damage:
    def happen(host: Host) -> Host:
        if not host.maps:
            return host
        mapped = host.maps[_nth(host.maps, number)]
        if by_user:
            return replace(host, users=(*host.users, User(mapped.dm, "mount", "/srv")))
        return replace(host, maps=tuple(replace(m, open_count=1) if m is mapped else m for m in host.maps))

    return happen


def forget(host: Host) -> Host:
    """/var/lib/mpio lost: everything is somebody else's now."""
    return replace(host, memory=Memory())


def disown(number: int) -> Damage:
    def happen(host: Host) -> Host:
        made = sorted(host.memory.made)
        kept = frozenset(m for i, m in enumerate(made) if i != _nth(tuple(made), number))
        return replace(host, memory=replace(host.memory, made=kept))

    return happen


def disowned(kind: str, name: str) -> Damage:
    return lambda host: replace(host, memory=replace(host.memory, made=host.memory.made - {(kind, name)}))


def foreign_record(iface: str, portal: Portal) -> Damage:
    """A record of somebody else."""

    def happen(host: Host) -> Host:
        found = next(f for f in fakes.SAN.targets if f.portal == portal)
        pair = Pair(iface, portal, found.target)
        if host.node_of(pair):
            return host
        path = f"/etc/iscsi/nodes/{pair.target}/{portal.address},{portal.port},{found.tpgt}/{iface}"
        text = f"iface.iscsi_ifacename = {iface}\nnode.startup = manual\n# END RECORD\n"
        node = Node(pair, found.tpgt, path, {"iface.iscsi_ifacename": iface, "node.startup": "manual"})
        return replace(host, nodes=(*host.nodes, node), files={**host.files, path: text})

    return happen


def foreign_iface(host: Host) -> Host:
    if any(i.name == "san-a" for i in host.ifaces):
        return host
    return replace(host, ifaces=(*host.ifaces, Iface("san-a", "", "00:0c:29:94:5b:83")))


def change_recovery(number: int, value: int | None) -> Damage:
    def happen(host: Host) -> Host:
        at = _nth(host.sessions, number)
        sessions = (replace(s, recovery_tmo=value) if i == at else s for i, s in enumerate(host.sessions))
        return replace(host, sessions=tuple(sessions))

    return happen


NUMBERS = st.integers(0, 15)
GOING_DOWN: st.SearchStrategy[Damage] = st.one_of(
    st.builds(fail_session, NUMBERS),
    st.builds(drop_session, NUMBERS),
    st.builds(fail_path, NUMBERS, st.sampled_from(["faulty", "ready", "ghost", "undef"])),
    st.builds(drop_path, NUMBERS),
    st.builds(change_nic, NUMBERS, carrier=st.sampled_from([None, False])),
    st.builds(change_nic, NUMBERS, addresses=st.just(())),
    st.builds(drop_nic, NUMBERS),
)
CHANGES: st.SearchStrategy[Damage] = st.one_of(
    st.builds(drop_record, NUMBERS),
    st.builds(change_record, NUMBERS),
    st.builds(lose_binding, NUMBERS, st.just("00:0c:29:94:5b:84"), st.just("")),
    st.builds(lose_binding, NUMBERS, st.just(""), st.sampled_from(["", "eth1", "eth2", "eth9"])),
    st.builds(change_nic, NUMBERS, rp_filter_own=st.sampled_from([0, 1]), arp_ignore=st.sampled_from([0, 2])),
    st.builds(
        change_unit, NUMBERS, st.sampled_from(["active", "inactive", "failed"]), *map(st.just, ("disabled", "loaded"))
    ),
    st.builds(
        change_file, st.just(ISCSID_CONF), st.sampled_from([None, "", fakes.STOCK_ISCSID_CONF, "node.startup=x\n"])
    ),
    st.builds(change_file, st.just(INITIATOR_NAME), st.sampled_from([None, "", f"InitiatorName={fakes.STOCK_NAME}"])),
    st.builds(
        change_file,
        st.just(MULTIPATH_DROP_IN),
        st.sampled_from([None, "", "defaults {\n", 'multipaths {\n\tmultipath {\n\t\twwid "x"\n\t}\n}\n']),
    ),
    st.builds(change_file, st.just(SYSCTL_DROP_IN), st.sampled_from([None, "", "# x\n"])),
    st.builds(change_nic, NUMBERS, addresses=st.sampled_from([("10.10.8.14/24",), ("10.10.8.15/24", "fd00::15/64")])),
    st.just(forget_wwids),
    st.builds(open_map, NUMBERS, st.booleans()),
    st.just(forget),
    st.builds(disown, NUMBERS),
    st.builds(foreign_record, st.sampled_from(["default", "san-a", "sw-iscsi-0"]), PORTALS.map(lambda p: p[0])),
    st.just(foreign_iface),
    st.builds(change_recovery, NUMBERS, st.sampled_from([None, 0, 5, 120])),
)
MASKED: st.SearchStrategy[Damage] = st.builds(
    change_unit, NUMBERS, st.just("inactive"), st.just("masked"), st.sampled_from(["masked", "not-found"])
)


@st.composite
def hosts(draw: st.DrawFn, *, masked: bool = False, down: bool = True) -> Host:
    """The guide's host, bare or whole, after some misfortunes."""
    host = draw(st.sampled_from([whole(), whole(), whole(), fakes.bare_host()]))
    kinds = [CHANGES] + [GOING_DOWN] * down + [MASKED] * masked
    for happen in draw(st.lists(st.one_of(kinds), max_size=5)):
        host = happen(host)
    return host


def sans() -> st.SearchStrategy[fakes.San]:
    """Arrays that still show what they showed."""
    deaf = st.frozensets(
        st.tuples(st.sampled_from(sorted(NICS)), st.sampled_from([fakes.PORTAL_8, fakes.PORTAL_9])), max_size=2
    )
    return st.builds(fakes.San, deaf=deaf)
