"""What is the user's stays: their files, what they have in use, and the host as it was before mpio."""

from __future__ import annotations

import pytest

from mpio.lab.guest import Guest
from vm import hosts
from vm.hosts import SITE, SITE_PATH, Prague
from vm.readback import is_as_the_site_says

MULTIPATH_CONF = """\
# the user's own
defaults {
\tuser_friendly_names yes   # with a comment
\tmax_fds\t8192
}
blacklist {
\tdevnode "^zram"
}
"""
SYSCTL = "# the user's own\nnet.ipv4.conf.all.log_martians = 1\nkernel.sysrq=1\n"
ISCSID = "\n#  the user's own words\nnode.session.scan = auto\n\tnode.conn[0].timeo.login_timeout   =   33  \n"
BAD = """
format = 2
colour = "red"
[[iface]]
name = "eth1"
nic = "eth1"
[[iface]]
name = "sw-iscsi-1"
nic = 7
[san]
portals = ["san.example.org"]
[timeouts]
replacement = 0
[[lun]]
wwid = "nonsense"
alias = "control"
"""
KEYS = ("format", "colour", "iface", "san.portals", "timeouts.replacement", "lun")
IN_USE = """
mkfs.ext4 -q /dev/mapper/hydra_apps-a01
mkdir -p /mnt/apps
mount /dev/mapper/hydra_apps-a01 /mnt/apps
systemd-run -q --unit holder sh -c 'exec 7</dev/mapper/hydra_db-a01; exec sleep infinity'
mkswap -q /dev/mapper/hydra_db-a02
swapon /dev/mapper/hydra_db-a02
echo "0 2048 linear /dev/mapper/hydra_db-a03 0" | dmsetup create on-top
"""
FREE = """
umount /mnt/apps
systemctl stop holder
swapoff -a
dmsetup remove on-top
udevadm settle
"""
# What multipath and iscsiadm make for themselves on first use is not the user's.
ETC = """
find /etc -type f ! -name ld.so.cache ! -path '/etc/multipath/*' -print0 | sort -z | xargs -0 sha256sum
find /etc -type l -printf '%p %l\\n' | sort
"""
SYSCTLS = "sysctl net.ipv4.conf.eth1.rp_filter net.ipv4.conf.eth2.rp_filter"
ENABLED = "systemctl is-enabled iscsid.service open-iscsi.service multipathd.service"
USERS = ("/mnt/apps", "sleep", "swap", "on-top")


def test_a_bad_site_is_refused_whole_and_nothing_is_touched(guest: Guest) -> None:
    host = hosts.bare(guest)
    before = host.state(hosts.FILES, hosts.KERNEL, hosts.UNITS)
    host.put("/root/bad.toml", BAD)
    ran = host.mpio("apply", "--yes", "-o", "json", "--site", "/root/bad.toml", exits=2)
    assert all(key in ran.json["error"]["message"] for key in KEYS), ran
    host.put("/root/loose.toml", SITE, 0o666)
    host.mpio("apply", "--yes", "--site", "/root/loose.toml", exits=2)
    host.mpio("apply", exits=2)  # no --yes, no terminal
    assert host.state(hosts.FILES, hosts.KERNEL, hosts.UNITS) == before


def test_the_users_files_survive_and_teardown_brings_everything_back(guest: Guest) -> None:
    host = hosts.bare(guest)
    host.put("/etc/multipath.conf", MULTIPATH_CONF)
    host.put("/etc/sysctl.d/50-user.conf", SYSCTL)
    conf = host.text("/etc/iscsi/iscsid.conf") + ISCSID
    host.put("/etc/iscsi/iscsid.conf", conf, 0o600)
    site = SITE.replace("[[lun]]", '[initiator]\nname = "iqn.2011-10.dom.prague:hydra"\n[[lun]]', 1)
    host.put(SITE_PATH, site)
    name = host.text("/etc/iscsi/initiatorname.iscsi")
    before = host.state(ETC, SYSCTLS, ENABLED)

    host.mpio("apply", "--yes")
    is_as_the_site_says(host)
    assert host.text("/etc/multipath.conf") == MULTIPATH_CONF
    assert host.text("/etc/sysctl.d/50-user.conf") == SYSCTL
    old, new = conf.splitlines(), host.text("/etc/iscsi/iscsid.conf").splitlines()
    changed = {line.partition("=")[0].strip() for line in set(old) ^ set(new)}
    assert changed <= {
        "node.session.timeo.replacement_timeout", "node.conn[0].timeo.login_timeout",
        "node.session.initial_login_retry_max", "node.conn[0].timeo.noop_out_interval",
        "node.conn[0].timeo.noop_out_timeout",
    }, changed  # fmt: skip
    assert len(old) == len(new)
    assert "InitiatorName=iqn.2011-10.dom.prague:hydra\n" in host.text("/etc/iscsi/initiatorname.iscsi")

    host.mpio("teardown", "--yes")
    assert host.text("/etc/iscsi/iscsid.conf") == conf
    assert host.text("/etc/iscsi/initiatorname.iscsi") == name
    assert host.state(ETC, SYSCTLS, ENABLED) == before
    assert host.state("iscsiadm -m session; iscsiadm -m node; dmsetup ls --target multipath") == "No devices found\n"

    host.mpio("apply", "--yes")
    is_as_the_site_says(host)


@pytest.fixture
def used(guest: Guest) -> Prague:
    host = hosts.applied(guest)
    host.sh(IN_USE)
    return host


@pytest.mark.nightly
def test_nothing_is_taken_from_under_its_users(used: Prague) -> None:
    before = used.state(hosts.FILES, hosts.KERNEL, hosts.UNITS)
    for verb in ("teardown", "logout"):
        refused = used.mpio(verb, "--yes", "-o", "json", exits=1)
        error = refused.json["error"]
        assert error["code"] == "MP408", refused
        assert all(user in error["message"] for user in (*hosts.ALIASES.values(), *USERS)), refused
    assert used.state(hosts.FILES, hosts.KERNEL, hosts.UNITS) == before

    used.put(SITE_PATH, SITE.replace("hydra_apps-a01", "renamed"))
    refused = used.mpio("apply", "--yes", "-o", "json", exits=1)
    assert refused.json["error"]["code"] == "MP405", refused
    assert "hydra_apps-a01" in refused.json["error"]["message"], refused
    used.put(SITE_PATH, SITE)
    assert used.state(hosts.FILES, hosts.KERNEL, hosts.UNITS) == before

    used.put(SITE_PATH, SITE.partition("[[lun]]")[0] + "[[lun]]" + "[[lun]]".join(SITE.split("[[lun]]")[2:]))
    kept = used.mpio("apply", "--yes", "-o", "json", exits=0)
    assert ("MP406", "hydra_apps-a01") in kept.found, kept
    used.sh("test -b /dev/mapper/hydra_apps-a01 && findmnt -n /mnt/apps")
    used.sh(FREE)
    used.mpio("apply", "--yes")
    assert "hydra_apps-a01" not in used.text("/etc/multipath/conf.d/90-mpio.conf")


@pytest.mark.nightly
def test_force_lets_just_the_named_refusal_pass(used: Prague) -> None:
    used.put(SITE_PATH, SITE.replace("hydra_apps-a01", "renamed"))
    used.mpio("apply", "--yes", "--force", "MP408", exits=1)
    used.mpio("apply", "--yes", "--force", "MP405")
    used.sh("test -b /dev/mapper/renamed && ! test -e /dev/mapper/hydra_apps-a01")
