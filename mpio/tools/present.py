"""Is there anything to look at? One question for verbs that run every minute; it imports nothing of the rest."""

from __future__ import annotations

from collections.abc import Callable


def storage(names: Callable[[str], tuple[str, ...]]) -> bool:
    """Has the host an iSCSI session or any device of the device mapper? `names` lists a directory."""
    return bool(names("/sys/class/iscsi_session")) or any(n.startswith("dm-") for n in names("/sys/block"))
