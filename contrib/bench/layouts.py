"""The SANs, sites and contenders of the benchmark, as values."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass

from mpio.lab import san

LUNS = san.luns(8)
NAMES = tuple(f"bench-{n:02}" for n in range(len(LUNS)))
TARGETS = ("iqn.2011-09.dom.homer:01:bench", "iqn.2011-09.dom.homer:02:bench")
CONTENDERS = ("script", "mpio", "os-brick")
DEAD = "10.10.8.99"  # an address of the SAN's subnet that nobody has


def _links(*hosts: int) -> tuple[san.Link, ...]:
    return tuple(
        san.Link(f"eth{n}", f"san{n}", (f"10.10.{net}.20/24",), tuple(f"10.10.{net}.{host}/24" for host in hosts))
        for n, net in ((1, 8), (2, 9))
    )


# The guide's: a target and a portal on each subnet.
TWO = san.San(
    _links(90),
    tuple(san.Target(t, (p,)) for t, p in zip(TARGETS, ("10.10.8.90:3260", "10.10.9.90:3260"), strict=True)),
    LUNS,
)
# Two controllers with a port on each subnet.
FOUR = san.San(
    _links(90, 91),
    tuple(san.Target(t, (f"10.10.8.{n}:3260", f"10.10.9.{n}:3260")) for t, n in zip(TARGETS, (90, 91), strict=True)),
    LUNS,
)


@dataclass(frozen=True, slots=True)
class Layout:
    """What there is to connect. `mesh`: every iface to every portal, else each to those on its own subnet."""

    name: str
    about: str
    san: san.San
    mesh: bool = False
    dead: bool = False
    contenders: tuple[str, ...] = CONTENDERS
    once: tuple[str, ...] = ()  # whose time is far beyond the limit, however often it is taken

    @property
    def portals(self) -> tuple[str, ...]:
        """The addresses that the contenders are given."""
        found = tuple(p.partition(":")[0] for t in self.san.targets for p in t.portals)
        return (*found, DEAD) if self.dead else found

    @property
    def paths(self) -> int:
        """How many each LUN has once it is whole."""
        return sum(len(t.portals) for t in self.san.targets) * (len(self.san.links) if self.mesh else 1)


LAYOUTS = (
    Layout("8x2", "8 LUNs, 2 portals, each NIC to the one on its subnet", TWO),
    Layout("8x4", "8 LUNs, 4 portals, each NIC to the two on its subnet", FOUR),
    # os-brick has one iface for everything: of two sessions to one portal and target it makes one.
    Layout("8x4-mesh", "8 LUNs, 2 portals, each NIC to both", TWO, mesh=True, contenders=("script", "mpio")),
    Layout(
        "8x4-dead",
        f"8x4, and a portal that does not exist ({DEAD}) in everybody's list",
        FOUR,
        dead=True,
        once=("os-brick",),
    ),
)


def site(layout: Layout) -> str:
    """What mpio is given."""
    luns = "".join(f'[[lun]]\nwwid = "{lun.wwid}"\nalias = "{name}"\n' for lun, name in zip(LUNS, NAMES, strict=True))
    head = f"""\
        format = 1

        [[iface]]
        name = "sw-iscsi-0"
        nic = "eth1"
        [[iface]]
        name = "sw-iscsi-1"
        nic = "eth2"

        [san]
        portals = {json.dumps(layout.portals)}
        layout = "{"mesh" if layout.mesh else "subnet"}"

        [network]
        rp_filter = 2

        [timeouts]
        replacement = 10

        [multipath]
        preset = "nexenta-comstar"
        no_path_retry = 12

        """
    return textwrap.dedent(head) + luns


def multipath_conf() -> str:
    """What multipathd is given before os-brick starts, which leaves this to others."""
    maps = "".join(
        f"\tmultipath {{\n\t\twwid {lun.wwid}\n\t\talias {name}\n\t}}\n" for lun, name in zip(LUNS, NAMES, strict=True)
    )
    return f"defaults {{\n\tfind_multipaths no\n}}\nmultipaths {{\n{maps}}}\n"


def volumes(layout: Layout) -> str:
    """What os-brick is given: a connection a volume, as Cinder hands it to Nova."""
    pairs = [(p, t.name) for t in layout.san.targets for p in t.portals]
    if layout.dead:
        pairs.append((f"{DEAD}:3260", TARGETS[0]))
    return json.dumps([
        {
            "target_discovered": False,
            "target_portals": [portal for portal, _ in pairs],
            "target_iqns": [target for _, target in pairs],
            "target_luns": [lun.number] * len(pairs),
        }
        for lun in LUNS
    ])  # fmt: skip
