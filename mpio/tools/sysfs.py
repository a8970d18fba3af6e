"""What the kernel shows of NICs, iSCSI sessions, their disks and the device mapper, in /sys and /proc/sys.

Everything here races with removal: what is gone between two reads is None, or left out with the device it belonged to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from mpio.host import Map, Nic, Pair, Path, Portal, Session
from mpio.tools import present
from mpio.tools.wwid import wwid

SECTOR = 512  # /sys/block/*/size counts these, whatever the disk's own sectors (Documentation/ABI/stable/sysfs-block)
MULTIPATH = "mpath-"
CONF = "/proc/sys/net/ipv4/conf"
SESSIONS = "/sys/class/iscsi_session"
CONNECTIONS = "/sys/class/iscsi_connection"
HOSTS = "/sys/class/iscsi_host"
NULL = ("(null)", "<NULL>")
UNSET = ("", "default", "<empty>", *NULL)

# /sys/block/sda -> ../devices/platform/host2/session1/target2:0:0/2:0:0:10/block/sda
_ISCSI_DISK = re.compile(r"/host\d+/session(\d{1,10})/target\d+:\d+:\d+/(\d+:\d+:\d+:\d{1,20})/block/[^/]+$", re.ASCII)
# /sys/class/iscsi_session/session1 -> ../../devices/platform/host2/session1/iscsi_session/session1
_SESSION_HOST = re.compile(r"/host(\d{1,10})/session\d+/iscsi_session/session\d+$", re.ASCII)
_SESSION = re.compile(r"session(\d{1,10})$", re.ASCII)
_DISK = re.compile(r"sd[a-z]+$", re.ASCII)
_DM = re.compile(r"dm-\d{1,10}$", re.ASCII)


class Reader(Protocol):
    """Files as text. None, () and "" are what is gone or has no value to tell (ENOENT, ENODEV, ENOTCONN, EINVAL …)."""

    def text(self, path: str) -> str | None: ...

    def names(self, path: str) -> tuple[str, ...]:
        """What is in the directory, sorted."""
        ...

    def target(self, path: str) -> str:
        """What the symbolic link says."""
        ...


def word(read: Reader, path: str) -> str:
    """A one-line attribute without its padding; empty where it is gone."""
    return (read.text(path) or "").strip(" \t\n\0")


def number(read: Reader, path: str) -> int | None:
    """An attribute that is a whole number; None where it is gone or says something else (`off`)."""
    said = word(read, path)
    return int(said) if re.fullmatch(r"-?\d{1,20}", said, re.ASCII) else None


# -- NICs ----------------------------------------------------------------------------------------------------------


def nic_names(read: Reader) -> tuple[str, ...]:
    return present.nics(read.names)


def nics(read: Reader, addresses: Mapping[str, tuple[str, ...]], names: Iterable[str] = ()) -> tuple[Nic, ...]:
    """These NICs, or all; one that is not there is left out. `addresses` come from `ip.addresses`."""
    there = nic_names(read)
    return tuple(nic(read, name, addresses.get(name, ())) for name in tuple(names) or there if name in there)


def nic(read: Reader, name: str, addresses: tuple[str, ...] = ()) -> Nic:
    at = f"/sys/class/net/{name}"
    own = number(read, f"{CONF}/{name}/rp_filter")
    everywhere = number(read, f"{CONF}/all/rp_filter")
    return Nic(
        name=name,
        hwaddress=word(read, f"{at}/address"),
        addresses=addresses,
        mtu=number(read, f"{at}/mtu") or 0,
        carrier=carrier(read, name),
        # The kernel takes the larger one: Documentation/networking/ip-sysctl.rst, rp_filter.
        rp_filter=None if own is None else max(own, everywhere or 0),
        rp_filter_own=own,
        rp_filter_all=everywhere,
        arp_ignore=number(read, f"{CONF}/{name}/arp_ignore"),
        arp_announce=number(read, f"{CONF}/{name}/arp_announce"),
        master=read.target(f"{at}/master").rpartition("/")[2],
    )


def carrier(read: Reader, name: str) -> bool | None:
    """None while the NIC is down: then the kernel answers EINVAL."""
    return {"1": True, "0": False}.get(word(read, f"/sys/class/net/{name}/carrier"))


# -- sessions ------------------------------------------------------------------------------------------------------


def sessions(read: Reader, nic_of: Mapping[str, str]) -> tuple[Session, ...]:
    """Every iSCSI session, by number. `nic_of` maps an iface to its NIC, where the host names none (bound by MAC)."""
    found = (m for name in read.names(SESSIONS) if (m := _SESSION.match(name)))
    seen = (session(read, sid, nic_of) for sid in sorted(int(m[1]) for m in found))
    return tuple(s for s in seen if s is not None)


def session(read: Reader, sid: int, nic_of: Mapping[str, str]) -> Session | None:
    at = f"{SESSIONS}/session{sid}"
    placed = _SESSION_HOST.search(read.target(at))
    target = word(read, f"{at}/targetname")
    cid = _first_connection(read, sid)
    address = word(read, f"{CONNECTIONS}/{cid}/persistent_address")
    if placed is None or not target or not address:
        return None  # it goes or is only just coming: the next look has it whole
    host = int(placed[1])
    iface = word(read, f"{at}/ifacename")
    now = word(read, f"{CONNECTIONS}/{cid}/address")
    port = number(read, f"{CONNECTIONS}/{cid}/persistent_port") or 3260
    netdev = word(read, f"{HOSTS}/host{host}/netdev")
    recovery = number(read, f"{at}/recovery_tmo")
    return Session(
        sid=sid,
        host=host,
        pair=Pair(iface, portal_of(address, port, now), target),
        nic=nic_of.get(iface, "") if netdev in UNSET else netdev,
        tpgt=number(read, f"{at}/tpgt"),
        state=word(read, f"{at}/state"),
        recovery_tmo=None if recovery is None or recovery < 0 else recovery,
        # libiscsi.c sends a no-op after recv_timeout of silence and waits ping_timeout for the answer.
        noop_interval=number(read, f"{CONNECTIONS}/{cid}/recv_tmo"),
        noop_timeout=number(read, f"{CONNECTIONS}/{cid}/ping_tmo"),
        initiatorname=_set(word(read, f"{at}/initiatorname")),
        # These three say ENOTCONN while there is no socket.
        address=now,
        port=number(read, f"{CONNECTIONS}/{cid}/port"),
        local_port=number(read, f"{CONNECTIONS}/{cid}/local_port"),
    )


def session_now(read: Reader, session: Session) -> Session:
    """The same session with what may change from one moment to the next."""
    cid = _first_connection(read, session.sid)
    return replace(
        session,
        state=state(read, session.sid),
        address=word(read, f"{CONNECTIONS}/{cid}/address"),
        port=number(read, f"{CONNECTIONS}/{cid}/port"),
        local_port=number(read, f"{CONNECTIONS}/{cid}/local_port"),
    )


def state(read: Reader, sid: int) -> str:
    """LOGGED_IN, FAILED or FREE; empty once the session is gone."""
    return word(read, f"{SESSIONS}/session{sid}/state")


def login_of(read: Reader, sid: int) -> dict[str, str]:
    """The CHAP names and secrets that the session was made with, empty where it has none; nothing where the kernel does
    not tell: it does so to root alone.
    """
    names = ("username", "password", "username_in", "password_in")
    said = {name: word(read, f"{SESSIONS}/session{sid}/{name}") for name in names}
    # A user may be called "default": of the words for "not set" only the kernel's own count.
    return {name: "" if value in NULL else value for name, value in said.items()} if all(said.values()) else {}


def _first_connection(read: Reader, sid: int) -> str:
    """`connection1:0`: open-iscsi makes one a session."""
    usual = f"connection{sid}:0"
    if read.target(f"{CONNECTIONS}/{usual}"):
        return usual
    return next((n for n in read.names(CONNECTIONS) if n.startswith(f"connection{sid}:")), usual)


def _set(said: str) -> str:
    return "" if said in UNSET else said


def portal_of(address: str, port: int, now: str = "") -> Portal:
    """The portal that an address names. A record may hold a DNS name: then the address now connected to counts."""
    for text in (address, now):
        try:
            return Portal.parse(f"[{text.strip('[]')}]:{port}")
        except ValueError:
            continue
    return Portal(address, port)


# -- disks ---------------------------------------------------------------------------------------------------------


def paths(read: Reader, maps: Iterable[Map] | None = None) -> tuple[Path, ...]:
    """Every disk that an iSCSI session carries, by name in the order of sd: sdb before sdaa.

    `maps` are the host's, for whoever has read them already: they tell as well what holds a disk.
    """
    above = None if maps is None else {dev: m.dm for m in maps for dev in m.slaves}
    names = (n for n in read.names("/sys/block") if _DISK.match(n))
    ordered = sorted(names, key=lambda n: (len(n), n))
    seen = (path(read, name, None if above is None else above.get(name, "")) for name in ordered)
    return tuple(p for p in seen if p is not None)


def path(read: Reader, dev: str, dm: str | None = None) -> Path | None:
    """None for a disk that is gone or no session's; `dm` is the map that holds it, empty for none, if that is known."""
    at = f"/sys/block/{dev}"
    placed = place_of(read, dev)
    if placed is None:
        return None
    sectors = number(read, f"{at}/size")
    state_now = word(read, f"{at}/device/state")
    if sectors is None and not state_now:
        return None
    return Path(
        dev=dev,
        hctl=placed[1],
        sid=placed[0],
        wwid=_wwid(word(read, f"{at}/device/wwid")),
        size=None if sectors is None else sectors * SECTOR,
        vendor=word(read, f"{at}/device/vendor"),
        product=word(read, f"{at}/device/model"),
        device_state=state_now,
        dm=_map_above(read, dev) if dm is None else dm,
    )


def disks(read: Reader) -> dict[str, tuple[int, str]]:
    """(session, H:C:T:L) of every disk that an iSCSI session carries: all that a look needs which must be quick."""
    names = (n for n in read.names("/sys/block") if _DISK.match(n))
    return {dev: place for dev in names if (place := place_of(read, dev)) is not None}


def place_of(read: Reader, dev: str) -> tuple[int, str] | None:
    """(session, H:C:T:L) of a disk; None where it is gone or no session's."""
    placed = _ISCSI_DISK.search(read.target(f"/sys/block/{dev}"))
    return (int(placed[1]), placed[2]) if placed else None


def host_state(read: Reader, host: int) -> str:
    """running, or recovery while the kernel's error handling has the host: who opens a disk of it waits then."""
    return word(read, f"/sys/class/scsi_host/host{host}/state")


def device_state(read: Reader, dev: str) -> str:
    """running, blocked, transport-offline, offline …; empty once the disk is gone."""
    return word(read, f"/sys/block/{dev}/device/state")


def number_of(read: Reader, dev: str) -> str:
    """major:minor, by which the device mapper calls a disk."""
    return word(read, f"/sys/block/{dev}/dev")


def above(read: Reader, nic: str) -> tuple[str, ...]:
    """What is stacked on a NIC: VLANs, bridges, bonds."""
    return tuple(n.removeprefix("upper_") for n in read.names(f"/sys/class/net/{nic}") if n.startswith("upper_"))


def _wwid(said: str) -> str:
    """Empty where the disk has none that multipath could write: no designator, or one of a vendor's own."""
    try:
        return wwid(said)
    except ValueError:
        return ""


def _map_above(read: Reader, dev: str) -> str:
    """The multipath map that holds the disk; dm devices of another kind do not count."""
    return next((h for h in holder_names(read, dev) if _uuid(read, h).startswith(MULTIPATH)), "")


# -- device mapper -------------------------------------------------------------------------------------------------


def maps(read: Reader) -> tuple[Map, ...]:
    """Every multipath map, by number of its dm device."""
    names = (n for n in read.names("/sys/block") if _DM.match(n))
    seen = (map_of(read, name) for name in sorted(names, key=lambda n: int(n[3:])))
    return tuple(m for m in seen if m is not None)


def map_of(read: Reader, dm: str) -> Map | None:
    """None for a dm device that is gone or no multipath map."""
    at = f"/sys/block/{dm}"
    uuid, name = _uuid(read, dm), word(read, f"{at}/dm/name")
    if not uuid.startswith(MULTIPATH) or not name:
        return None
    sectors = number(read, f"{at}/size")
    return Map(
        name=name,
        wwid=uuid.removeprefix(MULTIPATH),
        dm=dm,
        size=None if sectors is None else sectors * SECTOR,
        suspended=word(read, f"{at}/dm/suspended") == "1",
        slaves=read.names(f"{at}/slaves"),
    )


def dm_names(read: Reader) -> dict[str, str]:
    """The name of every device of the device mapper, with its UUID."""
    dms = (n for n in read.names("/sys/block") if _DM.match(n))
    return {word(read, f"/sys/block/{n}/dm/name"): _uuid(read, n) for n in dms}


def holders(read: Reader, dev: str) -> tuple[tuple[str, str], ...]:
    """(device, name) of what is stacked on a disk or map: partitions, LVs. The name is dm's, else the device's."""
    return tuple((h, word(read, f"/sys/block/{h}/dm/name") or h) for h in holder_names(read, dev))


def holder_names(read: Reader, dev: str) -> tuple[str, ...]:
    """What is stacked on a disk or map: dm-3, md0."""
    return read.names(f"/sys/block/{dev}/holders")


def _uuid(read: Reader, dm: str) -> str:
    return word(read, f"/sys/block/{dm}/dm/uuid")
