"""What is known of releases that nobody here could boot (tests/pretend): tools and decisions cope with it."""

from __future__ import annotations

from pathlib import Path

import fakes
import in_force
import pytest
import recordings
import trees

from mpio import checks, plan, recording
from mpio.files import Files
from mpio.host import Host, Pair, Portal
from mpio.machine import Machine
from mpio.observe import configured
from mpio.plan import ground, iscsi
from mpio.plan.shape import MULTIPATH_CONF
from mpio.program import Done
from mpio.replay import Replay
from mpio.step import Write
from mpio.tools import iscsiadm, iscsidb, iscsitext, multipath, systemctl

TOP = Path(__file__).parent / "pretend"
RHEL = pytest.mark.parametrize("release", sorted(p.name for p in TOP.glob("rhel*")))
UNITS = (systemctl.ISCSID, *systemctl.LOGIN_UNITS, systemctl.MULTIPATHD)
PAIR = Pair("sw-iscsi-0", Portal("10.10.8.90"), fakes.HOMER_1)


def done(release: str, name: str) -> Done:
    return recording.load((TOP / release / name).read_text())


def files(release: str, root: Path) -> Files:
    return trees.planted(root, recording.tree(done(release, "files").out))


def host(release: str, root: Path) -> Host:
    """The guide's bare host with what this release would show."""
    machine = Machine(Replay([done(release, "systemctl-units")]), files(release, root))
    seen = configured.files(machine, fakes.guide_site(), fakes.bare_host())
    return fakes.bare_host(
        units=systemctl.units(machine.run, UNITS),
        needs_multipath_conf=seen.needs_multipath_conf,
        files={**seen.files, **{k: v for k, v in fakes.bare_host().files.items() if v is None}},
    )


def test_what_is_pretended_says_so_and_nothing_recorded_does() -> None:
    assert {"rhel8", "rhel9"} <= {path.name for path in TOP.iterdir()}
    for path in TOP.glob("*/*"):
        assert "\npretend: written by hand" in path.read_text().partition("\n\n")[0], path
        assert f"`{path.parent.name}`" in (TOP / "README.md").read_text()
    for path in recordings.TOP.glob("*/*/*"):
        assert "\npretend:" not in path.read_text(), path


@RHEL
def test_its_version_is_read(release: str) -> None:
    assert iscsiadm.version(Replay([done(release, "iscsiadm-version")])).startswith("6.2.1.")


@RHEL
def test_its_records_are_found_where_it_keeps_them(release: str, tmp_path: Path) -> None:
    read = files(release, tmp_path)
    assert iscsidb.root(read) == "/var/lib/iscsi"
    assert [(i.name, i.nic) for i in iscsidb.ifaces(read)] == [("sw-iscsi-0", "eth1")]  # and not its sample
    (node,) = iscsidb.nodes(read)
    assert (node.pair, node.tpgt) == (PAIR, 1)
    assert iscsidb.discovery_record(read, PAIR.portal) == "/var/lib/iscsi/send_targets/10.10.8.90,3260/st_config"


@RHEL
def test_records_that_log_in_at_boot_by_themselves_are_left_as_they_are(release: str, tmp_path: Path) -> None:
    (node,) = iscsidb.nodes(files(release, tmp_path))
    differs = iscsi.record_settings(fakes.guide_site(), node)
    assert "node.startup" not in differs
    assert differs["node.session.timeo.replacement_timeout"] == "10"


@RHEL
def test_a_login_that_says_nothing_is_no_error_there(release: str) -> None:
    again = done(release, "session-login-again")
    step = iscsiadm.login(PAIR, why="there is no session")
    assert again.argv == step.argv
    assert (again.code, again.out, again.err) == (0, "", "")
    assert again.code in step.ok
    assert iscsiadm.parse_login_error(again.err) is None


@RHEL
def test_its_own_unit_logs_in_at_boot(release: str, tmp_path: Path) -> None:
    seen = host(release, tmp_path)
    login = ground.login_unit(seen)
    assert login is not None
    assert login.name == "iscsi.service"
    argvs = [getattr(step, "argv", ()) for step in ground.services(seen).steps]
    assert systemctl.enable("iscsid.service", now=True) in argvs
    assert not any("open-iscsi.service" in argv for argv in argvs)
    made = plan.steps(fakes.guide_site(), seen)
    assert "MP108" not in {f.code for f in checks.before(fakes.guide_site(), seen, made)}


@RHEL
def test_multipathd_gets_the_file_without_which_it_would_not_start(release: str, tmp_path: Path) -> None:
    seen = host(release, tmp_path)
    assert seen.needs_multipath_conf
    steps = plan.steps(fakes.guide_site(), seen).steps
    (made,) = [n for n, step in enumerate(steps) if isinstance(step, Write) and step.path == MULTIPATH_CONF]
    start = next(n for n, s in enumerate(steps) if getattr(s, "argv", ()) == systemctl.start(systemctl.MULTIPATHD))
    assert made < start
    (tmp_path / "etc/multipath.conf").write_text("defaults {\n}\n")
    own = configured.files(Machine(Replay([]), Files(str(tmp_path))), fakes.guide_site(), Host())
    assert own.files[MULTIPATH_CONF] == "defaults {\n}\n"


@RHEL
def test_its_multipath_takes_every_disk_by_itself_and_still_gets_the_wwids(release: str, tmp_path: Path) -> None:
    found = multipath.installed(Replay([done(release, "multipath-t")]))
    assert found.table["defaults", ""]["find_multipaths"] == "off"
    assert in_force.value(found.table, fakes.APPS_A01, fakes.INQUIRY, "no_path_retry") == "30"
    steps = plan.steps(fakes.guide_site(), host(release, tmp_path)).steps
    assert multipath.register(fakes.APPS_A01, "").argv in [getattr(step, "argv", ()) for step in steps]


def test_a_list_of_sessions_without_its_end() -> None:
    listed = iscsitext.parse_sessions(done("open-iscsi-2.0.873", "iscsiadm-session").out)
    assert [(s.sid, s.portal, s.tpgt, s.target) for s in listed] == [
        (1, PAIR.portal, 1, fakes.HOMER_1),
        (2, Portal("fd00:8::90"), 1, "iqn.2011-09.dom.marge:03"),
    ]
