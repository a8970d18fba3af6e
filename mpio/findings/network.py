"""2xx: the network and the portals."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

KINDS = (
    Kind(
        "MP201",
        Severity.ERROR,
        "there is no NIC {subject}",
        "The site binds an iface to a NIC that this host does not have: renamed, removed, or a driver that did "
        "not load.",
        "compare with `ip -br link`, correct nic in the site file",
        evidence="/sys/class/net",
        reference="systemd.net-naming-scheme(7)",
    ),
    Kind(
        "MP202",
        Severity.ERROR,
        "the NIC {subject} has no address that can reach a portal",
        "A login through a NIC without an address of the portal's family can only time out.",
        "give {subject} an address in the portals' subnet",
        evidence="`ip addr`",
        reference="open-iscsi PR#511; open-iscsi usr/io.c, bind_conn_to_iface",
    ),
    Kind(
        "MP203",
        Severity.ERROR,
        "the NIC {subject} has no carrier",
        "The link is down: cable, switch port, or the interface is set down. Every session through it is dead or "
        "dying.",
        "check the cable and the switch port; `ip link set {subject} up` if it is down",
        evidence="/sys/class/net/NIC/carrier",
        reference="kernel Documentation/ABI/testing/sysfs-class-net, carrier",
    ),
    Kind(
        "MP204",
        Severity.ERROR,
        "the MTU of {subject} is not what the site says",
        "mpio checks the MTU, it does not set it: the switch and the array must agree first.",
        "set the MTU in the network configuration of the host, or correct network.mtu in the site file",
        evidence="/sys/class/net/NIC/mtu, and the site file",
        reference="kernel Documentation/ABI/testing/sysfs-class-net, mtu",
    ),
    Kind(
        "MP205",
        Severity.ERROR,
        "rp_filter 0 cannot come true on {subject}",
        "The kernel uses the larger of conf/all and conf/NIC. conf/all belongs to the whole host, so mpio never "
        "writes it.",
        "use rp_filter = 2 in the site file (it always wins), or set net.ipv4.conf.all.rp_filter = 0 yourself",
        evidence="/proc/sys/net/ipv4/conf/all/rp_filter",
        reference="kernel Documentation/networking/ip-sysctl.rst, rp_filter",
    ),
    Kind(
        "MP206",
        Severity.WARNING,
        "another file decides {subject} at boot",
        "systemd-sysctl applies files by name, a later one wins: after the next boot the value will not be the site's.",
        "remove that line",
        evidence="the lines of sysctl.d in the order of systemd-sysctl",
        reference="sysctl.d(5)",
    ),
    Kind(
        "MP207",
        Severity.ERROR,
        "the NICs {subject} share a subnet",
        "With two NICs in one subnet Linux answers ARP for either address on either NIC: the array may send one NIC "
        "what is for the other, where a session that is bound to its own NIC does not hear it, and all sessions of one "
        "NIC fail at once. What is not bound leaves through one NIC. Separate subnets need none of this.",
        'move one NIC and portal to a subnet of its own, or say arp = "set" in [network] of the site file '
        "(then ARP and routes by source address are set so that each NIC has its own traffic)",
        refusal=True,
        evidence="the addresses of `ip addr`; without a site file also arp_ignore, arp_announce and `ip rule`, and "
        "what each NIC received while some blocks were read over one",
        reference="kernel Documentation/networking/ip-sysctl.rst, arp_ignore; opensvc multipath-tools#106",
    ),
    Kind(
        "MP208",
        Severity.WARNING,
        "the NIC {subject} is a member of a bond or bridge",
        "A member of a bond has no addresses of its own and LACP does not add bandwidth to one session; "
        "multipath wants the bare NICs, each with its own address.",
        "take the NIC out of the bond, or bind the iface to the bond and accept one path",
        evidence="/sys/class/net/NIC/master",
        reference="kernel Documentation/networking/bonding.rst",
    ),
    Kind(
        "MP210",
        Severity.ERROR,
        "no answer from {subject}",
        "Nothing answered a TCP connect through this NIC within a second. The pair stays planned; no login is "
        "tried while it is silent.",
        "check the portal, its cable and its switch port; if it is gone for good, name it in san.exclude (removing it "
        "from san.portals changes nothing once records exist)",
        evidence="a TCP connect bound to the NIC",
        reference="socket(7), SO_BINDTODEVICE; NetApp trident#909",
    ),
    Kind(
        "MP211",
        Severity.ERROR,
        "{subject} refuses connections",
        "The address is alive but nothing listens on that port: the array's iSCSI service is off or the portal "
        "group has another port.",
        "start the iSCSI target service on the array, or correct the port in the site file",
        evidence="a TCP connect bound to the NIC",
        reference="RFC 9293, 3.10.7.3",
    ),
    Kind(
        "MP212",
        Severity.INFO,
        "left out: {subject}",
        "This pair cannot reach each other, or the site's layout does not want it, so it is not part of what is "
        "expected.",
        'nothing, if that is the wiring; otherwise give the NIC a way to the portal, or use layout = "subnet"',
        evidence="the site's layout, the NICs' subnets, and a TCP connect bound to the NIC",
        reference="open-iscsi#439",
    ),
    Kind(
        "MP213",
        Severity.ERROR,
        "discovery at {subject} failed",
        "The portal accepts connections but did not answer SendTargets as an iSCSI target does.",
        "check that this is an iSCSI portal and look at the array's log",
        evidence="iscsiadm's exit code and last words",
        reference="RFC 7143, 4.3; open-iscsi include/iscsi_err.h",
    ),
    Kind(
        "MP214",
        Severity.ERROR,
        "discovery at {subject} was refused: authentication",
        "The portal asks for a discovery CHAP login that the site does not give, or a name or secret is wrong: this "
        "host's or, with mutual CHAP, the portal's own.",
        "compare [san.discovery_chap] and its password files with the array",
        evidence="iscsiadm's exit code 24",
        reference="RFC 7143, 9.2.1; open-iscsi include/iscsi_err.h",
    ),
    Kind(
        "MP215",
        Severity.ERROR,
        "no target for the site at {subject}",
        "The portal answered, but named no target that the site's globs take: the initiator is not in the "
        "array's host group, or the glob is wrong.",
        "register the initiator name on the array, or correct san.targets",
        evidence="the portal's answer to SendTargets",
        reference="RFC 7143, appendix C",
    ),
    Kind(
        "MP216",
        Severity.WARNING,
        "{subject} is configured but no target names it",
        "The portal answers, but SendTargets did not list it for any of the site's targets, so no session will use it.",
        "add the portal to the array's target portal group, or remove it from the site file",
        evidence="every portal's answer to SendTargets, beside the site file",
        reference="truenas-proxmox-plugin#91",
    ),
    Kind(
        "MP217",
        Severity.ERROR,
        "packets of the NIC's full size do not arrive: {subject}",
        "An echo of the NIC's MTU (or the site's, if it names one) with fragmentation forbidden was lost while the "
        "portal answers small packets: logins will succeed and data will hang.",
        "set the same MTU on NIC, switch and array, or correct network.mtu in the site file",
        evidence="an echo of the full size that may not be fragmented, beside a small one that is answered",
        reference="RFC 1191; xcp-ng xcp#440; ping(8), -M do",
    ),
    Kind(
        "MP219",
        Severity.WARNING,
        "{subject} is a bond",
        "A bond (LACP, 802.3ad) makes room for more streams and no stream faster: each session stays on one link, "
        "picked by a hash, and iSCSI has few sessions. Multipath over the bare NICs uses all links for one LUN, sees "
        "each of them fail by itself, and needs nothing of the switch.",
        "take the NICs out of the bond and give each an address in a subnet of its own; keep bonds for file services, "
        "which have no multipath",
        evidence="/sys/class/net/NIC/bonding, or uevent's DEVTYPE",
        reference="kernel Documentation/networking/bonding.rst, 802.3ad",
    ),
    Kind(
        "MP220",
        Severity.WARNING,
        "one NIC alone leads to the SAN: {subject}",
        "With a single NIC every LUN hangs on one cable, one switch port and one card: multipath has nothing to switch "
        "to.",
        "give a second NIC an address in a portal's subnet and name it: mpio init --nic {subject} --nic OTHER",
        evidence="the NICs that a portal answers through",
        reference="multipath(8)",
    ),
    Kind(
        "MP221",
        Severity.WARNING,
        "the host is not wholly as a site file can say it: {subject}",
        "The file describes the host as it is, and this part of it has no place there or differs from one record, "
        "session or file to the next. The next plan has steps for it, or leaves it alone.",
        "read the detail; where you want it otherwise, change the site file before mpio apply",
        evidence="records, sessions and files, beside each other",
        reference="open-iscsi#58",
    ),
    Kind(
        "MP222",
        Severity.WARNING,
        "password files are to be made: {subject}",
        "Records of this host have a CHAP login. Its names are in the site file; passwords are never copied: the file "
        "names the files that are to hold them.",
        "write each password on one line into the file named, mode 0600, owned by root; plan refuses until it is there",
        evidence="the records' CHAP names",
        reference="RFC 7143, 9.2.1; open-iscsi#267",
    ),
)
