"""What a host and its SAN suggest for a site file: which NICs, which portals, which layout, what to call the LUNs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

from mpio import choose, hearsay, sitewords, topology
from mpio.errors import UnknownName, UsageError
from mpio.findings import Finding, finding
from mpio.host import Answer, Host, Iface, Pair, Path, Portal
from mpio.plan import ground
from mpio.site import Site, SiteIface, SiteLun
from mpio.tools import cards
from mpio.tools.cards import Card
from mpio.tools.iscsierr import Code

IFACE = "sw-iscsi-{}"  # the guide's names
KINDS = {
    "loopback": "is the loopback",
    "bridge": "is a bridge",
    "wireless": "is wireless: a storage path must not depend on the air",
    "tunnel": "is a tunnel or no Ethernet device",
    "guest": "belongs to a container or virtual machine",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a NIC is proposed; `why` says why not, and for one that is what may be wrong with it."""

    card: Card
    taken: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Lun:
    """A LUN that sessions show: `number` its lowest LUN number, `shown` by these pairs, `alias` the proposal."""

    wwid: str
    number: int
    size: int | None
    vendor: str
    product: str
    shown: tuple[Pair, ...]
    alias: str = ""


# -- NICs ----------------------------------------------------------------------------------------------------------


def nics(found: Iterable[Card], named: Collection[str] = ()) -> tuple[Verdict, ...]:
    """A verdict on each NIC; where some were `named` those alone are taken. UnknownName, UsageError."""
    known = {c.name: c for c in found}
    for name in named:
        if name not in known:
            near = choose.nearest(name, known)
            raise UnknownName(f"there is no NIC {name!r}", f"did you mean {', '.join(near)}?")
        if wrong := _unsayable(name):
            raise UsageError(wrong, "mpio init --nic eth1 --nic eth2")
        if known[name].kind == "loopback":
            raise UsageError(f"{name} is the loopback: no SAN is there", "mpio init --nic eth1 --nic eth2")
    if not named:
        return tuple(Verdict(c, not (why := _against(c)), why) for c in known.values())
    order = {name: place for place, name in enumerate(dict.fromkeys(named))}
    chosen = sorted((known[name] for name in order), key=lambda c: order[c.name])
    rest = (c for name, c in known.items() if name not in order)
    return (
        *(Verdict(c, taken=True, why=_against(c)) for c in chosen),
        *(Verdict(c, taken=False, why=_against(c) or "not named") for c in rest),
    )


def _against(card: Card) -> str:
    """Why not this one: the first reason that holds."""
    lacp = "an LACP bond" if card.mode == cards.LACP else f"a bond ({card.mode or 'of an unknown mode'})"
    bond = f"is {lacp} of {', '.join(card.members) or 'no NIC'}: multipath over the bare NICs serves iSCSI better"
    reasons = (
        (card.kind in KINDS, KINDS.get(card.kind, "")),
        (bool(card.master), f"is a member of {card.master}"),
        (card.kind == "bond", bond),
        (card.carrier is None, "is down"),
        (not card.addresses, "has no address"),
        (card.default, "carries the default route"),
        (card.carrier is False, "has no carrier"),
    )
    return next((why for holds, why in reasons if holds), "") or _unsayable(card.name)


def _unsayable(name: str) -> str:
    try:
        sitewords.nic(name)
    except ValueError as error:
        return str(error)
    return ""


def ifaces(chosen: Iterable[str], there: Iterable[Iface] = ()) -> tuple[SiteIface, ...]:
    """An iface for each NIC: one that is bound to it already, else the guide's next name that nobody has."""
    nics = tuple(chosen)
    bound = {i.nic: i.name for i in there if i.nic in nics and not i.hwaddress and _may_be_called(i.name, nics)}
    taken = {i.name for i in there} | {*nics}
    free = (name for number in count() if (name := IFACE.format(number)) not in taken)
    return tuple(SiteIface(bound.get(nic) or next(free), nic) for nic in nics)


def _may_be_called(name: str, nics: Collection[str]) -> bool:
    try:
        return sitewords.iface(name) not in nics
    except ValueError:
        return False


def portals(words: Iterable[str]) -> tuple[Portal, ...]:
    """The portals that these words name, each once. UsageError for every word that is none."""
    found: dict[Portal, None] = {}
    mistakes = []
    for word in words:
        try:
            found[sitewords.portal(word)] = None
        except ValueError as error:
            mistakes.append(str(error))
    if mistakes:
        raise UsageError("\n".join(mistakes), "mpio init --portal 10.10.8.90 --portal 10.10.9.90:3260")
    return tuple(found)


# -- what the SAN answered -----------------------------------------------------------------------------------------


def answering(host: Host) -> frozenset[Portal]:
    return frozenset(portal for (_, portal), met in host.probes.items() if met is Answer.ANSWERED)


def reachable(site: Site, host: Host) -> dict[Pair, int]:
    """The pairs that could log in, with their tpgt: named by a portal, answered a connect, wanted by the layout."""
    return {
        pair: tpgt
        for pair, tpgt in topology.pairs(site, host).planned.items()
        if host.probes.get((pair.iface, pair.portal)) is Answer.ANSWERED
    }


def settled(site: Site, host: Host) -> Site:
    """The site with what the SAN said: every portal that answers and is named, its targets, layout and ARP."""
    found = hearsay.taken(site, host)
    alive = answering(host)
    more = sorted({f.portal for f in found if f.portal in alive} - {*site.portals})
    return replace(
        site,
        portals=(*site.portals, *more),
        targets=tuple(sorted({glob(f.target) for f in found})),
        layout=layout(site, host),
        arp="set" if ground.same_subnet(site, host) else "keep",
    )


def glob(target: str) -> str:
    """The target's name as a site file may have it: a character that has no place there is any one."""
    return re.sub(r"[^A-Za-z0-9.:_-]", "?", target)


def layout(site: Site, host: Host) -> str:
    """`subnet` where nothing answers outside a NIC's own subnets and each NIC has a portal inside; else `mesh`."""
    near: set[str] = set()
    far: list[Answer] = []
    of = {i.name: host.nic(i.nic) for i in site.ifaces}
    for (name, portal), met in host.probes.items():
        nic = of.get(name)
        if nic is None:
            continue
        if not nic.on_link(portal):
            far.append(met)
        elif met is Answer.ANSWERED:
            near.add(name)
    return "subnet" if far and Answer.ANSWERED not in far and near == set(of) else "mesh"


def findings(host: Host, verdicts: Iterable[Verdict]) -> Iterator[Finding]:
    """What there is to say of NICs and portals besides the answers."""
    taken = [v for v in verdicts if v.taken]
    for verdict in verdicts:
        if verdict.card.kind == "bond":
            yield finding("MP219", f"the NIC {verdict.card.name}", f"of {', '.join(verdict.card.members) or 'no NIC'}")
    if len(taken) == 1:
        yield finding("MP220", taken[0].card.name)
    for asked in host.asked:
        if not asked.found and asked.code in (Code.SUCCESS, Code.NO_OBJS_FOUND):
            yield finding("MP215", f"portal {asked.portal}", "it names none at all")


# -- LUNs ----------------------------------------------------------------------------------------------------------


def luns(host: Host, sids: Collection[int]) -> tuple[Lun, ...]:
    """The LUNs that these sessions show, by number, each with a name of its own. Disks without a WWID are left out."""
    over = {s.sid: s.pair for s in host.sessions if s.sid in sids}
    by_wwid: dict[str, list[Path]] = {}
    for path in host.paths:
        if path.wwid and path.sid in over:
            by_wwid.setdefault(path.wwid, []).append(path)
    found = [
        Lun(
            wwid,
            min(p.lun for p in paths),
            next((p.size for p in paths if p.size is not None), None),
            paths[0].vendor,
            paths[0].product,
            tuple(sorted({over[p.sid] for p in paths})),
        )
        for wwid, paths in by_wwid.items()
    ]
    return _named(host, sorted(found, key=lambda lun: (lun.number, lun.wwid)))


def _named(host: Host, found: list[Lun]) -> tuple[Lun, ...]:
    """A map's own name is kept; else lunN, with the target's name before it where two LUNs have one number."""
    maps = {m.wwid: m.name for m in host.maps}
    taken = {m.name for m in host.maps if m.wwid not in {lun.wwid for lun in found}}
    numbers = [lun.number for lun in found]
    named = []
    for lun in found:
        plain = f"lun{lun.number}"
        wish = plain if numbers.count(lun.number) == 1 else f"{_short(lun.shown)}-{plain}"
        own = alias(maps.get(lun.wwid, ""), lun.wwid)
        name = own if own and own not in taken else _free(wish, taken)
        taken.add(name)
        named.append(replace(lun, alias=name))
    return tuple(named)


def alias(name: str, wwid: str = "") -> str:
    """The name, if a site file may give it; a map that has none of its own is called by its WWID."""
    try:
        return "" if name == wwid else sitewords.alias(name)
    except ValueError:
        return ""


def _short(shown: tuple[Pair, ...]) -> str:
    """What is particular in the target's name: the first word behind its domain, or the domain's last."""
    domain, _, rest = shown[0].target.partition(":")
    word = rest.partition(":")[0] or domain.rpartition(".")[2]
    return re.sub(r"[^a-z0-9_-]+", "-", word.lower()).strip("-_")[:40] or "target"


def _free(wish: str, taken: Collection[str]) -> str:
    number = 2
    name = wish
    while name in taken:
        name, number = f"{wish}-{number}", number + 1
    return name


def with_luns(site: Site, found: Collection[Lun]) -> Site:
    """The site with these LUNs. Without any, multipath is to take what it finds: `strict` would take nothing."""
    named = tuple(SiteLun(lun.wwid, lun.alias) for lun in found)
    return replace(site, luns=named, preset=preset(found)[0], find_multipaths=None if named else "yes")


def preset(found: Collection[Lun]) -> tuple[str, str]:
    """A preset by what most LUNs say of themselves, and the reason."""
    if not found:
        return Site((), ()).preset, "no LUN was looked at: this is the default. `mpio init --login` looks"
    said = [(lun.vendor, lun.product) for lun in found]
    vendor, product = max(dict.fromkeys(said), key=said.count)
    others = sorted({f"{v} {p}" for v, p in said} - {f"{vendor} {product}"})
    more = f"; others are {', '.join(others)}" if others else ""
    return PRESETS.get((vendor, product), "generic-alua"), f"the LUNs are {vendor} {product}{more}"


PRESETS: Mapping[tuple[str, str], str] = {
    ("NEXENTA", "COMSTAR"): "nexenta-comstar",
    ("SUN", "COMSTAR"): "sun-comstar",
}
