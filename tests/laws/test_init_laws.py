"""Laws of init: what it writes is read again, and a host that it describes has nothing left to do."""

from __future__ import annotations

from dataclasses import replace

import fakes
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from mpio import plan, sitefile
from mpio.proposing import adopting, proposal
from mpio.proposing.proposal import Words
from mpio.site import Site

WORDS = ("iface", "san.targets", "san.layout", "san.chap", "network.rp_filter", "network.arp", "timeouts", "lun")
anything = st.text(max_size=60)


@given(strategies.sites(), st.dictionaries(st.sampled_from(WORDS), anything), anything)
@settings(deadline=None)
def test_what_is_written_is_read_again_whatever_the_comments_hold(site: Site, of: dict[str, str], said: str) -> None:
    of["multipath.preset"] = said
    words = Words(
        of,
        {i.name: said for i in site.ifaces},
        dict.fromkeys(site.portals, said),
        {lun.wwid: said for lun in site.luns},
        "iqn.2011-10.dom.prague:hydra",
        9000,
    )
    text = proposal.text(site, words)
    assert replace(sitefile.parse(text, site.path), watch=site.watch) == site


@given(strategies.sites())
@settings(deadline=None, max_examples=40)
def test_the_next_plan_of_an_adopted_host_has_no_step(site: Site) -> None:
    host, made = fakes.settled(site, fakes.bare_host())
    if made.steps or made.refused or not host.sessions:
        return
    again = adopting.of(host, {}).site
    assert plan.steps(again, fakes.remembered(fakes.look(again, host))).steps == ()
