"""Growing and removing a LUN: the decisions on values, and the two verbs through their real entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from fakes import APPS_A01, DB_A01, HOMER_2
from hypothesis import given
from hypothesis import strategies as st
from test_commands import HOST, SITE, Mpio, run, shows, site, well_formed, wrong
from test_verbs import acts

from mpio import apply, choose, memory, settle, sitefile, topology
from mpio.errors import UnknownName, UnreadableOutput
from mpio.findings import Finding
from mpio.host import Host, User
from mpio.luns import capacity, growth
from mpio.memory import Memory
from mpio.plan import maps, removing, resizing
from mpio.plan.shape import MULTIPATH_DROP_IN
from mpio.step import Command, Step
from mpio.tools import dmsetup, multipath, multipathconf, multipathd, scsi, udevadm

__all__ = ["acts", "run", "shows", "site"]  # fixtures

NAME = "hydra_apps-a01"
FILE = sitefile.dump(SITE)
DISKS = [p.dev for p in HOST.paths if p.wwid == APPS_A01]
NEW = 96 << 20
MIB_64 = replace(HOST, maps=tuple(replace(m, size=64 << 20) for m in HOST.maps))
MIB_64 = replace(MIB_64, paths=tuple(replace(p, size=64 << 20) for p in HOST.paths))


def codes(found: tuple[Finding, ...]) -> list[str]:
    return [f.code for f in found]


def argvs(steps: tuple[Step, ...]) -> list[str]:
    return [" ".join(s.argv) if isinstance(s, Command) else s.path for s in steps]


def used(host: Host, dev: str) -> Host:
    return replace(host, users=(User(dev, "mount", "/srv"),))


def of_map(host: Host) -> str:
    return next(m.dm for m in host.maps if m.wwid == APPS_A01)


def without_paths(host: Host) -> Host:
    return replace(host, sessions=tuple(replace(s, state="FAILED") for s in host.sessions))


# -- resize --------------------------------------------------------------------------------------------------------


def against(host: Host) -> tuple[Finding, ...]:
    return resizing.against(SITE, host, topology.pairs(SITE, host), APPS_A01)


def said(*sizes: int | None) -> Mapping[str, int | None]:
    return dict(zip(DISKS, sizes, strict=True))


def test_every_path_is_to_be_up_first() -> None:
    assert against(HOST) == ()
    (found,) = against(replace(HOST, paths=HOST.paths[1:]))
    assert found.code == "MP419"
    assert "sw-iscsi-0 -> 10.10.8.90:3260" in found.detail
    (lost,) = against(
        replace(HOST, sessions=tuple(replace(s, state="FAILED") if s.sid == 1 else s for s in HOST.sessions))
    )
    assert lost.code == "MP419"
    assert f"{DISKS[0]} (running)" in lost.detail


def test_a_path_in_another_map_or_of_a_blocked_disk_is_not_up() -> None:
    blocked = replace(HOST.paths[0], device_state="blocked")
    assert codes(against(replace(HOST, paths=(blocked, *HOST.paths[1:])))) == ["MP419"]
    unmapped = replace(blocked, dm="", dm_state="")
    assert codes(against(replace(HOST, paths=(unmapped, *HOST.paths[1:])))) == ["MP419"]
    stray = replace(HOST.paths[0], dm=next(m.dm for m in HOST.maps if m.wwid == DB_A01))
    (found,) = against(replace(HOST, paths=(stray, *HOST.paths[1:])))
    assert f"{DISKS[0]} (running, not in its map)" in found.detail


def test_a_path_that_came_with_the_new_size_joins_the_map_once_that_has_it() -> None:
    loose = replace(MIB_64.paths[0], dm="", dm_state="", size=NEW)
    host = replace(MIB_64, paths=(loose, *MIB_64.paths[1:]))
    assert against(replace(HOST, paths=(replace(HOST.paths[0], dm="", dm_state=""), *HOST.paths[1:]))) == ()
    way = resizing.way(host, APPS_A01, said(*[NEW] * 4))
    assert argvs(way.steps)[-2:] == [f"multipathd resize map {NAME}", f"multipathd add path {DISKS[0]}"]
    assert resizing.way(host, APPS_A01, said(*[64 << 20] * 4)).joins == way.joins
    assert resizing.way(host, APPS_A01, said(*[64 << 20] * 4)).resize is None


def test_what_else_forbids_a_resize() -> None:
    assert codes(against(replace(HOST, maps=tuple(m for m in HOST.maps if m.wwid != APPS_A01)))) == ["MP407"]
    assert codes(against(replace(HOST, maps=(), paths=()))) == ["MP401"]
    assert codes(against(replace(HOST, maps=tuple(replace(m, suspended=True) for m in HOST.maps)))) == ["MP423"]
    assert codes(against(replace(HOST, units=fakes.bare_host().units))) == ["MP104"]


def test_a_site_that_counts_paths_is_content_with_so_many() -> None:
    counted = replace(SITE, luns=tuple(replace(lun, paths=3) for lun in SITE.luns))
    host = replace(HOST, paths=HOST.paths[1:])
    assert resizing.against(counted, host, topology.pairs(counted, host), APPS_A01) == ()
    fewer = replace(HOST, paths=tuple(p for p in HOST.paths if p.dev not in DISKS[:2]))
    assert codes(resizing.against(counted, fewer, topology.pairs(counted, fewer), APPS_A01)) == ["MP419"]


def test_a_lun_that_grew_is_rescanned_on_every_path_and_then_its_map_resized() -> None:
    way = resizing.way(MIB_64, APPS_A01, said(NEW, NEW, NEW, NEW))
    of = {p.dev: p.hctl for p in MIB_64.paths}
    assert argvs(way.steps) == [
        *(f"/sys/class/scsi_device/{of[dev]}/device/rescan" for dev in DISKS),
        f"multipathd resize map {NAME}",
    ]
    assert (way.size, way.refused) == (NEW, ())
    assert resizing.way(MIB_64, APPS_A01, said(*[64 << 20] * 4)).steps == ()


def test_a_run_that_was_killed_after_its_rescans_has_only_the_map_left() -> None:
    half = replace(MIB_64, paths=tuple(replace(p, size=NEW) for p in MIB_64.paths))
    assert argvs(resizing.way(half, APPS_A01, said(*[NEW] * 4)).steps) == [f"multipathd resize map {NAME}"]


@given(st.lists(st.none() | st.integers(1, 1 << 50), min_size=4, max_size=4))
def test_a_map_is_touched_only_where_all_paths_agree_on_a_size_that_is_not_smaller(sizes: list[int | None]) -> None:
    way = resizing.way(MIB_64, APPS_A01, said(*sizes))
    agreed = len(set(sizes)) == 1 and sizes[0] is not None and sizes[0] >= 64 << 20
    assert bool(way.refused) is not agreed
    assert not (way.refused and way.steps)


def test_paths_that_disagree_and_a_path_that_does_not_say() -> None:
    assert codes(resizing.way(MIB_64, APPS_A01, said(NEW, NEW, NEW, 64 << 20)).refused) == ["MP410"]
    assert codes(resizing.way(MIB_64, APPS_A01, said(NEW, NEW, None, NEW)).refused) == ["MP419"]


def test_a_shrink_that_is_insisted_on_spares_a_map_in_use() -> None:
    small = said(*[32 << 20] * 4)
    (found,) = resizing.way(MIB_64, APPS_A01, small).refused
    assert found.code == "MP420"
    assert str(64 << 20) in found.detail
    assert str(32 << 20) in found.detail
    assert resizing.way(MIB_64, APPS_A01, small, frozenset({"MP420"})).steps
    mounted = used(MIB_64, of_map(MIB_64))
    assert codes(resizing.way(mounted, APPS_A01, small, frozenset({"MP420"})).refused) == ["MP408"]


@pytest.mark.parametrize(
    ("has", "users", "words"),
    [
        ({"ID_FS_TYPE": "ext4"}, (), "ext4: resize2fs /dev/mapper/hydra_apps-a01"),
        ({"ID_FS_TYPE": "xfs"}, (("mount", "/srv/a"),), "xfs: xfs_growfs /srv/a"),
        ({"ID_FS_TYPE": "xfs"}, (), "xfs: xfs_growfs MOUNT"),
        ({"ID_FS_TYPE": "xfs"}, (("mount", "/srv/a (in use)"),), "xfs: xfs_growfs /srv/a (in use)"),
        ({"ID_FS_TYPE": "LVM2_member"}, (), "LVM2_member: pvresize /dev/mapper/hydra_apps-a01"),
        ({"ID_FS_TYPE": "crypto_LUKS"}, (("dm", "secret"),), "crypto_LUKS: cryptsetup resize secret"),
        ({"ID_FS_TYPE": "zfs_member"}, (), "zfs_member: by its own tool"),
        ({"ID_PART_TABLE_TYPE": "gpt"}, (), "partitions: the last one"),
        ({}, (), "udev knows of nothing on it"),
    ],
)
def test_what_is_to_be_grown_next(has: Mapping[str, str], users: tuple[tuple[str, str], ...], words: str) -> None:
    assert resizing.next_words(HOST.maps[0], users, has).startswith(words)


# -- what the tools say --------------------------------------------------------------------------------------------


def test_capacity_as_the_disk_answers_it() -> None:
    sixteen, ten = scsi.CAPACITY
    assert (len(sixteen), len(ten)) == (16, 10)
    assert scsi.parse_capacity(sixteen, (196607).to_bytes(8, "big") + (512).to_bytes(4, "big") + bytes(20)) == NEW
    assert scsi.parse_capacity(ten, (23).to_bytes(4, "big") + (4096).to_bytes(4, "big")) == 24 * 4096
    # larger than READ CAPACITY (10) can say, no block length, no answer
    assert scsi.parse_capacity(ten, b"\xff" * 4 + (512).to_bytes(4, "big")) is None
    assert scsi.parse_capacity(sixteen, bytes(32)) is None
    assert scsi.parse_capacity(sixteen, b"") is None


@given(st.binary(max_size=40))
def test_no_capacity_is_too_strange(reply: bytes) -> None:
    assert all((scsi.parse_capacity(c, reply) or 1) > 0 for c in scsi.CAPACITY)


def test_what_is_no_disk_has_no_capacity(tmp_path: Path) -> None:
    assert capacity.of(["null", "no-such-disk"]) == {"null": None, "no-such-disk": None}


def test_the_length_of_a_table() -> None:
    text = "a: b: 0 131072 multipath 2 0 0 0\nhydra: 0 196608 multipath 2 0 0 0\n"
    assert dmsetup.parse_sectors(text) == {"a: b": 131072, "hydra": 196608}
    assert dmsetup.parse_sectors("No devices found\n") == {}
    for line in ("hydra", "hydra: 0", "hydra: x 1 multipath"):
        with pytest.raises(UnreadableOutput):
            dmsetup.parse_sectors(line)


def test_what_udev_knows(tmp_path: Path) -> None:
    from mpio.files import Files

    for path, text in {
        "sys/class/block/dm-0/dev": "253:0\n",
        "run/udev/data/b253:0": "S:mapper/a\nE:ID_FS_TYPE=ext4\nE:DM_X=a=b\nG:systemd\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    read = Files(str(tmp_path))
    assert udevadm.properties(read, "dm-0") == {"ID_FS_TYPE": "ext4", "DM_X": "a=b"}
    assert udevadm.properties(read, "dm-1") == {}


# -- names ---------------------------------------------------------------------------------------------------------


def test_the_names_of_a_lun() -> None:
    for name in (NAME, APPS_A01, APPS_A01.upper(), f"naa.{APPS_A01[1:]}"):
        assert choose.lun(name, SITE, HOST) == APPS_A01
    # after its [[lun]] is gone the drop-in still tells
    rest = replace(SITE, luns=SITE.luns[1:])
    assert choose.lun(NAME, rest, replace(HOST, maps=())) == APPS_A01
    with pytest.raises(UnknownName) as caught:
        choose.lun("hydra_apps", SITE, HOST)
    assert NAME in caught.value.hint
    strange = "3600144f0f4844000000000000000ffff"
    assert choose.lun(strange, SITE, HOST, gone=True) == strange
    with pytest.raises(UnknownName):
        choose.lun(strange, SITE, HOST)


def test_a_map_that_is_not_the_sites_is_removed_by_its_wwid_alone() -> None:
    foreign = replace(
        HOST, maps=tuple(replace(m, name="mpatha") if m.wwid == APPS_A01 else m for m in HOST.maps), files={}
    )
    rest = replace(SITE, luns=SITE.luns[1:])
    assert removing.chosen(APPS_A01, rest, foreign) == APPS_A01
    with pytest.raises(UnknownName) as caught:
        removing.chosen("mpatha", rest, foreign)
    assert APPS_A01 in caught.value.hint
    assert "not in the site file" in removing.question(rest, foreign, APPS_A01)


# -- remove --------------------------------------------------------------------------------------------------------


def away(host: Host, forced: frozenset[str] = frozenset()) -> removing.Away:
    return removing.away(host, APPS_A01, (SITE.path, FILE), forced)


def test_the_safe_order() -> None:
    steps = away(HOST)
    of = {p.dev: p.hctl for p in HOST.paths}
    each = [line for dev in DISKS for line in (f"blockdev --flushbufs /dev/{dev}", f"multipathd del path {dev}")]
    assert argvs(steps.steps) == [
        SITE.path,
        f"multipath -w {APPS_A01}",
        f"multipath -f {NAME}",
        *each,
        *(f"/sys/class/scsi_device/{of[dev]}/device/delete" for dev in DISKS),
        MULTIPATH_DROP_IN,
        "multipathd reconfigure",
    ]


@pytest.mark.parametrize("number", range(16))
def test_a_removal_that_died_after_any_step_is_finished_by_the_same_verb(number: int) -> None:
    steps = away(HOST).steps[:number]
    host, text = fakes.carry_out(HOST, steps), FILE
    if steps:
        text = host.files[SITE.path] or ""
        assert {lun.wwid for lun in sitefile.parse(text, SITE.path).luns} == {w for w, _ in fakes.LUNS[1:]}
    rest = removing.away(host, APPS_A01, (SITE.path, text))
    assert not set(argvs(rest.steps)) - set(argvs(away(HOST).steps))
    host = fakes.carry_out(host, rest.steps)
    assert removing.is_gone(host, APPS_A01)
    assert not any(p.wwid == APPS_A01 for p in host.paths)
    # multipathd is told again until mpio has forgotten the LUN, which is the last deed
    again = removing.away(host, APPS_A01, (SITE.path, host.files.get(SITE.path) or ""))
    assert argvs(again.steps) == ["multipathd reconfigure"]
    host = replace(host, memory=memory.without_lun(host.memory, APPS_A01))
    assert removing.away(host, APPS_A01, (SITE.path, host.files.get(SITE.path) or "")).steps == ()


def test_an_apply_of_the_rest_brings_nothing_back() -> None:
    host = fakes.carry_out(HOST, away(HOST).steps)
    host = replace(host, memory=memory.without_lun(host.memory, APPS_A01))
    rest = replace(SITE, luns=SITE.luns[1:])
    _, plan = fakes.settled(rest, host)
    assert plan.steps == ()


def test_without_a_usable_path_the_queue_is_emptied_first() -> None:
    lost = without_paths(HOST)
    lines = argvs(away(lost).disks)
    assert lines[1:3] == [f"multipathd disablequeueing map {NAME}", f"multipath -f {NAME}"]
    assert not any("flushbufs" in line for line in lines)


def test_a_lun_of_the_site_that_is_not_on_the_host() -> None:
    bare = replace(HOST, maps=(), paths=(), registered=frozenset())
    assert argvs(away(bare).steps) == [SITE.path, MULTIPATH_DROP_IN, "multipathd reconfigure"]


def test_a_disk_that_nobody_mapped() -> None:
    loose = tuple(replace(p, dm="", dm_state="") for p in HOST.paths if p.wwid == APPS_A01)
    host = replace(HOST, maps=(), paths=loose, registered=frozenset(), files={}, units=())
    lines = argvs(removing.away(host, APPS_A01).steps)
    assert [line.split()[0].rpartition("/")[2] for line in lines] == ["blockdev"] * 4 + ["delete"] * 4


def test_whoever_uses_it_is_named() -> None:
    (found,) = away(used(HOST, of_map(HOST))).refused
    assert (found.code, found.subject, found.detail) == ("MP408", NAME, f"mount /srv on {of_map(HOST)}")
    opened = replace(HOST, maps=tuple(replace(m, open_count=2) for m in HOST.maps))
    assert away(opened).refused[0].detail == "2 opener(s)"
    (disk,) = away(used(HOST, DISKS[2])).refused
    assert (disk.code, disk.subject) == ("MP408", DISKS[2])
    assert away(used(HOST, next(m.dm for m in HOST.maps if m.wwid == DB_A01))).refused == ()


def test_a_map_in_use_that_is_given_up_loses_its_disks_before_it_can_be_flushed() -> None:
    lines = argvs(away(used(HOST, of_map(HOST)), frozenset({"MP408"})).disks)
    assert lines[1] == f"multipathd disablequeueing map {NAME}"
    assert lines[-1] == f"multipath -f {NAME}"


def test_only_one_entry_leaves_the_drop_in() -> None:
    text = HOST.files[MULTIPATH_DROP_IN] or ""
    rest = removing.without_entry(text, APPS_A01)
    assert maps.entries(replace(HOST, files={MULTIPATH_DROP_IN: rest})).keys() == {w for w, _ in fakes.LUNS[1:]}
    assert multipath.table(multipathconf.parse(rest)).items() < multipath.table(multipathconf.parse(text)).items()
    # the order of what is left, and the header, are the old file's
    assert [line for line in text.splitlines() if line in rest.splitlines()] != []
    for wwid, _ in fakes.LUNS[1:]:
        rest = removing.without_entry(rest, wwid)
    assert "multipaths" not in rest


def test_what_is_said_of_disks_that_came_back() -> None:
    done = away(HOST).steps
    gone = fakes.carry_out(HOST, done)
    (found,) = removing.found(gone, APPS_A01, NAME, done)
    assert (found.code, found.subject, found.detail) == ("MP422", NAME, "")
    loose = tuple(replace(p, dm="", dm_state="") for p in HOST.paths)
    back = replace(HOST, paths=loose, maps=(), registered=frozenset())
    assert f"{DISKS[0]}, " in removing.found(back, APPS_A01, NAME, done)[0].detail
    assert removing.come_back(back, APPS_A01) == ()
    assert "not strict" in removing.found(HOST, APPS_A01, NAME, done)[0].detail
    assert removing.come_back(HOST, APPS_A01)[0] == away(HOST).disks[0]
    assert removing.found(HOST, APPS_A01, NAME, done[:2]) == ()


def test_a_lun_that_is_gone_is_not_remembered() -> None:
    kept = Memory(
        frozenset({("wwid", APPS_A01), ("wwid", DB_A01)}), {}, {APPS_A01: frozenset({HOMER_2}), DB_A01: frozenset()}
    )
    after = memory.without_lun(kept, APPS_A01)
    assert (after.made, after.shown) == (frozenset({("wwid", DB_A01)}), {DB_A01: frozenset()})


# -- the verbs -----------------------------------------------------------------------------------------------------


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "udev", lambda *_: None)
    monkeypatch.setattr(settle, "idle", lambda *_: None)


def test_remove(run: Mpio, site: Path, acts: list[Host], quiet: None) -> None:
    assert run("lun", "remove", NAME, "-o", "json").json["error"]["code"] == "needs-yes"
    assert len(acts) == 1
    answer = run("lun", "remove", NAME, "--yes", "-o", "json")
    document = answer.json
    assert list(document) == ["format", "command", "exit", "done", "left", "findings", "wwid"]
    assert (answer.code, document["command"], document["left"], document["wwid"]) == (0, "lun remove", [], APPS_A01)
    well_formed(document["done"], document["findings"])
    assert [f["code"] for f in document["findings"]] == ["MP422"]
    assert removing.is_gone(acts[-1], APPS_A01)
    assert not any(p.wwid == APPS_A01 for p in acts[-1].paths)


def test_remove_of_one_in_use(run: Mpio, site: Path, acts: list[Host], quiet: None) -> None:
    acts.append(used(HOST, of_map(HOST)))
    assert "mount /srv" in wrong(run, ["lun", "remove", NAME, "--yes"], 1, "MP408")
    assert len(acts) == 2


def test_a_map_that_somebody_opens_meanwhile_is_left_and_said(
    run: Mpio, site: Path, acts: list[Host], quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one = apply.carry_out

    def opened(machine: object, steps: object, outcome: apply.Outcome, tell: object, *, strict: bool = False) -> None:
        acts.append(used(acts[-1], of_map(HOST)))
        one_by_one(machine, steps, outcome, tell, strict=strict)  # type: ignore[arg-type]

    monkeypatch.setattr(apply, "carry_out", opened)
    answer = run("lun", "remove", NAME, "--yes", "-o", "json")
    assert answer.code == 1
    assert "MP408" in [f["code"] for f in answer.json["findings"]]
    assert ["multipath", "-f", NAME] in [s.get("argv") for s in answer.json["left"]]


def test_remove_of_what_is_gone_and_of_what_never_was(run: Mpio, site: Path, acts: list[Host], quiet: None) -> None:
    strange = "3600144f0f4844000000000000000ffff"
    answer = run("lun", "remove", strange, "-o", "json")
    assert (answer.code, answer.json["done"], answer.json["findings"]) == (0, [], [])
    assert NAME in wrong(run, ["lun", "remove", "hydra_app-a01", "--yes"], 2, "unknown-name")


def test_resize_of_what_did_not_grow(run: Mpio, site: Path, acts: list[Host], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "of", lambda devs: dict.fromkeys(devs, fakes.SIZE))
    answer = run("lun", "resize", NAME, "-o", "json")
    document = answer.json
    assert list(document) == ["format", "command", "exit", "done", "left", "findings", "wwid", "was", "size"]
    assert (answer.code, document["done"], document["size"]) == (0, [], fakes.SIZE)
    assert "did not grow: map, paths and array say 1 GiB" in run("lun", "resize", NAME).err
    monkeypatch.setattr(capacity, "of", lambda devs: dict.fromkeys(devs, 1 << 20))
    assert str(1 << 20) in wrong(run, ["lun", "resize", NAME, "--yes"], 1, "MP420")
    monkeypatch.setattr(capacity, "of", dict.fromkeys)
    wrong(run, ["lun", "resize", NAME, "--yes"], 1, "MP419")


def test_resize(run: Mpio, site: Path, acts: list[Host], quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """multipathd answers "timeout", at which its client ends with 0, and takes it the third time."""
    grown, told = 2 * fakes.SIZE, list[Step]()
    monkeypatch.setattr(capacity, "of", lambda devs: dict.fromkeys(devs, grown))
    monkeypatch.setattr(growth, "TAKEN", 0.0)
    monkeypatch.setattr(growth, "_sizes", lambda *_: dict.fromkeys(DISKS, grown))
    monkeypatch.setattr(growth, "_suspended", lambda *_: False)
    monkeypatch.setattr(dmsetup, "sectors", lambda _: {NAME: grown >> 9})

    def size_now(*_: object) -> int:
        told.append(multipathd.resize_map(NAME, ""))
        return grown if len(told) > 2 else fakes.SIZE

    monkeypatch.setattr(growth, "_has", size_now)
    answer = run("lun", "resize", NAME, "--yes", "-o", "json")
    document = answer.json
    assert (answer.code, document["left"], document["size"]) == (0, [], grown), document
    well_formed(document["done"], document["findings"])
    assert [f["code"] for f in document["findings"]] == ["MP421"]
    assert len(document["done"]) == 5

    # one that never takes it is said, by both windows
    monkeypatch.setattr(growth, "_has", lambda *_: fakes.SIZE)
    answer = run("lun", "resize", NAME, "--yes", "-o", "json")
    assert (answer.code, [f["code"] for f in answer.json["findings"]]) == (1, ["MP424"])
    # a path that lags behind stops it before the map
    monkeypatch.setattr(growth, "SEEN", 0)
    monkeypatch.setattr(growth, "_sizes", lambda *_: {**dict.fromkeys(DISKS, grown), DISKS[0]: 1})
    answer = run("lun", "resize", NAME, "--yes", "-o", "json")
    assert (answer.code, [f["code"] for f in answer.json["findings"]]) == (1, ["MP410"])
    assert ["multipathd", "resize", "map", NAME] in [s.get("argv") for s in answer.json["left"]]


@pytest.mark.parametrize(("suspended", "exits", "said"), [([True, False], 0, ["MP421"]), ([True, True], 1, ["MP423"])])
def test_a_map_that_multipathd_left_suspended_is_let_go_on(
    run: Mpio,
    site: Path,
    acts: list[Host],
    quiet: None,
    monkeypatch: pytest.MonkeyPatch,
    suspended: list[bool],
    exits: int,
    said: list[str],
) -> None:
    grown, now = 2 * fakes.SIZE, iter([*suspended, *[suspended[-1]] * 99])
    monkeypatch.setattr(capacity, "of", lambda devs: dict.fromkeys(devs, grown))
    monkeypatch.setattr(growth, "TAKEN", 0.0)
    monkeypatch.setattr(growth, "_sizes", lambda *_: dict.fromkeys(DISKS, grown))
    monkeypatch.setattr(growth, "_has", lambda *_: grown)
    monkeypatch.setattr(growth, "_suspended", lambda *_: next(now))
    monkeypatch.setattr(dmsetup, "sectors", lambda _: {NAME: grown >> 9})
    answer = run("lun", "resize", NAME, "--yes", "-o", "json")
    assert (answer.code, [f["code"] for f in answer.json["findings"]]) == (exits, said)
    assert ["multipathd", "resume", "map", NAME] in [s.get("argv") for s in answer.json["done"]]


def test_a_disk_that_another_lun_s_map_holds_is_used_by_whoever_uses_that_map() -> None:
    """The array gave the number of a mounted LUN to this one, and a scan has told the kernel."""
    strange = "3600144f0f4844000000000000000ffff"
    scanned = tuple(replace(p, wwid=strange) if p.wwid == APPS_A01 else p for p in HOST.paths)
    host = used(replace(HOST, paths=scanned), of_map(HOST))
    (found,) = removing.away(host, strange).refused
    assert (found.code, found.subject) == ("MP408", NAME)
    assert [p.dm for p in resizing.paths_of(host, strange)] == [of_map(HOST)] * 4
    assert not removing.away(replace(host, users=()), strange).refused


def test_who_gives_up_a_map_in_use_is_asked_about_its_users() -> None:
    assert "although" not in removing.question(SITE, HOST, APPS_A01)
    assert "mount /srv" in removing.question(SITE, used(HOST, of_map(HOST)), APPS_A01)


@pytest.mark.parametrize("forced", [(), ("--force", "MP408")])
def test_only_disks_that_are_still_the_lun_s_are_deleted(
    run: Mpio, site: Path, acts: list[Host], quiet: None, monkeypatch: pytest.MonkeyPatch, forced: tuple[str, ...]
) -> None:
    """While the map is flushed another LUN comes to the address of the first disk."""
    one_by_one, host = apply.carry_out, acts[-1]
    if forced:
        acts.append(used(host, of_map(host)))

    def slow(machine: object, steps: object, outcome: apply.Outcome, tell: object, *, strict: bool = False) -> None:
        one_by_one(machine, steps, outcome, tell, strict=strict)  # type: ignore[arg-type]
        now = acts[-1]
        taken = tuple(replace(p, wwid=DB_A01, dm="", dm_state="") if p.dev == DISKS[0] else p for p in now.paths)
        acts.append(replace(now, paths=taken))

    monkeypatch.setattr(apply, "carry_out", slow)
    document = run("lun", "remove", NAME, "--yes", *forced, "-o", "json").json
    deleted = [s["path"] for s in document["done"] if s.get("path", "").endswith("/device/delete")]
    of = {p.dev: p.hctl for p in HOST.paths}
    assert deleted == [f"/sys/class/scsi_device/{of[dev]}/device/delete" for dev in DISKS[1:]]
    assert DISKS[0] in {p.dev for p in acts[-1].paths}


def test_a_disk_that_somebody_takes_up_behind_the_flush_stays(
    run: Mpio, site: Path, acts: list[Host], quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one = apply.carry_out

    def taken(machine: object, steps: object, outcome: apply.Outcome, tell: object, *, strict: bool = False) -> None:
        one_by_one(machine, steps, outcome, tell, strict=strict)  # type: ignore[arg-type]
        acts.append(used(acts[-1], DISKS[1]))

    monkeypatch.setattr(apply, "carry_out", taken)
    answer = run("lun", "remove", NAME, "--yes", "-o", "json")
    assert (answer.code, [f["code"] for f in answer.json["findings"]][:1]) == (1, ["MP408"])
    assert not any(scsi.DEVICES in s.get("path", "") for s in answer.json["done"])
    assert [s["path"].rpartition("/")[2] for s in answer.json["left"]] == ["delete"] * 4


def test_the_steps_about_disks_are_the_last_behind_the_flush() -> None:
    about = [removing.is_about_a_disk(step) for step in away(HOST).disks]
    assert about == [False, False, *[True] * 12]
    assert not any(map(removing.is_about_a_disk, (*away(HOST).first, *away(HOST).last)))
