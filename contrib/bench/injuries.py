"""Faults that a guest's host can really have, and the finding that `mpio doctor` is to begin with. Data.

Each is done by shell lines on the guide's host after its first `mpio apply`. `lab-san fault` is the lab's own; NICs are
eth1 and eth2, their peers on the SAN's side san1 and san2.
"""

from __future__ import annotations

from dataclasses import dataclass

APPS, DB1 = "hydra_apps-a01", "hydra_db-a01"
TARGET_1 = "iqn.2011-09.dom.homer:01:13611547-b4e6-e4b9-d97b-d1f4df275f58"
TARGET_2 = "iqn.2011-09.dom.homer:02:0e4f921a-407e-eb9f-9f53-aded8d99a723"
OLD = "iscsiadm -m node -T iqn.2011-09.dom.homer:03:old"
PORTAL_1, PORTAL_2 = "10.10.8.90:3260", "10.10.9.90:3260"
RECORD_1 = f"iscsiadm -m node -T {TARGET_1} -p {PORTAL_1} -I sw-iscsi-0"
# The LUNs' numbers are 11 to 14 less one: 10 is the first. A disk of the first map, and all of the last one's.
DISK = f"$(ls /sys/block/$(basename $(readlink /dev/mapper/{APPS}))/slaves | head -n1)"
GREW = "$(ls /sys/block/$(basename $(readlink /dev/mapper/hydra_db-a02))/slaves)"
LAST, LAST_WWID = "hydra_db-a03", "3600144f0f484400000004e8686210004"
DISKS = f"$(ls /sys/block/$(basename $(readlink /dev/mapper/{LAST}))/slaves)"
SETTLED = "udevadm settle"
OURS = "/etc/multipath/conf.d/95-local.conf"


@dataclass(frozen=True, slots=True)
class Injury:
    """`does` is done to the host; `until` is when it has taken effect; `code` is what doctor must say first. `fixed`:
    `mpio doctor --fix CODE` heals it. `reboots`: what only a next boot would show.
    """

    name: str
    does: str
    code: str
    until: str = "true"
    fixed: bool = False


def failed(count: int) -> str:
    """So many paths are failed in the device mapper."""
    return f"[ $(dmsetup status --target multipath | grep -Eo '[0-9]+:[0-9]+ F ' | wc -l) -ge {count} ]"


def line(text: str) -> str:
    """A drop-in of somebody else's, which the daemon is told to read; `\\n` ends a line of it."""
    return f"printf '%b\\n' '{text}' >{OURS}; multipathd reconfigure"


def told_by_udev(what: str) -> str:
    """The last LUN's disks as udev would have them, before they are taken into a map again."""
    rule = f'KERNEL==\\"$d\\", ENV{{ID_SERIAL}}=\\"{what}\\"'
    return (
        f"S={DISKS}; multipath -w {LAST_WWID}; multipath -f {LAST}; "
        f'for d in $S; do echo "{rule}"; done >/etc/udev/rules.d/99-local.rules; udevadm control --reload; '
        "for d in $S; do udevadm trigger -w --action=change /sys/block/$d; done; udevadm settle"
    )


NO_ARP = "ip -n san addr del 10.10.9.90/24 dev san2; ip -n san route add 10.10.9.0/24 dev san2"
DROPPED = f"lab-san fault drop-sessions {TARGET_2}"
EVIL = (
    "table inet evil { chain o { type filter hook output priority 0; "
    'oifname "eth2" tcp dport 3260 drop comment "somebody"; }; }'
)
IFACE_FILE = "$(ls /etc/iscsi/ifaces/sw-iscsi-0 /var/lib/iscsi/ifaces/sw-iscsi-0 2>/dev/null)"

OF_WIRES = (
    Injury("link lost at the switch", "lab-san fault link-down san1", "MP203", failed(8)),
    Injury("NIC set down", "ip link set eth1 down", "MP230", failed(8), fixed=True),
    Injury("NIC without its address", "ip addr flush dev eth1", "MP229", failed(8)),
    Injury("NIC renamed", "ip link set eth1 down; ip link set eth1 name ens9; ip link set ens9 up", "MP245"),
    Injury("NIC dormant", "ip link set eth2 mode dormant; ip link set eth2 state dormant", "MP231"),
    Injury("rp_filter drops answers", "echo 1 >/proc/sys/net/ipv4/conf/eth1/rp_filter", "MP224", fixed=True),
    Injury("another machine has the NIC's address", "ip -n san addr add 10.10.9.20/32 dev san2", "MP226"),
    Injury("one address on two NICs", "ip addr add 10.10.9.20/32 dev eth1", "MP248"),
    Injury("full packets are lost", "ip -n san link set san2 mtu 1400", "MP217"),
    Injury("portal silent", f"lab-san fault silence {PORTAL_2}", "MP239", failed(8)),
    Injury("portal gone from the wire", NO_ARP, "MP238", failed(8)),
    Injury("portal refuses", f"lab-san fault portal-remove {TARGET_2} {PORTAL_2}; {DROPPED}", "MP211", failed(8)),
    Injury("this host's firewall", f"nft '{EVIL}'", "MP241", failed(4)),
    Injury("iface without its file", f"rm {IFACE_FILE}", "MP342", fixed=True),
    Injury("iface bound to nobody's address", f"echo iface.hwaddress = 02:00:00:00:00:99 >>{IFACE_FILE}", "MP243"),
)
SESSION = f"$(dirname $(grep -l {TARGET_1} /sys/class/iscsi_session/*/targetname | head -n1))"
RECORD_FILE = (
    f"$(find /etc/iscsi/nodes /var/lib/iscsi/nodes -path '*{TARGET_1}*10.10.8.90*' -name sw-iscsi-0 2>/dev/null)"
)


def settings(*named: str) -> str:
    """KEY=VALUE, in their place below node.session, as iscsiadm takes them."""
    return " ".join(f"-n node.session.{s.replace('=', ' -v ')}" for s in named)


# LIO remembers whom it once let in, until it is told otherwise: which it hears only where it does not let in everybody.
FORGETS = f"for f in /sys/kernel/config/target/iscsi/{TARGET_1}/tpgt_*/attrib/cache_dynamic_acls; do echo 0 >$f; done"
PRAGUE = ("auth.authmethod=CHAP", "auth.username=prague", "auth.password=nothing-that-it-knows")
OF_LOGINS = (
    Injury("session logged out by hand", f"{RECORD_1} --logout", "MP340", fixed=True),
    Injury("session and record gone", f"{RECORD_1} --logout; {RECORD_1} -o delete", "MP341", fixed=True),
    Injury("time-outs that disagree", f"echo 3 >{SESSION}/recovery_tmo", "MP323", fixed=True),
    Injury("recovery switched off", f"echo off >{SESSION}/recovery_tmo", "MP324"),
    Injury("target switched off", f"lab-san fault target-off {TARGET_1}", "MP325", failed(8)),
    Injury(
        "CHAP wanted and missing",
        f"{RECORD_1} --logout; lab-san fault chap {TARGET_1} prague session-to-homer; {RECORD_1} --login || :",
        "MP329",
    ),
    Injury(
        "CHAP secret wrong",
        f"{RECORD_1} --logout; lab-san fault chap {TARGET_1} prague session-to-homer; "
        f"{RECORD_1} -o update {settings(*PRAGUE)}; {RECORD_1} --login || :",
        "MP328",
    ),
    Injury(
        "the target does not admit the host",
        f"lab-san fault allow {TARGET_1} iqn.2011-09.dom.example:else; {FORGETS}; "
        f"iscsiadm -m node -T {TARGET_1} --logout; iscsiadm -m node -T {TARGET_1} --login || :",
        "MP331",
    ),
    Injury(
        "secret in a record that others may read",
        f"{OLD} -p 10.10.8.99:3260,1 -I sw-iscsi-0 -o new; {OLD} -o update {settings(*PRAGUE[1:])}; "
        "chmod 644 $(find /etc/iscsi/nodes /var/lib/iscsi/nodes -path '*03:old*' -name sw-iscsi-0 2>/dev/null)",
        "MP333",
        fixed=True,
    ),
    Injury("two sessions for one pair", f"iscsiadm -m session -r $(basename {SESSION} | tr -dc 0-9) -o new", "MP335"),
    Injury(
        "records reset by a discovery",
        "iscsiadm -m discovery -t st -p 10.10.8.90 -I sw-iscsi-0 -I sw-iscsi-1",
        "MP336",
        fixed=True,
    ),
    Injury("session without its record", f"rm {RECORD_FILE}", "MP338", fixed=True),
)
# A LUN that the site does not name any more is mapped by hand, its disks go while somebody has the map open, and then
# nobody has.
LEFT_OVER = (
    f"S={DISKS}; sed -i '/^.[[]lun]]$/{{N;N;/{LAST_WWID}/d}}' /etc/mpio/site.toml; mpio apply --yes >/dev/null; "
    f"multipath -a {LAST_WWID}; multipath {LAST_WWID} >/dev/null; udevadm settle; "
    f"M=$(readlink -f /dev/disk/by-id/dm-uuid-mpath-{LAST_WWID}); sleep 300 <$M >/dev/null 2>&1 & P=$!; "
    "for d in $S; do echo 1 >/sys/block/$d/device/delete; done; "
    'while [ -n "$(ls /sys/block/${M##*/}/slaves)" ]; do sleep 0.2; done; kill $P'
)
OF_DISKS = (
    Injury("path failed by hand and forgotten", f"multipathd fail path {DISK}", "MP442", fixed=True),
    Injury(
        "disk offline in the SCSI layer",
        f"echo offline >/sys/block/{DISK}/device/state",
        "MP443",
        failed(1),
        fixed=True,
    ),
    Injury("path left out of its map", f"multipathd del path {DISK}", "MP458", fixed=True),
    Injury("disk deleted by hand", f"echo 1 >/sys/block/{DISK}/device/delete", "MP434", fixed=True),
    Injury("path that is slow but alive", "tc -n san qdisc add dev san1 root netem delay 100ms", "MP444"),
    Injury("path marked marginal by hand", f"multipathd setmarginal path {DISK}", "MP459"),
    Injury("LUN unmapped at one target", f"lab-san fault unmap {TARGET_1} 11", "MP417", failed(2)),
    Injury("LUN grew on the array", "lab-san fault resize 12 134217728", "MP418"),
    Injury(
        "LUN grew, one path rescanned",
        f"lab-san fault resize 12 134217728; for d in {GREW}; do echo 1 >/sys/block/$d/device/rescan; break; done",
        "MP410",
    ),
    Injury(
        "LUN grew, the map did not follow",
        f"lab-san fault resize 12 134217728; for d in {GREW}; do echo 1 >/sys/block/$d/device/rescan; done; {SETTLED}",
        "MP457",
        fixed=True,
    ),
    Injury(
        "LUN blacklisted by WWID",
        line(f"blacklist {{\\n wwid {LAST_WWID}\\n}}"),
        "MP430",
        f"! multipathd show maps | grep -q {LAST}",
    ),
    Injury("map flushed by hand", f"multipath -f {LAST}", "MP407", fixed=True),
    Injury("a map that is left over", LEFT_OVER, "MP450", fixed=True),
    Injury("LUN not registered, map gone", f"multipath -w {LAST_WWID}; multipath -f {LAST}", "MP431", fixed=True),
    Injury(
        "file system mounted past its map",
        f"D={DISK}; mkfs.ext4 -q /dev/mapper/{APPS}; multipathd del path $D; mkdir /mnt/x; mount /dev/$D /mnt/x",
        "MP435",
    ),
    Injury(
        "LUN used without multipath",
        f"D=$(echo {DISKS} | cut -d' ' -f1); mkfs.ext4 -q /dev/mapper/{LAST}; multipath -w {LAST_WWID}; "
        f"multipath -f {LAST}; mkdir /mnt/x; mount /dev/$D /mnt/x",
        "MP432",
    ),
    Injury("udev says nothing of a LUN", told_by_udev(""), "MP433"),
    Injury("udev takes a LUN for another", told_by_udev("3600144f0ffffffffffffffffffffffff1"), "MP456"),
    Injury("map suspended", f"dmsetup suspend --noflush {APPS}", "MP423", fixed=True),
    Injury(
        "map without a table", "dmsetup create hollow --notable --uuid mpath-36001405000000000000000000000dead", "MP438"
    ),
    Injury("queueing switched off by hand", f"multipathd disablequeueing map {DB1}", "MP441", fixed=True),
    Injury("some paths read-only", f"blockdev --setro /dev/{DISK}", "MP454"),
    Injury("command time-out of two seconds", f"echo 2 >/sys/block/{DISK}/device/timeout", "MP453"),
    Injury(
        "a path in /etc/fstab",
        "D=$(ls /dev/disk/by-path/*lun-10 | head -n1); echo $D /mnt ext4 noauto,_netdev 0 0 >>/etc/fstab",
        "MP436",
    ),
    Injury(
        "reservation of another host",
        f"for i in 1 2; do sg_persist -n -o -G -S 1 /dev/{DISK} || :; done; sg_persist -n -o -R -K 1 -T 3 /dev/{DISK}",
        "MP455",
    ),
)
MULTIPATH, ISCSID = "/etc/multipath.conf", "/etc/iscsi/iscsid.conf"


def multipath_conf(text: str) -> str:
    return f"printf '%b\\n' '{text}' >{MULTIPATH}"


def device(text: str) -> str:
    return f"devices {{\\n device {{\\n vendor NEXENTA\\n product COMSTAR\\n {text}\\n }}\\n}}"


def iscsid_conf(key: str, value: str) -> str:
    """In place of the line that says it, or at the end."""
    key = key.replace("[", "\\[").replace("]", "\\]")
    return f"sed -i '/^{key} *=/d' {ISCSID}; echo '{key} = {value}' | tr -d '\\\\' >>{ISCSID}"


MAKE_FS = f"mkfs.ext4 -q /dev/mapper/{DB1}; udevadm settle; mkdir -p /db"
EVERY_RECORD = "iscsiadm -m node -o update"
NAME = "/etc/iscsi/initiatorname.iscsi"
NETWORKD = "[Match]\\nName=eth1\\n[Network]\\nAddress=10.10.8.20/24\\n"
D_UNIT, UDEV = "multipathd", "systemd-udevd"
OF_HOST = (
    Injury("multipathd stopped", "systemctl stop multipathd.socket multipathd", "MP104", fixed=True),
    Injury("iscsid stopped", "systemctl stop iscsid.socket iscsid", "MP103", fixed=True),
    Injury("multipathd masked", "systemctl mask --now multipathd", "MP105"),
    Injury("the login at boot is disabled", "systemctl disable open-iscsi.service", "MP111", fixed=True),
    Injury(
        "multipathd by its socket alone",
        "systemctl disable multipathd.service; systemctl enable multipathd.socket",
        "MP112",
        fixed=True,
    ),
    Injury(
        "stale lock of iscsiadm",
        "touch /run/lock/iscsi/lock; ln /run/lock/iscsi/lock /run/lock/iscsi/lock.write",
        "MP109",
        fixed=True,
    ),
    Injury("a later sysctl file wins", "echo net.ipv4.conf.eth1.rp_filter=1 >/etc/sysctl.d/zzz-local.conf", "MP206"),
    Injury("module blacklisted", "echo install dm-multipath /bin/true >/etc/modprobe.d/hardening.conf", "MP116"),
    Injury("iscsid replaced under itself", "cp /usr/sbin/iscsid /usr/sbin/i; mv /usr/sbin/i /usr/sbin/iscsid", "MP117"),
    Injury("initiator name changed under sessions", f"echo InitiatorName=iqn.2011-10.dom.prague:new >{NAME}", "MP119"),
    Injury("initiator name empty", f"echo >{NAME}", "MP120"),
    Injury("two initiator names", f"echo InitiatorName=iqn.2011-10.dom.prague:second >>{NAME}", "MP121"),
    Injury("initiator name of an image", "mkdir -p /etc/ssh; touch /etc/ssh/ssh_host_ed25519_key.pub", "MP122"),
    Injury("no record logs in at boot", f"{EVERY_RECORD} -n node.startup -v manual", "MP123", fixed=True),
    Injury(
        "some records do not log in at boot",
        f"{EVERY_RECORD} -I sw-iscsi-1 -n node.startup -v manual",
        "MP124",
        fixed=True,
    ),
    Injury("leading login", f"{EVERY_RECORD} -n node.leading_login -v Yes", "MP125"),
    Injury(
        "a dead portal at boot",
        f"{OLD} -p 10.10.8.99:3260,1 -I sw-iscsi-0 -o new; {OLD} -o update -n node.startup -v automatic",
        "MP126",
    ),
    Injury("no _netdev", f"{MAKE_FS}; echo /dev/mapper/{DB1} /db ext4 defaults 0 2 >>/etc/fstab", "MP128"),
    Injury("a mount by the name of a disk", "echo /dev/sda /db ext4 _netdev 0 2 >>/etc/fstab", "MP130"),
    Injury(
        "one NIC's address is by hand alone",
        f"printf '{NETWORKD}' >/etc/systemd/network/10-eth1.network; systemctl enable systemd-networkd",
        "MP133",
    ),
    Injury(
        "iscsid.startup starts nothing",
        iscsid_conf("iscsid.startup", "/nowhere x"),
        "MP134",
    ),
    Injury(
        "udevd stopped",
        f"systemctl stop {UDEV}.service {UDEV}-control.socket {UDEV}-kernel.socket",
        "MP135",
    ),
    Injury(
        "udevd away while disks came",
        f"mpio logout --yes; modprobe -r sd_mod; systemctl stop {UDEV}.service {UDEV}-control.socket "
        f"{UDEV}-kernel.socket; iscsiadm -m node --login; systemctl start {UDEV}-control.socket {UDEV}.service",
        "MP460",
        until="[ $(ls /sys/class/scsi_device | wc -l) -eq 16 ]",
    ),
    Injury("modules of the running kernel gone", "mv /lib/modules/$(uname -r) /root/", "MP137"),
    Injury(
        "LUN not registered for the next boot", "multipath -w 3600144f0f484400000004e8685f80002", "MP139", fixed=True
    ),
)
TIMEO = "node.session.timeo"
CHAP = "; ".join(
    iscsid_conf(f"node.session.auth.{key}", value)
    for key, value in (("username", "x"), ("password", "session-to-homer"))
)
OF_LINES = (
    Injury("multipath.conf writable by all", f"{multipath_conf('')}; chmod 0666 {MULTIPATH}", "MP502"),
    Injury("obsolete keyword", multipath_conf("defaults {\\n udev_dir /dev\\n}"), "MP503"),
    Injury("misspelt keyword", multipath_conf("defaults {\\n pathgrouping_policy multibus\\n}"), "MP504"),
    Injury("keyword in the wrong section", multipath_conf("defaults {\\n alias x\\n}"), "MP505"),
    Injury("a value that cannot be", multipath_conf(device("failback soon")), "MP506"),
    Injury("a missing brace", multipath_conf("defaults {\\n verbosity 2\\ndevices {\\n}"), "MP507"),
    Injury("a keyword said twice", multipath_conf("defaults {\\n verbosity 2\\n verbosity 3\\n}"), "MP509"),
    Injury("features that are dropped", multipath_conf(device('features "1 queue_if_no_path"')), "MP511"),
    Injury("blacklist by a name", multipath_conf('blacklist {\\n devnode "^sd[x-z]"\\n}'), "MP512"),
    Injury("queueing without a daemon", multipath_conf("defaults {\\n queue_without_daemon yes\\n}"), "MP516"),
    Injury(
        "a line that multipath does not start with",
        multipath_conf("defaults {\\n partition_delimiter a/b\\n}"),
        "MP525",
    ),
    Injury(
        "a later file beats the site",
        line(device("no_path_retry 3")).replace("95-", "99-"),
        "MP526",
        "multipathd show config local | grep -q 'no_path_retry 3'",
    ),
    Injury("misspelt key of iscsid.conf", iscsid_conf("node.session.timeo.replacment_timeout", "9"), "MP528"),
    Injury("no number where one belongs", iscsid_conf("node.session.cmds_max", "many"), "MP530"),
    Injury("a time-out that loses", iscsid_conf(f"{TIMEO}.replacement_timeout", "120"), "MP323", fixed=True),
    Injury(
        "pings that are never given up", iscsid_conf("node.conn[0].timeo.noop_out_timeout", "0"), "MP532", fixed=True
    ),
    Injury("a login that waits long", iscsid_conf("node.session.initial_login_retry_max", "60"), "MP533", fixed=True),
    Injury("a dead session is never given up", iscsid_conf(f"{TIMEO}.replacement_timeout", "-1"), "MP323", fixed=True),
    Injury("a secret that others may read", f"{CHAP}; chmod 644 {ISCSID}", "MP537", fixed=True),
    Injury("a leading login", iscsid_conf("node.leading_login", "Yes"), "MP535"),
    Injury("half a CHAP login", iscsid_conf("node.session.auth.username", "x"), "MP536"),
    Injury("no LUN appears by itself", iscsid_conf("node.session.scan", "manual"), "MP538"),
)
# Both NICs in one subnet, the site with arp = "set".
ONE_SUBNET = (
    Injury(
        "either NIC answers for both",
        "for f in /proc/sys/net/ipv4/conf/*/arp_ignore; do echo 0 >$f; done",
        "MP240",
        fixed=True,
    ),
    Injury("rp_filter strict", "echo 1 >/proc/sys/net/ipv4/conf/eth1/rp_filter", "MP223", fixed=True),
)
INJURIES = (*OF_WIRES, *OF_LOGINS, *OF_DISKS, *OF_HOST, *OF_LINES)
