from __future__ import annotations

import pytest
from trees import HOMER_1

from mpio.errors import ProgramFailed
from mpio.host import Found, Pair, Portal
from mpio.program import Done
from mpio.replay import Replay
from mpio.step import Note, Part
from mpio.tools import iscsiadm

V4, V6 = Portal("10.10.8.90"), Portal("fd00:8::90")
PAIR = Pair("sw-iscsi-0", V4, HOMER_1)
IFACES = ("sw-iscsi-0", "sw-iscsi-1")
WHY = "it is not so"


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


def test_steps_belong_to_their_parts() -> None:
    assert [s.part for s in STEPS[:4]] == [Part.IFACES, Part.IFACES, Part.IFACES, Part.DISCOVERY]
    assert STEPS[11].part is Part.TIMEOUTS
    assert iscsiadm.record_update(PAIR, {"node.startup": "manual"}, why=WHY).part is Part.DISCOVERY
    assert iscsiadm.login(PAIR, why=WHY).part is Part.LOGIN


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


def test_a_portal_that_holds_the_line_is_an_answer() -> None:
    def run(*argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b"") -> Done:
        raise ProgramFailed(f"`iscsiadm` did not end within {timeout} s")

    asked = iscsiadm.discovery(run, V4, IFACES)
    assert (asked.code, asked.said, asked.found) == (19, "`iscsiadm` did not end within 20 s", ())


def test_odd_names_are_told_not_found() -> None:
    odd = "10.10.8.90:3260,1 iqn.2011-09.dom.homer:$(reboot)\x07"
    argv = iscsiadm.discover(V6, IFACES[:1], why=WHY).argv
    said = f"{odd}\n10.10.8.90:3260,1 {HOMER_1}\n[fd00:8::90]:3260,1 {HOMER_1}\n"
    asked = iscsiadm.discovery(Replay([Done(argv, 0, said, "")]), V6, IFACES[:1])
    assert asked.found == (Found(V4, 1, HOMER_1), Found(V6, 1, HOMER_1))
    assert asked.said == r"not a target name or portal: '10.10.8.90:3260,1 iqn.2011-09.dom.homer:$(reboot)\x07'"


def test_the_last_words_of_a_silent_failure_are_the_code_s() -> None:
    assert iscsiadm.last_words(Done(("iscsiadm",), 20, "", "")) == "iscsid cannot be reached"
