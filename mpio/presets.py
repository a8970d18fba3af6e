"""What the 2011 guide wanted of multipath, in today's keywords."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Deviation:
    """A line of the guide, what became of it, and why. `guide` is empty for what the guide does not have."""

    guide: str
    today: str
    why: str


@dataclass(frozen=True, slots=True)
class Preset:
    """Device keywords for an array. `vendor` empty: for no array in particular, so they go into `overrides`.

    vendor and product are POSIX extended expressions, matched anywhere in the INQUIRY strings.
    """

    name: str
    vendor: str
    product: str
    keywords: Mapping[str, str]
    deviations: tuple[Deviation, ...] = ()


_TIMEOUTS = (
    Deviation(
        "node.session.timeo.replacement_timeout = 10",
        "fast_io_fail_tmo 10, and the same in the records",
        "multipathd >= 0.5.0 writes fast_io_fail_tmo (5 by itself) over the session's recovery time",
    ),
    Deviation(
        "",
        "dev_loss_tmo infinity",
        "else 0.11.1 silently drops a fast_io_fail_tmo above no_path_retry x polling_interval; iSCSI ignores it",
    ),
)
_GUIDE = (
    Deviation(
        "path_grouping_policy group_by_node_name",
        "the same",
        "a group for each target, one in use at a time, as the guide has it",
    ),
    Deviation(
        "path_grouping_policy group_by_serial (defaults)",
        "left out",
        "the device entry decides; all paths of a LUN share one serial, so it would be one group",
    ),
    Deviation(
        "",
        "detect_pgpolicy no",
        "since 0.9.6 autodetection puts group_by_prio over a written policy; left out where the keyword is unknown",
    ),
    Deviation(
        "failback immediate", "the same", "back to the better group as soon as it is whole; the default is manual"
    ),
    Deviation(
        "path_checker directio",
        "path_checker tur",
        "a read can hang on a blocked device and takes a LUN's bandwidth; TEST UNIT READY is the default since 0.6.2",
    ),
    Deviation(
        "no_path_retry 12 (defaults)",
        "no_path_retry 12 in the device entry",
        "the built-in NEXENTA/COMSTAR entry has 30 and beats defaults; 12 checks are 60 s at the default interval of 5",
    ),
    Deviation(
        'features "1 queue_if_no_path"',
        "left out: no_path_retry 12",
        "dropped with a warning since 0.7.2 beside no_path_retry; queueing for ever hangs the host at shutdown",
    ),
    Deviation(
        'selector "round-robin 0" (defaults), path_selector "service-time 0" (multipath)',
        'path_selector "service-time 0" in the device entry',
        "selector is gone since 0.5.0; the guide's own multipath sections say service-time, the default since then",
    ),
    Deviation(
        "prio const (defaults)",
        "left out",
        "detect_prio (on since 0.6.2) takes ALUA's priorities where the array reports them, and const elsewhere",
    ),
    Deviation(
        "rr_min_io 2000, rr_min_io 1000 (defaults)",
        "left out",
        "for bio-based maps only; maps are request-based since kernel 2.6.31 (rr_min_io_rq, default 1)",
    ),
    Deviation("rr_weight uniform (defaults)", "left out", "is the default"),
    Deviation(
        'getuid_callout "/lib/udev/scsi_id …"',
        "left out",
        "uid_attribute ID_SERIAL of udev since 0.5.0, with the same WWIDs; ignored since 0.9.0",
    ),
    Deviation(
        "checker_timer 120 (defaults)",
        "left out",
        "never a keyword; checker_timeout follows the SCSI time-out, polling_interval says how often",
    ),
    Deviation(
        "polling_interval 10 (defaults)", "left out", "5 is the default; polling_interval in [multipath] sets it"
    ),
    Deviation("queue_without_daemon yes (defaults)", "left out", "a stopped daemon would leave maps queueing for ever"),
    Deviation("udev_dir /dev (defaults)", "left out", "gone since 0.5.0"),
    Deviation(
        "user_friendly_names yes (defaults)", "user_friendly_names in [multipath]", "aliases name the site's own LUNs"
    ),
    Deviation(
        'blacklist { devnode "^sda" … }',
        "left out",
        "sdX names are not stable and may be a SAN path; the built-in blacklist keeps what can be a path",
    ),
    Deviation("vendor, product in multipath{}", "left out", "never valid there: warned about and ignored"),
    *_TIMEOUTS,
)

_NEXENTA = MappingProxyType(
    {
        "path_grouping_policy": "group_by_node_name",
        "path_selector": "service-time 0",
        "path_checker": "tur",
        "failback": "immediate",
        "no_path_retry": "12",
        "detect_pgpolicy": "no",
    }
)
# prio is left to the built-in SUN entry (alua) and to detect_prio
_ALUA = MappingProxyType(
    {
        "path_grouping_policy": "group_by_prio",
        "path_selector": "service-time 0",
        "failback": "immediate",
        "no_path_retry": "12",
    }
)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "nexenta-comstar": Preset("nexenta-comstar", "NEXENTA", "COMSTAR", _NEXENTA, _GUIDE),
        "sun-comstar": Preset(
            "sun-comstar",
            "SUN",
            "COMSTAR",
            MappingProxyType({**_ALUA, "path_checker": "tur"}),
            (
                Deviation(
                    "path_grouping_policy group_by_node_name",
                    "path_grouping_policy group_by_prio",
                    "as the built-in SUN entry has it: COMSTAR on other illumos tells its better paths by ALUA",
                ),
                *_TIMEOUTS,
            ),
        ),
        # No vendor to name: an entry for ".*" would beat a user's own device entries just as overrides does, and would
        # change dev_loss_tmo of Fibre Channel too. Checkers stay as detected (rdac arrays need their own).
        "generic-alua": Preset("generic-alua", "", "", MappingProxyType({**_ALUA, "detect_prio": "yes"}), _TIMEOUTS),
        "none": Preset("none", "", "", MappingProxyType({})),
    }
)
