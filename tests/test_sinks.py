"""Alerts delivered for real: a mail server and an HTTP endpoint on loopback, programs that hang, fail and shout."""

from __future__ import annotations

import datetime
import http.server
import json
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_incidents import ALL, LINK, PAIRS, WELL, look, unplanned

from mpio import redact, settle
from mpio.alerts import delivery, testing
from mpio.alerts.sinks import Alerts, Patience
from mpio.commands import call
from mpio.errors import UsageError
from mpio.files import Files
from mpio.machine import Machine
from mpio.run import Runner
from mpio.site import Alert
from mpio.watch import beginning, changes
from mpio.watch.event import Event, Name, Severity, stamped
from mpio.watch.hands import Hands
from mpio.watch.seen import Seen

MACHINE = Machine(Runner(), Files())
QUICK = Patience(first=0.1, longest=0.3, given=60, look=0.01, owner=os.geteuid())
LOST = look(["eth1", "eth2"], ALL, ALL, count=12)
SECRET = "geheim-geheim"


def lost(n: int) -> Event:
    lun = LOST.luns[n]
    detail = f"{lun.alias} has no usable path"
    return Event(Name.LUN_FAILED, Severity.FAILED, lun.alias, detail, root=f"NIC eth{n}", wwid=lun.wwid)


class Clock:
    """Alerts and what drives them: time goes on as it does, but for what a test skips."""

    def __init__(self, *alerts: Alert, patience: Patience = QUICK, machine: Machine = MACHINE) -> None:
        self.alerts = Alerts(alerts, machine, patience)
        self.skipped = 0.0
        self.seen = WELL
        self.slowest = 0.0
        self.events: list[Event] = []

    @property
    def now(self) -> float:
        return time.monotonic() + self.skipped

    def take(self, *events: Event, seen: Seen | None = None) -> None:
        self.seen = seen or self.seen
        self.alerts.take(events, self.seen, self.now)

    def lose(self, n: int = 0) -> None:
        """A LUN of its own cause is lost; the time of gathering is over."""
        self.take(lost(n), seen=LOST)
        self.skipped += 1.5

    def tick(self) -> None:
        begin = time.monotonic()
        said = self.alerts.tick(self.now)
        self.slowest = max(self.slowest, time.monotonic() - begin)
        self.events += said
        if said:
            self.alerts.take(said, self.seen, self.now)  # as the watcher does with every event

    def until(self, done: Callable[[], object], within: float = 60) -> None:
        end = time.monotonic() + within
        while not done():
            assert time.monotonic() < end, self.events
            self.tick()
            time.sleep(0.005)

    def settle(self) -> None:
        """Until nothing is under way and nothing waits."""
        self.tick()
        self.until(lambda: not any(s.under_way or s.queue for s in self.alerts._sinks))


class Web:
    """An HTTP endpoint that keeps what it is sent. `answers` is what it answers with."""

    def __init__(self, port: int = 0, answers: int = 200) -> None:
        kept = self.kept = []  # type: list[dict[str, str]]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                kept.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(answers)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", port), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/{SECRET}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


class Mail(socketserver.StreamRequestHandler):
    """As much SMTP as it takes to be sent a mail."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        kept: list[str] = []
        while line := self.rfile.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while (text := self.rfile.readline()) not in (b".\r\n", b""):
                    kept.append(text.decode())
            self.wfile.write(b"250 fine\r\n" if word != b"QUIT" else b"221 bye\r\n")
            if word == b"QUIT":
                break
        if kept:
            self.server.mails.append("".join(kept))  # type: ignore[attr-defined]


@pytest.fixture
def mail() -> Iterator[socketserver.ThreadingTCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        server.mails = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of one who accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def program(path: Path, text: str) -> tuple[str, ...]:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return (str(path),)


def test_a_mail_is_delivered(mail: socketserver.ThreadingTCPServer) -> None:
    port = mail.server_address[1]
    clock = Clock(Alert(url=f"mailto://127.0.0.1:{port}?from=mpio@dom.prague&to=ops@dom.prague"))
    clock.lose()
    clock.settle()
    assert clock.events == []
    (said,) = mail.mails  # type: ignore[attr-defined]
    assert f"Subject: [failed] {os.uname().nodename}: NIC eth0; 1 LUN without a usable path" in " ".join(said.split())
    assert "To: ops@dom.prague" in said


def test_an_http_endpoint_gets_loss_and_recovery_and_nobody_waits(web: Web) -> None:
    clock = Clock(Alert(url=web.url))
    clock.lose()
    clock.settle()
    clock.take(Event(Name.LUN_RECOVERED, Severity.RECOVERED, "lun-0", root="NIC eth0"), seen=WELL)
    clock.skipped += 6
    clock.settle()
    assert [m["type"] for m in web.kept] == ["failure", "success"]
    assert web.kept[0]["title"].endswith(": NIC eth0; 1 LUN without a usable path")
    assert web.kept[1]["title"].endswith(" s; 1 LUN whole again")
    assert clock.slowest < 1


def test_a_program_gets_the_event_with_the_message_as_json(tmp_path: Path) -> None:
    clock = Clock(
        Alert(
            exec=program(
                tmp_path / "page",
                f'read -r line && printf %s "$line" >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/told',
            )
        )
    )
    clock.take(*changes.between(WELL, LINK), seen=LINK)
    clock.skipped += 1.5
    clock.settle()
    told = json.loads((tmp_path / "told").read_text())
    assert {k: told[k] for k in ("format", "event", "severity", "subject", "nic", "iface", "cause", "root")} == {
        "format": 1,
        "event": "link_down",
        "severity": "degraded",
        "subject": "eth1",
        "nic": "eth1",
        "iface": "sw-iscsi-0",
        "cause": "link down",
        "root": "NIC eth1",
    }
    assert told["title"] == f"[degraded] {os.uname().nodename}: NIC eth1: link down; 8 of 16 paths of 4 LUNs lost"
    assert told["luns"][0] | {"wwid": ""} == {"wwid": "", "alias": "lun-0", "usable_paths": 2, "expected_paths": 4}
    assert told["counts"]["paths_lost"] == 8
    assert (told["duration"], told["host"]) == (None, os.uname().nodename)
    assert told["message"].splitlines()[1] == "Seen: eth1 has no carrier; it carries 2 sessions."


def test_an_endpoint_that_is_down_gets_all_in_order_once_it_is_up(web: Web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    clock = Clock(Alert(url=f"json://127.0.0.1:{port}/{SECRET}"), Alert(on=("alert_failed", "failed"), url=web.url))
    clock.lose(1)
    clock.until(lambda: clock.events)
    clock.lose(2)
    clock.until(lambda: clock.alerts._sinks[0].tries >= 3)
    with Web(port) as late:
        clock.settle()
        clock.skipped += 10
        clock.settle()
        assert [m["title"].split(";")[0][-4:] for m in late.kept] == ["eth1", "eth2"]
    (failed,) = clock.events
    assert (failed.name, failed.severity, failed.subject) == (
        Name.ALERT_FAILED,
        Severity.INFO,
        "alert 1 (json://********)",
    )
    assert "Connection refused" in failed.detail
    assert SECRET not in failed.detail
    clock.until(lambda: len(web.kept) == 3)
    assert [m["title"] for m in web.kept if "alert_failed" in m["title"]]


def test_one_that_accepts_and_never_answers_holds_nobody_back(deaf: int, web: Web, tmp_path: Path) -> None:
    """Not even its own children: all that it started is ended at its time limit."""
    hangs = program(tmp_path / "hangs", f"sleep 600 & echo $! >{tmp_path}/pid; wait")
    clock = Clock(
        Alert(url=f"json://127.0.0.1:{deaf}/?rto=60", timeout=1), Alert(exec=hangs, timeout=1), Alert(url=web.url)
    )
    begin = time.monotonic()
    clock.lose()
    clock.until(lambda: web.kept and len(clock.events) == 2)
    assert time.monotonic() - begin < 60
    assert {e.detail for e in clock.events} == {
        "alert 1 (json://********): did not end within 1 s; tried again for 1 min",
        f"alert 2 ({tmp_path}/hangs): did not end within 1 s; tried again for 1 min",
    }
    assert clock.slowest < 1
    begin = time.monotonic()
    clock.alerts.stop(0.3)
    assert time.monotonic() - begin < 5
    assert len(web.kept) == 1
    inner = int((tmp_path / "pid").read_text())
    clock.until(lambda: not _runs(inner))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_message_is_given_up_after_its_time_and_that_is_said_once(tmp_path: Path) -> None:
    clock = Clock(
        Alert(on=("failed", "alert_failed"), exec=program(tmp_path / "no", "echo 'no credit' >&2; exit 3")),
        patience=replace(QUICK, given=30),
    )
    for n in range(3):
        clock.lose(n)
        clock.tick()
    clock.until(lambda: clock.events and not clock.alerts._sinks[0].under_way)
    clock.skipped += 60
    clock.settle()
    assert [e.detail.partition(": ")[2].partition(";")[0] for e in clock.events] == ["no credit", "no credit"]
    assert "a message was given up after" in clock.events[1].detail
    program(tmp_path / "no", f"cat >{tmp_path}/told")
    clock.lose(9)
    clock.settle()
    assert "3 older messages were dropped." in json.loads((tmp_path / "told").read_text())["message"]


def test_two_that_fail_do_not_tell_each_other_for_ever(tmp_path: Path) -> None:
    no = [program(tmp_path / name, "exit 1") for name in ("a", "b")]
    clock = Clock(
        *(Alert(on=("failed", "alert_failed"), exec=one) for one in no), patience=replace(QUICK, given=5, longest=1)
    )
    clock.lose()
    for _ in range(100):
        clock.tick()
        time.sleep(0.005)
        clock.skipped += 2
    clock.settle()
    assert len(clock.events) <= 4
    assert clock.alerts.deadline is not None  # the loss is open


def test_a_queue_is_bounded_and_repeats_go_first(tmp_path: Path) -> None:
    no = program(tmp_path / "no", "exit 1")
    clock = Clock(Alert(exec=no, repeat=60), patience=replace(QUICK, most=5, first=1000, longest=1000))
    clock.lose(0)
    for _ in range(20):
        clock.skipped += 61
        clock.alerts._sinks[0].put(clock.alerts._sinks[0].incidents.tick(clock.now), clock.now)
    for n in range(1, 5):
        clock.lose(n)
        clock.alerts._sinks[0].put(clock.alerts._sinks[0].incidents.tick(clock.now), clock.now)
    (sink,) = clock.alerts._sinks
    assert [p.message.roots[0] for p in sink.queue if not p.message.repeat] == [f"NIC eth{n}" for n in range(5)]
    assert len(sink.queue) == 5
    assert sink.dropped >= 16


def test_the_file_with_the_url_is_read_at_each_delivery_and_must_be_ours_alone(tmp_path: Path, web: Web) -> None:
    path = tmp_path / "url"
    path.write_text(f"{web.url}\n")
    path.chmod(0o644)
    clock = Clock(Alert(url_file=str(path)))
    clock.lose()
    clock.until(lambda: clock.events)
    assert clock.events[0].detail.startswith(f"alert 1 ({path}): {path} has mode 0644: others may read it")
    path.chmod(0o600)
    clock.settle()
    assert len(web.kept) == 1
    path.write_text("no url\n")
    clock.lose(2)
    clock.until(lambda: len(clock.events) == 2)
    assert f"{path} is no URL" in clock.events[1].detail


def test_a_secret_is_in_no_words_of_ours(tmp_path: Path, web: Web) -> None:
    said: list[str] = []
    machine = Machine(Runner(say=said.append, record=str(tmp_path / "record")), Files())
    shouts = program(tmp_path / "shouts", 'echo "who is $1, and $2?" >&2; exit 1')
    with Web(answers=500) as angry:
        clock = Clock(
            Alert(url=angry.url.replace("//", "//joe:pass-word-1@")),
            Alert(exec=(*shouts, "--token=token-1234", "plain-secret")),
            machine=machine,
        )
        clock.lose()
        clock.until(lambda: len(clock.events) == 2)
    clock.alerts.stop(0)
    text = "\n".join([*said, *(e.detail for e in clock.events)])
    text += "".join(p.read_text() for p in (tmp_path / "record").iterdir())
    assert "error=500" in text
    assert "who is --token=********, and ********?" in text
    for secret in ("pass-word-1", SECRET, "token-1234", "plain-secret"):
        assert secret not in text
    assert any("mpio.alerts.deliver" in line for line in said)


def test_what_waits_stays_when_the_site_changes(tmp_path: Path, web: Web) -> None:
    no = program(tmp_path / "no", "exit 1")
    first = Alert(exec=no)
    clock = Clock(first, Alert(url="json://127.0.0.1:9/x"))
    clock.lose()
    clock.until(lambda: len(clock.events) == 2)
    program(tmp_path / "no", f"cat >{tmp_path}/told")
    clock.alerts.change((Alert(url=web.url), replace(first, timeout=5)))
    clock.settle()
    assert json.loads((tmp_path / "told").read_text())["event"] == "lun_failed"
    assert web.kept == []  # it was not there when it happened
    clock.alerts.stop(1)


def test_the_end_sends_what_was_gathered(tmp_path: Path) -> None:
    clock = Clock(Alert(exec=program(tmp_path / "page", f"cat >{tmp_path}/told")))
    clock.take(lost(0), seen=LOST)
    clock.alerts.stop(60)  # it comes back as soon as all is delivered
    assert json.loads((tmp_path / "told").read_text())["severity"] == "failed"
    assert not clock.alerts.pending


def test_a_watcher_that_died_is_followed_by_one_that_knows_what_was_told(tmp_path: Path, web: Web) -> None:
    alert, keep = Alert(url=web.url), str(tmp_path / "kept")
    first = Clock(alert)
    first.alerts = Alerts((alert,), MACHINE, QUICK, keep)
    first.lose()
    first.settle()
    first.tick()
    first.take(lost(1), seen=LOST)  # and it dies before it has told this
    second = Clock(alert)
    second.skipped = first.skipped
    second.alerts = Alerts((alert,), MACHINE, QUICK, keep)
    second.take(beginning.started(LOST, "acts"), seen=LOST)
    second.settle()
    assert len(web.kept) == 1
    second.skipped += 31
    second.settle()
    assert "found at the start; 11 LUNs without a usable path" in web.kept[-1]["title"]
    second.take(*changes.between(LOST, look(count=12)), seen=look(count=12))
    second.skipped += 6
    second.settle()
    assert {m["title"].partition(": ")[2].partition(":")[0] for m in web.kept if m["type"] == "success"} == {
        "NIC eth0",
        "what was found at the start",
    }
    assert SECRET not in (tmp_path / "kept").read_text()
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o600
    (tmp_path / "kept").write_text("[")
    assert Alerts((alert,), MACHINE, QUICK, keep).deadline is None


def test_one_that_was_corrected_is_told_what_is_open(tmp_path: Path) -> None:
    clock = Clock(Alert(exec=(f"{tmp_path}/paeg",)))
    clock.lose()
    clock.until(lambda: clock.events)
    clock.alerts.change((Alert(exec=program(tmp_path / "page", f"cat >{tmp_path}/told")),))
    clock.skipped += 31
    clock.settle()
    assert "found at the start; 12 LUNs without" in json.loads((tmp_path / "told").read_text())["title"]


def test_what_was_told_to_one_address_is_not_known_at_another(tmp_path: Path) -> None:
    """Though both are shown alike."""
    page = program(tmp_path / "page", "exit 0")
    keep = str(tmp_path / "kept")
    clock = Clock(Alert(exec=(*page, "joe")))
    clock.alerts = Alerts((Alert(exec=(*page, "joe")),), MACHINE, QUICK, keep)
    clock.lose()
    clock.settle()
    clock.tick()

    def recalled(*alerts: Alert) -> list[int]:
        return [len(one.open) for one in Alerts(alerts, MACHINE, QUICK, keep).incidents]

    assert recalled(Alert(exec=(*page, "ann"))) == [0]
    assert recalled(Alert(exec=(*page, "ann")), Alert(exec=(*page, "joe")), Alert(exec=(*page, "joe"))) == [0, 1, 0]
    text = Path(keep).read_text()
    salt = json.loads(text)["password"]
    assert len(salt) == 32
    assert salt not in redact.eraser(())(text)  # as in a support bundle, where the hashes then tell nothing


def test_a_look_without_events_ends_what_is_no_longer_wanted(tmp_path: Path, web: Web) -> None:
    hands = Hands.of(Machine(Runner(), Files(str(tmp_path))), None, print)
    hands.alerts = Alerts((Alert(url=web.url),), MACHINE, QUICK)
    dead = look(dead=[1])
    way = (PAIRS[1].iface, str(PAIRS[1].portal))
    hands.told(changes.between(WELL, dead), dead, time.monotonic())
    assert [one.items for one in hands.alerts.incidents[0].open] == [{("pair", *way)}]
    hands.looked(unplanned(1))
    assert [one.items for one in hands.alerts.incidents[0].open] == [set()]
    hands.close(0.1)


def test_a_program_ends_in_time_though_nobody_is_there_to_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "GRACE", 0.1)
    hangs = program(tmp_path / "hangs", f"sleep 600 & echo $! >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; wait")
    parcel = delivery.parcel(testing.message(Alert()), 0)
    delivery.Try(Alert(exec=hangs, timeout=1), parcel, MACHINE, notes=(), owner=0)
    settle.until((tmp_path / "pid").exists, 30)
    inner = int((tmp_path / "pid").read_text())
    assert settle.until(lambda: not _runs(inner), 30)


def test_a_service_that_no_signal_s_function_can_reach_is_ended_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that hangs in a library of C does."""
    (tmp_path / "apprise.py").write_text(
        "import itertools\n"
        "class AppriseAsset:\n    def __init__(self, **_): pass\n"
        "class Apprise(list):\n    def __init__(self, **_): pass\n    def add(self, url): return True\n"
        "    def notify(self, **_): sum(itertools.repeat(0))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    parcel = delivery.parcel(testing.message(Alert()), 0)
    begin = time.monotonic()
    under_way = delivery.Try(Alert(url="json://x", timeout=1), parcel, MACHINE, notes=(), owner=0)
    assert settle.until(under_way.ended, under_way.limit - 1)
    assert time.monotonic() - begin >= 1
    assert under_way.reason == "did not end within 1 s"


def test_nothing_to_do_is_nothing_to_wait_for(web: Web) -> None:
    clock = Clock(Alert(url=web.url), Alert(exec=("/bin/true",)))
    moments = [clock.alerts.deadline]
    clock.take(Event(Name.LUN_ADDED, Severity.INFO, "lun-0"))
    moments.append(clock.alerts.deadline)
    clock.lose()
    clock.settle()
    moments.append(clock.alerts.deadline)
    assert moments[:2] == [None, None]
    assert moments[2]
    assert moments[2] > clock.now + 14000  # to say it again


def test_names_from_an_array_cannot_write_lines_of_a_mail() -> None:
    message = replace(testing.message(Alert()), title="x\r\nBcc: all@example.org", text="a\x1b[31m\nb")
    parcel = delivery.Parcel(message, 0, datetime.datetime.now().astimezone(), "hydra")
    assert "\n" not in parcel.title()
    assert "\x1b" not in parcel.body()


def test_an_alert_has_the_time_of_its_event_and_a_message_of_none_its_own() -> None:
    (begun,) = stamped([lost(1)], datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.UTC))
    moment = datetime.datetime(2026, 11, 21, 16, 0, tzinfo=datetime.UTC)
    message = replace(testing.message(Alert()), lead=begun)
    parcel = delivery.Parcel(message, 0, moment, "hydra")
    assert parcel.document()["time"] == "2026-11-21T12:00:00.000+00:00"
    assert "2026-11-21 16:00:00" in parcel.body()
    parcel = delivery.Parcel(replace(message, lead=lost(1)), 0, moment, "hydra")
    assert parcel.document()["time"] == "2026-11-21T16:00:00.000+00:00"


def test_every_kind_of_alert_can_be_named() -> None:
    assert delivery.name(1, Alert(url="slack://TokenA/TokenB")) == "alert 1 (slack://********)"
    assert delivery.name(2, Alert(url_file="/etc/mpio/url")) == "alert 2 (/etc/mpio/url)"
    assert delivery.name(3, Alert(exec=("/bin/page", "secret"))) == "alert 3 (/bin/page)"


SITE = """
format = 1
[[iface]]
name = "sw-iscsi-0"
nic = "eth1"
[san]
portals = ["10.10.8.90"]
"""


def tries(tmp_path: Path, tables: str, output: str = "text") -> int:
    (tmp_path / "site.toml").write_text(SITE + tables)
    return testing.send(call.made("watch", site=str(tmp_path / "site.toml"), output=output), owner=os.geteuid())


def test_each_alert_is_tried_and_said_how_it_went(tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    page = program(tmp_path / "page", f"cat >{tmp_path}/told")
    tables = f"[[watch.alert]]\nurl = '{web.url}'\n[[watch.alert]]\nexec = ['{page[0]}', 'plain-secret']\n"
    assert tries(tmp_path, tables) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" in ")[0] for line in lines] == [
        "alert 1 (json://********): delivered",
        f"alert 2 ({page[0]}): delivered",
    ]
    assert [m["title"] for m in web.kept] == [f"[info] {os.uname().nodename}: test message, nothing has happened"]
    assert json.loads((tmp_path / "told").read_text())["event"] == "started"


def test_one_that_fails_and_one_that_hangs_are_named(
    tmp_path: Path, deaf: int, capsys: pytest.CaptureFixture[str]
) -> None:
    no = program(tmp_path / "no", "echo out of order >&2; exit 9")
    tables = f"[[watch.alert]]\nexec = {[*no]}\n[[watch.alert]]\nurl = 'json://127.0.0.1:{deaf}/?rto=60'\ntimeout = 1\n"
    assert tries(tmp_path, tables, "json") == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["command"], said["exit"]) == ("watch", 1)
    assert [(a["alert"], a["delivered"], a["detail"]) for a in said["alerts"]] == [
        (1, False, "out of order"),
        (2, False, "did not end within 1 s"),
    ]


def test_without_an_alert_there_is_nobody_to_try(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names nobody to alert"):
        tries(tmp_path, "")
