"""5xx: configuration files."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

KINDS = (
    Kind(
        "MP501",
        Severity.WARNING,
        "multipath warns: {subject}",
        "multipath reads this line of a configuration file and does not like it: misspelt, obsolete, or "
        "swallowed by a missing brace.",
        "correct that line; `multipath -t` shows the warning",
        evidence="`multipath -t`, its words on stderr",
        reference="multipath.conf(5); multipath-tools libmpathutil/parser.c",
    ),
    Kind(
        "MP502",
        Severity.WARNING,
        "others may write {subject}",
        "A configuration file that drives root's storage can be changed by somebody who is not root.",
        "chmod go-w {subject}; chown root {subject}",
        evidence="the file's mode",
        reference="multipath.conf(5) and open-iscsi README: both are read by daemons of root",
    ),
)
