"""The keys of the site file: what each takes, its default, its meaning.

Data alone, in the terms of pydantic's core schema: `mpio.sitefile` gives it to the validator, and to the writer of the
schema for editors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mpio import sitewords
from mpio.site import Alert, Site, Timeouts, Watch

Schema = dict[str, Any]

FIND_MULTIPATHS = ("keep", "strict", "yes", "no", "on", "off", "greedy", "smart")
SEVERITIES = ("info", "degraded", "failed", "recovered")
EVENTS = (
    *("started", "resync", "stopped"),
    *("link_down", "link_up"),
    *("portal_unreachable", "portal_reachable"),
    *("session_failed", "session_restored", "session_added", "session_removed"),
    *("path_failed", "path_restored", "path_added", "path_removed"),
    *("lun_degraded", "lun_failed", "lun_recovered", "lun_added", "lun_removed", "lun_resized"),
    *("fast_fail", "alert_failed"),
)
OPTIONAL = ("san", "network", "timeouts", "session", "multipath", "watch")  # as if each were there, for its defaults
_DAY = 86400  # seconds; open-iscsi's README wants that much of replacement_timeout for a root disk

_site = Site((), ())
_times, _watch, _alert = Timeouts(), Watch(), Alert()


def _key(schema: Schema, says: str, *, required: bool = False, default: object = None) -> Schema:
    if default is not None:
        schema = {"type": "default", "schema": schema, "default": default}
    return {"type": "typed-dict-field", "schema": schema, "required": required, "metadata": {"description": says}}


def _table(keys: dict[str, Schema]) -> Schema:
    return {"type": "typed-dict", "strict": True, "fields": keys, "total": False, "extra_behavior": "forbid"}


def _many(items: Schema, least: int = 0) -> Schema:
    return {"type": "list", "strict": True, "items_schema": items} | ({"min_length": least} if least else {})


def _word(check: Callable[[str], object], pattern: str = "") -> Schema:
    shown = {"pattern": f"^(?:{pattern})$"} if pattern else {}
    function = {"type": "no-info", "function": check}
    return {
        "type": "function-after",
        "function": function,
        "schema": {"type": "str", "strict": True},
        "metadata": shown,
    }


def _one_of(*words: object) -> Schema:
    literal = {"type": "literal", "expected": list(words)}
    if all(isinstance(word, str) for word in words):
        return literal
    function = {"type": "no-info", "function": partial(sitewords.no_look_alike, words)}
    return {"type": "function-before", "function": function, "schema": literal}


def _whole(most: int, least: int = 1) -> Schema:
    return {"type": "int", "strict": True, "ge": least, "le": most}


def _scalar(check: Callable[[object], str]) -> Schema:
    shown = {"type": ["boolean", "integer", "string"], "minimum": 1}
    return {"type": "function-plain", "function": {"type": "no-info", "function": check}, "metadata": shown}


_YES_NO: Schema = {"type": "bool", "strict": True}
_PORTAL = _word(sitewords.portal)
_PATH = _word(sitewords.path, "/.+")

_CHAP = _table(
    {
        "username": _key(_word(sitewords.line), "The name that this host gives to the array.", required=True),
        "password_file": _key(
            _PATH, "File with that name's password on one line; 0600, owned by root, or it is refused.", required=True
        ),
        "username_in": _key(_word(sitewords.line), "Mutual CHAP: the name that the array gives to this host."),
        "password_in_file": _key(_PATH, "Mutual CHAP: file with the array's password; as password_file."),
    }
)

_IFACE = _table(
    {
        "name": _key(
            _word(sitewords.iface, sitewords.IFACE),
            "Name of the iSCSI iface: a letter or digit, then up to 63 letters, digits, dots, - or _; not default, "
            "iser or iface.example, not the name of a NIC.",
            required=True,
        ),
        "nic": _key(_word(sitewords.nic), "The network interface that its sessions are bound to.", required=True),
    }
)

_SAN = _table(
    {
        "portals": _key(
            _many(_PORTAL, 1),
            "Where to ask for targets: numeric addresses, port 3260 unless said; IPv6 as [fd00::90]:3260.",
            required=True,
        ),
        "targets": _key(
            _many(_word(sitewords.target)),
            "Globs; a target that matches one is wanted. Absent or empty: every target discovered.",
        ),
        "layout": _key(
            _one_of("mesh", "subnet"),
            "mesh: every iface to every portal it can reach; subnet: only to portals on its own subnet.",
            default=_site.layout,
        ),
        "exclude": _key(
            _many(_word(sitewords.excluded)), "Portals never to log in to. Without a port: all ports of that address."
        ),
        "chap": _key(_CHAP, "CHAP of the sessions: names here, passwords in files."),
        "discovery_chap": _key(_CHAP, "CHAP of discovery, where the array wants it."),
    }
)

_NETWORK = _table(
    {
        "rp_filter": _key(
            _one_of(0, 2, "keep"),
            "Reverse path filter of the NICs. The kernel takes the larger of conf/all and the NIC's, hence 2. keep: as "
            "the host has it.",
            default=_site.rp_filter,
        ),
        "mtu": _key(_whole(65535, 68), "Bytes that the NICs must have as MTU; checked and probed, never set."),
        "arp": _key(
            _one_of("keep", "set"),
            "set: arp_ignore 1, arp_announce 2 and, where NICs share a subnet, routes by source address: required "
            "there.",
            default=_site.arp,
        ),
    }
)

_TIMEOUTS = _table(
    {
        "replacement": _key(
            _whole(_DAY),
            "Seconds that a dead session holds I/O back before its paths fail; set in the records and in multipath.",
            default=_times.replacement,
        ),
        "noop_interval": _key(_whole(_DAY), "Seconds between pings of an idle session.", default=_times.noop_interval),
        "noop_timeout": _key(
            _whole(_DAY),
            "Seconds that a ping may go unanswered before the session is dead.",
            default=_times.noop_timeout,
        ),
        "login": _key(_whole(_DAY), "Seconds per login attempt.", default=_times.login),
        "login_retries": _key(
            _whole(10_000),
            "Login attempts; a dead portal holds boot up login x login_retries seconds.",
            default=_times.login_retries,
        ),
    }
)

_PROGRAM: Schema = {
    "type": "function-after",
    "function": {"type": "no-info", "function": sitewords.program},
    "schema": _many(_word(sitewords.argument), 1),
}
_ALERT = _table(
    {
        "on": _key(
            _many(_one_of(*SEVERITIES, *EVENTS), 1), "Severities or event names to tell of.", default=list(_alert.on)
        ),
        "url": _key(_word(sitewords.url, r"[^\s\"]+://[^\s\"]+"), "An Apprise URL. One of url, url_file and exec."),
        "url_file": _key(_PATH, "File that holds the Apprise URL; 0600, owned by root, or it is refused."),
        "exec": _key(_PROGRAM, "Program (absolute path) and arguments; the event is JSON on its stdin."),
        "repeat": _key(
            _whole(365 * _DAY, 60), "Seconds after which what still is not well is told again.", default=_alert.repeat
        ),
        "timeout": _key(
            _whole(600), "Seconds that one delivery may take, loading Apprise not counted.", default=_alert.timeout
        ),
    }
)

_FLOAT: Schema = {"type": "float", "strict": True, "ge": 1, "le": 3600, "allow_inf_nan": False}
_WATCH = _table(
    {
        "fast_fail": _key(
            _one_of("off", "link", "probe"),
            "Fail dead sessions at once: on loss of carrier (link), or also when a pair stops answering (probe).",
            default=_watch.fast_fail,
        ),
        "fast_fail_root": _key(
            _YES_NO, "Let fast_fail act on the root disk's sessions.", default=_watch.fast_fail_root
        ),
        "heal": _key(_YES_NO, "Log in again planned pairs without a session, with back-off.", default=_watch.heal),
        "probe_interval": _key(_FLOAT, "Seconds between probes of a pair.", default=_watch.probe_interval),
        "probe_misses": _key(
            _whole(1000), "Unanswered probes in a row after which a pair is dead.", default=_watch.probe_misses
        ),
        "alert": _key(_many(_ALERT), "Whom to tell."),
    }
)

_SESSION: Schema = {
    "type": "dict",
    "strict": True,
    "keys_schema": _word(sitewords.node_key, sitewords.NODE_KEY),
    "values_schema": _scalar(sitewords.node_value),
    "metadata": {"additionalProperties": False},
}


def _multipath(keywords: frozenset[str], presets: tuple[str, ...]) -> Schema:
    own = {
        "preset": _key(
            _one_of(*presets),
            "The device keywords for an array: NexentaStor, another COMSTAR array, any ALUA array, or none.",
            default=_site.preset,
        ),
        "find_multipaths": _key(
            _one_of(*FIND_MULTIPATHS),
            "Which disks become maps, as multipath.conf has it; keep: as the host has it.",
            default="keep",
        ),
        "polling_interval": _key(_whole(_DAY), "Seconds between checks of a path. Absent: as the host has it."),
    }
    said = {"vendor", "product", "revision"}
    of_device = {k: _keyword(k, "device") for k in sorted(keywords - said - own.keys())}
    return _table(own | {k: _matching(k) for k in sorted(said)} | of_device)


def _keyword(name: str, section: str) -> Schema:
    return _key(_scalar(partial(sitewords.keyword, name)), f"{name} of multipath.conf's {section} section.")


def _matching(name: str) -> Schema:
    says = f"{name} of the device section (POSIX expression), in place of the preset's: for an array of another name."
    return _key(_word(sitewords.line), says)


def _lun(keywords: frozenset[str]) -> Schema:
    own = {
        "wwid": _key(
            _word(sitewords.wwid),
            "WWID as multipath writes it (3…, 2…, 1…), or naa., eui., t10. and the name, as arrays show it; any case.",
            required=True,
        ),
        "alias": _key(
            _word(sitewords.alias, sitewords.ALIAS),
            "Name in /dev/mapper: a letter or digit, then up to 126 letters, digits or # + . : = @ _ -. "
            "Absent: multipath names the map.",
        ),
        "paths": _key(
            _whole(4096), "How many paths the LUN must have. Absent: as many as planned pairs have shown it."
        ),
    }
    return _table(own | {k: _keyword(k, "multipath") for k in sorted(keywords - own.keys())})


def site() -> Schema:
    """All of the file."""
    from mpio import presets
    from mpio.tools import multipathwords

    says = (
        "iSCSI name of this host, in lower case: iqn.YYYY-MM.domain:name, or eui. or naa. and digits. Absent: its own."
    )
    name = _key(_word(sitewords.initiator, sitewords.INITIATOR), says)
    return _table(
        {
            "format": _key(_one_of(1), "Version of this format.", required=True),
            "initiator": _key(_table({"name": name}), "This host, as the array knows it."),
            "iface": _key(_many(_IFACE, 1), "One for each NIC that leads to the SAN.", required=True),
            "san": _key(_SAN, "The array: where it is, and what of it is wanted.", required=True),
            "network": _key(_NETWORK, "What the NICs must have."),
            "timeouts": _key(_TIMEOUTS, "Time-outs, set everywhere they have to be set to be true. Whole seconds."),
            "session": _key(
                _SESSION, 'Raw node.* keys for our records, each in quotes: "node.session.cmds_max" = 128.'
            ),
            "multipath": _key(
                _multipath(
                    multipathwords.DEVICE_KEYWORDS - {"fast_io_fail_tmo", "dev_loss_tmo"}, tuple(presets.PRESETS)
                ),
                "A preset, two defaults, and any keyword of a device section; it overrides the preset's.",
            ),
            "lun": _key(
                _many(_lun(multipathwords.MULTIPATH_KEYWORDS)),
                "One for each LUN, with any keyword of a multipath section.",
            ),
            "watch": _key(_WATCH, "What `mpio watch` does. No wanted state of the host."),
        }
    )
