"""`mpio init` through its real entry: what it asks for, what it writes, what it never touches."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import HOMER_1, HOMER_2, PORTAL_8, PORTAL_9
from test_commands import HOST, Mpio, Shows, run, shows, well_formed, wrong
from test_survey import BOND, ETH1, ETH2, LO, seen

from mpio import discovery, observe, sitefile
from mpio.commands import init
from mpio.commands.call import Call
from mpio.console import Console
from mpio.errors import MpioError
from mpio.files import Files
from mpio.findings import finding
from mpio.host import Answer, Host, Pair
from mpio.machine import Machine
from mpio.observe import Look, kernel
from mpio.plan.shape import Share
from mpio.program import Done
from mpio.proposing import trials, tryout
from mpio.site import SiteLun
from mpio.tools import cards, ip, iscsidb, iscsitrial, sysfs, systemctl, udevadm

__all__ = ["run", "shows"]  # fixtures

KEYS = ["format", "command", "exit", "file", "text", "nics", "asked", "layout", "luns", "findings"]
PORTALS = ("--portal", "10.10.8.90")


@pytest.fixture
def place(run: Mpio, tmp_path: Path) -> Path:
    return tmp_path / "none.toml"  # what $MPIO_SITE names


@pytest.fixture
def san(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A bare host with iscsid running and the guide's SAN behind it; `host` is what the SAN's answers make of it."""
    running = tuple(replace(u, active="active") if u.name == systemctl.ISCSID else u for u in HOST.units)
    given: dict[str, Any] = {
        "before": fakes.bare_host(units=running),
        "host": seen(),
        "cards": (ETH1, ETH2, LO),
        "asked": [],
    }
    monkeypatch.setattr(cards, "cards", lambda *_: given["cards"])
    monkeypatch.setattr(ip, "addresses", lambda _: {})
    monkeypatch.setattr(iscsidb, "ifaces", lambda _: ())
    monkeypatch.setattr(sysfs, "nic_names", lambda _: ("eth1", "eth2", "lo"))
    shows(given["before"])
    monkeypatch.setattr(observe, "host", lambda *_: given["before"])

    def asked(_machine: object, site: Any, before: Host, portals: Any) -> Host:
        given["asked"].append((site, before, portals))
        host: Host = given["host"]
        return host

    @contextlib.contextmanager
    def iscsid(_machine: object, start: object) -> Iterator[None]:
        given["started"] = start
        yield

    monkeypatch.setattr(tryout, "asked", asked)
    monkeypatch.setattr(tryout, "iscsid", iscsid)
    monkeypatch.setattr(tryout, "ended", lambda _: Share())
    return given


def test_a_file_is_written_from_what_the_san_says(run: Mpio, san: dict[str, Any], place: Path) -> None:
    said = run("init", *PORTALS, "-o", "json")
    document = said.json
    assert (said.code, list(document)) == (0, KEYS)
    assert (document["file"], document["text"]) == (str(place), place.read_text())
    assert stat.S_IMODE(place.stat().st_mode) == 0o644
    assert [(n["nic"], n["taken"], n["why"]) for n in document["nics"]] == [
        ("eth1", True, None),
        ("eth2", True, None),
        ("lo", False, "is the loopback"),
    ]
    assert [f["portal"] for f in document["asked"][0]["found"]] == [str(PORTAL_8), str(PORTAL_9)]
    assert (document["layout"], document["luns"], document["findings"]) == ("mesh", [], [])
    site = sitefile.parse(document["text"], str(place))
    assert (site.portals, site.targets, site.luns) == ((PORTAL_8, PORTAL_9), (HOMER_1, HOMER_2), ())
    assert san["started"] is None
    (asked,) = san["asked"]
    assert (asked[1].nodes, asked[2]) == ((), (PORTAL_8,))


def test_what_is_there_is_never_overwritten(run: Mpio, san: dict[str, Any], place: Path) -> None:
    place.write_text("mine\n")
    assert "--file" in wrong(run, ["init", *PORTALS], 1, "cannot-write")
    assert (place.read_text(), san["asked"]) == ("mine\n", [])
    link = place.with_name("link.toml")
    link.symlink_to("nowhere")
    wrong(run, ["init", *PORTALS, "--file", str(link)], 1, "cannot-write")
    other = place.with_name("new") / "other.toml"
    assert run("init", *PORTALS, "--file", str(other)).code == 0
    assert other.exists()


def test_a_place_of_others_is_said_before_the_san_is_asked(run: Mpio, san: dict[str, Any], place: Path) -> None:
    theirs = place.with_name("theirs")
    theirs.mkdir()
    theirs.chmod(0o777)
    said = wrong(run, ["init", *PORTALS, "--file", f"{theirs}/site.toml"], 1, "cannot-write")
    assert f"others may change {theirs}" in said
    assert san["asked"] == []


def test_a_file_that_comes_while_the_san_is_asked_is_kept(
    run: Mpio, san: dict[str, Any], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "looked_at", lambda *_: place.write_text("mine\n") and frozenset())
    assert run("init", *PORTALS).code == 1
    assert place.read_text() == "mine\n"


def test_a_dash_is_stdout(run: Mpio, san: dict[str, Any], place: Path) -> None:
    san["cards"] = (ETH1, LO, BOND)
    said = run("init", *PORTALS, "--file", "-")
    assert said.code == 0
    assert sitefile.parse(said.out, "x").ifaces[0].nic == "eth1"
    assert "MP219 warning" in said.err
    assert "MP220 warning" in said.err
    assert run("init", *PORTALS, "--file", "-", "-o", "json").json["file"] is None
    assert not place.exists()


def test_text_names_nics_targets_and_findings(run: Mpio, san: dict[str, Any], place: Path) -> None:
    san["cards"] = (ETH1, ETH2, BOND)
    said = run("init", *PORTALS)
    assert said.code == 0
    assert "no: is an LACP bond of eth3, eth4" in said.out
    assert HOMER_2 in said.out
    assert "MP219 warning  the NIC bond0 is a bond" in said.out
    assert f"{place} is written" in said.err


@pytest.mark.parametrize(
    ("argv", "kind", "about"),
    [
        (["init"], "usage", "--portal 10.10.8.90"),
        (["init", "--portal", "homer.dom"], "usage", "host name"),
        (["init", "--portal", "10.10.8.90", "--portal", "fd00::90"], "usage", "in brackets"),
        (["init", *PORTALS, "--nic", "eth3"], "unknown-name", "eth1"),
        (["init", *PORTALS, "--nic", "lo"], "usage", "loopback"),
        (["init", "--adopt", *PORTALS], "usage", "mpio init --adopt"),
        (["init", "--adopt", "--login"], "usage", "mpio init --adopt"),
    ],
)
def test_bad_words(run: Mpio, san: dict[str, Any], place: Path, argv: list[str], kind: str, about: str) -> None:
    assert about in wrong(run, argv, 2, kind)
    assert (san["asked"], place.exists()) == ([], False)


def test_no_fit_nic(run: Mpio, san: dict[str, Any]) -> None:
    san["cards"] = (replace(ETH1, default=True), LO)
    assert "eth1 carries the default route; lo is the loopback" in wrong(run, ["init", *PORTALS], 2, "usage")


def test_no_answer_is_no_site(run: Mpio, san: dict[str, Any], place: Path) -> None:
    san["host"] = replace(
        seen(), asked=(), probes={("sw-iscsi-0", PORTAL_8): Answer.SILENT, ("sw-iscsi-1", PORTAL_8): Answer.REFUSED}
    )
    said = run("init", *PORTALS)
    assert (said.code, said.out) == (1, "")
    assert "sw-iscsi-0: silent, sw-iscsi-1: refused" in said.err
    assert not place.exists()


def test_iscsid_is_started_only_with_a_yes(run: Mpio, san: dict[str, Any]) -> None:
    san["before"] = fakes.bare_host()
    wrong(run, ["init", *PORTALS], 2, "needs-yes")
    assert run("init", *PORTALS, "--yes").code == 0
    assert san["started"].argv == ("systemctl", "start", "iscsid.service")


def test_only_root_may(run: Mpio, san: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    wrong(run, ["init", *PORTALS], 1, "not-root")
    wrong(run, ["init", "--adopt"], 1, "not-root")


# -- with a login --------------------------------------------------------------------------------------------------


def test_a_login_names_the_luns(run: Mpio, san: dict[str, Any], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = []

    def logged_in(_machine: object, nics: object, due: dict[Pair, int], _say: object) -> tryout.Seen:
        logged.append((nics, due))
        return tryout.Seen(replace(HOST, maps=()), tuple(trials.told(NICS, list(due)[:1], fakes.bare_host(), {})))

    monkeypatch.setattr(tryout, "logged_in", logged_in)
    wrong(run, ["init", *PORTALS, "--login"], 2, "needs-yes")
    document = run("init", *PORTALS, "--login", "--yes", "-o", "json").json
    ((nics, due),) = logged
    assert nics == {"mpio-init-0": "eth1", "mpio-init-1": "eth2"}
    assert len(due) == 4
    assert [lun["alias"] for lun in document["luns"]] == ["lun10", "lun11", "lun12", "lun13"]
    well_formed([], document["findings"])
    assert [f["code"] for f in document["findings"]] == ["MP301"]
    site = sitefile.parse(place.read_text(), str(place))
    assert site.luns == tuple(SiteLun(wwid, f"lun{10 + n}") for n, wwid in enumerate(fakes.ALIASES))
    assert (site.preset, site.find_multipaths) == ("nexenta-comstar", None)
    assert "# LUN 10, 1 GiB, NEXENTA COMSTAR: 4 paths over 2 targets" in document["text"]


class Steps:
    """A machine whose programs do nothing but are noted; a session is there between login and logout."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.ran: list[str] = []
        self.root = tmp_path
        self.host = fakes.bare_host()
        self.fails: BaseException | None = None
        self.stays = False
        monkeypatch.setattr(observe, "host", lambda *_: self.host)
        monkeypatch.setattr(kernel, "look", lambda *_: self.host)
        monkeypatch.setattr(tryout, "RULES", {f"/{name}": "#\n" for name in ("59.rules", "61.rules")})
        monkeypatch.setattr(tryout, "IDLE", 0.0)

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        script = argv[-1] if argv[0] == "unshare" else " ".join(argv)
        self.ran.append(script.rpartition(" && ")[2])
        if script.endswith("--login"):
            paths = HOST.paths
            pairs = [
                replace(s, pair=replace(s.pair, iface=s.pair.iface.replace("sw-iscsi", "mpio-init")))
                for s in HOST.sessions
            ]
            self.host = replace(self.host, sessions=tuple(pairs), paths=tuple(replace(p, dm="") for p in paths))
            if self.fails:
                raise self.fails
        if script.endswith("--logout"):
            if self.stays:
                return Done(argv, 15, "", "iscsiadm: Could not logout of all requested sessions\n")
            self.host = replace(self.host, sessions=(), paths=())
        return Done(argv, 0, "", "")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Steps:
    return Steps(monkeypatch, tmp_path)


NICS = {"mpio-init-0": "eth1", "mpio-init-1": "eth2"}
DUE = {Pair(s.pair.iface.replace("sw-iscsi", "mpio-init"), s.pair.portal, s.pair.target): 2 for s in HOST.sessions}
RELOAD, SETTLE = " ".join(udevadm.reload_rules()), "udevadm settle"


def trial(steps: Steps) -> tryout.Seen:
    machine = Machine(steps, Files(str(steps.root)))
    return tryout.logged_in(machine, NICS, DUE, lambda _: None)


def test_a_trial_logs_in_looks_and_logs_out(steps: Steps) -> None:
    found = trial(steps)
    assert (found.found, len(found.host.sessions), steps.host.sessions) == ((), 4, ())
    words = [line.removesuffix("=60").removesuffix("=15").removesuffix(" --timeout") for line in steps.ran]
    assert words == [RELOAD, "iscsiadm -m node --login", SETTLE, "iscsiadm -m node --logout", SETTLE, RELOAD]
    assert not list(steps.root.glob("*.rules"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("gone")])
def test_whatever_breaks_in_the_sessions_end(steps: Steps, error: BaseException) -> None:
    steps.fails = error
    with pytest.raises(type(error)):
        trial(steps)
    assert steps.host.sessions == ()
    assert "iscsiadm -m node --logout" in steps.ran
    assert not list(steps.root.glob("*.rules"))


def test_sessions_that_somebody_uses_stay_and_are_told(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "ended", lambda _: Share(refused=(finding("MP408", "sda", "mount /srv"),)))
    with pytest.raises(MpioError, match="mount /srv"):
        trial(steps)
    assert "iscsiadm -m node --logout" not in steps.ran
    assert len(list(steps.root.glob("*.rules"))) == 2


def test_a_logout_that_fails_is_told(steps: Steps) -> None:
    steps.stays = True
    with pytest.raises(MpioError, match="the logout of session 1: iscsiadm: Could not logout"):
        trial(steps)
    assert len(list(steps.root.glob("*.rules"))) == 2


def test_iscsid_stays_where_a_session_does(steps: Steps) -> None:
    with tryout.iscsid(Machine(steps, Files(str(steps.root))), discovery.start(fakes.bare_host())):
        steps.host = HOST
    assert steps.ran == ["systemctl start iscsid.service"]


def test_iscsid_stops_again_only_where_it_was_started(steps: Steps) -> None:
    machine = Machine(steps, Files(str(steps.root)))
    with tryout.iscsid(machine, None):
        assert steps.ran == []
    with contextlib.suppress(KeyboardInterrupt), tryout.iscsid(machine, discovery.start(fakes.bare_host())):
        raise KeyboardInterrupt
    assert steps.ran == ["systemctl start iscsid.service", "systemctl stop iscsid.service"]
    assert iscsitrial.PREFIX == "mpio-init-"


# -- questions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What somebody at the terminal will say; questions are checked by their order alone."""
    given: list[str] = []
    monkeypatch.setattr(init, "terminal", lambda: True)
    monkeypatch.setattr(Call, "confirm", lambda *_: None)

    def ask(_console: Console, _question: str, default: str = "") -> str:
        return given.pop(0) or default

    monkeypatch.setattr(Console, "ask", ask)
    return given


def test_a_terminal_is_asked_for_nics_portals_and_aliases(
    run: Mpio, san: dict[str, Any], place: Path, answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = replace(HOST, maps=())
    monkeypatch.setattr(tryout, "logged_in", lambda *_: tryout.Seen(there, ()))
    answers += ["", "homer.dom", "", "10.10.8.90, 10.10.9.90"]
    answers += ["apps", "no/name", "apps", "db", "", ""]
    assert run("init", "--login").code == 0
    assert answers == []
    site = sitefile.parse(place.read_text(), str(place))
    assert [lun.alias for lun in site.luns] == ["apps", "db", "lun12", "lun13"]
    assert san["asked"][0][2] == (PORTAL_8, PORTAL_9)


def test_ctrl_c_at_a_question_leaves_nothing(
    run: Mpio, san: dict[str, Any], place: Path, answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Console, "ask", ask)
    assert run("init").code == 130
    assert (place.exists(), san["asked"]) == (False, [])


# -- as it is ------------------------------------------------------------------------------------------------------


@pytest.fixture
def there(san: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysfs, "nics", lambda *_: HOST.nics)

    def host(_machine: object, site: Any, look: Look, *_: object) -> Host:
        return fakes.remembered(fakes.look(site, HOST)) if site else HOST

    monkeypatch.setattr(observe, "host", host)


def test_adopt_writes_the_host_as_it_is(run: Mpio, there: None, place: Path) -> None:
    said = run("init", "--adopt", "-o", "json")
    assert (said.code, list(said.json), said.json["findings"]) == (0, KEYS, [])
    site = sitefile.parse(place.read_text(), str(place))
    assert replace(site, path="", targets=()) == fakes.guide_site(path="", targets=())
    assert "4 paths over 2 targets" in said.json["text"]
    plan = run("plan", "-o", "json")
    assert (plan.code, plan.json["steps"]) == (0, [])
