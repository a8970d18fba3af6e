"""Where a secret of the site is, and where it never is: programs' arguments and environments, files, logs, the disk."""

from __future__ import annotations

import json
import sys

import pytest

from mpio.lab.guest import Guest
from vm import hosts, needles
from vm.hosts import SITE, SITE_PATH, TARGETS, Prague
from vm.hushed import FILES, URL_FILE, Traced, guarded, holds_only, ransacked, records, spied, table
from vm.needles import DISCOVERY, SESSIONS
from vm.readback import PAIRS, PORTALS
from vm.test_portals import pairs

SECRET_FILES = (*FILES.values(), URL_FILE)
STATE = """
find /etc /var/lib/iscsi /var/lib/mpio -type f -print0 | sort -z | xargs -0 sha256sum
ls /sys/class/iscsi_session
"""


def tell(**figures: object) -> None:
    """For who runs it with -s, or reads what is captured (-rP)."""
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


def test_a_secret_is_in_its_file_and_the_records_alone(applied: Prague) -> None:
    guarded(applied)
    mpio = Traced(applied)
    applied.mpio("logout", TARGETS[0], "--yes")
    with spied(applied) as figures:
        mpio.mpio("plan", "--script", exits=3)
        mpio.born("apply", "--yes", "-v", "-o", "json", "--record", "/root/recorded")
    assert pairs(applied) == PAIRS
    mpio.mpio("support", "/root/support.tar.gz")
    kept = records(applied)
    assert len(kept) == 6, kept
    assert mpio.births["loose"] == [], mpio.births
    assert mpio.births["files"] == dict.fromkeys(kept, "0600"), mpio.births
    found = ransacked(applied)
    holds_only(found, *SECRET_FILES, *kept)
    tell(traced=mpio.figures(), proc=figures, found=found)


# -- loose files ---------------------------------------------------------------------------------------------------

THEIRS = "/var/tmp/theirs"
LOOSE: dict[str, tuple[str, str]] = {
    "its group reads it": ("chmod 0640 {0}", "chmod 0600 {0}"),
    "all write it": ("chmod 0602 {0}", "chmod 0600 {0}"),
    "another owns it": ("chown nobody {0}", "chown root {0}"),
    "others may change its folder": ("chmod 0777 /etc/mpio", "chmod 0755 /etc/mpio"),
    "it has another name": ("ln {0} /var/tmp/other", "rm /var/tmp/other"),
    "others may turn the link to it": (
        "mv {0} /root/kept; mkdir -m 0777 {1}; ln -s /root/kept {1}/key; ln -s {1}/key {0}",
        "mv /root/kept {0}; rm -r {1}",
    ),
}


@pytest.mark.nightly
def test_a_loose_secret_is_refused_before_anything_is_touched(applied: Prague) -> None:
    guarded(applied)
    for path in (FILES[SESSIONS[1]], FILES[DISCOVERY[3]], URL_FILE):
        for name, (loosen, mend) in LOOSE.items():
            applied.sh(loosen.format(path, THEIRS))
            before = applied.state(STATE)
            for verb in (("apply", "--yes"), ("plan",)):
                ran = applied.mpio(*verb, exits=2)
                assert path in ran.err or SITE_PATH in ran.err, (name, ran)  # the folder is the site file's, too
                assert not needles.shown(ran.out + ran.err), ran
            assert applied.state(STATE) == before, name
            applied.sh(mend.format(path, THEIRS))
    applied.mpio("plan", exits=3)


# -- core files ----------------------------------------------------------------------------------------------------

CORES = "/var/tmp/cores"
CATCHER = f'#!/bin/sh\nexec cat >"{CORES}/piped-$1-$2"\n'
PIPE, FILE = "|/root/catch %p %e", f"{CORES}/core-%p-%e"
# The portal takes connections and hears nothing of what comes over them: whoever logs in waits.
DEAF = """ip netns exec san nft -f - <<'RULES'
table inet deaf { chain input {
 type filter hook input priority 0; ip daddr 10.10.8.90 tcp dport 3260 meta length > 120 drop;
}
}
RULES"""
# Reads the secret as mpio does, and is killed there, too: shows that a core would be found.
OTHER = f"f = open('{FILES[SESSIONS[1]]}'); said = f.read(); f.close(); import os; os.getuid()"


def killed_with_a_secret(host: Prague, *program: str) -> None:
    """By SIGSEGV, when it has read the secret file and closes it."""
    place = FILES[SESSIONS[1]]
    strace = f"strace -o /dev/null -P {place} -e trace=close -e inject=close:signal=SEGV:when=1"
    done = host.guest.run(("sh", "-c", f'ulimit -c unlimited; exec {strace} "$@"', "sh", *program), timeout=120)
    assert done.code in (128 + 11, -11), done


def cores(host: Prague) -> tuple[int, set[str]]:
    """How many core files there are, and the secrets in them; they are removed. strace ends as what it traces does."""
    found = host.sh(f"rm -f {CORES}/*strace*; ls {CORES}").split()
    told = json.dumps({"words": needles.every(), "wide": {}}).encode()
    said = json.loads(host.guest.check("python3", "/run/ransack.py", "--below", CORES, stdin=told, timeout=300))
    host.sh(f"rm -f {CORES}/*")
    return len(found), {name for names in said["files"].values() for name in names}


@pytest.mark.nightly
@pytest.mark.parametrize("pattern", [PIPE, FILE])
def test_no_core_is_left_of_who_holds_a_secret(applied: Prague, pattern: str) -> None:
    guarded(applied)
    applied.put("/root/catch", CATCHER, 0o755)
    applied.sh(f"mkdir {CORES}; printf '%s' '{pattern}' > /proc/sys/kernel/core_pattern")
    killed_with_a_secret(applied, "mpio", "plan")
    assert cores(applied) == (0, set())
    killed_with_a_secret(applied, "python3", "-c", OTHER)
    number, inside = cores(applied)
    assert number == 1
    assert "Kestrel41 (plain)" in inside


@pytest.mark.nightly
def test_no_core_is_left_of_an_iscsiadm_that_mpio_has_started(applied: Prague) -> None:
    """It has read the record, secrets and all, and waits for a login that nobody answers."""
    guarded(applied)
    applied.mpio("apply", "--yes")
    applied.sh(f"mkdir {CORES}; printf '%s' '{CORES}/core.%p' > /proc/sys/kernel/core_pattern")
    applied.mpio("logout", TARGETS[0], "--yes")
    applied.sh(DEAF)
    by_mpio = f"mpio login {TARGETS[0]} --yes"
    by_hand = f"iscsiadm -m node -T {TARGETS[0]} --login"
    for command, left in ((by_mpio, False), (by_hand, True)):
        applied.sh(f"systemd-run -q --collect --unit login -p LimitCORE=infinity {command}")
        applied.until("ss -Hxp | grep -q '\"iscsiadm\"'")  # it has handed the record to iscsid
        applied.sh("pkill -SEGV -x iscsiadm")
        applied.until("! systemctl is-active -q login", 120)
        number, _ = cores(applied)
        assert (number > 0) is left, (command, number)


# -- wrong secrets -------------------------------------------------------------------------------------------------

Login = tuple[str, ...]
Logins = tuple[Login, Login]
RIGHT: Logins = (
    ("prague", "session-to-homer", "homer", "session-to-prague"),
    ("disco", "discovery-to-homer", "homer-too", "discovery-to-prague"),
)
OTHER_WORD = "nothing-that-homer-knows"
STATISTICS = "/sys/kernel/config/target/iscsi/{}/fabric_statistics/iscsi_login_stats/authenticate_fails"


def changed(login: int, word: int) -> Logins:
    """The right logins but for this word."""
    wrong = tuple(OTHER_WORD if n == word else said for n, said in enumerate(RIGHT[login]))
    return (wrong, RIGHT[1]) if login == 0 else (RIGHT[0], wrong)


def of_san(host: Prague, sessions: Login, discovery: Login) -> None:
    host.fault("chap" if sessions else "no-chap", TARGETS[0], *sessions)
    host.fault("discovery-chap" if discovery else "no-discovery-chap", *discovery)


def of_site(host: Prague, sessions: Login, discovery: Login) -> None:
    text = SITE
    for name, login in (("chap", sessions), ("discovery_chap", discovery)):
        text += table(name, login, tuple(f"/etc/mpio/{name}-{n}" for n in range(4))) if login else ""
        for n in range(1, len(login), 2):
            host.put(f"/etc/mpio/{name}-{n}", f"{login[n]}\n", 0o600)
    host.put(SITE_PATH, text)


# The site's logins, those of the SAN, and what is said: for each pair of the first target, or each portal.
WRONG: dict[str, tuple[Logins, Logins, str]] = {
    "password": (changed(0, 1), RIGHT, "MP302"),
    "name": (changed(0, 0), RIGHT, "MP302"),
    "the array's password": (changed(0, 3), RIGHT, "MP303"),
    "the array's name": (changed(0, 2), RIGHT, "MP303"),
    "no login on our side": (((), RIGHT[1]), RIGHT, "MP302"),
    "no login on the array's side": (RIGHT, ((), RIGHT[1]), "MP302"),
    "the array proves nothing": (RIGHT, (RIGHT[0][:2], RIGHT[1]), "MP303"),
    "discovery's password": (changed(1, 1), RIGHT, "MP214"),
    "discovery's name": (changed(1, 0), RIGHT, "MP214"),
    "the array's password for discovery": (changed(1, 3), RIGHT, "MP214"),
    "no login for discovery on our side": ((RIGHT[0], ()), RIGHT, "MP214"),
    "the array proves nothing in discovery": (RIGHT, (RIGHT[0], RIGHT[1][:2]), "MP214"),
}


def tried(host: Prague, name: str) -> tuple[str, float, int]:
    """(the finding's code, the seconds of `apply`, the logins that the array has counted as failed)"""
    ours, theirs, code = WRONG[name]
    of_san(host, *theirs)
    host.mpio("logout", TARGETS[0], "--yes")
    of_site(host, *ours)
    ran = host.mpio("apply", "--yes", "-o", "json", exits=4)
    said = [s for c, s in ran.found if c == code]
    of_target = {f"{iface} -> {portal} {target}" for iface, portal, target in PAIRS if target == TARGETS[0]}
    assert set(said) == ({f"portal {p}" for p in PORTALS} if code == "MP214" else of_target), (name, ran)
    assert ran.seconds < 60, (name, ran)
    assert not any(word in ran.out + ran.err for word in (*RIGHT[0][1::2], *RIGHT[1][1::2], OTHER_WORD)), ran
    refused = int(host.sh(f"cat {STATISTICS.format(TARGETS[0])}"))
    assert refused <= (2 if not ours[0] else 1), (name, refused)
    return code, round(ran.seconds, 1), refused


def test_a_wrong_password_is_named_soon_and_tried_once(applied: Prague) -> None:
    assert tried(applied, "password")[2] == 1


@pytest.mark.nightly
def test_each_wrong_login_is_named_soon_and_tried_once(guest: Guest) -> None:
    tell(**{name: tried(hosts.applied(guest), name) for name in WRONG})


# -- the whole life of a host --------------------------------------------------------------------------------------

ADDED = ("3600144f0f484400000004e8686210004", "hydra_db-a03")
LEFT_OUT = '[[lun]]\nwwid = "{}"\nalias = "{}"\n'.format(*ADDED)
KINDS = ("node.session", "discovery.sendtargets")
HEALED = "[ $(ls /sys/class/iscsi_session | wc -l) = 4 ]"
LOOKS: tuple[tuple[str, ...], ...] = (
    ("verify", "-o", "json"),
    ("verify", "--nagios"),
    ("status", "-v"),
    ("status", "-o", "json"),
    *(("stat", flag) for flag in ("-g", "-i", "-a", "-t")),
    ("stat", "-p", "-P", "-o", "json"),
    ("plan", "-v"),
    ("plan", "-o", "json"),
    ("plan", "--script"),
    ("export",),
    ("export", "--textfile", "/root/metrics.prom"),
    ("report", "/root/report.html"),
    ("iface", "list"),
    ("lun", "list", "-o", "json"),
    ("multipath", "render"),
    ("explain", "MP302"),
)


def watched(mpio: Traced) -> None:
    """A watcher with an alert: it heals a session that was logged out by hand and tells of it, and ends."""
    host = mpio.host
    host.sh("systemd-run -q --unit web python3 /run/endpoints.py http 8027 /run/web")
    host.until("ss -Hltn 'sport = :8027' | grep -q LISTEN")
    mpio.mpio("watch", "--test-alert", "-v")
    strace = "strace -f -v -s 8192 --seccomp-bpf -qq -e signal=none -e trace=execve,execveat -o /run/traces/watch"
    streams = "-p StandardOutput=file:/root/watched.jsonl -p StandardError=journal"
    host.sh(f"systemd-run -q --unit watched {streams} {strace} mpio watch -o jsonl -v --record /root/watch-recorded")
    host.until("grep -q started /root/watched.jsonl", 120)
    host.sh(f"iscsiadm -m node -T {TARGETS[0]} -I sw-iscsi-0 --logout")
    host.until(HEALED, 300)
    host.until("grep -q session_added /root/watched.jsonl", 120)
    host.until("[ $(wc -l </run/web) -ge 3 ]", 240)
    host.sh("kill -TERM $(pgrep -P $(systemctl show -p MainPID --value watched))")
    host.until("grep -q stopped /root/watched.jsonl", 60)


@pytest.mark.nightly
def test_no_secret_leaves_its_places_in_the_whole_life_of_a_host(bare: Prague) -> None:
    guarded(bare, site=SITE.replace(LEFT_OUT, ""))
    mpio = Traced(bare)
    with spied(bare) as figures:
        nics = ("--nic", "eth1", "--nic", "eth2", "--portal", "10.10.8.90", "--portal", "10.10.9.90")
        mpio.mpio("init", *nics, "--file", "/root/new.toml", exits=None)
        for verb in (("preflight",), ("plan",), ("plan", "-o", "json"), ("plan", "--script")):
            mpio.mpio(*verb, exits=None)
        mpio.born("apply", "--yes", "-v", "-o", "json", "--record", "/root/recorded")
        assert pairs(bare) == PAIRS
        for look in LOOKS:
            mpio.mpio(*look, exits=None)
        mpio.mpio("init", "--adopt", "--file", "/root/adopted.toml", exits=None)
        mpio.mpio("lun", "add", ADDED[0], "--alias", ADDED[1], "--yes", "-v")
        bare.sh("sed -i 's/^replacement = 10/&\\nnoop_interval = 6/' /etc/mpio/site.toml")
        mpio.mpio("tune", "--yes", "-v")
        mpio.mpio("login", "--renew", "--yes", "-v")
        mpio.mpio("offline", "eth2", "--yes", "--logout")
        mpio.mpio("online", "eth2", "--yes")
        mpio.mpio("logout", TARGETS[0], "--yes", "-v")
        mpio.mpio("login", TARGETS[0], "--yes", "-v")
        mpio.mpio("discover", "-v")
        watched(mpio)
        mpio.mpio("history", "-o", "json")
        mpio.mpio("drill", "eth1", "--yes", "-o", "json", exits=None)
        mpio.mpio("support", "/root/support.tar.gz", "-v")
        kept = records(bare)
        lived = ransacked(bare, "/dev/vda")
        mpio.mpio("teardown", "--yes", "-v")
    assert len(kept) == 6, kept
    assert mpio.births["loose"] == [], mpio.births
    assert mpio.births["files"] == dict.fromkeys(kept, "0600"), mpio.births
    holds_only(lived, *SECRET_FILES, *kept)
    over = ransacked(bare, "/dev/vda")
    holds_only(over, *SECRET_FILES)
    for found in (lived, over):
        # Free blocks keep what a deleted record held, and no file system takes that back: nothing else ever was there.
        places = {"a file of its own", *(f"{kind}.auth.password{end}" for kind in KINDS for end in ("", "_in"))}
        assert found["device"].keys() <= places, found["device"]
    tell(traced=mpio.figures(), proc=figures, alive=lived, over=over, births=mpio.births)
