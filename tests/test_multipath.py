from __future__ import annotations

import pytest
import recordings
from hypothesis import given
from hypothesis import strategies as st

from mpio import dropin, presets
from mpio.errors import UnreadableOutput
from mpio.step import Part
from mpio.tools import multipath, multipathconf, multipathwords
from mpio.tools.multipath import Warning as Complaint

BOTH = pytest.mark.parametrize("distribution", ["bookworm", "trixie"])
NEXENTA = ("NEXENTA", "COMSTAR")


def known(distribution: str) -> frozenset[str]:
    return multipath.known(recordings.Recorded(distribution, "known"))


def staged(distribution: str, case: str) -> multipath.Staged:
    run = recordings.Recorded(distribution, case)
    return multipath.staged(run, recordings.files(case, known(distribution)))


@BOTH
def test_the_built_in_entries(distribution: str) -> None:
    table = staged(distribution, "built-in").table
    assert staged(distribution, "built-in").warnings == ()
    assert multipath.device_for(table, *NEXENTA)["no_path_retry"] == "30"
    assert multipath.device_for(table, "SUN     ", "COMSTAR         ")["prio"] == "alua"
    assert multipath.devices_for(table, "QEMU", "HARDDISK") == ()
    assert table["defaults", ""]["find_multipaths"] == "strict"


@BOTH
def test_every_mistake_is_named_with_its_line(distribution: str) -> None:
    found = staged(distribution, "mistakes")
    assert len(found.warnings) == len(recordings.load(distribution, "mistakes").err.splitlines())
    at = {(w.line, w.text) for w in found.warnings if w.path == recordings.DROP_IN}
    assert {
        (2, "invalid keyword in the defaults section: foo"),
        (3, 'invalid value for max_polling_interval: "abc"'),
        (4, "ignoring extra data starting with '6'"),
        (5, "missing closing quotes"),
        (13, "missing argument count for path_selector"),
        (17, "missing value for option 'failback'"),
        (23, "missing '{'"),
        (24, "invalid keyword '{'"),
        (34, "unmatched '}'"),
        (0, "missing '}' at end"),
    } <= at | {(0, "missing '}' at end")}
    assert Complaint("", 0, "multipaths config section missing wwid") in found.about(recordings.DROP_IN)


@BOTH
@pytest.mark.parametrize("preset", [*presets.PRESETS])
def test_multipath_accepts_what_the_presets_say_and_does_it(distribution: str, preset: str) -> None:
    wish = recordings.wish(preset, known(distribution))
    found = staged(distribution, preset)
    assert found.warnings == ()
    inquiry = ("SUN", "COMSTAR") if preset == "sun-comstar" else NEXENTA

    def value(key: str, wwid: str = recordings.HYDRA) -> str | None:
        return multipath.effective_value(found.table, wwid, inquiry, key)

    assert (value("fast_io_fail_tmo"), value("dev_loss_tmo")) == ("10", "infinity")
    assert value("no_path_retry") == "24"
    assert value("user_friendly_names") == "yes"
    assert (value("find_multipaths"), value("polling_interval")) == ("strict", "7")
    assert value("alias") == "hydra_apps-a01"
    assert value("path_selector") == "round-robin 0"
    for key, said in presets.PRESETS[preset].keywords.items():
        if key not in wish.keywords and f"{dropin.place(wish)}.{key}" in wish.known:
            assert value(key, "another") == said


@BOTH
def test_a_users_overrides_beat_a_device_entry_and_not_a_lun(distribution: str) -> None:
    table = staged(distribution, "nexenta-comstar-beside").table
    assert multipath.effective_value(table, "another", NEXENTA, "failback") == "manual"
    assert multipath.effective_value(table, recordings.HYDRA, NEXENTA, "failback") == "immediate"
    assert multipath.effective_value(table, "another", NEXENTA, "path_checker") == "tur"
    assert multipath.effective_value(table, "another", NEXENTA, "rr_min_io") == "2000"


def test_keywords_are_probed() -> None:
    detections = {"device.detect_pgpolicy", "overrides.detect_pgpolicy", "device.detect_pgpolicy_use_tpg"}
    assert detections.isdisjoint(known("bookworm"))
    assert detections <= known("trixie")
    for found in (known("bookworm"), known("trixie")):
        assert "device.purge_disconnected" not in found  # since 0.14.0
        assert {"overrides.protocol", "protocol.fast_io_fail_tmo", "device.fast_io_fail_tmo"} <= found


@BOTH
def test_our_lists_of_keywords_are_multipaths_own(distribution: str) -> None:
    """All but the youngest is known to the oldest that we record."""
    young = {"detect_pgpolicy", "detect_pgpolicy_use_tpg", "purge_disconnected"}
    found = known(distribution)
    assert {f"device.{k}" for k in multipathwords.DEVICE_KEYWORDS - young} <= found
    assert {f"multipath.{k}" for k in multipathwords.MULTIPATH_KEYWORDS - young} <= found
    assert {f"overrides.{k}" for k in multipathwords.OVERRIDES_KEYWORDS - young} <= found
    assert multipathwords.MULTIPATH_KEYWORDS.isdisjoint({"vendor", "product", "path_checker", "fast_io_fail_tmo"})


def test_a_file_outside_etc_is_no_part_of_a_configuration() -> None:
    run = recordings.Recorded("bookworm", "built-in")
    for path in ("/tmp/x", "/etc/../tmp/x", "etc/x"):
        with pytest.raises(ValueError):
            multipath.staged(run, {path: ""})


@pytest.mark.parametrize("text", ["", "garbage", "defaults {\n", "defaults {\n}\nrest\n", "multipath-tools v0.9.4"])
def test_what_is_no_configuration(text: str) -> None:
    with pytest.raises(UnreadableOutput):
        multipath.effective(text)


def test_the_blacklist_that_0_9_4_prints_with_unmatched_braces() -> None:
    text = 'defaults {\n\tverbosity 2\n}\nblacklist {\n\tdevice {\n\t\tvendor "DELL"\n}\ndevices {\n}\n'
    assert multipath.effective(text)["defaults", ""] == {"verbosity": "2"}


@given(st.text())
def test_warnings_are_read_from_any_text(text: str) -> None:
    assert len(multipath.parse_warnings(text)) == sum(bool(line.strip()) for line in text.split("\n"))


@given(st.text() | st.text("[]^:alpha.*+?(){}|\\$-! A"), st.text(max_size=16))
def test_any_expression_matches_or_not(pattern: str, text: str) -> None:
    table = {("device", "x"): {"vendor": pattern, "product": ".*"}}
    assert len(multipath.devices_for(table, text, "P")) in {0, 1}


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("NEXENTA", "NEXENTA ", True),
        ("^NEX", "XNEX", False),
        ("(Sun Storage|ZFS Storage|COMSTAR)", "ZFS Storage 7420", True),
        ("^DF[[:digit:]]+$", "DF600", True),
        ("^[^[:alpha:]]", "1x", True),
        ("^[]x]$", "]", True),
        (r"^[\d]$", "d", True),  # a backslash in a POSIX bracket is itself
        (r"^[\d]$", "1", False),
        ("*", "anything", False),  # no valid expression
    ],
)
def test_posix_expressions(pattern: str, text: str, matches: bool) -> None:
    table = {("device", "x"): {"vendor": pattern, "product": ".*"}}
    assert bool(multipath.devices_for(table, text, "P")) is matches


def test_later_entries_are_layered_over_earlier_ones() -> None:
    text = (
        "devices {\ndevice {\nvendor A\nproduct .*\nfailback manual\nno_path_retry 3\n}\n"
        "device {\nvendor A\nproduct B\nfailback immediate\n}\n}\ndefaults {\nno_path_retry 9\nprio const\n}\n"
    )
    table = multipath.table(multipathconf.parse(text))
    assert [multipath.effective_value(table, "w", ("A", "B"), k) for k in ("failback", "no_path_retry", "prio")] == [
        *("immediate", "3", "const"),
    ]
    assert multipath.effective_value(table, "w", ("Z", "B"), "no_path_retry") == "9"
    assert multipath.effective_value(table, "w", ("Z", "B"), "failback") is None


def test_wwids() -> None:
    text = "# Multipath wwids, Version : 1.0\n# NOTE: …\n/3600144f0f4/\n/1ATA_a/b/\n\nstray\n/\n//\n"
    assert multipath.parse_wwids(text) == {"3600144f0f4", "1ATA_a/b"}


def test_steps() -> None:
    step = multipath.register(recordings.HYDRA, "it is not in /etc/multipath/wwids")
    assert (step.part, step.argv) == (Part.MULTIPATH, ("multipath", "-a", recordings.HYDRA))
    assert step.notes[0].kind == "wwid"
    assert multipath.flush("hydra_db-a01", "the LUN goes").argv == ("multipath", "-f", "hydra_db-a01")
    assert multipath.forget(recordings.HYDRA, "the LUN is gone").argv == ("multipath", "-w", recordings.HYDRA)


def test_an_old_spelling_is_harmless() -> None:
    line = '1.5 | /etc/x line 21, "yes" is a deprecated value for flush_on_last_del and is treated as "always"'
    (said,) = multipath.parse_warnings(line)
    assert said.harmless
    assert str(said).startswith("/etc/x line 21: ")
