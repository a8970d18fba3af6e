"""What mpio is started with: a hostile environment, closed descriptors, signals, the umask, a folder full of traps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import fakes
import pytest

from mpio import itself, run, sitefile
from mpio.errors import UsageError

HERE = Path(__file__).parent
TOP = HERE.parent
OURS = {"PATH", "LC_ALL", "SYSTEMCTL_SKIP_SYSV"}
BAD = "/nonexistent/trap"
# What makes a loader, a C library, a shell, an interpreter, a proxy or one of the tools do something else.
HOSTILE = {
    **dict.fromkeys(
        ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_DEBUG_OUTPUT", "LD_PROFILE", "LD_ORIGIN_PATH"), BAD
    ),
    **dict.fromkeys(("GCONV_PATH", "LOCPATH", "NLSPATH", "HOSTALIASES", "RESOLV_HOST_CONF", "RES_OPTIONS"), BAD),
    **dict.fromkeys(("GETCONF_DIR", "LOCALDOMAIN", "TZDIR", "TMPDIR", "TMP", "TEMP", "HOME", "XDG_CONFIG_HOME"), BAD),
    **dict.fromkeys(("PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "PYTHONBREAKPOINT"), BAD),
    **dict.fromkeys(
        ("BASH_ENV", "ENV", "CDPATH", "PROMPT_COMMAND", "PERL5LIB", "PERL5DB", "RUBYLIB", "NODE_PATH"), BAD
    ),
    **dict.fromkeys(("OPENSSL_CONF", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "CURL_CA_BUNDLE", "NETRC"), BAD),
    **dict.fromkeys(("PAGER", "SYSTEMD_PAGER", "LESSOPEN", "EDITOR", "VISUAL", "BROWSER", "MANPAGER"), BAD),
    **dict.fromkeys(("LVM_SYSTEM_DIR", "DM_DEFAULT_NAME_MANGLING_MODE", "UDEV_CONFIG_FILE", "KRB5_CONFIG"), BAD),
    **dict.fromkeys(("DBUS_SYSTEM_BUS_ADDRESS", "SYSTEMD_BUS_PATH", "XDG_RUNTIME_DIR"), f"unix:path={BAD}"),
    **dict.fromkeys(("SYSTEMD_UNIT_PATH", "SYSTEMD_SYSVINIT_PATH", "ISCSI_DIR", "MULTIPATH_CONF"), BAD),
    **dict.fromkeys(
        ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://a.b:1"
    ),
    "no_proxy": "",
    "PATH": "/nonexistent/trap:/usr/bin:/bin",
    "IFS": "/i",
    "PS4": "$(touch /nonexistent/trap)",
    "SHELLOPTS": "xtrace:verbose",
    "BASHOPTS": "extdebug",
    "GLOBIGNORE": "*",
    "POSIXLY_CORRECT": "1",
    "PERL5OPT": "-Mtrap",
    "MALLOC_CHECK_": "3",
    "MALLOC_PERTURB_": "165",
    "GLIBC_TUNABLES": "glibc.malloc.check=3",
    "LC_ALL": "tr_TR.ISO-8859-9",
    "LANG": "xx_YY.nonsense",
    "LANGUAGE": "xx",
    "LC_MESSAGES": "../../../nonexistent",
    "TZ": ":/etc/shadow",
    "TERM": "trap\x1b[2J",
    "COLUMNS": "-7",
    "LINES": "99999999999",
    "NOTIFY_SOCKET": "/nonexistent/trap",
    "LISTEN_FDS": "9",
    "LISTEN_PID": "1",
    "WATCHDOG_USEC": "1",
    "DM_UDEV_COOKIE": "1",
    "DM_DISABLE_UDEV": "1",
    "LVM_SUPPRESS_FD_WARNINGS": "1",
    "SG_VERBOSE": "9",
    "BASH_FUNC_ip%%": "() { /nonexistent/trap; }",
    "BASH_FUNC_timeout%%": "() { /nonexistent/trap; }",
    "PYTHONWARNINGS": "default",
    "PYTHONIOENCODING": "ascii:strict",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "HUGE": "x" * 100_000,
    "A\nB": "a name with a newline",
}
TELLS = """#!/bin/sh
tr '\\0' '\\n' </proc/$$/environ >>"$(dirname "$0")/said"
echo "cwd=$(pwd)" >>"$(dirname "$0")/said"
exit 1
"""

STATE = """#!/bin/sh
umask >>"$(dirname "$0")/umask"
grep -E '^Sig(Blk|Ign)' /proc/self/status >>"$(dirname "$0")/signals"
exit 3
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Every program that mpio may start, as one that says what it was given; `timeout` is the real one."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in run.PACKAGES:
        if name != "timeout":
            (folder / name).write_text(TELLS)
            (folder / name).chmod(0o755)
    for name in ("timeout", "tr", "dirname"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(sitefile.dump(fakes.guide_site()), encoding="utf-8")
    path.chmod(0o644)
    return path


def mpio(
    programs: Path, *argv: str, env: Mapping[str, str] | None = None, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HERE / "started.py"), str(programs), *argv],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=before,
        timeout=120,
        cwd="/",
    )


def test_nothing_of_a_hostile_environment_reaches_a_program(programs: Path, site: Path) -> None:
    for argv in (("preflight",), ("discover",)):
        done = mpio(programs, *argv, "--site", str(site), env=HOSTILE)
        assert "Traceback" not in done.stderr, done.stderr
    said = (programs / "said").read_text().splitlines()
    seen = {line.partition("=")[0] for line in said} - {"cwd"}
    assert seen == OURS, f"{sorted(seen - OURS)} of {len(HOSTILE)} reached a program"
    assert {line for line in said if line.startswith("cwd=")} == {"cwd=/"}
    assert {line for line in said if line.startswith("LC_ALL=")} == {"LC_ALL=C"}


def test_nor_a_child_that_is_left_to_run(programs: Path, tmp_path: Path) -> None:
    """What delivers a message: the program that an alert names, and the delivery to a URL."""
    program = """
import os, sys, time
from mpio import itself, run
child = run.begin((sys.argv[1],), b"", 10, {"https_proxy": "http://proxy:1"})
while not child.poll():
    time.sleep(0.01)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(programs / "ping")],
        env={**HOSTILE, "PYTHONPATH": str(TOP)},
        cwd="/",
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = (programs / "said").read_text().splitlines()
    # The shell that begins it says where it is, and where it was.
    assert {line.partition("=")[0] for line in said} - {"cwd", "OLDPWD"} == OURS | {"https_proxy", "PWD"}
    assert "PWD=/" in said
    assert "https_proxy=http://proxy:1" in said


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_descriptors_are_nobodys_output(
    programs: Path, site: Path, tmp_path: Path, closed: tuple[int, ...]
) -> None:
    """Else the file that is opened first would be descriptor 1 or 2, and get what is printed."""
    out = tmp_path / "metrics.prom"

    def before() -> None:
        for fd in closed:
            os.close(fd)

    for argv in (("export", "-v", "--textfile", str(out), "--site", str(site)), ("--version",)):
        done = mpio(programs, *argv, before=before)
        assert "Traceback" not in done.stderr
        assert done.returncode == 0, (argv, done.stderr)
    assert out.read_text().startswith("# HELP mpio_")
    assert {line.partition(" ")[0].partition("{")[0] for line in out.read_text().splitlines() if line[0] != "#"} <= {
        word.split()[2] for word in out.read_text().splitlines() if word.startswith("# TYPE")
    }


def test_signals_and_umask_of_a_strange_parent(programs: Path, site: Path) -> None:
    """Ignored SIGCHLD takes exit codes away, a blocked SIGTERM the way to end us, umask 0 makes files for everybody."""
    (programs / "ip").write_text(STATE)
    (programs / "grep").symlink_to(shutil.which("grep") or "")

    def before() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGCHLD})
        os.umask(0)

    program = f"""
import sys
from mpio import inherited, run
inherited.set_right()
run.PATH = run.ENVIRONMENT["PATH"] = {str(programs)!r}
sys.exit(run.Runner()("ip", ok=None).code)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=TOP, preexec_fn=before, check=False, capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    assert (programs / "umask").read_text().split() == ["0022"]
    said = dict(line.split() for line in (programs / "signals").read_text().splitlines())
    assert int(said["SigBlk:"], 16) == 0
    assert not int(said["SigIgn:"], 16) & 1 << (signal.SIGCHLD - 1)


def test_a_strange_terminal_is_no_trouble(programs: Path) -> None:
    strange = ({"COLUMNS": "0"}, {"COLUMNS": "-1"}, {"COLUMNS": "9" * 30}, {"TERM": "\x1b]0;x\x07", "TZ": "../" * 99})
    for argv, how in zip((("status",), ("--help",), ("explain", "MP101"), ("status", "-v")), strange, strict=True):
        done = mpio(programs, *argv, env={**how, "LC_ALL": "xx_YY", "PYTHONIOENCODING": ""})
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert "\x1b]" not in done.stdout + done.stderr


def test_nothing_is_imported_from_the_folder_where_it_starts(tmp_path: Path) -> None:
    for name in ("json", "sh", "site", "typer", "signal", "tabulate", "shutil", "mpio"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'trapped')!r}, 'w')\n")
    for argv in (("--version",), ("explain", "MP101"), ("status",)):
        done = subprocess.run(
            (*itself.program(), *argv), cwd=tmp_path, env={}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "trapped").exists()


def test_a_unit_of_roots_runs_nothing_that_others_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    (tmp_path / "lib").mkdir()
    program = ("/usr/bin/env", f"PYTHONPATH={tmp_path}/lib:{tmp_path}/none", sys.executable, "-P", "-m", "mpio")
    itself.may_stay(program)
    for mode in (0o777, 0o1777):  # sticky: a module that is not there yet anybody may add
        (tmp_path / "lib").chmod(mode)
        with pytest.raises(UsageError, match=f"not to run what lies in {tmp_path}/lib: others may change it") as e:
            itself.may_stay(program)
        assert e.value.hint
    if os.geteuid() == 0:
        (tmp_path / "lib").chmod(0o775)  # root's group
        itself.may_stay(program)
        # Who came by sudo may lose that right; the unit stays.
        os.chown(tmp_path / "lib", 65534, 0)
        (tmp_path / "lib").chmod(0o755)
        monkeypatch.setenv("SUDO_UID", "65534")
        with pytest.raises(UsageError, match="owned by user 65534"):
            itself.may_stay(program)
        assert os.environ["SUDO_UID"] == "65534"
        os.chown(tmp_path / "lib", 0, 0)
    (tmp_path / "lib").chmod(0o755)
    tmp_path.chmod(0o777)
    with pytest.raises(UsageError, match=f"{tmp_path}/lib: others may change {tmp_path}: its mode is 0777"):
        itself.may_stay(program)


def test_a_folder_that_cannot_be_recorded_into_is_one_sentence(programs: Path, site: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (f"{tmp_path}/file", f"{tmp_path}/{'x' * 300}"):
        done = mpio(programs, "verify", "--site", str(site), "--record", folder, "-o", "json")
        said = json.loads(done.stdout)["error"]
        assert (done.returncode, said["code"]) == (1, "cannot-write")
        assert said["message"].startswith(f"cannot record into {folder}: ")
        assert said["hint"]


def test_a_recording_goes_into_no_folder_of_others(programs: Path, site: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    done = mpio(programs, "verify", "--site", str(site), "--record", f"{tmp_path}/open", "-o", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["error"]["code"]) == (1, "cannot-write")
    assert "its mode is 0777" in document["error"]["message"]
    assert os.listdir(tmp_path / "open") == []
