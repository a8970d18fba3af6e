"""iscsid.conf as open-iscsi reads it: usr/idbm.c idbm_recinfo_config() and idbm_rec_update_param(), 2.0.873 to 2.1.11.

A key that it does not know is passed over without a word; a number is what strtoul() makes of it, so a word is 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

LONGEST = 2047  # bytes of a line with its newline: another one is "too long"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that says something: `unread` is why open-iscsi passes it over."""

    number: int
    key: str
    value: str
    unread: str = ""


_YES = ("No", "Yes")
_WORDS: Mapping[str, tuple[str, ...]] = {
    "node.startup": ("manual", "automatic", "onboot"),
    "node.leading_login": _YES,
    "node.session.auth.authmethod": ("None", "CHAP"),
    "node.session.iscsi.FastAbort": _YES,
    "node.session.iscsi.InitialR2T": _YES,
    "node.session.iscsi.ImmediateData": _YES,
    "node.session.scan": ("manual", "auto"),
    "node.conn[0].startup": ("manual", "automatic", "onboot"),
    "node.conn[0].iscsi.HeaderDigest": ("None", "CRC32C", "CRC32C,None", "None,CRC32C"),
    "node.conn[0].iscsi.DataDigest": ("None", "CRC32C", "CRC32C,None", "None,CRC32C"),
    "node.conn[0].iscsi.IFMarker": _YES,
    "node.conn[0].iscsi.OFMarker": _YES,
    "discovery.startup": ("manual", "automatic"),
    "discovery.sendtargets.auth.authmethod": ("None", "CHAP"),
    "discovery.sendtargets.use_discoveryd": _YES,
    "discovery.isns.use_discoveryd": _YES,
    "iscsid.safe_logout": _YES,
    "iscsid.ipc_auth_uid": _YES,
}
# key -> least and most; the comments of etc/iscsid.conf and usr/initiator_common.c
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "node.session.timeo.replacement_timeout": (-1, 2**31 - 1),
    **dict.fromkeys(
        (
            *(f"node.session.err_timeo.{kind}_timeout" for kind in ("abort", "lu_reset", "tgt_reset", "host_reset")),
            *(f"node.conn[0].timeo.{kind}_timeout" for kind in ("login", "logout", "auth", "active", "idle", "ping")),
            *(f"discovery.sendtargets.timeo.{kind}_timeout" for kind in ("login", "auth", "active")),
            *("node.conn[0].timeo.noop_out_interval", "node.conn[0].timeo.noop_out_timeout"),
            *("node.session.initial_cmdsn", "node.session.reopen_max", "discovery.sendtargets.reopen_max"),
            *("node.session.iscsi.DefaultTime2Retain", "node.session.iscsi.DefaultTime2Wait"),
            *("node.session.iscsi.ERL", "node.session.sess_reopen_log_freq", "node.session.boot_lun"),
            *("discovery.sendtargets.discoveryd_poll_inval", "discovery.isns.discoveryd_poll_inval"),
            *("node.conn[0].tcp.window_size", "node.conn[0].tcp.type_of_service"),
        ),
        (0, 2**31 - 1),
    ),
    **dict.fromkeys(
        (
            *("node.session.initial_login_retry_max", "node.session.nr_sessions"),
            *("node.session.iscsi.MaxConnections", "node.session.iscsi.MaxOutstandingR2T"),
        ),
        (1, 65535),
    ),
    **dict.fromkeys(
        (
            *("node.session.iscsi.FirstBurstLength", "node.session.iscsi.MaxBurstLength"),
            *("node.conn[0].iscsi.MaxRecvDataSegmentLength", "discovery.sendtargets.iscsi.MaxRecvDataSegmentLength"),
        ),
        (512, 2**24 - 1),
    ),
    "node.conn[0].iscsi.MaxXmitDataSegmentLength": (0, 2**24 - 1),
    "node.session.cmds_max": (2, 2048),
    "node.session.queue_depth": (1, 1024),
    "node.session.xmit_thread_priority": (-20, 20),
}
_TEXTS = (
    *(f"{group}.auth.{key}" for group in ("node.session", "discovery.sendtargets") for key in ("username", "password")),
    *(
        f"{group}.auth.{key}_in"
        for group in ("node.session", "discovery.sendtargets")
        for key in ("username", "password")
    ),
    *("node.session.auth.chap_algs", "discovery.sendtargets.auth.chap_algs", "node.conn[0].tcp.congestion_control"),
    *("iscsid.startup", "isns.address", "isns.port", "node.transport_name", "iface.transport_name"),
)
KEYS: frozenset[str] = frozenset((*_WORDS, *_NUMBERS, *_TEXTS))
_SECRETS = MappingProxyType({f"{group}.auth": group for group in ("node.session", "discovery.sendtargets")})
_OTHER = re.compile(r"(iface|host|node\.name|node\.tpgt|node\.conn\[0\]\.(address|port))\b")


def lines(text: str) -> Iterator[Line]:
    """Every line but blank ones and comments."""
    whole = text.split("\n")
    for number, raw in enumerate(whole, 1):
        line = raw.strip(" \t\r\v\f")
        if not line or line.startswith("#"):
            continue
        key = re.match(r"[^\s=]*", line)
        name = key[0] if key else ""
        rest = line[len(name) :]
        value = rest.lstrip().removeprefix("=").strip()
        yield Line(number, name, value, _unread(raw, rest, number == len(whole), name))


def _unread(raw: str, rest: str, last: bool, name: str) -> str:
    if len(raw.encode("utf-8", "surrogateescape")) >= LONGEST:
        return "the line is too long"
    if last and not name.startswith("iscsid."):
        return "it is the last line and has no newline"
    if not rest or not rest.lstrip().startswith("="):
        return "it has no ="
    if not rest[0].isspace() and not name.startswith("iscsid."):
        return "there is no blank before the ="
    if not rest.lstrip().removeprefix("=").strip():
        return "it has no value"
    return ""


def known(key: str) -> bool:
    return key in KEYS or _OTHER.match(key) is not None


def complaint(key: str, value: str) -> str:
    """What open-iscsi makes of a value that is none; "" where it takes it. Never the value of a secret."""
    if key in _WORDS:
        return "" if value in _WORDS[key] else f'"{value}" is ignored: it is one of {", ".join(_WORDS[key])}'
    if key not in _NUMBERS:
        return ""
    least, most = _NUMBERS[key]
    found = re.match(r"\s*([+-]?\d{1,18})", value)
    if not re.fullmatch(r"[+-]?\d{1,18}", value.strip(), re.ASCII):
        return f'"{value}" is no whole number: taken as {int(found[1]) if found else 0}'
    number = int(value)
    if not least <= number <= most and not (key.endswith("replacement_timeout") and number < 0):
        return f"{number} is not between {least} and {most}"
    if key == "node.session.cmds_max" and number & (number - 1):
        return f"{number} is no power of 2"
    return ""
