"""What sysfs tells of a disk beyond its place and state: pages, limits, counters (Documentation/scsi, scsi_sysfs.c)."""

from __future__ import annotations

import re

from mpio.tools import scsi, vpd
from mpio.tools.sysfs import Reader, number, word

_DISKS = "/sys/class/scsi_disk"
_DRIVER = "/sys/bus/scsi/drivers/sd"
# Peripheral device types of SPC-4, 6.4.2: disks, those of zones; tapes, optical drives, changers.
_DIRECT = frozenset({"0", "20"})
_USEFUL = frozenset({"1", "5", "7", "8"})
_ADDRESS = re.compile(r"(\d{1,9}):", re.ASCII)  # H:C:T:L
_RETRIED = 16  # digits of a counter: the kernel's are of 32 bits


def serial(read: Reader, dev: str) -> str:
    """Page 80h as the kernel read it at the last scan."""
    return vpd.parse_serial(_page(read, dev, "vpd_pg80"))


def identities(read: Reader, dev: str) -> frozenset[str]:
    """Page 83h as the kernel read it at the last scan: every WWID of the disk."""
    return vpd.parse_identities(_page(read, dev, "vpd_pg83"))


def _page(read: Reader, dev: str, name: str) -> bytes:
    return (read.text(f"/sys/block/{dev}/device/{name}") or "").encode("utf-8", "surrogateescape")


def revision(read: Reader, dev: str) -> str:
    return word(read, f"/sys/block/{dev}/device/rev")


def timeout(read: Reader, dev: str) -> int | None:
    """Seconds that a command is given."""
    return number(read, f"/sys/block/{dev}/device/timeout")


def eh_timeout(read: Reader, dev: str) -> int | None:
    """Seconds that a command of the kernel's error handling is given."""
    return number(read, f"/sys/block/{dev}/device/eh_timeout")


def is_read_only(read: Reader, dev: str) -> bool:
    return word(read, f"/sys/block/{dev}/ro") == "1"


def errors(read: Reader, dev: str) -> int:
    """Commands that ended with an error, among them the first ones of every new disk (unit attentions)."""
    said = word(read, f"/sys/block/{dev}/device/ioerr_cnt")
    try:
        return int(said[:_RETRIED], 16)
    except ValueError:
        return 0


def place(read: Reader, dev: str) -> str:
    """Where a block device is among the kernel's devices: `../devices/pci0000:00/…/ata1/host0/…/block/sda`."""
    return read.target(f"/sys/block/{dev}")


def hosts_of_use(read: Reader) -> frozenset[int]:
    """The SCSI hosts with disks, tapes, changers or optical drives; an array's controller (LUN 0 of some) is none."""
    others = (n for n in read.names(scsi.DEVICES) if word(read, f"{scsi.DEVICES}/{n}/device/type") in _USEFUL)
    found = (_ADDRESS.match(name) for name in (*read.names(_DISKS), *others))
    return frozenset(int(one[1]) for one in found if one)


def undriven(read: Reader) -> dict[int, tuple[str, ...]]:
    """SCSI host to the H:C:T:L of its disks where the kernel has no driver for disks: they have no name in /dev. With
    sd_mod there a disk that it has not taken is none (a LUN that the array does not connect), or was taken from it.
    """
    if read.names(_DRIVER):
        return {}
    found: dict[int, list[str]] = {}
    for name in read.names(scsi.DEVICES):
        at = _ADDRESS.match(name)
        if at and word(read, f"{scsi.DEVICES}/{name}/device/type") in _DIRECT and _is_connected(read, name):
            found.setdefault(int(at[1]), []).append(name)
    return {host: tuple(names) for host, names in found.items()}


def _is_connected(read: Reader, name: str) -> bool:
    """By the peripheral qualifier of its INQUIRY (SPC-4, 6.4.2): some arrays answer so for a LUN that is not mapped."""
    said = (read.text(f"{scsi.DEVICES}/{name}/device/inquiry") or "").encode("utf-8", "surrogateescape")
    return not said or said[0] >> 5 == 0
