"""2xx: what frames and packets do on the way to the portals."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

_SYSCTL = "kernel Documentation/networking/ip-sysctl.rst, rp_filter"
_SYSFS = "kernel Documentation/ABI/testing/sysfs-class-net"
_STATISTICS = "kernel Documentation/ABI/testing/sysfs-class-net-statistics"
_TAP = "a connect through the NIC, watched by a packet socket, and an ARP probe"

KINDS = (
    Kind(
        "MP223",
        Severity.WARNING,
        "rp_filter is strict on {subject}",
        "Strict reverse path filtering drops what comes from a portal that the host would send to through another NIC: "
        "a second NIC in that subnet, or a portal of another one, is enough. The kernel uses the larger of conf/all "
        "and conf/NIC.",
        "set rp_filter = 2 in [network] of the site file and run mpio apply --only sysctl; without a site file: "
        "sysctl -w net/ipv4/conf/{subject}/rp_filter=2 and the same line in a file of /etc/sysctl.d",
        evidence="/proc/sys/net/ipv4/conf, and the lines of sysctl.d that decide it",
        reference=_SYSCTL,
    ),
    Kind(
        "MP224",
        Severity.ERROR,
        "rp_filter on {subject} drops what portals answer",
        "Packets of the portal come in on this NIC while the kernel's own way to it leads through another one, which "
        "strict reverse path filtering drops, or nowhere, which loose drops too: the connect times out though the "
        "portal answers.",
        "give the host a route to the portal where it has none; else set rp_filter = 2 in [network] of the site file "
        "and run mpio apply --only sysctl; without a site file: "
        "sysctl -w net/ipv4/conf/{subject}/rp_filter=2 and the same line in a file of /etc/sysctl.d",
        evidence="/proc/sys/net/ipv4/conf, `ip route get` from the NIC's address, IPReversePathFilter of "
        "/proc/net/netstat",
        reference=_SYSCTL,
    ),
    Kind(
        "MP225",
        Severity.ERROR,
        "there is no way for {subject}",
        "An iface bound to a NIC uses that NIC's subnets and routes alone. A portal in none of them is looked for on "
        "the wire of the NIC, where it is not: each login there waits for its whole time limit.",
        'bind only to NICs in the portal\'s subnet: layout = "subnet" in the site file, or delete the record; or route '
        "the portal's subnet through this NIC",
        evidence="the NIC's addresses and routes, and an ARP probe that nobody answers",
        reference="hpe-storage common-host-libs, tunelinux: binding across subnets; open-iscsi usr/io.c, "
        "bind_conn_to_iface",
    ),
    Kind(
        "MP226",
        Severity.ERROR,
        "another machine has an address of {subject}",
        "Two machines with one address take each other's packets: sessions break, come back and break, on both of "
        "them. Which one the SAN sends to changes with every ARP entry that grows old.",
        "give one of the two another address; the detail has the other machine's hardware address, which the switch "
        "knows by its port",
        evidence="an ARP probe for the NIC's own address, answered by a hardware address that is none of this host's",
        reference="RFC 5227, 2.1.1",
    ),
    Kind(
        "MP227",
        Severity.WARNING,
        "two hardware addresses answer for {subject}",
        "Either two machines have the portal's address, or two ports of the array in one segment answer for each "
        "other: which of them a session gets is chance, and may change while it lives.",
        "find both by the hardware addresses at the switch; give one another address, or set the array's ports apart",
        evidence="an ARP probe for the portal's address, answered twice",
        reference="RFC 5227, 2.1.1",
    ),
    Kind(
        "MP228",
        Severity.WARNING,
        "the MTU of {subject} differs",
        "Paths of one LUN that carry packets of different sizes are of different speed, and one of the sizes is most "
        "likely not what the switch and the array have.",
        "set the same MTU on all iSCSI NICs, and name it as network.mtu in the site file, which has it checked to the "
        "portal",
        evidence="`ip addr`",
        reference="kernel Documentation/ABI/testing/sysfs-class-net, mtu",
    ),
    Kind(
        "MP229",
        Severity.ERROR,
        "{subject} has lost the address that its sessions began with",
        "A TCP connection cannot change its address: what comes for the lost one is nobody's, and what is sent from it "
        "is not answered. The sessions fail at their next no-op, and log in again only from an address that can reach "
        "the portal.",
        "give {subject} its address back, or log the sessions in anew through the NIC that has it now",
        evidence="the sessions' sockets (sock_diag) against the NIC's addresses",
        reference="open-iscsi PR#511",
    ),
    Kind(
        "MP230",
        Severity.ERROR,
        "the NIC {subject} is set down",
        "The interface is administratively down: no cable and no switch port has a part in it. Somebody, or the "
        "network configuration, has set it so.",
        "ip link set dev {subject} up",
        evidence="the flag UP in `ip addr`",
        reference="ip-link(8); kernel Documentation/networking/operstates.rst",
    ),
    Kind(
        "MP231",
        Severity.ERROR,
        "the NIC {subject} is up and carries nothing yet",
        "The kernel holds the link back: it waits for a protocol above it (802.1X, a bond's partner), or what it "
        "stands on is down.",
        "look at what the detail names: `ip -d link show {subject}`",
        evidence="operstate in `ip addr`",
        reference="kernel Documentation/networking/operstates.rst",
    ),
    Kind(
        "MP232",
        Severity.WARNING,
        "the link of {subject} comes and goes",
        "The carrier was lost far more often than any reboot of a switch explains: a cable, a transceiver or a port "
        "that is about to fail. Each loss fails every session of the NIC.",
        "look at the kernel's log (journalctl -k -g {subject}), change cable and port one after the other",
        evidence="/sys/class/net/NIC/carrier_down_count, beside the uptime and the other NICs",
        reference=_SYSFS,
    ),
    Kind(
        "MP233",
        Severity.WARNING,
        "packets are damaged or lost at {subject}",
        "The card counts errors that a sound link does not have: damage comes from cables and transceivers, overruns "
        "from a card that the host does not empty in time. Each costs a TCP retransmission, and a read its time.",
        "watch it grow with `ip -s -s link show {subject}`; change the cable, or raise the rings with `ethtool -G`",
        evidence="/sys/class/net/NIC/statistics",
        reference=_STATISTICS,
    ),
    Kind(
        "MP234",
        Severity.WARNING,
        "the speeds of {subject} differ",
        "The paths of a LUN share its I/O, and the slowest link decides how long a request waits: mostly a port that "
        "came up at another speed than it was bought for.",
        "compare with `ethtool NIC`: cable, transceiver and the switch port's setting",
        evidence="/sys/class/net/NIC/speed",
        reference=_SYSFS,
    ),
    Kind(
        "MP235",
        Severity.WARNING,
        "{subject} runs half duplex",
        "One end negotiates and the other does not: then the first falls back to half duplex, and both collide under "
        "load.",
        "let both ends negotiate: `ethtool -s {subject} autoneg on`, and the same at the switch port",
        evidence="/sys/class/net/NIC/duplex",
        reference=_SYSFS,
    ),
    Kind(
        "MP236",
        Severity.ERROR,
        "{subject} is this host itself",
        "The portal's address is one of this host's own: nothing there is the array.",
        "correct the address in san.portals of the site file, or delete the record",
        evidence="`ip addr`, and a connect that meets no target",
        reference="RFC 7143, 4.1",
    ),
    Kind(
        "MP237",
        Severity.ERROR,
        "{subject} is a router, and no portal",
        "The portal's address is the one that this host's routes lead through, and nothing there answers as a portal.",
        "correct the address in san.portals of the site file, or delete the record",
        evidence="/proc/net/route, and a connect that meets no target",
        reference="proc_net(5)",
    ),
    Kind(
        "MP238",
        Severity.ERROR,
        "nobody answers ARP for {subject}",
        "The link is there and the portal is not on it: the array's port is down or has another address, or this NIC "
        "is in another VLAN than the portal. Neither TCP nor iSCSI has a part in it.",
        "compare the VLAN of the switch ports, the array's address and its port's state",
        evidence=_TAP,
        reference="RFC 826; RFC 5227, 2.1.1",
    ),
    Kind(
        "MP239",
        Severity.ERROR,
        "{subject} is on the wire and does not answer TCP",
        "Something answers ARP for the portal's address, this host's packets leave, and nothing comes back: a filter "
        "in between or on the array, a service that hangs, or answers that the array sends another way.",
        "look at the array's iSCSI service and its access lists, at the switch's, and at the array's route back to "
        "this NIC",
        evidence=_TAP,
        reference="RFC 9293, 3.5",
    ),
    Kind(
        "MP240",
        Severity.ERROR,
        "what is for {subject} comes in on another NIC",
        "Another NIC of this host answers ARP for the address, so the array may send there; a session that is bound to "
        "its own NIC does not hear it. It is the kernel's way unless arp_ignore or separate segments forbid it.",
        'put the NICs into segments (VLANs) of their own, or set arp = "set" in [network] of the site file and run '
        "mpio apply --only sysctl",
        evidence="an ARP probe sent from the NIC for its own address, the NIC that a portal's answer came in on, and "
        "what each NIC received while some blocks were read over one",
        reference="kernel Documentation/networking/ip-sysctl.rst, arp_ignore and arp_filter",
    ),
    Kind(
        "MP241",
        Severity.ERROR,
        "this host itself drops what is for {subject}",
        "The portal's neighbour is known, and either the connect does not leave the host or the answer that comes in "
        "is not taken: a packet filter or traffic control of this host.",
        "let TCP to port 3260 pass: see `nft list ruleset` and `tc qdisc show`",
        evidence="a packet socket, which sees what leaves behind the host's filter and what comes in before it; nft",
        reference="nft(8); packet(7)",
    ),
    Kind(
        "MP242",
        Severity.WARNING,
        "{subject} goes through a router",
        "A storage network that leaves its subnet depends on a router, on its load and on what else goes through it; "
        "two paths through the same router fail together.",
        "give the NIC an address in the portal's subnet, or leave this pair out (san.exclude)",
        evidence="`ip route get` bound to the NIC",
        reference="RFC 7143, 10",
    ),
    Kind(
        "MP243",
        Severity.ERROR,
        "iface {subject} is bound to a hardware address that no NIC has",
        "open-iscsi looks for the NIC by iface.hwaddress, which beats iface.net_ifacename without a word. The card was "
        "changed, or the address is set anew at boot.",
        "delete the iface and let mpio apply make it by the NIC's name: iscsiadm -m iface -I {subject} -o delete",
        evidence="the iface's record, and the hardware addresses of `ip addr`",
        reference="open-iscsi usr/io.c, bind_conn_to_iface",
    ),
    Kind(
        "MP244",
        Severity.ERROR,
        "iface {subject} is bound by hardware address to another NIC than is meant",
        "VLANs, bonds and bridges share the hardware address of the NIC below them, and open-iscsi takes the first NIC "
        "that has it; iface.hwaddress beats iface.net_ifacename without a word.",
        "delete the iface and let mpio apply make it by the NIC's name: iscsiadm -m iface -I {subject} -o delete",
        evidence="the iface's record, and the hardware addresses of `ip addr` in the order of their numbers",
        reference="open-iscsi usr/io.c, bind_conn_to_iface",
    ),
    Kind(
        "MP245",
        Severity.ERROR,
        "the NIC {subject} has another name now",
        "The iface names a NIC that is gone while another one is by all signs the same: a new kernel, firmware or "
        "slot, or a changed .link file names it otherwise.",
        "name {remedy} in the site file and in the iface, or give the NIC its name back by a .link file "
        "(systemd.link(5))",
        evidence="hardware address, further names of the NIC, udev's database, .link files and rules, or the socket of "
        "a session",
        reference="systemd.link(5); systemd.net-naming-scheme(7)",
    ),
    Kind(
        "MP246",
        Severity.WARNING,
        "{subject} does not go through its iface's NIC",
        "The session was made before the iface was bound as it is now, or its binding did not work: routing decides "
        "which NIC it uses, and the loss of the other NIC will take it along.",
        "log it in anew: mpio login --renew",
        evidence="the device that the session's socket is bound to (sock_diag)",
        reference="socket(7), SO_BINDTODEVICE; open-iscsi usr/io.c, bind_conn_to_iface",
    ),
    Kind(
        "MP247",
        Severity.WARNING,
        "a record's portal is a host name: {subject}",
        "A login then needs the name server, at boot too, and a session is known by the address that the name had at "
        "the time: scripts and mpio cannot tell them to be one.",
        "make the record anew with the portal's numeric address; name that in san.portals of the site file",
        evidence="the record's file name",
        reference="democratic-csi#353",
    ),
    Kind(
        "MP248",
        Severity.ERROR,
        "two NICs of this host have one address: {subject}",
        "The kernel answers for the address on both and sends from whichever its routes name first: a session bound to "
        "the other NIC hears nothing.",
        "give each NIC an address of its own",
        evidence="`ip addr`",
        reference="kernel Documentation/networking/ip-sysctl.rst, arp_filter",
    ),
    Kind(
        "MP249",
        Severity.WARNING,
        "the way is narrower than its NIC: {subject}",
        "An echo of the NIC's MTU with fragmentation forbidden was lost, and TCP copes: the sessions have agreed with "
        "the portal, or learned from routers, on packets that arrive. The larger MTU of the NIC brings nothing, and "
        "nothing hangs as long as no switch on the way is changed.",
        "set the same MTU on NIC, switch and array; name it as network.mtu in the site file, which has it checked",
        evidence="an echo of the full size and one of the sessions' size, neither to be fragmented; tcp_info of the "
        "sessions' sockets (snd_mss, rcv_mss)",
        reference="RFC 9293, 3.7.1; RFC 1191",
    ),
)
