"""4xx: maps, paths and LUNs."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

KINDS = (
    Kind(
        "MP401",
        Severity.CRITICAL,
        "no usable path to {subject}",
        "Not one path to this LUN works, or no path was ever found: I/O to it queues or fails.",
        "the findings about links, portals and sessions name the cause; mend it, then mpio apply",
        evidence="multipathd show maps json or dmsetup status; session and disk states in sysfs",
        reference="multipath.conf(5), no_path_retry; kernel Documentation/admin-guide/device-mapper",
    ),
    Kind(
        "MP402",
        Severity.ERROR,
        "{subject} has fewer paths than expected",
        "One more failure may be the last. Missing paths count like failed ones.",
        "the findings about links, portals and sessions name the cause; mend it, then mpio apply",
        evidence="the planned pairs of targets that showed the LUN, against its usable paths",
        reference="truenas-proxmox-plugin#91; kubernetes#60894",
    ),
    Kind(
        "MP403",
        Severity.ERROR,
        "all paths of {subject} share one part",
        "Every usable path goes over a single NIC, portal or target although the site plans more: a single "
        "failure takes the LUN away.",
        "mend the other side; the detail names what is shared",
        evidence="NIC, portal and target of each usable path's session in sysfs",
        reference="xcp-ng-org PR#461; opensvc/multipath-tools#106",
    ),
    Kind(
        "MP404",
        Severity.ERROR,
        "path failed: {subject}",
        "The device mapper, the checker or the SCSI layer does not use this path.",
        "mpio apply reinstates a path that was failed by hand; otherwise mend what the other findings name",
        evidence="multipathd show maps json, /sys/block/sdX/device/state",
        reference="ceph-iscsi-cli#60; multipathd(8)",
    ),
    Kind(
        "MP405",
        Severity.ERROR,
        "refused: would rename the open map {subject}",
        "A map that changes its alias changes its name under /dev/mapper: what has it open or mounted loses the "
        "name it was opened by.",
        "unmount it first, or keep the old alias in the site file",
        refusal=True,
        evidence="our drop-in against the name and open count of the map",
        reference="multipath.conf(5), alias; tried on 0.9.4",
    ),
    Kind(
        "MP406",
        Severity.WARNING,
        "the entry of {subject} is kept while its map is open",
        "The site no longer names the LUN, but its map is open; without its entry it would be renamed under its user.",
        "free the LUN, then mpio apply",
        evidence="our drop-in against the site file; the map's open count",
        reference="multipath.conf(5), alias; tried on 0.9.4",
    ),
    Kind(
        "MP407",
        Severity.ERROR,
        "no map for {subject} although its paths are there",
        "multipathd did not take the paths: blacklisted, held by something else, or the WWID is not registered "
        "under find_multipaths strict.",
        "mpio apply; if it stays, `multipath -v3 -d` says why",
        evidence="disks and maps in sysfs",
        reference="multipath.conf(5), find_multipaths; kubernetes#60894",
    ),
    Kind(
        "MP408",
        Severity.ERROR,
        "refused: {subject} is in use",
        "Something has the LUN open; taking it away would lose data or hang its user.",
        "stop what uses it (named in the detail)",
        refusal=True,
        evidence="mounts in every namespace, swaps, holders, open descriptors",
        reference="open-iscsi#97; os-brick linuxscsi.py remove_connection",
    ),
    Kind(
        "MP409",
        Severity.ERROR,
        "refused: {subject} would lose its last usable path",
        "After this step no usable path would be left to the map.",
        "bring the other paths back first",
        refusal=True,
        evidence="the paths of each map, less those of the step",
        reference="if_mpadm(8), -d; NetApp/trident#909",
    ),
    Kind(
        "MP410",
        Severity.ERROR,
        "the paths of {subject} disagree about its size",
        "One WWID with different sizes: a LUN that grew and was not rescanned on every path, or two LUNs with "
        "one identity.",
        "rescan every session; if the sizes still differ, two LUNs share an identity: take one away before data "
        "is lost",
        evidence="/sys/block/sdX/size of each path",
        reference="dell/csm#976; os-brick bug 2032177; rackerlabs/genestack#451",
    ),
    Kind(
        "MP411",
        Severity.INFO,
        "the LUN {subject} is not in the site file",
        "The array shows it to this host, the site does not name it; mpio leaves it alone.",
        "add a [[lun]] for it, or unmap it on the array",
        evidence="disks in sysfs against the site file",
        reference="iscsiadm(8), --rescan; kubernetes#90982",
    ),
    Kind(
        "MP412",
        Severity.WARNING,
        "the preset does not fit {subject}",
        "The LUN's INQUIRY has another vendor or product than the preset's device entry, so that entry does not "
        "apply to it.",
        'choose the preset of this array, or multipath.preset = "none"',
        evidence="vendor and model of the disk in sysfs, against the preset's expressions",
        reference="multipath.conf(5), devices section; libmultipath/hwtable.c",
    ),
    Kind(
        "MP413",
        Severity.ERROR,
        "not in force: {subject}",
        "multipath takes another value than the site's: overrides beat device entries, a later file beats an "
        "earlier one, autodetection beats both.",
        "remove the line that wins (usually `overrides` in /etc/multipath.conf), then mpio apply",
        evidence="multipath -t and multipathd show config against the site file",
        reference="multipath.conf(5), overrides section; libmultipath/propsel.c",
    ),
    Kind(
        "MP414",
        Severity.CRITICAL,
        "refused: the disks of {subject} are another LUN now",
        "The array has given the LUN number of this map's LUN to another one. The kernel and multipathd go on with the "
        "disks that they know, so whatever is written to the map goes to the other LUN. Nothing was changed.",
        "stop what uses the map at once; then mpio lun remove {subject}, and mpio lun add with the new WWID (named in "
        "the detail). If it was a mistake, have the array map the old LUN again",
        refusal=True,
        evidence="INQUIRY, VPD page 83h, of each disk at this moment",
        reference="kubernetes#59946, kubernetes#90982; SPC-4, 7.8",
    ),
    Kind(
        "MP415",
        Severity.ERROR,
        "refused: the paths of {subject} disagree about who it is",
        "One WWID, but the disks behind it tell different serial numbers, or say at this moment that they are another "
        "LUN: used as one map they would be written to as if they were one.",
        "have the array give each LUN an identity of its own; after a change there, mpio lun rescan",
        refusal=True,
        evidence="INQUIRY, VPD pages 80h and 83h, of each disk at this moment",
        reference="ClusterLabs/resource-agents#1463; SPC-4, 7.8",
    ),
    Kind(
        "MP416",
        Severity.WARNING,
        "{subject} is not shown by every target",
        "Paths are expected over the targets that show a LUN. If these are to show it too, one of them going away is "
        "not noticed until then.",
        "map it on the array to the targets in the detail, then mpio lun rescan; if it is meant so, there is nothing "
        "to do",
        evidence="which targets' sessions have a disk of the LUN",
        reference="open-iscsi#31",
    ),
    Kind(
        "MP417",
        Severity.WARNING,
        "{subject} is not shown any more over some sessions",
        "The array answers over these sessions, but has no such LUN there: it was unmapped. Its disks stay until they "
        "are taken away, and their paths count as failed.",
        "map it again and mpio apply; or mpio lun adopt {subject} to go on with the paths that are left; or mpio lun "
        "remove {subject}",
        evidence="INQUIRY at this moment (no such LUN), or REPORT LUNS over the session",
        reference="SPC-4, 6.4.2, peripheral qualifier; SPC-4, 6.33; kubernetes#59946",
    ),
    Kind(
        "MP418",
        Severity.INFO,
        "{subject} has another size on the array",
        "The array says another size than the map has.",
        "mpio lun resize {subject}",
        evidence="READ CAPACITY at this moment against /sys/block/sdX/size",
        reference="iscsiadm(8), --rescan; dell/csm#2002",
    ),
    Kind(
        "MP419",
        Severity.ERROR,
        "not every path of {subject} is up",
        "A map may only grow once every path has the new size: what is written past the old end fails on a path that "
        "was not rescanned, and multipathd refuses a path whose size is another.",
        "bring the paths back (mpio status, mpio login), or take them out of what is expected (mpio offline), then run "
        "it again",
        evidence="the states of the LUN's paths",
        reference="os-brick linuxscsi.py extend_volume; multipathd(8), resize map",
    ),
    Kind(
        "MP420",
        Severity.ERROR,
        "refused: {subject} would shrink",
        "The array says that the LUN is smaller than its map: what lies behind its new end is lost, and I/O to it "
        "fails. Nothing was rescanned.",
        "give the LUN its size back on the array",
        refusal=True,
        evidence="READ CAPACITY at this moment against /sys/block/sdX/size",
        reference="multipathd(8), resize map; SBC-3, READ CAPACITY",
    ),
    Kind(
        "MP421",
        Severity.INFO,
        "{subject} grew; what is on it did not yet",
        "The map has the LUN's new size. A file system, a physical volume or a partition on it keeps its own until it "
        "is grown.",
        "grow what is on it; the detail says how",
        evidence="udev's ID_FS_TYPE of the map and what is stacked on it",
        reference="resize2fs(8), xfs_growfs(8), pvresize(8)",
    ),
    Kind(
        "MP422",
        Severity.INFO,
        "unmap {subject} on the array now",
        "It was taken away from this host, but a scan finds every LUN that the array still shows: `iscsiadm -m session "
        "-R`, a login, or iscsid by itself. Its disks come back then; where find_multipaths is strict, in no map.",
        "unmap it on the array; where its disks came back, run mpio lun remove with its WWID after that",
        evidence="what mpio has just taken away",
        reference="iscsiadm(8), --rescan; coreos/bugs#1929",
    ),
    Kind(
        "MP423",
        Severity.ERROR,
        "the map {subject} is suspended",
        "All I/O to a suspended map waits. Somebody suspended it, or multipathd died while it loaded a new table.",
        "dmsetup resume {subject}, then run it again",
        evidence="/sys/block/dm-N/dm/suspended, twice",
        reference="dmsetup(8), suspend and resume",
    ),
    Kind(
        "MP424",
        Severity.ERROR,
        "the map {subject} did not take its new size",
        "Every path has the new size and multipathd was told to resize the map, but the map has another one.",
        "look at multipathd's log (journalctl -u multipathd), then run it again: mpio lun resize",
        evidence="/sys/block/dm-N/size after multipathd's answer",
        reference="os-brick linuxscsi.py multipath_resize_map; hpe common-host-libs PR#100",
    ),
    Kind(
        "MP425",
        Severity.WARNING,
        "the stall in the drill of {subject} was longer than predicted",
        "Reads stood longer than the session's timers explain: something else holds I/O back, or the machine is "
        "overloaded.",
        "mpio verify, for time-outs that are not in force; then drill again with --plot and see which layer was late",
        evidence="the times of the drill's own reads, against the failover budget",
        reference="open-iscsi list 2025-09-30, connection recovery timeout",
    ),
    Kind(
        "MP426",
        Severity.ERROR,
        "refused: {subject} is not whole",
        "A drill takes more away. On a host that lacks something already it may take the last path, and its result "
        "would not say what caused what.",
        "mpio verify names what is missing; mend it first",
        refusal=True,
        evidence="the verdict before the drill",
        reference="if_mpadm(8)",
    ),
    Kind(
        "MP427",
        Severity.ERROR,
        "reads of {subject} failed in a drill",
        "With another path in use a read must wait, not fail. What fails here fails a file system in earnest.",
        "look at no_path_retry and at the other paths' state at that time: mpio verify, journalctl -u multipathd",
        evidence="the errors of the drill's own reads",
        reference="multipath.conf(5), no_path_retry",
    ),
    Kind(
        "MP460",
        Severity.ERROR,
        "no driver has taken the disks of {subject}",
        "The kernel has the LUNs, and no name in /dev for them: sd_mod is not loaded. udev loads it when a disk comes; "
        "where udevd was away then, nobody does it afterwards. The array has done its part.",
        "modprobe sd_mod, then udevadm trigger --action=add; mpio verify --wait 60",
        evidence="disks in /sys/class/scsi_device while /sys/bus/scsi/drivers has no sd, for some seconds",
        reference="systemd rules.d/80-drivers.rules",
    ),
)
