"""Why a pair of the site has no live session."""

from __future__ import annotations

from dataclasses import replace

import fakes
from fakes import HOMER_1, PORTAL_8

from mpio import logins, plan, topology
from mpio.findings import Finding, finding
from mpio.host import Answer, Host, Iface, Pair

SITE = fakes.guide_site()
HOST = fakes.guide_host()
ALL = frozenset(topology.pairs(SITE, HOST).planned)
PAIR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)
OUT = replace(HOST, sessions=tuple(s for s in HOST.sessions if s.pair != PAIR))


def found(host: Host) -> tuple[Finding, ...]:
    return tuple(logins.findings(SITE, host, plan.steps(SITE, host), ALL))


def test_a_whole_host_lacks_none() -> None:
    assert found(HOST) == ()
    assert logins.lacking(HOST, plan.steps(SITE, HOST), ALL) == ()


def test_a_pair_that_can_be_logged_in_lacks_only_that() -> None:
    host = replace(OUT, probes={("sw-iscsi-0", PORTAL_8): Answer.ANSWERED})
    assert found(host) == ()
    assert logins.lacking(host, plan.steps(SITE, host), ALL) == (PAIR,)
    assert logins.lacking(host, plan.steps(SITE, host), ALL - {PAIR}) == ()


def test_a_silent_portal_and_one_that_refuses() -> None:
    for answer, code in ((Answer.SILENT, "MP210"), (Answer.REFUSED, "MP211")):
        host = replace(OUT, probes={("sw-iscsi-0", PORTAL_8): answer})
        assert found(host) == (finding(code, str(PAIR), str(answer)),)


def test_a_session_that_is_broken() -> None:
    broken = tuple(replace(s, state="FAILED") if s.pair == PAIR else s for s in HOST.sessions)
    sid = next(s.sid for s in HOST.sessions if s.pair == PAIR)
    host = replace(HOST, sessions=broken, probes={("sw-iscsi-0", PORTAL_8): Answer.ANSWERED})
    assert found(host) == (finding("MP304", str(PAIR), f"session {sid} is FAILED"),)


def test_a_pair_without_a_record() -> None:
    host = replace(OUT, nodes=tuple(n for n in OUT.nodes if n.pair != PAIR))
    assert found(host) == (finding("MP315", str(PAIR)),)


def test_a_site_whose_targets_nobody_knows() -> None:
    host = fakes.look(SITE, fakes.bare_host())
    assert found(host) == (finding("MP315", "any pair of the site", "its targets are not known yet"),)


def test_an_iface_that_is_bound_elsewhere() -> None:
    wrong = tuple(Iface(i.name, "eth9") if i.name == "sw-iscsi-0" else i for i in HOST.ifaces)
    host = replace(OUT, ifaces=wrong)
    assert [(f.code, f.subject) for f in found(host)] == [("MP309", "sw-iscsi-0")]


def test_one_pair_of_each_portal_group_goes_first() -> None:
    pairs = tuple(Pair(name, PORTAL_8, HOMER_1) for name in "abcd")
    assert logins.first(pairs, dict(zip(pairs, (1, 1, 2, 2), strict=True))) == (pairs[0], pairs[2])
    assert logins.first(pairs, {}) == pairs[:1]
