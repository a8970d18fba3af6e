"""The readers of the area of wires: what NICs are, who is on them, what comes in."""

from __future__ import annotations

from functools import partial

from corpus import outs
from fuzzed import Reader, of_file, of_program
from of_host import one

from mpio.tools import frames, ip, nft, sysfs, wires
from mpio.tools.wires import Link

LINKS = (
    b'[{},{"ifindex":4,"ifname":"eth0","flags":["UP"],"mtu":1400,"operstate":"UP","link_type":"ether","address":'
    b'"aa:bb:cc:00:00:01","permaddr":"aa:bb:cc:00:00:02","altnames":["enp1s0"],"master":"bond0","addr_info":[{}]}]'
)
WAYS = (
    b'[{"dst":"10.10.9.90","gateway":"10.10.8.1","dev":"eth1","prefsrc":"10.10.8.20","flags":[],"uid":0}]\n'
    b'[{"dst":"10.10.9.90","from":"10.10.8.20","dev":"eth2","flags":[],"uid":0,"cache":[]}]\n'
)
NEIGHBOURS = (
    b'[{"dst":"10.10.8.90","dev":"eth1","lladdr":"aa:bb:cc:00:00:01","state":["REACHABLE"]},{"dst":"a","dev":"b"}]'
)
RULESET = b"table inet f {\n\tchain o {\n\t\ttype filter hook output priority 0; policy drop;\n\t\tudp drop\n\t}\n}\n"
NETSTAT = b"TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 17\nIpExt: A\nIpExt: 1\n"
ROUTES = b"Iface\tDestination\tGateway\tFlags\neth0\t00000000\t0101A8C0\t0003\n"
ROUTES_6 = b"0" * 32 + b" 00 " + b"0" * 32 + b" 00 fe80" + b"0" * 27 + b"1 00000400 00000003 0 00450003 eth0\n"
NAMING = (
    b"[Match]\nMACAddress=aa:bb:cc:00:00:01\n[Link]\nName=eth5\n",
    b'SUBSYSTEM=="net", ATTR{address}=="aa:bb:cc:00:00:03", NAME="eth5"\n',
    b'DEVICE="eth5"\nHWADDR=aa:bb:cc:00:00:05\n',
)
UDEV = b"I:1\nE:ID_NET_NAME_PATH=enp1s0\nE:ID_NET_LABEL_ONBOARD=x\n"
ENDS = bytes((10, 10, 8, 90, 10, 10, 8, 20))
TCP = b"\x0c\xbc\xa0\x28" + bytes(9) + b"\x12" + bytes(6)
PACKETS = (
    frames.ask("aa:bb:cc:00:00:01", "10.10.8.90", "10.10.8.20"),
    b"\x45" + bytes(8) + b"\x06" + bytes(2) + ENDS + TCP,
    b"\x60" + bytes(5) + b"\x06\x40" + bytes(32) + TCP,
    b"\x45" + bytes(19) + b"\0\0" + frames.echo(4, 7, 1, 56)[2:],
)


def _packets(data: bytes) -> object:
    return frames.parse_arp(data), frames.parse_segment(data), [frames.parse_echo(v, data) for v in (4, 6)]


def _tables(read: sysfs.Reader) -> object:
    return wires.refused_back(read), sorted(wires.gateways(read)), wires.uptime(read)


READERS = (
    Reader("ip-links", of_program(wires.parse_links), lambda: (*outs("*/ip-addr"), LINKS)),
    Reader("ip-ways", of_program(ip.parse_ways), lambda: (*outs("*/ip-route-*"), WAYS)),
    Reader("ip-neighbours", of_program(wires.parse_neighbours), lambda: (NEIGHBOURS,)),
    Reader("nft-ruleset", of_program(nft.parse_drops), lambda: (RULESET,)),
    Reader("netstat", one("/proc/net/netstat", _tables), lambda: (NETSTAT,)),
    Reader("gateways", one("/proc/net/route", _tables), lambda: (ROUTES,)),
    Reader("gateways-6", one("/proc/net/ipv6_route", _tables), lambda: (ROUTES_6,)),
    Reader("uptime", one("/proc/uptime", _tables), lambda: (b"86400.53 171234.11\n",)),
    Reader("nic-names", of_file(partial(wires.parse_naming, name="eth5")), lambda: NAMING),
    Reader(
        "udev-names",
        one("/run/udev/data/n3", lambda read: sorted(wires.names_of(read, Link("eth1", 3)))),
        lambda: (UDEV,),
    ),
    Reader(
        "nic-files-by-name",
        one("/etc/systemd/network/1.link", lambda read: wires.named_by_files(read, "eth5")),
        lambda: NAMING,
    ),
    Reader(
        "nic-kind",
        one("/sys/class/net/eth1/uevent", lambda read: wires.kind(read, "eth1")),
        lambda: (b"DEVTYPE=bond\nINTERFACE=eth1\n",),
    ),
    Reader(
        "nic-counters",
        one("/sys/class/net/eth1/statistics/rx_errors", lambda read: wires.whole(read, Link("eth1", 3))),
        lambda: (b"17\n",),
    ),
    Reader(
        "nic-bytes",
        one("/sys/class/net/eth1/statistics/rx_bytes", lambda read: wires.received(read, "eth1")),
        lambda: (b"5242880\n",),
    ),
    Reader(
        "tcp-packet",
        lambda data: [wires.largest(data, version) for version in wires.HEADERS],
        lambda: (bytes(232), bytes(range(232))),
    ),
    Reader("packets", _packets, lambda: PACKETS),
)
