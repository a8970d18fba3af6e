"""/etc/fstab: what is mounted and swapped on at boot (fstab(5), systemd.mount(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mpio.tools import unitfile

PATH = "/etc/fstab"
NETWORK_KINDS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "gfs", "gfs2", "ocfs2", "9p"})
_OCTAL = re.compile(r"\\([0-7]{3})")
_BY = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel", "ID": "by-id"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: `spec` as it stands there, `options` its words."""

    line: int
    spec: str
    place: str
    kind: str
    options: tuple[str, ...] = ()

    @property
    def at_boot(self) -> bool:
        return "noauto" not in self.options

    @property
    def patience(self) -> float | None:
        """How many seconds systemd waits for the device; None: its default. 0 is for ever."""
        said = [o.partition("=")[2] for o in self.options if o.startswith("x-systemd.device-timeout=")]
        seconds = unitfile.span(said[-1]) if said else None
        return float("inf") if seconds == 0 else seconds


def parse(text: str) -> tuple[Entry, ...]:
    """Total: what is no entry is passed over, as mount(8) does with a warning."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if len(words) < 3 or words[0].startswith("#"):
            continue
        spec, place, kind, *rest = (_plain(word) for word in words)
        found.append(Entry(number, spec, place, kind, tuple(rest[0].split(",")) if rest else ()))
    return tuple(found)


def device(entry: Entry) -> str:
    """The path by which udev knows what the entry names; empty for what is no block device."""
    name, tagged, value = entry.spec.partition("=")
    if tagged and name in _BY:
        return f"/dev/disk/{_BY[name]}/{_encoded(value.strip(chr(34)))}"
    return entry.spec if entry.spec.startswith("/dev/") else ""


def _plain(word: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), word)


def _encoded(text: str) -> str:
    """As udev writes a label into a name (libblkid, blkid_encode_string)."""
    plain = "#+-.:=@_"
    return "".join(
        c if (c.isascii() and c.isalnum()) or c in plain or not c.isascii() else f"\\x{ord(c):02x}" for c in text
    )
