"""The keywords of multipath.conf's sections, and what became of those that are none any more."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# libmultipath/dict.c init_keywords(), 0.9.4 to 0.14.3. pg_timeout and getuid_callout are left out: read and ignored.
_EVERYWHERE = """
path_grouping_policy path_selector prio prio_args failback rr_weight no_path_retry rr_min_io rr_min_io_rq
flush_on_last_del features user_friendly_names deferred_remove delay_watch_checks delay_wait_checks
san_path_err_threshold san_path_err_forget_rate san_path_err_recovery_time marginal_path_err_sample_time
marginal_path_err_rate_threshold marginal_path_err_recheck_gap_time marginal_path_double_failed_time
skip_kpartx max_sectors_kb ghost_delay purge_disconnected
"""
_OF_PATHS = """
uid_attribute path_checker checker alias_prefix fast_io_fail_tmo dev_loss_tmo eh_deadline retain_attached_hw_handler
detect_prio detect_checker detect_pgpolicy detect_pgpolicy_use_tpg all_tg_pt recheck_wwid
"""
_OF_ARRAYS = "vendor product revision product_blacklist hardware_handler vpd_vendor"
_OF_MAPS = "wwid alias mode uid gid reservation_key"
_OF_DAEMON = """
verbosity polling_interval max_polling_interval reassign_maps uid_attrs max_fds queue_without_daemon checker_timeout
allow_usb_devices max_retries log_checker_err force_sync strict_timing partition_delimiter find_multipaths
uxsock_timeout retrigger_tries retrigger_delay missing_uev_wait_timeout remove_retries auto_resize
find_multipaths_timeout enable_foreign marginal_pathgroups mode uid gid reservation_key
"""
OVERRIDES_KEYWORDS = frozenset((_EVERYWHERE + _OF_PATHS).split())
DEVICE_KEYWORDS = OVERRIDES_KEYWORDS | frozenset(_OF_ARRAYS.split())
MULTIPATH_KEYWORDS = frozenset((_EVERYWHERE + _OF_MAPS).split())
DEFAULTS_KEYWORDS = OVERRIDES_KEYWORDS | frozenset(_OF_DAEMON.split())
_BLACKLIST_KEYWORDS = frozenset({"devnode", "wwid", "property", "protocol"})

# (the section around it, the section) -> its keywords
KEYWORDS: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {
        ("", "defaults"): DEFAULTS_KEYWORDS,
        ("", "blacklist"): _BLACKLIST_KEYWORDS,
        ("", "blacklist_exceptions"): _BLACKLIST_KEYWORDS,
        ("blacklist", "device"): frozenset({"vendor", "product"}),
        ("blacklist_exceptions", "device"): frozenset({"vendor", "product"}),
        ("", "devices"): frozenset(),
        ("devices", "device"): DEVICE_KEYWORDS,
        ("", "overrides"): OVERRIDES_KEYWORDS,
        ("overrides", "protocol"): frozenset({"type", "fast_io_fail_tmo", "dev_loss_tmo", "eh_deadline"}),
        ("", "multipaths"): frozenset(),
        ("multipaths", "multipath"): MULTIPATH_KEYWORDS,
    }
)
EVERY_KEYWORD = frozenset().union(*KEYWORDS.values())

# What `multipath -t` prints among the defaults only since it knows it, and what came together with that.
PRINTED: Mapping[str, str] = MappingProxyType(
    {
        "detect_pgpolicy": "detect_pgpolicy",
        "detect_pgpolicy_use_tpg": "detect_pgpolicy",
        "auto_resize": "auto_resize",
        "max_retries": "auto_resize",
        "recheck_wwid": "recheck_wwid",
    }
)

# keyword -> (its fate, what says it today). NEWS.md, libmultipath/dict.c and the commits that it names.
OBSOLETE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "getuid_callout": (
            "replaced in 0.5.0, ignored since 0.9.0",
            "uid_attribute; its default ID_SERIAL is the same WWID",
        ),
        "default_getuid_callout": ("gone since 0.9.0", "uid_attribute; its default ID_SERIAL is the same WWID"),
        "prio_callout": ("gone since 0.4.9", "prio with the name of a prioritizer, or detect_prio, the default"),
        "default_prio_callout": ("gone since 0.4.9", "prio with the name of a prioritizer, or detect_prio"),
        "selector": ("gone since 0.5.0", "path_selector"),
        "default_selector": ("gone since 0.9.0", "path_selector"),
        "default_features": ("gone since 0.9.0", "features"),
        "default_hw_handler": ("gone", "hardware_handler of a device section"),
        "default_path_checker": ("gone since 0.9.0", "path_checker"),
        "default_path_grouping_policy": ("gone since 0.9.0", "path_grouping_policy"),
        "default_uid_attribute": ("gone since 0.9.0", "uid_attribute"),
        "udev_dir": ("gone since 0.5.0", "nothing: udev is asked"),
        "checker_timer": (
            "never a keyword of multipath-tools",
            "polling_interval says how often paths are checked, checker_timeout how long a check may take",
        ),
        "pg_timeout": ("ignored since 0.6.0", "nothing: the kernel dropped it"),
        "multipath_dir": ("ignored since 0.9.0", "nothing: it is compiled in"),
        "config_dir": ("ignored since 0.9.0", "drop-ins are read from /etc/multipath/conf.d alone"),
        "bindings_file": ("ignored since 0.9.7", "nothing: it is /etc/multipath/bindings"),
        "wwids_file": ("ignored since 0.9.7", "nothing: it is /etc/multipath/wwids"),
        "prkeys_file": ("ignored since 0.9.7", "nothing: it is /etc/multipath/prkeys"),
        "disable_changed_wwids": ("ignored since 0.8.0", "recheck_wwid"),
        "devnode_blacklist": ("gone since 0.9.0", "blacklist"),
        "hwhandler": ("gone", "hardware_handler"),
    }
)
