"""An installed multipath: the keywords that it knows, and what it has without any file."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from mpio.tools import multipath
from mpio.tools.multipath import Table
from mpio.tools.multipathwords import DEVICE_KEYWORDS, KEYWORDS, MULTIPATH_KEYWORDS, PRINTED

# libmultipath/defaults.h and hwtable.c since 0.7.7: what may be said of a file where no multipath is at hand.
UPSTREAM: Table = MappingProxyType(
    {
        ("defaults", ""): MappingProxyType(
            {
                "polling_interval": "5",
                "path_selector": "service-time 0",
                "path_grouping_policy": "failover",
                "prio": "const",
                "features": "0",
                "path_checker": "tur",
                "failback": "manual",
                "rr_min_io": "1000",
                "rr_min_io_rq": "1",
                "rr_weight": "uniform",
                "queue_without_daemon": "no",
                "user_friendly_names": "no",
                "fast_io_fail_tmo": "5",
                "detect_prio": "yes",
                "detect_checker": "yes",
                "find_multipaths": "strict",
                "skip_kpartx": "no",
                "deferred_remove": "no",
            }
        ),
        ("device", "SUN:(Sun Storage|ZFS Storage|COMSTAR):"): MappingProxyType(
            {
                "vendor": "SUN",
                "product": "(Sun Storage|ZFS Storage|COMSTAR)",
                "path_grouping_policy": "group_by_prio",
                "failback": "immediate",
                "prio": "alua",
                "no_path_retry": "30",
            }
        ),
        ("device", "NEXENTA:COMSTAR:"): MappingProxyType(
            {
                "vendor": "NEXENTA",
                "product": "COMSTAR",
                "path_grouping_policy": "group_by_serial",
                "no_path_retry": "30",
            }
        ),
    }
)
_ASKED = {"device": DEVICE_KEYWORDS, "multipath": MULTIPATH_KEYWORDS}


@dataclass(frozen=True, slots=True)
class Dialect:
    """`known` are `multipath.known`'s keywords; None: none at hand, so all that any release since 0.9.4 knows."""

    known: frozenset[str] | None = None
    built_in: Table = field(default_factory=lambda: UPSTREAM, hash=False)

    @property
    def defaults(self) -> dict[str, str]:
        return dict(self.built_in.get(("defaults", ""), {}))

    def knows(self, section: tuple[str, str], key: str) -> bool:
        """Is it a keyword of this section, (the one around it, its own name), here?"""
        if key not in KEYWORDS.get(section, ()):
            return False
        if self.known is None or section[1].startswith("blacklist") or section[0].startswith("blacklist"):
            return True
        if section[1] == "protocol":
            return "overrides.protocol" in self.known
        if section[1] != "defaults":
            return f"{section[1]}.{key}" in self.known
        if key in PRINTED:
            return PRINTED[key] in self.defaults
        asked = [f"{name}.{key}" for name, keys in _ASKED.items() if key in keys]
        return key in self.defaults or not asked or any(name in self.known for name in asked)

    def of_array(self, vendor: str, product: str) -> dict[str, str]:
        """What its own entries give to an array."""
        return multipath.device_for(self.built_in, vendor, product) if vendor and product else {}
