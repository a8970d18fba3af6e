"""Two NICs in one subnet and one segment: refused, or set so that each carries its own traffic."""

from __future__ import annotations

import pytest

from mpio.lab import san
from mpio.lab.guest import Guest
from vm import hosts
from vm.hosts import SITE, SITE_PATH, Prague

LAYOUT = san.ONE_SUBNET
NICS = {"eth1": "10.10.8.20", "eth2": "10.10.8.21"}
KEEP = SITE.replace("10.10.9.90", "10.10.8.91")
SET = KEEP.replace("[network]\n", '[network]\narp = "set"\n')
ROUTING = """
ip rule
ip -4 route show table all
ip -6 rule
grep -H . /proc/sys/net/ipv4/conf/eth*/arp_ignore /proc/sys/net/ipv4/conf/eth*/arp_announce
ls /etc/systemd/system/mpio* /etc/systemd/system/*.wants
"""
COUNTERS = "cat /sys/class/net/eth1/statistics/{0} /sys/class/net/eth2/statistics/{0}"
READ = """
for disk in /sys/block/sd*; do
    dd if=/dev/${disk##*/} of=/dev/null bs=64k count=16 iflag=direct status=none & pids="$pids $!"
done
for pid in $pids; do wait $pid; done
"""
# The array has forgotten both addresses and asks for them: as after its reboot, or when its entries grow old.
ASK = "ip -n san neigh flush dev switch\n" + "".join(
    f"nsenter --net=/run/netns/san ping -q -c 1 -W 2 {address} >/dev/null\n" for address in NICS.values()
)
MENDED = [["systemctl", "daemon-reload"], ["systemctl", "restart", "mpio-routes.service"]]
PING = "ping -q -c 20 -i 0.05 -s 1400 -I {} 10.10.8.90 >/dev/null"


def counted(host: Prague, counter: str, script: str) -> tuple[int, int]:
    """By how much a counter of eth1 and of eth2 grows meanwhile."""
    look = COUNTERS.format(counter)
    words = host.sh(f"{look}\n{script}\n{look}\n", timeout=300).split()
    before, after = words[:2], words[2:]
    return int(after[0]) - int(before[0]), int(after[1]) - int(before[1])


def learned(host: Prague) -> dict[str, str]:
    """The array's ARP entries for the host: each address and whose MAC address it has."""
    macs = {host.sh(f"cat /sys/class/net/{nic}/address").strip(): nic for nic in NICS}
    entries = (line.split() for line in host.sh("ip -n san neigh show dev switch").splitlines())
    return {words[0]: macs[words[2]] for words in entries if words[0] in NICS.values()}


def carries_its_own(host: Prague) -> None:
    host.sh(ASK)
    assert learned(host) == {address: nic for nic, address in NICS.items()}
    for at, address in enumerate(NICS.values()):
        sent = counted(host, "tx_bytes", PING.format(address))
        assert sent[at] > 20 * 1400, (address, sent)
        assert sent[1 - at] < 20 * 1400 / 2, (address, sent)
    one, two = counted(host, "rx_bytes", READ)
    assert one + two > 16 * 16 * 65536, (one, two)  # 16 paths
    assert 0.4 < one / (one + two) < 0.6, (one, two)


@pytest.fixture
def host(guest: Guest) -> Prague:
    made = hosts.bare(guest)
    made.san(LAYOUT)
    return made


def test_without_arp_set_it_is_refused_with_the_reason(host: Prague) -> None:
    host.put(SITE_PATH, KEEP)
    before = host.state(hosts.FILES, hosts.KERNEL, hosts.UNITS, ROUTING)
    refused = host.mpio("apply", "--yes", "-o", "json", exits=1).json["error"]
    assert refused["code"] == "MP207"
    assert "eth1 and eth2" in refused["message"]
    assert 'arp = "set"' in refused["hint"]
    assert ("MP207", "eth1 and eth2") in host.mpio("plan", "-o", "json", exits=1).found
    assert host.state(hosts.FILES, hosts.KERNEL, hosts.UNITS, ROUTING) == before

    # The reason: either NIC answers for both addresses, and what is not bound leaves by the first.
    host.sh(ASK)
    assert len(set(learned(host).values())) == 1
    one, two = counted(host, "tx_bytes", PING.format(NICS["eth2"]))
    assert one > 20 * 1400 > two


@pytest.mark.nightly
def test_with_arp_set_each_nic_carries_its_own(host: Prague) -> None:
    before = host.state(ROUTING)
    host.sh(ASK)  # the array has learned the wrong thing before mpio comes
    host.put(SITE_PATH, SET)
    host.mpio("apply", "--yes")
    assert host.mpio("verify", "-o", "json").found == set()
    carries_its_own(host)

    # A NIC that was down has lost its route: seen, and mended, whatever its sessions do meanwhile.
    host.sh("ip link set eth2 down; ip link set eth2 up")
    lost = host.mpio("verify", "-o", "json", exits=None)
    assert [step["argv"] for step in lost.json["drift"] if step["part"] == "sysctl"] == MENDED, lost
    host.mpio("apply", "--only", "sysctl", "--yes")
    assert "dev eth2" in host.sh("ip route show table 28017")

    host.guest.reboot()
    host.mpio("verify", "--wait", "120")
    assert host.mpio("plan", "-o", "json").json["steps"] == []
    carries_its_own(host)

    host.mpio("teardown", "--yes")
    assert host.state(ROUTING) == before
