"""`mpio init` on a real host: the SAN asked and logged in to, a site file written, and nothing else left."""

from __future__ import annotations

import json
import tomllib

import pytest

from vm import hosts
from vm.hosts import ALIASES, SITE_PATH, TARGETS, Prague
from vm.readback import PAIRS

ASK = ("init", "--portal", "10.10.8.90", "--yes")
FILE = "/run/init.toml"
# As the guide of 2011 has it, with today's keywords.
BY_HAND = f"""
for n in 0 1; do
    iscsiadm -m iface -I sw-iscsi-$n -o new
    iscsiadm -m iface -I sw-iscsi-$n -o update -n iface.net_ifacename -v eth$((n + 1))
done
sysctl -qw net.ipv4.conf.eth1.rp_filter=2 net.ipv4.conf.eth2.rp_filter=2
sed -i 's/^\\(node.session.timeo.replacement_timeout\\) .*/\\1 = 10/' /etc/iscsi/iscsid.conf
systemctl start iscsid
iscsiadm -m discovery -t sendtargets -p 10.10.8.90 -I sw-iscsi-0 -I sw-iscsi-1
cat >/etc/multipath.conf <<X
defaults {{
    find_multipaths yes
}}
multipaths {{
    multipath {{
        wwid {next(iter(ALIASES))}
        alias apps
        no_path_retry 7
    }}
}}
X
systemctl restart multipathd
iscsiadm -m node -l
udevadm settle || true
"""
LEFT = "ls /sys/class/iscsi_session /run/udev/rules.d; dmsetup table"
FILTERS = "grep -H . /proc/sys/net/ipv4/conf/*/rp_filter; cat /sys/class/iscsi_session/*/recovery_tmo; dmsetup table"
MAPS = "multipathd show maps raw format '%n %w %N %Q'"


def state(host: Prague) -> list[str]:
    """Without the folders of the kernel's modules, which stay loaded."""
    return host.state(hosts.FILES, hosts.UNITS, FILTERS).splitlines()


def changed(host: Prague, before: list[str]) -> set[str]:
    """The lines of the state that came or went since."""
    return set(before) ^ set(state(host))


def whole(host: Prague) -> None:
    """Four sessions, four maps, four paths in each."""
    host.mpio("verify", "--wait", "120", timeout=400)
    seen = host.walk()
    assert sorted((s["iface"], s["portal"], s["target"]) for s in seen["sessions"].values()) == sorted(PAIRS)
    assert {m["uuid"].removeprefix("mpath-") for m in seen["maps"].values()} == set(ALIASES)
    assert {len(m["active"]) for m in seen["maps"].values()} == {4}


def test_a_look_at_the_san_leaves_a_site_file_and_nothing_else(bare: Prague) -> None:
    before = state(bare)
    said = bare.mpio(*ASK, "--login", "--file", FILE, "-o", "json", timeout=600)
    assert changed(bare, before) == set()
    assert bare.walk() == {"sessions": {}, "disks": {}, "maps": {}}
    document = said.json
    assert (document["layout"], document["findings"]) == ("mesh", []), said
    assert [n["nic"] for n in document["nics"] if n["taken"]] == ["eth1", "eth2"], said
    assert {(lun["wwid"], lun["lun"], lun["size"]) for lun in document["luns"]} == {
        (wwid, 10 + n, 64 << 20) for n, wwid in enumerate(ALIASES)
    }
    text = bare.text(FILE)
    site = tomllib.loads(text)
    assert (document["text"], [lun["alias"] for lun in site["lun"]]) == (text, ["lun10", "lun11", "lun12", "lun13"])
    assert site["san"]["targets"] == sorted(TARGETS)
    assert text.count("64 MiB, NEXENTA COMSTAR: 4 paths over 2 targets") == 4
    planned = bare.mpio("plan", "--site", FILE, "-o", "json", exits=3)
    assert [s["argv"][2] for s in planned.json["steps"] if s.get("argv", ())[:2] == ["multipath", "-a"]] == list(
        ALIASES
    )


@pytest.mark.nightly
def test_a_host_of_mpios_is_described_as_it_is(applied: Prague) -> None:
    before = state(applied)
    said = applied.mpio("init", "--adopt", "--file", FILE, "-o", "json")
    assert said.json["findings"] == [], said
    assert changed(applied, before) == set()
    planned = applied.mpio("plan", "--site", FILE, "-o", "json")
    assert (planned.json["steps"], planned.json["complete"]) == ([], True), planned
    assert {lun["wwid"]: lun["alias"] for lun in said.json["luns"]} == ALIASES


@pytest.mark.nightly
@pytest.mark.parametrize("how", [(), ("--login",)])
def test_what_init_wrote_is_applied(bare: Prague, how: tuple[str, ...]) -> None:
    bare.sh(f"rm {SITE_PATH}")
    bare.mpio(*ASK, *how, timeout=600)
    assert bare.sh(f"stat -c '%a %U' {SITE_PATH}") == "644 root\n"
    bare.mpio("apply", "--yes", exits=None, timeout=900)  # maps of LUNs that the file does not name may still be coming
    whole(bare)
    names = {m["name"] for m in bare.walk()["maps"].values()}
    assert names == ({"lun10", "lun11", "lun12", "lun13"} if how else set(ALIASES)), names
    bare.mpio("plan")
    bare.mpio("teardown", "--yes")


@pytest.mark.nightly
def test_a_host_set_up_by_hand_is_adopted_and_what_remains_is_told(bare: Prague) -> None:
    bare.sh(f"rm {SITE_PATH}")
    bare.sh(BY_HAND, timeout=300)
    bare.until(f"test $({MAPS} | grep -c ' 4 ') = 4", 120)
    before, maps, sids = state(bare), sorted(bare.sh(MAPS).splitlines()), bare.walk()["sessions"].keys()
    said = bare.mpio("init", "--adopt", "--file", FILE, "-o", "json")
    assert changed(bare, before) == set()
    site = tomllib.loads(said.json["text"])
    assert site["multipath"]["preset"] == "none", said
    assert site["lun"][0].get("alias", "apps") == "apps", said
    assert {code for code, _ in said.found} == {"MP221"}, said
    planned = bare.mpio("plan", "--site", FILE, "-o", "json", exits=3)
    told = " ".join(f["detail"] for f in said.json["findings"])
    assert [s["why"] for s in planned.json["steps"] if s["why"] not in told] == [], said
    assert not [s for s in planned.json["steps"] if s["part"] == "login"], planned
    bare.mpio("apply", "--yes", "--site", FILE, timeout=900)
    bare.mpio("plan", "--site", FILE)
    # the same sessions, names and queueing as before
    assert bare.walk()["sessions"].keys() == sids
    assert sorted(bare.sh(MAPS).splitlines()) == maps


@pytest.mark.nightly
@pytest.mark.parametrize("signal", ["INT", "TERM", "HUP", "KILL"])
def test_a_login_that_is_ended_leaves_nothing_or_the_next_takes_it_away(bare: Prague, signal: str) -> None:
    before = state(bare)
    bare.sh(f"systemd-run -q --unit look mpio {' '.join(ASK)} --login --file {FILE}")
    bare.until("test $(ls /sys/class/iscsi_session | wc -l) -gt 0", 300)
    bare.sh(f"systemctl kill --kill-whom=main -s {signal} look")
    bare.until("! systemctl -q is-active look", 300)
    if signal == "KILL":
        assert "session" in bare.sh("ls /sys/class/iscsi_session")
        bare.mpio(*ASK, "--file", FILE)
        bare.sh(f"rm {FILE}; systemctl stop iscsid")
    bare.sh("systemctl reset-failed look || true; udevadm settle")
    assert changed(bare, before) == set()
    assert bare.sh(LEFT).split() == ["/run/udev/rules.d:", "/sys/class/iscsi_session:"]
    assert bare.guest.sh(f"test -e {FILE}").code == 1


@pytest.mark.nightly
def test_teardown_takes_what_a_killed_init_left(bare: Prague) -> None:
    bare.sh(f"systemd-run -q --unit look mpio {' '.join(ASK)} --login --file {FILE}")
    bare.until("test $(ls /sys/class/iscsi_session | wc -l) = 4", 300)
    bare.sh("systemctl kill --kill-whom=main -s KILL look")
    bare.mpio("teardown", "--yes")
    assert bare.walk()["sessions"] == {}


@pytest.mark.nightly
def test_a_greedy_multipathd_gets_no_map_of_it(bare: Prague) -> None:
    bare.put("/etc/multipath.conf", "defaults {\n find_multipaths no\n user_friendly_names yes\n}\n")
    bare.sh("systemctl restart multipathd; udevadm settle")
    before = state(bare)
    bare.mpio(*ASK, "--login", "--file", FILE, timeout=600)
    assert changed(bare, before) == set()


@pytest.mark.nightly
def test_a_target_with_chap_is_told(bare: Prague) -> None:
    bare.fault("chap", TARGETS[1], "prague", "some-long-secret")
    said = bare.mpio(*ASK, "--login", "--file", FILE, "-o", "json", timeout=600)
    assert {code for code, _ in said.found} == {"MP302"}, said
    assert {lun["alias"] for lun in json.loads(said.out)["luns"]} == {"lun10", "lun11", "lun12", "lun13"}, said
    assert bare.walk()["sessions"] == {}


@pytest.mark.nightly
def test_a_terminal_is_asked(bare: Prague) -> None:
    """`script` gives it one: NICs as proposed, a host name for a portal, then an address, and yes to iscsid."""
    before = state(bare)
    typed = "printf '%b' '\\nhomer.dom\\n10.10.8.90\\ny\\n'"
    said = bare.sh(f"{typed} | script -qec 'mpio init --file {FILE}' /dev/null", timeout=240)
    assert "is a host name" in said, said
    assert changed(bare, before) == set()
    assert [i["nic"] for i in tomllib.loads(bare.text(FILE))["iface"]] == ["eth1", "eth2"]
    bare.sh(f"rm {FILE}")
    stopped = bare.guest.sh(f"printf '\\003' | script -qec 'mpio init --file {FILE}' /dev/null")
    assert stopped.code == 130, stopped
    assert changed(bare, before) == set()
    assert bare.guest.sh(f"test -e {FILE}").code == 1
