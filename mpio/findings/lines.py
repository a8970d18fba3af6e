"""5xx: lines of multipath.conf; those of iscsid.conf are in keys."""

from __future__ import annotations

from mpio.findings import keys
from mpio.findings.shape import Kind, Severity

_CONF = "multipath.conf and its drop-ins"
_BOOK = "multipath.conf(5)"

KINDS = (
    Kind(
        "MP503",
        Severity.WARNING,
        "obsolete keyword: {subject}",
        "multipath-tools dropped this keyword; the line does nothing, or is read by old releases only. What says it "
        "today, if anything has to, is in the detail.",
        "take the line out or write today's keyword; mpio doctor --config FILE --migrate prints the whole file anew",
        evidence="the file, against the keywords of the installed multipath",
        reference="multipath-tools NEWS.md and libmultipath/dict.c",
    ),
    Kind(
        "MP504",
        Severity.WARNING,
        "unknown keyword: {subject}",
        "No multipath knows this word, or not the installed one: the line does nothing. Mostly it is misspelt.",
        "correct the word; multipath -t shows what is in force",
        evidence="the file, against the keywords of the installed multipath",
        reference=_BOOK,
    ),
    Kind(
        "MP505",
        Severity.WARNING,
        "in the wrong section: {subject}",
        "The keyword exists, but not in this section: the line is warned about and ignored.",
        "move the line to the section that the detail names, or take it out",
        evidence="the file, against the keywords of each section",
        reference=f"{_BOOK}, the section's own list of keywords",
    ),
    Kind(
        "MP506",
        Severity.WARNING,
        "not a value that multipath can use: {subject}",
        "The parser refuses the value, caps it, or takes it and the kernel refuses the map: the line does not do what "
        "it says.",
        "write one of the values that the detail names",
        evidence="the file, against the values that the parser takes",
        reference=f"{_BOOK}; libmultipath/dict.c",
    ),
    Kind(
        "MP507",
        Severity.ERROR,
        "a closing brace is missing: {subject}",
        "A section that is not closed goes on: the next section's name is an unknown keyword in it, and what follows "
        "is lost or counts for the wrong section. multipath exits 0 all the same.",
        "put a line with }} where the detail says",
        evidence="the file: a section begins inside one that cannot hold it",
        reference="multipath-tools libmpathutil/parser.c",
    ),
    Kind(
        "MP508",
        Severity.WARNING,
        "not read as it is written: {subject}",
        "The parser goes by lines: the brace on the keyword's line, one value, the closing brace on a line of its own. "
        "What does not fit is dropped or taken for something else.",
        "write a keyword and one value a line, quoted if it has blanks, and each closing brace on its own line",
        evidence="the file, read as multipath's parser reads it",
        reference="multipath-tools libmpathutil/parser.c",
    ),
    Kind(
        "MP509",
        Severity.WARNING,
        "said twice, the later line counts: {subject}",
        "The same keyword stands again further down for the same thing, with another value. The later one is in force.",
        "take one of the two lines out",
        evidence="the file",
        reference=f"{_BOOK}; libmultipath/config.c merge_hwe, merge_mpe",
    ),
    Kind(
        "MP510",
        Severity.WARNING,
        "the built-in entry beats it: {subject}",
        "multipath has an entry of its own for this array, and device entries beat defaults: the line is never used "
        "for its LUNs.",
        "say it in a device section for that vendor and product, or in overrides",
        evidence="the file, the arrays that the host sees (or that the file names), multipath's built-in table",
        reference="multipath-tools libmultipath/propsel.c and hwtable.c",
    ),
    Kind(
        "MP511",
        Severity.WARNING,
        "queue_if_no_path is dropped: {subject}",
        "Since 0.7.2 no_path_retry decides alone how long I/O is held back when the last path is gone; the feature "
        "counts only where no_path_retry is set nowhere.",
        "take the feature out and say with no_path_retry what is meant",
        evidence="the file and the built-in entry of the array",
        reference="multipath-tools 0.7.2, libmultipath/propsel.c reconcile_features_with_options",
    ),
    Kind(
        "MP512",
        Severity.WARNING,
        "blacklisted by a name that disks of the SAN may get: {subject}",
        "The kernel gives sdX in the order in which disks come: after the next boot the name may be a path of a LUN, "
        "which then stays out of its map.",
        "name the local disk by its WWID (or vendor and product); the built-in blacklist and find_multipaths strict do "
        "without",
        evidence="the file",
        reference=f"{_BOOK}, blacklist section; kernel Documentation/admin-guide/devices.rst",
    ),
    Kind(
        "MP513",
        Severity.ERROR,
        "the blacklist hides the SAN: {subject}",
        "multipath takes no path that a blacklist names: these disks get no map, or lose it at the next reconfigure or "
        "boot.",
        "take the line out, or except the disks in blacklist_exceptions with the same keyword; then multipathd "
        "reconfigure",
        evidence="the blacklists of the files against vendor, product, name and WWID of the host's iSCSI disks",
        reference="multipath-tools libmultipath/blacklist.c filter_path",
    ),
    Kind(
        "MP514",
        Severity.INFO,
        "what find_multipaths means here: {subject}",
        "find_multipaths decides which disks get a map. By itself it is strict in upstream, Debian and Ubuntu: only "
        "what is registered in /etc/multipath/wwids; a multipath section does not register its WWID.",
        "leave it strict and register each LUN (multipath -a WWID; mpio apply does)",
        evidence="the file",
        reference=f"{_BOOK}, find_multipaths; libmultipath/wwids.c should_multipath",
    ),
    Kind(
        "MP515",
        Severity.WARNING,
        "queues for ever: {subject}",
        "Without a path I/O waits without end: programs hang, cannot be killed, and the host does not shut down.",
        "no_path_retry with a number of checks, e.g. 12",
        evidence="the file",
        reference="Red Hat DM Multipath guide, issues with queue_if_no_path; open-iscsi#195",
    ),
    Kind(
        "MP516",
        Severity.WARNING,
        "queues on when the daemon is stopped: {subject}",
        "With queue_without_daemon yes a map without paths still holds I/O back after multipathd has ended, which "
        "nobody ends then: shutdown hangs.",
        "take the line out: no is the default",
        evidence="the file",
        reference=f"{_BOOK}, queue_without_daemon",
    ),
    Kind(
        "MP517",
        Severity.WARNING,
        "fast_io_fail_tmo is left out: {subject}",
        "multipath writes it to a session only where it is a number below dev_loss_tmo; since 0.9.6 an unset "
        "dev_loss_tmo is made of no_path_retry x polling_interval. Left out, the session keeps the replacement_timeout "
        "of its record.",
        "a number, and dev_loss_tmo infinity beside it (iSCSI ignores that one)",
        evidence="the files and the built-in entry of the array",
        reference="multipath-tools libmultipath/discovery.c sysfs_set_scsi_tmo",
    ),
    Kind(
        "MP518",
        Severity.WARNING,
        "replacement_timeout is not what counts: {subject}",
        "multipath (0.5.0 and later) writes its fast_io_fail_tmo, 5 s by itself, over the recovery time of each "
        "session that carries a path of a map: iscsid.conf and the records are overruled.",
        "set both to one value: [timeouts] replacement of the site file, then mpio apply",
        evidence="iscsid.conf and multipath's fast_io_fail_tmo in force",
        reference="multipath-tools libmultipath/discovery.c sysfs_set_session_tmo (commit c6a3499)",
    ),
    Kind(
        "MP519",
        Severity.INFO,
        "a later file says otherwise: {subject}",
        "Drop-ins are read after multipath.conf, by name, and the last one counts.",
        "nothing, if that is meant; otherwise take one of the two lines out",
        evidence=_CONF,
        reference=f"{_BOOK}; libmultipath/config.c process_config_dir",
    ),
    Kind(
        "MP520",
        Severity.WARNING,
        "overrides beat it: {subject}",
        "What an overrides section says counts for every array, whatever their device sections say.",
        "say it in overrides, or for the LUNs in multipath sections, which beat overrides",
        evidence=_CONF,
        reference="multipath-tools libmultipath/propsel.c",
    ),
    Kind(
        "MP521",
        Severity.INFO,
        "does nothing today: {subject}",
        "rr_min_io is for bio-based maps; maps are request-based since Linux 2.6.31, where rr_min_io_rq counts.",
        "take the line out",
        evidence="the file",
        reference=f"{_BOOK}, rr_min_io and rr_min_io_rq",
    ),
    Kind(
        "MP522",
        Severity.INFO,
        "autodetection may beat it: {subject}",
        "Since 0.9.6 an array that reports ALUA gets group_by_prio, whatever policy is written.",
        "detect_pgpolicy no beside it, where the policy is meant",
        evidence="the file and the keywords of the installed multipath",
        reference="multipath-tools 0.9.6, libmultipath/propsel.c select_pgpolicy",
    ),
    Kind(
        "MP523",
        Severity.ERROR,
        "one alias for two LUNs: {subject}",
        "Only one of the two gets the name, the other one appears under its WWID or as mpathN: what mounts by name may "
        "find the wrong LUN. multipath -t says nothing of it.",
        "give each WWID an alias of its own",
        evidence=_CONF,
        reference="multipath-tools libmultipath/alias.c check_alias_settings",
    ),
    Kind(
        "MP524",
        Severity.WARNING,
        "the section is dropped: {subject}",
        "A multipath section without wwid, a device section without vendor and product, a protocol section without "
        "type stand for nothing and are left out.",
        "add what is missing, or take the section out",
        evidence=_CONF,
        reference="multipath-tools libmultipath/config.c",
    ),
    Kind(
        "MP525",
        Severity.ERROR,
        "multipath does not start with this line: {subject}",
        "The line ends the whole parse: multipath and multipathd exit with `error parsing config file`. A daemon that "
        "runs goes on with what it has; it does not come back after a restart or a boot.",
        "correct the line: mostly * is meant as .*; then multipath -t",
        evidence="the file; where multipath is installed, the exit code and words of multipath -t",
        reference="multipath-tools libmpathutil/parser.c process_stream; libmultipath/blacklist.c store_ble",
    ),
    Kind(
        "MP526",
        Severity.WARNING,
        "beats mpio's drop-in: {subject}",
        "A file that is read after conf.d/90-mpio.conf, or a stronger section of another one, says otherwise: what the "
        "site asks for is not in force there.",
        "take the line out or say it in the site file",
        evidence=_CONF,
        reference="multipath-tools libmultipath/config.c process_config_dir",
    ),
    Kind(
        "MP527",
        Severity.INFO,
        "multipath does not read {subject}",
        "Of /etc/multipath/conf.d only files whose names end in .conf are read.",
        "rename it to end in .conf, or move it away",
        evidence="the names in /etc/multipath/conf.d",
        reference="multipath-tools libmultipath/config.c process_config_dir",
    ),
    *keys.KINDS,
)
