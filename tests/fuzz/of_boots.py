"""The readers of files that the next boot goes by."""

from __future__ import annotations

from fuzzed import Reader, of_file, of_program, text
from of_host import Shown

from mpio import recording
from mpio.diagnosis import boots_ground
from mpio.tools import fstab, journalctl, modprobe, nicfiles, systemctl, unitfile

NETWORK = "[Match]\nName=en* eth1\nMACAddress=02:00:00:00:08:14\n[Network]\nAddress=10.10.8.20/24\n"
UNIT = b"""\
[Unit]
After=network-online.target \\
# inside
 iscsid.service
ConditionPathExists=|!/x
ConditionKernelCommandLine=
[Service]
TimeoutStartSec=1min 30s
"""
FSTAB = b"""\
# <file system> <mount point> <type> <options>
UUID=ba5c2246 / ext4 defaults 0 1
LABEL="my\\040db" /my\\040db xfs _netdev,x-systemd.device-timeout=5min
/dev/sdb1 none swap sw
"""
BANS = b"blacklist iscsi-tcp\ninstall dm_multipath \\\n /bin/false\nmodprobe.blacklist=a,b module_blacklist=c\n"
INTERFACES = b"auto lo eth1\nallow-hotplug eth2\niface eth1 inet static\n  address 10.10.8.20/24\n"
JOURNAL = b"2026-11-22T04:48:46.1+00:00 prague iscsid[9]: no\n2026-11-22T04:48:47+00:00 prague systemd[1]: Failed\n"
ENDS = b"Id=a.service\nNames=a.service\nResult=exit-code\nExecMainStatus=1\n"
MAC = "02:00:00:00:08:14"


def _unit(data: bytes) -> object:
    """As a unit's own file, as its drop-in, and as what is written for networkd and NetworkManager."""
    folder = "/etc/systemd/system"
    paths = (f"{folder}/a.service", f"{folder}/a.service.d/x.conf", f"{folder}/b.target.wants/a.service")
    read = Shown(recording.Tree({path: text(data) for path in paths}, {}))
    unit = unitfile.read(read, "a.service")
    assert unit is not None
    spans = [unitfile.span(value) for value in unit.values("Service", "TimeoutStartSec")]
    said = [str(one) for one in unitfile.conditions(unit)], sorted(unit.words("Unit", "After"))
    return said, spans, sorted(unitfile.wanted_by(read, "b.target"))


def _fstab(data: bytes) -> object:
    return [(entry, fstab.device(entry), entry.patience) for entry in fstab.parse(text(data))]


def _bans(data: bytes) -> object:
    said = text(data)
    read = Shown(recording.Tree({"/etc/modprobe.d/x.conf": said, "/proc/cmdline": said}, {}))
    return modprobe.bans(read, ("iscsi_tcp", "dm_multipath", "c"))


def _claims(data: bytes) -> object:
    folders = {
        "/etc/network/interfaces",
        "/etc/systemd/network/1.network",
        "/etc/NetworkManager/system-connections/1",
        "/etc/netplan/1.yaml",
        "/etc/sysconfig/network-scripts/ifcfg-1",
    }
    return nicfiles.claims(Shown(recording.Tree(dict.fromkeys(folders, text(data)), {})), "eth1", MAC)


READERS = (
    Reader("unit-file", _unit, lambda: (UNIT, NETWORK.encode())),
    Reader("unit-ends", of_program(lambda t: systemctl.parse_ends(t, ("a.service",))), lambda: (ENDS,)),
    Reader("fstab", _fstab, lambda: (FSTAB,)),
    Reader("modprobe", _bans, lambda: (BANS,)),
    Reader("nic-files", _claims, lambda: (INTERFACES, NETWORK.encode(), b"    eth1:\n", b'DEVICE="eth1"\n')),
    Reader("journal-last-words", of_program(journalctl.last_words), lambda: (JOURNAL,)),
    Reader(
        "initiator-names",
        of_file(lambda t: (boots_ground.names(t), boots_ground.unusable(t, True))),
        lambda: (b"InitiatorName=iqn.x:1\nInitiatorName = iqn.x:2\nGenerateName=yes\n",),
    ),
)
