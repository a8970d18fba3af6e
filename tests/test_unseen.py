"""What cannot be seen is not known: neither healthy nor failed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fakes
import pytest

from mpio import partly, sitefile
from mpio.errors import MpioError
from mpio.files import Files
from mpio.host import Host
from mpio.machine import Machine
from mpio.memory import Memory
from mpio.observe import kernel
from mpio.plan.shape import MULTIPATH_CONF, SYSCTL_DROP_IN
from mpio.program import Done
from mpio.step import Part
from mpio.tools import multipathd
from mpio.topology import LunState

TOP = Path(__file__).parent.parent
SITE = fakes.guide_site()
WHOLE = fakes.settled(SITE, fakes.guide_host())[0]


def as_user(host: Host) -> Host:
    """What a user sees of it: no records, no memory, and multipathd's words on paths."""
    return replace(
        host, root=False, ifaces=(), nodes=(), memory=Memory(), offline=(), files={}, blind=("the node records",)
    )


def test_a_whole_host_is_not_proved_whole() -> None:
    host = as_user(WHOLE)
    judged = partly.luns(SITE, host)
    assert {lun.expected for lun in judged} == {None}
    assert not partly.failed(judged)
    assert [f.code for f in partly.findings(host)] == ["MP101"]
    assert partly.steps(SITE, host) == ()


def test_paths_that_are_out_prove_nothing_for_they_may_be_offline_by_hand() -> None:
    host = as_user(WHOLE)
    kept = {p.wwid: p.dev for p in host.paths}.values()
    out = tuple(p if p.dev in kept else replace(p, dm_state="failed") for p in host.paths)
    assert not partly.failed(partly.luns(SITE, replace(host, paths=out)))


def test_states_that_nobody_tells_are_no_failure() -> None:
    host = as_user(WHOLE)
    judged = partly.luns(SITE, replace(host, paths=tuple(replace(p, dm_state="") for p in host.paths)))
    assert {lun.state for lun in judged} == {LunState.UNKNOWN}
    assert not partly.failed(judged)


def test_what_anybody_can_see_is_proof() -> None:
    host = as_user(WHOLE)
    assert partly.failed(partly.luns(SITE, replace(host, maps=(), paths=(), sessions=())))
    assert partly.failed(
        partly.luns(SITE, replace(host, paths=tuple(replace(p, dm_state="failed") for p in host.paths)))
    )
    assert not partly.failed(partly.luns(replace(SITE, luns=()), host))


def test_steps_go_by_files_that_could_be_read() -> None:
    host = as_user(WHOLE)
    gone = {SYSCTL_DROP_IN: None, MULTIPATH_CONF: None}
    assert {s.part for s in partly.steps(SITE, replace(host, files=gone))} == {Part.SYSCTL}
    assert partly.steps(SITE, replace(host, files={})) == ()  # not read is not missing
    every = {s.part for s in partly.steps(SITE, as_user(fakes.bare_host()))}
    assert every <= set(partly.SEEN)


def test_how_long_io_is_held_takes_the_files_of_multipath_only_where_checks_are_counted() -> None:
    """They are root's alone where multipath has made /etc/multipath: a glance went without, and said nothing at all."""
    said = {raw: multipathd.queueing_seconds(raw, None) for raw in ("12 chk", "47 sec", "off", "on", "-")}
    assert said == {"12 chk": None, "47 sec": 47, "off": "off", "on": "forever", "-": None}


class Nothing:
    """A host on which no program answers."""

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        return Done(argv, 1, "", "")


def test_a_host_without_sys_is_not_a_host_without_luns(tmp_path: Path) -> None:
    machine = Machine(Nothing(), Files(str(tmp_path)))
    seen: list[str] = []
    for blind in (None, seen):
        with pytest.raises(MpioError, match="there is no /sys") as e:
            kernel.look(machine, SITE, blind)
        assert e.value.hint
        assert int(e.value.exit) == 1


if os.geteuid() == 0:  # in a user's namespace / is somebody else's, and mpio trusts no path

    @pytest.mark.parametrize(
        ("argv", "code"), [(("status",), 1), (("verify",), 1), (("verify", "--nagios"), 3), (("export",), 1)]
    )
    def test_in_a_container_without_sys(tmp_path: Path, argv: tuple[str, ...], code: int) -> None:
        site = tmp_path / "site.toml"
        site.write_text(sitefile.dump(SITE), encoding="utf-8")
        site.chmod(0o644)
        script = 'mount -t tmpfs none /sys && exec "$0" "$@"'
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, sys.executable, "-m", "mpio", *argv, "--site", str(site)],
            cwd=TOP,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        assert "there is no /sys" in done.stdout + done.stderr
