"""The site file that init writes: what mpio reads from it again, and what its comments say."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import fakes
from fakes import APPS_A01, HOMER_1, PORTAL_8, PORTAL_9
from test_survey import SIDS, SITE, seen

from mpio import console, sitefile
from mpio.host import Portal
from mpio.proposing import proposal, survey
from mpio.proposing.proposal import Words
from mpio.site import Chap, SiteLun, Watch


def test_every_key_may_be_written() -> None:
    site = fakes.guide_site(
        exclude=(Portal("10.10.99.1", 0), Portal("fd00::1", 3261)),
        chap=Chap("prague", "/etc/mpio/chap", "homer", "/etc/mpio/chap-in"),
        discovery_chap=Chap("prague", "/etc/mpio/chap-discovery"),
        mtu=9000,
        arp="set",
        session_keys={"node.session.cmds_max": "128"},
        multipath={"no_path_retry": "12", "features": '"1 queue"'[1:-1]},
        find_multipaths="strict",
        polling_interval=7,
        luns=(SiteLun(APPS_A01, None, {}, 4),),
        watch=Watch(),
    )
    assert sitefile.parse(proposal.text(site, Words()), site.path) == site


def test_what_is_left_out_stands_as_an_example_that_may_be_taken_in() -> None:
    text = proposal.text(replace(SITE, path="/x"), Words(initiator="iqn.2001-01.a:b", mtu=9000))
    assert sitefile.parse(text, "/x") == replace(SITE, path="/x")
    taken = sitefile.parse(text.replace("#! ", ""), "x")
    assert (taken.initiator, taken.mtu) == ("iqn.2001-01.a:b", 9000)
    assert taken.targets == ("iqn.2011-09.dom.homer:*",)
    assert taken.luns == (SiteLun(APPS_A01, "hydra_apps-a01"),)


def test_the_reasons_of_a_survey() -> None:
    host = seen()
    luns = survey.luns(fakes.guide_host(), SIDS)
    site = survey.with_luns(survey.settled(SITE, host), luns)
    text = proposal.text(site, proposal.reasons(site, host, luns, console.size))
    assert tomllib.loads(text)["san"]["portals"] == [str(PORTAL_8), str(PORTAL_9)]
    for line in (
        'nic = "eth1"  # 10.10.8.14/24',
        f'    "{PORTAL_8}",  # answers through eth1, eth2',
        f'    "{HOMER_1}",',
        "# A portal outside a NIC's own subnet answers through it here.",
        "# the LUNs are NEXENTA COMSTAR",
        "# LUN 10, 1 GiB, NEXENTA COMSTAR: 4 paths over 2 targets",
        '#! name = "iqn.1993-08.org.debian:01:abcdef"',
    ):
        assert line in text.splitlines(), text


def test_the_reason_for_arp() -> None:
    host = replace(seen(), nics=(fakes.nic("eth1", "10.10.8.14/24"), fakes.nic("eth2", "10.10.8.15/24")))
    site = survey.with_luns(survey.settled(SITE, host), ())
    text = proposal.text(site, proposal.reasons(site, host, (), console.size))
    assert '# eth1 and eth2 share 10.10.8.0/24\narp = "set"\n' in text
    assert 'find_multipaths = "yes"\n' in text
    assert "every LUN with two paths" in text
    assert "this is the default. `mpio init --login` looks" in text
