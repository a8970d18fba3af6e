"""`status` against the kernel's own words, on a SAN with large LUN numbers and an IPv6 portal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mpio.lab import san
from mpio.lab.guest import Guest
from vm import hosts
from vm.hosts import SITE_PATH, Prague

GUIDE = san.GUIDE
LUNS = (GUIDE.luns[0], *san.luns(1, first=255), *san.luns(1, first=300), *san.luns(1, first=16383))
LAYOUT = san.San(
    links=(
        replace(GUIDE.links[0], nic_addresses=("fd00:8::20/64",), end_addresses=("fd00:8::90/64",)),
        GUIDE.links[1],
    ),
    targets=(
        san.Target(GUIDE.targets[0].name, ("[fd00:8::90]:3260",)),
        san.Target(GUIDE.targets[1].name, ("10.10.9.90:3260",), luns=(10, 300), tpgt=7),
    ),
    luns=LUNS,
)
ALIASES = ("small", "edge", "large", "largest")
SITE = """
format = 1
iface = [{name = "six", nic = "eth1"}, {name = "four", nic = "eth2"}]
[san]
portals = ["[fd00:8::90]", "10.10.9.90"]
[timeouts]
replacement = 11
noop_interval = 4
noop_timeout = 6
""" + "".join(f'[[lun]]\nwwid = "{lun.wwid}"\nalias = "{alias}"\n' for lun, alias in zip(LUNS, ALIASES, strict=True))


def sessions_of(seen: Any) -> list[dict[str, Any]]:
    keys = (
        *("sid", "iface", "nic", "portal", "address", "target", "tpgt", "state"),
        *("recovery_tmo", "noop_interval", "noop_timeout"),
    )
    return [{key: seen["sessions"][sid][key] for key in keys} for sid in sorted(seen["sessions"], key=int)]


def paths_of(seen: Any, dm: str, checkers: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    one = seen["maps"][dm]
    found = []
    for dev in one["slaves"]:
        disk = seen["disks"][dev]
        session = seen["sessions"][str(disk["sid"])]
        found.append({
            "dev": dev,
            **{key: disk[key] for key in ("hctl", "sid", "device_state")},
            **{key: session[key] for key in ("iface", "nic", "portal", "target")},
            "dm_state": "active" if disk["dev_t"] in one["active"] else "failed",
            "checker_state": checkers[dev][1],
            "group": one["groups"][disk["dev_t"]],
        })  # fmt: skip
    return sorted(found, key=lambda path: path["dev"])


def luns_of(seen: Any, checkers: dict[str, tuple[str, str]]) -> dict[str, Any]:
    return {
        one["uuid"].removeprefix("mpath-"): {
            "alias": one["name"], "dm": dm, "size": one["size"], "paths": paths_of(seen, dm, checkers),
            "vendor": seen["disks"][one["slaves"][0]]["vendor"], "product": seen["disks"][one["slaves"][0]]["product"],
        }
        for dm, one in seen["maps"].items()
    }  # fmt: skip


def is_the_truth(host: Prague) -> Any:
    checkers = {
        line.split()[0]: (line.split()[1], line.split()[2])
        for line in host.sh("multipathd show paths raw format '%d %t %T'").splitlines()
    }
    seen = host.walk()
    status = host.mpio("status", "-o", "json").json
    # the budget is worked out, not seen
    told = [{key: value for key, value in session.items() if key != "budget"} for session in status["sessions"]]
    assert sorted(told, key=lambda session: session["sid"]) == sessions_of(seen)
    said = {
        lun["wwid"]: {
            **{key: lun[key] for key in ("alias", "dm", "size", "vendor", "product")},
            "paths": sorted(lun["paths"], key=lambda path: path["dev"]),
        }
        for lun in status["luns"]
    }
    assert said == luns_of(seen, checkers)
    return status


def test_status_says_what_the_kernel_says(guest: Guest) -> None:
    host = hosts.bare(guest)
    host.san(LAYOUT)
    host.put(SITE_PATH, SITE)
    host.mpio("apply", "--yes")
    status = is_the_truth(host)
    numbers = {path["hctl"].rpartition(":")[2] for lun in status["luns"] for path in lun["paths"]}
    assert numbers == {"10", "255", "300", "16383"}
    assert {s["portal"]: s["tpgt"] for s in status["sessions"]} == {"[fd00:8::90]:3260": 1, "10.10.9.90:3260": 7}
    assert {(s["recovery_tmo"], s["noop_interval"], s["noop_timeout"]) for s in status["sessions"]} == {(11, 4, 6)}
    addresses = {i["name"]: [a for a in i["addresses"] if not a.startswith("fe80")] for i in status["ifaces"]}
    assert addresses == {"six": ["fd00:8::20/64"], "four": ["10.10.9.20/24"]}

    # and of what is broken
    dev = next(path["dev"] for lun in status["luns"] if lun["alias"] == "edge" for path in lun["paths"])
    host.sh(f"echo offline >/sys/block/{dev}/device/state")
    host.until(f"multipathd show paths raw format '%d %t' | grep -qx '{dev} *failed *'")
    broken = is_the_truth(host)
    edge = next(lun for lun in broken["luns"] if lun["alias"] == "edge")
    assert [path["device_state"] for path in edge["paths"]] == ["offline"]
    assert (edge["usable_paths"], edge["state"]) == (0, "failed")
