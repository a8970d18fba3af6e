"""CHAP of sessions and of discovery, one-way and mutual: it works, what is wrong is named, and no secret is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mpio.lab.san import GUIDE, Chap
from vm.hosts import SITE, SITE_PATH, TARGETS, Prague
from vm.readback import PAIRS, PORTALS, SERVICES
from vm.test_portals import logged_out, pairs

# What a login of each kind takes: this host's name and secret, then the array's.
SESSIONS = ("prague", "session-to-homer", "homer", "session-to-prague")
DISCOVERY = ("disco", "discovery-to-homer", "homer-too", "discovery-to-prague")
WORDS = [word for login in (SESSIONS, DISCOVERY) for word in login[1::2]]
FILES = {word: f"/etc/mpio/key-{number}" for number, word in enumerate(WORDS)}
OF_PORTALS = {("MP214", f"portal {portal}") for portal in PORTALS}
GUARDED = replace(
    GUIDE,
    targets=tuple(replace(target, chap=Chap(*SESSIONS)) for target in GUIDE.targets),
    discovery_chap=Chap(*DISCOVERY),
)
ISCSID = "journalctl -b -o cat -u iscsid -u open-iscsi -u multipathd"


def secret(host: Prague, word: str, text: str = "") -> None:
    """The file that the site takes this secret from; with a `text` of another than the array's."""
    host.put(FILES[word], f"{text or word}\n", 0o600)


def table(name: str, login: tuple[str, ...]) -> str:
    keys = ("username", "password_file", "username_in", "password_in_file")
    values = (FILES.get(value, value) for value in login)
    return f"[san.{name}]\n" + "".join(f'{key} = "{v}"\n' for key, v in zip(keys, values, strict=False))


def site(host: Prague, sessions: tuple[str, ...] = (), discovery: tuple[str, ...] = ()) -> None:
    """The guide's site with these logins, its secret files right."""
    for word in (*sessions[1::2], *discovery[1::2]):
        secret(host, word)
    text = (table("chap", sessions) if sessions else "") + (table("discovery_chap", discovery) if discovery else "")
    host.put(SITE_PATH, SITE + text)


def subjects(target: str) -> set[str]:
    return {f"{iface} -> {portal} {name}" for iface, portal, name in PAIRS if name == target}


def records(host: Prague, folder: str) -> list[str]:
    """Those of node records (nodes) or discovery records (send_targets)."""
    return host.sh(f"find {host.database}/{folder} -type f").split()


def files(host: Prague) -> set[str]:
    return set(host.sh("find /etc /var/lib -type f").splitlines())


def seen_in(host: Prague) -> set[str]:
    """Every file that holds one of the secrets."""
    places = f"/etc /var/lib/mpio /var/lib/iscsi /var/log /run /root /tmp {host.database}"
    patterns = " ".join(f"-e {word}" for word in WORDS)
    return set(host.guest.sh(f"grep -rsIlF {patterns} {places}").out.split())


def refused(host: Prague, target: str) -> int:
    """How often the array itself has counted a wrong login."""
    stats = f"/sys/kernel/config/target/iscsi/{target}/fabric_statistics/iscsi_login_stats"
    return int(host.sh(f"cat {stats}/authenticate_fails"))


@pytest.mark.nightly
def test_wrong_secrets_are_named_and_right_ones_are_nowhere_but_in_their_files(applied: Prague) -> None:
    applied.fault("discovery-chap", *DISCOVERY)
    applied.fault("chap", TARGETS[0], *SESSIONS)
    logged_out(applied, TARGETS[0])
    site(applied, SESSIONS, DISCOVERY)

    secret(applied, SESSIONS[1], "not-what-homer-knows")
    secret(applied, DISCOVERY[1], "not-what-homer-knows")
    ours = applied.mpio("apply", "--yes", "-o", "json", exits=4)
    assert {s for code, s in ours.found if code == "MP302"} == subjects(TARGETS[0]), ours
    assert ours.found >= OF_PORTALS, ours
    assert refused(applied, TARGETS[0]) == 1  # two pairs, and an array counts

    site(applied, SESSIONS, DISCOVERY)
    secret(applied, SESSIONS[3], "not-what-homer-proves")
    secret(applied, DISCOVERY[3], "not-what-homer-proves")
    theirs = applied.mpio("apply", "--yes", "-o", "json", exits=4)
    assert {s for code, s in theirs.found if code == "MP303"} == subjects(TARGETS[0]), theirs
    assert theirs.found >= OF_PORTALS, theirs
    assert pairs(applied) == {pair for pair in PAIRS if pair[2] == TARGETS[1]}

    site(applied, SESSIONS, DISCOVERY)
    planned = applied.mpio("plan", "-o", "json", exits=3)
    script = applied.mpio("plan", "--script", exits=3)
    done = applied.mpio("apply", "--yes", "-v", "--record", "/root/recorded")
    assert pairs(applied) == PAIRS
    again = applied.mpio("plan", "-o", "json")
    assert again.json["steps"] == []
    looked = applied.mpio("verify", "-o", "json")
    # The other target's sessions were there before the site named a login.
    assert {code for code, _ in looked.found} == {"MP306"}, looked
    assert {s.partition(" ")[2].partition(" ")[2] for _, s in looked.found} == subjects(TARGETS[1]), looked

    for said in (ours, theirs, planned, script, done, again, looked):
        assert not any(word in said.out + said.err for word in WORDS), said
    assert int(applied.sh("find /root/recorded -type f | wc -l")) > 10
    holders = records(applied, "nodes") + records(applied, "send_targets")
    assert len(holders) == 6, holders
    assert seen_in(applied) == set(FILES.values()) | set(holders)
    assert set(applied.sh(f"stat -c %a {' '.join(holders)}").split()) == {"600"}
    assert not any(word in applied.sh(ISCSID) for word in WORDS)


@pytest.mark.nightly
def test_from_nothing_with_no_login_that_could_fail_over_a_reboot_and_back(bare: Prague) -> None:
    """An array locks out who tries too often: nothing may be asked before its record has the login."""
    bare.san(GUARDED)
    site(bare, SESSIONS, DISCOVERY)
    before = files(bare)
    first = bare.mpio("plan", "-o", "json", exits=3)
    assert first.json["complete"] is False
    assert not any("--discover" in step or "-m discovery " in step for step in first.steps("steps")), first
    ran = bare.mpio("apply", "--yes", "-o", "json", "--record", "/root/recorded")
    assert {code for code, _ in ran.found} <= {"MP212"}, ran
    assert pairs(bare) == PAIRS
    assert bare.mpio("plan", "-o", "json").json["steps"] == []
    asked = bare.sh("grep -l '^argv: .*--discover' /root/recorded/*").split()
    assert len(asked) >= 4
    assert set(bare.sh(f"grep -h ^code: {' '.join(asked)}").split()) == {"code:", "0"}
    assert [refused(bare, target) for target in TARGETS] == [0, 0]

    # Back after a reboot by open-iscsi's own unit.
    bare.guest.reboot()
    assert {unit: bare.sh(f"systemctl is-active {unit}").strip() for unit in SERVICES} == dict.fromkeys(
        SERVICES, "active"
    )
    assert pairs(bare) == PAIRS
    assert bare.mpio("verify", "--wait", "120", "-o", "json").found == set()
    assert bare.mpio("plan", "-o", "json").json["steps"] == []

    bare.mpio("teardown", "--yes")
    assert seen_in(bare) == set(FILES.values()) | {"/etc/mpio-lab/san.json"}
    assert not {
        path for path in files(bare) - before if path.startswith((bare.database, "/etc/iscsi", "/var/lib/mpio"))
    }


@pytest.mark.nightly
def test_switched_on_changed_and_taken_away_under_live_sessions(applied: Prague) -> None:
    sids = sorted(applied.walk()["sessions"])
    for target in TARGETS:
        applied.fault("chap", target, *SESSIONS[:2])
    applied.fault("discovery-chap", *DISCOVERY[:2])
    site(applied, SESSIONS[:2], DISCOVERY[:2])
    on = applied.mpio("apply", "--yes", "-o", "json")
    assert sum(code == "MP306" for code, _ in on.found) == 4, on
    assert sorted(applied.walk()["sessions"]) == sids
    assert "MP306" in {code for code, _ in applied.mpio("verify", "-o", "json").found}
    applied.mpio("login", "--renew", "--yes")
    assert not set(sids) & set(applied.walk()["sessions"])
    assert applied.mpio("verify", "-o", "json").found == set()

    for target in TARGETS:
        applied.fault("chap", target, SESSIONS[0], "another-secret")
    secret(applied, SESSIONS[1], "another-secret")
    plan = applied.mpio("plan", "-o", "json", exits=3)
    assert [(s["part"], s["kind"], "********" in s["diff"]) for s in plan.json["steps"]] == [
        ("discovery", "write", True)
    ] * 4
    changed = applied.mpio("apply", "--yes", "-o", "json")
    assert sum(code == "MP306" for code, _ in changed.found) == 4, changed
    # What the finding is about: a session that goes down comes back with what it was made with, and is refused.
    logged_out(applied, TARGETS[0])
    applied.mpio("apply", "--yes")
    assert pairs(applied) == PAIRS

    for target in TARGETS:
        applied.fault("no-chap", target)
    applied.fault("no-discovery-chap")
    site(applied)
    off = applied.mpio("apply", "--yes", "-o", "json")
    assert sum(code == "MP306" for code, _ in off.found) == 4, off
    assert records(applied, "send_targets") == []
    assert applied.guest.sh(f"grep -r -e auth.user -e auth.pass {applied.database}/nodes").code == 1
    applied.mpio("login", "--renew", "--yes")
    assert pairs(applied) == PAIRS
    assert applied.mpio("verify", "-o", "json").found == set()


@pytest.mark.nightly
def test_a_login_in_iscsid_conf_is_not_taken_from_the_records(bare: Prague) -> None:
    """The site names none, so it is the administrator's own: sessions come up with it, also after the next look."""
    for target in TARGETS:
        bare.fault("chap", target, *SESSIONS[:2])
    login = f"node.session.auth.username = {SESSIONS[0]}\nnode.session.auth.password = {SESSIONS[1]}\n"
    bare.sh(f"printf '{login}' >> /etc/iscsi/iscsid.conf; chmod 600 /etc/iscsi/iscsid.conf")
    script = bare.mpio("plan", "--script", exits=3)
    assert "/etc/iscsi/iscsid.conf holds a secret" in script.out
    plan = bare.mpio("plan", exits=3)
    ran = bare.mpio("apply", "--yes", "-o", "json")
    assert not any(SESSIONS[1] in said.out + said.err for said in (script, plan, ran))
    assert pairs(bare) == PAIRS
    assert bare.mpio("plan", "-o", "json").json["steps"] == []
    assert bare.sh(f"cat {' '.join(records(bare, 'nodes'))} | grep -c {SESSIONS[1]}").strip() == "4"


@pytest.mark.nightly
def test_records_of_others_are_given_back(bare: Prague) -> None:
    bare.sh("iscsiadm -m iface -I sw-iscsi-0 -o new")
    bare.sh("iscsiadm -m iface -I sw-iscsi-0 -o update -n iface.net_ifacename -v eth1")
    bare.sh("iscsiadm -m discovery -t st -p 10.10.8.90 -I sw-iscsi-0")
    bare.sh(f"iscsiadm -m node -T {TARGETS[1]} -o update -n node.session.auth.password -v of-somebody-else")
    database = bare.database
    bare.sh(f"cp -a {database} /root/before")
    for target in TARGETS:
        bare.fault("chap", target, *SESSIONS)
    bare.fault("discovery-chap", *DISCOVERY)
    site(bare, SESSIONS, DISCOVERY)
    bare.mpio("apply", "--yes")
    assert pairs(bare) == PAIRS
    assert not any(word in bare.text("/var/lib/mpio/memory.json") for word in WORDS)
    gone = bare.mpio("teardown", "--yes")
    assert "node.session.auth.password" in gone.err
    assert not any(word in gone.out + gone.err for word in (*WORDS, "of-somebody-else"))
    # Its secret was never kept, so this one record has mpio's login and nothing else of mpio's.
    differs = bare.guest.sh(f"diff -r -x static /root/before {database} | grep '^[<>]'").out.splitlines()
    assert {line.split()[1].rpartition(".")[0] for line in differs if "node." in line} == {"node.session.auth"}, differs
    assert sum(line.startswith("> node.session.auth.password ") for line in differs) == 1, differs
