from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace

import fakes
import pytest

from mpio import console, topology, view
from mpio.console import Console
from mpio.errors import Interrupted, MpioError, UsageError
from mpio.findings import finding
from mpio.step import Command, Part, Write

SITE = fakes.guide_site()
HOST = fakes.guide_host()
LUNS = topology.luns(SITE, HOST, topology.pairs(SITE, HOST))
Capture = pytest.CaptureFixture[str]


def test_results_go_to_stdout_and_words_to_stderr(capsys: Capture) -> None:
    talk = Console()
    talk.out("result")
    talk.say("word")
    talk.ran("iscsiadm -m node")
    assert capsys.readouterr() == ("result\n", "word\n+ iscsiadm -m node\n")


def test_a_document_stands_in_its_frame(capsys: Capture) -> None:
    Console(json=True).document("status", 0, {"luns": ["é"]})
    assert json.loads(capsys.readouterr().out) == {"format": 1, "command": "status", "exit": 0, "luns": ["é"]}


def test_a_stream_has_an_object_a_line(capsys: Capture) -> None:
    talk = Console(json=True, lines=True)
    talk.now('{"probe": 0}')
    talk.document("stat", 0, {"view": "probe"})
    assert capsys.readouterr().out == '{"probe": 0}\n{"format": 1, "command": "stat", "exit": 0, "view": "probe"}\n'


def test_only_a_stream_ends_when_its_reader_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    gone = open(theirs, "w")  # noqa: PTH123, SIM115 - a descriptor has no path
    monkeypatch.setattr(sys, "stdout", gone)
    with pytest.raises(BrokenPipeError):
        Console().now("a line")
    Console().out("what is left")
    Console().flush()
    Console().now("its output is nothing by now")
    gone.close()


def test_an_error_as_words(capsys: Capture) -> None:
    Console().error("plan", UsageError("there is no x", "write one"))
    assert capsys.readouterr() == ("", "mpio: there is no x\n  write one\n")


def test_an_error_as_json_goes_to_stdout(capsys: Capture) -> None:
    Console(json=True).error("plan", UsageError("there is no x", "write one"))
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "format": 1,
        "command": "plan",
        "exit": 2,
        "error": {"code": "usage", "message": "there is no x", "hint": "write one"},
    }
    assert err == ""


def test_an_error_in_colour_is_coloured_and_no_more(capsys: Capture) -> None:
    Console(color="always").error("plan", MpioError("bad \x1b[2J", "\x07"))
    assert capsys.readouterr().err == "\x1b[31mmpio:\x1b[0m bad \\x1b[2J\n  \\x07\n"


@pytest.mark.parametrize(
    ("color", "no_color", "wanted"),
    [("always", "1", True), ("always", "", True), ("never", "", False), ("auto", "1", False), ("auto", "", False)],
)
def test_colours(monkeypatch: pytest.MonkeyPatch, color: str, no_color: str, wanted: bool) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    assert Console(color=color).colored("x", "red") == ("\x1b[31mx\x1b[0m" if wanted else "x")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\rb\x00", "a\\x0db\\x00"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202eabc", "\\x202eabc"),
        ("é", "é"),
    ],
)
def test_nothing_from_outside_is_a_control_sequence(text: str, shown: str) -> None:
    assert console.clean(text) == shown


def test_a_step_is_a_reason_and_a_deed(capsys: Capture) -> None:
    talk = Console()
    talk.step(Command(Part.LOGIN, "there is none", ("iscsiadm", "it's")))
    talk.step(Write(Part.SYSCTL, "it is 1", "/proc/x", "2\n", before="1\n"))
    assert capsys.readouterr().out.splitlines() == [
        "login      there is none",
        "             iscsiadm 'it'\"'\"'s'",
        "sysctl     it is 1",
        "             --- /proc/x",
        "             +++ /proc/x",
        "             @@ -1 +1 @@",
        "             -1",
        "             +2",
    ]


def test_findings_have_a_remedy_but_for_infos(capsys: Capture) -> None:
    Console().findings([finding("MP203", "eth1", "carrier is 0"), finding("MP411", "3600", "")])
    assert capsys.readouterr().out.splitlines() == [
        "MP203 error  the NIC eth1 has no carrier",
        "    carrier is 0",
        "    -> check the cable and the switch port; `ip link set eth1 up` if it is down",
        "MP411 info  the LUN 3600 is not in the site file",
    ]


def test_tables(capsys: Capture) -> None:
    talk = Console()
    talk.host(replace(HOST, sessions=HOST.sessions[:1]))
    talk.luns(HOST, LUNS[:1])
    assert capsys.readouterr().out.splitlines() == [
        "IFACE       NIC    ADDRESS        MTU    LINK    RP_FILTER",
        "sw-iscsi-0  eth1   10.10.8.14/24  1500   up      2",
        "sw-iscsi-1  eth2   10.10.9.14/24  1500   up      2",
        "",
        f"SID    IFACE       NIC    PORTAL           {'TARGET':<{len(fakes.HOMER_1)}}  STATE      RECOVERY",
        f"1      sw-iscsi-0  eth1   10.10.8.90:3260  {fakes.HOMER_1}  LOGGED_IN  10 s",
        "LUN             WWID                               DM    SIZE    PATHS    OVER                 STATE",
        f"hydra_apps-a01  {fakes.APPS_A01}  dm-0  1 GiB   4 of 4   2 ifaces, 2 portals  healthy",
    ]


def test_what_is_not_known_is_a_dash_or_a_question(capsys: Capture) -> None:
    talk = Console()
    session = replace(HOST.sessions[0], recovery_tmo=None, nic="")
    talk.host(replace(HOST, nics=(), ifaces=HOST.ifaces[:1], sessions=(session,)))
    talk.luns(HOST, [replace(LUNS[0], expected=None, usable=(), size=None, alias="", dm="")])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1] == ["sw-iscsi-0", "eth1", "-", "-", "off", "-"]
    assert rows[4][2] == "-"
    assert rows[4][-1] == "off"
    assert rows[6][:6] == ["-", fakes.APPS_A01, "-", "-", "0", "of"]
    assert rows[6][6] == "?"


def test_nothing_is_no_table(capsys: Capture) -> None:
    talk = Console()
    talk.host(fakes.bare_host())
    talk.luns(HOST, ())
    talk.findings(())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536 << 20, "1.5 GiB"), (3 << 40, "3 TiB")],
)
def test_sizes(count: int | None, shown: str) -> None:
    assert console.size(count) == shown


def test_what_portals_say_stands_a_line_a_target(capsys: Capture) -> None:
    found = {"portal": "10.10.8.90:3260", "tpgt": 1, "target": "iqn.x", "wanted": True, "why": None}
    half = {**found, "why": "b: it is far"}
    out = {**found, "wanted": False, "why": "no glob in san.targets takes it"}
    portal: dict[str, object] = {"portal": "10.10.8.90:3260", "ifaces": ["a", "b"], "code": 0, "said": None}
    Console().asked(
        [
            {**portal, "found": [found, half, out]},
            {**portal, "found": []},
            {**portal, "code": None, "ifaces": [], "found": []},
            {**portal, "code": 24, "said": "not \x1b[2J for you", "found": []},
        ]
    )
    head, *rows = [[cell for cell in line.split("  ") if cell] for line in capsys.readouterr().out.splitlines()]
    assert [cell.strip() for cell in head] == ["ASKED", "THROUGH", "TARGET", "PORTAL", "TPGT", "SITE"]
    assert [[cell.strip() for cell in row[1:]] for row in rows] == [
        ["a b", "iqn.x", "10.10.8.90:3260", "1", "takes it"],
        ["a b", "iqn.x", "10.10.8.90:3260", "1", "takes it (b: it is far)"],
        ["a b", "iqn.x", "10.10.8.90:3260", "1", "leaves it out: no glob in san.targets takes it"],
        ["a b", "names no target", "-", "-", "-"],
        ["-", "no answer", "-", "-", "-"],
        ["a b", "not \\x1b[2J for you", "-", "-", "-"],
    ]


def test_the_budget_of_each_lun_as_a_table(capsys: Capture) -> None:
    off = replace(LUNS[1], queueing="forever", paths=())
    host = replace(HOST, sessions=tuple(replace(s, recovery_tmo=5) for s in HOST.sessions))
    Console().budgets(HOST, (LUNS[0], off), SITE)
    Console().budgets(host, LUNS[:1], SITE)
    _, heads, *rows, _, _, other = [re.split(" {2,}", line) for line in capsys.readouterr().out.splitlines()]
    assert heads == ["STALL BY", "OFFLINE", "RESET", "LINK", "SILENCE", "THEN QUEUE", "RECOVERY"]
    timers = ["10 s (at most 12.3)", "20 s (at most 23.5)", "20 s (at most 23.5)"]
    assert rows == [
        ["hydra_apps-a01", "0 s (at most 1)", *timers, "60 s", "10 s"],
        ["hydra_db-a01", "?", "?", "?", "?", "forever", "?"],
    ]
    assert other[2:] == ["5 s (at most 6.7)", *["15 s (at most 17.9)"] * 2, "60 s", "5 s, not the record's 10"]


def test_luns_that_wait_alike_share_a_line(capsys: Capture) -> None:
    said = "worst stall 20 s (at most 23.5 s), then I/O"
    Console().worst(HOST, LUNS, SITE)
    Console().worst(HOST, LUNS[:1], SITE)
    Console().worst(HOST, (replace(LUNS[0], queueing="off"), *LUNS[1:]), SITE)
    assert capsys.readouterr().out.splitlines() == [
        f"all 4 LUNs: {said} is held for 60 s",
        f"hydra_apps-a01: {said} is held for 60 s",
        f"hydra_apps-a01: {said} fails",
        f"hydra_db-a01, hydra_db-a02, hydra_db-a03: {said} is held for 60 s",
    ]


def test_the_ifaces_of_a_list_stand_under_those_of_the_site(capsys: Capture) -> None:
    host = replace(HOST, ifaces=(HOST.ifaces[0], replace(HOST.ifaces[1], nic="eth1")))
    Console().ifaces(view.iface_list(SITE, host))
    Console().ifaces(view.iface_list(None, replace(host, ifaces=())))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        ["IFACE", "NIC", "HWADDRESS", "ADDRESS", "MTU", "LINK", "RP_FILTER", "SESSIONS", "SITE"],
        ["sw-iscsi-0", "eth1", "00:0c:29:94:5b:83", "10.10.8.14/24", "1500", "up", "2", "2", "yes"],
        ["sw-iscsi-1", "eth1", "00:0c:29:94:5b:83", "10.10.8.14/24", "1500", "up", "2", "2", "wants", "eth2"],
    ]


def test_a_question_is_no_markup_and_a_closed_terminal_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    said = iter(["y", ""])
    monkeypatch.setattr("builtins.input", lambda *_: next(said))
    Console().confirm("Remove 1LIO_[/x]\x1b[31m?")
    assert "Remove 1LIO_[/x]\\x1b[31m?" in capsys.readouterr().err
    assert Console().ask("Alias of 1LIO_[/bold]", "lun[/]1") == "lun[/]1"

    def closed(*_: object) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    for ask in (Console().confirm, Console().ask):
        with pytest.raises(Interrupted):
            ask("Anything?")
