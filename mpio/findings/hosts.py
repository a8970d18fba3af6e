"""1xx: the host and its programs."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

KINDS = (
    Kind(
        "MP101",
        Severity.INFO,
        "could not see {subject}",
        "mpio was not allowed to look at this, or it went away while it was read. What depends on it is not judged.",
        "run the verb as root",
        evidence="the error that the read met",
        reference="mpio(8), looking without root",
    ),
    Kind(
        "MP102",
        Severity.ERROR,
        "the program {subject} is missing",
        "mpio drives open-iscsi, multipath-tools, iproute2 and systemd; without this one a part of the site "
        "cannot be set up or checked.",
        "install it: {remedy}",
        evidence="the program is in none of /usr/sbin, /usr/bin, /sbin, /bin",
        reference="the distribution's packages open-iscsi, multipath-tools, iproute2, dmsetup",
    ),
    Kind(
        "MP103",
        Severity.ERROR,
        "iscsid does not run",
        "iscsid makes the logins and repairs broken sessions. Without it a session that breaks stays broken.",
        "mpio apply, or: systemctl enable --now iscsid.service; then look at journalctl -u iscsid",
        evidence="systemctl show: ActiveState",
        reference="iscsid(8); open-iscsi#127",
    ),
    Kind(
        "MP104",
        Severity.ERROR,
        "multipathd does not run",
        "Without multipathd no path is checked and none comes back after a failure; the maps that exist go on "
        "with the paths they have. "
        "LUNs are judged from the device mapper and sysfs alone.",
        "mpio apply, or: systemctl enable --now multipathd.service; then look at journalctl -u multipathd",
        evidence="systemctl show: ActiveState",
        reference="multipathd(8)",
    ),
    Kind(
        "MP105",
        Severity.ERROR,
        "the unit {subject} is masked",
        "Somebody masked the unit on purpose; mpio does not unmask it.",
        "systemctl unmask {subject}, then mpio apply",
        evidence="systemctl show: LoadState",
        reference="systemctl(1), mask",
    ),
    Kind(
        "MP106",
        Severity.ERROR,
        "the kernel module {subject} is neither loaded nor to be found",
        "The running kernel cannot do its part: iscsi_tcp makes the sessions, dm_multipath the maps. Usually the "
        "module package "
        "of the running kernel was removed by an upgrade that waits for a reboot.",
        "reboot into an installed kernel, or install the modules of the running one",
        evidence="/sys/module, and modules.dep and modules.builtin of the running kernel",
        reference="open-iscsi#406, open-iscsi#127; modprobe(8)",
    ),
    Kind(
        "MP107",
        Severity.ERROR,
        "a step failed: {subject}",
        "A program refused what mpio asked of it, or a file could not be written. apply and login carry out all other "
        "steps of the round all the same; logout and teardown stop there.",
        "read the program's words in the detail, mend the cause, run the same verb again",
        evidence="the program's exit code and its last words",
        reference="iscsiadm(8), EXIT STATUS; open-iscsi include/iscsi_err.h",
    ),
    Kind(
        "MP108",
        Severity.ERROR,
        "no unit {subject} is installed",
        "The distribution's package that brings this service is not installed.",
        "install open-iscsi and multipath-tools",
        evidence="systemctl show: LoadState",
        reference="systemd.unit(5)",
    ),
    Kind(
        "MP109",
        Severity.ERROR,
        "open-iscsi's database is locked by nobody",
        "iscsiadm was killed while it held its lock, and nothing ever takes it away but a reboot. Each later call "
        "waits 30 s for it and fails with 6; sessions and paths go on.",
        "mpio apply, or any verb that changes something, removes it; by hand: make sure that no iscsiadm runs "
        "(pgrep -x iscsiadm says nothing), then rm /run/lock/iscsi/lock.write",
        evidence="/run/lock/iscsi/lock.write, and no iscsiadm that is as old",
        reference="open-iscsi usr/idbm.c (idbm_lock)",
    ),
    Kind(
        "MP110",
        Severity.WARNING,
        "nobody is told of what is seen: {subject} has no alert",
        "The watcher runs and says what it sees, in its journal alone. It sends a message only where the site file has "
        "a [[watch.alert]].",
        "add [[watch.alert]] to the site file, then try it: mpio watch --test-alert",
        evidence="the site file: no [[watch.alert]], while the watcher's unit is installed",
        reference="mpio-site(5), watch.alert",
    ),
    Kind(
        "MP135",
        Severity.ERROR,
        "udevd does not run",
        "No new disk gets its names and properties: multipathd sees no path that comes, and a map that is made anew "
        "never appears in /dev. Nor is the driver of SCSI disks (sd_mod) loaded: sessions may show no disk at all.",
        "systemctl start systemd-udevd.service, then udevadm trigger --action=add: what the kernel announced meanwhile "
        "is lost; journalctl -u systemd-udevd says why it ended",
        evidence="its control group, and systemctl show: ActiveState",
        reference="systemd-udevd(8)",
    ),
    Kind(
        "MP141",
        Severity.WARNING,
        "could not look at {subject}",
        "A program that this look needs failed, or said what mpio cannot read. The rest was looked at all the same; "
        "what depends on this is not judged, so that nothing said of it is no good news.",
        "run the program of the detail by hand and mend what it complains of; mpio doctor -v shows each",
        evidence="how the program ended",
        reference="mpio(8), doctor",
    ),
)
