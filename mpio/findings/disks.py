"""4xx: disks under maps: who they are, who uses them, how fast they are."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

KINDS: tuple[Kind, ...] = (
    Kind(
        "MP428",
        Severity.CRITICAL,
        "two LUNs share one identity: {subject}",
        "Disks with one WWID have different serial numbers, so multipath takes two LUNs for one: what is written goes "
        "to either.",
        "stop what uses the map; have each array give its LUN an identity of its own (a cloned LUN keeps the old one)",
        evidence="VPD page 80h of each disk as the kernel has it: /sys/block/sdX/device/vpd_pg80",
        reference="ClusterLabs/resource-agents#1463, rackerlabs/genestack#451; SPC-4, 7.8",
    ),
    Kind(
        "MP429",
        Severity.WARNING,
        "the disks of {subject} tell different things of what they are",
        "Vendor, product or revision differ, or the serial number, where no other LUN tells whose it is: firmware "
        "not the same everywhere, disks not rescanned since it changed, controllers, or two arrays with one identity.",
        "rescan every session (mpio lun rescan); if they still differ, look at the array's controllers",
        evidence="/sys/block/sdX/device/vendor, model, rev and vpd_pg80",
        reference="multipath.conf(5), devices section",
    ),
    Kind(
        "MP430",
        Severity.ERROR,
        "a blacklist keeps multipath from a LUN: {subject}",
        "This line of multipath's files matches a disk of a LUN that is to be multipathed, so multipathd leaves it "
        "alone.",
        "remove the line, or add the LUN to blacklist_exceptions; then multipathd reconfigure",
        evidence="multipath's files, matched against the disk and what udev knows of it, in multipath's order",
        reference="multipath.conf(5), blacklist section; libmultipath/blacklist.c filter_path",
    ),
    Kind(
        "MP431",
        Severity.ERROR,
        "find_multipaths keeps multipath from {subject}",
        "The LUN's WWID is not registered: under strict, the default, multipath makes no map without that; under yes "
        "and smart, none of a single path.",
        "mpio apply, or multipath -a with its WWID and multipathd reconfigure",
        evidence="multipath -t, /etc/multipath/wwids",
        reference="multipath.conf(5), find_multipaths; libmultipath/wwids.c should_multipath; kubernetes#60894",
    ),
    Kind(
        "MP432",
        Severity.ERROR,
        "{subject} is used without multipath",
        "A disk of the LUN is mounted, swapped on, or taken by LVM, md or another map, so multipathd cannot take it: a "
        "single failure takes the LUN from its user.",
        "stop the user, or unmount; then mpio apply, and use /dev/mapper instead",
        evidence="mounts in every namespace, /proc/swaps, holders in sysfs",
        reference="multipath(8); longhorn#1210",
    ),
    Kind(
        "MP433",
        Severity.ERROR,
        "udev does not tell multipath who {subject} is",
        "multipathd takes a disk's WWID from udev's ID_SERIAL, and takes none without SCSI_IDENT_… or ID_WWN…. A rule "
        "that is missing, or fails, keeps the disk out of every map.",
        "install the rules (sg3-utils-udev, sg3_utils), look for own rules in /etc/udev/rules.d, then udevadm trigger "
        "--action=change on the disk",
        evidence="/run/udev/data of the disk",
        reference="multipath.conf(5), uid_attribute and blacklist property",
    ),
    Kind(
        "MP434",
        Severity.ERROR,
        "the kernel has no disk for {subject} over a session that shows it",
        "The target lists it (or, of a LUN without any disk, a number without one): mapped after a scan, or deleted.",
        "mpio lun rescan {subject}; where the record has node.session.scan = manual nothing else ever scans it",
        evidence="REPORT LUNS through another disk of the session",
        reference="open-iscsi#31; iscsiadm(8), --rescan",
    ),
    Kind(
        "MP435",
        Severity.CRITICAL,
        "{subject} is used past its map",
        "One disk of the LUN is mounted or held by itself while a map has the others: two users write to one LUN and "
        "know nothing of each other.",
        "stop what uses the disk (named in the detail) and have it use /dev/mapper/{subject}",
        evidence="mounts in every namespace, /proc/swaps, holders in sysfs",
        reference="open-iscsi list 2022-06-17, iscsi device with multipath",
    ),
    Kind(
        "MP436",
        Severity.WARNING,
        "a file names one path where the map is meant: {subject}",
        "A name like /dev/sdb or /dev/disk/by-path/… leads to one path, or at the next boot to another disk: no "
        "failover, or not the LUN.",
        "name {remedy}, or its UUID, there",
        evidence="/etc/fstab, /etc/crypttab and LVM's devices file, by where udev's links lead now",
        reference="fstab(5); lvmdevices(8); udev's persistent-storage rules",
    ),
    Kind(
        "MP437",
        Severity.WARNING,
        "LVM may take paths for disks: {subject}",
        "LVM is told not to mind whether a disk is a path of a map: it may activate a volume group on one path.",
        "remove the line (the default is 1)",
        evidence="/etc/lvm/lvm.conf, /etc/lvm/lvmlocal.conf",
        reference="lvm.conf(5), devices/multipath_component_detection",
    ),
    Kind(
        "MP438",
        Severity.ERROR,
        "the map {subject} has no table",
        "It was made and never filled, or emptied: it leads nowhere, and its name is taken.",
        "dmsetup remove {subject}; then multipathd reconfigure",
        evidence="dmsetup info, and no disk of a size in sysfs, twice",
        reference="dmsetup(8), create --notable",
    ),
    Kind(
        "MP439",
        Severity.ERROR,
        "I/O to {subject} is held back",
        "No path is usable and the map queues: whoever reads or writes waits, cannot be ended, and may hold up a "
        "shutdown.",
        "bring a path back; if none will come, multipathd disablequeueing map {subject} lets its users fail",
        evidence="multipathd show maps json; sysfs",
        reference="multipath.conf(5), no_path_retry; open-iscsi#195, open-iscsi#90",
    ),
    Kind(
        "MP440",
        Severity.WARNING,
        "{subject} would queue for ever",
        "Without a path all I/O to it waits without end: nothing is told to its users, and a shutdown hangs.",
        "give no_path_retry a number, in [multipath] of the site file or in multipath.conf",
        evidence="multipathd show maps json: queueing on",
        reference="multipath.conf(5), no_path_retry and queue_if_no_path; systemd#28363, open-iscsi#195",
    ),
    Kind(
        "MP441",
        Severity.WARNING,
        "queueing of {subject} is switched off by hand",
        "Somebody ran multipathd disablequeueing, and it stays so: the moment in which every path is gone fails I/O "
        "that should have waited.",
        "multipathd restorequeueing map {subject}",
        evidence="multipathd show maps json against multipath -t and multipathd show config",
        reference="multipathd(8), disablequeueing and restorequeueing",
    ),
    Kind(
        "MP442",
        Severity.ERROR,
        "failed by hand and forgotten: {subject}",
        "The path answers a read, but the device mapper does not use it: multipathd fail path stops its checker, too, "
        "so that nothing brings it back.",
        "mpio apply, or multipathd reinstate path",
        evidence="a read of the disk; multipathd show maps json twice; multipathd's log (operator)",
        reference="multipathd(8), fail path; tried on 0.9.4",
    ),
    Kind(
        "MP443",
        Severity.ERROR,
        "switched off in the SCSI layer: {subject}",
        "Its session is up, but the disk is offline: by hand (echo offline > state), or by the kernel when its error "
        "handling gave up. Nothing brings it back by itself.",
        "echo running > /sys/block/sdX/device/state; if it goes off again, look at the kernel's log",
        evidence="/sys/block/sdX/device/state, twice",
        reference="kernel Documentation/scsi/scsi_eh.rst; drivers/scsi/scsi_sysfs.c store_state_field",
    ),
    Kind(
        "MP444",
        Severity.WARNING,
        "slow but alive: {subject}",
        "Reads over this path take several times as long as over its siblings, and no checker minds: its share of I/O "
        "waits for it.",
        "look at the link (mpio stat -p; errors of NIC and switch port); mpio offline rests it meanwhile",
        evidence="eight direct reads of one block over each session, twice",
        reference="multipath.conf(5), marginal_path_double_failed_time and marginal_pathgroups",
    ),
    Kind(
        "MP445",
        Severity.WARNING,
        "many commands fail on {subject}",
        "The disk's count of errors grows, that of its siblings does not: the path works by retries.",
        "look at the kernel's log (dmesg) and at the counters of NIC and switch port",
        evidence="/sys/block/sdX/device/ioerr_cnt, twice",
        reference="kernel drivers/scsi/scsi_lib.c; Documentation/scsi/scsi_eh.rst",
    ),
    Kind(
        "MP446",
        Severity.ERROR,
        "autodetection beats the site's policy: {subject}",
        "multipath's files say what the site says, but the map has something else: for an ALUA device detect_prio, "
        "detect_checker and detect_pgpolicy come before what is written, and the kernel's handler stays.",
        "set the detection that the detail names to no in [multipath] of the site file, then mpio apply",
        evidence="multipathd show maps json against multipath -t",
        reference="multipath.conf(5), detect_prio, detect_checker, detect_pgpolicy; libmultipath/propsel.c",
    ),
    Kind(
        "MP447",
        Severity.INFO,
        "one path alone carries the I/O of {subject}",
        "Each path is a group of its own (failover, multipath's default): the others wait until it fails.",
        "path_grouping_policy in [multipath] of the site file",
        evidence="multipathd show maps json",
        reference="multipath.conf(5), path_grouping_policy",
    ),
    Kind(
        "MP448",
        Severity.WARNING,
        "{subject} does not use its better paths",
        "I/O goes over a group of lower priority, as after a failover, and failback is manual: nobody switches back.",
        "failback immediate in [multipath] of the site file; at once: multipathd switchgroup map {subject} group N",
        evidence="multipathd show maps json",
        reference="multipath.conf(5), failback",
    ),
    Kind(
        "MP449",
        Severity.WARNING,
        "multipathd has taken a local disk: {subject}",
        "A disk of this host's own, with a single way to it, is in a map: it cannot be mounted by its own name, and "
        "loses its name at the next change.",
        "find_multipaths strict, or a blacklist by protocol; then multipath -w with its WWID, multipath -f {subject}",
        evidence="maps and their slaves in sysfs",
        reference="longhorn#1210, longhorn#4414, harvester#8492; multipath.conf(5), find_multipaths",
    ),
    Kind(
        "MP450",
        Severity.WARNING,
        "a map is left over: {subject}",
        "It has no disk any more and no site file names its LUN: the LUN was unmapped, or its session logged out, "
        "before the map was flushed. I/O to it hangs or fails.",
        "stop what uses it, then multipathd disablequeueing map {subject} and multipath -f {subject}",
        evidence="maps and their slaves in sysfs",
        reference="os-brick bug 2116553; multipath.conf(5), flush_on_last_del",
    ),
    Kind(
        "MP451",
        Severity.ERROR,
        "two LUNs are to be called {subject}",
        "multipath gives the name to one of them and drops the other's without a word; a bindings file in which it "
        "stands twice stops its reconfiguration.",
        "give each a name of its own",
        evidence="multipath's files, /etc/multipath/bindings",
        reference="libmultipath/alias.c check_alias_settings",
    ),
    Kind(
        "MP452",
        Severity.WARNING,
        "{subject} will be called otherwise",
        "The map has another name than multipath's files or its bindings give it: after the next reload or boot "
        "whatever names it by the old one does not find it.",
        "multipathd reconfigure while nobody has it open, or put the old name back; an alias in the site file stays",
        evidence="multipath's files and /etc/multipath/bindings against the maps in sysfs",
        reference="multipath.conf(5), user_friendly_names and alias",
    ),
    Kind(
        "MP453",
        Severity.WARNING,
        "command time-outs of {subject} fit nothing",
        "A command's limit that is very short fails what is only slow, one that is very long holds up every failover, "
        "and different ones make its paths behave differently.",
        "write 30 into device/timeout (10 into eh_timeout) of each disk, and look for the udev rule that set another",
        evidence="/sys/block/sdX/device/timeout and eh_timeout",
        reference="kernel Documentation/scsi/scsi_eh.rst; open-iscsi README, 8.2",
    ),
    Kind(
        "MP454",
        Severity.ERROR,
        "some paths of {subject} are read-only",
        "The array protects the LUN from writes over these paths alone: a write that meets one of them fails, and "
        "multipath does not try another.",
        "give the host the same rights over every target; then mpio lun rescan and multipathd reconfigure",
        evidence="/sys/block/sdX/ro",
        reference="SBC-3, 4.12, write protection; multipathd show paths, ro",
    ),
    Kind(
        "MP455",
        Severity.ERROR,
        "a reservation keeps this host from {subject}",
        "Somebody has a persistent reservation on the LUN, and the array refuses this host's commands over paths that "
        "are not registered: it is another host's, or was made over one path alone.",
        "find the holder (mpathpersist --in -r); register by mpathpersist, which does so over every path",
        evidence="PERSISTENT RESERVE IN; the kernel's log: reservation conflict",
        reference="mpathpersist(8); SPC-4, 5.13",
    ),
    Kind(
        "MP456",
        Severity.ERROR,
        "udev takes {subject} for another LUN",
        "udev's ID_SERIAL is none of the disk's own identities: the LUN behind it has changed and udev was not told, "
        "or a rule makes ID_SERIAL of something else. multipath goes by udev.",
        "udevadm trigger --action=change on the disk; if it stays, look for own rules in /etc/udev/rules.d",
        evidence="/run/udev/data of the disk against its VPD page 83h in sysfs",
        reference="multipath.conf(5), uid_attribute and recheck_wwid; kubernetes#59946",
    ),
    Kind(
        "MP457",
        Severity.WARNING,
        "{subject} is not as large as its disks",
        "Every path has the LUN's new size, the map still the old one: it was rescanned, and multipathd was not told.",
        "mpio lun resize {subject}",
        evidence="/sys/block/dm-N/size and /sys/block/sdX/size",
        reference="multipathd(8), resize map; os-brick linuxscsi.py extend_volume",
    ),
    Kind(
        "MP458",
        Severity.ERROR,
        "a path is left out of its map: {subject}",
        "The disk works and nothing stands against it, but multipathd has it in no map: it was taken out by hand "
        "(multipathd del path), or could not be added when it came.",
        "mpio apply, or multipathd add path",
        evidence="holders in sysfs, udev's database, multipath's files",
        reference="multipathd(8), add path and del path",
    ),
    Kind(
        "MP459",
        Severity.WARNING,
        "multipathd holds paths of {subject} for marginal",
        "They are used only where no other path works: multipathd counted errors on them, or somebody ran setmarginal.",
        "mend what made the errors; multipathd unsetmarginal path, or unsetmarginal map {subject}",
        evidence="multipathd show maps json: marginal_st",
        reference="multipath.conf(5), marginal_pathgroups; multipathd(8), setmarginal",
    ),
)
