"""The keywords of multipath.conf's sections."""

from __future__ import annotations

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
OVERRIDES_KEYWORDS = frozenset((_EVERYWHERE + _OF_PATHS).split())
DEVICE_KEYWORDS = OVERRIDES_KEYWORDS | frozenset(_OF_ARRAYS.split())
MULTIPATH_KEYWORDS = frozenset((_EVERYWHERE + _OF_MAPS).split())
