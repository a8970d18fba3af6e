"""Portals that are dead, deaf or wrong: each is named, nothing hangs, and what can be reached comes up."""

from __future__ import annotations

import pytest

from vm import hosts
from vm.hosts import SITE, SITE_PATH, TARGETS, Prague
from vm.readback import PAIRS

LOGIN_REFUSED = ("MP302", "MP303")
# Accepts, and says nothing or nonsense, in the SAN's network.
LISTENER = """
import socket, sys, threading
def serve(address, answer):
    listening = socket.create_server((address, 3260))
    kept = []
    while True:
        kept.append(listening.accept()[0])
        if answer:
            kept[-1].sendall(answer)
threading.Thread(target=serve, args=("10.10.8.94", b"HTTP/1.1 400 Bad Request" * 40)).start()
serve("10.10.8.93", b"")
"""


def with_portals(*more: str) -> str:
    portals = ", ".join(f'"{portal}"' for portal in ("10.10.8.90", "10.10.9.90", *more))
    return SITE.replace('portals = ["10.10.8.90", "10.10.9.90"]', f"portals = [{portals}]")


def pairs(host: Prague) -> set[tuple[str, str, str]]:
    sessions = host.walk()["sessions"].values()
    return {(s["iface"], s["portal"], s["target"]) for s in sessions if s["state"] == "LOGGED_IN"}


def logged_out(host: Prague, target: str) -> None:
    host.sh(f"iscsiadm -m node -T {target} --logout")


def test_dead_portals_cost_seconds_and_are_named(bare: Prague) -> None:
    bare.sh("ip -n san addr add 10.10.9.92/24 dev san2")
    bare.fault("silence", "10.10.9.92:3260")
    bare.put(SITE_PATH, with_portals("10.10.8.91", "10.10.9.92"))
    ran = bare.mpio("apply", "--yes", "-o", "json", exits=4)
    assert ran.seconds < 60, ran
    assert {("MP210", f"portal {ip}:3260") for ip in ("10.10.8.91", "10.10.9.92")} <= ran.found, ran
    assert {code for code, _ in ran.found} <= {"MP210", "MP212"}, ran
    assert pairs(bare) == PAIRS
    luns = bare.mpio("status", "-o", "json").json["luns"]
    assert {lun["alias"]: lun["usable_paths"] for lun in luns} == dict.fromkeys(hosts.ALIASES.values(), 4)


@pytest.mark.nightly
def test_a_portal_that_refuses_one_that_says_nothing_and_one_that_talks_nonsense(applied: Prague) -> None:
    for last in (92, 93, 94):
        applied.sh(f"ip -n san addr add 10.10.8.{last}/24 dev san1")
    applied.put("/root/listener.py", LISTENER)
    applied.sh("systemd-run --unit listener nsenter --net=/run/netns/san python3 /root/listener.py")
    applied.until("nsenter --net=/run/netns/san ss -Hltn | grep -q 10.10.8.93:3260")
    applied.until("nsenter --net=/run/netns/san ss -Hltn | grep -q 10.10.8.94:3260")
    applied.put(SITE_PATH, with_portals("10.10.8.92", "10.10.8.93", "10.10.8.94"))
    ran = applied.mpio("apply", "--yes", "-o", "json", exits=4)
    assert ran.seconds < 60, ran
    wanted = {
        ("MP211", "portal 10.10.8.92:3260"),
        ("MP213", "portal 10.10.8.93:3260"),
        ("MP213", "portal 10.10.8.94:3260"),
    }
    assert wanted <= ran.found, ran
    assert ran.json["left"] == [], ran
    assert pairs(applied) == PAIRS


def test_an_initiator_that_the_target_does_not_know(applied: Prague) -> None:
    # LIO remembers whom it let in; only an entry that it was given by name can be taken back.
    applied.fault("allow", TARGETS[1], applied.text("/etc/iscsi/initiatorname.iscsi").strip().partition("=")[2])
    applied.fault("allow", TARGETS[1], "iqn.2011-10.dom.prague:somebody-else")
    logged_out(applied, TARGETS[1])
    ran = applied.mpio("apply", "--yes", "-o", "json", exits=4)
    assert ran.seconds < 60, ran
    # iscsiadm ends with 24 for a wrong secret and for an unknown initiator alike.
    refused = {f["subject"]: f["detail"] for f in ran.json["findings"] if f["code"] in LOGIN_REFUSED}
    assert refused.keys() == {
        f"{iface} -> {portal} {target}" for iface, portal, target in PAIRS if target == TARGETS[1]
    }
    assert all("initiator name" in detail for detail in refused.values()), ran
    assert len(ran.json["left"]) == 2, ran
    assert pairs(applied) == {pair for pair in PAIRS if pair[2] == TARGETS[0]}
    applied.fault("allow", TARGETS[1])
    applied.mpio("apply", "--yes")
    assert pairs(applied) == PAIRS
