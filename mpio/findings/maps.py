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
)
