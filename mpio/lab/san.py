"""What SAN a guest has, as values; inside/san.py builds it there from `to_json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Link:
    """A cable: the initiator's `nic` and the SAN's `end` of it, each with its addresses in CIDR form."""

    nic: str
    end: str
    nic_addresses: tuple[str, ...]
    end_addresses: tuple[str, ...]
    mtu: int = 1500


@dataclass(frozen=True, slots=True)
class Bridge:
    """A switch inside the SAN that all links end at: one segment, in which every port sees every ARP request.

    The portals' addresses are the bridge's own; a link's `end_addresses` are empty then.
    """

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lun:
    """`wwid` as multipath writes it: 3, then an NAA 6 identifier of 32 hex digits."""

    number: int
    wwid: str
    size: int = 64 * MIB
    vendor: str = "NEXENTA"
    product: str = "COMSTAR"


@dataclass(frozen=True, slots=True)
class Chap:
    username: str
    password: str
    username_in: str = ""
    password_in: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """`luns` are the numbers it shows, None all; `initiators` who may log in, none named: everybody."""

    name: str
    portals: tuple[str, ...]
    luns: tuple[int, ...] | None = None
    initiators: tuple[str, ...] = ()
    chap: Chap | None = None
    tpgt: int = 1


@dataclass(frozen=True, slots=True)
class San:
    links: tuple[Link, ...]
    targets: tuple[Target, ...]
    luns: tuple[Lun, ...]
    discovery_chap: Chap | None = None
    bridge: Bridge | None = None


def to_json(san: San) -> str:
    return json.dumps(asdict(san), indent=1) + "\n"


def luns(count: int, first: int = 0, size: int = MIB) -> tuple[Lun, ...]:
    """So many LUNs, numbered from `first`, with WWIDs of their own."""
    return tuple(Lun(first + n, f"3600144f0f484400000005000{first + n:08x}", size) for n in range(count))


# The guide's SAN: one target and one portal per subnet, and its four WWIDs.
GUIDE = San(
    links=(
        Link("eth1", "san1", ("10.10.8.20/24",), ("10.10.8.90/24",)),
        Link("eth2", "san2", ("10.10.9.20/24",), ("10.10.9.90/24",)),
    ),
    targets=(
        Target("iqn.2011-09.dom.homer:01:13611547-b4e6-e4b9-d97b-d1f4df275f58", ("10.10.8.90:3260",)),
        Target("iqn.2011-09.dom.homer:02:0e4f921a-407e-eb9f-9f53-aded8d99a723", ("10.10.9.90:3260",)),
    ),
    luns=(
        Lun(10, "3600144f0f484400000004e8685e70001"),
        Lun(11, "3600144f0f484400000004e8685f80002"),
        Lun(12, "3600144f0f484400000004e86860a0003"),
        Lun(13, "3600144f0f484400000004e8686210004"),
    ),
)

# Both NICs in one subnet and one segment, as on a single switch: what ARP and routes by source address are about.
ONE_SUBNET = San(
    links=(Link("eth1", "san1", ("10.10.8.20/24",), ()), Link("eth2", "san2", ("10.10.8.21/24",), ())),
    targets=(
        Target(GUIDE.targets[0].name, ("10.10.8.90:3260",)),
        Target(GUIDE.targets[1].name, ("10.10.8.91:3260",)),
    ),
    luns=GUIDE.luns,
    bridge=Bridge("switch", ("10.10.8.90/24", "10.10.8.91/24")),
)


def from_json(text: str) -> San:
    """What `to_json` wrote; KeyError or TypeError for anything else."""
    found = json.loads(text)
    return San(
        links=tuple(
            Link(
                **{**link, "nic_addresses": tuple(link["nic_addresses"]), "end_addresses": tuple(link["end_addresses"])}
            )
            for link in found["links"]
        ),
        targets=tuple(_target(target) for target in found["targets"]),
        luns=tuple(Lun(**lun) for lun in found["luns"]),
        discovery_chap=Chap(**found["discovery_chap"]) if found.get("discovery_chap") else None,
        bridge=_bridge(found.get("bridge")),
    )


def _bridge(found: dict[str, Any] | None) -> Bridge | None:
    return Bridge(found["name"], tuple(found["addresses"])) if found else None


def _target(found: dict[str, Any]) -> Target:
    return Target(
        name=found["name"],
        portals=tuple(found["portals"]),
        luns=None if found.get("luns") is None else tuple(found["luns"]),
        initiators=tuple(found.get("initiators", ())),
        chap=Chap(**found["chap"]) if found.get("chap") else None,
        tpgt=found.get("tpgt", 1),
    )
