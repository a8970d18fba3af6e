"""Is there anything to look at? Questions of verbs that run every minute; it imports nothing of the rest."""

from __future__ import annotations

from collections.abc import Callable


def nics(names: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(n for n in names("/sys/class/net") if names(f"/sys/class/net/{n}"))


def storage(names: Callable[[str], tuple[str, ...]]) -> bool:
    """Has the host an iSCSI session or any device of the device mapper? `names` lists a directory."""
    return bool(names("/sys/class/iscsi_session")) or any(n.startswith("dm-") for n in names("/sys/block"))
