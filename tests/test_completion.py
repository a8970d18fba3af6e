"""The completion scripts in the shells they are for: what is offered, and what a Tab makes of a line."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import completion
import pytest
import shells
import trees

from mpio import cli, findings
from mpio.commands import complete
from mpio.errors import Exit
from mpio.files import Files
from mpio.step import Part

TOP = Path(__file__).parent.parent
SITE = """\
format = 1
[[iface]]
name = "sw-iscsi-0"
nic = "eth1"
[[iface]]
name = "sw-iscsi-1"
nic = "eth2"
[san]
portals = ["10.10.8.90", "[fd00::90]:3261"]
"""
NAMES = {"sw-iscsi-0", "sw-iscsi-1", "eth1", "eth2", "10.10.8.90:3260", "[fd00::90]:3261"}
# The program under the name mpio: completion reaches the real one, whoever calls it otherwise sees what was typed.
PROGRAM = """\
#!/bin/sh
[ -n "$_MPIO_COMPLETE" ] && exec {python} -m mpio "$@"
printf 'got'; printf ' <%s>' "$@"; echo ' end'
"""

Offers = Callable[[list[str]], list[set[str]]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with mpio on its path and a site of a few names."""
    folder = tmp_path_factory.mktemp("completion")
    for name in ("bin", "home", "site files"):
        (folder / name).mkdir()
    (folder / "bin/mpio").write_text(PROGRAM.format(python=shlex.quote(sys.executable)))
    (folder / "bin/mpio").chmod(0o755)
    (folder / "site files/one.toml").touch()
    site = folder / "home/site.toml"
    site.write_text(SITE)
    site.chmod(0o644)
    return {
        "HOME": str(folder / "home"),
        "LC_ALL": "C.UTF-8",
        "MPIO_SITE": str(site),
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(TOP),
        "TERM": "dumb",
    }


# -- what is offered -----------------------------------------------------------------------------------------------


@pytest.fixture(params=shells.OFFERS)
def offers(request: pytest.FixtureRequest, world: dict[str, str]) -> Offers:
    return lambda lines: shells.OFFERS[request.param](world, lines)


def ends(words: set[str]) -> set[str]:
    """The shells differ in how much of a word they say again: what comes behind its last = or comma is said by all."""
    return {re.split("[=,]", word.removesuffix("="))[-1] for word in words}


CASES = {
    "mpio ": {verb.last for verb in completion.root().below},
    "mpio ver": {"verify"},
    "mpio -": {"--version", "--help"},
    "mpio lab ": {"demo", "rehearse", "up", "run", "record", "down"},
    "mpio multipath ": {"render"},
    "mpio status x": set(),
    "mpio frobnicate ": set(),
    "mpio apply --y": {"--yes"},
    "mpio apply --only ": set(Part),
    "mpio apply --only sysctl,if": {"ifaces"},
    "mpio apply --only=sysctl,lo": {"login"},
    "mpio apply --only sysctl,ifaces,": set(Part) - {"sysctl", "ifaces"},
    "mpio status -o ": {"text", "json", "jsonl"},
    "mpio status --output=": {"text", "json", "jsonl"},
    "mpio status --site /x --color a": {"auto", "always"},
    "mpio verify --wait ": set(),
    "mpio apply --force ": set(findings.refusal_codes()),
    "mpio apply --force MP405 --force MP408 --y": {"--yes"},
    "mpio explain MP20": {code for code in findings.TABLE if code.startswith("MP20")},
    "mpio explain MP203 x": set(),
    "mpio login ": NAMES,
    "mpio logout sw-iscsi-0 eth": {"eth1", "eth2"},
    "mpio login --yes 10.": {"10.10.8.90:3260"},
    "mpio login [fd": {"[fd00::90]:3261"},
}


def test_what_is_offered(offers: Offers) -> None:
    offered = dict(zip(CASES, offers(list(CASES)), strict=True))
    assert {line: ends(words) for line, words in offered.items()} == CASES


def test_every_verb_offers_its_options(offers: Offers) -> None:
    top = completion.root()
    wanted = {
        f"mpio {verb.name} --": {word for option in verb.options for word in option.spelt if word.startswith("--")}
        for verb in completion.runnable(top)
    }
    offered = dict(zip(wanted, offers(list(wanted)), strict=True))
    assert {line: ends(words) for line, words in offered.items()} == wanted


# -- what a Tab makes of a line ------------------------------------------------------------------------------------

TABS = {
    "mpio ver\t--nag\t": ["verify", "--nagios"],
    "mpio lab rec\t--suite bull\t": ["lab", "record", "--suite", "bullseye"],
    "mpio lab demo --suite b\t": ["lab", "demo", "--suite", "bookworm"],
    "mpio apply --only sysctl,ifa\t": ["apply", "--only", "sysctl,ifaces"],
    "mpio status --output=j\t": ["status", "--output=json"],
    "mpio login 10.10.8.90:\t": ["login", "10.10.8.90:3260"],
    "mpio plan --site ~/si\t": ["plan", "--site", "{home}/site.toml"],
    "mpio plan --site {home}/../site\to\t": ["plan", "--site", "{home}/../site files/one.toml"],
    "mpio export --textfile={home}/si\t": ["export", "--textfile={home}/site.toml"],
    "mpio lab record {home}/../ho\t": ["lab", "record", "{home}/../home"],
}


@pytest.mark.parametrize("shell", shells.STARTS)
def test_a_tab_completes_what_is_typed(world: dict[str, str], shell: str) -> None:
    home = world["HOME"]
    got = {}
    with shells.Terminal(world, shell) as terminal:
        for line in TABS:
            terminal.type(f"{line.format(home=home)}\n")
            got[line] = [word.removesuffix("/") for word in terminal.args()]
    assert got == {line: [word.format(home=home) for word in words] for line, words in TABS.items()}


def test_fish_offers_files_and_folders(world: dict[str, str]) -> None:
    home = world["HOME"]
    lines = [f"mpio plan --site {home}/si", f"mpio export --textfile={home}/si", f"mpio lab record {home}/../ho"]
    assert shells.from_fish(world, lines) == [
        {f"{home}/site.toml"},
        {f"--textfile={home}/site.toml"},
        {f"{home}/../home/"},
    ]


def test_the_bash_script_is_clean() -> None:
    done = subprocess.run(["shellcheck", shells.SCRIPTS / "mpio.bash"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# -- what mpio itself answers --------------------------------------------------------------------------------------


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """The guide's host, with a record more than sessions; no site file."""
    monkeypatch.setenv("MPIO_SITE", str(tmp_path / "none.toml"))
    tree = trees.guide(tmp_path / "host")
    tree.nic("lo")
    tree.file("/etc/iscsi/ifaces/sw-iscsi-2", "iface.iscsi_ifacename = sw-iscsi-2\niface.net_ifacename = eth3\n")
    record = "node.name = iqn.2011-09.dom.homer:03\niface.iscsi_ifacename = sw-iscsi-2\n"
    tree.file("/etc/iscsi/nodes/iqn.2011-09.dom.homer:03/10.10.7.90,3260,1/sw-iscsi-2", record)
    return Files(str(tmp_path / "host"))


def test_the_names_of_a_host(host: Files) -> None:
    assert dict(complete.names(host)) == {
        "sw-iscsi-2": "iface",
        "sw-iscsi-0": "iface",
        "sw-iscsi-1": "iface",
        "eth3": "NIC",
        "eth1": "NIC",
        "eth2": "NIC",
        "10.10.8.90:3260": "portal",
        "10.10.9.90:3260": "portal",
        "[fd00:8::90]:3260": "portal",
        "10.10.7.90:3260": "portal",
        trees.HOMER_1: "target",
        trees.HOMER_2: "target",
        "iqn.2011-09.dom.homer:03": "target",
        "sid:1": f"session sw-iscsi-0 -> 10.10.8.90:3260 {trees.HOMER_1}",
        "sid:2": f"session sw-iscsi-1 -> 10.10.8.90:3260 {trees.HOMER_1}",
        "sid:3": f"session sw-iscsi-0 -> 10.10.9.90:3260 {trees.HOMER_2}",
        "sid:10": f"session sw-iscsi-1 -> [fd00:8::90]:3260 {trees.HOMER_2}",
    }
    assert set(dict(complete.nics(host))) == {"eth1", "eth2"}
    assert set(dict(complete.ifaces(host))) == {"sw-iscsi-0", "sw-iscsi-1", "sw-iscsi-2"}
    assert set(dict(complete.portals(host))) == {w for w, what in complete.names(host) if what == "portal"}


def test_what_may_not_be_read_is_not_offered(host: Files) -> None:
    """A user namespace without a mapping: nobody, whoever runs the tests."""
    call = "from mpio.commands import complete; from mpio.files import Files; complete.show('names', Files({!r}))"
    for folder in ("nodes", "ifaces"):
        Path(host.root, "etc/iscsi", folder).chmod(0)
    argv = ["unshare", "--user", "--", sys.executable, "-c", call.format(host.root)]
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "sid:1\t" in done.stdout
    assert "sw-iscsi-2" not in done.stdout


def test_codes_come_with_what_they_mean(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cli.COMPLETE, "codes")
    assert cli.main([]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("\t")[0] for line in lines] == list(findings.TABLE)
    assert "MP405\trefused: would rename the open map X" in lines


def test_a_call_with_words_is_never_taken_for_a_question(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cli.COMPLETE, "codes")
    assert cli.main(["apply", "--yes", "--site", "/nonexistent"]) == Exit.USAGE
    assert capsys.readouterr().out == ""


def test_a_kind_that_nobody_knows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cli.COMPLETE, "bash_source")
    assert cli.main([]) == Exit.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert "bash_source" in said.err


def test_every_place_is_known_to_mpio() -> None:
    asked = {place.removeprefix("asked ") for place in completion.PLACES.values() if place.startswith("asked ")}
    assert asked == set(complete.KINDS)


def test_an_answer_costs_no_command_tree_and_runs_no_program(world: dict[str, str]) -> None:
    """sh is the only way to a program, and is imported where one runs."""
    call = "import sys; from mpio import cli; cli.main([]); sys.exit(str({'typer', 'rich', 'sh'} & set(sys.modules)))"
    for kind in complete.KINDS:
        done = subprocess.run(
            [sys.executable, "-c", call], env=world | {cli.COMPLETE: kind}, capture_output=True, text=True, check=False
        )
        assert done.stderr == "set()\n", kind
