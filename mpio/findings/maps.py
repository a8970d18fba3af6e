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
    ),
    Kind(
        "MP402",
        Severity.ERROR,
        "{subject} has fewer paths than expected",
        "One more failure may be the last. Missing paths count like failed ones.",
        "the findings about links, portals and sessions name the cause; mend it, then mpio apply",
    ),
    Kind(
        "MP403",
        Severity.ERROR,
        "all paths of {subject} share one part",
        "Every usable path goes over a single NIC, portal or target although the site plans more: a single "
        "failure takes the LUN away.",
        "mend the other side; the detail names what is shared",
    ),
    Kind(
        "MP404",
        Severity.ERROR,
        "path failed: {subject}",
        "The device mapper, the checker or the SCSI layer does not use this path.",
        "mpio apply reinstates a path that was failed by hand; otherwise mend what the other findings name",
    ),
    Kind(
        "MP405",
        Severity.ERROR,
        "refused: would rename the open map {subject}",
        "A map that changes its alias changes its name under /dev/mapper: what has it open or mounted loses the "
        "name it was opened by.",
        "unmount it first, or keep the old alias in the site file",
        refusal=True,
    ),
    Kind(
        "MP406",
        Severity.WARNING,
        "the entry of {subject} is kept while its map is open",
        "The site no longer names the LUN, but its map is open; without its entry it would be renamed under its user.",
        "free the LUN, then mpio apply",
    ),
    Kind(
        "MP407",
        Severity.ERROR,
        "no map for {subject} although its paths are there",
        "multipathd did not take the paths: blacklisted, held by something else, or the WWID is not registered "
        "under find_multipaths strict.",
        "mpio apply; if it stays, `multipath -v3 -d` says why",
    ),
    Kind(
        "MP408",
        Severity.ERROR,
        "refused: {subject} is in use",
        "Something has the LUN open; taking it away would lose data or hang its user.",
        "stop what uses it (named in the detail)",
        refusal=True,
    ),
    Kind(
        "MP409",
        Severity.ERROR,
        "refused: {subject} would lose its last usable path",
        "After this step no usable path would be left to the map.",
        "bring the other paths back first",
        refusal=True,
    ),
    Kind(
        "MP410",
        Severity.ERROR,
        "the paths of {subject} disagree about its size",
        "One WWID with different sizes: a LUN that grew and was not rescanned on every path, or two LUNs with "
        "one identity.",
        "rescan every session; if the sizes still differ, two LUNs share an identity: take one away before data "
        "is lost",
    ),
    Kind(
        "MP411",
        Severity.INFO,
        "the LUN {subject} is not in the site file",
        "The array shows it to this host, the site does not name it; mpio leaves it alone.",
        "add a [[lun]] for it, or unmap it on the array",
    ),
    Kind(
        "MP412",
        Severity.WARNING,
        "the preset does not fit {subject}",
        "The LUN's INQUIRY has another vendor or product than the preset's device entry, so that entry does not "
        "apply to it.",
        'choose the preset of this array, or multipath.preset = "none"',
    ),
    Kind(
        "MP413",
        Severity.ERROR,
        "not in force: {subject}",
        "multipath takes another value than the site's: overrides beat device entries, a later file beats an "
        "earlier one, autodetection beats both.",
        "remove the line that wins (usually `overrides` in /etc/multipath.conf), then mpio apply",
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
    ),
    Kind(
        "MP415",
        Severity.ERROR,
        "refused: the paths of {subject} disagree about who it is",
        "One WWID, but the disks behind it tell different serial numbers, or say at this moment that they are another "
        "LUN: used as one map they would be written to as if they were one.",
        "have the array give each LUN an identity of its own; after a change there, mpio lun rescan",
        refusal=True,
    ),
    Kind(
        "MP416",
        Severity.WARNING,
        "{subject} is not shown by every target",
        "Paths are expected over the targets that show a LUN. If these are to show it too, one of them going away is "
        "not noticed until then.",
        "map it on the array to the targets in the detail, then mpio lun rescan; if it is meant so, there is nothing "
        "to do",
    ),
    Kind(
        "MP417",
        Severity.WARNING,
        "{subject} is not shown any more over some sessions",
        "The array answers over these sessions, but has no such LUN there: it was unmapped. Its disks stay until they "
        "are taken away, and their paths count as failed.",
        "map it again and mpio apply; or mpio lun adopt {subject} to go on with the paths that are left; or mpio lun "
        "remove {subject}",
    ),
    Kind(
        "MP418",
        Severity.INFO,
        "{subject} has another size on the array",
        "The array says another size than the map has.",
        "mpio lun resize {subject}",
    ),
    Kind(
        "MP419",
        Severity.ERROR,
        "not every path of {subject} is up",
        "A map may only grow once every path has the new size: what is written past the old end fails on a path that "
        "was not rescanned, and multipathd refuses a path whose size is another.",
        "bring the paths back (mpio status, mpio login), or take them out of what is expected (mpio offline), then run "
        "it again",
    ),
    Kind(
        "MP420",
        Severity.ERROR,
        "refused: {subject} would shrink",
        "The array says that the LUN is smaller than its map: what lies behind its new end is lost, and I/O to it "
        "fails. Nothing was rescanned.",
        "give the LUN its size back on the array",
        refusal=True,
    ),
    Kind(
        "MP421",
        Severity.INFO,
        "{subject} grew; what is on it did not yet",
        "The map has the LUN's new size. A file system, a physical volume or a partition on it keeps its own until it "
        "is grown.",
        "grow what is on it; the detail says how",
    ),
    Kind(
        "MP422",
        Severity.INFO,
        "unmap {subject} on the array now",
        "It was taken away from this host, but a scan finds every LUN that the array still shows: `iscsiadm -m session "
        "-R`, a login, or iscsid by itself. Its disks come back then; where find_multipaths is strict, in no map.",
        "unmap it on the array; where its disks came back, run mpio lun remove with its WWID after that",
    ),
    Kind(
        "MP423",
        Severity.ERROR,
        "the map {subject} is suspended",
        "All I/O to a suspended map waits. Somebody suspended it, or multipathd died while it loaded a new table.",
        "dmsetup resume {subject}, then run it again",
    ),
    Kind(
        "MP424",
        Severity.ERROR,
        "the map {subject} did not take its new size",
        "Every path has the new size and multipathd was told to resize the map, but the map has another one.",
        "look at multipathd's log (journalctl -u multipathd), then run it again: mpio lun resize",
    ),
    Kind(
        "MP425",
        Severity.WARNING,
        "the stall in the drill of {subject} was longer than predicted",
        "Reads stood longer than the session's timers explain: something else holds I/O back, or the machine is "
        "overloaded.",
        "mpio verify, for time-outs that are not in force; then drill again with --plot and see which layer was late",
    ),
    Kind(
        "MP426",
        Severity.ERROR,
        "refused: {subject} is not whole",
        "A drill takes more away. On a host that lacks something already it may take the last path, and its result "
        "would not say what caused what.",
        "mpio verify names what is missing; mend it first",
        refusal=True,
    ),
    Kind(
        "MP427",
        Severity.ERROR,
        "reads of {subject} failed in a drill",
        "With another path in use a read must wait, not fail. What fails here fails a file system in earnest.",
        "look at no_path_retry and at the other paths' state at that time: mpio verify, journalctl -u multipathd",
    ),
)
