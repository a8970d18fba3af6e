"""A site that describes a host as it is: its ifaces, records, sessions, maps and settings, and what no site can say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mpio import presets, sitewords
from mpio.errors import MpioError
from mpio.findings import Finding, finding
from mpio.host import Host, Iface, Pair, Portal
from mpio.plan import Plan, ground, maps
from mpio.plan.shape import ISCSID_CONF, MULTIPATH_DROP_IN, SYSCTL_DROP_IN
from mpio.plan.timeouts import settings_of_conf
from mpio.proposing import survey
from mpio.site import Chap, Site, SiteIface, SiteLun, Timeouts
from mpio.step import Part
from mpio.tools import iscsitrial, keyfile, multipath, multipathconf, sysctl

CHAP_FILE, CHAP_IN_FILE = "/etc/mpio/chap", "/etc/mpio/chap-in"
DISCOVERY_FILE, DISCOVERY_IN_FILE = "/etc/mpio/chap-discovery", "/etc/mpio/chap-discovery-in"
OWN = ("find_multipaths", "polling_interval")


@dataclass(frozen=True, slots=True)
class Adopted:
    """The site, the reasons for its comments, and what is to be told."""

    site: Site
    why: Mapping[str, str]
    findings: tuple[Finding, ...]


def of(host: Host, discovery: Mapping[Portal, Mapping[str, str]]) -> Adopted:
    """`discovery` are the settings of the discovery records, secrets masked. MpioError where there is nothing to
    describe.
    """
    said: list[Finding] = []
    found = tuple(_ifaces(host, said))
    names = {i.name for i in found}
    pairs = {p for p in _pairs(host) if p.iface in names}
    if not pairs:
        raise MpioError(
            "there is nothing to adopt: no iface that is bound to a NIC has a record or session",
            "mpio init without --adopt looks at the SAN instead",
        )
    said += _unsaid(host, names)
    site = Site(
        ifaces=found,
        portals=tuple(sorted({p.portal for p in pairs})),
        initiator=_initiator(host, said),
        targets=tuple(sorted({survey.glob(p.target) for p in pairs})),
        layout=_layout(host, found, pairs),
        rp_filter=_rp_filter(host),
        timeouts=_timeouts(host, names, said),
        find_multipaths=_default(host, "find_multipaths"),
    )
    interval = _default(host, "polling_interval")
    site = replace(site, polling_interval=int(interval) if interval and interval.isdecimal() else None)
    arp = "set" if ground.same_subnet(site, host) or _sets(host, "arp_ignore") else "keep"
    site = replace(site, arp=arp, luns=_luns(host, said))
    site, why = _multipath(host, site)
    site = _with_chap(host, site, discovery, said)
    return Adopted(site, {"multipath.preset": why, **_reasons(host, site)}, tuple(said))


def left(plan: Plan) -> tuple[Finding, ...]:
    """What the next plan would still change, by part: each with the reasons of its steps."""
    by_part: dict[Part, dict[str, None]] = {}
    for step in plan.steps:
        by_part.setdefault(step.part, {})[step.why] = None
    steps = (finding("MP221", f"the part {part}", "; ".join(whys)) for part, whys in by_part.items())
    return (*steps, *plan.refused)


# -- ifaces, pairs -------------------------------------------------------------------------------------------------


def _ifaces(host: Host, said: list[Finding]) -> Iterable[SiteIface]:
    """The ifaces that are used or mpio's own; one a NIC, for a site file has no more."""
    used = {p.iface for p in _pairs(host)}
    bound = [i for i in host.ifaces if i.transport == "tcp" and (i.nic or i.hwaddress)]
    taken: dict[str, str] = {}
    nics = {n.name for n in host.nics}
    for iface in bound:
        if iface.name not in used and not host.memory.has("iface", iface.name):
            continue
        nic = iface.nic or _by_address(host, iface)
        wrong = _cannot(iface, nic, nics) or (f"{nic} is bound by {taken[nic]} already" if nic in taken else "")
        if wrong:
            said.append(finding("MP221", f"the iface {iface.name}", wrong))
            continue
        if iface.hwaddress:
            detail = f"bound by its MAC address {iface.hwaddress}, which a site file does not do: bound to {nic} there"
            said.append(finding("MP221", f"the iface {iface.name}", detail))
        if iface.initiatorname:
            said.append(finding("MP221", f"the iface {iface.name}", f"has a name of its own: {iface.initiatorname}"))
        taken[nic] = iface.name
        yield SiteIface(iface.name, nic)


def _by_address(host: Host, iface: Iface) -> str:
    return next((n.name for n in host.nics if n.hwaddress.lower() == iface.hwaddress.lower()), "")


def _cannot(iface: Iface, nic: str, nics: set[str]) -> str:
    if not nic:
        return f"no NIC has its MAC address {iface.hwaddress}"
    if iface.name in nics:
        return "has the name of a NIC"
    try:
        sitewords.iface(iface.name)
        sitewords.nic(nic)
    except ValueError as error:
        return str(error)
    return ""


def _pairs(host: Host) -> set[Pair]:
    pairs = {n.pair for n in host.nodes} | {s.pair for s in host.sessions}
    return {p for p in pairs if not p.iface.startswith(iscsitrial.PREFIX)}


def _unsaid(host: Host, names: set[str]) -> Iterable[Finding]:
    """Sessions and records that no [[iface]] stands for."""
    for session in host.sessions:
        if session.pair.iface not in names and not session.pair.iface.startswith(iscsitrial.PREFIX):
            yield finding("MP221", f"session {session.sid}", f"{session.pair}: an iface that the file does not have")
    for iface, path in host.unread:
        yield finding("MP221", path, f"a record of {iface} whose portal is no numeric address")


def _layout(host: Host, ifaces: Iterable[SiteIface], pairs: set[Pair]) -> str:
    """`subnet` where every pair is in its NIC's subnet though the ifaces have portals outside."""
    nic_of = {i.name: host.nic(i.nic) for i in ifaces}

    def near(iface: str, portal: Portal) -> bool:
        nic = nic_of[iface]
        return nic is not None and nic.on_link(portal)

    outside = any(not near(name, p.portal) for name in nic_of for p in pairs)
    return "subnet" if outside and all(near(p.iface, p.portal) for p in pairs) else "mesh"


# -- settings ------------------------------------------------------------------------------------------------------


def _initiator(host: Host, said: list[Finding]) -> str | None:
    name = ground.initiator_name(host)
    try:
        return None if name is None else sitewords.initiator(name)
    except ValueError as error:
        said.append(finding("MP221", "the initiator name", f"{error}: the file leaves it out, the host keeps it"))
        return None


def _drop_in(host: Host) -> dict[str, set[str]]:
    """The settings of mpio's own sysctl.d file: last word of the key to its values."""
    found: dict[str, set[str]] = {}
    for line in sysctl.parse(SYSCTL_DROP_IN, host.files.get(SYSCTL_DROP_IN) or ""):
        if line.value is not None:
            found.setdefault(line.key.rpartition("/")[2], set()).add(line.value)
    return found


def _sets(host: Host, key: str) -> bool:
    return bool(_drop_in(host).get(key))


def _rp_filter(host: Host) -> int | None:
    """Only what mpio's own file sets: what somebody else set is kept, whoever sets it."""
    values = _drop_in(host).get("rp_filter", set())
    return int(next(iter(values))) if len(values) == 1 and values <= {"0", "2"} else None


def _timeouts(host: Host, names: set[str], said: list[Finding]) -> Timeouts:
    """What most records say; without records iscsid.conf."""
    conf = keyfile.values(host.files.get(ISCSID_CONF) or "")
    records = [n.settings for n in host.nodes if n.pair.iface in names]
    known = settings_of_conf(Site((), ()))
    values: dict[str, int] = {}
    for field, key in zip(Timeouts.__dataclass_fields__, known, strict=True):
        given = [r[key] for r in records if key in r] or [conf.get(key, known[key])]
        (most, count), *_ = Counter(given).most_common(1)
        if most.isdecimal() and int(most) >= 1:
            values[field] = int(most)
        else:
            said.append(finding("MP221", key, f"is {most}, which a site file does not say: {known[key]} there"))
        if count < len(given):
            said.append(finding("MP221", key, f"differs between records: {', '.join(sorted(set(given)))}"))
    return Timeouts(**values)


def _with_chap(host: Host, site: Site, discovery: Mapping[Portal, Mapping[str, str]], said: list[Finding]) -> Site:
    names = {i.name for i in site.ifaces}
    records = [n.settings for n in host.nodes if n.pair.iface in names]
    chap = _login(records, "node.session.auth", (CHAP_FILE, CHAP_IN_FILE), said)
    asked = [settings for portal, settings in discovery.items() if portal in site.portals]
    of_discovery = _login(asked, "discovery.sendtargets.auth", (DISCOVERY_FILE, DISCOVERY_IN_FILE), said)
    return replace(site, chap=chap, discovery_chap=of_discovery)


def _login(
    records: Iterable[Mapping[str, str]], prefix: str, files: tuple[str, str], said: list[Finding]
) -> Chap | None:
    """The names of the login that most of these records have; their secrets are not read."""
    logins = [
        (r[f"{prefix}.username"], r.get(f"{prefix}.username_in", "") if f"{prefix}.password_in" in r else "")
        for r in records
        if f"{prefix}.password" in r and f"{prefix}.username" in r
    ]
    if not logins:
        return None
    ((name, name_in), count), *_ = Counter(logins).most_common(1)
    if count < len(logins):
        said.append(finding("MP221", f"{prefix}.username", "records have several CHAP logins; a site file has one"))
    needed = files if name_in else files[:1]
    said.append(finding("MP222", ", ".join(needed), f"CHAP name {name}{f', and {name_in}' if name_in else ''}"))
    return Chap(name, files[0], name_in or None, files[1] if name_in else None)


# -- multipath -----------------------------------------------------------------------------------------------------


def _table(host: Host) -> multipath.Table:
    text = host.files.get(MULTIPATH_DROP_IN)
    return {} if text is None else multipath.table(multipathconf.parse(text, MULTIPATH_DROP_IN))


def _default(host: Host, key: str) -> str | None:
    return _table(host).get(("defaults", ""), {}).get(key)


def _luns(host: Host, said: list[Finding]) -> tuple[SiteLun, ...]:
    """Those of mpio's own drop-in, in its order, and every other map; a LUN in no map is told and left as it is."""
    found: dict[str, SiteLun] = {}
    for wwid, keywords in maps.entries(host).items():
        rest = {k: v for k, v in keywords.items() if k not in ("wwid", "alias")}
        found[wwid] = SiteLun(wwid, keywords.get("alias"), rest)
    for mapped in host.maps:
        if mapped.wwid in found:
            continue
        try:
            wwid = sitewords.wwid(mapped.wwid)
        except ValueError as error:
            said.append(finding("MP221", f"the map {mapped.name}", str(error)))
            continue
        found[wwid] = SiteLun(wwid, survey.alias(mapped.name, wwid) or None)
    bare = sorted({p.wwid for p in host.paths if p.wwid and not p.dm} - set(found))
    said += (finding("MP221", f"the LUN {wwid}", "is in no map: the file leaves it out") for wwid in bare)
    return tuple(found.values())


def _multipath(host: Host, site: Site) -> tuple[Site, str]:
    """The preset and keywords that mpio's drop-in was made of; without one the host's own files stay in force."""
    before = host.files.get(MULTIPATH_DROP_IN)
    if before is None:
        fits = survey.preset(survey.luns(host, {s.sid for s in host.sessions}))[0]
        return (
            replace(site, preset="none"),
            f'"none" adds no device entry: what the host\'s own files say stays in force. For these LUNs: "{fits}".',
        )
    for name, preset in presets.PRESETS.items():
        tried = replace(site, preset=name, multipath=_keywords(host, preset))
        if maps.drop_in(maps.wish(tried, host)[0]) == before:
            return tried, "what mpio's own drop-in was made of"
    return site, "mpio's own drop-in was made of something else: the default"


def _keywords(host: Host, preset: presets.Preset) -> dict[str, str]:
    """What the drop-in says besides this preset."""
    found: dict[str, str] = {}
    matched = {"vendor": preset.vendor, "product": preset.product}
    for (section, _), keywords in _table(host).items():
        if section in ("device", "overrides"):
            found |= {k: v for k, v in keywords.items() if {**preset.keywords, **matched}.get(k) != v}
    return {k: v for k, v in found.items() if k not in ("fast_io_fail_tmo", "dev_loss_tmo", *OWN)}


# -- words ---------------------------------------------------------------------------------------------------------


def _reasons(host: Host, site: Site) -> dict[str, str]:
    filters = ", ".join(f"{i.nic} {n.rp_filter}" for i in site.ifaces if (n := host.nic(i.nic)))
    found = {
        "san.targets": "Those that the host has records of. Without this key: every target discovered.",
        "timeouts": "As the records have them.",
        "lun": "The maps that are there.",
    }
    if site.rp_filter is None:
        found["network.rp_filter"] = f"Kept as the host has it, now (effective): {filters}."
    if same := ground.same_subnet(site, host):
        found["network.arp"] = "; ".join(f"{a} and {b} share {net}" for a, b, net in same)
    return found
