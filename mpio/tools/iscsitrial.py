"""iscsiadm with a database of its own, for calls that must leave nothing on the host.

A tmpfs stands over the host's database in a private mount namespace, which ends with the program: ifaces, records and
whatever iscsiadm stores beside them go with it. iscsid's configuration is copied into it, and discovery records for
their CHAP login. A session is not in a database: it outlives the call, under the name of an iface that nobody else
gives (tried on 2.1.8: iscsid needs no file to log in or out).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from mpio.host import Pair
from mpio.program import Done, Run
from mpio.tools import iscsiadm, iscsitext
from mpio.tools.iscsidb import ROOTS
from mpio.tools.sysfs import portal_of

PREFIX = "mpio-init-"  # of the ifaces of sessions that are logged out again
# A portal that is slow is no use to a look: the stock values would hold it for two minutes.
SETTINGS = {
    "node.session.initial_login_retry_max": "1",
    "node.conn[0].timeo.login_timeout": "8",
    "node.session.timeo.replacement_timeout": "5",
    "node.session.nr_sessions": "1",
}
LIMIT = 60.0

_FAILED = re.compile(
    r"^iscsiadm: Could not login to \[iface: (\S+), target: (\S+), portal: ([^,\s]+),(\d{1,5})\]",
    re.ASCII | re.MULTILINE,
)
_PLACES = " ".join(reversed(ROOTS))
_STAGE = (
    "umask 077 && mount -t tmpfs -o mode=0700 mpio /tmp && mkdir -p /tmp/db/ifaces || exit;"
    f" for d in {_PLACES}; do for f in iscsid.conf initiatorname.iscsi send_targets; do"
    " [ ! -e $d/$f ] || cp -a $d/$f /tmp/db/ || exit; done; done;"
    ' while [ "$1" != -- ]; do'
    ' printf \'iface.iscsi_ifacename = %s\\niface.net_ifacename = %s\\niface.transport_name = tcp\\n\' "$1" "$2"'
    ' >"/tmp/db/ifaces/$1" || exit; shift 2; done; shift;'
    f" for d in {_PLACES}; do [ ! -d $d ] || mount --bind /tmp/db $d || exit; done;"
    ' exec "$@" </dev/null'
)


def argv(ifaces: Mapping[str, str], words: Iterable[str]) -> tuple[str, ...]:
    """The call of a program that sees these ifaces (name to NIC) and no record."""
    pairs = [word for pair in ifaces.items() for word in pair]
    return ("unshare", "--mount", "--", "sh", "-c", _STAGE, "mpio", *pairs, "--", *words)


def through(plain: Run, ifaces: Mapping[str, str]) -> Run:
    """A `Run` that gives each program such a database."""

    def staged(*words: str, **options: Any) -> Done:
        return plain(*argv(ifaces, words), **options)

    return staged


def login(ifaces: Mapping[str, str], pairs: Mapping[Pair, int]) -> tuple[str, ...]:
    """Log in all these pairs (with their tpgt) at once. The exit code is the first error's: look at the sessions."""
    every = ("iscsiadm", "-m", "node")
    quick = [word for key, value in SETTINGS.items() for word in ("-n", key, "-v", value)]
    return argv(ifaces, _script([*_records(pairs), (*every, "-o", "update", *quick), (*every, "--login")]))


def logout(ifaces: Mapping[str, str], pairs: Mapping[Pair, int]) -> tuple[str, ...]:
    """Log out the sessions of these pairs; no other session can match."""
    return argv(ifaces, _script([*_records(pairs), ("iscsiadm", "-m", "node", "--logout")]))


def _records(pairs: Mapping[Pair, int]) -> list[tuple[str, ...]]:
    return [iscsiadm.record_new(pair, tpgt, why="").argv for pair, tpgt in pairs.items()]


def _script(calls: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return ("sh", "-c", " && ".join(shlex.join(call) for call in calls))


def parse_login_errors(stderr: str) -> dict[Pair, int]:
    """The code that iscsiadm reports of each pair that it could not log in; 1 where it reports none.

    iscsiadm: Could not login to [iface: mpio-init-0, target: iqn.2011-09.dom.homer:01:5d3a, portal: 10.10.8.90,3260].
    iscsiadm: initiator reported error (24 - iSCSI login failed due to authorization failure)
    """
    found = {}
    starts = list(_FAILED.finditer(stderr))
    for number, one in enumerate(starts):
        after = starts[number + 1].start() if number + 1 < len(starts) else len(stderr)
        pair = Pair(one[1], portal_of(one[3], int(one[4])), one[2])
        found[pair] = iscsitext.parse_login_error(stderr[one.end() : after]) or 1
    return found
