"""Small copies of /sys and /proc/sys, made of real files and links as a Debian 12 guest shows them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mpio import recording
from mpio.files import Files

HOMER_1 = "iqn.2011-09.dom.homer:01:5d3a"
HOMER_2 = "iqn.2011-09.dom.homer:02:77fe"
PRAGUE = "iqn.2011-10.dom.prague:hydra"


@dataclass(frozen=True)
class Tree:
    """A root folder; paths are the host's own."""

    root: Path

    def file(self, path: str, text: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8", errors="surrogateescape")

    def files(self, folder: str, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            self.file(f"{folder}/{name}", text + "\n")

    def link(self, path: str, target: str) -> None:
        """A link as sysfs makes them: relative."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(target, os.path.dirname(path)))

    def remove(self, path: str) -> None:
        (self.root / path.lstrip("/")).unlink()

    def nic(self, name: str, *, carrier: str | None = "1", mtu: int = 1500, own: int = 0, everywhere: int = 0) -> None:
        at = f"/sys/devices/virtual/net/{name}"
        self.files(at, {"address": "02:00:00:00:08:14", "mtu": str(mtu), "operstate": "up"})
        if carrier is not None:
            self.files(at, {"carrier": carrier})
        self.link(f"/sys/class/net/{name}", at)
        conf = "/proc/sys/net/ipv4/conf"
        self.files(f"{conf}/{name}", {"rp_filter": str(own), "arp_ignore": "0", "arp_announce": "0"})
        self.files(f"{conf}/all", {"rp_filter": str(everywhere), "arp_ignore": "0", "arp_announce": "0"})

    def session(
        self, sid: int, host: int, iface: str, nic: str, address: str, target: str, state: str = "LOGGED_IN"
    ) -> None:
        device = f"/sys/devices/platform/host{host}/session{sid}"
        at = f"{device}/iscsi_session/session{sid}"
        self.files(
            at,
            {
                "targetname": target,
                "tpgt": "1",
                "ifacename": iface,
                "initiatorname": PRAGUE,
                "state": state,
                "recovery_tmo": "5",
                "abort_tmo": "15",
                "lu_reset_tmo": "30",
                "tgt_reset_tmo": "30",
                "creator": "root",
                "target_id": "0",
                "username": "(null)",
                "password": "(null)",
                "username_in": "(null)",
                "password_in": "(null)",
                "initial_r2t": "0",
                "immediate_data": "1",
                "first_burst_len": "65536",
                "max_burst_len": "262144",
                "max_outstanding_r2t": "1",
            },
        )
        self.link(f"/sys/class/iscsi_session/session{sid}", at)
        connection = f"{device}/connection{sid}:0/iscsi_connection/connection{sid}:0"
        up = {"address": address, "port": "3260", "local_port": "41000"} if state == "LOGGED_IN" else {}
        self.files(
            connection,
            {
                "persistent_address": address,
                "persistent_port": "3260",
                "ping_tmo": "7",
                "recv_tmo": "5",
                "header_digest": "0",
                "data_digest": "0",
                "max_recv_dlength": "262144",
                "max_xmit_dlength": "65536",
                "exp_statsn": "0",
                "state": "up",
                **up,
            },
        )
        self.link(f"/sys/class/iscsi_connection/connection{sid}:0", connection)
        scsi = f"/sys/devices/platform/host{host}"
        self.files(f"{scsi}/iscsi_host/host{host}", {"netdev": nic, "hwaddress": "(null)", "initiatorname": PRAGUE})
        self.link(f"/sys/class/iscsi_host/host{host}", f"{scsi}/iscsi_host/host{host}")
        self.files(f"{scsi}/scsi_host/host{host}", {"state": "running", "proc_name": "iscsi_tcp"})
        self.link(f"/sys/class/scsi_host/host{host}", f"{scsi}/scsi_host/host{host}")

    def disk(self, dev: str, host: int, sid: int, lun: int, wwid: str | None, dm: str = "") -> None:
        hctl = f"{host}:0:0:{lun}"
        device = f"/sys/devices/platform/host{host}/session{sid}/target{host}:0:0/{hctl}"
        self.files(device, {"state": "running", "vendor": "NEXENTA ", "model": "COMSTAR         ", "rev": "1.0 "})
        if wwid is not None:
            self.files(device, {"wwid": wwid})
        self.files(f"{device}/block/{dev}", {"size": "131072", "dev": "8:0"})
        self.link(f"/sys/block/{dev}", f"{device}/block/{dev}")
        self.link(f"{device}/block/{dev}/device", device)
        (self.root / f"{device}/block/{dev}/holders".lstrip("/")).mkdir()
        self.link(f"/sys/bus/scsi/devices/{hctl}", device)
        if dm:
            self.link(f"{device}/block/{dev}/holders/{dm}", f"/sys/devices/virtual/block/{dm}")
            self.link(f"/sys/devices/virtual/block/{dm}/slaves/{dev}", f"{device}/block/{dev}")

    def dm(self, dm: str, name: str, uuid: str, *, suspended: str = "0") -> None:
        at = f"/sys/devices/virtual/block/{dm}"
        self.files(f"{at}/dm", {"name": name, "uuid": uuid, "suspended": suspended})
        self.files(at, {"size": "131072"})
        for folder in ("slaves", "holders"):
            (self.root / at.lstrip("/") / folder).mkdir(exist_ok=True)
        self.link(f"/sys/block/{dm}", at)

    def holds(self, below: str, above: str) -> None:
        """Stack one dm device on another."""
        self.link(f"/sys/devices/virtual/block/{below}/holders/{above}", f"/sys/devices/virtual/block/{above}")
        self.link(f"/sys/devices/virtual/block/{above}/slaves/{below}", f"/sys/devices/virtual/block/{below}")


def guide(root: Path) -> Tree:
    """The guide's host: two ifaces, two portals, mesh, one LUN of four paths, one session of them FAILED."""
    tree = Tree(root)
    for name in ("eth1", "eth2"):
        tree.nic(name)
    wwid = "naa.600144f0f484400000004e8685e70001"
    tree.dm("dm-0", "hydra_apps-a01", "mpath-3600144f0f484400000004e8685e70001")
    rows = [
        (1, 2, "sw-iscsi-0", "eth1", "10.10.8.90", HOMER_1, "LOGGED_IN", "sda"),
        (2, 3, "sw-iscsi-1", "eth2", "10.10.8.90", HOMER_1, "LOGGED_IN", "sdb"),
        (3, 4, "sw-iscsi-0", "eth1", "10.10.9.90", HOMER_2, "FAILED", "sdc"),
        (10, 5, "sw-iscsi-1", "eth2", "fd00:8::90", HOMER_2, "LOGGED_IN", "sdaa"),
    ]
    for sid, host, iface, nic, address, target, state, dev in rows:
        tree.session(sid, host, iface, nic, address, target, state)
        tree.disk(dev, host, sid, 10 if sid != 10 else 300, wwid, "dm-0")
    return tree


def planted(root: Path, *trees: recording.Tree) -> Files:
    """Recorded trees as real files and links below `root`, for the reader that mpio has."""
    for one in trees:
        for path, target in sorted(one.links.items(), key=lambda link: link[0].count("/")):
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)
            if not target.startswith("/") and path.startswith("/sys/"):
                place.resolve().mkdir(parents=True, exist_ok=True)
        for path, text in one.files.items():
            place = root / path.lstrip("/")
            if not place.is_symlink():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, encoding="utf-8", errors="surrogateescape")
    return Files(str(root))
