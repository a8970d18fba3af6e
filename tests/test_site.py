from __future__ import annotations

import contextlib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio import presets, sitefile, sitekeys, sitesound, sitetoml, sitewords, trust
from mpio.errors import Exit, LooseSecret, SiteError, UsageError
from mpio.host import Portal
from mpio.site import Alert, Chap, Site, SiteIface, SiteLun, Timeouts, Watch
from mpio.tools import keyfile, multipathwords, sysctl

DOCS = Path(__file__).parent.parent / "docs"
EXAMPLE = (DOCS / "site-example.toml").read_text(encoding="utf-8")
WHOLE_EXAMPLE = EXAMPLE.replace("#! ", "")

IFACES = '[[iface]]\nname = "sw-iscsi-0"\nnic = "eth1"\n[[iface]]\nname = "sw-iscsi-1"\nnic = "eth2"\n'
SAN = '[san]\nportals = ["10.10.8.90"]\n'
LUN = '[[lun]]\nwwid = "3600144f0f484400000004e8685e70001"\n'
SMALLEST = f"format = 1\n{IFACES}{SAN}"


def mistakes(text: str, nics: frozenset[str] = frozenset()) -> tuple[str, ...]:
    with pytest.raises(SiteError) as caught:
        sitefile.parse(text, "/etc/mpio/site.toml", nics)
    assert caught.value.exit == Exit.USAGE
    assert all("\n" not in line for line in caught.value.mistakes)
    assert not is_sound(text, nics)
    return caught.value.mistakes


def is_sound(text: str, nics: frozenset[str] = frozenset()) -> bool:
    """As those see it who must be quick."""
    try:
        return sitesound.is_sound(sitetoml.loads(text), nics)
    except ValueError:
        return False


def paths(text: str, nics: frozenset[str] = frozenset()) -> list[str]:
    return [line.partition(": ")[0] for line in mistakes(text, nics)]


def test_the_smallest_site_has_the_documented_defaults() -> None:
    assert sitefile.parse(SMALLEST, "/s") == Site(
        ifaces=(SiteIface("sw-iscsi-0", "eth1"), SiteIface("sw-iscsi-1", "eth2")),
        portals=(Portal("10.10.8.90"),),
        path="/s",
    )


def test_the_contract_s_example() -> None:
    assert sitefile.parse(WHOLE_EXAMPLE, "s").path == os.path.abspath("s")  # a unit may start us with it
    site = sitefile.parse(WHOLE_EXAMPLE, "/s")
    assert site.initiator == "iqn.2011-10.dom.prague:hydra"
    assert site.portals == (Portal("10.10.8.90"), Portal("10.10.9.90"))
    assert site.exclude == (Portal("10.10.99.1", 0),)
    assert site.chap == Chap("prague", "/etc/mpio/chap", "homer", "/etc/mpio/chap-in")
    assert site.session_keys == {"node.session.cmds_max": "128"}
    assert site.multipath == {
        "path_grouping_policy": "group_by_node_name",
        "no_path_retry": "12",
        "user_friendly_names": "yes",
    }
    assert (site.mtu, site.rp_filter, site.find_multipaths, site.polling_interval) == (9000, 2, None, 5)
    keywords = {"path_selector": "service-time 0", "failback": "immediate"}
    assert site.luns == (SiteLun("3600144f0f484400000004e8685e70001", "hydra_apps-a01", keywords, 4),)
    assert [alert.exec for alert in site.watch.alerts] == [(), (), ("/usr/local/sbin/page", "--host")]
    assert [alert.on for alert in site.watch.alerts] == [("degraded", "failed", "recovered")] * 3


def test_the_example_loads_as_it_is(tmp_path: Path) -> None:
    copy = tmp_path / "site.toml"
    copy.write_text(EXAMPLE, encoding="utf-8")
    copy.chmod(0o644)
    assert sitefile.load(str(copy), owner=os.geteuid()).path == str(copy)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", ["format", "iface", "san.portals"]),
        (f"format = 2\n{IFACES}{SAN}", ["format"]),
        (f"format = true\n{IFACES}{SAN}", ["format"]),
        (f"format = 1.0\n{IFACES}{SAN}", ["format"]),
        (f'format = "1"\n{IFACES}{SAN}', ["format"]),
        (f"{IFACES}{SAN}", ["format"]),
        (f"format = 1\n{SAN}", ["iface"]),
        (f"format = 1\niface = []\n{SAN}", ["iface"]),
        (f'format = 1\n{SAN}[iface]\nname = "a"\nnic = "b"\n', ["iface"]),
        (f"format = 1\n{IFACES}", ["san.portals"]),
        (f"format = 1\n{IFACES}[san]\nportals = []\n", ["san.portals"]),
        (f"format = 1\n{IFACES}[[san]]\nportals = []\n", ["san"]),
        (f"format = 1\nsan = 3\n{IFACES}", ["san"]),
        (f"{SMALLEST}[sann]\n", ["sann"]),
        (f"{SMALLEST}portal = 1\n", ["san.portal"]),
        (f"{SMALLEST}[timeouts]\nreplacements = 3\n", ["timeouts.replacements"]),
        (f"{SMALLEST}'a b' = 3\n", ['san."a b"']),
        (f'{SMALLEST}[[iface]]\nname = "c"\n', ["iface[2].nic"]),
        (f"{SMALLEST}targets = 'iqn'\n", ["san.targets"]),
        (f"{SMALLEST}targets = ['iqn.a:*', 'a b', '']\n", ["san.targets[1]", "san.targets[2]"]),
        (f"{SMALLEST}layout = 'star'\n", ["san.layout"]),
        (f"{SMALLEST}layout = 2011-10-01\n", ["san.layout"]),
        (f"{SMALLEST}[multipath]\nprio = 2011-10-01T07:32:00Z\n", ["multipath.prio"]),
        (f"{SMALLEST}exclude = ['homer']\n", ["san.exclude[0]"]),
        (f"{SMALLEST}[timeouts]\nreplacement = 0\nlogin = -1\n", ["timeouts.replacement", "timeouts.login"]),
        (f"{SMALLEST}[timeouts]\nreplacement = true\nlogin = 1.0\n", ["timeouts.replacement", "timeouts.login"]),
        (f"{SMALLEST}[timeouts]\nreplacement = {10**30}\n", ["timeouts.replacement"]),
        (f"{SMALLEST}[network]\nrp_filter = 1\n", ["network.rp_filter"]),
        (f"{SMALLEST}[network]\nrp_filter = false\n", ["network.rp_filter"]),
        (f"{SMALLEST}[network]\nmtu = 67\narp = 'off'\n", ["network.mtu", "network.arp"]),
        (f"{SMALLEST}[network]\nmtu = 65536\n", ["network.mtu"]),
        (f"{SMALLEST}[initiator]\nname = 'prague'\n", ["initiator.name"]),
        (f"{SMALLEST}[initiator]\nname = 'iqn.2011-10.dom.Prague'\n", ["initiator.name"]),
        (f"{SMALLEST}[initiator]\nname = 'iqn.2011-13.dom'\n", ["initiator.name"]),
        (f"{SMALLEST}[initiator]\nname = 'iqn.2011-10.{'a' * 223}'\n", ["initiator.name"]),
        (f'{SMALLEST}[initiator]\nname = "iqn.2011-10.a\\n"\n', ["initiator.name"]),
        (f"{SMALLEST}[multipath]\npreset = 'emc'\n", ["multipath.preset"]),
        (f"{SMALLEST}[multipath]\nfind_multipaths = 'maybe'\n", ["multipath.find_multipaths"]),
        (f"{SMALLEST}[multipath]\nfind_multipaths = true\n", ["multipath.find_multipaths"]),
        (f"{SMALLEST}[multipath]\npolling_interval = 0\n", ["multipath.polling_interval"]),
        (f"{SMALLEST}[multipath]\nno_path_retry = 0\n", ["multipath.no_path_retry"]),
        (f"{SMALLEST}[multipath]\nno_path_retry = 1.5\n", ["multipath.no_path_retry"]),
        (f"{SMALLEST}[multipath]\nalias = 'a'\n", ["multipath.alias"]),
        (f"{SMALLEST}[multipath]\nfast_io_fail_tmo = 5\n", ["multipath.fast_io_fail_tmo"]),
        (f"{SMALLEST}[multipath]\nprio = ['alua']\n", ["multipath.prio"]),
        (f"{SMALLEST}[multipath]\nprio = 'al\"ua'\n", ["multipath.prio"]),
        (f'{SMALLEST}[multipath]\nprio = "alua\\n}}"\n', ["multipath.prio"]),
        (f"{SMALLEST}[multipath]\npreset = 'none'\nrevision = 'X'\n", ["multipath.revision"]),
        (f"{SMALLEST}[multipath]\npreset = 'none'\nhardware_handler = '1 alua'\n", ["multipath.hardware_handler"]),
        (f"{SMALLEST}{LUN}path_checker = 'tur'\n", ["lun[0].path_checker"]),
        (f"{SMALLEST}{LUN}paths = 0\n", ["lun[0].paths"]),
        (f"{SMALLEST}{LUN}mode = 0o640\n", ["lun[0].mode"]),
        (f"{SMALLEST}{LUN}reservation_key = 0x1a2b\n", ["lun[0].reservation_key"]),
        (f"{SMALLEST}{LUN}failback = 'a\u2028b'\n", ["lun[0].failback"]),
        (f"{SMALLEST}[[lun]]\nalias = 'a'\n", ["lun[0].wwid"]),
        (f"{SMALLEST}[san.chap]\nusername = 'a'\n", ["san.chap.password_file"]),
        (f"{SMALLEST}[san.chap]\nusername = 'a'\npassword_file = 'b'\n", ["san.chap.password_file"]),
        (f"{SMALLEST}[san.chap]\nusername = ' a'\npassword_file = '/b'\n", ["san.chap.username"]),
        (f"{SMALLEST}[san.chap]\nusername = 'a'\npassword_file = '/b'\nusername_in = 'c'\n", ["san.chap"]),
        (
            f"{SMALLEST}[san.discovery_chap]\nusername = 'a'\npassword_file = '/b'\npassword = 'c'\n",
            ["san.discovery_chap.password"],
        ),
        (f"{SMALLEST}[watch]\nfast_fail = true\nheal = 1\n", ["watch.fast_fail", "watch.heal"]),
        (f"{SMALLEST}[watch]\nprobe_interval = 0\nprobe_misses = 0\n", ["watch.probe_interval", "watch.probe_misses"]),
        (f"{SMALLEST}[watch]\nprobe_interval = 0.5\n", ["watch.probe_interval"]),
        (f"{SMALLEST}[watch]\nprobe_interval = nan\n", ["watch.probe_interval"]),
        (f"{SMALLEST}[watch]\nprobe_interval = inf\n", ["watch.probe_interval"]),
        (f"{SMALLEST}[watch]\nprobe_interval = true\n", ["watch.probe_interval"]),
        (f"{SMALLEST}[[watch.alert]]\non = ['failed']\n", ["watch.alert[0]"]),
        (f"{SMALLEST}[[watch.alert]]\nurl = 'mailto://a'\nexec = ['/b']\n", ["watch.alert[0]"]),
        (f"{SMALLEST}[[watch.alert]]\nurl = 'a@b'\non = ['loud']\n", ["watch.alert[0].on[0]", "watch.alert[0].url"]),
        (f"{SMALLEST}[[watch.alert]]\nexec = []\n", ["watch.alert[0].exec"]),
        (f"{SMALLEST}[[watch.alert]]\nexec = ['page']\n", ["watch.alert[0].exec"]),
        ("format = 1\niface = [", ["end of document"]),
        ("format = 1\n\nformat = 1\n", ["line 3, column 11"]),
        ("a = " + "[\n" * 5000, ["TOML"]),
        ("a" + ".a" * 1000 + " = 1", ["line 1"]),
        ("format = 1\n# " + "x" * 2000, ["line 2"]),
        ("#\n" * 600_000, ["TOML"]),
    ],
)
def test_a_mistake_is_named_by_its_key(text: str, where: list[str]) -> None:
    assert sorted(paths(text)) == sorted(where)


def test_all_mistakes_come_at_once() -> None:
    text = "colour = 1\nformat = 3\n[[iface]]\nname = 'eth1'\nnic = 'eth1'\n[san]\nportals = ['homer']\n"
    text += "[[lun]]\nwwid = '36'\nalias = 'mpatha'\n[[lun]]\nwwid = 4\nalias = 'control'\n"
    assert set(paths(text)) == {
        *("colour", "format", "iface[0].name", "san.portals[0]"),
        *("lun[0].wwid", "lun[0].alias", "lun[1].wwid", "lun[1].alias"),
    }


@pytest.mark.parametrize(
    "name", ["default", "iser", "iface.example", "", "-a", ".a", "a b", "a/b", "a\n", "a" * 65, "ä"]
)
def test_iface_names_that_are_refused(name: str) -> None:
    text = SMALLEST.replace('"sw-iscsi-1"', json.dumps(name, ensure_ascii=False))
    assert paths(text) == ["iface[1].name"]


def test_an_iface_has_no_nic_s_name() -> None:
    assert paths(SMALLEST.replace('"sw-iscsi-1"', '"eth1"')) == ["iface[1].name"]
    assert paths(SMALLEST, frozenset({"lo", "sw-iscsi-0"})) == ["iface[0].name"]
    assert len(sitefile.parse(SMALLEST, "", frozenset({"lo", "eth1"})).ifaces) == 2


@pytest.mark.parametrize("nic", ["", ".", "..", "eth1:0", "a/b", "a b", "a" * 16, 'a"b', "a\n", "all", "default"])
def test_nic_names_that_are_refused(nic: str) -> None:
    assert paths(SMALLEST.replace('"eth2"', json.dumps(nic))) == ["iface[1].nic"]


@pytest.mark.parametrize("nic", ["eth*", "eth?", "eth[0]", "eth]", "eth=1", "eth\\1"])
def test_a_nic_that_sysctl_d_cannot_name_is_refused(nic: str) -> None:
    (line,) = mistakes(SMALLEST.replace('"eth2"', json.dumps(nic)))
    assert line.startswith("iface[1].nic: ")
    assert "sysctl.d" in line


@pytest.mark.parametrize(
    "alias", ["mpatha", "mpathabc", "control", "a..b", "", "-a", "a/b", "a b", "a\n", "a" * 128, 'a"', "ä"]
)
def test_aliases_that_are_refused(alias: str) -> None:
    assert paths(f"{SMALLEST}{LUN}alias = {json.dumps(alias, ensure_ascii=False)}\n") == ["lun[0].alias"]


@pytest.mark.parametrize("alias", ["mpath", "mpatha1", "mpathA", "hydra_db-a01", "0#+.:=@_-", "a" * 127, "controls"])
def test_aliases_that_are_taken(alias: str) -> None:
    assert sitefile.parse(f"{SMALLEST}{LUN}alias = {json.dumps(alias)}\n", "").luns[0].alias == alias


@pytest.mark.parametrize(
    ("text", "portal"),
    [
        ("10.10.8.90", Portal("10.10.8.90")),
        ("10.10.8.90:3261", Portal("10.10.8.90", 3261)),
        ("[fd00::90]", Portal("fd00::90")),
        ("[FD00:0::90]:860", Portal("fd00::90", 860)),
    ],
)
def test_portals_are_numeric(text: str, portal: Portal) -> None:
    assert sitefile.parse(SMALLEST.replace("10.10.8.90", text), "").portals == (portal,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("homer", "host name"),
        ("homer.dom:3260", "host name"),
        ("fd00::90", "brackets"),
        ("[fe80::1]", "link-local"),
        ("[fe80::1%eth1]:3260", "link-local"),
        ("[::ffff:10.0.0.1]", "write 10.0.0.1"),
        ("[10.0.0.1]", "brackets"),
        ("0.0.0.0", "nobody"),
        ("[::]", "nobody"),
        ("239.1.1.1", "nobody"),
        ("10.10.8.90:0", "no portal"),
        ("10.10.8.90:65536", "no portal"),
        ("10.10.8.90:", "no portal"),
        ("10.10.8.256", "no portal"),
        ("10.10.8.90 ", "no portal"),
        ("10.10.8.90/24", "no portal"),
        ("", "no portal"),
    ],
)
def test_what_is_no_portal(text: str, reason: str) -> None:
    (line,) = mistakes(SMALLEST.replace("10.10.8.90", text))
    assert line.startswith("san.portals[0]: ")
    assert reason in line


def test_an_excluded_address_without_a_port_is_all_its_ports() -> None:
    site = sitefile.parse(f"{SMALLEST}exclude = ['10.0.0.1', '10.0.0.2:3260', '[fd00::1]', '[fd00::2]:1']\n", "")
    assert site.exclude == (Portal("10.0.0.1", 0), Portal("10.0.0.2"), Portal("fd00::1", 0), Portal("fd00::2", 1))


def test_nothing_is_said_twice() -> None:
    twice = SMALLEST.replace("sw-iscsi-1", "sw-iscsi-0")
    assert mistakes(twice) == ("iface[1].name: 'sw-iscsi-0' is iface[0].name already",)
    assert paths(SMALLEST.replace("eth2", "eth1")) == ["iface[1].nic"]
    assert paths(SMALLEST.replace('"10.10.8.90"', '"10.10.8.90", "10.10.8.90:3260"')) == ["san.portals[1]"]
    aliases = f"{SMALLEST}{LUN}alias = 'a'\n[[lun]]\nwwid = '3600144f0f484400000004e8685f80002'\nalias = 'a'\n"
    assert paths(aliases) == ["lun[1].alias"]
    same = f"{SMALLEST}{LUN}[[lun]]\nwwid = 'naa.600144F0F484400000004E8685E70001'\n"
    assert mistakes(same) == ("lun[1].wwid: '3600144f0f484400000004e8685e70001' is lun[0].wwid already",)
    crossed = f"{SMALLEST}{LUN}[[lun]]\nwwid = '1a'\nalias = '3600144f0f484400000004e8685e70001'\n"
    assert paths(crossed) == ["lun[1].alias"]


def test_wwids_become_what_multipath_writes() -> None:
    texts = ["3600144F0F484400000004E8685E70001", "eui.0011223344556677", "naa.5000c500a1b2c3d4", "1ATA_x"]
    text = SMALLEST + "".join(f"[[lun]]\nwwid = '{wwid}'\n" for wwid in texts)
    assert [lun.wwid for lun in sitefile.parse(text, "").luns] == [
        *("3600144f0f484400000004e8685e70001", "20011223344556677", "35000c500a1b2c3d4", "1ATA_x")
    ]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("node.session.timeo.replacement_timeout", "timeouts.replacement"),
        ("node.conn[0].timeo.noop_out_interval", "timeouts.noop_interval"),
        ("node.conn[0].timeo.noop_out_timeout", "timeouts.noop_timeout"),
        ("node.conn[0].timeo.login_timeout", "timeouts.login"),
        ("node.session.initial_login_retry_max", "timeouts.login_retries"),
        ("node.session.auth.password", "san.chap"),
        ("node.startup", "mpio sets it"),
        ("node.discovery_address", "record"),
        ("iface.mtu", "in quotes"),
        ("node", "in quotes"),
        ("node.a b", "in quotes"),
        ("node.a\n", "in quotes"),
    ],
)
def test_session_keys_that_are_refused(key: str, reason: str) -> None:
    (line,) = mistakes(f"{SMALLEST}[session]\n{json.dumps(key)} = 5\n")
    shown = key if key == "node" else json.dumps(key)
    assert line.startswith(f"session.{shown}: ")
    assert reason in line


def test_session_values_become_text() -> None:
    keys = ["InitialR2T", "ImmediateData", "FirstBurstLength"]
    text = "".join(f'"node.session.iscsi.{k}" = {v}\n' for k, v in zip(keys, ["true", "false", "8192"], strict=True))
    text = f'{SMALLEST}[session]\n{text}"node.conn[0].iscsi.HeaderDigest" = "None"\n'
    assert sitefile.parse(text, "").session_keys == {
        "node.session.iscsi.InitialR2T": "Yes",
        "node.session.iscsi.ImmediateData": "No",
        "node.session.iscsi.FirstBurstLength": "8192",
        "node.conn[0].iscsi.HeaderDigest": "None",
    }


def test_an_unknown_key_is_told_the_nearest_ones() -> None:
    assert mistakes(f"{SMALLEST}[timeouts]\nreplacements = 3\n") == (
        "timeouts.replacements: is no key here; near: replacement",
    )
    assert "near: path_selector" in mistakes(f"{SMALLEST}{LUN}path_selektor = 'x'\n")[0]


def test_a_url_that_is_refused_is_not_shown() -> None:
    assert "geheim" not in mistakes(f"{SMALLEST}[[watch.alert]]\nurl = 'mailto:a:geheim@b'\n")[0]


def write(path: Path, text: str, mode: int) -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_site_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SiteError, match="others may write"):
        sitefile.load(write(tmp_path / "site.toml", SMALLEST, mode))


def test_a_site_file_may_be_of_root_of_the_caller_and_of_who_came_by_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    def status(uid: int) -> os.stat_result:
        return os.stat_result((0o100644, 0, 0, 1, uid, 0, 0, 0, 0, 0))

    stranger = os.geteuid() + 4711
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert [trust.of_site(status(uid), 0) for uid in (0, os.geteuid())] == ["", ""]
    assert "owned by user" in trust.of_site(status(stranger), 0)
    monkeypatch.setenv("SUDO_UID", str(stranger))
    assert trust.of_site(status(stranger), 0) == ""


@pytest.mark.parametrize("alert", ['exec = ["/bin/x", "--key=geheim\\u0007"]', 'url = "json://geheim\\u0007@host"'])
def test_a_mistake_in_an_alert_does_not_show_it(alert: str) -> None:
    (line,) = mistakes(f"{SMALLEST}[[watch.alert]]\n{alert}\n")
    assert "control character" in line
    assert "geheim" not in line


def test_no_site_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no site file") as caught:
        sitefile.load(str(tmp_path / "site.toml"))
    assert "mpio init" in caught.value.hint
    with pytest.raises(SiteError, match="no plain file"):
        sitefile.load(str(tmp_path))


def test_a_site_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"format = 1\n# \xff\n")
    path.chmod(0o600)
    with pytest.raises(SiteError, match="line 2: is not UTF-8"):
        sitefile.load(str(path))
    with pytest.raises(SiteError, match="larger"):
        sitefile.load(write(path, "#" * (1 << 20) + "\n", 0o600))


def with_chap(tmp_path: Path, password_file: Path) -> str:
    text = f"{SMALLEST}[san.chap]\nusername = 'prague'\npassword_file = '{password_file}'\n"
    return write(tmp_path / "site.toml", text, 0o600)


def test_secret_files(tmp_path: Path) -> None:
    me, secret = os.geteuid(), tmp_path / "chap"
    site = with_chap(tmp_path, secret)
    with pytest.raises(SiteError, match=r"san\.chap\.password_file: .*No such file"):
        sitefile.load(site, owner=me)
    write(secret, "geheim\n", 0o600)
    assert sitefile.load(site, owner=me).chap == Chap("prague", str(secret))
    assert trust.secret(str(secret), me) == "geheim"
    for mode in (0o640, 0o604, 0o620, 0o602, 0o610, 0o644):
        secret.chmod(mode)
        with pytest.raises(LooseSecret, match=r"san\.chap\.password_file") as caught:
            sitefile.load(site, owner=me)
        assert caught.value.exit == Exit.USAGE
        with pytest.raises(LooseSecret):
            trust.secret(str(secret), me)
    secret.chmod(0o600)
    with pytest.raises(LooseSecret, match="owned by user"):
        sitefile.load(site, owner=me + 1)
    secret.unlink()
    secret.mkdir()
    with pytest.raises(LooseSecret, match="no plain file"):
        sitefile.load(site, owner=me)


def test_a_loose_secret_is_one_mistake_among_others(tmp_path: Path) -> None:
    secret = write(tmp_path / "chap", "geheim\n", 0o644)
    text = f"{SMALLEST}layout = 'star'\n[san.chap]\nusername = 'prague'\npassword_file = '{secret}'\n"
    with pytest.raises(SiteError) as caught:
        sitefile.load(write(tmp_path / "site.toml", text, 0o600), owner=os.geteuid())
    assert [line.partition(": ")[0] for line in caught.value.mistakes] == ["san.layout", "san.chap.password_file"]


def test_a_link_to_a_secret_counts_where_nobody_else_can_turn_it(tmp_path: Path) -> None:
    me, kept, link = os.geteuid(), tmp_path / "kept", tmp_path / "links" / "chap"
    link.parent.mkdir(mode=0o755)
    write(kept, "geheim\n", 0o600)
    link.symlink_to(kept)
    site = with_chap(tmp_path, link)
    assert sitefile.load(site, owner=me).chap == Chap("prague", str(link))
    link.parent.chmod(0o777)
    with pytest.raises(LooseSecret, match="others may change"):
        sitefile.load(site, owner=me)
    link.parent.chmod(0o755)
    kept.chmod(0o644)
    with pytest.raises(LooseSecret, match="0644"):
        sitefile.load(site, owner=me)


@pytest.mark.parametrize("text", ["", "\n", "a\nb\n", "a\0b"])
def test_a_secret_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="one line"):
        trust.secret(write(tmp_path / "chap", text, 0o600), os.geteuid())


@pytest.mark.parametrize("text", ["geheim ", " geheim", " geheim \n", " ", "geheim" * 43, "\u00fc" * 128])
def test_a_secret_that_open_iscsi_cannot_keep_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "chap", text, 0o600)
    with pytest.raises(UsageError, match="1 to 255 bytes, no blank at either end") as caught:
        trust.secret(path, os.geteuid())
    assert path in caught.value.message
    assert "geheim" not in caught.value.message + caught.value.hint
    assert "\u00fc" not in caught.value.message + caught.value.hint


@given(st.text(st.characters(codec="latin-1"), max_size=260))
def test_every_secret_taken_fits_a_record(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "chap"
    path.write_text(text, encoding="utf-8", newline="")
    path.chmod(0o600)
    key = "node.session.auth.password"
    with contextlib.suppress(UsageError):
        said = trust.secret(str(path), os.geteuid())
        assert keyfile.values(keyfile.with_values("", {key: said})) == {key: said}


def test_the_alert_s_url_file_is_a_secret(tmp_path: Path) -> None:
    text = f"{SMALLEST}[[watch.alert]]\nurl_file = '{write(tmp_path / 'url', 'mailto://a', 0o644)}'\n"
    with pytest.raises(LooseSecret, match=r"watch\.alert\[0\]\.url_file"):
        sitefile.load(write(tmp_path / "site.toml", text, 0o600), owner=os.geteuid())


def test_the_schema_is_fresh() -> None:
    assert (DOCS / "site.schema.json").read_text(encoding="utf-8") == sitefile.schema_text()
    assert EXAMPLE.startswith("#:schema ./site.schema.json\n")


def fits(value: Any, schema: dict[str, Any], where: str) -> None:
    """As much of JSON Schema as ours uses."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    said = schema.get("type", [])
    allowed = [said] if isinstance(said, str) else said
    assert not allowed or any(isinstance(value, kinds[kind]) for kind in allowed), where  # type: ignore[arg-type]
    assert "enum" not in schema or value in schema["enum"], where
    assert "const" not in schema or value == schema["const"], where
    assert "pattern" not in schema or re.search(schema["pattern"], value), where
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys(), where
        for key, inner in value.items():
            matched = [s for pattern, s in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
            fits(inner, matched[0] if matched else schema["properties"][key], f"{where}.{key}")
    if isinstance(value, list):
        for i, inner in enumerate(value):
            fits(inner, schema["items"], f"{where}[{i}]")


def test_the_schema_takes_the_example() -> None:
    fits(tomllib.loads(WHOLE_EXAMPLE), sitefile.schema(), "")


def test_the_schema_explains_every_key_and_refuses_others() -> None:
    schema = sitefile.schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    tables = [schema]
    while tables:
        table = tables.pop()
        assert table["additionalProperties"] is False
        for key, inner in table["properties"].items():
            assert inner["description"], key
            below = inner.get("items", inner)
            if "properties" in below:
                tables.append(below)
    properties = schema["properties"]
    assert properties["lun"]["items"]["properties"].keys() > multipathwords.MULTIPATH_KEYWORDS
    assert multipathwords.DEVICE_KEYWORDS - properties["multipath"]["properties"].keys() == {
        "fast_io_fail_tmo",
        "dev_loss_tmo",
    }
    assert properties["session"]["additionalProperties"] is False


def named(pattern: str, check: Any) -> st.SearchStrategy[str]:
    def passes(text: str) -> bool:
        try:
            check(text)
        except ValueError:
            return False
        return True

    return st.from_regex(pattern, fullmatch=True).filter(passes)


LINES = st.text(st.characters(exclude_characters='"', exclude_categories=("C", "Z")), min_size=1, max_size=40)
FILES = LINES.map(lambda text: f"/{text}")
PORTALS = st.builds(
    Portal, st.sampled_from(["10.0.0.1", "192.168.7.9", "fd00::90", "2001:db8::1"]), st.integers(1, 65535)
)
NAMES = named(sitewords.IFACE, sitewords.iface).map(lambda name: f"i{name}"[:64])
WWIDS = st.from_regex("3[0-9a-f]{32}|2[0-9a-f]{16}", fullmatch=True)
CHAPS = st.builds(Chap, LINES, FILES) | st.builds(Chap, LINES, FILES, LINES, FILES)
SECONDS = st.integers(1, 86400)
LUN_KEYWORDS = st.dictionaries(
    st.sampled_from(sorted(multipathwords.MULTIPATH_KEYWORDS - {"wwid", "alias"})), LINES, max_size=3
)
KEYWORDS = st.dictionaries(
    st.sampled_from(sorted(multipathwords.OVERRIDES_KEYWORDS - {"fast_io_fail_tmo", "dev_loss_tmo"})), LINES, max_size=3
)
ON = st.lists(st.sampled_from([*sitekeys.SEVERITIES, *sitekeys.EVENTS]), min_size=1, max_size=3).map(tuple)
ALERTS = (
    st.builds(Alert, ON, url=LINES.map(lambda text: f"json://{text}"))
    | st.builds(Alert, ON, url_file=FILES, repeat=st.integers(60, 10**6), timeout=st.integers(1, 600))
    | st.builds(Alert, ON, exec=st.lists(LINES, min_size=1, max_size=3).map(lambda args: ("/x", *args)))
)
WATCHES = st.builds(
    Watch,
    fast_fail=st.sampled_from(["off", "link", "probe"]),
    probe_interval=st.floats(1, 3600),
    probe_misses=st.integers(1, 1000),
    alerts=st.lists(ALERTS, max_size=2).map(tuple),
)
SITES = st.builds(
    Site,
    ifaces=st.lists(NAMES, min_size=1, max_size=3, unique=True).map(
        lambda names: tuple(SiteIface(name, f"0.{i}") for i, name in enumerate(names))
    ),
    portals=st.lists(PORTALS, min_size=1, max_size=3, unique=True).map(tuple),
    initiator=st.none() | named(sitewords.INITIATOR, sitewords.initiator),
    targets=st.lists(named(sitewords.TARGET, sitewords.target), max_size=2).map(tuple),
    layout=st.sampled_from(["mesh", "subnet"]),
    exclude=st.lists(PORTALS | PORTALS.map(lambda p: Portal(p.address, 0)), max_size=2).map(tuple),
    chap=st.none() | CHAPS,
    discovery_chap=st.none() | CHAPS,
    rp_filter=st.sampled_from([None, 0, 2]),
    mtu=st.none() | st.integers(68, 65535),
    arp=st.sampled_from(["keep", "set"]),
    timeouts=st.builds(Timeouts, SECONDS, SECONDS, SECONDS, SECONDS, st.integers(1, 10_000)),
    session_keys=st.dictionaries(named(sitewords.NODE_KEY, sitewords.node_key), LINES, max_size=2),
    preset=st.sampled_from(sorted(presets.PRESETS)),
    multipath=KEYWORDS,
    find_multipaths=st.none() | st.sampled_from([w for w in sitekeys.FIND_MULTIPATHS if w != "keep"]),
    polling_interval=st.none() | SECONDS,
    luns=st.lists(
        st.builds(
            SiteLun,
            WWIDS,
            st.none() | st.uuids().map(lambda u: f"a-{u}"),
            LUN_KEYWORDS,
            st.none() | st.integers(1, 4096),
        ),
        max_size=3,
        unique_by=lambda lun: lun.wwid,
    ).map(tuple),
    watch=WATCHES,
    path=st.just("/etc/mpio/site.toml"),
)


@given(named(sitewords.NIC, sitewords.nic))
def test_every_nic_that_a_site_may_name_can_be_named_in_sysctl_d(nic: str) -> None:
    (setting,) = sysctl.parse("/etc/sysctl.d/x.conf", sysctl.render({(nic, "rp_filter"): 2}))
    assert (setting.key, setting.value, setting.is_glob) == (sysctl.key_of(nic, "rp_filter"), "2", False)


@given(SITES)
def test_a_site_survives_a_round_trip(site: Site) -> None:
    again = sitefile.parse(sitefile.dump(site), site.path)
    assert again == site
    assert is_sound(sitefile.dump(site))
    assert (again.multipath, again.session_keys) == (site.multipath, site.session_keys)


def toml(value: Any) -> str:
    """Inline TOML of what `JUNK` makes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, bool | str) else repr(value)


TREE: dict[str, Any] = {
    "format": 1,
    "iface": [{"name": "a", "nic": "eth1"}],
    "san": {"portals": ["10.0.0.1"], "chap": {"username": "a", "password_file": "/b"}, "targets": ["iqn.*"]},
    "network": {"rp_filter": 2},
    "timeouts": {"login": 5},
    "session": {"node.session.cmds_max": 128},
    "multipath": {"preset": "none", "prio": "alua"},
    "lun": [{"wwid": "3600144f0f484400000004e8685e70001", "alias": "a", "paths": 4}],
    "watch": {"heal": True, "alert": [{"url": "mailto://a"}]},
}
TEXTS = st.text(st.characters(codec="ascii"), max_size=8)
JUNK = st.recursive(
    st.booleans()
    | st.integers(-5, 5)
    | st.integers()
    | st.floats()
    | TEXTS
    | st.sampled_from(["a", "keep", "10.0.0.1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.sampled_from(sorted(TREE)), inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """A good tree in which some places hold anything."""
    tree = json.loads(json.dumps(TREE))
    for _ in range(draw(st.integers(1, 4))):
        at: Any = tree
        while True:
            places = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not places:
                break
            place = draw(st.sampled_from(places))
            if not isinstance(at[place], dict | list) or draw(st.booleans()):
                at[place] = draw(JUNK)
                break
            at = at[place]
    return "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in tree.items())


def site_or_mistakes(text: str) -> None:
    try:
        sitefile.parse(text, "/s")
    except SiteError as error:
        said = error.mistakes
    else:
        assert is_sound(text)
        return
    assert said
    assert not is_sound(text)
    assert all(re.fullmatch(r"[^\n]+: [^\n]+", line) for line in said), said


@given(spoiled())
def test_any_tree_gives_a_site_or_mistakes(text: str) -> None:
    site_or_mistakes(text)


@given(st.text() | st.lists(st.sampled_from(WHOLE_EXAMPLE.splitlines()) | st.text(max_size=9)).map("\n".join))
def test_any_text_gives_a_site_or_mistakes(text: str) -> None:
    site_or_mistakes(text)


@given(st.binary(max_size=60) | spoiled().map(str.encode))
def test_any_file_gives_a_site_or_an_error_that_is_ours(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "site.toml"
    path.write_bytes(data)
    path.chmod(0o600)
    with contextlib.suppress(SiteError, LooseSecret):
        sitefile.load(str(path), owner=os.geteuid())


def test_the_quick_check_knows_every_word_of_the_schema() -> None:
    """Another one would bind in `sitefile` alone."""
    words: dict[str, set[str]] = {}

    def walk(given: object) -> None:
        if isinstance(given, dict):
            if isinstance(kind := given.get("type"), str):
                words.setdefault(kind, set()).update(given.keys() - {"type", "metadata"})
            for one in given.values():
                walk(one)

    walk(sitekeys.site())
    function = {"function", "schema"}
    known = {
        "typed-dict": {"fields", "strict", "total", "extra_behavior"},
        "typed-dict-field": {"required", "schema"},
        "default": {"default", "schema"},
        "function-before": function,
        "function-after": function,
        "function-plain": {"function"},
        "no-info": {"function"},
        "dict": {"keys_schema", "values_schema", "strict"},
        "list": {"items_schema", "min_length", "strict"},
        "int": {"ge", "le", "strict"},
        "float": {"ge", "le", "strict", "allow_inf_nan"},
        "str": {"strict"},
        "bool": {"strict"},
        "literal": {"expected"},
    }
    assert {
        kind: found - known.get(kind, set()) for kind, found in words.items() if found - known.get(kind, set())
    } == {}
