"""The site file that `init` writes: a Site and what there is to say of it, as commented TOML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mpio.host import Answer, Host, Portal
from mpio.plan import ground
from mpio.proposing import survey
from mpio.site import Chap, Site, SiteLun
from mpio.sitemistakes import dotted, quoted

HEAD = """\
# The wanted state of this host, proposed by `mpio init`. Read it, change what is not yours, then:
#
#   mpio preflight      what would stop or hurt, before anything is touched
#   mpio plan           the steps from the host to this file
#   mpio apply          carries them out
#   mpio verify         is the host as this file says?
#
# The file must not be writable by others. "#! " before a key leaves it out: take it away to set the key.
# `man mpio-site` has every key.
"""
NAMELESS = """\
While no LUN is named below, "yes": every LUN with two paths gets a map. With [[lun]] entries "keep" will do: the host's
own setting, "strict" as a rule, takes those alone."""
EXAMPLE = """\
# One [[lun]] for each LUN that is to have a name: /dev/mapper/ALIAS. The array's LU GUID tells the WWID.
#! [[lun]]
#! wwid = "3600144f0f484400000004e8685e70001"
#! alias = "hydra_apps-a01"
"""


@dataclass(frozen=True, slots=True)
class Words:
    """The reasons that stand as comments, each under the dotted key or table that it belongs to ("san.layout").

    `ifaces`, `portals` and `luns` have one a line of theirs, by name, portal and WWID. `keep` names tables that are
    written as keys left out.
    """

    of: Mapping[str, str] = field(default_factory=dict)
    ifaces: Mapping[str, str] = field(default_factory=dict)
    portals: Mapping[Portal, str] = field(default_factory=dict)
    luns: Mapping[str, str] = field(default_factory=dict)
    initiator: str = ""
    mtu: int | None = None


def reasons(site: Site, host: Host, luns: Iterable[survey.Lun], size: Callable[[int | None], str]) -> Words:
    """What the survey of a host and its SAN says of the site that came of it; `size` words a count of bytes."""
    seen = tuple(luns)
    nics = {i.name: host.nic(i.nic) for i in site.ifaces}
    far = any(nic and not nic.on_link(p) for nic in nics.values() for p in site.portals)
    across = "does not answer" if site.layout == "subnet" else "answers" if far else ""
    shared = [f"{a} and {b} share {net}" for a, b, net in ground.same_subnet(site, host)]
    return Words(
        of={
            "san.targets": "What the portals named. Without this key: every target discovered, also later ones.",
            "san.layout": f"A portal outside a NIC's own subnet {across} through it here." if across else "",
            "network.arp": "; ".join(shared),
            "multipath.preset": survey.preset(seen)[1],
            "multipath.find_multipaths": "" if seen else NAMELESS,
            "lun": "Aliases are names in /dev/mapper: change them before the first apply." if seen else "",
        },
        ifaces={name: " ".join(nic.addresses) for name, nic in nics.items() if nic},
        portals={p: _answer(site, host, p) for p in site.portals},
        luns={lun.wwid: _lun_words(lun, size(lun.size)) for lun in seen},
        initiator=ground.initiator_name(host) or "",
        mtu=min((nic.mtu for nic in nics.values() if nic and nic.mtu), default=None),
    )


def _answer(site: Site, host: Host, portal: Portal) -> str:
    met = {i.nic: host.probes.get((i.name, portal)) for i in site.ifaces}
    good = [nic for nic, answer in met.items() if answer is Answer.ANSWERED]
    bad = [f"{nic}: {answer}" for nic, answer in met.items() if answer not in (None, Answer.ANSWERED)]
    through = f"answers through {', '.join(good)}" if good else "does not answer"
    return f"{through} ({', '.join(bad)})" if bad else through


def _lun_words(lun: survey.Lun, size: str) -> str:
    """Seen over which targets and how many ways."""
    targets = {pair.target for pair in lun.shown}
    return (
        f"LUN {lun.number}, {size}, {lun.vendor} {lun.product}: "
        f"{len(lun.shown)} paths over {len(targets)} target{'s' * (len(targets) != 1)}"
    )


def text(site: Site, words: Words) -> str:
    """The whole file. `sitefile.parse` gives the site back, but for `watch`, of which nothing is known here."""
    parts = (
        HEAD,
        "format = 1\n",
        _initiator(site, words),
        _ifaces(site, words),
        _san(site, words),
        *(_chap(name, chap, words) for name, chap in (("chap", site.chap), ("discovery_chap", site.discovery_chap))),
        _network(site, words),
        _timeouts(site, words),
        _session(site),
        _multipath(site, words),
        _luns(site, words),
    )
    return "\n".join(part for part in parts if part)


def _initiator(site: Site, words: Words) -> str:
    says = "# The name that the array's host group knows. Absent: the host keeps the one that it has.\n"
    if site.initiator is not None:
        return f"{says}[initiator]\nname = {quoted(site.initiator)}\n"
    example = words.initiator or "iqn.2011-10.dom.prague:hydra"
    return f"{says}#! [initiator]\n#! name = {quoted(example)}\n"


def _ifaces(site: Site, words: Words) -> str:
    head = _comment(words.of.get("iface", "One for each NIC that leads to the SAN; sessions are bound to it."))
    blocks = (
        f"[[iface]]\nname = {quoted(i.name)}\nnic = {quoted(i.nic)}{_behind(words.ifaces.get(i.name, ''))}\n"
        for i in site.ifaces
    )
    return head + "\n".join(blocks)


def _san(site: Site, words: Words) -> str:
    lines = ["[san]\n", _comment("Where to ask for targets: numeric addresses. IPv6 in brackets: [fd00::90]:3260.")]
    lines.append(_list("portals", ((str(p), words.portals.get(p, "")) for p in site.portals)))
    if site.targets:
        lines.append(_comment(words.of.get("san.targets", "Only these. Without this key: every target discovered.")))
        lines.append(_list("targets", ((name, "") for name in site.targets)))
    else:
        lines.append(_comment("Only these targets (globs). Absent: every target that the portals name."))
        lines.append('#! targets = ["iqn.2011-09.dom.homer:*"]\n')
    lines.append(_comment('"mesh": every iface to every portal that it can reach. "subnet": only in its own subnet.'))
    lines.append(_comment(words.of.get("san.layout", "")))
    lines.append(f"layout = {quoted(site.layout)}\n")
    if site.exclude:
        shown = (str(p) if p.port else str(p).removesuffix(":0") for p in site.exclude)
        lines.append(_list("exclude", ((text, "") for text in shown)))
    return "".join(lines)


def _chap(name: str, chap: Chap | None, words: Words) -> str:
    if chap is None:
        return ""
    keys = ("username", "password_file", "username_in", "password_in_file")
    said = ((key, getattr(chap, key)) for key in keys)
    lines = "".join(f"{key} = {quoted(value)}\n" for key, value in said if value is not None)
    return _comment(words.of.get(f"san.{name}", "")) + f"[san.{name}]\n{lines}"


def _network(site: Site, words: Words) -> str:
    lines = ["[network]\n", _comment("0, 2 or keep. The kernel takes the larger of conf/all and the NIC's: 2 holds.")]
    lines.append(_comment(words.of.get("network.rp_filter", "")))
    lines.append(f"rp_filter = {_scalar('keep' if site.rp_filter is None else site.rp_filter)}\n")
    lines.append(_comment("Bytes that the NICs must have; checked, and the way to each portal is probed at that size."))
    lines.append(f"mtu = {site.mtu}\n" if site.mtu is not None else f"#! mtu = {words.mtu or 9000}\n")
    lines.append(_comment('"set" where two NICs share a subnet: ARP and source routes keep each NIC\'s traffic on it.'))
    lines.append(_comment(words.of.get("network.arp", "")))
    lines.append(f"arp = {quoted(site.arp)}\n")
    return "".join(lines)


def _timeouts(site: Site, words: Words) -> str:
    says = {
        "replacement": "how long a dead session holds I/O back before its paths fail",
        "noop_interval": "an idle session is pinged so often",
        "noop_timeout": "and is dead so long after a ping without answer",
        "login": "per attempt",
        "login_retries": "a dead portal holds boot up for login x login_retries",
    }
    head = _comment("Whole seconds.") + _comment(words.of.get("timeouts", ""))
    lines = (f"{key} = {getattr(site.timeouts, key)}{_behind(what)}\n" for key, what in says.items())
    return f"{head}[timeouts]\n{''.join(lines)}"


def _session(site: Site) -> str:
    lines = "".join(f"{quoted(key)} = {quoted(value)}\n" for key, value in site.session_keys.items())
    return f"# Raw keys for our node records.\n[session]\n{lines}" if lines else ""


def _multipath(site: Site, words: Words) -> str:
    lines = ["[multipath]\n", _comment('"nexenta-comstar", "sun-comstar", "generic-alua" or "none".')]
    lines.append(_comment(words.of.get("multipath.preset", "")))
    lines.append(f"preset = {quoted(site.preset)}\n")
    if site.multipath:
        lines.append(_comment("Keywords of a device section; they override the preset's."))
        lines += [f"{dotted((key,))} = {quoted(value)}\n" for key, value in site.multipath.items()]
    lines.append(_comment(words.of.get("multipath.find_multipaths", "")))
    find = site.find_multipaths
    lines.append(f"find_multipaths = {quoted('keep' if find is None else find)}\n")
    if site.polling_interval is not None:
        lines.append(f"polling_interval = {site.polling_interval}\n")
    return "".join(lines)


def _luns(site: Site, words: Words) -> str:
    head = _comment(words.of.get("lun", ""))
    if not site.luns:
        return head + EXAMPLE
    return head + "\n".join(_lun(lun, words) for lun in site.luns)


def _lun(lun: SiteLun, words: Words) -> str:
    keys: dict[str, str | int | None] = {"wwid": lun.wwid, "alias": lun.alias, "paths": lun.paths, **lun.keywords}
    lines = (f"{dotted((key,))} = {_scalar(value)}\n" for key, value in keys.items() if value is not None)
    return _comment(words.luns.get(lun.wwid, "")) + "[[lun]]\n" + "".join(lines)


def _scalar(value: str | int) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


def _list(key: str, items: Iterable[tuple[str, str]]) -> str:
    return f"{key} = [\n{''.join(_items(items))}]\n"


def _items(items: Iterable[tuple[str, str]]) -> Iterator[str]:
    for value, said in items:
        yield f"    {quoted(value)},{_behind(said)}\n"


def _comment(said: str) -> str:
    """Lines of comment. What came from an array or a file may hold anything but a line break or control character."""
    return "".join(f"# {_plain(line)}\n" for line in said.splitlines() if line.strip())


def _behind(said: str) -> str:
    return f"  # {_plain(said)}" if said else ""


def _plain(said: str) -> str:
    return "".join(c if c.isprintable() else " " for c in said).strip()[:600]
