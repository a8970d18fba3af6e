"""What the kernel itself says of iSCSI and multipath, as JSON: runs in the guest, with nothing of mpio's.

`python3 - < walk.py`. Sessions by sid, paths by disk, maps by dm-N.
"""

from __future__ import annotations

import errno
import ipaddress
import itertools
import json
import subprocess
import time
from pathlib import Path
from typing import Any

CLASS = Path("/sys/class")
# a folder of open-iscsi's package, where the database moved out of /etc
DATABASE = next(path for path in (Path("/var/lib/iscsi"), Path("/etc/iscsi")) if path.exists())


def word(path: Path) -> str:
    """A session that connects anew has no address for a moment: that is waited for."""
    end = time.monotonic() + 60
    while True:
        try:
            return path.read_text().strip()
        except OSError as error:
            if error.errno != errno.ENOTCONN or time.monotonic() > end:
                raise
        time.sleep(0.1)


def portal(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def session(place: Path) -> dict[str, Any]:
    sid = int(place.name.removeprefix("session"))
    connection = CLASS / f"iscsi_connection/connection{sid}:0"
    host = next(part for part in place.resolve().parts if part.startswith("host"))
    iface = word(place / "ifacename")
    record = Path(DATABASE, "ifaces", iface).read_text().splitlines()
    nic = next(line.split(" = ")[1] for line in record if line.startswith("iface.net_ifacename"))
    return {
        "sid": sid,
        "iface": iface,
        "nic": nic,
        "initiator_address": word(CLASS / "iscsi_host" / host / "ipaddress"),
        "portal": portal(word(connection / "persistent_address"), word(connection / "persistent_port")),
        # the kernel writes every zero of an IPv6 address
        "address": portal(str(ipaddress.ip_address(word(connection / "address"))), word(connection / "port")),
        "target": word(place / "targetname"),
        "tpgt": int(word(place / "tpgt")),
        "state": word(place / "state"),
        "recovery_tmo": int(word(place / "recovery_tmo")),
        # open-iscsi hands its no-op interval down as recv_tmo and its no-op time-out as ping_tmo.
        "noop_interval": int(word(connection / "recv_tmo")),
        "noop_timeout": int(word(connection / "ping_tmo")),
    }


def disk(place: Path) -> dict[str, Any]:
    device = (place / "device").resolve()
    return {
        "hctl": device.name,
        "sid": next((int(p.removeprefix("session")) for p in device.parts if p.startswith("session")), None),
        "device_state": word(device / "state"),
        "wwid": "3" + word(device / "wwid").removeprefix("naa."),
        "dev_t": word(place / "dev"),
        "vendor": word(device / "vendor"),
        "product": word(device / "model"),
        "size": int(word(place / "size")) * 512,
        "maps": [holder.name for holder in (place / "holders").iterdir()],
    }


def groups(table: str) -> dict[str, int]:
    """major:minor to the number of its group, from 1, of a multipath table's words after the target's name."""
    words = iter(table.split())
    for _ in range(2):  # features, hardware handler
        for _ in range(int(next(words))):
            next(words)
    count = int(next(words))
    next(words)
    found = {}
    for group in range(1, count + 1):
        next(words)
        for _ in range(int(next(words))):
            next(words)
        paths, arguments = int(next(words)), int(next(words))
        for _ in range(paths):
            found[next(words)] = group
            for _ in range(arguments):
                next(words)
    return found


def device_mapper(verb: str) -> dict[str, str]:
    said = subprocess.run(
        ("dmsetup", verb, "--target", "multipath"), check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    lines = (line.partition(": ") for line in said.splitlines() if ": " in line)
    return {name: rest.partition(" multipath ")[2] for name, _, rest in lines}


def maps() -> dict[str, Any]:
    tables, states = device_mapper("table"), device_mapper("status")
    found = {}
    for place in Path("/sys/block").glob("dm-*"):
        name = word(place / "dm/name")
        if name not in tables:
            continue
        after = states[name].split()
        found[place.name] = {
            "name": name,
            "uuid": word(place / "dm/uuid"),
            "slaves": sorted(slave.name for slave in (place / "slaves").iterdir()),
            "size": int(word(place / "size")) * 512,
            "groups": groups(tables[name]),
            "active": [here for here, mark in itertools.pairwise(after) if mark == "A" and ":" in here],
        }
    return found


def main() -> None:
    found = {
        "sessions": {one.name.removeprefix("session"): session(one) for one in CLASS.glob("iscsi_session/session*")},
        "disks": {one.name: disk(one) for one in Path("/sys/block").glob("sd*")},
        "maps": maps(),
    }
    print(json.dumps(found))  # noqa: T201


main()
