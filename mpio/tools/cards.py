"""What each network interface is, from the kernel's files: which of them could carry a storage network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mpio.tools import sysfs
from mpio.tools.sysfs import Reader

CLASS = "/sys/class/net"
LACP = "802.3ad"
# ARPHRD_ of if_arp.h: Ethernet and InfiniBand carry iSCSI; tunnels and PPP have numbers of their own
_LOOPBACK, _ETHERNET, _INFINIBAND = 772, 1, 32
# Names that virtual machines and containers give to the host's end of their cable. A veth of another name may be
# anybody's.
_GUESTS = re.compile(r"(?:veth|vnet|vif|cali|lxc|cni|docker|virbr|br-)[\w.-]*", re.ASCII)
_RTF_REJECT = 0x200  # of route.h: the route says that there is none


@dataclass(frozen=True, slots=True)
class Card:
    """A network interface. `kind` is loopback, bridge, bond, wireless, tunnel, guest, other, or empty for a NIC;
    `mode` a bond's mode, with its `members`; `default` whether a default route leaves through it.
    """

    name: str
    kind: str = ""
    addresses: tuple[str, ...] = ()
    carrier: bool | None = None
    mtu: int = 0
    master: str = ""
    mode: str = ""
    members: tuple[str, ...] = ()
    default: bool = False


def cards(read: Reader, addresses: Mapping[str, tuple[str, ...]]) -> tuple[Card, ...]:
    """Every interface but what is no device. `addresses` come from `ip.addresses`."""
    leaves = default_routes(read)
    return tuple(_card(read, name, addresses.get(name, ()), name in leaves) for name in sysfs.nic_names(read))


def _card(read: Reader, name: str, addresses: tuple[str, ...], default: bool) -> Card:
    at = f"{CLASS}/{name}"
    return Card(
        name=name,
        kind=_kind(read, name),
        addresses=addresses,
        carrier=sysfs.carrier(read, name),
        mtu=sysfs.number(read, f"{at}/mtu") or 0,
        master=read.target(f"{at}/master").rpartition("/")[2],
        # `802.3ad 4`: the word and its number
        mode=sysfs.word(read, f"{at}/bonding/mode").partition(" ")[0],
        members=tuple(sysfs.word(read, f"{at}/bonding/slaves").split()),
        default=default,
    )


def _kind(read: Reader, name: str) -> str:
    at = f"{CLASS}/{name}"
    number = sysfs.number(read, f"{at}/type")
    there = set(read.names(at))
    for kind, said in (
        ("loopback", number == _LOOPBACK),
        ("bridge", "bridge" in there),
        ("bond", "bonding" in there),
        ("wireless", bool(there & {"wireless", "phy80211"})),
        ("tunnel", "tun_flags" in there or number not in (None, _ETHERNET, _INFINIBAND)),
        ("guest", bool(_GUESTS.fullmatch(name)) and "/virtual/" in read.target(at)),
    ):
        if said:
            return kind
    return ""


def default_routes(read: Reader) -> frozenset[str]:
    """The interfaces that a default route of the main table leaves through."""
    four, six = read.text("/proc/net/route") or "", read.text("/proc/net/ipv6_route") or ""
    return frozenset({*_defaults_4(four), *_defaults_6(six)}) - {"lo"}


def _defaults_4(text: str) -> Iterator[str]:
    """`eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0`: name, destination, gateway, flags, …, mask."""
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == words[7] == "00000000" and not _rejects(words[3]):
            yield words[0]


def _defaults_6(text: str) -> Iterator[str]:
    """Destination, its length, source, its length, gateway, metric, counts, flags, name: all in hexadecimal."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 10 and words[1] == "00" and not words[0].strip("0") and not _rejects(words[8]):
            yield words[9]


def _rejects(flags: str) -> bool:
    return bool(re.fullmatch("[0-9a-fA-F]{1,8}", flags)) and bool(int(flags, 16) & _RTF_REJECT)
