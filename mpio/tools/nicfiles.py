"""Who configures a NIC at boot, by their own files: ifupdown, systemd-networkd, NetworkManager, netplan, ifcfg."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mpio.errors import MpioError
from mpio.tools import unitfile
from mpio.tools.sysfs import Reader

IFUPDOWN, NETWORKD, NETWORK_MANAGER, NETPLAN, IFCFG = (
    "ifupdown",
    "systemd-networkd",
    "NetworkManager",
    "netplan",
    "ifcfg",
)
NETWORKD_FOLDERS = ("/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network", "/lib/systemd/network")
KEYFILES = (
    "/etc/NetworkManager/system-connections",
    "/run/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
)
NETPLAN_FOLDERS = ("/etc/netplan", "/run/netplan", "/lib/netplan")
IFCFG_FOLDERS = ("/etc/sysconfig/network-scripts", "/etc/sysconfig/network")
_TYPES = ("ethernet", "802-3-ethernet", "")


@dataclass(frozen=True, slots=True)
class Claim:
    """A file that configures a NIC. `named`: by its name or address, not by a rule for any; `hotplug`: ifupdown brings
    it up when it appears, which nobody waits for.
    """

    program: str
    path: str
    named: bool = True
    hotplug: bool = False


def claims(reader: Reader, nic: str, hwaddress: str) -> tuple[Claim, ...]:
    """Every file that says something of this NIC."""
    mac = hwaddress.lower()
    return (
        *_ifupdown(reader, nic),
        *_networkd(reader, nic, mac),
        *_keyfiles(reader, nic, mac),
        *_by_word(
            reader, NETPLAN, NETPLAN_FOLDERS, rf'^[ \t]*"?{re.escape(nic)}"?:|\bmacaddress:[ \t]*[\'"]?{_mac(mac)}'
        ),
        *_by_word(reader, IFCFG, IFCFG_FOLDERS, rf'^DEVICE=[\'"]?{re.escape(nic)}[\'"]?$|^HWADDR=[\'"]?{_mac(mac)}'),
    )


def _ifupdown(reader: Reader, nic: str) -> Iterator[Claim]:
    folder = "/etc/network/interfaces.d"
    paths = ["/etc/network/interfaces", *(f"{folder}/{name}" for name in reader.names(folder))]
    texts = {path: text for path in paths if (text := _text(reader, path))}
    said = {path: parse_interfaces(text) for path, text in texts.items()}
    at_boot = any(fnmatchcase(nic, one.lstrip("/")) for lines in said.values() for one in lines.get("auto", ()))
    hotplug = any(nic in lines.get("allow-hotplug", ()) for lines in said.values())
    for path, lines in said.items():
        if nic in lines.get("iface", ()) and (at_boot or hotplug):
            yield Claim(IFUPDOWN, path, hotplug=hotplug and not at_boot)


def parse_interfaces(text: str) -> dict[str, tuple[str, ...]]:
    """The NICs of each kind of stanza of interfaces(5): `iface`, `auto` (also as allow-auto), `allow-hotplug`."""
    found: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").split("\n"):
        words = line.split()
        if len(words) < 2 or words[0].startswith("#"):
            continue
        kind = {"allow-auto": "auto"}.get(words[0], words[0])
        if kind in ("iface", "auto", "allow-hotplug"):
            found.setdefault(kind, []).extend(words[1:2] if kind == "iface" else words[1:])
    return {kind: tuple(names) for kind, names in found.items()}


def _networkd(reader: Reader, nic: str, mac: str) -> Iterator[Claim]:
    files: dict[str, str] = {}
    for folder in NETWORKD_FOLDERS:
        for name in reader.names(folder):
            if name.endswith(".network"):
                files.setdefault(name, f"{folder}/{name}")
    for name in sorted(files):
        match = [(k, v) for s, k, v in unitfile.parse(_text(reader, files[name])) if s == "Match"]
        names = [word for key, value in match if key == "Name" for word in value.split()]
        macs = [word.lower() for key, value in match if key in _MACS for word in value.split()]
        types = [word for key, value in match if key == "Type" for word in value.split()]
        # A match by anything else (driver, path) may be this NIC's: that is no evidence that it is not.
        other = bool(match) and not names and not macs and (not types or bool(_WIRED & set(types)))
        if any(fnmatchcase(nic, one) for one in names) or mac in macs or other:
            yield Claim(NETWORKD, files[name], named=nic in names or mac in macs)


_WIRED = {"ether", "*"}  # of the samples that systemd brings one is for any wireless NIC
_MACS = ("MACAddress", "PermanentMACAddress")


def _keyfiles(reader: Reader, nic: str, mac: str) -> Iterator[Claim]:
    for folder in KEYFILES:
        for name in reader.names(folder):
            said = {(s, k): v for s, k, v in unitfile.parse(_text(reader, f"{folder}/{name}"))}
            at, of = said.get(("connection", "interface-name"), ""), said.get(("ethernet", "mac-address"), "").lower()
            if nic == at or mac == of:
                yield Claim(NETWORK_MANAGER, f"{folder}/{name}")
            elif not at and not of and said.get(("connection", "type"), "") in _TYPES and said:
                yield Claim(NETWORK_MANAGER, f"{folder}/{name}", named=False)


def _by_word(reader: Reader, program: str, folders: tuple[str, ...], pattern: str) -> Iterator[Claim]:
    wanted = re.compile(pattern, re.MULTILINE | re.IGNORECASE)
    for folder in folders:
        for name in reader.names(folder):
            path = f"{folder}/{name}"
            if (name.endswith(".yaml") or name.startswith("ifcfg-")) and wanted.search(_text(reader, path)):
                yield Claim(program, path)


def _text(reader: Reader, path: str) -> str:
    """Nothing of a folder among the files: the programs pass over it, too."""
    try:
        return reader.text(path) or ""
    except MpioError as error:
        if not isinstance(error.__cause__, IsADirectoryError):
            raise
        return ""


def _mac(mac: str) -> str:
    """What matches nothing where the NIC has none."""
    return re.escape(mac) or r"(?!)"
