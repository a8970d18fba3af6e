from __future__ import annotations

from pathlib import Path

import pytest
from test_commands import Mpio, run

from mpio import hearsay, sitefile
from mpio.errors import UsageError
from mpio.host import Portal
from mpio.lab import rehearse, san, session, stand_in

__all__ = ["run"]
GUIDE = session.SITE.read_text()


def of(text: str, **secrets: str) -> san.San:
    return stand_in.of(sitefile.parse(text, "site.toml"), {f"/etc/{name}": said for name, said in secrets.items()})


def test_the_guides_site_gets_a_cable_a_nic_and_its_own_luns() -> None:
    made = of(GUIDE)
    assert made.links == (
        san.Link("eth1", "san0", ("10.10.8.20/24",), ("10.10.8.90/24",)),
        san.Link("eth2", "san1", ("10.10.9.21/24",), ("10.10.9.90/24",)),
    )
    assert made.bridge is None
    assert [(t.name, t.portals) for t in made.targets] == [
        ("iqn.2011-09.dom.homer:lab", ("10.10.8.90:3260", "10.10.9.90:3260"))
    ]
    assert [(lun.wwid, lun.vendor, lun.product) for lun in made.luns] == [
        (lun.wwid, "NEXENTA", "COMSTAR") for lun in san.GUIDE.luns
    ]


def test_what_its_globs_want_is_what_it_shows() -> None:
    globs = ["iqn.2011-09.dom.homer:0[12]:*", "iqn.2001-04.com.example:a?", "*"]
    site = sitefile.parse(GUIDE.replace('"iqn.2011-09.dom.homer:*"', ", ".join(f'"{g}"' for g in globs)), "site.toml")
    made = stand_in.of(site, {})
    assert len({t.name for t in made.targets}) == 3
    assert all(hearsay.wants_target(site, t.name) for t in made.targets)
    assert {p for t in made.targets for p in t.portals} == {"10.10.8.90:3260", "10.10.9.90:3260"}
    assert all(t.portals for t in made.targets)


def test_nics_of_one_subnet_hang_on_a_switch() -> None:
    made = of(GUIDE.replace("10.10.9.90", "10.10.8.91"))
    assert made.bridge == san.Bridge("switch", ("10.10.8.90/24", "10.10.8.91/24"))
    assert [(link.nic_addresses, link.end_addresses) for link in made.links] == [
        (("10.10.8.20/24",), ()),
        (("10.10.8.21/24",), ()),
    ]


def test_more_subnets_than_nics_share_the_cables() -> None:
    made = of(GUIDE.replace('"10.10.9.90"', '"10.10.9.90", "[fd00:7::90]:3261", "10.10.8.20"'))
    assert [link.nic_addresses for link in made.links] == [("10.10.8.21/24", "fd00:7::14/64"), ("10.10.9.21/24",)]
    assert made.links[0].end_addresses == ("10.10.8.90/24", "fd00:7::90/64", "10.10.8.20/24")


def test_excluded_portals_are_not_there() -> None:
    made = of(GUIDE.replace('layout = "mesh"', 'layout = "mesh"\nexclude = ["10.10.9.90"]'))
    assert {p for t in made.targets for p in t.portals} == {str(Portal("10.10.8.90"))}
    with pytest.raises(UsageError, match="leaves no portal"):
        of(GUIDE.replace('layout = "mesh"', 'layout = "mesh"\nexclude = ["10.10.9.90", "10.10.8.90"]'))


def test_chap_takes_the_secrets_it_is_given() -> None:
    chap = (
        '[san.chap]\nusername = "prague"\npassword_file = "/etc/one"\n'
        'username_in = "homer"\npassword_in_file = "/etc/two"\n'
        '[san.discovery_chap]\nusername = "d"\npassword_file = "/etc/three"\n[network]'
    )
    made = of(GUIDE.replace("[network]", chap), one="secret1", two="secret2", three="secret3")
    assert {t.chap for t in made.targets} == {san.Chap("prague", "secret1", "homer", "secret2")}
    assert made.discovery_chap == san.Chap("d", "secret3")


def test_every_file_that_a_site_may_not_be_without_is_made_up() -> None:
    text = GUIDE + '[watch]\nalert = [{url_file = "/etc/alert-url"}, {exec = ["/bin/true"]}]\n'
    chap = '[san.chap]\nusername = "prague"\npassword_file = "/etc/one"\n[network]'
    site = sitefile.parse(text.replace("[network]", chap), "site.toml")
    assert stand_in.secret_files(site) == ("/etc/one", "/etc/alert-url")


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (("none.toml",), 2, "there is no site file none.toml"),
        (("folder",), 2, "there is no site file folder"),
        (("latin.toml",), 2, "latin.toml is not UTF-8"),
        (("site.toml", "--report", "folder"), 2, "folder is no file to write"),
        (("site.toml", "--report", "none/page.html"), 1, "there is no folder"),
    ],
)
def test_no_guest_boots_for_what_cannot_be_meant(
    run: Mpio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], code: int, says: str
) -> None:
    def boots(*_: object) -> tuple[int, str]:
        raise AssertionError("a guest was to boot")

    monkeypatch.setattr(rehearse, "run", boots)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "site.toml").write_text(GUIDE)
    (tmp_path / "latin.toml").write_bytes(f"{GUIDE}# \xfcber\n".encode("latin-1"))
    said = run("lab", "rehearse", *argv)
    assert said.code == code
    assert says in said.err


@pytest.mark.parametrize("wwid", ["2600144f0f4844000", "eui.0123456789abcdef", "t10.ATA_x", "35000c50012345678"])
def test_what_lio_cannot_show_is_said(wwid: str) -> None:
    with pytest.raises(UsageError, match=r"lun\[0\]\.wwid"):
        of(GUIDE.replace("3600144f0f484400000004e8685e70001", wwid))


def test_a_site_without_luns_gets_some() -> None:
    made = of(GUIDE.partition("[[lun]]")[0])
    assert len({lun.wwid for lun in made.luns}) == stand_in.UNNAMED


def test_what_it_makes_can_be_sent_to_a_guest() -> None:
    made = of(GUIDE.replace("10.10.9.90", "10.10.8.91"))
    assert san.from_json(san.to_json(made)) == made
