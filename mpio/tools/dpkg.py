"""Debian's list of installed packages, read as a file: what `dpkg-query` would say without running it.

Package: multipath-tools
Status: install ok installed
Version: 0.9.4-3+deb12u1
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mpio.tools.sysfs import Reader

STATUS = "/var/lib/dpkg/status"
_FIELD = re.compile(r"^(Package|Status|Version): (.*)$", re.M)


def versions(read: Reader, names: Iterable[str]) -> dict[str, str]:
    """The version of each of these packages that is installed; nothing where there is no such list."""
    return parse_status(read.text(STATUS) or "", names)


def parse_status(text: str, names: Iterable[str]) -> dict[str, str]:
    """Total: what does not look like a package is passed over."""
    wanted = tuple(names)
    found = {}
    for stanza in text.split("\n\n"):
        if stanza.startswith(tuple(f"Package: {name}\n" for name in wanted)):
            said = dict(_FIELD.findall(stanza))
            if said.get("Status", "").endswith(" installed") and "Version" in said:
                found[said["Package"]] = said["Version"].strip()
    return {name: found[name] for name in wanted if name in found}
