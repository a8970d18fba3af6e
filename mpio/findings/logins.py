"""3xx: time-outs, records and names as live sessions have them."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

KINDS = (
    Kind(
        "MP323",
        Severity.WARNING,
        "time-outs are told differently: {subject}",
        "iscsid.conf counts when a record is made, a record at login, and multipathd writes its fast_io_fail_tmo (5, "
        "where nobody says) over the recovery time of every session that has a path of a map. So a value in "
        "iscsid.conf or a record may have no say at all, and the stall of a failover is another than planned.",
        "mpio apply sets all of them to [timeouts] of the site file; by hand: fast_io_fail_tmo in the device or "
        "overrides section of multipath.conf, then multipathd reconfigure; no-op timers need a new login",
        evidence="recovery_tmo, recv_tmo and ping_tmo in /sys, the record, iscsid.conf, multipathd show config",
        reference="multipath.conf(5), fast_io_fail_tmo; libmultipath/discovery.c, sysfs_set_session_tmo",
    ),
    Kind(
        "MP324",
        Severity.WARNING,
        "a dead path is in use for long: {subject}",
        "What is in flight when a path dies in silence waits for the no-op timers and then the recovery time before "
        "multipath may send it over another path. Without no-ops or without a recovery time that wait has no bound "
        "of its own.",
        "set noop_interval, noop_timeout and replacement in [timeouts] of the site file, then mpio apply and mpio "
        "login --renew; fast_io_fail_tmo off in multipath.conf leaves the record's time",
        evidence="recovery_tmo, recv_tmo and ping_tmo of the session in /sys",
        reference="open-iscsi README, 8.1 iSCSI settings for dm-multipath",
    ),
    Kind(
        "MP325",
        Severity.ERROR,
        "the target is not served there any more: {subject}",
        "The portal answers and does not serve this target: it was moved, switched off, has another portal group, or "
        "the array does not show it to this initiator. A login there cannot succeed.",
        "look at the target and its portals on the array; where it has moved for good, name the new portal in "
        "san.portals, then mpio apply, and delete the old record (iscsiadm -m node … -o delete)",
        evidence="the answer to SendTargets, and the status of the login in iscsid's journal",
        reference="RFC 7143, 11.13.5 (status 0203, 0301)",
    ),
    Kind(
        "MP326",
        Severity.WARNING,
        "no-op time-outs end connections that work: {subject}",
        "Again and again a no-op stayed without its answer in time and the next login succeeded at once: the target "
        "or the network is slow under load, not dead, and each time all I/O of the session waits or moves.",
        "raise noop_timeout in [timeouts] of the site file (by hand node.conn[0].timeo.noop_out_timeout in "
        "iscsid.conf and the records), then mpio login --renew; look what loads the array or the network at these "
        "times",
        evidence="error 1022 and recovery by the first login in iscsid's journal, three times or more",
        reference="open-iscsi#97",
    ),
    Kind(
        "MP327",
        Severity.WARNING,
        "the network loses what this session sends: {subject}",
        "A storage network loses next to nothing. One segment of fifty that has to be sent again, or comes after a "
        "later one, costs most of the throughput: a bad cable or transceiver, a full switch port, or a bond that "
        "spreads one connection over several links.",
        "compare the errors and drops of the NIC (ip -s link, ethtool -S) and of the switch ports on the way",
        evidence="total_retrans and rcv_ooopack of the connection (tcp_info, as ss -ti shows it)",
        reference="ss(8), --info",
    ),
    Kind(
        "MP328",
        Severity.ERROR,
        "CHAP name or secret is wrong: {subject}",
        "The record has a CHAP login and the target refused it when it was last tried. iscsid does not try again by "
        "itself; an array may lock out who does.",
        "compare username and the password file of [san.chap] with the array, then mpio apply",
        evidence="iscsid's journal (login status 0201), and that the record has a secret",
        reference="RFC 7143, 11.13.5 (status 0201)",
    ),
    Kind(
        "MP329",
        Severity.ERROR,
        "the target wants CHAP and there is none: {subject}",
        "The target refused a login without CHAP, and the record has no secret: none was ever given, or a discovery "
        "has set the record back to iscsid.conf.",
        "name the login in [san.chap] of the site file, then mpio apply",
        evidence="iscsid's journal (login status 0201), and that the record has no secret",
        reference="RFC 7143, 12.1; open-iscsi#58",
    ),
    Kind(
        "MP330",
        Severity.ERROR,
        "CHAP is one-sided: {subject}",
        "The record wants mutual CHAP and the target gave no proof, one of another secret or one under another name; "
        "or the record logs in by CHAP where the target asks for none. What one side has set the other lacks, or has "
        "otherwise. iscsiadm ends with 19, not 24.",
        "set the same on both sides: [san.chap] of the site file and what the array has for this host, and for "
        "itself (username_in); then mpio apply",
        evidence="iscsid's journal: login authentication failed, received incorrect …, CHAP response expected",
        reference="open-iscsi, usr/auth.c; RFC 7143, 12.1.3",
    ),
    Kind(
        "MP331",
        Severity.ERROR,
        "the target does not admit this initiator: {subject}",
        "The login was refused before any secret mattered: this host's initiator name is in no access list (ACL, "
        "host group) of the target.",
        "register the initiator name on the array, then mpio login {subject}",
        evidence="iscsid's journal (login status 0202)",
        reference="RFC 7143, 11.13.5 (status 0202)",
    ),
    Kind(
        "MP332",
        Severity.WARNING,
        "a setting that does harm: {subject}",
        "A record, iface or session is set so that it logs in otherwise than meant or is of no use: "
        "node.session.scan manual (no disks after a login), minutes of patience with a dead portal, digests on some "
        "paths of a LUN only, an initiator name of its own on one iface.",
        "correct the record (iscsiadm -m node … -o update -n KEY -v VALUE; the site's own keys: mpio apply), then "
        "mpio login --renew",
        evidence="node and iface records, header_digest and data_digest in /sys",
        reference="iscsid.conf's comments; open-iscsi, usr/initiator_common.c",
    ),
    Kind(
        "MP333",
        Severity.WARNING,
        "others may read or change the CHAP secret in {subject}",
        "open-iscsi keeps secrets in clear, protected by the file's mode alone: 0600, root's.",
        "chmod 600 {subject}, and set another secret on the array if it was there for long",
        evidence="the mode of the record's file",
        reference="open-iscsi#267",
    ),
    Kind(
        "MP334",
        Severity.WARNING,
        "half a CHAP login: {subject}",
        "open-iscsi goes by the secrets, whatever authmethod says: a name without a secret is no login, mutual CHAP "
        "without an own secret is refused by iscsid itself, without one of its two words no target can prove itself.",
        "say it wholly in [san.chap] of the site file, then mpio apply; or set the missing key in the record's file",
        evidence="the keys node.session.auth.* of the record, whose secrets are not shown",
        reference="iscsid.conf's comments on CHAP; open-iscsi, usr/initiator_common.c, usr/auth.c",
    ),
    Kind(
        "MP335",
        Severity.WARNING,
        "twice the same: {subject}",
        "One pair has several records or sessions, or its portal names the target under several group tags. Such "
        "sessions share every part, so they add paths and no safety; of such records each login fails with 'session "
        "exists' (15), and iscsiadm deletes neither while a session is there, for it tells them apart by their tag "
        "in no command.",
        "log the pair out while other paths carry its LUNs, delete its records (iscsiadm -m node … -o delete), then "
        "mpio apply; node.session.nr_sessions is to be 1",
        evidence="the database's files, /sys/class/iscsi_session, the portal's answer to SendTargets",
        reference="oVirt vdsm PR#259; open-iscsi#461",
    ),
    Kind(
        "MP336",
        Severity.WARNING,
        "set back by a discovery: {subject}",
        "A discovery that stores what it finds (iscsiadm's default) writes every record anew from iscsid.conf: "
        "node.startup, CHAP and time-outs that were set since are gone. The session goes on; at the next boot it is "
        "not made.",
        "mpio apply; discover with mpio discover or -o nonpersistent",
        evidence="discovery_type of the record, and that its file and its link below send_targets are of one moment",
        reference="open-iscsi#58, open-iscsi#286",
    ),
    Kind(
        "MP337",
        Severity.WARNING,
        "a record of what cannot meet: {subject}",
        "A discovery makes a record of each iface with each portal. This NIC has no way to this portal, which other "
        "NICs reach directly: every login of all waits for it, login_timeout x initial_login_retry_max seconds.",
        'iscsiadm -m node … -o delete for the record, and layout = "subnet" in [san] of the site file, if NICs are '
        "to keep to their own subnets",
        evidence="the NIC's addresses, and a TCP connect through it that met no answer while another NIC's did",
        reference="open-iscsi#439",
    ),
    Kind(
        "MP338",
        Severity.WARNING,
        "nothing would bring it back: {subject}",
        "The session lives on in the kernel, but its record or its iface has been deleted. Once it is logged out, or "
        "at the next boot, nobody logs in again; without its iface iscsiadm does not even log it out (exit 3).",
        "mpio apply makes the iface and the record again; log the session out if it is not wanted",
        evidence="/sys/class/iscsi_session and the files of open-iscsi's database",
        reference="iscsiadm(8); open-iscsi, usr/session_info.c",
    ),
    Kind(
        "MP339",
        Severity.ERROR,
        "stuck: {subject}",
        "What it stands on is back and it is not: a session though its portal answers, a disk though its session is "
        "logged in. What is left of a fault does not go by itself any more, or takes longer than it should.",
        "a session: look at journalctl -u iscsid and systemctl status iscsid, then mpio logout and mpio login of the "
        "pair; a disk: echo running into its /sys/block/sdX/device/state",
        evidence="session and device state in /sys, a TCP connect through the NIC, the state of iscsid's process",
        reference="ceph-iscsi-cli#60; kernel drivers/scsi/scsi_transport_iscsi.c",
    ),
)
