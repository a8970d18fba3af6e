"""Several at once: mpio beside itself, its watcher, iscsiadm, multipathd and an array that changes. Each waits or is
refused by name, and what comes out of it is a host as the site says.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mpio.lab.guest import Guest
from vm import hosts, watcher
from vm.hosts import ALIASES, SITE, SITE_PATH, TARGETS, Prague
from vm.readback import is_as_the_site_says

SOUND = Path(__file__).with_name("sound.py").read_bytes()
# Each is refused while another changes the host.
CHANGING = (
    ("apply", "--yes"),
    ("tune", "--yes"),
    ("login", "--yes"),
    ("login", "--renew", "--yes"),
    ("logout", "--yes"),
    ("offline", "eth1", "--yes"),
    ("online", "eth1", "--yes"),
    ("drill", "eth1", "--yes"),
    ("teardown", "--yes"),
    ("iface", "add", "sw-x", "eth1", "--yes"),
    ("iface", "remove", "sw-iscsi-0", "--yes"),
    ("lun", "add", next(iter(ALIASES)), "--yes"),
    ("lun", "remove", next(iter(ALIASES)), "--yes"),
    ("lun", "resize", next(iter(ALIASES)), "--yes"),
    ("lun", "adopt", "--yes"),
    ("lun", "rescan", "--yes"),
)
SHORT = tuple(words for words in CHANGING if words[0] in ("apply", "teardown") or words[:2] == ("lun", "add"))
LOOKING = (("status",), ("verify",), ("plan",), ("lun", "list"), ("export",), ("stat", "-g"))
RECORD = f"-m node -T {TARGETS[0]} -p 10.10.8.90:3260 -I sw-iscsi-0"
# By hand, with the programs' own words; what fails does so for its own reasons (no record yet, a session already).
BESIDE = {
    "discovery": "iscsiadm -m discovery -t st -p 10.10.8.90 -I sw-iscsi-0 -o nonpersistent",
    "update": f"iscsiadm {RECORD} -o update -n node.session.timeo.replacement_timeout -v 10",
    "logins": f"iscsiadm {RECORD} --login; sleep 1; iscsiadm {RECORD} --logout",
    "scans": "iscsiadm -m session -R",
    # one that holds the database's lock for four seconds before it lets go
    "lock": "strace -f -o /dev/null -e trace=unlink,unlinkat -e inject=unlink,unlinkat:delay_enter=4000000 "
    "iscsiadm -m iface",
    "reconfigure": "multipathd reconfigure; sleep 0.5",
    "restarts": "systemctl reset-failed multipathd; systemctl restart multipathd; sleep 2",
    "luns": f"lab-san fault unmap {TARGETS[1]} 13; iscsiadm -m session -R; sleep 1; lab-san fault map {TARGETS[1]} 13;"
    "iscsiadm -m session -R; sleep 1",
    "links": "lab-san fault link-down san1; sleep 1; lab-san fault link-up san1; sleep 4",
}


@contextmanager
def beside(host: Prague, *names: str) -> Iterator[None]:
    """Loops of these run meanwhile, each whole round to its end."""
    for name in names:
        host.put(
            f"/root/{name}.sh",
            f"while [ ! -e /run/stop ]; do ({BESIDE[name]}) >/dev/null 2>&1; echo >>/run/beside-{name}; done",
        )
    host.sh("rm -f /run/stop")
    for name in names:
        host.sh(f"rm -f /run/beside-{name}; systemd-run -q --unit loop-{name} sh /root/{name}.sh")
    try:
        for name in names:
            host.until(f"test -e /run/beside-{name}", 120)
        yield
    finally:
        host.sh("touch /run/stop")
        for name in names:
            host.until(f"! systemctl is-active -q loop-{name}", 120)


def is_documented(ran: hosts.Ran) -> None:
    """A documented end, no traceback; who had to give way was told to whom."""
    assert "Traceback" not in ran.out + ran.err, ran
    assert ran.code in (0, 1, 2, 3, 4, 5), ran
    if ran.code == 1:
        said = ran.json["error"] if ran.out.startswith("{") else {"code": "", "message": ran.err, "hint": ran.err}
        assert said["message"], ran
        assert said["hint"], ran
        if said["code"] == "busy" and "another mpio" in said["message"]:
            assert ", pid " in said["message"], ran
            assert "since" in said["message"], ran


def ends_well(host: Prague) -> None:
    """Once all others are still, one apply is enough."""
    ran = host.mpio("apply", "--yes", "-o", "json", exits=None)
    assert ran.code in (0, 4), ran  # 4: paths that multipathd has not checked again yet
    host.mpio("verify", "--wait", "120", timeout=300)
    assert host.mpio("plan", "-o", "json").json["steps"] == []
    is_as_the_site_says(host)
    assert json.loads(host.guest.check("python3", "-", "whole", stdin=SOUND)) == []


def at_once(host: Prague, *calls: tuple[str, ...]) -> list[hosts.Ran]:
    """All begin together; what each came to."""
    lines = [
        f"mpio {shlex.join(words)} -o json >/run/out-{n} 2>/run/err-{n}; echo $? >/run/code-{n}"
        for n, words in enumerate(calls)
    ]
    host.sh("set +e; rm -f /run/code-*; " + " ".join(f"({line}) &" for line in lines) + " wait", timeout=300)
    return [
        hosts.Ran(words, int(host.text(f"/run/code-{n}")), host.text(f"/run/out-{n}"), host.text(f"/run/err-{n}"), 0.0)
        for n, words in enumerate(calls)
    ]


# -- mpio beside mpio


def is_serialised(ran: list[hosts.Ran]) -> int:
    """Each was carried out or told who is at work; how many were."""
    for one in ran:
        is_documented(one)
        if one.code == 1:
            assert one.json["error"]["code"] == "busy", one
    return sum(one.code == 1 for one in ran)


@pytest.mark.nightly
def test_two_applies_on_a_bare_host(bare: Prague) -> None:
    ran = at_once(bare, ("apply", "--yes"), ("apply", "--yes"))
    assert is_serialised(ran) == 1, ran
    assert {one.code for one in ran} == {0, 1}, ran
    assert bare.mpio("plan", "-o", "json").json["steps"] == []
    is_as_the_site_says(bare)


def refused_while_held(host: Prague, verbs: tuple[tuple[str, ...], ...], looking: tuple[tuple[str, ...], ...]) -> None:
    """An apply that stands still in the middle: whoever else would change the host is told of it, whoever looks is not
    held up.
    """
    host.sh("rm /etc/sysctl.d/99-zz-mpio.conf; systemd-run -q --unit first mpio apply --yes")
    host.until("grep -q apply /run/mpio/lock && systemctl kill -s STOP first")
    pid = host.sh("systemctl show -P MainPID first").strip()
    for words in verbs:
        ran = host.mpio(*words, "-o", "json", exits=1)
        assert ran.json["error"]["code"] == "busy", ran
        assert f"apply, pid {pid}, since 2" in ran.json["error"]["message"], ran
    for words in looking:
        is_documented(host.mpio(*words, exits=None))
    host.sh("systemctl kill -s CONT first")
    host.until("! systemctl is-active -q first", 120)


def test_while_an_apply_is_at_work_nobody_else_changes_anything(applied: Prague) -> None:
    refused_while_held(applied, SHORT, LOOKING[:2])
    assert applied.mpio("plan", "-o", "json").json["steps"] == []


@pytest.mark.nightly
def test_every_changing_verb_is_refused_while_another_works(applied: Prague) -> None:
    refused_while_held(applied, CHANGING, LOOKING)
    ends_well(applied)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "first", [("offline", "eth1", "--yes"), ("lun", "remove", "hydra_db-a03", "--yes"), ("teardown", "--yes")]
)
def test_verbs_of_other_kinds_at_once(applied: Prague, first: tuple[str, ...]) -> None:
    ran = at_once(
        applied, first, ("apply", "--yes"), ("logout", "--yes"), ("lun", "rescan", "--yes"), ("tune", "--yes")
    )
    is_serialised(ran)
    applied.put(SITE_PATH, SITE)
    applied.mpio("online", "eth1", "--yes", exits=None)
    applied.mpio("login", "--yes", exits=None)
    ends_well(applied)


# -- beside the watcher


@pytest.mark.nightly
@pytest.mark.parametrize(
    "verb", [("apply", "--yes"), ("offline", "eth1", "--yes"), ("teardown", "--yes"), ("logout", "--yes")]
)
def test_beside_a_watcher_that_acts(guest: Guest, verb: tuple[str, ...]) -> None:
    """It heals and would fail sessions at once; what is ended on purpose it leaves alone."""
    host = hosts.bare(guest) if verb[0] == "apply" else hosts.applied(guest)
    watcher.site(host, 'fast_fail = "link"')
    watcher.begins(host)
    ran = host.mpio(*verb, "-o", "json")
    is_documented(ran)
    if verb[0] in ("teardown", "logout"):
        host.guest.check("sleep", "75", timeout=120)  # longer than heal waits for a session that ended well
        assert host.walk()["sessions"] == {}, ran
    said = watcher.ends(host)
    assert not [one for one in said if one["event"] == "fast_fail" and "failed at once" in one["detail"]], said
    host.put(SITE_PATH, SITE)
    host.mpio("online", "eth1", "--yes", exits=None)
    ends_well(host)


# -- beside other programs


@pytest.mark.nightly
@pytest.mark.parametrize("name", BESIDE)
def test_an_apply_from_nothing_beside(guest: Guest, name: str) -> None:
    host = hosts.bare(guest)
    host.sh("systemctl start multipathd iscsid; ls /run/lock/iscsi >/dev/null 2>&1 || true")
    with beside(host, name):
        for words in (("apply", "--yes"), ("verify",), ("status",), ("apply", "--yes")):
            is_documented(host.mpio(*words, "-o", "json", exits=None, timeout=300))
        rounds = host.sh(f"wc -l </run/beside-{name}")
    print(f"beside: {name}: {rounds.strip()} rounds")  # noqa: T201
    host.sh("lab-san heal")
    ends_well(host)


@pytest.mark.nightly
def test_luns_that_appear_and_vanish_while_one_is_added(applied: Prague) -> None:
    wwid, alias = list(ALIASES.items())[3]
    applied.mpio("lun", "remove", alias, "--yes")
    with beside(applied, "luns"):
        for words in (
            ("lun", "add", wwid, "--alias", alias, "--yes"),
            ("verify",),
            ("status",),
            ("lun", "rescan", "--yes"),
        ):
            is_documented(applied.mpio(*words, "-o", "json", exits=None, timeout=300))
    added = applied.mpio("lun", "add", wwid, "--alias", alias, "--yes", "-o", "json", exits=None)
    is_documented(added)
    ends_well(applied)


@pytest.mark.nightly
def test_beside_an_iscsiadm_that_holds_the_database(applied: Prague) -> None:
    """The short form: apply waits for it."""
    applied.sh(f"iscsiadm {RECORD} -o update -n node.startup -v manual")
    with beside(applied, "lock", "reconfigure"):
        ran = applied.mpio("apply", "--yes", "-o", "json", exits=None)
        is_documented(ran)
    assert ran.code in (0, 4), ran
    assert json.loads(applied.mpio("plan", "-o", "json").out)["steps"] == []
