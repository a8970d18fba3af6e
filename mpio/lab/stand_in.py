"""A SAN that answers to a site file: its portals, targets that its globs want, and its LUNs, in a guest."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count

from mpio import hearsay
from mpio.errors import UsageError
from mpio.host import Portal
from mpio.lab import san
from mpio.site import Chap, Site

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PREFIX = {4: 24, 6: 64}  # a site file does not tell how large its subnets are
FIRST_HOST = 20
FIRST_LUN = 10
UNNAMED = 2  # LUNs of a site that names none
INQUIRY = {"nexenta-comstar": ("NEXENTA", "COMSTAR"), "sun-comstar": ("SUN", "COMSTAR")}
OTHERS = ("LIO-ORG", "FILEIO")


def of(site: Site, secrets: Mapping[str, str]) -> san.San:
    """`secrets` are what stands in each password file that the site names. Raises UsageError for what LIO cannot show.

    Where there are fewer subnets than NICs, all of them hang on one switch; else each has a cable of its own, which
    carries every n-th subnet.
    """
    portals = tuple(p for p in site.portals if not hearsay.excludes(site, p))
    if not portals:
        raise UsageError("san.exclude leaves no portal to log in to", "leave one portal of san.portals out of it")
    nics = tuple(dict.fromkeys(i.nic for i in site.ifaces))
    nets = tuple(dict.fromkeys(_network(p) for p in portals))
    mtu = site.mtu or 1500
    taken = {p.address for p in portals}
    if len(nets) >= len(nics):
        bridge = None
        shares = [nets[number :: len(nics)] for number in range(len(nics))]
        links = tuple(
            san.Link(nic, f"san{n}", _own(n, share, taken), _ends(p for p in portals if _network(p) in share), mtu)
            for n, (nic, share) in enumerate(zip(nics, shares, strict=True))
        )
    else:
        bridge = san.Bridge("switch", _ends(portals))
        links = tuple(
            san.Link(nic, f"san{n}", _own(n, (nets[n % len(nets)],), taken), (), mtu) for n, nic in enumerate(nics)
        )
    return san.San(links, _targets(site, portals, secrets), _luns(site), _chap(site.discovery_chap, secrets), bridge)


def _network(portal: Portal) -> Network:
    return ipaddress.ip_network(f"{portal.address}/{PREFIX[portal.version]}", strict=False)


def _own(number: int, nets: tuple[Network, ...], taken: set[str]) -> tuple[str, ...]:
    """The NIC's address in each subnet, one that no portal has."""
    found = []
    for net in nets:
        address = next(str(a) for n in count(FIRST_HOST + number) if str(a := net[n]) not in taken)
        taken.add(address)
        found.append(f"{address}/{net.prefixlen}")
    return tuple(found)


def _ends(portals: Iterable[Portal]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{p.address}/{PREFIX[p.version]}" for p in portals))


def _targets(site: Site, portals: tuple[Portal, ...], secrets: Mapping[str, str]) -> tuple[san.Target, ...]:
    """One target is at every portal; of several each has portals of its own, as the guide's array has them."""
    names = tuple(dict.fromkeys(_name(glob, n) for n, glob in enumerate(site.targets or ("*",))))
    chap = _chap(site.chap, secrets)
    every = tuple(str(p) for p in portals)
    dealt = [(n % len(names), every[n % len(every)]) for n in range(max(len(names), len(every)))]
    of = [dict.fromkeys(p for number, p in dealt if number == n) for n in range(len(names))]
    return tuple(san.Target(name, tuple(of[n]) if len(names) > 1 else every, chap=chap) for n, name in enumerate(names))


def _name(glob: str, number: int) -> str:
    """A target that the glob wants."""
    tried = [f"iqn.2026-11.lab.mpio:target{number}", *_filled(glob)]
    found = next((name for name in tried if fnmatch.fnmatchcase(name, glob)), None)
    if found is None:
        raise UsageError(f"san.targets[{number}]: no target name was found that {glob!r} wants", "write it plainer")
    return found


def _filled(glob: str) -> Iterator[str]:
    for one in ("lab", "0", "x"):
        plain = re.sub(r"\[(?!!)(.)[^\]]*\]", r"\1", glob)
        yield re.sub(r"\[![^\]]*\]|\?", one[0], plain).replace("*", one)


def _luns(site: Site) -> tuple[san.Lun, ...]:
    if not site.luns:
        return san.luns(UNNAMED, FIRST_LUN, 64 * san.MIB)
    for number, lun in enumerate(site.luns):
        if not re.fullmatch("36[0-9a-f]{31}", lun.wwid):
            way = "rehearse a copy of the site file with a WWID of 36 and 31 hexadecimal digits there"
            raise UsageError(f"lun[{number}].wwid: the lab's SAN cannot show a LUN as {lun.wwid}", way)
    inquiry = INQUIRY.get(site.preset, OTHERS)
    return tuple(san.Lun(FIRST_LUN + n, lun.wwid, 64 * san.MIB, *inquiry) for n, lun in enumerate(site.luns))


def _chap(wanted: Chap | None, secrets: Mapping[str, str]) -> san.Chap | None:
    if wanted is None:
        return None
    back = secrets[wanted.password_in_file] if wanted.password_in_file else ""
    return san.Chap(wanted.username, secrets[wanted.password_file], wanted.username_in or "", back)


def secret_files(site: Site) -> tuple[str, ...]:
    """The files with passwords or alert URLs that the site names: a site is refused where one is missing."""
    named = [
        name
        for chap in (site.chap, site.discovery_chap)
        if chap
        for name in (chap.password_file, chap.password_in_file)
    ]
    named += [alert.url_file for alert in site.watch.alerts]
    return tuple(dict.fromkeys(name for name in named if name))
