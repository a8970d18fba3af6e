"""What frames and packets do on the way to the portals: the NICs, the neighbours, and how far a connect comes.

A host on which all is well pays for one `ip addr`, some files, an echo and an ARP probe a pair, and the third of a
second in which others could answer. Where a portal is silent or a session down, it is asked again and watched; where
NICs may take what is for each other, some blocks are read over each.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations

from mpio import run, sockets
from mpio.diagnosis import wires as diagnosed
from mpio.diagnosis import wires_seen, wires_sharing
from mpio.diagnosis.wires_seen import Place, Way, Wires
from mpio.errors import MpioError
from mpio.host import Host, Portal, Session
from mpio.machine import Machine
from mpio.observe import wires_ask, wires_reads
from mpio.observe.wires_ask import Question
from mpio.site import Site
from mpio.tools import ip, nft, wires
from mpio.tools.ip import Route
from mpio.tools.wires import Link

PATIENT = 1.0  # seconds, where something is wrong
Pairs = tuple[tuple[str, Portal], ...]
Routes = Mapping[tuple[str, str], Route]


def look(machine: Machine, site: Site | None, host: Host) -> Wires:
    if site is None and not wires_seen.used_ifaces(host):
        return Wires()
    read = machine.files
    every = wires.links(machine.run)
    places = _places(host.sessions, every)
    nic_of = wires_seen.nics(site, host, every, places)
    named = set(nic_of.values())
    near = named | {link.master for link in every if link.name in named}
    links = {link.name: wires.whole(read, link) if link.name in near else link for link in every}
    missing = sorted(named - links.keys() - {""})
    seen = Wires(
        links=tuple(links.values()),
        places=places,
        gateways=wires.gateways(read),
        namings={name: wires.named_by_files(read, name) for name in missing},
        known_as={link.name: wires.names_of(read, link) for link in every} if missing else {},
        sources=_sources(machine, [links[name] for name in named & links.keys()]),
        uptime=wires.uptime(read),
    )
    asked = _asked(machine, site, host, (seen, {nic: links[nic] for nic in named & links.keys()}, nic_of))
    if not any(found.code in wires_sharing.DOUBTFUL for found in diagnosed.findings(site, host, None, asked)):
        return asked
    return replace(asked, reads=wires_reads.made(machine, host, nic_of, asked))


def _asked(
    machine: Machine, site: Site | None, host: Host, known: tuple[Wires, Mapping[str, Link], Mapping[str, str]]
) -> Wires:
    """With what the wire itself answers."""
    seen, links, nic_of = known
    quiet = _speaking(wires_seen.silent(site, host, nic_of), links)
    lively = _speaking(wires_seen.alive(host, nic_of), links)
    routes = _routes(machine, seen, links, (quiet, lively))
    troubled = bool(quiet) or any(not s.logged_in for s in wires_seen.sessions(host, nic_of))
    questions = _questions(links, routes, (*quiet, *lively))
    sizes = {} if site is not None and site.mtu is not None else {at: links[at[0]].mtu for at in lively}
    used = {at: wires_seen.packet(wires_seen.of_pair(host, nic_of, *at), seen.places) for at in sizes}
    before = wires.refused_back(machine.files)
    with ThreadPoolExecutor(max_workers=2) as beside:
        claims = beside.submit(wires_ask.claims, questions, PATIENT if troubled else wires_ask.ROUND)
        holes = beside.submit(wires_ask.holes, sizes, used)
        ways = wires_ask.ways(quiet) if quiet else ()
    after = wires.refused_back(machine.files) if quiet else before
    answered = claims.result() | _neighbours(machine, ways, routes)
    return replace(
        seen,
        ways=ways,
        claims=answered,
        routes=routes,
        holes=holes.result(),
        refused_back=(before, after),
        firewall=_firewall(machine) if any(wires_seen.held_here(way) for way in ways) else (),
    )


def _speaking(pairs: Pairs, links: Mapping[str, Link]) -> Pairs:
    """Those whose NIC can send at all. What is wrong with the others the NIC itself says."""
    return tuple(
        (nic, portal)
        for nic, portal in pairs
        if (link := links.get(nic)) is not None and link.carrier and link.source(portal.version)
    )


def _routes(machine: Machine, seen: Wires, links: Mapping[str, Link], asked: tuple[Pairs, Pairs]) -> Routes:
    """Where a NIC has a router, by which way it goes to what is in no subnet of its own; where its rp_filter is strict
    or a portal silent, by which NIC the host itself would send to who is heard there (fib_validate_source).
    """
    quiet, lively = asked
    routed = {nic for nic, _ in seen.gateways}
    far = {(p.address, nic, "") for nic, p in (*quiet, *lively) if nic in routed and not links[nic].holds(p.address)}
    doubtful = {*quiet, *(pair for pair in lively if links[pair[0]].strict)}
    back = {(p.address, "", links[nic].source(4)) for nic, p in doubtful if p.version == 4}
    return ip.ways(machine.run, sorted(far | back)) if far or back else {}


def _questions(links: Mapping[str, Link], routes: Routes, pairs: Pairs) -> tuple[Question, ...]:
    """Who else has the NICs' own addresses, and who those of the portals, or of the routers to them."""
    able = {nic: link for nic, link in links.items() if link.ethernet and link.carrier and link.hwaddress}
    found = [
        Question(nic, link.hwaddress, str(one))
        for nic, link in able.items()
        for one in (ipaddress.ip_interface(address).ip for address in link.addresses)
        if one.version == 4
    ]
    for nic, portal in pairs:
        if nic in able and portal.version == 4:
            way = routes.get((portal.address, nic))
            next_one = way.gateway if way is not None and way.gateway else portal.address
            found.append(Question(nic, able[nic].hwaddress, next_one, able[nic].source(4)))
    return tuple(dict.fromkeys(found))


def _neighbours(machine: Machine, ways: Iterable[Way], routes: Routes) -> dict[tuple[str, str], tuple[str, ...]]:
    """The same for IPv6, which no frames of ours ask: what the kernel has learned by the connects."""
    six = [way for way in ways if way.portal.version == 6]
    if not six:
        return {}
    known = wires.neighbours(machine.run)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for way in six:
        route = routes.get((way.portal.address, way.nic))
        where = route.gateway if route is not None and route.gateway else way.portal.address
        mac = known.get((where, way.nic))
        if mac is not None:
            found[way.nic, where] = (mac,) if mac else ()
    return found


def _places(sessions: Iterable[Session], links: Iterable[Link]) -> dict[int, Place]:
    """Two sessions to one portal may have the same port here: then only one that is where it should be is known."""
    try:
        found = sockets.candidates(tuple(sessions))
    except MpioError:
        return {}
    names = {link.index: link.name for link in links} | {0: ""}
    nics = {s.sid: s.nic for s in sessions}
    places: dict[int, Place] = {}
    for sid, some in found.items():
        mine = [one for one in some if names.get(one.bound) == nics[sid]] or (list(some) if len(some) == 1 else [])
        if mine:
            one = mine[0]
            here = socket.inet_ntop(one.family, one.here)
            places[sid] = Place(names.get(one.bound, f"interface number {one.bound}"), here, _packet(one))
    return places


def _packet(one: sockets.Found) -> int:
    if len(one.info) < sockets.TCP_INFO.size or sockets.parse_info(one).stuck:
        return 0
    return wires.largest(one.info, 4 if one.family == socket.AF_INET else 6)


def _sources(machine: Machine, links: Iterable[Link]) -> frozenset[str]:
    """The addresses and prefixes that have a rule of their own, where NICs share a subnet."""
    nets = [{ipaddress.ip_interface(one).network for one in link.addresses} for link in links]
    shared = {net for a, b in combinations(nets, 2) for net in a & b if not net.is_link_local}
    versions = sorted({net.version for net in shared})
    return frozenset(rule.source for version in versions for rule in ip.rules(machine.run, version))


def _firewall(machine: Machine) -> tuple[str, ...]:
    if run.missing((nft.PROGRAM,)):
        return ()
    return nft.parse_drops(machine.run(*nft.LIST, ok=None).out)
