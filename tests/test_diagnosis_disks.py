"""Disks and maps looked at closely: each finding on a host that has it, and none on one that is whole."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path as Place

import fakes
import pytest
import trees
from fakes import APPS_A01, DB_A01
from hypothesis import given
from hypothesis import strategies as st
from recordings import EACH, replay, tree

from mpio import plan, sgio
from mpio.diagnosis import disks, disks_blacklist, disks_fixes, disks_paths, disks_unmapped
from mpio.diagnosis.disks import Alien, Disk, Disks, Named
from mpio.errors import ProgramFailed
from mpio.files import Files
from mpio.host import Effective, Host, Map, User
from mpio.machine import Machine
from mpio.observe import disks as edge
from mpio.observe import disks_asked
from mpio.program import Done
from mpio.sgio import Question, Reply
from mpio.site import Site
from mpio.step import Command
from mpio.tools import mounttab, multipathconf, multipathd, multipathnames, scsi, sysdisk, sysfs

SITE = fakes.guide_site()
HOST = fakes.guide_host()
LUN = "hydra_apps-a01"
FIRST = HOST.paths[0]
MAP = next(m for m in HOST.maps if m.wwid == APPS_A01)
MINE = tuple(p for p in HOST.paths if p.wwid == APPS_A01)
UDEV = {"ID_SERIAL": APPS_A01, "SCSI_IDENT_SERIAL": "x", "ID_WWN": "0x6001"}
PAIR = str(HOST.sessions[0].pair)


def view(mapped: Map, host: Host = HOST, **changes: object) -> multipathd.MapView:
    """A map as multipathd would show it: a group for each target."""
    targets = {s.sid: s.pair.target for s in host.sessions}
    paths = [
        multipathd.PathView(
            p.dev, f"8:{16 * i}", "active", "running", "ready", p.group or 1, "tur", 50, targets[p.sid], "10.10.8.14"
        )
        for i, p in enumerate(host.paths)
        if p.dm == mapped.dm
    ]
    groups = tuple(
        multipathd.Group(
            n, "active" if n == 1 else "enabled", "service-time 0", 50, tuple(p for p in paths if p.group == n)
        )
        for n in sorted({p.group for p in paths})
    )
    made = multipathd.MapView(
        mapped.name, mapped.wwid, mapped.dm, "active", "12 chk", groups, "immediate", "1 queue_if_no_path", "1 alua"
    )
    return replace(made, **changes)  # type: ignore[arg-type]


HEALTHY = Disks(
    disks={p.dev: Disk(p.wwid[-9:], "4.0", 30, 10, errors=2) for p in HOST.paths},
    views=tuple(view(m) for m in HOST.maps),
    sizes={p.dev: fakes.SIZE for p in HOST.paths},
    delays={p.dev: (0.002, 0.003, 0.002, 0.004, 0.002, 0.003, 0.002, 0.002) for p in MINE},
    find_multipaths="strict",
    conf=multipathconf.parse('defaults {\n\tfind_multipaths "strict"\n}\n'),
)


def told(site: Site | None, host: Host, seen: Disks) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    made = plan.steps(site, host) if site else None
    for one in disks.findings(site, host, made, seen):
        found.setdefault(one.code, []).append((one.subject, one.detail))
    return found


def paths(host: Host, *devs: str, **changes: object) -> Host:
    every = (replace(p, **changes) if p.dev in devs else p for p in host.paths)  # type: ignore[arg-type]
    return replace(host, paths=tuple(every))


def disk(dev: str, **changes: object) -> Disks:
    return replace(HEALTHY, disks={**HEALTHY.disks, dev: replace(HEALTHY.disks[dev], **changes)})  # type: ignore[arg-type]


def loose(*devs: str, host: Host = HOST) -> Host:
    """These disks are in no map; a map of none of them goes."""
    host = paths(host, *devs, dm="", dm_state="", checker_state="", group=None)
    maps = (replace(m, slaves=tuple(d for d in m.slaves if d not in devs)) for m in host.maps)
    return replace(host, maps=tuple(m for m in maps if m.slaves))


def in_udev(*devs: str, **changes: str | None) -> Disks:
    """What udev and the kernel know of these disks, which are in no map."""
    known = {k: v for k, v in {**UDEV, **changes}.items() if v is not None}
    made = {d: replace(HEALTHY.disks[d], udev=known, identities=frozenset({APPS_A01})) for d in devs}
    return replace(HEALTHY, disks={**HEALTHY.disks, **made})


ALONE = FIRST.dev
ALL = tuple(p.dev for p in MINE)
UNMAPPED = loose(*ALL)


def conf(text: str) -> multipathconf.Conf:
    return multipathconf.parse(text, "/etc/multipath.conf")


def one_map(**changes: object) -> Disks:
    views = tuple(replace(v, **changes) if v.dm == MAP.dm else v for v in HEALTHY.views)  # type: ignore[arg-type]
    return replace(HEALTHY, views=views)


def of_map(**changes: object) -> Host:
    every = (replace(m, **changes) if m.dm == MAP.dm else m for m in HOST.maps)  # type: ignore[arg-type]
    return replace(HOST, maps=tuple(every))


def asked(**keywords: str) -> Host:
    """The site wants these keywords, and multipath's files say so, too."""
    both = {APPS_A01: keywords}
    return replace(HOST, effective=Effective(installed=both, loaded=both, wished=both))


def group(number: int, state: str, priority: int, *devs: str) -> multipathd.Group:
    made = (multipathd.PathView(d, "8:0", "active", "running", "ready", number, "tur", priority) for d in devs)
    return multipathd.Group(number, state, "", priority, tuple(made))


def lost(host: Host = HOST) -> Host:
    return paths(host, *ALL, dm_state="failed", checker_state="faulty")


def without(dev: str) -> Host:
    return replace(HOST, paths=tuple(p for p in HOST.paths if p.dev != dev))


def single() -> Host:
    maps = (m for m in HOST.maps if m.wwid == APPS_A01)
    return replace(HOST, paths=MINE, maps=tuple(maps))


def unseen(*numbers: int, host: Host = HOST) -> Disks:
    """What every target lists."""
    return replace(HEALTHY, listed={s.sid: frozenset(numbers) for s in host.sessions})


SINGLE = single()
DELETED = without(ALONE)
LATER_MAPPED = replace(
    HOST,
    paths=tuple(p for p in HOST.paths if p.wwid != APPS_A01),
    maps=tuple(m for m in HOST.maps if m.wwid != APPS_A01),
)
FRESH = replace(LATER_MAPPED, memory=replace(HOST.memory, shown={}))
PLAIN = fakes.guide_site(luns=())
Case = tuple[str, Site | None, Host, Disks, str, str]
CASES: list[Case] = [
    ("MP410", None, paths(HOST, ALONE, size=1), HEALTHY, LUN, f"{ALONE} 1"),
    ("MP414", None, replace(HOST, strangers={ALONE: DB_A01}), HEALTHY, LUN, DB_A01),
    ("MP417", SITE, HOST, replace(HEALTHY, gone=frozenset({ALONE})), LUN, f"{ALONE} over {PAIR}"),
    ("MP417", SITE, DELETED, replace(HEALTHY, listed={FIRST.sid: frozenset({11, 12})}), LUN, PAIR),
    ("MP418", SITE, HOST, replace(HEALTHY, sizes={ALONE: 2 * fakes.SIZE}), LUN, "on the array"),
    ("MP420", SITE, HOST, replace(HEALTHY, sizes={ALONE: 512}), LUN, "512 bytes on the array"),
    ("MP423", SITE, HOST, replace(HEALTHY, suspended=frozenset({MAP.dm})), LUN, "nobody has it open"),
    ("MP428", SITE, HOST, disk(ALONE, serial="0f49"), LUN, f"{ALONE} has serial 0f49"),
    ("MP429", SITE, paths(HOST, ALONE, vendor="SUN"), HEALTHY, LUN, f"{ALONE} SUN COMSTAR 4.0"),
    ("MP429", SITE, HOST, disk(ALONE, revision="4.1"), LUN, "4.1"),
    # with one LUN alone nobody knows whether the serials are its controllers'
    ("MP429", None, SINGLE, disk(ALONE, serial="0f49"), LUN, f"{ALONE} has serial 0f49"),
    (
        "MP430",
        SITE,
        UNMAPPED,
        replace(in_udev(*ALL), conf=conf('blacklist {\n\tdevnode "^sd"\n}\n')),
        "/etc/multipath.conf line 2",
        f"devnode ^sd leaves out {ALL[0]} of {LUN}",
    ),
    ("MP431", SITE, replace(UNMAPPED, registered=frozenset()), in_udev(*ALL), LUN, "find_multipaths is strict"),
    (
        "MP431",
        SITE,
        replace(UNMAPPED, paths=UNMAPPED.paths[:1], registered=frozenset()),
        replace(in_udev(ALONE), find_multipaths="yes"),
        LUN,
        "and it has one path",
    ),
    ("MP432", SITE, replace(UNMAPPED, users=(User(ALONE, "mount", "/srv"),)), in_udev(*ALL), LUN, "mount /srv"),
    ("MP433", SITE, UNMAPPED, in_udev(*ALL, ID_SERIAL=None), LUN, "udev has no ID_SERIAL of it"),
    ("MP433", SITE, UNMAPPED, in_udev(*ALL, ID_WWN=None, SCSI_IDENT_SERIAL=None), LUN, "neither SCSI_IDENT_"),
    ("MP434", SITE, DELETED, replace(HEALTHY, listed={FIRST.sid: frozenset({10, 11})}), LUN, f"LUN 10 over {PAIR}"),
    ("MP434", None, DELETED, replace(HEALTHY, listed={FIRST.sid: frozenset({10, 11})}), LUN, f"LUN 10 over {PAIR}"),
    # mapped after the login: no session tells its number, and the targets list one that no disk has
    ("MP434", SITE, FRESH, unseen(10, 11, 12, 13), LUN, f"LUN 10 over {PAIR}"),
    ("MP434", SITE, LATER_MAPPED, unseen(10, 11, 12, 13), LUN, f"LUN 10 over {PAIR}"),
    ("MP435", SITE, replace(loose(ALONE), users=(User(ALONE, "lvm", "vg-lv"),)), in_udev(ALONE), LUN, "lvm vg-lv"),
    (
        "MP436",
        SITE,
        HOST,
        replace(HEALTHY, named=(Named("/etc/fstab", 3, "/dev/sda1", ALONE),)),
        "/etc/fstab line 3",
        f"/dev/sda1 is {ALONE}, a path of /dev/mapper/{LUN}",
    ),
    (
        "MP437",
        SITE,
        HOST,
        replace(HEALTHY, marked=(("/etc/lvm/lvm.conf line 9", "multipath_component_detection = 0"),)),
        "/etc/lvm/lvm.conf line 9",
        "multipath_component_detection = 0",
    ),
    ("MP438", SITE, HOST, replace(HEALTHY, hollow={"hollow": "36001"}), "hollow", "36001"),
    ("MP439", SITE, lost(), HEALTHY, LUN, "it is held back for 60 s"),
    ("MP439", SITE, replace(lost(), maps=of_map(queueing="forever").maps), HEALTHY, LUN, "it is held back for ever"),
    ("MP440", SITE, HOST, one_map(queueing="on"), LUN, "1 queue_if_no_path"),
    ("MP441", SITE, asked(no_path_retry="12"), one_map(queueing="off"), LUN, "no_path_retry is 12"),
    (
        "MP442",
        SITE,
        paths(HOST, ALONE, dm_state="failed"),
        replace(HEALTHY, stuck={ALONE: "fail path 8:0 (operator)"}),
        f"{ALONE} of {LUN}",
        f"it answers reads over {PAIR}; fail path 8:0 (operator)",
    ),
    ("MP443", SITE, HOST, replace(HEALTHY, held={ALONE: "offline"}), f"{ALONE} of {LUN}", "its state is offline"),
    (
        "MP444",
        SITE,
        HOST,
        replace(HEALTHY, delays={**HEALTHY.delays, ALONE: (0.1, 0.11, 0.1, 0.12, 0.1, 0.1, 0.1, 0.1)}),
        f"{ALONE} of {LUN}",
        f"a read takes 100 ms over {PAIR}, 2.0 ms over the others",
    ),
    ("MP445", SITE, HOST, disk(ALONE, grown=40, errors=900), f"{ALONE} of {LUN}", "40 errors in the last seconds"),
    ("MP446", SITE, asked(path_checker="directio"), HEALTHY, LUN, "path_checker is tur, not directio"),
    ("MP446", SITE, asked(prio="const"), HEALTHY, LUN, "the priorities are 50, not const's 1"),
    ("MP446", SITE, asked(hardware_handler="0"), HEALTHY, LUN, "the hardware handler is alua, not none"),
    ("MP446", SITE, asked(path_grouping_policy="multibus"), HEALTHY, LUN, "2 path groups, where multibus makes 1"),
    (
        "MP447",
        None,
        HOST,
        one_map(groups=(group(1, "active", 1, "sda"), group(2, "enabled", 1, "sdb"))),
        LUN,
        "2 paths, a group for each",
    ),
    (
        "MP448",
        SITE,
        asked(),
        one_map(groups=(group(1, "active", 10, "sda"), group(2, "enabled", 50, "sdb")), failback="manual"),
        LUN,
        "group 1 of priority 10 (sda) is in use, group 2 of priority 50 (sdb) is not",
    ),
    (
        "MP449",
        None,
        HOST,
        replace(HEALTHY, aliens=(Alien("mpatha", "1ATA", (("sdz", "../devices/pci0/ata1/block/sdz"),)),)),
        "mpatha",
        "sdz (1ATA)",
    ),
    ("MP450", SITE, replace(HOST, maps=(*HOST.maps, Map("old", "36009", "dm-9", 1024))), HEALTHY, "old", "36009"),
    (
        "MP451",
        SITE,
        HOST,
        replace(HEALTHY, bindings=(("mpatha", "36001"), ("mpatha", "36002"))),
        "mpatha",
        "/etc/multipath/bindings gives it to 36001, 36002",
    ),
    (
        "MP452",
        SITE,
        HOST,
        replace(HEALTHY, conf=conf(f"multipaths {{\nmultipath {{\nwwid {APPS_A01}\nalias other\n}}\n}}\n")),
        LUN,
        f"multipath's files: {APPS_A01} is other",
    ),
    ("MP453", SITE, HOST, disk(ALONE, timeout=2), LUN, f"{ALONE} gives a command 2 s"),
    ("MP453", SITE, HOST, disk(ALONE, timeout=60), LUN, f"{ALONE} gives a command 60 s"),
    ("MP453", SITE, HOST, disk(ALONE, eh_timeout=0), LUN, f"{ALONE} gives error handling 0 s"),
    ("MP454", SITE, HOST, disk(ALONE, read_only=True), LUN, f"read-only: {ALONE}"),
    ("MP455", SITE, HOST, replace(HEALTHY, conflicts=frozenset({ALONE}), reserved=frozenset(ALL)), LUN, ALONE),
    ("MP456", SITE, UNMAPPED, in_udev(*ALL, ID_SERIAL=DB_A01), LUN, f"udev says {DB_A01}, the disk {APPS_A01}"),
    ("MP457", SITE, of_map(size=fakes.SIZE // 2), HEALTHY, LUN, f"each of its disks {fakes.SIZE}"),
    ("MP458", SITE, loose(ALONE), in_udev(ALONE), LUN, f"not in the map: {ALONE}"),
    (
        "MP459",
        SITE,
        HOST,
        one_map(
            groups=tuple(replace(g, paths=tuple(replace(p, marginal=True) for p in g.paths)) for g in view(MAP).groups)
        ),
        LUN,
        ALONE,
    ),
]


@pytest.mark.parametrize(("code", "site", "host", "seen", "subject", "detail"), CASES)
def test_each_finding(code: str, site: Site | None, host: Host, seen: Disks, subject: str, detail: str) -> None:
    said = told(site, host, seen).get(code, [])
    assert any(subject == s and detail in d for s, d in said), told(site, host, seen)


def test_every_code_has_a_case() -> None:
    ours = {f"MP{number}" for number in range(428, 460)}
    assert ours <= {code for code, *_ in CASES}


@pytest.mark.parametrize("site", [SITE, None])
@pytest.mark.parametrize("seen", [HEALTHY, Disks()])
def test_a_whole_host_is_silent(site: Site | None, seen: Disks) -> None:
    assert told(site, HOST, seen) == {}


@pytest.mark.parametrize(
    ("site", "host", "seen"),
    [
        # what only one look saw, or what nobody can know
        (SITE, UNMAPPED, replace(in_udev(*ALL, ID_SERIAL=None), settled=False)),
        (SITE, UNMAPPED, HEALTHY),
        (SITE, paths(UNMAPPED, *ALL, device_state="transport-offline"), in_udev(*ALL)),
        (PLAIN, DELETED, HEALTHY),
        (SITE, loose(ALONE), replace(in_udev(ALONE), gone=frozenset({ALONE}))),
        # an array that tells its controllers' serial numbers; one portal group that does not show a LUN at all
        (SITE, HOST, replace(HEALTHY, disks={p.dev: Disk(f"controller {p.sid}") for p in HOST.paths})),
        (
            None,
            replace(DELETED, sessions=tuple(replace(s, tpgt=s.sid) for s in HOST.sessions)),
            replace(HEALTHY, listed={FIRST.sid: frozenset({11})}),
        ),
        (None, SINGLE, disk(ALONE)),
        # a LUN that no target lists, one whose number a controller has, and a well known one
        (SITE, FRESH, unseen(11, 12, 13)),
        (SITE, FRESH, replace(unseen(0, 11, 0xC101), known={s.sid: frozenset({0}) for s in HOST.sessions})),
        (None, FRESH, unseen(10, 11, 12, 13)),
        # what the site asks for
        (SITE, asked(no_path_retry="queue"), one_map(queueing="on")),
        (SITE, asked(no_path_retry="fail"), one_map(queueing="off")),
        (SITE, asked(path_grouping_policy="group_by_node_name"), HEALTHY),
        (SITE, asked(path_grouping_policy="group_by_prio"), one_map(groups=(group(1, "active", 50, *ALL),))),
        (SITE, asked(path_grouping_policy="group_by_tpg", path_checker="tur", hardware_handler="1 alua"), HEALTHY),
        # every path lost: the time to queue is over, and that is no hand's doing
        (SITE, replace(asked(no_path_retry="12"), maps=of_map(queueing="off").maps), HEALTHY),
        # arrays, SAS disks and what has two ways to it
        (None, HOST, replace(HEALTHY, aliens=(Alien("a", "3", (("sdx", "/rport-1:0-0/"),)),))),
        (None, HOST, replace(HEALTHY, aliens=(Alien("a", "3", (("sdx", "/ata1/"), ("sdy", "/ata2/"))),))),
        # every disk slow alike, every disk in error alike
        (SITE, HOST, replace(HEALTHY, delays=dict.fromkeys(ALL, (0.1,) * 8))),
        (SITE, HOST, replace(HEALTHY, delays={**HEALTHY.delays, ALONE: (0.5,) + (0.002,) * 7})),
        (SITE, HOST, replace(HEALTHY, delays={**HEALTHY.delays, ALONE: (0.011,) * 8})),
        (SITE, HOST, replace(HEALTHY, disks={d: replace(HEALTHY.disks[d], grown=50) for d in HEALTHY.disks})),
        # names by WWID, though an old line names it otherwise
        (SITE, of_map(name=APPS_A01), replace(HEALTHY, bindings=(("mpatha", APPS_A01),))),
    ],
)
def test_what_is_no_finding(site: Site | None, host: Host, seen: Disks) -> None:
    ours = {f"MP{number}" for number in range(428, 460)}
    assert ours & told(site, host, seen).keys() == set()


def test_a_disk_that_is_only_read_is_not_in_use() -> None:
    host = replace(loose(ALONE), users=(User(ALONE, "process", "dd (7)"),))
    assert told(SITE, host, in_udev(ALONE)).keys() == {"MP458"}


# -- the blacklist -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ('devnode "^sd[b-z]"', ""),
        ('devnode "^sda$"', "devnode ^sda$"),
        ('devnode "!^sdb"', "devnode !^sdb"),
        ("protocol scsi:iscsi", "protocol scsi:iscsi"),
        ("protocol scsi:fcp", ""),
        (f"wwid {APPS_A01}", f"wwid {APPS_A01}"),
        ('wwid "*"', ""),
        ('property "^ID_WWN$"', ""),  # multipath's own exception comes first
        ("device {\nvendor NEXENTA\nproduct COMSTAR\n}", "device vendor NEXENTA product COMSTAR"),
        ("device {\nvendor NEXENTA\nproduct OTHER\n}", ""),
    ],
)
def test_which_line_is_against_a_disk(lines: str, found: str) -> None:
    text = f"blacklist {{\n{lines}\n}}\n"
    line = disks_blacklist.line_against(conf(text), replace(FIRST, dev="sda"), UDEV)
    assert (line.text if line else "") == found
    excepted = "blacklist_exceptions {\n" + lines + "\n}\n"
    assert disks_blacklist.line_against(conf(text + excepted), replace(FIRST, dev="sda"), UDEV) is None


@given(st.text(max_size=40), st.sampled_from(["devnode", "wwid", "property", "protocol"]))
def test_an_exception_of_the_same_words_lifts_any_line(words: str, kind: str) -> None:
    entry = multipathconf.Entry(kind, words)
    both = tuple(multipathconf.Section(name, (entry,)) for name in ("blacklist", "blacklist_exceptions"))
    assert disks_blacklist.line_against(multipathconf.Conf(both), FIRST, UDEV) is None


# -- slow paths ----------------------------------------------------------------------------------------------------

DELAYS = st.lists(st.floats(0.0005, 0.06), min_size=8, max_size=8).map(tuple)


@given(st.lists(DELAYS, min_size=2, max_size=4))
def test_not_every_path_is_slower_than_the_others(every: list[tuple[float, ...]]) -> None:
    slow = [disks_paths.is_slow(one, [o for j, o in enumerate(every) if j != i]) for i, one in enumerate(every)]
    assert not all(slow)


@given(DELAYS, st.integers(2, 4))
def test_paths_that_are_alike_are_not_slow(delays: tuple[float, ...], count: int) -> None:
    assert not disks_paths.is_slow(delays, [delays] * (count - 1))


@given(DELAYS, st.floats(0.0005, 0.06))
def test_one_slow_read_makes_no_slow_path(others: tuple[float, ...], usual: float) -> None:
    assert not disks_paths.is_slow((3.0, *(min(others),) * 7), [others])


# -- readers -------------------------------------------------------------------------------------------------------


def test_luns_as_the_kernel_numbers_them() -> None:
    entries = bytes((0, 10, 0, 0, 0, 0, 0, 0)) + bytes((0x41, 0, 0, 0, 0, 0, 0, 0)) + bytes((0, 1, 0, 2, 0, 0, 0, 0))
    reply = bytes((0, 0, 0, 24, 0, 0, 0, 0)) + entries
    assert scsi.parse_luns(reply.ljust(scsi.LUNS_REPLY, b"\0")) == frozenset({10, 0x4100, 0x20001})
    assert scsi.parse_luns(bytes(scsi.LUNS_REPLY)) == frozenset()
    assert scsi.parse_luns(reply) is not None
    for cut in (reply[:-1], b"", bytes((0, 0, 0, 23)) + bytes(40), bytes((0, 1, 0, 0)) + bytes(40)):
        assert scsi.parse_luns(cut) is None


@given(st.sets(st.integers(0, 255), max_size=100))
def test_any_list_of_luns_is_read_back(numbers: set[int]) -> None:
    entries = b"".join(bytes((0, n, 0, 0, 0, 0, 0, 0)) for n in numbers)
    assert scsi.parse_luns(len(entries).to_bytes(4, "big") + bytes(4) + entries) == frozenset(numbers)


def test_a_reservation_and_none() -> None:
    held = bytes.fromhex("00000001000000100000000000000001" + "0000000000010000")  # of LIO, tried on bookworm
    assert scsi.parse_reservation(held) == 1
    assert scsi.parse_reservation(bytes.fromhex("0000000100000000").ljust(24, b"\0")) is None
    assert scsi.parse_reservation(b"") is None


def test_tables_that_name_devices() -> None:
    text = "# comment\n\ndata /dev/sdb1 none\nmore UUID=1-2\nshort\n"
    assert mounttab.parse_crypttab(text) == ((3, "/dev/sdb1", "data"), (4, "/dev/disk/by-uuid/1-2", "more"))
    lines = (
        "VERSION=1.1\nIDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sdb\nIDTYPE=devname IDNAME=/dev/sdc DEVNAME=/dev/sdc\n"
    )
    assert mounttab.parse_lvm_devices(lines) == ((3, "/dev/sdc"),)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("devices {\n\tmultipath_component_detection = 0\n}\n", 2),
        ("# multipath_component_detection = 0\n", None),
        ("multipath_component_detection=0\nmultipath_component_detection=1\n", None),
        ("", None),
    ],
)
def test_lvm_told_to_take_paths(text: str, line: int | None) -> None:
    assert mounttab.parse_detection(text) == line


def test_bindings() -> None:
    text = "# Multipath bindings, Version : 1.0\n#\n# alias wwid\n#\nmpatha 36001\nmpathb 36002 # x\nalone\n"
    assert multipathnames.parse_bindings(text) == (("mpatha", "36001"), ("mpathb", "36002"))


@given(
    st.lists(
        st.tuples(st.from_regex(r"[a-z0-9_-]{1,9}", fullmatch=True), st.from_regex(r"3[0-9a-f]{32}", fullmatch=True))
    )
)
def test_any_bindings_are_read_back(pairs: list[tuple[str, str]]) -> None:
    assert multipathnames.parse_bindings("".join(f"{a} {w}\n" for a, w in pairs)) == tuple(pairs)


@EACH
def test_the_words_of_each_release(release: str) -> None:
    assert all(not p.marginal for v in multipathd.maps(replay(release, "sane")) for p in v.paths)
    names = multipathnames.parse_bindings(tree(release, "sane", "files").files.get(multipathnames.BINDINGS, ""))
    assert not {wwid for _, wwid in names} & set(fakes.ALIASES)


# -- the look ------------------------------------------------------------------------------------------------------

PAGE_80 = "\0\udc80\0\x0519640"
LATER = 'defaults {\n\tfind_multipaths "strict"\n}\n'
OPERATOR = "prague multipathd[171]: hydra_apps-a01: fail path 8:0 (operator)"
CONFLICT = "prague kernel: sd 2:0:0:10: reservation conflict"


def saying(*argv: str, **_: object) -> Done:
    """What the programs say of the small tree."""
    words = {
        "dmsetup": "dm-0\t0\tActive\tmpath-x\tx\ndm-9\t0\tActive\tmpath-36009\thollow\n",
        "multipath": LATER,
        "journalctl": f"{OPERATOR}\n{CONFLICT}\n",
        "multipathd": FAILED,
    }
    return Done(argv, 0, words.get(argv[0], ""), "")


FAILED = """{"maps": [{
"name" : "hydra_apps-a01",
"uuid" : "3600144f0f484400000004e8685e70001",
"sysfs" : "dm-0",
"dm_st" : "active",
"queueing" : "12 chk",
"path_groups" : [{
"group" : 1,
"dm_st" : "active",
"paths" : [{
"dev" : "sda",
"dev_t" : "8:0",
"dm_st" : "failed",
"dev_st" : "running",
"chk_st" : "faulty",
"marginal_st" : "marginal"
}]}]}]}
"""


def answering(places: Mapping[str, str], asked: tuple[Question, ...], _: float) -> dict[str, tuple[Reply, ...]]:
    """Every disk: 2 GiB, reserved, LUNs 10 and 11, and reads of 2 ms; sdb alone takes 200 ms."""
    luns = bytes((0, 0, 0, 16, 0, 0, 0, 0)) + bytes((0, 10)).ljust(8, b"\0") + bytes((0, 11)).ljust(8, b"\0")
    said = {
        scsi.CAPACITY[0]: Reply(((4 << 20) - 1).to_bytes(8, "big") + (512).to_bytes(4, "big") + bytes(20)),
        scsi.RESERVATION: Reply(bytes.fromhex("000000010000001000000000000000010000000000010000")),
        scsi.LUNS: Reply(luns),
    }
    slow = {dev: 0.2 if dev == "sdb" else 0.002 for dev in places}
    return {
        dev: tuple(said.get(q.command, Reply(seconds=slow[dev]) if q.timed else Reply()) for q in asked)
        for dev in places
    }


@pytest.fixture
def small(tmp_path: Place, monkeypatch: pytest.MonkeyPatch) -> tuple[Machine, Host]:
    monkeypatch.setattr(sgio, "replies", answering)
    monkeypatch.setattr(edge, "AGAIN", 0.0)
    made = trees.guide(tmp_path)
    for dev, host in (("sda", 2), ("sdb", 3), ("sdc", 4), ("sdaa", 5)):
        at = f"/sys/block/{dev}/device"
        made.files(at, {"timeout": "30", "eh_timeout": "10", "ioerr_cnt": "0x2a", "vpd_pg80": PAGE_80})
        made.files(f"/sys/block/{dev}", {"ro": "0", "dev": f"8:{host}"})
        made.link(f"/sys/class/block/{dev}", f"/sys/block/{dev}")
        made.file(f"/run/udev/data/b8:{host}", f"E:ID_SERIAL={APPS_A01}\nE:ID_WWN=0x6\n")
    made.link("/dev/disk/by-path/x-lun-10", "/dev/sda")
    made.file("/etc/fstab", "/dev/disk/by-path/x-lun-10 /srv ext4 _netdev 0 0\n/dev/vda1 / ext4 defaults 0 1\n")
    made.file("/etc/lvm/lvm.conf", "multipath_component_detection = 0\n")
    made.file("/sys/module/dm_mod/version", "4")
    made.file("/etc/multipath/bindings", f"mpatha {APPS_A01}\n")
    made.file("/etc/multipath.conf", 'blacklist {\n\tdevnode "^sdz"\n}\n')
    read = Files(str(tmp_path))
    maps = sysfs.maps(read)
    seen = tuple(replace(p, dm_state="active") for p in sysfs.paths(read, maps))
    return Machine(saying, read), Host(sessions=sysfs.sessions(read, {}), paths=seen, maps=maps, units=HOST.units)


def test_a_look_at_a_small_host(small: tuple[Machine, Host]) -> None:
    machine, host = small
    seen = edge.look(machine, None, replace(host, readable=frozenset({"sda"})))
    assert seen.disk("sda") == Disk("19640", "1.0", 30, 10, errors=42)
    assert seen.sizes == {"sda": 2 << 30}
    assert seen.reserved == seen.conflicts == {"sda"}
    assert seen.stuck == {"sda": OPERATOR}
    assert [v.paths[0].marginal for v in seen.views] == [True]
    assert seen.delays["sdb"] == (0.2,) * 8
    assert seen.named == (Named("/etc/fstab", 1, "/dev/disk/by-path/x-lun-10", "sda"),)
    assert seen.marked == (("/etc/lvm/lvm.conf line 1", "multipath_component_detection = 0"),)
    assert seen.bindings == (("mpatha", APPS_A01),)
    assert seen.hollow == {"hollow": "36009"}
    assert seen.settled
    assert (seen.gone, seen.listed, seen.held, seen.suspended) == (frozenset(), {}, {}, frozenset())
    found = told(None, host, seen)
    assert {"MP436", "MP437", "MP442", "MP444", "MP452", "MP455", "MP459"} <= found.keys()


def test_what_may_pass_is_looked_at_again(small: tuple[Machine, Host], monkeypatch: pytest.MonkeyPatch) -> None:
    machine, host = small
    at = f"{machine.files.root}/sys/block"
    Place(f"{at}/sda/device/state").write_text("offline\n")
    Place(f"{at}/sda/device/ioerr_cnt").write_text("0x1fa\n")
    Place(f"{at}/dm-0/dm/suspended").write_text("1\n")
    before = replace(
        paths(host, "sda", "sdb", device_state="offline"), maps=tuple(replace(m, suspended=True) for m in host.maps)
    )
    monkeypatch.setattr(time, "sleep", lambda _: Place(f"{at}/sda/device/ioerr_cnt").write_text("0x200\n"))
    seen = edge.look(machine, None, before)
    assert seen.held == {"sda": "offline"}
    assert seen.suspended == {"dm-0"}
    assert (seen.disk("sda").grown, seen.disk("sda").errors, seen.disk("sdb").grown) == (6, 506, 0)


def test_a_disk_in_no_map_is_looked_at_closer(small: tuple[Machine, Host]) -> None:
    machine, host = small
    seen = edge.look(machine, None, loose("sda", host=host))
    assert seen.disk("sda").udev == {"ID_SERIAL": APPS_A01, "ID_WWN": "0x6"}
    assert seen.find_multipaths == "strict"
    # that no disk answers who it is says nothing: it is not gone
    assert seen.gone == frozenset()


def test_a_session_without_the_disk_is_asked_through_another(small: tuple[Machine, Host]) -> None:
    machine, host = small
    other = replace(host.paths[0], dev="sdq", hctl="2:0:0:11", wwid="36009", dm="", dm_state="")
    host = replace(host, paths=(*host.paths[1:], other))
    again = next(s for s in host.sessions if s.sid == other.sid)
    twin = replace(again, sid=99, pair=replace(again.pair, iface="sw-iscsi-7"))
    moved = replace(host, sessions=(*host.sessions, twin))
    seen = edge.look(machine, None, moved)
    assert seen.listed == {other.sid: {10, 11}}
    assert "MP434" in told(None, moved, seen)


def test_targets_are_asked_for_a_lun_that_has_no_disk(small: tuple[Machine, Host]) -> None:
    """Only then; of the small host's sessions all but one are logged in."""
    machine, host = small
    (Place(machine.files.root) / "sys/class/scsi_device/2:0:0:0").mkdir(parents=True)
    both = fakes.guide_site(luns=tuple(lun for lun in SITE.luns if lun.wwid in (APPS_A01, DB_A01)))
    alive = {s.sid for s in host.sessions if s.logged_in}
    seen = edge.look(machine, both, host)
    assert seen.listed == {p.sid: {10, 11} for p in host.paths if p.sid in alive}
    assert [n for n in seen.known.values() if n] == [{0}]
    alone = edge.look(machine, fakes.guide_site(luns=both.luns[:1]), host)
    assert (alone.listed, alone.known) == ({}, {})


def test_what_a_program_does_not_tell_is_not_known(small: tuple[Machine, Host]) -> None:
    """There is no journal, and multipath is not installed, or has met a line that it does not start with."""
    machine, host = small

    def refusing(*argv: str, **_: object) -> Done:
        if argv[0] in ("journalctl", "multipath"):
            raise ProgramFailed(f"{argv[0]} failed", "")
        return saying(*argv)

    loosened = loose("sdb", host=replace(host, readable=frozenset({"sda"})))
    seen = edge.look(Machine(refusing, machine.files), None, loosened)
    assert (seen.find_multipaths, seen.conflicts, seen.stuck) == ("", frozenset(), {"sda": ""})


@pytest.mark.parametrize(
    ("planted", "empty"),
    [
        (("scsi_device/9:0:0:0/device/type", "12\n"), True),  # an array's controller
        (("scsi_device/9:0:0:0/device/type", "1\n"), False),  # a tape
        (("scsi_disk/9:0:0:3/x", ""), False),  # its scan was on the way
        (("scsi_disk/91:0:0:3/x", ""), True),
    ],
)
def test_a_session_without_a_disk_is_looked_at_again(
    tmp_path: Place, monkeypatch: pytest.MonkeyPatch, planted: tuple[str, str], empty: bool
) -> None:
    made, (place, text) = trees.Tree(tmp_path), planted
    host = Host(sessions=(replace(HOST.sessions[0], sid=7, host=9),))
    monkeypatch.setattr(time, "sleep", lambda _: made.file(f"/sys/class/{place}", text))
    machine = Machine(saying, Files(str(tmp_path)))
    assert edge.look(machine, None, host).empty == ({7} if empty else set())
    assert edge.look(machine, SITE, host).empty == frozenset()  # whose LUNs the checks miss


@pytest.mark.parametrize("late", [False, True])
def test_disks_that_no_driver_has_taken(tmp_path: Place, monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    """LUN 0 is the array's own, 10 a disk, 11 one that it does not connect; the driver may come a moment later."""
    made = trees.Tree(tmp_path)
    for number, kind, inquiry in ((0, 31, "\x7f"), (10, 0, "\0\0\6"), (11, 0, "\x20\0\6")):
        made.file(f"/sys/class/scsi_device/9:0:0:{number}/device/type", f"{kind}\n")
        made.file(f"/sys/class/scsi_device/9:0:0:{number}/device/inquiry", inquiry)
    taken = partial(made.file, "/sys/bus/scsi/drivers/sd/bind", "")
    monkeypatch.setattr(time, "sleep", lambda _: taken() if late else None)
    session = replace(HOST.sessions[0], sid=7, host=9)
    host = Host(sessions=(session,))
    seen = edge.look(Machine(saying, Files(str(tmp_path))), SITE, host)
    told = [(f.code, f.subject, f.detail) for f in disks_unmapped.findings(SITE, host, seen, ())]
    assert told == ([] if late else [("MP460", str(session.pair), "session 7: 9:0:0:10")])


def test_a_host_without_disks_is_asked_nothing(tmp_path: Place) -> None:
    def nothing(*argv: str, **_: object) -> Done:
        raise AssertionError(argv)

    assert edge.look(Machine(nothing, Files(str(tmp_path))), None, Host()) == Disks()


def test_few_luns_stand_for_all_sessions() -> None:
    chosen = disks_asked._one_a_session(HOST)
    assert {p.sid for p in chosen} == {s.sid for s in HOST.sessions}
    assert len({p.dm for p in chosen}) == 1
    # a read over a controller in standby has some arrays move the LUN there
    standby = tuple(p.dev for p in HOST.paths if p.sid == FIRST.sid)
    ghosts = disks_asked._one_a_session(paths(HOST, *standby, checker_state="ghost"))
    assert {p.sid for p in ghosts} == {s.sid for s in HOST.sessions} - {FIRST.sid}
    assert disks_asked._one_a_session(lost(replace(HOST, paths=MINE))) == ()


@EACH
def test_attributes_of_recorded_disks(release: str, tmp_path: Place) -> None:
    shown = trees.planted(tmp_path, tree(release, "sane"))
    assert all(sysdisk.revision(shown, dev) for dev in sysfs.disks(shown))


# -- what mends them -----------------------------------------------------------------------------------------------

LEFT = Map("old", "36009", "dm-9", 1024, queueing="forever")
FIXED: list[tuple[str, Host, list[str]]] = [
    (
        "MP442",
        replace(paths(HOST, ALONE, dm_state="failed"), readable=frozenset({ALONE})),
        [f"multipathd reinstate path {ALONE}"],
    ),
    (
        "MP443",
        paths(HOST, ALONE, device_state="offline"),
        [f"/sys/class/scsi_device/{FIRST.hctl}/device/state running"],
    ),
    ("MP434", FRESH, [f"iscsiadm -m session -r {s.sid} --rescan" for s in HOST.sessions]),
    ("MP434", DELETED, [f"iscsiadm -m session -r {FIRST.sid} --rescan"]),
    (
        "MP441",
        replace(asked(no_path_retry="12"), maps=of_map(queueing="off").maps),
        [f"multipathd restorequeueing map {LUN}"],
    ),
    ("MP457", of_map(size=512), [f"multipathd resize map {LUN}"]),
    ("MP457", paths(of_map(size=512), ALONE, dm_state="failed"), []),
    ("MP457", of_map(size=4 * fakes.SIZE), []),
    ("MP450", replace(HOST, maps=(*HOST.maps, LEFT)), ["multipathd disablequeueing map old", "multipath -f old"]),
    ("MP450", replace(HOST, maps=(*HOST.maps, LEFT), users=(User("dm-9", "mount", "/srv"),)), []),
]


@pytest.mark.parametrize(("code", "host", "steps"), FIXED)
def test_what_mends_each(code: str, host: Host, steps: list[str]) -> None:
    made = disks_fixes.FIXES[code](SITE, host, plan.steps(SITE, host))
    said = [" ".join(s.argv) if isinstance(s, Command) else f"{s.path} {(s.text or '').strip()}" for s in made]
    assert said == steps


@pytest.mark.parametrize("code", sorted(disks_fixes.FIXES))
def test_a_whole_host_is_not_mended(code: str) -> None:
    assert disks_fixes.FIXES[code](SITE, HOST, plan.steps(SITE, HOST)) == ()
    assert disks_fixes.FIXES[code](None, HOST, None) == ()
