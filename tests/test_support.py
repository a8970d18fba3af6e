"""`mpio support`: what is in the bundle, that no secret is, and that nothing on the host changes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import stat
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import fakes
import pytest
import recordings
from test_commands import HOST, Mpio, Shows, run, shows, site

from mpio import questions, recording, redact, support
from mpio.commands import call
from mpio.errors import ProgramFailed
from mpio.files import Files
from mpio.host import Host
from mpio.machine import Machine
from mpio.program import Done
from mpio.replay import Replay
from mpio.run import checked
from mpio.support import Gathering

__all__ = ["run", "shows", "site"]
LOCKING = {"iscsiadm-iface", "iscsiadm-session-P3"}
SECRETS = (
    "session-to-homer",
    "disco-to-prague",
    "hunter2-of-the-mail",
    "TokenOfTheChat",
    "exec-word-0815",
    "old-key-4711",
)
SITE = """
[san.chap]
username = "prague"
password_file = "/etc/mpio/chap"
[[watch.alert]]
on = ["failed"]
url = "mailto://joe:hunter2-of-the-mail@example.org"
[[watch.alert]]
on = ["failed"]
url_file = "/etc/mpio/alert-url"
[[watch.alert]]
on = ["failed"]
exec = ["/usr/local/sbin/page", "exec-word-0815"]
"""
TREE = {
    "/etc/mpio/chap": "session-to-homer\n",
    "/etc/mpio/alert-url": "slack://TokenOfTheChat/BBBBBBBBB\n",
    "/etc/iscsi/iscsid.conf": "node.startup = manual\nnode.session.auth.password = old-key-4711\n",
    "/etc/iscsi/nodes/iqn.x/10.0.0.1,3260,1/sw": "node.session.auth.password_in = session-to-homer\n",
    "/etc/iscsi/send_targets/10.0.0.1,3260/st_config": "discovery.sendtargets.auth.password = disco-to-prague\n",
    "/etc/multipath.conf": "defaults {\n}\n",
    "/etc/multipath/conf.d/90-mpio.conf": "# ours\n",
    "/var/lib/mpio/memory.json": "{}\n",
    "/var/lib/mpio/history/events.jsonl": "{}\n",
    "/run/mpio/notes": "what was said: disco-to-prague\n",
    "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "/var/lib/dpkg/status": "Package: open-iscsi\nStatus: install ok installed\nVersion: 2.1.8-1\n\n",
}
LOG = """\
iscsid: login with c2Vzc2lvbi10by1ob21lcg== failed
multipathd: old-key-4711
iscsid: 68756e746572322d6f662d7468652d6d61696c
"""


@dataclass(frozen=True)
class Talking:
    """The recorded host's programs, with a journal that has secrets in it."""

    recorded: Replay

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        if argv[0] == "journalctl":
            return Done(argv, 0, "kernel: sd 2:0:0:10: old-key-4711\n" if "-k" in argv else LOG, "")
        if argv[0] == "multipath":
            return checked(Done(argv, 1, "", "multipath: not with old-key-4711\n"), ok)
        return self.recorded(*argv, ok=ok, timeout=timeout, stdin=stdin)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Path, shows: Shows) -> Path:
    """A host's files below a folder; the looks see the guide's host, and the programs are those of a recording."""
    top = tmp_path / "root"
    for path, text in TREE.items():
        place = top / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    there = top / str(site)[1:]
    there.parent.mkdir(parents=True)
    there.write_text(f"{site.read_text()}{SITE}")
    (top / "etc/multipath/bindings").mkdir()  # where a file should be
    shows(HOST)
    monkeypatch.setattr(call, "Files", partial(Files, str(top)))
    monkeypatch.setattr(call, "Runner", lambda **_: Talking(recordings.replay("bookworm", "sane")))
    return top


def members(path: Path) -> dict[str, str]:
    with tarfile.open(path) as tar:
        files = {one.name.removeprefix("mpio-support/"): tar.extractfile(one) for one in tar.getmembers()}
        return {name: file.read().decode() for name, file in files.items() if file}


def spelt(secret: str) -> Iterator[str]:
    data = secret.encode()
    yield from (secret, data.hex(), data.hex().upper(), base64.b64encode(data).decode().rstrip("="))
    yield from (base64.b64encode(b"\0" * n + data).decode()[4:-4] for n in (1, 2))


def sums(top: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in top.rglob("*") if p.is_file()}


def test_everything_is_there_but_no_secret(run: Mpio, root: Path, tmp_path: Path) -> None:
    before, to = sums(root), tmp_path / "x.tar.gz"
    said = run("support", "/x.tar.gz", "-o", "json")
    assert (said.code, said.err) == (0, "")
    document = said.json
    made = root / "x.tar.gz"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert (document["path"], document["bytes"]) == ("/x.tar.gz", made.stat().st_size)
    made.rename(to)
    assert sums(root) == before
    inside = members(to)
    assert {m["name"] for m in document["members"]} == set(inside)
    expected = {"README.txt", "about.json", "status.json", "verify.json", "report.html"}
    expected |= {"journal/units.txt", "journal/kernel.txt", "host/etc/multipath.conf", "host/var/lib/mpio/memory.json"}
    expected |= {"host/etc/iscsi/send_targets/10.0.0.1,3260/st_config", "host/etc/os-release", "host/run/mpio/notes"}
    expected |= {"host/var/lib/mpio/history/events.jsonl"}
    assert expected <= set(inside)
    assert not {"host/etc/mpio/chap", "host/etc/mpio/alert-url"} & set(inside)
    verified = run("verify", "-o", "json").json
    assert json.loads(inside["verify.json"]) == verified
    assert verified["state"] == "healthy"
    assert verified["luns"][0]["budget"]["worst"]
    assert json.loads(inside["status.json"])["luns"][0]["usable_paths"] == 4
    assert json.loads(inside["about.json"])["versions"]["open-iscsi"] == "2.1.8-1"
    for name, text in inside.items():
        for secret in SECRETS:
            assert not [s for s in spelt(secret) if s in text], (name, secret)
    assert "node.session.auth.password = ********" in inside["host/etc/iscsi/iscsid.conf"]
    assert 'url = "mailto://********"' in next(t for n, t in inside.items() if n.endswith("site.toml"))
    # what failed is a line of the index, and what was asked is a recording like any other
    assert "multipath-t" in "".join(document["failed"])
    assert "multipath-t" in inside["README.txt"]
    kept = [recording.load(text) for name, text in inside.items() if name.startswith("recordings/")]
    assert {done.argv[0] for done in kept} >= {"ip", "dmsetup", "multipathd", "iscsiadm", "systemctl", "sh"}


def test_it_says_where_it_is_and_what_could_not_be_seen(run: Mpio, root: Path) -> None:
    said = run("support", "/x.tar.gz")
    assert said.code == 0
    assert said.out.startswith("/x.tar.gz: ")
    assert "could not see multipath-t" in said.err
    assert not any(secret in said.out + said.err for secret in SECRETS)


@pytest.mark.parametrize("name", ["", "-", "folder/", "."])
def test_what_is_no_file_is_refused(run: Mpio, root: Path, name: str) -> None:
    assert run("support", name, "-o", "json").json["error"]["code"] == "usage"


def test_a_site_file_that_cannot_be_used_is_no_reason_to_give_up(run: Mpio, root: Path, site: Path) -> None:
    site.write_text("format = ")
    (root / str(site)[1:]).write_text('format = \nurl = "mailto://joe:hunter2-of-the-mail@example.org"\n')
    said = run("support", "/x.tar.gz", "-o", "json")
    assert said.code == 0
    assert any(what.startswith("the site file: ") for what in said.json["failed"])
    inside = members(root / "x.tar.gz")
    assert "verify.json" not in inside
    assert "hunter2" not in "".join(inside.values())


def test_who_is_not_root_gets_what_there_is(run: Mpio, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said = run("support", "/x.tar.gz", "-o", "json")
    assert said.code == 0
    assert "root" in said.json["failed"][0]
    inside = members(root / "x.tar.gz")
    assert "status.json" in inside
    assert "only root may see what the site expects" in inside["report.html"]


def test_no_file_that_somebody_else_laid_there_is_replaced(run: Mpio, root: Path) -> None:
    (root / "x.tar.gz").touch()
    os.chown(root / "x.tar.gz", 12345, 12345)
    said = run("support", "/x.tar.gz", "-o", "json")
    assert (said.code, said.json["error"]["code"]) == (1, "cannot-write")
    assert "is owned by user 12345" in said.json["error"]["message"]
    assert (root / "x.tar.gz").stat().st_size == 0


def test_a_folder_that_is_not_there_is_said_before_anything_is_asked(run: Mpio, root: Path) -> None:
    said = run("support", "/none/x.tar.gz", "-o", "json")
    assert (said.code, said.json["error"]["code"]) == (1, "cannot-write")
    assert not (root / "none").exists()


def test_an_archive_of_the_same_host_is_the_same(
    run: Mpio, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    names = []
    for name in ("/a.tar.gz", "/b.tar.gz"):
        assert run("support", name).code == 0
        with tarfile.open(fileobj=io.BytesIO((root / name[1:]).read_bytes())) as tar:
            names.append([(one.name, one.mode, one.mtime) for one in tar.getmembers()])
    assert names[0] == names[1]
    assert [name for name, _, _ in names[0]] == sorted(name for name, _, _ in names[0])


# -- looking -------------------------------------------------------------------------------------------------------


def test_a_program_that_never_answers_is_not_waited_for() -> None:
    got, never = Gathering.of(Machine(Talking(Replay([])), Files())), threading.Event()
    assert got.tried("a held program", never.wait, 0.05) is None
    assert got.failed == ["a held program: no answer within 0.05 s"]
    never.set()


def test_all_together_take_no_longer_than_they_may() -> None:
    got = Gathering.of(Machine(Talking(Replay([])), Files()))
    got.end = time.monotonic() - 1
    assert got.tried("one more", list) is None
    assert got.failed == ["one more: not asked, the others took 420 s"]


def test_a_mistake_of_our_own_is_neither_waited_for_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: told.set())
    got = Gathering.of(Machine(Talking(Replay([])), Files()))
    assert got.tried("a mistake", lambda: int("none")) is None
    assert got.failed == ["a mistake: mpio made a mistake there"]
    assert told.wait(30)


def test_a_file_of_secrets_that_is_none_does_not_make_a_million_patterns(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {n}\n" for n in range(10_000)))
    got = Gathering.of(Machine(Talking(Replay([])), Files(str(tmp_path))))
    assert len(support.secrets_of(got, redact.Named(files=frozenset({"/log"})))) == support.LINES


def test_what_fails_is_a_sentence() -> None:
    got = Gathering.of(Machine(Talking(Replay([])), Files()))

    def fails() -> None:
        raise ProgramFailed("`iscsiadm -m session` ended with 7")

    assert got.tried("sessions", fails) is None
    assert got.failed == ["sessions: `iscsiadm -m session` ended with 7"]


@pytest.mark.parametrize(
    ("host", "left_out"),
    [
        (fakes.guide_host(), {"journalctl", *LOCKING}),
        (fakes.bare_host(), {"journalctl", "multipathd", "dmsetup", "iscsiadm-session", *LOCKING}),
        (replace(fakes.guide_host(), units=()), {"journalctl", "multipathd", *LOCKING}),
    ],
)
def test_only_what_changes_nothing_is_asked(host: Host, left_out: set[str]) -> None:
    asked = questions.harmless(host)
    missing = {name for name in questions.OF_HOST if name not in asked}
    assert missing == {name for name in questions.OF_HOST if name.startswith(tuple(left_out))}


def test_files_are_found_as_sh_finds_them(tmp_path: Path) -> None:
    for name in ("b.conf", "a.conf", ".hidden.conf", "c.txt"):
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / name).write_text(name)
    got = Gathering.of(Machine(Talking(Replay([])), Files(str(tmp_path))))
    assert support.matching(got, "/d/*.conf") == ["/d/a.conf", "/d/b.conf"]
    assert support.matching(got, "/none/*/x") == []
    assert support.text(got, "/d") is None
    assert support.text(got, "/d/none") is None
    assert got.failed == []
