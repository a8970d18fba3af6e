"""A host with 48 LUNs over four paths each."""

from __future__ import annotations

from dataclasses import replace

from mpio.lab import san
from vm.conftest import Boot
from vm.hosts import SITE, SITE_PATH, Prague

LUNS = san.luns(48)


def site(more: str = "") -> str:
    head = SITE.partition("[[lun]]")[0]
    named = "".join(f'[[lun]]\nwwid = "{lun.wwid}"\nalias = "big-{lun.number:02}"\n' for lun in LUNS)
    return f"{head}{named}{more}"


def applied(boot: Boot, more: str = "") -> Prague:
    """In a guest of its own, with `more` at the end of its site file; every path is there and udev at rest."""
    host = Prague(boot(replace(san.GUIDE, luns=LUNS)))
    host.put(SITE_PATH, site(more))
    host.mpio("apply", "--yes", timeout=1200, exits=None)
    paths = f"[ $(dmsetup status --target multipath | grep -Eo '[0-9]+:[0-9]+ A ' | wc -l) -eq {4 * len(LUNS)} ]"
    host.until(paths, 600)
    host.sh("udevadm settle --timeout 300", timeout=330)
    return host
