"""udevadm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mpio.tools.sysfs import Reader, word

QUEUE = "/run/udev/queue"  # there while udevd has events left (systemd, src/udev/udev-manager.c)


def settle(limit: int) -> tuple[str, ...]:
    """Wait until udev's queue is empty, at most `limit` seconds; exit 1 where it is not by then."""
    return ("udevadm", "settle", f"--timeout={limit}")


def properties(read: Reader, dev: str) -> dict[str, str]:
    """What udev knows of a block device: `E:ID_FS_TYPE=ext4` a line in its database, by the device's number (systemd,
    src/libsystemd/sd-device).
    """
    number = word(read, f"/sys/class/block/{dev}/dev")
    text = read.text(f"/run/udev/data/b{number}") if number else None
    said = (line[2:].partition("=") for line in (text or "").splitlines() if line.startswith("E:"))
    return {key: value for key, _, value in said}


def reload_rules() -> tuple[str, ...]:
    """udevd reads its rules again before the next event."""
    return ("udevadm", "control", "--reload")


def announce(devs: Iterable[str]) -> tuple[str, ...]:
    """Have udev go over its rules once more for these disks."""
    return ("udevadm", "trigger", "--action=change", *(f"/sys/block/{dev}" for dev in devs))


def rules(name: str) -> str:
    """Where the administrator's rules are."""
    return f"/etc/udev/rules.d/{name}"


def script(name: str) -> str:
    """Where one of the administrator's scripts may be."""
    return f"/etc/udev/{name}"


def by_shell(name: str) -> str:
    """How a rule starts it: as the shell's own text, which takes no label that SELinux lets udev execute."""
    return f"/bin/sh {script(name)}"


def packaged_rules(name: str) -> str:
    return f"/usr/lib/udev/rules.d/{name}"


def packaged_program(name: str) -> str:
    """Where a rule's program is that is named without a path."""
    return f"/usr/lib/udev/{name}"


def left_alone(prefix: str) -> Mapping[str, str]:
    """Rules (file to text) by which nobody takes up the disks of iSCSI sessions whose iface begins so: no LVM, md or
    mount unit, and no map, whatever find_multipaths says.

    The first stands before multipath's own rules and keeps `multipath -u`, which makes its files, from being asked; the
    second stands behind those that say what a disk is. Without the properties of a SCSI disk multipathd takes none as a
    path (its built-in blacklist_exceptions). %p is /devices/…/session1/target2:0:0/2:0:0:10/block/sda.
    """
    ours = 'ACTION!="remove", SUBSYSTEM=="block", KERNEL=="sd*"'
    ask = f"/bin/grep -rqs --include=ifacename ^{prefix} /sys%p/../../../../iscsi_session"
    words = ["ID_WWN", "ID_WWN_WITH_EXTENSION", "ID_WWN_VENDOR_EXTENSION", "SCSI_IDENT_SERIAL"]
    words += [f"SCSI_IDENT_{whose}_{word}" for whose in ("LUN", "PORT", "TARGET") for word in _IDENTS]
    gone = ", ".join(f'ENV{{{word}}}=""' for word in words)
    kept = 'ENV{SYSTEMD_READY}="0", ENV{DM_MULTIPATH_DEVICE_PATH}="1", ENV{ID_FS_TYPE}="mpath_member"'
    return {
        "/run/udev/rules.d/59-mpio-init.rules": f'{ours}, DEVPATH=="*/session*/target*", PROGRAM=="{ask}", '
        'ENV{MPIO_INIT}="1", ENV{nompath}="1"\n',
        "/run/udev/rules.d/61-mpio-init.rules": f'{ours}, ENV{{MPIO_INIT}}=="1", {kept}, {gone}\n',
    }


# What sg3-utils' 55-scsi-sg3_id.rules has `sg_inq --export` say of a unit, a port and a target.
_IDENTS = (
    *("VENDOR", "T10", "EUI64", "NAA_EXT", "NAA_REG", "NAA_REGEXT", "NAA_LOCAL", "RELATIVE", "TARGET_PORT_GROUP"),
    *("LOGICAL_UNIT_GROUP", "MD5", "NAME", "UUID", "PROTOCOL"),
)
