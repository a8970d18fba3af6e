"""What the real iscsiadm said of each malicious portal (tests/vm/portal.py), read, judged, planned, shown.

`tests/hostile/RELEASE/EVIL` are recordings from a guest: with EVILS_TO set to a folder, the nightly form of
tests/vm/test_hostile_portal.py makes them anew.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
import recordings
from fakes import HOMER_1, HOMER_2, PORTAL_8, PORTAL_9
from vm import portal_says
from vm.portal_says import OWN

from mpio import checks, console, discovery, hearsay, plan, recording, script, topology, verdict, view
from mpio.checks import portals
from mpio.host import Asked, Host, Portal
from mpio.program import Done
from mpio.replay import Replay
from mpio.site import Site
from mpio.tools import iscsiadm, multipathd
from mpio.tools.iscsierr import Code

TOP = Path(__file__).parent / "hostile"
EACH = pytest.mark.parametrize(
    "path", sorted(p for p in TOP.glob("*/*") if p.is_file()), ids=lambda p: f"{p.parent.name}-{p.name}"
)
TAME = re.compile(r"[A-Za-z0-9._:,\[\]=@/+-]+", re.ASCII)
# C0 but for newline and tab, DEL, C1, and what turns the order of writing or hides
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
GOOD = tuple(Asked(portal, ("sw-iscsi-0",), 0, "", fakes.SAN.targets) for portal in (PORTAL_8, PORTAL_9))


def recorded(path: Path) -> Done:
    return recording.load(path.read_bytes().decode("utf-8", "backslashreplace"))  # with its carriage returns


def heard(path: Path) -> Asked:
    done = recorded(path)
    portal = Portal.parse(done.argv[done.argv.index("-p") + 1])
    return iscsiadm.discovery(Replay([done]), portal, ("sw-iscsi-0", "sw-iscsi-1"))


def beside(asked: Asked) -> tuple[Site, Host]:
    """The guide's host, whole, whose site names this portal too; and what all of them said."""
    site = fakes.guide_site(portals=(PORTAL_8, PORTAL_9, asked.portal))
    return site, replace(fakes.guide_host(), asked=(*GOOD, asked))


def test_each_evil_of_a_discovery_is_recorded() -> None:
    for release in (p for p in TOP.iterdir() if p.is_dir()):
        assert {p.name for p in release.iterdir()} == set(portal_says.EVILS), release


@EACH
def test_what_is_planned_has_no_word_that_a_shell_or_a_folder_would_obey(path: Path) -> None:
    site, host = beside(heard(path))
    made = plan.steps(site, host)
    for pair in made.pairs.planned:
        assert re.fullmatch(r"iqn\.[A-Za-z0-9._:-]{1,219}", pair.target), pair
        assert pair.portal in site.portals or host.nics[0].on_link(pair.portal) or host.nics[1].on_link(pair.portal)
    good = {p: t for p, t in made.pairs.planned.items() if p.portal in (PORTAL_8, PORTAL_9)}
    assert good == topology.pairs(fakes.guide_site(), replace(host, asked=GOOD)).planned
    text = script.runbook(made)
    assert subprocess.run(("/bin/sh", "-n"), input=text, text=True, check=False).returncode == 0
    for line in text.splitlines():
        if line.startswith(("iscsiadm ", "code=0; ")):
            words = shlex.split(line.removeprefix("code=0; ").partition(" || ")[0])
            assert all(TAME.fullmatch(word) for word in words), line
    assert not OBEYED.search(text)


@EACH
def test_what_is_said_of_it_is_short_and_plain_everywhere(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site, host = beside(heard(path))
    asked = host.asked[-1]
    made = plan.steps(site, host)
    found = verdict.of(site, host, made).findings
    rows = view.asked(site, host, [asked.portal])
    plain = console.Console(color="never")
    plain.asked(rows)
    plain.findings(found)
    for step in made.steps:
        plain.step(step)
    text = capsys.readouterr().out
    assert not OBEYED.search(text)
    mine = [f for f in found if str(asked.portal) in f.subject]
    assert all(len(f.detail) < 2000 for f in mine)
    assert all("\n" not in part for f in mine for part in (f.subject, f.summary, f.detail)), mine
    console.Console(json=True).document("discover", 0, {"asked": rows, "findings": view.findings(found)})
    assert json.loads(capsys.readouterr().out)["asked"] == json.loads(json.dumps(rows))


@EACH
def test_what_is_wrong_is_said_with_the_portals_name(path: Path) -> None:
    site, host = beside(heard(path))
    asked = host.asked[-1]
    word = hearsay.words(site, host)[asked.portal]
    codes = {f.code for f in portals.discovery(site, asked, word)}
    fine = {"honest", "moved", "moved-foreign"}
    assert bool(codes) == (path.name not in fine), (codes, asked)
    names, places = {"MP311"}, {"MP311", "MP321"}
    wanted: dict[str, set[str]] = {"names": names, "utf8": names, "long": names, "nowhere": names}
    wanted |= {"addresses": places, "claims": places, "mixed": places, **{one: set() for one in fine}}
    assert codes == wanted.get(path.name, {"MP213"}), asked


def test_a_forged_line_gets_a_portal_nothing() -> None:
    """A name with a newline makes lines that may read like targets of others: of such an answer no line is taken."""
    asked = heard(TOP / "bookworm" / "broken")
    assert (asked.code, asked.found) == (Code.ERR, ())
    assert "no line of iscsiadm" in asked.said


def test_the_good_names_among_bad_ones_are_taken() -> None:
    for one in ("names", "utf8", "long", "addresses", "nowhere", "claims"):
        site, host = beside(heard(TOP / "bookworm" / one))
        assert f"{OWN}-{one}" in {f.target for f in hearsay.taken(site, host) if f.portal == host.asked[-1].portal}


def test_what_a_portal_claims_of_others_is_listed_with_the_reason() -> None:
    site, host = beside(heard(TOP / "bookworm" / "claims"))
    asked = host.asked[-1]
    said = {(str(n.found.portal), n.found.target): n.why for n in discovery.named(site, host, asked) if not n.wanted}
    assert said["127.0.0.1:3260", HOMER_1] == hearsay.Reason.STRANGE
    assert said["203.0.113.5:3260", HOMER_1] == hearsay.Reason.FOREIGN
    assert said["10.10.8.90:3260", HOMER_1] == hearsay.Reason.DENIED
    assert said["10.10.8.90:3260", HOMER_2] == hearsay.Reason.DENIED


def test_a_hundred_thousand_names_are_judged_in_no_time() -> None:
    """An iscsiadm on a fast machine may bring them all within its 20 s: it was ended before in the guest."""
    portal = Portal("10.10.8.106")
    lines = "".join(f"10.10.8.106:3260,1 {OWN}-{n}\n" for n in range(portal_says.MANY))
    done = recorded(TOP / "bookworm" / "honest")
    argv = iscsiadm.discover(portal, ("sw-iscsi-0",), why="").argv
    asked = iscsiadm.discovery(Replay([replace(done, argv=argv, code=0, out=lines)]), portal, ("sw-iscsi-0",))
    assert len(asked.found) == portal_says.MANY
    site, host = beside(asked)
    assert hearsay.taken(site, host) == frozenset(fakes.SAN.targets)
    assert portal not in {f.portal for f in topology.known(site, host)}
    made = plan.steps(site, host)
    assert made.steps == ()
    (flood,) = (f for f in checks.before(site, host, made) if f.subject == f"portal {portal}")
    assert (flood.code, len(flood.detail) < 200) == ("MP213", True)
    assert len(discovery.named(site, host, asked)) == portal_says.MANY


INJECTED = (
    ('"},{"x":', '","sysfs":"dm-0'),
    ("NEXENTA", '","dm_st":"x'),
    ('\\","', '"}]}],"maps":[{'),
    ("%s%n\\u0041", "\\"),
)


@pytest.mark.parametrize(("vendor", "product"), INJECTED)
def test_a_lun_can_say_nothing_of_its_map_but_its_name(vendor: str, product: str) -> None:
    """multipathd escapes nothing; the kernel leaves printable ASCII of an INQUIRY's strings, quotes too."""
    said = recordings.done("bookworm", "sane", "multipathd-maps").out
    plain = multipathd.parse_maps(said)
    evil = said.replace('"vend" : "NEXENTA"', f'"vend" : "{vendor}"').replace(
        '"prod" : "COMSTAR"', f'"prod" : "{product}"'
    )
    assert evil != said
    assert multipathd.parse_maps(evil) == tuple(replace(m, vendor=vendor, product=product) for m in plain)


def test_no_cell_of_a_table_begins_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A target that somebody else logged in to may be called anything: its row is one line."""
    host = fakes.guide_host()
    odd = replace(
        host.sessions[0], pair=replace(host.sessions[0].pair, target="iqn.x\n9  sw-iscsi-0  eth1\t\x1b[2J\u202e")
    )
    console.Console(color="never").host(replace(host, sessions=(odd,)))
    text = capsys.readouterr().out
    assert not OBEYED.search(text)
    assert len([line for line in text.splitlines() if line.strip()]) == 2 + len(host.ifaces) + 1
