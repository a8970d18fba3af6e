"""What iscsiadm prints, as values. It has no JSON and no other format for programs (facts 1.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mpio.errors import UnreadableOutput
from mpio.host import Found, Iface, Portal
from mpio.tools.sysfs import portal_of


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a portal told. `refused` are its lines that no command may ever see: odd names, host names for portals."""

    found: tuple[Found, ...]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of `-m session`: that the session is there, not that it works."""

    sid: int
    portal: Portal
    tpgt: int
    target: str
    transport: str


@dataclass(frozen=True, slots=True)
class Details:
    """A session of `-m session -P N`. `disks` are (sdX, state)."""

    sid: int
    target: str
    portal: Portal
    iface: str
    nic: str
    connection: str
    session: str
    internal: str
    disks: tuple[tuple[str, str], ...] = ()


TARGET_MAX = 223  # RFC 7143, 4.2.7.1
TPGT_MAX = 0xFFFF
_TARGET = re.compile(r"(?:iqn|eui|naa)\.[A-Za-z0-9._:-]+", re.ASCII)
_PLACE = r"(?P<address>\[[^\]\s]+\]|[^\[\]\s]+):(?P<port>\d{1,5}),(?P<tpgt>-?\d{1,10})"
_VERSION = re.compile(r"iscsiadm version (\S+)\s*", re.ASCII)
_IFACE = re.compile(r"(\S+) ([^,\s]+),([^,]*),([^,]*),([^,]*),(.*)", re.ASCII)
_BEGIN = re.compile(r"# BEGIN RECORD\b.*", re.ASCII)
_SETTING = re.compile(r"(\S+) = ?(.*)", re.ASCII)
_FOUND = re.compile(rf"{_PLACE} (?P<target>.*)", re.ASCII)
_LISTED = re.compile(
    rf"(?P<transport>\w+): \[(?P<sid>\d{{1,10}})\] {_PLACE} (?P<target>\S+)(?: \((?:non-)?flash\))?", re.ASCII
)
_REPORTED = re.compile(r"initiator reported error \((\d{1,3}) - ", re.ASCII)
_UNPROVEN = re.compile(r"^iscsiadm: ((?:failing authentication|Login authentication failed)[^\n]*)", re.ASCII | re.M)
# `key: value` below tabs, or a heading between rows of stars, or versions, or the list of disks with tabs as columns
_DETAIL = re.compile(
    r"\t*(?:\*+|(?P<key>[A-Za-z][\w .]*):(?:[ \t](?P<value>.*))?|scsi\d+ .*|Attached scsi disk .*)"
    r"|(?:iSCSI Transport Class )?version .*",
    re.ASCII,
)
_ATTACHED = re.compile(r"\t*Attached scsi disk (\w+)\s+State: (\S+)", re.ASCII)
_HEADERS = frozenset({"Target", "Current Portal", "Persistent Portal"})
_BLOCK = frozenset(
    {
        "Target",
        "Persistent Portal",
        "Iface Name",
        "Iface Netdev",
        "SID",
        "iSCSI Connection State",
        "iSCSI Session State",
        "Internal iscsid Session State",
    }
)
_UNSET = ("<empty>", "default")
_NO_TPGT = 0xFFFFFFFF  # -1 as `-m node` prints it


def parse_version(text: str) -> str:
    """`iscsiadm version 2.1.8`"""
    said = _VERSION.fullmatch(text)
    if said is None:
        raise UnreadableOutput(text.partition("\n")[0], "iscsiadm")
    return said[1]


def parse_ifaces(text: str) -> tuple[Iface, ...]:
    """`sw-iscsi-0 tcp,<empty>,<empty>,eth1,<empty>`: transport, MAC, address, NIC, initiator name."""
    found = []
    for line in _lines(text):
        said = _IFACE.fullmatch(line)
        if said is None:
            raise UnreadableOutput(line, "iscsiadm")
        _, transport, hwaddress, _, nic, initiatorname = (_set(word) for word in said.groups())
        found.append(Iface(said[1], nic, hwaddress, transport, initiatorname))
    return tuple(found)


def parse_records(text: str) -> tuple[Mapping[str, str], ...]:
    """Blocks of `key = value` between `# BEGIN RECORD 2.1.8` and `# END RECORD`; `<empty>` is empty."""
    records: list[Mapping[str, str]] = []
    record: dict[str, str] | None = None
    for line in _lines(text):
        if _BEGIN.fullmatch(line) and record is None:
            record = {}
        elif line == "# END RECORD" and record is not None:
            records.append(record)
            record = None
        elif record is not None and (said := _SETTING.fullmatch(line)):
            record[said[1]] = "" if said[2] == "<empty>" else said[2]
        else:
            raise UnreadableOutput(line, "iscsiadm")
    if record is not None:
        raise UnreadableOutput(text.rstrip("\n").rpartition("\n")[2], "iscsiadm")
    return tuple(records)


def parse_record(text: str) -> Mapping[str, str]:
    """The one record that was asked for."""
    found = parse_records(text)
    if len(found) != 1:
        raise UnreadableOutput(f"{len(found)} records where one was asked for", "iscsiadm")
    return found[0]


def parse_discovery(text: str) -> Discovery:
    """`10.10.8.90:3260,1 iqn.2011-09.dom.homer:01:5d3a` or `[fd00::90]:3260,1 iqn…`, once for each iface that asked.

    The names are the target's own words: what is no plain name of at most 223 characters is refused, and so is a
    portal group tag of more than 16 bits (RFC 7143, 13.9). One with a newline in it makes lines that are none at all.
    """
    found: dict[Found, None] = {}
    refused: dict[str, None] = {}
    for line in _lines(text):
        said = _FOUND.fullmatch(line)
        if said is None:
            raise UnreadableOutput(line, "iscsiadm")
        try:
            portal = Portal.parse(f"[{said['address'].strip('[]')}]:{said['port']}")
        except ValueError:
            refused[line] = None
            continue
        tpgt = _tpgt(said["tpgt"])
        if _TARGET.fullmatch(said["target"]) and len(said["target"]) <= TARGET_MAX and -1 <= tpgt <= TPGT_MAX:
            found[Found(portal, tpgt, said["target"])] = None
        else:
            refused[line] = None
    return Discovery(tuple(found), tuple(refused))


def parse_sessions(text: str) -> tuple[Listed, ...]:
    """`tcp: [1] 10.10.8.90:3260,1 iqn.2011-09.dom.homer:01:5d3a (non-flash)`; before 2.0.874 without the end."""
    found = []
    for line in _lines(text):
        said = _LISTED.fullmatch(line)
        if said is None:
            raise UnreadableOutput(line, "iscsiadm")
        portal = portal_of(said["address"], int(said["port"]))
        found.append(Listed(int(said["sid"]), portal, _tpgt(said["tpgt"]), said["target"], said["transport"]))
    return tuple(found)


def parse_session_details(text: str) -> tuple[Details, ...]:
    """Blocks by target, portal and interface, the deeper the more tabs. A header holds until it is said again.

    Target: iqn.2011-09.dom.homer:01:5d3a (non-flash)
        Current Portal: 10.10.8.90:3260,1
        Persistent Portal: 10.10.8.90:3260,1
                **********
                Interface:
                **********
                Iface Name: sw-iscsi-0
                SID: 1
                iSCSI Session State: LOGGED_IN
    """
    found: list[Details] = []
    said: dict[str, str] = {}
    disks: list[tuple[str, str]] = []
    for line in [*_lines(text), "Target: "]:
        if _opens_block(line) and said.keys() - _HEADERS:
            found.append(_details(said, tuple(disks)))
            said, disks = {key: said[key] for key in _HEADERS & said.keys()}, []
        pair = _DETAIL.fullmatch(line)
        if pair is None:
            raise UnreadableOutput(line, "iscsiadm")
        if disk := _ATTACHED.fullmatch(line):
            disks.append((disk[1], disk[2]))
        elif pair["key"]:
            said[pair["key"]] = (pair["value"] or "").strip()
    return tuple(found)


def _opens_block(line: str) -> bool:
    return line.startswith(("Target:", "\tCurrent Portal:", "\t\tInterface:"))


def _details(said: Mapping[str, str], disks: tuple[tuple[str, str], ...]) -> Details:
    if not said.keys() >= _BLOCK:
        raise UnreadableOutput(", ".join(f"{key}: {value}" for key, value in said.items()), "iscsiadm")
    place = re.fullmatch(_PLACE, said["Persistent Portal"], re.ASCII)
    if place is None or not re.fullmatch(r"\d{1,10}", said["SID"], re.ASCII):
        raise UnreadableOutput(f"{said['Persistent Portal']} SID: {said['SID']}", "iscsiadm")
    return Details(
        sid=int(said["SID"]),
        target=said["Target"].partition(" ")[0],
        portal=portal_of(place["address"], int(place["port"])),
        iface=said["Iface Name"],
        nic=_set(said["Iface Netdev"]),
        connection=said["iSCSI Connection State"],
        session=said["iSCSI Session State"],
        internal=said["Internal iscsid Session State"],
        disks=disks,
    )


def parse_login_error(stderr: str) -> int | None:
    """`iscsiadm: initiator reported error (8 - connection timed out)`: the first code said, None without one."""
    said = _REPORTED.search(stderr)
    return int(said[1]) if said else None


def parse_discovery_refusal(stderr: str) -> str:
    """How a portal failed the proof that mutual CHAP asks of it, which ends with no exit code of its own; empty if not.

    iscsiadm: failing authentication, received incorrect CHAP response from target
    iscsiadm: Login authentication failed with target , CHAP response expected
    """
    said = _UNPROVEN.search(stderr)
    return said[1].strip() if said else ""


def parse_discovery_losses(stderr: str) -> str:
    """What iscsiadm passed over, though it ends with 0: at a name or an address that it cannot use it passes over the
    rest of that portal's answer, too (tried on 2.1.8). The first such complaint; empty where nothing was lost.

    iscsiadm: TargetName iqn.2011-09.dom.homer:xxx... too long, ignoring
    iscsiadm: cannot resolve evil.example
    iscsiadm: failed to add target record
    """
    if "failed to add target record" not in stderr:
        return ""
    lines = (said.removeprefix("iscsiadm: ").strip() for said in stderr.split("\n"))
    return next((said for said in lines if said), "")


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _set(value: str) -> str:
    return "" if value in _UNSET else value


def _tpgt(text: str) -> int:
    return -1 if int(text) == _NO_TPGT else int(text)
