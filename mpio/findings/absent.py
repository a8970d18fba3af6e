"""3xx: what the site plans and the host has not."""

from __future__ import annotations

from mpio.findings.shape import Kind, Severity

KINDS = (
    Kind(
        "MP340",
        Severity.ERROR,
        "not logged in: {subject}",
        "The portal answers and the record is there, yet there is no session: somebody logged it out by hand, its "
        "login failed once and nobody has tried again, or it was not there at boot. iscsid repairs sessions that "
        "break, none that never came or that were ended.",
        "mpio login {subject}",
        evidence="node records, /sys/class/iscsi_session and a TCP connect through the NIC",
        reference="iscsiadm(8), --login",
    ),
    Kind(
        "MP341",
        Severity.ERROR,
        "no record of {subject}",
        "The portal answers, yet open-iscsi's database has no node record of this pair: nothing logs it in, now or at "
        "the next boot. A discovery through other ifaces deletes the records of this one (iscsiadm's default -o).",
        "mpio apply",
        evidence="files below open-iscsi's nodes folder",
        reference="open-iscsi#286, iscsiadm(8), discovery",
    ),
    Kind(
        "MP342",
        Severity.ERROR,
        "no iface {subject}",
        "The site's iface has no record: no session can be bound to its NIC.",
        "mpio apply",
        evidence="files of open-iscsi's ifaces folder",
        reference="iscsiadm(8), iface",
    ),
)
