"""What is safe to do about configuration files: their lines are their owner's, who may read them is mended."""

from __future__ import annotations

from collections.abc import Mapping

from mpio.diagnosis.disks_fixes import Steps
from mpio.host import Host
from mpio.plan import Plan
from mpio.plan.shape import ISCSID_CONF
from mpio.site import Site
from mpio.step import Part, Step, Write
from mpio.tools import keyfile


def _closed(_site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
    text = host.files.get(ISCSID_CONF)
    if text is None or not keyfile.holds_secret(text):
        return ()
    return (Write(Part.TIMEOUTS, f"others may read {ISCSID_CONF}", ISCSID_CONF, text, 0o600, text, secret=True),)


FIXES: Mapping[str, Steps] = {"MP537": _closed}
