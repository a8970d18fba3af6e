"""Is the guide's host as its site file says? Asked of everything but mpio."""

from __future__ import annotations

from itertools import product

from vm.hosts import ALIASES, REPLACEMENT, TARGETS, Prague

PORTALS = ("10.10.8.90:3260", "10.10.9.90:3260")
NICS = {"sw-iscsi-0": "eth1", "sw-iscsi-1": "eth2"}
PAIRS = {(iface, portal, target) for iface, (portal, target) in product(NICS, zip(PORTALS, TARGETS, strict=True))}
SERVICES = ("iscsid.service", "open-iscsi.service", "multipathd.service")
RECORD = {
    "node.startup": "automatic",
    "node.session.timeo.replacement_timeout": str(REPLACEMENT),
    "node.conn[0].timeo.noop_out_interval": "5",
    "node.conn[0].timeo.noop_out_timeout": "5",
    "node.conn[0].timeo.login_timeout": "5",
    "node.session.initial_login_retry_max": "4",
}


def is_as_the_site_says(host: Prague) -> None:
    """By sysfs, the device mapper, multipathd, iscsiadm, sysctl and systemctl."""
    seen = host.walk()
    sessions = seen["sessions"]
    assert sorted((s["iface"], s["portal"], s["target"]) for s in sessions.values()) == sorted(PAIRS)
    for session in sessions.values():
        assert (session["state"], session["recovery_tmo"]) == ("LOGGED_IN", REPLACEMENT), session
        assert (session["noop_interval"], session["noop_timeout"], session["nic"]) == (5, 5, NICS[session["iface"]])

    assert {m["uuid"].removeprefix("mpath-"): m["name"] for m in seen["maps"].values()} == ALIASES
    for dm, one in seen["maps"].items():
        slaves = {name: seen["disks"][name] for name in one["slaves"]}
        assert sorted(str(disk["sid"]) for disk in slaves.values()) == sorted(sessions), (dm, slaves)
        assert {disk["device_state"] for disk in slaves.values()} == {"running"}
        assert {disk["wwid"] for disk in slaves.values()} == {one["uuid"].removeprefix("mpath-")}
        assert sorted(one["active"]) == sorted(disk["dev_t"] for disk in slaves.values()), one
        # group_by_node_name: a group for each target
        by_target = {(one["groups"][d["dev_t"]], sessions[str(d["sid"])]["target"]) for d in slaves.values()}
        assert len(by_target) == 2, (one, by_target)

    raw = host.sh('multipathd show maps raw format "%w %n %N"')
    assert {tuple(line.split()) for line in raw.splitlines()} == {(w, n, "4") for w, n in ALIASES.items()}
    for name in ALIASES.values():
        host.sh(f"test -b /dev/mapper/{name}")

    records = records_of(host)
    assert records.keys() == PAIRS
    for pair, record in records.items():
        assert {key: record.get(key) for key in RECORD} == RECORD, pair
        assert record["iface.net_ifacename"] == NICS[pair[0]], pair

    filters = host.sh("sysctl -n net.ipv4.conf.all.rp_filter net.ipv4.conf.eth1.rp_filter net.ipv4.conf.eth2.rp_filter")
    every, *own = (int(word) for word in filters.split())
    assert [max(every, one) for one in own] == [2, 2]
    assert host.sh(f"systemctl is-enabled {' '.join(SERVICES)}").split() == ["enabled"] * 3
    assert host.sh("systemctl is-active iscsid multipathd").split() == ["active"] * 2


def records_of(host: Prague) -> dict[tuple[str, str, str], dict[str, str]]:
    found = {}
    for block in host.sh("iscsiadm -m node -o show").split("# BEGIN RECORD")[1:]:
        settings = dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        portal = f"{settings['node.conn[0].address']}:{settings['node.conn[0].port']}"
        found[(settings["iface.iscsi_ifacename"], portal, settings["node.name"])] = settings
    return found
