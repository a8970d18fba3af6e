"""1xx: services, and what happens at the next boot and shutdown."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

KINDS = (
    Kind(
        "MP111",
        Severity.ERROR,
        "{subject} is not enabled",
        "Nothing starts the unit at the next boot. What works now was started by hand or by something that asked for "
        "it, and the host comes back without its LUNs.",
        "mpio apply, or: systemctl enable {subject}",
        evidence="systemctl show: UnitFileState",
        reference="systemctl(1), enable",
    ),
    Kind(
        "MP112",
        Severity.WARNING,
        "{subject} is started by its socket alone",
        "Socket activation starts the daemon when somebody happens to talk to it, in no order with the login, the "
        "network and the mounts of the boot: intermittent failures of a boot come from it.",
        "mpio apply, or: systemctl enable {subject}",
        evidence="systemctl show: UnitFileState of the service and of its socket",
        reference="open-iscsi#416; multipath-tools NEWS 0.9.8 (socket not enabled any more)",
    ),
    Kind(
        "MP113",
        Severity.ERROR,
        "{subject} failed",
        "The unit's program ended with an error, and systemd does not try it again; what it said last is the detail. "
        "Of a login unit that failed at boot nothing is logged out in order at shutdown either.",
        "read the detail and `journalctl -b -u {subject}`, mend the cause, then: systemctl restart {subject}",
        evidence="systemctl show: Result and ExecMainStatus; the last line of its journal",
        reference="systemd.service(5); open-iscsi#406, open-iscsi#127",
    ),
    Kind(
        "MP114",
        Severity.WARNING,
        "mpio's own unit {subject} failed",
        "A unit that mpio has installed ended with an error: losses are not told, what is offline for a time is not "
        "brought back, or routes by source address are not set, whichever it was for.",
        "read `journalctl -b -u {subject}`, mend the cause, then: systemctl restart {subject}",
        evidence="systemctl show: ActiveState; the last line of its journal",
        reference="mpio(8), watch and offline",
    ),
    Kind(
        "MP115",
        Severity.ERROR,
        "a start condition of {subject} does not hold",
        "systemd passes the unit over without an error: it looks enabled and healthy and does not run. Usual are "
        "nompath or multipath=off on the kernel's command line, a container, or a database that was moved.",
        "read the condition in the detail; make it true, or change it with systemctl edit {subject}",
        evidence="the unit's file and drop-ins, /proc/cmdline and the paths that the condition names",
        reference="systemd.unit(5), Conditions and Asserts; democratic-csi#247",
    ),
    Kind(
        "MP116",
        Severity.ERROR,
        "the kernel module {subject} is kept out",
        "A line of modprobe.d or the kernel's command line forbids the module. Where it is loaded now it was loaded "
        "before, and the next boot comes up without it: no session without iscsi_tcp, no map without dm_multipath.",
        "remove that line, run update-initramfs -u (dracut -f) if it is in the initial RAM disk, modprobe {subject}",
        evidence="modprobe.d's files and /proc/cmdline",
        reference="modprobe.d(5), BLACKLIST; open-iscsi usr/transport.c (KMOD_PROBE_APPLY_BLACKLIST)",
    ),
    Kind(
        "MP117",
        Severity.WARNING,
        "{subject} runs a program that is not installed any more",
        "An upgrade replaced the program under the running daemon. iscsiadm and iscsid exchange raw structs, so that "
        "one of a new build and the other of the old may hang or misread each other; multipathd's fixes are not in "
        "force.",
        "systemctl restart {subject}: sessions and maps go on meanwhile",
        evidence="/proc/PID/exe",
        reference="open-iscsi usr/mgmt_ipc.h; fenio/tns-csi#194",
    ),
    Kind(
        "MP118",
        Severity.ERROR,
        "iscsiadm and iscsid are of different builds: {subject}",
        "They exchange a whole record as a raw struct, with no version in it: between builds, logins hang or take "
        "other settings than the record's.",
        "remove the one that is not the distribution's (often below /usr/local), then systemctl restart iscsid.service",
        evidence="/proc/PID/exe of iscsid, and what both programs say of their version",
        reference="open-iscsi usr/iscsid_req.c, usr/mgmt_ipc.h; fenio/tns-csi#194",
    ),
    Kind(
        "MP119",
        Severity.WARNING,
        "live sessions have another initiator name than {subject}",
        "iscsid reads the name when it starts. The sessions of now go on under the old one; after the next boot the "
        "array meets the new one, and shows it nothing where its host groups know only the old.",
        "register the new name on the array, then mpio login --renew; or put the old name back into {subject}",
        evidence="initiatorname of each session in sysfs, and the file",
        reference="open-iscsi README, section 4.1; iscsid(8)",
    ),
    Kind(
        "MP120",
        Severity.ERROR,
        "no usable initiator name in {subject}",
        "Without a name iscsid does not start, or starts and can log in nowhere; sessions that live now were made "
        "before the file became so.",
        "give the site file `initiator`, or write one line InitiatorName=iqn.… into {subject} (iscsi-iname makes one)",
        evidence="the file; on Debian the check of the unit, /lib/open-iscsi/startup-checks.sh",
        reference="open-iscsi usr/iscsid.c (missing_iname_warn); RFC 7143, 4.2.7",
    ),
    Kind(
        "MP121",
        Severity.WARNING,
        "{subject} names more than one initiator",
        "open-iscsi takes the first line and says nothing of the others; whoever reads the file takes the last.",
        "leave the one line that the array knows",
        evidence="the file",
        reference="open-iscsi usr/cfg.c (cfg_get_string_param)",
    ),
    Kind(
        "MP122",
        Severity.WARNING,
        "the initiator name {subject} is probably that of an image",
        "Machine id and SSH keys were made anew for this copy, the initiator's name was not: every copy has it. Two "
        "hosts of one name throw out each other's sessions, and both may write to the same LUNs.",
        "give each host a name of its own (initiator in the site file; iscsi-iname makes one) and register it on the "
        "array; where the name is right: touch /etc/iscsi/initiatorname.iscsi",
        evidence="the times of initiatorname.iscsi, /etc/machine-id and the SSH host keys",
        reference="agama PR#2606, rancher/os#2446, democratic-csi#375; RFC 7143, 4.2.7.1",
    ),
    Kind(
        "MP123",
        Severity.ERROR,
        "nothing logs in at the next boot: {subject}",
        "The sessions of now were made by hand: no record of theirs is automatic, so the next boot comes up without "
        "LUNs and whatever mounts them waits in vain.",
        "mpio apply, or for each: iscsiadm -m node … -o update -n node.startup -v automatic",
        evidence="the records: node.startup, node.conn[0].startup",
        reference="open-iscsi usr/iscsiadm.c (login_by_startup); iscsiadm(8), node.startup",
    ),
    Kind(
        "MP124",
        Severity.WARNING,
        "not every session comes back at the next boot: {subject}",
        "These sessions have no record, or one that is not automatic: after the next boot their LUNs have fewer paths.",
        "mpio apply, or for each: iscsiadm -m node … -o update -n node.startup -v automatic",
        evidence="the records: node.startup, node.conn[0].startup",
        reference="open-iscsi usr/iscsiadm.c (match_startup_mode); open-iscsi#58, open-iscsi#286",
    ),
    Kind(
        "MP125",
        Severity.WARNING,
        "node.leading_login leaves sessions out at boot: {subject}",
        "It logs in to each target once, over the first iface that comes to it, and looks at ifaces with a file only: "
        "records on `default` are never tried. That is failover by open-iscsi, not multipath.",
        "mpio apply, or: iscsiadm -m node … -o update -n node.leading_login -v No",
        evidence="the records: node.leading_login; the iface files",
        reference="open-iscsi#73; open-iscsi usr/iscsiadm.c (login_by_startup)",
    ),
    Kind(
        "MP126",
        Severity.WARNING,
        "will log in at boot and cannot: {subject}",
        "The record is automatic and there is nobody to answer. Every boot tries as often and as long as the record "
        "says before it goes on, and the login unit ends as failed.",
        "where it is gone for good: iscsiadm -m node … -o delete, or san.exclude; else see to the portal",
        evidence="the records; a TCP connect through the record's NIC; the NICs of the kernel",
        reference="open-iscsi#299",
    ),
    Kind(
        "MP127",
        Severity.WARNING,
        "logins may take longer than the boot waits: {subject}",
        "A portal that is dead at boot is tried for login_timeout times initial_login_retry_max seconds. systemd gives "
        "up a mount's device, or the login itself, before that: the LUN comes, and is not mounted.",
        "lower [timeouts] login and login_retries in the site file, or raise x-systemd.device-timeout in fstab",
        evidence="the records; fstab's x-systemd.device-timeout; TimeoutStartSec of the login unit",
        reference="open-iscsi#299; systemd.mount(5), x-systemd.device-timeout",
    ),
    Kind(
        "MP128",
        Severity.ERROR,
        "no _netdev at {subject} in /etc/fstab",
        "systemd takes it for a local file system and waits for it before there is a network: the boot stops for 90 s "
        "and ends in emergency mode.",
        "add _netdev to the options of that line, then: systemctl daemon-reload",
        evidence="/etc/fstab, resolved through /dev and the device mapper to the LUN",
        reference="systemd.mount(5), _netdev; open-iscsi README, section 8.2",
    ),
    Kind(
        "MP129",
        Severity.WARNING,
        "no _netdev at {subject} in /etc/fstab, which the boot does not wait for",
        "With nofail or x-systemd.automount the boot goes on without it. At shutdown systemd takes it for a local file "
        "system and unmounts it after the sessions and the network are gone: the shutdown hangs, or what was not "
        "written is lost.",
        "add _netdev to the options of that line, then: systemctl daemon-reload",
        evidence="/etc/fstab, resolved through /dev and the device mapper to the LUN",
        reference="systemd.mount(5), _netdev and nofail; open-iscsi#195",
    ),
    Kind(
        "MP130",
        Severity.ERROR,
        "/etc/fstab mounts {subject} by the name of a disk",
        "sdX are numbered as disks come: after the next login it may be another LUN, and it is one path even when it "
        "is the right one.",
        "name /dev/mapper/ALIAS (or UUID=) with _netdev in that line, then: systemctl daemon-reload",
        evidence="/etc/fstab, and the sessions' disks in sysfs",
        reference="udev(7); multipath(8)",
    ),
    Kind(
        "MP131",
        Severity.ERROR,
        "{subject} is not in the boot's order any more",
        "A file of this host replaced or changed the unit: the login begins before the network is there, or mounts of "
        "the network do not wait for it.",
        "systemctl cat {subject}; put the missing order back with systemctl edit {subject}, or systemctl revert it",
        evidence="the unit's file and drop-ins below /etc/systemd and /run/systemd",
        reference="systemd.special(7), network-online.target and remote-fs-pre.target",
    ),
    Kind(
        "MP132",
        Severity.WARNING,
        "nobody waits for the address of {subject} at boot",
        "network-online.target is what the login waits for, and no unit that knows this NIC holds it up: the first "
        "logins go out before there is an address.",
        "systemctl enable systemd-networkd-wait-online.service (NetworkManager-wait-online.service); with ifupdown "
        "`auto {subject}` in place of allow-hotplug",
        evidence="the files that configure the NIC, and network-online.target.wants",
        reference="systemd.special(7), network-online.target; open-iscsi PR#511; interfaces(5)",
    ),
    Kind(
        "MP133",
        Severity.WARNING,
        "{subject} has no address after the next boot",
        "No file that boot reads names this NIC, while the SAN's other NICs have one: its address was given by hand.",
        "configure {subject} where the other NIC is configured",
        evidence="ifupdown, systemd-networkd, NetworkManager, netplan and ifcfg files",
        reference="interfaces(5), systemd.network(5), nm-settings-keyfile(5)",
    ),
    Kind(
        "MP134",
        Severity.WARNING,
        "iscsid.startup in {subject} starts nothing",
        "iscsiadm starts iscsid by this command where it does not run. It fails unseen, and iscsiadm goes on with its "
        "compiled settings in place of the file's.",
        "set iscsid.startup to /bin/systemctl start iscsid.socket (or iscsid.service)",
        evidence="iscsid.conf, and whether program and unit are there",
        reference="open-iscsi usr/iscsid_req.c (iscsid_startup)",
    ),
    Kind(
        "MP136",
        Severity.ERROR,
        "{subject} cannot bring up the host's own LUN by multipath",
        "The root file system lies on a map, and the initial RAM disk lacks what makes it: the next boot takes one "
        "path as a bare disk, or finds no root.",
        "install multipath-tools-boot and run update-initramfs -u -k all (dracut -f --add multipath)",
        evidence="lsinitramfs or lsinitrd of the running kernel's image",
        reference="dracutdevs/dracut#1821, dracutdevs/dracut#1578; multipath-tools-boot README.Debian",
    ),
    Kind(
        "MP137",
        Severity.WARNING,
        "the modules of the running kernel {subject} are gone",
        "An upgrade removed them and waits for a reboot. What is not loaded yet cannot be: a path selector, a hardware "
        "handler, a file system.",
        "reboot into an installed kernel",
        evidence="/lib/modules of the running release",
        reference="modprobe(8); linux-image packages",
    ),
    Kind(
        "MP138",
        Severity.WARNING,
        "{subject} queues for ever when its last path is lost",
        "No I/O fails, so that nothing that waits for it can be ended: programs, umount and the host's shutdown hang "
        "until a path is back.",
        "give no_path_retry a number in the site file; a hang is ended by: multipathd disablequeueing map {subject}",
        evidence="the map's features in the device mapper, and no_path_retry in force",
        reference="multipath.conf(5), no_path_retry; coreos/bugs#2318, open-iscsi#195",
    ),
    Kind(
        "MP139",
        Severity.WARNING,
        "{subject} may come up without its map after the next boot",
        "multipath is careful with LUNs that it has not seen: one whose WWID is not registered stays a bare disk, or "
        "becomes a map only with its second path.",
        "mpio apply, or: multipath -a WWID",
        evidence="/etc/multipath/wwids, and find_multipaths in force",
        reference="multipath.conf(5), find_multipaths; multipath(8), -a",
    ),
    Kind(
        "MP140",
        Severity.WARNING,
        "{subject} holds multipath's files of before their last change",
        "The root file system lies on a map, and a file of multipath's was changed after the initial RAM disk was "
        "made: the next boot makes that map by the old settings, which it keeps until multipathd reads the new ones.",
        "update-initramfs -u -k all (dracut -f --add multipath)",
        evidence="the times of the running kernel's image and of multipath's files",
        reference="multipath-tools-boot README.Debian; dracutdevs/dracut#1578",
    ),
)
