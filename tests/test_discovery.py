"""What a discover asks for, and what its answers mean for the site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fakes
import pytest
import recordings
import trees
from fakes import HOMER_1, HOMER_2, PORTAL_8, PORTAL_9

from mpio import discovery, observe, topology
from mpio.discovery import Named
from mpio.errors import MpioError, UsageError
from mpio.findings import finding
from mpio.host import Answer, Asked, Found, Host, Iface, Pair, Portal, Unit
from mpio.lab import record
from mpio.machine import Machine
from mpio.program import Done
from mpio.recording import Tree
from mpio.site import SiteIface
from mpio.step import Command, Part
from mpio.tools.iscsierr import Code

SITE = fakes.guide_site()
HOST = fakes.guide_host()
FAR = Portal("10.10.99.1")
ANSWER = Asked(PORTAL_8, ("sw-iscsi-0",), 0, "", fakes.SAN.targets)


def test_the_portals_of_the_site_are_asked_without_the_excluded() -> None:
    assert discovery.portals((), SITE) == (PORTAL_8, PORTAL_9)
    assert discovery.portals((), fakes.guide_site(exclude=(PORTAL_9,))) == (PORTAL_8,)


def test_portals_that_are_named_need_not_be_in_the_site() -> None:
    words = ["10.10.99.1", "10.10.99.1:3260", "[fd00::90]:3261"]
    assert discovery.portals(words, SITE) == (FAR, Portal("fd00::90", 3261))


def test_every_word_that_is_no_portal_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        discovery.portals(["homer.dom", "10.10.8.90", "10.10.8.90:0", "fd00::90"], SITE)
    assert all(word in caught.value.message for word in ("homer.dom", "10.10.8.90:0", "fd00::90"))
    assert len(caught.value.message.splitlines()) == 3


def test_only_an_iface_that_is_as_the_site_says_is_asked_through() -> None:
    assert discovery.through(SITE, HOST) == SITE.ifaces
    assert discovery.through(SITE, fakes.bare_host()) == ()
    by_mac = (Iface("sw-iscsi-0", "eth1", hwaddress="02:00:00:00:00:01"), Iface("sw-iscsi-1", "eth1"))
    assert discovery.through(SITE, replace(HOST, ifaces=by_mac)) == ()
    assert discovery.through(SITE, replace(HOST, ifaces=HOST.ifaces[1:])) == (SiteIface("sw-iscsi-1", "eth2"),)


def judged(found: Found, **changes: object) -> tuple[bool, str]:
    asked = Asked(PORTAL_8, ("sw-iscsi-0",), 0, "", (found,))
    host = replace(HOST, asked=(asked,))
    (one,) = discovery.named(fakes.guide_site(**changes), host, asked)
    assert one.found == found
    return one.wanted, one.why


def test_what_the_site_takes_and_what_it_leaves_out() -> None:
    assert discovery.named(SITE, HOST, ANSWER) == tuple(
        Named(f, wanted=True, why="") for f in sorted(fakes.SAN.targets)
    )
    here = Found(PORTAL_8, 2, HOMER_1)
    assert judged(here) == (True, "")
    assert judged(here, targets=("iqn.1992-*",)) == (False, "no glob in san.targets takes it")
    assert judged(here, exclude=(Portal("10.10.8.90", 0),)) == (False, "san.exclude has its portal")
    assert judged(Found(Portal("127.0.0.1"), 2, HOMER_1)) == (False, "no SAN may send a host to that address")


def test_a_pair_that_is_left_out_says_why() -> None:
    only_own = fakes.guide_site(layout="subnet")
    asked = Asked(PORTAL_8, ("sw-iscsi-0",), 0, "", (Found(PORTAL_8, 2, HOMER_1),))
    host = replace(HOST, asked=(asked,))
    assert discovery.named(only_own, host, asked) == (
        Named(asked.found[0], wanted=True, why=f"sw-iscsi-1: {PORTAL_8} is not in a subnet of eth2"),
    )


def test_a_line_that_two_ifaces_brought_is_one() -> None:
    twice = replace(ANSWER, found=(*ANSWER.found, *ANSWER.found))
    assert discovery.named(SITE, HOST, twice) == discovery.named(SITE, HOST, ANSWER)


def met(*answers: tuple[str, Portal, Answer]) -> dict[tuple[str, Portal], Answer]:
    return {(iface, portal): answer for iface, portal, answer in answers}


def test_findings_are_for_portals_that_gave_no_answer() -> None:
    def found(host: Host, *wanted: Portal) -> tuple[object, ...]:
        return tuple(discovery.findings(SITE, host, wanted))

    host = replace(HOST, asked=(ANSWER,), probes={})
    assert found(host, PORTAL_8) == ()
    silent = met(("sw-iscsi-0", FAR, Answer.SILENT), ("sw-iscsi-1", FAR, Answer.NO_ROUTE))
    words = "through sw-iscsi-0: silent, sw-iscsi-1: no route"
    assert found(replace(host, probes=silent), PORTAL_8, FAR) == (finding("MP210", f"portal {FAR}", words),)
    shut = met(("sw-iscsi-0", FAR, Answer.REFUSED))
    assert found(replace(host, probes=shut), FAR) == (finding("MP211", f"portal {FAR}", "through sw-iscsi-0: refused"),)
    locked = Asked(PORTAL_9, ("sw-iscsi-0",), Code.LOGIN_AUTH_FAILED, "no")
    assert found(replace(host, asked=(ANSWER, locked)), PORTAL_8, PORTAL_9) == (
        finding("MP214", f"portal {PORTAL_9}", "no"),
    )


def test_a_portal_whose_login_is_not_stored_yet_is_not_asked() -> None:
    path = "/etc/iscsi/send_targets/10.10.8.90,3260/st_config"
    login = {"discovery.sendtargets.auth.username": "prague", "discovery.sendtargets.auth.password": "s3cret"}
    host = replace(HOST, discovery_chap=login, discovery_records={PORTAL_8: path}, asked=(), probes={})
    assert not discovery.has_login(SITE, host, PORTAL_8)
    assert discovery.has_login(SITE, host, FAR)
    said = "its discovery record has not the site's CHAP login"
    assert tuple(discovery.findings(SITE, host, [PORTAL_8])) == (finding("MP315", f"portal {PORTAL_8}", said),)
    text = "".join(f"{key} = {value}\n" for key, value in login.items())
    assert discovery.has_login(SITE, replace(host, files={**host.files, path: text}), PORTAL_8)
    assert discovery.has_login(SITE, replace(host, discovery_chap={}), PORTAL_8)


def test_nothing_for_the_site_is_an_answer() -> None:
    other = Asked(FAR, ("sw-iscsi-0",), 0, "", (Found(FAR, 1, "iqn.2000-01.other:x"),))
    assert tuple(discovery.findings(SITE, replace(HOST, asked=(other,)), [FAR])) == ()
    assert discovery.answered(other)
    assert discovery.answered(replace(other, code=Code.NO_OBJS_FOUND, found=()))
    assert not discovery.answered(replace(other, code=Code.PDU_TIMEOUT, found=()))


def test_iscsid_is_started_only_where_it_does_not_run() -> None:
    assert discovery.start(HOST) is None
    assert discovery.start(fakes.bare_host()) == Command(
        Part.SERVICES, "iscsid.service does not run", ("systemctl", "start", "iscsid.service")
    )
    with pytest.raises(MpioError, match="is masked"):
        discovery.start(Host(units=(Unit("iscsid.service", "masked", "inactive"),)))
    with pytest.raises(MpioError, match="no unit iscsid"):
        discovery.start(Host(units=(Unit("iscsid.service", "not-found", "inactive"),)))


def test_a_named_portal_counts_like_a_portal_of_the_site() -> None:
    """A target that only a portal outside the site named is judged by the site's globs all the same."""
    found = Found(FAR, 7, HOMER_2)
    asked = Asked(FAR, ("sw-iscsi-0",), 0, "", (found,))
    host = replace(HOST, asked=(asked,), probes=met(("sw-iscsi-0", FAR, Answer.ANSWERED)))
    assert Pair("sw-iscsi-0", FAR, HOMER_2) in topology.pairs(SITE, host).planned
    assert discovery.named(SITE, host, asked)[0].wanted


def test_the_look_before_asks_neither_the_san_nor_multipath(tmp_path: Path) -> None:
    """Targets that are not known are what a discover is for: it asks them once, and only where it was told to."""
    files = recordings.tree("bookworm", "sane", "files")
    bare = Tree({path: text for path, text in files.files.items() if "/nodes/" not in path}, files.links)
    answers, ran = recordings.replay("bookworm", "sane"), []

    def run(*argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b"") -> Done:
        ran.append(argv[0])
        return answers(*argv, ok=ok)

    machine = Machine(run, trees.planted(tmp_path, recordings.tree("bookworm", "none"), bare))
    host = observe.host(machine, record.site(), observe.Look.HERE)
    assert (host.probes, host.asked, host.nodes, len(host.ifaces)) == ({}, (), (), 2)
    assert set(ran) == {"ip", "systemctl"}
    assert discovery.through(record.site(), host) == record.site().ifaces
    assert discovery.start(host) is None
