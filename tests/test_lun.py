"""The life of a LUN: listed, added, looked for, adopted. Decisions on values; verbs through their real entry."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import fakes
import pytest
from fakes import APPS_A01, DB_A01, HOMER_1, HOMER_2
from test_commands import FINDING_KEYS, HOST, LUN_KEYS, SITE, Mpio, Shows, run, shows, site, well_formed, wrong

from mpio import apply, identity, observe, plan, settle, sgio, topology
from mpio.errors import UsageError
from mpio.files import Files
from mpio.host import Host, Pair, User
from mpio.identity import Said
from mpio.luns import inventory, scan
from mpio.machine import Machine
from mpio.memory import Offline
from mpio.observe import kernel
from mpio.plan import luns
from mpio.run import Runner
from mpio.sgio import Reply
from mpio.site import SiteLun
from mpio.step import Write
from mpio.tools import dmsetup, sysfs, vpd
from mpio.tools.wwid import of_lun

__all__ = ["run", "shows", "site"]  # fixtures

NEW = "3600144f0f484400000004e8686aa0005"
OTHER = "3600144f0f484400000004e8686bb0006"
MORE = replace(fakes.SAN, luns={**fakes.SAN.luns, NEW: (14, (HOMER_1, HOMER_2))})
HALF = replace(fakes.SAN, luns={**fakes.SAN.luns, NEW: (14, (HOMER_1,))})
MACHINE = Machine(Runner(), Files())
PLANNED = topology.pairs(SITE, HOST)


def scanned(host: Host, san: fakes.San = MORE) -> Host:
    for session in host.sessions:
        host = fakes.carry_out(host, [rescan(session.sid)], san)
    return host


def rescan(sid: int) -> Any:
    from mpio.tools import iscsiadm

    return iscsiadm.rescan(sid, why="")


def says(host: Host, **others: Said) -> dict[str, Said]:
    """Every disk says who it is, but for those named."""
    return {p.dev: Said(gone=False, wwids=frozenset({p.wwid}), serial=p.wwid[-8:]) for p in host.paths} | others


# -- what a disk says ----------------------------------------------------------------------------------------------


def page(number: int, body: bytes) -> bytes:
    return bytes((0, number)) + len(body).to_bytes(2, "big") + body + bytes(200)


def designator(code: int, kind: int, body: bytes) -> bytes:
    return bytes((code, kind, 0, len(body))) + body


NAA = designator(1, 3, bytes.fromhex(NEW[1:]))


def test_identities() -> None:
    port = designator(1, 0x13, bytes.fromhex("5001405000000001"))
    eui = designator(1, 2, bytes.fromhex("0123456789abcdef"))
    t10 = designator(2, 1, b"NEXENTA COMSTAR  x1 ")
    reply = page(0x83, t10 + port + NAA + eui)
    assert vpd.parse_identities(reply) == {NEW, "20123456789abcdef", "1NEXENTA_COMSTAR_x1"}
    said = Said(gone=False, wwids=vpd.parse_identities(reply))
    assert (said.wwid, said.is_another(NEW), said.is_another(OTHER)) == (NEW, False, True)
    assert not Said(gone=False).is_another(NEW)
    assert not said.is_another("1NEXENTA__COMSTAR_x1")
    assert not Said(gone=False, wwids=frozenset({OTHER})).is_another("1something")


def test_a_disk_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/sdb").write_text("no disk at all")
    machine = Machine(Runner(), Files(str(tmp_path)))
    assert identity.of(machine, ["sda", "sdb"]) == {}
    assert identity.of(machine, []) == {}


@pytest.mark.parametrize(
    ("standard", "said"),
    [
        (Reply(bytes(36)), Said(gone=False, wwids=frozenset({NEW}), serial="0f48")),
        (Reply(b"\x7f" + bytes(35)), Said()),
        (Reply(sense=bytes((0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x25, 0))), Said()),
        (Reply(sense=bytes((0x72, 5, 0x25, 0))), Said()),
        # not ready, a unit attention, nothing at all: that a disk does not answer is no word of the array
        (Reply(sense=bytes((0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 4, 1))), None),
        (Reply(sense=bytes((0x72, 6, 0x25, 0))), None),
        (Reply(sense=b"\x70"), None),
        (Reply(), None),
    ],
)
def test_gone_is_what_the_array_says(standard: Reply, said: Said | None, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = (Reply(page(0x83, NAA)), Reply(page(0x80, b"0f48"))) if standard.data[:1] == b"\0" else (Reply(), Reply())
    monkeypatch.setattr(sgio, "replies", lambda places, *_: dict.fromkeys(places, (standard, *pages)))
    assert identity.of(MACHINE, ["sda"]) == ({"sda": said} if said else {})


@pytest.mark.parametrize("reply", [b"", page(0x83, NAA)[:9], page(0x80, NAA), bytes((0x7F,)) + page(0x83, NAA)[1:]])
def test_no_identity(reply: bytes) -> None:
    assert vpd.parse_identities(reply) == frozenset()


def test_serial_and_gone() -> None:
    assert vpd.parse_serial(page(0x80, b"  0f48 \0")) == "0f48"
    assert vpd.parse_serial(page(0x83, b"0f48")) == ""
    assert [vpd.is_gone(r) for r in (b"", b"\x7f\0\0\0", b"\x20\0\0\0", b"\0\0\0\0")] == [True, True, True, False]


def test_a_lun_by_the_array_s_own_name() -> None:
    assert of_lun(" 600144F0F484400000004E8685E70001 ") == APPS_A01
    assert of_lun(APPS_A01.upper()) == of_lun("naa." + APPS_A01[1:]) == APPS_A01
    for text in ("600144F0", "hydra", "", "36"):
        with pytest.raises(ValueError, match="no WWID"):
            of_lun(text)


def test_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, *_ = [p for p in HOST.paths if p.wwid == APPS_A01]
    now = says(HOST, **{first.dev: Said(gone=False, wwids=frozenset({OTHER})), second.dev: Said()})
    monkeypatch.setattr(identity, "of", lambda _, devs: {dev: now[dev] for dev in devs})
    assert identity.strangers(HOST, identity.of_maps(MACHINE, HOST)) == {first.dev: OTHER}
    down = replace(HOST, sessions=tuple(replace(s, state="FAILED") for s in HOST.sessions))
    assert identity.of_maps(MACHINE, down) == {}
    seen = replace(HOST, strangers={first.dev: OTHER})
    (found,) = plan.steps(SITE, seen).refused
    assert (found.code, found.subject, found.severity) == ("MP414", "hydra_apps-a01", "critical")
    assert f"{first.dev} (LUN 10) says {OTHER}" in found.detail
    assert plan.steps(SITE, seen, frozenset({"MP414"})).refused == ()


# -- add -----------------------------------------------------------------------------------------------------------


def test_wish() -> None:
    assert luns.wish(SITE, NEW.upper(), "") == SiteLun(NEW)
    assert luns.wish(SITE, NEW[1:].upper(), "new") == SiteLun(NEW, "new")
    assert luns.wish(SITE, APPS_A01, "hydra_apps-a01").alias == "hydra_apps-a01"
    for wwid, alias, words in (
        (NEW, "hydra_apps-a01", f"is the alias of {APPS_A01}"),
        (APPS_A01, "other", "is called hydra_apps-a01"),
        (NEW, "mpatha", "gives itself"),
        (NEW, "a/b", "no alias"),
        ("600144", "", "no WWID"),
    ):
        with pytest.raises(UsageError, match=words):
            luns.wish(SITE, wwid, alias)


def test_a_taken_name() -> None:
    wanted = SiteLun(NEW, "new")
    assert luns.name_taken(wanted, {"vg-lv": "LVM-x"}) == ""
    assert luns.name_taken(wanted, {"new": f"mpath-{NEW}"}) == ""
    assert luns.name_taken(wanted, {"new": "LVM-x"}) == "LVM-x"
    assert luns.name_taken(wanted, {"new": ""}) != ""
    assert luns.name_taken(SiteLun(NEW), {"": "LVM-x"}) == ""


def test_who_lacks_a_lun() -> None:
    assert luns.lacking(HOST, PLANNED, APPS_A01) == ()
    assert luns.lacking(HOST, PLANNED, NEW) == HOST.sessions
    half = scanned(HOST, HALF)
    assert {s.pair.target for s in luns.lacking(half, PLANNED, NEW)} == {HOMER_2}
    over: dict[int, Pair] = {s.sid: s.pair for s in HOST.sessions}
    have = {p.sid for p in half.paths if p.wwid == NEW}
    assert luns.behind(over, have) == ()
    assert len(luns.behind(over, set(list(have)[:1]))) == 1
    (found,) = luns.unshown(half, PLANNED, NEW)
    assert (found.code, found.detail) == ("MP416", HOMER_2)
    assert luns.unshown(scanned(HOST), PLANNED, NEW) == ()


def test_what_forbids_it() -> None:
    host = scanned(HOST)
    first, second, *_ = [p for p in host.paths if p.wwid == NEW]

    def codes(host: Host, **others: Said) -> list[str]:
        return [f.code for f in luns.against(host, NEW, says(host, **others), frozenset())]

    assert codes(host) == []
    grown = replace(host, paths=tuple(replace(p, size=7) if p is second else p for p in host.paths))
    assert codes(grown) == ["MP410"]
    assert codes(replace(host, paths=tuple(replace(p, size=0) if p is second else p for p in host.paths))) == []
    assert codes(host, **{first.dev: Said(gone=False, wwids=frozenset({NEW}), serial="x")}) == ["MP415"]
    assert codes(host, **{first.dev: Said(gone=False, wwids=frozenset({OTHER}))}) == ["MP415"]
    assert codes(replace(host, users=(User(first.dev, "mount", "/srv"),))) == ["MP408"]
    # one that is blocked cannot be asked
    assert luns.against(host, NEW, {d: x for d, x in says(host).items() if d != first.dev}, frozenset()) == ()
    # LUN 10 was given to another LUN, whose WWID is to be added now; or who asks means the LUN that was there
    old = replace(HOST, strangers={p.dev: NEW for p in HOST.paths if p.wwid == APPS_A01})
    assert codes(old) == ["MP414"]
    assert [f.code for f in luns.against(old, APPS_A01, says(old), frozenset())] == ["MP414"]
    assert luns.against(old, DB_A01, says(old), frozenset()) == ()


def test_only_its_own_steps() -> None:
    host = fakes.look(SITE, scanned(HOST), MORE)
    wanted = replace(SITE, luns=(*SITE.luns, SiteLun(NEW, "new")))
    broken = replace(host, sessions=tuple(replace(s, recovery_tmo=99) for s in host.sessions))
    broken = replace(broken, registered=host.registered - {APPS_A01})
    made = plan.steps(wanted, broken)
    mine = luns.own(NEW, broken, made)
    assert len(mine) < len(made.steps)
    assert [s.path if isinstance(s, Write) else s.argv[:2] for s in mine] == [
        "/etc/multipath/conf.d/90-mpio.conf",
        ("multipath", "-a"),
        ("multipathd", "reconfigure"),
    ]


@dataclass
class Acting:
    """The pretend host as it is now, and the array that its sessions see."""

    now: Host = HOST
    san: fakes.San = MORE
    dies_after: int = 99

    def tells(self, _: object, devs: Any) -> dict[str, Said]:
        known = says(self.now)
        return {dev: known[dev] for dev in devs}


@pytest.fixture
def acts(site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch) -> Acting:
    it = Acting()
    shows(HOST)

    def look(_machine: object, wanted: Any, *_: object) -> Host:
        return fakes.remembered(fakes.look(wanted, it.now, it.san) if wanted else it.now)

    def carry_out(_: object, steps: Any, outcome: apply.Outcome, _tell: object, *, strict: bool = False) -> None:
        for step in steps:
            if it.dies_after == 0:
                raise KeyboardInterrupt
            it.dies_after -= 1
            if isinstance(step, Write) and step.path == str(site):
                assert step.mode is None
                site.write_text(step.text or "")
            else:
                it.now = fakes.carry_out(it.now, [step], it.san)
            outcome.done.append(step)

    def status(_: object) -> dict[str, tuple[dmsetup.PathStatus, ...]]:
        return {
            m.name: tuple(
                dmsetup.PathStatus(p.dev, active=p.dm_state == "active", group=1) for p in it.now.paths if p.dm == m.dm
            )
            for m in it.now.maps
        }

    monkeypatch.setattr(observe, "host", look)
    monkeypatch.setattr(apply, "carry_out", carry_out)
    monkeypatch.setattr(apply, "remember", lambda *_: None)
    monkeypatch.setattr(settle, "after", lambda *_: None)
    monkeypatch.setattr(scan, "whole", lambda *_: None)
    monkeypatch.setattr("mpio.run.Runner.__call__", lambda *_, **__: None)
    monkeypatch.setattr(identity, "of", it.tells)
    monkeypatch.setattr(dmsetup, "path_status", status)
    monkeypatch.setattr(sysfs, "dm_names", lambda _: {m.name: f"mpath-{m.wwid}" for m in it.now.maps})
    monkeypatch.setattr(sysfs, "nic_names", lambda _: ("eth1", "eth2"))
    return it


def test_add(run: Mpio, site: Path, acts: Acting) -> None:
    site.write_text("# The host hydra.\n" + site.read_text())
    before = site.read_text()
    said = run("lun", "add", NEW[1:].upper(), "--alias", "hydra_new", "--yes", "-o", "json")
    document = said.json
    assert said.code == 0, said
    assert list(document) == ["format", "command", "exit", "done", "left", "findings", "lun"]
    assert (document["command"], document["left"], document["findings"]) == ("lun add", [], [])
    well_formed(document["done"], document["findings"])
    assert (document["lun"]["wwid"], document["lun"]["alias"], document["lun"]["usable_paths"]) == (NEW, "hydra_new", 4)
    text, _, rest = before.partition("[watch]")
    assert site.read_text() == f'{text}[[lun]]\nwwid = "{NEW}"\nalias = "hydra_new"\n\n[watch]{rest}'
    kinds = [s.get("path") or s["argv"][0] for s in document["done"]]
    assert kinds[:4] == ["iscsiadm"] * 4
    assert kinds[4] == str(site)
    again = run("lun", "add", NEW, "-o", "json")  # nothing to do needs no --yes
    assert (again.code, again.json["done"]) == (0, [])


def test_add_reads_a_size_once_more(acts: Acting) -> None:
    """A session broke while its disk was scanned (lab, no-op time-outs under load): it came with no size."""
    host = scanned(HOST)
    mine = [p for p in host.paths if p.wwid == NEW]
    acts.now = replace(host, paths=tuple(replace(p, size=0) if p is mine[1] else p for p in host.paths))
    outcome = apply.Outcome(host=acts.now)
    assert scan.measured(Mock(), acts.now, NEW, outcome, Mock())
    assert [s.path for s in outcome.done if isinstance(s, Write)] == [
        f"/sys/class/scsi_device/{mine[1].hctl}/device/rescan"
    ]
    assert not scan.measured(Mock(), host, NEW, outcome, Mock())


def test_add_on_one_target(run: Mpio, site: Path, acts: Acting) -> None:
    acts.san = HALF
    document = run("lun", "add", NEW, "--yes", "-o", "json").json
    assert [(f["code"], f["detail"]) for f in document["findings"]] == [("MP416", HOMER_2)]
    assert (document["exit"], document["lun"]["usable_paths"], document["lun"]["expected_paths"]) == (0, 2, 2)


def test_a_site_file_that_cannot_be_edited_is_said_first(run: Mpio, site: Path, acts: Acting) -> None:
    head, _, rest = site.read_text().partition("[[lun]]")
    rest = rest[rest.index("[watch]") :]
    site.write_text(f'lun = [\n  {{wwid = "{APPS_A01}"}}\n  , {{wwid = "{DB_A01}"}}\n  # ours\n]\n{head}{rest}')
    before = site.read_text()
    said = run("lun", "add", NEW, "--yes", "-o", "json")
    assert (said.code, said.json["error"]["message"]) == (1, "cannot edit the site file as it is written")
    assert said.json["error"]["hint"].startswith(f"edit it by hand: add a [[lun]] with wwid = '{NEW}'")
    assert site.read_text() == before
    assert acts.now == HOST


@pytest.mark.parametrize("number", range(8))
def test_add_dies_and_goes_on(run: Mpio, site: Path, acts: Acting, number: int) -> None:
    """Whoever dies at any step is finished by the same verb, and behind the site file's write by `apply`, too."""
    acts.dies_after = number
    assert run("lun", "add", NEW, "--alias", "hydra_new", "--yes").code == 130
    acts.dies_after = 99
    written = NEW in site.read_text()
    assert written is (number > 4)
    again = run("lun", "add", NEW, "--alias", "hydra_new", "--yes", "-o", "json")
    assert (again.code, again.json["lun"]["usable_paths"], again.json["lun"]["alias"]) == (0, 4, "hydra_new")
    assert run("plan", "-o", "json").json["steps"] == []


def test_add_refused(run: Mpio, site: Path, acts: Acting, monkeypatch: pytest.MonkeyPatch) -> None:
    before = site.read_text()
    assert "no WWID" in wrong(run, ["lun", "add", "600144"], 2, "usage")
    assert "is the alias of" in wrong(run, ["lun", "add", NEW, "--alias", "hydra_apps-a01"], 2, "usage")
    assert "terminal" in wrong(run, ["lun", "add", NEW], 2, "needs-yes")
    said = wrong(run, ["lun", "add", OTHER, "--yes"], 1, "could-not")
    assert f"no session shows {OTHER}" in said
    assert NEW in said  # which is shown and not taken
    acts.now = replace(acts.now, strangers={p.dev: NEW for p in acts.now.paths if p.wwid == APPS_A01})
    assert "the map is of" in wrong(run, ["lun", "add", NEW, "--yes"], 1, "MP414")
    assert site.read_text() == before
    acts.now = HOST
    units = tuple(replace(u, active="inactive") if u.name == "multipathd.service" else u for u in HOST.units)
    acts.now = replace(HOST, units=units)
    assert "multipathd" in wrong(run, ["lun", "add", NEW, "--yes"], 1, "MP104")
    acts.now = HOST
    monkeypatch.setattr(sysfs, "dm_names", lambda _: {"vg-lv": "LVM-x"})
    assert "/dev/mapper/vg-lv" in wrong(run, ["lun", "add", NEW, "--alias", "vg-lv", "--yes"], 1, "could-not")
    assert site.read_text() == before


def test_add_where_the_site_file_cannot_be_written(
    run: Mpio, site: Path, acts: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.read_text()
    carried_out = apply.carry_out

    def failing(machine: Any, steps: Any, outcome: apply.Outcome, tell: Any, *, strict: bool = False) -> None:
        for step in steps:
            if isinstance(step, Write) and step.path == str(site):
                outcome.failed[apply.key(step)] = (step, "no space left", 0)
            else:
                carried_out(machine, [step], outcome, tell, strict=strict)

    monkeypatch.setattr(apply, "carry_out", failing)
    assert "no space left" in wrong(run, ["lun", "add", NEW, "--yes"], 1, "could-not")
    assert NEW not in acts.now.registered
    monkeypatch.setattr(apply, "carry_out", carried_out)
    written = "mpio.sitetrust.read"
    texts = iter([before, before + "# edited\n"] * 4)
    monkeypatch.setattr(written, lambda *_: next(texts))
    monkeypatch.setattr("mpio.sitefile.load", lambda *_, **__: SITE)
    assert "somebody changed" in wrong(run, ["lun", "add", NEW, "--yes"], 1, "busy")
    assert site.read_text() == before


def test_add_keeps_an_open_map_s_name(run: Mpio, site: Path, acts: Acting) -> None:
    acts.now = fakes.carry_out(HOST, [multipath_register()], MORE)
    acts.now = scanned(acts.now)
    maps = tuple(replace(m, name="mpathz", open_count=1) if m.wwid == NEW else m for m in acts.now.maps)
    acts.now = replace(acts.now, maps=maps)
    before = site.read_text()
    assert "rename the open map mpathz" in wrong(run, ["lun", "add", NEW, "--alias", "n", "--yes"], 1, "MP405")
    assert site.read_text() == before
    assert run("lun", "add", NEW, "--yes").code == 0


def multipath_register() -> Any:
    from mpio.tools import multipath

    return multipath.register(NEW, why="")


# -- list ----------------------------------------------------------------------------------------------------------

MORE_KEYS = ["numbers", "serial", "in_site", "registered", "open_count", "users"]


def test_list(run: Mpio, site: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = scanned(HOST)
    dm = next(m.dm for m in HOST.maps if m.wwid == APPS_A01)
    seen = replace(seen, users=(User(dm, "mount", "/srv/a", "sh, 7"), User(dm, "swap", "/dev/x")))
    shows(seen)
    monkeypatch.setattr(inventory, "look", lambda *_: (seen, inventory.Rest(frozenset({APPS_A01}), {APPS_A01: "0f48"})))
    document = run("lun", "list", "-o", "json").json
    assert list(document) == ["format", "command", "exit", "site", "luns", "unseen"]
    first, *_, last = document["luns"]
    assert list(first) == [*(k for k in LUN_KEYS if k != "budget"), *MORE_KEYS]
    assert [first[k] for k in MORE_KEYS[:5]] == [[10], "0f48", True, True, 0]
    assert [(u["name"], u["space"]) for u in first["users"]] == [("/srv/a", "sh, 7"), ("/dev/x", "")]
    assert (last["wwid"], last["numbers"], last["in_site"], last["registered"]) == (NEW, [14], False, False)
    text = run("lun", "list").out.splitlines()
    assert text[0].split()[:3] == ["LUN", "WWID", "DM"]
    assert "mount /srv/a (in the mount namespace of sh, 7) and 1 more" in text[1]
    assert text[1].split()[0] == "hydra_apps-a01"


def test_list_without_anything(run: Mpio, shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPIO_SITE")
    monkeypatch.setattr("mpio.commands.call.SITE", "/nonexistent/site.toml")
    monkeypatch.setattr(kernel, "look", lambda *_: Host())
    said = run("lun", "list")
    assert (said.code, said.out) == (0, "")
    assert run("lun", "list", "-o", "json").json["luns"] == []


# -- rescan --------------------------------------------------------------------------------------------------------


def test_news() -> None:
    after = scanned(HOST)
    old = next(p for p in HOST.paths if p.wwid == DB_A01)
    changed = replace(after, paths=tuple(replace(p, size=9) if p.wwid == APPS_A01 else p for p in after.paths))
    news = luns.news(HOST, changed, says(changed, **{old.dev: Said()}))
    assert {w: len(p) for w, p in news.appeared.items()} == {NEW: 4}
    assert {w: [p.dev for p in paths] for w, paths in news.vanished.items()} == {DB_A01: [old.dev]}
    assert {w: len(p) for w, p in news.resized.items()} == {APPS_A01: 4}
    told = [(f.code, f.subject) for f in luns.told(SITE, changed, news)]
    assert told == [("MP417", "hydra_db-a01"), ("MP418", "hydra_apps-a01"), ("MP411", NEW)]
    assert luns.news(HOST, HOST, says(HOST)) == luns.News({}, {}, {})


def test_rescan(run: Mpio, site: Path, acts: Acting) -> None:
    assert "terminal" in wrong(run, ["lun", "rescan"], 2, "needs-yes")
    document = run("lun", "rescan", "--yes", "-o", "json").json
    assert list(document)[3:] == ["done", "left", "findings", "appeared", "vanished", "resized", "changed"]
    assert [list(f) for f in document["findings"]] == [FINDING_KEYS]
    assert (document["exit"], len(document["done"]), document["appeared"][0]["wwid"]) == (0, 4, NEW)
    assert run("lun", "rescan", "hydra_apps-a01", "--yes", "-o", "json").json["appeared"] == []
    assert "no LUN" in wrong(run, ["lun", "rescan", "hydra", "--yes"], 2, "unknown-name")
    first = next(p.dev for p in HOST.paths if p.wwid == APPS_A01)
    acts.now = replace(acts.now, strangers={first: OTHER})
    document = run("lun", "rescan", "--yes", "-o", "json").json
    assert (document["exit"], document["changed"]) == (1, [{"dev": first, "wwid": APPS_A01, "says": OTHER}])
    assert document["findings"][0]["code"] == "MP414"
    acts.now = replace(HOST, sessions=())
    assert "no session" in wrong(run, ["lun", "rescan", "--yes"], 1, "could-not")


# -- adopt ---------------------------------------------------------------------------------------------------------


def lun_of(host: Host, wwid: str) -> topology.Lun:
    return next(x for x in topology.luns(SITE, host, topology.pairs(SITE, host)) if x.wwid == wwid)


def dead_on(host: Host, wwid: str, target: str) -> tuple[Host, dict[str, Said]]:
    """The LUN unmapped from one target: its disks there are failed and nobody answers for them."""
    sids = {s.sid for s in host.sessions if s.pair.target == target}
    gone = {p.dev for p in host.paths if p.wwid == wwid and p.sid in sids}
    paths = tuple(replace(p, dm_state="failed", size=0) if p.dev in gone else p for p in host.paths)
    return replace(host, paths=paths), dict.fromkeys(gone, Said())


def test_adoption() -> None:
    whole = luns.adoption(SITE, HOST, PLANNED, lun_of(HOST, APPS_A01), says(HOST))
    assert (whole.after, whole.idle, set(whole.targets)) == (4, True, {HOMER_1, HOMER_2})
    host, gone = dead_on(HOST, APPS_A01, HOMER_2)
    half = luns.adoption(SITE, host, PLANNED, lun_of(host, APPS_A01), says(host, **gone))
    assert (half.lun.expected, half.after, half.paths, set(half.targets)) == (4, 2, None, {HOMER_1})
    assert {p.dev for p in half.dead} == set(gone)
    assert [s.path for s in luns.deletions([half]) if isinstance(s, Write)] == [
        f"/sys/class/scsi_device/{p.hctl}/device/delete" for p in half.dead
    ]
    after = replace(
        host, paths=tuple(p for p in host.paths if p not in half.dead), memory=luns.remembered(host, [half])
    )
    assert (lun_of(after, APPS_A01).state, lun_of(after, APPS_A01).expected) == ("healthy", 2)
    # one path of a target is missing: only the site file can say that this is meant
    one = next(p for p in HOST.paths if p.wwid == APPS_A01)
    less = replace(HOST, paths=tuple(p for p in HOST.paths if p is not one))
    odd = luns.adoption(SITE, less, PLANNED, lun_of(less, APPS_A01), says(less))
    assert (odd.after, odd.paths, odd.idle) == (3, 3, False)


def test_what_is_offline_by_hand_is_not_given_up() -> None:
    pairs = frozenset(str(s.pair) for s in HOST.sessions if s.pair.target == HOMER_2)
    host = replace(HOST, offline=(Offline(HOMER_2, pairs, "root", "2026-01-01T00:00:00+00:00"),))
    sids = {s.sid for s in host.sessions if s.pair.target == HOMER_2}
    host = replace(host, paths=tuple(replace(p, dm_state="failed") if p.sid in sids else p for p in host.paths))
    found = luns.adoption(SITE, host, PLANNED, lun_of(host, APPS_A01), says(host))
    assert (set(found.targets), found.dead, found.paths, found.idle) == ({HOMER_1, HOMER_2}, (), None, True)


@pytest.fixture
def remembers(acts: Acting, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """What was written to mpio's memory; nothing else is written."""
    kept: list[str] = []

    def write(_: object, path: str, text: str, mode: int | None = None, **__: object) -> None:
        assert path == "/var/lib/mpio/memory.json", path
        kept.append(text)

    monkeypatch.setattr("mpio.files.Files.write", write)
    monkeypatch.setattr(observe, "remembered", lambda _: acts.now.memory)
    monkeypatch.setattr(settle, "until", lambda met, _: met() or True)
    monkeypatch.setattr(sysfs, "paths", lambda _: acts.now.paths)
    return lambda: json.loads(kept[-1]) if kept else None


def test_adopt(run: Mpio, site: Path, acts: Acting, remembers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = site.read_text()
    assert run("lun", "adopt").code == 0  # nothing to do needs no --yes
    acts.now, gone = dead_on(HOST, APPS_A01, HOMER_2)
    monkeypatch.setattr(identity, "of", lambda _, devs: {d: (says(acts.now) | gone)[d] for d in devs})
    asked = run("lun", "adopt", "hydra_apps-a01")  # what would change is shown first
    assert (asked.code, "4           2" in asked.out) == (2, True)
    document = run("lun", "adopt", "--yes", "-o", "json").json
    (one,) = document["adopted"]
    assert (one["wwid"], one["before"], one["after"], set(one["dead"])) == (APPS_A01, 4, 2, set(gone))
    assert (document["exit"], document["left"], len(document["done"])) == (0, [], 2)
    assert remembers()["shown"][APPS_A01] == [HOMER_1]
    assert remembers()["shown"][DB_A01] == [HOMER_1, HOMER_2]
    assert site.read_text() == before
    assert gone.keys().isdisjoint(p.dev for p in acts.now.paths)

    acts.now = replace(HOST, paths=tuple(p for p in HOST.paths if p.wwid != DB_A01 or p.lun != 11 or p.sid != 1))
    document = run("lun", "adopt", "hydra_db-a01", "--yes", "-o", "json").json
    assert (document["exit"], document["adopted"][0]["after"]) == (0, 3)
    assert {x["wwid"]: x.get("paths") for x in tomllib.loads(site.read_text())["lun"]}[DB_A01] == 3

    acts.now = replace(HOST, paths=tuple(p for p in HOST.paths if p.wwid != DB_A01))
    assert "nothing to adopt" in wrong(run, ["lun", "adopt", "hydra_db-a01", "--yes"], 1, "MP401")


def test_disks_that_live_again_when_the_question_is_answered_stay(
    run: Mpio, site: Path, acts: Acting, remembers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts.now, gone = dead_on(HOST, APPS_A01, HOMER_2)
    monkeypatch.setattr(identity, "of", lambda _, devs: {d: (says(acts.now) | gone)[d] for d in devs})

    def answered(*_: object) -> None:
        acts.now = HOST
        gone.clear()

    monkeypatch.setattr("mpio.commands.call.Call.confirm", answered)
    assert "run it again" in run("lun", "adopt").err
    assert (acts.now, remembers()) == (HOST, None)


def test_a_dead_disk_that_somebody_has_open_stays() -> None:
    host, gone = dead_on(HOST, APPS_A01, HOMER_2)
    first, *rest = gone
    used = replace(host, users=(User(first, "process", "dd (7)"),))
    found = luns.adoption(SITE, used, PLANNED, lun_of(used, APPS_A01), says(used, **gone))
    assert [p.dev for p in found.dead] == rest


def test_adopt_takes_a_map_into_the_site(run: Mpio, site: Path, acts: Acting, remembers: Any) -> None:
    before = site.read_text()
    acts.now = scanned(fakes.carry_out(HOST, [multipath_register()], MORE))
    maps = tuple(replace(m, name="old-name", open_count=1) if m.wwid == NEW else m for m in acts.now.maps)
    acts.now = replace(acts.now, maps=maps)
    document = run("lun", "adopt", NEW, "--yes", "-o", "json").json
    assert document["adopted"][0]["into_site"] is True
    text, _, rest = before.partition("[watch]")
    assert site.read_text() == f'{text}[[lun]]\nwwid = "{NEW}"\nalias = "old-name"\n\n[watch]{rest}'
    assert next(m.name for m in acts.now.maps if m.wwid == NEW) == "old-name"
    assert run("plan", "-o", "json").json["steps"] == []
