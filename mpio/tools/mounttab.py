"""Tables that name block devices, beside /etc/fstab: /etc/crypttab and LVM's devices file; and LVM's own switch."""

from __future__ import annotations

import re

CRYPTTAB = "/etc/crypttab"
LVM_DEVICES = "/etc/lvm/devices/system.devices"
LVM_CONF = ("/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf")
_TAGS = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}
_DETECTION = re.compile(r"^\s*multipath_component_detection\s*=\s*(\d)")


def parse_crypttab(text: str) -> tuple[tuple[int, str, str], ...]:
    """(line, device, name) of each line of crypttab(5)."""
    words = _lines(text)
    return tuple((number, _device(said[1]), said[0]) for number, said in words if len(said) >= 2)


def parse_lvm_devices(text: str) -> tuple[tuple[int, str], ...]:
    """(line, device) of each that LVM's devices file knows by its name alone (lvmdevices(8), IDTYPE=devname)."""
    found = []
    for number, words in _lines(text):
        said = dict(word.partition("=")[::2] for word in words)
        if said.get("IDTYPE") == "devname" and said.get("IDNAME", "").startswith("/dev/"):
            found.append((number, said["IDNAME"]))
    return tuple(found)


def parse_detection(text: str) -> int | None:
    """The line of lvm.conf that has LVM take paths of multipath maps for disks of their own; the last one counts."""
    lines = ((number, _DETECTION.match(line)) for number, line in enumerate(text.splitlines(), 1))
    said = [(number, found[1]) for number, found in lines if found]
    return said[-1][0] if said and said[-1][1] == "0" else None


def _lines(text: str) -> list[tuple[int, list[str]]]:
    every = ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, words) for number, words in every if words and not words[0].startswith("#")]


def _device(said: str) -> str:
    """Where udev has a link for it: `UUID=…` is /dev/disk/by-uuid/…"""
    tag, equals, value = said.partition("=")
    return f"/dev/disk/{_TAGS[tag]}/{value.strip(chr(34))}" if equals and tag in _TAGS else said
