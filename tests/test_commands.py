"""The verbs through their real entry: exit codes, the JSON of contract 5, what goes to stdout and what to stderr.

Where a verb would look at this machine, it is shown the guide's host instead.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import fakes
import pytest

import mpio
from mpio import apply, cli, diagnosis, lock, observe, probe, settle, sitefile
from mpio.commands import VERBS, call, verify
from mpio.errors import Busy
from mpio.findings import TABLE
from mpio.host import Answer, Host, Portal
from mpio.memory import Offline
from mpio.observe import configured, evidence, user
from mpio.plan import ending
from mpio.step import Part
from mpio.tools import multipath, present, sysfs
from mpio.watch import brief
from mpio.watch.loop import Loop

TOP = Path(__file__).parent.parent
SITE = sitefile.parse(sitefile.dump(fakes.guide_site()), "/etc/mpio/site.toml")
HOST = fakes.guide_host(SITE)
LOST = replace(HOST, paths=HOST.paths[1:])
STEP_KEYS = {"command": ["part", "why", "kind", "argv"], "write": ["part", "why", "kind", "path", "diff"]}
FINDING_KEYS = ["code", "severity", "subject", "summary", "detail", "remedy"]
LUN_KEYS = [
    *(
        "wwid",
        "alias",
        "dm",
        "size",
        "vendor",
        "product",
        "expected_paths",
        "usable_paths",
        "state",
        "queueing",
        "paths",
        "budget",
    )
]


@dataclass
class Answered:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Mpio = Callable[..., Answered]
Shows = Callable[[Host], None]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mpio:
    """`mpio` in this process; without a site file of its own it finds none."""
    monkeypatch.setenv("MPIO_SITE", str(tmp_path / "none.toml"))
    monkeypatch.delenv("NO_COLOR", raising=False)

    def main(*argv: str) -> Answered:
        code = cli.main(list(argv))
        said = capsys.readouterr()
        return Answered(code, said.out, said.err)

    return main


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(sitefile.dump(SITE), encoding="utf-8")
    path.chmod(0o644)
    monkeypatch.setenv("MPIO_SITE", str(path))
    return path


@pytest.fixture
def shows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shows:
    """Let every look show this host, to root, and keep the lock in a folder of the test."""
    held = lock.hold

    @contextlib.contextmanager
    def hold(verb: str) -> Iterator[None]:
        with held(verb, str(tmp_path / "lock")):
            yield

    monkeypatch.setattr(lock, "hold", hold)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(configured, "candidate", lambda *_: None)  # this machine's multipath, if it has one

    def show(host: Host) -> None:
        monkeypatch.setattr(observe, "host", lambda *_: host)

    return show


# -- errors before a verb began ------------------------------------------------------------------------------------


def wrong(run: Mpio, argv: list[str], code: int, kind: str) -> str:
    """The same error as words and as a document; returns the words."""
    said = run(*argv)
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("mpio: ")
    assert "Traceback" not in said.err
    for option in (["-o", "json"], ["--output", "json"], ["--output=json"]):
        answered = run(*argv, *option)
        document = answered.json
        assert answered.code == code
        assert list(document) == ["format", "command", "exit", "error"]
        assert (document["format"], document["exit"]) == (1, code)
        assert isinstance(document["command"], str)
        assert list(document["error"]) == ["code", "message", "hint"]
        assert document["error"]["code"] == kind
        assert document["error"]["message"].splitlines()[0] in said.err
        assert document["error"]["hint"]
    return said.err


def test_an_unknown_verb(run: Mpio) -> None:
    assert "frobnicate" in wrong(run, ["frobnicate"], 2, "usage")


@pytest.mark.parametrize("verb", [v for v in VERBS if v not in ("lab", "multipath", "explain", "iface")])
def test_an_unknown_option(run: Mpio, verb: str) -> None:
    assert "--frobnicate" in wrong(run, [verb, "--frobnicate"], 2, "usage")


@pytest.mark.parametrize("verb", ["plan", "verify", "apply", "preflight", "login", "logout", "tune", "discover"])
def test_a_missing_site_file(run: Mpio, verb: str) -> None:
    assert "none.toml" in wrong(run, [verb], 2, "usage")


def test_a_bad_output(run: Mpio) -> None:
    said = run("status", "--output", "yaml")
    assert (said.code, said.out) == (2, "")
    assert said.err == "mpio: there is no output 'yaml'\n  --output takes text or json\n"
    streamed = run("status", "-o", "jsonl")
    assert streamed.code == 2
    assert streamed.json["error"]["code"] == "usage"


def test_a_bad_colour(run: Mpio) -> None:
    assert "'pink'" in wrong(run, ["status", "--color", "pink"], 2, "usage")


def test_a_bad_site(run: Mpio, site: Path) -> None:
    site.write_text('format = 2\n[san]\nportals = ["homer.dom"]\nfrob = 1\n')
    said = wrong(run, ["plan"], 2, "site")
    for key in ("format", "iface", "san.portals[0]", "san.frob"):
        assert f"  {key}: " in said


@pytest.mark.parametrize("text", ["format = ", "\x00", "[[lun]\n"])
def test_a_site_that_is_no_toml(run: Mpio, site: Path, text: str) -> None:
    site.write_text(text)
    wrong(run, ["verify"], 2, "site")


def test_a_site_that_others_may_write(run: Mpio, site: Path) -> None:
    site.chmod(site.stat().st_mode | stat.S_IWOTH)
    assert "others may write it" in wrong(run, ["plan"], 2, "site")


def test_a_loose_secret(run: Mpio, site: Path, tmp_path: Path) -> None:
    secret = tmp_path / "chap"
    secret.write_text("ocean-blue-42\n")
    secret.chmod(0o644)
    chap = f'[san.chap]\nusername = "prague"\npassword_file = "{secret}"\n'
    site.write_text(site.read_text().replace("[network]", f"{chap}[network]"))
    assert "ocean" not in wrong(run, ["plan"], 2, "loose-secret")


@pytest.mark.parametrize("code", ["MP402", "frob", "MP999"])
@pytest.mark.parametrize("verb", ["plan", "apply", "login", "logout", "teardown", "tune"])
def test_a_force_that_is_no_refusal(run: Mpio, site: Path, shows: Shows, verb: str, code: str) -> None:
    shows(HOST)
    said = wrong(run, [verb, "--force", code], 2, "usage")
    assert f"{code.upper()} is no refusal" in said
    assert "MP408" in said


def test_an_unknown_code(run: Mpio) -> None:
    assert "MP199" in wrong(run, ["explain", "MP199"], 2, "unknown-name")


def test_an_unknown_part(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    assert "there is no part 'frob'" in wrong(run, ["apply", "--only", "sysctl,frob"], 2, "usage")


def test_an_unknown_name(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    assert "eth1" in wrong(run, ["logout", "eth11", "--yes"], 2, "unknown-name")


def test_a_change_wants_a_yes(run: Mpio, site: Path, shows: Shows) -> None:
    shows(replace(HOST, registered=frozenset()))
    said = run("apply")
    assert said.code == 2
    assert "add --yes" in said.err
    assert run("apply", "-o", "json").json["error"]["code"] == "needs-yes"


def test_two_at_a_time(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    with lock.hold("teardown"):
        assert "teardown, pid" in wrong(run, ["apply"], 1, "busy")


@pytest.mark.parametrize("argv", [("init",), ("apply",)])
def test_a_closed_stdin_is_no_terminal(
    run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    """Python has None there."""
    shows(replace(HOST, registered=frozenset()))
    monkeypatch.setattr(sys, "stdin", None)
    said = run(*argv)
    sys.stdin.close()
    assert said.code == 2
    assert "there is no terminal to ask on" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("--bogus",),
        ("extra",),
        ("--wait", "abc"),
        ("-o", "xml"),
        ("--color", "bad"),
        ("-o", "json", "--site", "nosuch"),
    ],
)
def test_to_nagios_a_call_that_cannot_be_is_unknown(run: Mpio, words: tuple[str, ...]) -> None:
    """Its 2 is CRITICAL."""
    said = run("verify", "--nagios", *words)
    assert (said.code, said.err) == (3, "")
    assert said.out.startswith("MPIO UNKNOWN - ")
    assert said.out.count("\n") == 1


SPOILED: dict[str, Callable[[str], str]] = {
    "mode": lambda text: text,
    "table": lambda text: f"{text}[frob]\n",
    "wwid": lambda text: text.replace(SITE.luns[0].wwid, "nonsense"),
    "secret": lambda text: text.replace(
        "[network]", f'[san.chap]\nusername = "a"\npassword_file = "{__file__}"\n[network]'
    ),
    "name": lambda text: text.replace('"sw-iscsi-0"', '"lo"'),
}


@pytest.mark.parametrize("how", SPOILED)
def test_to_nagios_a_host_without_sessions_fails_by_a_site_that_is_right(
    run: Mpio, site: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(present, "storage", lambda _: False)
    said = run("verify", "--nagios")
    assert said.code == 2
    assert said.out.startswith(f"MPIO CRITICAL - {len(SITE.luns)} LUNs: {len(SITE.luns)} failed; ")
    site.write_text(SPOILED[how](site.read_text()))
    site.chmod(0o666 if how == "mode" else 0o644)
    said = run("verify", "--nagios")
    assert (said.code, said.err) == (3, "")
    assert said.out.startswith("MPIO UNKNOWN - ")
    first = {"mode": "the file has mode 0666", "table": "frob: is no key", "wwid": "lun[0].wwid: 'nonsense'"}
    assert first.get(how, "") in said.out


def test_to_nagios_an_interrupt_is_unknown(run: Mpio, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "_nagios", stopped)
    for argv in (("verify", "--nagios"), ("verify", "--nagios", "--wait", "9")):
        said = run(*argv)
        assert (said.code, said.out) == (3, "MPIO UNKNOWN - interrupted\n")


def test_to_nagios_a_fault_of_ours_is_unknown() -> None:
    script = (
        "import sys; from mpio import cli; from mpio.commands import doctor;"
        "doctor.command = lambda *_, **__: {}['x']; sys.exit(cli.main(['doctor', '--nagios']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("MPIO UNKNOWN - a fault of mpio itself")


def into(stdout: IO[str], argv: Sequence[str], unbuffered: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mpio", *argv],
        cwd=TOP,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["explain", "MP203", "-o", "json"], 1),
        (["--help"], 1),
        (["plan", "--help"], 1),
        (["verify", "--nagios", "--site", "nosuch"], 3),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_takes_nothing(argv: list[str], code: int, unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = into(full, argv, unbuffered)
    assert done.returncode == code
    assert done.stderr == "mpio: cannot write the output: No space left on device\n  make room where it goes\n"


@pytest.mark.parametrize(
    ("words", "as_json"),
    [
        (("-vo", "json"), True),
        (("-vojson",), True),
        (("-o", "text", "-o", "json"), True),
        (("-o", "json", "-o", "text"), False),
        (("-ojson", "--output=text"), False),
        (("--record", "-ojson"), False),
        (("--", "-o", "json"), False),
    ],
)
def test_every_spelling_of_output_counts_for_errors(run: Mpio, words: tuple[str, ...], as_json: bool) -> None:
    said = run("plan", *words)
    assert said.code == 2
    assert said.out.startswith("{") == as_json
    assert bool(said.err) != as_json


def test_a_family_has_two_words_in_errors_too(run: Mpio) -> None:
    for name in VERBS:
        module = importlib.import_module(f"mpio.commands.{name}")
        words = tuple(f.__name__.rstrip("_") for f in getattr(module, "COMMANDS", ()))
        assert cli.FAMILIES.get(name, ()) == words
    for name, words in cli.FAMILIES.items():
        for word in words:
            document = run(name, word, "--bogus", "-o", "json").json
            assert document["command"] == f"{name} {word}"
    assert run("lun", "bogus", "-o", "json").json["command"] == "lun"


def test_a_name_that_no_file_can_have(run: Mpio, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name in ("x" * 5000, str(tmp_path / "loop")):
        assert "no file can be called" in wrong(run, ["plan", "--site", name], 2, "usage")


def test_no_part_at_all_is_no_part(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    for empty in ("", ",", " "):
        assert "there is no part" in wrong(run, ["apply", "--only", empty], 2, "usage")


@pytest.mark.parametrize("argv", [("explain", "MP203"), ("--help",), ("explain", "MP203", "-o", "json")])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_whoever_reads_no_further_does_not_change_the_exit_code(argv: tuple[str, ...], unbuffered: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "w") as gone:  # noqa: PTH123 - a descriptor has no path
        done = into(gone, argv, unbuffered)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("words", "code"), [(("plan",), 130), (("verify", "--nagios"), 3)])
def test_an_interrupt_while_modules_load(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    script = (
        "import builtins, sys; real = builtins.__import__\n"
        "def late(name, *rest):\n"
        "    if name == 'mpio.console': raise KeyboardInterrupt\n"
        "    return real(name, *rest)\n"
        "from mpio.__main__ import main; builtins.__import__ = late\n"
        "sys.argv = ['mpio', *sys.argv[1:]]; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "interrupted" in done.stdout + done.stderr


def test_render_refuses_what_the_installed_multipath_does_not_know(
    run: Mpio, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("mpio.run.missing", lambda _: ())
    monkeypatch.setattr(multipath, "known", lambda _: multipath.all_keywords() - {"multipath.purge_disconnected"})
    text = site.read_text()
    first = text.index("[[lun]]") + len("[[lun]]\n")
    site.write_text(f"{text[:first]}purge_disconnected = true\n{text[first:]}")
    said = wrong(run, ["multipath", "render"], 2, "site")
    assert "  lun[0].purge_disconnected: the installed multipath does not know it" in said


def test_an_output_that_went_away() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m mpio --help | true; {sys.executable} -m mpio explain MP401 | head -n 0"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("verb", ["apply", "login", "logout", "teardown", "tune"])
def test_who_is_not_root_changes_nothing(site: Path, verb: str) -> None:
    """A user namespace without a mapping: nobody, whoever runs the tests."""
    done = subprocess.run(
        ["unshare", "--user", "--", sys.executable, "-m", "mpio", verb, "--yes", "-o", "json"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MPIO_SITE": str(site)},
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit"], document["command"]) == (1, 1, verb)
    assert document["error"]["code"] == "not-root"
    assert document["error"]["hint"] == f"sudo mpio {verb}"


# -- what needs no host --------------------------------------------------------------------------------------------


def test_the_version() -> None:
    for argv in (["--version"], ["-m", "mpio", "--version"]):
        program = [sys.executable, *argv] if argv[0] == "-m" else [sys.executable, "-m", "mpio", *argv]
        done = subprocess.run(program, cwd=TOP, capture_output=True, text=True, check=True)
        assert done.stdout == f"mpio {mpio.__version__}\n"


def test_help_names_every_verb(run: Mpio) -> None:
    for argv in (["--help"], []):
        said = run(*argv)
        assert said.code == 0
        assert all(verb in said.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_the_common_options(run: Mpio, verb: str) -> None:
    families = {"multipath": ["multipath", "render"], "lab": ["lab", "demo"]}
    families |= {"iface": ["iface", "list"], "lun": ["lun", "list"]}
    argv = families.get(verb, [verb])
    said = run(*argv, "--help")
    assert said.code == 0
    for option in ("--site", "--output", "--verbose", "--color", "--record"):
        assert option in said.out


@pytest.mark.parametrize("verb", ["apply", "login", "logout", "teardown", "tune", "iface add", "iface remove"])
def test_every_verb_that_changes_takes_yes(run: Mpio, verb: str) -> None:
    assert "--yes" in run(*verb.split(), "--help").out


def test_a_recording_of_nothing_is_an_empty_folder(run: Mpio, tmp_path: Path) -> None:
    assert run("explain", "MP401", "--record", f"{tmp_path}/kept").code == 0
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize("code", sorted(TABLE))
def test_explain(run: Mpio, code: str) -> None:
    said = run("explain", code.lower())
    assert said.code == 0
    assert said.out.startswith(f"{code} (")
    document = run("explain", code, "-o", "json").json
    assert document["command"] == "explain"
    assert document["code"] == code
    assert document["explanation"] in said.out
    assert "{" not in document["summary"] + document["remedy"]


# -- status and verify ---------------------------------------------------------------------------------------------


def test_status(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    said = run("status", "-o", "json")
    document = said.json
    assert (said.code, said.err) == (0, "")
    assert list(document) == ["format", "command", "exit", "ifaces", "sessions", "luns", "offline", "unseen"]
    assert (document["format"], document["command"], document["exit"]) == (1, "status", 0)
    assert [len(document[k]) for k in ("ifaces", "sessions", "luns")] == [2, 4, 4]
    assert list(document["luns"][0]) == LUN_KEYS
    assert document["luns"][0]["expected_paths"] == 4
    text = run("status")
    assert text.code == 0
    assert "hydra_apps-a01" in text.out


def test_status_is_0_whatever_it_shows(run: Mpio, site: Path, shows: Shows) -> None:
    shows(replace(HOST, paths=(), maps=()))
    document = run("status", "-o", "json").json
    assert {lun["state"] for lun in document["luns"]} == {"failed"}
    assert document["exit"] == 0


def test_status_says_what_it_could_not_see(run: Mpio, shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPIO_SITE")
    monkeypatch.setattr(call, "SITE", "/nonexistent/site.toml")
    shows(replace(HOST, blind=("the node records",)))
    assert run("status").err == "could not see the node records\n"
    assert run("status", "-o", "json").json["luns"][0]["expected_paths"] is None


@pytest.mark.parametrize(
    ("host", "code", "word"),
    [
        (HOST, 0, "healthy"),
        (replace(HOST, registered=frozenset()), 3, "differs"),
        (LOST, 4, "degraded"),
        (replace(HOST, paths=(), maps=()), 5, "failed"),
    ],
)
def test_verify(run: Mpio, site: Path, shows: Shows, host: Host, code: int, word: str) -> None:
    shows(host)
    said = run("verify", "-o", "json")
    document = said.json
    assert list(document) == ["format", "command", "exit", "state", "luns", "drift", "findings"]
    assert (said.code, document["command"], document["exit"], document["state"]) == (code, "verify", code, word)
    assert [list(lun) for lun in document["luns"]] == [LUN_KEYS] * 4
    well_formed(document["drift"], document["findings"])
    text = run("verify")
    assert text.code == code
    assert text.out.splitlines()[-1] == word


def well_formed(steps: list[dict[str, Any]], findings: list[dict[str, Any]]) -> None:
    for step in steps:
        assert list(step) == STEP_KEYS[step["kind"]]
        assert step["part"] in list(Part)
        assert all(isinstance(word, str) for word in step.get("argv", ()))
    for one in findings:
        assert list(one) == FINDING_KEYS
        assert one["code"] in TABLE
        assert one["severity"] in ("info", "warning", "error", "critical")


@pytest.mark.parametrize(
    ("host", "code", "word"),
    [(HOST, 0, "OK"), (LOST, 1, "WARNING"), (replace(HOST, paths=(), maps=()), 2, "CRITICAL"), (Host(), 2, "CRITICAL")],
)
def test_nagios(run: Mpio, site: Path, shows: Shows, host: Host, code: int, word: str) -> None:
    shows(host)
    # A wait, however short, takes the long way: the short one asks this machine, not the host that is shown.
    said = run("verify", "--nagios", "--wait", "0.01")
    assert said.code == code
    assert said.out.startswith(f"MPIO {word} - ")
    assert said.out.count("\n") == said.out.count(" | ") == 1
    assert said.err == ""


def test_nagios_cannot_tell(run: Mpio) -> None:
    said = run("verify", "--nagios")
    assert said.code == 3
    assert said.out.startswith("MPIO UNKNOWN - there is no site file")
    assert said.out.count("\n") == 1


@pytest.mark.parametrize(("how", "code"), [((), 1), (("--nagios",), 3)])
def test_verify_waits_for_a_user_as_for_root(
    run: Mpio, site: Path, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...], code: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 1000)
    monkeypatch.setattr(present, "storage", lambda _: True)
    whole = replace(HOST, root=False)
    failed = replace(whole, maps=(), paths=(), sessions=())
    seen = iter((failed, failed, whole))
    monkeypatch.setattr(user, "host", lambda *_: next(seen))
    assert run("verify", "--wait", "30", *how).code == code
    monkeypatch.setattr(user, "host", lambda *_: failed)
    assert run("verify", *how).code == (2 if how else 5)


def test_verify_waits_until_it_is_healthy(run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([LOST, LOST, HOST])
    shows(HOST)
    monkeypatch.setattr(observe, "host", lambda *_: next(seen))
    monkeypatch.setattr(settle, "PAUSE", 0)
    assert run("verify", "--wait", "30").code == 0
    assert next(seen, None) is None


# -- plan and apply ------------------------------------------------------------------------------------------------


def test_a_plan_of_nothing(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    said = run("plan", "-o", "json")
    assert said.code == 0
    assert said.json == {
        "format": 1,
        "command": "plan",
        "exit": 0,
        "complete": True,
        "steps": [],
        "findings": [],
    }
    assert run("plan").err == "nothing to do\n"


def test_a_plan_of_some(run: Mpio, site: Path, shows: Shows) -> None:
    host = replace(HOST, nodes=(), sessions=(), paths=(), maps=(), ifaces=(), asked=())
    shows(host)
    said = run("plan", "-o", "json")
    document = said.json
    assert said.code == document["exit"] == 3
    assert document["complete"] is False
    assert document["steps"][-1]["part"] == "discovery"
    well_formed(document["steps"], document["findings"])
    text = run("plan")
    assert text.code == 3
    assert "the plan goes on once the targets are known" in text.err
    script = run("plan", "--script")
    assert script.code == 3
    assert script.out.startswith("#!/bin/sh\n")


def test_a_plan_that_is_refused(run: Mpio, site: Path, shows: Shows) -> None:
    site.write_text(sitefile.dump(fakes.guide_site(initiator="iqn.2026-01.dom.prague:other")))
    shows(HOST)
    said = run("plan", "-o", "json")
    assert said.code == said.json["exit"] == 1
    assert [f["code"] for f in said.json["findings"]] == ["MP307"]
    assert "MP307" in run("plan").out
    assert run("plan", "--force", "mp307", "-o", "json").code == 3


def test_an_apply_of_nothing_needs_no_yes(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    said = run("apply", "-o", "json")
    document = said.json
    assert list(document) == ["format", "command", "exit", "done", "left", "findings", "seconds"]
    assert (said.code, document["done"], document["left"], document["findings"]) == (0, [], [], [])
    assert isinstance(document["seconds"], float)
    text = run("apply")
    assert text.code == 0
    assert "0 steps done, 0 left" in text.err


def test_an_apply_exits_as_the_verification_that_ends_it(run: Mpio, site: Path, shows: Shows) -> None:
    shows(replace(HOST, nics=tuple(replace(n, carrier=False) for n in HOST.nics)))
    said = run("apply", "-o", "json")
    assert said.code == said.json["exit"] == 4
    assert [f["code"] for f in said.json["findings"]] == ["MP203", "MP203"]
    assert run("apply", "--only", "multipath,login", "-o", "json").code == 0


def test_an_apply_says_what_is_done_and_what_is_left(
    run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps are carried out on the pretend host; a login among them does not succeed."""
    silent = next(s for s in HOST.sessions if s.pair.portal == fakes.PORTAL_8)
    now = [fakes.carry_out(HOST, ending.sessions(HOST, [silent]).steps)]
    now[0] = replace(now[0], registered=now[0].registered - {fakes.APPS_A01})
    shows(now[0])
    monkeypatch.setattr(observe, "host", lambda *_: fakes.remembered(now[0]))

    def carry_out(_machine: object, steps: tuple[Any, ...], outcome: apply.Outcome, _tell: object) -> None:
        for step in steps:
            if "--login" in getattr(step, "argv", ()):
                outcome.failed[apply.key(step)] = (step, "no such target", 19)
            else:
                now[0] = fakes.carry_out(now[0], [step])
                outcome.done.append(step)

    monkeypatch.setattr(apply, "carry_out", carry_out)
    monkeypatch.setattr(apply, "remember", lambda *_: None)
    monkeypatch.setattr(settle, "after", lambda *_: None)
    said = run("apply", "--yes", "-o", "json")
    document = said.json
    well_formed(document["done"] + document["left"], document["findings"])
    assert [s["argv"][0] for s in document["done"]] == ["multipath", "multipathd"]
    assert [s["argv"][-1] for s in document["left"]] == ["--login"]
    assert "MP303" in {f["code"] for f in document["findings"]}
    assert said.code == document["exit"] == 4


def test_an_apply_that_is_refused_does_nothing(run: Mpio, site: Path, shows: Shows) -> None:
    site.write_text(sitefile.dump(fakes.guide_site(initiator="iqn.2026-01.dom.prague:other")))
    shows(HOST)
    said = run("apply", "--yes", "-o", "json")
    assert said.code == 1
    assert said.json["error"]["code"] == "MP307"
    assert "--force MP307" in said.json["error"]["hint"]


def test_an_apply_without_its_programs_does_nothing(run: Mpio, site: Path, shows: Shows) -> None:
    shows(replace(HOST, missing_programs=(("iscsiadm", "apt install open-iscsi"),)))
    said = run("apply", "--yes", "-o", "json")
    assert said.code == 1
    assert said.json["error"] == {
        "code": "missing-program",
        "message": "the program iscsiadm is not installed",
        "hint": "apt install open-iscsi",
    }


# -- the others ----------------------------------------------------------------------------------------------------


def test_preflight(run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "without_sessions", lambda *_: diagnosis.Seen())
    shows(HOST)
    assert run("preflight", "-o", "json").json["findings"] == []
    shows(replace(HOST, nics=HOST.nics[1:]))
    said = run("preflight", "-o", "json")
    assert said.code == said.json["exit"] == 4
    assert said.json["findings"][0]["code"] == "MP201"


@pytest.mark.parametrize(
    ("verb", "argv"),
    [
        ("login", []),
        ("login", ["eth1"]),
        ("login", ["--renew"]),
        ("tune", []),
        ("teardown", []),
        ("logout", []),
        ("logout", ["eth1"]),  # the site knows the name, and nothing goes by it
    ],
)
def test_nothing_to_do_needs_no_yes(run: Mpio, site: Path, shows: Shows, verb: str, argv: list[str]) -> None:
    shows(HOST if verb in ("login", "tune") else replace(fakes.bare_host(), memory=HOST.memory.__class__()))
    said = run(verb, *argv, "-o", "json")
    assert said.code == 0
    assert {k: said.json[k] for k in ("command", "exit", "done", "left")} == {
        "command": verb,
        "exit": 0,
        "done": [],
        "left": [],
    }


@pytest.mark.parametrize(("verb", "code"), [("logout", "MP408"), ("teardown", "MP408")])
def test_what_is_in_use_is_refused(run: Mpio, site: Path, shows: Shows, verb: str, code: str) -> None:
    shows(replace(HOST, maps=tuple(replace(m, open_count=1) for m in HOST.maps)))
    said = run(verb, "--yes", "-o", "json")
    assert said.code == 1
    assert said.json["error"]["code"] == code
    assert "hydra_apps-a01" in said.json["error"]["message"]


def test_a_silent_pair_is_not_logged_in(run: Mpio, site: Path, shows: Shows) -> None:
    lost = replace(HOST, sessions=HOST.sessions[1:], probes={("sw-iscsi-0", fakes.PORTAL_8): Answer.SILENT})
    shows(lost)
    said = run("login", "--yes", "-o", "json")
    assert said.code == 3
    assert [f["code"] for f in said.json["findings"]] == ["MP210"]


def test_export(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    said = run("export")
    assert said.code == 0
    assert "mpio_session_up{" in said.out
    assert run("export", "-o", "json").json["text"].count("mpio_path_up{") == 16


def test_export_into_a_file(run: Mpio, site: Path, shows: Shows, tmp_path: Path) -> None:
    shows(HOST)
    said = run("export", "--textfile", str(tmp_path / "mpio.prom"))
    assert (said.code, said.out) == (0, "")
    assert "mpio_lun_state{" in (tmp_path / "mpio.prom").read_text()


def test_export_looks_no_further_than_status(
    run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def look(machine: object, site: object, look: observe.Look) -> Host:
        looks.append(look)
        return HOST

    monkeypatch.setattr(observe, "host", look)
    assert run("export").code == 0
    assert looks == [observe.Look.STATUS]


def test_export_expects_nothing_where_it_may_not_read_the_records(run: Mpio, site: Path, shows: Shows) -> None:
    shows(HOST)
    assert "mpio_lun_paths_expected{" in run("export").out
    shows(replace(HOST, root=False, nodes=()))
    said = run("export")
    assert said.code == 0
    assert "mpio_lun_paths_usable{" in said.out
    assert "mpio_lun_paths_expected{" not in said.out


def asked_ways(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Portal]]:
    """What is probed from now on; the portal 10.10.8.90 answers."""
    ways: list[tuple[str, str, Portal]] = []

    def portals(wanted: Iterable[tuple[str, str, Portal]]) -> probe.Answers:
        ways.extend(wanted)
        return {(i, p): Answer.ANSWERED if p == fakes.PORTAL_8 else Answer.SILENT for i, _, p in ways}

    monkeypatch.setattr(probe, "portals", portals)
    return ways


def reachable(said: Answered) -> dict[str, str]:
    lines = (line for line in said.out.splitlines() if line.startswith("mpio_portal_reachable{"))
    return {one.rpartition(" ")[0].partition("{")[2]: one.rpartition(" ")[2] for one in lines}


def test_export_asks_the_planned_pairs_that_no_session_stands_for(
    run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = asked_ways(monkeypatch)
    first, second, *others = HOST.sessions
    shows(replace(HOST, sessions=(replace(first, state="FAILED"), *others)))
    said = run("export")
    assert set(ways) == {(s.pair.iface, s.nic, s.pair.portal) for s in (first, second)}
    found = reachable(said)
    assert len(found) == 4
    assert {way for way, value in found.items() if value == "0.0"} == {
        f'iface="{s.pair.iface}",portal="{s.pair.portal}"' for s in (first, second) if s.pair.portal != fakes.PORTAL_8
    }


def test_export_asks_nobody_whom_it_need_not(
    run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All sessions well, a pair offline by hand, no site file."""
    ways = asked_ways(monkeypatch)
    shows(HOST)
    assert set(reachable(run("export")).values()) == {"1.0"}
    away = HOST.sessions[0].pair
    left = replace(HOST, sessions=HOST.sessions[1:])
    shows(replace(left, offline=(Offline("eth1", frozenset({str(away)}), "root", "2026-11-21T12:00:00+01:00"),)))
    assert len(reachable(run("export"))) == 3
    monkeypatch.delenv("MPIO_SITE")
    monkeypatch.setattr(call, "SITE", str(site.with_name("none.toml")))
    shows(replace(HOST, sessions=()))
    assert reachable(run("export")) == {}
    assert ways == []


def test_multipath_render(run: Mpio, site: Path, shows: Shows) -> None:
    shows(Host(known_keywords=HOST.known_keywords))
    said = run("multipath", "render")
    assert said.code == 0
    assert said.out == HOST.files["/etc/multipath/conf.d/90-mpio.conf"]
    assert run("multipath", "render", "-o", "json").json["text"] == said.out


# -- a site file in the usual place that is refused ------------------------------------------------------------------


@pytest.fixture(params=["wrong", "loose", "dangling"])
def refused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, site: Path) -> Path:
    """It was not named."""
    if request.param == "wrong":
        site.write_text(site.read_text() + "[nothing]\n")
    elif request.param == "loose":
        site.chmod(0o666)
    else:
        site.unlink()
        site.symlink_to("nowhere.toml")
    monkeypatch.delenv("MPIO_SITE")
    for name in ("NOTIFY_SOCKET", "SYSTEMD_EXEC_PID", "INVOCATION_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(call, "SITE", str(site))
    return site


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have begun to act."""
    begun: list[str] = []

    def begins(*of: object, **_: object) -> Any:
        begun.append(type(of[0]).__name__)
        raise Busy("another one acts", "wait")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(lock, "hold", begins)
    monkeypatch.setattr(Loop, "begin", begins)
    monkeypatch.setattr(brief, "once", begins)
    monkeypatch.setattr(sysfs, "nic_names", lambda _: frozenset({"eth1", "eth2"}))
    return begun


ACTING = (
    "iface add extra eth2",
    "iface remove sw-iscsi-0",
    "lun rescan",
    "doctor --fix MP423",
    "watch",
    "watch --event",
    "watch --install",
)


@pytest.mark.parametrize("words", ACTING)
def test_a_refused_site_file_stops_what_acts_whether_it_was_named_or_not(
    run: Mpio, refused: Path, begun: list[str], words: str
) -> None:
    for argv in (words.split(), [*words.split(), "--site", str(refused)]):
        said = run(*argv)
        assert (said.code, begun) == (2, []), said.err
        assert str(refused) in said.err


@pytest.mark.parametrize("words", ACTING)
def test_without_a_site_file_they_go_on(run: Mpio, refused: Path, begun: list[str], words: str) -> None:
    refused.unlink()
    run(*words.split())
    assert begun


def test_what_only_looks_goes_on_without_a_refused_site_file(run: Mpio, refused: Path, shows: Shows) -> None:
    shows(HOST)
    for words in ("status", "export", "iface list"):
        said = run(*words.split())
        assert said.code == 0
        assert ("without the site file" in said.err) == os.path.exists(refused)


def test_the_service_watches_without_it(
    run: Mpio, refused: Path, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    said = run("watch")
    assert begun
    assert "without the site file" in said.err
