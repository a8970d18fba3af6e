"""3xx: sessions, records and what the target says."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

KINDS = (
    Kind(
        "MP301",
        Severity.ERROR,
        "login failed: {subject}",
        "The portal answered but the login did not succeed; iscsiadm's reason is in the detail.",
        "look at journalctl -u iscsid and the array's log, then mpio apply",
        evidence="iscsiadm's exit code and words for the login",
        reference="open-iscsi, include/iscsi_err.h; iscsiadm(8), EXIT STATUS",
    ),
    Kind(
        "MP302",
        Severity.ERROR,
        "login refused, CHAP or host group: {subject}",
        "The target rejects the CHAP name or secret, wants CHAP where the site gives none, or does not know this "
        "initiator: iscsiadm says 24 for all of them, iscsid's journal tells authentication from authorization.",
        "compare [san.chap] and its password files with the array; register this host's initiator name there",
        evidence="iscsiadm's exit code 24",
        reference="open-iscsi, usr/initiator.c (status 0201, 0202); RFC 7143, 11.13.5",
    ),
    Kind(
        "MP303",
        Severity.ERROR,
        "login refused by the target: {subject}",
        "The target does not know this initiator (ACL, host group), is gone from this portal, or did not prove itself "
        "with the secret that mutual CHAP expects of it.",
        "register the initiator name of this host on the array; compare username_in and its password file",
        evidence="iscsiadm's exit code 19 and its words",
        reference="open-iscsi, usr/initiator.c, usr/auth.c; RFC 7143, 11.13.5",
    ),
    Kind(
        "MP304",
        Severity.ERROR,
        "the session is not logged in: {subject}",
        "The kernel holds the session but its connection is broken; iscsid tries to repair it. Its paths are "
        "blocked or failed meanwhile.",
        "mend link, portal or target; iscsid logs in again by itself",
        evidence="state in /sys/class/iscsi_session",
        reference="kernel drivers/scsi/scsi_transport_iscsi.c, iscsi_session_state",
    ),
    Kind(
        "MP305",
        Severity.WARNING,
        "foreign on the site's portals: {subject}",
        "A record or session that mpio did not make uses one of the site's portals. mpio leaves it alone; "
        "its paths make the count larger than planned.",
        "remove it by hand (iscsiadm -m node … --logout, then -o delete) if it is a leftover",
        evidence="node records, /sys/class/iscsi_session and what mpio remembers of its own",
        reference="iscsiadm(8), -o delete",
    ),
    Kind(
        "MP306",
        Severity.WARNING,
        "in force after the next login: {subject}",
        "No-op timers, initiator name, binding and CHAP are read at login; a live session keeps what it was made with.",
        "mpio login --renew: one session at a time, none while its paths are needed",
        evidence="recv_tmo, ping_tmo, netdev, initiatorname and CHAP of the session in /sys",
        reference="open-iscsi list, 2020-03-14, replacement_timeout Override",
    ),
    Kind(
        "MP307",
        Severity.ERROR,
        "the initiator name cannot change while sessions exist",
        "The array knows this host by its name; sessions under two names at once end in lost LUNs.",
        "mpio logout, then mpio apply",
        refusal=True,
        evidence="/etc/iscsi/initiatorname.iscsi and the sessions in /sys",
        reference="RFC 7143, 4.2.7; iscsid(8)",
    ),
    Kind(
        "MP308",
        Severity.ERROR,
        "the session shows none of its LUNs: {subject}",
        "The login succeeded, yet none of the site's LUNs is mapped to this initiator over this target; where no site "
        "names any, no disk at all.",
        "map the LUNs to this initiator and this target on the array, then mpio apply",
        evidence="the disks of the session in /sys/block",
        reference="open-iscsi#31",
    ),
    Kind(
        "MP309",
        Severity.ERROR,
        "the iface {subject} exists with another binding",
        "An iface record of this name is bound to another NIC or by MAC address, and it is not mpio's or it is in use.",
        "mpio iface remove {subject} if nobody needs it, or use another name",
        evidence="the iface record",
        reference="open-iscsi README, 5.1 (binding); usr/iface.c",
    ),
    Kind(
        "MP310",
        Severity.WARNING,
        "kept because it is in use: {subject}",
        "The site no longer names it, but a session still carries LUNs that would lose their last path or are in use.",
        "free the LUNs, then mpio apply",
        evidence="mounts, holders and open counts of the LUNs",
        reference="Red Hat, Removing a Storage Device",
    ),
    Kind(
        "MP311",
        Severity.WARNING,
        "refused name from {subject}",
        "The portal sent a target name or address that no iSCSI target may have, or said of another portal what that "
        "one does not say itself (a target, a group tag); it was ignored.",
        "look at the portal: it is broken or hostile",
        evidence="the portal's answer to SendTargets",
        reference="RFC 7143, 4.2.7.1 and 13.9",
    ),
    Kind(
        "MP312",
        Severity.WARNING,
        "the site says otherwise of the iface {subject}",
        "The iface was added or removed by hand; apply follows the site file alone.",
        "say it in the site file too, if it is to last",
        evidence="the iface records and the site file",
        reference="iscsiadm(8), iface",
    ),
    Kind(
        "MP313",
        Severity.ERROR,
        "refused: records on the iface {subject} are not mpio's",
        "open-iscsi deletes an iface's node records with it, and somebody else made these.",
        "delete the records first (iscsiadm -m node … -o delete), if nobody needs them",
        refusal=True,
        evidence="node records that mpio does not remember making",
        reference="open-iscsi, usr/iface.c (an iface is deleted with its records)",
    ),
    Kind(
        "MP314",
        Severity.ERROR,
        "sessions use the iface {subject}",
        "An iface is not removed while it carries a session: open-iscsi refuses it, too.",
        "mpio logout {subject}, then the same again",
        evidence="ifacename of the sessions in /sys",
        reference="iscsiadm(8), iface; exit 15",
    ),
    Kind(
        "MP315",
        Severity.ERROR,
        "no record to log in with: {subject}",
        "open-iscsi logs in by a stored record: a pair's for its session, a portal's for a discovery with CHAP. "
        "The site wants this one, it is not there yet, and only apply makes records.",
        "mpio apply",
        evidence="the files of open-iscsi's database",
        reference="iscsiadm(8), node and discoverydb",
    ),
    Kind(
        "MP316",
        Severity.INFO,
        "offline by hand: {subject}",
        "`mpio offline` took it out of use for maintenance. Until it is back its paths are not expected, its records "
        "are manual, also over a reboot, and what is wrong with its NIC, portal or session is no finding.",
        "mpio online {subject}",
        evidence="what mpio offline has written down",
        reference="docs/cli.md, offline",
    ),
    Kind(
        "MP317",
        Severity.ERROR,
        "not logged in, for it is offline by hand: {subject}",
        "Whoever took it offline may be at work on it. A login leaves it alone until it is online again.",
        "mpio online {subject}",
        evidence="what mpio offline has written down",
        reference="docs/cli.md, offline",
    ),
    Kind(
        "MP318",
        Severity.WARNING,
        "{subject} is in use over what is offline by hand",
        "Its paths were taken out of use and came back (a restarted multipathd, a login by hand), and no other path of "
        "the map is usable now: taking them away again would stop its I/O.",
        "bring the other paths back, then mpio apply; or mpio online for what is offline",
        evidence="what mpio offline has written down, and the states of the map's paths",
        reference="docs/cli.md, offline",
    ),
    Kind(
        "MP319",
        Severity.ERROR,
        "refused: {subject} carries this host itself",
        "One of the file systems that the host runs from (/, /usr, /etc, /var, /boot) is on this LUN. Without it "
        "nothing runs on, nor could anything put it back: no --force lets that pass.",
        "leave it a path that works; to take it away wholly, start the host from another disk",
        refusal=True,
        always=True,
        evidence="/proc/self/mountinfo and what holds each disk in /sys",
        reference="docs/architecture.md",
    ),
    Kind(
        "MP320",
        Severity.WARNING,
        "short CHAP secret: {subject}",
        "iSCSI asks for 96 random bits, 12 bytes at least (RFC 7143, 9.2.1): whoever hears one login can try shorter "
        "secrets until one fits. Some arrays refuse them, this one has not been asked.",
        "set a longer one on the array and write it into the file that {subject} names, then mpio apply",
        evidence="the length of the secret in the file that the site names",
        reference="RFC 7143, 9.2.1",
    ),
    Kind(
        "MP321",
        Severity.INFO,
        "left out: {subject} advertises addresses outside the site's networks",
        "Targets are advertised at an address in no network of the site's NICs: not logged in. Arrays list all their "
        "portals, those of other networks, too; and whoever answers a discovery may name any address, so nothing "
        "connects there on its word alone.",
        "name it in san.portals if it is yours, or in san.exclude if not",
        evidence="the portal's answer to SendTargets and the addresses of the site's NICs",
        reference="RFC 7143, appendix C (SendTargets)",
    ),
    Kind(
        "MP322",
        Severity.ERROR,
        "sent on to another place: {subject}",
        "The portal redirected the login (RFC 7143, 11.13.5), and iscsid went where it was sent: the session is at an "
        "address that is in no network of the site's NICs, or excluded, and that the site does not name.",
        "where the address is the array's, name it in san.portals; otherwise mpio logout the session and name its "
        "portal in san.exclude",
        evidence="address and persistent_address of the connection in /sys",
        reference="RFC 7143, 11.13.5 (status 0101, 0102)",
    ),
)
