"""What the kernel tells of a NIC beside its addresses: names, states, errors, rates; and tables under /proc/net."""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from mpio.errors import UnreadableOutput
from mpio.program import Run
from mpio.tools import ip
from mpio.tools.sysfs import CONF, Reader, number, word

NEIGHBOURS = ("ip", "-j", "neigh", "show")
CLASS = "/sys/class/net"
# What a bad cable, a bad transceiver or a wrong duplex makes grow, and what a card without room for what comes. Drops
# are none of these: every packet of a protocol that nobody here speaks is one.
ERRORS = (
    "rx_crc_errors",
    "rx_frame_errors",
    "rx_length_errors",
    "rx_errors",
    "tx_errors",
    "tx_carrier_errors",
    "rx_fifo_errors",
    "rx_missed_errors",
)
ARP_KEYS = ("arp_ignore", "arp_announce", "arp_filter")
REFUSED_BACK = "IPReversePathFilter"  # packets that rp_filter has dropped (TcpExt of /proc/net/netstat)
_RTF_GATEWAY, _RTF_REJECT = 0x2, 0x200  # of route.h
# struct tcp_info (linux/tcp.h): options, snd_mss, rcv_mss. Both count data alone, without the room of timestamps.
_SEGMENT = struct.Struct("=5xB10xII")
_TIMESTAMPS, _THEIR_ROOM = 0x1, 12
HEADERS = {4: 40, 6: 60}  # of IP and TCP, by version


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface, `addresses` with link-local ones. `permanent` is the card's own address where another is in
    use, `others` its further names. `kind` is the kernel's word for what is no plain NIC: bond, bridge, vlan.

    Only of NICs that matter is the rest known: `speed` Mbit/s, `downs` how often the carrier was lost, `errors` since
    the NIC is there, `settings` those of ARP as they count, max(all, own).
    """

    name: str
    index: int = 0
    hwaddress: str = ""
    permanent: str = ""
    others: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    up: bool = True
    operstate: str = "UP"
    mtu: int = 0
    ethernet: bool = True
    master: str = ""
    kind: str = ""
    carrier: bool | None = None
    rp_filter: tuple[int, int] | None = None  # conf/all, conf/NIC
    speed: int | None = None
    duplex: str = ""
    downs: int | None = None
    errors: Mapping[str, int] = field(default_factory=dict, hash=False)
    packets: int | None = None
    settings: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def strict(self) -> bool:
        return self.rp_filter is not None and max(self.rp_filter) == 1

    def has(self, address: str) -> bool:
        wanted = ipaddress.ip_address(address)
        return any(ipaddress.ip_interface(one).ip == wanted for one in self.addresses)

    def holds(self, address: str) -> bool:
        """Is the address in a subnet of the NIC's?"""
        wanted = ipaddress.ip_address(address)
        return any(wanted in ipaddress.ip_interface(one).network for one in self.addresses)

    def source(self, version: int) -> str:
        """An address of the NIC's own to ask from; empty for none."""
        found = (ipaddress.ip_interface(one).ip for one in self.addresses)
        return next((str(one) for one in found if one.version == version and not one.is_link_local), "")


def links(run: Run) -> tuple[Link, ...]:
    """Every interface, by number."""
    return parse_links(run(*ip.ADDRESSES).out)


def parse_links(text: str) -> tuple[Link, ...]:
    """`[{"ifindex": 2, "ifname": "eth1", "flags": ["UP", …], "mtu": 1500, "operstate": "UP", "link_type": "ether",
    "address": "da:22:…", "permaddr": …, "altnames": ["enp1s0"], "master": "bond0", "addr_info": […]}]`
    """
    found = (_link(said) for said in ip.objects(text) if said)
    return tuple(sorted(found, key=lambda link: link.index))


def _link(said: Mapping[str, object]) -> Link:
    name, index, flags, infos = (said.get(key) for key in ("ifname", "ifindex", "flags", "addr_info"))
    others, size = said.get("altnames"), said.get("mtu")
    if not isinstance(name, str) or not name or not isinstance(index, int):
        raise UnreadableOutput(str(said), "ip")
    words = {key: one if isinstance(one := said.get(key), str) else "" for key in _WORDS}
    return Link(
        name=name,
        index=index,
        hwaddress=words["address"].lower(),
        permanent=words["permaddr"].lower(),
        others=tuple(str(one) for one in others) if isinstance(others, list) else (),
        addresses=tuple(_cidrs(infos)) if isinstance(infos, list) else (),
        up=isinstance(flags, list) and "UP" in flags,
        operstate=words["operstate"],
        mtu=size if isinstance(size, int) else 0,
        ethernet=words["link_type"] == "ether",
        master=words["master"],
    )


_WORDS = ("address", "permaddr", "operstate", "link_type", "master")


def _cidrs(infos: Iterable[object]) -> Iterator[str]:
    for info in infos:
        if not isinstance(info, dict):
            raise UnreadableOutput(str(info), "ip")
        if info:
            try:
                yield str(ipaddress.ip_interface(f"{info['local']}/{int(info['prefixlen'])}"))
            except (KeyError, ValueError, TypeError, OverflowError) as error:
                raise UnreadableOutput(str(info), "ip") from error


def neighbours(run: Run) -> dict[tuple[str, str], str]:
    """Who of the host's neighbours has just answered: by address and NIC the hardware address, empty for nobody. What
    was only known from before is left out.
    """
    return parse_neighbours(run(*NEIGHBOURS).out)


def parse_neighbours(text: str) -> dict[tuple[str, str], str]:
    """`[{"dst": "10.10.8.90", "dev": "eth1", "lladdr": "e6:…", "state": ["REACHABLE"]}]`; FAILED has no lladdr."""
    found: dict[tuple[str, str], str] = {}
    for said in ip.objects(text):
        where, nic, mac, state = (said.get(key, "") for key in ("dst", "dev", "lladdr", "state"))
        if not (isinstance(where, str) and isinstance(nic, str) and isinstance(mac, str)):
            raise UnreadableOutput(str(said), "ip")
        now = state[0] if isinstance(state, list) and state else ""
        if where and nic and now in ("REACHABLE", "FAILED", "INCOMPLETE"):
            found[where, nic] = mac.lower() if now == "REACHABLE" else ""
    return found


def whole(read: Reader, link: Link) -> Link:
    """The link with what files say of it."""
    at, conf = f"{CLASS}/{link.name}", f"{CONF}/{link.name}"
    own, everywhere = number(read, f"{conf}/rp_filter"), number(read, f"{CONF}/all/rp_filter")
    counted = {name: number(read, f"{at}/statistics/{name}") for name in ERRORS}
    return replace(
        link,
        kind=kind(read, link.name),
        carrier={"1": True, "0": False}.get(word(read, f"{at}/carrier")),
        rp_filter=None if own is None else (everywhere or 0, own),
        # -1 where the driver does not know it, no answer while the NIC is down
        speed=said if (said := number(read, f"{at}/speed") or 0) > 0 else None,
        duplex=word(read, f"{at}/duplex"),
        downs=number(read, f"{at}/carrier_down_count"),
        errors={name: count for name, count in counted.items() if count},
        packets=number(read, f"{at}/statistics/rx_packets"),
        settings={
            key: max(number(read, f"{conf}/{key}") or 0, number(read, f"{CONF}/all/{key}") or 0) for key in ARP_KEYS
        },
    )


def received(read: Reader, name: str) -> int | None:
    """Bytes since the NIC is there."""
    return number(read, f"{CLASS}/{name}/statistics/rx_bytes")


def kind(read: Reader, name: str) -> str:
    """`DEVTYPE=bond` of its uevent; empty for a plain NIC."""
    lines = (read.text(f"{CLASS}/{name}/uevent") or "").splitlines()
    return next((line.partition("=")[2] for line in lines if line.startswith("DEVTYPE=")), "")


def largest(info: bytes, version: int) -> int:
    """The largest packet of a connection, IP header and all, by its tcp_info: that it may send, or has seen come; 0
    where the kernel does not tell.
    """
    if len(info) < _SEGMENT.size:
        return 0
    options, sends, takes = map(int, _SEGMENT.unpack_from(info))
    return max(sends, takes) + HEADERS[version] + (_THEIR_ROOM if options & _TIMESTAMPS else 0)


# -- /proc/net -----------------------------------------------------------------------------------------------------


def uptime(read: Reader) -> float:
    """Seconds; 0 where it is not told."""
    said = (read.text("/proc/uptime") or "").partition(" ")[0]
    return float(said) if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", said, re.ASCII) else 0.0


def refused_back(read: Reader) -> int:
    """How many packets rp_filter has dropped since the start, on all NICs together.

    TcpExt: SyncookiesSent … IPReversePathFilter …
    TcpExt: 0 … 17 …
    """
    rows = [line.split() for line in (read.text("/proc/net/netstat") or "").splitlines() if line.startswith("TcpExt:")]
    for names, values in pairwise(rows):
        said = dict(zip(names, values, strict=False)).get(REFUSED_BACK, "")
        if re.fullmatch(r"\d{1,20}", said, re.ASCII):
            return int(said)
    return 0


def gateways(read: Reader) -> frozenset[tuple[str, str]]:
    """(NIC, router) of every route of the main table."""
    four, six = read.text("/proc/net/route") or "", read.text("/proc/net/ipv6_route") or ""
    return frozenset({*_gateways_4(four), *_gateways_6(six)})


def _gateways_4(text: str) -> Iterator[tuple[str, str]]:
    """`eth0 00000000 0101A8C0 0003 …`: the gateway's bytes from the last to the first."""
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 3 and _hexadecimal(words[2], 8) and _by_gateway(words[3]):
            yield words[0], str(ipaddress.IPv4Address(bytes.fromhex(words[2])[::-1]))


def _gateways_6(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        words = line.split()
        if len(words) == 10 and _hexadecimal(words[4], 32) and _by_gateway(words[8]):
            yield words[9], str(ipaddress.IPv6Address(bytes.fromhex(words[4])))


def _by_gateway(flags: str) -> bool:
    said = int(flags, 16) if re.fullmatch("[0-9a-fA-F]{1,8}", flags) else 0
    return bool(said & _RTF_GATEWAY) and not said & _RTF_REJECT


def _hexadecimal(text: str, digits: int) -> bool:
    return re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", text) is not None


# -- what a NIC was called -----------------------------------------------------------------------------------------

LINK_FOLDERS = ("/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network")
RULES = "/etc/udev/rules.d"
SCRIPTS = "/etc/sysconfig/network-scripts"
MAC = re.compile(r"(?<![0-9a-fA-F:-])(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}(?![0-9a-fA-F:-])", re.ASCII)


def names_of(read: Reader, link: Link) -> frozenset[str]:
    """What udev has thought of as names for it: ID_NET_NAME_PATH=enp1s0 and its kind, in its database."""
    text = read.text(f"/run/udev/data/n{link.index}") or ""
    said = re.findall(r"(?m)^E:(?:ID_NET_NAME\w*|ID_NET_LABEL_ONBOARD)=(\S+)$", text, re.ASCII)
    return frozenset({*said, *link.others})


def named_by_files(read: Reader, name: str) -> tuple[tuple[str, str], ...]:
    """(file, hardware address) of every file of the host's that gives a NIC this name by its address: .link files of
    systemd, rules of udev, RHEL's ifcfg files.
    """
    paths = [f"{d}/{n}" for d in LINK_FOLDERS for n in read.names(d) if n.endswith(".link")]
    paths += [f"{RULES}/{n}" for n in read.names(RULES) if n.endswith(".rules")]
    paths += [f"{SCRIPTS}/{n}" for n in read.names(SCRIPTS) if n.startswith("ifcfg-")]
    texts = ((path, read.text(path) or "") for path in paths)
    return tuple((path, mac) for path, text in texts for mac in parse_naming(text, name))


def parse_naming(text: str, name: str) -> tuple[str, ...]:
    """The hardware addresses that such a file calls by this name. A rule of udev is one line; the others one NIC."""
    lines = [line.strip() for line in text.splitlines() if not line.strip().startswith(("#", ";"))]
    rules = [line for line in lines if "==" in line]
    named = re.compile(rf'(?:Name|NAME|DEVICE):?="?{re.escape(name)}"?')
    found: dict[str, None] = {}
    for part in rules or ["\n".join(lines)]:
        if any(named.fullmatch(token.strip()) for token in re.split(r"[,\n]", part)):
            found |= dict.fromkeys(mac.lower().replace("-", ":") for mac in MAC.findall(part))
    return tuple(found)
