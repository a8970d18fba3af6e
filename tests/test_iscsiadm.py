from __future__ import annotations

from pathlib import Path

import pytest
from trees import HOMER_1, HOMER_2

from mpio import recording
from mpio.errors import ProgramFailed
from mpio.host import Asked, Found, Pair, Portal
from mpio.program import Done
from mpio.replay import Replay
from mpio.step import Command, Note, Part
from mpio.tools import iscsiadm

RECORDED = Path(__file__).parent / "recorded/bookworm/iscsiadm"
LAB = RECORDED.with_name("iscsiadm-lab")
V4, V6 = Portal("10.10.8.90"), Portal("fd00:8::90")
PAIR = Pair("sw-iscsi-0", V4, HOMER_1)
IFACES = ("sw-iscsi-0", "sw-iscsi-1")
WHY = "it is not so"


@pytest.fixture(scope="module")
def recorded() -> dict[tuple[str, ...], Done]:
    return {(d := recording.load(p.read_text())).argv: d for p in RECORDED.iterdir()}


STEPS = [
    iscsiadm.iface_new("sw-iscsi-0", why=WHY),
    iscsiadm.iface_bind("sw-iscsi-0", "eth1", why=WHY),
    iscsiadm.iface_delete("sw-iscsi-1", why=WHY),
    iscsiadm.discover(V4, IFACES, why=WHY),
    iscsiadm.discover(V6, IFACES[:1], why=WHY),
    iscsiadm.discoverydb_new(V4, why=WHY),
    iscsiadm.discoverydb_update(
        V4, {"discovery.sendtargets.timeo.login_timeout": "5", "discovery.sendtargets.reopen_max": "1"}, why=WHY
    ),
    iscsiadm.discoverydb_delete(V4, why=WHY),
    iscsiadm.record_new(PAIR, 1, why=WHY),
    iscsiadm.record_new(Pair("sw-iscsi-0", V6, HOMER_1), 1, why=WHY),
    iscsiadm.record_new(Pair("sw-iscsi-0", V4, "iqn.2011-09.dom.homer:legacy"), -1, why=WHY),
    iscsiadm.record_update(
        PAIR, {"node.startup": "automatic", "node.session.timeo.replacement_timeout": "10"}, why=WHY, part=Part.TIMEOUTS
    ),
    iscsiadm.record_delete(PAIR, why=WHY),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda s: " ".join(s.argv[2:6]))
def test_a_real_iscsiadm_took_every_call_that_is_built(step: Command, recorded: dict[tuple[str, ...], Done]) -> None:
    done = recorded[step.argv]
    assert done.code in step.ok
    assert step.why == WHY


def test_steps_belong_to_their_parts() -> None:
    assert [s.part for s in STEPS[:4]] == [Part.IFACES, Part.IFACES, Part.IFACES, Part.DISCOVERY]
    assert STEPS[11].part is Part.TIMEOUTS
    assert iscsiadm.record_update(PAIR, {"node.startup": "manual"}, why=WHY).part is Part.DISCOVERY
    assert iscsiadm.login(PAIR, why=WHY).part is Part.LOGIN


def test_exit_codes_of_a_real_kernel_s_logins() -> None:
    codes = {
        name: recording.load((LAB / name).read_text()).code
        for name in ("login", "login-again", "logout", "logout-again")
    }
    assert codes == {"login": 0, "login-again": 15, "logout": 0, "logout-again": 21}
    assert recording.load((LAB / "node-delete-in-use").read_text()).code not in iscsiadm.record_delete(PAIR, why=WHY).ok
    rescanned = recording.load((LAB / "rescan").read_text())
    assert (rescanned.argv, rescanned.code) == (iscsiadm.rescan(1, why=WHY).argv, 0)


def test_what_is_to_be_remembered_goes_along() -> None:
    notes = (Note("record", str(PAIR)),)
    assert iscsiadm.record_new(PAIR, 1, why=WHY, notes=notes).notes == notes
    assert iscsiadm.iface_new("a", why=WHY, notes=notes).notes == notes


def test_one_record_a_login_and_the_wanted_state_is_no_error() -> None:
    where = ("-T", HOMER_1, "-p", "10.10.8.90:3260", "-I", "sw-iscsi-0")
    assert iscsiadm.login(PAIR, why=WHY).argv == ("iscsiadm", "-m", "node", *where, "--login")
    assert iscsiadm.login(PAIR, why=WHY).ok == (0, 15)
    assert iscsiadm.logout(PAIR, why=WHY).argv == ("iscsiadm", "-m", "node", *where, "--logout")
    assert iscsiadm.logout(PAIR, why=WHY).ok == (0, 21)
    assert iscsiadm.record_delete(PAIR, why=WHY).ok == (0, 21)
    assert iscsiadm.rescan(7, why=WHY).argv == ("iscsiadm", "-m", "session", "-r", "7", "--rescan")


def test_ipv6_portals_stand_in_brackets() -> None:
    argv = iscsiadm.login(Pair("a", V6, HOMER_1), why=WHY).argv
    assert "[fd00:8::90]:3260" in argv
    assert "[fd00:8::90]:3260,1" in iscsiadm.record_new(Pair("a", V6, HOMER_1), 1, why=WHY).argv


def test_a_secret_never_gets_onto_a_command_line() -> None:
    for key in ("node.session.auth.password", "node.session.auth.password_in"):
        with pytest.raises(ValueError):
            iscsiadm.record_update(PAIR, {key: "x"}, why=WHY)
    with pytest.raises(ValueError):
        iscsiadm.discoverydb_update(V4, {"discovery.sendtargets.auth.password": "x"}, why=WHY)


def test_asks_what_there_is() -> None:
    run = Replay.folder(RECORDED)
    assert iscsiadm.version(run) == "2.1.8"
    assert [i.name for i in iscsiadm.ifaces(run)][-2:] == ["default", "iser"]
    assert iscsiadm.sessions(Replay([_recorded("session-none")])) == ()
    assert iscsiadm.session_details(Replay([_recorded("session-none-P3")])) == ()


def test_asks_a_portal_and_stores_nothing() -> None:
    found = (Found(V4, 1, HOMER_1), Found(V6, 1, HOMER_1), Found(Portal("10.10.9.90"), 2, HOMER_2))
    run = Replay.folder(RECORDED)
    assert iscsiadm.discovery(run, V4, IFACES) == Asked(V4, IFACES, 0, "", found)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        (
            "discoverydb-auth",
            24,
            "Could not perform SendTargets discovery: iSCSI login failed due to authorization failure",
        ),
        ("discoverydb-refused", 11, "Could not perform SendTargets discovery: iSCSI PDU timed out"),
        ("discovery-bad-name", 21, "No portals found"),
    ],
)
def test_a_portal_that_tells_nothing_is_an_answer(name: str, code: int, said: str) -> None:
    done = _recorded(name)
    portal = Portal.parse(done.argv[6])
    stored = "discoverydb" in done.argv
    argv = (*done.argv[:-1], "--discover") if stored else done.argv
    run = Replay([Done(argv, done.code, done.out, done.err)])
    assert iscsiadm.discovery(run, portal, ["sw-iscsi-1"], stored=stored) == Asked(portal, ("sw-iscsi-1",), code, said)


def test_a_portal_that_holds_the_line_is_an_answer() -> None:
    def run(*argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b"") -> Done:
        raise ProgramFailed(f"`iscsiadm` did not end within {timeout} s")

    asked = iscsiadm.discovery(run, V4, IFACES)
    assert (asked.code, asked.said, asked.found) == (19, "`iscsiadm` did not end within 20 s", ())


def test_odd_names_are_told_not_found() -> None:
    odd = "10.10.8.90:3260,1 iqn.2011-09.dom.homer:$(reboot)\x07"
    done = _recorded("discovery-nonpersistent-v6")
    asked = iscsiadm.discovery(Replay([Done(done.argv, 0, odd + "\n" + done.out, "")]), V6, IFACES[:1])
    assert len(asked.found) == 3
    assert asked.said == r"not a target name or portal: '10.10.8.90:3260,1 iqn.2011-09.dom.homer:$(reboot)\x07'"


def test_the_last_words_of_a_silent_failure_are_the_code_s() -> None:
    assert iscsiadm.last_words(Done(("iscsiadm",), 20, "", "")) == "iscsid cannot be reached"


def _recorded(name: str) -> Done:
    return recording.load((RECORDED / name).read_text())
