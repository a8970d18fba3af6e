"""The house rules as tests. `make test` installs what they need; a missing checker is a failure, never a gap."""

from __future__ import annotations

import ast
import email
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pages import PAGES

import mpio
from mpio import releases

TOP = Path(__file__).parent.parent
LINES = 320
FUNCTION_LINES = 60

# One way: a module imports from its own layer and those to the left (design: docs/architecture.md). What is not
# named here is a decision: pure. The console is an edge that only commands and the lab may use.
LAYERS = ("values", "tools", "decisions", "edges", "console", "commands", "cli")
HOMES = {
    "values": (
        "",
        "errors",
        "findings",
        "host",
        "memory",
        "portal",
        "program",
        "releases",
        "routing",
        "site",
        "step",
        "watch.event",
    ),
    "tools": ("tools",),
    "edges": (
        *(
            "apply",
            "folders",
            "inuse",
            "iscsilock",
            "inherited",
            "itself",
            "sitefile",
            "sitetrust",
            "trust",
            "cores",
            "examine",
            "facts",
            "files",
            "identity",
            "links",
            "lock",
            "logouts",
            "machine",
            "names",
            "notify",
            "observe",
            "probe",
            "renew",
            "replay",
            "rest",
            "rootfs",
            "run",
            "serve",
        ),
        *("devmapper", "settle", "sgio", "sockets", "support", "udev"),
        *(f"alerts.{name}" for name in ("deliver", "delivery", "sinks", "testing")),
        *(f"fastfail.{name}" for name in ("lever", "moment")),
        *(f"watch.{name}" for name in ("box", "brief", "hands", "healing", "kit", "lines", "listener", "loop")),
        *(f"watch.{name}" for name in ("probing", "sight", "stamps")),
        *(f"drills.{name}" for name in ("guard", "layers", "reader", "turns")),
        *(f"luns.{name}" for name in ("capacity", "growth", "inventory", "removal", "scan", "taking")),
        "proposing.tryout",
    ),
    "console": ("console", "luns.luntext", "progress", "report.typeset"),
    "commands": ("commands", "lab"),
    "cli": ("cli", "__main__"),
}
IMPURE = {
    "asyncio",
    "fcntl",
    "multiprocessing",
    "random",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
}


@cache
def tracked() -> tuple[str, ...]:
    """Every file of the project, relative to the top: git's own, and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        names = listed.stdout.split("\0")
    else:  # an unpacked archive
        paths = (p.relative_to(TOP) for p in TOP.rglob("*") if p.is_file())
        names = [str(p) for p in paths if not {x for x in p.parts if x == "__pycache__" or re.match(r"\.(?!ci)", x)}]
    return tuple(sorted(name for name in names if name and (TOP / name).is_file()))


def texts() -> Iterator[tuple[str, str]]:
    for name in tracked():
        data = (TOP / name).read_bytes()
        if b"\0" not in data and not name.startswith("tests/recorded/"):
            yield name, data.decode("utf-8", "backslashreplace")


def sources() -> dict[str, str]:
    return {name: text for name, text in texts() if name.startswith("mpio/") and name.endswith(".py")}


def check(*argv: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "MYPYPATH"}} | {"NO_COLOR": "1"}
    try:
        done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False, env=environment)
    except FileNotFoundError:
        pytest.fail(f"{argv[0]} is not installed: make setup", pytrace=False)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def python_files() -> list[str]:
    return [name for name in tracked() if name.endswith(".py")]


def test_ruff() -> None:
    check(sys.executable, "-m", "ruff", "check", "--quiet", *python_files())


def test_format() -> None:
    check(sys.executable, "-m", "ruff", "format", "--check", "--quiet", "--diff", *python_files())


def test_types() -> None:
    check(sys.executable, "-m", "mypy", "--strict", "mpio", "tests")


def test_spelling() -> None:
    names = [name for name, _ in texts() if name not in {"LICENSE", "requirements.lock"} and not name.endswith(".json")]
    check(sys.executable, "-m", "codespell_lib", "--toml", "pyproject.toml", *names)


def test_shell() -> None:
    scripts = [n for n, text in texts() if n.endswith(".sh") or re.match(r"#! ?/(usr/)?bin/(env )?(ba|da)?sh\b", text)]
    assert {".ci/run", "contrib/bootstrap.sh"} <= set(scripts)
    check("shellcheck", *scripts)


def module(name: str) -> str:
    """`mpio/tools/ip.py` is `tools.ip`; `mpio/__init__.py` is the empty name."""
    return ".".join(Path(name).with_suffix("").parts[1:]).removesuffix("__init__").rstrip(".")


def layer(dotted: str) -> str:
    """By the longest beginning of the name that has a home."""
    words = dotted.split(".")
    for name in (".".join(words[:count]) for count in range(len(words), 0, -1)):
        for one, homes in HOMES.items():
            if name in homes:
                return one
    return "decisions"


def imports(text: str, own: str) -> Iterator[str]:
    """The modules that a source imports, at its top and inside functions, those for type checkers left out."""
    tree = ast.parse(text)
    ignored = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in ignored:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{own}: relative import"
            parent = node.module or ""
            for alias in node.names:
                file = TOP / parent.replace(".", "/") / alias.name
                yield f"{parent}.{alias.name}" if file.with_suffix(".py").exists() or file.is_dir() else parent


def test_imports_go_one_way() -> None:
    wrong = []
    for name, text in sources().items():
        own = layer(module(name))
        for target in imports(text, name):
            if target == "mpio" or target.startswith("mpio."):
                other = layer(target.removeprefix("mpio").lstrip("."))
                if LAYERS.index(other) > LAYERS.index(own):
                    wrong.append(f"{name} ({own}) imports {target} ({other})")
            elif own in {"values", "tools", "decisions"} and target.partition(".")[0] in IMPURE:
                wrong.append(f"{name} ({own}) imports {target}")
    assert not wrong, "\n".join(wrong)


def test_the_layers_test_can_fail() -> None:
    assert list(imports("def f():\n    from mpio import run", "x")) == ["mpio.run"]
    assert list(imports("from mpio.errors import Busy\nimport os.path", "x")) == ["mpio.errors", "os.path"]
    assert [layer(x) for x in ("", "tools.ip", "plan.maps", "run", "console", "commands.plan", "cli")] == list(LAYERS)
    assert [layer(f"drills.{x}") for x in ("drilled", "guard")] == ["decisions", "edges"]


def test_files_and_functions_keep_their_budgets() -> None:
    long = []
    for name, text in sources().items():
        lines = text.count("\n")
        if lines > LINES:
            long.append(f"{name}: {lines} lines, at most {LINES}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or 0) - node.lineno + 1
                if size > FUNCTION_LINES:
                    long.append(f"{name}:{node.lineno}: {node.name} has {size} lines, at most {FUNCTION_LINES}")
    assert not long, "\n".join(long)


def found(pattern: str, *suffixes: str) -> list[str]:
    regex = re.compile(pattern)
    return [
        f"{name}:{number}: {line.strip()[:160]}"
        for name, text in texts()
        if name != "tests/test_house.py" and (not suffixes or name.endswith(suffixes))
        for number, line in enumerate(text.splitlines(), 1)
        if regex.search(line)
    ]


def test_nothing_is_left_for_later() -> None:
    assert not found(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError", ".py", ".sh", "Makefile", ".md", ".toml")


def test_no_test_is_skipped() -> None:
    assert not found(r"pytest\.skip|mark\.skip|importorskip|mark\.xfail|pytest\.xfail|unittest\.skip", ".py")


def test_only_the_console_prints() -> None:
    assert not [x for x in found(r"(?<![\w.])print\(", ".py") if x.startswith("mpio/") and "/console.py" not in x]


def test_no_registry_and_no_machine_is_named() -> None:
    """Where packages come from is the installing machine's business; a path of ours means nothing to others."""
    hosts = r"(deb\.debian|archive\.ubuntu)\.\w+|pypi\.org/simple|pythonhosted|registry\.npmjs"
    options = r"--(extra-)?index-url|--find-links"
    assert not found(rf"{hosts}|{options}|(?<![\w.])/work/|/opt/wheels")


def test_the_lock_is_hashed_and_complete() -> None:
    lock = (TOP / "requirements.lock").read_text()
    pinned = {line.split("==")[0] for line in lock.splitlines() if "==" in line}
    assert pinned
    assert all(line.lstrip().startswith("--hash=sha256:") or "==" in line for line in lock.splitlines() if line.strip())
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["dev"]
    names = {re.split(r"[<>=~!\[; ]", want)[0] for want in [*wanted, *project["build-system"]["requires"]]}
    assert names <= pinned


@pytest.mark.parametrize("path", sorted(PAGES))
def test_generated_pages_are_fresh(path: str) -> None:
    assert (TOP / path).exists(), f"{path} is missing: make docs"
    assert (TOP / path).read_text(encoding="utf-8") == PAGES[path](), f"{path} is stale: make docs"


def test_the_changelog_knows_the_version() -> None:
    assert re.search(
        rf"^(## \[{re.escape(mpio.__version__)}\]|To become {re.escape(mpio.__version__)}\.$)", changelog(), re.M
    )
    assert re.search(r"^## \[Unreleased\]", changelog(), re.M)


def changelog() -> str:
    return (TOP / "CHANGELOG.md").read_text(encoding="utf-8")


SHARED = {
    "man/man8/mpio.8",
    "man/man5/mpio-site.5",
    "bash-completion/completions/mpio",
    "zsh/site-functions/_mpio",
    "fish/vendor_completions.d/mpio.fish",
}


def test_the_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    check(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
        info = next(name.partition("/")[0] for name in inside if ".dist-info/" in name)
        meta = email.message_from_string(archive.read(f"{info}/METADATA").decode())
        entry = archive.read(f"{info}/entry_points.txt").decode()
    assert {name for name in tracked() if name.startswith("mpio/")} <= inside
    shared = f"{info.removesuffix('.dist-info')}.data/data/share/"
    assert all(name.startswith(("mpio/", info, shared)) for name in inside)
    assert {name.removeprefix(shared) for name in inside if name.startswith(shared)} == SHARED
    assert (meta["Name"], meta["Version"]) == ("mpio-toolkit", mpio.__version__)
    assert "mpio = mpio.__main__:main" in entry


def test_the_readme_names_the_releases_that_are_supported() -> None:
    supported = (TOP / "README.md").read_text().partition("\n## Supported\n")[2].partition("\n## ")[0]
    rows = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in supported.splitlines() if "|" in line]
    assert rows[2:] == [(one.title, one.name) for one in releases.SUPPORTED]
    for one in releases.RECORDED:
        assert f"{one.title} " in supported
        assert one.name in supported
