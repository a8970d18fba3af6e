"""One step at a time: ifaces by hand, asking portals, settings alone, and sessions made anew under a reader."""

from __future__ import annotations

import pytest

from vm import hosts, reader
from vm.hosts import ALIASES, SITE, SITE_PATH, TARGETS, Prague
from vm.readback import PAIRS, is_as_the_site_says

IFACES = "iscsiadm -m iface | cut -d' ' -f1 | sort"
SLOW = SITE.replace("[timeouts]\n", "[timeouts]\nnoop_interval = 7\nnoop_timeout = 8\n")


@pytest.fixture
def reading(applied: Prague) -> Prague:
    reader.begins(applied)
    return applied


def timers(host: Prague) -> set[tuple[int, int]]:
    return {(s["noop_interval"], s["noop_timeout"]) for s in host.walk()["sessions"].values()}


@pytest.mark.nightly
def test_an_iface_by_hand_and_portals_asked_through_it(bare: Prague) -> None:
    before = bare.sh(IFACES).split()
    bare.mpio("discover", "--yes", exits=1)  # through which iface?
    made = bare.mpio("iface", "add", "sw-iscsi-0", "eth1", "--yes", "-o", "json")
    assert (len(made.json["done"]), made.json["left"], made.json["findings"]) == (2, [], []), made
    assert bare.sh(IFACES).split() == sorted([*before, "sw-iscsi-0"])
    assert "sw-iscsi-0 tcp,<empty>,<empty>,eth1,<empty>\n" in bare.sh("iscsiadm -m iface")
    assert bare.mpio("iface", "add", "sw-iscsi-0", "eth1", "-o", "json").json["done"] == []
    refused = bare.mpio("iface", "add", "sw-iscsi-0", "eth2", "--yes", "-o", "json", exits=1)
    assert refused.json["error"]["code"] == "MP309", refused
    bare.mpio("iface", "add", "extra", "eth3", "--yes", exits=2)
    bare.mpio("iface", "add", "eth2", "eth1", "--yes", exits=2)
    listed = bare.mpio("iface", "list", "-o", "json").json
    told = [(i["name"], i["nic"], i["sessions"], i["ours"], i["site_nic"]) for i in listed["ifaces"]]
    assert told == [("sw-iscsi-0", "eth1", 0, True, "eth1")]
    assert listed["missing"] == [{"name": "sw-iscsi-1", "nic": "eth2"}]

    # iscsid does not run: it is started only where that was agreed to
    bare.mpio("discover", exits=2)
    assert bare.guest.sh("systemctl is-active iscsid").out == "inactive\n"
    asked = bare.mpio("discover", "10.10.8.90", "10.10.8.99", "10.10.8.90:3261", "--yes", "-o", "json", exits=1)
    assert asked.found == {("MP210", "portal 10.10.8.99:3260"), ("MP211", "portal 10.10.8.90:3261")}, asked
    alive, dead, shut = asked.json["asked"]
    assert {(f["portal"], f["target"], f["wanted"]) for f in alive["found"]} == {(p, t, True) for _, p, t in PAIRS}
    assert (dead["code"], dead["silent"], shut["silent"]) == (
        None, {"sw-iscsi-0": "silent"}, {"sw-iscsi-0": "refused"}
    ), asked  # fmt: skip
    assert bare.guest.sh("iscsiadm -m node; iscsiadm -m discovery").out == ""
    # nobody else is asked, though no target of the site is known yet
    once = bare.mpio("discover", "10.10.8.90", "-v")
    asked_at = [line for line in once.err.splitlines() if "iscsiadm -m discovery" in line]
    assert len(asked_at) == 1, once
    assert " -p 10.10.8.90:3260 " in asked_at[0], once

    # a record of somebody else's, of a portal by name, is not lost with its iface
    bare.sh(f"iscsiadm -m node -o new -T {TARGETS[0]} -p homer.example:3260,1 -I sw-iscsi-0")
    lost = bare.mpio("iface", "remove", "sw-iscsi-0", "--yes", "-o", "json", exits=1)
    assert lost.json["error"]["code"] == "MP313", lost
    assert "homer.example" in lost.json["error"]["message"], lost
    bare.sh(f"iscsiadm -m node -o delete -T {TARGETS[0]} -p homer.example:3260,1 -I sw-iscsi-0")

    extra = bare.mpio("iface", "add", "extra", "eth2", "--yes", "-o", "json")
    assert extra.found == {("MP312", "extra")}, extra
    bare.mpio("iface", "remove", "extra", "--yes")
    assert bare.sh(IFACES).split() == sorted([*before, "sw-iscsi-0"])
    bare.mpio("apply", "--yes")
    is_as_the_site_says(bare)
    used = bare.mpio("iface", "remove", "sw-iscsi-0", "--yes", "-o", "json", exits=1)
    assert used.json["error"]["code"] == "MP314", used


@pytest.mark.nightly
def test_tune_heals_settings_and_nothing_else(applied: Prague) -> None:
    applied.sh("""
        for f in /sys/class/iscsi_session/*/recovery_tmo; do echo 44 >$f; done
        sysctl -qw net.ipv4.conf.eth1.rp_filter=1
        rm /etc/sysctl.d/99-zz-mpio.conf /etc/multipath/conf.d/90-mpio.conf
        sed -i 's/^\\(node.session.timeo.replacement_timeout\\) .*/\\1 = 99/' /etc/iscsi/iscsid.conf
        iscsiadm -m node -o update -n node.conn[0].timeo.login_timeout -v 33
        systemctl disable open-iscsi.service
    """)
    applied.sh(f"iscsiadm -m node -T {TARGETS[0]} -I sw-iscsi-1 --logout")
    sids = applied.walk()["sessions"].keys()
    applied.mpio("tune", exits=2)  # no --yes, no terminal
    tuned = applied.mpio("tune", "--yes", "-o", "json")
    assert {s["part"] for s in tuned.json["done"]} == {"sysctl", "timeouts", "discovery", "multipath"}, tuned
    assert tuned.json["left"] == [], tuned
    assert applied.walk()["sessions"].keys() == sids
    assert applied.guest.sh("systemctl is-enabled open-iscsi.service").out == "disabled\n"
    again = applied.mpio("tune", "-o", "json")
    assert (again.json["done"], again.json["left"]) == ([], []), again
    # what is left is what tune does not do
    rest = applied.mpio("plan", "-o", "json", exits=3)
    assert [s["part"] for s in rest.json["steps"]] == ["services", "login"], rest
    applied.sh("systemctl enable open-iscsi.service")
    applied.mpio("login", "--yes")
    is_as_the_site_says(applied)


@pytest.mark.nightly
def test_sessions_are_made_anew_under_a_reader(reading: Prague) -> None:
    reading.put(SITE_PATH, SLOW)
    tuned = reading.mpio("tune", "--yes", "-o", "json")
    assert [code for code, _ in sorted(tuned.found)] == ["MP306"] * 4, tuned
    assert timers(reading) == {(5, 5)}
    old = reading.walk()["sessions"].keys()
    renewed = reading.mpio("login", "--renew", "--yes", "-o", "json", timeout=600)
    assert (len(renewed.json["renewed"]), renewed.json["left"], renewed.json["findings"]) == (4, [], []), renewed
    reader.ends(reading)
    assert timers(reading) == {(7, 8)}
    seen = reading.walk()
    assert not old & seen["sessions"].keys()
    assert {s["recovery_tmo"] for s in seen["sessions"].values()} == {hosts.REPLACEMENT}
    assert {len(one["active"]) for one in seen["maps"].values()} == {4}
    verdict = reading.mpio("verify", "-o", "json").json
    assert (verdict["state"], verdict["drift"], verdict["findings"]) == ("healthy", [], [])
    again = reading.mpio("login", "--renew", "-o", "json")
    assert (again.json["renewed"], again.json["current"]) == ([], 4), again


@pytest.mark.nightly
def test_a_renewal_stops_at_a_login_that_fails_and_a_login_heals_it(reading: Prague) -> None:
    reading.fault("chap", TARGETS[1], "somebody", "else-altogether")
    stopped = reading.mpio("login", "--renew", "eth1", "--yes", "-o", "json", exits=3, timeout=600)
    assert [TARGETS[0] in pair for pair in stopped.json["renewed"]] == [True], stopped
    assert {code for code, _ in stopped.found} == {"MP302"}, stopped
    assert [s["argv"][-1] for s in stopped.json["left"]] == ["--login"], stopped
    assert len(reading.walk()["sessions"]) == 3
    # nor does it go on to the other NIC while that login fails
    again = reading.mpio("login", "--renew", "eth2", "eth1", "--yes", "-o", "json", exits=3, timeout=600)
    assert again.json["renewed"] == [], again
    reader.ends(reading)
    reading.fault("no-chap", TARGETS[1])
    reading.mpio("login", "--yes")
    reading.mpio("verify", "--wait", "120", timeout=300)
    is_as_the_site_says(reading)


@pytest.mark.nightly
def test_the_last_path_is_not_renewed(applied: Prague) -> None:
    applied.sh(f"iscsiadm -m node -T {TARGETS[1]} --logout; iscsiadm -m node -T {TARGETS[0]} -I sw-iscsi-1 --logout")
    applied.until("test $(multipathd show maps raw format %N | grep -cx ' *1 *') = 4")
    (sid,) = applied.walk()["sessions"]
    before = applied.state(hosts.KERNEL)
    refused = applied.mpio("login", "--renew", f"sid:{sid}", "--yes", "-o", "json", exits=1)
    assert refused.json["error"]["code"] == "MP409", refused
    assert all(alias in refused.json["error"]["message"] for alias in ALIASES.values()), refused
    applied.mpio("login", "--renew", "sid:99", "--yes", exits=2)
    assert applied.state(hosts.KERNEL) == before
    # Without a name the missing ones come first.
    applied.mpio("login", "--renew", "--yes")
    is_as_the_site_says(applied)
