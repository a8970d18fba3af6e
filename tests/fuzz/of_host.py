"""The readers of what the kernel and the host's files show, and of what disks and sockets answer."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

from corpus import outs, trees
from fuzzed import Reader, answering, of_file, text

from mpio import devmapper, facts, inuse, iscsilock, recording, sgio, sockets
from mpio.fastfail import moment
from mpio.files import Files
from mpio.host import Host, Map, Pair, Portal, Session
from mpio.machine import Machine
from mpio.observe import kernel
from mpio.program import Run
from mpio.tools import cards, cgroup, ip, iscsidb, kmsg, present, scsi, sysctl, sysdisk, sysfs, tcpinfo, udevadm, vpd

iscsilock.STILL = 0.0  # nobody writes here


class Shown:
    """Files and links in memory, as `Files` shows those of a host: each folder's names are known at once."""

    root = "/nonexistent"

    def __init__(self, *parts: recording.Tree) -> None:
        self._files = {path: said for part in parts for path, said in part.files.items()}
        self._links = {path: said for part in parts for path, said in part.links.items()}
        self._names: dict[str, set[str]] = defaultdict(set)
        for path in (*self._files, *self._links):
            folder = path
            while folder not in ("", "/"):
                folder, _, name = folder.rpartition("/")
                if name in self._names[folder]:
                    break
                self._names[folder].add(name)

    def text(self, path: str) -> str | None:
        return self._files.get(path)

    def names(self, path: str) -> tuple[str, ...]:
        return tuple(sorted(self._names.get(path, ())))

    def target(self, path: str) -> str:
        return self._links.get(path, "")


def _shown(data: bytes) -> Shown:
    return Shown(recording.tree(text(data)))


def one(path: str, ask: Callable[[sysfs.Reader], object]) -> Callable[[bytes], object]:
    """What a reader makes of a host with this file alone."""
    return lambda data: ask(Shown(recording.Tree({path: text(data)}, {})))


def of_kernel(read: sysfs.Reader) -> Host:
    maps = sysfs.maps(read)
    return Host(nics=sysfs.nics(read, {}), sessions=sysfs.sessions(read, {}), paths=sysfs.paths(read, maps), maps=maps)


def _sysfs(data: bytes) -> object:
    read = _shown(data)
    host = of_kernel(read)
    disks = [(sysfs.device_state(read, p.dev), sysfs.number_of(read, p.dev), p.lun) for p in host.paths]
    more = [
        (sysfs.session_now(read, s), sysfs.login_of(read, s.sid), sysfs.host_state(read, s.host)) for s in host.sessions
    ]
    held = [(sysfs.holders(read, m.dm), udevadm.properties(read, m.dm)) for m in host.maps]
    above = [sysfs.above(read, n.name) for n in host.nics], sorted(sysdisk.hosts_of_use(read)), sysdisk.undriven(read)
    names = sysfs.dm_names(read), sysfs.disks(read), present.storage(read.names), iscsilock.stale(read)
    return host, disks, more, held, above, names, cards.cards(read, {}), inuse.users(read, host, deep=True)


def _records(data: bytes) -> object:
    read = _shown(data)
    portals = [n.pair.portal for n in iscsidb.nodes(read)]
    unread = iscsidb.unread(read)
    found = [(iscsidb.discovery_record(read, p), iscsidb.found_through(read, p), p.version) for p in portals]
    machine = Machine(cast(Run, None), cast(Files, read))
    whose = [(iscsidb.iface_of(read, path), iscsidb.beside(path)) for path in unread]
    return (
        kernel.records(machine, None),
        iscsidb.root(read),
        unread,
        found,
        whose,
        [*iscsidb.files(read), *iscsidb.hollow(read)],
    )


def _files(read: sysfs.Reader) -> object:
    machine = Machine(answering("iscsiadm version 2.1.8"), cast(Files, read))
    return facts.versions(machine), facts.of(machine, Host())


def _users(read: sysfs.Reader) -> object:
    """With a host whose map is the device that the table names."""
    table = next((t for p in ("/proc/self/mountinfo", "/proc/swaps") if (t := read.text(p)) is not None), "")
    shown = Shown(
        recording.Tree(
            {"/proc/self/mountinfo": table, "/proc/swaps": table, "/sys/class/block/dm-0/dev": "254:0\n"},
            {"/proc/self/ns/mnt": "mnt:[1]", "/sys/dev/block/254:0": "../../devices/virtual/block/dm-0"},
        )
    )
    host = Host(maps=(Map("a", "3600", "dm-0", None, suspended=False, slaves=()),))
    return inuse.users(shown, host, deep=False), moment.of_root(cast(Files, shown))


MOUNTS = rb"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 254:0 / /srv/a\040b\011c\134d rw - xfs /dev/mapper/hydra_apps-a01 rw
24 22 0:22 / /proc rw,nosuid - proc proc rw
"""
SWAPS = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/dm-0               partition\t1048572\t0\t-2\n"
ROUTES = (
    b"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    b"eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
)
ROUTES_6 = (
    b"00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe80 00000400 00000003 0 00450003 eth0\n"
)
TABLES = b"# reserved\n255\tlocal\n0xfd main\n 28017 san\n"
RELEASE = b'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
UDEV = b"S:disk/by-id/x\nE:ID_FS_TYPE=ext4\nE:DM_NAME=a\nG:systemd\n"


def _routes(read: sysfs.Reader) -> object:
    said = read.text("/proc/net/route") or ""
    both = Shown(recording.Tree({"/proc/net/route": said, "/proc/net/ipv6_route": said}, {}))
    return cards.default_routes(both)


def _udev(read: sysfs.Reader) -> object:
    said = read.text("/run/udev/data/b8:0") or ""
    shown = Shown(recording.Tree({"/sys/class/block/sda/dev": "8:0", "/run/udev/data/b8:0": said}, {}))
    return udevadm.properties(shown, "sda")


def _rules_at_boot(data: bytes) -> object:
    """The names of files come from a folder, too."""
    return sysctl.in_force(text(data).split("\n")), [sysctl.normal(line) for line in text(data).split("\n")[:99]]


# -- what is no text -----------------------------------------------------------------------------------------------

KMSG = b"""\
3,1228,203202553,-; connection24:0: ping timeout of 5 secs expired, recv timeout 5, last rx 4294940567
 SUBSYSTEM=scsi
6,1238,213444828,-,caller=T1; session24: session recovery timed out after 10 secs
"""
PAGE_83 = (
    bytes.fromhex("0083002c0103001060014405f0f484400000004e8685e700010200000a4e4558454e54412020410114000400000001")
    + b"\0"
)
PAGE_80 = bytes.fromhex("0080000a") + b"6001440405"
CAPACITY_16 = bytes(6) + bytes((0x01, 0xFF, 0xFF, 0, 0, 2, 0)) + bytes(19)
SENSE = bytes((0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x25, 0))
LUNS = bytes((0, 0, 0, 16, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0x41, 0, 0, 0, 0, 0, 0, 0))
RESERVED = bytes((0, 0, 0, 1, 0, 0, 0, 16)) + bytes(13) + bytes((1, 0, 0))


def _vpd(data: bytes) -> object:
    return sorted(vpd.parse_identities(data)), vpd.parse_serial(data), vpd.is_gone(data)


def _scsi(data: bytes) -> object:
    numbers = scsi.parse_luns(data)
    told = scsi.says_no_lun(data), scsi.parse_reservation(data), sorted(numbers) if numbers is not None else None
    return [scsi.parse_capacity(command, data) for command in scsi.CAPACITY], told


def _disk(data: bytes) -> object:
    """Each of a disk's files in sysfs says this."""
    at = "/sys/block/sda"
    names = ("vpd_pg80", "vpd_pg83", "rev", "timeout", "eh_timeout", "ioerr_cnt")
    files = {**{f"{at}/device/{name}": text(data) for name in names}, f"{at}/ro": text(data)}
    read = Shown(recording.Tree(files, {at: "../devices/pci0000:00/ata1/host0/block/sda"}))
    words = sysdisk.serial(read, "sda"), sysdisk.revision(read, "sda"), sorted(sysdisk.identities(read, "sda"))
    numbers = sysdisk.timeout(read, "sda"), sysdisk.eh_timeout(read, "sda"), sysdisk.errors(read, "sda")
    return words, numbers, sysdisk.is_read_only(read, "sda"), sysdisk.place(read, "sda")


def _group(read: sysfs.Reader) -> object:
    return list(cgroup.pids(read, "iscsid.service")), cgroup.is_gone(read, "iscsid.service")


def _line_of_disk(data: bytes) -> object:
    return sgio.parse_line(data.decode("ascii", "replace"))


GROUP = "/sys/fs/cgroup/system.slice/iscsid.service"
SESSION = Session(
    1,
    2,
    Pair("i", Portal("10.10.8.90"), "t"),
    "eth1",
    1,
    "LOGGED_IN",
    address="10.10.8.90",
    port=3260,
    local_port=41000,
)


def _answers() -> tuple[bytes, ...]:
    """A list of one socket with its tcp_info, the end of a list, and a refusal, as the kernel frames them."""
    here, there = (bytes((10, 10, 8, last)).ljust(16, b"\0") for last in (20, 90))
    identity = sockets.IDENTITY.pack(41000, 3260, here, there, bytes(12))
    info = sockets.ATTRIBUTE.pack(108, sockets.INET_DIAG_INFO) + bytes(104)
    body = sockets.MESSAGE.pack(2, 1, 0, 0, identity, 0, 0, 0, 0, 0) + info
    kinds = (
        (sockets.SOCK_DIAG_BY_FAMILY, body),
        (sockets.NLMSG_DONE, bytes(4)),
        (sockets.NLMSG_ERROR, struct.pack("=i", -2)),
    )
    whole = [sockets.HEADER.pack(sockets.HEADER.size + len(said), kind, 0, 7, 0) + said for kind, said in kinds]
    return (whole[0] + whole[1], whole[2], whole[0] * 3)


def _sockets(data: bytes) -> object:
    answer = sockets.parse_answer(data, 7)
    found = [seen for said in answer.said if (seen := sockets.parse_socket(said)) is not None]
    return found, [sockets.parse_info(one) for one in found if len(one.info) >= sockets.TCP_INFO.size], answer.error


def _trees(*patterns: str) -> tuple[bytes, ...]:
    return outs(*patterns) or tuple(_written(tree) for pattern in patterns for tree in trees(pattern))


def _written(tree: recording.Tree, only: Iterable[str] = ()) -> bytes:
    """The tree as a recording has it, of the files only those with one of these words."""
    words = tuple(only)
    links = (f"{path} -> {target}\n" for path, target in tree.links.items())
    kept = ((p, said) for p, said in tree.files.items() if not words or any(w in p for w in words))
    return ("".join(links) + "".join(f"\n==> {path} <==\n{said}" for path, said in kept)).encode()


def _record_trees() -> tuple[bytes, ...]:
    named = "/etc/iscsi/nodes/iqn.x:1/san.example.org,3260,1/default"
    by_name = recording.Tree({named: "node.name = iqn.x:1\niface.iscsi_ifacename = default\n"}, {})
    return tuple(_written(tree, ("/nodes/", "/ifaces/")) for tree in (by_name, *trees("*/files")))


def _dm_line(data: bytes) -> object:
    return devmapper.parse_lines([f"map: {data.decode('ascii', 'backslashreplace')}"])


def _dm_lines() -> tuple[bytes, ...]:
    lines = {line.rpartition(b": ")[2] for out in outs("*/dmsetup-status") for line in out.split(b"\n") if line}
    return tuple(sorted(lines))


READERS = (
    Reader("sysfs", _sysfs, partial(_trees, "*/sysfs"), slow=True),
    Reader("iscsi-database", _records, _record_trees, slow=True),
    Reader("unit-group", one(f"{GROUP}/cgroup.procs", _group), lambda: (b"140\n176\n",)),
    Reader("mount-table", one("/proc/self/mountinfo", _users), lambda: (MOUNTS,)),
    Reader("swap-table", one("/proc/swaps", _users), lambda: (SWAPS,)),
    Reader("route-table", one("/proc/net/route", _routes), lambda: (ROUTES, ROUTES_6)),
    Reader("route-names", one("/etc/iproute2/rt_tables", ip.named_tables), lambda: (TABLES,)),
    Reader("os-release", one("/etc/os-release", _files), lambda: (RELEASE,)),
    Reader("initiator-name", one("/etc/iscsi/initiatorname.iscsi", _files), lambda: (b"InitiatorName=iqn.x:1\n",)),
    Reader("udev-database", one("/run/udev/data/b8:0", _udev), lambda: (UDEV,)),
    Reader("sysctl-names", _rules_at_boot, lambda: (b"/etc/sysctl.d/1.conf\nnet.ipv4.conf.all/1.x",)),
    Reader("vital-product-data", _vpd, lambda: (PAGE_83, PAGE_80)),
    Reader("capacity", _scsi, lambda: (CAPACITY_16, SENSE, LUNS, RESERVED)),
    Reader("disk-reply", _line_of_disk, lambda: (b"sda 00ff:70:0 ::12", b"sdb ::0"), (ValueError,)),
    Reader("disk-attributes", _disk, lambda: (b"0x2a\n", b"30\n", PAGE_83, PAGE_80)),
    Reader("sockets", _sockets, _answers),
    Reader("tcp-info", tcpinfo.parse_segments, lambda: (bytes(232), bytes(range(232)))),
    Reader("kernel-log", of_file(kmsg.parse_kmsg), lambda: (KMSG,)),
    Reader("device-mapper", _dm_line, _dm_lines),
    Reader(
        "portal", of_file(Portal.parse), lambda: (b"10.0.0.1:3260", b"[fd00::1]:3260", b"fe80::1%eth0"), (ValueError,)
    ),
)
