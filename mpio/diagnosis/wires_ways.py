"""The ways to the portals: for each that is silent, the layer on which it ends; and what full packets meet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from mpio.diagnosis import wires_seen, wires_sharing
from mpio.diagnosis.wires_seen import Hole, Way, Wires
from mpio.findings import Finding, finding
from mpio.host import Answer, Host, Portal
from mpio.site import Site
from mpio.tools import sysctl
from mpio.tools.sysctl import Setting
from mpio.tools.wires import Link

LATER = "/etc/sysctl.conf"  # read by procps at boot where it is not linked into sysctl.d


def findings(site: Site | None, host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    yield from _strict(site, host, seen, nic_of)
    yield from _silent(site, host, seen, nic_of)
    yield from _routed(host, seen, nic_of)
    for hole in seen.holes:
        yield _hole(host, seen, nic_of, hole)


def _hole(host: Host, seen: Wires, nic_of: Mapping[str, str], hole: Hole) -> Finding:
    """TCP copes where the ends agreed on what the way between them takes, or routers have told what it takes."""
    packet = wires_seen.packet(wires_seen.of_pair(host, nic_of, hole.nic, hole.portal), seen.places)
    subject = f"{_iface(nic_of, hole.nic)} -> {hole.portal}"
    lost = f"{hole.lost} bytes with fragmentation forbidden are lost"
    if 0 < packet <= hole.passed:
        return finding("MP249", subject, f"{lost}, {hole.passed} arrive; packets of its sessions have {packet} at most")
    passed = f"{hole.passed} bytes arrive" if hole.passed > wires_seen.SMALL else "small packets arrive"
    return finding("MP217", subject, f"{lost}, {passed}")


# -- rp_filter -----------------------------------------------------------------------------------------------------


def _strict(site: Site | None, host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    for name in dict.fromkeys(nic_of.values()):
        link = seen.link(name)
        if link is None or link.rp_filter is None or not max(link.rp_filter):
            continue
        values = f"conf/all {link.rp_filter[0]}, conf/{name} {link.rp_filter[1]}"
        who = f"{values}; {_setter(host, link)}" if link.strict else values
        turned = _turned_away(host, seen, nic_of, link)
        if turned:
            before, after = seen.refused_back
            count = f"; {after - before} packets were dropped so just now" if after > before else ""
            yield finding("MP224", name, f"{who}; {'; '.join(turned)}{count}")
        elif link.strict and (site is None or site.rp_filter is not None):
            yield finding("MP223", name, who)


def _turned_away(host: Host, seen: Wires, nic_of: Mapping[str, str], link: Link) -> tuple[str, ...]:
    """The portals whose packets come in by this NIC and would be answered through another, or not at all."""
    pairs = {*wires_seen.alive(host, nic_of), *((way.nic, way.portal) for way in seen.ways)}
    found = []
    for nic, portal in sorted(pairs):
        back = seen.routes.get((portal.address, link.source(portal.version)))
        if nic == link.name and link.strict and back is not None and back.nic not in (nic, "lo"):
            found.append(f"what {portal.address} sends comes in here, and the host would send to it through {back.nic}")
    lost = [way for way in seen.ways if way.nic == link.name and _nowhere(seen, way, link)]
    for way in lost:
        gone = _gone(seen, way.portal)
        found.append(
            f"{way.portal.address} answers here, and the host has no route to it, which loose mode wants{gone}"
        )
    return tuple(dict.fromkeys(found))


def _gone(seen: Wires, portal: Portal) -> str:
    """The route that a NIC took along."""
    down = next((link.name for link in seen.links if not link.up and link.holds(portal.address)), "")
    return f": that of {down} went when it was set down" if down else ""


def _nowhere(seen: Wires, way: Way, link: Link) -> bool:
    """Bound to the NIC the host sends there on-link; but for rp_filter it has no way back (fib_validate_source)."""
    filtered = link.rp_filter is not None and max(link.rp_filter) > 0
    unknown = (way.portal.address, link.source(way.portal.version)) not in seen.routes
    return filtered and unknown and link.name in way.came and way.answer is Answer.SILENT and way.portal.version == 4


def _setter(host: Host, link: Link) -> str:
    """Which line of which file, or that it is none."""
    there = [p for p, text in host.files.items() if text is not None and p.rpartition("/")[0] in sysctl.DIRECTORIES]
    files = [(p, host.files[p] or "") for p in sysctl.in_force(there)]
    if LATER in host.files and host.files[LATER] is not None and not any(p.endswith("/99-sysctl.conf") for p in there):
        files.append((LATER, host.files[LATER] or ""))
    assert link.rp_filter is not None
    others = []
    for name, value in (("all", link.rp_filter[0]), (link.name, link.rp_filter[1])):
        line = _decides(files, name) if value == 1 else None
        if line is not None and line.value == str(value):
            return f"{line.path} line {line.line} sets {name}"
        others += [f"; {line.path} line {line.line} says {line.value}"] if line is not None else []
    return "no file of sysctl.d says so: it was set at run time" + "".join(others)


def _decides(files: list[tuple[str, str]], name: str) -> Setting | None:
    """A NIC that no line is about has begun with the value of conf/default."""
    own = sysctl.winner(files, sysctl.key_of(name, "rp_filter"))
    return own if own is not None or name == "all" else sysctl.winner(files, sysctl.key_of("default", "rp_filter"))


# -- silent portals ------------------------------------------------------------------------------------------------


def _silent(site: Site | None, host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    """One finding a portal where all that is asked there ends alike, one a pair else."""
    told: defaultdict[Portal, list[tuple[Way, str, str]]] = defaultdict(list)
    for way in seen.ways:
        if way.answer is not Answer.ANSWERED and way.nic in nic_of.values():
            told[way.portal].append((way, *_ends(site, seen, way)))
    carried = {portal for _, portal in wires_seen.alive(host, nic_of)}
    carried |= {way.portal for way in seen.ways if way.answer is Answer.ANSWERED}
    for portal, some in told.items():
        codes = {code for _, code, _ in some}
        if len(codes) == 1 and portal not in carried and codes != {""}:
            details = dict.fromkeys(detail for _, _, detail in some)
            nics = ", ".join(dict.fromkeys(way.nic for way, _, _ in some))
            yield finding(codes.pop(), f"portal {portal}", f"through {nics}: {'; '.join(details)}")
            continue
        for way, code, detail in some:
            if code:
                yield finding(code, f"{_iface(nic_of, way.nic)} -> {portal}", detail)


def _ends(site: Site | None, seen: Wires, way: Way) -> tuple[str, str]:
    """(code, detail) of the layer on which it ends; no code where others have said all, or nobody could look."""
    address = way.portal.address
    owner = next((link.name for link in seen.links if link.has(address)), "")
    if owner:
        return "MP236", f"{address} is the address of {owner} here"
    if any(router == address for _, router in seen.gateways):
        return "MP237", f"{address} is a router of this host; it is {way.answer} on port {way.portal.port}"
    if way.answer is Answer.NO_ROUTE and way.left is None:
        return "MP225", f"the kernel has no way to {address} through {way.nic}"
    link, route = seen.link(way.nic), seen.routes.get((address, way.nic))
    if link is None or way.left is None:
        return "", ""
    others = [nic for nic in way.came if nic != way.nic]
    if others and way.nic not in way.came:
        came = f"the answer of {way.portal} to {way.nic} came in on {', '.join(others)}"
        return "MP240", f"{came}{wires_sharing.bytes_of(seen, (way.nic,))}"
    if way.came and way.answer is not Answer.REFUSED:
        back = seen.routes.get((address, link.source(way.portal.version)))
        turned = (link.strict and back is not None and back.nic != way.nic) or _nowhere(seen, way, link)  # MP224
        detail = f"{way.portal} answers on {way.nic}, and the host does not take it in{_rules(seen, way)}"
        return "" if turned else "MP241", detail
    if way.left and way.answer is Answer.REFUSED:  # by a reset, or by an ICMP message of a filter's over there
        return "" if site is not None else "MP211", f"{way.portal} refuses"
    return _unanswered(seen, way, link, route.gateway if route is not None else "")


def _unanswered(seen: Wires, way: Way, link: Link, gateway: str) -> tuple[str, str]:
    """Nothing came back: was anything sent, and was anybody there to take it?"""
    address = way.portal.address
    claims = seen.claims.get((way.nic, gateway or address))
    asked = "ARP" if way.portal.version == 4 else "neighbour discovery"
    # Of IPv6 only the kernel's own entry is known, which is half a minute old at most.
    there = f"{claims[0]} answers ARP" if claims and asked == "ARP" else f"{(claims or ('',))[0]} was there just now"
    if claims == () and not gateway and _far(seen, link, address):
        return "MP225", (
            f"{address} is in no subnet of {way.nic} ({', '.join(link.addresses)}) and no route leads there through "
            f"it: it is looked for on that very wire, where nobody answers {asked} for it"
        )
    if claims == ():
        whom = f"the router {gateway}" if gateway else address
        return "MP238", f"carrier is there, and nobody answers {asked} for {whom} on {way.nic}"
    if claims and not way.left:
        return "MP241", f"{there}, and the connect never left {way.nic}{_rules(seen, way)}"
    if claims is None and not way.left and link.ethernet and way.portal.version == 4:
        return "MP241", f"neither the connect nor an ARP probe left {way.nic}{_rules(seen, way)}"
    if claims and way.left:
        beyond = f" through the router {gateway}" if gateway else ""
        return "MP239", f"{there}{beyond}, the connect left {way.nic}, and nothing came back"
    return "", ""


def _far(seen: Wires, link: Link, address: str) -> bool:
    """Is the portal in no subnet of the NIC's while it is another NIC's neighbour, or nobody's?"""
    if link.holds(address):
        return False
    near = [other for other in seen.links if other.holds(address)]
    return not near or any(seen.claims.get((other.name, address), (link.name,)) for other in near)


def _rules(seen: Wires, way: Way) -> str:
    """The rules of the firewall that may be it."""
    port, address = str(way.portal.port), way.portal.address
    found = [r for r in seen.firewall if any(word in r for word in (f"port {port}", address, f'"{way.nic}"', "policy"))]
    return f"; {'; '.join(found[:3])}" if found else "; no rule of nft names it: look at `tc qdisc show`, too"


def _routed(host: Host, seen: Wires, nic_of: Mapping[str, str]) -> Iterator[Finding]:
    for nic, portal in wires_seen.alive(host, nic_of):
        route = seen.routes.get((portal.address, nic))
        if route is not None and route.gateway:
            yield finding("MP242", f"{_iface(nic_of, nic)} -> {portal}", f"through the router {route.gateway}")


def _iface(nic_of: Mapping[str, str], nic: str) -> str:
    return next((iface for iface, name in nic_of.items() if name == nic), nic)
