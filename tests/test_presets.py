from __future__ import annotations

from collections.abc import Mapping

import pytest
import recordings
from hypothesis import given
from hypothesis import strategies as st

from mpio import dropin, presets
from mpio.dropin import Lun, Value, Wish
from mpio.lab import candidates
from mpio.tools import multipath, multipathconf, multipathwords

# 0.8.5 (no overrides.protocol), 0.9.4, 0.11.1
ANCIENT, OLD, NEW = (recordings.known(release) for release in ("bullseye", "bookworm", "trixie"))
NAMES = st.sampled_from(sorted(presets.PRESETS))
KNOWN = st.sampled_from([recordings.known(release) for release in recordings.RELEASES])
WORDS: st.SearchStrategy[Value] = st.text("abc 0#\"'{}", max_size=9) | st.integers(0, 99) | st.booleans()


def keywords(allowed: frozenset[str]) -> st.SearchStrategy[dict[str, Value]]:
    names = allowed - {"fast_io_fail_tmo", "dev_loss_tmo", "wwid", "alias"}
    return st.dictionaries(st.sampled_from(sorted(names)), WORDS, max_size=4)


LUNS = st.lists(
    st.builds(Lun, st.sampled_from("wxyz"), st.none() | st.just("a"), keywords(multipathwords.MULTIPATH_KEYWORDS)),
    max_size=2,
    unique_by=lambda lun: lun.wwid,
).map(tuple)
WISHES = st.builds(
    Wish,
    NAMES,
    st.integers(1, 999),
    KNOWN,
    keywords=keywords(multipathwords.DEVICE_KEYWORDS),
    find_multipaths=st.none() | st.just("strict"),
    polling_interval=st.none() | st.integers(1, 60),
    luns=LUNS,
)


def table(wish: Wish) -> multipath.Table:
    return multipath.table(multipathconf.parse(multipathconf.render(dropin.sections(wish))))


def device(wish: Wish) -> Mapping[str, str]:
    (found,) = (v for (section, _), v in table(wish).items() if section == "device")
    return found


def test_the_guides_preset() -> None:
    assert device(Wish("nexenta-comstar", 10, NEW)) == {
        "vendor": "NEXENTA",
        "product": "COMSTAR",
        "path_grouping_policy": "group_by_node_name",
        "path_selector": "service-time 0",
        "path_checker": "tur",
        "failback": "immediate",
        "no_path_retry": "12",
        "detect_pgpolicy": "no",
        "fast_io_fail_tmo": "10",
        "dev_loss_tmo": "infinity",
    }
    assert "detect_pgpolicy" not in device(Wish("nexenta-comstar", 10, OLD))


@pytest.mark.parametrize("preset", ["none", "generic-alua"])
def test_without_a_vendor_the_time_outs_are_those_of_iscsi_only(preset: str) -> None:
    found = table(Wish(preset, 7, NEW))
    assert found["protocol", "scsi:iscsi"] == {
        "type": "scsi:iscsi",
        "fast_io_fail_tmo": "7",
        "dev_loss_tmo": "infinity",
    }
    assert "fast_io_fail_tmo" not in found["overrides", ""]
    assert found["overrides", ""] == presets.PRESETS[preset].keywords
    assert not any(section == "device" for section, _ in found)


def test_before_protocol_sections() -> None:
    found = table(Wish("none", 7, ANCIENT))
    assert found["overrides", ""] == {"fast_io_fail_tmo": "7"}
    assert not any(section == "protocol" for section, _ in found)


def test_a_vendor_from_the_site_makes_a_device_entry() -> None:
    wish = Wish("generic-alua", 7, NEW, {"vendor": "ACME"})
    assert dropin.place(wish) == "device"
    assert device(wish)["vendor"] == "ACME"
    assert device(wish)["product"] == ".*"
    assert device(wish)["fast_io_fail_tmo"] == "7"


@pytest.mark.parametrize(
    ("named", "detection"),
    [
        ({"path_grouping_policy": "multibus"}, "detect_pgpolicy"),
        ({"prio": "const"}, "detect_prio"),
        ({"path_checker": "directio"}, "detect_checker"),
        ({"checker": "directio"}, "detect_checker"),
    ],
)
def test_what_the_site_names_is_not_detected_away(named: dict[str, Value], detection: str) -> None:
    for preset in ("nexenta-comstar", "sun-comstar"):
        assert device(Wish(preset, 10, NEW, named))[detection] == "no"
        assert device(Wish(preset, 10, NEW, {**named, detection: True}))[detection] == "yes"
    assert table(Wish("generic-alua", 10, NEW, named))["overrides", ""][detection] == "no"


def test_what_a_lun_names_is_not_detected_away() -> None:
    lun = Lun(candidates.HYDRA, "a", {"path_grouping_policy": "multibus", "prio": "const"})
    found = device(Wish("sun-comstar", 10, NEW, luns=(lun,)))
    assert (found["detect_pgpolicy"], found["detect_prio"]) == ("no", "no")
    assert "detect_pgpolicy" not in device(Wish("sun-comstar", 10, OLD, luns=(lun,)))


def test_an_old_name_of_the_checker_replaces_the_presets() -> None:
    assert "path_checker" not in device(Wish("nexenta-comstar", 10, NEW, {"checker": "directio"}))


def test_booleans_and_numbers() -> None:
    assert [dropin.text(v) for v in (True, False, 12, "x")] == ["yes", "no", "12", "x"]


def test_mistakes_have_key_paths() -> None:
    lun = Lun("w", None, {"path_checker": "tur", "alias": "x", "purge_disconnected": True})
    wish = Wish("none", 10, OLD, {"fast_io_fail_tmo": 3, "hardware_handler": "1 alua", "bogus": 1}, luns=(lun,))
    assert [m.partition(":")[0] for m in dropin.mistakes(wish)] == [
        *("multipath.fast_io_fail_tmo", "multipath.hardware_handler", "multipath.bogus"),
        *("lun[0].path_checker", "lun[0].alias", "lun[0].purge_disconnected"),
    ]
    known_later = Wish("sun-comstar", 10, OLD, {"detect_pgpolicy": False})
    assert dropin.mistakes(known_later) == ("multipath.detect_pgpolicy: the installed multipath does not know it",)
    assert dropin.mistakes(Wish("sun-comstar", 10, NEW, {"detect_pgpolicy": False})) == ()


@given(WISHES)
def test_all_that_is_wished_is_in_the_file_and_in_force(wish: Wish) -> None:
    found = table(wish)
    where = device(wish) if dropin.place(wish) == "device" else found.get(("overrides", ""), {})
    for key, value in wish.keywords.items():
        assert where[key] == dropin.text(value)
    for lun in wish.luns:
        said = found["multipath", lun.wwid]
        assert said.get("alias") == lun.alias
        assert all(said[k] == dropin.text(v) for k, v in lun.keywords.items())
        times = found.get(("protocol", dropin.ISCSI), where)
        assert times["fast_io_fail_tmo"] == str(wish.replacement)
    assert found["defaults", ""].get("find_multipaths") == wish.find_multipaths


@given(WISHES)
def test_only_what_the_installed_multipath_knows_is_added(wish: Wish) -> None:
    named = {*wish.keywords, "vendor", "product", "fast_io_fail_tmo"}
    where = dropin.place(wish)
    found = device(wish) if where == "device" else table(wish)["overrides", ""]
    assert {f"{where}.{key}" for key in found.keys() - named} <= wish.known


@given(WISHES)
def test_the_file_has_no_grammatical_mistake(wish: Wish) -> None:
    sections = dropin.sections(wish)
    conf = multipathconf.parse(multipathconf.render(sections, "mpio"))
    assert conf.remarks == ()
    assert conf.sections == sections


def test_a_preset_is_no_mistake_of_its_own() -> None:
    for preset in presets.PRESETS.values():
        place = multipathwords.DEVICE_KEYWORDS if preset.vendor else multipathwords.OVERRIDES_KEYWORDS
        assert preset.keywords.keys() <= place
        assert dropin.mistakes(Wish(preset.name, 10, OLD)) == ()
    assert dropin.sections(Wish("none", 10, NEW))[0].name == "overrides"


def test_every_deviation_has_a_reason() -> None:
    guide = presets.PRESETS["nexenta-comstar"].deviations
    assert all(d.today and d.why for p in presets.PRESETS.values() for d in p.deviations)
    said = " ".join(d.guide for d in guide)
    for keyword in (
        *("checker_timer", "getuid_callout", "no_path_retry", "path_checker", "path_grouping_policy", "prio"),
        *("polling_interval", "queue_without_daemon", "rr_min_io", "rr_weight", "selector", "udev_dir"),
        *("user_friendly_names", "blacklist", "failback", "features", "vendor", "replacement_timeout"),
    ):
        assert keyword in said
