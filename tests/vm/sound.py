"""What is unsound on this host, a line each: runs in the guest, with nothing of mpio's.

    python3 sound.py killed      whatever has died a moment ago: no file is torn
    python3 sound.py back        and nobody is left, no lock is held, no path is lost
    python3 sound.py whole       and nothing lies about

Files are judged by those who read them. What iscsiadm or multipath wrote in part, for they died in the middle of that,
is said with `others:` before it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

DATABASE = next(path for path in (Path("/var/lib/iscsi"), Path("/etc/iscsi")) if path.exists())
SETTING = re.compile(r"\s*(#.*|[\w.\[\]-]+\s*=.*)?")
WWID = re.compile(r"#.*|/\S+/|")
SYSCTL = re.compile(r"#.*|;.*|-?[\w./-]+\s*=\s*\S.*|")
OURS = ("/etc/multipath/conf.d/90-mpio.conf", "/etc/sysctl.d/99-zz-mpio.conf")
RECOVERY = "10"


def said(*argv: str) -> str:
    done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


def text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def lines_like(path: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    if not path.exists():
        return
    found = text(path)
    if not found.endswith("\n"):
        yield f"{path} has no end: {found[-60:]!r}"
    yield from (f"{path}: {line!r}" for line in found.splitlines() if not pattern.fullmatch(line))


def torn() -> Iterator[str]:
    yield from lines_like(Path("/etc/iscsi/iscsid.conf"), SETTING)
    if text(Path("/etc/iscsi/iscsid.conf")).count("\n") < 100:
        yield "/etc/iscsi/iscsid.conf is too short"
    if not re.search(r"(?m)^InitiatorName=iqn\.\S+$", text(Path("/etc/iscsi/initiatorname.iscsi"))):
        yield "/etc/iscsi/initiatorname.iscsi names nobody"
    yield from (f"others: {line}" for line in lines_like(Path("/etc/multipath/wwids"), WWID))
    yield from lines_like(Path("/etc/sysctl.d/99-zz-mpio.conf"), SYSCTL)
    yield from (f"multipath -t: {line}" for line in said("multipath", "-t").splitlines() if "mpio" in line)
    for path in (*Path("/var/lib/mpio").glob("**/*.json"), *Path("/run/mpio").glob("*.json")):
        try:
            json.loads(text(path))
        except ValueError as error:
            yield f"{path}: {error}"
    try:
        tomllib.loads(text(Path("/etc/mpio/site.toml")))
    except ValueError as error:
        yield f"the site file: {error}"
    for path in (*map(Path, OURS), *Path("/etc/systemd/system").glob("mpio-*")):
        if path.is_file() and (not text(path) or not text(path).endswith("\n")):
            yield f"{path} has no end: {text(path)[-60:]!r}"
    for path in (*DATABASE.glob("ifaces/*"), *DATABASE.glob("nodes/*/*/*"), *DATABASE.glob("send_targets/*/st_config")):
        if path.is_file() and not re.search(r"(?m)^# END RECORD$", text(path)):
            yield f"others: {path} has no end: {text(path)[-60:]!r}"


def alive() -> Iterator[str]:
    names = r"(^|/)(mpio|iscsiadm|multipath|unshare)( |$)|-m mpio|mpio.drills.guard"
    for place in Path("/proc").glob("[0-9]*"):
        line = text(place / "cmdline").replace("\0", " ").strip()
        if re.search(names, line) and "killing.py" not in line:
            yield f"still runs: {place.name} {line}"
    units = said("systemctl", "list-units", "--all", "--plain", "--no-legend", "mpio-drill*", "run-*")
    yield from (f"a unit: {line}" for line in units.splitlines() if "mpio" in line)


def litter() -> Iterator[str]:
    for top in ("/etc", "/var/lib", "/run"):
        yield from (f"litter: {line}" for line in said("find", top, "-xdev", "-name", ".mpio-*").splitlines())
    yield from (f"litter: {path}" for path in Path("/run/mpio").glob("drill*"))
    for folder in DATABASE.glob("nodes/**/"):
        if folder != DATABASE / "nodes" and not any(folder.iterdir()):
            yield f"an empty folder: {folder}"
    private = {text(p / "comm").strip() for p in Path("/proc").glob("[0-9]*") if "mpio" in text(p / "mountinfo")}
    if private & {"multipath", "unshare", "sh", "iscsiadm"}:
        yield f"private mounts of {private}"
    yield from (f"a table: {line}" for line in said("nft", "list", "tables").splitlines() if "mpio" in line)


def locked() -> Iterator[str]:
    inodes = {str(path.stat().st_ino): path for path in Path("/run/mpio").glob("*lock*")}
    for line in text(Path("/proc/locks")).splitlines():
        if (number := line.split()[5].rpartition(":")[2]) in inodes:
            yield f"locked: {inodes[number]}: {line}"
    if Path("/run/lock/iscsi/lock.write").exists():
        yield "locked: /run/lock/iscsi/lock.write"


def lost(offline: str) -> Iterator[str]:
    """Paths, maps and sessions that are not as they should be; those over the NIC `offline` are to be out."""
    ifaces = {p.name for p in DATABASE.glob("ifaces/*") if f"net_ifacename = {offline}\n" in text(p)} if offline else ()
    sessions = {}
    for place in Path("/sys/class/iscsi_session").glob("session*"):
        sessions[place.name] = text(place / "ifacename").strip()
        state, recovery = text(place / "state").strip(), text(place / "recovery_tmo").strip()
        if state != "LOGGED_IN":
            yield f"{place.name} is {state}"
        if recovery != RECOVERY:
            yield f"{place.name} has recovery_tmo {recovery}"
    suspended = said("dmsetup", "info", "-c", "--noheadings", "--separator", " ", "-o", "suspended,name")
    yield from (line for line in suspended.splitlines() if line.startswith("Suspended "))
    mapped = {
        slave.name: text(dm / "dm/name").strip()
        for dm in Path("/sys/block").glob("dm-*")
        for slave in (dm / "slaves").iterdir()
    }
    marks = dict(re.findall(r"(\d+:\d+) ([AF]) ", said("dmsetup", "status", "--target", "multipath")))
    daemon = {
        line.split()[0]: line.split()[1:]
        for line in said("multipathd", "show", "paths", "raw", "format", "%d %t %T").splitlines()
        if line
    }
    for disk in Path("/sys/block").glob("sd*"):
        session = next((s for s in sessions if f"/{s}/" in str(disk.resolve())), "")
        if not session or disk.name not in mapped:
            continue
        wanted = ("F", "failed") if sessions[session] in ifaces else ("A", "active")
        seen = (marks.get(text(disk / "dev").strip()), (daemon.get(disk.name) or ["?"])[0])
        state = text(disk / "device/state").strip()
        if seen != wanted or state != "running":
            where = f"{disk.name} of {mapped[disk.name]} over {session}"
            yield f"{where}: dm and multipathd {seen}, not {wanted}; sysfs {state}"


def main() -> None:
    found = list(torn())
    if sys.argv[1] != "killed":
        offline = sys.argv[2] if len(sys.argv) > 2 else ""
        found += [*alive(), *locked(), *lost(offline), *(litter() if sys.argv[1] == "whole" else ())]
    sys.stdout.write(json.dumps(found) + "\n")


main()
