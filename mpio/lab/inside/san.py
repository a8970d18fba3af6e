"""The SAN inside the guest: LIO's targets in a network namespace.

Python 3.9, standard library only. The description is /etc/mpio-lab/san.json if there, else the one that the guest was
booted with (mpio/lab/san.py writes it). Building again changes nothing that is there already.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

DESCRIPTIONS = (Path("/etc/mpio-lab/san.json"), Path("/run/mpio-lab/san.json"))
NAMESPACE = "san"
CONFIGFS = Path("/sys/kernel/config")
CORE = CONFIGFS / "target/core"
ISCSI = CONFIGFS / "target/iscsi"
FILES = Path("/var/lib/mpio-lab")
MODULES = ("veth", "target_core_mod", "target_core_file", "iscsi_target_mod")


def run(*argv: str, text: str = "") -> str:
    return subprocess.run(argv, input=text, check=True, stdout=subprocess.PIPE, text=True).stdout


def write(path: Path, value: object) -> None:
    path.write_text(f"{value}\n")


def description() -> dict[str, Any]:
    text = next(path for path in DESCRIPTIONS if path.exists()).read_text()
    found: dict[str, Any] = json.loads(text)
    return found


# -- the network


def build_links(san: dict[str, Any]) -> None:
    """Few programs, since each costs 0.1 s of an emulated processor: `ip` in batches, one for each namespace."""
    here, there, bridge = [], ["link set lo up"], san["bridge"]
    if not Path("/run/netns", NAMESPACE).exists():
        run("ip", "netns", "add", NAMESPACE)
        there += [f"link add {bridge['name']} type bridge"] if bridge else []
    for link in san["links"]:
        if not Path("/sys/class/net", link["nic"]).exists():
            here.append(f"link add {link['nic']} type veth peer name {link['end']} netns {NAMESPACE}")
        here.append(f"link set {link['nic']} mtu {link['mtu']} up")
        here += [address(one, link["nic"]) for one in link["nic_addresses"]]
        there.append(f"link set {link['end']} mtu {link['mtu']} up")
        there += [address(one, link["end"]) for one in link["end_addresses"]]
        there += [f"link set {link['end']} master {bridge['name']}"] if bridge else []
    if bridge:
        there.append(f"link set {bridge['name']} mtu {min(link['mtu'] for link in san['links'])} up")
        there += [address(one, bridge["name"]) for one in bridge["addresses"]]
    run("ip", "-batch", "-", text="\n".join(here) + "\n")
    run("ip", "-n", NAMESPACE, "-batch", "-", text="\n".join(there) + "\n")
    # The kernel's link watch lets a second event wait for a second; until then nothing is sent.
    until = time.monotonic() + 5
    while time.monotonic() < until and not all(is_up(link["nic"]) for link in san["links"]):
        time.sleep(0.02)


def is_up(nic: str) -> bool:
    return Path("/sys/class/net", nic, "operstate").read_text().strip() == "up"


def address(cidr: str, nic: str) -> str:
    # An IPv6 address that still looks for its duplicate cannot be bound.
    return f"address replace {cidr} dev {nic}" + (" nodad" if ":" in cidr else "")


# -- the targets


def build_luns(san: dict[str, Any]) -> None:
    FILES.mkdir(parents=True, exist_ok=True)
    for lun in san["luns"]:
        store = backstore(lun)
        if store.exists():
            continue
        store.mkdir(parents=True)
        file = FILES / f"{lun['wwid']}.img"
        if not file.exists():
            with file.open("wb") as disk:
                disk.truncate(lun["size"])
        write(store / "control", f"fd_dev_name={file},fd_dev_size={file.stat().st_size}")
        write(store / "enable", 1)
        write(store / "wwn/vendor_id", lun["vendor"])
        write(store / "wwn/product_id", lun["product"])
        # An NAA 6 identifier: 6, the company's six digits, then what LIO takes from the serial number. Where LIO has no
        # setting for the company (Debian 11's kernel 5.10) it says its own, 001405.
        if (store / "wwn/company_id").exists():
            write(store / "wwn/company_id", f"0x{lun['wwid'][2:8]}")
        write(store / "wwn/vpd_unit_serial", lun["wwid"][8:])


def backstore(lun: dict[str, Any]) -> Path:
    return CORE / "fileio_0" / f"lun{lun['number']}"


def build_targets(san: dict[str, Any]) -> None:
    Path("/etc/target").mkdir(exist_ok=True)
    ISCSI.mkdir(exist_ok=True)
    set_discovery_chap(san["discovery_chap"])
    for target in san["targets"]:
        tpg = group(target)
        tpg.mkdir(parents=True, exist_ok=True)
        write(tpg / "attrib/cache_dynamic_acls", 1)
        write(tpg / "attrib/demo_mode_write_protect", 0)
        set_chap(tpg, target["chap"])
        for lun in san["luns"]:
            if target["luns"] is None or lun["number"] in target["luns"]:
                map_lun(tpg, lun)
        allow(target, target["initiators"])
    add_portals([group(target) / "np" / portal for target in san["targets"] for portal in target["portals"]])
    for target in san["targets"]:
        write(group(target) / "enable", 1)


def group(target: dict[str, Any]) -> Path:
    return ISCSI / str(target["name"]) / f"tpgt_{target['tpgt']}"


def add_portals(places: list[Path]) -> None:
    new = [str(place) for place in places if not place.exists()]
    if new:
        # A portal listens in the namespace of the process that makes it; `ip netns exec` would hide configfs.
        run("nsenter", f"--net=/run/netns/{NAMESPACE}", "mkdir", *new)


def map_lun(tpg: Path, lun: dict[str, Any], number: int | None = None) -> None:
    """Show it under its own number, or under one that an array gives away again."""
    place = tpg / "lun" / f"lun_{lun['number'] if number is None else number}"
    place.mkdir(exist_ok=True)
    if not (place / "store").is_symlink():
        (place / "store").symlink_to(backstore(lun))


def unmap_lun(tpg: Path, number: int) -> None:
    place = tpg / "lun" / f"lun_{number}"
    for acl in (tpg / "acls").iterdir():
        mapped = acl / place.name
        if mapped.exists():
            unlink_all(mapped)
            mapped.rmdir()
    unlink_all(place)
    place.rmdir()


def unlink_all(place: Path) -> None:
    for entry in place.iterdir():
        if entry.is_symlink():
            entry.unlink()


def allow(target: dict[str, Any], initiators: list[str]) -> None:
    """Only these initiators, or everybody if none is named."""
    tpg = group(target)
    for acl in (tpg / "acls").iterdir():
        if acl.name not in initiators:
            remove_acl(acl)
    write(tpg / "attrib/generate_node_acls", 0 if initiators else 1)
    for name in initiators:
        acl = tpg / "acls" / name
        acl.mkdir(exist_ok=True)
        if target["chap"]:
            write_chap(acl / "auth", target["chap"])
        for lun in (tpg / "lun").iterdir():
            (acl / lun.name).mkdir(exist_ok=True)
            if not (acl / lun.name / "lun").is_symlink():
                (acl / lun.name / "lun").symlink_to(lun)


def remove_acl(acl: Path) -> None:
    for mapped in acl.glob("lun_*"):
        unlink_all(mapped)
        mapped.rmdir()
    acl.rmdir()


def set_chap(tpg: Path, chap: dict[str, str] | None) -> None:
    write(tpg / "attrib/authentication", 1 if chap else 0)
    if chap:
        write_chap(tpg / "auth", chap)


def set_discovery_chap(chap: dict[str, str] | None) -> None:
    auth = ISCSI / "discovery_auth"
    if chap:
        write_chap(auth, chap)
    write(auth / "enforce_discovery_auth", 1 if chap else 0)


def write_chap(auth: Path, chap: dict[str, str]) -> None:
    # LIO takes these as they come: with a newline at its end no secret would ever match.
    (auth / "userid").write_text(chap["username"])
    (auth / "password").write_text(chap["password"])
    (auth / "userid_mutual").write_text(chap.get("username_in") or "NULL")
    (auth / "password_mutual").write_text(chap.get("password_in") or "NULL")


# -- the whole


def build(san: dict[str, Any]) -> None:
    subprocess.run(["modprobe", "-a", *MODULES], check=True)
    if not CONFIGFS.joinpath("target").exists():
        run("mount", "-t", "configfs", "configfs", str(CONFIGFS))
    build_links(san)
    build_luns(san)
    build_targets(san)


def remove() -> None:
    """Take away whatever SAN is there, described or not; the contents of its disks stay, as over a reboot."""
    for tpg in ISCSI.glob("*/tpgt_*"):
        write(tpg / "enable", 0)
        for acl in (tpg / "acls").iterdir():
            remove_acl(acl)
        for lun in (tpg / "lun").iterdir():
            unlink_all(lun)
            lun.rmdir()
        for portal in (tpg / "np").iterdir():
            portal.rmdir()
        tpg.rmdir()
        tpg.parent.rmdir()
    for store in CORE.glob("fileio_0/*"):
        if store.is_dir():
            store.rmdir()
    if Path("/run/netns", NAMESPACE).exists():
        for name in os.listdir("/sys/class/net"):
            with contextlib.suppress(OSError):
                if os.path.exists(f"/sys/class/net/{name}") and "veth" in run("ip", "-d", "link", "show", name):
                    run("ip", "link", "delete", name)
        run("ip", "netns", "delete", NAMESPACE)
