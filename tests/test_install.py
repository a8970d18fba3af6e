"""What `watch --install` puts on a host, how that changes from one way of watching to the other, and how it goes."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import fakes
import pytest
from test_commands import Mpio, Shows, run, shows, site, wrong

from mpio import apply, memory
from mpio.commands import call
from mpio.errors import Exit
from mpio.files import Files
from mpio.host import Host, Unit
from mpio.plan import ending, watching
from mpio.plan.watching import Wish
from mpio.step import Command, Step, Write
from mpio.tools import systemctl
from mpio.watch import history, kit

__all__ = ["run", "shows", "site"]  # fixtures

PROGRAM = ("/usr/bin/env", "PYTHONPATH=/opt/m p", "/opt/bin/python3", "-m", "mpio")
TEXTS = kit.texts()
DAEMON, EVENTS = Wish(TEXTS), Wish(TEXTS, daemon=False)
HOST = replace(fakes.guide_host(), program=PROGRAM)


def carried(host: Host, steps: Iterable[Step]) -> Host:
    """The host after these steps, as far as they are about units and files."""
    todo = tuple(steps)
    host = replace(host, memory=memory.noted(host.memory, (n for s in todo for n in s.notes)))
    for step in todo:
        if isinstance(step, Write):
            host = replace(host, files={**host.files, step.path: step.text})
            continue
        match step.argv:
            case ("systemctl", "enable" | "disable" as verb, "--now", name):
                assert host.files[f"/etc/systemd/system/{name}"], "systemctl knows no such unit"
                on = verb == "enable"
                unit = Unit(name, "loaded", "active" if on else "inactive", f"{verb}d")
                host = replace(host, units=(*(u for u in host.units if u.name != name), unit))
            case ("systemctl", "stop", systemctl.EVENT):
                starts = host.unit(systemctl.EVENT_PATH)
                assert starts is None or starts.active == "inactive", "a flag would start it again"
            case ("systemctl", "restart", name):
                assert host.unit(name)
            case ("systemctl", "daemon-reload") | ("udevadm", "control", "--reload"):
                pass
            case ("udevadm", "trigger", "--action=change", *disks):
                assert disks == [f"/sys/block/{p.dev}" for p in host.paths]
            case _:
                raise AssertionError(step.argv)
    return host


def deeds(steps: Iterable[Step]) -> list[str]:
    return [" ".join(s.argv) if isinstance(s, Command) else f"{'-' if s.text is None else '+'} {s.path}" for s in steps]


def of_the_watcher(host: Host) -> dict[str, str]:
    places = [watching.place(name) for name in (*watching.RULES, *watching.UNITS)]
    return {path: text for path in places if (text := host.files.get(path)) is not None}


def test_a_host_gets_the_daemon_and_the_names() -> None:
    steps = watching.configured(DAEMON, HOST)
    assert deeds(steps) == [
        "+ /etc/udev/rules.d/60-mpio.rules",
        "+ /etc/udev/mpio-path",
        "+ /etc/systemd/system/mpio-watch.service",
        "systemctl daemon-reload",
        "udevadm control --reload",
        f"udevadm trigger --action=change {' '.join(f'/sys/block/{p.dev}' for p in HOST.paths)}",
        "systemctl enable --now mpio-watch.service",
    ]
    modes = {s.path: s.mode for s in steps if isinstance(s, Write)}
    assert modes == dict.fromkeys(modes, 0o644) | {"/etc/udev/mpio-path": 0o755}
    assert watching.configured(DAEMON, carried(HOST, steps)) == ()


def test_without_a_daemon_udev_starts_each_look() -> None:
    steps = watching.configured(EVENTS, HOST)
    after = carried(HOST, steps)
    assert deeds(steps)[-1] == "systemctl enable --now mpio-event.path"
    assert sorted(path.rpartition("/")[2] for path in of_the_watcher(after)) == [
        *("60-mpio.rules", "90-mpio-alert.rules", "mpio-event.path", "mpio-event.service", "mpio-path")
    ]
    assert watching.configured(EVENTS, after) == ()


def test_one_way_takes_the_place_of_the_other() -> None:
    first = carried(HOST, watching.configured(DAEMON, HOST))
    steps = watching.configured(EVENTS, first)
    assert deeds(steps)[:2] == [
        "systemctl disable --now mpio-watch.service",
        "- /etc/systemd/system/mpio-watch.service",
    ]
    then = carried(first, steps)
    assert (systemctl.WATCH, "disabled") in {(u.name, u.enabled) for u in then.units}
    back = carried(then, watching.configured(DAEMON, then))
    assert of_the_watcher(back) == of_the_watcher(first)
    assert watching.configured(DAEMON, back) == ()


def test_a_look_that_is_under_way_ends_with_its_way() -> None:
    """A oneshot service that lingers is not stopped with the unit that started it."""
    events = carried(HOST, watching.configured(EVENTS, HOST))
    gone = ["systemctl disable --now mpio-event.path", "systemctl stop mpio-event.service"]
    assert deeds(watching.configured(DAEMON, events))[:2] == gone
    assert deeds(watching.taken_back(events, "mpio made it"))[:2] == gone
    assert not [d for d in deeds(watching.configured(DAEMON, HOST)) if "mpio-event" in d]


def test_what_somebody_has_changed_or_stopped_is_put_right() -> None:
    there = carried(HOST, watching.configured(DAEMON, HOST))
    unit = watching.place(systemctl.WATCH)
    edited = replace(there, files={**there.files, unit: "[Service]\n"})
    assert deeds(watching.configured(DAEMON, edited)) == [
        f"+ {unit}",
        "systemctl daemon-reload",
        "systemctl restart mpio-watch.service",
    ]
    stopped = replace(there, units=(*HOST.units, Unit(systemctl.WATCH, "loaded", "failed", "enabled")))
    assert deeds(watching.configured(DAEMON, stopped)) == ["systemctl restart mpio-watch.service"]
    disabled = replace(there, units=(*HOST.units, Unit(systemctl.WATCH, "loaded", "active", "disabled")))
    assert deeds(watching.configured(DAEMON, disabled)) == ["systemctl enable --now mpio-watch.service"]


def test_the_files_of_a_package_are_left_to_it() -> None:
    there = {watching.packaged(name): text for name, text in TEXTS.items()}
    host = replace(HOST, files={**HOST.files, **there})
    assert deeds(watching.configured(DAEMON, host)) == ["systemctl enable --now mpio-watch.service"]


@pytest.mark.parametrize(("daemon", "unit"), [(True, systemctl.WATCH), (False, systemctl.EVENT)])
def test_another_site_than_the_packages_goes_before_it(daemon: bool, unit: str) -> None:
    there = {watching.packaged(name): text for name, text in TEXTS.items()}
    host = replace(HOST, files={**HOST.files, **there})
    steps = watching.configured(Wish(TEXTS, "/srv/other.toml", daemon), host)
    assert deeds(steps)[:2] == [f"+ {watching.place(unit)}", "systemctl daemon-reload"]
    (written,) = (s for s in steps if isinstance(s, Write))
    assert "--site /srv/other.toml\n" in (written.text or "")
    assert deeds(watching.configured(Wish(TEXTS, "", daemon), host))[0].startswith("systemctl enable")


def test_the_unit_starts_this_mpio_with_this_site() -> None:
    said = watching.text(replace(EVENTS, site="/srv/50%/site.toml"), systemctl.EVENT, PROGRAM)
    assert (
        'ExecStart=/usr/bin/env "PYTHONPATH=/opt/m p" /opt/bin/python3 -m mpio watch --event '
        '--site "/srv/50%%/site.toml"\n' in said
    )
    assert "/usr/bin/mpio" not in said
    assert watching.SITE not in said
    assert "mpio watch\n" in watching.text(replace(DAEMON, site=""), systemctl.WATCH, PROGRAM)
    assert '="/bin/sh /etc/udev/mpio-path $kernel $id"' in watching.text(DAEMON, watching.NAMES, PROGRAM)


@pytest.mark.parametrize("name", [systemctl.WATCH, systemctl.EVENT])
def test_the_units_as_they_come_are_whole(name: str) -> None:
    assert TEXTS[name].count(watching.PROGRAM) == 1
    assert f"--site {watching.SITE}\n" in TEXTS[name]
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(TEXTS[name])
    assert unit["Service"]["NoNewPrivileges"] == "yes"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["RuntimeDirectoryPreserve"] == "yes"  # what is noted there outlives a watcher that died


def test_a_look_that_is_stopped_has_not_failed() -> None:
    assert f"SuccessExitStatus={int(Exit.INTERRUPTED)}\n" in TEXTS[systemctl.EVENT]


def test_the_daemon_may_write_what_ends_a_stall() -> None:
    """Kernel tunables are read-only whatever else is allowed (lab), and its children are not killed with it."""
    settings = dict(line.split("=", 1) for line in TEXTS[systemctl.WATCH].splitlines() if re.match(r"[A-Z]\w*=", line))
    assert "ProtectKernelTunables" not in settings
    assert settings["Type"] == "notify"
    assert settings["KillMode"] == "process"
    assert settings["PrivateMounts"] == "yes"  # without it `systemd-analyze security --offline=true` says 3.2
    assert int(settings["RestartSec"]) >= 5  # what lets it fail may stay
    assert settings["CapabilityBoundingSet"].split() == [
        *("CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
    ]
    assert settings["After"].split() == [systemctl.ISCSID, systemctl.MULTIPATHD]
    assert not {"Before", "Requires", "Wants", "BindsTo"} & settings.keys()


@pytest.mark.parametrize("wish", [DAEMON, EVENTS])
def test_teardown_takes_it_away_and_the_watcher_first(wish: Wish) -> None:
    there = carried(HOST, watching.configured(wish, HOST))
    steps = ending.teardown(there).steps
    assert deeds(steps)[0] == f"systemctl disable --now {wish.started}"
    own = watching.taken_back(there, "mpio made it")
    assert steps[: len(own)] == own
    assert not [d for d in deeds(steps[len(own) :]) if "mpio-watch" in d or "mpio-event" in d or "/udev/" in d]
    assert of_the_watcher(carried(there, own)) == {}
    assert watching.taken_back(carried(there, own), "again") == ()


def test_disks_that_outlive_the_rules_lose_their_names() -> None:
    there = carried(HOST, watching.configured(DAEMON, HOST))
    other = HOST.sessions[0]
    stays = [p.dev for p in HOST.paths if p.sid == other.sid]
    there = replace(there, memory=replace(there.memory, made=there.memory.made - {("record", str(other.pair))}))
    steps = deeds(ending.teardown(there, frozenset({"MP408", "MP409"})).steps)
    said = steps.index(f"udevadm trigger --action=change {' '.join(f'/sys/block/{dev}' for dev in stays)}")
    assert steps[said - 1] == "udevadm control --reload"
    assert not [d for d in deeds(watching.taken_back(there, "mpio made it")) if "trigger" in d]


def test_teardown_takes_what_watchers_have_kept(
    run: Mpio, shows: Shows, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows(replace(fakes.bare_host(), memory=memory.Memory()))
    monkeypatch.setattr(call, "Files", partial(Files, str(tmp_path)))
    places = [history.CURRENT, history.OLDER, "/run/mpio/event", "/run/mpio/event.json", "/run/mpio/event.lock"]
    for path in (*places, "/run/mpio/alerts.json", "/run/mpio/refused.json", memory.PATH):
        Files(str(tmp_path)).write(path, "x")
    assert run("teardown", "--yes").code == 0
    assert list((tmp_path / "var/lib").iterdir()) == []
    assert list((tmp_path / "run/mpio").iterdir()) == []


def test_teardown_leaves_the_folder_with_what_somebody_else_keeps_there(
    run: Mpio, shows: Shows, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows(replace(fakes.bare_host(), memory=memory.Memory()))
    monkeypatch.setattr(call, "Files", partial(Files, str(tmp_path)))
    for path in (memory.PATH, "/var/lib/mpio/notes"):
        Files(str(tmp_path)).write(path, "x")
    assert run("teardown", "--yes").code == 0
    assert [path.name for path in (tmp_path / "var/lib/mpio").iterdir()] == ["notes"]


def test_teardown_leaves_what_somebody_else_has_put_there() -> None:
    there = carried(HOST, watching.configured(DAEMON, HOST))
    assert watching.taken_back(replace(there, memory=memory.Memory()), "mpio made it") == ()


# -- the verb ------------------------------------------------------------------------------------------------------


class Prague:
    """The pretend host: what a look sees, and what steps make of it, but for those that fail."""

    def __init__(self) -> None:
        self.now = HOST
        self.fails = ""

    def carry_out(self, _: object, steps: Any, outcome: apply.Outcome, _tell: object, *, strict: bool) -> None:
        for step in steps:
            (said,) = deeds([step])
            if self.fails and self.fails in said:
                outcome.failed[apply.key(step)] = (step, "it says no", 1)
                return
            self.now = carried(self.now, [step])
            outcome.done.append(step)


@pytest.fixture
def prague(shows: Shows, site: Path, monkeypatch: pytest.MonkeyPatch) -> Prague:
    shows(HOST)
    made = Prague()
    monkeypatch.setattr(kit, "look", lambda _: made.now)
    monkeypatch.setattr(apply, "carry_out", made.carry_out)
    return made


def test_it_asks_before_it_changes_anything(run: Mpio, prague: Prague) -> None:
    assert "--yes" in wrong_but_steps(run("watch", "--install"))
    assert prague.now == HOST
    assert "--install" in wrong(run, ["watch", "--no-daemon"], 2, "usage")


if os.geteuid() == 0:  # to give a file to somebody else

    @pytest.mark.parametrize("whose", ["site", "program"])
    def test_what_is_of_who_came_by_sudo_is_not_left_to_a_unit(
        run: Mpio, prague: Prague, site: Path, monkeypatch: pytest.MonkeyPatch, whose: str
    ) -> None:
        """The unit has no SUDO_UID: it would refuse at each start, or run what is theirs no longer by right."""
        monkeypatch.setenv("SUDO_UID", "65534")
        page = site.with_name("page")
        page.touch(0o755)
        with site.open("a") as file:
            file.write(f'[[watch.alert]]\nexec = ["{page}"]\n')
        os.chown(site if whose == "site" else page, 65534, 0)
        assert run("plan").code in (0, 3)
        said = wrong(run, ["watch", "--install", "--yes"], 2, "usage")
        assert "a unit of root's would not take the site file" in said
        assert "owned by user 65534" in said
        assert prague.now == HOST
        os.chown(site, 0, 0)
        os.chown(page, 0, 0)
        assert run("watch", "--install", "--yes").code == 0


def wrong_but_steps(said: Any) -> str:
    assert said.code == 2
    assert "systemctl enable --now mpio-watch.service" in said.out
    return str(said.err)


@pytest.mark.parametrize(("way", "unit"), [([], systemctl.WATCH), (["--no-daemon"], systemctl.EVENT_PATH)])
def test_it_is_done_once_and_said(run: Mpio, prague: Prague, way: list[str], unit: str) -> None:
    said = run("watch", "--install", *way, "--yes", "-o", "json").json
    assert (said["exit"], said["left"], said["done"][-1]["argv"]) == (0, [], ["systemctl", "enable", "--now", unit])
    assert [f["code"] for f in said["findings"]] == ["MP110"]  # the guide's site has nobody to tell
    again = run("watch", "--install", *way)
    assert again.code == 0
    assert f"{unit} is enabled and runs" in again.out


def test_the_unit_is_judged_by_itself(run: Mpio, prague: Prague) -> None:
    there = carried(HOST, watching.configured(DAEMON, HOST))
    files = {path: text for path, text in there.files.items() if path != watching.place(watching.NAMER)}
    prague.now, prague.fails = replace(there, files=files), "trigger"
    said = run("watch", "--install", "--yes")
    assert (said.code, "MP107" in said.out) == (1, True)
    assert "mpio-watch.service is enabled and runs" in said.out
    unit = Unit(systemctl.WATCH, "loaded", "active", "disabled")
    assert watching.stands(DAEMON, replace(HOST, units=(unit,))) == "runs, but is not enabled"


def test_what_went_wrong_is_said(run: Mpio, prague: Prague) -> None:
    prague.fails = "enable"
    said = run("watch", "--install", "--yes")
    assert said.code == 1
    assert "MP107" in said.out
    assert "mpio-watch.service does not run" in said.out
    prague.fails = ""
    assert run("watch", "--install", "--yes").code == 0
