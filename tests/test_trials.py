"""Sessions that are made for a look: whose they are, how they end, and how iscsiadm is called for them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from fakes import APPS_A01, HOMER_1, HOMER_2, PORTAL_8, PORTAL_9

from mpio.findings import finding
from mpio.host import Host, Map, Pair, Portal, Session, User
from mpio.plan import ending
from mpio.plan.shape import Share
from mpio.program import Done
from mpio.proposing import trials
from mpio.site import SiteIface
from mpio.step import Command, Write
from mpio.tools import iscsiadm, iscsitrial, udevadm
from mpio.tools.iscsierr import Code

IFACES = (SiteIface("sw-iscsi-0", "eth1"), SiteIface("sw-iscsi-1", "eth2"))
HOST = fakes.guide_host()
NICS = {"mpio-init-0": "eth1", "mpio-init-1": "eth2"}
WAYS = {n.pair: n.tpgt for n in HOST.nodes}


def tried(**changes: object) -> Host:
    """The guide's host with its four sessions made by a trial, and nothing in the database."""
    sessions = tuple(
        replace(s, pair=replace(s.pair, iface=s.pair.iface.replace("sw-iscsi-", "mpio-init-"))) for s in HOST.sessions
    )
    bare = replace(fakes.bare_host(), sessions=sessions, paths=HOST.paths, maps=HOST.maps)
    return replace(bare, **changes)  # type: ignore[arg-type]


def test_every_way_is_due_where_nobody_has_a_session() -> None:
    assert trials.ifaces(IFACES) == {"mpio-init-0": "eth1", "mpio-init-1": "eth2"}
    due = trials.due(fakes.bare_host(), IFACES, WAYS)
    assert due == {
        Pair(f"mpio-init-{n}", portal, target): tpgt
        for n in (0, 1)
        for portal, target, tpgt in ((PORTAL_8, HOMER_1, 2), (PORTAL_9, HOMER_2, 3))
    }


def test_somebodys_session_will_do() -> None:
    assert trials.due(HOST, IFACES, WAYS) == {}
    assert trials.looked_at(HOST, IFACES, WAYS) == {s.sid for s in HOST.sessions}
    lost = replace(HOST, sessions=(replace(HOST.sessions[0], state="FAILED"), *HOST.sessions[1:]))
    (pair,) = trials.due(lost, IFACES, WAYS)
    assert pair.iface == "mpio-init-0"
    assert trials.looked_at(lost, IFACES, WAYS) == {s.sid for s in HOST.sessions[1:]}


def test_only_the_trials_sessions_end_in_one_call() -> None:
    assert trials.ended(HOST) == Share()
    (step,) = trials.ended(tried(maps=())).steps
    assert isinstance(step, Command)
    script = step.argv[-1]
    assert script.count(" -o new ") == 4
    assert script.endswith("iscsiadm -m node --logout")
    assert "mpio-init-0" in script
    assert "sw-iscsi" not in script


def test_maps_on_these_sessions_alone_are_flushed_first() -> None:
    steps = trials.ended(tried()).steps
    assert [s.argv[:2] for s in steps if isinstance(s, Command)] == [("multipath", "-f")] * 4 + [("unshare", "--mount")]
    mixed = tried(sessions=(HOST.sessions[0], *tried().sessions[1:]))
    assert len(trials.ended(mixed).steps) == 1


def test_what_somebody_uses_keeps_its_sessions() -> None:
    used = tried(users=(User("dm-0", "mount", "/srv"),), maps=(Map("lun10", APPS_A01, "dm-0"),))
    assert trials.ended(used).refused == (finding("MP408", "lun10", "mount /srv on dm-0"),)
    assert trials.ended(used).steps == ()


def test_teardown_ends_what_a_killed_init_left() -> None:
    steps = ending.teardown(tried()).steps
    assert len([s for s in steps if isinstance(s, Command) and s.argv[0] == "unshare"]) == 1
    rules = [(s.path, s.text) for s in steps if isinstance(s, Write) and s.path.startswith("/run/udev/")]
    assert rules == [(path, None) for path in udevadm.left_alone(iscsitrial.PREFIX)]
    assert "/run/udev" not in str(ending.teardown(HOST).steps)
    assert not [s for s in ending.teardown(HOST).steps if isinstance(s, Command) and s.argv[0] == "unshare"]


@pytest.mark.parametrize(("code", "row"), [(24, "MP302"), (19, "MP303"), (8, "MP301"), (0, "MP301"), (99, "MP301")])
def test_a_pair_without_a_session_is_told(code: int, row: str) -> None:
    pair = Pair("mpio-init-0", PORTAL_8, HOMER_1)
    (found,) = trials.told(NICS, [pair], fakes.bare_host(), {pair: code} if code else {})
    assert (found.code, found.subject) == (row, f"eth1 -> {PORTAL_8} {HOMER_1}")


def test_a_session_without_a_lun_is_told() -> None:
    host = tried()
    due = [s.pair for s in host.sessions]
    assert tuple(trials.told(NICS, due, host, {})) == ()
    empty = replace(host, paths=tuple(p for p in host.paths if p.sid != host.sessions[0].sid))
    (found,) = trials.told(NICS, due, empty, {})
    assert (found.code, found.detail) == ("MP308", "it shows no LUN at all")


# -- iscsiadm ------------------------------------------------------------------------------------------------------


def test_an_ask_is_the_usual_one_behind_the_stage() -> None:
    ran = []

    def run(*argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b"") -> Done:
        ran.append((argv, ok, timeout))
        return Done(argv, 0, f"{PORTAL_8},2 {HOMER_1}\n", "")

    asked = iscsiadm.discovery(iscsitrial.through(run, NICS), PORTAL_8, list(NICS))
    assert (asked.code, len(asked.found)) == (0, 1)
    ((argv, ok, timeout),) = ran
    assert argv == iscsitrial.argv(NICS, iscsiadm.discover(PORTAL_8, list(NICS), why="").argv)
    assert (ok, timeout) == (tuple(Code), iscsiadm.DISCOVERY_LIMIT)
    assert argv[:4] == ("unshare", "--mount", "--", "sh")


def test_the_stage_writes_ifaces_and_copies_what_is_there(tmp_path: Path) -> None:
    """The script itself, its mounts left out and its places moved below a folder."""
    etc, work = tmp_path / "etc/iscsi", tmp_path / "work"
    (etc / "send_targets/10.10.8.90,3260").mkdir(parents=True)
    (etc / "iscsid.conf").write_text("node.startup = manual\n")
    (etc / "send_targets/10.10.8.90,3260/link").symlink_to("../../nodes/gone")
    work.mkdir()
    *head, script, name = iscsitrial.argv({}, ())[:-1]
    script = script.replace("/etc/iscsi", str(etc)).replace("/var/lib/iscsi", str(tmp_path / "var"))
    script = script.replace("/tmp/db", str(work / "db"))
    fake = tmp_path / "mount"
    fake.write_text('#!/bin/sh\necho "$@" >>"$0.said"\n')
    fake.chmod(0o755)
    assert head[-2:] == ["sh", "-c"]
    words = ["mpio-init-0", "eth1", "odd name", "", "--", "echo", "it runs", "-x"]
    done = subprocess.run(
        ["sh", "-c", script, name, *words],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "it runs -x\n"
    db = work / "db"
    assert (db / "ifaces/mpio-init-0").read_text().splitlines() == [
        "iface.iscsi_ifacename = mpio-init-0",
        "iface.net_ifacename = eth1",
        "iface.transport_name = tcp",
    ]
    assert (db / "iscsid.conf").read_text() == "node.startup = manual\n"
    assert (db / "send_targets/10.10.8.90,3260/link").is_symlink()
    assert (tmp_path / "mount.said").read_text().splitlines() == [
        "-t tmpfs -o mode=0700 mpio /tmp",
        f"--bind {db} {etc}",
    ]


def test_a_login_is_one_call_for_all_pairs() -> None:
    due = trials.due(fakes.bare_host(), IFACES, WAYS)
    argv = iscsitrial.login(NICS, due)
    script = argv[-1]
    assert argv[-3:-1] == ("sh", "-c")
    assert (script.count(" -o new "), script.count(" -o update ")) == (4, 1)
    assert script.endswith(" && iscsiadm -m node --login")
    assert f"-p {PORTAL_8},2 -I mpio-init-0" in script
    assert "node.session.initial_login_retry_max -v 1" in script


def test_login_errors_are_read_by_pair() -> None:
    said = f"""\
iscsiadm: Could not login to [iface: mpio-init-1, target: {HOMER_2}, portal: 10.10.9.90,3260].
iscsiadm: initiator reported error (24 - iSCSI login failed due to authorization failure)
iscsiadm: Could not login to [iface: mpio-init-0, target: {HOMER_1}, portal: fd00::90,3261].
iscsiadm: Could not log into all portals
"""
    assert iscsitrial.parse_login_errors(said) == {
        Pair("mpio-init-1", PORTAL_9, HOMER_2): 24,
        Pair("mpio-init-0", Portal("fd00::90", 3261), HOMER_1): 1,
    }
    assert iscsitrial.parse_login_errors("iscsiadm: No records found\n") == {}


def test_the_rules_name_the_trials_sessions_alone() -> None:
    first, second = udevadm.left_alone(iscsitrial.PREFIX).values()
    assert "^mpio-init- /sys%p/../../../../iscsi_session" in first
    assert first.count("\n") == second.count("\n") == 1
    assert second.startswith('ACTION!="remove", SUBSYSTEM=="block", KERNEL=="sd*", ENV{MPIO_INIT}=="1", ')


def test_a_session_of_another_name_is_nobodys() -> None:
    strange = Session(1, 1, Pair("mpio-initial", PORTAL_8, HOMER_1), "eth1", 2, "LOGGED_IN")
    assert trials.ours(replace(HOST, sessions=(strange,))) == ()
