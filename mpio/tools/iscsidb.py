"""open-iscsi's database, read as files: no lock is taken, no daemon started. Only CHAP is changed past iscsiadm.

    ROOT/ifaces/NAME
    ROOT/nodes/IQN/IP,PORT,TPGT/IFACE    a record
    ROOT/nodes/IQN/IP,PORT               a record without a known portal group: older releases, `-o new` without one

IPv6 addresses stand in the names without brackets.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping

from mpio.host import Iface, Node, Pair, Portal
from mpio.tools import keyfile
from mpio.tools.sysfs import Reader

ROOTS = ("/var/lib/iscsi", "/etc/iscsi")
PROGRAMS = ("/usr/sbin/iscsiadm", "/usr/bin/iscsiadm", "/sbin/iscsiadm", "/bin/iscsiadm")
MASK = "********"  # what iscsiadm shows for a secret
TPGT_UNKNOWN = -1
BEGIN, END = "# BEGIN RECORD", "# END RECORD"
# iface.iscsi_ifacename of records without one, and of the two ifaces that have no file (usr/iface.c)
DEFAULT = "default"


def root(read: Reader) -> str:
    """Where this host's iscsiadm keeps its database.

    The default moved from /etc to /var/lib (upstream 2.1.9, Debian 13, RHEL since 6), where the package makes the
    folder. An upgrade to Debian 13 moves the nodes along and leaves ifaces and discovery records behind, and anybody
    may have made the folder: unless the database is plainly there, the path that the program was built with tells.
    """
    new, old = ROOTS
    if new.rpartition("/")[2] not in read.names(new.rpartition("/")[0]):
        return old
    if _holds(read, new) and not _holds(read, old):
        return new
    program = next((text for path in PROGRAMS if (text := read.text(path))), "")
    if program:
        return new if f"{new}/nodes" in program else old
    return new if _holds(read, new) or not _holds(read, old) else old


def _holds(read: Reader, place: str) -> bool:
    return any(read.names(f"{place}/{folder}") for folder in ("nodes", "ifaces", "send_targets"))


def ifaces(read: Reader) -> tuple[Iface, ...]:
    """The ifaces that have a file; `default` and `iser` have none."""
    at = f"{root(read)}/ifaces"
    found = []
    for name in read.names(at):
        text = read.text(f"{at}/{name}")
        # iface.example is the package's sample (RHEL), `.`-files are an editor's
        if text is not None and name != "iface.example" and not name.startswith("."):
            found.append(iface(name, text))
    return tuple(found)


def iface(name: str, text: str) -> Iface:
    said = keyfile.values(text)
    if is_torn(text):
        return Iface(name, torn=True)
    return Iface(
        name=name,
        nic=_set(said.get("iface.net_ifacename", "")),
        hwaddress=_set(said.get("iface.hwaddress", "")),
        transport=_set(said.get("iface.transport_name", "")) or "tcp",
        initiatorname=_set(said.get("iface.initiatorname", "")),
    )


def nodes(read: Reader) -> tuple[Node, ...]:
    """Every record whose portal is a numeric address; the others are in `unread`."""
    found = []
    for path, target, portal in _records(read):
        text = read.text(path)
        place = portal_of(portal)
        if text is not None and place is not None:
            found.append(node(path, text, place, target))
    return tuple(found)


def unread(read: Reader) -> tuple[str, ...]:
    """Records that `nodes` cannot tell: their portal is a host name, or the name is no portal at all."""
    return tuple(path for path, _, portal in _records(read) if portal_of(portal) is None)


def is_torn(text: str) -> bool:
    """Has an iscsiadm that wrote this died in the middle, or lost its power? It writes in place, and empties first.

    What was written by hand may lack its first and last line.
    """
    return not text.strip() or (text.startswith(BEGIN) and END not in text)


def seed(pair: Pair, tpgt: int) -> str:
    """As much of a record as iscsiadm needs to take it for one: a torn one it neither changes, deletes nor makes anew
    (tried on 2.1.8: 21 and 6).
    """
    said = {
        "node.name": pair.target,
        "node.tpgt": tpgt,
        "iface.iscsi_ifacename": pair.iface,
        "node.conn[0].address": pair.portal.address,
        "node.conn[0].port": pair.portal.port,
    }
    return "\n".join([BEGIN, *(f"{key} = {value}" for key, value in said.items()), END, ""])


def is_record(path: str) -> bool:
    """Is it a node's or a portal's record, which is changed under iscsiadm's lock?"""
    return path.startswith(tuple(f"{root}/{folder}/" for root in ROOTS for folder in ("nodes", "send_targets")))


def hollow(read: Reader) -> tuple[tuple[str, Portal, str], ...]:
    """(path, portal, target) of every portal's folder with no record in it: an iscsiadm died between the two."""
    top, found = f"{root(read)}/nodes", []
    for target in read.names(top):
        for name in read.names(f"{top}/{target}"):
            at, place = f"{top}/{target}/{name}", portal_of(name)
            if place is not None and place[1] != TPGT_UNKNOWN and not read.names(at):
                found.append((at, place[0], target))
    return tuple(found)


def files(read: Reader) -> tuple[str, ...]:
    """Every file of the database that iscsiadm writes."""
    at = root(read)
    found = [path for path, _, _ in _records(read)]
    found += [f"{at}/ifaces/{name}" for name in read.names(f"{at}/ifaces")]
    return (*found, *(f"{at}/send_targets/{name}/st_config" for name in read.names(f"{at}/send_targets")))


def iface_of(read: Reader, path: str) -> str:
    """The iface of a record, whose deletion takes the record along, whatever its portal is."""
    return keyfile.values(read.text(path) or "").get("iface.iscsi_ifacename", DEFAULT)


def discovery_record(read: Reader, portal: Portal) -> str:
    """The path of the discovery record, which may hold discovery CHAP."""
    return f"{root(read)}/send_targets/{portal.address},{portal.port}/st_config"


def found_through(read: Reader, portal: Portal) -> tuple[str, ...]:
    """The links to the node records that a stored discovery at this portal made; deleting its record deletes those."""
    at, _, record = discovery_record(read, portal).rpartition("/")
    return tuple(name for name in read.names(at) if name != record)


def beside(path: str) -> str:
    """The folder for an unfinished file of a record: whatever lies beside a record is one to iscsiadm, too."""
    return path.partition("/send_targets/")[0].partition("/nodes/")[0]


def node(path: str, text: str, place: tuple[Portal, int], target: str) -> Node:
    """A record from its text. Of secrets only that they are there is kept, as ********."""
    said = keyfile.values(text)
    portal, tpgt = place
    if is_torn(text):
        # In a folder of its portal a record is named by its iface.
        name = DEFAULT if tpgt == TPGT_UNKNOWN else path.rpartition("/")[2]
        return Node(Pair(name, portal, target), tpgt, path, torn=True)
    name = said.get("iface.iscsi_ifacename", DEFAULT)
    settings = {key: MASK if "password" in key else value for key, value in said.items()}
    return Node(Pair(name, portal, target), tpgt, path, settings)


def portal_of(name: str) -> tuple[Portal, int] | None:
    """`10.10.8.90,3260,1`, `fd00::90,3260,1`, `10.10.8.90,3260`: portal and portal group; None for anything else."""
    address, *numbers = name.split(",")
    if not 1 <= len(numbers) <= 2 or not all(re.fullmatch(r"-?\d{1,10}", n, re.ASCII) for n in numbers):
        return None
    port, tpgt = int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else TPGT_UNKNOWN
    try:
        return (Portal(str(ipaddress.ip_address(address)), port), tpgt) if 1 <= port <= 65535 else None
    except ValueError:
        return None


def record_text_with(text: str, settings: Mapping[str, str | None]) -> str:
    """A record's text with these keys set; new ones go before its end line, as iscsiadm would write them."""
    start = text.rfind(END)
    body, end = (text[:start], text[start:]) if start >= 0 else (text, "")
    return keyfile.with_values(body, settings) + end


def _records(read: Reader) -> Iterator[tuple[str, str, str]]:
    """(path, target, name of the portal) of every record; `.`-files are an editor's."""
    top = f"{root(read)}/nodes"
    for target in read.names(top):
        for portal in read.names(f"{top}/{target}"):
            at = f"{top}/{target}/{portal}"
            records = [name for name in read.names(at) if not name.startswith(".")]
            yield from ((f"{at}/{name}", target, portal) for name in records)
            # A directory may be empty: records that were deleted by hand, as the guide of 2011 has it.
            if not records and portal.count(",") == 1:
                yield at, target, portal


def _set(value: str) -> str:
    return "" if value in ("<empty>", "default") else value
