"""`mpio stat` through its real entry: exit codes, what is refused, the stream and its ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fakes
import pytest

from mpio import cli, observe, sitefile
from mpio.host import Host, Nic, Pair, Portal, Session

TESTS = Path(__file__).parent
SITE = fakes.guide_site()
HOST = fakes.guide_host()
VIEWS = {"-g": "group", "-i": "interface", "-a": "address", "-t": "target"}
HEADS = {
    "-g": ["GROUP", "GROUPNAME", "STATE", "FDT", "INTERFACES"],
    "-i": ["INTERFACE", "ACTIVE", "GROUP", "FLAGS", "LINK", "PROBE", "STATE"],
    "-a": ["ADDRESS", "STATE", "GROUP", "INBOUND", "OUTBOUND"],
    "-t": ["INTERFACE", "MODE", "TESTADDR", "TARGETS"],
}


@dataclass
class Answered:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Mpio = Callable[..., Answered]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mpio:
    """`mpio` in this process, which sees the guide's host whatever it looks at."""
    path = tmp_path / "site.toml"
    path.write_text(sitefile.dump(SITE), encoding="utf-8")
    path.chmod(0o644)
    monkeypatch.setenv("MPIO_SITE", str(path))
    monkeypatch.setattr(observe, "host", lambda *_: HOST)

    def main(*argv: str) -> Answered:
        code = cli.main(["stat", *argv])
        said = capsys.readouterr()
        return Answered(code, said.out, said.err)

    return main


@pytest.mark.parametrize("option", VIEWS)
def test_a_view(run: Mpio, option: str) -> None:
    said = run(option, "-n")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0].split() == HEADS[option]
    assert len(said.out.splitlines()) == (5 if option == "-g" else 3)
    document = run(option, "-o", "json").json
    assert (document["command"], document["exit"], document["view"]) == ("stat", 0, VIEWS[option])
    assert [list(row) for row in document["rows"]] == [[h.lower() for h in HEADS[option]]] * len(document["rows"])


def test_a_view_with_its_long_option_and_no_site(run: Mpio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPIO_SITE", "/nowhere/site.toml")
    monkeypatch.setattr(observe, "host", lambda *_: replace(HOST, blind=("the node records",), root=False))
    assert run("--groups", "--numeric").code == 2  # a site that was named must be there
    monkeypatch.delenv("MPIO_SITE")
    said = run("--groups", "--numeric")
    assert (said.code, said.err) == (0, "could not see the node records\n")
    assert "hydra_apps-a01  dm-0" in said.out


def test_parseable(run: Mpio) -> None:
    said = run("-nP", "-a", "--fields", "address,state,inbound")
    assert said.out == "10.10.8.90:up:sw-iscsi-0 sw-iscsi-1\n10.10.9.90:up:sw-iscsi-0 sw-iscsi-1\n"


def test_names_of_the_resolver(run: Mpio, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair("sw-iscsi-0", Portal("127.0.0.1"), fakes.HOMER_1)
    host = replace(HOST, sessions=(replace(HOST.sessions[0], pair=pair),), nodes=(), paths=())
    monkeypatch.setattr(observe, "host", lambda *_: host)
    name, _ = socket.getnameinfo(("127.0.0.1", 0), socket.NI_NOFQDN)
    assert run("-aP", "--fields", "address", "--site", os.environ["MPIO_SITE"]).out.splitlines()[-1] == name
    assert "127.0.0.1" in run("-anP", "--fields", "address").out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((), "one view at a time, not 0"),
        (("-g", "-i"), "one view at a time, not 2"),
        (("-gP",), "--parseable needs the fields by name"),
        (("-gP", "--fields", "all"), "--parseable needs the fields by name"),
        (("-g", "--fields", "rtt"), "the group view has no field 'rtt'"),
        (("-p", "-o", "json"), "is a stream: --output takes jsonl"),
        (("-g", "-o", "jsonl"), "is no stream: --output takes json"),
        (("-gP", "--fields", "fdt", "-o", "json"), "--parseable is for text"),
        (("-x",), "No such option"),
    ],
)
def test_what_cannot_be_meant(run: Mpio, argv: tuple[str, ...], says: str) -> None:
    said = run(*argv)
    assert said.code == 2
    assert says in said.out + said.err
    assert "Traceback" not in said.err
    if "-o" in argv:
        assert said.json["error"]["code"] == "usage"


def test_only_streams_speak_in_lines(run: Mpio, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "-o", "jsonl"]) == 2
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_nothing_to_probe(run: Mpio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "host", lambda *_: Host())
    said = run("-p")
    assert (said.code, said.out) == (1, "")
    assert "there is no portal to probe" in said.err


# -- the stream, in a process of its own ---------------------------------------------------------------------------

STREAM = """
import os, sys
import test_stat_verb
from mpio import cli, observe
os.environ["MPIO_SITE"] = ""
host = test_stat_verb.local(int(sys.argv[1]))
observe.host = lambda *_: host
sys.exit(cli.main(["stat", "-p", *sys.argv[2:]]))
"""


def local(port: int) -> Host:
    """A host whose SAN is this machine's loopback: a portal that answers, and one that refuses."""
    ways = (Pair("one", Portal("127.0.0.1", port), "t"), Pair("one", Portal("127.0.0.2", port), "t"))
    sessions = tuple(Session(n, n, pair, "lo", 1, "LOGGED_IN", 10, 5, 5) for n, pair in enumerate(ways))
    return Host(nics=(Nic("lo", addresses=("127.0.0.1/8",), carrier=True),), sessions=sessions)


@pytest.fixture
def portal() -> Iterator[int]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen(50)
        yield one.getsockname()[1]


def started(portal: int, *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STREAM, str(portal), *argv],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines(stream: subprocess.Popen[str], count: int) -> list[str]:
    assert stream.stdout is not None
    return [stream.stdout.readline() for _ in range(count)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stream_ends_when_it_is_told_to(portal: int, how: signal.Signals) -> None:
    with started(portal, "-n") as stream:
        heads, first, second = lines(stream, 3)  # each is out before the next is begun
        stream.send_signal(how)
        _, said = stream.communicate(timeout=20)
    assert (stream.returncode, said) == (130, "")
    assert heads.split() == ["TIME", "INTERFACE", "PROBE", "NETRTT", "RTT", "RTTAVG", "RTTDEV", "TARGET"]
    assert re.fullmatch(rf"\d+\.\d\ds +one +0 +(\S+ms +){{4}}127\.0\.0\.1:{portal}\n", first)
    assert re.fullmatch(rf"[1-9]\d*\.\d\ds +one +1 +(-- +){{4}}127\.0\.0\.2:{portal}\n", second)


def test_a_stream_of_json(portal: int) -> None:
    with started(portal, "-o", "jsonl") as stream:
        first, second = (json.loads(line) for line in lines(stream, 2))
        stream.terminate()
        rest, said = stream.communicate(timeout=20)
    assert (stream.returncode, rest, said) == (130, "", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", first["time"])
    told = {k: first[k] for k in ("format", "nic", "interface", "probe", "target")}
    assert told == {"format": 1, "nic": "lo", "interface": "one", "probe": 0, "target": f"127.0.0.1:{portal}"}
    assert 0 < first["netrtt"] <= first["rtt"] == first["rttavg"]
    assert (second["rtt"], second["netrtt"], second["rttavg"]) == (None, None, None)


def test_a_stream_for_scripts(portal: int) -> None:
    with started(portal, "-nP", "--fields", "probe,answer,target") as stream:
        said = [line.rstrip("\n") for line in lines(stream, 2)]
        assert said == [rf"0:answered:127.0.0.1\:{portal}", rf"1:refused:127.0.0.2\:{portal}"]
        stream.terminate()


def test_a_stream_whose_reader_goes(portal: int) -> None:
    with started(portal) as stream:
        lines(stream, 2)
        assert stream.stdout is not None
        assert stream.stderr is not None
        stream.stdout.close()
        assert stream.wait(timeout=20) == 1
        assert stream.stderr.read() == ""
