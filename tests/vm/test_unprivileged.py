"""Who is not root: what they are shown of a host, what they are told that they cannot see, and that nothing changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vm import hosts
from vm.hosts import Prague

SEES = (("status", 0), ("verify", 1), ("plan", 1), ("export", 0), ("report /tmp/user/page.html", 0))
MORE = (
    ("stat -g", 0),
    ("lun list", 0),
    ("multipath render", 0),
    ("explain MP101", 0),
    ("support /tmp/user/bundle.tar.gz", 0),
    ("history", 1),
    ("preflight", 1),
    ("verify --nagios", 3),
    ("plan --script", 1),
)
CHANGES = (
    *("apply", "login", "logout", "teardown", "tune", "offline eth1", "online eth1", "drill", "login --renew"),
    *("lun add 3600144f0f484400000004e8685e70001", "lun remove hydra_db-a01", "lun resize hydra_db-a01", "lun rescan"),
    *("lun adopt", "iface add mpio-x eth1", "iface remove sw-iscsi-0", "watch --install"),
)
AS_NOBODY = """
TOLD='import json, sys
print(json.dumps([sys.argv[1], int(sys.argv[2]), open("/tmp/out").read(), open("/tmp/err").read()]))'
cd /
mkdir -p -m 0777 /tmp/user && chmod 0777 /tmp/user
while read -r verb; do
    setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH="$PATH" mpio $verb </dev/null >/tmp/out 2>/tmp/err
    code=$?
    python3 -c "$TOLD" "$verb" $code
done
"""
RECORDS, REMEMBERS = "the node records", "what mpio remembers"


def as_nobody(host: Prague, *verbs: str) -> dict[str, tuple[int, str, str]]:
    """Each verb with its exit code and what it said."""
    lines = "".join(f"{verb}\n" for verb in verbs)
    said = host.guest.check("sh", "-c", AS_NOBODY, stdin=lines.encode(), timeout=600)
    found: dict[str, tuple[int, str, str]] = {}
    for verb, code, out, err in map(json.loads, said.splitlines()):
        assert "Traceback" not in out + err, (verb, out, err)
        found[verb] = (code, out, err)
    return found


def documents(host: Prague, verbs: tuple[tuple[str, int], ...]) -> dict[str, Any]:
    told = as_nobody(host, *(f"{verb} -o json" for verb, _ in verbs))
    for verb, code in verbs:
        assert told[f"{verb} -o json"][0] == code, told[f"{verb} -o json"]
    return {verb: json.loads(told[f"{verb} -o json"][1]) for verb, _ in verbs}


def test_a_user_sees_what_the_kernel_shows_and_is_told_what_not(applied: Prague) -> None:
    before = applied.state(hosts.FILES)
    said = documents(applied, (*SEES, ("apply --yes", 1)))
    assert [(lun["usable_paths"], lun["expected_paths"]) for lun in said["status"]["luns"]] == [(4, None)] * 4
    for verb in ("status", "export"):
        assert {RECORDS, REMEMBERS} <= set(said[verb]["unseen"])
    # Neither healthy nor failed: not known.
    assert (said["verify"]["state"], said["verify"]["drift"], said["verify"]["error"]["code"]) == (
        None,
        None,
        "not-allowed",
    )
    assert (said["plan"]["complete"], said["plan"]["steps"]) == (False, [])
    for verb in ("verify", "plan"):
        assert RECORDS in {f["subject"] for f in said[verb]["findings"] if f["code"] == "MP101"}
    assert said["apply --yes"]["error"] == {
        "code": "not-root",
        "message": "`mpio apply` changes the host, which takes root",
        "hint": "sudo mpio apply",
    }
    assert applied.state(hosts.FILES) == before


@pytest.mark.nightly
def test_every_verb_of_a_user(applied: Prague) -> None:
    before = applied.state(hosts.FILES, hosts.KERNEL)
    told = as_nobody(applied, *(verb for verb, _ in (*SEES, *MORE)))
    assert {verb: code for verb, (code, _, _) in told.items()} == dict((*SEES, *MORE))
    for verb in ("status", "verify", "plan", "export", "stat -g", "lun list"):
        assert RECORDS in told[verb][1] + told[verb][2], verb
    for verb, (code, out, _) in as_nobody(applied, *(f"{verb} --yes -o json" for verb in CHANGES)).items():
        assert (code, json.loads(out)["error"]["code"]) == (1, "not-root"), verb
    assert applied.state(hosts.FILES, hosts.KERNEL) == before


@pytest.mark.nightly
def test_a_user_is_told_of_a_failure_that_anybody_can_see(applied: Prague) -> None:
    """Without multipathd nobody but root sees paths; without sessions anybody sees that there are none."""
    applied.sh("systemctl stop multipathd.socket multipathd.service")
    said = documents(applied, (("status", 0), ("verify", 1), ("plan", 3)))
    assert {lun["state"] for lun in said["status"]["luns"]} == {"unknown"}
    assert "the state of paths in the device mapper" in said["status"]["unseen"]
    assert [step["part"] for step in said["plan"]["steps"]] == ["services"]
    applied.sh("systemctl start multipathd.service")
    applied.mpio("logout", "--yes", exits=None)
    applied.mpio("login", "--yes", "sw-iscsi-0", exits=None)
    applied.sh(
        "for d in /sys/block/sd*/device/state; do case $(readlink -f $d) in *session*) echo offline >$d;; esac; done"
    )
    said = documents(applied, (("verify", 5),))
    assert said["verify"]["state"] == "failed"
    assert as_nobody(applied, "verify --nagios")["verify --nagios"][0] == 2


@pytest.mark.nightly
def test_state_that_others_could_have_written_is_refused(applied: Prague) -> None:
    """Each for itself, on a host that is applied: one sentence, and nothing is touched."""
    for spoil, mend, code in (
        ("chmod 0666 /etc/mpio/site.toml", "chmod 0644 /etc/mpio/site.toml", 2),
        ("chmod 0777 /etc/mpio", "chmod 0755 /etc/mpio", 2),
        ("chown 65534 /etc/mpio", "chown 0 /etc/mpio", 2),
        ("chown 65534 /etc/mpio/site.toml", "chown 0 /etc/mpio/site.toml", 2),
        ("chmod 0777 /var/lib/mpio", "chmod 0700 /var/lib/mpio", 1),
        ("chown 65534 /var/lib/mpio", "chown 0 /var/lib/mpio", 1),
        ("chmod 0666 /var/lib/mpio/memory.json", "chmod 0600 /var/lib/mpio/memory.json", 1),
        ("chmod 0777 /run/mpio", "chmod 0755 /run/mpio", 1),
        ("chown 65534 /run/mpio/lock", "chown 0 /run/mpio/lock", 1),
        (
            "mv /run/mpio /run/kept && ln -s /tmp /run/mpio && chmod 0777 /tmp",
            "rm /run/mpio && mv /run/kept /run/mpio",
            1,
        ),
        ("echo '{}' >/run/mpio/drill.json && chmod 0666 /run/mpio/drill.json", "rm /run/mpio/drill.json", 1),
    ):
        applied.sh(spoil)
        before = applied.state(hosts.FILES, hosts.KERNEL)
        ran = applied.mpio("apply", "--yes", exits=code)
        assert ran.err.startswith("mpio: "), (spoil, str(ran))
        assert len(ran.err.splitlines()) <= 4, (spoil, str(ran))
        assert applied.state(hosts.FILES, hosts.KERNEL) == before, spoil
        applied.sh(f"{mend}; chmod 1777 /tmp")
    assert applied.mpio("apply", "--yes", "-o", "json").json["done"] == []
