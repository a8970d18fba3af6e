"""Portals of the site that are malicious: nothing leaves the known folders, no terminal and no shell gets a word of
theirs that it could obey, memory and time are bounded, what is wrong with each is said, the rest of the site works.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import htmltree
import pytest
from prometheus_client.parser import text_string_to_metric_families

from vm import portal_says
from vm.hosts import ALIASES, FILES, SITE, SITE_PATH, Prague
from vm.portal_says import OWN
from vm.readback import PAIRS

HERE = Path(__file__).parent
# with it the evil LUNs get maps, and multipathd speaks of them
MAPS = ("no_path_retry = 12", 'no_path_retry = 12\nfind_multipaths = "yes"')
COUNTS = "/run/evil.json"
LIMIT = 20  # seconds that a portal may hold a discovery
MEMORY = 160 << 20  # bytes: what mpio, or any program that it starts, may ever have of it
# C0 but for newline and tab, DEL, C1, and what turns the order of writing or hides
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
FINE = ("honest", "moved", "moved-foreign")  # of a discovery
MEASURED = """
import json, resource, subprocess, sys, time
begin = time.monotonic()
done = subprocess.run(sys.argv[2:], capture_output=True, check=False)
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
with open(sys.argv[1], "w") as file:
    json.dump([done.returncode, used, time.monotonic() - begin], file)
sys.stdout.buffer.write(done.stdout)
sys.stderr.buffer.write(done.stderr)
"""


def evil(host: Prague, *evils: str, **more: str) -> dict[str, str]:
    """The portal of each evil, listening; `more` are evils at other addresses."""
    host.put("/root/evil/vm/__init__.py", "")
    for name in ("portal", "portal_says", "portal_disks"):
        host.put(f"/root/evil/vm/{name}.py", (HERE / f"{name}.py").read_text())
    places = {f"10.10.8.{100 + number}": one for number, one in enumerate(evils)}
    places |= {address: one for one, address in more.items()}
    host.sh("".join(f"ip -n san addr replace {address}/24 dev san1\n" for address in places))
    words = " ".join(f"{address}:3260={one}" for address, one in places.items())
    host.sh(
        "systemd-run -q --collect --unit evil --property WorkingDirectory=/root/evil"
        f" nsenter --net=/run/netns/san python3 -m vm.portal {COUNTS} {words}"
    )
    listed = " -e ".join(f"{address}:3260" for address in places)
    host.until(f"nsenter --net=/run/netns/san ss -Hltn | grep -Fc -e {listed} | grep -qx {len(places)}")
    return {one: f"{address}:3260" for address, one in places.items()}


def site(portals: Iterable[str], *changes: tuple[str, str]) -> str:
    every = ", ".join(f'"{portal}"' for portal in ("10.10.8.90", "10.10.9.90", *portals))
    text = SITE.replace('portals = ["10.10.8.90", "10.10.9.90"]', f"portals = [{every}]")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def mpio(host: Prague, *argv: str, exits: Iterable[int] = (0, 3, 4)) -> str:
    """What it says, to whom both ends of a terminal would show it; measured."""
    host.put("/root/measured.py", MEASURED)
    done = host.guest.run(("python3", "/root/measured.py", "/run/measured", "mpio", *argv), timeout=400)
    code, used, seconds = json.loads(host.text("/run/measured"))
    measure = f"exit {code}, {seconds:.1f} s, peak RSS {used >> 20} MiB, {len(done.out)} characters"
    sys.stdout.write(f"mpio {shlex.join(argv)}: {measure}\n")
    assert code in exits, f"{argv} ended with {code}\n{done.out}\n{done.err}"
    assert used < MEMORY, (argv, used)
    for said in (done.out, done.err):
        assert not (found := OBEYED.search(said)), (argv, found, said[max(0, found.start() - 80) : found.end() + 80])
    return done.out


def changed(before: str, after: str) -> set[str]:
    """The paths that one of the two listings of files has otherwise."""
    lines = set(before.splitlines()) ^ set(after.splitlines())
    return {path for line in lines for path in re.findall(r"/(?:etc|var/lib)\S*", line)[:1]}


def records(host: Prague) -> set[tuple[str, str, str]]:
    """(iface, portal, target) of the records that are there."""
    listed = host.sh(f"cd {host.database}/nodes && find . -mindepth 3 -maxdepth 3 -type f")
    found = set()
    for line in listed.splitlines():
        _, target, place, iface = line.split("/")
        address, port, _ = place.split(",")
        found.add((iface, f"{address}:{port}", target))
    return found


def is_harmless(script: str, host: Prague) -> None:
    """A shell reads the runbook as the words that mpio meant, each of them one."""
    host.put("/root/runbook.sh", script)
    host.sh("sh -n /root/runbook.sh")
    for line in script.splitlines():
        if line.startswith("iscsiadm "):
            words = shlex.split(line)
            assert shlex.join(words) == line, line
            assert all(re.fullmatch(r"[A-Za-z0-9._:,\[\]=-]+", word) for word in words), line


def is_whole(host: Prague, more: Mapping[str, str]) -> None:
    """The good portals' LUNs have every path; who else has a session is what the evil ones named at themselves."""
    status = json.loads(mpio(host, "status", "-o", "json"))
    assert {s["address"] for s in status["sessions"]} <= {*(portal for _, portal, _ in PAIRS), *more.values(), None}
    luns = {lun["alias"]: lun for lun in status["luns"] if lun["alias"] in ALIASES.values()}
    real = {(iface, portal, target) for iface, portal, target in PAIRS}
    for name in ALIASES.values():
        ways = {(p["iface"], p["portal"], p["target"]) for p in luns[name]["paths"] if p["checker_state"] == "ready"}
        assert ways == real, (name, ways)
    assert {lun["dm"] for lun in luns.values()} == set(
        host.sh("dmsetup info -c --noheadings -o blkdevname " + " ".join(ALIASES.values())).split()
    )


def views_are_well_formed(host: Prague, *more: tuple[str, ...]) -> None:
    for words in (("verify",), *more):
        mpio(host, *words)
    samples = list(text_string_to_metric_families(mpio(host, "export")))
    assert any(family.name == "mpio_path_up" for family in samples)
    mpio(host, "report", "/root/evil.html")
    page = host.text("/root/evil.html")
    assert not OBEYED.search(page)
    assert "<script>x" not in page
    assert htmltree.read(page).having("sid", tag="tr")
    assert "evil" not in host.sh("ls -A /tmp /etc/cron.d")


def named(told: Any) -> dict[tuple[str, str], str]:
    return {(f["code"], f["subject"]): f["detail"] for f in told["findings"]}


def test_evil_portals_beside_good_ones(applied: Prague) -> None:
    portals = evil(applied, "mixed", "broken", "disks")
    applied.put(SITE_PATH, site(portals.values(), MAPS))
    before = applied.state(FILES)
    script = mpio(applied, "plan", "--script")
    is_harmless(script, applied)
    due = set(re.findall(r"^iscsiadm -m node -o new -T (\S+) -p (\S+),\d+ -I (\S+)$", script, re.MULTILINE))
    assert {target for target, _, _ in due} >= {f"{OWN}-{one}" for one in ("mixed", "disks")}, due
    assert applied.state(FILES) == before
    told = json.loads(mpio(applied, "apply", "--yes", "-o", "json"))
    found = named(told)
    assert ("MP311", f"portal {portals['mixed']}") in found, found
    assert "203.0.113.5" in found["MP321", f"portal {portals['mixed']}"], found
    assert ("MP213", f"portal {portals['broken']}") in found, found
    assert told["left"] == [], told["left"]

    new = {(target, portal, iface) for iface, portal, target in records(applied) - PAIRS}
    assert new == due
    assert {portal for _, portal, _ in new} <= {*portals.values(), "10.10.8.95:3260"}, new
    own = (f"{applied.database}/nodes", f"{applied.database}/static", "/etc/multipath", "/var/lib/mpio")
    strange = {path for path in changed(before, applied.state(FILES)) if not path.startswith(own)}
    assert not strange, strange
    is_whole(applied, portals)
    views_are_well_formed(applied)


@pytest.mark.nightly
def test_each_evil_of_a_discovery_is_bounded_and_named(applied: Prague) -> None:
    """By itself, through `discover`, which records what iscsiadm said: EVILS_TO is where tests/hostile comes from."""
    portals = evil(applied, *portal_says.EVILS)
    before = applied.state(FILES)
    for one, portal in portals.items():
        told = json.loads(mpio(applied, "discover", portal, "-o", "json", "--record", f"/root/{one}", exits=(0, 1)))
        codes = {f["code"] for f in told["findings"] if f["subject"] == f"portal {portal}"}
        assert bool(codes) == (one not in FINE), (one, told["findings"])
        took = json.loads(applied.text("/run/measured"))[2]
        assert took < 2 * LIMIT, (one, took)
        if where := os.environ.get("EVILS_TO"):
            told = applied.sh(f'cat $(grep -l \'^argv: ."iscsiadm", "-m", "discovery\' /root/{one}/* | tail -n 1)')
            Path(where, one).write_text(told, encoding="utf-8")
    assert applied.state(FILES) == before
    sys.stdout.write(applied.text(COUNTS) + "\n")


@pytest.mark.nightly
def test_evil_portals_that_hold_a_look_up_hold_it_once(applied: Prague) -> None:
    held = ("many", "endless", "slow-login", "slow-text", "redirect-foreign")
    portals = evil(applied, *held)
    applied.put(SITE_PATH, site(portals.values()))
    before = applied.state(FILES)
    told = json.loads(mpio(applied, "apply", "--yes", "-o", "json"))
    assert {("MP213", f"portal {portals[one]}") for one in held} <= named(told).keys(), told
    assert told["seconds"] < len(held) * LIMIT + 90, told["seconds"]
    assert records(applied) == PAIRS
    assert changed(before, applied.state(FILES)) <= {"/var/lib/mpio/memory.json", "/var/lib/mpio"}
    is_whole(applied, portals)


@pytest.mark.nightly
def test_each_evil_of_a_session(applied: Prague) -> None:
    evils = ("mute", "garbage", "huge", "digests", "async-logout", "async-drop", "t10")
    portals = evil(applied, *evils)
    applied.put(SITE_PATH, site(portals.values(), MAPS))
    told = json.loads(mpio(applied, "apply", "--yes", "-o", "json", exits=(4, 5)))
    wrong = {subject for _, subject in named(told)}
    for one in evils:
        assert any(f"{OWN}-{one}" in subject for subject in wrong), (one, told["findings"])
    is_whole(applied, portals)
    views = "stat -a", "stat -g", "stat -i", "stat -t", "status", "status -v", "lun list", "preflight"
    views_are_well_formed(applied, *(tuple(view.split()) for view in views), ("support", "/root/evil.tar.gz"))
    applied.sh("tar tzf /root/evil.tar.gz >/root/members; ! grep -E '^/|(^|/)[.][.](/|$)' /root/members")
    watch = applied.guest.run(("timeout", "25", "mpio", "watch", "-o", "jsonl"), timeout=120)
    assert not OBEYED.search(watch.out)
    events = [json.loads(line) for line in watch.out.splitlines()]
    assert (events[0]["event"], events[-1]["event"]) == ("started", "stopped"), events
    sys.stdout.write(applied.text(COUNTS) + "\n")


@pytest.mark.nightly
def test_a_lun_list_of_16000(applied: Prague) -> None:
    portals = evil(applied, "luns")
    applied.put(SITE_PATH, site(portals.values()))
    told = json.loads(mpio(applied, "apply", "--yes", "-o", "json"))
    assert told["seconds"] < 180, told
    is_whole(applied, portals)
    sys.stdout.write(applied.text(COUNTS) + "\n")


@pytest.mark.nightly
def test_a_session_that_was_sent_elsewhere_is_seen_where_it_is(applied: Prague) -> None:
    # Loose filtering drops what comes from where no route leads to: most hosts have a default route.
    applied.sh(
        "ip -n san addr replace 203.0.113.5/32 dev san1; ip -n san addr replace 10.10.8.95/24 dev san1;"
        " ip route replace 203.0.113.5 via 10.10.8.90 dev eth1"
    )
    portals = evil(applied, "moved", "moved-foreign")
    places = "10.10.8.95:3260=honest 203.0.113.5:3260=honest"
    applied.sh(
        "systemd-run -q --collect --unit elsewhere --property WorkingDirectory=/root/evil"
        f" nsenter --net=/run/netns/san python3 -m vm.portal /run/elsewhere.json {places}"
    )
    applied.until("nsenter --net=/run/netns/san ss -Hltn | grep -q 203.0.113.5:3260")
    applied.put(SITE_PATH, site(portals.values()))
    told = json.loads(mpio(applied, "apply", "--yes", "-o", "json"))
    sent = {subject: detail for (code, subject), detail in named(told).items() if code == "MP322"}
    assert {subject.partition(" -> ")[2] for subject in sent} == {f"{portals['moved-foreign']} {OWN}-moved-foreign"}, (
        sent
    )
    assert all("203.0.113.5:3260" in detail for detail in sent.values()), sent
    sessions = json.loads(mpio(applied, "status", "-o", "json"))["sessions"]
    at = {s["target"]: s["address"] for s in sessions}
    assert (at[f"{OWN}-moved"], at[f"{OWN}-moved-foreign"]) == ("10.10.8.95:3260", "203.0.113.5:3260"), at
    assert f"{portals['moved']} at 10.10.8.95:3260" in mpio(applied, "status")
