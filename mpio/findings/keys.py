"""5xx: lines of iscsid.conf."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

_ISCSID = "/etc/iscsi/iscsid.conf"

KINDS = (
    Kind(
        "MP528",
        Severity.WARNING,
        "unknown key: {subject}",
        "open-iscsi passes over a key that it does not know without a word: the line does nothing. Mostly it is "
        "misspelt.",
        "correct the key; etc/iscsid.conf of open-iscsi has every one of them",
        evidence=_ISCSID,
        reference="open-iscsi usr/idbm.c idbm_rec_update_param",
    ),
    Kind(
        "MP529",
        Severity.WARNING,
        "set twice: {subject}",
        "The last line of a key counts (of iscsid.* the first one).",
        "take one of the two lines out",
        evidence=_ISCSID,
        reference="open-iscsi usr/idbm.c idbm_recinfo_config",
    ),
    Kind(
        "MP530",
        Severity.WARNING,
        "not a value that open-iscsi can use: {subject}",
        "A word that it does not know is ignored; what is no number is 0, without a word; what is out of range is "
        "refused at login or by the kernel.",
        "write a value that the detail names",
        evidence=_ISCSID,
        reference="open-iscsi usr/idbm.c idbm_rec_update_param; etc/iscsid.conf",
    ),
    Kind(
        "MP531",
        Severity.WARNING,
        "open-iscsi does not read {subject}",
        "It wants `key = value` with a blank before the =, one a line, and a newline behind the last one.",
        "write it so",
        evidence=_ISCSID,
        reference="open-iscsi usr/idbm.c idbm_recinfo_config",
    ),
    Kind(
        "MP532",
        Severity.WARNING,
        "pings of the connection: {subject}",
        "noop_out_interval and noop_out_timeout go together: both above 0, or both 0 for none, and then a link that "
        "dies without a word is noticed only by a time-out of I/O.",
        "set both: [timeouts] noop_interval and noop_timeout of the site file",
        evidence=_ISCSID,
        reference="open-iscsi usr/initiator.c and README, section 8.1.1",
    ),
    Kind(
        "MP533",
        Severity.WARNING,
        "a login that waits long: {subject}",
        "login_timeout x initial_login_retry_max is how long a portal that does not answer holds up a login, and with "
        "it the boot.",
        "[timeouts] login and login_retries of the site file: 5 x 4 is enough",
        evidence=_ISCSID,
        reference="open-iscsi#299; etc/iscsid.conf",
    ),
    Kind(
        "MP534",
        Severity.WARNING,
        "a dead session is never given up: {subject}",
        "Below 0 the kernel holds I/O of a dead session until it is back: multipath never sees a failed path.",
        "a number of seconds: [timeouts] replacement of the site file",
        evidence=_ISCSID,
        reference="open-iscsi README, section 8; etc/iscsid.conf",
    ),
    Kind(
        "MP535",
        Severity.WARNING,
        "logs in over one iface only: {subject}",
        "With node.leading_login a record made from this file logs in at boot over one iface after the other until one "
        "succeeds, and then stops: no second path.",
        "node.leading_login = No, in the records too",
        evidence=_ISCSID,
        reference="open-iscsi#73; etc/iscsid.conf",
    ),
    Kind(
        "MP536",
        Severity.WARNING,
        "half a CHAP login: {subject}",
        "A login needs a name and a secret; the target's proof (…_in) needs the host's own login beside it.",
        "set the missing half, or neither; mpio keeps secrets in [san.chap] and in records alone",
        evidence=f"{_ISCSID}; secrets are not shown",
        reference="open-iscsi etc/iscsid.conf, CHAP settings; RFC 7143, 12.1.3",
    ),
    Kind(
        "MP537",
        Severity.ERROR,
        "others may read the secret in {subject}",
        "The file holds a CHAP secret in the clear, and its mode lets others than root read it.",
        "chmod 600 {subject}; then change the secret on the array",
        evidence="the file's mode",
        reference="open-iscsi#267",
    ),
    Kind(
        "MP538",
        Severity.WARNING,
        "no LUN appears by itself: {subject}",
        "With node.session.scan manual a login scans for no LUN: the session is there and shows no disk.",
        "node.session.scan = auto, in the records too",
        evidence=_ISCSID,
        reference="open-iscsi 2.0-875, etc/iscsid.conf",
    ),
    Kind(
        "MP539",
        Severity.INFO,
        "records made from it do not log in at boot: {subject}",
        "Records of a discovery take node.startup from this file; manual is the default of upstream, Debian and "
        "Ubuntu, automatic that of RHEL.",
        "mpio apply sets the records of the site to automatic",
        evidence=_ISCSID,
        reference="open-iscsi etc/iscsid.conf, startup settings",
    ),
)
