"""What multipath takes as the value of a keyword (libmultipath/dict.c, 0.9.4 to 0.14.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

Rule = Callable[[str], str]

_INT = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)
_UINT = re.compile(r"\s*\d{1,18}\s*", re.ASCII)
_INT_MAX = 2**31 - 1
SELECTORS = ("round-robin", "queue-length", "service-time", "historical-service-time", "io-affinity")
POLICIES = ("failover", "multibus", "group_by_serial", "group_by_prio", "group_by_node_name", "group_by_tpg")
CHECKERS = ("tur", "directio", "rdac", "emc_clariion", "hp_sw", "readsector0", "cciss_tur", "none")
PRIORITIES = (
    *("const", "alua", "sysfs", "ana", "rdac", "emc", "hp_sw", "ontap", "hds", "datacore", "iet", "random"),
    *("weightedpath", "path_latency"),
)
PROTOCOLS = (
    *(f"scsi:{name}" for name in ("iscsi", "fcp", "srp", "sas", "ata", "spi", "ssa", "sbp", "adt", "unspec")),
    *(f"nvme:{name}" for name in ("tcp", "fc", "rdma", "pcie", "loop", "apple-nvme", "unspec")),
    *("ccw", "cciss", "undef"),
)


def _words(*said: str) -> Rule:
    return lambda value: "" if value in said else f"it is one of {', '.join(said)}"


def _yes() -> Rule:
    return lambda value: "" if value in ("yes", "no", "1", "0") else "it is yes or no"


def _number(least: int, most: int = _INT_MAX, *words: str) -> Rule:
    """A whole number or one of these words; what is outside is capped, what is no number is ignored."""
    among = f", {' or '.join(words)}" if words else ""
    top = "" if most == _INT_MAX else f" to {most}"
    span = f"it is a whole number{among}" if least == -_INT_MAX else f"it is a whole number from {least}{top}{among}"

    def rule(value: str) -> str:
        if value in words:
            return ""
        if not _INT.fullmatch(value):
            return span
        number = int(value)
        return "" if least <= number <= most else f"{span}: taken as {max(least, min(most, number))}"

    return rule


def _unsigned(value: str) -> str:
    return "" if _UINT.fullmatch(value) and int(value) < 2**32 else "it is a whole number, not negative"


def _dev_loss(value: str) -> str:
    return "" if value == "infinity" or re.match(r"\s*[+-]?\d", value) else "it is seconds or infinity"


def _counted(at: int, kind: str, sample: str) -> Rule:
    """Words with a count of those that follow it at place `at`, as the kernel's table has them."""

    def rule(value: str) -> str:
        words = value.split()
        if len(words) <= at or not _INT.fullmatch(words[at]) or int(words[at]) < 0:
            return f"the count of its arguments is missing, as in {sample}"
        have = len(words) - at - 1
        if int(words[at]) != have:
            return f"it counts {int(words[at])} arguments and has {have}"
        if kind == "selector" and words[0] not in SELECTORS:
            return f"the kernel has {', '.join(SELECTORS)}"
        return ""

    return rule


def _without_slash(value: str) -> str:
    return "it may hold no slash" if "/" in value else ""


def _mode(value: str) -> str:
    return "" if re.fullmatch(r"0?[0-7]{1,3}", value) else "it is an octal mode of at most 0777"


_OFF_NUMBER = _number(0, _INT_MAX, "no")
_FLUSH = _words("always", "unused", "never", "yes", "no", "1", "0")
_ON = """
user_friendly_names retain_attached_hw_handler detect_prio detect_checker detect_pgpolicy deferred_remove
detect_pgpolicy_use_tpg skip_kpartx purge_disconnected all_tg_pt recheck_wwid reassign_maps queue_without_daemon
allow_usb_devices force_sync strict_timing
"""
_NO_OR_NUMBER = """
delay_watch_checks delay_wait_checks san_path_err_threshold san_path_err_forget_rate
san_path_err_recovery_time marginal_path_err_sample_time marginal_path_err_rate_threshold ghost_delay
marginal_path_err_recheck_gap_time marginal_path_double_failed_time
"""
YES_OR_NO = frozenset(_ON.split())
_COUNTS = """
rr_min_io rr_min_io_rq checker_timeout max_sectors_kb retrigger_tries retrigger_delay remove_retries
missing_uev_wait_timeout
"""
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        **dict.fromkeys(YES_OR_NO, _yes()),
        **dict.fromkeys(_NO_OR_NUMBER.split(), _OFF_NUMBER),
        **dict.fromkeys(_COUNTS.split(), _number(0)),
        "verbosity": _number(0),
        "polling_interval": _unsigned,
        "max_polling_interval": _unsigned,
        "uxsock_timeout": _number(4000),
        "find_multipaths_timeout": _number(-_INT_MAX),
        "max_fds": _number(0, _INT_MAX, "max"),
        "max_retries": _number(0, 5, "off"),
        "fast_io_fail_tmo": _number(0, _INT_MAX, "off"),
        "eh_deadline": _number(0, _INT_MAX, "off"),
        "dev_loss_tmo": _dev_loss,
        "no_path_retry": _number(0, _INT_MAX, "fail", "queue"),
        "failback": _number(0, _INT_MAX, "manual", "immediate", "followover"),
        "flush_on_last_del": _FLUSH,
        "path_grouping_policy": _words(*POLICIES),
        "rr_weight": _words("uniform", "priorities"),
        "log_checker_err": _words("once", "always"),
        "find_multipaths": _words("off", "on", "strict", "greedy", "smart", "no", "yes", "0", "1"),
        "marginal_pathgroups": _words("off", "on", "fpin", "no", "yes", "0", "1"),
        "auto_resize": _words("never", "grow_only", "grow_shrink"),
        "path_selector": _counted(1, "selector", '"service-time 0"'),
        "features": _counted(0, "features", '"1 queue_if_no_path"'),
        "hardware_handler": _counted(0, "handler", '"1 alua"'),
        "path_checker": _words(*CHECKERS),
        "checker": _words(*CHECKERS),
        "prio": _words(*PRIORITIES),
        "type": _words(*PROTOCOLS),
        "alias": _without_slash,
        "alias_prefix": _without_slash,
        "partition_delimiter": _without_slash,
        "mode": _mode,
    }
)


def complaint(key: str, value: str) -> str:
    """What is wrong with a value, "" where nothing is known to be."""
    rule = RULES.get(key)
    return rule(value) if rule else ""


def number(value: str | None) -> int | None:
    return int(value) if value is not None and re.fullmatch(r"\d{1,9}", value, re.ASCII) else None
