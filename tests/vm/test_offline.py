"""Maintenance: a NIC out of use and back under a reader, over reboots and restarts, by itself, and killed half-way."""

from __future__ import annotations

import pytest

from vm import hosts, reader
from vm.hosts import ALIASES, Prague
from vm.readback import is_as_the_site_says, records_of

MEMORY = "/var/lib/mpio/memory.json"
FORGOTTEN = f"! grep -q '\"name\":' {MEMORY}"  # only what is offline has a name there
UNITS = "ls /etc/systemd/system | grep mpio-online || true"
ACTIVE = "test \"$(dmsetup status --target multipath | grep -Eo '[0-9]+:[0-9]+ A ' | wc -l)\" -eq {}"


def disks(host: Prague, nic: str) -> list[str]:
    luns = host.mpio("status", "-o", "json").json["luns"]
    return sorted(p["dev"] for lun in luns for p in lun["paths"] if p["nic"] == nic)


def in_use(host: Prague) -> int:
    """How many paths the device mapper uses."""
    return sum(len(one["active"]) for one in host.walk()["maps"].values())


def startup(host: Prague, word: str) -> set[str]:
    """The ifaces of the records that start so."""
    return {pair[0] for pair, record in records_of(host).items() if record["node.startup"] == word}


def says_who(ran: hosts.Ran, name: str) -> None:
    found = {f["code"]: f for f in ran.json["findings"]}
    assert found.keys() == {"MP316"}, ran
    assert found["MP316"]["subject"] == name, ran
    assert "by root since 20" in found["MP316"]["detail"], ran


def test_a_nic_goes_offline_under_a_reader_and_comes_back(applied: Prague) -> None:
    mine, others = disks(applied, "eth1"), [f"/dev/{dev}" for dev in disks(applied, "eth2")[: len(ALIASES)]]
    # All maps and, to know how long this machine holds up any read, as many disks that stay.
    reader.begins(applied, read := [*reader.MAPS, *others])
    taken = applied.mpio("offline", "eth1", "--yes", "-o", "json")
    says_who(taken, "eth1")
    assert (len(taken.json["done"]), taken.json["left"]) == (2 + len(mine), []), taken
    assert in_use(applied) == 8
    said = reader.ends(applied, read)
    control = max(said.pop(other)["longest"] for other in others)
    assert max(one["longest"] for one in said.values()) < 0.3 + control, (said, control)

    before = applied.state(hosts.KERNEL, f"cat {MEMORY}", "dmsetup status --target multipath | cut -d' ' -f1-9")
    refused = applied.mpio("offline", "eth2", "--yes", "-o", "json", exits=1)
    assert refused.json["error"]["code"] == "MP409", refused
    assert all(alias in refused.json["error"]["message"] for alias in ALIASES.values()), refused
    after = applied.state(hosts.KERNEL, f"cat {MEMORY}", "dmsetup status --target multipath | cut -d' ' -f1-9")
    assert after == before
    verified = applied.mpio("verify", "-o", "json")
    assert (verified.json["state"], verified.json["drift"]) == ("healthy", []), verified
    says_who(verified, "eth1")
    assert {(x["usable_paths"], x["expected_paths"]) for x in verified.json["luns"]} == {(2, 2)}

    back = applied.mpio("online", "eth1", "--yes", "-o", "json")
    assert (back.json["left"], back.json["findings"], back.json["offline"]) == ([], [], []), back
    # multipathd counts a path again once its checker has had its turn
    applied.until("test $(multipathd show maps raw format %N | grep -cx ' *4 *') = 4")
    is_as_the_site_says(applied)


@pytest.mark.nightly
def test_a_restarted_multipathd_is_told_again(applied: Prague) -> None:
    applied.mpio("offline", "sw-iscsi-0", "--yes")
    assert (startup(applied, "manual"), startup(applied, "automatic")) == ({"sw-iscsi-0"}, {"sw-iscsi-1"})
    applied.sh("systemctl restart multipathd.service", timeout=120)
    applied.until(ACTIVE.format(16), limit=120)
    drift = applied.mpio("verify", "-o", "json", exits=3)
    assert {tuple(s["argv"][:3]) for s in drift.json["drift"]} == {("multipathd", "fail", "path")}, drift
    healed = applied.mpio("apply", "--yes", "-o", "json")
    says_who(healed, "sw-iscsi-0")
    assert in_use(applied) == 8
    # a reconfigure forgets it too
    applied.sh("multipathd reconfigure")
    applied.until("multipathd show daemon | grep -Eq ' (idle|running)$'")
    applied.mpio("apply", "--yes")
    assert in_use(applied) == 8
    # nor does a login by hand bring it into use, nor a renewal of the others
    applied.mpio("login", "--renew", "--yes", timeout=600)
    applied.mpio("login", "sw-iscsi-0", "--yes", exits=1)
    assert in_use(applied) == 8
    applied.mpio("online", "10.10.8.90", "--yes")
    assert in_use(applied) == 12
    applied.mpio("online", "10.10.9.90", "--yes")
    is_as_the_site_says(applied)


@pytest.mark.nightly
def test_logged_out_it_stays_so_over_a_reboot(applied: Prague) -> None:
    applied.mpio("offline", "eth1", "--logout", "--yes")
    assert {s["nic"] for s in applied.walk()["sessions"].values()} == {"eth2"}
    applied.fault("link-down", "san1")  # whatever it was taken offline for
    says_who(applied.mpio("verify", "-o", "json"), "eth1")
    applied.guest.reboot()
    applied.until(ACTIVE.format(8), limit=180)
    says_who(applied.mpio("verify", "--wait", "120", "-o", "json", timeout=300), "eth1")
    assert {s["nic"] for s in applied.walk()["sessions"].values()} == {"eth2"}
    assert applied.mpio("login", "-o", "json").json["done"] == []
    applied.fault("link-up", "san1")
    applied.mpio("online", "eth1", "--yes")
    applied.mpio("verify", "--wait", "120", timeout=300)
    is_as_the_site_says(applied)


@pytest.mark.nightly
def test_for_a_time_it_comes_back_by_itself(applied: Prague) -> None:
    applied.mpio("offline", "eth2", "--for", "1m30s", "--yes")
    assert applied.sh(UNITS).split() == ["mpio-online.service", "mpio-online.timer"]
    assert in_use(applied) == 8
    applied.until(f"{FORGOTTEN} && ! ls /etc/systemd/system/mpio-online.*", limit=300)
    is_as_the_site_says(applied)
    applied.mpio("verify")

    # the machine is off when the time comes
    applied.mpio("offline", "eth1", "--logout", "--for", "20s", "--yes")
    applied.guest.reboot()
    applied.until(FORGOTTEN, limit=300)
    applied.mpio("verify", "--wait", "120", timeout=300)
    is_as_the_site_says(applied)
    assert applied.sh(UNITS) == ""

    # what was taken offline for a time and is brought back before leaves no timer; nor does teardown
    applied.mpio("offline", "eth1", "--for", "1d", "--yes")
    says_who(applied.mpio("verify", "-o", "json"), "eth1")
    applied.mpio("online", "eth1", "--yes")
    assert applied.sh(UNITS) == ""
    applied.mpio("offline", "eth1", "--for", "1d", "--yes")
    applied.mpio("teardown", "--yes")
    assert applied.sh(UNITS) == ""
    applied.sh(f"! test -e {MEMORY}")


@pytest.mark.nightly
@pytest.mark.parametrize("heals", ["online", "apply", "offline"])
def test_killed_half_way(applied: Prague, heals: str) -> None:
    """Whenever it is: the first path that is failed is the middle."""
    applied.sh("systemd-run -q --unit away mpio offline eth1 --for 1h --yes")
    applied.until(ACTIVE.format(16).replace("-eq", "-lt"), limit=120)
    applied.sh("systemctl kill -s KILL away || true")
    match heals:
        case "online":
            applied.mpio("online", "eth1", "--yes")
            is_as_the_site_says(applied)
            assert applied.sh(UNITS) == ""
        case "apply":
            says_who(applied.mpio("apply", "--yes", "-o", "json"), "eth1")
            assert in_use(applied) == 8
        case "offline":
            applied.mpio("offline", "eth1", "--for", "1h", "--yes")
            says_who(applied.mpio("verify", "-o", "json"), "eth1")
            assert in_use(applied) == 8


@pytest.mark.nightly
def test_the_last_usable_path_is_kept_and_a_multipathd_is_needed(applied: Prague) -> None:
    applied.mpio("offline", "eth1", "--yes")
    applied.fault("link-down", "san2")
    applied.sh("systemctl restart multipathd.service", timeout=120)
    applied.until(ACTIVE.format(8), limit=180)
    said = applied.mpio("verify", "-o", "json", exits=4)
    assert {s for c, s in said.found if c == "MP318"} == set(ALIASES.values()), said
    assert not [s for s in said.steps() if "fail path" in s], said
    applied.fault("link-up", "san2")
    applied.until(ACTIVE.format(16), limit=180)
    applied.mpio("apply", "--yes")
    assert in_use(applied) == 8
    applied.sh("systemctl stop multipathd.socket multipathd.service")
    applied.mpio("online", "eth1", "--yes", exits=3)
    refused = applied.mpio("offline", "sid:1", "--yes", "-o", "json", exits=1)
    assert refused.json["error"]["code"] == "MP104", refused
    applied.mpio("apply", "--yes")
    is_as_the_site_says(applied)
