"""What portals say, and what of it the site goes by."""

from __future__ import annotations

import time
from dataclasses import replace

import fakes
import pytest
from fakes import HOMER_1, HOMER_2, PORTAL_8, PORTAL_9
from hypothesis import given
from hypothesis import strategies as st

from mpio import apply, checks, hearsay, plan, topology
from mpio.checks import portals
from mpio.findings import Finding, Severity
from mpio.hearsay import Reason
from mpio.host import Answer, Asked, Found, Host, Pair, Portal, Session
from mpio.plan import Plan
from mpio.tools.iscsierr import Code

EVIL = Portal("10.10.8.101")
SITE = fakes.guide_site(portals=(PORTAL_8, PORTAL_9, EVIL))
HOST = fakes.bare_host()
GOOD = tuple(Asked(portal, ("sw-iscsi-0",), 0, "", fakes.SAN.targets) for portal in (PORTAL_8, PORTAL_9))
OWN = "iqn.2011-09.dom.homer:evil"


def heard(*lines: Found, host: Host = HOST) -> Host:
    """The good portals told the truth, the evil one these lines."""
    return replace(host, asked=(*GOOD, Asked(EVIL, ("sw-iscsi-0",), 0, "", lines)))


def left(*lines: Found, host: Host = HOST) -> dict[Found, Reason]:
    return dict(hearsay.words(SITE, heard(*lines, host=host))[EVIL].left)


def said(host: Host) -> dict[str, str]:
    """The findings on the evil portal, by code."""
    words = hearsay.words(SITE, host)
    found = [f for asked in host.asked for f in portals.discovery(SITE, asked, words[asked.portal])]
    assert {f.subject for f in found} <= {f"portal {EVIL}"}, found
    return {f.code: f.detail for f in found}


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", "::", "169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1",
     "255.255.255.255", "::ffff:127.0.0.1", "::ffff:169.254.0.1", "10.10.8.14", "10.10.9.14", "10.10.8.255"],
)  # fmt: skip
def test_no_portal_sends_a_host_to_itself_or_to_nobody(address: str) -> None:
    line = Found(Portal(address), 1, HOMER_1)
    assert left(line) == {line: Reason.STRANGE}
    assert not {p for p in topology.pairs(SITE, heard(line)).planned if p.portal == line.portal}
    assert address in said(heard(line))["MP311"]


def test_nobody_connects_out_of_the_sites_networks_on_a_portals_word() -> None:
    for address in ("203.0.113.5", "192.168.77.7", "10.10.10.90"):
        line = Found(Portal(address), 1, HOMER_1)
        host = heard(line)
        host = replace(host, probes={("sw-iscsi-0", line.portal): Answer.ANSWERED})
        assert left(line) == {line: Reason.FOREIGN}
        assert (line.portal in {p for _, _, p in topology.probe_wanted(SITE, host)}) is False
        assert line.portal not in {p.portal for p in topology.pairs(SITE, host).planned}
        assert said(host) == {"MP321": f"{HOMER_1} at {line.portal}"}


def test_the_administrators_word_is_enough() -> None:
    far = Portal("192.168.77.7")
    line = Found(far, 1, HOMER_1)
    assert hearsay.unasked(replace(SITE, portals=(*SITE.portals, far)), HOST, far) is None
    recorded = replace(HOST, nodes=(fakes.guide_host().nodes[0],))
    recorded = replace(recorded, nodes=(replace(recorded.nodes[0], pair=Pair("sw-iscsi-0", far, HOMER_1)),))
    assert left(line, host=recorded) == {}
    excluded = replace(SITE, portals=(*SITE.portals, far), exclude=(far,))
    assert hearsay.unasked(excluded, HOST, far) is Reason.EXCLUDED


def without(nic: str, *addresses: str) -> Host:
    """This NIC has only these addresses."""
    return replace(HOST, nics=tuple(replace(n, addresses=addresses) if n.name == nic else n for n in HOST.nics))


@pytest.mark.parametrize("kept", [(), ("fe80::5/64",)])
def test_while_a_nic_has_no_address_nobody_knows_what_is_foreign(kept: tuple[str, ...]) -> None:
    """NetworkManager takes them with the carrier: the array's other portals are in no network then."""
    line = Found(Portal("10.10.9.91"), 1, HOMER_1)
    assert left(line) == {}
    host = without("eth2", *kept)
    assert left(line, host=host) == {line: Reason.UNTOLD}
    assert line.portal not in {p.portal for p in topology.pairs(SITE, heard(line, host=host)).planned}
    assert said(heard(line, host=host)) == {}
    assert left(line, host=without("eth2", "10.10.7.14/24")) == {line: Reason.FOREIGN}
    odd = Found(Portal("127.0.0.1"), 1, HOMER_1)
    assert left(odd, host=host) == {odd: Reason.STRANGE}
    gone = replace(HOST, nics=tuple(n for n in HOST.nics if n.name != "eth2"))
    assert left(line, host=gone) == {line: Reason.UNTOLD}


def test_where_pairs_keep_to_their_subnets_a_far_portal_is_nothing_to_say() -> None:
    line = Found(Portal("203.0.113.5"), 1, HOMER_1)
    words = hearsay.words(SITE, host := heard(line))[EVIL]
    for layout, codes in (("mesh", ["MP321"]), ("subnet", [])):
        found = portals.discovery(replace(SITE, layout=layout), host.asked[-1], words)
        assert [f.code for f in found] == codes


def test_an_array_that_lists_all_its_portals_is_healthy() -> None:
    """Those of other networks, too."""
    line = Found(Portal("203.0.113.5"), 1, HOMER_1)
    (found,) = (f for f in portals.discovery(SITE, heard(line).asked[-1], hearsay.words(SITE, heard(line))[EVIL]))
    assert found.severity is Severity.INFO
    assert "san.portals" in found.remedy
    assert "san.exclude" in found.remedy


def test_an_address_that_no_nic_could_speak_to_is_no_news() -> None:
    assert left(Found(Portal("2001:db8::5"), 1, HOMER_1)) == {}


def test_of_itself_a_portal_tells_best() -> None:
    """Nobody gives a good portal a target that it has not, or another group tag: its logins would fail for ever."""
    lies = (Found(PORTAL_8, 77, HOMER_1), Found(PORTAL_8, 3, HOMER_2))
    host = heard(*lies)
    assert left(*lies) == dict.fromkeys(lies, Reason.DENIED)
    assert topology.known(SITE, host) == tuple(sorted(fakes.SAN.targets))
    assert "does not say so itself" in said(host)["MP311"]
    silent = replace(host, asked=host.asked[1:])
    assert not hearsay.words(SITE, silent)[EVIL].left  # who has not answered is spoken for by others, as ever


def test_one_pair_has_one_group_tag_whatever_the_order() -> None:
    lines = (Found(Portal("10.10.8.200"), 9, HOMER_1), Found(Portal("10.10.8.200"), 4, HOMER_1))
    for order in (lines, lines[::-1]):
        assert Found(lines[0].portal, 4, HOMER_1) in hearsay.taken(SITE, heard(*order))
        assert Found(lines[0].portal, 9, HOMER_1) not in hearsay.taken(SITE, heard(*order))


def test_who_names_too_much_is_not_believed_at_all() -> None:
    many = tuple(Found(EVIL, 1, f"{OWN}-{number}") for number in range(hearsay.LINES + 1))
    crowd = tuple(Found(Portal(f"10.10.8.{n}"), 1, HOMER_1) for n in range(100, 101 + hearsay.PORTALS))
    for lines in (many, crowd):
        host = heard(*lines)
        assert hearsay.taken(SITE, host) == frozenset(fakes.SAN.targets)
        assert set(left(*lines).values()) == {Reason.FLOOD}
        assert "at most" in said(host)["MP213"]
    assert len(hearsay.taken(SITE, heard(*many[1:]))) == hearsay.LINES + len(fakes.SAN.targets)


def test_what_the_globs_do_not_take_counts_for_nothing() -> None:
    others = tuple(Found(EVIL, 1, f"iqn.2000-01.other:{number}") for number in range(100_000))
    host = heard(Found(EVIL, 1, f"{OWN}-one"), *others)
    assert Found(EVIL, 1, f"{OWN}-one") in hearsay.taken(SITE, host)
    assert said(host) == {}


@pytest.mark.parametrize("targets", [1, 100_000])
def test_a_hundred_thousand_portals_are_a_flood_at_once(targets: int) -> None:
    """Nearly 5 s for each of several looks, in each round, while the good ones alone were counted."""
    lines = tuple(
        Found(Portal(f"203.{n // 62500}.{n // 250 % 250}.{n % 250 + 1}"), 1, f"{OWN}-{n % targets}")
        for n in range(100_000)
    )
    host = heard(*lines)
    begin = time.process_time()
    assert hearsay.taken(SITE, host) == frozenset(fakes.SAN.targets)
    assert time.process_time() - begin < 1.5
    assert set(left(*lines).values()) == {Reason.FLOOD}
    assert set(said(host)) == {"MP213"}


def test_many_records_cost_no_more() -> None:
    """What the host has is looked through once, not for each address that somebody names."""
    nodes = tuple(
        replace(fakes.guide_host().nodes[0], pair=Pair("sw-iscsi-0", Portal(f"10.10.8.{n % 250 + 1}", 1 + n), HOMER_1))
        for n in range(2000)
    )
    lines = tuple(Found(Portal(f"203.0.{n // 250}.{n % 250 + 1}"), 1, HOMER_1) for n in range(1000))
    host = heard(*lines, host=replace(HOST, nodes=nodes))
    begin = time.process_time()
    hearsay.words(SITE, host)
    assert time.process_time() - begin < 0.3


def test_findings_are_short_however_much_was_said() -> None:
    lines = [
        Found(Portal(f"203.0.{n // 250}.{n % 250 + 1}"), 1, "iqn.2011-09.dom.homer:".ljust(223, "x"))
        for n in range(1000)
    ]
    detail = said(heard(*lines))["MP321"]
    assert detail.endswith("and 994 more")
    assert len(detail) < 2000


def test_a_portal_that_is_silent_is_named_with_who_named_it() -> None:
    line = Found(Portal("10.10.8.200"), 1, HOMER_1)
    host = replace(heard(line), probes={(i.name, line.portal): Answer.SILENT for i in SITE.ifaces})
    made = Plan((), True, topology.pairs(SITE, host))
    (found,) = (f for f in portals.findings(SITE, host, made) if f.subject == f"portal {line.portal}")
    assert found.detail.endswith(f"; named by the portal {EVIL}")


ADDRESSES = st.sampled_from(
    ["127.0.0.1", "203.0.113.5", "fe80::1", "10.10.8.101", "10.10.8.200", "10.10.9.200", "10.10.8.90", "2001:db8::1"]
)
LINES = st.lists(
    st.builds(Found, st.builds(Portal, ADDRESSES, st.sampled_from([3260, 22])), st.integers(-1, 4),
              st.sampled_from([HOMER_1, HOMER_2, OWN])),
    max_size=8,
)  # fmt: skip


@given(LINES)
def test_nothing_that_an_evil_portal_says_moves_a_good_one(lines: list[Found]) -> None:
    """Law: the pairs of the good portals are what they say, and nobody is sent out of the site's networks."""
    planned = topology.pairs(SITE, heard(*lines)).planned
    good = {pair: tpgt for pair, tpgt in planned.items() if pair.portal in (PORTAL_8, PORTAL_9)}
    assert good == topology.pairs(SITE, heard()).planned
    assert {p.portal.address for p in planned} <= {
        "10.10.8.90",
        "10.10.9.90",
        "10.10.8.101",
        "10.10.8.200",
        "10.10.9.200",
    }


def test_a_portal_that_held_a_look_up_for_nothing_is_asked_once_in_an_apply() -> None:
    """Redirects in a circle end with 11 after 17 s and more (tried on 2.1.8), a silent one is ended after 20 s."""
    one = Asked(EVIL, (), Code.PDU_TIMEOUT, "no", seconds=17.0)
    assert apply.holds_up(one)
    assert apply.holds_up(replace(one, code=Code.FATAL_LOGIN, seconds=0.1))
    assert not apply.holds_up(replace(one, seconds=0.3))  # it may do better the next time
    assert not apply.holds_up(replace(one, code=Code.SUCCESS))  # slow, and yet of use


# -- redirects -----------------------------------------------------------------------------------------------------


def at(address: str) -> Session:
    return replace(fakes.guide_host().sessions[0], address=address, port=3260)


def of_sessions(session: Session) -> list[Finding]:
    site = fakes.guide_site()
    host = fakes.guide_host()
    host = replace(host, sessions=(session, *host.sessions[1:]))
    made = plan.steps(site, host)
    return [f for f in checks.after(site, host, made, topology.luns(site, host, made.pairs)) if f.code == "MP322"]


def test_a_session_that_was_sent_out_of_the_san_is_an_error() -> None:
    (found,) = of_sessions(at("203.0.113.5"))
    assert "is at 203.0.113.5:3260" in found.detail
    (found,) = of_sessions(at("127.0.0.1"))
    assert "is at 127.0.0.1:3260" in found.detail


def test_where_a_session_is_while_a_nic_has_no_address_is_no_finding() -> None:
    site, host = fakes.guide_site(), fakes.guide_host()
    nics = tuple(replace(n, addresses=()) if n.name == "eth2" else n for n in host.nics)
    for address, codes in (("10.10.9.120", set()), ("127.0.0.1", {"MP322"})):
        moved = replace(host, nics=nics, sessions=(at(address), *host.sessions[1:]))
        made = plan.steps(site, moved)
        found = checks.after(site, moved, made, topology.luns(site, moved, made.pairs))
        assert {f.code for f in found} & {"MP322"} == codes


def test_an_array_that_spreads_its_logins_within_its_networks_is_none() -> None:
    assert of_sessions(at("10.10.8.120")) == []
    assert of_sessions(at("")) == []
    assert hearsay.place(at("10.10.8.120")) == Portal("10.10.8.120")
