"""An old multipath.conf as the least drop-in that says the same: `doctor --config FILE --migrate`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import in_force
import pytest
import recordings
from fakes import ALIASES

from mpio.diagnosis import conf, migrate
from mpio.plan.shape import MULTIPATH_CONF
from mpio.tools import multipath, multipathconf
from mpio.tools.multipath import Table
from mpio.tools.multipathbuilt import Dialect

CONF = MULTIPATH_CONF
GUIDE = Path(__file__).with_name("conf").joinpath("guide-multipath.conf").read_text()
NEXENTA = ("NEXENTA", "COMSTAR")
# What the guide's file means for each of its LUNs. `no_path_retry 12` stands in its defaults, and nobody who wrote that
# meant the 30 of a built-in entry.
MEANT = {
    "no_path_retry": "12",
    "path_checker": "directio",
    "path_grouping_policy": "group_by_node_name",
    "path_selector": "service-time 0",
    "failback": "immediate",
    "prio": "const",
    "features": "0",
    "rr_weight": "uniform",
    "polling_interval": "10",
    "user_friendly_names": "yes",
}


@cache
def dialect(release: str) -> Dialect:
    return Dialect(recordings.known(release), recordings.staged(release, "built-in").table)


def installed(drop_in: str, release: str) -> Table:
    """The release's built-in configuration with this drop-in over it, as the real `multipath -t` has it."""
    found = dict(dialect(release).built_in)
    for name, values in multipath.table(multipathconf.parse(drop_in)).items():
        found[name] = {**found.get(name, {}), **values}
        if name[0] == "device":
            found[name] = found.pop(name)  # a later entry is the stronger one
    return found


def spoken(text: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if not line.startswith("#"))


@recordings.EACH
def test_each_lun_of_the_guide_has_what_the_guide_meant(release: str) -> None:
    drop_in = migrate.drop_in(GUIDE, CONF, dialect(release))
    table = installed(drop_in, release)
    for wwid, alias in ALIASES.items():
        found = {key: in_force.value(table, wwid, NEXENTA, key) for key in MEANT}
        assert all(migrate.same(key, value, found[key]) for key, value in MEANT.items()), found
        assert in_force.value(table, wwid, NEXENTA, "alias") == alias


@recordings.EACH
def test_it_has_no_mistake_left(release: str) -> None:
    drop_in = migrate.drop_in(GUIDE, CONF, dialect(release))
    assert multipathconf.parse(drop_in).remarks == ()
    assert [f for f in conf.of_file(CONF, drop_in, dialect(release)) if f.severity != "info"] == []
    assert spoken(migrate.drop_in(drop_in, CONF, dialect(release))) == spoken(drop_in)


@recordings.EACH
def test_what_autodetection_would_beat_is_kept_in_force(release: str) -> None:
    drop_in = migrate.drop_in(GUIDE, CONF, dialect(release))
    assert drop_in.count("detect_pgpolicy no") == (2 if release == "trixie" else 0)
    assert drop_in.count("detect_checker no") == 1


def test_what_is_left_out_is_named_with_its_reason() -> None:
    said = migrate.drop_in(GUIDE, CONF, dialect("bookworm"))
    assert f"# What {CONF} says, for the installed multipath: a drop-in in place of that file\n" in said
    assert "# closing braces that were missing there: 10; read as it was meant\n" in said
    assert '# line 2, checker_timer "120": never a keyword of multipath-tools; today: polling_interval' in said
    assert "# lines 3, 30, getuid_callout " in said
    assert '# lines 37, 44, 51, 58, vendor "NEXENTA": never valid in multipath\n' in said
    assert '# line 32, features "1 queue_if_no_path": no_path_retry 12 of line 4 counts alone since 0.7.2\n' in said
    assert '# line 18, devnode "^sda": may be a path of the SAN at the next boot' in said
    assert all(f"# multipath -a {wwid}\n" in said for wwid in ALIASES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("defaults {\n verbosity 2\n}\n", ""),
        ('defaults {\n default_selector "round-robin 0"\n}\n', 'defaults {\n\tpath_selector "round-robin 0"\n}\n'),
        ("defaults {\n udev_dir /dev\n}\n", ""),
        ("defaults {\n user_friendly_names 1\n}\n", "defaults {\n\tuser_friendly_names 1\n}\n"),
        ("defaults {\n user_friendly_names 0\n}\n", ""),
        ('defaults {\n features "1 queue_if_no_path"\n}\n', "defaults {\n\tno_path_retry queue\n}\n"),
        (
            'defaults {\n features "3 queue_if_no_path pg_init_retries 50"\n no_path_retry fail\n}\n',
            'defaults {\n\tfeatures "2 pg_init_retries 50"\n\tno_path_retry fail\n}\n',
        ),
        ('defaults {\n prio_callout "/sbin/mpath_prio_alua /dev/%n"\n}\n', "defaults {\n\tprio alua\n}\n"),
        ("defaults {\n flush_on_last_del yes\n}\n", "defaults {\n\tflush_on_last_del always\n}\n"),
        ("defaults {\n no_path_retry often\n}\n", ""),
        ("defaults {\n path_seletcor x\n}\n", ""),
        ('blacklist {\n devnode "*"\n}\n', ""),
        ("devnode_blacklist {\n wwid 3500\n}\n", "blacklist {\n\twwid 3500\n}\n"),
        (
            'defaults {\n find_multipaths off\n}\nblacklist {\n devnode "^sda$"\n}\n',
            'defaults {\n\tfind_multipaths off\n}\nblacklist {\n\tdevnode "^sda$"\n}\n',
        ),
        (
            "multipaths {\n multipath {\n  wwid a\n  alias x\n  path_checker tur\n }\n}\n",
            "multipaths {\n\tmultipath {\n\t\twwid a\n\t\talias x\n\t}\n}\n",
        ),
        (
            "overrides {\n no_path_retry 3\n protocol {\n  type scsi:iscsi\n  fast_io_fail_tmo 9\n }\n}\n",
            "overrides {\n\tno_path_retry 3\n\tprotocol {\n\t\ttype scsi:iscsi\n\t\tfast_io_fail_tmo 9\n\t}\n}\n",
        ),
        ("devices {\n device {\n  vendor NEXENTA\n  product COMSTAR\n  no_path_retry 30\n }\n}\n", ""),
    ],
)
def test_lines_of_old_and_of_today(old: str, new: str) -> None:
    said = migrate.drop_in(old, CONF, dialect("trixie"))
    assert spoken(said) == new
