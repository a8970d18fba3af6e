"""What a release is made of: the same bytes each time, an SBOM of all that it needs, and weaknesses that stop it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

import mpio
from mpio.lab import packages

TOP = Path(mpio.__file__).parent.parent
WHEEL = f"mpio_toolkit-{mpio.__version__}-py3-none-any.whl"
SOURCE = f"mpio_toolkit-{mpio.__version__}.tar.gz"
WHEN = {"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
SBOM = f"mpio-{mpio.__version__}.cdx.json"


def tree(place: Path) -> Path:
    """The project as it would be committed now, by anybody at any time, with this environment."""
    named = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=TOP, check=True, capture_output=True)
    for name in os.fsdecode(named.stdout).split("\0"):
        if (TOP / name).is_file():  # git also names what is removed and not yet committed so
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, place / name, follow_symlinks=False)
    git = ("git", "-c", "user.name=A Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false")
    for argv in (("init", "-q"), ("add", "--all"), ("commit", "-q", "-m", "As it is")):
        subprocess.run([*git, *argv], cwd=place, check=True, env=os.environ | WHEN)
    (place / ".venv").symlink_to(sys.prefix)
    (place / ".git/info/exclude").write_text("/.venv\n")  # the project's own line is for a folder
    return place


def build(place: Path) -> dict[str, str]:
    """sha256 by name of what is in dist, as its own list says."""
    subprocess.run(["contrib/release/build.sh"], cwd=place, check=True, capture_output=True, timeout=300)
    lines = (place / "dist/SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def locked() -> dict[str, str]:
    entries = packages.requirements("3.11").split("\n")
    return dict(entry.split()[0].split("==") for entry in entries if "==" in entry)


def test_a_release_comes_with_an_sbom_of_all_that_it_needs(tmp_path: Path) -> None:
    place = tree(tmp_path / "tree")
    sums = build(place)
    assert set(sums) == {WHEEL, SOURCE, SBOM}
    assert {name: hashlib.sha256((place / "dist" / name).read_bytes()).hexdigest() for name in sums} == sums

    bom = json.loads((place / "dist" / SBOM).read_text())
    assert bom["bomFormat"] == "CycloneDX"
    assert bom["metadata"]["component"]["name"] == "mpio-toolkit"
    assert bom["metadata"]["component"]["version"] == mpio.__version__
    assert {part["purl"] for part in bom["components"]} == {
        f"pkg:pypi/{name}@{version}" for name, version in locked().items()
    }
    assert all(part["licenses"] for part in bom["components"])
    # The whole is named with what it asks for itself, and each of these with what it brings along.
    depends = {one["ref"]: one.get("dependsOn", []) for one in bom["dependencies"]}
    assert set(depends) == {part["bom-ref"] for part in bom["components"]} | {"root-component"}
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    assert len(depends["root-component"]) == len(project["dependencies"])


def test_what_is_not_committed_is_not_released(tmp_path: Path) -> None:
    place = tree(tmp_path / "tree")
    for name, how in (("mpio/new.py", "??"), ("README.md", " M")):
        with (place / name).open("a") as file:
            file.write("\n")
        done = subprocess.run(["contrib/release/build.sh"], cwd=place, check=False, capture_output=True, text=True)
        assert done.returncode == 1
        said, *names = done.stderr.splitlines()
        assert "commit or remove" in said
        assert f"{how} {name}" in names
    assert not (place / "dist").exists()


@pytest.mark.nightly
def test_two_builds_of_a_commit_are_the_same_bytes(tmp_path: Path) -> None:
    assert build(tree(tmp_path / "one")) == build(tree(tmp_path / "two"))


class Osv(BaseHTTPRequestHandler):
    """The service's protocol (POST /v1/query), for the one weakness of `weak`."""

    weak = ""
    asked: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        self.asked.add(wanted)
        found = [{"id": "TEST-1", "summary": "a hole", "affected": []}] if wanted == self.weak else []
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"vulns": found} if found else {}).encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the requests are in `asked`."""


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()
        thread.join()


def audit(tree: Path, service: str) -> subprocess.CompletedProcess[str]:
    argv = ["contrib/release/audit.sh", "--vulnerability-service", "osv", "--osv-url", service]
    return subprocess.run(argv, cwd=tree, capture_output=True, text=True, timeout=120, check=False)


def test_a_known_weakness_stops_an_audit_and_so_does_silence(
    tmp_path: Path, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tree(tmp_path / "tree")
    fine = audit(place, service)
    assert fine.returncode == 0, fine
    assert {name.lower().replace("_", "-") for name in Osv.asked} >= set(locked())
    monkeypatch.setattr(Osv, "weak", "jinja2")
    weak = audit(place, service)
    assert weak.returncode == 1
    assert "jinja2" in weak.stdout
    assert "TEST-1" in weak.stdout
    silent = audit(place, "http://127.0.0.1:9/v1/query")
    assert silent.returncode == 1, silent


@pytest.mark.nightly
def test_the_lock_is_what_the_project_asks_for() -> None:
    subprocess.run(["contrib/bootstrap.sh", "locked"], cwd=TOP, check=True, timeout=600)
